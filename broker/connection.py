"""One link: the asyncio side of a session, and the attachment that the application holds of it.

The protocol object moves bytes between the transport and the session and keeps the promises about memory: a peer that
does not read is not written to, a peer that must wait is not read, and one peer has a bounded turn.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol, assert_never

from broker.events import (
    Ended,
    Event,
    Handled,
    LoginAsked,
    Phase,
    PublishArrived,
    SubscriptionEnded,
    SubscriptionGranted,
)
from broker.fields import Reason
from broker.incoming import Ticket
from broker.limits import ServerLimits
from broker.outgoing import DELIVERY_OVERHEAD_BYTES
from broker.session import Session

# What the transport may hold beyond what the kernel takes; small, since the session's own buffer is the one we count.
_TRANSPORT_BYTES_HIGH = 64 * 1024


class ConnectionOwner(Protocol):
    """What a connection needs of the server that owns it."""

    def login_asked(self, connection: "Connection", login: LoginAsked) -> None:
        """Admit or refuse the login."""
        ...

    def publish_arrived(self, connection: "Connection", ticket: Ticket, payload: bytes) -> None:
        """Have a publish decided; the answer is ``Connection.settle``."""
        ...

    def attach(self, attachment: "SessionAttachment") -> None:
        """Tell the application that an agency listens."""
        ...

    def ended(self, connection: "Connection", ending: Ended) -> None:
        """Free what the session held; the link may still linger."""
        ...

    def lost(self, connection: "Connection") -> None:
        """Forget the link."""
        ...

    def buffer_changed(self, change_bytes: int) -> None:
        """Count what waits to be sent over all sessions."""
        ...

    def has_room(self, payload_bytes: int) -> bool:
        """Tell whether all sessions together may buffer this much more."""
        ...


class SessionAttachment:
    """The application's handle on one subscription of one session (``broker.application.Attachment``)."""

    __slots__ = ("_connection", "_decided_on", "_ended", "_room", "_taken_up", "agency", "waiting_task")

    def __init__(self, connection: "Connection", agency: str) -> None:
        self._connection: Connection | None = connection
        self.agency = agency
        self._ended = asyncio.Event()
        self._taken_up = False
        self._decided_on = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        # Set while the attachment waits for its predecessor to be detached, so that it need not outlive its session.
        self.waiting_task: asyncio.Task[None] | None = None

    def send(self, payload: bytes) -> bool:
        """Publish the payload, or return False when the buffer is full or the session has ended."""
        if self._connection is None:
            return False
        sent = self._connection.send(payload)
        if not sent:
            self._room.clear()
        return sent

    async def drained(self) -> None:
        """Wait until there is room again, or the session has ended."""
        await self._room.wait()

    def close(self, reason: int) -> None:
        """Send DISCONNECT with this reason and close."""
        if self._connection is not None:
            self._connection.end(reason, outcome="closed-by-application")

    def make_room(self) -> None:
        """Wake those who wait in ``drained``."""
        self._room.set()

    def detach(self) -> None:
        """Cut the handle from its session."""
        self._connection = None
        self._ended.set()
        self._decided_on.set()
        self._room.set()
        if self.waiting_task is not None:
            self.waiting_task.cancel()

    def take_up(self) -> None:
        """Note that the application has taken the session up: what it publishes may be decided."""
        self._taken_up = True
        self._decided_on.set()

    async def wait_taken_up(self) -> bool:
        """Wait until the application has taken the session up; False if it ended before."""
        await self._decided_on.wait()
        return self._taken_up

    async def wait_ended(self) -> None:
        """Wait until the session, or its subscription, has ended."""
        await self._ended.wait()


class Connection(asyncio.Protocol):
    """The asyncio protocol of one link.

    Args:
        owner: The server.
        limits: Its limits.
        steady_ms: Reads a steady clock, in milliseconds.
    """

    __slots__ = (
        "_accounted_bytes",
        "_closing_since_ms",
        "_decided",
        "_flush_planned",
        "_limits",
        "_owner",
        "_steady_ms",
        "_transport",
        "_turn_planned",
        "_writable",
        "attachment",
        "session",
        "welcome_task",
    )

    def __init__(self, *, owner: ConnectionOwner, limits: ServerLimits, steady_ms: Callable[[], int]) -> None:
        self._owner = owner
        self._limits = limits
        self._steady_ms = steady_ms
        self.session = Session(limits=limits, now_ms=steady_ms())
        self.attachment: SessionAttachment | None = None
        self.welcome_task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._writable = True
        self._flush_planned = False
        self._turn_planned = False
        self._accounted_bytes = 0
        self._closing_since_ms: int | None = None
        self._decided: asyncio.Future[None] | None = None

    # Called by the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport, after a TLS handshake if there is one."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=min(_TRANSPORT_BYTES_HIGH, self._limits.send_bytes_max // 4))
        self._advance()

    def data_received(self, data: bytes) -> None:
        """Feed the session; after its end, what still comes is read and dropped."""
        self.session.receive(data, self._steady_ms())
        if not self._turn_planned:
            self._advance()

    def pause_writing(self) -> None:
        """Keep what is to be written in the session, where it is counted."""
        self._writable = False

    def resume_writing(self) -> None:
        """Write again."""
        self._writable = True
        self._flush()
        self._steer_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- the outcome is the same
        """Let go of everything."""
        self.session.lose()
        self._advance()
        self._transport = None
        self._owner.lost(self)

    # Called by the server.

    @property
    def certificate(self) -> object:
        """The verified certificate of the peer as ``ssl`` gives it, None without one."""
        return None if self._transport is None else self._transport.get_extra_info("peercert")

    def settle(self, ticket: Ticket, reason: int) -> None:
        """Answer a publish with its decision."""
        self.session.settle(ticket, reason)
        if self._decided is not None and not self.session.deciding and not self._decided.done():
            self._decided.set_result(None)
        self._plan_flush()
        self._steer_reading()

    async def decided(self) -> None:
        """Wait until every publish of an ended session has its decision."""
        if self.session.phase is Phase.ENDED and self.session.deciding:
            self._decided = asyncio.get_running_loop().create_future()
            await self._decided

    def end(self, reason: int, *, outcome: str) -> None:
        """End the session from our side."""
        self.session.end(reason, outcome=outcome)
        self._advance()

    def sweep(self, now_ms: int) -> None:
        """Look for deadlines that have passed."""
        if self._closing_since_ms is not None:
            if now_ms - self._closing_since_ms > self._limits.linger_ms_max:
                self.abort()
        elif self.session.overdue(now_ms):
            self.session.expire()
            self._advance()
            if self._transport is None:
                self.abort()

    def abort(self) -> None:
        """Cut the link at once, whatever is unwritten."""
        if self._transport is not None:
            self._transport.abort()
        elif self.welcome_task is not None:
            self.welcome_task.cancel()

    def send(self, payload: bytes) -> bool:
        """Buffer one delivery; see ``broker.application.Attachment.send``."""
        transport = self._transport
        if transport is None or not self.session.listening or not self._owner.has_room(len(payload)):
            return False
        waiting_bytes = self.session.buffered_bytes + transport.get_write_buffer_size()
        if waiting_bytes + len(payload) + DELIVERY_OVERHEAD_BYTES > self._limits.send_bytes_max and waiting_bytes:
            return False
        if not self.session.deliver(payload):
            return False
        self._account()
        self._plan_flush()
        return True

    def offer_room(self) -> None:
        """Wake the application if the send buffer is below its low mark: half of what it may hold."""
        if self.attachment is None or self._transport is None:
            return
        waiting_bytes = self.session.buffered_bytes + self._transport.get_write_buffer_size()
        if waiting_bytes <= self._limits.send_bytes_max // 2 and self._owner.has_room(0):
            self.attachment.make_room()

    # Inside.

    def _advance(self) -> None:
        """Let the session speak, for one turn at most, then write what it has to say."""
        self._turn_planned = False
        for _ in range(self._limits.packets_per_turn_max):
            event = self.session.next_event()
            if event is None:
                break
            self._dispatch(event)
        else:
            self._turn_planned = True
            asyncio.get_running_loop().call_soon(self._advance)
        self._flush()
        self._steer_reading()

    def _dispatch(self, event: Event) -> None:
        match event:
            case Handled():
                pass
            case PublishArrived():
                self._owner.publish_arrived(self, event.ticket, event.payload)
            case LoginAsked():
                self._owner.login_asked(self, event)
            case SubscriptionGranted():
                self.attachment = SessionAttachment(self, self.session.agency)
                self._owner.attach(self.attachment)
            case SubscriptionEnded():
                self._detach()
            case Ended():
                self._close(event)
            case _:
                assert_never(event)

    def _detach(self) -> None:
        if self.attachment is not None:
            self.attachment.detach()
            self.attachment = None

    def _close(self, ending: Ended) -> None:
        """Write the last packet and close.

        Closing a socket with unread bytes makes the kernel send RST, which may overtake our last packet. So where the
        peer is owed an answer we only close our half, read on and drop what comes, until it closes or has lingered.
        """
        self._detach()
        self._owner.ended(self, ending)
        self._closing_since_ms = self._steady_ms()
        transport = self._transport
        if transport is None:
            return
        self._writable = True
        self._flush()
        if ending.reason is None or not transport.can_write_eof() or transport.is_closing():
            transport.close()
            return
        try:
            transport.write_eof()
        except OSError:
            # The peer has reset the link, and the loop has not told us yet.
            transport.abort()

    def _plan_flush(self) -> None:
        """Write once per turn of the loop, however many deliveries and answers it brings."""
        if not self._flush_planned:
            self._flush_planned = True
            asyncio.get_running_loop().call_soon(self._planned_flush)

    def _planned_flush(self) -> None:
        self._flush_planned = False
        self._flush()
        self._steer_reading()

    def _flush(self) -> None:
        transport = self._transport
        if transport is not None and self._writable and not transport.is_closing():
            output = self.session.take_output()
            if output:
                transport.write(output)
        self._account()
        self.offer_room()

    def _account(self) -> None:
        buffered_bytes = self.session.buffered_bytes
        if buffered_bytes != self._accounted_bytes:
            change_bytes = buffered_bytes - self._accounted_bytes
            self._accounted_bytes = buffered_bytes
            self._owner.buffer_changed(change_bytes)

    def _steer_reading(self) -> None:
        """Read the peer only while its turn is not over and nothing of it waits beyond its bound."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        wanted = self.session.phase is Phase.ENDED or (self.session.wants_input and not self._turn_planned)
        if wanted != transport.is_reading():
            if wanted:
                transport.resume_reading()
            else:
                transport.pause_reading()


def shut_down(connection: Connection) -> None:
    """End one connection because the server stops."""
    if connection.session.phase is Phase.OPEN:
        connection.end(Reason.SERVER_SHUTTING_DOWN, outcome="server-stopped")
    elif connection.session.phase is not Phase.ENDED:
        connection.abort()
