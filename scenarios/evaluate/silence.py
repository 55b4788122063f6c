"""Silence procedures: who put what to whom, who objected, agreed or was silent, and what the waiting cost.

Silence is read off the members' own records: who had the proposal in time and said nothing. Whether anything was let
go by it is what the router wrote down.
"""

from dataclasses import dataclass
from typing import Literal

from scenarios.evaluate.history import ROUTER, History, Moment
from scenarios.model import Pack

MemberAnswer = Literal["objected", "agreed", "silent", "absent"]
ProcedureOutcome = Literal["no objection", "opposed", "not shown to all in time", "open at ENDEX"]
_OUTCOMES: dict[str, ProcedureOutcome] = {
    "permitted": "no objection",
    "opposed": "opposed",
    "undelivered": "not shown to all in time",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberHeard:
    """One member that was asked: when it had the proposal, what it said of it and when; since STARTEX."""

    member: str
    answer: MemberAnswer
    had_ms: int | None
    answered_ms: int | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceProcedure:
    """A matter that was put to all members of a mechanism; times since STARTEX.

    Attributes:
        of: The message that was to go to ``reader``; None if the matter was no release.
        over_ms: When it ended, by its deadline or by an objection.
        let_go_ms: When the router let the release go; None if it did not.
    """

    hid: str
    proposer: str
    order: str
    mechanism: str
    subject: str
    reason: str
    of: str | None
    reader: str | None
    opened_ms: int
    object_by_ms: int
    outcome: ProcedureOutcome
    members: tuple[MemberHeard, ...]
    over_ms: int | None
    let_go_ms: int | None

    @property
    def waited_ms(self) -> int | None:
        """How long it took from the question to the end of it: what consent cost."""
        return None if self.over_ms is None else self.over_ms - self.opened_ms

    @property
    def members_asked(self) -> tuple[str, ...]:
        """Whose silence was asked for."""
        return tuple(heard.member for heard in self.members)

    @property
    def objectors(self) -> tuple[str, ...]:
        """Who objected."""
        return tuple(heard.member for heard in self.members if heard.answer == "objected")


def list_procedures(pack: Pack, history: History) -> tuple[SilenceProcedure, ...]:
    """List the silence procedures of a play, in the order in which they were opened."""
    return tuple(_follow(opened, pack, history) for opened in history.of_stage("proposed"))


def _follow(opened: Moment, pack: Pack, history: History) -> SilenceProcedure:
    hid, proposer = opened.text("hid"), opened.source
    object_by_ms = int(opened.fields["object_by_ms"]) - pack.start_ms
    # An objection that came after the end is told of once more; the last word counts.
    ends = [moment for moment in history.of_stage("silence_over", source=proposer) if moment.text("hid") == hid]
    released = [moment for moment in history.of_stage("let_go", source=ROUTER) if moment.text("proposal") == hid]
    return SilenceProcedure(
        hid=hid,
        proposer=proposer,
        order=opened.text("order"),
        mechanism=opened.text("mechanism"),
        subject=opened.text("subject"),
        reason=opened.text("reason"),
        of=opened.text("of") or None,
        reader=opened.text("reader") or None,
        opened_ms=opened.at_ms,
        object_by_ms=object_by_ms,
        outcome=_OUTCOMES[ends[-1].text("outcome")] if ends else "open at ENDEX",
        members=tuple(_heard(str(member), hid, object_by_ms, history) for member in opened.fields.get("members") or ()),
        over_ms=ends[-1].at_ms if ends else None,
        let_go_ms=released[0].at_ms if released else None,
    )


def _heard(member: str, hid: str, object_by_ms: int, history: History) -> MemberHeard:
    had = history.first(member, "delivered", hid)
    had_ms = None if had is None else had.at_ms
    objected = history.first(member, "objected", hid)
    agreed = history.first(member, "acknowledged", hid)
    if objected is not None:
        return MemberHeard(
            member=member, answer="objected", had_ms=had_ms, answered_ms=objected.at_ms,
            reason=objected.text("reason"),
        )  # fmt: skip
    if agreed is not None:
        return MemberHeard(member=member, answer="agreed", had_ms=had_ms, answered_ms=agreed.at_ms, reason="")
    in_time = had_ms is not None and had_ms <= object_by_ms
    return MemberHeard(
        member=member, answer="silent" if in_time else "absent", had_ms=had_ms, answered_ms=None, reason=""
    )
