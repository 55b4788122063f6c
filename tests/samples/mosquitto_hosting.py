"""A region in one process with Mosquitto between its nodes and its router, for plays of packs.

An exercise must know what is under way, or its clock would go on meanwhile. Over our own server a frame is decided when
its PUBACK is here; here the node's end waits for the router's end instead, which one process can see of itself.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from broker.foreign import ForeignHost
from broker.service import BrokerService
from scenarios.enrolment import ROUTER
from scenarios.mosquitto import (
    ACCESS_FILE,
    CONFIGURATION_FILE,
    HASH_SALT_BYTES,
    PASSWORDS_FILE,
    Listener,
    access_text,
    configuration_text,
    password_entry,
    passwords_text,
)
from scenarios.region import Reach
from sealing.entropy import SystemEntropy
from tests.samples.mosquitto_process import running_mosquitto
from transport.clock import SystemClock
from transport.link import Connect, Link
from transport.mqtt import MqttAddress, mqtt_connect, mqtt_router_connect
from transport.router_link import ConnectRouter, Passing, Received, RouterLink


class _UnderWay:
    """What each agency has sent and the router is not done with, and what the router has sent and it has not got."""

    def __init__(self, service: BrokerService) -> None:
        self._service = service
        self.sent: Counter[str] = Counter()
        self.decided: Counter[str] = Counter()
        self.received: Counter[str] = Counter()
        self._changed = asyncio.Event()

    def moved(self, counter: Counter[str], agency: str) -> None:
        counter[agency] += 1
        self._changed.set()

    async def none_of(self, agency: str) -> None:
        while self.decided[agency] < self.sent[agency] or self.received[agency] < self._service.frames_sent(agency):
            self._changed.clear()
            await self._changed.wait()


class _RouterEnd:
    def __init__(self, link: RouterLink, under_way: _UnderWay) -> None:
        self._link = link
        self._under_way = under_way
        self._agency_of: dict[str, str] = {}

    async def listen(self, topics: Sequence[str]) -> None:
        self._agency_of = {topic: topic.split("/")[2] for topic in topics}
        await self._link.listen(topics)

    def frames(self) -> AsyncIterator[Received]:
        return self._link.frames()

    def acknowledge(self, received: Received) -> None:
        self._under_way.moved(self._under_way.decided, self._agency_of[received.topic])
        self._link.acknowledge(received)

    async def send(self, topic: str, frame: bytes) -> Passing:
        return await self._link.send(topic, frame)


class _NodeEnd:
    """What a node sends is sent once all that the router sent it meanwhile is here, as it is over our own server."""

    def __init__(self, link: Link, agency: str, under_way: _UnderWay) -> None:
        self._link = link
        self._agency = agency
        self._under_way = under_way

    async def send(self, frame: bytes) -> None:
        self._under_way.sent[self._agency] += 1
        await self._link.send(frame)
        await self._under_way.none_of(self._agency)

    async def frames(self) -> AsyncIterator[bytes]:
        async for frame in self._link.frames():
            self._under_way.moved(self._under_way.received, self._agency)
            yield frame


def _router_end(inner: ConnectRouter, under_way: _UnderWay) -> ConnectRouter:
    @asynccontextmanager
    async def connect() -> AsyncGenerator[RouterLink, None]:
        async with inner() as link:
            yield _RouterEnd(link, under_way)

    return connect


def _node_end(inner: Connect, agency: str, under_way: _UnderWay) -> Connect:
    @asynccontextmanager
    async def connect() -> AsyncGenerator[Link, None]:
        async with inner() as link:
            yield _NodeEnd(link, agency, under_way)

    return connect


def write_files(folder: Path, port: int, passwords: dict[str, str]) -> Path:
    entries = {user: password_entry(text, SystemEntropy().take(HASH_SALT_BYTES)) for user, text in passwords.items()}
    listener = Listener(address="127.0.0.1", port=port, tls=False)
    folder.mkdir(exist_ok=True)
    texts = {
        CONFIGURATION_FILE: configuration_text(listener, folder=str(folder)),
        ACCESS_FILE: access_text(sorted(set(passwords) - {ROUTER}), router=ROUTER),
        PASSWORDS_FILE: passwords_text(entries),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return folder / CONFIGURATION_FILE


@asynccontextmanager
async def on_mosquitto(
    service: BrokerService, passwords: dict[str, str], *, folder: Path
) -> AsyncGenerator[Reach, None]:
    """Host a region's service behind Mosquitto (``scenarios.region.Hosting``)."""
    known = {**passwords, ROUTER: "the router's own"}
    under_way = _UnderWay(service)
    async with running_mosquitto(lambda port: write_files(folder, port, known)) as mosquitto:
        where = mosquitto.address

        def address(user: str) -> MqttAddress:
            return MqttAddress(host=where.host, port=where.port, agency=user, password=known[user])

        host = ForeignHost(
            service,
            connect=_router_end(mqtt_router_connect(address(ROUTER)), under_way),
            agencies=sorted(passwords),
            active=passwords.__contains__,
            machine_clock=SystemClock(),
        )
        async with host.running():
            yield lambda agency: _node_end(mqtt_connect(address(agency)), agency, under_way)
