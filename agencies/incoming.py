"""Receiving, the synchronous half: what a frame's messages do to the node, all in one transaction.

Verify, write, then receipt and ack: a delivery that is acked is in the inbox or has been judged and logged, and
never leaves the feed stuck. Runs on the thread that has the node's store.
"""

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, assert_never

from agencies.chunks import CHUNKS_ASKED, own_chunks, wanted_chunks
from agencies.consent_arrivals import ended_meanwhile, note_consent, without_ended
from agencies.core import NodeCore
from agencies.joint_intake import JointIntake
from agencies.log_watch import LogWatch
from agencies.notices import Notice
from agencies.outbox import UNRECEIPTED_KINDS
from agencies.outgoing import Moment, describe
from agencies.override_arrivals import note_override
from agencies.quarantine import Kept
from agencies.questions import Incomer, Questions
from agencies.recalls import take_recall
from agencies.receipt_intake import take_receipts
from agencies.receipts import ReceiptWatch
from agencies.silence_intake import SilenceIntake
from agencies.state import Accepted, Duplicate, HeldMessage, Rejected
from agencies.store import NodeStore
from agencies.tails import TailWatch
from schemas.bundle import TrustRoot
from schemas.codec import pack
from schemas.errors import Code, RemoteError, SandiwaraError, Stage
from schemas.frames import (
    Ack,
    Announcement,
    BundleMessage,
    CheckpointMessage,
    ChunkMessage,
    ChunkRequest,
    Cosign,
    Delivery,
    DownMessage,
    Hail,
    Hello,
    Lookup,
    Resume,
    TailMessage,
    UpMessage,
    VerdictMessage,
)
from schemas.label import Label
from schemas.limits import SEQUENCE_SKIP
from schemas.report import PortionContent
from schemas.workflow import OverrideContent, ReceiptItem, ReceiptStatus, RfiContent
from sealing.opening import Content, finish_chunked
from sealing.portions import chunk_hash, manifest_hashes
from sealing.statements import read_bundle, read_verdict

LAST_DSEQ = "last_dseq"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Something new for the desk: a message, or the rest of one whose large portions have come."""

    hid: bytes
    kind: str
    originator: str
    ref: bytes | None
    contents: tuple[tuple[int, Content], ...]  # by place
    topics: tuple[str, ...] = ()  # of these portions
    outcome: str = ""  # what became of a question by it: answered, declined, hit, no_hit, accepted, done
    asks_cosignature: bool = False  # of this agency, as a co-signer of a joint product
    tells_override: bool = False  # of a report of this agency's own


@dataclass(slots=True)
class Effects:
    """What follows from a frame: replies, news and notices for the desk, verdicts that came, whether to resume anew.

    ``awaiting`` is how many large portions still wait for chunks, or None where the frame changed nothing about it;
    ``due_ms`` is when to look at the clock again, where the frame changed that.
    """

    replies: list[UpMessage] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    settled: int = 0
    owed: bool = False
    resume: bool = False
    hailed: bool = False
    bundle_installed: bool = False
    recall_refused: bool = False
    chunks_moved: bool = False
    awaiting: int | None = None
    due_ms: int | None = None


class Beat(NamedTuple):
    """What follows from a heartbeat: what to tell the desk, and what to ask the log along with it."""

    notices: tuple[Notice, ...]
    asks: list[Cosign]


class Incoming:
    """What a node receives."""

    def __init__(self, *, core: NodeCore, store: NodeStore, root: TrustRoot) -> None:
        self._core = core
        self._store = store
        self._root = root
        self._watch = ReceiptWatch(core=core, store=store)
        self._questions = Questions(core=core, store=store)
        self._joint = JointIntake(core=core, store=store)
        self._silence = SilenceIntake(store=store)
        self._tails = TailWatch(core=core, store=store)
        self._resuming = False
        self._log = LogWatch(core=core, store=store)

    def hello(self) -> Hello:
        """Return the hello that says what this node holds; what has a gap before it is dropped until it is answered."""
        self._resuming = True
        self._log.begin_session()
        return Hello("hello", self._store.value(LAST_DSEQ), self._core.bundle.version)

    def beat(self, moment: Moment) -> Beat:
        """Note a heartbeat of this node, by which log and originators have to have shown what they promised."""
        return Beat(asks=self._log.beat(moment), notices=self._tails.beat(moment))

    def take(self, messages: tuple[DownMessage, ...], moment: Moment) -> Effects:
        """Take the messages of one frame or of several in order.

        Raises:
            DiskFullError: If the disk is full; then nothing of them was taken, and they will be sent again.
        """
        effects = Effects()
        bundle = self._core.bundle
        try:
            self._take(messages, effects, moment)
        except BaseException:
            # A bundle that is on no disk is not in force: the router sends it again to whoever says an older one.
            if self._core.bundle is not bundle:
                self._core.install(bundle)
            self._log.take_back()
            raise
        return effects

    def _take(self, messages: tuple[DownMessage, ...], effects: Effects, moment: Moment) -> None:
        with self._store.transaction():
            before = self._store.value(LAST_DSEQ)
            for message in messages:
                self._message(message, effects, moment)
            held = self._store.value(LAST_DSEQ)
            if held != before or any(isinstance(message, Delivery) for message in messages):
                effects.replies.append(Ack("ack", held))
            effects.owed = self._store.owes()
            if effects.chunks_moved:
                effects.awaiting = self._store.awaiting_chunks()

    def note_opened(self, held: HeldMessage, *, stage: str, moment: Moment, fields: dict[str, Any]) -> None:
        """Note that the desk has read or acknowledged a message, and owe its originator the receipt."""
        with self._store.transaction():
            if stage == "opened" and not self._store.mark_opened(held.hid, at=moment.at_ms):
                return
            self._write(stage, moment, hid=held.hid.hex(), **fields)
            status: ReceiptStatus = "acknowledged" if stage == "acknowledged" else "opened"
            self._owe(held.originator, held.hid, held.bits, status, moment)

    def reject_frame(self, frame: bytes, error: RemoteError, moment: Moment) -> None:
        """Note a frame that cannot be read; whatever deliveries were in it are asked for again.

        Raises:
            StoreError: If the disk is full.
        """
        with self._store.transaction():
            self._reject(frame, moment, hid=None, code=error.code, stage="frame")

    def ask_pending(self) -> list[UpMessage]:
        """Return the requests for chunks that are still missing; after a new link."""
        wanted: list[UpMessage] = []
        for hid, place in self._store.all_pending():
            wanted += wanted_chunks(self._store, hid, place)
        return wanted

    def _message(self, message: DownMessage, effects: Effects, moment: Moment) -> None:
        match message:
            case Resume():
                self._resume(message, moment)
            case Hail():
                effects.hailed = True
            case Delivery():
                self._delivery(message, effects, moment)
            case VerdictMessage():
                self._verdict(message, effects, moment)
            case ChunkMessage():
                self._chunk(message, effects, moment)
            case ChunkRequest():
                effects.replies += own_chunks(self._store, message)
            case CheckpointMessage():
                effects.replies += self._log.take(message, moment)
            case TailMessage():
                self._tail(message, effects, moment)
            case BundleMessage():
                self._bundle(message, effects, moment)
            case Announcement():
                self._announcement(message, moment)
            case _:
                assert_never(message)

    # Deliveries.

    def _resume(self, message: Resume, moment: Moment) -> None:
        self._resuming = False
        held = self._store.value(LAST_DSEQ)
        if message.dseq > held + 1:
            # The router took an ack that this disk has forgotten: an old copy of the file was put back.
            self._write("gap", moment, deliveries=message.dseq - held - 1)
            # "An originator whose disk was put back SHOULD leave out SEQUENCE_SKIP numbers": what it sent since has
            # used them, and its readers would refuse other messages under them.
            self._store.skip_numbers(SEQUENCE_SKIP)
        self._store.keep_value(LAST_DSEQ, max(0, message.dseq - 1))

    def _delivery(self, message: Delivery, effects: Effects, moment: Moment) -> None:
        held = self._store.value(LAST_DSEQ)
        if message.dseq <= held:
            return
        if message.dseq > held + 1:
            # Something was lost under way; deliveries are numbered without gaps, so it can be asked for, once.
            effects.resume = not self._resuming
            return
        self._store.keep_value(LAST_DSEQ, message.dseq)
        if not message.envelope:
            return
        judged = self._core.judge(message.envelope, now_ms=moment.at_ms, state=self._store)
        match judged:
            case Accepted():
                self._accepted(judged, effects, moment)
                self._store.passing("recv.1")
            case Rejected():
                self._reject(message.envelope, moment, hid=judged.hid, code=judged.code, stage=judged.stage)
            case Duplicate():
                if self._keep(message.envelope, moment, stage="duplicate", code=""):
                    self._write("duplicate", moment, hid=judged.hid.hex())
            case _:
                assert_never(judged)

    def _tail(self, message: TailMessage, effects: Effects, moment: Moment) -> None:
        try:
            self._tails.take(message, moment)
        except RemoteError as error:
            if error.code is Code.KEY_EPOCH:
                # Nothing of this originator has come here, or it has a new key: said again, it can be proved.
                effects.replies.append(Lookup("lookup", (message.originator,)))
                return
            self._reject(pack(message), moment, hid=None, code=error.code, stage=error.stage)

    def _accepted(self, accepted: Accepted, effects: Effects, moment: Moment) -> None:
        header, hid = accepted.header, accepted.hid
        self._store.keep_arrival(accepted)
        self._write(
            "delivered", moment, hid=hid.hex(), kind=header.kind, originator=accepted.originator, bits=accepted.bits
        )
        accepted = without_ended(self._store, accepted, moment)
        if accepted.missing:
            self._write("missing", moment, originator=accepted.originator, messages=accepted.missing)
        for item in accepted.misreleases:
            self._write("misreleased", moment, hid=hid.hex(), originator=accepted.originator, rule=item.rule)
            # A receipt is never receipted, or two nodes could go on for ever.
            if header.kind != "receipt":
                self._owe(accepted.originator, hid, 1 << item.place, "misreleased", moment)
        if header.kind == "receipt":
            self._receipts(accepted, effects, moment)
            return
        if header.kind == "recall":
            self._recalled(accepted, effects, moment)
            effects.chunks_moved = True
            return
        if header.kind in {"cosign", "proposal", "objection"} and not self._taken_up(accepted, effects, moment):
            return
        self._joint.keep(accepted)
        opened = tuple((portion.place, portion.content) for portion in accepted.portions if portion.content is not None)
        for portion in accepted.portions:
            if portion.chunks:
                effects.chunks_moved = True
                effects.replies += wanted_chunks(self._store, hid, portion.place)
        if opened:
            arrival = Arrival(
                hid=hid, kind=header.kind, originator=accepted.originator, ref=header.ref, contents=opened
            )
            labels = {portion.place: portion.label for portion in accepted.portions}
            self._opened(arrival, labels, effects, moment)

    def _taken_up(self, accepted: Accepted, effects: Effects, moment: Moment) -> bool:
        """Take up a co-signer's answer, or what belongs to a silence procedure; False if it was refused, and noted."""
        try:
            if accepted.header.kind == "cosign":
                self._joint.take_answer(accepted, moment)
            else:
                effects.notices += self._silence.take(accepted, moment)
        except RemoteError as error:
            self._reject(accepted.hid, moment, hid=accepted.hid, code=error.code, stage=error.stage)
            return False
        finally:
            effects.due_ms = self._store.next_due()
        return True

    def _opened(self, arrival: Arrival, labels: dict[int, Label], effects: Effects, moment: Moment) -> None:
        hid, kind, originator, ref = arrival.hid, arrival.kind, arrival.originator, arrival.ref
        bits = sum(1 << place for place, _ in arrival.contents)
        contents = tuple(content for _, content in arrival.contents)
        places = [place for place, _ in arrival.contents]
        affected = tuple(sorted({state for place in places for state in labels[place].affected}))
        try:
            outcome = self._questions.arrived(
                Incomer(hid=hid, kind=kind, originator=originator, ref=ref, contents=contents, affected=affected),
                moment,
            )
        except RemoteError as error:
            self._reject(pack((hid, kind, bits)), moment, hid=hid, code=error.code, stage=error.stage)
            return
        opened = [(labels[place], content) for place, content in arrival.contents]
        told = note_override(self._store, hid, opened, invoker=originator, ref=ref, moment=moment)
        effects.notices += told
        signed, asked = self._joint.shown(hid)
        self._write(
            "verified",
            moment,
            hid=hid.hex(),
            kind=kind,
            originator=originator,
            ref=ref.hex() if ref else None,
            bits=bits,
            portions=[
                {"place": place, **describe(labels[place], content)}
                for place, content in arrival.contents
                if isinstance(content, PortionContent | RfiContent | OverrideContent)
            ],
            **signed,
        )
        if ref is not None and kind == "report" and self._store.held(ref) is not None:
            self._write("superseded", moment, hid=ref.hex(), by=hid.hex())
        self._owe(originator, hid, bits, "delivered", moment)
        if note_consent(self._store, hid, contents, originator=originator, ref=ref, moment=moment) or outcome:
            effects.due_ms = self._store.next_due()
        if outcome is not None:
            arrival = replace(arrival, outcome=outcome)
        topics = tuple(sorted({labels[place].topic for place, _ in arrival.contents}))
        effects.arrivals.append(replace(arrival, topics=topics, asks_cosignature=asked, tells_override=bool(told)))

    def _receipts(self, accepted: Accepted, effects: Effects, moment: Moment) -> None:
        notices, refused = take_receipts(self._store, self._watch, accepted, moment)
        effects.notices += notices
        self._log.meet(accepted, moment)
        for item in refused:
            named = pack((accepted.hid, item))
            self._reject(named, moment, hid=accepted.hid, code=Code.REFERENCE, stage=Stage.POLICY)

    def _recalled(self, accepted: Accepted, effects: Effects, moment: Moment) -> None:
        ref = accepted.header.ref
        if ref is not None:
            effects.notices.append(
                take_recall(self._store, ref, by=accepted.hid, originator=accepted.originator, moment=moment)
            )

    # Verdicts, chunks, bundles and keys.

    def _verdict(self, message: VerdictMessage, effects: Effects, moment: Moment) -> None:
        try:
            verdict = read_verdict(message, bundle=self._core.bundle, now_ms=moment.at_ms)
        except RemoteError as error:
            self._reject(message.statement, moment, hid=None, code=error.code, stage=error.stage)
            return
        settled = self._store.settle(verdict.hid, verdict.wraps_hash, state=verdict.outcome, code=verdict.code)
        if settled is None:
            return
        effects.settled += settled.when == "now"
        effects.recall_refused |= settled.kind == "recall" and verdict.outcome != "accepted"
        self._store.passing("send.4")
        self._log.promised(verdict.router, moment)
        if verdict.outcome == "accepted":
            self._write("accepted", moment, hid=verdict.hid.hex())
            return
        refusals = [
            {"place": item.place, "reader": item.reader, "rule": item.rule, "reason": item.reason}
            for item in verdict.refusals
        ]
        self._write("refused", moment, hid=verdict.hid.hex(), code=verdict.code, refusals=refusals)
        if settled.kind not in UNRECEIPTED_KINDS:
            effects.notices.append(
                Notice(
                    word="refused",
                    at_ms=moment.at_ms,
                    hid=verdict.hid,
                    kind=settled.kind,
                    readers=tuple(dict.fromkeys(item.reader for item in verdict.refusals)),
                    code=verdict.code or "",
                )
            )

    def _chunk(self, message: ChunkMessage, effects: Effects, moment: Moment) -> None:
        pending = self._store.pending(message.hid, message.place)
        if pending is None or message.number >= pending.opened.chunks:
            return
        if chunk_hash(message.ciphertext) != manifest_hashes(pending.opened.blob)[message.number]:
            self._reject(message.ciphertext, moment, hid=message.hid, code=Code.CHUNK, stage=Stage.PAYLOAD)
            return
        effects.chunks_moved = True
        # "A reader MUST NOT take up portions of a grant that is over."
        if ended_meanwhile(self._store, message.hid, message.place, moment):
            return
        self._store.keep_chunk(message.hid, message.place, message.number, message.ciphertext)
        held = pending.held | {message.number}
        if len(held) < pending.opened.chunks:
            wanted = wanted_chunks(self._store, message.hid, message.place)
            # All but the last of those asked for are on their way already.
            effects.replies += wanted[-1:] if len(wanted) == CHUNKS_ASKED else []
            return
        chunks = self._store.chunks(message.hid, message.place)
        try:
            content = finish_chunked(pending.kind, pending.opened, chunks)  # type: ignore[arg-type] # checked on arrival
        except RemoteError as error:
            self._reject(message.ciphertext, moment, hid=message.hid, code=error.code, stage=error.stage)
            return
        self._store.complete(message.hid, message.place, content)
        held_message = self._store.held(message.hid)
        if held_message is not None:
            arrival = Arrival(
                hid=message.hid,
                kind=pending.kind,
                originator=held_message.originator,
                ref=held_message.ref,
                contents=((message.place, content),),
            )
            self._opened(arrival, {message.place: pending.opened.label}, effects, moment)

    def _bundle(self, message: BundleMessage, effects: Effects, moment: Moment) -> None:
        version = self._core.bundle.version
        try:
            bundle = read_bundle(message.signed_bundle, root=self._root, now_ms=moment.at_ms, held_version=version)
            if bundle == self._core.bundle:
                # It was under way twice, or a router without a memory of us sends it anew: nothing has changed.
                return
            self._core.install(bundle)
        except SandiwaraError as error:
            code = error.code if isinstance(error, RemoteError) else Code.CONTENT
            self._reject(message.signed_bundle, moment, hid=None, code=code, stage="bundle")
            return
        self._store.keep_bundle(bundle.version, message.signed_bundle)
        effects.bundle_installed = True
        # One that was refused for who is revoked is repeated once that is known here: verdict or bundle, as they come.
        effects.recall_refused |= bool(self._store.refused_recalls())
        self._write("bundle", moment, version=bundle.version)

    def _announcement(self, message: Announcement, moment: Moment) -> None:
        try:
            statement = self._core.boxes.admit(message, signers=self._core.signers, now_ms=moment.at_ms)
        except RemoteError as error:
            self._reject(message.statement, moment, hid=None, code=error.code, stage=error.stage)
            return
        self._store.keep_announcement(statement.agency, statement.epoch, message)

    def _owe(self, originator: str, hid: bytes, bits: int, status: ReceiptStatus, moment: Moment) -> None:
        self._store.owe_receipt(originator, ReceiptItem(hid, bits, status, moment.at_ms))

    def _reject(self, received: bytes, moment: Moment, *, hid: bytes | None, code: str, stage: str) -> None:
        """Note what could not be taken, once for the same bytes; it is acked all the same, or the feed would stop."""
        if self._keep(received, moment, stage=stage, code=code):
            shown = hid.hex() if hid is not None else None
            self._write("rejected", moment, hid=shown, code=code, stage_failed=stage)

    def _keep(self, received: bytes, moment: Moment, *, stage: str, code: str) -> bool:
        """Put something into quarantine; tells whether the journal is to say so."""
        kept = self._store.quarantine.keep(received, stage=stage, code=code, at_ms=moment.at_ms)
        if kept is Kept.LAST:
            self._write("quarantine_full", moment, hid=None)
        return kept in {Kept.NEW, Kept.LAST}

    def _write(self, stage: str, moment: Moment, **fields: Any) -> None:
        self._store.journal.write(stage, at_ms=moment.at_ms, machine_ms=moment.machine_ms, **fields)


def readmit(core: NodeCore, announcements: list[Announcement]) -> None:
    """Take up the box keys that were kept before a restart; what no longer fits the bundle is passed over."""
    for announcement in announcements:
        try:
            core.boxes.readmit(announcement, signers=core.signers)
        except RemoteError:
            continue
