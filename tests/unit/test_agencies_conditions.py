"""Conditions on what has happened: what matches, which sighting is the cause, and what time alone brings about."""

import pytest

from agencies.conditions import Condition, Sighting, Trigger, find, times_of


def seen(word: str, who: str = "alpha", at_ms: int = 1, cause: str = "E1", **more: object) -> Sighting:
    return Sighting(**{"word": word, "who": who, "at_ms": at_ms, "cause": cause, **more})  # type: ignore[arg-type] # words of the table


def on(word: str, **more: object) -> Condition:
    return Condition(trigger=Trigger(**{"word": word, **more}))  # type: ignore[arg-type] # words of the table


FULL = seen(
    "report_received", sender="bravo", topics=("toc.piracy", "toc.alert"), passages=frozenset({"p1"}), order="S1"
)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, True),
        ({"who": "alpha"}, True),
        ({"who": "golf"}, False),
        ({"sender": "bravo"}, True),
        ({"sender": "golf"}, False),
        ({"topic": "toc.piracy"}, True),
        ({"topic": "toc.*"}, True),
        ({"topic": "toc"}, False),
        ({"topic": "tocs.*"}, False),
        ({"passages": frozenset({"p1", "p2"})}, True),
        ({"passages": frozenset({"p2"})}, False),
        ({"passages": frozenset()}, False),
        ({"order": "S1"}, True),
        ({"inject": "E2"}, False),
        ({"outcome": "grant"}, False),
    ],
)
def test_a_trigger_matches_if_every_field_it_names_fits(fields: dict[str, object], expected: bool) -> None:  # noqa: FBT001 - by name
    found = find(on("report_received", **fields), [FULL], now_ms=2)

    assert ((FULL,) if expected else None) == found


@pytest.mark.parametrize("word", ["inject_delivered", "report_received", "correction_received"])
def test_a_fact_is_known_by_whatever_tells_it(word: str) -> None:
    told = seen(word, passages=frozenset({"p1"}))

    assert (told,) == find(on("fact_known", passages=frozenset({"p1"})), [told], now_ms=2)
    assert find(on("fact_known", passages=frozenset({"p1"})), [seen("opened")], now_ms=2) is None


def test_the_latest_match_is_the_cause() -> None:
    first, second = seen("opened", cause="m1"), seen("opened", cause="m2")

    assert (second,) == find(on("opened"), [first, second, seen("acknowledged")], now_ms=2)


def test_all_needs_each_part_and_names_every_cause() -> None:
    both = Condition(all=(on("opened"), on("acknowledged")))
    opened, acknowledged = seen("opened"), seen("acknowledged")

    assert find(both, [opened], now_ms=2) is None
    assert (opened, acknowledged) == find(both, [acknowledged, opened], now_ms=2)


def test_any_names_what_has_just_happened_before_what_happened_once() -> None:
    """An older cause must not hide the news from an order that is done each time."""
    either = Condition(any=(on("opened"), on("acknowledged")))
    opened, acknowledged = seen("opened"), seen("acknowledged")

    assert (acknowledged,) == find(either, [opened, acknowledged], now_ms=2)
    assert (opened,) == find(either, [acknowledged, opened], now_ms=2)
    assert (opened,) == find(either, [opened, seen("link_down")], now_ms=2)
    assert find(either, [], now_ms=2) is None


def test_not_holds_while_its_part_does_not_and_has_no_cause() -> None:
    negated = Condition(negated=on("opened"))

    assert () == find(negated, [], now_ms=2)
    assert find(negated, [seen("opened")], now_ms=2) is None


def test_time_holds_from_its_moment_on_and_is_caused_by_the_first_sight_of_it() -> None:
    at_ten = on("time", time_ms=10)
    early, first, later = seen("time", at_ms=5), seen("time", at_ms=10), seen("time", at_ms=20)

    assert find(at_ten, [], now_ms=9) is None
    assert () == find(at_ten, [], now_ms=10)
    assert (first,) == find(at_ten, [early, first, later], now_ms=20)
    assert find(on("time"), [], now_ms=10) is None


def test_an_empty_condition_never_holds() -> None:
    assert find(Condition(), [seen("opened")], now_ms=2) is None


def test_the_times_of_a_condition_are_found_however_deep() -> None:
    deep = Condition(
        all=(on("opened"), Condition(any=(on("time", time_ms=7), Condition(negated=on("time", time_ms=9)))))
    )

    assert (7, 9) == times_of(deep)
