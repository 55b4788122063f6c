"""What a client may do at a broker that we claim to run on, tried by clients that others wrote.

The second half of the transport contract, for brokers that speak MQTT: the embedded one, Mosquitto set up by our text,
and Mosquitto started from the folder that ``sandiwara render`` wrote. B is hostile, knows its own password, and tries
what the access list is there against; A and the router go on as if nothing were.
"""

import asyncio
import shutil
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from schemas.topics import down_topic, up_topic
from tests.samples.embedded_world import EmbeddedWorld
from tests.samples.mosquitto_world import mosquitto_by_text, mosquitto_of_region
from tests.samples.quick_region import quick_region
from tests.samples.transport_world import A, B, MqttWorld
from transport.link import Link

_WITHIN_S = 60
_FAILED_FROM = 0x80  # MQTT 5: reason codes from here on say no
ENDED = (aiomqtt.MqttError, ValueError)  # paho refuses some topics itself

pytestmark = pytest.mark.foreign


class Hostile(aiomqtt.Client):
    """Goes on at once when its link has ended, where aiomqtt waits ten seconds for the answer that will not come."""

    def _on_disconnect(self, *event: Any) -> None:
        super()._on_disconnect(*event)
        for answered in tuple(self._pending_publishes.values()):
            answered.set()
        for granted in tuple(self._pending_subscribes.values()):
            if not granted.done():
                granted.set_exception(aiomqtt.MqttError("the link has ended"))


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return quick_region(tmp_path_factory.mktemp("rights"))


@pytest.fixture(params=["embedded", "mosquitto", "rendered"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> AbstractAsyncContextManager[MqttWorld]:
    match request.param:
        case "embedded":
            return EmbeddedWorld().running()
        case "mosquitto":
            return mosquitto_by_text(tmp_path).running()
        case _:
            return mosquitto_of_region(request.getfixturevalue("region"), tmp_path / "mosquitto").running()


@asynccontextmanager
async def with_a(world: AbstractAsyncContextManager[MqttWorld]) -> AsyncGenerator[tuple[MqttWorld, Link], None]:
    """Run a broker with A's link open."""
    async with asyncio.timeout(_WITHIN_S), world as running, running.connect(A)() as link:
        await running.router.ready_for(A)
        yield running, link


def as_b(
    world: MqttWorld, *, client_id: str = B, password: str | None = None, will: aiomqtt.Will | None = None
) -> aiomqtt.Client:
    host, port = world.address(B)
    return Hostile(
        host,
        port,
        identifier=client_id,
        username=B,
        password=world.password(B) if password is None else password,
        protocol=aiomqtt.ProtocolVersion.V5,
        will=will,
    )


async def a_is_well(world: MqttWorld, link: Link) -> None:
    """Nothing that is not its own came to A, in either direction, and its link works."""
    await world.router.send(A, b"last")
    assert b"last" == await anext(link.frames())
    await link.send(b"last")
    await world.router.until(lambda: (A, b"last") in world.router.arrived)
    assert [(A, b"last")] == [item for item in world.router.arrived if item[0] == A]


async def heard_by(world: MqttWorld, client: aiomqtt.Client) -> list[object]:
    """Return all that B hears before a last frame of its own, or its end."""
    await world.router.send(B, b"last")
    heard: list[object] = []
    with suppress(aiomqtt.MqttError):
        async for message in client.messages:
            if message.payload == b"last":
                break
            heard.append(message.payload)
    return heard


@pytest.mark.parametrize("topic", [up_topic(A), down_topic(A), down_topic(B), "$SYS/broker/version", "anything"])
async def test_nobody_publishes_but_on_its_own_up_topic(
    world: AbstractAsyncContextManager[MqttWorld], topic: str
) -> None:
    async with with_a(world) as (running, link):
        with suppress(*ENDED):
            async with as_b(running) as client:
                await client.subscribe(down_topic(B), qos=1)
                await client.publish(topic, b"forged", qos=1)
                assert [] == await heard_by(running, client)
        await a_is_well(running, link)
        assert (B, b"forged") not in running.router.arrived


@pytest.mark.parametrize(
    "topic_filter",
    ["#", "+/+/#", "sw/1/+/down", "sw/1/+/up", down_topic(A), up_topic(A), up_topic(B), f"$share/g/{down_topic(A)}",
     "$share/g/#", "$SYS/#"],
)  # fmt: skip
async def test_nobody_hears_but_its_own_down_topic(
    world: AbstractAsyncContextManager[MqttWorld], topic_filter: str
) -> None:
    async with with_a(world) as (running, link):
        refused = True
        with suppress(*ENDED):
            async with as_b(running) as client:
                await client.subscribe(down_topic(B), qos=1)
                granted = await client.subscribe(topic_filter, qos=1)
                refused = all(getattr(code, "value", code) >= _FAILED_FROM for code in granted)
                await running.router.send(A, b"secret")
                assert b"secret" == await anext(link.frames())
                assert [] == await heard_by(running, client)
        if running.capabilities.refuses_aloud:
            assert refused
        await a_is_well(running, link)


async def test_nothing_is_retained(world: AbstractAsyncContextManager[MqttWorld]) -> None:
    async with with_a(world) as (running, link):
        with suppress(aiomqtt.MqttError):
            async with as_b(running) as client:
                await client.publish(up_topic(B), b"kept", qos=1, retain=True)
        assert (B, b"kept") not in running.router.arrived
        async with as_b(running) as client:
            await client.subscribe(down_topic(B), qos=1)
            assert [] == await heard_by(running, client)
        await a_is_well(running, link)


@pytest.mark.parametrize("topic", [up_topic(A), down_topic(A)])
async def test_a_last_will_goes_nowhere_that_its_author_may_not(
    world: AbstractAsyncContextManager[MqttWorld], topic: str
) -> None:
    async with with_a(world) as (running, link):
        refused = True
        with suppress(aiomqtt.MqttError):
            async with as_b(running, will=aiomqtt.Will(topic, b"last will", qos=1)) as client:
                refused = False
                await client.subscribe(down_topic(B), qos=1)
                running.line(B).cut()
                await heard_by(running, client)
        if running.capabilities.refuses_aloud:
            assert refused
        await a_is_well(running, link)


async def test_another_client_id_does_not_take_a_session_over(world: AbstractAsyncContextManager[MqttWorld]) -> None:
    """Mosquitto makes B of whoever logs in as B; the embedded broker does not let it in."""
    async with with_a(world) as (running, link):
        refused = True
        with suppress(aiomqtt.MqttError):
            async with as_b(running, client_id=A) as client:
                refused = False
                await client.subscribe(down_topic(A), qos=1)
                await running.router.send(A, b"secret")
                assert b"secret" == await anext(link.frames())
        if running.capabilities.refuses_aloud:
            assert refused
        await a_is_well(running, link)


@pytest.mark.parametrize("password", ["", "guessed", "$7$101$"])
async def test_a_wrong_password_opens_nothing(world: AbstractAsyncContextManager[MqttWorld], password: str) -> None:
    async with with_a(world) as (running, link):
        with pytest.raises(aiomqtt.MqttError):
            async with as_b(running, password=password):
                pytest.fail("it was let in")
        await a_is_well(running, link)


@pytest.mark.parametrize("user", [None, "", "#", "+", "nobody-here", "rt-region"])
async def test_a_name_that_is_no_agency_opens_nothing(
    world: AbstractAsyncContextManager[MqttWorld], user: str | None
) -> None:
    """The router's name too, with an agency's password."""
    async with with_a(world) as (running, link):
        host, port = running.address(B)
        with pytest.raises(aiomqtt.MqttError):
            async with aiomqtt.Client(
                host, port, identifier=B, username=user, password=running.password(B) if user is not None else None,
                protocol=aiomqtt.ProtocolVersion.V5,
            ):  # fmt: skip
                pytest.fail("it was let in")
        await a_is_well(running, link)


async def test_a_second_quality_of_service_is_not_offered(world: AbstractAsyncContextManager[MqttWorld]) -> None:
    async with with_a(world) as (running, link):
        refused = False
        try:
            async with as_b(running) as client:
                await client.publish(up_topic(B), b"twice confirmed", qos=2)
                await anext(aiter(client.messages))
        except aiomqtt.MqttError:
            refused = True
        assert refused
        assert [] == running.router.arrived
        await a_is_well(running, link)


async def test_mosquittos_own_programs_meet_the_same_rights(world: AbstractAsyncContextManager[MqttWorld]) -> None:
    async with with_a(world) as (running, link):
        own = await _program("mosquitto_pub", running, "-t", up_topic(B), "-q", "1", "-m", "own")
        foreign = await _program("mosquitto_pub", running, "-t", up_topic(A), "-q", "1", "-m", "foreign")
        await running.router.until(lambda: (B, b"own") in running.router.arrived)
        async with asyncio.TaskGroup() as tasks:
            words = ("-t", "sw/1/+/down", "-t", "$SYS/#", "-t", "#", "-W", "1")
            listening = tasks.create_task(_program("mosquitto_sub", running, *words), name="listening")
            while not listening.done():
                await running.router.send(A, b"secret")
                assert b"secret" == await anext(link.frames())
                await asyncio.sleep(0.05)
        assert "RC:0" in own
        assert "RC:135" in foreign
        assert "secret" not in listening.result()
        await a_is_well(running, link)


async def _program(name: str, world: MqttWorld, *words: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is missing: install the package mosquitto-clients")
    host, port = world.address(B)
    login = ("-V", "5", "-d", "-h", host, "-p", str(port), "-i", B, "-u", B, "-P", world.password(B))
    process = await asyncio.create_subprocess_exec(
        path, *login, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return said.decode()
