"""Sending, the synchronous half: find the audience, seal, and put the release into the outbox in one transaction.

What this returns as released is on disk and will be sent until a verdict comes. Runs on the thread that has the
node's store.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from agencies.core import NodeCore
from agencies.derived import check_held
from agencies.drafts import Draft, OverrideDraft, Quote, Why, WorkflowDraft, workflow_label
from agencies.inheritance import check_inherited
from agencies.outbox import ReaderDue
from agencies.preflight import Audience, SentBefore, find_audience
from agencies.store import NodeStore
from policy.members_first import asks_members
from schemas.codec import pack, read_shape, unpack
from schemas.errors import RemoteError, SealError
from schemas.label import PRECEDENCE_ORDER, PRECEDENCE_RANK, Label, Precedence
from schemas.limits import ENVELOPE_BYTES_MAX, LIFETIME_MS_MAX, RECEIPT_DUE_MS
from schemas.report import PortionContent
from schemas.workflow import (
    DecisionContent,
    Grant,
    OverrideContent,
    Permission,
    ReceiptContent,
    RequestContent,
    RfiContent,
)
from sealing.entropy import Entropy
from sealing.seal import Reader, SealedMessage, release, seal

NO_KEY_RULE: Final = "KEY-EPOCH"  # the reader has announced no box key: its node has not been seen
NOT_ACTIVE_RULE: Final = "NTK-READER"  # the bundle in force calls it suspended or revoked
_RECEIPT_WHY: Final = Why(act="receipt", order="", reason="every arrival is receipted", cause="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One reading of the clocks: exercise (or civil) time, which is signed, and the machine's own; Unix ms."""

    at_ms: int
    machine_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What became of a draft.

    Attributes:
        hid: The message; None where nobody could be given anything of it.
        audience: Bits by reader.
        left_out: The rule by each agency that gets nothing.
        due_ms: When the first receipt is due, Unix ms.
    """

    hid: bytes | None
    audience: dict[str, int]
    left_out: dict[str, str]
    due_ms: int | None = None


class Outgoing:
    """What a node sends: drafts, releases given later, requests, decisions and receipts.

    Args:
        core: Holds the keys and the policy.
        store: The node's database.
        entropy: Where keys and salts come from.
        receipt_due_ms: How long a receipt is waited for, by precedence.
    """

    def __init__(
        self,
        *,
        core: NodeCore,
        store: NodeStore,
        entropy: Entropy,
        receipt_due_ms: Mapping[str, int] = RECEIPT_DUE_MS,
    ) -> None:
        self._core = core
        self._store = store
        self._entropy = entropy
        self._receipt_due_ms = receipt_due_ms

    def audience_of(self, draft: Draft, *, at_ms: int) -> Audience:
        """Return who would get what of a draft, and who not by which rule; nothing is sent."""
        return find_audience(
            [portion.label for portion in draft.written],
            author=self._core.agency,
            to=draft.to,
            quotes=draft.quotes,
            at_ms=at_ms,
            community=self._core.community,
            grants=self._grants_of(draft.quotes),
        )

    def missing_keys(self, readers: Iterable[str], *, at_ms: int) -> tuple[str, ...]:
        """Return those readers whose current box key is not known here."""
        return tuple(reader for reader in readers if not self._has_key(reader, at_ms))

    def not_active(self, agencies: Iterable[str]) -> tuple[str, ...]:
        """Return those agencies to which nothing may go by the bundle in force, whatever it says."""
        found = {name: self._core.community.agency(name) for name in agencies}
        return tuple(name for name, agency in found.items() if agency is None or agency.status != "active")

    def release(
        self,
        draft: Draft,
        moment: Moment,
        *,
        then: Callable[[Draft, bytes, Iterable[str], Moment], None] = lambda _draft, _hid, _readers, _moment: None,
    ) -> Released:
        """Seal a draft for its audience and put it into the outbox.

        Args:
            draft: What is released.
            moment: Now.
            then: Told of draft, message and readers within the transaction; what it raises takes all back.

        Raises:
            SealError: If the content is not allowed or too large, or what it is made from was taken back.
            StoreError: If the disk is full; then nothing was accepted.
        """
        check_inherited(draft.portions, draft.quotes)
        audience = self.audience_of(draft, at_ms=moment.at_ms)
        left_out = dict(audience.left_out)
        readers = dict(audience.readers)
        for reader in self.missing_keys(sorted(readers), at_ms=moment.at_ms):
            left_out[reader] = NO_KEY_RULE
            del readers[reader]
        named = [parent.hid for item in draft.portions for parent in item.content.derived_from]
        with self._store.transaction():
            check_held(draft.quotes, parents=named, state=self._store)
            self._write("intended", moment, **_why(draft.why), to=list(draft.to), left_out=left_out)
            self._write_denied(audience, draft.why, moment)
            if not readers:
                return Released(hid=None, audience={}, left_out=left_out)
            sealed = self._seal([(p.label, checked(p.content)) for p in draft.written], draft, moment)
            bits = {reader: sealed.bits(positions) for reader, positions in readers.items()}
            self._store.keep_sealed(sealed)
            self._store.derived.keep(sealed.hid, quotes=draft.quotes, parents=named)
            due_ms = self._put_out(sealed, bits, moment, with_blobs=True)
            portions = [
                {"place": kept.place, **describe(portion.label, portion.content)}
                for kept, portion in zip(sealed.portions, draft.written, strict=True)
            ]
            self._write(
                "released",
                moment,
                **_why(draft.why),
                hid=sealed.hid.hex(),
                kind=draft.kind,
                ref=draft.ref.hex() if draft.ref else None,
                audience=bits,
                portions=portions,
            )
            then(draft, sealed.hid, bits, moment)
            if draft.questions:
                due_ms = self._store.next_due() or due_ms
        return Released(hid=sealed.hid, audience=bits, left_out=left_out, due_ms=due_ms)

    def release_again(self, hid: bytes, readers: dict[str, int], why: Why, moment: Moment) -> Released:
        """Release a message of ours to further readers: the originator's consent, carried out.

        Args:
            hid: The message.
            readers: Bits by reader; portions that policy forbids a reader are left out.
            why: For the record.
            moment: Now.

        Raises:
            SealError: If the message is not ours or no longer kept.
            StoreError: If the disk is full; then nothing was accepted.
        """
        sealed = self._store.sealed(hid)
        if sealed is None:
            msg = f"{hid.hex()[:16]} is no message of {self._core.agency}"
            raise SealError(msg, remedy="only its originator can release a message")
        found = self._audience_again(sealed, tuple(sorted(readers)), moment)
        left_out = dict(found.left_out)
        bits = {reader: sealed.bits(at) & (readers[reader] or ~0) for reader, at in found.readers.items()}
        bits = {reader: mask for reader, mask in bits.items() if mask}
        for reader in self.missing_keys(sorted(bits), at_ms=moment.at_ms):
            left_out[reader] = NO_KEY_RULE
            del bits[reader]
        with self._store.transaction():
            self._write("intended", moment, **_why(why), to=sorted(readers), left_out=left_out)
            self._write_denied(found, why, moment)
            if not bits:
                return Released(hid=None, audience={}, left_out=left_out)
            due_ms = self._put_out(sealed, bits, moment, with_blobs=False)
            self._write(
                "released", moment, **_why(why), hid=hid.hex(), kind=sealed.kind, ref=None, audience=bits, portions=[]
            )
        return Released(hid=hid, audience=bits, left_out=left_out, due_ms=due_ms)

    def grantable(
        self, hid: bytes, reader: str, moment: Moment, *, permissions: tuple[Permission, ...] = ()
    ) -> tuple[int, int]:
        """Return the portions of a message of ours that a reader may have by policy, as bits, and those not given yet.

        The first are what it can be consented to that another hands on; the second what a release would bring.
        ``permissions`` are what members are yet to let go, beside what they have.
        """
        sealed = self._store.sealed(hid)
        if sealed is None:
            return 0, 0
        found = self._audience_again(sealed, (reader,), moment, permissions=permissions)
        permitted = sealed.bits(found.readers.get(reader, ()))
        return permitted, permitted & ~self._store.offered_to(hid).get(reader, 0)

    def _audience_again(
        self,
        sealed: SealedMessage,
        to: tuple[str, ...],
        moment: Moment,
        *,
        permissions: tuple[Permission, ...] = (),
    ) -> Audience:
        # "Derived products inherit all parents" (H2), however late they are released and to whom.
        quotes = self._store.derived.quotes(sealed.hid)
        return find_audience(
            [portion.label for portion in sealed.portions],
            author=self._core.agency,
            to=to,
            quotes=quotes,
            at_ms=moment.at_ms,
            community=self._core.community,
            grants=self._grants_of(quotes),
            sent=SentBefore(
                hid=sealed.hid,
                places=tuple(portion.place for portion in sealed.portions),
                permissions=(*self._store.silence.permissions(sealed.hid), *permissions),
            ),
        )

    def _grants_of(self, quotes: Iterable[Quote]) -> tuple[Grant, ...]:
        return tuple(grant for hid in dict.fromkeys(q.hid for q in quotes) for grant in self._store.consent.grants(hid))

    def _write_denied(self, audience: Audience, why: Why, moment: Moment) -> None:
        """Note an attempt to hand on what somebody else controls: to whom, by which rule, and whose it is."""
        if audience.barred:
            parents = {
                (quote.hid.hex(), quote.place, quote.originator)
                for quotes in audience.barred.values()
                for quote in quotes
            }
            agencies = {reader: audience.left_out[reader] for reader in audience.barred}
            self._write(
                "onward_denied",
                moment,
                **_why(why),
                agencies=agencies,
                parents=[list(item) for item in sorted(parents)],
            )

    def recall(self, hid: bytes, why: Why, moment: Moment) -> Released:
        """Take a message of ours back from everybody who has any of it; it cannot be released again.

        It may be done again: for who had no key at the time, or was suspended, or where the router has forgotten it
        with its disk.

        Raises:
            SealError: If the message is not ours, was given to nobody, or still waits for a verdict.
            StoreError: If the disk is full; then nothing was accepted.
        """
        past = self._store.released_to(hid)
        if not self._store.has_sealed(hid) or past.keys() != self._store.offered_to(hid).keys() or not past:
            msg = f"{hid.hex()[:16]} was released to nobody, or not by {self._core.agency}, or has no verdict yet"
            raise SealError(msg, remedy="only its originator can recall a message, once the router has decided on it")
        # "An originator MUST leave who is not active out of a recall": the router would refuse it for all the others.
        inactive = self.not_active(sorted(past))
        missing = self.missing_keys(sorted(past.keys() - set(inactive)), at_ms=moment.at_ms)
        left_out = dict.fromkeys(inactive, NOT_ACTIVE_RULE) | dict.fromkeys(missing, NO_KEY_RULE)
        bits = {reader: 0 for reader in past if reader not in left_out}
        with self._store.transaction():
            self._write("intended", moment, **_why(why), to=sorted(past), left_out=left_out)
            if not bits and not missing:
                # There is nobody to be told, and still it is not to be released any more.
                self._store.forget_sealed(hid)
                self._store.stop_watching(hid)
            if not bits:
                return Released(hid=None, audience={}, left_out=left_out)
            sealed = seal(
                (),
                kind="recall",
                by=(self._core.agency,),
                ts=moment.at_ms,
                # It must reach whoever is away for as long as the message itself could have.
                exp=moment.at_ms + LIFETIME_MS_MAX,
                bundle_version=self._core.bundle.version,
                entropy=self._entropy,
                ref=hid,
            )
            due_ms = self._put_out(sealed, bits, moment, with_blobs=True, subject=hid)
            self._store.forget_sealed(hid)
            self._store.stop_watching(hid)
            self._write(
                "released", moment, **_why(why), hid=sealed.hid.hex(), kind="recall", ref=hid.hex(), audience=bits,
                portions=[],
            )  # fmt: skip
        return Released(hid=sealed.hid, audience=bits, left_out=left_out, due_ms=due_ms)

    def send_workflow(
        self,
        draft: WorkflowDraft,
        moment: Moment,
        *,
        then: Callable[[WorkflowDraft, bytes, Moment], None] = lambda _draft, _hid, _moment: None,
    ) -> Released:
        """Seal a request, decision or step of a coordination for one agency and put it into the outbox.

        Args:
            draft: What is sent.
            moment: Now.
            then: Told of draft and message within the transaction; what it raises takes all back.

        Raises:
            SealError: If the reader's box key is not known.
            StoreError: If the disk is full; then nothing was accepted.
        """
        with self._store.transaction():
            released = self._send_workflow(draft, moment)
            match draft.content:
                case RequestContent() as asked if released.hid is not None:
                    self._store.consent.open_request(released.hid, asked, side="asker", other=draft.to)
                case DecisionContent() as decided if released.hid is not None:
                    if draft.ref is not None:
                        self._store.consent.decide_request(draft.ref, side="originator", other=draft.to)
                    self._store.consent.keep_grant(
                        released.hid, decided, originator=self._core.agency, begin=moment.at_ms
                    )
                case _:
                    pass
            if released.hid is not None:
                then(draft, released.hid, moment)
            return replace(released, due_ms=self._store.next_due())

    def send_receipts(self, moment: Moment) -> bool:
        """Put the receipts that are owed into the outbox; False if none could be.

        Raises:
            StoreError: If the disk is full; then they stay owed.
        """
        if not self._store.owes():
            return False
        sent = False
        with self._store.transaction():
            for originator, items in self._store.take_owed().items():
                if not self._has_key(originator, moment.at_ms):
                    for item in items:
                        self._store.owe_receipt(originator, item)
                    continue
                content = ReceiptContent("EXERCISE", tuple(items), self._store.witness.newest())
                self._send_workflow(
                    WorkflowDraft(kind="receipt", content=content, to=originator, ref=None, why=_RECEIPT_WHY), moment
                )
                sent = True
        return sent

    def _send_workflow(self, draft: WorkflowDraft, moment: Moment) -> Released:
        label = workflow_label(draft.kind, lowest_level=self._core.lowest_level, affected=draft.affected)
        if isinstance(draft.content, DecisionContent) and draft.content.granted is not None:
            label = label._replace(precedence=self._ahead_of(draft.content.granted, label.precedence))
        sealed = self._seal([(label, pack(draft.content))], draft, moment)
        if draft.why.once:
            # What else is released says so by itself; to a workflow message a play's record has other entries.
            self._write("intended", moment, **_why(draft.why), to=[draft.to], left_out={})
        due_ms = self._put_out(sealed, {draft.to: sealed.bits([0])}, moment, with_blobs=True)
        return Released(hid=sealed.hid, audience={draft.to: sealed.bits([0])}, left_out={}, due_ms=due_ms)

    def _ahead_of(self, hid: bytes, precedence: Precedence) -> Precedence:
        """Return the precedence at which a decision comes before what it grants, where its reader has to hold it."""
        sealed = self._store.sealed(hid)
        asked = [] if sealed is None else [part.label for part in sealed.portions if asks_members(part.label)]
        ranks = [PRECEDENCE_RANK[precedence], *(PRECEDENCE_RANK[label.precedence] for label in asked)]
        return PRECEDENCE_ORDER[max(ranks)]

    def _seal(
        self,
        contents: Sequence[tuple[Label, bytes]],
        draft: Draft | WorkflowDraft | OverrideDraft,
        moment: Moment,
        *,
        cosigners: tuple[str, ...] = (),
    ) -> SealedMessage:
        return seal(
            contents,
            kind=draft.kind,
            by=(self._core.agency, *cosigners),
            ts=moment.at_ms,
            exp=moment.at_ms + draft.lifetime_ms,
            bundle_version=self._core.bundle.version,
            entropy=self._entropy,
            ref=draft.ref,
        )

    def _put_out(
        self,
        sealed: SealedMessage,
        bits: dict[str, int],
        moment: Moment,
        *,
        with_blobs: bool,
        subject: bytes | None = None,
    ) -> int:
        readers = self._readers(bits, moment)
        envelope = release(
            sealed,
            readers,
            signer=self._core.keys.signer,
            cosignatures=self._cosignatures(sealed),
            with_blobs=with_blobs,
        )
        wraps_hash: bytes = unpack(envelope, bytes_max=ENVELOPE_BYTES_MAX)[1]
        dues = {mask: moment.at_ms + self._receipt_due_ms[_precedence(sealed, mask)] for mask in set(bits.values())}
        due_ms = self._store.keep_release(
            sealed.hid,
            wraps_hash,
            envelope,
            [ReaderDue(reader.to, reader.bits, reader.seq, dues[reader.bits]) for reader in readers],
            kind=sealed.kind,
            subject=sealed.hid if subject is None else subject,
            exp=sealed.exp,
        )
        self._store.passing("send.1")
        return due_ms

    def _cosignatures(self, sealed: SealedMessage) -> tuple[bytes | None, ...]:
        """Return every co-signature of a joint product that is here: whatever is released of it goes with them."""
        if len(sealed.by) == 1:
            return ()
        signed = {answer.member: answer.signature for answer in self._store.joint.answers(sealed.hid)}
        return tuple(signed.get(name) for name in sealed.by[1:])

    def _readers(self, bits: dict[str, int], moment: Moment) -> list[Reader]:
        readers: list[Reader] = []
        try:
            mine = self._core.keys.current(now_ms=moment.at_ms)
            for reader, mask in sorted(bits.items()):
                theirs = self._core.boxes.current(reader, now_ms=moment.at_ms)
                readers.append(
                    Reader(
                        to=reader,
                        bits=mask,
                        seq=self._store.next_seq(reader),
                        from_epoch=mine.epoch,
                        to_epoch=theirs.epoch,
                        pair_key=self._core.pairs.to_reader(mine, reader, theirs),
                    )
                )
        except RemoteError as error:
            msg = f"{self._core.agency} cannot seal: {error}"
            raise SealError(msg, remedy="a node announces its box key once it is linked; try again then") from error
        return readers

    def _has_key(self, reader: str, at_ms: int) -> bool:
        try:
            self._core.boxes.current(reader, now_ms=at_ms)
        except RemoteError:
            return False
        return True

    def _write(self, stage: str, moment: Moment, **fields: Any) -> None:
        self._store.journal.write(stage, at_ms=moment.at_ms, machine_ms=moment.machine_ms, **fields)


def _precedence(sealed: SealedMessage, bits: int) -> str:
    """Return the precedence of a reader's copy, by which the router queues it too (RTR-027)."""
    ranks = [PRECEDENCE_RANK[part.label.precedence] for part in sealed.portions if bits >> part.place & 1]
    return PRECEDENCE_ORDER[max(ranks)] if ranks else "IMMEDIATE"


def describe(label: Label, content: PortionContent | RfiContent | OverrideContent) -> dict[str, Any]:
    """Return what the journal says of a portion: its label, title, passages and parents, never its text."""
    if isinstance(content, RfiContent):
        return {"label": label._asdict(), "title": content.subject, "passages": [], "derived_from": []}
    if isinstance(content, OverrideContent):
        title = f"life-safety override: {content.danger}"
        return {"label": label._asdict(), "title": title, "passages": list(content.passages), "derived_from": []}
    return {
        "label": label._asdict(),
        "title": content.title,
        "passages": list(content.passages),
        "derived_from": [[parent.hid.hex(), parent.commitment.hex()] for parent in content.derived_from],
    }


def checked(content: PortionContent | RfiContent) -> bytes:
    """Pack a content that every reader will be able to read back."""
    packed = pack(content)
    try:
        read_shape(type(content), tuple(content))
    except RemoteError as error:
        title = content.subject if isinstance(content, RfiContent) else content.title
        msg = f"the portion {title!r} cannot be sent: {error}"
        raise SealError(msg, remedy="shorten or correct that field") from error
    return packed


def _why(why: Why) -> dict[str, str]:
    return {"act": why.act, "order": why.order, "reason": why.reason, "cause": why.cause}
