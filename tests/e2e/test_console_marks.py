"""``sandiwara marks``, and national marks in a report file."""

import json
from pathlib import Path

import pytest

from console.exits import Exit
from tests.samples.command_line import at_once

REPORT = """\
title: A report
tlp: CLEAR
topic: toc.piracy
affected: [MYS]
marks: [MYS TERHAD, MYS SULIT]
text: Four men.
"""


def test_the_table_of_a_community_lists_each_mark_with_its_level() -> None:
    said = at_once("marks", "region", "--state", "MYS", "--json")
    assert Exit.OK == said.returncode, said.stderr
    assert ["TERHAD", "SULIT", "RAHSIA", "RAHSIA BESAR"] == [item["mark"] for item in json.loads(said.stdout)["marks"]]


def test_a_mark_that_loses_meaning_on_the_way_ends_with_1() -> None:
    lossy = at_once("marks", "region", "--state", "MYS", "--mark", "SULIT", "--to", "IDN")
    exact = at_once("marks", "region", "--state", "MYS", "--mark", "SULIT", "--to", "SGP")

    assert (Exit.NO, Exit.OK) == (lossy.returncode, exact.returncode), lossy.stderr + exact.stderr
    assert "IDN has no mark for EX-CONFIDENTIAL" in lossy.stdout
    assert "SGP: CONFIDENTIAL by way of EX-CONFIDENTIAL" in exact.stdout


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("region", "--mark", "SULIT"), (Exit.USAGE, "--state")),
        (("region", "--state", "MYY"), (Exit.USAGE, "MYS")),
        (("region", "--state", "MYS", "--mark", "GEHEIM"), (Exit.INPUT, "known: TERHAD")),
        (("strait-lantern",), (Exit.INPUT, "maps no national marks")),
    ],
)
def test_what_cannot_be_answered_says_why(words: tuple[str, ...], refusal: tuple[Exit, str]) -> None:
    said = at_once("marks", *words)
    assert refusal[0] == said.returncode
    assert refusal[1] in said.stderr


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (("MYS SULIT", "MYS GEHEIM"), "is no national mark"),
        (("marks:", "level: EX-UNCLAS\nmarks:"), "below what the marks come to"),
    ],
)
def test_a_report_file_refuses_marks_that_it_cannot_map(change: tuple[str, str], refusal: str, tmp_path: Path) -> None:
    report = tmp_path / "report.yaml"
    report.write_text(REPORT.replace(*change), encoding="utf-8")
    said = at_once("tearline", report, "--as", "mys-di", "--pack", "region")

    assert Exit.INPUT == said.returncode
    assert refusal in said.stderr


def test_a_report_file_gets_the_level_that_its_marks_come_to(tmp_path: Path) -> None:
    report = tmp_path / "report.yaml"
    report.write_text(REPORT, encoding="utf-8")
    said = at_once("tearline", report, "--as", "mys-di", "--pack", "region", "--json")

    assert Exit.OK == said.returncode, said.stderr
    assert "EX-CONFIDENTIAL" == json.loads(said.stdout)["banner"]["level"]
