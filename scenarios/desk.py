"""A seat with a bot at it: what comes is opened after a while, what is decided is done after a while.

Everything a desk does goes through its node, sealed and judged like any other traffic; the desk adds human time.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final, assert_never

from agencies.bots import Bot, PlannedAct
from agencies.conditions import Outcome, Sighting, TriggerWord
from agencies.consent_arrivals import workflow_fields
from agencies.drafts import Draft, Why
from agencies.incoming import Arrival
from agencies.joint_writing import write_joint
from agencies.node import Node
from agencies.notices import Notice
from agencies.outgoing import Released
from agencies.writing import Source, Written, write_product, write_report
from scenarios.clock import ExerciseClock
from scenarios.desk_consent import DeskConsent
from scenarios.desk_joint import DeskJoint
from scenarios.desk_overrides import override
from scenarios.desk_questions import QuestionDesk
from scenarios.desk_recalls import DeskRecalls
from scenarios.desk_silence import DeskSilence
from schemas.envelope import Kind
from schemas.errors import SealError
from schemas.report import Portion, PortionContent
from schemas.workflow import CoordAct, DecisionContent, DeconflictAsk, OverrideContent

_CAUSE_MESSAGE = {
    "report_received", "correction_received", "request_received", "decision_received", "answer_received",
    "rfi_received", "deconflict_received", "coord_received", "override_received", "proposal_received",
}  # fmt: skip

_WORD_OF_KIND: Final[dict[str, TriggerWord]] = {
    "request": "request_received",
    "decision": "decision_received",
    "proposal": "proposal_received",
    "objection": "objection_received",
}


class Desk:
    """One agency's desk, played by a bot.

    Args:
        node: The agency's node.
        bot: Who sits there.
        clock: Exercise time.
        noticed: Told of everything that happens here, for branches and for the view.
        in_play: Whether play still goes on; after ENDEX nobody acts.
    """

    def __init__(
        self,
        *,
        node: Node,
        bot: Bot,
        clock: ExerciseClock,
        noticed: Callable[[Sighting], None],
        in_play: Callable[[], bool],
    ) -> None:
        self.agency = node.agency
        self._node = node
        self._bot = bot
        self._clock = clock
        self._noticed = noticed
        self._in_play = in_play
        self._material: dict[str, tuple[Portion, ...]] = {}
        self._released: dict[str, bytes] = {}  # what each standing order sent
        self._consent = DeskConsent(node=node, clock=clock, sent=self._went)
        self._questions = QuestionDesk(node=node, clock=clock)
        self._recalls = DeskRecalls(node=node, bot=bot, clock=clock, in_play=in_play)
        self._silence = DeskSilence(node=node, clock=clock)
        self._joint = DeskJoint(node=node, clock=clock, in_play=in_play, sent=self._went)

    def begin(self) -> None:
        """Have the times that the desk's orders name be seen when they come."""
        for at_ms in self._bot.times():
            if at_ms >= self._clock.now_ms():
                self._clock.at(at_ms, lambda: self._plan(self._sighting("time", "clock")))

    def hand_material(self, inject: str, material: tuple[Portion, ...]) -> None:
        """Put an inject on the desk."""
        self._material[inject] = material
        sighting = self._sighting(
            "inject_delivered",
            inject,
            topics=tuple(sorted({portion.label.topic for portion in material})),
            passages=frozenset(passage for portion in material for passage in portion.content.passages),
        )
        self._noticed(sighting)
        self._clock.at(self._clock.now_ms() + self._bot.reading_ms(), lambda: self._plan(sighting))

    def arrived(self, arrival: Arrival) -> None:
        """Put a message on the desk that the node has proved and written down."""
        if arrival.kind == "cosign" and arrival.ref is not None:
            self._answered(arrival, arrival.ref)
        asked = self._questions.came(arrival)
        word, step = asked if asked is not None else (_word_of(arrival), None)
        if word is None:
            return
        contents = [content for _, content in arrival.contents if isinstance(content, PortionContent | OverrideContent)]
        outcome: Outcome | None = None
        for _, content in arrival.contents:
            if isinstance(content, DecisionContent):
                outcome = content.outcome
        sighting = self._sighting(
            word,
            arrival.hid.hex(),
            sender=arrival.originator,
            topics=arrival.topics,
            passages=frozenset(passage for content in contents for passage in content.passages),
            outcome=outcome,
            step=step,
        )
        self._noticed(sighting)
        if word == "request_received":
            self._consent.take(arrival)
        self._clock.at(self._clock.now_ms() + self._bot.reading_ms(), lambda: self._open(arrival, sighting))

    def told(self, notice: Notice) -> None:
        """Take what the node tells its desk unasked; it is on the screen at once, and nobody has to open it first."""
        words: dict[str, tuple[TriggerWord, ...]] = {
            "lapsed": ("request_lapsed",),
            "unanswered": ("unanswered",),
            "overridden": ("overridden",),
            "no_objection": ("no_objection",),
            "opposed": ("opposed",),
            "recalled": ("recall_received", "tainted") if notice.products else ("recall_received",),
        }
        if notice.word == "recalled":
            others = tuple(product for product in notice.products if not self._joint.leads(product))
            self._recalls.take(replace(notice, products=others))
        for word in words.get(notice.word, ()):
            sighting = self._sighting(
                word, (notice.hid or b"").hex(), sender=notice.readers[0], order=self._silence.order_of(notice)
            )
            self._noticed(sighting)
            self._clock.at(self._clock.now_ms(), partial(self._plan, sighting))
        # A joint product of ours that a recalled report went into is made again without that part.
        for product in filter(self._joint.leads, notice.products):
            self._clock.at(self._clock.now_ms() + self._bot.deciding_ms(), partial(self._joint.settle, product))

    def _answered(self, arrival: Arrival, hid: bytes) -> None:
        """Read what a co-signer answers, and see to what it calls for."""

        async def settle() -> None:
            await self._node.opened(arrival.hid)
            await self._joint.settle(hid)

        self._clock.at(self._clock.now_ms() + self._bot.reading_ms(), settle)

    async def _open(self, arrival: Arrival, sighting: Sighting) -> None:
        if not self._in_play():
            return
        await self._node.opened(arrival.hid)
        for _, content in arrival.contents:
            fields = workflow_fields(content)
            if fields:
                await self._node.note(f"{arrival.kind}_opened", hid=arrival.hid.hex(), **fields)
        self._noticed(self._sighting("opened", arrival.hid.hex(), sender=arrival.originator))
        await self._questions.offer_held(arrival)
        self._plan(sighting)

    def _plan(self, sighting: Sighting) -> None:
        if not self._in_play():
            return
        for planned in self._bot.notice(sighting):
            self._clock.at(self._clock.now_ms() + planned.after_ms, lambda planned=planned: self._act(planned))  # type: ignore[misc] # mypy cannot type a lambda's default

    async def _act(self, planned: PlannedAct) -> None:
        if not self._in_play():
            return
        order = planned.order
        why = Why(act=order.do, order=order.order, reason=order.why, cause=planned.causes[0].cause)
        try:
            match order.do:
                case "report":
                    await self._release(planned, self._from_material(planned), why)
                case "forward":
                    await self._release(planned, await self._from_messages(planned), why)
                case "correct":
                    await self._correct(planned, why)
                case "request" | "decide" | "recall" | "propose" | "object":
                    await self._act_on_consent(planned, why)
                case "ask" | "answer" | "decline" | "deconflict" | "coordinate":
                    await self._act_on_question(planned, why)
                case "override":
                    now_ms = self._clock.now_ms()
                    self._sent(
                        planned, await override(self._node, planned, self._messages(planned), why, now_ms=now_ms)
                    )
                case "acknowledge":
                    await self._acknowledge(planned)
                case "joint" | "cosign" | "refuse_cosign" | "withdraw":
                    await self._act_jointly(planned, why)
                case "hold":
                    await self._node.note("acted", act="hold", order=order.order, reason=order.why, cause=why.cause)
                case _:
                    assert_never(order.do)
        except SealError as error:
            # A desk that finds nothing to send says so in its log; play goes on.
            await self._node.note(
                "acted", act=order.do, order=order.order, reason=f"not done: {error}", cause=why.cause
            )

    # Writing and sending.

    def _from_material(self, planned: PlannedAct) -> Written:
        material = [portion for cause in planned.causes for portion in self._material.get(cause.cause, ())]
        return write_report(material, planned.order, self._bot.kept)

    async def _from_messages(self, planned: PlannedAct) -> Written:
        sources = [source for cause in self._messages(planned) for source in await self._sources(cause)]
        return write_product(
            sources, planned.order, self._bot.kept, author=self.agency, community=self._node.core.community
        )

    async def _acknowledge(self, planned: PlannedAct) -> None:
        for cause in self._messages(planned):
            await self._node.opened(bytes.fromhex(cause.cause), stage="acknowledged")
            self._noticed(self._sighting("acknowledged", cause.cause, sender=cause.sender))

    async def _act_on_question(self, planned: PlannedAct, why: Why) -> None:
        match planned.order.do:
            case "ask":
                self._sent(planned, await self._questions.ask(planned.order, why))
            case "answer":
                await self._answer(planned, why)
            case "decline":
                await self._questions.decline(planned, why)
            case "deconflict":
                await self._questions.deconflict(planned.order, why)
            case _:
                await self._questions.coordinate(planned, why)

    async def _act_jointly(self, planned: PlannedAct, why: Why) -> None:
        if planned.order.do == "joint":
            await self._joint.show(planned.order, await self._contributions(planned), why)
        else:
            await self._joint.answer(planned.order, planned.causes, why)

    async def _contributions(self, planned: PlannedAct) -> Written:
        material = [portion for cause in planned.causes for portion in self._material.get(cause.cause, ())]
        sources = [source for cause in self._messages(planned) for source in await self._sources(cause)]
        community = self._node.core.community
        return write_joint(material, sources, planned.order, self._bot.kept, author=self.agency, community=community)

    def _messages(self, planned: PlannedAct) -> list[Sighting]:
        return [cause for cause in planned.causes if cause.word in _CAUSE_MESSAGE]

    async def _sources(self, cause: Sighting) -> list[Source]:
        hid = bytes.fromhex(cause.cause)
        return [
            Source(
                hid=hid,
                place=portion.place,
                commitment=portion.commitment,
                originator=cause.sender or "",
                label=portion.label,
                content=portion.content,
            )
            for portion in await self._node.portions(hid)
            if isinstance(portion.content, PortionContent)
        ]

    async def _release(
        self,
        planned: PlannedAct,
        written: Written,
        why: Why,
        *,
        to: tuple[str, ...] | None = None,
        ref: bytes | None = None,
        kind: Kind = "report",
    ) -> None:
        draft = Draft(
            portions=written.portions,
            to=planned.order.to if to is None else to,
            why=why,
            quotes=written.quotes,
            ref=ref,
            kind=kind,
        )
        self._sent(planned, await self._node.release(draft))

    def _sent(self, planned: PlannedAct, released: Released) -> None:
        self._went(planned.order.order, released)

    def _went(self, order: str, released: Released) -> None:
        """Note what an order has sent, and that somebody was left out of it."""
        cause = released.hid.hex() if released.hid is not None else ""
        if released.left_out:
            self._noticed(self._sighting("rule_denied", cause, order=order))
        if released.hid is not None:
            self._released[order] = released.hid
            self._noticed(self._sighting("report_sent", cause, order=order))

    async def _correct(self, planned: PlannedAct, why: Why) -> None:
        corrected = self._released.get(planned.order.corrects or "")
        if corrected is None:
            msg = f"order {planned.order.corrects} sent nothing that could be corrected"
            raise SealError(msg)
        by_message = bool(self._messages(planned))
        written = await self._from_messages(planned) if by_message else self._from_material(planned)
        past = tuple(sorted(await self._node.released_to(corrected)))
        await self._release(planned, written, why, to=planned.order.to or past, ref=corrected)

    async def _answer(self, planned: PlannedAct, why: Why) -> None:
        asked = self._questions.asked(planned)
        content = asked.contents[0][1]
        if isinstance(content, DeconflictAsk):
            own = [portion.content for material in self._material.values() for portion in material]
            await self._node.answer_ask(asked.hid, content, asker=asked.originator, own=own, why=why)
            return
        held = any(cause.cause in self._material for cause in planned.causes)
        written = self._from_material(planned) if held else await self._from_messages(planned)
        await self._release(planned, written, why, to=(asked.originator,), ref=asked.hid, kind="answer")

    async def _act_on_consent(self, planned: PlannedAct, why: Why) -> None:
        match planned.order.do:
            case "request":
                await self._consent.request(planned.order, why)
            case "decide":
                await self._consent.decide(planned, self._released, why)
            case "propose" | "object":
                await self._silence.act(planned, self._released, why)
            case _:
                await self._recalls.act(planned, self._released, why)

    def _sighting(  # noqa: PLR0917 - private, and called by name but for the first two
        self,
        word: TriggerWord,
        cause: str,
        sender: str | None = None,
        topics: tuple[str, ...] = (),
        passages: frozenset[str] = frozenset(),
        outcome: Outcome | None = None,
        order: str | None = None,
        step: CoordAct | None = None,
    ) -> Sighting:
        return Sighting(
            word=word,
            who=self.agency,
            at_ms=self._clock.now_ms(),
            cause=cause,
            sender=sender,
            topics=topics,
            passages=passages,
            outcome=outcome,
            order=order,
            step=step,
        )


def _word_of(arrival: Arrival) -> TriggerWord | None:
    if arrival.kind in _WORD_OF_KIND:
        return _WORD_OF_KIND[arrival.kind]
    if arrival.asks_cosignature:
        return "cosign_asked"
    if arrival.kind == "override":
        # Its originator's desk is told of it unasked, and has nothing new to read.
        return None if arrival.tells_override else "override_received"
    if arrival.kind == "report":
        return "report_received" if arrival.ref is None else "correction_received"
    return None
