"""A node carries out what a person's desk has handed to it, each act once, also across a crash.

Every release of an act is on the record with its cause in the transaction that makes it, so an act that was cut short
goes on where it stood. Policy, pre-flight and sealing are the node's own, as for whatever else it sends.
"""

from typing import assert_never

from agencies.drafts import Draft, OverrideDraft, ProposalDraft, Why, WorkflowDraft
from agencies.outgoing import Released
from console.desk_acts import (
    Act,
    Answer,
    AnswerProduct,
    Ask,
    Compare,
    Decide,
    Decline,
    Deconflict,
    Forward,
    Object,
    Open,
    Override,
    Propose,
    Put,
    Recall,
    Release,
    Request,
    Step,
)
from console.desk_hands import Carried, short, why_of
from console.desk_question_work import QuestionWork
from schemas.errors import SealError
from schemas.report import Passage
from schemas.workflow import DecisionContent, OverrideContent, RequestContent

COPY, RELEASE = "#copy", "#release"  # what follows a grant, each with a cause of its own


class DeskWork(QuestionWork):
    """Carries out one act after the other."""

    async def has_to_wait(self, act: Act) -> bool:
        """Tell whether an act is to be tried again later: only what the router has decided on can be recalled."""
        return isinstance(act, Recall) and await self.on_disk(lambda: self.node.store.awaits_verdict(act.hid))

    async def carry_out(self, act: Act, cause: str) -> Carried:
        """Carry an act out.

        Raises:
            SealError: If it cannot be done, or a rule of the node's own forbids it.
            InputError: If its report cannot be read by the bundle in force.
            StoreError: If the disk is full; then it is to be tried again.
        """
        carried = Carried()
        match act:
            case Request():
                await self._request(act, cause, carried)
            case Decide():
                await self._decide(act, cause, carried)
            case Forward():
                written = await self.quoted(act.hid, act.bits)
                draft = Draft(
                    portions=tuple(written.portions), to=act.to, why=why_of(act, cause), quotes=tuple(written.quotes)
                )
                await self.once(cause, carried, lambda: self.node.release(draft))
            case Release():
                await self._release(act, cause, carried)
            case Recall():
                await self.once(cause, carried, lambda: self.node.recall(act.hid, why_of(act, cause)))
            case Override():
                await self.once(cause, carried, lambda: self.node.override(self._told(act, why_of(act, cause))))
            case Propose():
                await self._propose(act, cause, carried)
            case AnswerProduct():
                await self.once(cause, carried, lambda: self._answer_product(act, why_of(act, cause)))
            case Put():
                await self.once(cause, carried, lambda: self.node.silence.propose(self._put(act, why_of(act, cause))))
            case Object():
                await self.once(cause, carried, lambda: self.node.silence.object_to(act.hid, why_of(act, cause)))
            case Ask() | Answer() | Compare() | Decline() | Deconflict() | Open() | Step():
                await self.about_questions(act, cause, carried)
            case _:
                assert_never(act)
        return carried

    def _put(self, act: Put, why: Why) -> ProposalDraft:
        object_by = self.clock.now_ms() + act.within_ms
        return ProposalDraft(
            mechanism=act.mechanism, subject=act.subject, object_by=object_by, why=why, message=act.message,
            reader=act.reader or "",
        )  # fmt: skip

    def _told(self, act: Override, why: Why) -> OverrideDraft:
        content = OverrideContent(
            *("EXERCISE", act.office, act.danger, act.latitude_micro, act.longitude_micro, act.radius_m),
            at=self.clock.now_ms(),
            line=(Passage(None, act.line),),
        )
        return OverrideDraft(
            ref=act.hid, authority=act.authority, content=content, to=act.to, affected=act.affected, why=why
        )

    # Consent.

    async def _request(self, act: Request, cause: str, carried: Carried) -> None:
        held = await self.held(act.hid)
        now_ms = self.clock.now_ms()
        until = None if act.wanted_for_ms is None else now_ms + act.wanted_for_ms
        answer_by = now_ms + act.within_ms
        content = RequestContent("EXERCISE", act.reader, act.bits, act.subject, act.reason, answer_by, until)
        draft = WorkflowDraft(kind="request", content=content, to=held.originator, ref=act.hid, why=why_of(act, cause))
        noted = {
            "originator": held.originator, "subject": act.subject, "reader": act.reader, "answer_by_ms": answer_by,
        }  # fmt: skip
        await self.once(cause, carried, lambda: self.node.send_workflow(draft, **noted))

    async def _decide(self, act: Decide, cause: str, carried: Carried) -> None:
        held = await self.held(act.hid)
        asked = next((item.content for item in await self.node.portions(act.hid)), None)
        if not isinstance(asked, RequestContent):
            msg = f"{short(act.hid)} is no request to {self.node.agency}"
            raise SealError(msg, remedy="give the id of the request; 'inbox' lists those that wait")
        granted, bits, anew = None, asked.bits, 0
        if act.outcome == "grant":
            granted = act.message or held.ref
            bits, anew = await self._grantable(act, asked, granted)
        ends = [at for at in (asked.until, self.after(act.lasts_ms)) if at is not None]
        # Who asks for somebody else will hand on what it has, also to a reader that holds the original by now.
        for_another = asked.reader != held.originator
        content = DecisionContent(
            *("EXERCISE", asked.reader, act.outcome, bits if for_another else anew, act.conditions, act.reason),
            expires=min(ends) if ends and granted is not None else None,
            granted=granted,
        )
        draft = WorkflowDraft(kind="decision", content=content, to=held.originator, ref=act.hid, why=why_of(act, cause))
        noted = {
            "reader": asked.reader, "outcome": act.outcome, "reason": act.reason, "conditions": act.conditions,
            "subject": asked.subject, **({} if content.expires is None else {"expires_ms": content.expires}),
        }  # fmt: skip
        await self.once(cause, carried, lambda: self.node.send_workflow(draft, **noted))
        if granted is None or not anew:
            return
        if content.expires is not None and for_another:
            # "An originator that lets a grant end MUST send the decision to the reader": its node has to erase.
            copy = WorkflowDraft(
                kind="decision", content=content._replace(bits=anew), to=asked.reader, ref=None,
                why=why_of(act, cause + COPY),
            )  # fmt: skip
            await self.once(cause + COPY, carried, lambda: self.node.send_workflow(copy, copy=True, **noted))
        why = why_of(act, cause + RELEASE)
        again = {asked.reader: anew}
        await self.once(cause + RELEASE, carried, lambda: self.node.release_again(granted, again, why))

    async def _release(self, act: Release, cause: str, carried: Carried) -> None:
        """Release to each reader what it has not been given yet, with a decision, since a partner has to hold one."""
        expires = self.after(act.lasts_ms)
        for reader in act.to:
            _, anew = await self.node.grantable(act.hid, reader)
            bits = anew & (act.bits or ~0)
            if not bits and not self.is_done(f"{cause}#{reader}{RELEASE}"):
                msg = f"{reader} may be given nothing of {short(act.hid)} that it has not been given"
                raise SealError(msg, remedy="it has it, or a rule is against it: 'sandiwara explain' names the rule")
            content = DecisionContent(
                *("EXERCISE", reader, "grant", bits, act.conditions, act.reason), expires=expires, granted=act.hid
            )
            why = why_of(act, f"{cause}#{reader}")
            draft = WorkflowDraft(kind="decision", content=content, to=reader, ref=None, why=why)
            noted = {
                "reader": reader, "outcome": "grant", "reason": act.reason, "conditions": act.conditions, "subject": "",
                **({} if expires is None else {"expires_ms": expires}),
            }  # fmt: skip
            if not self.is_done(why.cause):
                carried.add(await self.node.send_workflow(draft, **noted))
            again = why_of(act, f"{cause}#{reader}{RELEASE}")
            if not self.is_done(again.cause):
                carried.add(await self.node.release_again(act.hid, {reader: bits}, again))

    async def _grantable(self, act: Decide, asked: RequestContent, granted: bytes | None) -> tuple[int, int]:
        """Return the portions that a grant lets its reader have, and those of them that it has not been given yet."""
        if granted is None or not await self.on_disk(lambda: self.node.store.has_sealed(granted)):
            msg = "a grant releases a message of one's own, and neither the request nor --message names one"
            raise SealError(msg, remedy="name it by --message; 'sandiwara log DIR --agency AGENCY' lists them")
        wanted = act.bits or asked.bits or ~0
        permitted, anew = await self.node.grantable(granted, asked.reader)
        if not permitted & wanted:
            msg = f"by the rules, {asked.reader} may have nothing of {short(granted)} that is asked for"
            raise SealError(msg, remedy="refuse, or send it a version of its own; 'sandiwara explain' names the rule")
        return permitted & wanted, anew & wanted

    # Products.

    async def _propose(self, act: Propose, cause: str, carried: Carried) -> None:
        written = self.read(act.name, act.text)
        portions, quotes = await self.with_quoted(written.portions, act.include)
        draft = Draft(portions=portions, to=act.to or written.to, why=why_of(act, cause), quotes=quotes)
        await self.once(cause, carried, lambda: self.node.joint.show(draft, act.cosigners, act.needed))

    async def _answer_product(self, act: AnswerProduct, why: Why) -> Released:
        match act.word:
            case "signed":
                return await self.node.joint.cosign(act.hid, why)
            case "refused":
                return await self.node.joint.refuse(act.hid, why)
            case "withdrawn":
                return await self.node.joint.withdraw(act.hid, why)
            case _:
                assert_never(act.word)
