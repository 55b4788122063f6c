"""What people and machines are shown: one JSON document, or tables for whatever the terminal can do.

rich respects NO_COLOR, TERM=dumb, a pipe and the width by itself. Whatever comes from a file or from another agency is
made fit for a terminal first: it could hold the terminal's own commands, or turn the reading direction.
"""

import json
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console
from rich.text import Text

# Burmese, Khmer, Lao and Thai need these to break and join words; all other characters of format are not shown.
_JOINERS: Final = frozenset("\u200b\u200c\u200d")
_UNSHOWN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def printable(text: str, *, lines: bool = False) -> str:
    """Return a text without anything that a terminal would obey; line ends are kept if ``lines``."""
    return "".join(
        char
        if char in _JOINERS or (lines and char == "\n") or unicodedata.category(char) not in _UNSHOWN
        else " "
        if char in "\t\n\r"
        else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )


def plain(text: str, *, lines: bool = False, style: str = "") -> Text:
    """Return a text as rich shows it: never read as markup."""
    return Text(printable(text, lines=lines), style=style)


def console() -> Console:
    """Return where people read."""
    return Console(highlight=False, markup=False, emoji=False)


def write_json(document: Any) -> None:
    """Write the one JSON document of a command on stdout, in ASCII, whatever the terminal's encoding."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def write_json_line(document: Any) -> None:
    """Write one JSON object as one line, at once."""
    sys.stdout.write(json.dumps(document, separators=(",", ":")) + "\n")
    sys.stdout.flush()


class Progress:
    """Says on stderr what is being done, so that nobody waits in doubt: one moving line, or a line a step."""

    def __init__(self, errors: Console) -> None:
        self._errors = errors
        self._status = errors.status("") if errors.is_terminal and not errors.is_dumb_terminal else None

    @property
    def moves(self) -> bool:
        """Whether one line is written over and over, so that every small step may be told."""
        return self._status is not None

    def start(self) -> None:
        """Begin to show."""
        if self._status is not None:
            self._status.start()

    def stop(self) -> None:
        """Show no more."""
        if self._status is not None:
            self._status.stop()

    def step(self, text: str) -> None:
        """Say what is done now."""
        if self._status is not None:
            self._status.update(Text(printable(text)))
        else:
            self._errors.print(Text(printable(f"sandiwara: {text}")))


@contextmanager
def progress() -> Iterator[Progress]:
    """Show progress while the block runs."""
    shown = Progress(Console(stderr=True, highlight=False, markup=False, emoji=False))
    shown.start()
    try:
        yield shown
    finally:
        shown.stop()


def duration_text(milliseconds: int) -> str:
    """Return a duration as planners write it: ``6h``, ``1h30m``, ``45s``."""
    seconds, _ = divmod(milliseconds, 1_000)
    parts = ((seconds // 86_400, "d"), (seconds // 3_600 % 24, "h"), (seconds // 60 % 60, "m"), (seconds % 60, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"
