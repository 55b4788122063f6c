"""Foreign values as text that a person can read: nothing invented, nothing that could play with a terminal."""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from schemas.limits import UINT_MS_MAX

# Control characters but tab and line feed, and the marks that reorder text ("Trojan Source", CVE-2021-42574).
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
_NOT_OF_A_WORD: Final = re.compile(r"[^A-Za-z0-9_+.:@-]+")
_RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def printable(text: str) -> str:
    """Write out what would steer a terminal or reorder the text, and keep everything else."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text.replace("\r\n", "\n"))


def one_line(text: str, *, chars_max: int) -> str:
    """Return the text on one line, cut with an ellipsis where it is longer than ``chars_max``."""
    line = " ".join(printable(text).split())
    return line if len(line) <= chars_max else line[: chars_max - 1].rstrip() + "…"


def as_word(text: str) -> str:
    """Bring a foreign kind into the grammar of a word; empty if nothing of it is left."""
    return _NOT_OF_A_WORD.sub("-", text).strip("-_+.:@")[:64]


def heading(name: str) -> str:
    """Make a property name readable: ``valid_from`` is "Valid from"."""
    words = one_line(name.replace("_", " "), chars_max=120)
    return words[:1].upper() + words[1:]


def millis(timestamp: Any) -> int | None:
    """Read an RFC 3339 time as Unix ms; None if it is none, or lies before 1970."""
    if not isinstance(timestamp, str) or _RFC_3339.fullmatch(timestamp) is None:
        return None
    try:
        moment = datetime.fromisoformat(timestamp.upper())
        elapsed_ms = math.floor((moment - _EPOCH).total_seconds() * 1_000 + 1e-6)
    except (ValueError, OverflowError):
        return None
    return elapsed_ms if 0 <= elapsed_ms <= UINT_MS_MAX else None


def scalar(value: Any) -> str:
    """Return a JSON scalar as text."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case str():
            return printable(value)
        case _:
            return str(value)


def lines(members: Mapping[str, Any], *, indent: str = "") -> Iterator[str]:
    """Yield the members of an object as "Name: value" lines, nested ones indented."""
    for name, value in members.items():
        yield from _member(heading(name), value, indent)


def _member(name: str, value: Any, indent: str) -> Iterator[str]:
    match value:
        case dict():
            yield f"{indent}{name}:"
            yield from lines(value, indent=indent + "  ")
        case list() if all(not isinstance(item, (dict, list)) for item in value):
            yield f"{indent}{name}: {', '.join(scalar(item) for item in value)}"
        case list():
            yield f"{indent}{name}:"
            for item in value:
                if isinstance(item, dict):
                    inner = "; ".join(line.strip() for line in lines(item))
                    yield f"{indent}  - {inner}"
                else:
                    yield from _member("-", item, indent + "  ")
        case _:
            yield f"{indent}{name}: {scalar(value)}"
