"""The matrix and the needs of the hand-made exercise, against what its docstring says by hand."""

from dataclasses import replace

import pytest

from scenarios.evaluate.cells import Cell
from scenarios.evaluate.evaluation import Evaluation, evaluate
from scenarios.model import Need
from tests.samples.small_exercise import (
    MINUTE_MS,
    Recorder,
    hid,
    small_community,
    small_pack,
    small_record,
)

# Rows: facts. Columns: alpha, bravo, charlie, delta, echo. Minutes of exercise time at which it was known.
EXPECTED = {
    "F1": [("origin", 0), ("on time", 6), ("late", 35), ("late", 41), ("late", 50)],
    "F2": [("origin", 0), ("clean", None), ("clean", None), ("clean", None), ("disclosure", 50)],
    "F3": [("late", 62), ("origin", 30), ("missed", None), ("clean", None), ("clean", None)],
    "F4": [("origin", 82), ("clean", None), ("not observed", None), ("surplus", 95), ("surplus", 84)],
    "F5": [("missed", None), ("clean", None), ("origin", 70), ("missed", None), ("clean", None)],
}


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluate(small_pack(), small_record(), small_community())


def cell_of(evaluation: Evaluation, fact: str, agency: str) -> Cell:
    return next(cell for cell in evaluation.certain.cells if (cell.fact, cell.agency) == (fact, agency))


@pytest.mark.parametrize("fact", EXPECTED)
def test_every_cell_has_the_state_and_minute_worked_out_by_hand(evaluation: Evaluation, fact: str) -> None:
    actual = [
        (cell.state, None if cell.known_ms is None else cell.known_ms // MINUTE_MS)
        for cell in evaluation.certain.cells
        if cell.fact == fact
    ]

    assert EXPECTED[fact] == actual


def test_the_hand_made_exercise_shows_every_state_there_is(evaluation: Evaluation) -> None:
    states = {"origin", "on time", "late", "missed", "not observed", "disclosure", "surplus", "clean"}

    assert states == {cell.state for cell in evaluation.certain.cells}


def test_minutes_in_a_cell_count_from_the_facts_first_arrival_anywhere(evaluation: Evaluation) -> None:
    assert 32 * MINUTE_MS == cell_of(evaluation, "F3", "alpha").after_ms


def test_real_time_is_kept_beside_exercise_time(evaluation: Evaluation) -> None:
    assert cell_of(evaluation, "F1", "charlie").known_wall_ms == 350


def test_a_cell_names_every_stage_of_the_message_it_came_by(evaluation: Evaluation) -> None:
    stages = cell_of(evaluation, "F1", "bravo").stages

    assert (5, 5, 6, 6, 8, 8.5, 45) == tuple(
        None if at_ms is None else at_ms / MINUTE_MS
        for at_ms in (
            stages.released_ms,
            stages.accepted_ms,
            stages.delivered_ms,
            stages.verified_ms,
            stages.opened_ms,
            stages.acknowledged_ms,
            stages.acted_ms,
        )
    )


def test_a_person_has_met_a_need_only_once_the_report_is_opened() -> None:
    """A bot's node reads by itself; with a bot in charlie's seat the same delivery is in time."""
    pack = small_pack()
    bots = tuple(replace(participant, seat="bot") for participant in pack.participants)

    evaluation = evaluate(replace(pack, participants=bots), small_record(), small_community())

    assert ("on time", 7 * MINUTE_MS) == (
        cell_of(evaluation, "F1", "charlie").state,
        cell_of(evaluation, "F1", "charlie").known_ms,
    )


def test_a_disclosure_happens_at_verified_even_if_nobody_opens_it() -> None:
    unopened = tuple(event for event in small_record() if event.stage != "opened")

    evaluation = evaluate(small_pack(), unopened, small_community())

    assert ("disclosure", 50 * MINUTE_MS) == (
        cell_of(evaluation, "F2", "echo").state,
        cell_of(evaluation, "F2", "echo").known_ms,
    )


def test_what_falls_due_at_endex_exactly_has_fallen_due() -> None:
    due_at_endex = Need(need="N3", fact="F4", who=("charlie",), by_ms=38 * MINUTE_MS, why="")
    due_after = replace(due_at_endex, by_ms=38 * MINUTE_MS + 1)

    states = [
        cell_of(evaluate(small_pack(needs=(need,)), small_record(), small_community()), "F4", "charlie").state
        for need in (due_at_endex, due_after)
    ]

    assert ["missed", "not observed"] == states


def test_a_need_met_at_the_very_moment_it_falls_due_is_on_time() -> None:
    need = Need(need="N1", fact="F1", who=("charlie",), by_ms=35 * MINUTE_MS, why="")

    states = [
        cell_of(evaluate(small_pack(needs=(each,)), small_record(), small_community()), "F1", "charlie").state
        for each in (need, replace(need, by_ms=need.by_ms - 1))
    ]

    assert ["on time", "late"] == states


def test_a_need_with_a_time_of_the_exercise_counts_from_there() -> None:
    """A planner may write 'by T+0:40' instead of 'within 10 minutes'."""
    need = Need(need="N2", fact="F3", who=("alpha",), by_ms=62 * MINUTE_MS, from_ms=0, why="")

    cell = cell_of(evaluate(small_pack(needs=(need,)), small_record(), small_community()), "F3", "alpha")

    assert ("on time", 62 * MINUTE_MS) == (cell.state, cell.due_ms)


def test_where_two_needs_meet_the_one_due_first_marks_the_cell_and_both_are_judged() -> None:
    needs = (
        Need(need="slow", fact="F1", who=("charlie",), by_ms=60 * MINUTE_MS, why=""),
        Need(need="fast", fact="F1", who=("charlie",), by_ms=10 * MINUTE_MS, why=""),
    )

    evaluation = evaluate(small_pack(needs=needs), small_record(), small_community())

    assert ("fast", "late") == (
        cell_of(evaluation, "F1", "charlie").need,
        cell_of(evaluation, "F1", "charlie").state,
    )
    assert ["on time", "late"] == [need.cell.state for need in evaluation.certain.needs]


def test_excon_telling_what_was_missed_does_not_repair_the_miss() -> None:
    record = Recorder()
    record.events = list(small_record())
    record.inject(100, "E9", "charlie", "p3")

    cell = cell_of(evaluate(small_pack(), record.events, small_community()), "F3", "charlie")

    assert ("missed", "E9") == (cell.state, cell.told_later)


def test_excon_telling_a_needer_in_time_makes_it_an_origin() -> None:
    record = Recorder()
    record.events = list(small_record())
    record.inject(40, "E9", "charlie", "p3")

    assert cell_of(evaluate(small_pack(), record.events, small_community()), "F3", "charlie").state == "origin"


def test_nothing_that_happens_after_endex_counts() -> None:
    record = Recorder()
    record.events = list(small_record())
    record.note(121, "charlie", "verified", **verified_fields("M4"))
    record.note(121, "charlie", "opened", hid=hid("M4"))

    assert cell_of(evaluate(small_pack(), record.events, small_community()), "F3", "charlie").state == "missed"


def verified_fields(message: str) -> dict[str, object]:
    event = next(e for e in small_record() if e.stage == "verified" and e.fields["hid"] == hid(message))
    return event.fields


def test_a_fact_that_never_entered_play_has_no_needs_that_fell_due() -> None:
    record = tuple(event for event in small_record() if event.fields.get("inject") != "E4")
    without = tuple(event for event in record if event.fields.get("hid") not in {hid("M5"), hid("M6")})

    evaluation = evaluate(small_pack(), without, small_community())

    assert ["not observed", "not observed"] == [
        need.cell.state for need in evaluation.certain.needs if need.need == "N4"
    ]


def test_an_author_who_was_never_told_a_fact_knew_it_from_the_release_on() -> None:
    record = tuple(event for event in small_record() if event.fields.get("inject") != "E3")

    cell = cell_of(evaluate(small_pack(), record, small_community()), "F4", "alpha")

    assert ("origin", "author", 83 * MINUTE_MS) == (cell.state, cell.by, cell.known_ms)


def test_a_record_that_stops_early_is_judged_up_to_its_last_line() -> None:
    cut = tuple(event for event in small_record() if event.at_ms < small_pack().start_ms + 30 * MINUTE_MS)

    evaluation = evaluate(small_pack(), cut, small_community())

    assert not evaluation.ended
    assert evaluation.end_ms == 10 * MINUTE_MS
    assert cell_of(evaluation, "F1", "charlie").state == "not observed"
