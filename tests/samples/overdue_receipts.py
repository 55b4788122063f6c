"""Readers to whom the router gives nothing, and what their silence makes the author's desk say."""

from collections.abc import Iterable

from agencies.notices import Notice
from schemas.frames import Delivery
from tests.samples.small_nodes import SmallRegion, draft

WEEK_MS = draft("").lifetime_ms


def lose_all_to(region: SmallRegion, *readers: str) -> None:
    """Have a router that takes everything, and gives these readers nothing."""
    region.wire.lost = lambda agency, message: agency in readers and isinstance(message, Delivery)


async def look(region: SmallRegion, agency: str, at_ms: int) -> list[tuple[str, tuple[str, ...], bool]]:
    """Look at a time, and return what the desk was told since the last look."""
    region.set_clock(at_ms)
    before = len(region.notices)
    await region.nodes[agency].look_for_overdue()
    return told(region.notices[before:], agency)


def told(notices: Iterable[tuple[str, Notice]], agency: str) -> list[tuple[str, tuple[str, ...], bool]]:
    return [(notice.word, notice.readers, notice.accepted) for name, notice in notices if name == agency]
