"""The tutorials and how-tos, held to what they show: blocks are what is read, and packs play as the pages say."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from agencies.intake.intake import IntakeDefaults, read_bytes
from console.report_file import read_report
from policy.community import Community
from scenarios.catalogue import find_pack
from scenarios.engine import prepared
from scenarios.enrolment import enrol
from scenarios.evaluate.evaluation import Evaluation, evaluate
from scenarios.lint import lint_path
from scenarios.pack import load_pack
from scenarios.record import read_record
from scenarios.report.summary import verdict_sentences
from sealing.entropy import SystemEntropy

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial"
PACKS = sorted((TUTORIAL / "packs").glob("*.yaml"))
WRITE = (TUTORIAL / "write-a-pack.md").read_text(encoding="utf-8")
FIRST = (TUTORIAL / "first-exercise.md").read_text(encoding="utf-8")
HOW_TO = TUTORIAL.parent / "how-to"
SHARE = (HOW_TO / "share-a-file.md").read_text(encoding="utf-8")
SEVERAL = (HOW_TO / "several-machines.md").read_text(encoding="utf-8")
PAPER_LOCK = TUTORIAL / "packs" / "paper-lock.yaml"
SANITISED_VERSION = "\n  - id: S4\n"  # what step 8 adds


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def written_until(step: str, folder: Path) -> Path:
    """The pack as it stands before the step that begins with this text."""
    path = folder / "paper-lock.yaml"
    text, found, _ = PAPER_LOCK.read_text(encoding="utf-8").partition(step)
    assert found
    path.write_text(text, encoding="utf-8")
    return path


async def played(path: Path, folder: Path) -> Evaluation:
    pack = load_pack(path)
    texts: dict[tuple[str, int], str] = {}
    async with prepared(pack, folder=folder, entropy=SystemEntropy(), texts=texts) as (exercise, region):
        await exercise.play(region)
    community = Community.compile(enrol(pack, entropy=SystemEntropy()).bundle)
    return evaluate(pack, read_record(folder / "record"), community, texts=texts)


def changed_copy(folder: Path, change: Callable[[str], str]) -> Path:
    """A copy of the shipped exercise with its community changed, as the first tutorial changes it."""
    copy = folder / "my-lantern"
    for path in find_pack("strait-lantern").rglob("*"):
        if path.is_file():
            target = copy / path.relative_to(find_pack("strait-lantern"))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    community = copy / "community.yaml"
    before = community.read_text(encoding="utf-8")
    community.write_text(change(before), encoding="utf-8")
    assert before != community.read_text(encoding="utf-8")
    return copy


@pytest.mark.parametrize("path", PACKS, ids=lambda path: path.name)
def test_a_pack_of_the_tutorials_gives_no_finding(path: Path) -> None:
    assert () == lint_path(path)


def test_the_blocks_of_the_tutorial_are_the_pack() -> None:
    """Whoever types the blocks one after the other has the file that is played here."""
    typed = [line for block in blocks(WRITE, "yaml") for line in block.splitlines() if line]

    assert [line for line in PAPER_LOCK.read_text(encoding="utf-8").splitlines() if line] == typed


@pytest.mark.parametrize("step", ["\nparticipants:", "\nfacts:", "\nneeds:", "\nrules:", "\nmsel:", "\norders:"])
def test_each_step_gives_the_findings_that_the_tutorial_shows(step: str, tmp_path: Path) -> None:
    """Steps 2 to 5 give the one line that step 1 has shown and told the reader to wait for."""
    for finding in lint_path(written_until(step, tmp_path)):
        assert f"{finding.level}: {finding.text} [{finding.code}]" in WRITE


async def test_without_the_sanitised_version_a_rule_keeps_the_hospitals_out(tmp_path: Path) -> None:
    evaluation = await played(written_until(SANITISED_VERSION, tmp_path), tmp_path / "first")

    missed = [need for need in evaluation.certain.needs if need.cell.state == "missed"]
    assert [("N2", "in-hosp")] == [(need.need, need.agency) for need in missed]
    assert ["E02"] == [name for branch in evaluation.branches for name in branch.injects]
    assert all(sentence in WRITE for sentence in verdict_sentences(evaluation))


async def test_the_finished_pack_meets_every_need_and_discloses_nothing(tmp_path: Path) -> None:
    evaluation = await played(PAPER_LOCK, tmp_path / "second")

    assert (6, 6, 0) == (
        evaluation.certain.sharing.on_time,
        evaluation.certain.sharing.fell_due,
        evaluation.certain.sharing.disclosures,
    )
    assert [] == [name for branch in evaluation.branches for name in branch.injects]
    assert all(sentence in WRITE for sentence in verdict_sentences(evaluation))


async def test_a_careless_desk_names_the_victim_as_the_tutorial_warns(tmp_path: Path) -> None:
    path = tmp_path / "paper-lock.yaml"
    text = PAPER_LOCK.read_text(encoding="utf-8")
    path.write_text(text.replace("decide: 8m..15m}", "decide: 8m..15m, sanitising: 0%}"), encoding="utf-8")

    evaluation = await played(path, tmp_path / "careless")

    assert "F2" in {each.fact for each in evaluation.certain.disclosures}


def test_the_rule_gap_of_the_shipped_exercise_closes_as_the_first_tutorial_says(tmp_path: Path) -> None:
    """Both ways of closing it: the wide one, which the report then complains of, and the narrow one."""
    before, wide, above, narrow, careless = blocks(FIRST, "yaml")
    widened = changed_copy(tmp_path / "wide", lambda text: text.replace(before, wide))
    narrowed = changed_copy(tmp_path / "narrow", lambda text: text.replace(above, above + narrow))

    assert careless in (find_pack("strait-lantern") / "participants.yaml").read_text(encoding="utf-8")
    assert ["rule-gap"] == [finding.code for finding in lint_path(find_pack("strait-lantern"))]
    assert () == lint_path(widened)
    assert () == lint_path(narrowed)


def test_the_files_to_be_shared_become_the_portions_that_the_page_shows() -> None:
    bundle, event = blocks(SHARE, "json")
    defaults = IntakeDefaults(originator="mys-cert")

    read = [read_bytes(text.encode(), name="file.json", defaults=defaults) for text in (bundle, event)]

    assert [["AMBER+STRICT", "GREEN"], ["AMBER+STRICT", "AMBER"]] == [
        [portion.label.tlp for portion in each.report.portions] for each in read
    ]
    assert all(portion.content.title in SHARE for each in read for portion in each.report.portions)


def test_the_report_of_the_page_on_several_machines_can_be_sent() -> None:
    (text,) = blocks(SEVERAL, "yaml")
    pack = load_pack(PAPER_LOCK)
    community = Community.compile(enrol(pack, entropy=SystemEntropy()).bundle)

    report = read_report(text.encode(), "report.yaml", community=community, now_ms=pack.start_ms)

    assert ["GREEN", "RED"] == [portion.label.tlp for portion in report.portions]
