"""What the measurements play on: a community of any size whose members may all have the report, and that report.

The report is the one that the design's figures were taken with: three portions with a label each, about 1.9 KB of
content, all of them for every reader.
"""

from dataclasses import dataclass
from typing import Final

from agencies.core import NodeCore
from agencies.keyring import Keys, new_key_ring
from agencies.state import HeldMessage
from broker.core import Identity, RouterCore
from broker.state import KnownMessage, KnownProposal
from schemas.bundle import (
    Agency,
    Authority,
    Bundle,
    Group,
    Mechanism,
    Membership,
    Predicate,
    RouterKey,
    Rule,
    SignKey,
    TrustRoot,
)
from schemas.codec import pack, read_shape
from schemas.frames import VerdictMessage
from schemas.label import EXERCISE_LEVELS, Label
from schemas.report import Grading, Indicator, Observed, Passage, Place, Portion, PortionContent
from schemas.workflow import Grant
from sealing.directory import BoxKey, announce
from sealing.entropy import Entropy
from sealing.keyfile import KeyRing
from sealing.keys import BoxPair, SignPair, new_sign_pair, sign_pair_from_seed
from sealing.pairs import PairKeys
from sealing.seal import Reader, SealedMessage, release, seal
from sealing.statements import sign_bundle

NOW_MS: Final = 1_800_000_000_000
ROUTER: Final = "rt-bench"
_STATES: Final = ("BRN", "IDN", "KHM", "LAO", "MMR", "MYS", "PHL", "SGP", "THA", "TLS", "VNM")
_ROLES: Final = ("mar", "pol", "int", "cert", "cust")
_YEAR_MS: Final = 365 * 24 * 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A community with everybody's secrets; the fields are those of an enrolment."""

    bundle: Bundle
    signed_bundle: bytes
    root: TrustRoot
    router: SignPair
    rings: dict[str, KeyRing]

    @property
    def agencies(self) -> tuple[str, ...]:
        """The ids, in the order of the bundle."""
        return tuple(self.rings)


def make_stage(count: int, entropy: Entropy, *, now_ms: int = NOW_MS) -> Stage:
    """Make a community of ``count`` agencies over eleven states, with an agreement, a group and a few rules."""
    names = [f"{_STATES[at % len(_STATES)].lower()}-{_ROLES[at % len(_ROLES)]}-{at:04d}" for at in range(count)]
    rings = {name: new_key_ring(name, entropy) for name in sorted(names)}
    issued, expires = now_ms - _YEAR_MS, now_ms + _YEAR_MS
    router, authority = new_sign_pair(entropy), new_sign_pair(entropy)
    states = tuple(sorted({name[:3].upper() for name in names}))
    bundle = Bundle(
        v=1,
        version=1,
        issued=issued,
        expires=expires,
        levels=EXERCISE_LEVELS,
        compartments=("STRAIT",),
        groups=(Group("@all", states),),
        mechanisms=(
            Mechanism("TREATY", "An agreement", tuple(Membership(state, "member", issued) for state in states)),
        ),
        agencies=tuple(_agency(ring, issued, expires) for ring in rings.values()),
        routers=(RouterKey(ROUTER, SignKey(router.public, issued, expires)),),
        rules=(
            Rule("CYBER", "permit", (Predicate("topic", ("cyber.*",)), Predicate("role", ("cert",)))),
            Rule("PIRACY", "permit", (Predicate("topic", ("toc.piracy",)), Predicate("kind", ("member",)))),
            Rule("STAFF", "forbid", (Predicate("kind", ("staff",)), Predicate("level", (">=EX-SECRET",)))),
            Rule("WORKFLOW", "permit", (Predicate("topic", ("workflow.receipt",)),)),
        ),
        marks=(),
    )
    return Stage(
        bundle=bundle,
        signed_bundle=sign_bundle(bundle, {"auth-bench": authority}),
        root=TrustRoot((Authority("auth-bench", authority.public),), 1),
        router=router,
        rings=rings,
    )


def _agency(ring: KeyRing, issued: int, expires: int) -> Agency:
    key = SignKey(sign_pair_from_seed(ring.sign_seed).public, issued, expires)
    return Agency(
        agency=ring.name,
        name=ring.name,
        state=ring.name[:3].upper(),
        role=ring.name[4:].partition("-")[0],
        kind="member",
        clearance="EX-SECRET",
        compartments=("STRAIT",),
        purposes=(),
        client_of=(),
        status="active",
        keys=(key,),
    )


LABELS: Final = (
    Label("AMBER", "EX-SECRET", "toc.piracy", ("STRAIT",), ("TREATY",), ("@all",), (), ("ORCON",), ("MYS",), "FLASH"),
    Label("GREEN", "EX-UNCLAS", "toc.piracy", affected=("IDN", "MYS", "SGP"), precedence="IMMEDIATE"),
    Label("AMBER+STRICT", "EX-CONFIDENTIAL", "toc.piracy", mechanisms=("TREATY",), affected=("MYS",)),
)


def portions() -> tuple[Portion, ...]:
    """Return the report as its desk writes it; made anew each time, since its models are part of the cost."""
    return tuple(Portion(label, _content(number)) for number, label in enumerate(LABELS))


def _content(number: int) -> PortionContent:
    return PortionContent(
        "EXERCISE",
        f"Boarding in the strait, part {number}",
        (
            Passage(f"p{number}", "Two skiffs came alongside at first light and were seen off. " * 6),
            Passage(None, "The master reports no injuries; the crew are mustered in the citadel. " * 2),
        ),
        "en",
        (Indicator("vessel-name", "MV Example Star"),),
        (Place("Phillip Channel", 1_080_000, 103_740_000, "approximate", 500),),
        Observed(NOW_MS - 3_600_000, None, "exact"),
        Grading("B", "2"),
    )


@dataclass(slots=True)
class Ready:
    """A community whose members have met: box keys made, announced and admitted, pair keys at hand."""

    stage: Stage
    entropy: Entropy
    router: RouterCore
    keys: dict[str, Keys]
    boxes: dict[str, BoxPair]

    @property
    def author(self) -> str:
        """Who writes."""
        return self.stage.agencies[0]

    def node(self, agency: str) -> NodeCore:
        """Return a node's core that knows the author's box key."""
        core = NodeCore(keys=self.keys[agency], bundle=self.stage.bundle)
        author = self.keys[self.author]
        statement = announce(self.boxes[self.author], agency=self.author, signer=author.signer)
        core.boxes.admit(statement, signers=core.signers, now_ms=NOW_MS)
        return core

    def seal_report(self) -> SealedMessage:
        """Write and seal the report: models, their strict check, packing, sealing."""
        written = portions()
        return seal(
            [(item.label, pack(read_shape(PortionContent, tuple(item.content)))) for item in written],
            kind="report",
            by=(self.author,),
            ts=NOW_MS,
            exp=NOW_MS + 3_600_000,
            bundle_version=1,
            entropy=self.entropy,
        )

    def releaser(self, count: int) -> "Releaser":
        """Return what releases sealed reports to the first ``count`` readers."""
        return Releaser(self, self.stage.agencies[1 : count + 1])


class Releaser:
    """Releases of one author to some readers, with the pair keys kept as a node keeps them."""

    def __init__(self, ready: Ready, readers: tuple[str, ...]) -> None:
        self._readers = readers
        self._pairs = PairKeys(ready.author)
        self._mine = ready.boxes[ready.author]
        self._signer = ready.keys[ready.author].signer
        self._theirs = {name: _public(ready.boxes[name]) for name in readers}

    def release(self, sealed: SealedMessage) -> bytes:
        """Return the envelope for the router."""
        bits = sum(1 << portion.place for portion in sealed.portions)
        readers = [
            Reader(
                to=name,
                bits=bits,
                seq=1,
                from_epoch=self._mine.epoch,
                to_epoch=self._theirs[name].epoch,
                pair_key=self._pairs.to_reader(self._mine, name, self._theirs[name]),
            )
            for name in self._readers
        ]
        return release(sealed, readers, signer=self._signer)


def _public(pair: BoxPair) -> BoxKey:
    return BoxKey(pair.epoch, pair.public, pair.not_before, pair.expires)


def make_ready(count: int, entropy: Entropy) -> Ready:
    """Make a community and have everybody announce a box key to the router."""
    stage = make_stage(count, entropy)
    keys = {name: Keys(ring) for name, ring in stage.rings.items()}
    router = RouterCore(identity=Identity(router=ROUTER, signer=stage.router), bundle=stage.bundle)
    boxes: dict[str, BoxPair] = {}
    for name, mine in keys.items():
        pair = mine.rotate(now_ms=NOW_MS, entropy=entropy)
        assert pair is not None
        boxes[name] = pair
        router.announce(announce(pair, agency=name, signer=mine.signer), sender=name, now_ms=NOW_MS)
    return Ready(stage=stage, entropy=entropy, router=router, keys=keys, boxes=boxes)


class NothingSeen:
    """A memory that has met nothing yet, for router and node alike: every look-up is a miss in a dictionary."""

    def __init__(self) -> None:
        self._verdicts: dict[tuple[bytes, bytes], VerdictMessage] = {}
        self._messages: dict[bytes, KnownMessage] = {}
        self._seen: dict[tuple[str, int], bytes] = {}
        self._highest: dict[str, int] = {}
        self._held: dict[bytes, HeldMessage] = {}

    def verdict_on(self, hid: bytes, wraps_hash: bytes) -> VerdictMessage | None:
        return self._verdicts.get((hid, wraps_hash))

    def message(self, hid: bytes) -> KnownMessage | None:
        return self._messages.get(hid)

    def past_readers(self, _hid: bytes) -> frozenset[str]:
        return frozenset()

    def overrides_of(self, _hid: bytes, *, by: str) -> int:  # noqa: ARG002 - the interface
        return 0

    def next_decision(self, _author: str) -> int:
        return 1

    def seen(self, originator: str, seq: int) -> bytes | None:
        return self._seen.get((originator, seq))

    def highest_seq(self, originator: str) -> int:
        return self._highest.get(originator, 0)

    def held(self, hid: bytes) -> HeldMessage | None:
        return self._held.get(hid)

    def offered_to(self, _hid: bytes) -> dict[str, int]:
        return {}

    def grants(self, _hid: bytes) -> tuple[Grant, ...]:
        return ()

    def proposal(self, _hid: bytes) -> KnownProposal | None:
        return None

    def unopposed(self, _originator: str, _terms: bytes, *, at_ms: int) -> tuple[tuple[bytes, KnownProposal], ...]:
        assert at_ms
        return ()
