"""The exercise on one page: facts by agencies, minutes in the cell, the state by colour and by letter."""

from typing import Final

from markupsafe import Markup

from scenarios.evaluate.cells import STATE_LETTER, Cell, CellState
from scenarios.evaluate.evaluation import Evaluation
from scenarios.evaluate.wording import Names, clock_text, length_text
from scenarios.model import Pack
from scenarios.report.palette import MUTED, STATE_FILL, STATE_TEXT
from scenarios.report.svg import Picture, wrap

_FACT_WIDTH: Final = 300
_COLUMN: Final = 78
_ROW: Final = 50
_HEAD: Final = 44
_LEGEND_ROW: Final = 22
_LEGEND_WIDTH: Final = 235
_MINUTE_MS: Final = 60_000


def draw_matrix(pack: Pack, evaluation: Evaluation, names: Names) -> Markup:
    """Draw the who-knew-what matrix of the certain figures."""
    agencies = [participant.agency for participant in pack.participants]
    cells = {(cell.fact, cell.agency): cell for cell in evaluation.certain.cells}
    width = max(_FACT_WIDTH + _COLUMN * len(agencies) + 4, 760)
    across = max(1, int(width // _LEGEND_WIDTH))
    legend_rows = -(-len(STATE_LETTER) // across)
    height = _HEAD + _ROW * len(pack.facts) + 16 + _LEGEND_ROW * legend_rows
    picture = Picture(
        "matrix",
        width=width,
        height=height,
        title="Who knew what",
        description=_in_words(evaluation, names),
    )
    for column, agency in enumerate(agencies):
        centre = _FACT_WIDTH + _COLUMN * column + _COLUMN / 2
        lines = wrap(agency, chars_max=11, lines_max=2)
        for row, line in enumerate(lines):
            picture.text(centre, _HEAD - 10 - 14 * (len(lines) - 1 - row), line, anchor="middle", bold=True)
    for row, fact in enumerate(pack.facts):
        top = _HEAD + _ROW * row
        picture.line(0, top, width, top, stroke="#e3e7eb")
        picture.text(0, top + 20, fact.fact, size=14, bold=True)
        picture.lines(34, top + 20, wrap(fact.text, chars_max=42, lines_max=2), size=12, fill=MUTED)
        for column, agency in enumerate(agencies):
            _draw_cell(picture, cells[fact.fact, agency], _FACT_WIDTH + _COLUMN * column + 3, top + 4, names)
    top = _HEAD + _ROW * len(pack.facts) + 14
    for place, (state, letter) in enumerate(STATE_LETTER.items()):
        x, y = place % across * _LEGEND_WIDTH, top + place // across * _LEGEND_ROW
        picture.rect(x + 1, y, 18, 16, STATE_FILL[state])
        picture.text(x + 10, y + 12.5, letter, size=11, bold=True, anchor="middle", fill=STATE_FILL[state].text)
        picture.text(x + 26, y + 12.5, STATE_TEXT[state], size=12)
    return picture.markup()


def _draw_cell(picture: Picture, cell: Cell, x: float, y: float, names: Names) -> None:
    style = STATE_FILL[cell.state]
    picture.rect(x, y, _COLUMN - 6, _ROW - 8, style, hint=cell_in_words(cell, names))
    centre = x + (_COLUMN - 6) / 2
    below = cell_text(cell)
    if not below:
        picture.text(centre, y + 26, STATE_LETTER[cell.state], size=14, fill=style.text, anchor="middle")
        return
    picture.text(centre, y + 18, STATE_LETTER[cell.state], size=15, bold=True, fill=style.text, anchor="middle")
    picture.text(centre, y + 34, below, size=11.5, fill=style.text, anchor="middle")


def cell_text(cell: Cell) -> str:
    """Return what stands in a cell under its letter: minutes since T0, or when it would have been due."""
    if cell.state == "missed":
        return "never"
    if cell.state == "not observed":
        return "" if cell.due_ms is None else f"due {clock_text(cell.due_ms).removeprefix('T+')}"
    return "" if cell.after_ms is None else f"{cell.after_ms / _MINUTE_MS:.0f} min"


def cell_in_words(cell: Cell, names: Names) -> str:
    """Tell one cell in a sentence, for those who point at it or hear it read."""
    words = f"{cell.fact} at {names.agency(cell.agency)}: {STATE_TEXT[cell.state]}"
    if cell.known_ms is not None and cell.after_ms is not None:
        words += f"; known at {clock_text(cell.known_ms)}, {length_text(cell.after_ms)} after it first reached anybody"
    if cell.sender is not None:
        words += f"; from {names.agency(cell.sender)}"
    return words + (f"; due {clock_text(cell.due_ms)}" if cell.due_ms is not None else "")


def _in_words(evaluation: Evaluation, names: Names) -> str:
    told: dict[CellState, list[str]] = {}
    for cell in evaluation.certain.cells:
        told.setdefault(cell.state, []).append(f"{cell.fact} at {names.agency(cell.agency)}")
    order: tuple[CellState, ...] = ("disclosure", "missed", "late", "on time", "not observed", "surplus", "origin")
    return " ".join(f"{STATE_TEXT[state].capitalize()}: {', '.join(told[state])}." for state in order if state in told)
