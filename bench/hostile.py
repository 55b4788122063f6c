"""What do 10,000 hostile connects of each kind cost the broker, and how long does an honest client wait meanwhile?

The MQTT server runs in a process of its own, with TLS and without; the attacker in another; the honest client, which
logs in ten times a second and tries again when it is displaced, in this one. ``silent`` links stay open and say
nothing, a wave of 100 at a time; ``drip`` sends a byte now and then.
"""

import asyncio
import multiprocessing
import socket
import ssl
import statistics
import struct
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bench.measure import Effort, read_arguments, report
from bench.processes import HOST, BrokerProcess, fan_out_process
from broker.fields import encode_variable_integer
from scenarios.certificates import LinkAuthority, Validity, new_seed
from sealing.entropy import SystemEntropy
from transport.clock import SystemClock

_WAVE = 100  # below what the kernel holds between two turns of the broker: a wave beyond that waits a second for itself
_HONEST = "alpha"
_PROBE_S = 0.1
_HELLO_CUT = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)
_DAY_MS = 24 * 3_600_000


def _text(words: str) -> bytes:
    return len(words).to_bytes(2, "big") + words.encode()


def _connect(agency: str, username: str) -> bytes:
    body = _text("MQTT") + b"\x05\xc2\x00\x1e\x00" + _text(agency) + _text(username) + _text("x")
    return b"\x10" + encode_variable_integer(len(body)) + body


# What an attacker sends, and whether it then resets the link, or leaves it open until its wave is over.
_ATTACKS: dict[str, tuple[bytes, bool]] = {
    "silent": (b"", False),
    "reset": (b"", True),
    "refused-login": (_connect("mallory", "alpha"), False),
    "giant-length": (b"\x10\xff\xff\xff\x7f" + bytes(10_000), False),
    "garbage": (bytes(range(256)) * 1_000, False),
    "half-hello": (_HELLO_CUT, False),
    "drip": (b"\x10", False),
}


def _attack(kind: str, port: int, count: int) -> None:
    sent, resets = _ATTACKS[kind]
    for first in range(0, count, _WAVE):
        links = [_open(port) for _ in range(min(_WAVE, count - first))]
        for link in links:
            with suppress(OSError):
                link.sendall(sent)
        if kind == "drip":
            for _ in range(5):
                time.sleep(0.02)
                for link in links:
                    with suppress(OSError):
                        link.send(b"\xff")
        for link in links:
            if resets:
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            link.close()


def _open(port: int) -> socket.socket:
    link = socket.create_connection((HOST, port))
    link.setblocking(False)  # who does not read us shall not hold us up
    return link


class _Honest:
    """Logs in again and again, and notes how long each login took, tries included."""

    def __init__(self, port: int, tls: ssl.SSLContext | None) -> None:
        self._port = port
        self._tls = tls
        self.waits_ms: list[float] = []
        self.displaced = 0

    async def keep_on(self, over: Callable[[], bool]) -> None:
        while not over():
            begin = time.perf_counter()
            while not await self._try():
                self.displaced += 1
            self.waits_ms.append((time.perf_counter() - begin) * 1_000)
            await asyncio.sleep(_PROBE_S)

    async def _try(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection(HOST, self._port, ssl=self._tls)
        except OSError:
            return False
        try:
            writer.write(_connect(_HONEST, _HONEST))
            return (await reader.readexactly(4))[3] == 0
        except (OSError, asyncio.IncompleteReadError):
            return False
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def _certificates(folder: Path) -> ssl.SSLContext:
    """Write a region's certificates; returns the honest client's context."""
    entropy, now_ms = SystemEntropy(), SystemClock().now_ms()
    validity = Validity(begin_ms=now_ms - _DAY_MS, end_ms=now_ms + _DAY_MS)
    authority = LinkAuthority(seed=new_seed(entropy), validity=validity, entropy=entropy)
    (folder / "authority.pem").write_bytes(authority.certificate)
    for name, issued in {"broker": authority.server([HOST]), _HONEST: authority.client(_HONEST)}.items():
        (folder / f"{name}.pem").write_bytes(issued.certificate)
        (folder / f"{name}.key").write_bytes(issued.key)
    context = ssl.create_default_context(cafile=folder / "authority.pem")
    context.load_cert_chain(folder / f"{_HONEST}.pem", folder / f"{_HONEST}.key")
    return context


def _measure(effort: Effort, way: str, kind: str, broker: BrokerProcess, tls: ssl.SSLContext | None) -> None:
    count = 100 if effort.quick else 10_000
    honest = _Honest(broker.port, tls)
    asyncio.run(honest.keep_on(lambda: bool(honest.waits_ms)))  # what is made once, at the first link, is no growth
    before_mib, before_cpu_s, begin = broker.rss_mib, broker.cpu_s, time.perf_counter()
    most_mib = before_mib
    attacker = multiprocessing.get_context("spawn").Process(target=_attack, args=(kind, broker.port, count))
    attacker.start()

    def over() -> bool:
        nonlocal most_mib
        most_mib = max(most_mib, broker.rss_mib)
        return not attacker.is_alive()

    asyncio.run(honest.keep_on(over))
    attacker.join()
    took_s, cpu_s = time.perf_counter() - begin, broker.cpu_s - before_cpu_s
    report(
        effort, "hostile", f"{way}-{kind}", connects=count, seconds=round(took_s, 1),
        cpu_us_each=round(cpu_s / count * 1e6), rss_mib=round(most_mib, 1), grown_mib=round(most_mib - before_mib, 1),
        grown_bytes_each=max(0, round((broker.rss_mib - before_mib) * 1024**2 / count)),
        honest_ms_p50=round(statistics.median(honest.waits_ms), 1), honest_ms_max=round(max(honest.waits_ms), 1),
        honest_displaced=honest.displaced,
    )  # fmt: skip


def main(effort: Effort) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        context = _certificates(folder)
        for way, files, tls in (("plain", None, None), ("tls", folder, context)):
            with fan_out_process(0, tls=files) as broker:
                for kind in ("garbage",) if effort.quick else _ATTACKS:
                    _measure(effort, way, kind, broker, tls)


if __name__ == "__main__":
    main(read_arguments(__doc__ or ""))
