"""The agency node's shell: keeps the link up, sends what the outbox holds, takes what arrives, and tells the desk.

Everything durable happens in the synchronous halves (outgoing, incoming) on one disk thread; this file only moves
frames and waits. A link may end at any moment: the outbox sends again until a verdict has come, and the router begins
again at the last delivery that this node holds.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from concurrent.futures import Executor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from agencies.acts import NodeActs
from agencies.core import NodeCore
from agencies.incoming import Arrival, Effects, readmit
from agencies.notices import Notice
from agencies.recalls import repeat_refused
from agencies.store import NodeStore
from agencies.tails import OwnTails
from agencies.turns import DiskTurns
from agencies.untold import Untold, read_untold, read_untold_recalls
from schemas.bundle import TrustRoot
from schemas.errors import DiskFullError, LinkError, RemoteError, SandiwaraError
from schemas.frames import (
    Ack,
    Announcement,
    DownMessage,
    EnvelopeMessage,
    Heartbeat,
    Hello,
    UpMessage,
    gather_frames,
    read_down_frame,
)
from schemas.limits import BOX_EPOCH_OVERLAP_MS, DELIVERY_WINDOW, HEARTBEAT_MS, RECEIPT_DUE_MS, RECEIPT_GATHER_MS
from sealing.directory import announce
from sealing.entropy import Entropy
from sealing.keyfile import KeyRing
from sealing.keys import BoxPair
from transport.clock import Clock
from transport.failures import first_of
from transport.link import Connect, Link

log = logging.getLogger(__name__)

_FRAMES_GATHERED_MAX: Final = 16  # taken in one transaction; the link holds what comes beyond, up to its own bound


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTimings:
    """How long a node waits for what, in seconds of real time."""

    verdict_s: float = 10.0  # then the outbox is sent again; the router gives the same verdict twice
    verdict_most_s: float = 60.0  # to which that grows while none comes, so that a healed region makes no storm
    keys_s: float = 1.0  # for box keys that were looked up; readers without one are left out, and the author told
    keys_unknown_s: float = 30.0  # how long a reader that had none is not looked up again
    retry_least_s: float = 0.05
    retry_most_s: float = 5.0
    receipt_gather_s: float = RECEIPT_GATHER_MS / 1000
    heartbeat_s: float = HEARTBEAT_MS / 1000
    receipts_look_s: float = 10.0  # how often overdue receipts are looked for; a look at none costs nothing
    receipt_due_ms: Mapping[str, int] = field(default_factory=lambda: RECEIPT_DUE_MS)  # by precedence


class Node(NodeActs):
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
        on_notice: Told of what is overdue, expired or refused, and of a full disk; must not block.
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
        on_notice: Callable[[Notice], None] = lambda _notice: None,
        timings: NodeTimings | None = None,
    ) -> None:
        super().__init__(
            core=core,
            root=root,
            store=store,
            turns=DiskTurns(disk),
            clock=clock,
            machine_clock=machine_clock,
            entropy=entropy,
            key_wait_s=(timings or NodeTimings()).keys_s,
            key_absent_s=(timings or NodeTimings()).keys_unknown_s,
            receipt_due_ms=(timings or NodeTimings()).receipt_due_ms,
            on_notice=on_notice,
        )
        self._tails = OwnTails(core=core, store=store)
        self._connect = connect
        self._entropy = entropy
        self._on_arrival = on_arrival
        self._keep_keys = keep_keys
        self._timings = timings or NodeTimings()
        self._sent = 0  # outbox rows up to this one have gone out in this session
        self._in_flight = 0
        self._awaiting = store.awaiting_chunks()
        self._writing = False  # the writer has something to write …
        self._handing = False  # … and waits for the link to take it
        self._ending = False  # the owner has told the node to end
        self._hailed = False  # the router has had no hello of this node
        self._noted_up = False  # the journal says that the link is up
        self._recall_refused = bool(store.refused_recalls())
        self._arrived: asyncio.Queue[bytes] = asyncio.Queue(maxsize=_FRAMES_GATHERED_MAX)
        readmit(core, store.announcements())

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Keep the node running for as long as the block runs."""
        if self.store.owes():
            await self._tell_untold()
            self._owing.set()
        if self._recall_refused:
            self._owing.set()
        async with asyncio.TaskGroup() as tasks:
            kept = [
                tasks.create_task(self._keep_linked(), name=f"{self.agency}-link"),
                tasks.create_task(self._keep_receipting(), name=f"{self.agency}-receipts"),
                tasks.create_task(self._keep_looking(), name=f"{self.agency}-overdue"),
            ]
            try:
                yield
            finally:
                self._ending = True
                for task in kept:
                    task.cancel()

    async def _tell_untold(self) -> None:
        """Tell the desk of what came just before a crash; before any receipt leaves that says that it was told."""
        found = Untold([], 0)
        while found.after is not None:
            found = await self._turns.run(partial(read_untold, self.store, after=found.after))
            for arrival in found.arrivals:
                self._on_arrival(arrival)
        at_ms = self._clock.now_ms()
        for notice in await self._turns.run(partial(read_untold_recalls, self.store, at_ms=at_ms)):
            self._on_notice(notice)

    async def linked(self) -> None:
        """Wait until the node has a link and has said hello on it."""
        await self._linked.wait()

    def idle(self) -> bool:
        """Tell whether nothing that this node began is unfinished."""
        at_work = self._turns.busy or self._control or self._owing.is_set()
        return not (self._unsettled or self._awaiting or at_work or self._room.is_full())

    def stirring(self) -> bool:
        """Tell whether the node itself is at work at this moment: on the disk, or about to hand a frame to its link.

        Frames that the link holds, and verdicts and acks that are still to come, do not count.
        """
        writing = (self._wake.is_set() or self._writing) and not self._handing
        return bool(self._turns.busy) or writing or self._owing.is_set() or not self._arrived.empty()

    async def look_up(self, agencies: Iterable[str]) -> tuple[str, ...]:
        """Ask for the box keys of these agencies; returns those that have announced none (communications check)."""
        names = sorted(set(agencies) - {self.agency})
        await self._lookups.find(names)
        return await self._lookups.missing(names)

    async def renew_keys(self) -> None:
        """Make and announce the next epoch's box key if it is time, and ask for those of others in their last day.

        A node with a link renews by itself, by real time; in an exercise it is told to, by the exercise's.
        """
        await self._turns.run(self._renew_and_announce)
        self._wake.set()
        others = [item.agency for item in self.core.bundle.agencies if item.agency != self.agency]
        await self._lookups.refresh(others, ahead_ms=BOX_EPOCH_OVERLAP_MS)

    async def change_keys(self) -> bool:
        """Make and announce a new box key at once, as after a break-in; what is under way to the old one still opens.

        Returns:
            False if it was not done, since it would push out a key to which something may be under way.
        """
        changed = await self._turns.run(lambda: self._renew_and_announce(at_once=True))
        self._wake.set()
        return changed

    # Moving frames.

    async def _keep_linked(self) -> None:
        wait_s = self._timings.retry_least_s
        while True:
            began_ms = self._machine_clock.now_ms()
            try:
                await self._find_room()
                async with self._connect() as link:
                    await self._turns.run(self._note_up)
                    await self._session(link)
            except* LinkError as errors:
                error = first_of(errors, LinkError)
                remedy = error.remedy if error is not None else ""
                log.warning("link.down", extra={"agency": self.agency, "error": str(error), "remedy": remedy})
            except* DiskFullError:
                pass  # the desk has been told; what was not taken is not acked, and comes again
            finally:
                self._linked.clear()
            # A TaskGroup that is cancelled from outside while a child of its own fails raises what the child raised,
            # and the cancellation is lost with it (CPython before 3.13); so the owner's word counts, not the error.
            if self._ending:
                return
            with suppress(DiskFullError):
                await self._note_down()
            # Two nodes under one id end each other's sessions: only one that lasted has earned a quick return.
            if self._machine_clock.now_ms() - began_ms > self._timings.retry_most_s * 1000:
                wait_s = self._timings.retry_least_s
            # Jitter, so that a region does not come back in one instant after a broker's restart.
            jitter = 1 + self._entropy.take(1)[0] / 255
            await asyncio.sleep(wait_s * jitter)
            wait_s = min(wait_s * 2, self._timings.retry_most_s)

    async def _session(self, link: Link) -> None:
        self._control.clear()
        self._sent = self._in_flight = 0
        self._writing = self._handing = self._hailed = False
        await self._turns.run(self._greet)
        self._wake.set()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write_frames(link), name=f"{self.agency}-writer")
            # What came on the link before and was not taken is not acked, so it comes again.
            self._arrived = asyncio.Queue(maxsize=_FRAMES_GATHERED_MAX)
            tasks.create_task(self._read_frames(link), name=f"{self.agency}-reader")
            tasks.create_task(self._take_frames(), name=f"{self.agency}-taker")
            tasks.create_task(self._beat(), name=f"{self.agency}-heartbeat")
            tasks.create_task(self._watch_verdicts(), name=f"{self.agency}-verdicts")
            tasks.create_task(self._room.end_when_full(), name=f"{self.agency}-disk")
            self._linked.set()
            self._lookups.linked()

    def _begin_anew(self) -> None:
        """Say again on the link that there is what a new link would be told: the router has heard nothing of it."""
        self._sent = self._in_flight = 0
        self._lookups.linked()
        self._wake.set()

    def _greet(self) -> None:
        """Announce the box keys, then say hello; a new epoch is made here when the last one's week is over."""
        now_ms = self._clock.now_ms()
        self._renew(now_ms)
        for pair in self.core.keys.pairs():
            if now_ms < pair.expires:
                self._control.append(announce(pair, agency=self.agency, signer=self.core.keys.signer))
        self._control.append(self._incoming.hello())
        self._control.extend(self._incoming.ask_pending())

    def _renew(self, now_ms: int, *, at_once: bool = False) -> BoxPair | None:
        """Make the next epoch's pair when it is time; it is in the key file before anybody hears of it."""
        pair = self.core.keys.rotate(now_ms=now_ms, entropy=self._entropy, at_once=at_once)
        if pair is not None:
            try:
                self._keep_keys(self.core.keys.ring())
            except SandiwaraError:
                self.core.keys.drop(pair.epoch)
                raise
        return pair

    def _renew_and_announce(self, *, at_once: bool = False) -> bool:
        pair = self._renew(self._clock.now_ms(), at_once=at_once)
        # In the same turn of the disk, so that nothing sealed under it can leave before.
        if pair is not None and self._linked.is_set():
            self._control.append(announce(pair, agency=self.agency, signer=self.core.keys.signer))
        return pair is not None

    async def _write_frames(self, link: Link) -> None:
        while True:
            await self._wake.wait()
            self._writing = True
            self._wake.clear()
            while messages := await self._take_messages():
                kinds = {type(message) for message in messages}
                for frame in gather_frames(messages):
                    if Ack in kinds:
                        self.store.passing("recv.3")
                    self._handing = True
                    await link.send(frame)
                    self._handing = False
                    if EnvelopeMessage in kinds:
                        self.store.passing("send.3")
            self._writing = False

    async def _take_messages(self) -> list[UpMessage]:
        # The outbox is read first and leaves last: the announcement of a key is here by the time that something
        # sealed under it is in the outbox.
        released = await self._take_outbox()
        taken = list(self._control)
        self._control.clear()
        return taken + released

    async def _take_outbox(self) -> list[UpMessage]:
        room = DELIVERY_WINDOW - self._in_flight
        if room <= 0 or not self._unsettled:
            return []
        rows = await self._turns.run(lambda: self.store.waiting(after=self._sent, limit=room))
        if rows:
            self._sent = rows[-1].number
            self._in_flight += len(rows)
        return [EnvelopeMessage("envelope", row.envelope) for row in rows]

    async def _watch_verdicts(self) -> None:
        """Send again what has had no verdict for a while: it was over a quota, and no verdict says so.

        Never more than a window of it at a time, and ever more seldom while nothing is answered.
        """
        overdue = 0
        wait_s = self._timings.verdict_s
        while True:
            await asyncio.sleep(wait_s)
            waiting = await self._turns.run(lambda: self.store.waiting(after=0, limit=1))
            oldest = waiting[0].number if waiting and waiting[0].number <= self._sent else 0
            if oldest and oldest == overdue:
                log.warning("verdict.overdue", extra={"agency": self.agency, "releases": self._in_flight})
                self._sent = self._in_flight = 0
                self._wake.set()
                # Jitter, so that nodes that lost their router together do not all come back to it in one instant.
                grown_s = wait_s * (1.5 + self._entropy.take(1)[0] / 255)
                wait_s = min(grown_s, max(self._timings.verdict_most_s, self._timings.verdict_s))
            else:
                wait_s = self._timings.verdict_s
            overdue = oldest

    async def _read_frames(self, link: Link) -> None:
        async for frame in link.frames():
            await self._arrived.put(frame)

    async def _take_frames(self) -> None:
        """Take what has come by the time the disk is free, so that one sync and one ack serve many deliveries."""
        while True:
            frames = [await self._arrived.get()]
            while not self._arrived.empty():
                frames.append(self._arrived.get_nowait())
            messages: list[DownMessage] = []
            for frame in frames:
                try:
                    messages += read_down_frame(frame)
                except RemoteError as error:
                    await self._turns.run(partial(self._incoming.reject_frame, frame, error, self._moment()))
            if messages:
                await self._took(tuple(messages))
            if self._hailed and not any(isinstance(message, Hello) for message in self._control):
                await self._turns.run(self._greet, then=lambda _: self._begin_anew())
            # A hello that still waits for the link answers this hail too, however many come.
            self._hailed = False

    async def _took(self, messages: tuple[DownMessage, ...]) -> None:
        def take() -> Effects:
            effects = self._incoming.take(messages, self._moment())
            if effects.arrivals:
                self.store.passing("recv.2")
            return effects

        await self._turns.run(take, then=lambda effects: self._follow(messages, effects))

    def _follow(self, messages: tuple[DownMessage, ...], effects: Effects) -> None:
        """Do what follows from a frame that is on disk: also where the link has ended meanwhile."""
        self._unsettled -= effects.settled
        if effects.awaiting is not None:
            self._awaiting = effects.awaiting
        self._in_flight = max(0, self._in_flight - effects.settled)
        self._hailed = self._hailed or effects.hailed
        self._expect(effects.due_ms)
        if effects.resume:
            self._control.append(self._incoming.hello())
        self._control.extend(effects.replies)
        if any(isinstance(message, Announcement) for message in messages):
            self._lookups.announced()
        self._recall_refused = self._recall_refused or effects.recall_refused
        if effects.owed or effects.recall_refused:
            self._owing.set()
        self._wake.set()
        for arrival in effects.arrivals:
            self._on_arrival(arrival)
        for notice in effects.notices:
            self._on_notice(notice)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._timings.heartbeat_s)
            await self._turns.run(self._renew_and_announce)
            moment = self._moment()
            beat = await self._turns.run(partial(self._incoming.beat, moment))
            for notice in beat.notices:
                self._on_notice(notice)
            tails = await self._turns.run(partial(self._tails.tails, moment))
            self._control.extend(beat.asks)
            self._control.append(Heartbeat("heartbeat", moment.at_ms, tails))
            self._wake.set()
            # A receipt may have had to wait for a key, or for this node's clock to be set right: nothing else tells.
            self._owing.set()

    async def _keep_looking(self) -> None:
        while not self._ending:
            with suppress(DiskFullError):
                await self.look_for_overdue()
            await self._room.has_room()
            await asyncio.sleep(self._timings.receipts_look_s)

    async def _keep_receipting(self) -> None:
        # A call that finds the disk full as its caller is cancelled raises that: hence the look at the owner's word.
        while not self._ending:
            await self._owing.wait()
            await asyncio.sleep(self._timings.receipt_gather_s)
            # Nothing left to send, or no key to send it with yet: the next arrival or announcement looks again.
            self._owing.clear()
            try:
                while await self._turns.run(self._send_owed, then=self._count_unsettled) is not None:
                    self._wake.set()
            except DiskFullError:
                self._owing.set()
                if not self._ending:
                    await self._room.has_room()

    def _send_owed(self) -> tuple[int, int | None] | None:
        """Put receipts and repeated recalls into the outbox.

        Returns:
            How many releases wait in it then and when the first of all is due; None if nothing was put into it.
        """
        repeated = self._recall_refused and repeat_refused(self.store, self._outgoing, self._moment())
        self._recall_refused = False
        if not self._outgoing.send_receipts(self._moment()) and not repeated:
            return None
        self.store.passing("send.2")
        return self.store.waiting_count(), self.store.next_due()

    def _count_unsettled(self, counted: tuple[int, int | None] | None) -> None:
        if counted is not None:
            self._unsettled, due_ms = counted
            self._expect(due_ms)

    def _note_up(self) -> None:
        self._note("link_up")
        self._noted_up = True

    async def _note_down(self) -> None:
        if self._noted_up:
            await self._turns.run(lambda: self._note("link_down"))
            self._noted_up = False

    async def _find_room(self) -> None:
        """Go on only if the disk takes something, where it was full before.

        Raises:
            DiskFullError: If it takes nothing still.
        """
        since_ms = self._room.since_ms
        if since_ms is None:
            return
        await self._turns.run(self.store.make_sure_of_room)
        await self._note_down()
        await self._turns.run(lambda: self._note("disk_full", since_ms=since_ms))
        self._room.found()
