"""The algebra of need to know, on communities and labels drawn at random."""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy.audience import audience_mask
from policy.community import Community
from policy.decide import Action
from policy.enquiry import Enquiry
from policy.explain import nearest_change
from policy.preflight import preflight
from policy.rollup import Part, product_audience, roll_up
from policy.widening import widening_rules
from schemas.bundle import (
    Agency,
    Bundle,
    Group,
    Mechanism,
    Membership,
    Predicate,
    RouterKey,
    Rule,
    SignKey,
)
from schemas.errors import InputError
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


@quick
@given(bundle=bundles(), label=labels(), originator=originators, at_ms=times)
def test_the_audience_is_whom_the_decision_permits(bundle: Bundle, label: Label, originator: str, at_ms: int) -> None:
    """The author seals by the bit set and the broker explains by the decision: they must be one."""
    community = Community.compile(bundle)

    expected = {
        agency
        for agency in IDS
        if Enquiry(label=label, originator=originator, recipient=agency, at_ms=at_ms).decide(community).permit
    }

    assert expected == set(community.ids(audience(label, originator, community, at_ms)))


@quick
@given(bundle=bundles(), label=labels(), originator=originators, moments=st.lists(times, min_size=2, max_size=6))
def test_what_is_kept_of_an_audience_is_what_is_true_then(
    bundle: Bundle, label: Label, originator: str, moments: list[int]
) -> None:
    """Memberships and keys begin and end, so a kept audience must not outlive its span."""
    community = Community.compile(bundle)

    for at_ms in moments:
        assert audience(label, originator, Community.compile(bundle), at_ms) == audience(
            label, originator, community, at_ms
        )


@quick
@given(bundle=bundles(), label=labels(), originator=originators, random=st.randoms(use_true_random=False))
def test_the_order_of_a_bundle_means_nothing(bundle: Bundle, label: Label, originator: str, random: Any) -> None:
    def shuffled(items: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(random.sample(items, len(items)))

    other = Community.compile(
        bundle._replace(
            agencies=shuffled(bundle.agencies),
            groups=shuffled(tuple(group._replace(members=shuffled(group.members)) for group in bundle.groups)),
            mechanisms=shuffled(
                tuple(each._replace(memberships=shuffled(each.memberships)) for each in bundle.mechanisms)
            ),
            rules=shuffled(tuple(rule._replace(predicates=shuffled(rule.predicates)) for rule in bundle.rules)),
        )
    )
    community = Community.compile(bundle)

    assert audience(label, originator, community) == audience(label, originator, other)
    for agency in IDS:
        enquiry = Enquiry(label=label, originator=originator, recipient=agency, at_ms=NOW)
        one, another = enquiry.decide(community), enquiry.decide(other)
        assert (one.permit, one.rule) == (another.permit, another.rule)


def restricted(label: Label, draw: Callable[[st.SearchStrategy[Any]], Any]) -> Label:  # noqa: PLR0911 - a case for each part
    """Add one restriction to a label."""
    kind = draw(st.sampled_from(("tlp", "level", "compartment", "mechanism", "rel", "not", "caveat", "embargo")))
    match kind:
        case "tlp":
            return label._replace(tlp=draw(st.sampled_from(TLP_ORDER[TLP_ORDER.index(label.tlp) :])))
        case "level":
            above = EXERCISE_LEVELS[EXERCISE_LEVELS.index(label.level) :]
            return label._replace(level=draw(st.sampled_from(above)))
        case "compartment":
            return label._replace(compartments=COMPARTMENTS)
        case "mechanism":
            return label._replace(mechanisms=label.mechanisms[:1] or MECHANISMS)
        case "rel":
            return label._replace(rel=label.rel[:1] or (draw(st.sampled_from(SUBJECTS)),))
        case "not":
            return label._replace(exclude=tuple(sorted({*label.exclude, draw(st.sampled_from(SUBJECTS))})))
        case "caveat":
            # A further NAMED names one reader more; it is the first that restricts.
            pool = [caveat for caveat in CAVEATS if not caveat.startswith("NAMED")]
            return label._replace(caveats=tuple(sorted({*label.caveats, draw(st.sampled_from(pool))})))
        case _:
            return label._replace(not_before=max(label.not_before or 0, draw(times)))


@settings(quick, max_examples=250)
@given(bundle=bundles(), label=labels(), originator=originators, data=st.data(), at_ms=times)
def test_a_further_restriction_never_enlarges_the_audience(
    bundle: Bundle, label: Label, originator: str, data: st.DataObject, at_ms: int
) -> None:
    """Whatever the built-in tests ask, under all rules but those that the planner is warned of."""
    at_fault = {each.rule for each in widening_rules(bundle)}
    kept = tuple(rule for rule in bundle.rules if rule.rule not in at_fault)
    community = Community.compile(bundle._replace(rules=kept))
    narrower = restricted(label, data.draw)

    before = audience(label, originator, community, at_ms)

    assert audience(narrower, originator, community, at_ms) & ~before == 0


def rolled(community: Community, *parts: Label) -> Label:
    return roll_up(parts, community)


@settings(quick, max_examples=200)
@given(bundle=bundles(fixed=(EVERYTHING,)), one=labels(), two=labels(), three=labels())
def test_roll_up_is_associative_commutative_and_idempotent(
    bundle: Bundle, one: Label, two: Label, three: Label
) -> None:
    """Who combined what first, and how often, must not matter: products are made of products."""
    community = Community.compile(bundle)
    roll = functools.partial(rolled, community)

    assert roll(one, two) == roll(two, one)
    assert roll(roll(one, two), three) == roll(one, roll(two, three)) == roll(one, two, three)
    assert roll(roll(one)) == roll(one) == roll(one, one)
    assert roll(roll(one, two), two) == roll(one, two)


@settings(quick, max_examples=200)
@given(bundle=bundles(fixed=(EVERYTHING,)), one=labels(), two=labels(), originator=originators)
def test_a_rolled_up_label_has_no_reader_that_a_part_lacks(
    bundle: Bundle, one: Label, two: Label, originator: str
) -> None:
    community = Community.compile(bundle)

    product = audience(rolled(community, one, two), originator, community)

    assert product & ~audience(one, originator, community) == 0
    assert product & ~audience(two, originator, community) == 0


@quick
@given(bundle=bundles(), parts=st.lists(st.tuples(labels(), originators), min_size=1, max_size=3), by=originators)
def test_a_product_reaches_nobody_whom_a_part_does_not(bundle: Bundle, parts: list[tuple[Label, str]], by: str) -> None:
    """Under any rules, also those that permit a wider topic or an affected state of the other part."""
    community = Community.compile(bundle)

    product = product_audience([Part(*part) for part in parts], originator=by, at_ms=NOW, community=community)

    for label, originator in parts:
        assert product & ~audience(label, originator, community) == 0


UNKNOWN = (
    {"level": "EX-COSMIC"}, {"compartments": ("gamma",)}, {"mechanisms": ("five-eyes",)}, {"rel": ("@nato",)},
    {"rel": ("FRA",)}, {"rel": ("fra-cert",)}, {"exclude": ("@nato",)}, {"exclude": ("fra-cert",)},
    {"caveats": ("EYES-ONLY",)}, {"caveats": ("NAMED:fra-cert",)}, {"caveats": ("RESIDENCY:FRA",)},
    {"caveats": ("MEMBERS-FIRST:five-eyes",)},
    {"caveats": ("PAP:BLUE",)}, {"caveats": ("ORCON:now",)}, {"caveats": ("LEAD-ONLY",)}, {"caveats": ("LEAD-ONLY:",)},
    {"tlp": "WHITE"}, {"precedence": "SOON"}, {"topic": "Cyber"}, {"rel": ("SGP", "MYS")}, {"not_before": -1},
    {"not_before": 1.0}, {"not_before": True},
)  # fmt: skip


@pytest.mark.parametrize("change", UNKNOWN, ids=str)
@settings(quick, max_examples=10)
@given(bundle=bundles(fixed=(EVERYTHING,)), label=labels(), originator=originators)
def test_an_unknown_word_denies_everybody(
    bundle: Bundle, label: Label, originator: str, change: dict[str, Any]
) -> None:
    """Unknown is never "no restriction"; the well-made label is asked first, so nothing kept may answer for it."""
    community = Community.compile(bundle)
    audience(label._replace(not_before=1), originator, community)
    label = label._replace(**change)

    assert audience(label, originator, community) == 0
    for agency in IDS:
        enquiry = Enquiry(label=label, originator=originator, recipient=agency, at_ms=NOW)
        assert enquiry.decide(community).rule in {"NTK-LABEL", "NTK-UNKNOWN"}
        assert not enquiry.decide(community).permit
    with pytest.raises(InputError):
        roll_up([label], community)


@quick
@given(bundle=bundles(fixed=()), label=labels(), originator=originators, recipient=originators)
def test_an_empty_rule_set_denies_everybody(bundle: Bundle, label: Label, originator: str, recipient: str) -> None:
    community = Community.compile(bundle)

    verdict = Enquiry(label=label, originator=originator, recipient=recipient, at_ms=NOW).decide(community)

    assert not verdict.permit
    assert verdict.rule == "NTK-NO-RULES"
    assert audience(label, originator, community) == 0


@settings(quick, max_examples=100)
@given(bundle=bundles(), rule=rules("added"), label=labels(), originator=originators)
def test_forbid_beats_permit(bundle: Bundle, rule: Rule, label: Label, originator: str) -> None:
    """Whatever permits, a forbidding rule only takes away; and whatever forbids, a permitting one only gives."""
    forbid, permit = rule._replace(effect="forbid"), rule._replace(effect="permit")
    before = audience(label, originator, Community.compile(bundle))
    forbidden = audience(label, originator, Community.compile(bundle._replace(rules=(*bundle.rules, forbid))))
    permitted = audience(label, originator, Community.compile(bundle._replace(rules=(*bundle.rules, permit))))
    both = bundle._replace(rules=(*bundle.rules, forbid, permit._replace(rule="too")))

    assert forbidden & ~before == 0
    assert before & ~permitted == 0
    assert forbidden == audience(label, originator, Community.compile(both))


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


@settings(quick, max_examples=200)
@given(bundle=bundles(), enquiry=enquiries())
def test_onward_reaches_nobody_whom_the_originator_may_not_release_to(bundle: Bundle, enquiry: Enquiry) -> None:
    """A forward is bound by all that binds the originator, and by more (H1, H2)."""
    community = Community.compile(bundle)

    if enquiry.decide(community).permit:
        mask = audience(enquiry.label, enquiry.originator, community)
        assert community.bit(enquiry.recipient) & mask


@st.composite
def grants_that_fit(draw: st.DrawFn) -> tuple[Enquiry, Grant]:
    """Draw a hand-on of what may be quoted, without consent, and a grant that covers its portion at its time."""
    enquiry = draw(enquiries())
    mark = draw(st.sampled_from(TLP_ORDER))
    caveats = draw(st.sampled_from(((), ("ORCON",))))
    label = enquiry.label._replace(tlp=mark, caveats=caveats)
    enquiry = replace(enquiry, label=label, action=Action.ONWARD, hid=b"h" * 32, bit=0, via="idn-cert", grants=())
    return enquiry, Grant(b"h" * 32, 1, enquiry.originator, draw(originators), 0, 2 * NOW)


@settings(quick, max_examples=100)
@given(bundle=bundles(fixed=(EVERYTHING,)), drawn=grants_that_fit())
def test_a_grant_gives_to_whom_it_names_and_to_nobody_else(bundle: Bundle, drawn: tuple[Enquiry, Grant]) -> None:
    """It takes nothing away, opens nothing that its originator could not give, and RED not at all (H1, H3)."""
    enquiry, grant = drawn
    community = Community.compile(bundle)

    for recipient in IDS:
        asked = replace(enquiry, recipient=recipient)
        before, after = asked.decide(community), replace(asked, grants=(grant,)).decide(community)
        assert after.permit or not before.permit
        if recipient != grant.reader:
            assert before == after
        elif after.permit and not before.permit:
            assert community.bit(recipient) & audience(enquiry.label, enquiry.originator, community)
            assert enquiry.label.tlp != "RED" or recipient in enquiry.label.rel


@quick
@given(bundle=bundles(fixed=(EVERYTHING,)), drawn=grants_that_fit())
def test_without_a_grant_the_mark_says_how_far_a_portion_goes(bundle: Bundle, drawn: tuple[Enquiry, Grant]) -> None:
    """What the originator itself once gave to a reader opens no mark for somebody else's copy."""
    enquiry, _ = drawn
    community = Community.compile(bundle)

    for reader in bundle.agencies:
        asked = replace(enquiry, recipient=reader.agency, original_audience=frozenset(IDS))
        if reader.agency in {enquiry.originator, "idn-cert"} or enquiry.originator == "idn-cert":
            continue
        if asked.decide(community).permit:
            match enquiry.label.tlp:
                case "AMBER":
                    assert "idn-cert" in reader.client_of
                case "GREEN":
                    assert reader.kind in {"member", "body", "partner"}
                case "RED":
                    assert reader.agency in enquiry.label.rel
                case mark:
                    assert mark == "CLEAR"


@quick
@given(bundle=bundles(fixed=(EVERYTHING,)), drawn=grants_that_fit())
def test_with_one_grant_a_stricter_mark_never_reaches_further(bundle: Bundle, drawn: tuple[Enquiry, Grant]) -> None:
    """Or an originator would mark a portion up and spread it."""
    enquiry, grant = drawn
    community = Community.compile(bundle)

    for recipient in IDS:
        asked = replace(enquiry, recipient=recipient, grants=(grant,), original_audience=frozenset())
        marked = [replace(asked, label=asked.label._replace(tlp=tlp)).decide(community).permit for tlp in TLP_ORDER]
        assert sorted(marked, reverse=True) == marked


@settings(quick, max_examples=200)
@given(bundle=bundles(), enquiry=enquiries())
def test_the_nearest_change_does_turn_the_verdict(bundle: Bundle, enquiry: Enquiry) -> None:
    """An explanation that is not true is worse than none."""
    community = Community.compile(bundle)
    verdict = enquiry.decide(community)

    change = nearest_change(enquiry, verdict, community)

    if change is None:
        return
    then = community if change.bundle is None else Community.compile(change.bundle)
    assert change.enquiry.decide(then).permit is not verdict.permit
    assert change.verdict == change.enquiry.decide(then)


@quick
@given(bundle=bundles(), parts=st.lists(labels(), max_size=2), originator=originators)
def test_pre_flight_leaves_nobody_unmentioned(bundle: Bundle, parts: list[Label], originator: str) -> None:
    community = Community.compile(bundle)

    for audience_of_part in preflight(parts, originator=originator, at_ms=NOW, community=community):
        refused = [agency for agency, verdict in audience_of_part.refused if not verdict.permit]
        assert sorted(IDS) == sorted((*audience_of_part.permitted, *refused))
