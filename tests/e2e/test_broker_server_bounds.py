"""What the MQTT server holds for its sessions is bounded, and a slow or silent one costs nobody but itself."""

import asyncio
import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.fields import Reason
from broker.limits import ServerLimits
from broker.server import MqttServer
from tests.samples.raw_mqtt import (
    DISCONNECT,
    PINGREQ,
    PINGRESP,
    A,
    B,
    FakeApplication,
    RawClient,
    agency,
    client,
    connect,
    frame,
    publish,
    served,
    subscribe,
    text,
)


@pytest.fixture
def application() -> FakeApplication:
    return FakeApplication()


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """A socket that was left open shows in the test that left it."""
    yield
    gc.collect()


async def test_a_silent_agency_is_told_0x8d(application: FakeApplication) -> None:
    async with served(application, limits=ServerLimits(sweep_ms=50)) as address, client(address) as silent:
        silent.send(connect(keep_alive_s=1), subscribe())
        await silent.packet()
        await silent.packet()
        assert await silent.packet() == (DISCONNECT, bytes((Reason.KEEP_ALIVE_TIMEOUT,)))
        assert await silent.rest() == b""
    assert application.history == [f"attached {A}", f"detached {A}"]


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
