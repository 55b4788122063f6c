"""Communities and labels drawn at random, for the algebra of need to know.

They are drawn so that each rule has something to say, and no audience is always everybody or always nobody.
"""

import functools
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from policy.audience import audience_mask
from policy.community import Community
from policy.decide import Action
from policy.enquiry import Enquiry
from schemas.bundle import Agency, Bundle, Group, Mechanism, Membership, Predicate, RouterKey, Rule, SignKey
from schemas.label import EXERCISE_LEVELS, TLP_ORDER, Label
from schemas.workflow import Grant

IDS = ("idn-cert", "in-bank", "mys-cert", "mys-mar", "rb-ifc", "sgp-di", "sgp-mar", "dp-aus-mar", "ex-red")
STATES = ("IDN", "MYS", "SGP")
ROLES = ("cert", "mar")
KINDS = ("member", "member", "member", "body", "partner", "industry", "staff")
COMPARTMENTS = ("alpha", "beta")
PURPOSES = ("fiu", "personal-data")
MECHANISMS = ("msp", "our-eyes")
GROUPS = ("@east", "@west")
TOPICS = ("cyber", "cyber.ransomware", "cyber.scam", "cyberx", "toc.piracy")
NOW = 1_000
CAVEATS = (
    "LEAD-ONLY:fiu", "MEMBERS-FIRST:msp", "NAMED:mys-cert", "NAMED:sgp-mar", "NATONLY", "NO-PARTNERS", "NOBODY",
    "ORCON", "PAP:AMBER", "PAP:RED", "PERSONAL", "PROPIN", "RESIDENCY:MYS",
)  # fmt: skip
SUBJECTS = (*IDS[:7], *STATES, *GROUPS)
VALUES: dict[str, tuple[str, ...]] = {
    "topic": ("cyber", "cyber.*", "cyber.ransomware", "toc.*", "mixed"),
    "role": ROLES,
    "state": (*STATES, "affected", "originator"),
    "kind": ("member", "body", "partner", "industry", "staff"),
    "mechanism": MECHANISMS,
    "tlp": ("RED", ">=AMBER", "CLEAR", "GREEN"),
    "level": ("EX-SECRET", ">=EX-CONFIDENTIAL", "EX-UNCLAS"),
    "precedence": ("FLASH", ">=PRIORITY"),
    "caveat": ("ORCON", "PROPIN", "NAMED:mys-cert"),
    "affected": STATES,
    "originator": (*STATES, "affected", "unaffected"),
}
# One rule that lets every built-in test speak for itself.
EVERYTHING = Rule("everything", "permit", (Predicate("kind", ("member", "body", "partner", "industry", "staff")),))

quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


def words(pool: tuple[str, ...], *, most: int = 2) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(pool), max_size=most, unique=True).map(lambda chosen: tuple(sorted(chosen)))


times = st.sampled_from((0, NOW - 1, NOW, NOW + 1, 2 * NOW))
KEY = SignKey(b"k" * 32, 0, 10 * NOW)

# An agency that may have everything, and what can be amiss with one; two faults at a time find what one does not.
FAULTS: tuple[dict[str, Any], ...] = (
    {"state": "IDN"}, {"state": "MYS"}, {"state": "SGP"}, {"state": None, "kind": "body"}, {"kind": "partner"},
    {"kind": "industry", "client_of": ("idn-cert",)}, {"client_of": ("mys-cert",)}, {"kind": "staff"},
    {"role": "mar"}, {"clearance": "EX-UNCLAS"}, {"clearance": "EX-CONFIDENTIAL"}, {"compartments": ("beta",)},
    {"purposes": ("fiu",)}, {"purposes": ()}, {"status": "suspended"}, {"status": "revoked"},
    {"keys": (KEY._replace(expires=NOW),)}, {"keys": (KEY._replace(revoked=NOW + 1), KEY._replace(not_before=NOW))},
)  # fmt: skip


def with_faults(agency: str, faults: list[dict[str, Any]]) -> Agency:
    whole = Agency(
        agency=agency,
        name=agency,
        state=agency[:3].upper() if agency[:3].upper() in STATES else None,
        role="cert",
        kind="member",
        clearance="EX-SECRET",
        compartments=COMPARTMENTS,
        purposes=PURPOSES,
        client_of=(),
        status="active",
        keys=(KEY,),
    )
    for fault in faults:
        whole = whole._replace(**fault)
    return whole


def agencies(agency: str) -> st.SearchStrategy[Agency]:
    return st.lists(st.sampled_from(FAULTS), max_size=2).map(functools.partial(with_faults, agency))


memberships = st.builds(
    Membership,
    st.sampled_from(SUBJECTS),
    st.sampled_from(("member", "member", "observer", "reciprocal", "contributor")),
    st.sampled_from((0, 0, NOW, NOW + 1)),
    st.sampled_from((None, None, NOW, NOW + 1)),
)


@st.composite
def rules(draw: st.DrawFn, name: str) -> Rule:
    names = draw(st.lists(st.sampled_from(tuple(VALUES)), min_size=1, max_size=3))
    predicates = tuple(
        Predicate(name, tuple(draw(st.lists(st.sampled_from(VALUES[name]), min_size=1, max_size=2))))  # type: ignore[arg-type]
        for name in names
    )
    return Rule(name, draw(st.sampled_from(("permit", "permit", "forbid"))), predicates)


@st.composite
def bundles(draw: st.DrawFn, *, fixed: tuple[Rule, ...] | None = None) -> Bundle:
    """A community in which every name that a label or rule may use is defined; ``fixed`` rules replace drawn ones."""
    members = [draw(agencies(agency)) for agency in IDS]
    # Each state has a member and each role a holder, so that no name is unknown by chance.
    for place, state, role in ((0, "IDN", "cert"), (3, "MYS", "mar"), (6, "SGP", "mar")):
        members[place] = members[place]._replace(state=state, kind="member", role=role)
    drawn = fixed
    if drawn is None:
        count = draw(st.integers(min_value=1, max_value=4))
        drawn = tuple(draw(rules(f"R{number}")) for number in range(count))
        drawn += draw(st.sampled_from(((), (EVERYTHING,))))
    return Bundle(
        v=1,
        version=1,
        issued=0,
        expires=10 * NOW,
        levels=EXERCISE_LEVELS,
        compartments=COMPARTMENTS,
        groups=tuple(Group(group, draw(words((*IDS, *STATES), most=3))) for group in GROUPS),
        mechanisms=tuple(
            Mechanism(name, name, tuple(draw(st.lists(memberships, max_size=3)))) for name in MECHANISMS
        ),
        agencies=tuple(members),
        routers=(RouterKey("router", SignKey(b"r" * 32, 0, 10 * NOW)),),
        rules=drawn,
        marks=(),
    )  # fmt: skip


# What a label may ask beyond the least; drawn a few at a time, so that audiences are neither all nor nobody.
ASKED: tuple[dict[str, Any], ...] = (
    *({"tlp": tlp} for tlp in TLP_ORDER),
    *({"level": level} for level in EXERCISE_LEVELS[1:]),
    *({"topic": topic} for topic in TOPICS),
    {"compartments": ("alpha",)}, {"compartments": COMPARTMENTS}, {"mechanisms": ("msp",)}, {"mechanisms": MECHANISMS},
    {"mechanisms": ("our-eyes",)}, {"rel": ("@east",)}, {"rel": ("MYS", "SGP")}, {"rel": ("MYS", "mys-cert")},
    {"rel": ("@west", "IDN", "rb-ifc")}, {"rel": ("in-bank", "mys-cert", "mys-mar", "sgp-mar")}, {"rel": ("SGP",)},
    {"exclude": ("MYS",)}, {"exclude": ("@east",)}, {"exclude": ("sgp-mar",)},
    *({"caveats": (caveat,)} for caveat in CAVEATS),
    {"caveats": ("NAMED:mys-cert", "NAMED:sgp-mar", "ORCON")}, {"caveats": ("LEAD-ONLY:fiu", "PERSONAL")},
    {"affected": ("MYS",)}, {"affected": ("AUS", "SGP")}, {"precedence": "FLASH"}, {"precedence": "PRIORITY"},
    {"not_before": NOW}, {"not_before": NOW + 1},
)  # fmt: skip


def asking(asked: list[dict[str, Any]]) -> Label:
    label = Label("AMBER", "EX-UNCLAS", "cyber.ransomware")
    for each in asked:
        label = label._replace(**each)
    return label


def labels() -> st.SearchStrategy[Label]:
    return st.lists(st.sampled_from(ASKED), max_size=5).map(asking)


originators = st.sampled_from(IDS)


def audience(label: Label, originator: str, community: Community, at_ms: int = NOW) -> int:
    return audience_mask(label, originator=originator, at_ms=at_ms, community=community)


@st.composite
def enquiries(draw: st.DrawFn) -> Enquiry:
    hid = b"h" * 32
    grants = st.builds(
        Grant,
        st.sampled_from((hid, b"x" * 32)),
        st.sampled_from((1, 2, 3)),
        originators,
        originators,
        st.just(0),
        st.sampled_from((NOW, 2 * NOW)),
    )
    return Enquiry(
        label=draw(labels()),
        originator=draw(originators),
        recipient=draw(originators),
        at_ms=NOW,
        action=draw(st.sampled_from(Action)),
        expires_ms=draw(st.sampled_from((None, NOW - 1, NOW, 2 * NOW))),
        via=draw(originators | st.none()),
        hid=draw(st.sampled_from((hid, None))),
        bit=draw(st.sampled_from((0, 1, None))),
        original_audience=draw(st.frozensets(originators, max_size=4)),
        grants=draw(st.lists(grants, max_size=3).map(tuple)),
    )
