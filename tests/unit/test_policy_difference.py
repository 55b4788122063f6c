"""What a proposed bundle changes for reports that were sent."""

from typing import Any

import pytest

from policy.community import Community
from policy.difference import PastPortion, bundle_shifts, by_agency
from schemas.bundle import Agency, Bundle, Predicate, RouterKey, Rule, SignKey
from schemas.label import EXERCISE_LEVELS, Label

NOW = 1_000
KEY = SignKey(b"k" * 32, 0, 2 * NOW)
PIRACY = Label("AMBER", "EX-RESTRICTED", "toc.piracy")


def agency(name: str) -> Agency:
    return Agency(
        name, name, name[:3].upper(), name.split("-")[1], "member", "EX-SECRET", (), (), (), "active", (KEY,)
    )  # fmt: skip


def rule(*roles: str) -> Rule:
    return Rule("N1", "permit", (Predicate("topic", ("toc.*",)), Predicate("role", roles)))


def community(*rules: Rule, agencies: tuple[str, ...] = ("mys-mar", "sgp-mar", "sgp-cus", "tha-pol")) -> Community:
    return Community.compile(
        Bundle(
            v=1, version=1, issued=0, expires=2 * NOW, levels=EXERCISE_LEVELS, compartments=(), groups=(),
            mechanisms=(), agencies=tuple(agency(name) for name in agencies),
            routers=(RouterKey("router", KEY),), rules=rules, marks=(),
        )
    )  # fmt: skip


def sent(*got: str, meant: frozenset[str] | None = None, **changed: Any) -> PastPortion:
    fields: dict[str, Any] = {"hid": "aa", "place": 0, "originator": "mys-mar", "at_ms": NOW, "label": PIRACY}
    return PastPortion(got=frozenset(got), meant=meant, **fields | changed)


OLD = community(rule("mar"))
NEW = community(rule("cus", "pol"))


def test_equal_rules_change_nothing() -> None:
    assert () == bundle_shifts([sent("sgp-mar")], old=OLD, new=community(rule("mar")))


def test_who_got_it_loses_and_who_was_meant_gains_each_with_its_rule() -> None:
    meant = frozenset({"sgp-mar", "sgp-cus"})
    (shift,) = bundle_shifts([sent("sgp-mar", meant=meant)], old=OLD, new=NEW)

    assert [("sgp-cus", "N1")] == [(item.agency, item.rule) for item in shift.gains]
    assert [("sgp-mar", "NTK-PERMIT")] == [(item.agency, item.rule) for item in shift.loses]
    assert all(item.reason for item in (*shift.gains, *shift.loses))
    assert (("tha-pol",), ()) == (shift.opened, shift.closed)
    assert shift.reaches


def test_whom_an_unnamed_audience_would_have_reached_gains() -> None:
    (shift,) = bundle_shifts([sent("sgp-mar")], old=OLD, new=NEW)

    assert ["sgp-cus", "tha-pol"] == [item.agency for item in shift.gains]
    assert () == shift.opened


def test_a_change_that_reaches_nobody_who_was_meant_is_told_apart() -> None:
    (shift,) = bundle_shifts([sent(meant=frozenset({"mys-mar"}))], old=OLD, new=NEW)

    assert ((), ()) == (shift.gains, shift.loses)
    assert (("sgp-cus", "tha-pol"), ("sgp-mar",)) == (shift.opened, shift.closed)
    assert not shift.reaches


def test_an_agency_that_one_bundle_does_not_name_is_nobody_under_it() -> None:
    without = community(rule("mar"), agencies=("mys-mar", "tha-pol"))
    (lost,) = bundle_shifts([sent("sgp-mar")], old=OLD, new=without)
    (won,) = bundle_shifts([sent()], old=without, new=OLD)

    assert [("sgp-mar", "NTK-RECIPIENT")] == [(item.agency, item.rule) for item in lost.loses]
    assert ["sgp-mar"] == [item.agency for item in won.gains]


def test_what_was_given_by_consent_is_neither_gained_again_nor_lost() -> None:
    """A reader to whom the old rules would not have given it had it all the same; the proposal takes nothing away."""
    assert () == bundle_shifts([sent("tha-pol", meant=frozenset())], old=OLD, new=community(rule("mar")))
    (shift,) = bundle_shifts([sent("tha-pol")], old=OLD, new=NEW)
    assert ["sgp-cus"] == [item.agency for item in shift.gains]


def test_reports_are_counted_once_however_many_portions_move() -> None:
    portions = [sent("sgp-mar"), sent("sgp-mar", place=1), sent("sgp-mar", hid="bb")]
    shifts = bundle_shifts(portions, old=OLD, new=NEW)

    assert {"sgp-cus": (2, 0), "sgp-mar": (0, 2), "tha-pol": (2, 0)} == by_agency(shifts)


@pytest.mark.parametrize("at_ms", [NOW, 3 * NOW])
def test_each_portion_is_decided_as_of_its_own_time(at_ms: int) -> None:
    """After the keys have expired nobody is anybody, under either."""
    moved = bundle_shifts([sent("sgp-mar", at_ms=at_ms)], old=OLD, new=NEW)
    assert (at_ms == NOW) == bool(moved)
