"""Link quality as the pack sets it: frames are held, in exercise time, on their way between a node and the broker.

The shaper stands around a real link and is a link itself, so node and broker are the code that runs in earnest. It
also knows which frames are moving and which are held, which is how the exercise knows when time may pass.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from agencies.bots import Chance
from scenarios.clock import ExerciseClock
from scenarios.model import LinkProfile, Outage, Span
from schemas.errors import LinkError
from transport.link import Connect, Link

_FRAMES_HELD_MAX = 1_024  # the window of deliveries and what comes beside them; a full queue holds the link's own


class Tap(Protocol):
    """Whoever holds a line at the router's end: is given each frame, and says what goes on in its place."""

    def up(self, frame: bytes, /) -> bytes:
        """Return what goes on to the router."""
        ...

    def down(self, frame: bytes, /) -> bytes:
        """Return what goes on to the node."""
        ...


class LinkShaper:
    """The quality of one agency's link, both ways.

    Args:
        profile: What the pack says.
        clock: Exercise time.
        start_ms: STARTEX; before it nothing is held, so that the communications check is quick.
        chance: Seeded by pack and agency, so that a play can be repeated.
    """

    def __init__(self, profile: LinkProfile, *, clock: ExerciseClock, start_ms: int, chance: Chance) -> None:
        self._profile = profile
        self._clock = clock
        self._start_ms = start_ms
        self._chance = chance
        self._free_up_ms = self._free_down_ms = 0
        self._arrived: asyncio.Queue[tuple[int, bytes | LinkError]] = asyncio.Queue()
        self._down_held = False  # the first frame waits for its time, and so do those behind it
        self._sending = self._taking = 0
        self._severed = False  # the node was told that its session has ended, and looks for its next
        self._link: Link | None = None  # of the session that there is
        self.tap: Tap | None = None
        self.linked = False
        self.sessions = 0  # that have begun
        self.shaping = False
        self.received = 0  # frames that came from the broker in this session

    @property
    def moving(self) -> int:
        """How many frames are on their way at this moment of exercise time: neither held nor done with.

        A node between two sessions counts as one: how long it takes to come back is real time, and no time of play.
        """
        if self._severed:
            return 1
        return self._sending + (0 if self._down_held else self._taking + self._arrived.qsize())

    def connect(self, inner: Connect) -> Connect:
        """Return what opens shaped links."""

        @asynccontextmanager
        async def shaped() -> AsyncGenerator[Link, None]:
            async with inner() as link, asyncio.TaskGroup() as tasks:
                self.received = self._sending = self._taking = 0
                self._severed = False
                self.linked = True
                self._link = link
                self.sessions += 1
                self._down_held = False
                self._arrived = asyncio.Queue(maxsize=_FRAMES_HELD_MAX)
                pump = tasks.create_task(self._pump(link), name="link-pump")
                try:
                    yield _ShapedLink(self, link)
                finally:
                    self._link = None
                    pump.cancel()

        return shaped

    async def _pump(self, link: Link) -> None:
        try:
            async for frame in link.frames():
                passed = frame if self.tap is None else self.tap.down(frame)
                await self._arrived.put((self._due_down(len(passed)), passed))
                self.received += 1
        except LinkError as error:
            self.linked = False
            await self._arrived.put((self._clock.now_ms(), error))

    def _due_down(self, size: int) -> int:
        """Return when a frame that comes from the broker now is with the node, or is fetched by one that polls."""
        due = self._due(size, self._free_down_ms)
        every = self._profile.read_every_ms
        if self.shaping and every:
            due = self._start_ms - (self._start_ms - due) // every * every
        self._free_down_ms = due
        return due

    async def send(self, frame: bytes, link: Link) -> None:
        """Hold a frame for as long as the link takes, then send it."""
        due = self._due(len(frame), self._free_up_ms)
        self._free_up_ms = due
        await self._until(due, self._begin_sending)
        try:
            await link.send(frame if self.tap is None else self.tap.up(frame))
        except LinkError:
            self._severed = True
            raise
        finally:
            self._sending -= 1

    async def slip_up(self, frame: bytes) -> None:
        """Send the router a frame that the node knows nothing of, over the session that the node has.

        Raises:
            LinkError: If there is none, or the router did not take the frame.
        """
        if self._link is None:
            msg = "the line is down"
            raise LinkError(msg)
        await self._link.send(frame)

    def slip_down(self, frame: bytes) -> None:
        """Send the node a frame that the router knows nothing of; it takes as long as any other.

        Raises:
            LinkError: If more is under way than the line holds.
        """
        try:
            self._arrived.put_nowait((self._due_down(len(frame)), frame))
        except asyncio.QueueFull as error:
            msg = "the line holds no more"
            raise LinkError(msg) from error

    async def take(self) -> bytes:
        """Return the next frame from the broker, once the link, or a node that polls, would have brought it.

        Raises:
            LinkError: At the end of the link.
        """
        # The node has done with the frame before when it asks for the next one.
        self._taking = 0
        due, frame = await self._arrived.get()
        self._taking = 1
        if isinstance(frame, LinkError):
            self._severed = True
            raise frame
        self._down_held = due > self._clock.now_ms()
        await self._until(due, self._release_down)
        return frame

    def _begin_sending(self) -> None:
        self._sending += 1

    def _release_down(self) -> None:
        self._down_held = False

    async def _until(self, due_ms: int, begin: Callable[[], None]) -> None:
        """Wait for exercise time; ``begin`` runs in the very step in which that time comes."""
        if due_ms <= self._clock.now_ms():
            begin()
            return
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def reach() -> None:
            if not reached.done():
                begin()
                reached.set_result(None)

        self._clock.at(due_ms, reach)
        await reached

    def _due(self, size: int, free_ms: int) -> int:
        now_ms = self._clock.now_ms()
        if not self.shaping:
            return now_ms
        delay = draw(self._profile.delay, self._chance)
        if self._profile.rate_bits_per_s:
            delay += size * 8 * 1000 // self._profile.rate_bits_per_s
        due = max(now_ms + delay, free_ms)
        for outage in self._profile.outages:
            due = self._start_ms + after_outage(outage, due - self._start_ms)
        return due


class _ShapedLink:
    def __init__(self, shaper: LinkShaper, link: Link) -> None:
        self._shaper = shaper
        self._link = link

    async def send(self, frame: bytes) -> None:
        await self._shaper.send(frame, self._link)

    async def frames(self) -> AsyncIterator[bytes]:
        while True:
            yield await self._shaper.take()


def draw(span: Span, chance: Chance) -> int:
    """Return a duration within a span, in ms; every one equally likely."""
    return span.least_ms + int((span.most_ms - span.least_ms + 1) * chance.random())


def after_outage(outage: Outage, at_ms: int) -> int:
    """Return the time, in ms since STARTEX, at which a frame due at ``at_ms`` gets through."""
    if at_ms < outage.begin_ms:
        return at_ms
    into = at_ms - outage.begin_ms
    if outage.every_ms:
        into %= outage.every_ms
    return at_ms + outage.lasts_ms - into if into < outage.lasts_ms else at_ms
