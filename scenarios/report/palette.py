"""The colours of the pictures: few, told apart by lightness as well as by hue, and never without a letter or a word."""

from dataclasses import dataclass
from typing import Final

from scenarios.evaluate.cells import CellState
from scenarios.evaluate.delays import DelayPart

INK: Final = "#1b2733"
MUTED: Final = "#5a6673"
FAINT: Final = "#c9d0d7"
PAPER: Final = "#ffffff"
ALARM: Final = "#c81e3a"
CALM: Final = "#2c6e8f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """How a state or a part is drawn. ``hatched`` and ``dashed`` tell it apart where colour is lost."""

    fill: str
    text: str
    stroke: str
    stroke_width: float = 1
    hatched: bool = False
    dashed: bool = False


STATE_FILL: Final[dict[CellState, Fill]] = {
    "origin": Fill(fill=PAPER, text=INK, stroke=INK, stroke_width=1.6),
    "on time": Fill(fill="#2f7d5b", text=PAPER, stroke="#2f7d5b"),
    "late": Fill(fill="#f3c553", text=INK, stroke="#b98a13"),
    "missed": Fill(fill="#7a1a12", text=PAPER, stroke="#7a1a12"),
    "not observed": Fill(fill=PAPER, text=MUTED, stroke=MUTED, dashed=True),
    "disclosure": Fill(fill=ALARM, text=PAPER, stroke="#000000", stroke_width=2.4, hatched=True),
    "surplus": Fill(fill="#cfd9e3", text=INK, stroke="#9fb0c0"),
    "clean": Fill(fill="#f4f6f7", text="#7c8894", stroke="#e3e7eb"),
}

STATE_TEXT: Final[dict[CellState, str]] = {
    "origin": "given by EXCON",
    "on time": "needed, on time",
    "late": "needed, late",
    "missed": "needed, missed",
    "not observed": "needed, not due by ENDEX",
    "disclosure": "must not have it, could read it",
    "surplus": "neither needed nor forbidden",
    "clean": "not known, not needed",
}

PART_FILL: Final[dict[DelayPart, Fill]] = {
    "hold": Fill(fill="#274b63", text=PAPER, stroke=PAPER),
    "rule": Fill(fill="#b34430", text=PAPER, stroke=PAPER, hatched=True),
    "link": Fill(fill="#a9b7c4", text=INK, stroke=PAPER),
    "desk": Fill(fill="#f3c553", text=INK, stroke=PAPER),
}

PART_TEXT: Final[dict[DelayPart, str]] = {
    "hold": "hold: a desk knew and did not release",
    "rule": "rule: denied until it was released anew",
    "link": "link: queue, transit, outage",
    "desk": "desk: delivered, not yet opened",
}
