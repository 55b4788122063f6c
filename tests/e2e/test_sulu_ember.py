"""Exercise SULU EMBER, played over real MQTT and in virtual time: what its dilemmas cost, and what the report tells."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scenarios.catalogue import find_pack
from scenarios.engine import prepared
from scenarios.evaluate.history import read_recorded_label
from scenarios.model import Order, Pack
from scenarios.pack import load_pack
from scenarios.record import Event, read_record
from scenarios.rehearsal import rehearse
from scenarios.report.page import write_aar
from sealing.entropy import SystemEntropy
from tests.samples.pack_play import Play, read_play
from tests.samples.two_plays import comparable, judged

LIMIT_S = 120
MINUTE_MS = 60_000
# What a refusal of nothing says; the words of a refusal that hides something must be these.
EMPTY_DRAWER = "There is no such report."


def rehearsed(pack: Pack, folder: Path) -> Play:
    rehearse(pack, folder=folder)
    return read_play(pack, folder)


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Play:
    return rehearsed(load_pack(find_pack("sulu-ember")), tmp_path_factory.mktemp("ember"))


@pytest.fixture(scope="module")
def without_consent(play: Play, tmp_path_factory: pytest.TempPathFactory) -> Play:
    """The same afternoon with one order changed: Indonesia refuses."""

    def changed(order: Order) -> Order:
        return replace(order, outcome="refuse", grants=None, conditions="") if order.order == "D01" else order

    pack = replace(play.pack, orders=tuple(map(changed, play.pack.orders)))
    return rehearsed(pack, tmp_path_factory.mktemp("refused"))


def test_the_pack_is_decided_alike_over_real_mqtt_and_in_virtual_time(play: Play, tmp_path: Path) -> None:
    async def play_for_real() -> None:
        async with asyncio.timeout(LIMIT_S):
            async with prepared(play.pack, folder=tmp_path, entropy=SystemEntropy()) as (exercise, region):
                await exercise.play(region)

    asyncio.run(play_for_real())
    real = read_record(tmp_path / "record")

    assert comparable(real) == comparable(play.events)
    assert judged(play.pack, real) == judged(play.pack, play.events)


def test_the_records_reconcile_and_nothing_was_rejected(play: Play) -> None:
    faults = ("rejected", "misreleased", "missing", "duplicate", "gap", "refused", "cancelled")

    assert ((), ()) == (play.evaluation.reconciliation.unexplained, play.evaluation.reconciliation.on_the_way)
    assert [] == [(event.source, event.stage, event.fields) for stage in faults for event in play.of(stage)]


def test_three_rules_starve_whom_the_notes_say_and_nobody_else(play: Play) -> None:
    """REL TO, observer status and the wall: each is named as the cause where its need came late or never."""
    failed = {
        (need.need, need.agency): (need.cell.state, need.cause, need.split.rules if need.split else ())
        for need in play.evaluation.certain.needs
        if need.cell.state in {"late", "missed"}
    }

    assert {
        ("N04", "phl-pol"): ("missed", "rule", ("R09",)),
        ("N04", "idn-pol"): ("late", "rule", ("R09",)),
        ("N09", "brn-di"): ("late", "rule", ("NTK-REL",)),
        ("N09", "rb-tca"): ("late", "rule", ("NTK-REL",)),
        ("N10", "khm-di"): ("late", "rule", ("NTK-MECHANISM",)),
    } == failed


def test_nothing_leaks_but_by_the_desk_that_slips(play: Play) -> None:
    broken = {(item.must_not, item.fact, item.agency, item.released_by) for item in play.evaluation.certain.disclosures}

    assert {("X2", "F4", "rb-interpol", "phl-pol")} == broken


def test_h2_the_assessment_inherits_what_both_parents_are_under(play: Play) -> None:
    """H2: ORCON of one parent, the lists of both; and whoever is on one list alone gets nothing of it (H3)."""
    (product,) = play.evaluation.joint
    (shown,) = play.of("joint_asked", "sgp-di")
    banner = read_recorded_label(shown.fields["banner"])
    (intended,) = [
        event for event in play.of("intended", "sgp-di") if event.fields["left_out"] and event.fields["act"] == "joint"
    ]

    assert ("ORCON" in banner.caveats, "EX-SECRET", "AMBER") == (True, banner.level, banner.tlp)
    assert {"idn-di", "mys-di", "phl-di"} == set(product.readers)
    assert {"brn-di": "NTK-REL", "rb-tca": "NTK-REL"} == intended.fields["left_out"]
    (released,) = [
        event for event in play.of("released", "sgp-di") if event.fields["portions"] and event.fields["act"] == "joint"
    ]
    derived = [portion for portion in released.fields["portions"] if portion["derived_from"]]
    assert 2 == len(derived)
    assert 1 == sum("ORCON" in read_recorded_label(portion["label"]).caveats for portion in derived)


def test_h2_without_one_originators_consent_there_is_no_assessment(without_consent: Play) -> None:
    """H2: the other's consent and one's own judgement are not enough, and nobody reads either in its place."""
    refused = [event for event in without_consent.of("decision", "idn-di") if event.fields["outcome"] == "refuse"]

    assert refused
    assert () == without_consent.evaluation.joint
    assert [] == [event for event in without_consent.of("released", "sgp-di") if event.fields["act"] == "joint"]
    assert {"E12"} == {
        inject for each in without_consent.evaluation.branches if each.branch == "B2" for inject in each.injects
    }
    assert not [event for event in without_consent.of("verified", "mys-di") if event.fields["originator"] == "sgp-di"]


def test_what_consent_cost_is_told_in_minutes(play: Play) -> None:
    """Two rounds of asking, and then the signatures; each minute of it stands between the chiefs and their paper."""
    (assessment,) = [each for each in play.evaluation.lineage if each.order == "J01"]
    (product,) = play.evaluation.joint

    assert {"idn-di", "phl-di"} == {each.originator for each in assessment.consents}
    assert {"idn-di", "mys-di", "phl-di", "sgp-di"} == {each.reader for each in assessment.consents}
    assert assessment.consent_ms is not None
    assert 25 * MINUTE_MS < assessment.consent_ms < 60 * MINUTE_MS
    assert product.released_ms is not None
    assert product.asked_ms < product.released_ms < 210 * MINUTE_MS


def khm_di_saw(play: Play) -> list[Any]:
    """Everything that khm-di's node wrote down after it had asked, without the ids and times of that play."""
    asked = play.of("requested", "khm-di")[0].number

    def told(event: Event) -> str:
        fields = sorted((name, value) for name, value in event.fields.items() if not name.endswith("_ms"))
        return re.sub(r"\b[0-9a-f]{64}\b", "-", f"{event.stage} {fields!r}")

    return [told(event) for event in play.events if event.source == "khm-di" and event.number >= asked]


def test_h15_the_observer_cannot_tell_a_refusal_from_an_empty_drawer(play: Play, without_consent: Play) -> None:
    """H15: with an assessment that is kept from it and with none at all, khm-di's node holds the same."""
    (answer,) = play.of("decision_opened", "khm-di")
    (decision,) = [event for event in play.of("decision", "sgp-di") if event.fields["reader"] == "khm-di"]
    (request,) = [each for each in play.evaluation.requests if each.asker == "khm-di"]

    assert (EMPTY_DRAWER, "", "refuse") == tuple(answer.fields[name] for name in ("reason", "conditions", "outcome"))
    assert decision.fields["concealed"]
    assert "observer" in decision.fields["reason"]
    assert (True, decision.fields["reason"]) == (request.concealed, request.reason)
    assert khm_di_saw(play) == khm_di_saw(without_consent)
    assert (1, 0) == (len(play.evaluation.joint), len(without_consent.evaluation.joint))


def test_h15_whoever_may_know_is_told_the_true_reason(without_consent: Play) -> None:
    """H15 hides from outsiders; sgp-di, which asked for what it knew of, reads why it was refused."""
    (answer, *_) = [
        event for event in without_consent.of("decision_opened", "sgp-di") if event.fields["outcome"] == "refuse"
    ]

    assert "The method may be told to those who meet him on their own shores" == answer.fields["reason"]


def test_every_product_goes_back_to_the_reports_it_was_made_from(play: Play) -> None:
    lineage = {each.order: each for each in play.evaluation.lineage}

    assert {"J01", "S04", "S09", "S15", "S20", "S21", "S22"} == lineage.keys()
    assert all(each.whole for each in lineage.values())
    assert ("idn-di", "phl-di") == lineage["J01"].originators
    assert ("E01", "E02") == lineage["J01"].injects
    # Of each parent the part that was taken over, and not what stands beside it in the same message.
    taken = ("How new men are brought across", "The camp is empty")
    assert taken == tuple(each.title for each in lineage["J01"].ancestors)
    assert (True, False) == tuple(all(each.controlled for each in lineage[name].ancestors) for name in ("J01", "S04"))
    assert [("phl-pol", 1), ("mys-pol", 2)] == [(each.agency, each.depth) for each in lineage["S21"].ancestors]


def test_the_line_is_warned_in_time_and_nobody_learns_by_whom(play: Play) -> None:
    measures = {each.measure: each for objective in play.evaluation.certain.objectives for each in objective.measures}
    taken = {branch.branch: branch.injects for branch in play.evaluation.branches}

    assert ("P", "P") == (measures["M10"].rating, measures["M12"].rating)
    assert (measures["M10"].value or 0) >= 45
    assert ("E15",) == taken["B4"]


def test_the_namesake_is_cleared_everywhere(play: Play) -> None:
    """The name went three hops; the correction goes as far, and each list says that it is clean."""
    corrections = {each.order: each for each in play.evaluation.corrections}
    done = {(each.asker, each.partner) for each in play.evaluation.questions if each.state == "done"}

    assert {"S18", "S19", "S20", "S21", "S22"} == corrections.keys()
    assert all(past.corrected_ms is not None for each in corrections.values() for past in each.recipients)
    assert {"idn-pol", "mys-pol", "phl-bor"} == {past.agency for past in corrections["S21"].recipients}
    assert {("mys-pol", "phl-bor"), ("mys-pol", "phl-pol"), ("mys-pol", "idn-pol"), ("phl-pol", "rb-interpol")} == done


def test_the_report_shows_the_dilemma(play: Play) -> None:
    """Minutes, rules, leak and lineage stand on the page, and beside it as a table."""
    page = write_aar(play.pack, play.events, play.evaluation, play.folder).html.read_text(encoding="utf-8")
    table = (play.folder / "aar" / "lineage.csv").read_text(encoding="utf-8")

    for told in (
        "What each product was made of",
        "Consent cost",
        "the asker was told that there is no such report",
        "REL TO idn-di",
        "NTK-MECHANISM",
        "became readable by Police notices, regional desk",
    ):
        assert told in page, told
    assert {"J01", "S04", "S21"} <= set(re.findall(r"\b[JS]\d\d\b", table))
