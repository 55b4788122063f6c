"""What a proposed bundle changes: which past reports would have gone elsewhere, who gains, who loses.

Rules are argued about in the abstract and felt in the particular. So a proposal is laid over what was really sent: each
portion is decided again as of its own time, by the bundle that held and by the one that is proposed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from policy.audience import audience_mask
from policy.community import Community
from policy.decide import decide
from policy.verdict import Action
from schemas.label import Label


@dataclass(frozen=True, slots=True, kw_only=True)
class PastPortion:
    """One portion of a report that was released.

    Attributes:
        hid: The report.
        place: The portion's.
        originator: Who released it.
        at_ms: When, Unix ms.
        label: As the router saw it.
        got: The agencies that it was released to.
        meant: The agencies that its author meant to tell, whether the rules let it or not; None where that is unknown,
            as it is to a router.
    """

    hid: str
    place: int
    originator: str
    at_ms: int
    label: Label
    got: frozenset[str]
    meant: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One agency that the proposal moves into or out of a portion's audience, and the rule that decides it then."""

    agency: str
    rule: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PortionShift:
    """What the proposal changes for one past portion.

    Attributes:
        portion: Which.
        gains: Those who would have got it: meant by its author, or with ``meant`` unknown, permitted at all.
        loses: Those who got it, and would not have.
        opened: Those whom only the proposal permits, and whom the author did not mean.
        closed: Those whom only the rules of the time permit, and who did not get it.
    """

    portion: PastPortion
    gains: tuple[Shift, ...]
    loses: tuple[Shift, ...]
    opened: tuple[str, ...]
    closed: tuple[str, ...]

    @property
    def reaches(self) -> bool:
        """Whether anybody's reports would have been others, and not only what the rules allow in the abstract."""
        return bool(self.gains or self.loses)


def bundle_shifts(
    portions: Iterable[PastPortion], *, old: Community, new: Community
) -> tuple[PortionShift, ...]:  # fmt: skip
    """Return the past portions whose audience the proposal changes, in the order given.

    Args:
        portions: What was released.
        old: By the rules that held.
        new: By those that are proposed; an agency that only one of both names is nobody under the other.
    """
    shifts = (_shift(portion, old, new) for portion in portions)
    return tuple(shift for shift in shifts if shift is not None)


def by_agency(shifts: Iterable[PortionShift]) -> Mapping[str, tuple[int, int]]:
    """Return for each agency how many past reports it gains and loses, by name."""
    gains: dict[str, set[str]] = {}
    loses: dict[str, set[str]] = {}
    for shift in shifts:
        for found, moved in ((gains, shift.gains), (loses, shift.loses)):
            for item in moved:
                found.setdefault(item.agency, set()).add(shift.portion.hid)
    return {
        agency: (len(gains.get(agency, ())), len(loses.get(agency, ()))) for agency in sorted({*gains, *loses})
    }  # fmt: skip


def _shift(portion: PastPortion, old: Community, new: Community) -> PortionShift | None:
    before, after = _audience(portion, old), _audience(portion, new)
    if before == after:
        return None
    meant = after if portion.meant is None else portion.meant
    gained, lost = after - before - portion.got, before - after
    return PortionShift(
        portion=portion,
        gains=tuple(_by_rule(portion, agency, new) for agency in sorted(gained & meant)),
        loses=tuple(_by_rule(portion, agency, new) for agency in sorted(lost & portion.got)),
        opened=tuple(sorted(gained - meant)),
        closed=tuple(sorted(lost - portion.got)),
    )


def _audience(portion: PastPortion, community: Community) -> frozenset[str]:
    mask = audience_mask(portion.label, originator=portion.originator, at_ms=portion.at_ms, community=community)
    return frozenset(community.ids(mask)) - {portion.originator}


def _by_rule(portion: PastPortion, agency: str, community: Community) -> Shift:
    verdict = decide(
        portion.label, originator=portion.originator, recipient=agency, action=Action.RELEASE, at_ms=portion.at_ms,
        community=community,
    )  # fmt: skip
    told = [reason.text for reason in verdict.reasons if reason.passed is verdict.permit]
    return Shift(agency=agency, rule=verdict.rule, reason=(told[-1] if verdict.permit else told[0]) if told else "")
