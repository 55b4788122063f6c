"""Did a correction reach everybody who had the mistake (handling rule H13)?

A past recipient is any agency whose node had verified the corrected report, or a report derived from it, before the
correction reached that agency. It counts as corrected by the correction itself, by a report derived from it, or by a
correction that somebody who had quoted the mistake sent in turn.
"""

from dataclasses import dataclass

from scenarios.evaluate.history import EXCON, Arrival, History, Release
from scenarios.model import Condition, Pack


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRecipient:
    """One agency that had the mistaken report: since when, through which message, and when it was put right."""

    agency: str
    had_ms: int
    through: str  # the corrected report's hid, or the derived report's
    corrected_ms: int | None
    opened_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A report that supersedes an earlier one, and what became of each past recipient."""

    hid: str
    corrects: str
    agency: str
    order: str | None
    released_ms: int
    reason: str
    recipients: tuple[PastRecipient, ...]

    @property
    def reached(self) -> int:
        """How many past recipients got it by ENDEX."""
        return sum(1 for recipient in self.recipients if recipient.corrected_ms is not None)


def find_corrections(history: History) -> tuple[Correction, ...]:
    """Collect the corrections of a play: reports that say of themselves that they supersede another."""
    writers = {release.hid: release.agency for release in history.releases}
    seen: set[str] = set()
    found = []
    for release in history.releases:
        # "A correction is a report with `ref`", of the same originator -- docs/spec/envelope.md, "Correction"
        corrects = release.kind == "report" and release.ref is not None and writers.get(release.ref) == release.agency
        if corrects and release.ref is not None and release.hid not in seen:
            seen.add(release.hid)
            found.append(_follow(release, release.ref, history))
    return tuple(found)


def _follow(correction: Release, corrected: str, history: History) -> Correction:
    mistaken = _with_derived({corrected}, history)
    in_turn = {
        release.hid for release in history.releases if release.ref in mistaken and release.at_ms >= correction.at_ms
    }
    remedies = _with_derived({correction.hid} | in_turn, history)
    had: dict[str, Arrival] = {}
    put_right: dict[str, Arrival] = {}
    for arrival in history.arrivals:
        if arrival.at_ms > history.end_ms or arrival.agency == correction.agency:
            continue
        # A product that quotes both the mistake and its correction corrects.
        if arrival.hid in remedies:
            put_right.setdefault(arrival.agency, arrival)
        elif arrival.hid in mistaken - remedies and arrival.agency not in put_right:
            had.setdefault(arrival.agency, arrival)
    recalled = {(moment.source, moment.text("hid")) for moment in history.of_stage("recalled")}
    recipients = []
    for agency, arrival in had.items():
        if agency not in put_right and (agency, arrival.hid) in recalled:
            # It was taken back there, and holds no mistake that would have to be put right.
            continue
        remedy = put_right.get(agency)
        opened = history.first(agency, "opened", remedy.hid, from_ms=remedy.at_ms) if remedy else None
        recipients.append(
            PastRecipient(
                agency=agency,
                had_ms=arrival.at_ms,
                through=arrival.hid,
                corrected_ms=remedy.at_ms if remedy else None,
                opened_ms=opened.at_ms if opened is not None and opened.at_ms <= history.end_ms else None,
            )
        )
    return Correction(
        hid=correction.hid,
        corrects=corrected,
        agency=correction.agency,
        order=correction.order,
        released_ms=correction.at_ms,
        reason=correction.reason,
        recipients=tuple(recipients),
    )


def _with_derived(hids: set[str], history: History) -> frozenset[str]:
    """Reports and all that was derived from them, however far: the taint walk."""
    tainted = set(hids)
    grown = True
    while grown:
        before = len(tainted)
        for release in history.releases:
            if any(tainted & set(portion.derived_from) for portion in release.portions):
                tainted.add(release.hid)
        grown = len(tainted) > before
    return frozenset(tainted)


def corrections_called_for(pack: Pack, history: History) -> frozenset[str]:
    """Return the correcting orders whose occasion came: the inject that should make the desk correct was delivered."""
    delivered = {moment.text("inject") for moment in history.of_stage("inject_delivered", source=EXCON)}
    return frozenset(order.order for order in pack.orders if order.do == "correct" and _injects(order.on) & delivered)


def _injects(condition: Condition) -> frozenset[str]:
    """The injects that a condition waits for; what it must not see is no occasion."""
    trigger = condition.trigger
    own = {trigger.inject} if trigger is not None and trigger.word == "inject_delivered" and trigger.inject else set()
    return frozenset(own).union(*(_injects(part) for part in (*condition.all, *condition.any)))
