"""``sandiwara soak``: many seeds of work and faults in virtual time; what breaks is cut down and can be replayed."""

import argparse
import logging
import time
from pathlib import Path
from typing import Any, Final

from console.screen import console, plain, write_json
from scenarios.soak.draw import draw_plan
from scenarios.soak.fleet import (
    SEEDS_FOR_ALL_KINDS,
    SeedOutcome,
    cut_down,
    never_seen,
    run_seeds,
)
from scenarios.soak.invariants import INVARIANTS, Violation
from scenarios.soak.plan import Plan, read_plan
from scenarios.soak.run import run_plan
from schemas.errors import StoreError, UsageError

_SEEDS_MOST: Final = 1_000_000
_JOBS_MOST: Final = 256
_FAILURES_MOST: Final = 3  # each is cut down, which takes as long as hundreds of seeds


def run(arguments: argparse.Namespace) -> int:
    """Soak, or replay one plan.

    Raises:
        UsageError: If the numbers cannot be meant.
        InputError: If the plan cannot be read.
        StoreError: If a plan cannot be written.
    """
    logging.disable(logging.WARNING)
    try:
        return _replay(arguments) if arguments.plan is not None else _soak(arguments)
    finally:
        logging.disable(logging.NOTSET)


def _soak(arguments: argparse.Namespace) -> int:
    if not 1 <= arguments.seeds <= _SEEDS_MOST or not 1 <= arguments.jobs <= _JOBS_MOST or arguments.first < 0:
        msg = f"{arguments.seeds} seeds from {arguments.first} in {arguments.jobs} processes"
        raise UsageError(msg, remedy=f"1 to {_SEEDS_MOST} seeds, 1 to {_JOBS_MOST} processes, a first seed from 0")
    began = time.perf_counter()
    sometimes: dict[str, int] = {}
    failures: list[SeedOutcome] = []
    seeds = virtual_ms = 0
    for outcome in run_seeds(arguments.first, arguments.seeds, jobs=arguments.jobs):
        seeds += 1
        virtual_ms += outcome.virtual_ms
        for what, count in outcome.sometimes.items():
            sometimes[what] = sometimes.get(what, 0) + count
        if outcome.violation is not None:
            failures.append(outcome)
            if len(failures) == _FAILURES_MOST:
                break
    took_s = time.perf_counter() - began
    found = [_written(failure, Path(arguments.out)) for failure in failures]
    unseen = never_seen(sometimes) if seeds >= SEEDS_FOR_ALL_KINDS else []
    document = {
        "seeds": seeds,
        "first": arguments.first,
        "real_seconds": round(took_s, 1),
        "seeds_per_minute": round(seeds / took_s * 60),
        "times_real_time": round(virtual_ms / 1000 / took_s),
        "failures": found,
        "never_seen": unseen,
        "sometimes": dict(sorted(sometimes.items())),
    }
    if arguments.json:
        write_json(document)
    else:
        _show(document)
    return 1 if found or unseen else 0


def _written(failure: SeedOutcome, folder: Path) -> dict[str, Any]:
    """Cut the plan of a failure down, and write it where it can be replayed from."""
    assert failure.violation is not None
    plan = cut_down(draw_plan(failure.seed))
    path = folder / f"soak-{failure.seed}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(plan.model_dump_json(indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise StoreError(msg, remedy="choose another folder with --out") from error
    return {"seed": failure.seed, **_described(failure.violation), "plan": str(path), **_counted(plan)}


def _replay(arguments: argparse.Namespace) -> int:
    plan = read_plan(Path(arguments.plan))
    outcome = run_plan(plan)
    document: dict[str, Any] = {"plan": arguments.plan, "trace": outcome.trace, "virtual_ms": outcome.virtual_ms}
    document |= {"failure": None if outcome.violation is None else _described(outcome.violation), **_counted(plan)}
    if arguments.json:
        write_json(document)
    elif outcome.violation is None:
        console().print(
            plain(f"nothing broke in {outcome.virtual_ms / 1000:.0f} virtual seconds; trace {outcome.trace}")
        )
    else:
        _show_failure(document["failure"])
    return 0 if outcome.violation is None else 1


def _described(violation: Violation) -> dict[str, Any]:
    return {
        "invariant": violation.invariant,
        "must_hold": INVARIANTS[violation.invariant],
        "what": violation.text,
        "virtual_ms": violation.at_ms,
    }


def _counted(plan: Plan) -> dict[str, int]:
    return {"messages": len(plan.messages), "faults": len(plan.faults)}


def _show(document: dict[str, Any]) -> None:
    screen = console()
    screen.print(
        plain(
            f"{document['seeds']} seeds in {document['real_seconds']} s: {document['seeds_per_minute']} a minute, "
            f"{document['times_real_time']} times real time"
        )
    )
    faults = {name[6:]: count for name, count in document["sometimes"].items() if name.startswith("fault ")}
    screen.print(plain("faults: " + ", ".join(f"{name} {count}" for name, count in faults.items())))
    for failure in document["failures"]:
        screen.print(plain(f"seed {failure['seed']}, cut down to {failure['faults']} faults:", style="bold"))
        _show_failure(failure)
        screen.print(plain(f"  replay: sandiwara soak --plan {failure['plan']}"))
    if document["never_seen"]:
        screen.print(plain(f"never seen, so not tried: {', '.join(document['never_seen'])}", style="bold"))
    elif not document["failures"]:
        screen.print(plain("nothing broke"))


def _show_failure(failure: dict[str, Any]) -> None:
    screen = console()
    screen.print(plain(f"  must hold ({failure['invariant']}): {failure['must_hold']}"))
    screen.print(plain(f"  at {failure['virtual_ms'] / 1000:.3f} virtual seconds: {failure['what']}"))
