"""Who told whom, and how each fact spread among those that needed it."""

import statistics
from dataclasses import dataclass

from scenarios.evaluate.cells import Cell
from scenarios.evaluate.history import History
from scenarios.model import Pack


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """The reports that went from one agency to another; ``median_ms`` is from released to verified."""

    sender: str
    reader: str
    reports: int
    median_ms: int
    disclosures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """One fact among its needers: ``informed`` are the times at which each was, ``due_ms`` when all should be."""

    fact: str
    first_ms: int
    due_ms: int
    needers: int
    informed_ms: tuple[int, ...]
    end_ms: int


def count_flows(history: History, cells: tuple[Cell, ...]) -> tuple[Flow, ...]:
    """Count reports and answers by sender and reader, with the disclosures among them."""
    delays: dict[tuple[str, str], list[int]] = {}
    disclosing = [(cell.sender, cell.agency) for cell in cells if cell.state == "disclosure" and cell.by == "message"]
    for arrival in history.arrivals:
        release = history.release_of(arrival.hid, to=arrival.agency, by_ms=arrival.at_ms)
        # Receipts, requests and decisions are about reports; only what carries content is sharing.
        if release is not None and arrival.kind in {"report", "answer", "rfi"} and arrival.at_ms <= history.end_ms:
            delays.setdefault((release.agency, arrival.agency), []).append(arrival.at_ms - release.at_ms)
    return tuple(
        Flow(
            sender=sender,
            reader=reader,
            reports=len(times),
            median_ms=round(statistics.median(times)),
            disclosures=disclosing.count((sender, reader)),
        )
        for (sender, reader), times in sorted(delays.items())
    )


def follow_spread(pack: Pack, needed: tuple[Cell, ...], first_ms: dict[str, int], end_ms: int) -> tuple[Spread, ...]:
    """Follow each needed fact among the agencies that needed it and were not given it by EXCON."""
    spreads = []
    for fact in pack.facts:
        cells: dict[str, Cell] = {}
        for cell in needed:
            if cell.fact == fact.fact and cell.state in {"on time", "late", "missed", "not observed"}:
                known = cells.get(cell.agency)
                if known is None or (cell.due_ms or 0) < (known.due_ms or 0):
                    cells[cell.agency] = cell
        dues = [cell.due_ms for cell in cells.values() if cell.due_ms is not None]
        if fact.fact in first_ms and dues:
            spreads.append(
                Spread(
                    fact=fact.fact,
                    first_ms=first_ms[fact.fact],
                    due_ms=max(dues),
                    needers=len(cells),
                    informed_ms=tuple(sorted(c.known_ms for c in cells.values() if c.known_ms is not None)),
                    end_ms=end_ms,
                )
            )
    return tuple(spreads)
