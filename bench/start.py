"""How long does ``sandiwara --help`` take? A command that people type must answer before they wonder."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.measure import Effort, read_arguments, report

_HELP_S_MAX = 0.3


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main(effort: Effort) -> None:
    runs = 2 if effort.quick else 10
    program = Path(sys.executable).with_name("sandiwara")
    # An empty Python beside it, in turn, says what of it is the interpreter's and the machine's.
    commands = {"help": [str(program), "--help"], "python-alone": [sys.executable, "-c", ""]}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            times[name].append(_seconds(command))
    alone = statistics.median(times["python-alone"])
    for name, seconds in times.items():
        median = statistics.median(seconds)
        limit = {"seconds_max": _HELP_S_MAX} if name == "help" else {}
        report(effort, "start", name, seconds=round(median, 3), ratio=round(median / alone, 1), **limit)


if __name__ == "__main__":
    main(read_arguments(__doc__ or ""))
