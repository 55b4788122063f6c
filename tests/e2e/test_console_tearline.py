"""``sandiwara tearline`` on a report file, for people, machines and scripts."""

import json
from pathlib import Path

import pytest

from console.exits import Exit
from tests.samples.command_line import at_once

REPORT = """\
title: Second boarding
topic: toc.piracy
affected: [IDN, MYS, SGP]
portions:
  - {title: An intercept, tlp: RED, level: EX-SECRET, caveats: [NATONLY],
     text: 'PELANGI told the mother boat that four men will board in the eastbound lane.'}
  - {title: A warning, tlp: CLEAR, level: EX-UNCLAS,
     text: 'Expect a second boarding in the eastbound lane, by 4 men. Pelangi may call.'}
"""
LINT = ("--as", "mys-di", "--pack", "strait-lantern")


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.yaml"
    path.write_text(REPORT, encoding="utf-8")
    return path


def test_what_shows_below_the_line_is_said_with_who_would_read_it(report: Path) -> None:
    said = at_once("tearline", report, *LINT)

    assert Exit.NO == said.returncode, said.stderr
    assert "portion 2 below 1" in said.stdout
    assert "in-ship" in said.stdout
    assert "name 'Pelangi'" in said.stdout
    assert "banner of the whole: TLP:RED  EX-SECRET" in said.stdout
    assert "the caveat NATONLY: portion 1" in said.stdout


def test_what_is_meant_is_allowed_and_words_alone_end_with_1_only_if_strict(report: Path) -> None:
    report.write_text(REPORT.replace(" Pelangi may call.", " A boat waits."), encoding="utf-8")
    allow = ("--allow", "second boarding in the eastbound lane,four men,4 men")
    lax = at_once("tearline", report, *LINT, *allow, "--json")
    strict = at_once("tearline", report, *LINT, *allow, "--strict")

    assert (Exit.OK, Exit.NO) == (lax.returncode, strict.returncode), lax.stdout
    (below,) = json.loads(lax.stdout)["tear_lines"]
    assert [("word", "boat")] == [(slip["kind"], slip["below"]) for slip in below["slips"]]


def test_portions_for_the_same_readers_have_no_tear_line(report: Path) -> None:
    report.write_text(REPORT.replace("RED", "CLEAR").replace("EX-SECRET, caveats: [NATONLY]", "EX-UNCLAS"))
    said = at_once("tearline", report, *LINT)

    assert Exit.OK == said.returncode, said.stderr
    assert "there is no tear-line" in said.stdout


@pytest.mark.parametrize(
    ("text", "words", "refusal"),
    [
        (REPORT, ("--as", "mys-dy", "--pack", "strait-lantern"), (Exit.USAGE, "mys-di")),
        (REPORT.replace("CLEAR", "WHITE"), LINT, (Exit.INPUT, "report.yaml")),
        ("", LINT, (Exit.INPUT, "empty")),
    ],
)
def test_what_cannot_be_linted_says_why(
    text: str, words: tuple[str, ...], refusal: tuple[Exit, str], report: Path
) -> None:
    report.write_text(text, encoding="utf-8")
    said = at_once("tearline", report, *words)

    assert refusal[0] == said.returncode, said.stdout
    assert refusal[1] in said.stderr
