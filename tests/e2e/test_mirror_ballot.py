"""Mirror Ballot: the verdict travels, the forged report does not, and what silence cost stands in the report."""

import shutil
from pathlib import Path

import pytest

from scenarios.catalogue import find_pack
from scenarios.evaluate.evaluation import Evaluation
from scenarios.evaluate.measures import MeasureResult
from scenarios.lint import lint_path
from scenarios.model import Pack
from scenarios.pack import load_pack
from scenarios.record import Event
from scenarios.report.page import write_aar
from tests.samples.two_plays import comparable, evaluated, judged, played_for_real, rehearsed

PATH = find_pack("mirror-ballot")


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack(PATH)


@pytest.fixture(scope="module")
def events(pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> tuple[Event, ...]:
    return rehearsed(pack, tmp_path_factory.mktemp("virtual"))


@pytest.fixture(scope="module")
def evaluation(pack: Pack, events: tuple[Event, ...]) -> Evaluation:
    return evaluated(pack, events)


def measured(evaluation: Evaluation, name: str) -> MeasureResult:
    return next(
        measure
        for objective in evaluation.certain.objectives
        for measure in objective.measures
        if measure.measure == name
    )


def test_the_pack_has_no_problem_but_the_embargo_that_is_meant() -> None:
    assert ["rule-gap"] == [finding.code for finding in lint_path(PATH)]


def test_both_worlds_come_to_the_same_decisions_at_the_same_times(
    pack: Pack, events: tuple[Event, ...], tmp_path: Path
) -> None:
    real = played_for_real(pack, tmp_path)

    assert comparable(events) == comparable(real)
    assert judged(pack, events) == judged(pack, real)


def test_the_forged_report_is_rejected_by_the_router_and_by_every_node(evaluation: Evaluation) -> None:
    forged = next(each for each in evaluation.red if each.act == "A2")

    assert {sign.by: sign.code for sign in forged.noticed} == {
        "router": "TOPIC_MISMATCH",
        **dict.fromkeys(set(forged.expected) - {"router"}, "BAD_SIG"),
    }
    assert (0.0, "P") == (measured(evaluation, "M1").value, measured(evaluation, "M1").rating)
    assert 0.0 == measured(evaluation, "M2").value


def test_the_method_stays_and_the_threshold_gets_about(evaluation: Evaluation) -> None:
    """What may never leave is a portion of its own; what was left in the part that may be shown went along."""
    assert [("X3", "in-platform")] == [(each.must_not, each.agency) for each in evaluation.certain.disclosures]


def test_silence_is_kept_and_its_cost_is_told(evaluation: Evaluation) -> None:
    (missed,) = (need for need in evaluation.certain.needs if need.cell.state == "missed")
    (request,) = evaluation.requests

    assert ("N08", "phl-aig", "rule") == (missed.need, missed.agency, missed.cause)
    assert "granted" == request.state
    assert request.decided_ms is not None
    assert 35 <= (request.decided_ms - request.asked_ms) // 60_000 <= 80
    assert 1.0 == measured(evaluation, "M8").value


def test_every_verdict_is_put_right_everywhere(evaluation: Evaluation) -> None:
    assert {"S18", "S19", "S20", "S21"} == {each.order for each in evaluation.corrections}
    assert "12 of 12 past recipients corrected within 45 min" == measured(evaluation, "M11").counted
    assert 1.0 == measured(evaluation, "M12").value


def test_a_state_without_a_detector_has_the_shared_service_by_seven(evaluation: Evaluation) -> None:
    (access,) = (need for need in evaluation.certain.needs if need.need == "N11")

    assert "on time" == access.cell.state
    assert access.cell.known_ms is not None
    assert access.cell.known_ms <= 7 * 3_600_000


def test_a_verdict_of_a_machine_names_the_role_that_released_it(pack: Pack) -> None:
    machines = {
        inject.inject: portion.content.machine_generated
        for inject in pack.injects
        for portion in inject.material
        if portion.content.machine_generated is not None
    }

    assert {"E02", "E09", "E10", "E12", "E13"} == machines.keys()
    assert all(machine.releaser for machine in machines.values())


def test_without_consent_the_alert_says_less(pack: Pack, tmp_path: Path) -> None:
    """B1 goes its other way, and the neighbour is warned all the same, with nothing of Indonesia's."""
    folder = tmp_path / "pack"
    shutil.copytree(PATH, folder)
    orders = folder / "orders.yaml"
    text = orders.read_text(encoding="utf-8")
    granting = text[text.index("    outcome: grant\n") : text.index("    why: A neighbour that is not warned")]
    orders.write_text(text.replace(granting, "    outcome: refuse\n"), encoding="utf-8")
    refusing = load_pack(folder)
    told = evaluated(refusing, rehearsed(refusing, tmp_path))

    assert ("otherwise", ("E07",)) == next(
        (branch.outcome, branch.injects) for branch in told.branches if branch.branch == "B1"
    )
    assert {("N09", "missed")} <= {(need.need, need.cell.state) for need in told.certain.needs}
    assert all(need.cell.state == "on time" for need in told.certain.needs if need.need == "N07")


def test_the_report_opens_with_what_red_came_to(
    pack: Pack, events: tuple[Event, ...], evaluation: Evaluation, tmp_path: Path
) -> None:
    page = write_aar(pack, events, evaluation, tmp_path).html.read_text(encoding="utf-8")

    assert "Red tried 3 things, of which 2 were noticed; 0 of its false messages were taken for true." in page
    assert "the embargo holds until 2028-02-16 02:00 UTC" in page
