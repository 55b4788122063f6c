"""A node carries out what a person's desk has handed to it, each act once, also across a crash.

Every release of an act is on the record with its cause in the transaction that makes it, so an act that was cut short
goes on where it stood. Policy, pre-flight and sealing are the node's own, as for whatever else it sends.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, assert_never

from agencies.deconflict import Identifier
from agencies.drafts import Draft, OverrideDraft, ProposalDraft, QuestionPortion, Quote, Why, WorkflowDraft
from agencies.node import Node
from agencies.outgoing import Released
from agencies.question_table import Question
from agencies.state import HeldMessage
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
    Request,
    Step,
    act_name,
)
from console.report_file import WrittenReport, read_report
from schemas.errors import SealError
from schemas.report import Indicator, Parent, Passage, Portion, PortionContent
from schemas.workflow import CoordContent, DecisionContent, DeconflictAsk, OverrideContent, RequestContent, RfiContent
from transport.clock import Clock

T = TypeVar("T")
COPY, RELEASE = "#copy", "#release"  # what follows a grant, each with a cause of its own


class OnDisk(Protocol):
    """Runs a call where the node's database is used."""

    def __call__(self, call: Callable[[], T]) -> Awaitable[T]:
        """Return what the call returns."""
        ...


@dataclass(slots=True)
class Carried:
    """What an act has brought about: the messages, who got them, and the rule by each agency that got nothing."""

    hids: list[str] = field(default_factory=list)
    audience: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def add(self, released: Released) -> None:
        """Add a release."""
        if released.hid is not None and released.hid.hex() not in self.hids:
            self.hids.append(released.hid.hex())
        self.audience |= released.audience
        self.left_out |= released.left_out


class DeskWork:
    """Carries out one act after the other.

    Args:
        node: The agency's node.
        on_disk: Runs a call where the node's database is used.
        clock: The time that is signed and judged by.
        is_done: Whether the record has a release with this cause already.
    """

    def __init__(self, *, node: Node, on_disk: OnDisk, clock: Clock, is_done: Callable[[str], bool]) -> None:
        self._node = node
        self._on_disk = on_disk
        self._clock = clock
        self._is_done = is_done

    async def has_to_wait(self, act: Act) -> bool:
        """Tell whether an act is to be tried again later: only what the router has decided on can be recalled."""
        return isinstance(act, Recall) and await self._on_disk(lambda: self._node.store.awaits_verdict(act.hid))

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
                written = await self._quoted(act.hid, act.bits)
                draft = Draft(
                    portions=tuple(written.portions), to=act.to, why=_why(act, cause), quotes=tuple(written.quotes)
                )
                await self._once(cause, carried, lambda: self._node.release(draft))
            case Recall():
                await self._once(cause, carried, lambda: self._node.recall(act.hid, _why(act, cause)))
            case Override():
                await self._once(cause, carried, lambda: self._node.override(self._told(act, _why(act, cause))))
            case Propose():
                await self._propose(act, cause, carried)
            case AnswerProduct():
                await self._once(cause, carried, lambda: self._answer_product(act, _why(act, cause)))
            case Put():
                await self._once(cause, carried, lambda: self._node.silence.propose(self._put(act, _why(act, cause))))
            case Object():
                await self._once(cause, carried, lambda: self._node.silence.object_to(act.hid, _why(act, cause)))
            case Ask() | Answer() | Compare() | Decline() | Deconflict() | Open() | Step():
                await self._about_questions(act, cause, carried)
            case _:
                assert_never(act)
        return carried

    async def _about_questions(
        self, act: Ask | Answer | Compare | Decline | Deconflict | Open | Step, cause: str, carried: Carried
    ) -> None:
        why = _why(act, cause)
        match act:
            case Ask():
                await self._once(cause, carried, lambda: self._ask(act, why))
            case Answer():
                await self._once(cause, carried, lambda: self._answer(act, why))
            case Compare():
                await self._once(cause, carried, lambda: self._compare(act, why))
            case Decline():
                await self._once(cause, carried, lambda: self._step(act.hid, "decline", act.reason, why))
            case Step():
                await self._once(cause, carried, lambda: self._step(act.hid, act.act, act.text, why))
            case Deconflict():
                await self._deconflict(act, cause, carried)
            case Open():
                await self._open(act, cause, carried)
            case _:
                assert_never(act)

    def _put(self, act: Put, why: Why) -> ProposalDraft:
        object_by = self._clock.now_ms() + act.within_ms
        return ProposalDraft(
            mechanism=act.mechanism, subject=act.subject, object_by=object_by, why=why, message=act.message,
            reader=act.reader or "",
        )  # fmt: skip

    async def _once(self, cause: str, carried: Carried, send: Callable[[], Awaitable[Released]]) -> None:
        if not self._is_done(cause):
            carried.add(await send())

    def _told(self, act: Override, why: Why) -> OverrideDraft:
        content = OverrideContent(
            *("EXERCISE", act.office, act.danger, act.latitude_micro, act.longitude_micro, act.radius_m),
            at=self._clock.now_ms(),
            line=(Passage(None, act.line),),
        )
        return OverrideDraft(
            ref=act.hid, authority=act.authority, content=content, to=act.to, affected=act.affected, why=why
        )

    # Consent.

    async def _request(self, act: Request, cause: str, carried: Carried) -> None:
        held = await self._held(act.hid)
        now_ms = self._clock.now_ms()
        until = None if act.wanted_for_ms is None else now_ms + act.wanted_for_ms
        answer_by = now_ms + act.within_ms
        content = RequestContent("EXERCISE", act.reader, act.bits, act.subject, act.reason, answer_by, until)
        draft = WorkflowDraft(kind="request", content=content, to=held.originator, ref=act.hid, why=_why(act, cause))
        noted = {
            "originator": held.originator, "subject": act.subject, "reader": act.reader, "answer_by_ms": answer_by,
        }  # fmt: skip
        await self._once(cause, carried, lambda: self._node.send_workflow(draft, **noted))

    async def _decide(self, act: Decide, cause: str, carried: Carried) -> None:
        held = await self._held(act.hid)
        asked = next((item.content for item in await self._node.portions(act.hid)), None)
        if not isinstance(asked, RequestContent):
            msg = f"{_short(act.hid)} is no request to {self._node.agency}"
            raise SealError(msg, remedy="give the id of the request; 'inbox' lists those that wait")
        granted, bits, anew = None, asked.bits, 0
        if act.outcome == "grant":
            granted = act.message or held.ref
            bits, anew = await self._grantable(act, asked, granted)
        ends = [at for at in (asked.until, self._after(act.lasts_ms)) if at is not None]
        # Who asks for somebody else will hand on what it has, also to a reader that holds the original by now.
        for_another = asked.reader != held.originator
        content = DecisionContent(
            *("EXERCISE", asked.reader, act.outcome, bits if for_another else anew, act.conditions, act.reason),
            expires=min(ends) if ends and granted is not None else None,
            granted=granted,
        )
        draft = WorkflowDraft(kind="decision", content=content, to=held.originator, ref=act.hid, why=_why(act, cause))
        noted = {
            "reader": asked.reader, "outcome": act.outcome, "reason": act.reason, "conditions": act.conditions,
            "subject": asked.subject, **({} if content.expires is None else {"expires_ms": content.expires}),
        }  # fmt: skip
        await self._once(cause, carried, lambda: self._node.send_workflow(draft, **noted))
        if granted is None or not anew:
            return
        if content.expires is not None and for_another:
            # "An originator that lets a grant end MUST send the decision to the reader": its node has to erase.
            copy = WorkflowDraft(
                kind="decision", content=content._replace(bits=anew), to=asked.reader, ref=None,
                why=_why(act, cause + COPY),
            )  # fmt: skip
            await self._once(cause + COPY, carried, lambda: self._node.send_workflow(copy, copy=True, **noted))
        why = _why(act, cause + RELEASE)
        again = {asked.reader: anew}
        await self._once(cause + RELEASE, carried, lambda: self._node.release_again(granted, again, why))

    async def _grantable(self, act: Decide, asked: RequestContent, granted: bytes | None) -> tuple[int, int]:
        """Return the portions that a grant lets its reader have, and those of them that it has not been given yet."""
        if granted is None or not await self._on_disk(lambda: self._node.store.has_sealed(granted)):
            msg = "a grant releases a message of one's own, and neither the request nor --message names one"
            raise SealError(msg, remedy="name it by --message; 'sandiwara log DIR --agency AGENCY' lists them")
        wanted = act.bits or asked.bits or ~0
        permitted, anew = await self._node.grantable(granted, asked.reader)
        if not permitted & wanted:
            msg = f"by the rules, {asked.reader} may have nothing of {_short(granted)} that is asked for"
            raise SealError(msg, remedy="refuse, or send it a version of its own; 'sandiwara explain' names the rule")
        return permitted & wanted, anew & wanted

    # Products.

    async def _propose(self, act: Propose, cause: str, carried: Carried) -> None:
        written = self._read(act.name, act.text)
        portions, quotes = await self._with_quoted(written.portions, act.include)
        draft = Draft(portions=portions, to=act.to or written.to, why=_why(act, cause), quotes=quotes)
        await self._once(cause, carried, lambda: self._node.joint.show(draft, act.cosigners, act.needed))

    async def _answer_product(self, act: AnswerProduct, why: Why) -> Released:
        match act.word:
            case "signed":
                return await self._node.joint.cosign(act.hid, why)
            case "refused":
                return await self._node.joint.refuse(act.hid, why)
            case "withdrawn":
                return await self._node.joint.withdraw(act.hid, why)
            case _:
                assert_never(act.word)

    async def _with_quoted(
        self, own: Iterable[Portion], include: Iterable[bytes]
    ) -> tuple[tuple[Portion, ...], tuple[Quote, ...]]:
        """Put the portions of messages that are held beside what was written here."""
        portions, quotes = [*own], []
        for hid in include:
            quoted = await self._quoted(hid, 0)
            portions += quoted.portions
            quotes += quoted.quotes
        return tuple(portions), tuple(quotes)

    async def _quoted(self, hid: bytes, bits: int) -> "_Quoted":
        """Take over the portions of a message that is held, each with the label of its originator and its parent."""
        held = await self._held(hid)
        found, now_ms = _Quoted(), self._clock.now_ms()
        over = await self._on_disk(
            lambda: self._node.store.consent.over_bits(
                hid, originator=held.originator, reader=self._node.agency, now_ms=now_ms
            )
        )
        wanted = (bits or ~0) & ~over
        for item in await self._node.portions(hid):
            if isinstance(item.content, PortionContent) and wanted >> item.place & 1:
                content = item.content._replace(derived_from=(Parent(hid, item.commitment),))
                found.portions.append(Portion(item.label, content))
                found.quotes.append(
                    Quote(
                        hid=hid, place=item.place, originator=held.originator, label=item.label,
                        commitment=item.commitment,
                    )
                )  # fmt: skip
        if not found.portions:
            msg = f"nothing of {_short(hid)} that was asked for is held here"
            raise SealError(msg, remedy="'read' shows what is held of it, place by place")
        return found

    # Questions.

    async def _ask(self, act: Ask, why: Why) -> Released:
        content = RfiContent("EXERCISE", act.subject, act.question, act.reason, self._clock.now_ms() + act.within_ms)
        question = QuestionPortion(act.label, content)
        return await self._node.release(Draft(portions=(), questions=(question,), to=act.to, why=why, kind="rfi"))

    async def _answer(self, act: Answer, why: Why) -> Released:
        asked = await self._question(act.hid)
        own = self._read(act.name, act.text).portions if act.text else ()
        portions, quotes = await self._with_quoted(own, act.include)
        draft = Draft(portions=portions, to=(asked.partner,), why=why, quotes=quotes, ref=act.hid, kind="answer")
        return await self._node.release(draft)

    async def _compare(self, act: Compare, why: Why) -> Released:
        asked = await self._question(act.hid)
        ask = next((item.content for item in await self._node.portions(act.hid)), None)
        if not isinstance(ask, DeconflictAsk):
            msg = f"{_short(act.hid)} asks for no hit"
            raise SealError(msg, remedy="answer a question by a report file, or decline it")
        return await self._node.answer_ask(act.hid, ask, asker=asked.partner, own=_naming(act.holding), why=why)

    async def _deconflict(self, act: Deconflict, cause: str, carried: Carried) -> None:
        answer_by = self._clock.now_ms() + act.within_ms
        for agency in act.to:
            why = _why(act, f"{cause}#{agency}")
            if not self._is_done(why.cause):
                carried.add(
                    await self._node.ask_for_hits(
                        act.about, to=agency, subject=act.subject, answer_by=answer_by, why=why
                    )
                )

    async def _open(self, act: Open, cause: str, carried: Carried) -> None:
        content = CoordContent("EXERCISE", act.act, act.subject, act.text, self._clock.now_ms() + act.within_ms)
        for agency in act.to:
            why = _why(act, f"{cause}#{agency}")
            if not self._is_done(why.cause):
                draft = WorkflowDraft(
                    kind="coord", content=content, to=agency, ref=act.hid, why=why, affected=act.affected
                )
                carried.add(await self._node.coordinate(draft))

    async def _step(self, hid: bytes, act: str, text: str, why: Why) -> Released:
        asked = await self._question(hid, mine=act == "done")
        content = CoordContent("EXERCISE", act, asked.subject or asked.kind, text, None)  # type: ignore[arg-type] # one of three words
        return await self._node.coordinate(
            WorkflowDraft(kind="coord", content=content, to=asked.partner, ref=hid, why=why)
        )

    # What is here.

    async def _held(self, hid: bytes) -> HeldMessage:
        held = await self._on_disk(lambda: self._node.store.held(hid))
        if held is None or held.recalled:
            msg = f"{_short(hid)} is not held here, or was recalled"
            raise SealError(msg, remedy="'inbox' lists what is held")
        return held

    async def _question(self, hid: bytes, *, mine: bool = False) -> Question:
        """Return the question that a message asked of this agency, or, where ``mine``, one of either side."""
        found = await self._on_disk(lambda: self._node.store.questions.of_message(hid))
        for question in found:
            if mine or not question.mine:
                return question
        msg = f"{_short(hid)} asks {self._node.agency} nothing"
        raise SealError(msg, remedy="'inbox' lists the questions that wait")

    def _read(self, name: str, text: str) -> WrittenReport:
        community = self._node.core.community
        return read_report(text.encode(), name, community=community, now_ms=self._clock.now_ms())

    def _after(self, span_ms: int | None) -> int | None:
        return None if span_ms is None else self._clock.now_ms() + span_ms


@dataclass(slots=True)
class _Quoted:
    portions: list[Portion] = field(default_factory=list)
    quotes: list[Quote] = field(default_factory=list)


def _naming(holding: Iterable[Identifier]) -> tuple[PortionContent, ...]:
    """Return what is compared as a text that names it, which is where a node looks for it."""
    indicators = tuple(Indicator(item.kind, item.value) for item in holding)
    return (PortionContent("EXERCISE", "held", (Passage(None, "held"),), indicators=indicators),)


def _why(act: Act, cause: str) -> Why:
    reason = str(getattr(act, "reason", ""))
    return Why(
        act=act_name(act), order="desk", reason=reason or f"the desk hands over {act_name(act)}", cause=cause, once=True
    )


def _short(hid: bytes) -> str:
    return hid.hex()[:12]
