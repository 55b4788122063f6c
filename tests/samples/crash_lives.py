"""A deployed region whose processes can be killed anywhere: the commands' own functions, each in a process of its own.

A process is told the point of ``transport.failpoints`` at which it kills itself, by signal 9 and without a word; or it
is killed from outside at any moment. Databases, MQTT and the command line are those of earnest. Three things are not:
processes are forked from one that has the imports done, key files are locked by throwaway parameters, since a thousand
starts would take an hour of argon2id, and a node whose broker has gone looks for it again at once.
"""

import contextlib
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from unittest import mock

from agencies.node import NodeTimings
from console.spool import CAUSE
from scenarios import deployment
from sealing.keyfile import UNSAFE_THROWAWAY
from tests.samples.command_line import HARBOUR_WATCH, at_once
from tests.samples.crash_account import NODES, Account, Handed
from tests.samples.wire import Wire, on_the_wire
from transport.clock import SystemClock
from transport.failpoints import Point

T = TypeVar("T")
PASSWORD: Final = "correct horse battery"
BROKER: Final = "broker"
LIMIT_S: Final = 60.0  # no test waits for it; what hangs ends by it
TIMINGS: Final = NodeTimings(receipt_gather_s=0.05, retry_least_s=0.02, retry_most_s=0.1)
_LOOK_S: Final = 0.005
_REPORT: Final = """\
title: {title}
tlp: AMBER
level: EX-UNCLAS
topic: toc.robbery-at-sea
affected: [IDN, MYS]
text: The robbers left northward in a grey skiff at four.
"""

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["console.broker_process", "console.node_process", "console.cli", "console.logs"])


class Countdown:
    """Kills its own process when it comes to a point for the n-th time."""

    def __init__(self, point: Point, count: int) -> None:
        self._point = point
        self._left = count

    def __call__(self, point: Point) -> None:
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def _live(words: tuple[str, ...], output: str, armed: tuple[Point, int] | None) -> None:
    """Be one command; what it writes goes to a file."""
    for stream, name in ((1, output), (2, output + ".errors")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), stream)
    from console import node_process
    from console.cli import main
    from scenarios import deployed_node
    from transport.disk import Database

    deployed_node.MODERATE = UNSAFE_THROWAWAY  # type: ignore[attr-defined] # so a key file that is written anew opens fast
    node_process.make_node = partial(deployed_node.make_node, timings=TIMINGS)  # type: ignore[attr-defined] # handed in
    os.environ["SANDIWARA_PASSWORD"] = PASSWORD
    if armed is not None:
        Database.passing = staticmethod(Countdown(*armed))
    sys.exit(main(list(words)))


class Life:
    """One process of the region, from its start to its end."""

    def __init__(self, words: tuple[str, ...], output: Path, armed: tuple[Point, int] | None) -> None:
        self._output = output
        self._process = _FORKS.Process(target=_live, args=(words, str(output), armed), daemon=True)
        self._process.start()

    def events(self) -> list[dict[str, Any]]:
        """Return what the command has said so far; a line that a kill cut short is nothing that it said."""
        if not self._output.exists():
            return []
        whole, _, _ = self._output.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def event(self, name: str) -> dict[str, Any]:
        """Wait for an event of a name."""

        def found() -> dict[str, Any] | None:
            if not self._process.is_alive():
                raise AssertionError(self.errors())
            return next((event for event in self.events() if event["event"] == name), None)

        return wait_for(found, f"{name} of {self._output.name}")

    def errors(self) -> str:
        """Return what it has said on stderr so far."""
        return self._output.with_name(self._output.name + ".errors").read_text()

    def killed(self, prompt: Callable[[], None]) -> None:
        """Wait until it has died at its point; what prompts it is done again each second, for a point may need time."""
        for _ in range(round(LIMIT_S)):
            prompt()
            self._process.join(1)
            if not self._process.is_alive():
                break
        assert -signal.SIGKILL == self._process.exitcode, (
            f"{self._output.name} did not come to its point: {self.errors()}"
        )

    def kill(self) -> None:
        """Kill it from outside, wherever it is."""
        self._process.kill()
        self._process.join()

    def join(self) -> None:
        """Wait until it has ended by itself."""
        self._process.join(LIMIT_S)
        assert 0 == self._process.exitcode, f"{self._output.name}: {self.errors()}"

    def end(self) -> int | None:
        """Tell it to end, and return its exit code."""
        self._process.terminate()
        self._process.join(LIMIT_S)
        return self._process.exitcode


def wait_for(look: Callable[[], T | None], what: str) -> T:
    """Look until something is there."""
    clock = SystemClock()
    limit_ms = clock.now_ms() + LIMIT_S * 1_000
    while clock.now_ms() < limit_ms:
        found = look()
        if found is not None:
            return found
        time.sleep(_LOOK_S)
    msg = f"still no {what} after {LIMIT_S:.0f} s"
    raise AssertionError(msg)


class CrashRegion:
    """The processes of one region, and what was asked of them.

    Attributes:
        folder: As ``init`` made it.
        lives: The processes that run, by name.
        handed: The reports that were handed over to nodes.
    """

    def __init__(self, folder: Path, outputs: Path, wire: Wire) -> None:
        self.folder = folder
        self.lives: dict[str, Life] = {}
        self.handed: list[Handed] = []
        self._outputs = outputs
        self._wire = wire
        self._started = 0

    def start(self, name: str, armed: tuple[Point, int] | None = None, *more: str) -> Life:
        """Start the broker or a node, perhaps with a point at which it dies."""
        if name == BROKER:
            words = ("broker", str(self.folder), "--port", "0", "--json", *more)
        else:
            words = ("node", str(self.folder), name, "--broker", f"127.0.0.1:{self._wire.port}", "--json", *more)
        self._started += 1
        life = self.lives[name] = Life(words, self._outputs / f"{name}-{self._started:04d}", armed)
        if name == BROKER:
            self._wire.to = life.event("listening")["port"]
        return life

    def start_all(self) -> None:
        """Start everybody who takes part; returns once each has had its link."""
        for name in (BROKER, *NODES):
            self.start(name)
        for name in NODES:
            self.lives[name].event("link_up")

    def report(self) -> Path:
        """Write a report to be sent."""
        file = self._outputs / "report.yaml"
        file.write_text(_REPORT.format(title=f"Report {len(self.handed) + 1}"))
        return file

    def hand_over(self, author: str, count: int = 1) -> None:
        """Hand reports to an agency's node, by the command."""
        for _ in range(count):
            said = at_once("send", self.folder, author, self.report(), "--json")
            assert said.returncode == 0, said.stderr
            answer = json.loads(said.stdout)
            readers = tuple(answer["readers"])
            self.handed.append(Handed(author=author, cause=CAUSE + Path(answer["file"]).name, readers=readers))

    def told(self, agency: str, event: str) -> set[str]:
        """Return the ids in the events of a name that all lives of an agency wrote."""
        outputs = [path for path in self._outputs.glob(f"{agency}-*") if path.suffix != ".errors"]
        lines = [line for path in outputs for line in path.read_text().rpartition("\n")[0].splitlines()]
        return {found["hid"] for found in map(json.loads, lines) if found["event"] == event}

    def settle(self) -> "Account":
        """Bring to an end what is under way, stop everything, and return what is on all disks."""
        for name in NODES:
            self.lives[name].event("link_up")  # before, it might not yet have learnt to end when it is told to
            assert self.lives.pop(name).end() == 0

        def settled() -> Account | None:
            fetching = [self.start(name, None, "--once", "--within", f"{LIMIT_S:.0f}s") for name in NODES]
            for life in fetching:
                life.join()
            self.lives[BROKER].end()
            account = Account(self.folder)
            if account.unfinished():
                self.start(BROKER)
                return None
            return account

        return wait_for(settled, "end of what is under way")

    def kill_all(self) -> None:
        """Kill whatever runs."""
        for life in self.lives.values():
            life.kill()
        self.lives.clear()


@contextlib.contextmanager
def crash_region(folder: Path) -> Iterator[CrashRegion]:
    """Make a region whose processes run no longer than the block."""
    folder.mkdir()
    with mock.patch.object(deployment, "MODERATE", UNSAFE_THROWAWAY):
        made = at_once("init", folder / "region", "--pack", HARBOUR_WATCH, SANDIWARA_PASSWORD=PASSWORD)
    assert made.returncode == 0, made.stderr
    (folder / "outputs").mkdir()
    with on_the_wire(0) as wire:
        region = CrashRegion(folder / "region", folder / "outputs", wire)
        try:
            yield region
        finally:
            region.kill_all()
