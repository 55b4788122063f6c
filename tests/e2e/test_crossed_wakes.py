"""The pack of questions: a hit that keeps two friends apart, answers to the asker alone, and one who stays silent."""

import asyncio
from pathlib import Path

import pytest

from policy.community import Community
from scenarios.catalogue import find_pack
from scenarios.engine import prepared
from scenarios.enrolment import enrol
from scenarios.evaluate.evaluation import Evaluation, evaluate
from scenarios.lint import lint_path
from scenarios.model import Pack
from scenarios.pack import load_pack
from scenarios.record import Event, read_record
from scenarios.rehearsal import rehearse
from sealing.entropy import SystemEntropy
from tests.samples.two_plays import comparable

PATH = find_pack("crossed-wakes")


def played(path: Path, folder: Path) -> tuple[Pack, tuple[Event, ...], Evaluation]:
    pack = load_pack(path)
    rehearse(pack, folder=folder)
    events = read_record(folder / "record")
    community = Community.compile(enrol(pack, entropy=SystemEntropy()).bundle)
    return pack, events, evaluate(pack, events, community)


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pack, tuple[Event, ...], Evaluation]:
    return played(PATH, tmp_path_factory.mktemp("wakes"))


def outcomes(events: tuple[Event, ...], agency: str) -> list[tuple[str, str, str]]:
    return [
        (event.fields["exchange"], event.fields["partner"], event.fields["outcome"])
        for event in events
        if event.source == agency and event.stage == "answered"
    ]


def test_the_pack_has_no_problem() -> None:
    assert () == lint_path(PATH)


def test_a_hit_keeps_two_friends_apart(play: tuple[Pack, tuple[Event, ...], Evaluation]) -> None:
    _, events, evaluation = play
    found = outcomes(events, "mys-mar")

    assert {
        ("deconflict", "sgp-pol", "hit"),
        ("deconflict", "idn-mar", "no_hit"),
        ("task", "sgp-pol", "accepted"),
        ("task", "sgp-pol", "done"),
        ("rfi", "rb-ifc", "answered"),
        ("rfi", "idn-mar", "declined"),
    } == set(found)
    assert ["then"] == [branch.outcome for branch in evaluation.branches]


def test_nobody_learns_what_was_compared(play: tuple[Pack, tuple[Event, ...], Evaluation]) -> None:
    _, events, evaluation = play

    assert () == evaluation.certain.disclosures
    # Who was asked notes an answer, and not whether it was a hit: only the asker can tell.
    assert [("deconflict", "mys-mar", "answered")] == [
        item for item in outcomes(events, "sgp-pol") if item[0] == "deconflict"
    ]


def test_the_records_agree_on_every_message(play: tuple[Pack, tuple[Event, ...], Evaluation]) -> None:
    assert () == play[2].reconciliation.unexplained


def test_the_silent_one_is_told_of_on_both_sides(play: tuple[Pack, tuple[Event, ...], Evaluation]) -> None:
    _, events, _ = play
    told = [
        (event.source, event.stage, event.fields["partner"])
        for event in events
        if event.stage in {"unanswered", "answer_due"}
    ]

    assert [("in-ship", "answer_due", "mys-mar"), ("mys-mar", "unanswered", "in-ship")] == sorted(told)


def test_without_an_answer_the_two_meet(tmp_path: Path) -> None:
    copy = tmp_path / "wakes"
    for path in PATH.rglob("*"):
        if path.is_file():
            target = copy / path.relative_to(PATH)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    text = (copy / "pack.yaml").read_text(encoding="utf-8")
    before, _, rest = text.partition("  - id: S02\n")
    (copy / "pack.yaml").write_text(before + rest[rest.index("  - id: S03") :], encoding="utf-8")
    _, events, evaluation = played(copy, tmp_path / "play")

    assert ["otherwise"] == [branch.outcome for branch in evaluation.branches]
    assert ("deconflict", "sgp-pol", "hit") not in outcomes(events, "mys-mar")


def test_the_pack_is_decided_alike_over_real_links(
    play: tuple[Pack, tuple[Event, ...], Evaluation], tmp_path: Path
) -> None:
    pack, events, _ = play

    async def play_for_real() -> None:
        async with prepared(pack, folder=tmp_path, entropy=SystemEntropy()) as (exercise, region):
            await exercise.play(region)

    asyncio.run(play_for_real())

    assert comparable(events) == comparable(read_record(tmp_path / "record"))
