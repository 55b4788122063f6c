"""The reference region of the soak: eleven states, twenty-five agencies, and labels that part them in many ways."""

from typing import Final

from agencies.keyring import new_key_ring
from scenarios.enrolment import ROUTER, WORKFLOW_RULE, Community
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
from schemas.label import EXERCISE_LEVELS, Label
from sealing.entropy import Entropy
from sealing.keys import new_sign_pair, sign_pair_from_seed
from sealing.statements import sign_bundle

BEGIN_MS: Final = 1_800_000_000_000  # Unix ms at which every run begins
BROKER: Final = "broker"  # among the owners of databases; all others are agencies
_STATES: Final = ("BRN", "IDN", "KHM", "LAO", "MMR", "MYS", "PHL", "SGP", "THA", "TLS", "VNM")
_STRAIT: Final = ("IDN", "MYS", "SGP", "THA")
_BODIES: Final = ("rb-cert", "rb-fusion", "rb-piracy")
_AUTHORITY: Final = "auth-soak"
_DAY_MS: Final = 24 * 3_600_000

AGENCIES: Final = tuple(
    sorted([f"{state.lower()}-{role}" for state in _STATES for role in ("cert", "mar")] + [*_BODIES])
)

# Every kind of test that policy makes: colour, level, compartment, agreement, REL TO, exclusion, caveat, rule, embargo.
LABELS: Final = (
    Label("GREEN", "EX-UNCLAS", "cyber.ransomware", affected=("MYS", "SGP")),
    Label("AMBER", "EX-RESTRICTED", "cyber.ransomware", exclude=("VNM",), affected=("MYS",), precedence="IMMEDIATE"),
    Label("AMBER+STRICT", "EX-CONFIDENTIAL", "toc.piracy", mechanisms=("STRAIT-PACT",), affected=("IDN", "SGP")),
    Label("AMBER", "EX-SECRET", "toc.piracy", compartments=("STRAIT",), rel=("@strait",), affected=_STRAIT),
    Label("GREEN", "EX-UNCLAS", "toc.piracy", affected=("IDN", "MYS", "SGP"), precedence="FLASH"),
    Label("RED", "EX-CONFIDENTIAL", "toc.piracy", rel=("sgp-mar",), affected=("SGP",)),
    Label("AMBER", "EX-RESTRICTED", "toc.piracy", caveats=("ORCON",), affected=("MYS", "THA"), precedence="PRIORITY"),
    Label("CLEAR", "EX-UNCLAS", "cyber.phishing", affected=()),
    Label("GREEN", "EX-UNCLAS", "cyber.phishing", affected=("PHL",), not_before=BEGIN_MS + 60_000),
    # What the workflow's own messages are under besides: it may go on, once its originator has consented.
    Label("GREEN", "EX-UNCLAS", "toc.piracy", caveats=("ORCON",), affected=("MYS", "THA"), precedence="PRIORITY"),
)
LABELS_DRAWN: Final = 9  # the first so many are drawn from for plain messages; old seeds keep theirs


def make_community(entropy: Entropy) -> tuple[Community, Bundle]:
    """Make the reference community; returns it with its bundle, from which later versions are made."""
    router, authority = new_sign_pair(entropy), new_sign_pair(entropy)
    rings = {agency: new_key_ring(agency, entropy) for agency in AGENCIES}
    issued, expires = BEGIN_MS - _DAY_MS, BEGIN_MS + 365 * _DAY_MS
    bundle = Bundle(
        v=1,
        version=1,
        issued=issued,
        expires=expires,
        levels=EXERCISE_LEVELS,
        compartments=("STRAIT",),
        groups=(Group("@strait", _STRAIT),),
        mechanisms=(
            Mechanism(
                "STRAIT-PACT", "An agreement", tuple(Membership(subject, "member", issued) for subject in _STRAIT)
            ),
        ),
        agencies=tuple(
            _agency(agency, SignKey(sign_pair_from_seed(ring.sign_seed).public, issued, expires))
            for agency, ring in rings.items()
        ),
        routers=(RouterKey(ROUTER, SignKey(router.public, issued, expires)),),
        rules=(
            Rule("CYBER", "permit", (Predicate("topic", ("cyber.*",)), Predicate("role", ("cert", "body")))),
            Rule("PIRACY", "permit", (Predicate("topic", ("toc.piracy",)), Predicate("role", ("mar", "body")))),
            Rule("BODIES", "forbid", (Predicate("kind", ("body",)), Predicate("level", (">=EX-SECRET",)))),
            WORKFLOW_RULE,
        ),
        marks=(),
    )
    root = TrustRoot((Authority(_AUTHORITY, authority.public),), 1)
    community = Community(
        bundle=bundle,
        signed_bundle=sign_bundle(bundle, {_AUTHORITY: authority}),
        root=root,
        router=router,
        authorities={_AUTHORITY: authority},
        rings=rings,
    )
    return community, bundle


def revoked(community: Community, bundle: Bundle, agency: str) -> tuple[Bundle, bytes]:
    """Return the next version of a bundle, in which an agency is revoked, and its signed bytes."""
    status: Status = "revoked"
    later = bundle._replace(
        version=bundle.version + 1,
        agencies=tuple(item._replace(status=status) if item.agency == agency else item for item in bundle.agencies),
    )
    return later, sign_bundle(later, community.authorities)


def _agency(agency: str, key: SignKey) -> Agency:
    is_body = agency in _BODIES
    state = None if is_body else agency[:3].upper()
    kind: AgencyKind = "body" if is_body else "member"
    return Agency(
        agency=agency,
        name=agency,
        state=state,
        role="body" if is_body else agency[4:],
        kind=kind,
        clearance="EX-SECRET",
        compartments=("STRAIT",) if state in _STRAIT else (),
        purposes=(),
        client_of=(),
        status="active",
        keys=(key,),
    )
