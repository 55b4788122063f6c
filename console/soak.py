"""``sandiwara soak``: many seeds of work and faults in virtual time; what breaks is cut down and can be replayed."""

import argparse
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from conformance.audit_reading import Finding
from conformance.audit_verifier import verify_folder
from console.screen import Progress, console, plain, progress, write_json
from console.soak_view import show_canaries, show_failure, show_soak
from scenarios.soak.canaries.catalogue import CANARIES
from scenarios.soak.canaries.hunt import Hunted, hunt
from scenarios.soak.expected import never_seen
from scenarios.soak.figures import Figures
from scenarios.soak.fleet import How, SeedOutcome, cut_down, run_seeds, spread
from scenarios.soak.invariants import INVARIANTS, TRIED, Violation
from scenarios.soak.only import check_kinds
from scenarios.soak.plan import Plan, read_plan
from scenarios.soak.shrink import SECONDS_MOST
from schemas.errors import StoreError, UsageError

_SEEDS_MOST: Final = 1_000_000
_JOBS_MOST: Final = 256
_FAILURES_MOST: Final = 3  # each is cut down, which takes as long as hundreds of seeds
_TOLD_AFTER_S: Final = 2.0
_TOLD_EVERY_S: Final = 30.0  # where a line cannot be written over
_INTERRUPTED: Final = 130


def run(arguments: argparse.Namespace) -> int:
    """Soak, hunt planted bugs, or replay one plan.

    Raises:
        UsageError: If the numbers or kinds cannot be meant.
        InputError: If a plan cannot be read.
        StoreError: If a plan cannot be written.
    """
    if not 1 <= arguments.seeds <= _SEEDS_MOST or not 1 <= arguments.jobs <= _JOBS_MOST or arguments.first < 0:
        msg = f"{arguments.seeds} seeds from {arguments.first} in {arguments.jobs} processes"
        raise UsageError(msg, remedy=f"1 to {_SEEDS_MOST} seeds, 1 to {_JOBS_MOST} processes, a first seed from 0")
    logging.disable(logging.ERROR)
    try:
        if arguments.plan is not None:
            return _replay(arguments)
        return _hunt(arguments) if arguments.canaries else _Soak(arguments).run()
    finally:
        logging.disable(logging.NOTSET)


def audit_log(folder: Path) -> Sequence[Finding]:
    """Return what the verifier finds in an exported log."""
    return verify_folder(folder).findings


class _Soak:
    """One soak, from its first seed to its figures; Ctrl-C ends it with what it has found so far."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._first: int = arguments.first
        self._seeds: int = arguments.seeds
        self._jobs: int = arguments.jobs
        self._folder = Path(arguments.out)
        self._json: bool = arguments.json
        only = tuple(sorted({kind for kind in arguments.only.split(",") if kind}))
        check_kinds(only)
        self._how = How(only=only, crowd=arguments.crowd, auditor=audit_log)
        self._figures = Figures()
        self._failures: list[dict[str, Any]] = []
        self._interrupted = False

    def run(self) -> int:
        """Run the seeds, show what came of them, and return the exit code."""
        began_s = time.perf_counter()
        failures = self._run_seeds()
        took_s = time.perf_counter() - began_s
        for failure in failures:
            self._failures.append(self._written(failure))
        document = self._document(took_s)
        if self._json:
            write_json(document)
        else:
            show_soak(document)
        if self._interrupted:
            return _INTERRUPTED
        return 1 if document["failures"] or document["never_seen"] else 0

    def _run_seeds(self) -> list[SeedOutcome]:
        failures: list[SeedOutcome] = []
        outcomes = run_seeds(self._first, self._seeds, jobs=self._jobs, how=self._how)
        with _telling() as told, closing(outcomes):
            try:
                for outcome in outcomes:
                    self._figures.add(
                        outcome.sometimes,
                        outcome.account,
                        virtual_ms=outcome.virtual_ms,
                        processor_s=outcome.processor_s,
                    )
                    if outcome.violation is not None:
                        failures.append(outcome)
                    told.now(f"{self._figures.seeds} of {self._seeds} seeds, {len(failures)} broke something")
                    if len(failures) == _FAILURES_MOST:
                        break
            except KeyboardInterrupt:
                self._interrupted = True
        return failures

    def _written(self, failure: SeedOutcome) -> dict[str, Any]:
        """Write the plan of a failure, and write it again when it has been cut down."""
        assert failure.violation is not None
        path = self._folder / f"soak-{failure.seed}.json"
        plan = self._how.plan(failure.seed)
        _write_plan(plan, path)
        cut = False
        if not self._interrupted:
            end_s = time.perf_counter() + SECONDS_MOST
            try:
                plan = cut_down(
                    plan,
                    self._how,
                    invariant=failure.violation.invariant,
                    out_of_time=lambda: time.perf_counter() >= end_s,
                )
                _write_plan(plan, path)
                cut = True
            except KeyboardInterrupt:
                self._interrupted = True
        return {
            "seed": failure.seed, **_described(failure.violation), "plan": str(path), "cut": cut, **_counted(plan),
        }  # fmt: skip

    def _document(self, took_s: float) -> dict[str, Any]:
        figures = self._figures
        return {
            "seeds": figures.seeds,
            "first": self._first,
            "jobs": self._jobs,
            "only": list(self._how.only),
            "crowd": self._how.crowd,
            "interrupted": self._interrupted,
            "real_seconds": round(took_s, 1),
            "seeds_per_minute": round(figures.seeds / took_s * 60),
            "seeds_per_minute_per_core": figures.seeds_per_minute_per_core(),
            "times_real_time": round(figures.virtual_ms / 1000 / took_s),
            "failures": self._failures,
            "must_be_tried": INVARIANTS[TRIED],
            "never_seen": never_seen(figures.sometimes, seeds=figures.seeds) if self._how.is_plain() else [],
            "by_fault": figures.document(),
            "sometimes": dict(sorted(figures.sometimes.items())),
        }


def _replay(arguments: argparse.Namespace) -> int:
    plan = read_plan(Path(arguments.plan))
    outcome = How(auditor=audit_log).run(plan)
    document: dict[str, Any] = {"plan": arguments.plan, "trace": outcome.trace, "virtual_ms": outcome.virtual_ms}
    document |= {"failure": None if outcome.violation is None else _described(outcome.violation), **_counted(plan)}
    if arguments.json:
        write_json(document)
    elif outcome.violation is None:
        console().print(
            plain(f"nothing broke in {outcome.virtual_ms / 1000:.0f} virtual seconds; trace {outcome.trace}")
        )
    else:
        show_failure(document["failure"])
    return 0 if outcome.violation is None else 1


def _hunt(arguments: argparse.Namespace) -> int:
    """Plant one bug after the other; every one must be found."""
    corpus = None if arguments.corpus is None else Path(arguments.corpus)
    calls = [(name, arguments.first, corpus) for name in CANARIES]
    hunted: list[Hunted] = []
    interrupted = False
    with _telling() as told:
        try:
            if arguments.jobs == 1:
                outcomes = (hunt(*call) for call in calls)
                hunted.extend(_told(outcomes, told))
            else:
                with closing(spread(hunt, calls, jobs=arguments.jobs)) as several:
                    hunted.extend(_told(several, told))
        except KeyboardInterrupt:
            interrupted = True
    document = {
        "first": arguments.first,
        "interrupted": interrupted,
        "found": sum(item.found for item in hunted),
        "canaries": [_of_hunt(item) for item in hunted],
    }
    if arguments.json:
        write_json(document)
    else:
        show_canaries(document)
    if interrupted:
        return _INTERRUPTED
    return 0 if document["found"] == len(CANARIES) else 1


def _told(outcomes: Iterator[Hunted], told: "_Telling") -> Iterator[Hunted]:
    for number, outcome in enumerate(outcomes, start=1):
        told.now(f"{number} of {len(CANARIES)} planted bugs: {outcome.canary}")
        yield outcome


def _of_hunt(hunted: Hunted) -> dict[str, Any]:
    return {
        "canary": hunted.canary,
        "bug": CANARIES[hunted.canary].text,
        "found": hunted.found,
        "seed": hunted.seed,
        "seeds": hunted.seeds,
        "seeds_most": CANARIES[hunted.canary].seeds_most,
        "by_seed": None if hunted.by_seed is None else _described(hunted.by_seed),
        "plan": hunted.plan,
        "by_plan": None if hunted.by_plan is None else _described(hunted.by_plan),
    }


def _write_plan(plan: Plan, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(plan.model_dump_json(indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise StoreError(msg, remedy="choose another folder with --out") from error


def _described(violation: Violation) -> dict[str, Any]:
    return {
        "invariant": violation.invariant,
        "must_hold": INVARIANTS[violation.invariant],
        "what": violation.text,
        "virtual_ms": violation.at_ms,
    }


def _counted(plan: Plan) -> dict[str, int]:
    return {"messages": len(plan.messages), "faults": len(plan.faults) + len(plan.hostility)}


class _Telling:
    """Says how far it is, once that has taken long enough for somebody to ask."""

    def __init__(self, shown: Progress) -> None:
        self._shown = shown
        self._next_s = time.perf_counter() + _TOLD_AFTER_S

    def now(self, text: str) -> None:
        """Say it, if it is time."""
        now_s = time.perf_counter()
        if now_s >= self._next_s:
            self._next_s = now_s + (0 if self._shown.moves else _TOLD_EVERY_S)
            self._shown.step(text)


@contextmanager
def _telling() -> Iterator[_Telling]:
    with progress() as shown:
        yield _Telling(shown)
