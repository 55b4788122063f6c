"""Where the time went: for every need that was late, missed or met on time, hold, rule, link and desk in one bar."""

from collections.abc import Callable
from typing import Final

from markupsafe import Markup

from scenarios.evaluate.cells import CellState
from scenarios.evaluate.delays import DELAY_PARTS, DelaySplit
from scenarios.evaluate.evaluation import Evaluation
from scenarios.evaluate.needs import NeedResult
from scenarios.evaluate.wording import Names, length_text
from scenarios.report.palette import ALARM, INK, MUTED, PART_FILL, PART_TEXT
from scenarios.report.svg import Picture, axis_step_ms

_LABEL: Final = 250
_PLOT: Final = 640
_ROW: Final = 30
_TOP: Final = 30
_BAR: Final = 20
_GRAVEST_FIRST: Final[tuple[CellState, ...]] = ("missed", "late", "on time")
_NOTE_WIDTH: Final = 62  # what "138 min" takes beside a bar
_LETTER_WIDTH: Final = 13  # a letter fits into a stretch at least this wide


def draw_delays(evaluation: Evaluation, names: Names) -> Markup:
    """Draw the delay split of each need; bars begin when the fact first reached anybody."""
    rows = [(need, need.split) for need in evaluation.certain.needs if need.split is not None]
    rows.sort(key=lambda row: _GRAVEST_FIRST.index(row[0].cell.state))
    height = _TOP + _ROW * len(rows) + 52
    picture = Picture(
        "delays",
        width=_LABEL + _PLOT + 110,
        height=height,
        title="Where the time went, need by need",
        description=" ".join(_in_words(need, split, names) for need, split in rows),
    )
    # A missed need has no end of its own, so it must not set the scale; its bar runs out of the picture.
    complete_ms = [split.total_ms for _, split in rows if split.complete]
    longest_ms = max([*complete_ms, *(round(1.3 * (need.allowed_ms or 0)) for need, _ in rows), 60_000])
    step_ms = axis_step_ms(longest_ms)

    def x(at_ms: int) -> float:
        return _LABEL + _PLOT * max(0, min(at_ms, longest_ms)) / longest_ms

    for at_ms in range(0, longest_ms + 1, step_ms):
        picture.line(x(at_ms), _TOP - 6, x(at_ms), _TOP + _ROW * len(rows), stroke="#e3e7eb")
        picture.text(x(at_ms), _TOP - 12, f"{at_ms // 60_000} min", size=11, fill=MUTED, anchor="middle")
    for row, (need, split) in enumerate(rows):
        y = _TOP + _ROW * row + (_ROW - _BAR) / 2
        picture.text(0, y + 14, f"{need.need} · {need.fact}", size=12, bold=True)
        picture.text(78, y + 14, need.agency, size=12)
        picture.text(_LABEL - 12, y + 14, need.cell.state, size=11.5, fill=MUTED, anchor="end")
        _draw_bar(picture, need, split, y, x)
    _draw_legend(picture, _TOP + _ROW * len(rows) + 18)
    return picture.markup()


def _draw_bar(picture: Picture, need: NeedResult, split: DelaySplit, y: float, place: Callable[[int], float]) -> None:
    first_ms = need.first_ms or 0
    for stretch in split.stretches:
        begin, end = place(stretch.begin_ms - first_ms), place(stretch.end_ms - first_ms)
        style = PART_FILL[stretch.part]
        hint = f"{stretch.part} {length_text(stretch.end_ms - stretch.begin_ms)}"
        hint += f" at {stretch.agency}" if stretch.agency else ""
        hint += f" by {stretch.rule}" if stretch.rule else ""
        picture.rect(begin, y, end - begin, _BAR, style, hint=hint, radius=0)
        if end - begin >= _LETTER_WIDTH:
            letter = stretch.part[0].upper()
            picture.text(
                begin + _LETTER_WIDTH / 2, y + 14.5, letter, size=11, bold=True, fill=style.text, anchor="middle"
            )
    end_x = place(split.total_ms)
    due_x = None if need.allowed_ms is None or need.allowed_ms < 0 else place(need.allowed_ms)
    if due_x is not None and split.complete and 0 <= due_x - end_x < _NOTE_WIDTH:
        end_x = due_x  # the note stands beyond the due mark where it would be crossed by it
    if split.complete:
        picture.text(end_x + 6, y + 14, length_text(split.total_ms), size=11.5, halo=True)
    else:
        picture.text(end_x + 6, y + 14, "▸ never", size=11.5, bold=True, fill=ALARM, halo=True)
    if due_x is not None:
        picture.line(due_x, y - 4, due_x, y + _BAR + 4, stroke="#ffffff", width=4)
        picture.line(due_x, y - 4, due_x, y + _BAR + 4, stroke=INK, width=2)


def _draw_legend(picture: Picture, y: float) -> None:
    for place, part in enumerate(DELAY_PARTS):
        left, top = place % 2 * 330, y + place // 2 * 18
        picture.rect(left, top - 11, 20, 14, PART_FILL[part], radius=0)
        picture.text(left + 10, top, part[0].upper(), size=10.5, bold=True, fill=PART_FILL[part].text, anchor="middle")
        picture.text(left + 28, top, PART_TEXT[part], size=12)
    picture.line(672, y - 12, 672, y + 4, stroke=INK, width=2)
    picture.text(680, y, "due", size=12)


def _in_words(need: NeedResult, split: DelaySplit, names: Names) -> str:
    parts = ", ".join(f"{part} {length_text(split.part_ms(part))}" for part in DELAY_PARTS if split.part_ms(part))
    whole = length_text(split.total_ms) if split.complete else f"never, {length_text(split.total_ms)} to ENDEX"
    return f"{need.need}, {need.fact} at {names.agency(need.agency)}: {need.cell.state}, {whole}: {parts or 'no time'}."
