"""What each change of the community came to: who got what by it, and from whom it kept what.

A change is judged by what was released while it was the last one: decided as it was, and decided once more by the
bundle before. What differs is its doing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from policy.difference import bundle_shifts, by_agency
from scenarios.community_changes import Communities
from scenarios.evaluate.history import EXCON, ROUTER, History
from scenarios.model import Pack
from scenarios.past_reports import past_portions
from scenarios.record import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class CommunityChange:
    """One new version of the bundle; ``at_ms`` since STARTEX.

    Attributes:
        reached: Agencies that got reports which the version before would have kept from them, and how many.
        kept_from: Agencies that were kept from reports which the version before would have let them have.
        reports: How many were released until the next change, or the end.
        taken_up_ms: When each node took the version up, since STARTEX; who never did is missing.
        by_older: Who still released by an older version while this one was in force, and how many messages.
    """

    at_ms: int
    change: str
    version: int
    steps: tuple[str, ...]
    why: str
    signed_by: tuple[str, ...]
    reached: Mapping[str, int]
    kept_from: Mapping[str, int]
    reports: int
    taken_up_ms: Mapping[str, int]
    by_older: Mapping[str, int]


def list_changes(
    pack: Pack, history: History, events: Iterable[Event], communities: Communities
) -> tuple[CommunityChange, ...]:
    """List the changes that were made, in order.

    Args:
        pack: What was played.
        history: The record, as evaluation reads it.
        events: The record itself.
        communities: By which each release was decided.
    """
    moments = history.of_stage("bundle_changed", source=EXCON)
    if not moments:
        return ()
    portions = past_portions(sorted(events, key=lambda event: (event.at_ms, event.source, event.number)))
    ends = [*(moment.at_ms for moment in moments[1:]), None]
    found = []
    for moment, end_ms in zip(moments, ends, strict=True):
        at_ms = pack.start_ms + moment.at_ms
        version = int(moment.fields["version"])
        until_ms = None if end_ms is None else pack.start_ms + end_ms
        theirs = [each for each in portions if at_ms <= each.at_ms and (until_ms is None or each.at_ms < until_ms)]
        # Laid over what was sent as a proposal would be: what the version before would have taken away came by this
        # one, and what it would have brought was kept away by this one.
        shifts = bundle_shifts(theirs, old=communities.of(version), new=communities.of(version - 1))
        counts = by_agency(shifts)
        taken_up_ms = {
            taken.source: taken.at_ms
            for taken in reversed(history.of_stage("bundle"))
            if taken.source != ROUTER and int(taken.fields.get("version") or 0) == version
        }
        by_older = Counter(
            release.agency
            for release in history.releases
            if moment.at_ms <= release.at_ms < (history.end_ms if until_ms is None else until_ms - pack.start_ms)
            and release.at_ms < taken_up_ms.get(release.agency, history.end_ms)
        )
        found.append(
            CommunityChange(
                at_ms=moment.at_ms,
                change=moment.text("change"),
                version=version,
                steps=tuple(str(step) for step in moment.fields.get("steps") or ()),
                why=moment.text("why"),
                signed_by=tuple(str(name) for name in moment.fields.get("signed_by") or ()),
                reached={agency: lost for agency, (_, lost) in counts.items() if lost},
                kept_from={agency: gained for agency, (gained, _) in counts.items() if gained},
                reports=len({each.hid for each in theirs}),
                taken_up_ms=dict(sorted(taken_up_ms.items())),
                by_older=dict(sorted(by_older.items())),
            )
        )
    return tuple(found)
