"""Planned against actual injects on one time axis, with what happened and the links' outages below."""

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
_NOTICEABLE_MS: Final = 60_000  # a drift below this is not worth a line
_UP: Final = Fill(fill="#eaf0f4", text=INK, stroke="#eaf0f4")
_DOWN: Final = Fill(fill="#6b2737", text=PAPER, stroke="#6b2737", hatched=True)


def draw_timeline(pack: Pack, evaluation: Evaluation, names: Names) -> Markup:
    """Draw the MSEL as planned and as played, the turning points, and the outages."""
    down = {outage.agency for outage in evaluation.outages}
    agencies = [participant.agency for participant in pack.participants if participant.agency in down]
    rows = len(evaluation.injects)
    turns = _turning_points(evaluation)
    marks_top = _TOP + _ROW * rows + 22
    ribbon_top = marks_top + (34 if turns else 0)
    height = ribbon_top + _RIBBON * len(agencies) + (24 if agencies else 0) + 30
    picture = Picture(
        "timeline",
        width=_LABEL + _PLOT + 40,
        height=height,
        title="Injects planned and actual, and link outages",
        description=_in_words(evaluation, names),
    )
    scale = _Scale(pack, evaluation)
    step_ms = axis_step_ms(scale.end_ms)
    for at_ms in range(0, scale.end_ms + 1, step_ms):
        picture.line(scale.x(at_ms), _TOP - 8, scale.x(at_ms), height - 26, stroke="#e3e7eb")
        picture.text(scale.x(at_ms), _TOP - 14, clock_text(at_ms), size=11, fill=MUTED, anchor="middle")
    picture.line(scale.x(evaluation.end_ms), _TOP - 8, scale.x(evaluation.end_ms), height - 26, stroke=INK, width=1.6)
    for row, inject in enumerate(evaluation.injects):
        _draw_inject(picture, inject, _TOP + _ROW * row + 12, scale)
    if turns:
        picture.text(0, marks_top + 10, "Turning points", size=12, bold=True)
        for at_ms, letter, hint, alarming in turns:
            picture.circle(
                scale.x(at_ms), marks_top + 6, 8, fill=ALARM if alarming else PAPER, stroke=ALARM if alarming else INK,
                hint=hint,
            )  # fmt: skip
            picture.text(
                scale.x(at_ms), marks_top + 10, letter, size=10.5, bold=True, anchor="middle",
                fill=PAPER if alarming else INK,
            )  # fmt: skip
    if agencies:
        picture.text(0, ribbon_top + 12, "Links down", size=12, bold=True)
        ribbon_top += 20
    for row, agency in enumerate(agencies):
        top = ribbon_top + _RIBBON * row
        picture.text(12, top + 12, agency, size=12, fill=MUTED)
        picture.rect(scale.x(0), top, scale.x(evaluation.end_ms) - scale.x(0), 14, _UP)
        for outage in evaluation.outages:
            if outage.agency == agency:
                begin, end = scale.x(outage.begin_ms), scale.x(outage.end_ms)
                hint = f"{names.agency(agency)}: down {clock_text(outage.begin_ms)} to {clock_text(outage.end_ms)}"
                picture.rect(begin, top, max(end - begin, 1.5), 14, _DOWN, hint=hint)
    _draw_legend(picture, height - 8)
    return picture.markup()


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


def _note(inject: InjectPlayed) -> str:
    if inject.released_ms is None:
        return "not released"
    if inject.planned_ms is None:
        return "by branch"
    drift_ms = inject.released_ms - inject.planned_ms
    if abs(drift_ms) < _NOTICEABLE_MS:
        return ""
    return f"{length_text(abs(drift_ms))} {'late' if drift_ms > 0 else 'early'}"


def _turning_points(evaluation: Evaluation) -> list[tuple[int, str, str, bool]]:
    points = [
        (each.at_ms, "B", f"Branch {each.branch}: {each.outcome}, {clock_text(each.at_ms)}", False)
        for each in evaluation.branches
    ]
    points += [
        (each.at_ms, "D", f"{each.fact} disclosed to {each.agency}, {clock_text(each.at_ms)}", True)
        for each in evaluation.certain.disclosures
        if each.first
    ]
    points += [
        (each.released_ms, "C", f"Correction by {each.agency}, {clock_text(each.released_ms)}", False)
        for each in evaluation.corrections
    ]
    points += [
        (each.at_ms, "R", f"Message of {each.agency} {each.what}, {clock_text(each.at_ms)}", True)
        for each in evaluation.refusals
    ]
    points += [
        (each.asked_ms, "Q", f"{each.asker} asks {each.originator} for release, {clock_text(each.asked_ms)}", False)
        for each in evaluation.requests
    ]
    return sorted(points)


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
