"""The agency node's shell: keeps the link up, sends what the outbox holds, takes what arrives, and tells the desk.

Everything durable happens in the synchronous halves (outgoing, incoming) on one disk thread; this file only moves
frames and waits. A link may end at any moment: the outbox sends again until a verdict has come, and the router begins
again at the last delivery that this node holds.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from agencies.core import NodeCore
from agencies.drafts import Draft, Why, WorkflowDraft
from agencies.incoming import Arrival, Effects, Incoming, readmit
from agencies.outgoing import Moment, Outgoing, Released
from agencies.store import HeldPortion, NodeStore
from schemas.bundle import TrustRoot
from schemas.errors import LinkError, RemoteError
from schemas.frames import (
    Announcement,
    DownMessage,
    EnvelopeMessage,
    Heartbeat,
    Lookup,
    UpMessage,
    gather_frames,
    read_down_frame,
)
from schemas.limits import DELIVERY_WINDOW, RECEIPT_GATHER_MS
from sealing.directory import announce
from sealing.entropy import Entropy
from sealing.keyfile import KeyRing
from transport.clock import Clock
from transport.link import Connect, Link

log = logging.getLogger(__name__)

T = TypeVar("T")

_CONTROL_WAITING_MAX: Final = 16_384  # acks, lookups, chunks; far above what the router's own windows let come


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTimings:
    """How long a node waits for what, in seconds of real time."""

    verdict_s: float = 10.0  # then the outbox is sent again; the router gives the same verdict twice
    keys_s: float = 1.0  # for box keys that were looked up; readers without one are left out, and the author told
    keys_unknown_s: float = 30.0  # how long a reader that had none is not looked up again
    retry_least_s: float = 0.05
    retry_most_s: float = 5.0
    receipt_gather_s: float = RECEIPT_GATHER_MS / 1000
    heartbeat_s: float = 30.0


class Node:
    """One agency's node.

    Args:
        core: Judges arrivals; holds the keys.
        root: The authorities whose bundles are trusted.
        store: The node's database; used on ``disk`` only.
        disk: One call at a time is made on it for this node.
        connect: Opens a link to the broker.
        clock: The time that is signed and judged by.
        machine_clock: Real time, for the record beside.
        entropy: Where keys and salts come from.
        on_arrival: Told of everything new, after it is on disk; must not block.
        keep_keys: Writes the key file after a rotation; runs on ``disk``.
        timings: How long to wait.
    """

    def __init__(
        self,
        *,
        core: NodeCore,
        root: TrustRoot,
        store: NodeStore,
        disk: Executor,
        connect: Connect,
        clock: Clock,
        machine_clock: Clock,
        entropy: Entropy,
        on_arrival: Callable[[Arrival], None],
        keep_keys: Callable[[KeyRing], None],
        timings: NodeTimings | None = None,
    ) -> None:
        self.agency = core.agency
        self.core = core
        self.store = store
        self._outgoing = Outgoing(core=core, store=store, entropy=entropy)
        self._incoming = Incoming(core=core, store=store, root=root)
        self._disk = disk
        self._turn = asyncio.Lock()
        self._connect = connect
        self._clock = clock
        self._machine_clock = machine_clock
        self._entropy = entropy
        self._on_arrival = on_arrival
        self._keep_keys = keep_keys
        self._timings = timings or NodeTimings()
        self._control: deque[UpMessage] = deque(maxlen=_CONTROL_WAITING_MAX)
        self._wake = asyncio.Event()
        self._owing = asyncio.Event()
        self._announced = asyncio.Event()
        self._unknown: dict[str, int] = {}  # readers without a key, and the machine time until which that holds
        self._sent = 0  # outbox rows up to this one have gone out in this session
        self._in_flight = 0
        self._unsettled = store.waiting_count()
        self._awaiting = store.awaiting_chunks()
        self._busy = 0
        self._writing = False  # the writer has something to write …
        self._handing = False  # … and waits for the link to take it
        self._linked = asyncio.Event()
        readmit(core, store.announcements())

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Keep the node running for as long as the block runs."""
        if self.store.owes():
            self._owing.set()
        async with asyncio.TaskGroup() as tasks:
            kept = [
                tasks.create_task(self._keep_linked(), name=f"{self.agency}-link"),
                tasks.create_task(self._keep_receipting(), name=f"{self.agency}-receipts"),
            ]
            try:
                yield
            finally:
                for task in kept:
                    task.cancel()

    async def linked(self) -> None:
        """Wait until the node has a link and has said hello on it."""
        await self._linked.wait()

    def idle(self) -> bool:
        """Tell whether nothing that this node began is unfinished."""
        return not (self._unsettled or self._awaiting or self._busy or self._control or self._owing.is_set())

    def stirring(self) -> bool:
        """Tell whether the node itself is at work at this moment: on the disk, or about to hand a frame to its link.

        Frames that the link holds, and verdicts and acks that are still to come, do not count.
        """
        writing = (self._wake.is_set() or self._writing) and not self._handing
        return bool(self._busy) or writing or self._owing.is_set()

    async def look_up(self, agencies: Iterable[str]) -> tuple[str, ...]:
        """Ask for the box keys of these agencies; returns those that have announced none (communications check)."""
        names = sorted(set(agencies) - {self.agency})
        await self._find_keys(names)
        return self._outgoing.missing_keys(names, at_ms=self._clock.now_ms())

    # What the desk asks.

    async def release(self, draft: Draft) -> Released:
        """Release a draft to its audience; returns once it is on disk.

        Raises:
            SealError: If the content is not allowed or too large.
            StoreError: If the disk is full; then nothing was accepted.
        """
        audience = await self._on_disk(lambda: self._outgoing.audience_of(draft, at_ms=self._clock.now_ms()))
        await self._find_keys(sorted(audience.readers))
        return await self._send(lambda: self._outgoing.release(draft, self._moment()))

    async def release_again(self, hid: bytes, readers: dict[str, int], why: Why) -> Released:
        """Release a message of ours to further readers; raises as ``release``."""
        await self._find_keys(sorted(readers))
        return await self._send(lambda: self._outgoing.release_again(hid, readers, why, self._moment()))

    async def send_workflow(self, draft: WorkflowDraft, **noted: object) -> Released:
        """Send a request or decision, and note it in the journal with these fields; raises as ``release``."""
        await self._find_keys([draft.to])

        def send() -> Released:
            released = self._outgoing.send_workflow(draft, self._moment())
            stage = "requested" if draft.kind == "request" else "decision"
            hid = released.hid.hex() if released.hid is not None else None
            self._note(stage, hid=hid, **noted)
            return released

        return await self._send(send)

    async def opened(self, hid: bytes, *, stage: str = "opened", **fields: object) -> None:
        """Note that the desk has read (or acknowledged) a message, and owe its originator the receipt."""

        def note() -> None:
            held = self.store.held(hid)
            if held is None or held.recalled:
                return
            self._incoming.note_opened(held, stage=stage, moment=self._moment(), fields=fields)

        await self._on_disk(note)
        self._owing.set()

    async def portions(self, hid: bytes) -> list[HeldPortion]:
        """Return the portions of a message that this agency holds, in order of place."""
        return await self._on_disk(lambda: self.store.portions(hid))

    async def released_to(self, hid: bytes) -> dict[str, int]:
        """Return everybody to whom a message of ours was released and accepted, with the bits."""
        return await self._on_disk(lambda: self.store.released_to(hid))

    async def note(self, stage: str, **fields: object) -> None:
        """Write an entry of the desk's own into the journal."""
        await self._on_disk(lambda: self._note(stage, **fields))

    # Moving frames.

    async def _keep_linked(self) -> None:
        wait_s = self._timings.retry_least_s
        while True:
            try:
                async with self._connect() as link:
                    wait_s = self._timings.retry_least_s
                    await self._on_disk(lambda: self._note("link_up"))
                    await self._session(link)
            except* LinkError as errors:
                log.warning("link.down", extra={"agency": self.agency, "error": str(errors.exceptions[0])})
            finally:
                was_linked = self._linked.is_set()
                self._linked.clear()
            if was_linked:
                await self._on_disk(lambda: self._note("link_down"))
            # Jitter, so that a region does not come back in one instant after a broker's restart.
            jitter = 1 + self._entropy.take(1)[0] / 255
            await asyncio.sleep(wait_s * jitter)
            wait_s = min(wait_s * 2, self._timings.retry_most_s)

    async def _session(self, link: Link) -> None:
        self._control.clear()
        self._sent = self._in_flight = 0
        self._writing = self._handing = False
        await self._on_disk(self._greet)
        self._wake.set()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write_frames(link), name=f"{self.agency}-writer")
            tasks.create_task(self._read_frames(link), name=f"{self.agency}-reader")
            tasks.create_task(self._beat(), name=f"{self.agency}-heartbeat")
            self._linked.set()

    def _greet(self) -> None:
        """Announce the box keys, then say hello; a new epoch is made here when the last one's week is over."""
        now_ms = self._clock.now_ms()
        if self.core.keys.rotate(now_ms=now_ms, entropy=self._entropy) is not None:
            self._keep_keys(self.core.keys.ring())
        for pair in self.core.keys.pairs():
            if now_ms < pair.expires:
                self._control.append(announce(pair, agency=self.agency, signer=self.core.keys.signer))
        self._control.append(self._incoming.hello())
        self._control.extend(self._incoming.ask_pending())

    async def _write_frames(self, link: Link) -> None:
        while True:
            try:
                async with asyncio.timeout(self._timings.verdict_s):
                    await self._wake.wait()
            except TimeoutError:
                if self._in_flight:
                    log.warning("verdict.overdue", extra={"agency": self.agency, "releases": self._in_flight})
                    self._sent = self._in_flight = 0
            self._writing = True
            self._wake.clear()
            while messages := self._take_control() + await self._take_outbox():
                for frame in gather_frames(messages):
                    self._handing = True
                    await link.send(frame)
                    self._handing = False
            self._writing = False

    def _take_control(self) -> list[UpMessage]:
        taken = list(self._control)
        self._control.clear()
        return taken

    async def _take_outbox(self) -> list[UpMessage]:
        room = DELIVERY_WINDOW - self._in_flight
        if room <= 0 or not self._unsettled:
            return []
        rows = await self._on_disk(lambda: self.store.waiting(after=self._sent, limit=room))
        if rows:
            self._sent = rows[-1].number
            self._in_flight += len(rows)
        return [EnvelopeMessage("envelope", row.envelope) for row in rows]

    async def _read_frames(self, link: Link) -> None:
        async for frame in link.frames():
            try:
                messages = read_down_frame(frame)
            except RemoteError as error:
                code = error.code
                await self._on_disk(
                    lambda code=code: self._note("rejected", hid=None, code=code.value, stage_failed="frame")  # type: ignore[misc] # mypy cannot type a lambda's default
                )
                continue
            await self._took(messages)

    async def _took(self, messages: tuple[DownMessage, ...]) -> None:
        effects: Effects = await self._on_disk(lambda: self._incoming.take(messages, self._moment()))
        self._unsettled -= effects.settled
        if effects.awaiting is not None:
            self._awaiting = effects.awaiting
        self._in_flight = max(0, self._in_flight - effects.settled)
        if effects.resume:
            self._control.append(self._incoming.hello())
        self._control.extend(effects.replies)
        if any(isinstance(message, Announcement) for message in messages):
            self._announced.set()
        if effects.owed:
            self._owing.set()
        self._wake.set()
        for arrival in effects.arrivals:
            self._on_arrival(arrival)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._timings.heartbeat_s)
            now_ms = self._clock.now_ms()
            pair = self.core.keys.rotate(now_ms=now_ms, entropy=self._entropy)
            if pair is not None:
                await self._on_disk(lambda: self._keep_keys(self.core.keys.ring()))
                self._control.append(announce(pair, agency=self.agency, signer=self.core.keys.signer))
            self._control.append(Heartbeat("heartbeat", now_ms))
            self._wake.set()

    async def _keep_receipting(self) -> None:
        while True:
            await self._owing.wait()
            await asyncio.sleep(self._timings.receipt_gather_s)
            if await self._on_disk(lambda: self._outgoing.send_receipts(self._moment())):
                self._unsettled = await self._on_disk(self.store.waiting_count)
                self._wake.set()
                continue
            # Nothing left to send, or no key to send it with yet: the next arrival or announcement looks again.
            self._owing.clear()

    async def _find_keys(self, readers: Iterable[str]) -> None:
        """Look up the box keys that are not known here, and wait a little for them."""
        machine_ms = self._machine_clock.now_ms()
        asked = [name for name in readers if self._unknown.get(name, 0) <= machine_ms]
        missing = self._outgoing.missing_keys(asked, at_ms=self._clock.now_ms())
        if not missing or not self._linked.is_set():
            return
        self._announced.clear()
        self._control.append(Lookup("lookup", missing))
        self._wake.set()
        try:
            async with asyncio.timeout(self._timings.keys_s):
                while missing:
                    await self._announced.wait()
                    self._announced.clear()
                    missing = self._outgoing.missing_keys(missing, at_ms=self._clock.now_ms())
        except TimeoutError:
            until = machine_ms + int(self._timings.keys_unknown_s * 1000)
            self._unknown.update(dict.fromkeys(missing, until))

    async def _send(self, send: Callable[[], Released]) -> Released:
        released = await self._on_disk(send)
        if released.hid is not None:
            self._unsettled += 1
            self._wake.set()
        return released

    async def _on_disk(self, call: Callable[[], T]) -> T:
        self._busy += 1
        try:
            async with self._turn:
                return await asyncio.get_running_loop().run_in_executor(self._disk, call)
        finally:
            self._busy -= 1

    def _moment(self) -> Moment:
        return Moment(at_ms=self._clock.now_ms(), machine_ms=self._machine_clock.now_ms())

    def _note(self, stage: str, **fields: object) -> None:
        moment = self._moment()
        with self.store.transaction():
            self.store.journal.write(stage, at_ms=moment.at_ms, machine_ms=moment.machine_ms, **fields)
