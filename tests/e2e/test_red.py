"""The adversary of an exercise, over real links and in virtual time: what it tries is noticed alike in both.

One small play with everything that red can do (tests/packs/red-cell.yaml), told from the report as its reader sees it.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from scenarios.evaluate.evaluation import Evaluation
from scenarios.evaluate.red import RedTry
from scenarios.model import Pack
from scenarios.pack import load_pack
from scenarios.record import Event
from scenarios.report.page import write_aar
from tests.samples.two_plays import comparable, evaluated, judged, played_for_real, rehearsed

PACK = Path(__file__).parents[1] / "packs" / "red-cell.yaml"


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack(PACK)


@pytest.fixture(scope="module")
def events(pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> tuple[Event, ...]:
    return rehearsed(pack, tmp_path_factory.mktemp("virtual"))


@pytest.fixture(scope="module")
def evaluation(pack: Pack, events: tuple[Event, ...]) -> Evaluation:
    return evaluated(pack, events)


def tried(evaluation: Evaluation, act: str) -> RedTry:
    return next(each for each in evaluation.red if each.act == act)


def signs(evaluation: Evaluation, act: str) -> set[tuple[str, str]]:
    """Who noticed an act, and by which code."""
    return {(sign.by, sign.code) for sign in tried(evaluation, act).noticed}


def test_every_attempt_is_noticed_alike_over_real_links(
    pack: Pack, events: tuple[Event, ...], evaluation: Evaluation, tmp_path: Path
) -> None:
    """The lines of both worlds are the same code, so red needs nothing that only a simulation has."""
    real = played_for_real(pack, tmp_path)

    assert comparable(events) == comparable(real)
    assert judged(pack, events) == judged(pack, real)
    plain = [replace(each, hids=(), read=(), shut=()) for each in evaluated(pack, real).red]
    assert [replace(each, hids=(), read=(), shut=()) for each in evaluation.red] == plain


def test_a_report_with_a_copied_header_is_refused_by_the_router_and_rejected_at_every_door(
    evaluation: Evaluation,
) -> None:
    assert signs(evaluation, "A3") == {
        ("router", "TOPIC_MISMATCH"),
        ("sgp-cert", "BAD_SIG"),
        ("tha-cert", "BAD_SIG"),
        ("phl-cert", "BAD_SIG"),
    }
    assert tried(evaluation, "A3").taken_in_by == ()


def test_a_desk_that_polls_notices_when_it_polls(evaluation: Evaluation) -> None:
    """Red's frames come by the same link as all others, and wait as long: "after how long" is the victim's own."""
    (sign,) = (sign for sign in tried(evaluation, "A3").noticed if sign.by == "phl-cert")
    assert sign.after_ms > 10 * 60_000


def test_over_the_victims_own_line_the_signature_gives_a_copied_header_away(evaluation: Evaluation) -> None:
    assert signs(evaluation, "A4") == {("router", "BAD_SIG")}


def test_a_replay_has_no_effect_wherever_it_comes(evaluation: Evaluation) -> None:
    assert signs(evaluation, "A5") == {("router", "TOPIC_MISMATCH"), ("sgp-cert", ""), ("mys-cert", "NOT_FOR_ME")}
    assert tried(evaluation, "A5").taken_in_by == ()
    assert tried(evaluation, "A6").noticed == ()
    assert "delivered nothing" in tried(evaluation, "A6").unnoticed


def test_a_flood_is_put_down_to_the_line_that_it_came_over(evaluation: Evaluation) -> None:
    assert signs(evaluation, "A7") == {("router", "QUOTA")}


def test_a_stolen_box_key_opens_nothing_that_is_sealed_to_the_next_one(evaluation: Evaluation) -> None:
    """It reads until whoever writes to the victim has the new key, which comes with the victim's next message."""
    theft = tried(evaluation, "A2")
    assert ("F1", "F2", "F3") == theft.learned
    assert (3, 3) == (len(theft.read), len(theft.shut))
    assert theft.noticed == ()
    assert ("sgp-cert",) == theft.overlooked


def test_a_stolen_sign_key_is_believed_until_its_revocation_and_noticed_before(evaluation: Evaluation) -> None:
    """The readers miss numbers, the victim gets receipts for what it never sent, and the records do not agree."""
    assert tried(evaluation, "A8").taken_in_by == ("phl-cert", "sgp-cert")
    assert {"sgp-cert", "phl-cert", "tha-cert", "records"} == {sign.by for sign in tried(evaluation, "A8").noticed}
    assert tried(evaluation, "A9").taken_in_by == ()
    assert signs(evaluation, "A9") == {("router", "KEY_REVOKED")}


def test_a_router_that_lies_is_found_out_by_the_ends(evaluation: Evaluation) -> None:
    assert {"mys-cert", "sgp-cert", "records"} == {sign.by for sign in tried(evaluation, "A10").noticed}
    assert ("sgp-cert", "BLOB_HASH") in signs(evaluation, "A11")
    assert signs(evaluation, "A12") == {("phl-cert", "NOT_FOR_ME")}


def test_a_watcher_learns_who_writes_to_whom_and_no_fact(evaluation: Evaluation) -> None:
    watched = tried(evaluation, "A1")
    assert watched.told is not None
    assert watched.told.reports == watched.told.guessed > 0
    assert watched.learned == ()


def test_an_act_whose_condition_never_comes_is_not_done(evaluation: Evaluation) -> None:
    assert tried(evaluation, "A13").at_ms is None
    assert "did not come within 30 min after E1" in tried(evaluation, "A13").tried


def test_what_red_tried_can_be_measured(evaluation: Evaluation) -> None:
    forged, noticed = evaluation.certain.objectives[0].measures
    assert (0.0, "P") == (forged.value, forged.rating)
    assert ("9 of 10 noticed by everybody who should", "S") == (noticed.counted, noticed.rating)


def test_what_red_did_to_the_records_is_told_of_red(evaluation: Evaluation) -> None:
    """That records differ where red lied is what they are for, and puts no figure in doubt."""
    headlines = {finding.kind: finding.headline for finding in evaluation.findings if "A8" in finding.headline}

    assert {"too wide": "phl-cert and sgp-cert took for true what red sent (A8, stolen-sign-key)."} == headlines
    assert 2 == len(evaluation.reconciliation.unexplained)
    assert "record" not in {finding.kind for finding in evaluation.findings}


def test_the_report_tells_what_red_tried(
    pack: Pack, events: tuple[Event, ...], evaluation: Evaluation, tmp_path: Path
) -> None:
    files = write_aar(pack, events, evaluation, tmp_path)
    page = files.html.read_text(encoding="utf-8")
    assert "What red tried" in page
    assert "nobody noticed" in page
    assert "taken for true by phl-cert and sgp-cert" in page
    assert "red.csv" in {path.name for path in files.csv}
