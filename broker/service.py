"""The broker's shell: the MQTT server in front, the router behind, and the thread that owns the disk between them.

Frames are read as they come; what has arrived by the time the disk is free is decided as one batch, so that one sync
serves many (group commit) and nobody waits for a timer. Everything sent was on disk before.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from broker.application import Attachment, Credentials, Publication
from broker.quota import Quotas, Throttled
from broker.router import (
    Arrival,
    BundleSigned,
    CheckpointDue,
    FrameArrived,
    HousekeepingDue,
    Outcome,
    OverQuota,
    Router,
    SessionEnded,
)
from schemas.errors import DiskFullError, RemoteError, StoreError
from schemas.frames import UpMessage, gather_frames, read_up_frame
from transport.clock import Clock

log = logging.getLogger(__name__)

_ARRIVALS_WAITING_MAX: Final = 2_048  # frames that wait for the disk; beyond this a publisher waits for its PUBACK
_BATCH_ARRIVALS_MAX: Final = 100  # one sync for at most this many: about 5 ms of work
_HOUSEKEEPING_S: Final = 60.0  # how often what is long over is forgotten, a thousand messages at a time
_CLOSE_QUOTA: Final = 0x97
_CLOSE_NOT_AUTHORISED: Final = 0x87
_CLOSE_BUSY: Final = 0x89

Authenticator = Callable[[Credentials], str | None]


@dataclass(slots=True)
class _Job:
    arrival: Arrival
    answered: asyncio.Future[Publication]


class BrokerService:
    """The need-to-know side of the broker, as the MQTT server sees it (``broker.application.Application``).

    Args:
        router: The synchronous half; used on one thread only.
        authenticator: Proves who connects.
        quotas: What each agency may send.
        clock: The time that is signed, recorded and judged by.
        machine_clock: Real time, for quotas.
    """

    def __init__(
        self, *, router: Router, authenticator: Authenticator, quotas: Quotas, clock: Clock, machine_clock: Clock
    ) -> None:
        self._router = router
        self._authenticator = authenticator
        self._quotas = quotas
        self._throttled = Throttled()
        self._unrecorded: set[str] = set()  # agencies over their quota, of which nothing could be written
        self._clock = clock
        self._machine_clock = machine_clock
        self._attachments: dict[str, Attachment] = {}
        self._jobs: asyncio.Queue[_Job] = asyncio.Queue(maxsize=_ARRIVALS_WAITING_MAX)
        self._unanswered = 0
        self._frames_sent: dict[str, int] = {}
        self._unwritten_batches = 0  # in a row; while there are any the broker is read-only
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="broker-disk")

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Decide what arrives for as long as the block runs."""
        try:
            async with asyncio.TaskGroup() as tasks:
                kept = [
                    tasks.create_task(self._decide_batches(), name="broker-deciding"),
                    tasks.create_task(self._keep_house(), name="broker-housekeeping"),
                ]
                try:
                    yield
                finally:
                    for task in kept:
                        task.cancel()
        finally:
            self._disk.shutdown(wait=True)

    def idle(self) -> bool:
        """Tell whether nothing waits to be decided and no connected reader owes an ack."""
        return self._unanswered == 0 and self._router.idle()

    def unfinished(self) -> dict[str, int]:
        """Return, for each connected reader, how many deliveries it has not acked."""
        return self._router.unfinished()

    def stirring(self) -> bool:
        """Tell whether anything waits to be decided at this moment."""
        return self._unanswered > 0

    def frames_sent(self, agency: str) -> int:
        """Return how many frames went to an agency in its present session."""
        return self._frames_sent.get(agency, 0)

    async def install_bundle(self, *, version: int, signed: bytes, install: Callable[[], None]) -> None:
        """Judge by a new bundle from now on, cancel what is queued to or from agencies it revokes, and tell all.

        Args:
            version: The bundle's version.
            signed: Its bytes, already proved.
            install: Installs it in the core; runs on the thread that owns the store.

        Raises:
            StoreError: If the disk is full; then the bundle is in force until a restart, and must be given again.
        """
        await asyncio.get_running_loop().run_in_executor(self._disk, install)
        if await self._submit(BundleSigned(version=version, signed=signed)) is not Publication.SUCCESS:
            msg = f"version {version} of the bundle is in force and not on disk"
            raise StoreError(msg, remedy="make room on the disk and install it again")

    async def sign_log(self) -> None:
        """Sign for the log as it stands, and show it to every agency that is connected."""
        await self._submit(CheckpointDue())

    # What the server asks (broker.application.Application).

    def authenticate(self, credentials: Credentials) -> str | None:
        """Return the agency that the credentials prove, or None."""
        return self._authenticator(credentials)

    async def attached(self, attachment: Attachment) -> None:
        """Take up an agency's session; deliveries begin with its hello."""
        self._frames_sent[attachment.agency] = 0
        self._attachments[attachment.agency] = attachment

    async def detached(self, attachment: Attachment) -> None:
        """Let go of an agency's session."""
        if self._attachments.get(attachment.agency) is attachment:
            del self._attachments[attachment.agency]
            await self._submit(SessionEnded(agency=attachment.agency))

    async def published(self, agency: str, payload: bytes) -> Publication:
        """Decide on one frame; returns once the decision is on disk."""
        try:
            messages = self.read(agency, payload)
        except RemoteError:
            return Publication.PAYLOAD_FORMAT_INVALID
        return await self.decided(agency, messages, frame_bytes=len(payload))

    # The same in two steps, for a host that has to look at the messages (broker/foreign.py).

    def read(self, agency: str, payload: bytes) -> tuple[UpMessage, ...]:
        """Read one frame.

        Raises:
            RemoteError: On the first fault in it.
        """
        try:
            return read_up_frame(payload)
        except RemoteError as error:
            # What cannot be read costs as much as what can; beyond the quota not even a line is written of it.
            now_ms = self._machine_clock.now_ms()
            if self._quotas.charge(agency, messages=1, size=len(payload), now_ms=now_ms):
                log.warning("frame.refused", extra={"agency": agency, "code": error.code, "frame_bytes": len(payload)})
            raise

    async def decided(self, agency: str, messages: tuple[UpMessage, ...], *, frame_bytes: int) -> Publication:
        """Decide on the messages of one frame; returns once the decision is on disk."""
        now_ms = self._machine_clock.now_ms()
        if not self._quotas.charge(agency, messages=len(messages), size=frame_bytes, now_ms=now_ms):
            if self._throttled.is_news(agency, now_ms=now_ms):
                log.warning("frame.over-quota", extra={"agency": agency, "frame_bytes": frame_bytes})
                await self._record_over_quota(agency)
            return Publication.QUOTA_EXCEEDED
        return await self._submit(FrameArrived(agency=agency, messages=messages))

    async def _submit(self, arrival: Arrival) -> Publication:
        job = _Job(arrival, asyncio.get_running_loop().create_future())
        self._unanswered += 1
        try:
            await self._jobs.put(job)
            return await job.answered
        finally:
            self._unanswered -= 1

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(_HOUSEKEEPING_S)
            self._quotas.forget_idle(now_ms=self._machine_clock.now_ms())
            if await self._submit(HousekeepingDue()) is Publication.SUCCESS:
                for agency in sorted(self._unrecorded):
                    await self._record_over_quota(agency)

    async def _record_over_quota(self, agency: str) -> None:
        """Put on record that an agency is over its quota; when there is room again, if the disk is full."""
        if await self._submit(OverQuota(agency=agency)) is Publication.SUCCESS:
            self._unrecorded.discard(agency)
        else:
            self._unrecorded.add(agency)

    # Deciding and sending.

    async def _decide_batches(self) -> None:
        loop = asyncio.get_running_loop()
        next_job: _Job | None = None
        while True:
            jobs = [next_job or await self._jobs.get()]
            next_job = None
            while len(jobs) < _BATCH_ARRIVALS_MAX and not self._jobs.empty():
                job = self._jobs.get_nowait()
                # A bundle begins a batch: what was decided before it has left before it counts, and is not cancelled.
                if isinstance(job.arrival, BundleSigned):
                    next_job = job
                    break
                jobs.append(job)
            arrivals = [job.arrival for job in jobs]
            try:
                outcome = await loop.run_in_executor(self._disk, self._handle, arrivals)
            except StoreError as error:
                self._unwritten(jobs, error)
                continue
            if self._unwritten_batches:
                log.warning("disk.has-room", extra={"batches_refused": self._unwritten_batches})
                self._unwritten_batches = 0
            self._send(outcome)
            for job, answer in zip(jobs, outcome.answers, strict=True):
                if not job.answered.done():
                    job.answered.set_result(answer)

    def _handle(self, arrivals: list[Arrival]) -> Outcome:
        if self._unwritten_batches:
            # What there is room for may be less than the next batch: without this it would heal and fail by turns.
            self._router.make_sure_of_room()
        return self._router.handle(arrivals, now_ms=self._clock.now_ms())

    def _unwritten(self, jobs: list[_Job], error: StoreError) -> None:
        """Nothing of this batch was accepted: tell the senders so, and have every session begin anew.

        One line says so, however many come back and are sent away until there is room.
        """
        if not self._unwritten_batches:
            event = "disk.full" if isinstance(error, DiskFullError) else "disk.failed"
            log.error(event, extra={"error": str(error), "remedy": error.remedy, "frames": len(jobs)})
        self._unwritten_batches += 1
        for job in jobs:
            if not job.answered.done():
                job.answered.set_result(Publication.IMPLEMENTATION_SPECIFIC)
        for attachment in list(self._attachments.values()):
            attachment.close(_CLOSE_BUSY)

    def _send(self, outcome: Outcome) -> None:
        if outcome.log_fault is not None:
            # It goes on routing, since lives may hang on it; its witnesses see the log freeze.
            log.error("log.fenced", extra={"fault": outcome.log_fault.fault, "error": str(outcome.log_fault)})
        for originator, decision, hid in outcome.decided:
            log.info("envelope.decided", extra={"originator": originator, "outcome": decision, "hid": hid})
        for agency, messages in outcome.sends.items():
            attachment = self._attachments.get(agency)
            if attachment is None:
                continue
            for frame in gather_frames(messages):
                self._frames_sent[agency] += 1
                if not attachment.send(frame):
                    # It reads too slowly for its own window. Its rows are safe; it says hello when it is back.
                    log.warning("session.slow", extra={"agency": agency})
                    attachment.close(_CLOSE_QUOTA)
                    break
            self._router.passing("route.4")
        for agency in outcome.closes:
            attachment = self._attachments.get(agency)
            if attachment is not None:
                attachment.close(_CLOSE_NOT_AUTHORISED)
