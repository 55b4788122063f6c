"""A pack with life-safety overrides (H16) in virtual time: one needed, one not needed, one that may not be."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policy.community import Community
from scenarios.enrolment import enrol
from scenarios.evaluate.evaluation import Evaluation, evaluate
from scenarios.model import Outage, Pack
from scenarios.pack import load_pack_with_places
from scenarios.record import Event, read_record
from scenarios.rehearsal import rehearse
from scenarios.report.page import write_aar
from schemas.report import Passage
from sealing.entropy import SystemEntropy

PACK = Path(__file__).parent.parent / "packs" / "adrift.yaml"


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack_with_places(PACK).pack


@pytest.fixture(scope="module")
def record(pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> tuple[Event, ...]:
    folder = tmp_path_factory.mktemp("play")
    rehearse(pack, folder=folder)
    return read_record(folder / "record")


@pytest.fixture(scope="module")
def evaluation(pack: Pack, record: tuple[Event, ...]) -> Evaluation:
    return evaluate(pack, record, Community.compile(enrol(pack, entropy=SystemEntropy()).bundle))


def fields(record: tuple[Event, ...], source: str, stage: str) -> list[dict[str, Any]]:
    return [event.fields for event in record if event.source == source and event.stage == stage]


def test_h16_what_the_originators_rules_stop_an_override_brings(record: tuple[Event, ...]) -> None:
    (denied,) = fields(record, "mys-mar", "onward_denied")
    assert ("S2", {"idn-sar": "NTK-REL"}) == (denied["order"], denied["agencies"])
    first, _ = fields(record, "mys-mar", "overrode")
    assert ["idn-sar"] == first["readers"]
    (left_out,) = [item["left_out"] for item in fields(record, "mys-mar", "intended") if item["order"] == "S3"]
    assert {"idn-pol": "NTK-PERMIT", "vnm-sar": "NTK-PERMIT"} == left_out
    assert [first["hid"]] == [item["hid"] for item in fields(record, "idn-sar", "acknowledged")]
    assert {first["hid"]} <= {item["hid"] for item in fields(record, "idn-sar", "verified")}


def test_h16_the_originators_desk_knows_at_once_and_the_router_has_it_on_record(record: tuple[Event, ...]) -> None:
    made, known = ([event.at_ms for event in record if event.stage == stage] for stage in ("overrode", "overridden"))
    # Twice two: the router's record and the originator's own.
    assert (2, 4) == (len(made), len(known))
    assert all(min(abs(at - first) for first in made) < 1_000 for at in known)
    assert ["S5"] == [item["order"] for item in fields(record, "tha-mar", "acted")]
    assert [["idn-sar", "tha-mar"]] * 2 == [item["readers"] for item in fields(record, "router", "overridden")]


def test_h16_who_only_attends_the_authority_tells_nobody(record: tuple[Event, ...]) -> None:
    (tried,) = fields(record, "mys-pol", "acted")
    assert "not done: mys-pol may not invoke life-safety.sar" == tried["reason"]
    assert [] == [item for item in fields(record, "mys-pol", "released") if item["kind"] == "override"]


def test_h16_the_report_holds_each_override_against_what_was_needed(evaluation: Evaluation) -> None:
    assert ["needed", "without need"] == [each.judgement for each in evaluation.overrides]
    first, second = evaluation.overrides
    assert (("F1",), ("idn-sar",)) == (first.facts, first.needed_by)
    assert (("F3",), ()) == (second.facts, second.needed_by)
    assert "Duty officers for search and rescue, under the regional rescue agreement" == first.title
    assert all(each.told_ms is not None and each.told_ms - each.at_ms < 1_000 for each in evaluation.overrides)
    (tried,) = evaluation.overrides_tried
    assert ("mys-pol", "mys-pol may not invoke life-safety.sar") == (tried.agency, tried.why)
    kinds = [finding.kind for finding in evaluation.findings if "life-safety" in finding.headline]
    assert ["right", "too wide"] == kinds
    assert not evaluation.certain.disclosures
    assert not evaluation.reconciliation.unexplained


def test_h16_an_override_that_gives_a_source_away_is_abused_and_one_unheard_of_is_said_so(
    pack: Pack, tmp_path: Path
) -> None:
    """The same night, with the informer in the line, and the originator's link down until after ENDEX."""
    source = next(passage for passage, fact in pack.passage_facts.items() if fact == "F2")
    line = (Passage(source, "An informer is aboard."),)
    orders = tuple(
        replace(order, override=replace(order.override, line=line))
        if order.order == "S3" and order.override is not None
        else order
        for order in pack.orders
    )
    outage = Outage(begin_ms=10 * 60_000, lasts_ms=4 * 3_600_000, every_ms=None)
    cut = replace(pack.links[0], link="cut", outages=(outage,))
    participants = tuple(replace(each, link="cut") if each.agency == "tha-mar" else each for each in pack.participants)
    bent = replace(pack, orders=orders, links=(*pack.links, cut), participants=participants)
    rehearse(bent, folder=tmp_path)
    record = read_record(tmp_path / "record")
    evaluation = evaluate(bent, record, Community.compile(enrol(bent, entropy=SystemEntropy()).bundle))

    (abused,) = evaluation.overrides
    assert ("abused", (("F2", "idn-sar"),), None) == (abused.judgement, abused.given_away, abused.told_ms)
    headlines = [finding.headline for finding in evaluation.findings]
    assert any("abused life-safety.sar: it gave away F2" in headline for headline in headlines)
    assert any("was not told by ENDEX that its report was overridden" in headline for headline in headlines)


def test_the_page_tells_of_both(pack: Pack, record: tuple[Event, ...], evaluation: Evaluation, tmp_path: Path) -> None:
    written = write_aar(pack, record, evaluation, tmp_path)
    page = written.html.read_text(encoding="utf-8")
    assert "C.14 Life-safety overrides" in page
    assert "Duty controller of the rescue sub-centre" in page
    assert "without need" in page
    (table,) = [path for path in written.csv if path.name == "overrides.csv"]
    assert 3 == len(table.read_text(encoding="utf-8").splitlines())
