"""Serves every agency over one link to somebody else's broker: what is heard is decided, what is due is sent.

Everything that begins or ends a session happens in one coroutine, frame by frame, so that the order in which the
service hears of sessions and frames is that in which they came. What the router asks of the broker, and what it does
where the broker falls short, is docs/spec/wire.md, "A router behind another broker".
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from broker.application import Publication
from broker.foreign_session import ForeignSession
from broker.service import BrokerService
from schemas.errors import RemoteError
from schemas.frames import Ack, Hail, Heartbeat, Hello, UpMessage, write_frame
from schemas.limits import FRAME_BYTES_MAX, SILENCE_MS
from schemas.topics import down_topic, up_topic
from transport.clock import Clock
from transport.router_link import Passing, Received, RouterLink

log = logging.getLogger(__name__)

_HAIL: Final = write_frame((Hail("hail"),))
_CLOSED_NOT_AUTHORISED: Final = 0x87
# Nothing of the frame was taken up, and over another broker no PUBACK can tell its author.
_NOT_TAKEN: Final = frozenset(
    {Publication.QUOTA_EXCEEDED, Publication.IMPLEMENTATION_SPECIFIC, Publication.UNSPECIFIED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignLimits:
    """Bounds and patience of the router as a client; times in real milliseconds."""

    # Frames that wait for their decision. Answer: the link is not read on, and the broker holds what comes next.
    frames_deciding_max: int = 256
    # What waits to be taken by the broker, for one agency. Answer: its session begins anew with its next hello.
    send_bytes_max: int = 2 * FRAME_BYTES_MAX + 8 * 1024
    # Hails that the broker has not taken yet; a region of a thousand so says hello in waves. Answer: the others wait.
    hails_at_once: int = 32
    # Answer: the session is over, its deliveries stay queued.
    silence_ms: int = SILENCE_MS
    # An agency that is hailed and lives answers within a round trip; one that does not may have been cut off.
    hail_again_ms: int = 10_000
    # Time for a quota to fill again and for a disk to be made room on, before all is said anew.
    pause_ms: int = 5_000
    # No ack of what is under way: something was dropped. Doubled each time, since a slow link may simply need longer.
    patience_ms: int = 30_000
    patience_ms_max: int = 960_000
    look_ms: int = 1_000


class ForeignLink:
    """The sessions of all agencies over one link.

    Args:
        service: Decides.
        link: Open, and not listening yet.
        agencies: Whose up topics are listened on.
        active: Tells whether an agency may speak at this moment; what a revoked one says is dropped unread.
        machine_clock: Real time.
        limits: Bounds and patience.
    """

    def __init__(
        self,
        service: BrokerService,
        link: RouterLink,
        *,
        agencies: Sequence[str],
        active: Callable[[str], bool],
        machine_clock: Clock,
        limits: ForeignLimits,
    ) -> None:
        self._service = service
        self._link = link
        self._agency_of = {up_topic(agency): agency for agency in agencies}
        self._active = active
        self._clock = machine_clock
        self._limits = limits
        self._sessions: dict[str, ForeignSession] = {}
        self._writers: dict[str, asyncio.Task[None]] = {}
        # None is a look: it waits its turn among the frames.
        self._arrived: asyncio.Queue[Received | None] = asyncio.Queue(maxsize=limits.frames_deciding_max)
        self._undecided: asyncio.Queue[tuple[Received, asyncio.Task[Publication] | None]] = asyncio.Queue(
            maxsize=limits.frames_deciding_max
        )
        self._deaf_ms: int | None = None  # when to wonder why nobody who was hailed has said a word

    async def serve(self, *, up: Callable[[], None]) -> None:
        """Serve until the link ends.

        Args:
            up: Called once the broker has granted every topic.

        Raises:
            LinkError: At the end of the link, or if the broker does not let the router listen; inside a group.
        """
        await self._link.listen(list(self._agency_of))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(), name="router-reading")
            tasks.create_task(self._look(), name="router-looking")
            tasks.create_task(self._acknowledge(), name="router-acknowledging")
            # Whoever said hello before the topics were granted was not heard, and is listening by now.
            tasks.create_task(self._hail_all(), name="router-hailing")
            up()
            while True:
                received = await self._arrived.get()
                if received is None:
                    await self._look_after(tasks)
                else:
                    await self._heard(received, tasks)

    async def end(self) -> None:
        """Let go of every session: the link has ended."""
        for session in list(self._sessions.values()):
            await self._end(session)

    # What arrives.

    async def _read(self) -> None:
        async for received in self._link.frames():
            await self._arrived.put(received)

    async def _acknowledge(self) -> None:
        """Acknowledge what is decided, in the order in which it came (MQTT-4.6.0-2)."""
        while True:
            received, deciding = await self._undecided.get()
            if deciding is not None:
                await deciding
            self._link.acknowledge(received)

    async def _heard(self, received: Received, tasks: asyncio.TaskGroup) -> None:
        deciding = await self._begin_deciding(received, tasks)
        await self._undecided.put((received, deciding))

    async def _begin_deciding(self, received: Received, tasks: asyncio.TaskGroup) -> asyncio.Task[Publication] | None:
        agency = self._agency_of.get(received.topic)
        if agency is None or not self._active(agency):
            log.warning("frame.stranger", extra={"agency": agency or "-", "frame_bytes": len(received.payload)})
            return None
        try:
            messages = self._service.read(agency, received.payload)
        except RemoteError:
            return None
        now_ms = self._clock.now_ms()
        hello = any(isinstance(message, Hello) for message in messages)
        session = self._sessions.get(agency)
        if session is None or session.over or hello:
            session = await self._begin(agency, tasks, hail_ms=now_ms)
        session.heard_ms = now_ms
        session.greeted = session.greeted or hello
        if any(isinstance(message, Ack) for message in messages):
            session.owing_ms, session.patience_ms = None, self._limits.patience_ms
        self._hail_if_due(session, now_ms)
        if not session.greeted:
            # What a heartbeat is answered with, a checkpoint, may not come before a hello (WIRE-016).
            messages = tuple(message for message in messages if not isinstance(message, Heartbeat))
            if not messages:
                return None
        deciding = tasks.create_task(
            self._decide(session, messages, frame_bytes=len(received.payload)), name=f"{agency}-deciding"
        )
        session.deciding.append(deciding)
        while session.deciding and session.deciding[0].done():
            session.deciding.popleft()
        return deciding

    async def _decide(
        self, session: ForeignSession, messages: tuple[UpMessage, ...], *, frame_bytes: int
    ) -> Publication:
        answer = await self._service.decided(session.agency, messages, frame_bytes=frame_bytes)
        if answer in _NOT_TAKEN:
            # A hello, an ack or a chunk may have been in it: the agency says all of it again, after a while.
            session.greeted = False
            session.hail_ms = self._clock.now_ms() + self._limits.pause_ms
        return answer

    # Sessions.

    async def _begin(self, agency: str, tasks: asyncio.TaskGroup, *, hail_ms: int) -> ForeignSession:
        """Begin a session; an earlier one of the agency is over first."""
        before = self._sessions.get(agency)
        if before is not None:
            await self._end(before)
        session = ForeignSession(
            agency=agency,
            send_bytes_max=self._limits.send_bytes_max,
            heard_ms=self._clock.now_ms() if before is None else before.heard_ms,
            hail_ms=hail_ms,
            patience_ms=self._limits.patience_ms if before is None else before.patience_ms,
        )
        self._sessions[agency] = session
        self._writers[agency] = tasks.create_task(session.write(self._link), name=f"{agency}-writing")
        await self._service.attached(session)
        return session

    async def _end(self, session: ForeignSession) -> None:
        self._writers.pop(session.agency).cancel()
        # "called once per attached, after the last publish of that session is decided" -- broker/application.py
        for deciding in session.deciding:
            if not deciding.done():
                await deciding
        del self._sessions[session.agency]
        await self._service.detached(session)

    def _hail_if_due(self, session: ForeignSession, now_ms: int) -> None:
        if not session.greeted and now_ms >= session.hail_ms:
            session.hail_ms = now_ms + self._limits.hail_again_ms
            session.send(_HAIL)

    async def _hail_all(self) -> None:
        agencies = [agency for agency in self._agency_of.values() if self._active(agency)]
        for first in range(0, len(agencies), self._limits.hails_at_once):
            async with asyncio.TaskGroup() as wave:
                for agency in agencies[first : first + self._limits.hails_at_once]:
                    wave.create_task(self._hail(agency), name=f"{agency}-hailing")

    async def _hail(self, agency: str) -> None:
        passing = await self._link.send(down_topic(agency), _HAIL)
        if passing is Passing.NO_RIGHT:
            self._say_no_right(agency)
        elif passing is Passing.TAKEN and self._deaf_ms is None:
            self._deaf_ms = self._clock.now_ms() + self._limits.patience_ms

    def _say_no_right(self, agency: str) -> None:
        remedy = "check the broker's access list; 'sandiwara render' writes one"
        log.error("router.no-right", extra={"topic": down_topic(agency), "remedy": remedy})

    # Looking after them.

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._limits.look_ms / 1000)
            await self._arrived.put(None)

    async def _look_after(self, tasks: asyncio.TaskGroup) -> None:
        now_ms = self._clock.now_ms()
        owing = self._service.unfinished()
        self._wonder(now_ms)
        for session in list(self._sessions.values()):
            if session.ended_by is not None and session.ended_by != _CLOSED_NOT_AUTHORISED:
                # It read too slowly, or the disk failed: all of it is said anew, after a while.
                await self._begin(session.agency, tasks, hail_ms=now_ms + self._limits.pause_ms)
            elif session.over or now_ms - session.heard_ms > self._limits.silence_ms:
                if session.passing is Passing.NO_RIGHT:
                    self._say_no_right(session.agency)
                log.info("session.over", extra={"agency": session.agency, "passing": session.passing.value})
                await self._end(session)
            elif self._is_stalled(session, now_ms, owing=session.agency in owing):
                log.warning("session.stalled", extra={"agency": session.agency, "deliveries": owing[session.agency]})
                session.patience_ms = min(2 * session.patience_ms, self._limits.patience_ms_max)
                self._hail_if_due(await self._begin(session.agency, tasks, hail_ms=now_ms), now_ms)
            else:
                self._hail_if_due(session, now_ms)

    def _is_stalled(self, session: ForeignSession, now_ms: int, *, owing: bool) -> bool:
        if not owing or not session.greeted:
            session.owing_ms = None
        elif session.owing_ms is None:
            session.owing_ms = now_ms
        return session.owing_ms is not None and now_ms - session.owing_ms > session.patience_ms

    def _wonder(self, now_ms: int) -> None:
        """Say it once where hails are taken and nobody is ever heard: brokers grant what they do not deliver."""
        if self._deaf_ms is not None and self._sessions:
            self._deaf_ms = now_ms + self._limits.silence_ms
        if self._deaf_ms is not None and now_ms > self._deaf_ms:
            self._deaf_ms = now_ms + self._limits.silence_ms
            remedy = "does the broker's access list let the router read every up topic, and each agency write its own?"
            log.warning("router.hears-nobody", extra={"agencies": len(self._agency_of), "remedy": remedy})
