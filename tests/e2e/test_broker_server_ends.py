"""How a session and the MQTT server end: with a last word, without leftovers, and not for ever."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import suppress

import pytest

from broker.application import Publication
from broker.fields import Reason
from broker.limits import ServerLimits
from broker.server import MqttServer
from tests.samples.raw_mqtt import (
    DISCONNECT,
    PINGREQ,
    A,
    FakeApplication,
    RawClient,
    agency,
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
