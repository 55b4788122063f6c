"""The table of the handling rules, held to what it names: requirements, files, and tests that bear the rule's id."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "reference" / "handling-rules.md"
RULES: Final = tuple(f"H{number}" for number in range(1, 19))


class Row(NamedTuple):
    """What the table says of a rule."""

    requirements: tuple[str, ...]
    passing: tuple[str, ...]
    refusing: tuple[str, ...]
    files: tuple[str, ...]


@cache
def rows() -> dict[str, Row]:
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        rule = re.match(r"\*\*(H\d+)\*\* \S", cells[0])
        if rule is not None:
            requirements, *named = cells[1:]
            passing, refusing, files = (tuple(re.findall(r"`([^`]+)`", cell)) for cell in named)
            found[rule[1]] = Row(tuple(re.findall(r"[A-Z]+-\d+", requirements)), passing, refusing, files)
    return found


@cache
def named_tests() -> frozenset[str]:
    pattern = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)
    return frozenset(
        name for path in (ROOT / "tests").rglob("test_*.py") for name in pattern.findall(path.read_text("utf-8"))
    )


@cache
def requirements() -> frozenset[str]:
    registry = json.loads((ROOT / "docs" / "spec" / "requirements.json").read_text("utf-8"))
    return frozenset(item["id"] for item in registry["requirements"])


def test_the_table_has_every_rule_of_the_specification_once() -> None:
    page = (ROOT / "docs" / "spec" / "need-to-know.md").read_text(encoding="utf-8")
    specified = re.findall(r"^\| (H\d+) \|", page.split("## Handling rules")[1], re.MULTILINE)

    assert list(RULES) == specified
    assert list(RULES) == list(rows())


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_names_requirements_and_files_that_exist(rule: str) -> None:
    row = rows()[rule]

    assert row.requirements
    assert row.files
    assert [] == [name for name in row.requirements if name not in requirements()]
    assert [] == [name for name in row.files if not (ROOT / name).is_file()]


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_has_tests_of_both_kinds_that_exist_and_name_it(rule: str) -> None:
    row = rows()[rule]

    assert row.passing
    assert row.refusing
    assert [] == [name for name in (*row.passing, *row.refusing) if name not in named_tests()]
    assert [] == [name for name in (*row.passing, *row.refusing) if not name.startswith(f"test_{rule.lower()}_")]
    assert not {*row.passing} & {*row.refusing}
