"""Many seeds over several processes: one fresh loop for each, every twentieth run twice and compared.

Processes and not threads, since a run takes the whole of Python; what comes back is small and in the order of seeds.
"""

import logging
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from typing import Final, TypeVar

from scenarios.soak.canaries.catalogue import CANARIES
from scenarios.soak.draw_crowd import draw_crowd
from scenarios.soak.figures import Account
from scenarios.soak.hostile_run import Auditor
from scenarios.soak.invariants import REPEATED, Violation
from scenarios.soak.only import draw_only
from scenarios.soak.plan import Plan
from scenarios.soak.run import Outcome, run_plan
from scenarios.soak.shrink import shrink

T = TypeVar("T")
R = TypeVar("R")

_TWICE_EVERY: Final = 20
_AHEAD: Final = 2  # jobs that wait for each process, so that none is ever without


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How seeds are run.

    Attributes:
        only: The kinds of fault that fall; all if empty.
        crowd: Whether a seed is a crowd, and not a plan of its own.
        canary: The name of a planted bug, or None.
        auditor: Reads the exported logs of lying routers, or None.
    """

    only: tuple[str, ...] = ()
    crowd: bool = False
    canary: str | None = None
    auditor: Auditor | None = None

    def is_plain(self) -> bool:
        """Tell whether a seed is left to itself, so that many of them see all that there is."""
        return not self.only and not self.crowd

    def plan(self, seed: int) -> Plan:
        """Return the plan of a seed."""
        return draw_crowd(seed, self.only) if self.crowd else draw_only(seed, self.only)

    def run(self, plan: Plan, *, keep_lines: bool = False) -> Outcome:
        """Run a plan."""
        canary = None if self.canary is None else CANARIES[self.canary].make(plan.seed)
        return run_plan(plan, canary=canary, auditor=self.auditor, keep_lines=keep_lines)


PLAIN: Final = How()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedOutcome:
    """What one seed showed, small enough to send from process to process."""

    seed: int
    violation: Violation | None
    virtual_ms: int
    trace: str
    account: Account
    processor_s: float
    sometimes: dict[str, int] = field(repr=False)


def run_seed(seed: int, how: How = PLAIN) -> SeedOutcome:
    """Run the plan of a seed; every twentieth is run a second time, and must come out the same."""
    # Lines about lost links and full disks are what a soak is made of, and nobody reads them.
    logging.disable(logging.ERROR)
    began_s = time.process_time()
    plan = how.plan(seed)
    outcome = how.run(plan)
    took_s = time.process_time() - began_s
    violation = outcome.violation
    if violation is None and seed % _TWICE_EVERY == 0:
        violation = compare_runs(plan, outcome, how)
    return SeedOutcome(
        seed=seed,
        violation=violation,
        virtual_ms=outcome.virtual_ms,
        trace=outcome.trace,
        account=outcome.account,
        processor_s=took_s,
        sometimes=outcome.sometimes,
    )


def compare_runs(plan: Plan, outcome: Outcome, how: How = PLAIN) -> Violation | None:
    """Run a plan again; returns where it came out otherwise, or None if it did not."""
    if how.run(plan).trace == outcome.trace:
        return None
    one, other = (how.run(plan, keep_lines=True).lines for _ in range(2))
    for number, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            at_ms = int(left.partition(" ")[0])
            return Violation(REPEATED, at_ms, f"two runs part at entry {number}: {left[:200]} and {right[:200]}")
    return Violation(REPEATED, outcome.virtual_ms, f"two runs have {len(one)} and {len(other)} entries")


def run_seeds(first: int, count: int, *, jobs: int, how: How = PLAIN) -> Generator[SeedOutcome, None, None]:
    """Yield what each seed showed, in their order; whoever stops asking ends the processes."""
    seeds = range(first, first + count)
    if jobs == 1:
        yield from (run_seed(seed, how) for seed in seeds)
        return
    yield from spread(run_seed, ((seed, how) for seed in seeds), jobs=jobs)


def spread(work: Callable[..., R], calls: Iterable[tuple[object, ...]], *, jobs: int) -> Generator[R, None, None]:
    """Make calls in several processes, and yield what they return in their order; a few of them are under way."""
    waiting: deque[Future[R]] = deque()
    remaining = iter(calls)
    pool = ProcessPoolExecutor(max_workers=jobs, mp_context=get_context("spawn"), initializer=_leave_signals_alone)
    try:
        while True:
            waiting.extend(pool.submit(work, *call) for call in islice(remaining, jobs * _AHEAD - len(waiting)))
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _leave_signals_alone() -> None:
    """Ctrl-C goes to every process of a terminal; the first one ends the others when it has what they found."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def cut_down(plan: Plan, how: How = PLAIN, *, invariant: int, out_of_time: Callable[[], bool]) -> Plan:
    """Return the smallest plan found that breaks the same invariant.

    Args:
        plan: One that breaks it.
        how: As it was run.
        invariant: Which it breaks; one that says that two runs differ needs two runs of every candidate.
        out_of_time: Says when the smallest one so far will do.
    """

    def breaks(candidate: Plan) -> int | None:
        outcome = how.run(candidate)
        violation = outcome.violation
        if violation is None and invariant == REPEATED:
            violation = compare_runs(candidate, outcome, how)
        return None if violation is None else violation.invariant

    return shrink(plan, breaks, out_of_time=out_of_time)
