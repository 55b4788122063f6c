"""A pack with a joint product in virtual time: signed by two, released, one leaves, made again without its part."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from policy.community import Community
from scenarios.engine import prepared
from scenarios.enrolment import enrol
from scenarios.evaluate.evaluation import evaluate
from scenarios.model import Pack
from scenarios.pack import load_pack_with_places
from scenarios.record import Event, read_record
from scenarios.rehearsal import rehearse
from scenarios.report.page import write_aar
from sealing.entropy import SystemEntropy
from tests.samples.two_plays import comparable, judged

PACK = Path(__file__).parent.parent / "packs" / "joint-picture.yaml"


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack_with_places(PACK).pack


@pytest.fixture(scope="module")
def record(pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> tuple[Event, ...]:
    folder = tmp_path_factory.mktemp("play")
    rehearse(pack, folder=folder)
    return read_record(folder / "record")


def fields(record: tuple[Event, ...], source: str, stage: str) -> list[dict[str, Any]]:
    return [event.fields for event in record if event.source == source and event.stage == stage]


def test_a_joint_product_is_released_with_both_signatures_and_made_again_without_the_part_that_left(
    record: tuple[Event, ...],
) -> None:
    first, second = fields(record, "mys-mar", "joint_asked")
    assert [["idn-mar", "sgp-mar"], ["sgp-mar"]] == [first["cosigners"], second["cosigners"]]
    # The banner is computed anew: what made the first one urgent has left with its originator.
    assert ["PRIORITY", "ROUTINE"] == [first["banner"]["precedence"], second["banner"]["precedence"]]
    assert ["signed", "signed", "withdrawn", "signed"] == [
        item["answer"] for item in fields(record, "mys-mar", "cosign_received")
    ]
    (again,) = fields(record, "mys-mar", "joint_reissued")
    assert (second["hid"], first["hid"], ["idn-mar"]) == (again["hid"], again["of"], again["without"])

    shown = [item for item in fields(record, "tha-mar", "verified") if item["kind"] == "report"]
    assert [first["hid"], second["hid"]] == [item["hid"] for item in shown]
    assert [["idn-mar", "sgp-mar"], ["sgp-mar"]] == [item["cosigned"] for item in shown]
    assert [[], []] == [item["unsigned"] for item in shown]
    assert [3, 2] == [len(item["portions"]) for item in shown]
    assert [first["hid"]] == [item["hid"] for item in fields(record, "tha-mar", "recalled")]


def test_the_same_seed_gives_the_same_record(pack: Pack, record: tuple[Event, ...], tmp_path: Path) -> None:
    rehearse(pack, folder=tmp_path)
    assert [event.as_line() for event in record] == [event.as_line() for event in read_record(tmp_path / "record")]


def test_over_real_mqtt_it_comes_to_the_same_decisions_at_the_same_times(
    pack: Pack, record: tuple[Event, ...], tmp_path: Path
) -> None:
    async def play() -> None:
        async with prepared(pack, folder=tmp_path, entropy=SystemEntropy()) as (exercise, region):
            await exercise.play(region)

    asyncio.run(play())
    real = read_record(tmp_path / "record")
    assert comparable(record) == comparable(real)
    assert judged(pack, record) == judged(pack, real)


def test_the_report_tells_who_signed_and_who_left(pack: Pack, record: tuple[Event, ...], tmp_path: Path) -> None:
    community = Community.compile(enrol(pack, entropy=SystemEntropy()).bundle)
    evaluation = evaluate(pack, record, community)
    first, second = evaluation.joint
    assert ("mys-mar", ("idn-mar", "sgp-mar"), 2) == (first.lead, first.originators, first.needed)
    assert [("signed", ""), ("signed", ""), ("withdrawn", "The boats were fishing")] == [
        (answer.answer, answer.reason) for answer in first.answers
    ]
    assert first.released_ms is not None
    assert first.asked_ms < first.released_ms < (first.replaced_ms or 0) <= second.asked_ms
    assert (first.hid, None, ()) == (second.replaces, second.replaced_ms, second.unsigned)
    assert () == evaluation.reconciliation.unexplained

    page = write_aar(pack, record, evaluation, tmp_path).html.read_text(encoding="utf-8")
    assert "2 of 2" in page
    assert "The boats were fishing" in page


def test_a_contribution_that_its_author_recalls_is_taken_out_and_nobody_is_lost_as_a_signer(tmp_path: Path) -> None:
    """Whoever recalls what it contributed still stands by the rest, and signs the product without its part."""
    text = PACK.read_text(encoding="utf-8")
    text = text.replace("do: withdraw, withdraws: S1,", "do: recall, recalls: C1,")
    text = text.replace("do: cosign, why", "do: cosign, once: no, why")
    (tmp_path / "pack.yaml").write_text(text, encoding="utf-8")
    rehearse(load_pack_with_places(tmp_path / "pack.yaml").pack, folder=tmp_path / "play")
    record = read_record(tmp_path / "play" / "record")

    first, second = fields(record, "mys-mar", "joint_asked")
    assert (["idn-mar", "sgp-mar"], ["sgp-mar"]) == (second["cosigners"], second["originators"])
    shown = [item for item in fields(record, "tha-mar", "verified") if item["kind"] == "report"]
    assert [(first["hid"], 3), (second["hid"], 2)] == [(item["hid"], len(item["portions"])) for item in shown]
    assert 1 == len([item for item in fields(record, "mys-mar", "released") if item["kind"] == "recall"])
