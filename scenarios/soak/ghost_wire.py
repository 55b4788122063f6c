"""The ghost's eye on the wire: every frame that the broker sends, tried with the keys of those it is not for.

Need-to-know holds by mathematics or not at all: whatever goes to an agency, rightly or not, must be of no use to any
other, and must not show a word of a report. The keys are all that the nodes ever had.
"""

from collections.abc import Callable, Iterable
from random import Random  # noqa: TID251 - the type of a seeded stream
from typing import Final

from scenarios.soak.ghost_community import Bundles
from scenarios.soak.ghost_joint import JointWatch
from scenarios.soak.ghost_reports import REPORTED, Reports
from scenarios.soak.invariants import ORACLE, REVOKED
from scenarios.soak.reference import AGENCIES
from schemas.codec import pack
from schemas.envelope import Wrap
from schemas.errors import RemoteError
from schemas.frames import Delivery, read_down_frame
from sealing.keyfile import KeyRing
from sealing.keys import box_pair_from_secret
from sealing.opening import unwrap
from sealing.primitives import PERSON_PAIR, agree, keyed
from sealing.received import Received, read_envelope

WORD: Final = b"Report "  # stands in the title and the text of every report of a run, and nowhere else
_TRIED_MOST: Final = 2  # wrong readers whose keys a cut is tried with …
_ALL_TRIED: Final = 1 / 20  # … but for this share of cuts, which is tried with everybody's

_Secret = tuple[bytes, bytes]  # of a box pair: public, secret


class WireWatch:
    """Watches what the broker sends.

    Args:
        reports: What was released to whom.
        bundles: Who holds which bundle.
        chance: Draws whose keys are tried.
        honest: Whether the broker sends to each what is for it; if not, only secrecy is asked.
    """

    def __init__(self, reports: Reports, bundles: Bundles, *, chance: Random, honest: bool) -> None:
        self._reports = reports
        self._bundles = bundles
        self._broke = reports.broke
        self._chance = chance
        self._honest = honest
        self._boxes: dict[str, dict[int, _Secret]] = {}
        self._agreed: dict[tuple[bytes, bytes], bytes] = {}
        self._tried: set[tuple[str, bytes]] = set()
        self.saw: Callable[[str], None] = reports.saw
        self.joint: JointWatch | None = None  # counts the signatures of what several agencies wrote together

    def learn_keys(self, ring: KeyRing) -> None:
        """Be told of an agency's box keys, as soon as it has them."""
        for box in ring.boxes:
            pair = box_pair_from_secret(box.secret, epoch=box.epoch, not_before=box.not_before, expires=box.expires)
            self._boxes.setdefault(ring.name, {})[box.epoch] = (pair.public, pair.secret)

    def frame_down(self, agency: str, frame: bytes) -> None:
        """See a frame that the broker sends to an agency."""
        if WORD in frame:
            self._broke(ORACLE, f"a frame to {agency} shows words of a report")
        if b"delivery" not in frame:
            return
        try:
            messages = read_down_frame(frame)
        except RemoteError:
            return
        for message in messages:
            if isinstance(message, Delivery) and message.envelope and (agency, message.envelope) not in self._tried:
                self._tried.add((agency, message.envelope))
                self._delivery(agency, message)

    def _delivery(self, agency: str, message: Delivery) -> None:
        try:
            received = read_envelope(message.envelope)
        except RemoteError:
            return
        originator = received.originator
        if self.joint is not None:
            self.joint.delivery(agency, received)
        # A lying router sends what it likes; there it counts that nobody takes it up.
        if self._honest and self._bundles.revoked & {agency, originator}:
            self._broke(REVOKED, f"delivery {message.dseq} of {originator} went to {agency} after a revocation")
        for wrap in received.wraps:
            if self._honest:
                self._check_cut(agency, received, wrap)
            others = [name for name in AGENCIES if name not in (wrap.to, originator)]
            if self._chance.random() >= _ALL_TRIED:
                others = self._chance.sample(others, k=_TRIED_MOST)
            if agency not in others:
                others.append(agency)
            # Whose name stands on a wrap is a lie where the router lies; whom a report is for, its author has said.
            self._try(received, wrap, [other for other in others if not self._is_for(other, wrap, received)])

    def _is_for(self, agency: str, wrap: Wrap, received: Received) -> bool:
        """Tell whether an agency may be able to open a wrap."""
        if self._honest:
            return agency == wrap.to
        sent = self._reports.sent.get(received.hid.hex())
        return sent is None or bool(sent.bits(agency))

    def _check_cut(self, agency: str, received: Received, wrap: Wrap) -> None:
        """What goes to a reader is its own wrap and no portion that its author has not released to it."""
        disclosed = sum(1 << portion.place for portion in received.portions)
        if wrap.to != agency or len(received.wraps) != 1:
            self._broke(ORACLE, f"{agency} was sent the wrap of {wrap.to} for {received.hid.hex()}")
        sent = self._reports.sent.get(received.hid.hex())
        if received.header.kind in REPORTED and (sent is None or (disclosed | wrap.bits) & ~sent.bits(agency)):
            self._broke(ORACLE, f"{agency} was sent portions {disclosed:b} of {received.hid.hex()}, not all its own")

    def _try(self, received: Received, wrap: Wrap, others: Iterable[str]) -> None:
        theirs = self._boxes.get(received.originator, {}).get(wrap.from_epoch)
        if theirs is None:
            return
        for other in others:
            for epoch, mine in self._boxes.get(other, {}).items():
                # As itself, and in the place of the one that it is meant for.
                for name, at_epoch in ((other, epoch), (wrap.to, wrap.to_epoch)):
                    context = pack((received.originator, wrap.from_epoch, name, at_epoch))
                    key = keyed(PERSON_PAIR, self._agree(mine, theirs), theirs[0] + mine[0] + context)
                    if _opens(received, wrap, key):
                        self._broke(ORACLE, f"{other} can open what {received.hid.hex()} holds for {wrap.to}")
        self.saw("cuts tried with the keys of others")

    def _agree(self, mine: _Secret, theirs: _Secret) -> bytes:
        found = self._agreed.get((mine[0], theirs[0]))
        if found is None:
            found = self._agreed[mine[0], theirs[0]] = agree(mine[1], theirs[0])
        return found


def _opens(received: Received, wrap: Wrap, key: bytes) -> bool:
    try:
        unwrap(received, wrap, pair_key=key)
    except RemoteError:
        return False
    return True
