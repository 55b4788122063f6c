"""Every need of every agency: was it met, how late, and was a person, a rule or a link the cause."""

from collections.abc import Iterable
from dataclasses import dataclass

from scenarios.evaluate.cells import Cell, judge_cell
from scenarios.evaluate.delays import CAUSE_OF_PART, DelayCause, DelaySplit, split_delay
from scenarios.evaluate.denials import Denial
from scenarios.evaluate.history import History
from scenarios.evaluate.knowledge import Knowledge
from scenarios.evaluate.policy_cells import PolicyCell
from scenarios.evaluate.tagging import Tagging
from scenarios.model import Pack


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedResult:
    """One agency's need.

    ``cause`` is set for what was late or missed: whichever took the largest part of the time. What was missed is put
    down to the rules, tried or not, if they allow it under no label that was in use: nobody could have sent it.
    """

    need: str
    fact: str
    agency: str
    why: str
    allowed_ms: int | None  # from T0 to the time it falls due
    first_ms: int | None  # T0
    cell: Cell
    split: DelaySplit | None
    cause: DelayCause | None


def judge_needs(
    pack: Pack,
    history: History,
    knowledge: Knowledge,
    tagging: Tagging,
    *,
    denials: Iterable[Denial],
    policy: Iterable[PolicyCell],
) -> tuple[NeedResult, ...]:
    """Judge every need for each agency that has it."""
    found = tuple(denials)
    gaps = {(each.fact, each.agency) for each in policy if each.policy == "rule gap"}
    results = []
    for need in pack.needs:
        first_ms = knowledge.first_ms.get(need.fact)
        for agency in need.who:
            cell = judge_cell(need.fact, agency, pack, history, knowledge, need=need)
            split = split_delay(cell, history, knowledge, tagging, found)
            cause: DelayCause | None = None
            if cell.state == "missed" and (need.fact, agency) in gaps:
                cause = "rule"
            elif split is not None and cell.state in {"late", "missed"}:
                cause = CAUSE_OF_PART[split.largest]
            results.append(
                NeedResult(
                    need=need.need,
                    fact=need.fact,
                    agency=agency,
                    why=need.why,
                    allowed_ms=cell.due_ms - first_ms if cell.due_ms is not None and first_ms is not None else None,
                    first_ms=first_ms,
                    cell=cell,
                    split=split,
                    cause=cause,
                )
            )
    return tuple(results)
