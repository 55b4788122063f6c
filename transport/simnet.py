"""A simulated network with the front of a broker at its middle: what stands in for MQTT in virtual time.

A node sees a ``transport.link.Link``, the broker's application sees what the MQTT server would show it: sessions that
attach and detach in turn, publishes in order, an acknowledgement after the decision, a bounded buffer for what it
sends. Frames keep their order and take their time; what is in flight when a session ends is lost, and nothing else is.
The application is known by a Protocol alone, since this room may not know a broker.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Literal, NoReturn, Protocol

from schemas.errors import LinkError
from transport.link import Connect, Link
from transport.sim_session import Publish, SimAttachment, SimSession
from transport.simloop import running_simulation

Direction = Literal["up", "down"]
Tap = Callable[[str, bytes], None]

_CONNECT_S: Final = 10.0  # how long aiomqtt waits for a CONNACK
_KEEP_ALIVE_US: Final = 45_000_000  # a silent link is dead after one and a half times the keep alive of 30 s
_TAKEN_OVER: Final = 0x8E


class Front(Protocol):
    """What answers at the broker's end; the broker's service has these methods."""

    async def attached(self, attachment: SimAttachment, /) -> None:
        """Take up a session; the agency's earlier one, if any, is already detached."""
        ...

    async def published(self, agency: str, payload: bytes, /) -> int:
        """Decide on one frame; the node's ``send`` returns when this has, or raises where the code says "not taken"."""
        ...

    async def detached(self, attachment: SimAttachment, /) -> None:
        """Let go of a session; called once per ``attached``, after the last publish of it is decided."""
        ...


class Chance(Protocol):
    """Where delays and duplicates are drawn from; a seeded stream for each direction of each line."""

    def random(self) -> float:
        """Return a number from 0 up to, but not including, 1."""
        ...


@dataclass(slots=True)
class Course:
    """One direction of one agency's line, as the faults of the moment have it; delays in µs."""

    chance: Chance
    delay_us_least: int = 0
    delay_us_most: int = 0
    duplicated: float = 0.0  # the share of frames that arrive twice
    blocked: bool = False
    bytes_per_s: int = 0  # how fast what arrives is read; 0 is at once

    def draw_us(self) -> int:
        """Draw how long the next frame takes; nothing is drawn where there is nothing to choose."""
        span = self.delay_us_most - self.delay_us_least
        return self.delay_us_least + (int((span + 1) * self.chance.random()) if span else 0)

    def copies(self) -> int:
        """Draw how many times the next frame arrives."""
        return 2 if self.duplicated and self.chance.random() < self.duplicated else 1


@dataclass(slots=True)
class Counts:
    """What the network did; a soak in which one of these stays at nought has not tried it."""

    sessions: int = 0
    takeovers: int = 0
    frames_up: int = 0
    frames_down: int = 0
    duplicates: int = 0
    lost: int = 0  # frames in flight when their session ended
    held: int = 0  # how often a partition held frames back
    silent_ends: int = 0  # sessions that a partition outlasted
    refused: int = 0  # links that could not be opened
    overflows: int = 0  # frames that found a node's queue full: must stay at nought
    not_taken: int = 0  # frames that the broker was too full, or its sender over quota, to take
    too_slow: int = 0  # sessions that the broker ended since their node read too slowly
    forged: int = 0  # frames that neither end had sent


@dataclass(slots=True)
class _Line:
    """An agency's line to the broker."""

    courses: dict[Direction, Course]
    blocked_since_us: dict[Direction, int] = field(default_factory=dict)
    seated: SimSession | None = None  # the one that the broker holds
    open: list[SimSession] = field(default_factory=list)  # those of which either end is open


class SimNet:
    """The lines of all agencies to one broker.

    Args:
        course: Makes the course of one direction of an agency's line, with its own stream of chance.
    """

    def __init__(self, course: Callable[[str, Direction], Course]) -> None:
        self._loop = running_simulation()
        self._make_course = course
        self._lines: dict[str, _Line] = {}
        self._front: Front | None = None
        self._admits: Callable[[str], bool] | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._tap: Tap | None = None
        self._turns: dict[str, asyncio.Lock] = {}
        self.counts = Counts()

    @asynccontextmanager
    async def serving(self, front: Front, *, admits: Callable[[str], bool] | None = None) -> AsyncGenerator[None, None]:
        """Let a broker answer while the block runs; its end ends every session.

        Args:
            front: The broker.
            admits: Who may log in, asked at each attempt; everybody unless given.
        """
        async with asyncio.TaskGroup() as tasks:
            self._front, self._admits, self._tasks, self._turns = front, admits, tasks, {}
            try:
                yield
            finally:
                self._front = self._tasks = None
                for line in self._lines.values():
                    for session in tuple(line.open):
                        session.cut("the broker has gone")

    def connect(self, agency: str) -> Connect:
        """Return what opens a link for an agency, already proved to be it."""

        @asynccontextmanager
        async def connected() -> AsyncGenerator[Link, None]:
            session = await self._open(agency)
            try:
                yield session
            finally:
                session.leave()

        return connected

    def watch(self, tap: Tap) -> None:
        """Have every frame shown that the broker sends, to whom checks a run; no node or broker ever sees it."""
        self._tap = tap

    def line(self, agency: str) -> dict[Direction, Course]:
        """Return both directions of an agency's line; after changing one, call ``changed``."""
        return self._line(agency).courses

    def changed(self, agency: str) -> None:
        """Take up a change to an agency's line."""
        line = self._line(agency)
        for direction, course in line.courses.items():
            if not course.blocked:
                line.blocked_since_us.pop(direction, None)
            elif direction not in line.blocked_since_us:
                since_us = line.blocked_since_us[direction] = self._loop.now_us()
                due_s = (since_us + _KEEP_ALIVE_US) / 1_000_000
                self._loop.call_at(due_s, self._fall_silent, agency, direction, since_us)
        for session in line.open:
            session.pump()

    def cut(self, agency: str) -> bool:
        """End an agency's sessions, and lose what is in flight; False if it has none."""
        sessions = tuple(self._line(agency).open)
        for session in sessions:
            session.cut("the link was cut")
        return bool(sessions)

    def linked(self, agency: str) -> bool:
        """Tell whether an agency has a session at the broker."""
        return self._line(agency).seated is not None

    # Called by the sessions.

    def way(self, agency: str, direction: Direction) -> Course:
        """Return one direction of an agency's line."""
        return self._line(agency).courses[direction]

    def copies(self, agency: str, direction: Direction) -> int:
        """Draw how many times a frame arrives."""
        copies = self._line(agency).courses[direction].copies()
        self.counts.duplicates += copies - 1
        return copies

    def sent_down(self, agency: str, frame: bytes) -> None:
        """Count a frame that the broker sent."""
        self.counts.frames_down += 1
        if self._tap is not None:
            self._tap(agency, frame)

    def decide(self, session: SimSession, publish: Publish) -> None:
        """Have the broker decide on a frame, in a task of its own."""
        if self._tasks is not None:
            self._tasks.create_task(self._decide(session, publish), name=f"sim-publish-{session.agency}")

    def forge(self, agency: str, direction: Direction, frame: bytes) -> bool:
        """Have a frame arrive that the other end never sent; False if the agency has no session.

        Whoever may write to a line is the end that it is authenticated as, so this is a peer gone mad, not a thief.
        """
        session = self._line(agency).seated
        if session is None or session.over:
            return False
        self.counts.forged += 1
        if direction == "up":
            session.forge_up(frame)
        else:
            session.send_down(frame)
        return True

    def freed(self, session: SimSession) -> None:
        """Free an agency's seat, which may already be another session's, and forget a session that is over."""
        line = self._line(session.agency)
        if line.seated is session and session.broker_ended.is_set():
            line.seated = None
        if session.over and session in line.open:
            line.open.remove(session)

    # Inside.

    def _line(self, agency: str) -> _Line:
        line = self._lines.get(agency)
        if line is None:
            line = self._lines[agency] = _Line(
                {"up": self._make_course(agency, "up"), "down": self._make_course(agency, "down")}
            )
        return line

    async def _open(self, agency: str) -> SimSession:
        line = self._line(agency)
        if line.courses["up"].blocked or line.courses["down"].blocked:
            await asyncio.sleep(_CONNECT_S)
            self._refuse(agency, "no answer")
        round_trip_us = line.courses["up"].draw_us() + line.courses["down"].draw_us()
        await asyncio.sleep(round_trip_us / 1_000_000)
        if self._front is None or self._tasks is None:
            self._refuse(agency, "refused")
        if self._admits is not None and not self._admits(agency):
            self._refuse(agency, "not authorised")
        incumbent = line.seated
        session = line.seated = SimSession(agency, self)
        line.open.append(session)
        if incumbent is not None:
            self.counts.takeovers += 1
            incumbent.end_at_broker(f"taken over, 0x{_TAKEN_OVER:02x}")
        self.counts.sessions += 1
        self._tasks.create_task(self._attend(self._front, session), name=f"sim-attend-{agency}")
        return session

    def _refuse(self, agency: str, why: str) -> NoReturn:
        self.counts.refused += 1
        msg = f"{agency}: no link to the broker: {why}"
        raise LinkError(msg, remedy="check that the broker runs there and knows this agency")

    async def _attend(self, front: Front, session: SimSession) -> None:
        """Keep the order the application relies on: attached, the last decision, detached, then the next attached."""
        async with self._turns.setdefault(session.agency, asyncio.Lock()):
            attachment = SimAttachment(session)
            await front.attached(attachment)
            session.taken_up.set()
            await session.broker_ended.wait()
            await session.all_decided()
            await front.detached(attachment)

    async def _decide(self, session: SimSession, publish: Publish) -> None:
        front = self._front
        await session.taken_up.wait()
        reason = await front.published(session.agency, publish.frame) if front is not None else 0
        session.acknowledge(publish, reason)

    def _fall_silent(self, agency: str, direction: Direction, since_us: int) -> None:
        """A link that has heard nothing for too long is given up at both ends."""
        line = self._line(agency)
        if line.blocked_since_us.get(direction) == since_us:
            for session in tuple(line.open):
                self.counts.silent_ends += 1
                session.cut("nothing was heard for too long")
