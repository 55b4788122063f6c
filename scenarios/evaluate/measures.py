"""Objectives: each measure's figure, the rating it suggests, and the evidence; the evaluator has the last word.

Ratings are HSEEP's: Performed without challenges (P), with Some challenges (S), with Major challenges (M), Unable to
be performed (U). A measure of which nothing fell due before ENDEX is not observed and rates nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, assert_never

from scenarios.evaluate.cells import Cell
from scenarios.evaluate.consent import ConsentRequest
from scenarios.evaluate.corrections import Correction
from scenarios.evaluate.lineage import DerivedProduct
from scenarios.evaluate.recalls import Recall
from scenarios.evaluate.red import RedTry
from scenarios.evaluate.wording import length_text
from scenarios.model import Measure, Objective

Rating = Literal["P", "S", "M", "U"]
RATING_TEXT: Final[dict[Rating, str]] = {
    "P": "Performed without challenges",
    "S": "Performed with some challenges",
    "M": "Performed with major challenges",
    "U": "Unable to be performed",
}
_WORST_FIRST: Final[tuple[Rating, ...]] = ("U", "M", "S", "P")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingFigures:
    """Under-sharing and over-sharing, apart on purpose: one blended score would hide which of the two happened."""

    needs: int
    fell_due: int
    on_time: int
    late: int
    missed: int
    not_observed: int
    origins: int
    disclosures: int
    surplus: int
    known: int  # known cells except origins

    @property
    def under_sharing(self) -> float | None:
        """1 - on-time needs / needs that fell due; None if none fell due."""
        return None if self.fell_due == 0 else 1 - self.on_time / self.fell_due

    @property
    def surplus_share(self) -> float | None:
        """Surplus / all known cells except origins; None if nothing was passed on."""
        return None if self.known == 0 else self.surplus / self.known


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureResult:
    """One measure: ``value`` is a share (0 to 1) or a count; None if nothing could be observed."""

    measure: str
    kind: str
    text: str
    of: tuple[str, ...]
    value: float | None
    counted: str  # the figure in words, for example "3 of 4 on time"
    rating: Rating | None
    performed: float
    some: float
    major: float
    evidence: tuple[str, ...]  # message and inject ids


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveResult:
    """One objective; ``rating`` is the worst of its measures, as a suggestion to the evaluator."""

    objective: str
    title: str
    capability: str
    target: str
    critical_tasks: tuple[str, ...]
    measures: tuple[MeasureResult, ...]
    rating: Rating | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What measures are taken from. ``needed`` has one cell per need and agency, ``cells`` one per fact and agency."""

    needed: tuple[Cell, ...]
    cells: tuple[Cell, ...]
    corrections: tuple[Correction, ...]
    requests: tuple[ConsentRequest, ...]
    called_for: frozenset[str]  # correcting orders whose occasion came
    red: tuple[RedTry, ...] = ()
    lineage: tuple[DerivedProduct, ...] = ()
    recalls: tuple[Recall, ...] = ()
    end_ms: int


def count_sharing(needed: Iterable[Cell], cells: Iterable[Cell]) -> SharingFigures:
    """Count the states of needs and of the matrix."""
    states = [cell.state for cell in needed]
    # A need met by EXCON's own inject, and one that is broken by being forbidden too, measures no sharing.
    on_time, late, missed = states.count("on time"), states.count("late"), states.count("missed")
    matrix = [cell.state for cell in cells]
    known = sum(matrix.count(state) for state in ("on time", "late", "disclosure", "surplus"))
    return SharingFigures(
        needs=len(states),
        fell_due=on_time + late + missed,
        on_time=on_time,
        late=late,
        missed=missed,
        not_observed=states.count("not observed"),
        origins=matrix.count("origin"),
        disclosures=matrix.count("disclosure"),
        surplus=matrix.count("surplus"),
        known=known,
    )


def rate_objectives(objectives: Iterable[Objective], observed: Observed) -> tuple[ObjectiveResult, ...]:
    """Measure and rate every objective of a pack."""
    results = []
    for objective in objectives:
        measures = tuple(_measure(measure, observed) for measure in objective.measures)
        ratings = [measure.rating for measure in measures if measure.rating is not None]
        results.append(
            ObjectiveResult(
                objective=objective.objective,
                title=objective.title,
                capability=objective.capability,
                target=objective.target,
                critical_tasks=objective.critical_tasks,
                measures=measures,
                rating=next((rating for rating in _WORST_FIRST if rating in ratings), None),
            )
        )
    return tuple(results)


def _measure(measure: Measure, observed: Observed) -> MeasureResult:
    lower_is_better = False
    match measure.kind:
        case "on_time_share":
            value, counted, evidence = _on_time_share(measure, observed)
        case "disclosures":
            lower_is_better = True
            value, counted, evidence = _disclosures(measure, observed)
        case "corrections_complete":
            value, counted, evidence = _corrections_complete(measure, observed)
        case "recalls_complete":
            value, counted, evidence = _recalls_complete(measure, observed)
        case "decided_in_time":
            value, counted, evidence = _decided_in_time(measure, observed)
        case "surplus_share":
            lower_is_better = True
            value, counted, evidence = _surplus_share(measure, observed)
        case "full_lineage":
            value, counted, evidence = _full_lineage(measure, observed)
        case "lead_minutes":
            value, counted, evidence = _lead_minutes(measure, observed)
        case "forged_accepted":
            lower_is_better = True
            value, counted, evidence = _forged_accepted(measure, observed)
        case "attempts_noticed":
            value, counted, evidence = _attempts_noticed(measure, observed)
        case _:
            assert_never(measure.kind)
    return MeasureResult(
        measure=measure.measure,
        kind=measure.kind,
        text=measure.text,
        of=measure.of,
        value=value,
        counted=counted,
        rating=None if value is None else rate(value, measure, lower_is_better=lower_is_better),
        performed=measure.performed,
        some=measure.some,
        major=measure.major,
        evidence=tuple(dict.fromkeys(evidence)),
    )


def rate(value: float, measure: Measure, *, lower_is_better: bool) -> Rating:
    """Rate a figure by its thresholds; a threshold that is just met counts as met."""
    thresholds: tuple[tuple[Rating, float], ...] = (
        ("P", measure.performed),
        ("S", measure.some),
        ("M", measure.major),
    )
    for rating, threshold in thresholds:
        if value <= threshold if lower_is_better else value >= threshold:
            return rating
    return "U"


_Figure = tuple[float | None, str, list[str]]


def _on_time_share(measure: Measure, observed: Observed) -> _Figure:
    cells = [cell for cell in observed.needed if cell.need in measure.of]
    figures = count_sharing(cells, ())
    evidence = [cell.source for cell in cells if cell.source is not None and cell.by == "message"]
    if figures.fell_due == 0:
        return None, "no need fell due before ENDEX", evidence
    counted = f"{figures.on_time} of {figures.fell_due} on time, {figures.late} late, {figures.missed} missed"
    return figures.on_time / figures.fell_due, counted, evidence


def _disclosures(measure: Measure, observed: Observed) -> _Figure:
    broken = [cell for cell in observed.cells if cell.must_not in measure.of and cell.state == "disclosure"]
    counted = f"{len(broken)} disclosed" if broken else "none disclosed"
    return float(len(broken)), counted, [cell.source for cell in broken if cell.source is not None]


def _corrections_complete(measure: Measure, observed: Observed) -> _Figure:
    # An exercise may name the standing orders that correct; a person's correction has none and counts as well.
    chosen = [
        correction
        for correction in observed.corrections
        if not measure.of or correction.order in measure.of or correction.order is None
    ]
    evidence = [correction.hid for correction in chosen]
    if not chosen and observed.called_for & set(measure.of):
        return 0.0, "a correction was called for and none was sent", evidence
    reached = [
        _in_time(correction.released_ms, recipient.corrected_ms, measure.within_ms, observed.end_ms)
        for correction in chosen
        for recipient in correction.recipients
    ]
    fell_due = [each for each in reached if each is not None]
    if not fell_due:
        return None, "nobody had anything that was corrected", evidence
    limit = "" if measure.within_ms is None else f" within {length_text(measure.within_ms)}"
    counted = f"{sum(fell_due)} of {len(fell_due)} past recipients corrected{limit}"
    return sum(fell_due) / len(fell_due), counted, evidence


def _recalls_complete(measure: Measure, observed: Observed) -> _Figure:
    # A person's recall has no standing order; it counts as well.
    chosen = [each for each in observed.recalls if not measure.of or each.order in measure.of or each.order is None]
    evidence = [recall.hid for recall in chosen]
    erased = [
        _in_time(
            recall.released_ms,
            reader.answered_ms if reader.answer == "purged" else None,
            measure.within_ms,
            observed.end_ms,
        )
        for recall in chosen
        for reader in recall.recipients
    ]
    fell_due = [each for each in erased if each is not None]
    if not fell_due:
        return None, "nothing was recalled", evidence
    limit = "" if measure.within_ms is None else f" within {length_text(measure.within_ms)}"
    counted = f"{sum(fell_due)} of {len(fell_due)} past recipients have erased it{limit}"
    return sum(fell_due) / len(fell_due), counted, evidence


def _in_time(begin_ms: int, done_ms: int | None, within_ms: int | None, end_ms: int) -> bool | None:
    """Tell whether something was done in its time; None if the time was not over at ENDEX."""
    if within_ms is None:
        return done_ms is not None
    if done_ms is not None:
        return done_ms - begin_ms <= within_ms
    return False if begin_ms + within_ms <= end_ms else None


def _decided_in_time(measure: Measure, observed: Observed) -> _Figure:
    # A person's request has no standing order; it counts as well.
    chosen = [each for each in observed.requests if not measure.of or each.order in measure.of or each.order is None]
    evidence = [request.hid for request in chosen]
    decided = [
        request.in_time
        if measure.within_ms is None
        else _in_time(request.asked_ms, request.decided_ms, measure.within_ms, observed.end_ms)
        for request in chosen
    ]
    fell_due = [each for each in decided if each is not None]
    if not fell_due:
        return None, "no request fell due before ENDEX", evidence
    return sum(fell_due) / len(fell_due), f"{sum(fell_due)} of {len(fell_due)} decided in time", evidence


def _surplus_share(measure: Measure, observed: Observed) -> _Figure:
    cells = [cell for cell in observed.cells if not measure.of or cell.fact in measure.of]
    figures = count_sharing((), cells)
    evidence = [cell.source for cell in cells if cell.state == "surplus" and cell.source is not None]
    if figures.surplus_share is None:
        return None, "nothing was passed on", evidence
    return figures.surplus_share, f"{figures.surplus} of {figures.known} cells were surplus", evidence


def _full_lineage(measure: Measure, observed: Observed) -> _Figure:
    # A person's product has no standing order; it counts as well.
    chosen = [each for each in observed.lineage if not measure.of or each.order in measure.of or each.order is None]
    evidence = [product.hid for product in chosen]
    if not chosen:
        return None, "nothing was made from what others reported", evidence
    whole = sum(product.whole for product in chosen)
    return whole / len(chosen), f"{whole} of {len(chosen)} products name every parent", evidence


def _lead_minutes(measure: Measure, observed: Observed) -> _Figure:
    """Count how long before it fell due the last of those who need a fact knew it; nothing, if one never did."""
    fell_due = {"on time", "late", "missed"}
    cells = [cell for cell in observed.needed if cell.need in measure.of and cell.state in fell_due]
    evidence = [cell.source for cell in cells if cell.source is not None and cell.by == "message"]
    if not cells:
        return None, "no need fell due before ENDEX", evidence
    leads = [
        max(0, cell.due_ms - cell.known_ms) if cell.due_ms is not None and cell.known_ms is not None else 0
        for cell in cells
    ]
    counted = f"the last of {len(cells)} knew it {length_text(min(leads))} ahead"
    return float(min(leads) // 60_000), counted, evidence


def _done_by_red(measure: Measure, observed: Observed) -> list[RedTry]:
    return [each for each in observed.red if each.at_ms is not None and (not measure.of or each.act in measure.of)]


def _forged_accepted(measure: Measure, observed: Observed) -> _Figure:
    tries = _done_by_red(measure, observed)
    evidence = [hid for each in tries for hid in each.hids]
    if not tries:
        return None, "red tried none of it", evidence
    taken_in = [(each.act, agency) for each in tries for agency in each.taken_in_by]
    counted = f"{len(taken_in)} taken for true" if taken_in else f"none taken for true, of {len(tries)} tried"
    return float(len(taken_in)), counted, evidence


def _attempts_noticed(measure: Measure, observed: Observed) -> _Figure:
    """Of those that somebody should notice: that nobody notices what leaves no trace is no one's fault."""
    tries = [each for each in _done_by_red(measure, observed) if each.expected]
    evidence = [hid for each in tries for hid in each.hids]
    if not tries:
        return None, "red tried nothing that somebody should notice", evidence
    noticed = sum(not each.overlooked for each in tries)
    return noticed / len(tries), f"{noticed} of {len(tries)} noticed by everybody who should", evidence
