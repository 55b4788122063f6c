"""A real Mosquitto in front of a region's folder, in a process that the test can kill and start again.

For tests that run commands and wait for their lines; those on the event loop take ``mosquitto_process``.
"""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scenarios.deployment import BROKER, LINKS_FILE, NODES
from scenarios.enrolment import ROUTER
from scenarios.mosquitto import (
    ACCESS_FILE,
    AUTHORITY_FILE,
    BROKER_CERTIFICATE_FILE,
    BROKER_CERTIFICATE_KEY_FILE,
    CONFIGURATION_FILE,
    PASSWORDS_FILE,
    Listener,
    access_text,
    configuration_text,
    passwords_text,
)
from tests.samples.mosquitto_process import mosquitto_program

_PORTS_TRIED = 10
_WITHIN_S = 30


class MosquittoOfRegion:
    """Mosquitto with the rights and passwords of a region that ``init`` made.

    Args:
        region: The region's folder.
        folder: Where its own files go.
        tls: Whether it speaks TLS and asks for certificates.
    """

    def __init__(self, region: Path, folder: Path, *, tls: bool = False) -> None:
        self._program = mosquitto_program()
        self._region = region
        self._folder = folder
        self._tls = tls
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.agencies = sorted(path.name for path in (region / NODES).iterdir())
        folder.mkdir()

    def start(self) -> int:
        """Start it on a port that was free a moment ago, on another where somebody was quicker; returns the port."""
        for _ in range(_PORTS_TRIED):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
            configuration = self._write()
            with (self._folder / "said").open("wb") as said:
                self._process = subprocess.Popen(
                    [self._program, "-v", "-c", str(configuration)], stdout=said, stderr=subprocess.STDOUT
                )
            if self._answers():
                return self.port
            self.kill()
        pytest.fail(f"mosquitto does not start:\n{self.said()}")

    def said(self) -> str:
        """Return what it logged since its last start."""
        return (self._folder / "said").read_text(errors="replace")

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        limit = time.monotonic() + _WITHIN_S  # noqa: TID251 - how long a process of its own may take
        while self._process.poll() is None and time.monotonic() < limit:  # noqa: TID251
            if "running" in self.said():
                return True
            time.sleep(0.01)
        return False

    def _write(self) -> Path:
        broker = self._region / BROKER
        entries = json.loads((broker / LINKS_FILE).read_text())["mosquitto"]
        listener = Listener(address="127.0.0.1", port=self.port, tls=self._tls)
        # Mosquitto that is started by root becomes another user, who may not read files of mode 0600.
        as_root = "user root\n" if os.geteuid() == 0 else ""
        texts = {
            CONFIGURATION_FILE: as_root + configuration_text(listener, folder=str(self._folder)),
            ACCESS_FILE: access_text(self.agencies, router=ROUTER),
            PASSWORDS_FILE: passwords_text(entries),
        }
        for name, text in texts.items():
            path = self._folder / name
            path.write_text(text)
            path.chmod(0o600)
        if self._tls:
            named = {
                "link.crt": BROKER_CERTIFICATE_FILE, "link.pem": BROKER_CERTIFICATE_KEY_FILE,
                "authority.crt": AUTHORITY_FILE,
            }  # fmt: skip
            for source, name in named.items():
                shutil.copy(broker / source, self._folder / name)
        return self._folder / CONFIGURATION_FILE


@contextmanager
def mosquitto_of(region: Path, folder: Path, *, tls: bool = False) -> Iterator[MosquittoOfRegion]:
    """Run Mosquitto for the block."""
    mosquitto = MosquittoOfRegion(region, folder, tls=tls)
    try:
        mosquitto.start()
        yield mosquitto
    finally:
        mosquitto.kill()
