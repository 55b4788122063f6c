"""Desks that ask others, and those who answer, decline, say yes or no, or say nothing."""

import asyncio
from typing import Final, assert_never

from agencies.deconflict import Identifier
from agencies.drafts import Draft, QuestionPortion, WorkflowDraft
from agencies.incoming import Arrival
from agencies.node import Node
from agencies.outgoing import Released
from agencies.store import NodeStore
from scenarios.soak.desk_book import Book, content, number_in, why
from scenarios.soak.reference import LABELS
from scenarios.soak.workflow import Question, Reply
from schemas.report import Indicator, Portion
from schemas.workflow import CoordAct, CoordContent, DeconflictAsk, RfiContent

_KIND: Final = "vessel-name"


class QuestionDesks:
    """The questions of one run.

    Args:
        book: What the desks have in common.
    """

    def __init__(self, book: Book) -> None:
        self._book = book
        self._stories = {item.number: item for item in book.region.plan.workflow if isinstance(item, Question)}
        self._seen: set[tuple[str, bytes]] = set()

    def begin(self, story: Question) -> None:
        """Ask."""
        self._book.begin(self._ask(story), name=f"asks-{story.number}")

    def arrived(self, agency: str, arrival: Arrival) -> None:
        """Take up a question, or an acceptance after which something is to be done."""
        story = self._story(arrival)
        if story is None or (agency, arrival.hid) in self._seen:
            return
        self._seen.add((agency, arrival.hid))
        if agency == story.asker:
            self._offer_accepted(story, arrival)
            return
        reply = next((item for item in story.replies if item.agency == agency), None)
        if reply is not None and reply.word != "silent":
            self._book.begin(self._reply(story, reply, arrival), name=f"answers-{story.number}")

    def _story(self, arrival: Arrival) -> Question | None:
        asked = self._book.ghost.questions.subjects.get((arrival.ref or arrival.hid).hex(), "")
        return self._stories.get(number_in(asked) or 0)

    # Who asks.

    async def _ask(self, story: Question) -> None:
        subject = f"Report {story.number} is asked about"
        others = tuple(reply.agency for reply in story.replies)

        async def ask(node: Node) -> bool:
            if subject in self._book.ghost.questions.subjects.values():
                return True  # before the node died
            due = self._book.now_ms(story.asker) + story.answer_within_ms
            sent = await self._send(node, story, others, subject, due)
            self._book.ghost.saw(f"asked {story.what}")
            return sent.hid is not None

        await self._book.until_done(story.asker, ask)

    async def _send(self, node: Node, story: Question, to: tuple[str, ...], subject: str, due: int) -> Released:
        reason = why("ask", f"ask-{story.number}")
        match story.what:
            case "rfi":
                asked = RfiContent("EXERCISE", subject, "Report what is known", "Report reason", due)
                portion = QuestionPortion(LABELS[story.label], asked)
                return await node.release(Draft(portions=(), questions=(portion,), to=to, why=reason, kind="rfi"))
            case "deconflict":
                names = [Identifier(_KIND, f"Report vessel {number}") for number in story.asks]
                self._book.ghost.questions.truth[subject] = bool(set(story.asks) & set(story.holds))
                return await node.ask_for_hits(names, to=to[0], subject=subject, answer_by=due, why=reason)
            case "task" | "offer":
                step = CoordContent("EXERCISE", story.what, subject, "Report what is to be done", due)
                return await node.coordinate(WorkflowDraft(kind="coord", content=step, to=to[0], ref=None, why=reason))
            case _:
                assert_never(story.what)

    def _offer_accepted(self, story: Question, arrival: Arrival) -> None:
        """Do what was offered, once it is accepted."""
        if story.what == "offer" and arrival.outcome == "accepted" and arrival.ref is not None:
            reply = story.replies[0]
            if reply.later_ms is not None:
                work = self._done(story.asker, arrival.ref, reply.agency, reply.later_ms)
                self._book.begin(work, name=f"does-{story.number}")

    # Who is asked.

    async def _reply(self, story: Question, reply: Reply, arrival: Arrival) -> None:
        await asyncio.sleep(reply.after_ms / 1_000)
        agency, asker, hid = reply.agency, story.asker, arrival.hid

        async def answer(node: Node) -> bool:
            if _state(node.store, hid, asker) != "open":
                return True  # before the node died, or forgotten with the disk
            reason = why("answer", f"answer-{story.number}-{agency}")
            asked = arrival.contents[0][1]
            if reply.word == "decline" or isinstance(asked, CoordContent):
                act: CoordAct = "decline" if reply.word == "decline" else "accept"
                await self._step(node, act, hid, asker)
            elif isinstance(asked, DeconflictAsk):
                held = tuple(Indicator(_KIND, f"REPORT Vessel-{number}") for number in story.holds)
                own = [content(story.number, 0)._replace(indicators=held)]
                await node.answer_ask(hid, asked, asker=asker, own=own, why=reason)
            else:
                portions = (Portion(LABELS[story.label], content(story.number, 1)),)
                sent = await node.release(Draft(portions=portions, to=(asker,), why=reason, ref=hid, kind="answer"))
                if sent.hid is None:
                    return False
            self._book.ghost.saw(f"question: {reply.word}")
            return True

        await self._book.until_done(agency, answer)
        if story.what == "task" and reply.word == "accept" and reply.later_ms is not None:
            await self._done(agency, hid, asker, reply.later_ms)

    async def _done(self, agency: str, hid: bytes, partner: str, later_ms: int) -> None:
        await asyncio.sleep(later_ms / 1_000)

        async def done(node: Node) -> bool:
            if _state(node.store, hid, partner) == "accepted":
                await self._step(node, "done", hid, partner)
            return True

        await self._book.until_done(agency, done)

    @staticmethod
    async def _step(node: Node, act: CoordAct, hid: bytes, partner: str) -> None:
        step = CoordContent("EXERCISE", act, "Report step", "Report step", None)
        await node.coordinate(
            WorkflowDraft(kind="coord", content=step, to=partner, ref=hid, why=why("coordinate", act))
        )


def _state(store: NodeStore, hid: bytes, partner: str) -> str:
    """Return what became of a question, as a node's own disk has it."""
    question = store.questions.find(hid, partner)
    return "" if question is None else question.state
