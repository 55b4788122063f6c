"""Planned against actual injects on one time axis, with what happened and the links' outages below."""

from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from scenarios.evaluate.evaluation import Evaluation
from scenarios.evaluate.play import InjectPlayed
from scenarios.evaluate.wording import Names, clock_text, length_text
from scenarios.model import Pack
from scenarios.report.palette import ALARM, CALM, FAINT, INK, MUTED, PAPER, Fill
from scenarios.report.svg import Picture, axis_step_ms, wrap

_LABEL: Final = 250
_PLOT: Final = 720
_ROW: Final = 24
_TOP: Final = 34
_RIBBON: Final = 20
_LEVEL: Final = 18  # a turning point and its gap
_NOTICEABLE_MS: Final = 60_000  # a drift below this is not worth a line
_UP: Final = Fill(fill="#eaf0f4", text=INK, stroke="#eaf0f4")
_DOWN: Final = Fill(fill="#6b2737", text=PAPER, stroke="#6b2737", hatched=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """A turning point: what a reader of the time line should look for around it."""

    at_ms: int
    letter: str
    hint: str
    alarming: bool


def draw_timeline(pack: Pack, evaluation: Evaluation, names: Names) -> Markup:
    """Draw the MSEL as planned and as played, the turning points, and the outages."""
    scale = _Scale(pack, evaluation)
    down = {outage.agency for outage in evaluation.outages}
    agencies = [participant.agency for participant in pack.participants if participant.agency in down]
    turns = _stack(_turning_points(evaluation, names), scale)
    levels = 1 + max((level for level, _ in turns), default=-1)
    turns_top = _TOP + _ROW * len(evaluation.injects) + 22
    ribbon_top = turns_top + (_LEVEL * levels + 14 if turns else 0)
    height = ribbon_top + (_RIBBON * len(agencies) + 24 if agencies else 0) + 30
    picture = Picture(
        "timeline",
        width=_LABEL + _PLOT + 40,
        height=height,
        title="Injects planned and actual, and link outages",
        description=_in_words(evaluation, names),
    )
    for at_ms in range(0, scale.end_ms + 1, axis_step_ms(scale.end_ms)):
        picture.line(scale.x(at_ms), _TOP - 8, scale.x(at_ms), height - 26, stroke="#e3e7eb")
        picture.text(scale.x(at_ms), _TOP - 14, clock_text(at_ms), size=11, fill=MUTED, anchor="middle")
    picture.line(scale.x(evaluation.end_ms), _TOP - 8, scale.x(evaluation.end_ms), height - 26, stroke=INK, width=1.6)
    for row, inject in enumerate(sorted(evaluation.injects, key=_order_of_play)):
        _draw_inject(picture, inject, _TOP + _ROW * row + 12, scale)
    if turns:
        picture.text(0, turns_top + 10, "Turning points", size=12, bold=True)
    for level, turn in turns:
        x, y = scale.x(turn.at_ms), turns_top + 6 + _LEVEL * level
        fill, ink = (ALARM, PAPER) if turn.alarming else (PAPER, INK)
        picture.circle(x, y, 8, fill=fill, stroke=ALARM if turn.alarming else INK, hint=turn.hint)
        picture.text(x, y + 4, turn.letter, size=10.5, bold=True, anchor="middle", fill=ink)
    if agencies:
        picture.text(0, ribbon_top + 12, "Links down", size=12, bold=True)
    for row, agency in enumerate(agencies):
        _draw_outages(picture, agency, ribbon_top + 20 + _RIBBON * row, evaluation, scale=scale)
    _draw_legend(picture, height - 8)
    return picture.markup()


def _stack(turns: list[_Turn], scale: "_Scale") -> list[tuple[int, _Turn]]:
    """Put turning points that would cover one another onto levels below one another."""
    placed: list[tuple[int, _Turn]] = []
    last: list[float] = []
    for turn in turns:
        x = scale.x(turn.at_ms)
        level = next((number for number, taken in enumerate(last) if x - taken >= _LEVEL), len(last))
        last[level : level + 1] = [x]
        placed.append((level, turn))
    return placed


def _draw_outages(picture: Picture, agency: str, top: float, evaluation: Evaluation, *, scale: "_Scale") -> None:
    picture.text(12, top + 12, agency, size=12, fill=MUTED)
    picture.rect(scale.x(0), top, scale.x(evaluation.end_ms) - scale.x(0), 14, _UP)
    for outage in evaluation.outages:
        if outage.agency == agency:
            begin, end = scale.x(outage.begin_ms), scale.x(outage.end_ms)
            hint = f"{agency}: down {clock_text(outage.begin_ms)} to {clock_text(outage.end_ms)}"
            picture.rect(begin, top, max(end - begin, 1.5), 14, _DOWN, hint=hint)


class _Scale:
    """Exercise time along the picture."""

    def __init__(self, pack: Pack, evaluation: Evaluation) -> None:
        planned = [inject.planned_ms for inject in evaluation.injects if inject.planned_ms is not None]
        self.end_ms = max([evaluation.end_ms, *planned, 60_000])
        if not evaluation.ended:
            self.end_ms = max(self.end_ms, pack.duration_ms)

    def x(self, at_ms: int) -> float:
        """Return where a time lies."""
        return _LABEL + _PLOT * max(0, min(at_ms, self.end_ms)) / self.end_ms


def _draw_inject(picture: Picture, inject: InjectPlayed, y: float, scale: _Scale) -> None:
    picture.text(0, y + 4, inject.inject, size=12, bold=True)
    picture.text(52, y + 4, wrap(inject.title, chars_max=30, lines_max=1)[0], size=12, fill=MUTED)
    picture.line(_LABEL, y, _LABEL + _PLOT, y, stroke="#f0f2f4")
    planned = None if inject.planned_ms is None else scale.x(inject.planned_ms)
    actual = None if inject.released_ms is None else scale.x(inject.released_ms)
    if planned is not None and actual is not None:
        picture.line(planned, y, actual, y, stroke=CALM, width=3)
    if planned is not None:
        hint = f"{inject.inject} planned {clock_text(inject.planned_ms or 0)}"
        picture.circle(planned, y, 6, fill=PAPER, stroke=CALM, hint=hint)
    if actual is not None:
        released_ms = inject.released_ms or 0
        picture.circle(actual, y, 4, fill=CALM, stroke=CALM, hint=f"{inject.inject} released {clock_text(released_ms)}")
    note = _note(inject)
    if note and actual is not None:
        # Text at the right edge would be cut off, so it goes to the left of its mark there.
        late = actual > _LABEL + _PLOT * 0.8
        x, anchor = (
            (min(planned or actual, actual) - 11, "end") if late else (max(planned or actual, actual) + 11, "start")
        )
        picture.text(x, y + 4, note, size=11, fill=MUTED, halo=True, anchor=anchor)
    elif note:
        picture.text(_LABEL + 11 if planned is None else planned + 11, y + 4, note, size=11, fill=MUTED, halo=True)


def _order_of_play(inject: InjectPlayed) -> tuple[bool, int, str]:
    at_ms = inject.planned_ms if inject.released_ms is None else inject.released_ms
    return at_ms is None, at_ms or 0, inject.inject


def _note(inject: InjectPlayed) -> str:
    if inject.released_ms is None:
        return "not released"
    if inject.planned_ms is None:
        return "by branch"
    drift_ms = inject.released_ms - inject.planned_ms
    if abs(drift_ms) < _NOTICEABLE_MS:
        return ""
    return f"{length_text(abs(drift_ms))} {'late' if drift_ms > 0 else 'early'}"


def _turning_points(evaluation: Evaluation, names: Names) -> list[_Turn]:
    def turn(at_ms: int, letter: str, words: str, *, alarming: bool = False) -> _Turn:
        return _Turn(at_ms=at_ms, letter=letter, hint=f"{words}, {clock_text(at_ms)}", alarming=alarming)

    turns = [turn(each.at_ms, "B", f"Branch {each.branch}: {each.outcome}") for each in evaluation.branches]
    turns += [
        turn(each.at_ms, "D", f"{each.fact} disclosed to {names.agency(each.agency)}", alarming=True)
        for each in evaluation.certain.disclosures
        if each.first
    ]
    turns += [
        turn(each.released_ms, "C", f"Correction by {names.agency(each.agency)}") for each in evaluation.corrections
    ]
    turns += [
        turn(each.at_ms, "R", f"Message of {names.agency(each.agency)} {each.what}", alarming=True)
        for each in evaluation.refusals
    ]
    turns += [
        turn(each.asked_ms, "Q", f"{names.agency(each.asker)} asks {names.agency(each.originator)} for release")
        for each in evaluation.requests
    ]
    return sorted(turns, key=lambda each: (each.at_ms, each.letter, each.hint))


def _draw_legend(picture: Picture, y: float) -> None:
    x = float(_LABEL)
    picture.circle(x + 6, y - 4, 6, fill=PAPER, stroke=CALM)
    picture.text(x + 17, y, "planned", size=11, fill=MUTED)
    picture.circle(x + 80, y - 4, 4, fill=CALM, stroke=CALM)
    picture.text(x + 90, y, "released", size=11, fill=MUTED)
    picture.line(x + 152, y - 12, x + 152, y + 2, stroke=INK, width=1.6)
    picture.text(x + 158, y, "ENDEX", size=11, fill=MUTED)
    words = "B branch · C correction · D disclosure · Q request for release · R refused or rejected"
    picture.text(x + 215, y, words, size=11, fill=MUTED)
    picture.line(0, y - 18, _LABEL + _PLOT, y - 18, stroke=FAINT, width=0.6)


def _in_words(evaluation: Evaluation, names: Names) -> str:
    injects = [
        f"{inject.inject} "
        + ("by branch" if inject.planned_ms is None else f"planned {clock_text(inject.planned_ms)}")
        + (", not released" if inject.released_ms is None else f", released {clock_text(inject.released_ms)}")
        for inject in evaluation.injects
    ]
    outages = [
        f"{names.agency(outage.agency)} from {clock_text(outage.begin_ms)} to {clock_text(outage.end_ms)}"
        for outage in evaluation.outages
    ]
    return f"Injects: {'; '.join(injects)}. Links down: {'; '.join(outages) or 'none'}."
