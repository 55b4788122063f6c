"""A simulated desk: what sets an order off, how long it takes, and what slips through its hands."""

from typing import Any

import pytest

from agencies.bots import Bot, Pace, Skill, StandingOrder
from agencies.conditions import Condition, Sighting, Trigger
from transport.seeded import stream

ORDER: dict[str, Any] = {
    "order": "S1", "on": Condition(trigger=Trigger(word="report_received")), "do": "report", "to": (), "label": None,
    "title": None, "keep": None, "corrects": None, "subject": "", "answer_within_ms": 0, "outcome": None,
    "conditions": "", "grants": None, "after": None, "why": "it is known", "once": True,
}  # fmt: skip


def order(**changes: Any) -> StandingOrder:
    return StandingOrder(**{**ORDER, **changes})


def bot(*orders: StandingOrder, sanitising: float = 1.0, seed: int = 1) -> Bot:
    skill = Skill(read=Pace(least_ms=10, most_ms=20), write=Pace(least_ms=30, most_ms=40),
                  decide=Pace(least_ms=50, most_ms=60), sanitising=sanitising)  # fmt: skip
    return Bot(orders=orders, skill=skill, chance=stream(seed, "desk"))


def seen(word: str = "report_received", cause: str = "m1", at_ms: int = 1) -> Sighting:
    return Sighting(word=word, who="alpha", at_ms=at_ms, cause=cause)  # type: ignore[arg-type] # words of the table


def test_an_order_is_set_off_by_what_it_waits_for_and_names_its_cause() -> None:
    desk = bot(order())

    assert () == desk.notice(seen("opened"))
    (planned,) = desk.notice(seen())

    assert ("S1", (seen(),)) == (planned.order.order, planned.causes)
    assert 30 <= planned.after_ms <= 40


@pytest.mark.parametrize(("once", "expected"), [(True, 1), (False, 3)])
def test_an_order_is_done_once_or_each_time(*, once: bool, expected: int) -> None:
    desk = bot(order(once=once))

    assert expected == sum(len(desk.notice(seen(cause=f"m{number}"))) for number in range(3))


def test_an_old_sighting_sets_nothing_off_again() -> None:
    desk = bot(order(once=False))
    desk.notice(seen())

    assert () == desk.notice(seen("opened"))


def test_of_two_senders_each_report_counts_for_an_order_on_any() -> None:
    either = Condition(
        any=tuple(Condition(trigger=Trigger(word="report_received", sender=name)) for name in ("b", "c"))
    )
    desk = bot(order(on=either, once=False))
    reports = [Sighting(word="report_received", who="a", at_ms=at, cause=f"m{at}", sender=name)
               for at, name in enumerate("bcb")]  # fmt: skip

    assert [(report,) for report in reports] == [
        planned.causes for report in reports for planned in desk.notice(report)
    ]


def test_orders_are_tried_in_their_order_and_each_at_its_own_pace() -> None:
    desk = bot(order(), order(order="S2", do="decide"), order(order="S3", after=Pace(least_ms=7, most_ms=7)))

    planned = desk.notice(seen())

    assert ["S1", "S2", "S3"] == [item.order.order for item in planned]
    assert 50 <= planned[1].after_ms <= 60
    assert 7 == planned[2].after_ms


def test_a_time_that_an_order_waits_for_sets_it_off_when_it_is_seen() -> None:
    desk = bot(order(on=Condition(trigger=Trigger(word="time", time_ms=100)), once=False))

    assert (100,) == desk.times()
    assert () == desk.notice(seen("opened", at_ms=200))
    (planned,) = desk.notice(seen("time", at_ms=200))
    assert "time" == planned.causes[0].word
    assert () == desk.notice(seen("time", at_ms=300))


@pytest.mark.parametrize(("sanitising", "expected"), [(1.0, {"p1"}), (0.0, {"p1", "p2", "p3"})])
def test_skill_decides_how_much_slips_through(sanitising: float, expected: set[str]) -> None:
    desk = bot(sanitising=sanitising)

    assert expected == desk.kept(["p1", "p2", "p3", "p2"], order(keep=frozenset({"p1"})))
    assert {"p1", "p2"} == desk.kept(["p1", "p2"], order(keep=None))


def test_half_a_skill_lets_about_half_slip_and_the_same_luck_the_same_half() -> None:
    passages = [f"p{number}" for number in range(1_000)]
    kept = [bot(sanitising=0.5).kept(passages, order(keep=frozenset())) for _ in range(2)]

    assert kept[0] == kept[1]
    assert 400 < len(kept[0]) < 600


def test_a_pace_is_drawn_within_its_bounds_and_reaches_both() -> None:
    luck = stream(3, "luck")
    drawn = {Pace(least_ms=1, most_ms=3).draw(luck) for _ in range(200)}

    assert {1, 2, 3} == drawn
    assert {10, 20} <= {bot(seed=seed).reading_ms() for seed in range(200)}
