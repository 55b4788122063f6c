"""The algebra of need to know, on communities and labels drawn at random."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.community import Community
from policy.enquiry import Enquiry
from policy.explain import nearest_change
from policy.preflight import preflight
from policy.rollup import roll_up
from policy.widening import widening_rules
from schemas.bundle import Bundle, Rule
from schemas.errors import InputError
from schemas.label import EXERCISE_LEVELS, TLP_ORDER, Label
from tests.samples.policy_strategies import (
    CAVEATS,
    COMPARTMENTS,
    EVERYTHING,
    IDS,
    MECHANISMS,
    NOW,
    SUBJECTS,
    audience,
    bundles,
    enquiries,
    labels,
    originators,
    quick,
    rules,
    times,
)


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
