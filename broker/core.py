"""The router: decide on one envelope, without ever being able to read it (docs/spec/router.md).

Pure: bytes, the sender's authenticated name, a number for the time, and a memory to ask; out comes a decision with
everything that must be written before anybody is told. The order of checks is that of docs/spec/envelope.md, and the
first failure names the stage.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from broker.exchanges import check_exchange
from broker.joint import check_answer, uninvited
from broker.overrides import check_override, unfit_readers
from broker.silence import check_objection, check_proposal, known_proposal, let_go, opened_to
from broker.state import (
    Admitted,
    Decided,
    KnownMessage,
    NewPortion,
    Overridden,
    PermittedRelease,
    PortionDecision,
    QueueRow,
    Refused,
    Repeated,
    RouterState,
)
from policy.audience import audience_mask
from policy.community import Community
from policy.decide import decide
from policy.life_safety import NOTICE_RULE, topic_is_misused
from policy.members_first import without_members_first
from policy.verdict import Action
from schemas.bundle import Bundle
from schemas.codec import read_shape, unpack
from schemas.envelope import Wrap
from schemas.errors import Code, RemoteError
from schemas.frames import Announcement, BoxKeyStatement, Refusal, RouterVerdict
from schemas.label import PRECEDENCE_RANK, WORKFLOW_PREFIX, WORKFLOW_TOPICS, Label
from schemas.limits import HEADER_BYTES_MAX
from sealing.directory import BoxDirectory, SignDirectory
from sealing.keys import SignPair
from sealing.portions import check_blob
from sealing.received import (
    DisclosedPortion,
    Received,
    check_author,
    check_disclosures,
    check_times,
    check_wraps_hash,
    read_envelope,
)
from sealing.statements import sign_verdict

_REFUSALS_NAMED_MAX: Final = 64  # enough for an author to see the pattern; the verdict stays small
_RULES_KEPT: Final = 4_096  # permitting rules by label, originator and reader; labels repeat


class _OverWideError(RemoteError):
    """A wrap names a portion that its reader may not have; carries every such pair, up to a bound."""

    def __init__(self, refusals: tuple[Refusal, ...]) -> None:
        first = refusals[0]
        super().__init__(Code.AUDIENCE, f"{first.reader} may not have the portion at place {first.place}: {first.rule}")
        self.refusals = refusals


@dataclass(slots=True)
class _Group:
    """The readers that a release gives the same portions to, by name and as a bit set of the community."""

    mask: int = 0
    readers: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the router is."""

    router: str
    signer: SignPair


class RouterCore:
    """Decides on envelopes by one version of the community bundle."""

    def __init__(self, *, identity: Identity, bundle: Bundle) -> None:
        self.identity = identity
        self.boxes = BoxDirectory()
        self.install(bundle)

    def install(self, bundle: Bundle) -> None:
        """Judge by this bundle from now on.

        Raises:
            InputError: If it contradicts itself.
            RemoteError: KEY_WEAK if it holds a degenerate or shared key.
        """
        # Both are made before either counts: a bundle that fails half way must leave no half of it in force.
        community, signers = Community.compile(bundle), SignDirectory(bundle)
        self.community = community
        self.signers = signers
        self.bundle = bundle
        self._active = sum(self.community.bit(agency.agency) for agency in bundle.agencies if agency.status == "active")
        self._rules: dict[tuple[Label, str, str], str] = {}

    def announce(self, announcement: Announcement, *, sender: str, now_ms: int) -> BoxKeyStatement:
        """Take up a box key that its owner announces.

        Raises:
            RemoteError: TOPIC_MISMATCH if the sender speaks for somebody else, and what the directory raises.
        """
        # Before anything of it is kept, even where its owner did sign it.
        owner = read_shape(BoxKeyStatement, unpack(announcement.statement, bytes_max=HEADER_BYTES_MAX)).agency
        if owner != sender:
            msg = f"{sender} announces a key of {owner}"
            raise RemoteError(Code.TOPIC_MISMATCH, msg)
        return self.boxes.admit(announcement, signers=self.signers, now_ms=now_ms)

    def admit(self, envelope: bytes, *, sender: str, now_ms: int, state: RouterState) -> Decided:
        """Decide on one envelope.

        Args:
            envelope: The bytes as they came.
            sender: The agency that the link has authenticated, and whose topic it is.
            now_ms: Unix ms, one reading for the whole decision.
            state: The router's memory.
        """
        try:
            received = read_envelope(envelope)
        except RemoteError as error:
            # Nothing in it can be trusted to name a message, so no verdict can name one.
            return Refused(
                hid=None, wraps_hash=None, originator=sender, code=error.code, stage=error.stage,
                verdict=None, message=None,
            )  # fmt: skip
        try:
            return self._decide(received, sender=sender, now_ms=now_ms, state=state)
        except RemoteError as error:
            return self._refuse(received, error, sender=sender, now_ms=now_ms, state=state)

    def _decide(self, received: Received, *, sender: str, now_ms: int, state: RouterState) -> Decided:
        header, hid = received.header, received.hid
        if header.by[0] != sender:
            msg = f"{sender} sends in the name of {header.by[0]}"
            raise RemoteError(Code.TOPIC_MISMATCH, msg)
        check_author(received, signers=self.signers, arrived_at=now_ms)
        check_wraps_hash(received)
        check_disclosures(received, every_place=True)
        # Asked only now, so that nobody but its author learns that a release was seen before.
        before = state.verdict_on(hid, received.envelope.wraps_hash)
        if before is not None:
            return Repeated(message=before)
        known = state.message(hid)
        _check_workflow_topic(received)
        self._check_reference(received, state)
        strangers = check_exchange(received, state, self.community)
        if strangers:
            raise _OverWideError(strangers[:_REFUSALS_NAMED_MAX])
        overridden = check_override(received, state)
        released = let_go(received, self.community, state, now_ms=now_ms)
        decisions = self._check_audience(received, overridden, released, now_ms=now_ms, state=state)
        self._check_freshness(received, known, now_ms=now_ms)
        portions = _portions_to_keep(received, known)
        verdict = RouterVerdict(
            router=self.identity.router,
            hid=hid,
            wraps_hash=received.envelope.wraps_hash,
            outcome="accepted",
            code=None,
            rules=self._rules_of(decisions, sender, now_ms=now_ms),
            audience=tuple((wrap.to, wrap.bits) for wrap in received.wraps),
            refusals=(),
            record=state.next_decision(sender),
            at=now_ms,
        )
        return Admitted(
            hid=hid,
            kind=header.kind,
            originator=sender,
            ref=header.ref,
            exp=header.exp,
            header=received.envelope.header,
            wraps_hash=received.envelope.wraps_hash,
            signature=received.envelope.signature,
            cosignatures=received.envelope.cosignatures,
            cosigners=header.by[1:],
            seed=received.envelope.disclosures.seed,
            portions=portions,
            rows=_queue_rows(received),
            decisions=decisions,
            re_release=known is not None,
            verdict=verdict,
            message=sign_verdict(verdict, signer=self.identity.signer),
            overridden=overridden,
            proposal=known_proposal(received),
            let_go=tuple(item for found in released.values() for item in found),
        )

    def _check_reference(self, received: Received, state: RouterState) -> None:
        """Corrections and recalls are their originator's alone."""
        header = received.header
        if header.kind == "cosign":
            check_answer(received, _asked(received, state))
            return
        if header.ref is None:
            if header.kind == "recall":
                msg = "a recall that names no message"
                raise RemoteError(Code.REFERENCE, msg)
            return
        if header.kind not in {"report", "recall"}:
            return
        referred = state.message(header.ref)
        # One answer for "unknown here" and "not yours": it must not tell that somebody else's message exists.
        if referred is None or referred.originator != header.by[0]:
            msg = f"a {header.kind} that refers to no message of {header.by[0]}"
            raise RemoteError(Code.REFERENCE, msg)

    def _check_audience(
        self,
        received: Received,
        overridden: Overridden | None,
        released: Mapping[str, tuple[PermittedRelease, ...]],
        *,
        now_ms: int,
        state: RouterState,
    ) -> tuple[PortionDecision, ...]:
        """Each reader is known, active and announced; each bit is on a portion that its reader may have now."""
        header = received.header
        originator = header.by[0]
        groups = self._group_readers(received, now_ms=now_ms)
        if header.kind == "recall":
            _check_recall(received, state.past_readers(header.ref or b""))
        elif 0 in groups:
            _check_empty(received)
        strangers = uninvited(received, _asked(received, state))
        strangers += check_proposal(received, self.community, now_ms=now_ms)
        strangers += check_objection(received, state, now_ms=now_ms)
        if overridden is not None:
            strangers += unfit_readers(received, overridden)
        if strangers:
            raise _OverWideError(strangers[:_REFUSALS_NAMED_MAX])
        # "The originator of the report MUST be permitted its copy of an override": it is told whatever the rules say.
        told = 0 if overridden is None else self.community.bit(overridden.originator)
        decisions: list[PortionDecision] = []
        refusals: list[Refusal] = []
        covered = 0
        for portion in received.portions:
            label = portion.disclosure.label
            mask = audience_mask(label, originator=originator, at_ms=now_ms, community=self.community)
            mask |= opened_to(label, released, originator=originator, at_ms=now_ms, community=self.community)
            # An override that nobody may make has no audience but its invoker, and then its notice goes nowhere either.
            mask |= told if mask & ~self.community.bit(originator) else 0
            bit = 1 << portion.place
            covered |= bit
            named = [group for bits, group in groups.items() if bits & bit]
            refusals += [
                self._refusal(portion, reader, originator, now_ms)
                for group in named
                if group.mask & ~mask
                for reader in group.readers
                if not self.community.bit(reader) & mask and len(refusals) < _REFUSALS_NAMED_MAX
            ]
            permitted = tuple(reader for group in named for reader in group.readers)
            decisions.append(PortionDecision(place=portion.place, label=label, permitted=permitted))
        if refusals:
            raise _OverWideError(tuple(refusals[:_REFUSALS_NAMED_MAX]))
        if any(bits & ~covered for bits in groups):
            msg = "a wrap names a place that is not disclosed"
            raise RemoteError(Code.DISCLOSURE, msg)
        return tuple(decisions)

    def still_permits(self, labels: Mapping[int, Label], wrap: Wrap, *, originator: str, now_ms: int) -> bool:
        """Tell whether a reader may have all that a wrap of an admitted message gives it, by the version in force."""
        reader, author = self.community.bit(wrap.to), self.community.bit(originator)
        if ~self.community.active(now_ms) & (reader | author):
            # Of an agency whose key ran out since, what was accepted in time stays accepted; a status has its own way.
            return True
        return all(
            audience_mask(
                # What members let go to a partner was let go by the rules that held when they were asked; an embargo
                # that was over once is no matter of the version either, wherever the clock stands by now.
                without_members_first(label), originator=originator, at_ms=max(now_ms, label.not_before or 0),
                community=self.community,
            )
            & reader
            for place, label in labels.items()
            if wrap.bits >> place & 1
        )  # fmt: skip

    def _group_readers(self, received: Received, *, now_ms: int) -> dict[int, "_Group"]:
        """Put readers of the same portions together: policy is asked for each portion and group, not each reader."""
        groups: dict[int, _Group] = {}
        for wrap in received.wraps:
            bit = self.community.bit(wrap.to)
            if not bit & self._active:
                raise _OverWideError((Refusal(0, wrap.to, "NTK-READER", "unknown or not active"),))
            self.boxes.at_epoch(wrap.to, wrap.to_epoch, now_ms=now_ms)
            group = groups.get(wrap.bits)
            if group is None:
                group = groups[wrap.bits] = _Group()
            group.mask |= bit
            group.readers.append(wrap.to)
        for epoch in sorted({wrap.from_epoch for wrap in received.wraps}):
            self.boxes.at_epoch(received.originator, epoch, now_ms=now_ms)
        return groups

    def _rules_of(self, decisions: tuple[PortionDecision, ...], originator: str, *, now_ms: int) -> tuple[str, ...]:
        """Name the rule that let each portion through, by its first reader; the rest can be explained on demand."""
        rules: list[str] = []
        for decision in decisions:
            if decision.permitted:
                # By then its members have been asked, where it had to be; the rule that permits is the same.
                label = without_members_first(decision.label)
                asked = (label, originator, decision.permitted[0])
                rule = self._rules.get(asked)
                if rule is None:
                    verdict = decide(
                        label,
                        originator=originator,
                        recipient=decision.permitted[0],
                        action=Action.RELEASE,
                        at_ms=now_ms,
                        community=self.community,
                    )
                    if len(self._rules) >= _RULES_KEPT:
                        self._rules.clear()
                    # A reader that no rule permits and that is permitted all the same is an originator that is told.
                    rule = self._rules[asked] = verdict.rule if verdict.permit else NOTICE_RULE
                rules.append(rule)
        return tuple(dict.fromkeys(rules))

    def _refusal(self, portion: DisclosedPortion, reader: str, originator: str, now_ms: int) -> Refusal:
        verdict = decide(
            portion.disclosure.label,
            originator=originator,
            recipient=reader,
            action=Action.RELEASE,
            at_ms=now_ms,
            community=self.community,
        )
        reason = next((reason.text for reason in verdict.reasons if not reason.passed), "refused")
        return Refusal(portion.place, reader, verdict.rule, reason[:400])

    def _check_freshness(self, received: Received, known: KnownMessage | None, *, now_ms: int) -> None:
        check_times(received.header, now_ms=now_ms)
        if received.header.bv > self.bundle.version:
            msg = f"made under bundle version {received.header.bv}, which is not known here"
            raise RemoteError(Code.FUTURE, msg)
        if known is not None and known.recalled:
            msg = "the message was recalled by its originator"
            raise RemoteError(Code.RECALLED, msg)

    def _refuse(
        self, received: Received, error: RemoteError, *, sender: str, now_ms: int, state: RouterState
    ) -> Refused:
        """Tell the author, signed, what was refused; but only an author who has proved to be one."""
        proved = error.stage not in {"sender", "key", "signature"}
        verdict = RouterVerdict(
            router=self.identity.router,
            hid=received.hid,
            wraps_hash=received.envelope.wraps_hash,
            outcome="refused",
            code=error.code.value,
            rules=tuple(dict.fromkeys(item.rule for item in _refusals_of(error))),
            audience=(),
            refusals=_refusals_of(error) if proved else (),
            record=state.next_decision(sender),
            at=now_ms,
        )
        return Refused(
            hid=received.hid,
            wraps_hash=received.envelope.wraps_hash,
            originator=sender,
            code=error.code,
            stage=error.stage,
            verdict=verdict,
            message=sign_verdict(verdict, signer=self.identity.signer),
        )


def _refusals_of(error: RemoteError) -> tuple[Refusal, ...]:
    return error.refusals if isinstance(error, _OverWideError) else ()


def _check_workflow_topic(received: Received) -> None:
    """Receipts, requests, decisions and co-signatures bear the topic of their kind, and nothing else bears it.

    The rule that lets everybody exchange them would else carry any report past the community's rules.
    """
    own = WORKFLOW_TOPICS.get(received.header.kind)
    for portion in received.portions:
        topic = portion.disclosure.label.topic
        if topic != own and (own is not None or topic.startswith(WORKFLOW_PREFIX)):
            msg = f"a {received.header.kind} with the topic {topic}"
            raise RemoteError(Code.REFERENCE, msg)
    if topic_is_misused(received.header.kind, (portion.disclosure.label.topic for portion in received.portions)):
        msg = f"a {received.header.kind} whose topic is that of another kind of message"
        raise RemoteError(Code.REFERENCE, msg)


def _check_recall(received: Received, past: frozenset[str]) -> None:
    strangers = tuple(
        Refusal(0, wrap.to, "NTK-RECALL", "never had the message")
        for wrap in received.wraps
        if wrap.to not in past or wrap.bits
    )
    if strangers:
        raise _OverWideError(strangers[:_REFUSALS_NAMED_MAX])


def _check_empty(received: Received) -> None:
    """A wrap without portions tells its reader nothing but that the message exists, and that is too much."""
    strangers = tuple(Refusal(0, wrap.to, "NTK-EMPTY", "given no portion") for wrap in received.wraps if not wrap.bits)
    raise _OverWideError(strangers[:_REFUSALS_NAMED_MAX])


def _asked(received: Received, state: RouterState) -> KnownMessage | None:
    """Return the message that a co-signature answers, if it is known."""
    header = received.header
    return state.message(header.ref) if header.kind == "cosign" and header.ref is not None else None


def _portions_to_keep(received: Received, known: KnownMessage | None) -> tuple[NewPortion, ...]:
    """A first release brings every blob; a re-release brings none, and the router must hold them."""
    kept: list[NewPortion] = []
    for portion in received.portions:
        blob = portion.blob
        if blob is None:
            held = known.blobs.get(portion.place) if known is not None else None
            if held is None:
                msg = "a release without blobs of a message that is not held here"
                raise RemoteError(Code.REFERENCE, msg)
            check_blob(held, portion.disclosure)
        kept.append(
            NewPortion(
                place=portion.place,
                disclosure=portion.received,
                blob=blob if known is None else None,
                chunks=portion.disclosure.chunks,
            )
        )
    return tuple(kept)


def _queue_rows(received: Received) -> tuple[QueueRow, ...]:
    """Return every reader's row; a copy goes at the highest precedence among the portions that its reader gets."""
    precedences = {
        bits: max(
            (
                PRECEDENCE_RANK[portion.disclosure.label.precedence]
                for portion in received.portions
                if bits >> portion.place & 1
            ),
            default=PRECEDENCE_RANK["IMMEDIATE"] if received.header.kind == "recall" else 0,
        )
        for bits in {wrap.bits for wrap in received.wraps}
    }
    return tuple(QueueRow(wrap, precedences[wrap.bits]) for wrap in received.wraps)
