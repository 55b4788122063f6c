"""The embedded MQTT 5 server: it accepts, authenticates, seats one session per agency, and stops without leftovers.

All rules about packets are in ``broker.session``, all rules about reports in the application. Here live the tasks,
each named and owned by the block in ``listening``, and the bounds that hold over all sessions together.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from broker.application import Application, Credentials, Publication
from broker.connection import Connection, SessionAttachment, shut_down
from broker.events import Ended, LoginAsked
from broker.fields import Reason
from broker.incoming import Ticket
from broker.limits import ServerLimits
from broker.listen import Address, certificate_name, keep_read_buffers_small, open_listener
from schemas.topics import is_agency_id

log = logging.getLogger(__name__)

# Links accepted before the others have their turn. A TLS login takes some six turns, and in a flood no more than
# ``strangers_max`` may be accepted meanwhile, or else it is displaced before it has logged in.
_ACCEPTS_PER_TURN: Final = 8


class MqttServer:
    """An MQTT 5 server for one application.

    Args:
        application: Decides who may log in and what becomes of a publish.
        limits: What peers may cost.
    """

    def __init__(self, application: Application, *, limits: ServerLimits | None = None) -> None:
        self._application = application
        self._limits = limits or ServerLimits()
        self._connections: dict[Connection, None] = {}
        # Those who have not logged in, the one who has waited longest first.
        self._strangers: dict[Connection, None] = {}
        self._seats: dict[str, Connection] = {}
        # Held from ``attached`` to ``detached``; one per agency that ever attached, so bounded by the directory.
        self._turns: dict[str, asyncio.Lock] = {}
        self._running: dict[asyncio.Task[None], None] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._idle = asyncio.Event()
        self._accept_paused = False
        self._deciding_bytes = 0
        self._send_bytes = 0
        self._send_bytes_short = False

    @property
    def agencies(self) -> tuple[str, ...]:
        """The agencies that are logged in."""
        return tuple(self._seats)

    @property
    def connections(self) -> int:
        """How many links are open, logged in or not."""
        return len(self._connections)

    @asynccontextmanager
    async def listening(
        self, host: str = "127.0.0.1", port: int = 0, *, tls: ssl.SSLContext | None = None
    ) -> AsyncGenerator[Address, None]:
        """Serve while the block runs; at its end say goodbye to all, in bounded time, and leave nothing behind.

        Args:
            host: An IP address or ``localhost``.
            port: A port, or 0 for any free one.
            tls: Required on any address but loopback; see ``broker.listen.server_tls_context``.

        Yields:
            The address that is really listened on.

        Raises:
            ListenError: If the address cannot be listened on, or must not be.
        """
        listener, address = open_listener(host, port, tls=tls)
        if tls is not None:
            keep_read_buffers_small()
        with listener:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                accept = partial(self._accept, listener, tls)
                loop = asyncio.get_running_loop()
                loop.add_reader(listener, accept)
                sweeping = tasks.create_task(self._sweep(listener, accept), name="mqtt-sweep")
                log.info("mqtt.listening", extra={"host": address.host, "port": address.port, "tls": tls is not None})
                try:
                    yield address
                finally:
                    loop.remove_reader(listener)
                    listener.close()
                    self._accept_paused = False
                    await self._stop()
                    sweeping.cancel()

    def _accept(self, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Take what the kernel has ready; a link beyond the bound is closed before anything of it is read."""
        for _ in range(_ACCEPTS_PER_TURN):
            try:
                link, _peer = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause_accepting(listener, error)
                return
            if len(self._connections) >= self._limits.connections_max:
                link.close()
                log.info("mqtt.connection.refused", extra={"outcome": "too-many-connections"})
                continue
            if len(self._strangers) >= self._limits.strangers_max:
                # A flood of silent links then displaces itself; who logs in at once gets through.
                self._displace(next(iter(self._strangers)))
            link.setblocking(False)
            connection = Connection(owner=self, limits=self._limits, steady_ms=self._steady_ms)
            self._connections[connection] = None
            self._strangers[connection] = None
            welcome = self._spawn(self._welcome(connection, link, tls), name="mqtt-welcome")
            connection.welcome_task = welcome
            welcome.add_done_callback(partial(self._forget_unwelcomed, connection, link))

    def _pause_accepting(self, listener: socket.socket, error: OSError) -> None:
        """No file handle or memory is left: let go of some, and have the sweep try again, so that the loop is no spin.

        Who has waited longest without logging in goes first; half of them, since an honest link may be among the rest.
        """
        asyncio.get_running_loop().remove_reader(listener)
        self._accept_paused = True
        displaced = tuple(self._strangers)[: (len(self._strangers) + 1) // 2]
        for stranger in displaced:
            self._displace(stranger)
        log.warning("mqtt.accept.paused", extra={"errno": error.errno, "displaced": len(displaced)})

    async def _welcome(self, connection: Connection, link: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Give the link its transport, after the TLS handshake if there is one."""
        made = False
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection,
                link,
                ssl=tls,
                ssl_handshake_timeout=self._limits.connect_ms_max / 1000 if tls else None,
                ssl_shutdown_timeout=self._limits.linger_ms_max / 1000 if tls else None,
            )
            made = True
        except OSError:
            # TLS failed, or the peer has gone: there is nobody to tell.
            log.info("mqtt.connection.refused", extra={"outcome": "handshake-failed"})
        finally:
            connection.welcome_task = None
            if not made:
                link.close()
                self.lost(connection)

    def _forget_unwelcomed(self, connection: Connection, link: socket.socket, _task: asyncio.Task[None]) -> None:
        """Clean up where a task was cancelled before its first step, and so ran no ``finally``."""
        if connection.welcome_task is not None:
            connection.welcome_task = None
            link.close()
            self.lost(connection)

    async def _sweep(self, listener: socket.socket, accept: Callable[[], None]) -> None:
        """Look at all deadlines in one pass: cheaper than a timer per session, and no burst when they fall together."""
        while True:
            await asyncio.sleep(self._limits.sweep_ms / 1000)
            now_ms = self._steady_ms()
            for connection in tuple(self._connections):
                connection.sweep(now_ms)
            if self._accept_paused:
                self._accept_paused = False
                asyncio.get_running_loop().add_reader(listener, accept)

    async def _stop(self) -> None:
        """End all sessions and wait, but not for ever, for what the application still decides."""
        for connection in tuple(self._connections):
            shut_down(connection)
        try:
            async with asyncio.timeout(self._limits.stop_ms_max / 1000):
                await self._all_gone()
        except TimeoutError:
            log.warning("mqtt.stop.cut", extra={"connections": len(self._connections), "tasks": len(self._running)})
        for connection in tuple(self._connections):
            connection.abort()
        for task in tuple(self._running):
            task.cancel()
        # A cut link says so in the next turns of the loop, whatever its peer does.
        await self._all_gone()

    async def _all_gone(self) -> None:
        while self._connections or self._running:
            self._idle.clear()
            await self._idle.wait()

    def _spawn(self, work: Coroutine[None, None, None], *, name: str) -> asyncio.Task[None]:
        assert self._tasks is not None
        task = self._tasks.create_task(work, name=name)
        self._running[task] = None
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._idle.set()

    @staticmethod
    def _steady_ms() -> int:
        """Read the loop's own clock: no leap of the wall clock ends a session, and a rehearsal's loop decides."""
        return int(asyncio.get_running_loop().time() * 1000)

    # Called by the connections.

    def login_asked(self, connection: Connection, login: LoginAsked) -> None:
        """Authenticate before anything is touched, then seat the agency; an older session of it gives way."""
        agency = self._authenticate(connection, login)
        if agency is None:
            connection.session.refuse_login()
            return
        if not connection.session.admit(agency):
            return
        self._strangers.pop(connection, None)
        incumbent = self._seats.get(agency)
        self._seats[agency] = connection
        if incumbent is not None:
            # "the Server sends to the existing Client a DISCONNECT packet with Reason Code of 0x8E" -- MQTT-3.1.4-3
            incumbent.end(Reason.SESSION_TAKEN_OVER, outcome="taken-over")
        log.info("mqtt.session.opened", extra={"agency": agency})

    def _authenticate(self, connection: Connection, login: LoginAsked) -> str | None:
        """Return the agency that the CONNECT proves, None if any of its names differs from the others."""
        certificate = connection.certificate
        name = certificate_name(certificate)
        claimed = login.client_id
        if not is_agency_id(claimed) or (certificate is not None and name != claimed):
            return None
        if login.username not in (claimed, None) or (login.username is None and name is None):
            return None
        credentials = Credentials(
            client_id=claimed, username=login.username, password=login.password, certificate_name=name
        )
        agency = self._application.authenticate(credentials)
        return agency if agency == claimed else None

    def publish_arrived(self, connection: Connection, ticket: Ticket, payload: bytes) -> None:
        """Have the application decide, in a task of its own."""
        if self._deciding_bytes + len(payload) > self._limits.deciding_bytes_total_max:
            connection.settle(ticket, Reason.QUOTA_EXCEEDED)
            return
        self._deciding_bytes += len(payload)
        decide = self._decide(connection, connection.attachment, ticket, payload)
        self._spawn(decide, name=f"mqtt-publish-{connection.session.agency}")

    async def _decide(
        self, connection: Connection, attachment: SessionAttachment | None, ticket: Ticket, payload: bytes
    ) -> None:
        publication = Publication.UNSPECIFIED
        try:
            # The agency's earlier session may not be detached yet; its end must not come after this one's first words.
            if attachment is None or await attachment.wait_taken_up():
                publication = await self._application.published(connection.session.agency, payload)
        finally:
            self._deciding_bytes -= len(payload)
        connection.settle(ticket, publication)

    def attach(self, attachment: SessionAttachment) -> None:
        """Start the life of an attachment with the application."""
        connection = self._seats[attachment.agency]
        attachment.waiting_task = self._spawn(
            self._attend(connection, attachment), name=f"mqtt-attend-{attachment.agency}"
        )

    async def _attend(self, connection: Connection, attachment: SessionAttachment) -> None:
        """Keep the order the application relies on: attached, the last decision, detached, then the next attached."""
        async with self._turns.setdefault(attachment.agency, asyncio.Lock()):
            attachment.waiting_task = None
            await self._application.attached(attachment)
            attachment.take_up()
            await attachment.wait_ended()
            await connection.decided()
            await self._application.detached(attachment)

    def ended(self, connection: Connection, ending: Ended) -> None:
        """Free the seat; it may already be another's."""
        agency = connection.session.agency
        extra = {"outcome": ending.outcome, "reason": ending.reason, "discarded": connection.session.discarded}
        if not agency:
            log.info("mqtt.connection.refused", extra=extra)
            return
        if self._seats.get(agency) is connection:
            del self._seats[agency]
        log.info("mqtt.session.ended", extra={"agency": agency, **extra})

    def lost(self, connection: Connection) -> None:
        """Forget a link that is closed."""
        self._strangers.pop(connection, None)
        self._connections.pop(connection, None)
        self._idle.set()

    def _displace(self, stranger: Connection) -> None:
        del self._strangers[stranger]
        stranger.abort()

    def buffer_changed(self, change_bytes: int) -> None:
        """Count what waits to be sent; below half of the bound, wake those who found it full."""
        self._send_bytes += change_bytes
        if self._send_bytes_short and self._send_bytes <= self._limits.send_bytes_total_max // 2:
            self._send_bytes_short = False
            for connection in tuple(self._seats.values()):
                connection.offer_room()

    def has_room(self, payload_bytes: int) -> bool:
        """Tell whether all sessions together may buffer this much more."""
        if self._send_bytes + payload_bytes > self._limits.send_bytes_total_max:
            self._send_bytes_short = True
        return not self._send_bytes_short
