"""The policy four-way of the hand-made exercise."""

import pytest

from scenarios.evaluate.evaluation import Evaluation, evaluate
from scenarios.evaluate.policy_cells import PolicyCell
from tests.samples.small_exercise import hid, small_community, small_pack, small_record


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluate(small_pack(), small_record(), small_community())


def cell_of(evaluation: Evaluation, fact: str, agency: str) -> PolicyCell:
    return next(cell for cell in evaluation.certain.policy if (cell.fact, cell.agency) == (fact, agency))


def test_needed_and_denied_under_every_label_is_a_rule_gap_with_its_test(evaluation: Evaluation) -> None:
    cell = cell_of(evaluation, "F3", "charlie")

    assert ("rule gap", "NTK-PERMIT", False) == (cell.policy, cell.evidence.rule, cell.evidence.permit)
    assert "R1 comes nearest" in cell.evidence.text


def test_forbidden_and_allowed_is_a_dangerous_rule_even_if_nobody_used_it(evaluation: Evaluation) -> None:
    used, unused = cell_of(evaluation, "F2", "echo"), cell_of(evaluation, "F3", "echo")

    assert ("dangerous rule", "R1") == (used.policy, used.evidence.rule)
    assert ("dangerous rule", "R2") == (unused.policy, unused.evidence.rule)


def test_not_needed_and_allowed_is_a_loose_rule(evaluation: Evaluation) -> None:
    assert cell_of(evaluation, "F4", "delta").policy == "loose rule"


def test_not_needed_and_denied_is_kept_out(evaluation: Evaluation) -> None:
    assert cell_of(evaluation, "F3", "delta").policy == "kept out"


def test_a_denial_that_play_worked_round_is_kept_as_evidence(evaluation: Evaluation) -> None:
    cell = cell_of(evaluation, "F1", "delta")

    assert cell.policy == "as meant"
    assert cell.denied_first is not None
    assert ("NTK-REL", hid("M1")) == (cell.denied_first.rule, cell.denied_first.source)


def test_a_label_nobody_tried_for_an_agency_is_no_gap(evaluation: Evaluation) -> None:
    """M1's REL TO does not name echo's state either, but nobody meant M1 for echo."""
    assert cell_of(evaluation, "F1", "echo").denied_first is None


def test_what_excon_told_an_agency_no_rule_is_judged_by(evaluation: Evaluation) -> None:
    assert [] == [cell for cell in evaluation.certain.policy if (cell.fact, cell.agency) == ("F1", "alpha")]


def test_a_label_that_was_released_says_more_than_one_that_might_have_been(evaluation: Evaluation) -> None:
    assert cell_of(evaluation, "F2", "echo").evidence.used
