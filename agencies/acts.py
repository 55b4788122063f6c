"""The node as its desk sees it: release, recall, ask, decide, note; each returns once it is on disk.

What moves the frames is in agencies/node.py; between the two stand the outbox, a few events and the disk.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from agencies.consent_watch import ConsentWatch
from agencies.core import NodeCore
from agencies.deconflict import Identifier, held_by, make_ask, make_reply
from agencies.drafts import Draft, OverrideDraft, Why, WorkflowDraft
from agencies.incoming import Incoming
from agencies.joint import JointProducts
from agencies.joint_acts import JointActs
from agencies.lookups import KeyLookups
from agencies.notices import Notice
from agencies.outgoing import Moment, Outgoing, Released
from agencies.overrides import Overrides
from agencies.questions import Questions
from agencies.recalls import RecallState, recall_state
from agencies.receipts import Looked, ReceiptWatch
from agencies.room import DiskRoom
from agencies.silence import Proposals, SilenceWatch
from agencies.silence_acts import SilenceActs
from agencies.store import HeldPortion, NodeStore
from agencies.turns import DiskTurns
from schemas.bundle import TrustRoot
from schemas.frames import Lookup, UpMessage
from schemas.report import PortionContent
from schemas.workflow import DeconflictAsk
from sealing.entropy import Entropy
from transport.clock import Clock

_CONTROL_WAITING_MAX: Final = 16_384  # acks, lookups, chunks; far above what the router's own windows let come


class NodeActs:
    """What a desk asks of its node.

    Args:
        core: Judges arrivals; holds the keys.
        root: The authorities whose bundles are trusted.
        store: The node's database.
        turns: The thread that it is used on.
        clock: The time that is signed and judged by.
        machine_clock: Real time, for the record beside.
        entropy: Where keys and salts come from.
        key_wait_s: How long box keys that were looked up are waited for.
        key_absent_s: How long a reader that had none is not looked up again.
        receipt_due_ms: How long a receipt is waited for, by precedence.
        on_notice: Told of what is overdue, expired or refused, and of a full disk; must not block.
    """

    def __init__(
        self,
        *,
        core: NodeCore,
        root: TrustRoot,
        store: NodeStore,
        turns: DiskTurns,
        clock: Clock,
        machine_clock: Clock,
        entropy: Entropy,
        key_wait_s: float,
        key_absent_s: float,
        receipt_due_ms: Mapping[str, int],
        on_notice: Callable[[Notice], None],
    ) -> None:
        self.agency = core.agency
        self.core = core
        self.store = store
        self._outgoing = Outgoing(core=core, store=store, entropy=entropy, receipt_due_ms=receipt_due_ms)
        self._overrides = Overrides(core=core, store=store, entropy=entropy, receipt_due_ms=receipt_due_ms)
        self._watch = ReceiptWatch(core=core, store=store)
        self._consent = ConsentWatch(store=store)
        self._questions = Questions(core=core, store=store)
        self._entropy = entropy
        self._incoming = Incoming(core=core, store=store, root=root)
        self._on_notice = on_notice
        self._room = DiskRoom(agency=core.agency, moment=self._moment, tell=on_notice)
        turns.on_full = self._room.failed
        self._turns = turns
        self._clock = clock
        self._machine_clock = machine_clock
        self._lookups = KeyLookups(
            outgoing=self._outgoing,
            turns=turns,
            clock=clock,
            machine_clock=machine_clock,
            ask=self._ask,
            wait_s=key_wait_s,
            absent_s=key_absent_s,
        )
        self.joint = JointActs(
            products=JointProducts(core=core, store=store, entropy=entropy, receipt_due_ms=receipt_due_ms),
            store=store,
            turns=turns,
            lookups=self._lookups,
            send=self._send,
            moment=self._moment,
        )
        proposals = Proposals(core=core, store=store, entropy=entropy, receipt_due_ms=receipt_due_ms)
        self._silence_watch = SilenceWatch(store=store, proposals=proposals)
        self.silence = SilenceActs(
            proposals=proposals,
            store=store,
            turns=turns,
            lookups=self._lookups,
            send=self._send,
            moment=self._moment,
        )
        self._control: deque[UpMessage] = deque(maxlen=_CONTROL_WAITING_MAX)
        self._wake = asyncio.Event()
        self._owing = asyncio.Event()
        self._linked = asyncio.Event()
        self._unsettled = store.waiting_count()  # releases without a verdict
        self.receipts_due_ms = store.next_due()  # when a receipt, a verdict or a decision is next due, Unix ms

    async def release(self, draft: Draft) -> Released:
        """Release a draft to its audience; returns once it is on disk.

        Raises:
            SealError: If the content is not allowed or too large.
            StoreError: If the disk is full; then nothing was accepted.
        """
        await self._lookups.find_for(draft)
        return await self._send(lambda: self._outgoing.release(draft, self._moment(), then=self._questions.released))

    async def release_again(self, hid: bytes, readers: dict[str, int], why: Why) -> Released:
        """Release a message of ours to further readers; raises as ``release``."""
        await self._lookups.find(sorted(readers))
        return await self._send(lambda: self._outgoing.release_again(hid, readers, why, self._moment()))

    async def override(self, draft: OverrideDraft) -> Released:
        """Tell position and danger of a report to those who can help, and its originator; raises as ``release``.

        Raises:
            SealError: Also if this agency may not invoke the authority, or the originator could not be told.
        """
        held = await self._turns.run(lambda: self.store.held(draft.ref))
        readers = draft.to or tuple(item.agency for item in self.core.bundle.agencies)
        await self._lookups.find([*readers, *([] if held is None else [held.originator])])
        return await self._send(lambda: self._overrides.override(draft, self._moment()))

    async def grantable(self, hid: bytes, reader: str) -> tuple[int, int]:
        """Return the portions of a message that a reader may have by policy, as bits, and those not given yet."""
        return await self._turns.run(lambda: self._outgoing.grantable(hid, reader, self._moment()))

    async def recall(self, hid: bytes, why: Why) -> Released:
        """Take a message of ours back from everybody who has any of it; raises as ``release``."""
        await self._lookups.find(sorted(await self.released_to(hid)))
        return await self._send(lambda: self._outgoing.recall(hid, why, self._moment()))

    async def send_workflow(self, draft: WorkflowDraft, **noted: object) -> Released:
        """Send a request or decision, and note it in the journal with these fields; raises as ``release``."""
        await self._lookups.find([draft.to])

        def note(_draft: WorkflowDraft, hid: bytes, moment: Moment) -> None:
            # In the transaction that sends it: a record without it would not say why somebody decided.
            stage = "requested" if draft.kind == "request" else "decision"
            at_ms, machine_ms = moment.at_ms, moment.machine_ms
            self.store.journal.write(stage, at_ms=at_ms, machine_ms=machine_ms, hid=hid.hex(), **noted)

        return await self._send(lambda: self._outgoing.send_workflow(draft, self._moment(), then=note))

    async def coordinate(self, draft: WorkflowDraft) -> Released:
        """Send one step of a coordination; raises as ``release``, and SealError if it answers what is not open."""
        await self._lookups.find([draft.to])
        return await self._send(lambda: self._outgoing.send_workflow(draft, self._moment(), then=self._questions.sent))

    async def ask_for_hits(
        self, identifiers: Sequence[Identifier], *, to: str, subject: str, answer_by: int, why: Why
    ) -> Released:
        """Ask an agency whether it holds any of these, without telling it which; raises as ``coordinate``.

        Args:
            identifiers: At most DECONFLICT_POINTS.
            to: The agency.
            subject: For this node's own record.
            answer_by: Unix ms; not sent, since it would tell more than that something is asked.
            why: For the record.
        """
        ask, kept = make_ask(identifiers, asker=self.agency, answerer=to, entropy=self._entropy)
        draft = WorkflowDraft(
            kind="coord", content=ask, to=to, ref=None, why=why, subject=subject, answer_by=answer_by, kept=kept
        )
        return await self.coordinate(draft)

    async def answer_ask(
        self, hid: bytes, ask: DeconflictAsk, *, asker: str, own: Iterable[PortionContent], why: Why
    ) -> Released:
        """Answer an ask by what these texts of our own name; raises as ``coordinate``.

        Args:
            hid: The message that asked.
            ask: What it asked.
            asker: Who asked.
            own: Texts of this agency alone: a hit on another's would give away what that one told in confidence.
            why: For the record.
        """
        held = held_by(own)
        # On the disk's thread: a reply takes a tenth of a second of arithmetic, and the link must go on meanwhile.
        reply = await self._turns.run(
            lambda: make_reply(ask, held, asker=asker, answerer=self.agency, entropy=self._entropy)
        )
        return await self.coordinate(WorkflowDraft(kind="coord", content=reply, to=asker, ref=hid, why=why))

    async def opened(self, hid: bytes, *, stage: str = "opened", **fields: object) -> None:
        """Note that the desk has read (or acknowledged) a message, and owe its originator the receipt."""

        def note() -> None:
            held = self.store.held(hid)
            if held is None or held.recalled:
                return
            self._incoming.note_opened(held, stage=stage, moment=self._moment(), fields=fields)

        await self._turns.run(note, then=lambda _: self._owing.set())

    async def recall_state(self, hid: bytes) -> tuple[RecallState, ...]:
        """Return what each agency that had a message of ours has answered to its recall.

        Raises:
            InputError: If it is no message of ours, or was not recalled.
        """
        return await self._turns.run(lambda: recall_state(self.store, hid))

    def disk_is_full(self) -> bool:
        """Tell whether the node is read-only for want of room; it goes on by itself when there is some."""
        return self._room.is_full()

    async def portions(self, hid: bytes) -> list[HeldPortion]:
        """Return the portions of a message that this agency holds, in order of place."""
        return await self._turns.run(lambda: self.store.portions(hid))

    async def released_to(self, hid: bytes) -> dict[str, int]:
        """Return everybody to whom a message of ours was released and accepted, with the bits."""
        return await self._turns.run(lambda: self.store.released_to(hid))

    async def look_for_overdue(self) -> None:
        """Tell the desk of receipts that are overdue by now, of what has expired, and of requests that have lapsed.

        A node with a link looks by itself, by real time; in an exercise it is told to, by the exercise's.
        """
        while self.receipts_due_ms is not None and self.receipts_due_ms <= self._clock.now_ms():
            await self._turns.run(self._look, then=self._tell_looked)

    def _look(self) -> Looked:
        moment = self._moment()
        ended = self._consent.look(moment) + self._questions.look(moment) + self._silence_watch.look(moment)
        looked = self._watch.look(moment)
        return replace(looked, notices=ended + looked.notices)

    def _tell_looked(self, looked: Looked) -> None:
        self.receipts_due_ms = looked.next_ms
        self._unsettled -= looked.expired
        if any(notice.word == "grant_over" for notice in looked.notices):
            self._owing.set()
        for notice in looked.notices:
            if notice.word == "misput":
                # The node has objected by itself.
                self._unsettled += 1
                self._wake.set()
            self._on_notice(notice)

    def tell_also(self, listener: Callable[[Notice], None]) -> None:
        """Have somebody else told of every notice from now on, after whom the node was made for; must not block."""
        first = self._on_notice

        def tell(notice: Notice) -> None:
            first(notice)
            listener(notice)

        self._on_notice = tell

    async def note(self, stage: str, **fields: object) -> None:
        """Write an entry of the desk's own into the journal."""
        await self._turns.run(lambda: self._note(stage, **fields))

    async def _send(self, send: Callable[[], Released]) -> Released:
        def committed() -> Released:
            released = send()
            self.store.passing("send.2")
            return released

        return await self._turns.run(committed, then=self._count_released)

    def _count_released(self, released: Released) -> None:
        if released.hid is not None:
            self._unsettled += 1
            self._expect(released.due_ms)
            self._wake.set()

    def _expect(self, due_ms: int | None) -> None:
        """Look for receipts at this time at the latest."""
        if due_ms is not None:
            self.receipts_due_ms = min(due_ms, self.receipts_due_ms or due_ms)

    def _ask(self, lookup: Lookup) -> bool:
        if not self._linked.is_set():
            return False
        self._control.append(lookup)
        self._wake.set()
        return True

    def _moment(self) -> Moment:
        return Moment(at_ms=self._clock.now_ms(), machine_ms=self._machine_clock.now_ms())

    def _note(self, stage: str, **fields: object) -> None:
        moment = self._moment()
        with self.store.transaction():
            self.store.journal.write(stage, at_ms=moment.at_ms, machine_ms=moment.machine_ms, **fields)
