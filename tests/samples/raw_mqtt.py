"""An MQTT server before a fake application, and clients that send the very bytes they are told to.

Whether a client behaves is the test's to say; its packets are put together by hand, so that they may be wrong.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Self

from broker.application import Attachment, Credentials, Publication
from broker.fields import encode_variable_integer
from broker.limits import ServerLimits
from broker.listen import Address
from broker.server import MqttServer

PASSWORD = b"correct horse"
A, B = "sgp-csa", "mys-nacsa"


class FakeApplication:
    """Admits whoever knows the password, echoes every publish to its own agency, and remembers the order."""

    def __init__(self) -> None:
        self.attachments: dict[str, Attachment] = {}
        self.history: list[str] = []
        self.changed = asyncio.Event()
        self.gate: asyncio.Event | None = None
        self.detach_gate: asyncio.Event | None = None
        self.deciding = 0
        self.deciding_most = 0
        self.credentials: list[Credentials] = []
        self.answer = Publication.SUCCESS

    def authenticate(self, credentials: Credentials) -> str | None:
        self.credentials.append(credentials)
        known = credentials.password == PASSWORD or credentials.certificate_name is not None
        return credentials.client_id if known else None

    async def attached(self, attachment: Attachment) -> None:
        self.attachments[attachment.agency] = attachment
        self._note(f"attached {attachment.agency}")

    async def published(self, agency: str, payload: bytes) -> Publication:
        self.deciding += 1
        self.deciding_most = max(self.deciding, self.deciding_most)
        self._note(f"published {agency} {payload[:8].decode()}")
        try:
            if self.gate is not None:
                await self.gate.wait()
        finally:
            self.deciding -= 1
        return self.answer

    async def detached(self, attachment: Attachment) -> None:
        if self.detach_gate is not None:
            await self.detach_gate.wait()
        if self.attachments.get(attachment.agency) is attachment:
            del self.attachments[attachment.agency]
        self._note(f"detached {attachment.agency}")

    def _note(self, what: str) -> None:
        self.history.append(what)
        self.changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.changed.clear()
            await self.changed.wait()


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return len(raw).to_bytes(2, "big") + raw


def frame(first: int, body: bytes) -> bytes:
    return bytes((first,)) + encode_variable_integer(len(body)) + body


def connect(
    client: str = A, *, username: str | None = "", password: bytes | None = PASSWORD, keep_alive_s: int = 0
) -> bytes:
    """CONNECT; an empty user name stands for the client id."""
    name = client if username == "" else username
    flags = 2 | (0x80 if name is not None else 0) | (0x40 if password is not None else 0)
    body = text("MQTT") + bytes((5, flags)) + keep_alive_s.to_bytes(2, "big") + b"\x00" + text(client)
    return frame(0x10, body + b"".join(text(part) for part in (name, password) if part is not None))


def publish(client: str = A, *, packet_id: int = 1, payload: bytes = b"x", topic: str = "") -> bytes:
    return frame(0x32, text(topic or f"sw/1/{client}/up") + packet_id.to_bytes(2, "big") + b"\x00" + payload)


def subscribe(client: str = A, *, qos: int = 1) -> bytes:
    return frame(0x82, b"\x00\x09\x00" + text(f"sw/1/{client}/down") + bytes((qos,)))


CONNACK = 0x20
SUBACK_GRANTED = bytes.fromhex("0009 00 01")
PINGREQ, PINGRESP = b"\xc0\x00", (0xD0, b"")
DISCONNECT = 0xE0


class RawClient:
    """A peer that sends the bytes it is told to and reads packets; tests decide whether it behaves."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, address: Address, *, tls: ssl.SSLContext | None = None) -> Self:
        reader, writer = await asyncio.open_connection(
            address.host, address.port, ssl=tls, server_hostname="localhost" if tls else None
        )
        return cls(reader, writer)

    def send(self, *packets: bytes) -> None:
        self.writer.write(b"".join(packets))

    async def packet(self) -> tuple[int, bytes]:
        first = (await self.reader.readexactly(1))[0]
        length = shift = 0
        while True:
            digit = (await self.reader.readexactly(1))[0]
            length |= (digit & 0x7F) << shift
            shift += 7
            if digit < 0x80:
                return first, await self.reader.readexactly(length)

    async def rest(self) -> bytes:
        """Everything until the server closes; a reset counts as closing."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b""

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()


@asynccontextmanager
async def client(address: Address, *, tls: ssl.SSLContext | None = None) -> AsyncGenerator[RawClient, None]:
    raw = await RawClient.open(address, tls=tls)
    try:
        yield raw
    finally:
        await raw.close()


@asynccontextmanager
async def agency(address: Address, name: str = A, *, listen: bool = True) -> AsyncGenerator[RawClient, None]:
    """A client that has logged in and, unless told otherwise, subscribed."""
    async with client(address) as raw:
        raw.send(connect(name))
        assert (await raw.packet())[1][:2] == b"\x00\x00"
        if listen:
            raw.send(subscribe(name))
            assert await raw.packet() == (0x90, SUBACK_GRANTED)
        yield raw


@asynccontextmanager
async def served(application: FakeApplication, *, limits: ServerLimits | None = None) -> AsyncGenerator[Address, None]:
    """A server on a free port, a limit of ten seconds, and no task left behind."""
    before = asyncio.all_tasks()
    async with asyncio.timeout(10):
        server = MqttServer(application, limits=limits)
        async with server.listening() as address:
            yield address
        assert server.connections == 0
        assert server.agencies == ()
        assert asyncio.all_tasks() == before


async def assert_serves(address: Address, name: str = B) -> None:
    """The control that stands beside every attack: an honest client still gets its publish decided."""
    async with agency(address, name, listen=False) as honest:
        honest.send(publish(name))
        assert await honest.packet() == (0x40, b"\x00\x01")
