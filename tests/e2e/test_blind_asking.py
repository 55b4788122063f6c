"""A body asks for another: the asked do not learn for whom, and nothing comes back that its originator keeps close."""

import json
from pathlib import Path
from typing import Final

import pytest

from policy.community import Community
from scenarios.enrolment import enrol
from scenarios.evaluate.evaluation import Evaluation, evaluate
from scenarios.lint import lint_path
from scenarios.pack import load_pack
from scenarios.record import Event, read_record
from scenarios.rehearsal import rehearse
from sealing.entropy import SystemEntropy

PACK: Final = Path(__file__).parents[1] / "packs" / "asked-for.yaml"
ASKER, BODY, ASKED = "mys-di", "rb-asec", ("idn-mar", "phl-mar")


def play(text: str, folder: Path) -> tuple[tuple[Event, ...], Evaluation]:
    folder.mkdir()
    path = folder / "asked-for.yaml"
    path.write_text(text)
    pack = load_pack(path)
    rehearse(pack, folder=folder / "play")
    events = read_record(folder / "play" / "record")
    return events, evaluate(pack, events, Community.compile(enrol(pack, entropy=SystemEntropy()).bundle))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("blind")


@pytest.fixture(scope="module")
def played(folder: Path) -> tuple[tuple[Event, ...], Evaluation]:
    return play(PACK.read_text(), folder / "first")


def of(events: tuple[Event, ...], stage: str, *sources: str) -> list[Event]:
    return [event for event in events if event.stage == stage and event.source in sources]


def test_the_pack_has_no_fault() -> None:
    assert {"no-contingency"} == {finding.code for finding in lint_path(PACK)}


def test_the_answer_comes_back_through_the_body_as_far_as_its_originator_lets_it(
    played: tuple[tuple[Event, ...], Evaluation],
) -> None:
    events, _ = played
    answers = [event.fields for event in of(events, "verified", ASKER) if event.fields["kind"] == "answer"]
    (denied,) = of(events, "onward_denied", BODY)

    assert [(BODY, "What is known of the tug")] == [
        (fields["originator"], portion["title"]) for fields in answers for portion in fields["portions"]
    ]
    assert ("S6", {ASKER: "NTK-TLP"}) == (denied.fields["order"], denied.fields["agencies"])


def test_whoever_is_asked_sees_the_same_whoever_wants_to_know(
    played: tuple[tuple[Event, ...], Evaluation], folder: Path
) -> None:
    """All that their own nodes put down, but for the ids of messages, which are random."""
    others, _ = play(PACK.read_text().replace(ASKER, "tha-di"), folder / "second")

    def seen(events: tuple[Event, ...]) -> list[tuple[str, str, int, str]]:
        own = [event for event in events if event.source in ASKED]
        named = ("originator", "partner", "subject", "outcome", "reader", "kind")
        return [
            (event.source, event.stage, event.at_ms, json.dumps([event.fields.get(name) for name in named]))
            for event in own
        ]

    first, second = seen(played[0]), seen(others)
    assert first == second
    assert not any(ASKER in event.as_line() for event in played[0] if event.source in ASKED)


def test_the_report_says_through_whom_it_was_asked(played: tuple[tuple[Event, ...], Evaluation]) -> None:
    _, evaluation = played
    asked = [(item.asker, item.partner, item.asked_for, item.asked_on) for item in evaluation.questions]

    assert [(ASKER, BODY, None, ASKED), *((BODY, name, ASKER, ()) for name in ASKED)] == asked
