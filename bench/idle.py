"""What do 1,000 connected and idle agencies cost the broker: memory, and processor time over ten seconds?

The broker is the real one, with its store, in a process of its own. The clients are minimal ones in this process: they
log in, listen on their own topic, say hello as a node does, and are silent. ``busy`` adds what a real idle node does
at most: a heartbeat of each agency every 30 seconds.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.measure import Effort, read_arguments, report
from bench.processes import HOST, BrokerProcess, broker_process, password_of
from bench.stage import make_stage
from broker.answers import encode_publish_acknowledgement, encode_publish_header
from broker.fields import encode_variable_integer
from schemas.frames import Heartbeat, Hello, write_frame
from schemas.topics import down_topic, up_topic
from sealing.entropy import SystemEntropy
from transport.clock import SystemClock

_RSS_MIB_MAX = 300
_AT_ONCE = 32
_KEEP_ALIVE_S = 60
_HEARTBEAT_S = 30
_LOGIN_S = 120.0
_PUBLISH = 3
_CONNACK, _SUBACK, _PUBACK = 2, 9, 4


def _text(words: str) -> bytes:
    return len(words).to_bytes(2, "big") + words.encode()


def _packet(first: int, body: bytes) -> bytes:
    return bytes((first,)) + encode_variable_integer(len(body)) + body


class _Client:
    """The least that can be connected: CONNECT, SUBSCRIBE, PUBLISH, and a PUBACK for whatever comes."""

    def __init__(self, agency: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._agency = agency
        self._reader = reader
        self._writer = writer

    async def log_in(self) -> None:
        name = _text(self._agency)
        head = _text("MQTT") + b"\x05\xc2" + _KEEP_ALIVE_S.to_bytes(2, "big") + b"\0"
        await self._ask(_packet(0x10, head + name + name + _text(password_of(self._agency))), _CONNACK)
        await self._ask(_packet(0x82, b"\0\1\0" + _text(down_topic(self._agency)) + b"\1"), _SUBACK)
        await self.publish(write_frame((Hello("hello", 0, 1),)))

    async def publish(self, frame: bytes) -> None:
        await self._ask(encode_publish_header(up_topic(self._agency), 1, len(frame)) + frame, _PUBACK)

    def close(self) -> None:
        self._writer.close()

    async def _ask(self, packet: bytes, answer: int) -> None:
        """Send a packet and read on until its answer has come; what the broker publishes meanwhile is acknowledged."""
        self._writer.write(packet)
        kind = 0
        while kind != answer:
            first = (await self._reader.readexactly(1))[0]
            kind, body = first >> 4, await self._body()
            if kind == _PUBLISH:
                at = 2 + int.from_bytes(body[:2], "big")
                self._writer.write(encode_publish_acknowledgement(int.from_bytes(body[at : at + 2], "big"), 0))

    async def _body(self) -> bytes:
        length = shift = 0
        more = True
        while more:
            digit = (await self._reader.readexactly(1))[0]
            length |= (digit & 0x7F) << shift
            shift, more = shift + 7, digit > 0x7F
        return await self._reader.readexactly(length)


async def _log_in(agencies: tuple[str, ...], port: int) -> list[_Client]:
    clients: list[_Client] = []
    for first in range(0, len(agencies), _AT_ONCE):
        wave = agencies[first : first + _AT_ONCE]
        links = [await asyncio.open_connection(HOST, port) for _ in wave]
        new = [_Client(agency, *link) for agency, link in zip(wave, links, strict=True)]
        async with asyncio.timeout(_LOGIN_S), asyncio.TaskGroup() as tasks:
            for client in new:
                tasks.create_task(client.log_in(), name="login")
        clients += new
    return clients


async def _watch(broker: BrokerProcess, seconds: float, each_second: Callable[[int], list[_Client]]) -> float:
    """Let some time pass and return how much of a core the broker took of it; some clients beat each second."""
    before, began = broker.cpu_s, time.perf_counter()
    for second in range(round(seconds)):
        frame = write_frame((Heartbeat("heartbeat", SystemClock().now_ms(), ()),))
        for client in each_second(second):
            await client.publish(frame)
        await asyncio.sleep(max(0.0, began + second + 1 - time.perf_counter()))
    return (broker.cpu_s - before) / (time.perf_counter() - began)


async def _measure(effort: Effort, agencies: tuple[str, ...], broker: BrokerProcess) -> None:
    empty_mib = broker.rss_mib
    before, began = broker.cpu_s, time.perf_counter()
    clients = await _log_in(agencies, broker.port)
    took_s, login_cpu_s = time.perf_counter() - began, broker.cpu_s - before
    assert broker.facts()["agencies"] == len(agencies)
    watched_s = 1 if effort.quick else 10
    idle = await _watch(broker, watched_s, lambda _: [])
    busy = await _watch(broker, watched_s, lambda second: clients[second % _HEARTBEAT_S :: _HEARTBEAT_S])
    report(
        effort,
        "idle",
        f"connected-{len(agencies)}",
        rss_mib=round(broker.rss_mib, 1),
        rss_mib_max=_RSS_MIB_MAX,
        rss_mib_empty=round(empty_mib, 1),
        kib_each=round((broker.rss_mib - empty_mib) * 1024 / len(agencies), 1),
        logins_per_s=round(len(agencies) / took_s),
        login_us=round(login_cpu_s / len(agencies) * 1e6),
        idle_core_share=round(idle, 4),
        heartbeat_core_share=round(busy, 4),
    )
    for client in clients:
        client.close()


def main(effort: Effort) -> None:
    count = 20 if effort.quick else 1_000
    stage = make_stage(count, SystemEntropy(), now_ms=SystemClock().now_ms())
    with tempfile.TemporaryDirectory() as folder, broker_process(stage, Path(folder)) as broker:
        asyncio.run(_measure(effort, stage.agencies, broker))


if __name__ == "__main__":
    main(read_arguments(__doc__ or ""))
