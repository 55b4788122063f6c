"""Spread curves: for each needed fact, the share of its needers that had it, over exercise time."""

from typing import Final

from markupsafe import Markup

from scenarios.evaluate.evaluation import Evaluation
from scenarios.evaluate.flows import Spread
from scenarios.evaluate.wording import Names, clock_text
from scenarios.report.palette import ALARM, CALM, FAINT, INK, MUTED
from scenarios.report.svg import Picture, wrap

_WIDTH: Final = 310
_HEIGHT: Final = 190
_ACROSS: Final = 3
_LEFT: Final = 36
_PLOT_WIDTH: Final = 250
_PLOT_TOP: Final = 48
_CLOCK_WIDTH: Final = 64
_PLOT_HEIGHT: Final = 100


def draw_spread(evaluation: Evaluation, names: Names) -> Markup:
    """Draw one small curve per fact, all on the same time axis."""
    rows = -(-max(1, len(evaluation.spreads)) // _ACROSS)
    picture = Picture(
        "spread",
        width=_WIDTH * _ACROSS,
        height=_HEIGHT * rows + 22,
        title="How each fact spread among those that needed it",
        description=" ".join(_in_words(spread) for spread in evaluation.spreads) or "No needed fact entered play.",
    )
    end_ms = max(evaluation.end_ms, 60_000)
    for place, spread in enumerate(evaluation.spreads):
        _draw_curve(picture, spread, place % _ACROSS * _WIDTH, place // _ACROSS * _HEIGHT, end_ms=end_ms, names=names)
    y = _HEIGHT * rows + 12
    picture.line(_LEFT, y - 4, _LEFT + 22, y - 4, stroke=CALM, width=2.4)
    picture.text(_LEFT + 28, y, "share informed", size=11, fill=MUTED)
    picture.line(_LEFT + 130, y - 12, _LEFT + 130, y + 2, stroke=ALARM, width=1.6, dash="4 3")
    picture.text(_LEFT + 136, y, "due", size=11, fill=MUTED)
    picture.line(_LEFT + 184, y - 10, _LEFT + 184, y + 2, stroke=INK, width=2)
    picture.text(_LEFT + 190, y, "play ended with needers still uninformed (not observed further)", size=11, fill=MUTED)
    return picture.markup()


def _draw_curve(picture: Picture, spread: Spread, left: float, top: float, *, end_ms: int, names: Names) -> None:
    def x(at_ms: int) -> float:
        return left + _LEFT + _PLOT_WIDTH * min(at_ms, end_ms) / end_ms

    def y(informed: int) -> float:
        return top + _PLOT_TOP + _PLOT_HEIGHT * (1 - informed / spread.needers)

    picture.text(left, top + 16, spread.fact, size=13, bold=True)
    text = names.facts.get(spread.fact, "")
    picture.text(left + 30, top + 16, wrap(text, chars_max=42, lines_max=1)[0], size=11.5, fill=MUTED)
    informed = len(spread.informed_ms)
    picture.text(left + 30, top + 32, f"{informed} of {spread.needers} informed", size=11.5)
    for share, label in ((0, "0"), (spread.needers, "100%")):
        picture.line(left + _LEFT, y(share), left + _LEFT + _PLOT_WIDTH, y(share), stroke=FAINT)
        picture.text(left + _LEFT - 5, y(share) + 4, label, size=10.5, fill=MUTED, anchor="end")
    points = [(x(spread.first_ms), y(0))]
    for count, at_ms in enumerate(spread.informed_ms, start=1):
        points += [(x(at_ms), y(count - 1)), (x(at_ms), y(count))]
    points.append((x(spread.end_ms), y(informed)))
    if spread.due_ms <= end_ms:
        picture.line(
            x(spread.due_ms), y(spread.needers) - 6, x(spread.due_ms), y(0), stroke=ALARM, width=1.6, dash="4 3"
        )
    picture.path(points, stroke=CALM, width=2.4)
    if informed < spread.needers:
        picture.line(x(spread.end_ms), y(informed) - 7, x(spread.end_ms), y(informed) + 7, stroke=INK, width=2)
    picture.text(x(spread.first_ms), y(0) + 15, clock_text(spread.first_ms), size=10.5, fill=MUTED, anchor="middle")
    if x(spread.end_ms) - x(spread.first_ms) > _CLOCK_WIDTH:  # nearer, the two times would cover each other
        picture.text(x(spread.end_ms), y(0) + 15, clock_text(spread.end_ms), size=10.5, fill=MUTED, anchor="end")


def _in_words(spread: Spread) -> str:
    times = ", ".join(clock_text(at_ms) for at_ms in spread.informed_ms)
    informed = len(spread.informed_ms)
    due = clock_text(spread.due_ms)
    return f"{spread.fact}: {informed} of {spread.needers} informed{f' at {times}' if times else ''}; due {due}."
