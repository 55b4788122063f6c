"""What lint says of a pack: one finding a place, in the words of a planner."""

from dataclasses import dataclass
from typing import Final, Literal

from scenarios.flow import Flow
from scenarios.model import Pack
from scenarios.pack_files import PACK_FILE
from scenarios.parts import Places
from scenarios.problems import Mark

Level = Literal["error", "warning", "advice"]
LEVELS: Final[tuple[Level, ...]] = ("error", "warning", "advice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing lint has found.

    Attributes:
        level: An error keeps a pack from being played as meant; a warning may be meant; advice is only that.
        code: A stable word for it, such as ``rule-gap``.
        place: ``file:line`` inside the pack.
        text: What is so, and what to do about it.
    """

    level: Level
    code: str
    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.level}: {self.text} [{self.code}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A pack under examination: the pack, where its ids stand, and what it will bring about."""

    pack: Pack
    places: Places
    flow: Flow

    def finding(self, level: Level, code: str, part: str, name: str, text: str, *, line: int = 0) -> Finding:
        """Make a finding at an id of a part, ``line`` lines below it; an id of no known place stands at the pack."""
        mark = self.places.get((part, name)) or self.places.get(("pack", "")) or Mark(PACK_FILE, 1, 1)
        return Finding(level=level, code=code, place=f"{mark.file}:{mark.line + line}", text=text)
