"""The MSEL as a spreadsheet: ``msel.csv``, its headers matched by the words of the field, in any order.

HSEEP, the SEI's white papers and MITRE's templates name the same columns differently; a planner's own sheet goes on as
it is. Columns nobody here knows are kept with the inject, for controllers to see.
"""

import csv
import io
from collections.abc import Iterator
from typing import Final

from scenarios.parts import Parts
from scenarios.problems import Mark, PackTextError
from scenarios.text_yaml import ListNode, MapNode, Node, TextNode, decode_text

TABLE_FILE: Final = "msel.csv"
ROWS_MAX: Final = 5_000  # the largest published MSELs have some 2,000 injects
COLUMNS_MAX: Final = 64
# Our key, and what the shipped templates of the field call it; compared without case, spaces and punctuation.
_SYNONYMS: Final[dict[str, tuple[str, ...]]] = {
    "id": ("id", "event number", "control number", "inject number", "inject id", "number", "no", "msel number"),
    "time": ("time", "exercise time", "delivery time", "designated scenario time", "scenario time", "local time"),
    "type": ("type", "event type", "inject type"),
    "mode": ("mode", "inject mode", "delivery method", "method"),
    "from": ("from", "from org", "from organization", "sender"),
    "to": ("to", "to org", "to organization", "target", "recipient", "recipients"),
    "title": ("title", "subject", "event"),
    "message": ("message", "description", "details", "event description", "inject"),
    "expected": ("expected", "expected action", "expected actions", "expected participant response"),
    "objective": ("objective", "exercise objective"),
    "controller": ("controller", "assigned to", "responsible controller"),
    "notes": ("notes", "note", "assumptions", "remarks"),
    "carries": ("carries", "facts", "eei"),
    "label": ("label", "handling"),
}  # fmt: skip
_LISTS: Final = ("to", "carries")


def take_msel_table(parts: Parts) -> None:
    """Add the rows of ``msel.csv`` to the part ``msel``; a workbook is refused with what to do instead."""
    for relative in parts.files.contents:
        if relative.endswith((".xlsx", ".xls", ".ods")) and relative.startswith("msel"):
            parts.problems.add(
                Mark(relative, 1, 1),
                "workbook",
                "workbooks are not read",
                f"save the sheet as {TABLE_FILE} (CSV, UTF-8)",
            )
    raw = parts.files.contents.get(TABLE_FILE)
    if raw is None:
        return
    try:
        parts.add("msel", ListNode(tuple(_rows(decode_text(raw, TABLE_FILE), parts)), Mark(TABLE_FILE, 1, 1)))
    except PackTextError as error:
        parts.problems.take(error)


def _rows(text: str, parts: Parts) -> Iterator[Node]:
    """Yield one mapping a row, as if it had been written in YAML."""
    delimiter = ";" if text.partition("\n")[0].count(";") > text.partition("\n")[0].count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows = 0
    try:
        header = next(reader, [])
        columns = _columns(header, parts)
        while True:
            mark = Mark(TABLE_FILE, reader.line_num + 1, 1)
            row = next(reader, None)
            if row is None:
                return
            rows += 1
            if rows > ROWS_MAX:
                raise PackTextError(mark, f"the table has more than {ROWS_MAX:,} rows", "split the exercise")
            if len(row) > len(header):
                parts.problems.add(
                    mark,
                    "row",
                    f"the row has {len(row)} cells, the header {len(header)}",
                    "put a text with commas between quotation marks",
                )
            elif any(cell.strip() for cell in row):
                yield _row(row, header, columns, mark)
    except csv.Error as error:
        msg = f"this is not CSV: {error}"
        raise PackTextError(Mark(TABLE_FILE, reader.line_num, 1), msg, "save the sheet as CSV (UTF-8) again") from error


def _columns(header: list[str], parts: Parts) -> list[str | None]:
    """Match each header cell to our key; None for a column that only controllers read."""
    names = {_plain(synonym): key for key, synonyms in _SYNONYMS.items() for synonym in synonyms}
    columns: list[str | None] = []
    if len(header) > COLUMNS_MAX:
        raise PackTextError(
            Mark(TABLE_FILE, 1, 1), f"more than {COLUMNS_MAX} columns", "remove those the exercise does not need"
        )
    for cell in header:
        key = names.get(_plain(cell))
        # The first column of a meaning counts; a second one ("Simulated Time") is kept for controllers.
        columns.append(None if key in columns else key)
    for key in ("id", "time", "to", "title"):
        if key not in columns:
            parts.problems.add(
                Mark(TABLE_FILE, 1, 1),
                "no-column",
                f"no column gives the {key} of an inject",
                f"name one '{_SYNONYMS[key][1].title()}'",
            )
    return columns


def _plain(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def _row(row: list[str], header: list[str], columns: list[str | None], mark: Mark) -> MapNode:
    entries: list[tuple[TextNode, Node]] = []
    remarks: list[str] = []
    for number, (cell, key) in enumerate(zip(row, columns, strict=False)):
        at = Mark(TABLE_FILE, mark.line, number + 1)
        value = cell.strip()
        if not value:
            continue
        if key is None or key == "notes":
            remarks.append(value if key == "notes" else f"{header[number].strip()}: {value}")
        elif key in _LISTS:
            items = tuple(
                TextNode(item.strip(), at)
                for item in value.replace(";", ",").replace("\n", ",").split(",")
                if item.strip()
            )
            entries.append((TextNode(key, at), ListNode(items, at)))
        else:
            entries.append((TextNode(key, at), TextNode(value.lower() if key in {"type", "mode"} else value, at)))
    if remarks:
        entries.append((TextNode("notes", mark), TextNode("\n".join(remarks), mark)))
    return MapNode(tuple(entries), mark)
