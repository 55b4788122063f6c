"""Peers that have not logged in: what they send harms nobody, and they take no place from those who do."""

import gc
import socket
import struct
from collections.abc import Iterator

import pytest

from broker.limits import ServerLimits
from tests.samples.raw_mqtt import (
    PINGREQ,
    PINGRESP,
    A,
    B,
    FakeApplication,
    RawClient,
    agency,
    assert_serves,
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
