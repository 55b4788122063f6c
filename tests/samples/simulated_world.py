"""The model of a broker in virtual time, under the contract that the real ones keep."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal

from tests.samples.recording_router import RecordingRouter
from tests.samples.transport_world import AGENCIES, Capabilities
from transport.link import Connect
from transport.seeded import stream
from transport.simnet import Course, Direction, SimNet


class SimulatedWorld:
    """See ``tests.samples.transport_world.World``."""

    capabilities = Capabilities(decides=True, tells_of_sessions=True, refuses_aloud=True)

    def __init__(self) -> None:
        self._net = SimNet(_course)
        self._unproven: set[str] = set()
        self._serving = AsyncExitStack()
        self.router = RecordingRouter(dict.fromkeys(AGENCIES, ""))

    def connect(self, agency: str, *, proven: bool = True) -> Connect:
        # A line of the model belongs to one agency; what is left to prove is whether the broker admits it.
        (self._unproven.discard if proven else self._unproven.add)(agency)
        return self._net.connect(agency)

    def line(self, agency: str) -> "SimulatedLine":
        return SimulatedLine(self._net, agency)

    async def away(self) -> None:
        self.router.hang()

    async def restart(self) -> None:
        await self._serving.aclose()
        await self.start()

    async def start(self) -> None:
        """Serve until the next ``restart``, or the end."""
        serving = self._net.serving(self.router, admits=lambda agency: agency not in self._unproven)
        await self._serving.enter_async_context(serving)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["SimulatedWorld", None]:
        """Run the model while the block runs."""
        await self.start()
        try:
            yield self
        finally:
            self.router.go_on()
            await self._serving.aclose()


class SimulatedLine:
    """See ``tests.samples.transport_world.Line``."""

    def __init__(self, net: SimNet, agency: str) -> None:
        self._net = net
        self._agency = agency

    def lose(self, direction: Literal["up", "down"]) -> None:
        self._net.line(self._agency)[direction].blocked = True
        self._net.changed(self._agency)

    def cut(self) -> None:
        for course in self._net.line(self._agency).values():
            course.blocked = False
        self._net.cut(self._agency)
        self._net.changed(self._agency)

    async def broker_let_go(self) -> None:
        while self._net.linked(self._agency):  # noqa: ASYNC110 # a look in virtual time costs nothing
            await asyncio.sleep(1)


def _course(agency: str, direction: Direction) -> Course:
    # Not the same for every frame, so that order is the model's doing.
    return Course(chance=stream(1, f"{agency} {direction}"), delay_us_least=1_000, delay_us_most=50_000)
