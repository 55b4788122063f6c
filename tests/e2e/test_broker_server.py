"""The MQTT server on real sockets: what is published is decided, and a delivery reaches its agency alone."""

import asyncio
import gc
import logging
from collections.abc import Iterator

import pytest

from broker.application import Publication
from broker.fields import Reason
from broker.limits import ServerLimits
from tests.samples.raw_mqtt import (
    DISCONNECT,
    PINGREQ,
    PINGRESP,
    A,
    B,
    FakeApplication,
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
