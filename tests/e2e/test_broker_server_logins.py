"""Logins at the MQTT server: every failed one looks the same, and a second one takes the session over."""

import asyncio
import gc
from collections.abc import Iterator

import pytest

from broker.fields import Reason
from tests.samples.raw_mqtt import (
    DISCONNECT,
    PASSWORD,
    PINGREQ,
    PINGRESP,
    A,
    B,
    FakeApplication,
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
