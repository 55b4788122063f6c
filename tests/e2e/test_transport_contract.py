"""The transport contract: what a node and a router may rely on, whatever broker carries their frames.

One suite for the embedded broker on real sockets, for Mosquitto as we set it up, and for the model of a broker that
virtual time runs on. The model cannot drift from the brokers without a test failing here, and no broker can be claimed
that does not keep this. Where brokers may differ, ``Capabilities`` names it and both sides are tested.
"""

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from broker.application import Publication
from schemas.errors import LinkError
from schemas.limits import DELIVERY_WINDOW, FRAME_BYTES_MAX
from schemas.topics import up_topic
from tests.samples.embedded_world import EmbeddedWorld
from tests.samples.mosquitto_world import mosquitto_by_text
from tests.samples.recording_router import RecordingRouter
from tests.samples.simulated_world import SimulatedWorld
from tests.samples.transport_world import PACKET_BYTES_MAX, A, B, World
from transport.link import Link
from transport.simloop import run_simulated

_WITHIN_S = 90
_SOON_S = 0.5  # how long nothing must happen for us to say that it does not
_KEEP_ALIVE_S = 2  # of real links, where half a minute would be waited for

Scenario = Callable[[World], Awaitable[None]]
Play = Callable[[Scenario], None]


def _really(world: AbstractAsyncContextManager[World], scenario: Scenario) -> None:
    async def main() -> None:
        async with asyncio.timeout(_WITHIN_S), world as running:
            await scenario(running)

    asyncio.run(main())


@pytest.fixture(params=["embedded", "mosquitto", "model"])
def play(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Return what plays a scenario on one broker, in real time or in virtual."""
    monkeypatch.setattr("transport.mqtt._KEEP_ALIVE_S", _KEEP_ALIVE_S)
    match request.param:
        case "embedded":
            return lambda scenario: _really(EmbeddedWorld().running(), scenario)
        case "mosquitto":
            return lambda scenario: _really(mosquitto_by_text(tmp_path).running(), scenario)
        case _:
            return _in_virtual_time


def _in_virtual_time(scenario: Scenario) -> None:
    async def main() -> None:
        async with SimulatedWorld().running() as world:
            await scenario(world)

    run_simulated(main())


def on_every_broker(scenario: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make a test of a scenario: its loop is of our choice, since one of the brokers lives in virtual time."""
    given = [item for name, item in inspect.signature(scenario).parameters.items() if name != "world"]

    def test(play: Play, **values: Any) -> None:
        play(partial(scenario, **values))

    asked = inspect.Parameter("play", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    test.__name__, test.__doc__ = scenario.__name__, scenario.__doc__
    # Pytest reads off these what to hand in, and the marks.
    vars(test).update(vars(scenario), __signature__=inspect.Signature([asked, *given]))
    return test


@asynccontextmanager
async def linked(world: World, agency: str) -> AsyncGenerator[Link, None]:
    """Open a link, and wait until frames have their way in both directions."""
    async with world.connect(agency)() as link:
        await world.router.ready_for(agency)
        yield link


async def take(frames: AsyncIterator[bytes], count: int) -> list[bytes]:
    return [await anext(frames) for _ in range(count)]


@asynccontextmanager
async def sending(link: Link, frame: bytes) -> AsyncGenerator[asyncio.Task[None], None]:
    """Send a frame that will not be acknowledged.

    That a link has ended shows in its frames, at once; a publish under way may take aiomqtt ten seconds to give up. So
    it is let go here as a node does it, with all else of that link.
    """

    async def send() -> None:
        with pytest.raises(LinkError):
            await link.send(frame)

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(send(), name="send")
        yield task
        task.cancel()


async def until_last(world: World, agency: str, link: Link) -> list[bytes]:
    """Send a last frame down; returns what came before it."""
    await world.router.send(agency, b"last")
    heard: list[bytes] = []
    async for frame in link.frames():
        if frame == b"last":
            return heard
        heard.append(frame)
    return heard


async def brought_up(world: World, agency: str) -> list[tuple[str, bytes]]:
    """Send a last frame up by a link of its own; returns all that came up before it."""
    async with linked(world, agency) as link:
        await link.send(b"last")
        await world.router.until(lambda: (agency, b"last") in world.router.arrived)
    return [item for item in world.router.arrived if item[1] != b"last"]


# Delivery and order.


@on_every_broker
async def test_what_is_sent_arrives_once_both_ways(world: World) -> None:
    async with linked(world, A) as link:
        await link.send(b"up")
        await world.router.send(A, b"down")
        assert [b"down"] == await until_last(world, A, link)
    assert [(A, b"up")] == await brought_up(world, A)


@on_every_broker
async def test_frames_keep_their_order_on_a_link(world: World) -> None:
    frames = [str(number).encode() for number in range(100)]
    async with linked(world, A) as link:
        for frame in frames:
            await link.send(frame)
        for frame in frames:
            await world.router.send(A, frame)
        assert frames == await take(link.frames(), len(frames))
    assert [(A, frame) for frame in frames] == await brought_up(world, A)


@on_every_broker
async def test_frames_that_are_sent_at_once_keep_their_order_too(world: World) -> None:
    """More than a client has under way: the rest waits its turn at the sender, for as long as its queue holds."""
    frames = [str(number).encode() for number in range(DELIVERY_WINDOW)]
    async with linked(world, A) as link, asyncio.TaskGroup() as tasks:
        for frame in frames:
            tasks.create_task(link.send(frame), name="send")
    assert [(A, frame) for frame in frames] == await brought_up(world, A)


@on_every_broker
async def test_sends_beyond_what_may_be_under_way_wait_while_nothing_is_decided(world: World) -> None:
    """A broker that is left more publishes than it announced ends the link; no sender of ours gets there."""
    frames = [str(number).encode() for number in range(DELIVERY_WINDOW)]
    async with linked(world, A) as link, asyncio.TaskGroup() as tasks:
        if isinstance(world.router, RecordingRouter):
            world.router.hang()
        for frame in frames:
            tasks.create_task(link.send(frame), name="send")
        await asyncio.sleep(_SOON_S)
        if isinstance(world.router, RecordingRouter):
            world.router.go_on()
    assert [(A, frame) for frame in frames] == await brought_up(world, A)


# Isolation.


@on_every_broker
async def test_an_agency_sees_nothing_of_another(world: World) -> None:
    async with linked(world, A) as link, linked(world, B) as stranger:
        await link.send(b"from A")
        await world.router.send(A, b"to A")
        assert [b"to A"] == await take(link.frames(), 1)
        assert [] == await until_last(world, B, stranger)
    assert [(A, b"from A")] == await brought_up(world, B)


@on_every_broker
async def test_who_cannot_prove_its_name_gets_no_link_and_disturbs_none(world: World) -> None:
    async with linked(world, A) as link:
        with pytest.raises(LinkError):
            async with world.connect(A, proven=False)():
                pytest.fail("it was let in")
        await world.router.send(A, b"still here")
        assert [b"still here"] == await take(link.frames(), 1)


# Takeover.


@on_every_broker
async def test_a_second_link_of_an_agency_displaces_the_first(world: World) -> None:
    async with world.connect(A)() as first:
        await world.router.ready_for(A)
        async with linked(world, A) as second:
            with pytest.raises(LinkError):
                await anext(first.frames())
            with pytest.raises(LinkError):
                await first.send(b"from the first")
            await second.send(b"from the second")
            await world.router.send(A, b"to the second")
            assert [b"to the second"] == await take(second.frames(), 1)
    assert [(A, b"from the second")] == await brought_up(world, A)


@on_every_broker
async def test_of_a_takeover_the_router_hears_in_order_or_not_at_all(world: World) -> None:
    async with world.connect(A)() as first:
        await world.router.ready_for(A)
        async with world.connect(A)() as second:
            with pytest.raises(LinkError):
                await anext(first.frames())
            await second.send(b"from the second")
            await world.router.until(lambda: bool(world.router.arrived))
            told = list(world.router.sessions)
    if world.capabilities.tells_of_sessions:
        assert [f"attached {A}", f"detached {A}", f"attached {A}"] == told
    else:
        assert [] == told


# The end of a link.


@on_every_broker
async def test_what_is_sent_to_nobody_does_not_come_with_the_next_link(world: World) -> None:
    """A broker that kept it would bring back what was long sent again; the router has its own store."""
    async with linked(world, A):
        pass
    await world.router.send(A, b"to nobody")
    async with linked(world, A) as link:
        assert [] == await until_last(world, A, link)


@on_every_broker
async def test_a_publish_that_was_not_acknowledged_may_have_arrived_and_is_not_sent_again(world: World) -> None:
    """Its sender hears an error, which says neither; to send again is the node's matter, and it knows what."""
    async with linked(world, A) as link:
        world.line(A).lose("down")
        async with sending(link, b"unacknowledged"):
            await world.router.until(lambda: bool(world.router.arrived))
            world.line(A).cut()
            with pytest.raises(LinkError):
                await anext(link.frames())
    assert [(A, b"unacknowledged")] == await brought_up(world, A)


@on_every_broker
async def test_a_publish_that_never_reached_the_broker_is_not_sent_again_either(world: World) -> None:
    async with linked(world, A) as link:
        world.line(A).lose("up")
        async with sending(link, b"lost") as task:
            await asyncio.sleep(_SOON_S)
            assert not task.done()
            world.line(A).cut()
            with pytest.raises(LinkError):
                await anext(link.frames())
    assert [] == await brought_up(world, A)


@on_every_broker
async def test_both_ends_notice_a_peer_that_vanished(world: World) -> None:
    """No word passes, as when a machine loses its power: the keep alive is all that tells, to each end by itself."""
    async with linked(world, A) as link:
        world.line(A).lose("up")
        world.line(A).lose("down")
        with pytest.raises(LinkError):
            await anext(link.frames())
        await world.line(A).broker_let_go()
    world.line(A).cut()
    if world.capabilities.tells_of_sessions:
        await world.router.until(lambda: f"detached {A}" in world.router.sessions)
    async with linked(world, A) as link:
        await world.router.send(A, b"again")
        assert [b"again"] == await take(link.frames(), 1)


@on_every_broker
async def test_a_node_comes_back_before_its_dead_link_is_noticed(world: World) -> None:
    """What went to the dead link is lost, and what comes after it is not."""
    async with linked(world, A):
        world.line(A).lose("up")
        world.line(A).lose("down")
        await world.router.send(A, b"to the dead link")
        world.line(A).cut()
        async with linked(world, A) as link:
            await link.send(b"back")
            assert [] == await until_last(world, A, link)
    assert (A, b"back") in world.router.arrived


@on_every_broker
async def test_a_restart_ends_every_link_and_all_come_back(world: World) -> None:
    async with linked(world, A) as one, linked(world, B) as other:
        await one.send(b"before")
        await world.restart()
        for link in (one, other):
            with pytest.raises(LinkError):
                await anext(link.frames())
            with pytest.raises(LinkError):
                await link.send(b"into a dead link")
    async with linked(world, A) as one, linked(world, B) as other:
        for agency, link in ((A, one), (B, other)):
            await link.send(b"after")
            assert [] == await until_last(world, agency, link)
    assert [(A, b"before"), (A, b"after"), (B, b"after")] == await brought_up(world, A)


# What an acknowledgement is worth.


@on_every_broker
async def test_an_acknowledgement_comes_after_the_decision_or_promises_nothing(world: World) -> None:
    """The reason why a node goes on sending until it has a verdict: at a general broker this frame is gone."""
    async with world.connect(A)() as link:
        await world.router.ready_for(A)
        await world.away()
        if world.capabilities.decides:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(_SOON_S):
                    await link.send(b"undecided")
        else:
            await link.send(b"to nobody")
            await world.restart()
            assert [] == await brought_up(world, A)


@on_every_broker
async def test_a_frame_that_was_not_taken_ends_the_link_where_the_router_can_say_so(world: World) -> None:
    """Nothing else would tell the node: no verdict comes for a frame that never reached the disk."""
    if not isinstance(world.router, RecordingRouter):
        assert not world.capabilities.decides
        return
    world.router.answer = Publication.QUOTA_EXCEEDED
    async with linked(world, A) as link:
        for _ in range(2):
            with pytest.raises(LinkError, match="0x97"):
                await link.send(b"not taken")


# Size.


@on_every_broker
@pytest.mark.parametrize("frame_bytes", [1, FRAME_BYTES_MAX])
async def test_a_frame_within_the_limit_arrives_whole(world: World, frame_bytes: int) -> None:
    frame = (bytes(range(251)) * (1 + frame_bytes // 251))[:frame_bytes]
    async with linked(world, A) as link:
        await link.send(frame)
        await world.router.send(A, frame)
        assert [frame] == await take(link.frames(), 1)
    assert [(A, frame)] == await brought_up(world, A)


# Around a payload of this size: the first byte and three of length, the topic and its length, the packet's number, and
# that there are no properties (MQTT 5, 3.3).
_AROUND_BYTES = 4 + 2 + len(up_topic(A)) + 2 + 1


@on_every_broker
async def test_the_largest_packet_passes_and_a_larger_one_ends_the_link(world: World) -> None:
    """Larger by what a broker may forget to count: Mosquitto 2.0 leaves the three bytes of the length out."""
    largest = PACKET_BYTES_MAX - _AROUND_BYTES
    async with linked(world, A) as link:
        await link.send(bytes(largest))
        async with sending(link, bytes(largest + 1 + 3)):
            with pytest.raises(LinkError):
                await anext(link.frames())
    assert [largest] == [len(frame) for _, frame in await brought_up(world, A)]


@on_every_broker
async def test_a_frame_too_large_for_the_node_is_dropped_and_its_link_lives(world: World) -> None:
    """The node said in its CONNECT what it takes; the router never makes such a frame, so nobody need hear of it."""
    async with linked(world, A) as link:
        await world.router.send(A, bytes(FRAME_BYTES_MAX + 2_048))
        assert [] == await until_last(world, A, link)
