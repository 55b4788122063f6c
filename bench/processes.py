"""The processes that a measurement plays in: a broker in one, and a way to talk to it from the one that measures.

They are separate so that the broker's memory and processor time can be told from everybody else's, as they are in a
real region. A broker is asked over a pipe, one word at a time.
"""

import asyncio
import hmac
import multiprocessing
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.measure import peak_mib, processor_s, resident_mib
from bench.stage import ROUTER, Stage
from broker.application import Attachment, Credentials, Publication
from broker.core import Identity, RouterCore
from broker.listen import server_tls_context
from broker.quota import QuotaLimits, Quotas
from broker.router import Router
from broker.server import MqttServer
from broker.service import BrokerService
from broker.store import Store
from transport.clock import SystemClock

HOST = "127.0.0.1"
_SPAWN = multiprocessing.get_context("spawn")
_ANSWER_S = 60.0

# Asked of a broker: its port first, then "facts" as often as wanted, then "stop".
Served = Callable[[], dict[str, Any]]


def password_of(agency: str) -> str:
    """Return the password of an agency; it guards nothing but a measurement."""
    return f"bench-{agency}"


class FanOut:
    """The least that an application can do: hand each publish on to everybody else, unread and unwritten.

    Args:
        cut_bytes: How much of a publish each of the others gets, as they get a cut of an envelope.
    """

    def __init__(self, cut_bytes: int) -> None:
        self._cut_bytes = cut_bytes
        self._attachments: dict[str, Attachment] = {}

    def authenticate(self, credentials: Credentials) -> str | None:
        return credentials.client_id

    async def attached(self, attachment: Attachment) -> None:
        self._attachments[attachment.agency] = attachment

    async def published(self, agency: str, payload: bytes) -> Publication:
        cut = payload[: self._cut_bytes]
        for reader, attachment in self._attachments.items():
            if reader != agency and not attachment.send(cut):
                return Publication.QUOTA_EXCEEDED
        return Publication.SUCCESS

    async def detached(self, attachment: Attachment) -> None:
        if self._attachments.get(attachment.agency) is attachment:
            del self._attachments[attachment.agency]


@asynccontextmanager
async def _fan_out(cut_bytes: int, tls: Path | None = None) -> AsyncGenerator[tuple[int, Served], None]:
    server = MqttServer(FanOut(cut_bytes))
    files = None if tls is None else (tls / "broker.pem", tls / "broker.key", tls / "authority.pem")
    context = None if files is None else server_tls_context(*files)
    async with server.listening(HOST, 0, tls=context) as address:
        yield address.port, lambda: {"agencies": len(server.agencies), "connections": server.connections}


@asynccontextmanager
async def _broker(stage: Stage, folder: Path) -> AsyncGenerator[tuple[int, Served], None]:
    store = Store.open(folder / "broker.sqlite", router=ROUTER)
    limits, clock = QuotaLimits(), SystemClock()
    core = RouterCore(identity=Identity(router=ROUTER, signer=stage.router), bundle=stage.bundle)
    with store.transaction():
        store.holdings.write_bundle(stage.bundle.version, stage.signed_bundle)

    def authenticator(credentials: Credentials) -> str | None:
        expected = password_of(credentials.client_id).encode()
        known = credentials.client_id in stage.rings and hmac.compare_digest(expected, credentials.password or b"")
        return credentials.client_id if known else None

    service = BrokerService(
        router=Router(core=core, store=store, limits=limits),
        authenticator=authenticator,
        quotas=Quotas(limits),
        clock=clock,
        machine_clock=clock,
    )
    server = MqttServer(service)

    def facts() -> dict[str, Any]:
        return {
            "agencies": len(server.agencies),
            "idle": service.idle(),
            "records": dict(Counter(record.stage for record in store.records())),
        }

    try:
        async with service.running(), server.listening(HOST, 0) as address:
            yield address.port, facts
    finally:
        store.close()


async def _serve(pipe: Connection, serving: AbstractAsyncContextManager[tuple[int, Served]]) -> None:
    loop = asyncio.get_running_loop()
    async with serving as (port, facts):
        pipe.send(port)
        while await loop.run_in_executor(None, pipe.recv) == "facts":
            pipe.send(facts())


def _run_broker(pipe: Connection, stage: Stage, folder: Path) -> None:
    asyncio.run(_serve(pipe, _broker(stage, folder)))


def _run_fan_out(pipe: Connection, cut_bytes: int, tls: Path | None) -> None:
    asyncio.run(_serve(pipe, _fan_out(cut_bytes, tls)))


class BrokerProcess:
    """A broker in a process of its own, as the one that measures sees it."""

    def __init__(self, pipe: Connection, process_id: int) -> None:
        self._pipe = pipe
        self._process_id = process_id
        self.port: int = self._receive()

    def facts(self) -> dict[str, Any]:
        """Ask what the broker knows of itself; reads the store on the loop, so only while nothing is measured."""
        self._pipe.send("facts")
        found: dict[str, Any] = self._receive()
        return found

    @property
    def rss_mib(self) -> float:
        """Resident memory, MiB."""
        return resident_mib(self._process_id)

    @property
    def peak_mib(self) -> float:
        """The most memory that was resident so far, MiB."""
        return peak_mib(self._process_id)

    @property
    def cpu_s(self) -> float:
        """Processor time so far, seconds."""
        return processor_s(self._process_id)

    def _receive(self) -> Any:
        if not self._pipe.poll(_ANSWER_S):
            msg = f"the broker process did not answer within {_ANSWER_S:.0f} s"
            raise TimeoutError(msg)
        return self._pipe.recv()


@contextmanager
def broker_process(stage: Stage, folder: Path) -> Iterator[BrokerProcess]:
    """Run the real broker, durable, in a process of its own."""
    with _process(_run_broker, stage, folder) as broker:
        yield broker


@contextmanager
def fan_out_process(cut_bytes: int, *, tls: Path | None = None) -> Iterator[BrokerProcess]:
    """Run the same MQTT server with nothing behind it in a process of its own; ``tls`` is a folder of its PEM files."""
    with _process(_run_fan_out, cut_bytes, tls) as broker:
        yield broker


@contextmanager
def _process(target: Callable[..., None], *arguments: object) -> Iterator[BrokerProcess]:
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=target, args=(theirs, *arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        yield BrokerProcess(ours, process.pid or 0)
        ours.send("stop")
        process.join(_ANSWER_S)
    finally:
        if process.is_alive():
            process.kill()
        ours.close()
