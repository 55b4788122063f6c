"""What is wrong with a pack: one problem a place, gathered so that a planner sees all of them at once.

The readers of a pack do not stop at the first slip: they note it, go on with a neutral value, and the loader raises
once at the end with the whole list.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from schemas.errors import InputError

FILE_BYTES_MAX: Final = 1024 * 1024  # one file of a pack; a MSEL of 1,000 rows takes about 400 KiB
PROBLEMS_SHOWN_MAX: Final = 20  # more than a screenful helps nobody
_PROBLEMS_KEPT_MAX: Final = 200  # a hostile file may hold a slip a byte, and each costs a search for near words
_WORDS_COMPARED_MAX: Final = 2_000  # about 10 ms


class Mark(NamedTuple):
    """A place in a file of the pack; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, where, and what to do about it."""

    mark: Mark
    code: str
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.mark}: {self.text}" + (f" ({self.remedy})" if self.remedy else "")


class PackTextError(InputError):
    """A text of a pack that cannot be read any further; inside the loader it becomes one problem of the list."""

    def __init__(self, mark: Mark, message: str, remedy: str = "", *, code: str = "unreadable") -> None:
        super().__init__(f"{mark}: {message}", remedy=remedy)
        self.problem = Problem(mark, code, message, remedy)


class PackError(InputError):
    """A pack that cannot be loaded. ``problems`` holds everything found, in the order of files and lines."""

    def __init__(self, name: str, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems), key=lambda problem: (problem.mark, problem.text)))
        count = len(self.problems)
        shown = [f"  {problem}" for problem in self.problems[:PROBLEMS_SHOWN_MAX]]
        if count > PROBLEMS_SHOWN_MAX:
            shown.append(f"  … and {count - PROBLEMS_SHOWN_MAX} more")
        noun = "problem" if count == 1 else "problems"
        super().__init__(
            "\n".join([f"the pack '{name}' cannot be loaded: {count} {noun}", *shown]),
            remedy="correct the places named and load the pack again",
        )


class Problems:
    """The list that readers add to; ``name`` is what the pack is called in the message."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.found: list[Problem] = []

    def add(self, mark: Mark, code: str, text: str, remedy: str = "") -> None:
        """Note one problem.

        Raises:
            PackError: At the bound; a file that is wrong from end to end is not read to its end.
        """
        self.found.append(Problem(mark, code, text, remedy))
        if len(self.found) >= _PROBLEMS_KEPT_MAX:
            raise PackError(self._name, self.found)

    def take(self, error: PackTextError) -> None:
        """Note what made a reader stop."""
        self.add(error.problem.mark, error.problem.code, error.problem.text, error.problem.remedy)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a remedy: the nearest known words, or all of them where they are few.

    Only the first 64 characters are compared, since the cost grows with the square of the length.
    """
    words = sorted(set(known))[:_WORDS_COMPARED_MAX]
    near = difflib.get_close_matches(word[:64], words, n=2, cutoff=0.6)
    if not near:
        folded = {text.casefold(): text for text in words}
        near = [folded[hit] for hit in difflib.get_close_matches(word[:64].casefold(), folded, n=2, cutoff=0.6)]
    if near:
        return "did you mean " + " or ".join(f"'{text}'" for text in near) + "?"
    if not words:
        return "the pack names none yet"
    if len(words) <= 14:  # noqa: PLR2004 - what fits on one line of a terminal
        return "known: " + ", ".join(words)
    return ""
