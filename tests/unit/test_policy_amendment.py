"""From one version of the bundle to the next: who joins, leaves, is suspended, and holds the chair, from when on."""

import pytest

from policy.amendment import Amendment, amend
from policy.audience import audience_mask
from policy.community import Community
from scenarios.catalogue import find_pack
from scenarios.pack import load_pack
from scenarios.placeholder_community import placeholder_bundle
from schemas.bundle import Agency, Bundle, Mechanism, Membership, Predicate, Rule
from schemas.errors import InputError
from tests.samples.command_line import HARBOUR_WATCH

DAY_MS = 86_400_000
NOW_MS = 1_800_000_000_000


@pytest.fixture(scope="module")
def held() -> Bundle:
    bundle = placeholder_bundle(load_pack(find_pack(str(HARBOUR_WATCH))))
    first = bundle.agencies[0].agency
    pool = Mechanism("pool", "A shared pool", (Membership(first, "member", 0),))
    return bundle._replace(mechanisms=(*bundle.mechanisms, pool))


def pool_of(bundle: Bundle) -> tuple[Membership, ...]:
    return next(item.memberships for item in bundle.mechanisms if item.mechanism == "pool")


def members(bundle: Bundle, at_ms: int) -> tuple[str, ...]:
    community = Community.compile(bundle)
    return community.ids(community.full_members("pool", at_ms))


def names(bundle: Bundle) -> list[str]:
    return [agency.agency for agency in bundle.agencies]


def agency_of(bundle: Bundle, name: str) -> Agency:
    return next(item for item in bundle.agencies if item.agency == name)


def test_h18_who_joins_is_a_member_from_the_new_version_on_and_was_none_before(held: Bundle) -> None:
    first, second, *_ = names(held)
    new = amend(held, [Amendment(step="join", who=second, mechanism="pool")], at_ms=NOW_MS)

    assert (first,) == members(new, NOW_MS - 1)
    assert {first, second} == set(members(new, NOW_MS))
    assert (held.version + 1, NOW_MS, held.expires) == (new.version, new.issued, new.expires)


def test_h18_nobody_joins_or_leaves_at_a_date_that_is_over(held: Bundle) -> None:
    first, second, *_ = names(held)
    join = Amendment(step="join", who=second, mechanism="pool", at_ms=NOW_MS - 1)
    leave = Amendment(step="leave", who=first, mechanism="pool", at_ms=NOW_MS - 1)

    for amendment in (join, leave):
        with pytest.raises(InputError, match="before the new version"):
            amend(held, [amendment], at_ms=NOW_MS)


def test_h18_who_leaves_on_a_date_is_a_member_until_then(held: Bundle) -> None:
    first = names(held)[0]
    leave = Amendment(step="leave", who=first, mechanism="pool", at_ms=NOW_MS + DAY_MS)
    new = amend(held, [leave], at_ms=NOW_MS)

    assert (first,) == members(new, NOW_MS + DAY_MS - 1)
    assert () == members(new, NOW_MS + DAY_MS)


def test_h18_an_observer_that_is_admitted_is_both_in_turn_and_never_at_once(held: Bundle) -> None:
    second = names(held)[1]
    observing = amend(held, [Amendment(step="observe", who=second, mechanism="pool")], at_ms=NOW_MS)
    admitted = amend(observing, [Amendment(step="join", who=second, mechanism="pool")], at_ms=NOW_MS + DAY_MS)

    assert second not in members(admitted, NOW_MS + DAY_MS - 1)
    assert second in members(admitted, NOW_MS + DAY_MS)
    assert [
        Membership(second, "observer", NOW_MS, NOW_MS + DAY_MS),
        Membership(second, "member", NOW_MS + DAY_MS),
    ] == [item for item in pool_of(admitted) if item.subject == second]


def test_a_suspended_agency_is_restored_and_a_revoked_one_never(held: Bundle) -> None:
    first = names(held)[0]
    suspended = amend(held, [Amendment(step="suspend", who=first)], at_ms=NOW_MS)
    restored = amend(suspended, [Amendment(step="restore", who=first)], at_ms=NOW_MS + 1)
    revoked = amend(restored, [Amendment(step="revoke", who=first)], at_ms=NOW_MS + 2)

    assert "suspended" == agency_of(suspended, first).status
    assert agency_of(held, first) == agency_of(restored, first)
    assert "revoked" == agency_of(revoked, first).status
    assert {NOW_MS + 2} == {key.revoked for key in agency_of(revoked, first).keys}
    with pytest.raises(InputError, match="revoked, and its keys"):
        amend(revoked, [Amendment(step="restore", who=first)], at_ms=NOW_MS + 3)


def test_the_chair_moves_and_reading_rights_do_not(held: Bundle) -> None:
    """Whoever holds the chair, each label of the pack has the same audience from each originator."""
    first, second, *_ = names(held)
    taken = amend(held, [Amendment(step="chair", who=first)], at_ms=NOW_MS)
    passed = amend(taken, [Amendment(step="chair", who=second)], at_ms=NOW_MS + DAY_MS)
    chair = next(item.memberships for item in passed.mechanisms if item.mechanism == "chair")
    labels = load_pack(find_pack(str(HARBOUR_WATCH))).labels.values()

    assert (
        Membership(first, "observer", NOW_MS, NOW_MS + DAY_MS), Membership(second, "observer", NOW_MS + DAY_MS),
    ) == chair  # fmt: skip
    for label in [*labels, *(label._replace(mechanisms=("chair",)) for label in labels)]:
        for originator in names(held):
            before, after = (
                audience_mask(label, originator=originator, at_ms=at_ms, community=Community.compile(passed))
                for at_ms in (NOW_MS, NOW_MS + DAY_MS)
            )
            assert before == after


@pytest.mark.parametrize("standing", ["member", "observer"])
def test_a_chair_that_reads_by_it_or_a_second_one_is_refused(held: Bundle, standing: str) -> None:
    first, second, *_ = names(held)
    both = (Membership(first, standing, 0), Membership(second, standing, 1))  # type: ignore[arg-type] # parametrized
    bundle = held._replace(mechanisms=(Mechanism("chair", "The chair", both),))

    with pytest.raises(InputError, match="would read by it" if standing == "member" else "at one time"):
        Community.compile(bundle)


@pytest.mark.parametrize(
    ("amendment", "said"),
    [
        (Amendment(step="join", who="nobody-here", mechanism="pool"), "unknown"),
        (Amendment(step="join", who="mys-mar", mechanism="no-such"), "no mechanism"),
        (Amendment(step="leave", who="nobody-here", mechanism="pool"), "does not stand"),
        (Amendment(step="suspend", who="nobody-here"), "no agency"),
        (Amendment(step="restore", who="mys-mar"), "active already"),
        (Amendment(step="clearance", who="mys-mar", level="NO-SUCH"), "no level"),
    ],
)
def test_a_step_that_cannot_be_done_is_refused_whole(held: Bundle, amendment: Amendment, said: str) -> None:
    assert "mys-mar" in names(held)
    with pytest.raises(InputError, match=said):
        amend(held, [amendment], at_ms=NOW_MS)


def test_a_rule_is_adopted_once_and_dropped_once(held: Bundle) -> None:
    rule = Rule("R99", "permit", (Predicate("topic", ("news.*",)),))
    adopted = amend(held, [Amendment(step="adopt", who="R99", rule=rule)], at_ms=NOW_MS)
    dropped = amend(adopted, [Amendment(step="drop", who="R99")], at_ms=NOW_MS)

    assert (*held.rules, rule) == adopted.rules
    assert held.rules == dropped.rules
    with pytest.raises(InputError, match="there already"):
        amend(adopted, [Amendment(step="adopt", who="R99", rule=rule)], at_ms=NOW_MS)
    with pytest.raises(InputError, match="has no rule R99"):
        amend(held, [Amendment(step="drop", who="R99")], at_ms=NOW_MS)
