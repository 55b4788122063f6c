"""A simulated network with the front of a broker at its middle: what stands in for MQTT in virtual time.

A node sees a ``transport.link.Link``, the broker's application sees what the MQTT server would show it: sessions that
attach and detach in turn, publishes in order, an acknowledgement after the decision, a bounded buffer for what it
sends. Frames keep their order and take their time; what is in flight when a session ends is lost, and nothing else is.
The application is known by a Protocol alone, since this room may not know a broker.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Literal, NoReturn, Protocol

from schemas.errors import LinkError
from schemas.limits import DELIVERY_WINDOW, FRAME_BYTES_MAX
from transport.link import Connect, Link
from transport.simloop import running_simulation

Direction = Literal["up", "down"]
Tap = Callable[[str, bytes], None]

# The same bounds as on real MQTT: transport/mqtt.py for the node's end, broker/limits.py for the server's.
_FRAMES_WAITING_MAX: Final = 4 * DELIVERY_WINDOW
_SEND_BYTES_MAX: Final = 2 * FRAME_BYTES_MAX + 8 * 1024
_PUBLISHES_DECIDING_MAX: Final = 32
_ACKNOWLEDGED_S: Final = 10.0  # how long aiomqtt waits for a PUBACK before it gives the link up
_CONNECT_S: Final = 10.0  # and for a CONNACK
_KEEP_ALIVE_US: Final = 45_000_000  # a silent link is dead after one and a half times the keep alive of 30 s
_TAKEN_OVER: Final = 0x8E
_QUOTA: Final = 0x97
# The broker took nothing of a frame, and no verdict will say so: what transport/mqtt.py gives a link up for.
_NOT_TAKEN: Final = frozenset({0x80, 0x83, _QUOTA})


class Front(Protocol):
    """What answers at the broker's end; the broker's service has these methods."""

    async def attached(self, attachment: "SimAttachment", /) -> None:
        """Take up a session; the agency's earlier one, if any, is already detached."""
        ...

    async def published(self, agency: str, payload: bytes, /) -> int:
        """Decide on one frame; the node's ``send`` returns when this has."""
        ...

    async def detached(self, attachment: "SimAttachment", /) -> None:
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


class _Lane:
    """One direction of one session: frames in order, each after its time, none while the course is blocked."""

    def __init__(self, course: Course, deliver: Callable[[object], None], counts: Counts) -> None:
        self._loop = running_simulation()
        self._course = course
        self._deliver = deliver
        self._counts = counts
        self._items: deque[tuple[int, object]] = deque()
        self._last_us = 0
        self._timer: asyncio.TimerHandle | None = None

    def put(self, item: object) -> None:
        """Send something along; it arrives after all that was put before it."""
        self._last_us = max(self._last_us, self._loop.now_us() + self._course.draw_us())
        if self._course.bytes_per_s and isinstance(item, bytes):
            self._last_us += len(item) * 1_000_000 // self._course.bytes_per_s
        self._items.append((self._last_us, item))
        self.pump()

    def pump(self) -> None:
        """Go on; called whenever the course changes."""
        self._counts.held += self._course.blocked and bool(self._items)
        if self._timer is None and self._items and not self._course.blocked:
            due_us = max(self._items[0][0], self._loop.now_us())
            self._timer = self._loop.call_at(due_us / 1_000_000, self._arrive)

    def clear(self) -> list[object]:
        """Forget what is under way; returns it."""
        lost = [item for _, item in self._items]
        self._items.clear()
        return lost

    def _arrive(self) -> None:
        self._timer = None
        if self._course.blocked:
            return
        if self._items and self._items[0][0] <= self._loop.now_us():
            self._deliver(self._items.popleft()[1])
        self.pump()


@dataclass(frozen=True, slots=True)
class _Publish:
    frame: bytes
    ticket: "asyncio.Future[None] | None"


@dataclass(frozen=True, slots=True)
class _Acknowledged:
    ticket: "asyncio.Future[None] | None"
    answer: int  # the reason code of the PUBACK


@dataclass(frozen=True, slots=True)
class _Ended:
    reason: str


class SimAttachment:
    """A session at the broker's end (what ``broker.application`` calls an Attachment)."""

    def __init__(self, session: "_Session") -> None:
        self._session = session
        self.agency = session.agency

    def send(self, payload: bytes) -> bool:
        """Send a frame to the node; False, and nothing sent, if the buffer is full or the session has ended."""
        return self._session.send_down(payload)

    async def drained(self) -> None:
        """Wait until the buffer has room again, or the session has ended."""
        await self._session.drained()

    def close(self, reason: int) -> None:
        """End the session; the node learns of it after all that was sent before."""
        self._session.too_slow(reason)
        self._session.end_at_broker(f"closed with 0x{reason:02x}")


class _Session:
    """One session: two lanes, an end at each side, and what waits at either."""

    def __init__(self, agency: str, net: "SimNet") -> None:
        self.agency = agency
        self._net = net
        line = net.line(agency)
        self.up = _Lane(line["up"], self._arrive_up, net.counts)
        self.down = _Lane(line["down"], self._arrive_down, net.counts)
        self._frames: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._tickets: dict[asyncio.Future[None], None] = {}
        self._node_end: str | None = None
        self._down_bytes = 0
        self._room = asyncio.Event()
        self.deciding = 0
        self.settled = asyncio.Event()
        self.broker_ended = asyncio.Event()
        self.taken_up = asyncio.Event()

    # The node's end.

    async def send(self, frame: bytes) -> None:
        self._check_open()
        ticket: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tickets[ticket] = None
        for copy in range(self._net.copies(self.agency, "up")):
            self.up.put(_Publish(frame, ticket if copy == 0 else None))
        try:
            async with asyncio.timeout(_ACKNOWLEDGED_S):
                await ticket
        except TimeoutError as error:
            msg = "the link ended while a frame was sent: it was not acknowledged in time"
            raise LinkError(msg) from error
        finally:
            self._tickets.pop(ticket, None)

    async def frames(self) -> AsyncIterator[bytes]:
        while True:
            while self._frames:
                yield self._frames.popleft()
            self._check_open()
            self._news.clear()
            await self._news.wait()

    @property
    def over(self) -> bool:
        """Whether both ends know that the session has ended."""
        return self._node_end is not None and self.broker_ended.is_set()

    def leave(self) -> None:
        """The node closes its end, or dies: the broker is told by the network, as by a closed socket."""
        if self._node_end is None:
            self.end_at_node("left")
            self.up.put(_Ended("the node left"))

    def end_at_node(self, reason: str) -> None:
        if self._node_end is not None:
            return
        self._node_end = reason
        self._net.counts.lost += len(self.down.clear())
        for ticket in self._tickets:
            if not ticket.done():
                msg = f"the link ended while a frame was sent: {reason}"
                ticket.set_exception(LinkError(msg))
        self._news.set()
        self._net.freed(self)

    def _check_open(self) -> None:
        if self._node_end is not None:
            msg = f"the link ended: {self._node_end}"
            raise LinkError(msg)

    def _arrive_down(self, item: object) -> None:
        match item:
            case bytes():
                self._down_bytes -= len(item)
                self._room.set()
                if len(self._frames) >= _FRAMES_WAITING_MAX:
                    self._net.counts.overflows += 1  # the client drops it silently, as aiomqtt does
                else:
                    self._frames.append(item)
                    self._news.set()
            case _Acknowledged():
                if item.ticket is not None and not item.ticket.done():
                    _settle(item.ticket, item.answer)
            case _Ended():
                self.end_at_node(item.reason)

    # The broker's end.

    def send_down(self, payload: bytes) -> bool:
        if self.broker_ended.is_set():
            return False
        if self._down_bytes and self._down_bytes + len(payload) > _SEND_BYTES_MAX:
            self._room.clear()
            return False
        if self._node_end is None:
            for _ in range(self._net.copies(self.agency, "down")):
                self._down_bytes += len(payload)
                self.down.put(payload)
        self._net.sent_down(self.agency, payload)
        return True

    async def drained(self) -> None:
        while self._down_bytes > _SEND_BYTES_MAX // 2 and not self.broker_ended.is_set():
            self._room.clear()
            await self._room.wait()

    def end_at_broker(self, reason: str) -> None:
        if not self.broker_ended.is_set():
            self.broker_ended.set()
            self._room.set()
            self._net.counts.lost += len(self.up.clear())
            if self._node_end is None:
                self.down.put(_Ended(reason))
            self._net.freed(self)

    def acknowledge(self, ticket: "asyncio.Future[None] | None", answer: int) -> None:
        self.deciding -= 1
        self.settled.set()
        self._net.counts.not_taken += answer in _NOT_TAKEN
        if ticket is not None and not self.broker_ended.is_set():
            self.down.put(_Acknowledged(ticket, answer))

    def too_slow(self, reason: int) -> None:
        """Count an end for a full buffer."""
        self._net.counts.too_slow += reason == _QUOTA and not self.broker_ended.is_set()

    def _arrive_up(self, item: object) -> None:
        match item:
            case _Publish():
                if self.deciding >= _PUBLISHES_DECIDING_MAX:
                    self.end_at_broker("too many publishes at once")
                    return
                self.deciding += 1
                self._net.counts.frames_up += 1
                self._net.decide(self, item.frame, item.ticket)
            case _Ended():
                self.end_at_broker(item.reason)

    def forge_up(self, frame: bytes) -> None:
        """Have a frame arrive that the node has not sent."""
        self.up.put(_Publish(frame, None))

    def cut(self, reason: str) -> None:
        """Both ends are over at once, and what is in flight is lost."""
        self.end_at_node(reason)
        self.end_at_broker(reason)


def _settle(ticket: "asyncio.Future[None]", answer: int) -> None:
    if answer in _NOT_TAKEN:
        msg = f"the broker did not take a frame (reason code 0x{answer:02x})"
        remedy = "it is out of disk, or this agency sends more than its quota; it tries again"
        ticket.set_exception(LinkError(msg, remedy=remedy))
    else:
        ticket.set_result(None)


@dataclass(slots=True)
class _Line:
    """An agency's line to the broker."""

    courses: dict[Direction, Course]
    blocked_since_us: dict[Direction, int] = field(default_factory=dict)
    seated: _Session | None = None  # the one that the broker holds
    open: list[_Session] = field(default_factory=list)  # those of which either end is open


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
            session.up.pump()
            session.down.pump()

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

    def decide(self, session: _Session, frame: bytes, ticket: "asyncio.Future[None] | None") -> None:
        """Have the broker decide on a frame, in a task of its own."""
        if self._tasks is not None:
            self._tasks.create_task(self._decide(session, frame, ticket), name=f"sim-publish-{session.agency}")

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

    def freed(self, session: _Session) -> None:
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

    async def _open(self, agency: str) -> _Session:
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
        session = line.seated = _Session(agency, self)
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

    async def _attend(self, front: Front, session: _Session) -> None:
        """Keep the order the application relies on: attached, the last decision, detached, then the next attached."""
        async with self._turns.setdefault(session.agency, asyncio.Lock()):
            attachment = SimAttachment(session)
            await front.attached(attachment)
            session.taken_up.set()
            await session.broker_ended.wait()
            while session.deciding:
                session.settled.clear()
                await session.settled.wait()
            await front.detached(attachment)

    async def _decide(self, session: _Session, frame: bytes, ticket: "asyncio.Future[None] | None") -> None:
        front = self._front
        await session.taken_up.wait()
        answer = 0 if front is None else await front.published(session.agency, frame)
        session.acknowledge(ticket, answer)

    def _fall_silent(self, agency: str, direction: Direction, since_us: int) -> None:
        """A link that has heard nothing for too long is given up at both ends."""
        line = self._line(agency)
        if line.blocked_since_us.get(direction) == since_us:
            for session in tuple(line.open):
                self.counts.silent_ends += 1
                session.cut("nothing was heard for too long")
