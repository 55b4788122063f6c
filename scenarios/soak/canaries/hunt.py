"""The hunt for a planted bug: by the plan that was kept of it, or by a soak that knows nothing of it."""

from dataclasses import dataclass
from pathlib import Path

from scenarios.soak.canaries.catalogue import CANARIES
from scenarios.soak.fleet import How, compare_runs, run_seed
from scenarios.soak.invariants import Violation
from scenarios.soak.plan import read_plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunted:
    """What became of the hunt for one planted bug.

    Attributes:
        canary: Its name.
        seed: The seed that found it, or None.
        by_seed: What that seed broke.
        seeds: How many were run.
        plan: The plan that was kept of it, or None where there is none.
        by_plan: What that plan broke.
    """

    canary: str
    seed: int | None
    by_seed: Violation | None
    seeds: int
    plan: str | None
    by_plan: Violation | None

    @property
    def found(self) -> bool:
        """Whether anything found it."""
        return self.by_seed is not None or self.by_plan is not None


def kept_plan(canary: str, corpus: Path) -> Path:
    """Return where the plan of a planted bug is kept."""
    return corpus / f"canary-{canary.replace(' ', '-')}.json"


def hunt(canary: str, first: int = 0, corpus: Path | None = None) -> Hunted:
    """Run the plan that was kept of a planted bug, then seed after seed until one finds it too.

    Args:
        canary: Its name.
        first: The first seed.
        corpus: The folder of kept plans, if there is one.

    Raises:
        InputError: If its plan cannot be read.
    """
    how = How(canary=canary)
    path = None if corpus is None else kept_plan(canary, corpus)
    if path is not None and not path.exists():
        path = None
    by_plan = None if path is None else try_plan(path, how)
    seed, by_seed, seeds = None, None, 0
    while by_seed is None and seeds < CANARIES[canary].seeds_most:
        seed = first + seeds
        by_seed = run_seed(seed, how).violation
        seeds += 1
    return Hunted(
        canary=canary,
        seed=seed if by_seed is not None else None,
        by_seed=by_seed,
        seeds=seeds,
        plan=None if path is None else str(path),
        by_plan=by_plan,
    )


def try_plan(path: Path, how: How) -> Violation | None:
    """Run a plan, and once more if nothing broke, since the bug may be that two runs differ; returns what broke.

    Raises:
        InputError: If the plan cannot be read.
    """
    plan = read_plan(path)
    outcome = how.run(plan)
    return outcome.violation or compare_runs(plan, outcome, how)
