"""The pack of accession and handover: the eleventh reads forward only, a partner waits for the silence of all."""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from conformance.audit_verifier import verify_folder
from scenarios.catalogue import find_pack
from scenarios.evaluate.evaluation import Evaluation
from scenarios.lint import lint_path
from scenarios.model import Pack
from scenarios.pack import load_pack
from scenarios.record import Event
from scenarios.report.page import write_aar
from tests.samples.two_plays import comparable, evaluated, judged, played_for_real, rehearsed

PATH = find_pack("eleventh-chair")
MEMBERS = ["brn-di", "idn-di", "khm-di", "lao-di", "mmr-di", "mys-di", "phl-di", "sgp-di", "tha-di", "vnm-di"]


class Played(NamedTuple):
    """One rehearsal, its record and what it is judged to be."""

    pack: Pack
    folder: Path
    events: tuple[Event, ...]
    evaluation: Evaluation

    def find(self, stage: str, source: str = "", **fields: Any) -> list[Event]:
        return [
            event
            for event in self.events
            if event.stage == stage
            and source in {"", event.source}
            and all(event.fields.get(name) == value for name, value in fields.items())
        ]

    def minute(self, event: Event) -> float:
        return (event.at_ms - self.pack.start_ms) / 60_000

    def knows(self, fact: str) -> set[str]:
        return {
            cell.agency for cell in self.evaluation.certain.cells if cell.fact == fact and cell.known_ms is not None
        }


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder = tmp_path_factory.mktemp("chair")
    pack = load_pack(PATH)
    events = rehearsed(pack, folder)
    return Played(pack, folder, events, evaluated(pack, events))


def test_lint_names_the_two_needs_that_a_manual_link_cannot_be_sure_of() -> None:
    found = lint_path(PATH)

    assert ["by-too-short", "by-too-short"] == [finding.code for finding in found]
    assert all(finding.text.startswith("mmr-di ") for finding in found)


def test_over_real_mqtt_it_is_decided_as_in_virtual_time(played: Played, tmp_path: Path) -> None:
    real = played_for_real(played.pack, tmp_path)

    assert comparable(real) == comparable(played.events)
    assert judged(played.pack, real) == judged(played.pack, played.events)


def test_the_eleventh_has_what_is_new_and_nothing_that_is_old(played: Played) -> None:
    """Retroactive access is none: not by asking as an observer, and not by asking as a member."""
    assert "tls-di" in played.knows("F2")
    assert "tls-di" not in played.knows("F1")
    assert ["refuse", "refuse"] == [
        event.fields["outcome"] for event in played.find("decision", "idn-di", reader="tls-di")
    ]
    assert [] == played.find("delivered", "tls-di", originator="idn-di", kind="report")


def test_one_node_is_silent_and_that_is_consent(played: Played) -> None:
    vote = played.evaluation.procedures[0]

    assert ("amim", None, "no objection") == (vote.mechanism, vote.reader, vote.outcome)
    assert {"mmr-di": "silent"} == {heard.member: heard.answer for heard in vote.members if heard.answer != "agreed"}
    (joined,) = played.find("bundle_changed", change="C1")
    (over,) = played.find("silence_over", "mys-di")
    assert over.at_ms <= joined.at_ms


def test_the_chair_takes_the_agenda_and_no_file_with_it(played: Played) -> None:
    assert {"mys-di", "sgp-di"} == played.knows("F4")
    (denied,) = played.find("onward_denied", "mys-di")
    assert {"phl-di": "NTK-REL"} == denied.fields["agencies"]
    assert {"phl-di", "rb-amim", "rb-asec", "tls-di"} <= played.knows("F3")


def test_what_one_originator_takes_back_is_gone_everywhere_and_the_rest_is_out_in_time(played: Played) -> None:
    (recall,) = played.evaluation.recalls
    first, second = played.evaluation.joint

    assert {"purged"} == {each.answer for each in recall.recipients}
    assert (("idn-di", "phl-di", "vnm-di"), ("idn-di", "phl-di")) == (first.cosigners, second.cosigners)
    assert second.replaces == first.hid
    assert second.released_ms is not None
    assert second.released_ms <= 300 * 60_000
    assert "vnm-di" not in second.originators


def test_the_partner_has_it_once_all_members_were_asked_and_none_objected(played: Played) -> None:
    _, procedure = played.evaluation.procedures

    assert ("dp-aus-di", "no objection") == (procedure.reader, procedure.outcome)
    assert sorted({*MEMBERS, "tls-di"} - {"tha-di"}) == [heard.member for heard in procedure.members]
    assert procedure.waited_ms is not None
    assert 45 == procedure.waited_ms // 60_000
    assert procedure.let_go_ms is not None
    assert procedure.let_go_ms > procedure.object_by_ms
    (let_go,) = played.find("let_go", "router")
    assert ("dp-aus-di", procedure.hid) == (let_go.fields["recipient"], let_go.fields["proposal"])
    assert {"F5", "F6", "F7"} == {
        fact for fact in ("F1", "F2", "F5", "F6", "F7", "F8") if "dp-aus-di" in played.knows(fact)
    }


def test_no_third_member_learns_of_a_quarrel(played: Played) -> None:
    """Whom a paper was not sent to stands nowhere in what its readers get, and no label names the one left out."""
    assert "lao-di" not in played.knows("F9")
    assert {"brn-di"} == played.knows("F12")
    (paper,) = played.find("released", "brn-di", order="A16")
    for reader in paper.fields["audience"]:
        told = [
            event
            for event in played.events
            if event.source == reader and event.fields.get("hid") == paper.fields["hid"]
        ]
        assert told
        # The friend of the house who would have handed it on is told of a rule that holds for everybody.
        assert not any("lao" in repr(event.fields).lower() for event in told if event.stage != "onward_denied")


def test_a_node_with_the_old_rules_keeps_talking_and_the_report_shows_it(played: Played) -> None:
    change = played.evaluation.changes[-1]
    (spoken,) = played.find("released", "mmr-di", order="A18")
    (taken_up,) = played.find("bundle", "mmr-di", version=4)

    assert spoken.at_ms < taken_up.at_ms
    assert {"mmr-di": 1} == {agency: count for agency, count in change.by_older.items() if agency == "mmr-di"}
    assert played.find("accepted", "mmr-di", hid=spoken.fields["hid"])
    assert {"rb-asec"} <= set(change.reached)


def test_the_report_says_what_silence_cost_and_the_log_proves_it(played: Played, tmp_path: Path) -> None:
    write_aar(played.pack, played.events, played.evaluation, tmp_path)
    page = (tmp_path / "aar.html").read_text(encoding="utf-8")

    assert "Silence procedures, and the minutes they cost" in page
    assert "Still released by an older version: mmr-di 1 message" in page
    assert [] == list(verify_folder(played.folder / "log").findings)


OBJECTING = """\
  - id: A13-vnm
    who: vnm-di
    on: {proposal_received: {sender: tha-di}}
    do: object
    why: Not while our man is there
"""


def test_one_member_objects_and_the_partner_is_refused(tmp_path: Path) -> None:
    """What the members were asked about stays with them, and the report says who would not have it go."""
    copy = tmp_path / "pack"
    shutil.copytree(PATH, copy)
    orders = copy / "orders.yaml"
    orders.write_text(orders.read_text(encoding="utf-8") + OBJECTING, encoding="utf-8")
    pack = load_pack(copy)
    events = rehearsed(pack, tmp_path / "play")
    evaluation = evaluated(pack, events)
    found = Played(pack, tmp_path, events, evaluation)
    procedure = evaluation.procedures[-1]

    assert ("opposed", ("vnm-di",), None) == (procedure.outcome, procedure.objectors, procedure.let_go_ms)
    assert procedure.waited_ms is not None
    assert procedure.waited_ms < 45 * 60_000
    assert "dp-aus-di" not in found.knows("F5")
    (decision,) = found.find("decision", "tha-di")
    assert ("refuse", "The members have not agreed") == (decision.fields["outcome"], decision.fields["reason"])
