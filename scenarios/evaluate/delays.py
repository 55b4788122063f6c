"""Where the time went between a fact's first arrival and the moment an agency's need was met.

K - T0 is cut along the causal chain of messages by which the fact came:

* **desk**: a message lay delivered and unopened;
* **link**: a message was released and not yet verified at its reader (queue, transit, outage);
* **rule**: a holder knew the fact and had not released it onward, and some holder's attempt to give it to this agency
  had already been denied by a rule, or a release towards it had been refused;
* **hold**: the rest of the time in which a holder knew the fact and had not released it onward.

The cuts are made at moments of the record put in order, so the four parts always add up to the whole. A need that was
missed is cut in the same way up to ENDEX, along the message that came furthest.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from scenarios.evaluate.cells import Cell
from scenarios.evaluate.denials import Denial
from scenarios.evaluate.history import History, Release
from scenarios.evaluate.knowledge import Knowledge, Learned
from scenarios.evaluate.tagging import Tagging

DelayPart = Literal["hold", "rule", "link", "desk"]
DELAY_PARTS: Final[tuple[DelayPart, ...]] = ("hold", "rule", "link", "desk")
DelayCause = Literal["person", "rule", "link"]

# Holding back and leaving unread are both acts of people; the split tells them apart, the headline need not.
CAUSE_OF_PART: Final[dict[DelayPart, DelayCause]] = {"hold": "person", "rule": "rule", "link": "link", "desk": "person"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A piece of the time between T0 and the need being met; ``agency`` is where the fact lay or went."""

    part: DelayPart
    begin_ms: int
    end_ms: int
    agency: str
    hid: str | None
    rule: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DelaySplit:
    """The parts of K - T0 (or of ENDEX - T0 for a missed need) and the stretches they are made of."""

    total_ms: int
    hold_ms: int
    rule_ms: int
    link_ms: int
    desk_ms: int
    rules: tuple[str, ...]
    chain: tuple[str, ...]  # hids, first to last
    stretches: tuple[Stretch, ...]
    complete: bool  # False for a missed need, whose last stretch is cut off by ENDEX

    @property
    def largest(self) -> DelayPart:
        """The part that took longest; of equals, what stands nearer to the reader of the rules comes first."""
        parts: tuple[DelayPart, ...] = ("rule", "link", "desk", "hold")
        return max(parts, key=lambda part: (self.part_ms(part), -parts.index(part)))

    def part_ms(self, part: DelayPart) -> int:
        """Return one part's length."""
        return {"hold": self.hold_ms, "rule": self.rule_ms, "link": self.link_ms, "desk": self.desk_ms}[part]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One message on the way: who released it, when its reader could read it, when the desk opened it."""

    sender: str
    reader: str
    hid: str
    released_ms: int
    read_ms: int | None
    opened_ms: int | None


def split_delay(
    cell: Cell, history: History, knowledge: Knowledge, tagging: Tagging, denials: Iterable[Denial]
) -> DelaySplit | None:
    """Split the delay of a needed cell; None where nothing was delayed (origin, not observed, not needed)."""
    t0_ms = knowledge.first_ms.get(cell.fact)
    if t0_ms is None or cell.need is None or cell.state not in {"on time", "late", "missed"}:
        return None
    met = knowledge.first_met(cell.fact, cell.agency) if cell.state != "missed" else None
    way = met or _furthest_way(cell, history, tagging, knowledge)
    end_ms = history.end_ms if met is None or met.met_ms is None else met.met_ms
    against = [
        denial
        for denial in denials
        if denial.agency == cell.agency and cell.fact in denial.facts and t0_ms <= denial.at_ms <= end_ms
    ]
    chain = _chain(cell.fact, way, history, knowledge)
    return cut(t0_ms, end_ms, chain, against, complete=met is not None, holder=knowledge.first_holder(cell.fact))


def _furthest_way(cell: Cell, history: History, tagging: Tagging, knowledge: Knowledge) -> Learned | None:
    """What came nearest to meeting a missed need: read and unopened, or else released and never arrived."""
    unread = [way for way in knowledge.ways(cell.fact, cell.agency) if way.by == "message"]
    if unread:
        return unread[0]
    for release in history.releases:
        sent = any(
            release.reaches(cell.agency, portion.place) and cell.fact in tagging.facts_of(release.hid, portion)
            for portion in release.portions
        )
        # A refused release is the rule's doing and never was on its way.
        if sent and release.at_ms <= history.end_ms and not _was_refused(release, history):
            return Learned(
                fact=cell.fact,
                agency=cell.agency,
                read_ms=history.end_ms,
                read_wall_ms=history.end_wall_ms,
                met_ms=None,
                met_wall_ms=None,
                by="message",
                source=release.hid,
                sender=release.agency,
                release=release,
            )
    return None


def _was_refused(release: Release, history: History) -> bool:
    return history.first(release.agency, "refused", release.hid, from_ms=release.at_ms) is not None or (
        history.first("router", "refused", release.hid, from_ms=release.at_ms) is not None
    )


def _chain(fact: str, way: Learned | None, history: History, knowledge: Knowledge) -> tuple[Step, ...]:
    """Follow a fact back to its root: by the cause of each release where that told the sender, else by what did."""
    steps: list[Step] = []
    seen: set[tuple[str, str]] = set()
    while way is not None and way.by == "message" and way.release is not None:
        if (way.agency, way.source) in seen:  # equal times can close a circle; a circle explains nothing further
            break
        seen.add((way.agency, way.source))
        release = way.release
        opened = history.first(way.agency, "opened", way.source, from_ms=way.read_ms)
        steps.append(
            Step(
                sender=release.agency,
                reader=way.agency,
                hid=release.hid,
                released_ms=release.at_ms,
                read_ms=way.read_ms,
                opened_ms=opened.at_ms if opened else None,
            )
        )
        before = [each for each in knowledge.ways(fact, release.agency) if each.read_ms <= release.at_ms]
        way = next((each for each in before if each.source == release.cause), before[0] if before else None)
    return tuple(reversed(steps))


def cut(
    t0_ms: int,
    end_ms: int,
    chain: tuple[Step, ...],
    denials: Iterable[Denial],
    *,
    complete: bool,
    holder: str = "",
) -> DelaySplit:
    """Cut the time from ``t0_ms`` to ``end_ms`` at the moments of a chain, clamped into order.

    ``holder`` is where the fact lay if nothing was sent at all.
    """
    first_denial = min(denials, key=lambda denial: denial.at_ms, default=None)
    stretches: list[Stretch] = []
    at_ms = t0_ms

    def until(moment_ms: int, part: DelayPart, agency: str, hid: str | None, rule: str | None = None) -> None:
        nonlocal at_ms
        stop_ms = max(at_ms, min(moment_ms, end_ms))
        if stop_ms > at_ms:
            stretches.append(Stretch(part=part, begin_ms=at_ms, end_ms=stop_ms, agency=agency, hid=hid, rule=rule))
        at_ms = stop_ms

    def held(moment_ms: int, agency: str, hid: str | None) -> None:
        if first_denial is not None:
            until(min(first_denial.at_ms, moment_ms), "hold", agency, hid)
            until(moment_ms, "rule", first_denial.holder, hid, first_denial.rule)
        else:
            until(moment_ms, "hold", agency, hid)

    for number, step in enumerate(chain):
        held(step.released_ms, step.sender, step.hid)
        until(step.read_ms if step.read_ms is not None else end_ms, "link", step.reader, step.hid)
        last = number == len(chain) - 1
        next_ms = end_ms if last else chain[number + 1].released_ms
        if last:
            until(end_ms, "desk", step.reader, step.hid)
        elif step.opened_ms is not None:
            until(min(step.opened_ms, next_ms), "desk", step.reader, step.hid)
    if not chain:
        held(end_ms, holder, None)
    return _added_up(end_ms - t0_ms, tuple(stretches), chain, complete=complete)


def _added_up(total_ms: int, stretches: tuple[Stretch, ...], chain: tuple[Step, ...], *, complete: bool) -> DelaySplit:
    parts = {
        part: sum(stretch.end_ms - stretch.begin_ms for stretch in stretches if stretch.part == part)
        for part in DELAY_PARTS
    }
    rules = dict.fromkeys(stretch.rule for stretch in stretches if stretch.rule is not None)
    return DelaySplit(
        total_ms=total_ms,
        hold_ms=parts["hold"],
        rule_ms=parts["rule"],
        link_ms=parts["link"],
        desk_ms=parts["desk"],
        rules=tuple(rules),
        chain=tuple(step.hid for step in chain),
        stretches=stretches,
        complete=complete,
    )
