"""A session of the simulated network: what a node and a broker hold of one link, and the two ways between them.

It keeps to what MQTT promises and to what aiomqtt, paho and the server of ``broker`` do with it: frames in order, a
bounded number under way, an acknowledgement that may say the frame was not taken, packets of bounded size, and an end
that each side learns of in its own time. tests/e2e/test_transport_contract.py holds it against the real ones.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from schemas.errors import LinkError
from schemas.limits import DELIVERY_WINDOW, FRAME_BYTES_MAX
from schemas.topics import down_topic, up_topic
from transport.simloop import running_simulation

# The same bounds as on real MQTT: transport/mqtt.py for the node's end, broker/limits.py for the server's.
_FRAMES_WAITING_MAX: Final = 4 * DELIVERY_WINDOW
_NODE_PACKET_BYTES_MAX: Final = FRAME_BYTES_MAX + 1_024
_BROKER_PACKET_BYTES_MAX: Final = FRAME_BYTES_MAX + 4 * 1_024
_SEND_BYTES_MAX: Final = 2 * FRAME_BYTES_MAX + 8 * 1024
_PUBLISHES_DECIDING_MAX: Final = 32
_PUBLISHES_UNDER_WAY_MAX: Final = 20  # what paho sends before an acknowledgement comes; later ones wait their turn
_ACKNOWLEDGED_S: Final = 10.0  # how long aiomqtt waits for a PUBACK before it gives the link up
_QUOTA: Final = 0x97
# The broker took nothing of a frame, and no verdict will say so: what transport/mqtt.py gives a link up for.
_NOT_TAKEN: Final = frozenset({0x80, 0x83, _QUOTA})
# Beside topic and payload of a PUBLISH: its first byte, three of length, two each for the topic's length and the
# packet's number, and one that says there are no properties (MQTT 5, 3.3).
_AROUND_BYTES: Final = 9


class Way(Protocol):
    """What a direction of a line is like at the moment."""

    blocked: bool
    bytes_per_s: int

    def draw_us(self) -> int:
        """Draw how long the next frame takes."""
        ...


class Counting(Protocol):
    """What sessions and their ways count."""

    frames_up: int
    lost: int
    held: int
    overflows: int
    not_taken: int
    too_slow: int


class Owner(Protocol):
    """What a session needs of the network that it belongs to."""

    @property
    def counts(self) -> Counting:
        """What the network counts."""
        ...

    def way(self, agency: str, direction: Literal["up", "down"], /) -> Way:
        """Return one direction of an agency's line."""
        ...

    def copies(self, agency: str, direction: Literal["up", "down"], /) -> int:
        """Draw how many times a frame arrives."""
        ...

    def sent_down(self, agency: str, frame: bytes, /) -> None:
        """Count a frame that the broker sent."""
        ...

    def decide(self, session: "SimSession", publish: "Publish", /) -> None:
        """Have the broker decide on a frame; the answer is ``SimSession.acknowledge``."""
        ...

    def freed(self, session: "SimSession", /) -> None:
        """Take note that an end of a session is over."""
        ...


class Lane:
    """One direction of one session: frames in order, each after its time, none while the way is blocked."""

    def __init__(self, way: Way, deliver: Callable[[object], None], counts: Counting) -> None:
        self._loop = running_simulation()
        self._way = way
        self._deliver = deliver
        self._counts = counts
        self._items: deque[tuple[int, object]] = deque()
        self._last_us = 0
        self._timer: asyncio.TimerHandle | None = None

    def put(self, item: object) -> None:
        """Send something along; it arrives after all that was put before it."""
        self._last_us = max(self._last_us, self._loop.now_us() + self._way.draw_us())
        if self._way.bytes_per_s and isinstance(item, bytes):
            self._last_us += len(item) * 1_000_000 // self._way.bytes_per_s
        self._items.append((self._last_us, item))
        self.pump()

    def pump(self) -> None:
        """Go on; called whenever the way changes."""
        self._counts.held += self._way.blocked and bool(self._items)
        if self._timer is None and self._items and not self._way.blocked:
            due_us = max(self._items[0][0], self._loop.now_us())
            self._timer = self._loop.call_at(due_us / 1_000_000, self._arrive)

    def clear(self) -> int:
        """Forget what is under way; returns how much that was."""
        lost = len(self._items)
        self._items.clear()
        return lost

    def _arrive(self) -> None:
        self._timer = None
        if self._way.blocked:
            return
        if self._items and self._items[0][0] <= self._loop.now_us():
            self._deliver(self._items.popleft()[1])
        self.pump()


@dataclass(frozen=True, slots=True)
class Publish:
    """A frame on its way up; the ticket is for its acknowledgement, and a repeated copy has none."""

    frame: bytes
    ticket: "asyncio.Future[int] | None"


@dataclass(frozen=True, slots=True)
class _Acknowledged:
    ticket: "asyncio.Future[int]"
    reason: int


@dataclass(frozen=True, slots=True)
class _Ended:
    reason: str


class SimAttachment:
    """A session at the broker's end (what ``broker.application`` calls an Attachment)."""

    def __init__(self, session: "SimSession") -> None:
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


class SimSession:
    """One session: two lanes, an end at each side, and what waits at either."""

    def __init__(self, agency: str, net: Owner) -> None:
        self.agency = agency
        self._net = net
        self._up = Lane(net.way(agency, "up"), self._arrive_up, net.counts)
        self._down = Lane(net.way(agency, "down"), self._arrive_down, net.counts)
        self._frames: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._waiting: deque[Publish] = deque()
        self._tickets: dict[asyncio.Future[int], None] = {}
        self._not_taken: int | None = None
        self._node_end: str | None = None
        self._down_bytes = 0
        self._room = asyncio.Event()
        self._deciding = 0
        self._settled = asyncio.Event()
        self.broker_ended = asyncio.Event()
        self.taken_up = asyncio.Event()

    def pump(self) -> None:
        """Go on in both directions; called whenever the line changes."""
        self._up.pump()
        self._down.pump()

    def cut(self, reason: str) -> None:
        """Both ends are over at once, and what is in flight is lost."""
        self._end_at_node(reason)
        self.end_at_broker(reason)

    @property
    def over(self) -> bool:
        """Whether both ends know that the session has ended."""
        return self._node_end is not None and self.broker_ended.is_set()

    # The node's end: a ``transport.link.Link``.

    async def send(self, frame: bytes) -> None:
        """Send one frame; returns when it is acknowledged."""
        self._check_open()
        ticket: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(Publish(frame, ticket))
        self._publish_waiting()
        try:
            async with asyncio.timeout(_ACKNOWLEDGED_S):
                reason = await ticket
        except TimeoutError as error:
            msg = "the link ended while a frame was sent: it was not acknowledged in time"
            raise LinkError(msg) from error
        finally:
            self._tickets.pop(ticket, None)
        if reason in _NOT_TAKEN:
            self._not_taken = reason
        if self._not_taken is not None:
            msg = f"the broker did not take a frame (reason code 0x{self._not_taken:02x})"
            raise LinkError(msg, remedy="it is out of disk, or this agency sends more than its quota; it tries again")

    def _publish_waiting(self) -> None:
        while self._waiting and len(self._tickets) < _PUBLISHES_UNDER_WAY_MAX:
            publish = self._waiting.popleft()
            if publish.ticket is None or publish.ticket.done():
                continue  # its sender has gone
            self._tickets[publish.ticket] = None
            for copy in range(self._net.copies(self.agency, "up")):
                self._up.put(publish if copy == 0 else Publish(publish.frame, None))

    async def frames(self) -> AsyncIterator[bytes]:
        """Return the frames that arrive, in order."""
        while True:
            while self._frames:
                yield self._frames.popleft()
            self._check_open()
            self._news.clear()
            await self._news.wait()

    def leave(self) -> None:
        """The node closes its end, or dies: the broker is told by the network, as by a closed socket."""
        if self._node_end is None:
            self._end_at_node("left")
            self._up.put(_Ended("the node left"))

    def _end_at_node(self, reason: str) -> None:
        if self._node_end is not None:
            return
        self._node_end = reason
        self._net.counts.lost += self._down.clear()
        for ticket in (*self._tickets, *(publish.ticket for publish in self._waiting)):
            if ticket is not None and not ticket.done():
                msg = f"the link ended while a frame was sent: {reason}"
                ticket.set_exception(LinkError(msg))
        self._waiting.clear()
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
                self._tickets.pop(item.ticket, None)
                if not item.ticket.done():
                    item.ticket.set_result(item.reason)
                self._publish_waiting()
            case _Ended():
                self._end_at_node(item.reason)

    # The broker's end.

    def send_down(self, payload: bytes) -> bool:
        """Send a frame to the node; False, and nothing sent, if the buffer is full or the session has ended."""
        if self.broker_ended.is_set():
            return False
        if len(payload) + len(down_topic(self.agency)) + _AROUND_BYTES > _NODE_PACKET_BYTES_MAX:
            # "the Server MUST discard it without sending it and then behave as if it had completed" -- MQTT-3.1.2-25
            return True
        if self._down_bytes and self._down_bytes + len(payload) > _SEND_BYTES_MAX:
            self._room.clear()
            return False
        if self._node_end is None:
            for _ in range(self._net.copies(self.agency, "down")):
                self._down_bytes += len(payload)
                self._down.put(payload)
        self._net.sent_down(self.agency, payload)
        return True

    async def drained(self) -> None:
        """Wait until the buffer has room again, or the session has ended."""
        while self._down_bytes > _SEND_BYTES_MAX // 2 and not self.broker_ended.is_set():
            self._room.clear()
            await self._room.wait()

    def end_at_broker(self, reason: str) -> None:
        """End the session; the node learns of it after all that was sent before."""
        if not self.broker_ended.is_set():
            self.broker_ended.set()
            self._room.set()
            self._net.counts.lost += self._up.clear()
            if self._node_end is None:
                self._down.put(_Ended(reason))
            self._net.freed(self)

    def acknowledge(self, publish: Publish, reason: int) -> None:
        """Answer a publish, once it is decided."""
        self._deciding -= 1
        self._settled.set()
        self._net.counts.not_taken += reason in _NOT_TAKEN
        if publish.ticket is not None and not self.broker_ended.is_set():
            self._down.put(_Acknowledged(publish.ticket, reason))

    def too_slow(self, reason: int) -> None:
        """Count an end for a full buffer."""
        self._net.counts.too_slow += reason == _QUOTA and not self.broker_ended.is_set()

    def forge_up(self, frame: bytes) -> None:
        """Have a frame arrive that the node has not sent."""
        self._up.put(Publish(frame, None))

    async def all_decided(self) -> None:
        """Wait until nothing of the session awaits a decision."""
        while self._deciding:
            self._settled.clear()
            await self._settled.wait()

    def _arrive_up(self, item: object) -> None:
        match item:
            case Publish():
                if len(item.frame) + len(up_topic(self.agency)) + _AROUND_BYTES > _BROKER_PACKET_BYTES_MAX:
                    self.end_at_broker("a packet is too large, 0x95")
                elif self._deciding >= _PUBLISHES_DECIDING_MAX:
                    self.end_at_broker("too many publishes at once")
                else:
                    self._deciding += 1
                    self._net.counts.frames_up += 1
                    self._net.decide(self, item)
            case _Ended():
                self.end_at_broker(item.reason)
