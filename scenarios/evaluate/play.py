"""What was played: the MSEL as planned and as it happened, branches, link outages, and what was refused."""

from dataclasses import dataclass

from scenarios.evaluate.history import EXCON, ROUTER, History
from scenarios.model import Pack


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectPlayed:
    """One row of the MSEL. ``planned_ms`` is None if only a branch releases it, ``released_ms`` if nothing did.

    ``delivered`` pairs each agency with the time it got it; ``answers`` are the messages released because of it.
    """

    inject: str
    title: str
    type: str
    mode: str
    sender: str
    to: tuple[str, ...]
    objective: str | None
    expected: str
    carries: tuple[str, ...]
    planned_ms: int | None
    released_ms: int | None
    released_wall_ms: int | None
    delivered: tuple[tuple[str, int], ...]
    answers: tuple[str, ...]

    @property
    def drift_ms(self) -> int | None:
        """How much later than planned it was released."""
        if self.planned_ms is None or self.released_ms is None:
            return None
        return self.released_ms - self.planned_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchTaken:
    """Which way play went at a branch, and the message or inject that decided it."""

    branch: str
    at_ms: int
    outcome: str
    because: str
    injects: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOutage:
    """A time in which an agency's link was down; ``restored`` is False if it was still down at ENDEX."""

    agency: str
    begin_ms: int
    end_ms: int
    restored: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A message that was not let through, or that a reader would not take."""

    at_ms: int
    seen_by: str
    agency: str  # whose message it was
    hid: str | None
    what: str
    code: str
    stage: str
    refusals: tuple[tuple[int, str, str], ...]  # place, reader, rule


def list_injects(pack: Pack, history: History) -> tuple[InjectPlayed, ...]:
    """Set each row of the MSEL beside what became of it."""
    released = {moment.text("inject"): moment for moment in reversed(history.of_stage("inject_released", source=EXCON))}
    delivered = history.of_stage("inject_delivered", source=EXCON)
    rows = []
    for inject in pack.injects:
        moment = released.get(inject.inject)
        rows.append(
            InjectPlayed(
                inject=inject.inject,
                title=inject.title,
                type=inject.type,
                mode=inject.mode,
                sender=inject.sender,
                to=inject.to,
                objective=inject.objective,
                expected=inject.expected,
                carries=inject.carries,
                planned_ms=inject.time_ms,
                released_ms=moment.at_ms if moment else None,
                released_wall_ms=moment.wall_ms if moment else None,
                delivered=tuple(
                    (each.text("agency"), each.at_ms) for each in delivered if each.text("inject") == inject.inject
                ),
                answers=tuple(
                    dict.fromkeys(release.hid for release in history.releases if release.cause == inject.inject)
                ),
            )
        )
    return tuple(rows)


def list_branches(history: History) -> tuple[BranchTaken, ...]:
    """List the branches that were decided, in order."""
    return tuple(
        BranchTaken(
            branch=moment.text("branch"),
            at_ms=moment.at_ms,
            outcome=moment.text("outcome"),
            because=moment.text("because"),
            injects=tuple(str(inject) for inject in moment.fields.get("injects") or ()),
        )
        for moment in history.of_stage("branch_taken", source=EXCON)
    )


def list_outages(pack: Pack, history: History) -> tuple[LinkOutage, ...]:
    """Pair each link_down with the link_up that ended it."""
    outages = []
    for participant in pack.participants:
        down_ms: int | None = None
        for moment in history.of_stage("link_up", "link_down", source=participant.agency):
            if moment.stage == "link_down" and down_ms is None:
                down_ms = moment.at_ms
            elif moment.stage == "link_up" and down_ms is not None:
                # A session that is over and back in the same moment, as after a suspension, held nothing up.
                if moment.at_ms > down_ms:
                    outages.append((participant.agency, down_ms, moment.at_ms, moment.at_ms <= history.end_ms))
                down_ms = None
        if down_ms is not None:
            outages.append((participant.agency, down_ms, history.end_ms, False))
    return tuple(
        LinkOutage(agency=agency, begin_ms=begin_ms, end_ms=min(end_ms, history.end_ms), restored=restored)
        for agency, begin_ms, end_ms, restored in outages
        if begin_ms < history.end_ms
    )


def list_refusals(history: History) -> tuple[Refusal, ...]:
    """List refusals by the router, rejections by readers, and mis-releases that readers noticed."""
    rows = []
    for moment in history.of_stage("refused", "rejected", "misreleased"):
        # The author's own note of the router's refusal would tell the same twice.
        if moment.stage == "refused" and moment.source != ROUTER:
            continue
        what = {
            "refused": "refused by the router",
            "rejected": "rejected by the reader",
            "misreleased": "noticed by the reader as released to it by mistake",
        }[moment.stage]
        rows.append(
            Refusal(
                at_ms=moment.at_ms,
                seen_by=moment.source,
                agency=moment.text("originator") or "unknown",
                hid=moment.text("hid") or None,
                what=what,
                code=moment.text("code") or moment.text("rule"),
                stage=moment.text("stage_failed"),
                refusals=tuple(
                    (int(each["place"]), str(each.get("recipient") or each.get("reader")), str(each.get("rule") or ""))
                    for each in moment.fields.get("refusals") or ()
                ),
            )
        )
    return tuple(rows)
