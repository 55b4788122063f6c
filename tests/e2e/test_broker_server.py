"""The MQTT server on real sockets: hostile peers, takeover, back-pressure, TLS, a stop without leftovers."""

import asyncio
import gc
import logging
import os
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from broker.application import Attachment, Credentials, Publication
from broker.fields import Reason, encode_variable_integer
from broker.limits import ServerLimits
from broker.listen import Address, certificate_name, open_listener, server_tls_context
from broker.server import MqttServer
from schemas.errors import ListenError

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


@pytest.fixture
def application() -> FakeApplication:
    return FakeApplication()


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


async def test_a_publish_is_acknowledged_after_its_decision(application: FakeApplication) -> None:
    application.gate = asyncio.Event()
    async with served(application) as address, agency(address, listen=False) as sender:
        sender.send(publish(), PINGREQ)
        assert await sender.packet() == PINGRESP
        await application.until(lambda: application.deciding == 1)
        application.gate.set()
        assert await sender.packet() == (0x40, b"\x00\x01")


async def test_the_reason_of_the_application_reaches_the_client(application: FakeApplication) -> None:
    application.answer = Publication.QUOTA_EXCEEDED
    async with served(application) as address, agency(address, listen=False) as sender:
        sender.send(publish())
        assert await sender.packet() == (0x40, b"\x00\x01\x97")


async def test_publishes_of_one_session_are_decided_concurrently_up_to_the_receive_maximum(
    application: FakeApplication,
) -> None:
    application.gate = asyncio.Event()
    async with served(application, limits=ServerLimits(receive_maximum=4)) as address, agency(address) as sender:
        sender.send(*(publish(packet_id=i) for i in range(1, 5)))
        await application.until(lambda: application.deciding == 4)
        application.gate.set()
        assert [await sender.packet() for _ in range(4)] == [(0x40, bytes((0, i))) for i in range(1, 5)]
    assert application.deciding_most == 4


async def test_a_delivery_reaches_its_agency_alone(application: FakeApplication) -> None:
    async with served(application) as address, agency(address, A) as first, agency(address, B) as second:
        await application.until(lambda: len(application.attachments) == 2)
        assert application.attachments[A].send(b"for A")
        second.send(PINGREQ)

        assert await first.packet() == (0x32, text(f"sw/1/{A}/down") + b"\x00\x01\x00for A")
        assert await second.packet() == PINGRESP


async def test_a_foreign_topic_never_reaches_the_application(application: FakeApplication) -> None:
    async with served(application) as address, agency(address, A) as attacker:
        attacker.send(publish(topic=f"sw/1/{B}/up"), publish(packet_id=2))
        assert await attacker.packet() == (0x40, b"\x00\x01\x87")
        assert await attacker.packet() == (0x40, b"\x00\x02")
    assert [what for what in application.history if what.startswith("published")] == [f"published {A} x"]


@pytest.mark.parametrize(
    "login",
    [
        pytest.param(connect(password=b"wrong"), id="wrong password"),
        pytest.param(connect(password=None), id="no password"),
        pytest.param(connect(username=None, password=None), id="anonymous"),
        pytest.param(connect(username=None), id="password alone"),
        pytest.param(connect(B, username=A), id="another's client id"),
        pytest.param(connect(A, username=B), id="another's user name"),
        pytest.param(connect(""), id="empty client id"),
        pytest.param(connect("UPPER"), id="client id that is no agency id"),
        pytest.param(connect("a/b"), id="client id with a level"),
        pytest.param(connect("a" * 33), id="client id too long"),
    ],
)
async def test_every_failed_login_looks_the_same(application: FakeApplication, login: bytes) -> None:
    async with served(application) as address:
        async with client(address) as stranger:
            stranger.send(login, subscribe(), publish())
            assert await stranger.rest() == bytes.fromhex("20 03 00 86 00")
        await assert_serves(address)
    assert [what for what in application.history if A in what] == []


async def test_a_second_login_takes_over_and_the_order_is_kept(application: FakeApplication) -> None:
    """The application sees the old session's last decision, its end, and only then the new session."""
    application.gate = asyncio.Event()
    async with served(application) as address, agency(address) as old:
        old.send(publish(payload=b"late"))
        await application.until(lambda: application.deciding == 1)
        async with agency(address) as new:
            assert await old.packet() == (DISCONNECT, bytes((Reason.SESSION_TAKEN_OVER,)))
            assert await old.rest() == b""
            assert f"detached {A}" not in application.history
            application.gate.set()
            await application.until(lambda: application.history.count(f"attached {A}") == 2)
            new.send(publish(payload=b"new"))
            assert await new.packet() == (0x40, b"\x00\x01")
    assert application.history == [
        f"attached {A}",
        f"published {A} late",
        f"detached {A}",
        f"attached {A}",
        f"published {A} new",
        f"detached {A}",
    ]


async def test_a_stranger_cannot_evict_an_agency(application: FakeApplication) -> None:
    async with served(application) as address, agency(address) as victim:
        for login in (connect(password=b"wrong"), connect(A, username=B), connect(B, username=A)):
            async with client(address) as stranger:
                stranger.send(login)
                await stranger.rest()
        victim.send(PINGREQ)
        assert await victim.packet() == PINGRESP


async def test_a_login_with_a_will_does_not_evict_either(application: FakeApplication) -> None:
    """A will is refused after authentication and before any state is touched."""
    will = text("MQTT") + b"\x05\xc6\x00\x00\x00" + text(A) + b"\x00" + text(f"sw/1/{B}/down") + text("w")
    async with served(application) as address, agency(address) as victim:
        async with client(address) as second:
            second.send(frame(0x10, will + text(A) + text(PASSWORD)))
            assert await second.rest() == bytes.fromhex("20 03 00 87 00")
        victim.send(PINGREQ)
        assert await victim.packet() == PINGRESP


async def test_a_storm_of_takeovers_leaves_one_session_and_no_pile(application: FakeApplication) -> None:
    """Two nodes with one id kick each other for ever; while the first is let go slowly, nothing may heap up."""
    application.detach_gate = asyncio.Event()
    async with served(application) as address, agency(address):
        before = len(asyncio.all_tasks())
        for _ in range(30):
            async with agency(address) as again:
                again.send(PINGREQ)
                assert await again.packet() == PINGRESP
        assert len(asyncio.all_tasks()) < before + 10
        application.detach_gate.set()
        async with agency(address):
            await application.until(lambda: application.history[-1] == f"attached {A}")
    attached = application.history.count(f"attached {A}")
    assert application.history == [f"attached {A}", f"detached {A}"] * attached


HOSTILE = {
    "nothing": b"",
    "one byte": b"\x10",
    "garbage": bytes(range(256)) * 40,
    "zeros": bytes(20_000),
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "giant connect": b"\x10\xff\xff\xff\x7f" + bytes(100_000),
    "misspelt length": b"\x10\x80\x80\x80\x80\x01",
    "truncated connect": connect()[:-5],
    "connect of one byte": b"\x10\x00",
    "connack": b"\x20\x03\x00\x00\x00",
    "publish first": publish() * 100,
    "ping first": PINGREQ * 1000,
    "properties without end": frame(0x10, text("MQTT") + b"\x05\xc2\x00\x00\xff\xff\xff\x7f"),
    "bad utf-8": connect().replace(text(A), text(b"\xff\xfe\xfd\xff\xff\xff\xff")),
}


@pytest.mark.parametrize("attack", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_stranger_is_closed_unanswered_and_harms_nobody(
    application: FakeApplication, attack: bytes
) -> None:
    limits = ServerLimits(connect_ms_max=300, sweep_ms=50)
    async with served(application, limits=limits) as address:
        async with client(address) as stranger:
            stranger.send(attack)
            assert await stranger.rest() == b""
        await assert_serves(address)
    assert len(application.credentials) == 1


async def test_a_peer_that_resets_in_the_middle_is_forgotten(application: FakeApplication) -> None:
    async with served(application) as address:
        for raw in (connect(), connect() + subscribe() + publish()[:-1], b"\x10"):
            link = socket.create_connection(address)
            link.sendall(raw)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            link.close()
        await assert_serves(address)


async def test_silent_strangers_displace_each_other_and_not_those_who_log_in(application: FakeApplication) -> None:
    limits = ServerLimits(strangers_max=4)
    async with served(application, limits=limits) as address, agency(address) as honest:
        links = [await RawClient.open(address) for _ in range(12)]
        await assert_serves(address)
        assert await links[0].rest() == b""
        honest.send(PINGREQ)
        assert await honest.packet() == PINGRESP
        for link in links:
            await link.close()


async def test_a_link_beyond_the_bound_is_closed_before_it_is_read(application: FakeApplication) -> None:
    async with (
        served(application, limits=ServerLimits(connections_max=2)) as address,
        agency(address, A),
        agency(address, B) as second,
    ):
        async with client(address) as third:
            third.send(connect("idn-bssn"))
            assert await third.rest() == b""
        second.send(PINGREQ)
        assert await second.packet() == PINGRESP


async def test_a_silent_agency_is_told_0x8d(application: FakeApplication) -> None:
    async with served(application, limits=ServerLimits(sweep_ms=50)) as address, client(address) as silent:
        silent.send(connect(keep_alive_s=1), subscribe())
        await silent.packet()
        await silent.packet()
        assert await silent.packet() == (DISCONNECT, bytes((Reason.KEEP_ALIVE_TIMEOUT,)))
        assert await silent.rest() == b""
    assert application.history == [f"attached {A}", f"detached {A}"]


async def test_the_last_packet_arrives_although_more_was_sent_behind_it(application: FakeApplication) -> None:
    """Closing with unread bytes would reset the link and could lose the reason."""
    async with served(application) as address, agency(address) as bad:
        bad.send(frame(0x33, text(f"sw/1/{A}/up") + b"\x00\x01\x00x"), publish(packet_id=2, payload=bytes(900_000)))
        assert await bad.packet() == (DISCONNECT, bytes((Reason.RETAIN_NOT_SUPPORTED,)))
        assert await bad.rest() == b""


async def test_a_peer_that_never_closes_is_cut(application: FakeApplication) -> None:
    limits = ServerLimits(linger_ms_max=100, sweep_ms=50)
    async with served(application, limits=limits) as address, agency(address) as rude:
        rude.send(PINGREQ[:1] + b"\x01\x00")
        assert await rude.packet() == (DISCONNECT, bytes((Reason.MALFORMED_PACKET,)))
        with suppress(ConnectionError):
            while not rude.writer.transport.is_closing():
                rude.send(PINGREQ)
                await rude.writer.drain()
                await asyncio.sleep(0)


async def test_a_slow_consumer_fills_its_own_buffer_only(application: FakeApplication) -> None:
    """send() says when it is full, drained() when it is worth trying again, and the neighbour notices nothing."""
    payload = bytes(100_000)
    async with served(application) as address, agency(address, A) as slow, agency(address, B) as quick:
        await application.until(lambda: len(application.attachments) == 2)
        slow.writer.transport.pause_reading()  # type: ignore[attr-defined]  # streams always have a read transport
        attachment = application.attachments[A]
        sent = 0
        while attachment.send(payload) or sent < 10:
            sent += 1
            await asyncio.sleep(0)
            assert sent < 1_000
        application.attachments[B].send(b"quick")
        assert (await quick.packet())[1].endswith(b"quick")
        assert not attachment.send(payload)

        slow.writer.transport.resume_reading()  # type: ignore[attr-defined]
        received = 0
        async with asyncio.TaskGroup() as tasks:
            drained = tasks.create_task(attachment.drained(), name="drained")
            while received < sent:
                _, body = await slow.packet()
                assert body.endswith(payload)
                received += 1
            await drained
        assert attachment.send(b"again")
        assert (await slow.packet())[1].endswith(b"again")


async def test_the_send_buffers_of_all_sessions_are_bounded_together(application: FakeApplication) -> None:
    limits = ServerLimits(packet_bytes_max=100_000, send_bytes_max=300_000, send_bytes_total_max=300_000)
    async with served(application, limits=limits) as address, client(address) as slow, agency(address, B) as other:
        # A Receive Maximum of 1 lets everything wait in the session, none of it in the kernel.
        slow.send(frame(0x10, connect()[2:].replace(b"\x00\x00\x00" + text(A), b"\x00\x00\x03\x21\x00\x01" + text(A))))
        slow.send(subscribe(A))
        await slow.packet()
        await slow.packet()
        await application.until(lambda: len(application.attachments) == 2)
        first, second = application.attachments[A], application.attachments[B]
        while first.send(bytes(50_000)):
            pass
        assert not second.send(bytes(90_000))
        async with asyncio.TaskGroup() as tasks:
            drained = tasks.create_task(second.drained(), name="drained")
            while not drained.done():
                _, body = await slow.packet()
                at = 2 + len(f"sw/1/{A}/down")
                slow.send(frame(0x40, body[at : at + 2]))
                await asyncio.sleep(0)
        assert second.send(bytes(90_000))
        assert len((await other.packet())[1]) > 90_000


async def test_undecided_publishes_of_all_sessions_are_bounded_together(application: FakeApplication) -> None:
    application.gate = asyncio.Event()
    limits = ServerLimits(deciding_bytes_total_max=150)
    async with served(application, limits=limits) as address, agency(address, A) as first, agency(address, B) as second:
        first.send(publish(A, payload=bytes(100)))
        await application.until(lambda: application.deciding == 1)
        second.send(publish(B, payload=bytes(100)))
        assert await second.packet() == (0x40, b"\x00\x01\x97")
        application.gate.set()
        assert await first.packet() == (0x40, b"\x00\x01")
        second.send(publish(B, packet_id=2, payload=bytes(100)))
        assert await second.packet() == (0x40, b"\x00\x02")


async def test_a_flood_of_tiny_packets_leaves_turns_for_others(application: FakeApplication) -> None:
    async with served(application) as address, agency(address, A) as flood, agency(address, B) as other:
        flood.send(PINGREQ * 100_000)
        other.send(PINGREQ)
        assert await other.packet() == PINGRESP
        for _ in range(100_000):
            assert await flood.packet() == PINGRESP


async def test_unsubscribing_detaches_and_subscribing_attaches_again(application: FakeApplication) -> None:
    async with served(application) as address, agency(address) as wavering:
        await application.until(lambda: A in application.attachments)
        old = application.attachments[A]
        wavering.send(frame(0xA2, b"\x00\x0a\x00" + text(f"sw/1/{A}/down")), subscribe())
        await application.until(lambda: len(application.history) == 3)
        assert not old.send(b"old")
        assert application.attachments[A].send(b"new")
    assert application.history == [f"attached {A}", f"detached {A}", f"attached {A}", f"detached {A}"]


async def test_the_application_can_close_a_session(application: FakeApplication) -> None:
    async with served(application) as address, agency(address) as revoked:
        await application.until(lambda: A in application.attachments)
        attachment = application.attachments[A]
        attachment.close(Reason.NOT_AUTHORISED)
        attachment.close(Reason.NOT_AUTHORISED)
        assert await revoked.packet() == (DISCONNECT, bytes((Reason.NOT_AUTHORISED,)))
        assert not attachment.send(b"x")
        await attachment.drained()


async def test_a_stop_says_goodbye_and_waits_for_open_decisions(application: FakeApplication) -> None:
    application.gate = asyncio.Event()
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        server = MqttServer(application)
        async with server.listening() as address:
            talking = await RawClient.open(address)
            talking.send(connect(), subscribe(), publish())
            stranger = await RawClient.open(address)
            await application.until(lambda: application.deciding == 1)

            async def decide_after_goodbye() -> None:
                while (await talking.packet())[0] != DISCONNECT:
                    pass
                assert application.gate is not None
                application.gate.set()
                assert await stranger.rest() == b""
                await talking.close()
                await stranger.close()

            tasks.create_task(decide_after_goodbye(), name="goodbye")
        assert server.connections == 0
    assert application.history[-1] == f"detached {A}"


async def test_a_stop_does_not_wait_for_ever(application: FakeApplication) -> None:
    """Neither a peer that never closes nor a decision that never falls can hold it."""
    application.gate = asyncio.Event()
    async with asyncio.timeout(5):
        server = MqttServer(application, limits=ServerLimits(stop_ms_max=200))
        async with server.listening() as address:
            stuck = await RawClient.open(address)
            stuck.send(connect(), publish())
            await application.until(lambda: application.deciding == 1)
        assert server.connections == 0
        assert application.deciding == 0
        await stuck.close()


async def test_a_crash_of_the_application_reaches_the_owner() -> None:
    class Crash(FakeApplication):
        async def published(self, agency: str, payload: bytes) -> Publication:
            raise LookupError(agency, len(payload))

    async def serve() -> None:
        async with asyncio.timeout(5), MqttServer(Crash()).listening() as address, agency(address) as sender:
            sender.send(publish())
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as caught:
        await serve()
    assert caught.group_contains(LookupError)


async def test_idle_sessions_cost_little_memory(application: FakeApplication) -> None:
    """Under 100 KiB a session, the test's own end of each link included."""

    def resident_bytes() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    count = 400
    async with (
        asyncio.timeout(30),
        MqttServer(application, limits=ServerLimits(strangers_max=500)).listening() as address,
    ):
        gc.collect()
        before = resident_bytes()
        links = []
        for number in range(count):
            link = await RawClient.open(address)
            link.send(connect(f"agency-{number}"), subscribe(f"agency-{number}"))
            links.append(link)
        await application.until(lambda: len(application.attachments) == count)
        assert resident_bytes() - before < count * 100 * 1024
        for link in links:
            await link.close()


def test_only_loopback_is_open_without_client_certificates() -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1"):  # noqa: S104 -- that it is refused is the point
        with pytest.raises(ListenError, match="other machines") as caught:
            open_listener(host, 0, tls=None)
        assert "certificate" in caught.value.remedy
    lax = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    lax.verify_mode = ssl.CERT_OPTIONAL
    with pytest.raises(ListenError):
        open_listener("0.0.0.0", 0, tls=lax)  # noqa: S104
    strict = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    strict.verify_mode = ssl.CERT_REQUIRED
    listener, address = open_listener("0.0.0.0", 0, tls=strict)  # noqa: S104
    listener.close()
    assert address.port > 0


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [("broker.example", 0, "IP address"), ("127.0.0.1", 70_000, "port"), ("127.0.0.1", -1, "port")],
)
def test_an_address_that_cannot_be_meant_is_explained(host: str, port: int, words: str) -> None:
    with pytest.raises(ListenError, match=words) as caught:
        open_listener(host, port, tls=None)
    assert caught.value.remedy


def test_a_port_in_use_is_explained() -> None:
    listener, address = open_listener("localhost", 0, tls=None)
    with listener, pytest.raises(ListenError, match=f"port {address.port} .* in use") as caught:
        open_listener("127.0.0.1", address.port, tls=None)
    assert "another port" in caught.value.remedy


async def test_the_log_holds_ids_and_outcomes_only(
    application: FakeApplication, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with served(application) as address:
            async with agency(address) as sender:
                sender.send(publish(payload=b"topsecret"))
                await sender.packet()
            async with client(address) as stranger:
                stranger.send(connect("intruder", password=b"guess"))
                await stranger.rest()
    records = [record for record in caplog.records if record.name == "broker.server"]
    everything = " ".join(str(vars(record)) for record in records)

    assert {"mqtt.session.opened", "mqtt.session.ended", "mqtt.connection.refused"} <= {r.getMessage() for r in records}
    for secret in ("topsecret", "correct horse", "guess", "intruder"):
        assert secret not in everything


class Authority:
    """A certificate authority of one test run."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.file = folder / f"{name}.pem"
        certificate = self._build(self.name, self.key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.file.write_bytes(certificate.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(self, *names: str, server: bool = False, expired: bool = False) -> tuple[Path, Path]:
        """Write a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        certificate = (
            self._build(subject, key.public_key(), expired=expired)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        stem = "-".join(names) + ("-expired" if expired else "")
        certificate_file, key_file = self.folder / f"{stem}.crt", self.folder / f"{stem}.key"
        certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return certificate_file, key_file

    def _build(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, expired: bool = False
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)  # noqa: TID251 -- OpenSSL judges certificates by the machine's clock
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(now + timedelta(days=-1 if expired else 1))
        )

    def client_context(self, *names: str, of: "Authority | None" = None, expired: bool = False) -> ssl.SSLContext:
        """A client's context that trusts this authority, with a certificate of this or another one."""
        context = ssl.create_default_context(cafile=self.file)
        if names:
            context.load_cert_chain(*(of or self).issue(*names, expired=expired))
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "exercise-authority")


@pytest.fixture
def tls(authority: Authority) -> ssl.SSLContext:
    return server_tls_context(*authority.issue("broker", server=True), authority.file)


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """A socket that was left open shows in the test that left it."""
    yield
    gc.collect()


async def test_a_certificate_alone_logs_its_agency_in(
    application: FakeApplication, authority: Authority, tls: ssl.SSLContext
) -> None:
    async with (
        asyncio.timeout(10),
        MqttServer(application).listening(tls=tls) as address,
        client(address, tls=authority.client_context(A)) as link,
    ):
        link.send(connect(username=None, password=None), subscribe(), publish(payload=bytes(500_000)))
        assert (await link.packet())[1][:2] == b"\x00\x00"
        assert await link.packet() == (0x90, SUBACK_GRANTED)
        assert await link.packet() == (0x40, b"\x00\x01")
        assert link.writer.get_extra_info("ssl_object").version() == "TLSv1.3"
        for payload in (b"x", bytes(900_000)):
            assert application.attachments[A].send(payload)
            assert (await link.packet())[1].endswith(payload)
    assert application.credentials == [Credentials(client_id=A, username=None, password=None, certificate_name=A)]


async def test_an_idle_tls_session_keeps_no_large_read_buffer(
    application: FakeApplication, authority: Authority, tls: ssl.SSLContext
) -> None:
    """Asyncio would keep 256 KiB for each; it is set down by private names, so this tells when they change."""
    server = MqttServer(application)
    async with (
        asyncio.timeout(10),
        server.listening(tls=tls) as address,
        client(address, tls=authority.client_context(A)) as link,
    ):
        link.send(connect(username=None, password=None))
        await link.packet()
        (connection,) = server._connections
        protocol = vars(connection._transport)["_ssl_protocol"]
        assert len(protocol._ssl_buffer) == 32 * 1024
        link.send(publish(payload=bytes(300_000)))
        assert await link.packet() == (0x40, b"\x00\x01")
        assert len(protocol._ssl_buffer) == 32 * 1024


async def test_a_certificate_of_another_agency_is_refused_like_a_wrong_password(
    application: FakeApplication, authority: Authority, tls: ssl.SSLContext
) -> None:
    async with asyncio.timeout(10), MqttServer(application).listening(tls=tls) as address:
        for names in ((B,), (A, B)):
            async with client(address, tls=authority.client_context(*names)) as link:
                link.send(connect(A))
                assert await link.rest() == bytes.fromhex("20 03 00 86 00")
    assert application.credentials == []


async def test_no_certificate_a_foreign_one_or_an_expired_one_gets_no_session(
    application: FakeApplication, authority: Authority, tls: ssl.SSLContext, tmp_path: Path
) -> None:
    foreign = Authority(tmp_path, "another-authority")
    contexts = (
        authority.client_context(),
        authority.client_context(A, of=foreign),
        authority.client_context(A, expired=True),
    )

    async def log_in(address: Address, context: ssl.SSLContext) -> None:
        async with client(address, tls=context) as link:
            link.send(connect(A))
            await link.packet()

    async with asyncio.timeout(10), MqttServer(application).listening(tls=tls) as address:
        for context in contexts:
            with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
                await log_in(address, context)
    assert application.credentials == []


async def test_a_handshake_that_is_never_finished_is_cut(application: FakeApplication, tls: ssl.SSLContext) -> None:
    limits = ServerLimits(connect_ms_max=200, sweep_ms=50)
    async with asyncio.timeout(10):
        server = MqttServer(application, limits=limits)
        async with server.listening(tls=tls) as address:
            for begin in (b"", b"\x16\x03\x01", connect()):
                async with client(address) as slow:
                    slow.send(begin)
                    await slow.rest()
        assert server.connections == 0


async def test_a_stop_cuts_handshakes_that_are_under_way(application: FakeApplication, tls: ssl.SSLContext) -> None:
    async with asyncio.timeout(5):
        server = MqttServer(application)
        async with server.listening(tls=tls) as address:
            slow = await RawClient.open(address)
            # The server accepts in this same loop, which then waits for the handshake.
            while not server.connections:  # noqa: ASYNC110 -- the server has no event for a stranger
                await asyncio.sleep(0)
        assert server.connections == 0
        await slow.rest()
        await slow.close()


def test_a_certificate_with_two_names_names_nobody() -> None:
    assert certificate_name({"subject": ((("commonName", A),),)}) == A
    assert certificate_name({"subject": ((("commonName", A),), (("commonName", B),))}) is None
    assert certificate_name({"subject": ((("organizationName", A),),)}) is None
    assert certificate_name(None) is None


def test_tls_files_that_do_not_fit_are_explained(authority: Authority, tmp_path: Path) -> None:
    certificate, _ = authority.issue("broker", server=True)
    _, other_key = authority.issue("other", server=True)
    for key, ca in ((other_key, authority.file), (tmp_path / "absent", authority.file)):
        with pytest.raises(ListenError, match="cannot be used") as caught:
            server_tls_context(certificate, key, ca)
        assert "PEM" in caught.value.remedy
