"""Questions between two agencies: who was asked what, who has answered, and what is due.

An RFI, an ask for deconfliction, a task and an offer are alike in this: one agency opens, the other answers by a
message that refers to it, and somebody is told if nothing comes. The rules of both sides stand here; what is sent and
received is the business of agencies/outgoing.py and agencies/incoming.py, in whose transactions this takes part.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, assert_never

from agencies.core import NodeCore
from agencies.deconflict import count_hits
from agencies.drafts import Draft, WorkflowDraft
from agencies.notices import Notice
from agencies.outgoing import Moment
from agencies.question_table import Question, QuestionState
from agencies.store import NodeStore
from policy.affected import speaks_for
from schemas.errors import Code, RemoteError, SealError
from schemas.limits import DECONFLICT_ASKS_MAX, DECONFLICT_ASKS_MS
from schemas.workflow import CoordAct, CoordContent, DeconflictAsk, DeconflictReply, RfiContent
from sealing.opening import Content

_LOOKED_AT: Final = 64  # in one transaction; what is due beyond has the next turn of the disk


@dataclass(frozen=True, slots=True, kw_only=True)
class Incomer:
    """A message that came, as far as it may ask or answer something."""

    hid: bytes
    kind: str
    originator: str
    ref: bytes | None
    contents: tuple[Content, ...]
    affected: tuple[str, ...] = ()  # the states that its labels name


class Questions:
    """Keeps what is asked between this agency and others.

    Args:
        core: Whose node it is, and by whose rules.
        store: The node's database.
    """

    def __init__(self, *, core: NodeCore, store: NodeStore) -> None:
        self._core = core
        self._store = store

    def released(self, draft: Draft, hid: bytes, readers: Iterable[str], moment: Moment) -> None:
        """Note an RFI or an answer that was released; inside its transaction.

        Raises:
            SealError: If it answers what nobody asked.
        """
        if draft.kind == "answer":
            for reader in readers:
                self._settle(self._asked_of_us(draft.ref, reader, "rfi"), "answered", hid, moment)
        for reader in sorted(readers) if draft.questions else ():
            asked = draft.questions[0].content
            question = Question(
                hid, reader, mine=True, kind="rfi", subject=asked.subject, at=moment.at_ms, due=asked.answer_by
            )
            self._open(question, moment)

    def sent(self, draft: WorkflowDraft, hid: bytes, moment: Moment) -> None:
        """Note a step of a coordination or deconfliction that was sent; inside its transaction.

        Raises:
            SealError: If it answers what is not open, or is about help that nobody of an affected state has asked for.
        """
        asked = self._find(draft.ref, draft.to)
        # "A node MUST NOT send a coordination that names affected states … unless it refers to one" of such a state.
        asker = (draft.to,) if asked is not None and not asked.mine and asked.kind == "task" else ()
        if not speaks_for(draft.affected, (self._core.agency, *asker), self._core.community):
            msg = f"nobody of {', '.join(draft.affected)} has asked {self._core.agency} for help by what this answers"
            raise SealError(msg, remedy="hold it until the affected state asks, and answer that")
        match draft.content:
            case CoordContent(act="task" | "offer") as content:
                self._open(_opened(content, hid, draft.to, moment, mine=True), moment)
            case CoordContent() as content:
                question = self._find(draft.ref, draft.to)
                state = None if question is None else _step(question, content.act, by_partner=False)
                if question is None or state is None:
                    msg = f"nothing between {self._store.agency} and {draft.to} can be answered by {content.act!r} now"
                    raise SealError(msg, remedy="answer a message that has come and is still open")
                self._settle(question, state, hid, moment)
            case DeconflictAsk():
                question = Question(
                    hid, draft.to, mine=True, kind="deconflict", subject=draft.subject, at=moment.at_ms,
                    due=draft.answer_by, kept=draft.kept,
                )  # fmt: skip
                self._open(question, moment)
            case DeconflictReply():
                self._settle(self._asked_of_us(draft.ref, draft.to, "deconflict"), "answered", hid, moment)
            case _:
                return

    def arrived(self, incomer: Incomer, moment: Moment) -> QuestionState | None:
        """Take in what came, if it asks or answers; returns the state of the question by it.

        Raises:
            RemoteError: REFERENCE if it answers what was not asked of its sender, QUOTA if it asks for hits too often,
                CONTENT if a reply is not well made, AUDIENCE if it offers help that nobody has asked for.
        """
        if incomer.kind not in {"rfi", "answer", "coord"}:
            return None
        content = incomer.contents[0]
        own = self._find(incomer.ref, incomer.originator)
        asker = (self._core.agency,) if own is not None and own.mine and own.kind == "task" else ()
        # "A node MUST refuse with `AUDIENCE` a coordination that a router would have to refuse so."
        if incomer.kind == "coord" and not speaks_for(
            incomer.affected, (incomer.originator, *asker), self._core.community
        ):
            msg = f"{incomer.originator} coordinates help that {', '.join(incomer.affected)} has not asked for"
            raise RemoteError(Code.AUDIENCE, msg)
        state: QuestionState
        match content:
            case RfiContent() | DeconflictAsk() | CoordContent(act="task" | "offer"):
                self._open(self._asked(incomer, content, moment), moment)
                return "open"
            case CoordContent():
                question, state = self._answered(incomer, content.act)
            case DeconflictReply():
                question = self._awaited(incomer, "deconflict")
                if question.kept is None:
                    msg = f"{incomer.originator} has replied before"
                    raise RemoteError(Code.REFERENCE, msg)
                state = "hit" if count_hits(question.kept, content) else "no_hit"
            case _:
                question, state = self._awaited(incomer, "rfi"), "answered"
        self._settle(question, state, incomer.hid, moment)
        return state

    def look(self, moment: Moment) -> tuple[Notice, ...]:
        """Tell of answers that are due by now and have not come, or have not been given; each once.

        Raises:
            StoreError: If the disk is full; then nothing was told, and the next look finds it again.
        """
        earliest = self._store.questions.earliest_due()
        if earliest is None or earliest > moment.at_ms:
            return ()
        with self._store.transaction():
            due = self._store.questions.take_due(until_ms=moment.at_ms, limit=_LOOKED_AT)
            for question in due:
                stage = "answer_due" if is_our_turn(question) else "unanswered"
                self._write(stage, question, moment)
        return tuple(
            Notice(
                word="answer_due" if is_our_turn(question) else "unanswered",
                at_ms=moment.at_ms,
                hid=question.hid,
                kind=question.kind,
                readers=(question.partner,),
                accepted=question.state == "accepted",
                text=question.subject,
            )
            for question in due
        )

    def _asked(self, incomer: Incomer, content: RfiContent | DeconflictAsk | CoordContent, moment: Moment) -> Question:
        match content:
            case CoordContent():
                return _opened(content, incomer.hid, incomer.originator, moment, mine=False)
            case RfiContent():
                return Question(
                    incomer.hid, incomer.originator, mine=False, kind="rfi", subject=content.subject,
                    at=moment.at_ms, due=content.answer_by,
                )  # fmt: skip
            case DeconflictAsk():
                pass
            case _:
                assert_never(content)
        # "A node MUST NOT answer more asks of one agency": each is a chance to guess what it holds.
        before = self._store.questions.asked_since(incomer.originator, at_ms=moment.at_ms - DECONFLICT_ASKS_MS)
        if before >= DECONFLICT_ASKS_MAX:
            msg = f"{incomer.originator} has asked {before} times within the hour"
            raise RemoteError(Code.QUOTA, msg)
        return Question(
            incomer.hid, incomer.originator, mine=False, kind="deconflict", subject="", at=moment.at_ms, due=None
        )

    def _answered(self, incomer: Incomer, act: CoordAct) -> tuple[Question, QuestionState]:
        question = self._find(incomer.ref, incomer.originator)
        state = None if question is None else _step(question, act, by_partner=True)
        if question is None or state is None:
            msg = f"{incomer.originator} answers {act!r} to what is not open between us"
            raise RemoteError(Code.REFERENCE, msg)
        return question, state

    def _awaited(self, incomer: Incomer, kind: str) -> Question:
        """Return what was asked of the sender of an answer; late answers are as welcome as others."""
        question = self._find(incomer.ref, incomer.originator)
        if question is None or not question.mine or question.kind != kind:
            msg = f"{incomer.originator} answers what it was not asked"
            raise RemoteError(Code.REFERENCE, msg)
        return question

    def _asked_of_us(self, ref: bytes | None, partner: str, kind: str) -> Question:
        question = self._find(ref, partner)
        if question is None or question.mine or question.kind != kind:
            msg = f"{partner} has asked {self._store.agency} nothing that this would answer"
            raise SealError(msg, remedy="an answer goes to the asker alone, and names the message that asked")
        return question

    def _find(self, ref: bytes | None, partner: str) -> Question | None:
        return None if ref is None else self._store.questions.find(ref, partner)

    def _open(self, question: Question, moment: Moment) -> None:
        if self._store.questions.open(question):
            self._write("asked" if question.mine else "asked_of", question, moment)

    def _settle(self, question: Question, state: QuestionState, by: bytes, moment: Moment) -> None:
        self._store.questions.settle(question, state)
        self._write("answered", question._replace(state=state), moment, by=by.hex())

    def _write(self, stage: str, question: Question, moment: Moment, **fields: object) -> None:
        self._store.journal.write(
            stage,
            at_ms=moment.at_ms,
            machine_ms=moment.machine_ms,
            hid=question.hid.hex(),
            exchange=question.kind,
            partner=question.partner,
            mine=question.mine,
            subject=question.subject,
            answer_by_ms=question.due,
            outcome=question.state,
            **fields,
        )


def _opened(content: CoordContent, hid: bytes, partner: str, moment: Moment, *, mine: bool) -> Question:
    return Question(
        hid, partner, mine=mine, kind="task" if content.act == "task" else "offer", subject=content.subject,
        at=moment.at_ms, due=content.by_when,
    )  # fmt: skip


def _step(question: Question, act: CoordAct, *, by_partner: bool) -> QuestionState | None:
    """Return the state of a question after an act, or None where the act has no place.

    Who was addressed accepts or declines; what was accepted is done by who took it on: the addressed of a task, the
    opener of an offer.
    """
    addressed = by_partner == question.mine
    thread = question.kind in {"task", "offer"}
    match act:
        case "decline":
            return "declined" if addressed and question.state in {"open", "accepted"} else None
        case "accept":
            return "accepted" if addressed and thread and question.state == "open" else None
        case "done":
            its_turn = addressed == (question.kind == "task")
            return "done" if its_turn and question.state == "accepted" else None
        case "task" | "offer":
            return None
        case _:
            assert_never(act)


def is_our_turn(question: Question) -> bool:
    """Tell whether this side is the one that is waited for."""
    opener = question.state == "accepted" and question.kind == "offer"
    return question.mine == opener
