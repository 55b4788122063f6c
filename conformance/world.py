"""The fixed community that all vectors live in: its agencies, keys, bundle and clock, the same on every day.

Every secret here is derived from a name, and published with the vectors: none protects anything. The community has one
agency for each thing that can be wrong with one.
"""

from functools import cache
from typing import Final

from agencies.keyring import Keys
from schemas.bundle import (
    Agency,
    AgencyKind,
    Authority,
    Bundle,
    Group,
    Mechanism,
    Membership,
    Predicate,
    RouterKey,
    Rule,
    SignKey,
    Status,
    TrustRoot,
)
from schemas.frames import Announcement
from schemas.label import EXERCISE_LEVELS, Label
from schemas.limits import BOX_EPOCH_MS, BOX_EPOCH_OVERLAP_MS
from sealing.directory import BoxDirectory, SignDirectory, announce
from sealing.keyfile import KeyRing, box_secret
from sealing.keys import BoxPair, SignPair, box_pair_from_secret, sign_pair_from_seed
from sealing.primitives import digest
from sealing.statements import sign_bundle

_PERSON: Final = b"sw1 vectors"
DAY_MS: Final = 24 * 3_600_000
NOW: Final = 1_893_456_000_000  # 2030-01-01
KEYS_FROM: Final = NOW - 100 * DAY_MS
KEYS_UNTIL: Final = NOW + 100 * DAY_MS
EPOCH: Final = 7
ROUTER: Final = "hub"
BUNDLE_VERSION: Final = 5

LABEL: Final = Label(tlp="AMBER", level="EX-RESTRICTED", topic="toc.piracy")
HIGH: Final = LABEL._replace(level="EX-SECRET", compartments=("SEA-EYES",))


class ScriptedEntropy:
    """Bytes that follow from a name alone; for vectors, which must come out the same each time."""

    def __init__(self, name: str) -> None:
        self._name = name.encode()
        self._block = 0

    def take(self, count: int) -> bytes:
        """Return the next ``count`` bytes."""
        taken = b""
        while len(taken) < count:
            taken += digest(_PERSON, self._name + b"/" + str(self._block).encode())
            self._block += 1
        return taken[:count]


def secret(name: str) -> bytes:
    """Return the 32 secret bytes that belong to a name."""
    return digest(_PERSON, b"secret " + name.encode())


@cache
def sign_pair(name: str) -> SignPair:
    """Return the signing pair of an agency, the router or an authority."""
    return sign_pair_from_seed(secret(f"sign {name}"))


@cache
def box_pair(agency: str, epoch: int = EPOCH) -> BoxPair:
    """Return an agency's box pair of one epoch; epoch 7 holds now, 6 is in its overlap, 5 is over, 8 is to come."""
    begin = NOW - DAY_MS // 2 + (epoch - EPOCH) * BOX_EPOCH_MS
    return box_pair_from_secret(
        secret(f"box {agency} {epoch}"),
        epoch=epoch,
        not_before=begin,
        expires=begin + BOX_EPOCH_MS + BOX_EPOCH_OVERLAP_MS,
    )


def _agency(
    name: str,
    state: str | None,
    *,
    role: str = "mar",
    kind: AgencyKind = "member",
    clearance: str = "EX-RESTRICTED",
    compartments: tuple[str, ...] = (),
    status: Status = "active",
    keys: tuple[SignKey, ...] | None = None,
) -> Agency:
    return Agency(
        agency=name,
        name=name.capitalize(),
        state=state,
        role=role,
        kind=kind,
        clearance=clearance,
        compartments=compartments,
        purposes=(),
        client_of=(),
        status=status,
        keys=keys or (SignKey(sign_pair(name).public, KEYS_FROM, KEYS_UNTIL),),
    )


_GOLF_KEYS: Final = (
    SignKey(sign_pair("golf old").public, KEYS_FROM, NOW + DAY_MS),
    SignKey(sign_pair("golf").public, NOW - DAY_MS, KEYS_UNTIL),
)

AGENCIES: Final = (
    _agency("alpha", "MYS", clearance="EX-SECRET", compartments=("SEA-EYES",)),
    _agency("bravo", "SGP"),
    _agency("charlie", "IDN", clearance="EX-SECRET", compartments=("SEA-EYES",)),
    _agency("delta", "AUS", kind="partner", clearance="EX-SECRET"),
    _agency("echo", "KHM", status="revoked"),
    _agency(
        "foxtrot", "PHL", keys=(SignKey(sign_pair("foxtrot").public, KEYS_FROM, KEYS_UNTIL, revoked=NOW - 60_000),)
    ),
    _agency("golf", "THA", keys=_GOLF_KEYS),
    _agency("hotel", "VNM", keys=(SignKey(sign_pair("hotel").public, KEYS_FROM, NOW - DAY_MS),)),
    _agency("india", "LAO", role="cert"),
)
AGENCY_NAMES: Final = tuple(agency.agency for agency in AGENCIES)
READERS: Final = ("alpha", "bravo", "charlie", "delta", "golf", "india")
RULES: Final = (
    Rule("N1", "permit", (Predicate("topic", ("toc.*",)), Predicate("role", ("mar",)))),
    Rule("N3", "permit", (Predicate("topic", ("workflow.*",)), Predicate("kind", ("member", "partner")))),
    Rule("N2", "forbid", (Predicate("kind", ("partner",)), Predicate("tlp", (">=AMBER+STRICT",)))),
    Rule("N4", "forbid", (Predicate("topic", ("toc.losses",)), Predicate("originator", ("unaffected",)))),
    Rule("N5", "permit", (Predicate("topic", ("life-safety.sar",)), Predicate("role", ("cert",)))),
)
# Both take part on reciprocal terms; what bravo contributed counts no more from now on.
SEA_POOL: Final = (
    Membership("IDN", "reciprocal", KEYS_FROM),
    Membership("SGP", "reciprocal", KEYS_FROM),
    Membership("charlie", "contributor", KEYS_FROM, NOW + DAY_MS),
    Membership("bravo", "contributor", KEYS_FROM, NOW),
)
# Bravo may invoke it, charlie attends.
RESCUE: Final = (Membership("SGP", "member", KEYS_FROM), Membership("IDN", "observer", KEYS_FROM))
BUNDLE: Final = Bundle(
    v=1,
    version=BUNDLE_VERSION,
    issued=NOW - 10 * DAY_MS,
    expires=NOW + 30 * DAY_MS,
    levels=EXERCISE_LEVELS,
    compartments=("SEA-EYES",),
    groups=(Group("@region", ("IDN", "MYS", "SGP")),),
    mechanisms=(
        Mechanism("life-safety.sar", "Duty officers for rescue", RESCUE),
        Mechanism("our-eyes", "Our Eyes", (Membership("MYS", "member", KEYS_FROM),)),
        Mechanism("sea-pool", "Sea Pool", SEA_POOL),
    ),
    agencies=AGENCIES,
    routers=(
        RouterKey(ROUTER, SignKey(sign_pair(ROUTER).public, KEYS_FROM, KEYS_UNTIL)),
        RouterKey("spoke", SignKey(sign_pair("spoke").public, KEYS_FROM, KEYS_UNTIL, revoked=NOW)),
    ),
    rules=RULES,
    marks=(),
)
AUTHORITIES: Final = ("north", "south", "west")
TRUST: Final = TrustRoot(tuple(Authority(name, sign_pair(name).public) for name in AUTHORITIES), 2)


@cache
def signed_bundle() -> bytes:
    """Return the bundle in force, signed by two of the three authorities."""
    return sign_bundle(BUNDLE, {name: sign_pair(name) for name in ("north", "south")})


@cache
def signers() -> SignDirectory:
    """Return the sign keys of the bundle in force."""
    return SignDirectory(BUNDLE)


@cache
def announcements() -> tuple[Announcement, ...]:
    """Return the announcements that every vector may count on: epochs 6 and 7 of those who take part."""
    return tuple(
        announce(box_pair(name, epoch), agency=name, signer=sign_pair(name))
        for name in READERS
        for epoch in (EPOCH - 1, EPOCH)
    )


def boxes() -> BoxDirectory:
    """Return a directory with these announcements, new for each use since a vector may add to it."""
    directory = BoxDirectory()
    for announcement in announcements():
        directory.readmit(announcement, signers=signers())
    return directory


def keys(agency: str) -> Keys:
    """Return an agency's own keys, of the epochs that still open."""
    pairs = (box_pair(agency, epoch) for epoch in (EPOCH - 1, EPOCH))
    secrets = tuple(
        box_secret(epoch=pair.epoch, secret_key=pair.secret, not_before=pair.not_before, expires=pair.expires)
        for pair in pairs
    )
    return Keys(KeyRing(agency, secret(f"sign {agency}"), secrets))


def fixtures() -> dict[str, object]:
    """Return what an implementer needs to judge the vectors, secrets included."""
    return {
        "now": NOW,
        "bundle": signed_bundle().hex(),
        "trust": {
            "threshold": TRUST.threshold,
            "authorities": {item.authority: item.key.hex() for item in TRUST.authorities},
        },
        "router": ROUTER,
        "sign_seeds": {
            name: secret(f"sign {name}").hex() for name in (*AGENCY_NAMES, "golf old", ROUTER, "spoke", *AUTHORITIES)
        },
        "box_secrets": {
            name: {str(epoch): box_pair(name, epoch).secret.hex() for epoch in (EPOCH - 1, EPOCH)} for name in READERS
        },
        "announcements": [
            [announcement.statement.hex(), announcement.signature.hex()] for announcement in announcements()
        ],
    }
