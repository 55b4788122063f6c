"""What a simulated desk does with questions: it asks, declines, compares, and takes on what others need done.

The orders say what; the words and identifiers in them are the planner's. Writing an answer is writing like any other
and stands in scenarios/desk.py.
"""

from typing import Final, NamedTuple

from agencies.bots import PlannedAct, StandingOrder
from agencies.conditions import Sighting, TriggerWord
from agencies.drafts import Draft, QuestionPortion, Why, WorkflowDraft
from agencies.incoming import Arrival
from agencies.node import Node
from agencies.outgoing import Released
from policy.affected import speaks_for
from scenarios.clock import ExerciseClock
from schemas.errors import SealError
from schemas.workflow import CoordAct, CoordContent, DeconflictAsk, DeconflictReply, RfiContent

_ASKING: Final = frozenset({"rfi_received", "deconflict_received"})


class _HeldOffer(NamedTuple):
    """An offer of help to an agency that has not asked for any."""

    order: StandingOrder
    to: str
    why: Why


class QuestionDesk:
    """The questions of one desk.

    Args:
        node: The agency's node.
        clock: Exercise time.
    """

    def __init__(self, *, node: Node, clock: ExerciseClock) -> None:
        self._node = node
        self._clock = clock
        self._came: dict[str, Arrival] = {}
        self._tasks: list[Arrival] = []  # in the order in which they came
        self._held: list[_HeldOffer] = []

    def came(self, arrival: Arrival) -> tuple[TriggerWord, CoordAct | None] | None:
        """Take in what asks or answers; returns the word for it, and the step of a coordination."""
        content = arrival.contents[0][1]
        found: tuple[TriggerWord, CoordAct | None] | None = None
        match content:
            case RfiContent():
                found = "rfi_received", None
            case DeconflictAsk():
                found = "deconflict_received", None
            case DeconflictReply():
                found = "hit" if arrival.outcome == "hit" else "no_hit", None
            case CoordContent():
                found = "coord_received", content.act
                if content.act == "task":
                    self._tasks.append(arrival)
            case _:
                if arrival.kind == "answer":
                    found = "answer_received", None
        if found is not None:
            self._came[arrival.hid.hex()] = arrival
        return found

    def asked(self, planned: PlannedAct) -> Arrival:
        """Return the question that an act answers.

        Raises:
            SealError: If none set it off.
        """
        return self._cause(planned, _ASKING)

    async def ask(self, order: StandingOrder, why: Why) -> Released:
        """Ask for information, under the label of what the question gives away."""
        if order.label is None:
            msg = f"order {order.order} asks without a label"
            raise SealError(msg, remedy="name the label of what the question gives away")
        content = RfiContent("EXERCISE", order.subject, order.question, order.why, self._due(order))
        draft = Draft(portions=(), questions=(QuestionPortion(order.label, content),), to=order.to, why=why, kind="rfi")
        return await self._node.release(draft)

    async def deconflict(self, order: StandingOrder, why: Why) -> None:
        """Ask each of the agencies whether it holds what the order names."""
        for agency in order.to:
            await self._node.ask_for_hits(
                order.about, to=agency, subject=order.subject, answer_by=self._due(order), why=why
            )

    async def decline(self, planned: PlannedAct, why: Why) -> None:
        """Say that a question will not be answered."""
        asked = self.asked(planned)
        content = asked.contents[0][1]
        subject = content.subject if isinstance(content, RfiContent) else planned.order.subject or "deconfliction"
        await self._send(
            asked.originator, asked.hid, CoordContent("EXERCISE", "decline", subject, why.reason, None), why
        )

    async def coordinate(self, planned: PlannedAct, why: Why) -> None:
        """Open a thread with each of the agencies, or take the next step in one that is open."""
        order = planned.order
        if order.step in {None, "task", "offer"}:
            for agency in order.to:
                await self._open(order, agency, why)
            return
        came = self._cause(planned, {"coord_received"})
        about = came.contents[0][1]
        subject = order.subject or (about.subject if isinstance(about, CoordContent) else "")
        content = CoordContent("EXERCISE", order.step or "accept", subject, order.question, None)
        # An offer of help refers to what asked for it, and opens a thread of its own all the same.
        opens = isinstance(about, CoordContent) and about.act in {"task", "offer"}
        ref = came.hid if opens or came.ref is None else came.ref
        await self._send(came.originator, ref, content, why)

    async def _open(self, order: StandingOrder, agency: str, why: Why) -> None:
        """Open a thread; an offer of help waits until the affected state has asked for it, and then answers that."""
        ref: bytes | None = None
        if not speaks_for(order.affected, (self._node.agency,), self._node.core.community):
            asked = next((task for task in self._tasks if self._asks(task, order, agency)), None)
            if asked is None:
                self._held.append(_HeldOffer(order, agency, why))
                states = ", ".join(order.affected)
                reason = f"held until {agency} asks for help: {states} has not asked for any"
                await self._node.note("acted", act="hold", order=order.order, reason=reason, cause=why.cause)
                return
            ref = asked.hid
        content = CoordContent("EXERCISE", order.step or "task", order.subject, order.question, self._due(order))
        await self._send(agency, ref, content, why, affected=order.affected)

    def _asks(self, task: Arrival, order: StandingOrder, agency: str) -> bool:
        return task.originator == agency and speaks_for(order.affected, (agency,), self._node.core.community)

    async def offer_held(self, arrival: Arrival) -> None:
        """Make the offers that have waited for what has just been read."""
        ready = [held for held in self._held if arrival in self._tasks and self._asks(arrival, held.order, held.to)]
        self._held = [held for held in self._held if held not in ready]
        for held in ready:
            await self._open(held.order, held.to, held.why)

    def _cause(self, planned: PlannedAct, words: frozenset[str] | set[str]) -> Arrival:
        causes: tuple[Sighting, ...] = planned.causes
        for cause in causes:
            if cause.word in words and cause.cause in self._came:
                return self._came[cause.cause]
        msg = f"order {planned.order.order} answers nothing that has come"
        raise SealError(msg, remedy=f"have it wait for {' or '.join(sorted(words))}")

    async def _send(
        self, to: str, ref: bytes | None, content: CoordContent, why: Why, *, affected: tuple[str, ...] = ()
    ) -> None:
        draft = WorkflowDraft(kind="coord", content=content, to=to, ref=ref, why=why, affected=affected)
        await self._node.coordinate(draft)

    def _due(self, order: StandingOrder) -> int:
        return self._clock.now_ms() + order.answer_within_ms
