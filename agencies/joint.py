"""Joint products, the synchronous half: show to the co-signers, release when enough have signed, make again without.

A product of several agencies is one whole: whoever reads it reads all of it, so its audience is what all its parts
have in common, and each part keeps the veto of its own originator (docs/spec/envelope.md, "Joint products"). Whoever
refuses, or takes a signature back, leaves with name and part: the product is recalled and made again without them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from agencies.derived import check_held
from agencies.drafts import Draft, Quote, Why, WorkflowDraft
from agencies.inheritance import check_inherited
from agencies.joint_table import TAKEN_BACK, Answer, HeldProduct, JointPart, JointPlan, JointQuote, LedProduct
from agencies.outgoing import Moment, Outgoing, Released, checked, describe
from agencies.preflight import Audience, find_audience
from policy.decide import decide
from policy.rollup import Part, product_audience, roll_up
from policy.verdict import Action
from schemas.errors import SealError
from schemas.label import Label
from schemas.report import Portion, PortionContent
from schemas.workflow import CosignContent
from sealing.seal import SealedMessage, cosign

Step = Literal["none", "release", "make_again"]
Word = Literal["signed", "refused", "withdrawn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JointAudience:
    """Who may have the whole of a product, its banner, and the rule by each agency that is left out."""

    banner: Label
    readers: tuple[str, ...]
    left_out: dict[str, str]
    found: Audience  # what the parts' own labels and originators say


class JointProducts(Outgoing):
    """What a node sends of joint products, as their lead and as a co-signer."""

    # As lead.

    def show(self, draft: Draft, cosigners: tuple[str, ...], needed: int, moment: Moment) -> Released:
        """Seal a product that names co-signers, and show it to them alone.

        Args:
            draft: The product; its ``to`` are the readers that it is meant for once it is signed.
            cosigners: Whom it names beside its lead.
            needed: How many of them have to sign before it goes to its readers.
            moment: Now.

        Raises:
            SealError: If nobody or a wrong number is asked, one of them may not have all of it, or has no key.
            StoreError: If the disk is full; then nothing was accepted.
        """
        check_inherited(draft.portions, draft.quotes)
        plan = _plan(draft, cosigners, needed)
        named = [parent.hid for item in draft.portions for parent in item.content.derived_from]
        with self._store.transaction():
            check_held(draft.quotes, parents=named, state=self._store)
            return self._show(plan, draft.ref, moment)

    def next_step(self, hid: bytes) -> Step:
        """Tell what is to be done with a product that this agency leads, by the answers that are here."""
        led = self._store.joint.led(hid)
        # What its lead has recalled for reasons of its own is not made again.
        if led is None or not (self._store.can_release(hid) or led.signed == TAKEN_BACK):
            return "none"
        answers = self._store.joint.answers(hid)
        if self._gone(led.plan, answers) != (frozenset(), frozenset()):
            return "make_again"
        signed = len(answers)
        return "release" if signed >= led.plan.needed and signed > led.signed else "none"

    def draft_of(self, hid: bytes) -> Draft | None:
        """Return a product that this agency leads as a draft for its readers."""
        led = self._store.joint.led(hid)
        return None if led is None else _draft(led.plan, ref=None, act="joint")

    def release_signed(self, hid: bytes, moment: Moment) -> Released:
        """Release a product that enough have signed to its readers, with every signature that is here.

        Raises:
            SealError: If it is no longer kept.
            StoreError: If the disk is full; then nothing was accepted.
        """
        with self._store.transaction():
            led = self._store.joint.led(hid)
            sealed = self._store.sealed(hid)
            if led is None or sealed is None or self.next_step(hid) != "release":
                return Released(hid=None, audience={}, left_out={})
            signed = sorted(answer.member for answer in self._store.joint.answers(hid))
            why = _why(led.plan, "joint")
            audience, readers, left_out = self._readers_of(led.plan, moment)
            self._write("intended", moment, **why, to=list(led.plan.to), left_out=left_out)
            denied = Why(act=why["act"], order=why["order"], reason=why["reason"], cause=why["cause"])
            self._write_denied(audience.found, denied, moment)
            self._store.joint.note_released(hid, signed=len(signed))
            bits = {reader: sealed.bits(range(len(sealed.portions))) for reader in readers}
            if not bits:
                return Released(hid=None, audience={}, left_out=left_out)
            due_ms = self._put_out(sealed, bits, moment, with_blobs=False)
            self._write(
                "released", moment, **why, hid=hid.hex(), kind=sealed.kind, ref=None, audience=bits, portions=[]
            )
            unsigned = [name for name in sealed.by[1:] if name not in signed]
            self._write(
                "joint_released", moment, hid=hid.hex(), banner=audience.banner._asdict(), cosigned=signed,
                unsigned=unsigned, readers=sorted(bits),
            )  # fmt: skip
        return Released(hid=hid, audience=bits, left_out=left_out, due_ms=due_ms)

    def take_back(self, hid: bytes, moment: Moment) -> Released:
        """Recall a product of which somebody has taken a part back; nothing is done where that was done before.

        Raises:
            SealError: If a release of it still waits for its verdict, or no key is known of anybody who has it.
            StoreError: If the disk is full; then nothing was accepted.
        """
        led = self._store.joint.led(hid)
        if led is None or not self._store.can_release(hid):
            return Released(hid=None, audience={}, left_out={})
        had = self._store.released_to(hid)
        past = sorted(had.keys() - set(self.not_active(had)))
        if past and self.missing_keys(past, at_ms=moment.at_ms) == tuple(past):
            # Made again now, the old text would stand with its readers for ever: the recall is tried once only.
            msg = f"no box key is known of {', '.join(past)}, so {hid.hex()[:16]} cannot be taken back yet"
            raise SealError(msg, remedy="try again later, and look at this machine's clock")
        with self._store.transaction():
            self._store.joint.note_released(hid, signed=TAKEN_BACK)
        why = Why(act="recall", order=led.plan.order, reason="a part of it was taken back", cause=hid.hex())
        return self.recall(hid, why, moment)

    def make_again(self, hid: bytes, moment: Moment) -> Released:
        """Seal a product that was taken back anew, without the parts and names of those who left it.

        Those who are left are asked for their signature again, since it is another text; where nobody is left but
        the lead, it goes to its readers at once.

        Raises:
            SealError: If what is left cannot be sealed.
            StoreError: If the disk is full; then nothing was accepted.
        """
        with self._store.transaction():
            led = self._store.joint.led(hid)
            if led is None or self.next_step(hid) != "make_again":
                return Released(hid=None, audience={}, left_out={})
            members, parents = self._gone(led.plan, self._store.joint.answers(hid))
            left = _without(led, members, parents)
            # "A lead MUST leave out likewise a co-signer that may not have all that is left": it cannot be asked.
            while unfit := {*self._joint_audience(left, left.cosigners, moment.at_ms).left_out} & {*left.cosigners}:
                members |= unfit
                left = _without(led, members, parents)
            self._store.joint.end(hid)
            released = Released(hid=None, audience={}, left_out={})
            if left.parts and left.cosigners:
                released = self._show(left, hid, moment)
            elif left.parts:
                released = self._release_alone(left, hid, moment)
            made = None if released.hid is None else released.hid.hex()
            self._write(
                "joint_reissued",
                moment,
                hid=made,
                of=hid.hex(),
                without=sorted(members),
                cosigners=list(left.cosigners),
            )
        return released

    def _show(self, plan: JointPlan, ref: bytes | None, moment: Moment) -> Released:
        audience = self._joint_audience(plan, plan.cosigners, moment.at_ms)
        if audience.left_out:
            name, rule = next(iter(sorted(audience.left_out.items())))
            msg = f"{name} cannot co-sign what it may not have all of ({rule})"
            raise SealError(msg, remedy="leave it out of the co-signers, or leave out the part that it may not have")
        missing = self.missing_keys(plan.cosigners, at_ms=moment.at_ms)
        if missing:
            msg = f"no box key is known of {', '.join(missing)}, so it cannot be asked to co-sign"
            raise SealError(msg, remedy="try again once its node has been linked")
        why = _why(plan, "joint")
        self._write("intended", moment, **why, to=list(plan.cosigners), left_out={})
        sealed = self._seal_joint(plan, ref, moment)
        bits = {name: sealed.bits(range(len(sealed.portions))) for name in plan.cosigners}
        self._store.keep_sealed(sealed)
        self._store.joint.keep_led(sealed.hid, plan)
        self._keep_parents(sealed, plan)
        due_ms = self._put_out(sealed, bits, moment, with_blobs=True)
        self._write_released(sealed, plan, ref, bits, moment)
        self._write(
            "joint_asked", moment, hid=sealed.hid.hex(), cosigners=list(plan.cosigners), needed=plan.needed,
            banner=audience.banner._asdict(), originators=sorted({quote.originator for quote in plan.quotes}),
        )  # fmt: skip
        return Released(hid=sealed.hid, audience=bits, left_out={}, due_ms=due_ms)

    def _release_alone(self, plan: JointPlan, ref: bytes, moment: Moment) -> Released:
        """Release what is left of a product to its readers, in the lead's name alone."""
        _, readers, left_out = self._readers_of(plan, moment)
        why = _why(plan, "joint")
        self._write("intended", moment, **why, to=list(plan.to), left_out=left_out)
        if not readers:
            return Released(hid=None, audience={}, left_out=left_out)
        sealed = self._seal_joint(plan, ref, moment)
        bits = {reader: sealed.bits(range(len(sealed.portions))) for reader in readers}
        self._store.keep_sealed(sealed)
        self._keep_parents(sealed, plan)
        due_ms = self._put_out(sealed, bits, moment, with_blobs=True)
        self._write_released(sealed, plan, ref, bits, moment)
        return Released(hid=sealed.hid, audience=bits, left_out=left_out, due_ms=due_ms)

    def _keep_parents(self, sealed: SealedMessage, plan: JointPlan) -> None:
        named = [parent.hid for part in plan.parts for parent in part.content.derived_from]
        self._store.derived.keep(sealed.hid, quotes=_quotes(plan), parents=named)

    def _readers_of(self, plan: JointPlan, moment: Moment) -> tuple[JointAudience, list[str], dict[str, str]]:
        """Find who gets a product now: who may have it all, and has a key."""
        # The co-signers learn with the readers that it is out, and who else has signed.
        to = tuple(sorted({*plan.to, *plan.cosigners})) if plan.to else ()
        audience = self._joint_audience(plan, to, moment.at_ms)
        missing = self.missing_keys(audience.readers, at_ms=moment.at_ms)
        left_out = audience.left_out | dict.fromkeys(missing, "KEY-EPOCH")
        return audience, [reader for reader in audience.readers if reader not in missing], left_out

    def _joint_audience(self, plan: JointPlan, to: tuple[str, ...], at_ms: int) -> JointAudience:
        """Find who may have the whole product: the meet of its parts, each by its own originator's consent."""
        community, lead = self._core.community, self._core.agency
        parts = [
            *(Part(quote.label, quote.originator) for quote in plan.quotes),
            *(Part(part.label, lead) for part in plan.parts),
        ]
        banner = roll_up([part.label for part in parts], community)
        mask = product_audience(parts, originator=lead, at_ms=at_ms, community=community)
        quotes = _quotes(plan)
        found = find_audience(
            [part.label for part in plan.parts], author=lead, to=to, quotes=quotes, at_ms=at_ms,
            community=community, grants=self._grants_of(quotes),
        )  # fmt: skip
        left_out = dict(found.left_out)
        readers = []
        for reader, positions in found.readers.items():
            if community.bit(reader) & mask and len(positions) == len(plan.parts):
                readers.append(reader)
            else:
                left_out[reader] = self._rule_against(reader, [Part(banner, lead), *parts], at_ms)
        return JointAudience(banner=banner, readers=tuple(readers), left_out=left_out, found=found)

    def _rule_against(self, reader: str, parts: Sequence[Part], at_ms: int) -> str:
        """Return the rule of the first part that a reader may not have."""
        verdicts = (
            decide(
                part.label, originator=part.originator, recipient=reader, action=Action.RELEASE, at_ms=at_ms,
                community=self._core.community,
            )
            for part in parts
            if part.originator != reader
        )  # fmt: skip
        return next((verdict.rule for verdict in verdicts if not verdict.permit), "NTK-JOINT")

    def _seal_joint(self, plan: JointPlan, ref: bytes | None, moment: Moment) -> SealedMessage:
        draft = _draft(plan, ref=ref, act="joint")
        contents = [(part.label, checked(part.content)) for part in plan.parts]
        return self._seal(contents, draft, moment, cosigners=plan.cosigners)

    def _write_released(
        self, sealed: SealedMessage, plan: JointPlan, ref: bytes | None, bits: dict[str, int], moment: Moment
    ) -> None:
        portions = [
            {"place": kept.place, **describe(part.label, part.content)}
            for kept, part in zip(sealed.portions, plan.parts, strict=True)
        ]
        self._write(
            "released", moment, **_why(plan, "joint"), hid=sealed.hid.hex(), kind=sealed.kind,
            ref=None if ref is None else ref.hex(), audience=bits, portions=portions,
        )  # fmt: skip

    def _gone(self, plan: JointPlan, answers: Sequence[Answer]) -> tuple[frozenset[str], frozenset[bytes]]:
        """Return who has refused or withdrawn, and which quoted reports their originators have recalled."""
        members = frozenset(answer.member for answer in answers if answer.signature is None)
        parents = set()
        for quote in plan.quotes:
            held = self._store.held(quote.hid)
            if held is not None and held.recalled:
                parents.add(quote.hid)
        return members, frozenset(parents)

    # As a co-signer.

    def answer(self, hid: bytes, word: Word, why: Why, moment: Moment) -> Released:
        """Sign a product that names this agency, refuse to, or take the signature back; the lead is told.

        Raises:
            SealError: If it is not asked for, is recalled, was answered before, or not all of it is here.
            StoreError: If the disk is full; then nothing was accepted.
        """
        with self._store.transaction():
            held = self._asked(hid, word)
            signature = cosign(self._core.keys.signer, hid) if word == "signed" else None
            reason = "" if signature is not None else why.reason[:1_000] or "no reason was given"
            content = CosignContent("EXERCISE", signature, reason)
            draft = WorkflowDraft(kind="cosign", content=content, to=held.lead, ref=hid, why=why)
            released = self._send_workflow(draft, moment)
            self._store.joint.note_answered(hid, word)
            self._write("cosign", moment, hid=hid.hex(), lead=held.lead, answer=word, reason=why.reason)
        return released

    def _asked(self, hid: bytes, word: Word) -> HeldProduct:
        """Return the product that is to be answered, as far as this answer may be given."""
        held, message = self._store.joint.held(hid), self._store.held(hid)
        if held is None or self._core.agency not in held.cosigners or message is None or message.recalled:
            msg = f"{hid.hex()[:16]} does not ask {self._core.agency} for a co-signature"
            raise SealError(msg, remedy="only who is named in a joint product, and has it, can answer it")
        if held.answer != ("signed" if word == "withdrawn" else ""):
            msg = f"{hid.hex()[:16]} was answered with '{held.answer or 'nothing'}' and cannot be {word} now"
            raise SealError(msg, remedy="a product is signed or refused once, and taken back only after it was signed")
        # "A co-signer MUST open every portion and check every decoy before it signs": the node refused it on arrival
        # if a place was neither disclosed nor a decoy; here all that is disclosed must have been opened.
        opened = sum(1 << portion.place for portion in self._store.portions(hid) if portion.content is not None)
        if word == "signed" and opened != held.bits:
            msg = f"not every portion of {hid.hex()[:16]} has been opened here"
            raise SealError(msg, remedy="wait for its attachments; what may not be read here cannot be signed here")
        return held


def _plan(draft: Draft, cosigners: tuple[str, ...], needed: int) -> JointPlan:
    if not cosigners or len(set(cosigners)) != len(cosigners) or not 0 < needed <= len(cosigners):
        msg = f"{needed} of {len(set(cosigners))} co-signatures are asked for"
        raise SealError(msg, remedy="name each co-signer once, and ask for one signature at least and for all at most")
    return JointPlan(
        cosigners=cosigners,
        needed=needed,
        to=draft.to,
        parts=tuple(JointPart(portion.label, portion.content) for portion in draft.portions),
        quotes=tuple(JointQuote(quote.hid, quote.place, quote.originator, quote.label) for quote in draft.quotes),
        lifetime_ms=draft.lifetime_ms,
        order=draft.why.order,
        reason=draft.why.reason,
        cause=draft.why.cause,
    )


def _draft(plan: JointPlan, *, ref: bytes | None, act: str) -> Draft:
    return Draft(
        portions=tuple(Portion(part.label, part.content) for part in plan.parts),
        to=plan.to,
        why=Why(act=act, order=plan.order, reason=plan.reason, cause=plan.cause),
        quotes=_quotes(plan),
        ref=ref,
        lifetime_ms=plan.lifetime_ms,
    )


def _quotes(plan: JointPlan) -> tuple[Quote, ...]:
    return tuple(
        Quote(hid=quote.hid, place=quote.place, originator=quote.originator, label=quote.label) for quote in plan.quotes
    )


def _without(led: LedProduct, members: Collection[str], parents: Collection[bytes]) -> JointPlan:
    """Return a plan without these members' names and parts, and without what derives from these reports."""
    plan = led.plan
    gone = {quote.hid for quote in plan.quotes if quote.originator in members} | set(parents)
    cosigners = tuple(name for name in plan.cosigners if name not in members)
    return plan._replace(
        cosigners=cosigners,
        needed=min(plan.needed, len(cosigners)),
        parts=tuple(part for part in plan.parts if not _derives_from(part.content, gone)),
        quotes=tuple(quote for quote in plan.quotes if quote.hid not in gone),
    )


def _derives_from(content: PortionContent, hids: Collection[bytes]) -> bool:
    return any(parent.hid in hids for parent in content.derived_from)


def _why(plan: JointPlan, act: str) -> dict[str, str]:
    return {"act": act, "order": plan.order, "reason": plan.reason, "cause": plan.cause}
