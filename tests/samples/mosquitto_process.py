"""A real Mosquitto, started for a test on a free port of loopback, with the files that we render for it."""

import asyncio
import os
import shutil
import signal
import socket
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from broker.listen import Address

_PORTS_TRIED = 10
_WITHIN_S = 30
_LINES_KEPT = 400


def mosquitto_program() -> str:
    """Return the path of Mosquitto; the test is skipped without it."""
    path = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if path is None:
        pytest.skip("mosquitto is missing: install the package mosquitto")
    return path


class Mosquitto:
    """A running one."""

    def __init__(self, process: asyncio.subprocess.Process, address: Address) -> None:
        self._process = process
        self.address = address
        self.said: deque[str] = deque(maxlen=_LINES_KEPT)
        self.ready = asyncio.Event()

    async def read(self) -> None:
        """Read what it says to its end."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.said.append(line.decode(errors="replace").rstrip())
            if line.rstrip().endswith(b"running"):
                self.ready.set()
        self.ready.set()

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self.runs:
            self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end."""
        return await self._process.wait()


@asynccontextmanager
async def running_mosquitto(write: Callable[[int], Path]) -> AsyncGenerator[Mosquitto, None]:
    """Run Mosquitto while the block runs; its end is a kill.

    Args:
        write: Writes its files for this port and returns the configuration's path. Called again with another port
            where somebody else took the first between our look and its start.
    """
    program = mosquitto_program()
    said: list[str] = []
    for _ in range(_PORTS_TRIED):
        port = _port_that_was_free()
        path = await asyncio.to_thread(_for_whoever_runs_this, write(port))
        process = await asyncio.create_subprocess_exec(
            program, "-v", "-c", str(path), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        mosquitto = Mosquitto(process, Address("127.0.0.1", port))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(mosquitto.read(), name="mosquitto-said")
            try:
                async with asyncio.timeout(_WITHIN_S):
                    await mosquitto.ready.wait()
                if any(line.endswith("running") for line in mosquitto.said):
                    yield mosquitto
                    return
            finally:
                mosquitto.signal(signal.SIGKILL)
                await mosquitto.ended()
        said = list(mosquitto.said)
    pytest.fail("mosquitto does not start:\n" + "\n".join(said))


def _port_that_was_free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port


def _for_whoever_runs_this(path: Path) -> Path:
    """Let Mosquitto stay root where a test is: it would become another user, who may not read files of mode 0600."""
    if os.geteuid() != 0:
        return path
    copy = path.with_name("as-root.conf")
    copy.write_text("user root\n" + path.read_text())
    return copy
