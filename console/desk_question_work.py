"""A node carries out what its desk asks, answers, compares and coordinates (console/desk_work.py)."""

from collections.abc import Iterable
from typing import assert_never

from agencies.deconflict import Identifier
from agencies.drafts import Draft, QuestionPortion, Why, WorkflowDraft
from agencies.outgoing import Released
from agencies.question_table import Question
from console.desk_acts import Answer, Ask, Compare, Decline, Deconflict, Open, Step
from console.desk_hands import Carried, DeskHands, short, why_of
from schemas.errors import SealError
from schemas.report import Indicator, Passage, PortionContent
from schemas.workflow import CoordContent, DeconflictAsk, RfiContent


class QuestionWork(DeskHands):
    """The acts about questions."""

    async def about_questions(
        self, act: Ask | Answer | Compare | Decline | Deconflict | Open | Step, cause: str, carried: Carried
    ) -> None:
        """Carry one of them out; raises as ``DeskWork.carry_out``."""
        why = why_of(act, cause)
        match act:
            case Ask():
                await self.once(cause, carried, lambda: self._ask(act, why))
            case Answer():
                await self.once(cause, carried, lambda: self._answer(act, why))
            case Compare():
                await self.once(cause, carried, lambda: self._compare(act, why))
            case Decline():
                await self.once(cause, carried, lambda: self._step(act.hid, "decline", act.reason, why))
            case Step():
                await self.once(cause, carried, lambda: self._step(act.hid, act.act, act.text, why))
            case Deconflict():
                await self._deconflict(act, cause, carried)
            case Open():
                await self._open(act, cause, carried)
            case _:
                assert_never(act)

    async def _ask(self, act: Ask, why: Why) -> Released:
        content = RfiContent("EXERCISE", act.subject, act.question, act.reason, self.clock.now_ms() + act.within_ms)
        question = QuestionPortion(act.label, content)
        return await self.node.release(Draft(portions=(), questions=(question,), to=act.to, why=why, kind="rfi"))

    async def _answer(self, act: Answer, why: Why) -> Released:
        asked = await self._question(act.hid)
        own = self.read(act.name, act.text).portions if act.text else ()
        portions, quotes = await self.with_quoted(own, act.include)
        draft = Draft(portions=portions, to=(asked.partner,), why=why, quotes=quotes, ref=act.hid, kind="answer")
        return await self.node.release(draft)

    async def _compare(self, act: Compare, why: Why) -> Released:
        asked = await self._question(act.hid)
        ask = next((item.content for item in await self.node.portions(act.hid)), None)
        if not isinstance(ask, DeconflictAsk):
            msg = f"{short(act.hid)} asks for no hit"
            raise SealError(msg, remedy="answer a question by a report file, or decline it")
        return await self.node.answer_ask(act.hid, ask, asker=asked.partner, own=_naming(act.holding), why=why)

    async def _deconflict(self, act: Deconflict, cause: str, carried: Carried) -> None:
        answer_by = self.clock.now_ms() + act.within_ms
        for agency in act.to:
            why = why_of(act, f"{cause}#{agency}")
            if not self.is_done(why.cause):
                carried.add(
                    await self.node.ask_for_hits(
                        act.about, to=agency, subject=act.subject, answer_by=answer_by, why=why
                    )
                )

    async def _open(self, act: Open, cause: str, carried: Carried) -> None:
        content = CoordContent("EXERCISE", act.act, act.subject, act.text, self.clock.now_ms() + act.within_ms)
        for agency in act.to:
            why = why_of(act, f"{cause}#{agency}")
            if not self.is_done(why.cause):
                draft = WorkflowDraft(
                    kind="coord", content=content, to=agency, ref=act.hid, why=why, affected=act.affected
                )
                carried.add(await self.node.coordinate(draft))

    async def _step(self, hid: bytes, act: str, text: str, why: Why) -> Released:
        asked = await self._question(hid, mine=act == "done")
        content = CoordContent("EXERCISE", act, asked.subject or asked.kind, text, None)  # type: ignore[arg-type] # one of three words
        return await self.node.coordinate(
            WorkflowDraft(kind="coord", content=content, to=asked.partner, ref=hid, why=why)
        )

    async def _question(self, hid: bytes, *, mine: bool = False) -> Question:
        """Return the question that a message asked of this agency, or, where ``mine``, one of either side."""
        found = await self.on_disk(lambda: self.node.store.questions.of_message(hid))
        for question in found:
            if mine or not question.mine:
                return question
        msg = f"{short(hid)} asks {self.node.agency} nothing"
        raise SealError(msg, remedy="'inbox' lists the questions that wait")


def _naming(holding: Iterable[Identifier]) -> tuple[PortionContent, ...]:
    """Return what is compared as a text that names it, which is where a node looks for it."""
    indicators = tuple(Indicator(item.kind, item.value) for item in holding)
    return (PortionContent("EXERCISE", "held", (Passage(None, "held"),), indicators=indicators),)
