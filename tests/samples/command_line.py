"""The command as its users have it: a process of its own, with streams, signals and an exit code."""

import io
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Final
from unittest import mock

COMMAND: Final = (sys.executable, "-m", "console.cli")
HARBOUR_WATCH: Final = Path(__file__).parents[1] / "packs" / "harbour-watch.yaml"
LIMIT_S: Final = 60  # no test waits for it; a command that hangs ends by it


def environment(**changes: str) -> dict[str, str]:
    """Return this process's environment without what would change the output or give a password."""
    names = {"SANDIWARA_PASSWORD", "COLUMNS", "NO_COLOR", "FORCE_COLOR", "TERM"}
    kept = {name: value for name, value in os.environ.items() if name not in names}
    return kept | {"COLUMNS": "120", "PYTHONPATH": str(Path(__file__).parents[2])} | changes


def sandiwara(*words: str | Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with nobody at the keyboard."""
    return subprocess.run(
        [*COMMAND, *map(str, words)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
        env=environment(**changes),
    )


def at_once(*words: str | Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run a command in this process, which spares the half second of imports; for what neither serves nor waits."""
    from console.cli import main

    out, err = io.StringIO(), io.StringIO()
    root = logging.getLogger()
    kept, level, ending = root.handlers[:], root.level, signal.getsignal(signal.SIGTERM)
    try:
        changed = mock.patch.dict(os.environ, environment(**changes), clear=True)
        with changed, redirect_stdout(out), redirect_stderr(err):
            code = main(list(map(str, words)))
    finally:
        root.handlers[:] = kept
        root.setLevel(level)
        logging.captureWarnings(capture=False)
        signal.signal(signal.SIGTERM, ending)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def answer(*words: str | Path, code: int = 0) -> dict[str, Any]:
    """Run a command that succeeds and return its JSON document."""
    run = sandiwara(*words, "--json")
    assert code == run.returncode, run.stderr
    document: dict[str, Any] = json.loads(run.stdout)
    return document


class Running:
    """A command that goes on; what it writes on stdout is read line by line as JSON."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.seen: list[dict[str, Any]] = []

    def wait_for(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the first line, read before or to come, for which something holds."""
        for before in self.seen:
            if holds(before):
                return before
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event: dict[str, Any] = json.loads(line)
            self.seen.append(event)
            if holds(event):
                return event
        assert self.process.stderr is not None
        pytest_says = f"the command ended first: {self.seen} {self.process.stderr.read()}"
        raise AssertionError(pytest_says)

    def event(self, name: str, **fields: Any) -> dict[str, Any]:
        """Return the first event of a name with these fields."""
        return self.wait_for(
            lambda event: event["event"] == name and all(event.get(key) == value for key, value in fields.items())
        )


@contextmanager
def running(*words: str | Path, **changes: str) -> Iterator[Running]:
    """Keep a command running for the block; it is killed if it has not ended by then."""
    process = subprocess.Popen(
        [*COMMAND, *map(str, words), "--json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**changes),
    )
    try:
        yield Running(process)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
