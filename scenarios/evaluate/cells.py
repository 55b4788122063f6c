"""The state of every fact at every agency: the who-knew-what matrix.

The states and their order are the definitions table of an exercise: what an agency was given by EXCON is an origin;
what it needed is on time, late, missed, or not observed where play ended before it fell due; what it must not have
and can read is a disclosure; the rest is surplus where it is known and clean where it is not.
"""

from dataclasses import dataclass
from typing import Final, Literal

from scenarios.evaluate.history import History
from scenarios.evaluate.knowledge import Knowledge, Learned
from scenarios.model import Need, Pack

CellState = Literal["origin", "on time", "late", "missed", "not observed", "disclosure", "surplus", "clean"]

# A letter beside each colour, so that the matrix can be read in grey and by everybody.
STATE_LETTER: Final[dict[CellState, str]] = {
    "origin": "O",
    "on time": "T",
    "late": "L",
    "missed": "M",
    "not observed": "N",
    "disclosure": "D",
    "surplus": "S",
    "clean": "·",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """When each stage of the message by which a fact counted was reached; None where it was not."""

    released_ms: int | None = None
    accepted_ms: int | None = None
    delivered_ms: int | None = None
    verified_ms: int | None = None
    opened_ms: int | None = None
    acknowledged_ms: int | None = None
    acted_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One fact at one agency.

    Attributes:
        known_ms: K for a need; when it could first be read otherwise. None if not known by ENDEX.
        after_ms: ``known_ms`` less the fact's T0.
        due_ms: When the need falls due; None without a need, or while the fact has reached nobody.
        source: The inject or the message by which it counted.
        sender: Who released that.
        told_later: The inject by which EXCON told the agency after its need had been missed.
    """

    fact: str
    agency: str
    state: CellState
    known_ms: int | None
    known_wall_ms: int | None
    after_ms: int | None
    due_ms: int | None
    need: str | None
    must_not: str | None
    by: Literal["inject", "message", "author"] | None
    source: str | None
    sender: str | None
    told_later: str | None
    stages: Stages


def judge_cells(pack: Pack, history: History, knowledge: Knowledge) -> tuple[Cell, ...]:
    """Judge every fact at every participant; where two needs meet in a cell, the one that falls due first counts."""
    return tuple(
        judge_cell(fact.fact, participant.agency, pack, history, knowledge)
        for fact in pack.facts
        for participant in pack.participants
    )


def judge_cell(
    fact: str, agency: str, pack: Pack, history: History, knowledge: Knowledge, *, need: Need | None = None
) -> Cell:
    """Judge one fact at one agency, against this need or the strictest of the agency's own."""
    needs = [need] if need else [each for each in pack.needs if each.fact == fact and agency in each.who]
    must_not = next((each.must_not for each in pack.must_nots if each.fact == fact and agency in each.who), None)
    first = knowledge.first_read(fact, agency)
    t0_ms = knowledge.first_ms.get(fact)
    # While a fact has reached nobody, nobody can have kept it from anybody: its needs have not begun to run.
    dues = {} if t0_ms is None else {each.need: due_time_ms(each, t0_ms) for each in needs}
    strictest = min(needs, key=lambda each: (dues.get(each.need, each.by_ms), each.need), default=None)
    due_ms = dues.get(strictest.need) if strictest is not None else None
    told_later = None
    way: Learned | None = first
    if must_not is not None and first is not None:
        state: CellState = "disclosure"
    elif strictest is not None:
        way = knowledge.first_met(fact, agency)
        if way is not None and way.by == "inject" and due_ms is not None and way.read_ms > due_ms:
            # EXCON telling an agency what its colleagues failed to tell it does not meet the need.
            state, told_later, way = "missed", way.source, None
        else:
            state = _state_of_need(way, due_ms, history.end_ms)
    elif first is None:
        state = "clean"
    else:
        state = "surplus" if first.by == "message" else "origin"
    by_reading = state in {"disclosure", "surplus", "origin"}
    known_ms = None if way is None else way.read_ms if by_reading else way.met_ms
    return Cell(
        fact=fact,
        agency=agency,
        state=state,
        known_ms=known_ms,
        known_wall_ms=None if way is None else way.read_wall_ms if by_reading else way.met_wall_ms,
        after_ms=None if known_ms is None or t0_ms is None else known_ms - t0_ms,
        due_ms=due_ms,
        need=strictest.need if strictest else None,
        must_not=must_not,
        by=way.by if way else None,
        source=way.source if way else None,
        sender=way.sender if way else None,
        told_later=told_later,
        stages=stages_of(way, history) if way else Stages(),
    )


def due_time_ms(need: Need, t0_ms: int) -> int:
    """Return when a need falls due: its time counts from T0, or from the moment that the planner named."""
    return (t0_ms if need.from_ms is None else need.from_ms) + need.by_ms


def _state_of_need(way: Learned | None, due_ms: int | None, end_ms: int) -> CellState:
    if way is not None and way.met_ms is not None and due_ms is not None:
        if way.by != "message":
            return "origin"
        return "on time" if way.met_ms <= due_ms else "late"
    # Right-censoring: what had not fallen due at ENDEX has not failed.
    return "missed" if due_ms is not None and due_ms <= end_ms else "not observed"


def stages_of(way: Learned, history: History) -> Stages:
    """Return the stages of the message by which an agency learned a fact."""
    if way.by != "message":
        return Stages(delivered_ms=way.read_ms)
    release = way.release
    from_ms = release.at_ms if release is not None else 0

    def reached(source: str, stage: str) -> int | None:
        moment = history.first(source, stage, way.source, from_ms=from_ms)
        return moment.at_ms if moment is not None and moment.at_ms <= history.end_ms else None

    acts = [
        moment.at_ms
        for moment in history.of_stage("released", "acted", source=way.agency)
        if moment.fields.get("cause") == way.source and way.read_ms <= moment.at_ms <= history.end_ms
    ]
    return Stages(
        released_ms=release.at_ms if release is not None else None,
        accepted_ms=reached(way.sender, "accepted"),
        delivered_ms=reached(way.agency, "delivered"),
        verified_ms=way.read_ms,
        opened_ms=reached(way.agency, "opened"),
        acknowledged_ms=reached(way.agency, "acknowledged"),
        acted_ms=min(acts, default=None),
    )
