"""Many seeds over several processes: one fresh loop for each, every twentieth run twice and compared.

Processes and not threads, since a run takes the whole of Python; what comes back is small and in the order of seeds.
"""

import logging
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Final

from scenarios.soak.draw import draw_plan
from scenarios.soak.invariants import REPEATED, Violation
from scenarios.soak.plan import Plan
from scenarios.soak.run import run_plan
from scenarios.soak.shrink import shrink

SEEDS_FOR_ALL_KINDS: Final = 200  # a soak of so many seeds must have seen every kind of fault and recovery
_TWICE_EVERY: Final = 20

# What a soak must have seen, or it has not tried what it says: faults, and the branches that recover from them.
EXPECTED: Final = (
    "accepted", "accepted again", "deaths", "died after-commit", "died after-send", "died before-commit",
    "died before-send", "fault broker_restart", "fault clock_skew", "fault cut", "fault delay", "fault duplicate",
    "fault node_crash", "fault partition", "fault takeover", "net duplicates", "net held", "net lost", "net refused",
    "net silent_ends", "net takeovers", "node link_down", "node opened", "node receipt", "node refused AUDIENCE",
    "node rejected FUTURE", "node superseded", "node verified", "revoked", "router cancelled", "router refused",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedOutcome:
    """What one seed showed, small enough to send from process to process."""

    seed: int
    violation: Violation | None
    virtual_ms: int
    trace: str
    sometimes: dict[str, int]


def run_seed(seed: int) -> SeedOutcome:
    """Run the plan of a seed; every twentieth is run a second time, and must come out the same."""
    # Lines about lost links are what a soak is made of, and nobody reads them.
    logging.disable(logging.WARNING)
    outcome = run_plan(draw_plan(seed))
    violation = outcome.violation
    if violation is None and seed % _TWICE_EVERY == 0:
        again = run_plan(draw_plan(seed))
        if again.trace != outcome.trace:
            violation = Violation(REPEATED, 0, first_difference(draw_plan(seed)))
    return SeedOutcome(
        seed=seed,
        violation=violation,
        virtual_ms=outcome.virtual_ms,
        trace=outcome.trace,
        sometimes=outcome.sometimes,
    )


def first_difference(plan: Plan) -> str:
    """Say where two runs of a plan part."""
    one, other = (run_plan(plan, keep_lines=True).lines for _ in range(2))
    for number, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return f"two runs part at entry {number}: {left[:200]} and {right[:200]}"
    return f"two runs have {len(one)} and {len(other)} entries"


def run_seeds(first: int, count: int, *, jobs: int) -> Iterator[SeedOutcome]:
    """Yield what each seed showed, in their order."""
    seeds = range(first, first + count)
    if jobs == 1:
        yield from map(run_seed, seeds)
        return
    with ProcessPoolExecutor(max_workers=jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(run_seed, seeds, chunksize=4)


def never_seen(sometimes: dict[str, int]) -> list[str]:
    """Return the faults and recoveries that a soak should have seen and has not."""
    return [what for what in EXPECTED if not sometimes.get(what)]


def cut_down(plan: Plan) -> Plan:
    """Return the smallest plan found that breaks the same invariant."""

    def breaks(candidate: Plan) -> int | None:
        violation = run_plan(candidate).violation
        return None if violation is None else violation.invariant

    return shrink(plan, breaks)
