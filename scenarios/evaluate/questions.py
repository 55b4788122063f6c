"""What agencies asked of one another, who answered, after how long, and who is asked more than it gets answers.

Only the records of who asked are used: an asker knows when it asked, what came back and what never did. RFIs, asks
for deconfliction, tasks and offers count alike. A median is of the first answers, a decline being one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import median

from scenarios.evaluate.history import History, Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question to one agency. Times are ms since STARTEX.

    Attributes:
        state: ``answered``, ``declined``, ``hit``, ``no_hit``, ``accepted``, ``done``, ``unanswered`` (its time is
            over), or ``open at ENDEX``.
        answered_ms: When the first answer came, or None.
        late: Whether that was after it was asked for.
        answer: The message that brought the last answer, or None.
        asked_for: The agency whose question this body asked in its own name; the asked did not learn whose it was.
        asked_on: Whom the partner asked in turn, in its own name, because of this question.
    """

    hid: str
    exchange: str
    asker: str
    partner: str
    subject: str
    asked_ms: int
    answer_by_ms: int | None
    state: str
    answered_ms: int | None
    late: bool
    answer: str | None
    asked_for: str | None = None
    asked_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fairness:
    """How one agency treats the questions of another; ``evidence`` are the messages that asked."""

    asker: str
    partner: str
    asked: int
    answered: int
    declined: int
    unanswered: int
    late: int
    median_ms: int | None
    evidence: tuple[str, ...]


def list_questions(history: History, *, start_ms: int) -> tuple[Question, ...]:
    """List every question of a play in the order of asking.

    Args:
        history: The record.
        start_ms: Scenario time at STARTEX, since deadlines are recorded as Unix time.
    """
    answers: dict[tuple[str, str, str], list[Moment]] = {}
    for moment in history.of_stage("answered"):
        if moment.fields.get("mine") and moment.at_ms <= history.end_ms:
            answers.setdefault(_key(moment), []).append(moment)
    questions = tuple(
        _follow(asked, answers.get(_key(asked), []), start_ms=start_ms, end_ms=history.end_ms)
        for asked in history.of_stage("asked")
        if asked.at_ms <= history.end_ms
    )
    return _with_bodies(
        questions, {release.hid: release.cause for release in history.releases if release.kind == "rfi"}
    )


def count_fairness(questions: Iterable[Question]) -> tuple[Fairness, ...]:
    """Count questions by asker and partner."""
    pairs: dict[tuple[str, str], list[Question]] = {}
    for question in questions:
        pairs.setdefault((question.asker, question.partner), []).append(question)
    return tuple(_count(asker, partner, asked) for (asker, partner), asked in sorted(pairs.items()))


def _key(moment: Moment) -> tuple[str, str, str]:
    return moment.source, moment.text("hid"), moment.text("partner")


def _follow(asked: Moment, answers: list[Moment], *, start_ms: int, end_ms: int) -> Question:
    due = asked.fields.get("answer_by_ms")
    answer_by_ms = None if due is None else int(due) - start_ms
    first_ms = answers[0].at_ms if answers else None
    over = answer_by_ms is not None and answer_by_ms <= end_ms
    waiting = "unanswered" if over else "open at ENDEX"
    return Question(
        hid=asked.text("hid"),
        exchange=asked.text("exchange"),
        asker=asked.source,
        partner=asked.text("partner"),
        subject=asked.text("subject"),
        asked_ms=asked.at_ms,
        answer_by_ms=answer_by_ms,
        state=answers[-1].text("outcome") if answers else waiting,
        answered_ms=first_ms,
        late=first_ms is not None and answer_by_ms is not None and first_ms > answer_by_ms,
        answer=answers[-1].text("by") if answers else None,
    )


def _with_bodies(questions: tuple[Question, ...], causes: Mapping[str, str | None]) -> tuple[Question, ...]:
    """Note which questions a body asked in its own name because it was asked itself, and for whom."""
    of_body = {(question.hid, question.partner): question.asker for question in questions if question.exchange == "rfi"}
    asked_for = {question: of_body.get((causes.get(question.hid) or "", question.asker)) for question in questions}
    return tuple(
        replace(
            question,
            asked_for=asked_for[question],
            asked_on=tuple(
                other.partner
                for other in questions
                if asked_for[other] is not None
                and (causes.get(other.hid), other.asker) == (question.hid, question.partner)
            ),
        )
        for question in questions
    )


def _count(asker: str, partner: str, asked: list[Question]) -> Fairness:
    times = [question.answered_ms - question.asked_ms for question in asked if question.answered_ms is not None]
    declined = sum(question.state == "declined" for question in asked)
    return Fairness(
        asker=asker,
        partner=partner,
        asked=len(asked),
        answered=len(times) - declined,
        declined=declined,
        unanswered=sum(question.state == "unanswered" for question in asked),
        late=sum(question.late for question in asked),
        median_ms=round(median(times)) if times else None,
        evidence=tuple(question.hid for question in asked),
    )
