"""The whole evaluation: corrections, consent, disclosures, branches, suggested tags, findings, and what it refuses."""

import json
from dataclasses import replace

import pytest

from scenarios.evaluate.evaluation import Evaluation, evaluate
from schemas.errors import InputError
from tests.samples.small_exercise import MINUTE_MS, Recorder, hid, small_community, small_pack, small_record


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluate(small_pack(), small_record(), small_community())


def test_a_correction_is_followed_to_every_past_recipient_and_through_what_was_derived(evaluation: Evaluation) -> None:
    """Delta never had M1 itself; it had M10, in which bravo quoted it."""
    correction = evaluation.corrections[0]

    assert [("bravo", hid("M1"), 81), ("charlie", hid("M1"), None), ("delta", hid("M10"), None)] == [
        (each.agency, each.through, None if each.corrected_ms is None else each.corrected_ms // MINUTE_MS)
        for each in correction.recipients
    ]
    assert correction.reached == 1


def test_a_report_that_quotes_the_correction_corrects_too() -> None:
    record = Recorder()
    record.events = list(small_record())
    record.release(90, "bravo", "M20", ["delta"], derived_from=[hid("M9")], act="forward")
    record.arrive(91, "M20", "delta")

    correction = evaluate(small_pack(), record.events, small_community()).corrections[0]

    assert {"bravo": 81, "charlie": None, "delta": 91} == {
        each.agency: None if each.corrected_ms is None else each.corrected_ms // MINUTE_MS
        for each in correction.recipients
    }


def test_consent_is_timed_from_asking_to_the_product_in_hand(evaluation: Evaluation) -> None:
    request = evaluation.requests[0]

    assert ("granted", True, 85, 93, 94, 95, hid("M8")) == (
        request.state,
        request.in_time,
        request.asked_ms // MINUTE_MS,
        (request.decided_ms or 0) // MINUTE_MS,
        (request.told_ms or 0) // MINUTE_MS,
        (request.product_ms or 0) // MINUTE_MS,
        request.product,
    )


@pytest.mark.parametrize(("end_minute", "state", "in_time"), [(96, "lapsed", False), (94, "open at ENDEX", None)])
def test_a_request_without_a_decision_lapses_or_is_open(end_minute: int, state: str, in_time: bool | None) -> None:  # noqa: FBT001
    start_ms = small_pack().start_ms
    undecided = [
        event
        for event in small_record()
        if not event.stage.startswith("decision") and event.at_ms < start_ms + end_minute * MINUTE_MS
    ]
    record = Recorder()
    record.events = undecided
    record.note(end_minute, "excon", "endex")

    request = evaluate(small_pack(), record.events, small_community()).requests[0]

    assert (state, in_time) == (request.state, request.in_time)


def test_a_disclosure_stands_with_its_evidence(evaluation: Evaluation) -> None:
    disclosure = evaluation.certain.disclosures[0]

    assert ("X1", "F2", "echo", 50 * MINUTE_MS, hid("M3"), "alpha", "crews must know", ("p2",), (0,), ("R1",)) == (
        disclosure.must_not,
        disclosure.fact,
        disclosure.agency,
        disclosure.at_ms,
        disclosure.source,
        disclosure.released_by,
        disclosure.stated_reason,
        disclosure.passages,
        disclosure.portions,
        disclosure.rules,
    )


def test_the_branch_and_what_decided_it_are_kept(evaluation: Evaluation) -> None:
    assert [("B1", "otherwise", ("E4",))] == [
        (branch.branch, branch.outcome, branch.injects) for branch in evaluation.branches
    ]


def test_outages_are_paired_and_one_that_lasts_to_endex_is_open(evaluation: Evaluation) -> None:
    assert [("charlie", 79, 120, False), ("echo", 9, 49, True)] == [
        (each.agency, each.begin_ms // MINUTE_MS, each.end_ms // MINUTE_MS, each.restored)
        for each in evaluation.outages
    ]


def test_planned_and_actual_injects_stand_side_by_side(evaluation: Evaluation) -> None:
    assert {"E1": 0, "E2": 2 * MINUTE_MS, "E3": 0, "E4": None, "E9": None} == {
        inject.inject: inject.drift_ms for inject in evaluation.injects
    }


def test_a_refused_message_is_listed_once_with_portion_reader_and_rule(evaluation: Evaluation) -> None:
    assert [("charlie", hid("M5"), ((0, "alpha", "NTK-NATONLY"),))] == [
        (each.agency, each.hid, each.refusals) for each in evaluation.refusals
    ]


def test_signs_in_free_text_only_suggest_and_change_no_certain_figure(evaluation: Evaluation) -> None:
    texts = {(hid("M1"), 0): "As an INFORMANT told us. Informants are many.", (hid("M3"), 0): "informant"}

    tagged = evaluate(small_pack(), small_record(), small_community(), texts=texts)

    # M3 carries F2 by its passage, so its text has nothing to suggest.
    assert [(hid("M1"), 0, "F2", "informant", "alpha")] == [
        (tag.hid, tag.place, tag.fact, tag.sign, tag.writer) for tag in tagged.suggested_tags
    ]
    assert evaluation.certain == tagged.certain
    assert evaluation.findings == tagged.findings
    # bravo and charlie would have F2 besides, without need.
    assert (4, 10) == (tagged.with_suggested.sharing.surplus, tagged.with_suggested.sharing.known)


def test_a_sign_inside_another_word_suggests_nothing() -> None:
    texts = {(hid("M1"), 0): "the informants"}

    assert () == evaluate(small_pack(), small_record(), small_community(), texts=texts).suggested_tags


def test_findings_say_what_went_right_and_name_the_cause_of_what_did_not(evaluation: Evaluation) -> None:
    told = {finding.headline: (finding.kind, finding.cause) for finding in evaluation.findings}

    assert told["Echo Shipping learned F1 (A tug was boarded off Cape One) 30 min too late."] == ("too late", "link")
    assert told["Charlie Coast Guard never learned F3 (The port's traffic system was entered), due T+0:45."] == (
        "too narrow",
        "rule",
    )
    assert told["F3 (The port's traffic system was entered) stayed away from Echo Shipping."] == ("right", None)
    assert {"right", "too wide", "too narrow", "too late", "record"} == {kind for kind, _ in told.values()}


def test_whatever_went_wrong_by_a_cause_has_a_row_for_the_improvement_plan(evaluation: Evaluation) -> None:
    wrong = [finding for finding in evaluation.findings if finding.cause is not None]

    assert wrong
    assert [] == [
        finding.headline for finding in wrong if not (finding.action and finding.element and finding.responsible)
    ]


def test_spread_counts_needers_that_excon_did_not_tell(evaluation: Evaluation) -> None:
    spread = next(each for each in evaluation.spreads if each.fact == "F1")

    assert (4, (6, 35, 41, 50)) == (spread.needers, tuple(at_ms // MINUTE_MS for at_ms in spread.informed_ms))


def test_flows_count_reports_and_mark_disclosures(evaluation: Evaluation) -> None:
    flows = {
        (flow.sender, flow.reader): (flow.reports, flow.median_ms / MINUTE_MS, flow.disclosures)
        for flow in evaluation.flows
    }

    # M3 took 40 minutes and M8 one; delta's request to alpha is no sharing.
    assert flows["alpha", "echo"] == (2, 20.5, 1)
    assert ("delta", "alpha") not in flows


def test_the_order_of_the_lines_makes_no_difference(evaluation: Evaluation) -> None:
    shuffled = sorted(small_record(), key=lambda event: (event.stage, -event.number))

    assert evaluation.as_json() == evaluate(small_pack(), shuffled, small_community()).as_json()


def test_the_tree_is_plain_json(evaluation: Evaluation) -> None:
    summary = json.loads(evaluation.as_json())

    assert summary["certain"]["sharing"]["disclosures"] == 1
    assert summary["digest"] == small_pack().digest


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"hid": "a", "kind": "report", "audience": [], "portions": []},
        {"hid": "a", "kind": "r", "audience": {"b": "x"}},
    ],
)
def test_a_line_without_its_fields_is_refused_by_source_and_number(fields: dict[str, object]) -> None:
    broken = replace(small_record()[5], source="alpha", stage="released", number=42, fields=fields)

    with pytest.raises(InputError, match="record of alpha, event 42"):
        evaluate(small_pack(), [broken], small_community())


def test_a_label_that_is_none_is_refused() -> None:
    portion = {"place": 0, "title": "", "label": {"tlp": "PINK", "level": "X", "topic": "t"}, "passages": []}
    fields = {"hid": "a", "kind": "report", "audience": {"bravo": 1}, "portions": [portion]}
    broken = replace(small_record()[5], source="alpha", stage="released", number=42, fields=fields)

    with pytest.raises(InputError, match="record of alpha, event 42"):
        evaluate(small_pack(), [broken], small_community())


def test_an_empty_record_evaluates_to_nothing_observed() -> None:
    evaluation = evaluate(small_pack(), (), small_community())

    assert {"clean", "not observed"} == {cell.state for cell in evaluation.certain.cells}
    assert evaluation.certain.sharing.under_sharing is None


def test_a_sign_found_before_its_fact_entered_play_does_not_start_its_clock() -> None:
    """E3 gives F4 at 82; a text of minute 5 that happens to hold the word must make nobody late."""
    texts = {(hid("M1"), 0): "she was followed"}

    tagged = evaluate(small_pack(), small_record(), small_community(), texts=texts)

    assert ["F4"] == [tag.fact for tag in tagged.suggested_tags]
    assert tagged.certain.cells == tagged.with_suggested.cells
