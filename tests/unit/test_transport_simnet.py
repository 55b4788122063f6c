"""The simulated network: order, delay, loss at the end of a session and nowhere else, and the turns of sessions."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest

from schemas.errors import LinkError
from transport.seeded import stream
from transport.sim_session import SimAttachment
from transport.simloop import run_simulated
from transport.simnet import Course, Direction, SimNet

A, B = "sgp-mar", "mys-mar"


class Broker:
    """Sends every frame back to whoever sent it, and remembers what it was asked."""

    def __init__(self, *, decides_s: float = 0.0) -> None:
        self.decides_s = decides_s
        self.attachments: dict[str, SimAttachment] = {}
        self.history: list[str] = []

    async def attached(self, attachment: SimAttachment) -> None:
        self.attachments[attachment.agency] = attachment
        self.history.append(f"attached {attachment.agency}")

    async def published(self, agency: str, payload: bytes) -> int:
        self.history.append(f"published {payload.decode()}")
        await asyncio.sleep(self.decides_s)
        attachment = self.attachments.get(agency)
        if attachment is not None:
            attachment.send(payload)
        return 0

    async def detached(self, attachment: SimAttachment) -> None:
        self.history.append(f"detached {attachment.agency}")
        if self.attachments.get(attachment.agency) is attachment:
            del self.attachments[attachment.agency]


def net_of(*, delay_us: int = 1_000, most_us: int = 1_000) -> SimNet:
    def course(agency: str, direction: Direction) -> Course:
        return Course(chance=stream(1, f"{agency} {direction}"), delay_us_least=delay_us, delay_us_most=most_us)

    return SimNet(course)


def simulated(scenario: Callable[[SimNet, Broker], Any], *, decides_s: float = 0.0, **delays: int) -> Any:
    async def main() -> Any:
        net, broker = net_of(**delays), Broker(decides_s=decides_s)
        async with net.serving(broker):
            return await scenario(net, broker)

    return run_simulated(main())


async def take(frames: AsyncIterator[bytes], count: int) -> list[bytes]:
    return [await anext(frames) for _ in range(count)]


def test_frames_arrive_in_order_however_long_each_takes() -> None:
    async def scenario(net: SimNet, broker: Broker) -> list[bytes]:
        async with net.connect(A)() as link:
            for number in range(30):
                await link.send(str(number).encode())
            return await take(link.frames(), 30)

    assert [str(number).encode() for number in range(30)] == simulated(scenario, delay_us=0, most_us=500_000)


def test_a_send_takes_the_way_there_the_decision_and_the_way_back() -> None:
    async def scenario(net: SimNet, broker: Broker) -> float:
        async with net.connect(A)() as link:
            began = asyncio.get_running_loop().time()
            await link.send(b"one")
            return round(asyncio.get_running_loop().time() - began, 6)

    assert 0.252 == simulated(scenario, decides_s=0.25)


def test_a_cut_loses_what_is_in_flight_and_ends_both_sides() -> None:
    async def scenario(net: SimNet, broker: Broker) -> tuple[int, int, bool]:
        async with net.connect(A)() as link, asyncio.TaskGroup() as tasks:
            lost = tasks.create_task(send_in_vain(link), name="send")
            await asyncio.sleep(0.0005)
            net.cut(A)
            await lost
            with pytest.raises(LinkError):
                await anext(link.frames())
        await asyncio.sleep(1)
        return net.counts.lost, net.counts.frames_up, net.linked(A)

    async def send_in_vain(link: Any) -> None:
        with pytest.raises(LinkError):
            await link.send(b"lost")

    assert (1, 0, False) == simulated(scenario)


def test_a_second_session_displaces_the_first_and_is_attached_after_it_is_detached() -> None:
    async def scenario(net: SimNet, broker: Broker) -> list[str]:
        async with net.connect(A)() as first, net.connect(A)() as second:
            await second.send(b"two")
            with pytest.raises(LinkError):
                await anext(first.frames())
            assert net.linked(A)
        return broker.history

    assert [f"attached {A}", f"detached {A}", f"attached {A}", "published two"] == simulated(scenario)[:4]


def test_a_session_that_is_let_go_waits_for_its_last_decision() -> None:
    async def scenario(net: SimNet, broker: Broker) -> list[str]:
        with suppress(LinkError):
            async with net.connect(A)() as link, asyncio.timeout(0.1):
                await link.send(b"slow")
        return broker.history

    async def outlasting(net: SimNet, broker: Broker) -> list[str]:
        with suppress(TimeoutError):
            await scenario(net, broker)
        await asyncio.sleep(0.5)
        assert "published slow" == broker.history[-1]
        await asyncio.sleep(5)
        return broker.history

    assert f"detached {A}" == simulated(outlasting, decides_s=3)[-1]


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_short_partition_holds_frames_back_and_loses_none(direction: Direction) -> None:
    async def scenario(net: SimNet, broker: Broker) -> tuple[bytes, bool]:
        async with net.connect(A)() as link, asyncio.TaskGroup() as tasks:
            await asyncio.sleep(0.1)
            net.line(A)[direction].blocked = True
            net.changed(A)
            tasks.create_task(link.send(b"held"), name="send")
            await asyncio.sleep(8)
            late = asyncio.get_running_loop().time() >= 8
            net.line(A)[direction].blocked = False
            net.changed(A)
            return await anext(link.frames()), late

    assert (b"held", True) == simulated(scenario)


def test_a_long_partition_ends_the_link_at_both_sides() -> None:
    async def scenario(net: SimNet, broker: Broker) -> tuple[float, int]:
        async with net.connect(A)() as link:
            await asyncio.sleep(1)
            net.line(A)["down"].blocked = True
            net.changed(A)
            with pytest.raises(LinkError):
                await anext(link.frames())
            return asyncio.get_running_loop().time(), net.counts.silent_ends

    time_s, silent = simulated(scenario, delay_us=0, most_us=0)

    assert (46.0, 1) == (round(time_s, 3), silent)


def test_a_duplicated_frame_arrives_twice() -> None:
    async def scenario(net: SimNet, broker: Broker) -> list[str]:
        net.line(A)["up"].duplicated = 1.0
        async with net.connect(A)() as link:
            await link.send(b"x")
            await asyncio.sleep(1)
        return broker.history

    assert ["published x", "published x"] == [item for item in simulated(scenario) if item.startswith("published")]


def test_a_full_buffer_refuses_and_drains() -> None:
    """The bounds are the MQTT server's: two whole frames a session."""

    async def scenario(net: SimNet, broker: Broker) -> list[bool]:
        async with net.connect(A)():
            await asyncio.sleep(0.1)
            attachment = broker.attachments[A]
            taken = [attachment.send(bytes(1024 * 1024)) for _ in range(3)]
            await attachment.drained()
            return [*taken, attachment.send(b"again")]

    assert [True, True, False, True] == simulated(scenario, delay_us=50_000, most_us=50_000)


def test_nobody_gets_a_link_while_the_broker_is_down_or_unless_it_admits_them() -> None:
    async def main() -> tuple[int, list[str]]:
        net, broker = net_of(), Broker()
        with suppress(LinkError):
            async with net.connect(A)():
                pytest.fail("there is no broker")
        async with net.serving(broker, admits=lambda agency: agency == B):
            with suppress(LinkError):
                async with net.connect(A)():
                    pytest.fail("it is not admitted")
            async with net.connect(B)():
                await asyncio.sleep(0.1)
        return net.counts.refused, broker.history[:1]

    assert (2, [f"attached {B}"]) == run_simulated(main())


def test_the_end_of_the_broker_ends_every_link() -> None:
    async def main() -> str:
        net, links = net_of(), asyncio.Event()

        async def node() -> str:
            async with net.connect(A)() as link:
                links.set()
                try:
                    await anext(link.frames())
                except LinkError as error:
                    return str(error)
            return ""

        async with asyncio.TaskGroup() as tasks, net.serving(Broker()):
            waiting = tasks.create_task(node(), name="node")
            await links.wait()
        return waiting.result()

    assert "the broker has gone" in run_simulated(main())
