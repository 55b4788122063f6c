"""Receipts that did not come in time, as their authors' nodes noted it, each with what in the play explains it.

A receipt that is overdue and that no link explains is what a router that drops looks like from outside; so a cause is
named only where the pack set one that falls into the time in which the receipt was waited for.
"""

from dataclasses import dataclass

from scenarios.evaluate.history import History, Moment
from scenarios.model import LinkProfile, Pack


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueReceipt:
    """One reader's receipt on one message; ``settled_ms`` is when it came after all, None if it never did."""

    hid: str
    agency: str  # the author
    reader: str
    released_ms: int | None
    overdue_ms: int
    settled_ms: int | None
    state: str  # overdue, settled late or expired
    accepted: bool  # whether the router had taken the release by then
    cause: str


def list_overdue(pack: Pack, history: History) -> tuple[OverdueReceipt, ...]:
    """List every receipt that was noted as overdue, or expired without having been."""
    links = _links(pack)
    released = {(release.hid, release.agency): release.at_ms for release in reversed(history.releases)}
    settled = _by_reader(history.of_stage("settled_late"))
    expired = _by_reader(history.of_stage("expired"))
    found = _by_reader(history.of_stage("overdue"))
    rows = []
    for key, moment in sorted((expired | found).items(), key=lambda item: (item[1].at_ms, item[0])):
        hid, author, reader = key
        late = settled.get(key)
        released_ms = released.get((hid, author))
        rows.append(
            OverdueReceipt(
                hid=hid,
                agency=author,
                reader=reader,
                released_ms=released_ms,
                overdue_ms=moment.at_ms,
                settled_ms=late.at_ms if late is not None else None,
                state="settled late" if late is not None else "expired" if key in expired else "overdue",
                accepted=bool(moment.fields.get("accepted")),
                cause=_cause(links, author, reader, begin_ms=released_ms or 0, end_ms=moment.at_ms),
            )
        )
    return tuple(rows)


def _by_reader(moments: tuple[Moment, ...] | list[Moment]) -> dict[tuple[str, str, str], Moment]:
    """Return the first moment of each message, author and reader."""
    return {
        (moment.text("hid"), moment.source, str(reader)): moment
        for moment in reversed(moments)
        for reader in moment.fields.get("readers") or ()
    }


def _links(pack: Pack) -> dict[str, LinkProfile]:
    profiles = {profile.link: profile for profile in pack.links}
    return {item.agency: profiles[item.link] for item in pack.participants}


def _cause(links: dict[str, LinkProfile], author: str, reader: str, *, begin_ms: int, end_ms: int) -> str:
    """Name the faults of both links that fall into a time; empty if none does."""
    found = []
    for agency in dict.fromkeys((reader, author)):
        link = links.get(agency)
        if link is None:
            continue
        down_ms = sum(_down_ms(link, begin_ms, end_ms))
        if down_ms:
            found.append(f"the link of {agency} was down for {_minutes(down_ms)} of {_minutes(end_ms - begin_ms)}")
        if link.read_every_ms:
            found.append(f"{agency} fetches every {_minutes(link.read_every_ms)}")
    return "; ".join(found)


def _down_ms(link: LinkProfile, begin_ms: int, end_ms: int) -> list[int]:
    """Return how long each outage of a link lay within a time."""
    found = []
    for outage in link.outages:
        at_ms = outage.begin_ms
        if outage.every_ms and begin_ms > at_ms:
            at_ms += (begin_ms - at_ms) // outage.every_ms * outage.every_ms
        while at_ms < end_ms:
            found.append(max(0, min(end_ms, at_ms + outage.lasts_ms) - max(begin_ms, at_ms)))
            if not outage.every_ms:
                break
            at_ms += outage.every_ms
    return found


def _minutes(span_ms: int) -> str:
    return f"{span_ms / 60_000:.0f} min"
