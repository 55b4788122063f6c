"""Who has contributed to a shared pool, counted from what was really released: for the authorities, who decide on it.

The count decides nothing by itself. What counts stands in the bundle, dated and signed (docs/adr/0013-reciprocity.md);
this is what its signers look at before they sign.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from policy.community import Community
from policy.difference import PastPortion


@dataclass(frozen=True, slots=True, kw_only=True)
class Contributor:
    """One member on reciprocal terms.

    Attributes:
        agency: Its id.
        reports: How many reports of its own others have had from the pool in the time asked for.
        last_at_ms: When the last of them was released, Unix ms; None if there is none.
        reads: Whether it reads the pool as the bundle stands.
        until_ms: Until when a contribution of it is on record, Unix ms; None if none is, or without an end.
    """

    agency: str
    reports: int
    last_at_ms: int | None
    reads: bool
    until_ms: int | None


def contributors(
    portions: Iterable[PastPortion], *, mechanism: str, community: Community, since_ms: int, at_ms: int
) -> tuple[Contributor, ...]:
    """Count what the members on reciprocal terms have given to a pool.

    A report counts if a portion of it names the pool in its label and somebody else was given that portion: what stays
    with its author was given to nobody.

    Args:
        portions: What was released.
        mechanism: The pool, which the community's bundle names.
        community: By whose bundle.
        since_ms: From when on a report counts, Unix ms.
        at_ms: Now; what was released later does not count.
    """
    given: dict[str, dict[str, int]] = {}
    for portion in portions:
        in_time = since_ms <= portion.at_ms <= at_ms
        if in_time and mechanism in portion.label.mechanisms and portion.got - {portion.originator}:
            reports = given.setdefault(portion.originator, {})
            reports[portion.hid] = max(portion.at_ms, reports.get(portion.hid, 0))
    reading = community.full_members(mechanism, at_ms)
    return tuple(
        Contributor(
            agency=agency,
            reports=len(given.get(agency, {})),
            last_at_ms=max(given.get(agency, {}).values(), default=None),
            reads=bool(reading & community.bit(agency)),
            until_ms=_until(agency, mechanism, community, at_ms),
        )
        for agency in community.ids(community.standing_in(mechanism, "reciprocal", at_ms))
    )


def _until(agency: str, mechanism: str, community: Community, at_ms: int) -> int | None:
    """Return when the last contribution that is on record now ceases to count."""
    (found,) = (item for item in community.bundle.mechanisms if item.mechanism == mechanism)
    ends = [
        item.end
        for item in found.memberships
        if item.standing == "contributor"
        and item.begin <= at_ms
        and item.end is not None
        and item.end > at_ms
        and (community.expand((item.subject,)) or 0) & community.bit(agency)
    ]
    return max(ends, default=None)
