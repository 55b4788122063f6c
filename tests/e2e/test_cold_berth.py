"""Exercise COLD BERTH, played over real MQTT and in virtual time: what its dilemmas cost, and what the report tells."""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from policy.community import Community
from scenarios.catalogue import find_pack
from scenarios.engine import prepared
from scenarios.enrolment import enrol
from scenarios.evaluate.evaluation import Evaluation, evaluate
from scenarios.lint import lint_path
from scenarios.model import BotProfile, Pack, Span
from scenarios.pack import load_pack
from scenarios.record import Event, read_record
from scenarios.rehearsal import rehearse
from scenarios.report.page import write_aar
from sealing.entropy import SystemEntropy
from tests.samples.two_plays import comparable, judged

LIMIT_S = 120
MINUTE_MS = 60_000


@dataclass(frozen=True)
class Play:
    """One play: the pack, its record, and what the evaluation says of it."""

    pack: Pack
    events: tuple[Event, ...]
    evaluation: Evaluation

    def of(self, stage: str, source: str | None = None) -> list[Event]:
        return [event for event in self.events if event.stage == stage and source in {None, event.source}]

    def ratings(self) -> dict[str, str | None]:
        objectives = self.evaluation.certain.objectives
        return {measure.measure: measure.rating for objective in objectives for measure in objective.measures}

    def branches(self) -> dict[str, str]:
        return {branch.branch: branch.outcome for branch in self.evaluation.branches}


def rehearsed(pack: Pack, folder: Path) -> Play:
    rehearse(pack, folder=folder)
    events = read_record(folder / "record")
    return Play(pack, events, evaluate(pack, events, Community.compile(enrol(pack, entropy=SystemEntropy()).bundle)))


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Play:
    return rehearsed(load_pack(find_pack("cold-berth")), tmp_path_factory.mktemp("berth"))


@pytest.fixture(scope="module")
def undecided(play: Play, tmp_path_factory: pytest.TempPathFactory) -> Play:
    """The same night with one desk slower: the defence side needs an hour and a half to decide."""
    late = Span(least_ms=90 * MINUTE_MS, most_ms=95 * MINUTE_MS)

    def slowed(bot: BotProfile) -> BotProfile:
        return replace(bot, decide=late) if bot.bot == "deliberate" else bot

    pack = replace(play.pack, bots=tuple(map(slowed, play.pack.bots)))
    return rehearsed(pack, tmp_path_factory.mktemp("undecided"))


def test_the_pack_is_decided_alike_over_real_mqtt_and_in_virtual_time(play: Play, tmp_path: Path) -> None:
    async def play_for_real() -> None:
        async with (
            asyncio.timeout(LIMIT_S),
            prepared(play.pack, folder=tmp_path, entropy=SystemEntropy()) as (exercise, region),
        ):
            await exercise.play(region)

    asyncio.run(play_for_real())
    real = read_record(tmp_path / "record")

    assert comparable(real) == comparable(play.events)
    assert judged(play.pack, real) == judged(play.pack, play.events)


def test_lint_finds_what_starves_somebody_on_purpose_and_nothing_else() -> None:
    assert ["rule-gap"] * 3 == [finding.code for finding in lint_path(find_pack("cold-berth"))]


def test_the_records_reconcile_and_nothing_was_rejected(play: Play) -> None:
    faults = ("rejected", "misreleased", "missing", "duplicate", "gap", "refused")

    assert ((), ()) == (play.evaluation.reconciliation.unexplained, play.evaluation.reconciliation.on_the_way)
    assert [] == [(event.source, event.stage, event.fields) for stage in faults for event in play.of(stage)]


def test_each_cert_has_the_rule_before_the_first_login_in_its_country(play: Play) -> None:
    assert "P" == play.ratings()["M1"]
    assert {"B1": "then", "B2": "then"} == {name: play.branches()[name] for name in ("B1", "B2")}


def test_the_certs_have_the_rule_and_none_has_the_sample(play: Play) -> None:
    """What the civil side needs comes over the wall, and nothing that shows the net it was taken from."""
    knows = {
        fact: {cell.agency for cell in play.evaluation.certain.cells if cell.fact == fact and cell.source is not None}
        for fact in ("F6", "F7")
    }
    civil = {"brn-cert", "idn-cert", "mys-cert", "phl-cert", "sgp-cert", "rb-regcert"}

    assert {"sgp-di", "rb-acice"} == knows["F6"]
    assert civil | {"sgp-di", "mys-di"} == knows["F7"]


def test_what_consent_cost_stands_in_minutes(play: Play, undecided: Play) -> None:
    waited = {
        (each.asker, each.originator, each.state): ((each.decided_ms or 0) - each.asked_ms) // MINUTE_MS
        for each in play.evaluation.requests
    }

    assert {
        ("mys-cert", "in-port", "granted"),
        ("sgp-cert", "mys-cert", "refused"),
        ("rb-acice", "sgp-di", "granted"),
    } == waited.keys()
    assert all(5 <= minutes <= 35 for minutes in waited.values())
    # An hour more behind the wall, and two CERTs read the rule after they needed it.
    late = {each.agency for each in undecided.evaluation.certain.needs if each.need in {"N09", "N10", "N11"}}
    assert {"brn-cert", "idn-cert", "sgp-cert"} == late
    assert "U" == undecided.ratings()["M1"]
    assert "otherwise" == undecided.branches()["B2"]
    # The second port was saved all the same, by what its operator had let go.
    assert "then" == undecided.branches()["B1"]


def test_h16_the_neighbours_are_warned_past_consent_and_the_hospital_knows_it(play: Play) -> None:
    (override,) = play.evaluation.overrides

    assert ("phl-cert", "in-hosp", "life-safety.health") == (override.invoker, override.originator, override.authority)
    assert ("needed", ()) == (override.judgement, override.given_away)
    assert ("brn-cert", "idn-cert", "mys-cert", "sgp-cert") == override.needed_by
    assert override.told_ms is not None
    # Its modem was down for some of that; the copy lay in the queue from the same moment.
    assert 0 < override.told_ms - override.at_ms < 10 * MINUTE_MS
    assert ["P03"] == [event.fields["order"] for event in play.of("acted", "in-hosp")]


def test_victims_are_named_by_one_slip_alone(play: Play) -> None:
    broken = {(item.must_not, item.fact, item.released_by) for item in play.evaluation.certain.disclosures}

    assert {("X3", "F5", "phl-pol")} == broken


def test_a_rule_an_embargo_and_a_confidence_starve_whom_the_notes_say(play: Play) -> None:
    missed = {
        (need.need, need.agency, need.cause) for need in play.evaluation.certain.needs if need.cell.state == "missed"
    }

    assert {("N05", "dp-jpn-cert", "rule"), ("N13", "in-port", "rule"), ("N13", "in-hosp", "rule")} == missed
    (held,) = [event for event in play.of("intended", "rb-regcert") if event.fields["order"] == "V01"]
    assert {} == held.fields["left_out"]  # everybody had the workaround
    assert {"rb-regcert"} == {
        cell.agency for cell in play.evaluation.certain.cells if cell.fact == "F8" and cell.source is not None
    }


def test_the_wrong_indicator_is_taken_back_as_fast_as_links_are_read(play: Play) -> None:
    (recall,) = play.evaluation.recalls
    answered = {each.agency: ((each.answered_ms or 0) - recall.released_ms) / MINUTE_MS for each in recall.recipients}

    assert {"purged"} == {each.answer for each in recall.recipients}
    # The one that reads its portal each half hour is late, and the measure says so.
    assert {"brn-cert"} == {agency for agency, minutes in answered.items() if minutes > 15}
    assert "S" == play.ratings()["M13"]


def test_the_page_shows_the_dilemma(play: Play, tmp_path: Path) -> None:
    written = write_aar(play.pack, play.events, play.evaluation, tmp_path)
    page = written.html.read_text(encoding="utf-8")

    for told in ("Health emergency officer on duty", "NTK-PROPIN", "Which operator it is", "erased it within 15 min"):
        assert told in page
