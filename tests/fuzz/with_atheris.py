"""One target under libFuzzer, by way of atheris: ``python -m tests.fuzz.with_atheris TARGET SECONDS OUT``.

Not a dependency of the project: it comes as a wheel for some Pythons only. What is found is gathered as our own loop
does, so one find does not end the search.
"""

import importlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from random import Random  # noqa: TID251 -- the stream of a seed that libFuzzer gives
from typing import Any

_ROOMS = ("schemas", "sealing", "policy", "transport", "broker", "agencies", "scenarios", "conformance", "console")
_OURS = 3  # of five mutations, those that know what the bytes mean


def main(name: str, seconds: float, out: Path) -> None:
    """Fuzz, print one line of JSON, and end the process: 1 if anything was found."""
    try:
        atheris: Any = importlib.import_module("atheris")
    except ImportError:
        sys.exit("atheris is not installed: run 'pip install atheris', or leave --engine out")
    with atheris.instrument_imports(include=list(_ROOMS), enable_loader_override=False):
        targets = importlib.import_module("tests.fuzz.targets").TARGETS
    loop: Any = importlib.import_module("tests.fuzz.loop")
    mutations: Any = importlib.import_module("tests.fuzz.mutations")
    target, found = targets[name], loop.Outcome(target=name)
    samples = list(target.samples())
    begin = time.perf_counter()

    def one(received: bytes) -> None:
        now = time.perf_counter()
        if now - begin > seconds:
            found.seconds = now - begin
            _end(found, out)
        try:
            found.passed += target.run(received)
        except Exception as error:  # noqa: BLE001 -- every exception that is not a refusal is what is looked for
            found.finds.setdefault(loop.place_of(error), received)
        found.runs += 1
        took_ms = (time.perf_counter() - now) * 1_000
        if took_ms > found.slowest_ms:
            found.slowest_ms, found.slowest = took_ms, received

    def mutate(received: bytes, size_max: int, seed: int) -> bytes:
        chance = Random(seed)  # noqa: S311 -- a stream that is drawn again from its seed
        if chance.randrange(5) >= _OURS:
            return bytes(atheris.Mutate(received, size_max))
        steps = [
            (chance.randrange(256), chance.randrange(1 << 24), chance.randrange(1 << 24))
            for _ in range(chance.randint(1, 3))
        ]
        return bytes(mutations.mutate(received, steps, chance.choice(samples))[:size_max])

    with tempfile.TemporaryDirectory() as corpus:
        for number, sample in enumerate(samples):
            (Path(corpus) / str(number)).write_bytes(sample)
        quiet = ["-verbosity=0", "-print_final_stats=0", "-max_len=65536", "-timeout=60", "-rss_limit_mb=2048"]
        atheris.Setup([sys.argv[0], *quiet, corpus], one, custom_mutator=mutate)
        atheris.Fuzz()


def _end(found: Any, out: Path) -> None:
    folder = out / found.target
    folder.mkdir(parents=True, exist_ok=True)
    names = {}
    for number, (place, received) in enumerate(found.finds.items()):
        (folder / str(number)).write_bytes(received)
        names[str(folder / str(number))] = place
    (folder / "slowest").write_bytes(found.slowest)
    line = {
        "target": found.target,
        "engine": "atheris",
        "runs": found.runs,
        "passed": found.passed,
        "seconds": round(found.seconds, 1),
        "slowest_ms": round(found.slowest_ms, 1),
        "slowest_bytes": len(found.slowest),
        "finds": names,
    }
    print(json.dumps(line), flush=True)  # noqa: T201 -- a command's output
    os._exit(int(bool(found.finds)))  # libFuzzer has no other end that keeps our exit code


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]))
