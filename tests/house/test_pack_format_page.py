"""The page on the pack format, held against the loader: no field or word is missing, and none is made up."""

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

from policy.amendment import STEPS
from policy.caveats import CAVEATS_WITH_OPERAND, PLAIN_CAVEATS
from scenarios import conditions, msel_table, pack_conduct, pack_red
from scenarios.fields import Fields
from scenarios.model import ActWord, InjectMode, InjectType, MeasureKind, RedKind, Seat, TriggerWord
from scenarios.parts import PART_NAMES
from scenarios.values import _BITS, _METRES, _UNITS_MS
from schemas.bundle import AgencyKind, PredicateName
from schemas.label import EXERCISE_LEVELS, PRECEDENCE_ORDER, TLP_ORDER
from schemas.report import Quality

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "pack-format.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([^`\n]+)`", PAGE))
READERS = sorted(name for name in vars(Fields) if not name.startswith("_") and name != "close")
LOADER = [
    *sorted((ROOT / "scenarios").glob("pack*.py")), ROOT / "scenarios/content.py", ROOT / "scenarios/conditions.py",
]  # fmt: skip
WORDS = {
    "part": PART_NAMES,
    "trigger": get_args(TriggerWord),
    "join": conditions._JOINERS,
    "act": get_args(ActWord),
    "act of red": get_args(RedKind),
    "measure": get_args(MeasureKind),
    "type of inject": get_args(InjectType),
    "mode of inject": get_args(InjectMode),
    "seat": get_args(Seat),
    "kind of agency": get_args(AgencyKind),
    "test of a rule": get_args(PredicateName),
    "quality": get_args(Quality),
    "TLP": TLP_ORDER,
    "precedence": PRECEDENCE_ORDER,
    "level": EXERCISE_LEVELS,
    "caveat": (*PLAIN_CAVEATS, *(f"{word}:…" for word in CAVEATS_WITH_OPERAND)),
    "outcome": pack_conduct._OUTCOMES,
    "step of a change": STEPS,
    "unit": (*_UNITS_MS, *_BITS, *_METRES),
    "word for an audience or an end": (pack_conduct.NEED_TO_KNOW, pack_conduct.NOTHING, "by branch"),
    "noticer": pack_red.OTHER_NOTICERS,
}


def fields_read() -> set[str]:
    """Every name that the loader asks a mapping for: ``fields.text("title")``, ``_read_subjects(fields, "rel", …)``."""
    found = {"P", "S", "M", "then", "else", "id", *STEPS}  # read in a loop, or as the key of an entry
    for path in LOADER:
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            places = call.args
            reads = isinstance(call.func, ast.Attribute) and call.func.attr in READERS
            handed = len(places) > 1 and isinstance(places[0], ast.Name) and places[0].id == "fields"
            name = places[0] if reads and places else places[1] if handed else None
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                found.add(name.value)
    return found | {name for names in conditions._FIELDS.values() for name in names}


@pytest.mark.parametrize("kind", WORDS)
def test_every_word_of_the_loader_stands_in_the_page(kind: str) -> None:
    missing = [word for word in WORDS[kind] if word not in NAMED and not re.search(rf"`{re.escape(word)}: ", PAGE)]

    assert [] == missing


def test_every_field_of_the_loader_stands_in_the_page() -> None:
    fields = fields_read()

    assert {"permit", "rel", "members", "outage", "machine_generated", "critical_tasks"} <= fields
    assert [] == sorted(fields - NAMED)


def test_every_field_of_a_table_is_one_that_the_loader_reads() -> None:
    """A planner who follows the page must not meet 'has no field'."""
    known = fields_read() | set(get_args(PredicateName))
    tables = re.findall(r"^\| (?:field[^|]*|test) \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    shown = {
        name for table in tables for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])
    }

    assert len(tables) > 15
    assert [] == sorted(shown - known)


def test_every_column_name_of_the_spreadsheet_stands_in_the_page() -> None:
    missing = [
        key for key, synonyms in msel_table._SYNONYMS.items() if f"| `{key}` | {', '.join(synonyms)} |" not in PAGE
    ]

    assert [] == missing


def test_every_finding_of_lint_stands_in_the_page() -> None:
    lint = "".join((ROOT / "scenarios" / name).read_text() for name in ("lint_story.py", "lint_play.py"))
    found = set(re.findall(r'finding\(\s*"(error|warning|advice)",\s*"([a-z-]+)"', lint))

    assert ("warning", "rule-gap") in found
    assert [] == sorted(code for level, code in found if f"| {level} | `{code}` |" not in PAGE)
