"""Timing that can be believed on a machine that others use at the same time.

The cases of one question are run in turn, a small batch of each, again and again, and what is timed is the processor
time of this process. So a slow moment falls on all of them alike, and what is reported is a ratio inside one run: how
many Ed25519 verifies a thing costs. Microseconds are given too; they belong to the machine.
"""

import argparse
import gc
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import nacl

from sealing.entropy import SystemEntropy
from sealing.keys import new_sign_pair
from sealing.primitives import SIGN_RELEASE, sign, verify

UNIT: Final = "verify"
_CALIBRATION_S: Final = 0.002  # a call is repeated until this long, to learn how many make up a batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long to measure: ``rounds`` batches of each case, each of about ``batch_s`` of processor time."""

    rounds: int
    batch_s: float
    quick: bool
    json: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a case costs: the median of its batches, and its ratio to the unit with the quartiles over the rounds."""

    us: float
    ratio: float
    ratio_low: float
    ratio_high: float


def read_arguments(description: str) -> Effort:
    """Read what every measurement understands: ``--quick`` and ``--json``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="few and small cases: does it run, not how fast")
    parser.add_argument("--json", action="store_true", help="JSON lines even where the output is a terminal")
    arguments = parser.parse_args()
    quick: bool = arguments.quick
    as_json: bool = arguments.json or not sys.stdout.isatty()
    if quick:
        return Effort(rounds=3, batch_s=0.001, quick=True, json=as_json)
    return Effort(rounds=41, batch_s=0.01, quick=False, json=as_json)


def interleave(cases: Mapping[str, Callable[[], object]], effort: Effort, *, unit: str = UNIT) -> dict[str, Cost]:
    """Time cases in turn.

    Args:
        cases: What to time, by name; if ``unit`` is not among them, one Ed25519 verify is added as the unit.
        effort: For how long.
        unit: The case that ratios are taken to.
    """
    timed = dict(cases)
    if unit not in timed:
        timed = {unit: one_verify(), **timed}
    calls = {name: _calls_in_a_batch(call, effort.batch_s) for name, call in timed.items()}
    batches: dict[str, list[float]] = {name: [] for name in timed}
    # The collector stays on, as it is in earnest; only what the set-up left behind is taken out of its way.
    gc.collect()
    gc.freeze()
    for _ in range(effort.rounds):
        for name, call in timed.items():
            batches[name].append(_time(call, calls[name]))
    gc.unfreeze()
    medians = {name: statistics.median(times) for name, times in batches.items()}
    return {name: _cost(batches[name], batches[unit], medians[name], medians[unit]) for name in timed}


def one_verify() -> Callable[[], None]:
    """Return the unit: the check of one Ed25519 signature over as much as a release is signed over."""
    entropy = SystemEntropy()
    pair = new_sign_pair(entropy)
    content = entropy.take(64)
    signature = sign(pair.secret, SIGN_RELEASE, content)
    return lambda: verify(pair.public, SIGN_RELEASE, content, signature)


def report(effort: Effort, bench: str, case: str, **figures: Any) -> None:
    """Print one case as one JSON line, or for people where a terminal is looked at."""
    if effort.json:
        print(json.dumps({"bench": bench, "case": case, **figures, **surroundings()}), flush=True)
        return
    told = "  ".join(f"{name} {_rounded(value)}" for name, value in figures.items())
    print(f"{bench:16} {case:28} {told}", flush=True)


def report_costs(effort: Effort, bench: str, costs: Mapping[str, Cost], **targets: float) -> None:
    """Print timed cases; ``targets`` names, for some of them, the most they may cost, in the unit."""
    for case, cost in costs.items():
        figures: dict[str, Any] = {
            "us": round(cost.us, 2),
            "ratio": round(cost.ratio, 3),
            "ratio_quartiles": [round(cost.ratio_low, 3), round(cost.ratio_high, 3)],
        }
        if case in targets:
            figures["ratio_max"] = targets[case]
        report(effort, bench, case, **figures)


def surroundings() -> dict[str, Any]:
    """Return what a figure belongs to: the versions, the machine, and how busy it was with other things."""
    return {
        "python": platform.python_version(),
        # PyNaCl links libsodium in and passes no question about its version on, so its own stands for both.
        "pynacl": nacl.__version__,
        "cores": len(os.sched_getaffinity(0)),
        "load": [round(load, 2) for load in os.getloadavg()],
    }


def resident_mib(process_id: int) -> float:
    """Return the resident memory of a process, MiB."""
    with open(f"/proc/{process_id}/status", encoding="ascii") as status:  # noqa: PTH123 -- no file, a question
        line = next(line for line in status if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def peak_mib(process_id: int) -> float:
    """Return the most memory that a process has had resident, MiB."""
    with open(f"/proc/{process_id}/status", encoding="ascii") as status:  # noqa: PTH123 -- no file, a question
        line = next(line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def processor_s(process_id: int) -> float:
    """Return the processor time that a process has used, user and system, seconds."""
    with open(f"/proc/{process_id}/stat", encoding="ascii") as stat:  # noqa: PTH123 -- no file, a question
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _calls_in_a_batch(call: Callable[[], object], batch_s: float) -> int:
    calls = 1
    spent = _time(call, calls) * calls
    while spent < min(_CALIBRATION_S, batch_s):
        calls *= 4
        spent = _time(call, calls) * calls
    return max(1, round(batch_s * calls / spent))


def _time(call: Callable[[], object], calls: int) -> float:
    """Return processor seconds per call."""
    began = time.process_time_ns()
    for _ in range(calls):
        call()
    return (time.process_time_ns() - began) / calls / 1e9


def _cost(batches: list[float], unit_batches: list[float], median: float, unit_median: float) -> Cost:
    ratios = sorted(mine / its for mine, its in zip(batches, unit_batches, strict=True))
    low, _, high = statistics.quantiles(ratios, n=4)
    return Cost(us=median * 1e6, ratio=median / unit_median, ratio_low=low, ratio_high=high)


def _rounded(value: object) -> object:
    return round(value, 3) if isinstance(value, float) else value
