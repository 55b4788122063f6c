"""Figures, ratings and thresholds."""

from dataclasses import replace
from typing import Any

import pytest

from scenarios.evaluate.evaluation import Evaluation, evaluate
from scenarios.evaluate.measures import MeasureResult, rate
from scenarios.model import Condition, Measure, Order, Trigger
from tests.samples.small_exercise import MINUTE_MS, small_community, small_pack, small_record


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluate(small_pack(), small_record(), small_community())


def measures_of(evaluation: Evaluation) -> dict[str, MeasureResult]:
    return {each.measure: each for objective in evaluation.certain.objectives for each in objective.measures}


def measured(**changes: Any) -> MeasureResult:
    """Evaluate the small exercise with one of its measures changed, and return it."""
    pack = small_pack()
    name = str(changes.pop("measure"))
    objectives = tuple(
        replace(
            objective,
            measures=tuple(replace(each, **changes) if each.measure == name else each for each in objective.measures),
        )
        for objective in pack.objectives
    )
    evaluation = evaluate(replace(pack, objectives=objectives), small_record(), small_community())
    return measures_of(evaluation)[name]


def test_under_and_over_sharing_are_counted_apart(evaluation: Evaluation) -> None:
    figures = evaluation.certain.sharing

    assert (9, 8, 1, 4, 3, 1) == (
        figures.needs,
        figures.fell_due,
        figures.on_time,
        figures.late,
        figures.missed,
        figures.not_observed,
    )
    assert figures.under_sharing == 1 - 1 / 8
    # Known and not given by EXCON: 1 on time, 4 late, 1 disclosure, 2 surplus.
    assert (1, 2, 8, 0.25) == (figures.disclosures, figures.surplus, figures.known, figures.surplus_share)


def test_every_measure_has_the_figure_and_rating_worked_out_by_hand(evaluation: Evaluation) -> None:
    expected = {"M1": (0.125, "U"), "M2": (1.0, "M"), "M3": (0.25, "S"), "M4": (1 / 3, "U"), "M5": (1.0, "P")}

    assert expected == {name: (each.value, each.rating) for name, each in measures_of(evaluation).items()}


def test_an_objective_is_rated_by_its_worst_measure(evaluation: Evaluation) -> None:
    assert ["U", "U"] == [objective.rating for objective in evaluation.certain.objectives]


@pytest.mark.parametrize(
    ("value", "lower_is_better", "expected"),
    [
        (0.95, False, "P"), (0.94, False, "S"), (0.8, False, "S"), (0.79, False, "M"), (0.5, False, "M"),
        (0.49, False, "U"),
    ],
)  # fmt: skip
def test_a_threshold_just_met_counts_as_met(value: float, lower_is_better: bool, expected: str) -> None:  # noqa: FBT001
    measure = Measure(measure="M", kind="on_time_share", of=(), performed=0.95, some=0.8, major=0.5, text="")

    assert expected == rate(value, measure, lower_is_better=lower_is_better)


@pytest.mark.parametrize(("count", "expected"), [(0, "P"), (1, "M"), (2, "U")])
def test_fewer_disclosures_are_better(count: int, expected: str) -> None:
    measure = Measure(measure="M", kind="disclosures", of=("X1",), performed=0, some=0, major=1, text="")

    assert expected == rate(float(count), measure, lower_is_better=True)


def test_a_share_of_needs_none_of_which_fell_due_is_not_observed() -> None:
    result = measured(measure="M1", of=("N3",))

    assert (None, None) == (result.value, result.rating)


def test_a_correction_counts_only_within_its_time() -> None:
    """Bravo was corrected after one minute, the other two never."""
    assert measured(measure="M4", within_ms=MINUTE_MS).value == 1 / 3
    assert measured(measure="M4", within_ms=MINUTE_MS - 1).value == 0


def test_a_correction_whose_time_was_not_over_at_endex_is_not_observed_for_who_lacks_it() -> None:
    assert measured(measure="M4", within_ms=60 * MINUTE_MS).value == 1


def test_a_decision_counts_only_within_the_measures_own_time() -> None:
    """Delta asked at 85 and alpha decided at 93."""
    assert measured(measure="M5", within_ms=8 * MINUTE_MS).value == 1
    assert measured(measure="M5", within_ms=8 * MINUTE_MS - 1).value == 0


def test_a_correction_that_was_called_for_and_never_sent_fails() -> None:
    order = Order(
        order="S1", who="alpha", on=Condition(trigger=Trigger(word="inject_delivered", who="alpha", inject="E3")),
        do="correct", to=(), need_to_know=True, label_name=None, label=None, title=None, keep=(), corrects=None,
        subject="", outcome=None, conditions="", grants=None, after=None, why="", once=True,
    )  # fmt: skip
    other = replace(order, order="S2", on=Condition(trigger=Trigger(word="inject_delivered", who="echo", inject="E9")))
    record = [event for event in small_record() if event.fields.get("act") != "correct"]
    pack = small_pack()
    sent = replace(pack.objectives[1].measures[0], of=("S1",))
    uncalled = replace(sent, measure="M9", of=("S2",))
    objective = replace(pack.objectives[1], measures=(sent, uncalled))

    result = evaluate(replace(pack, orders=(order, other), objectives=(objective,)), record, small_community())

    assert {"M4": 0.0, "M9": None} == {name: each.value for name, each in measures_of(result).items()}


def test_surplus_can_be_asked_of_single_facts() -> None:
    """Of F4, delta and echo had it without need; of F1 nobody."""
    assert measured(measure="M3", of=("F4",)).value == 1
    assert measured(measure="M3", of=("F1",)).value == 0
    assert measured(measure="M3", of=("F5",)).value is None
