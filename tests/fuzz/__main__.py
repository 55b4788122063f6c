"""Fuzz the readers for longer than a test may: ``python -m tests.fuzz --seconds 600 [--target frame-up]``.

Prints a line of JSON for each target; whatever is found is written as a file that ``--input FILE`` runs again. With
``--engine atheris`` (``pip install atheris``; Apache-2.0, for some Pythons only) libFuzzer guides the search, some
hundred times faster for small inputs, with the same mutations beside its own.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

from tests.fuzz.amplifiers import AMPLIFIERS
from tests.fuzz.loop import Outcome, fuzz
from tests.fuzz.targets import TARGETS


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="in all, shared by the targets")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="one target; may be given again")
    parser.add_argument("--seed", type=int, default=1, help="decides the mutations of our own loop")
    parser.add_argument("--engine", choices=("own", "atheris"), default="own")
    parser.add_argument("--out", type=Path, default=Path("out/fuzz"), help="where finds are written")
    parser.add_argument("--input", type=Path, help="run this file through the one target that is given, and end")
    parser.add_argument("--largest", action="store_true", help="show what the largest inputs cost, and end")
    return parser.parse_args()


def _written(outcome: Outcome, folder: Path) -> dict[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{outcome.target}-slowest").write_bytes(outcome.slowest)
    names: dict[str, str] = {}
    for place, received in outcome.finds.items():
        path = folder / f"{outcome.target}-{hashlib.blake2b(received, digest_size=6).hexdigest()}"
        path.write_bytes(received)
        names[str(path)] = place
    return names


def _report(outcome: Outcome, folder: Path) -> None:
    line = {
        "target": outcome.target, "runs": outcome.runs, "passed": outcome.passed, "seconds": round(outcome.seconds, 1),
        "lines": outcome.lines, "corpus": outcome.corpus, "slowest_ms": round(outcome.slowest_ms, 1),
        "slowest_bytes": len(outcome.slowest), "finds": _written(outcome, folder),
    }  # fmt: skip
    print(json.dumps(line), flush=True)  # noqa: T201 -- a command's output


def _show_largest(names: list[str]) -> None:
    """Print for each kind of largest input how long its refusal takes, and the most memory it holds meanwhile."""
    for name in (each for each in names if each in AMPLIFIERS):
        target = TARGETS[name]
        target.run(target.samples()[0])
        for kind, received in AMPLIFIERS[name]().items():
            begin = time.perf_counter()
            passed = target.run(received)
            took_ms = (time.perf_counter() - begin) * 1_000
            tracemalloc.start()
            target.run(received)
            _now, peak_bytes = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            line = {
                "target": name, "kind": kind, "bytes": len(received), "passed": passed, "ms": round(took_ms, 1),
                "peak_mib": round(peak_bytes / 1024**2, 1),
            }  # fmt: skip
            print(json.dumps(line), flush=True)  # noqa: T201 -- a command's output


def main() -> int:
    """Run the command; 1 if anything was found."""
    arguments = _arguments()
    names: list[str] = arguments.target or list(TARGETS)
    if arguments.input is not None:
        return 0 if TARGETS[names[0]].run(arguments.input.read_bytes()) else 1
    if arguments.largest:
        _show_largest(names)
        return 0
    share_s = arguments.seconds / len(names)
    if arguments.engine == "atheris":
        # LibFuzzer ends its process, so each target has one.
        command = [sys.executable, "-m", "tests.fuzz.with_atheris"]
        ends = [subprocess.run([*command, name, str(share_s), str(arguments.out)], check=False) for name in names]
        return max(int(end.returncode != 0) for end in ends)
    outcomes = []
    for name in names:
        outcomes.append(fuzz(TARGETS[name], seconds=share_s, seed=arguments.seed))
        _report(outcomes[-1], arguments.out)
    return int(any(outcome.finds for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
