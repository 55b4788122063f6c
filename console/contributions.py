"""``sandiwara bundle contributions``: who gave what to a reciprocal pool, for those who put contributions on record."""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from console.node_view import clock_text
from console.policy import community_of, portions_of
from console.screen import console, plain, write_json
from policy.reciprocity import Contributor, contributors
from schemas.errors import UsageError
from transport.clock import SystemClock

_DAY_MS: Final = 24 * 3_600_000
_DAYS_MAX: Final = 3_650  # ten years; a bundle ends before


def show_contributions(arguments: argparse.Namespace) -> None:
    """Count contributions to a pool and say what could be put on record.

    Raises:
        InputError: If the bundle or the log cannot be read.
        UsageError: If the bundle has no such pool, or the days are none.
    """
    if not 1 <= arguments.days <= _DAYS_MAX:
        msg = f"--days: {arguments.days} is not from 1 to {_DAYS_MAX}"
        raise UsageError(msg, remedy="say for how many days a contribution counts")
    community = community_of(arguments.place)
    if not community.knows_mechanism(arguments.mechanism):
        known = ", ".join(item.mechanism for item in community.bundle.mechanisms) or "none"
        msg = f"the bundle has no mechanism '{arguments.mechanism[:60]}'"
        raise UsageError(msg, remedy=f"it has: {known}")
    portions = portions_of(Path(arguments.log))
    # Of a play, the exercise's own time counts: its last release is now.
    at_ms = max((portion.at_ms for portion in portions), default=SystemClock().now_ms())
    found = contributors(
        portions, mechanism=arguments.mechanism, community=community,
        since_ms=at_ms - arguments.days * _DAY_MS, at_ms=at_ms,
    )  # fmt: skip
    if arguments.json:
        write_json(
            {
                "mechanism": arguments.mechanism,
                "at_ms": at_ms,
                "days": arguments.days,
                "members": [
                    {
                        "agency": item.agency, "reports": item.reports, "last_at_ms": item.last_at_ms,
                        "reads": item.reads, "until_ms": item.until_ms,
                        "credit": _credit(item, arguments.mechanism, arguments.days),
                    }
                    for item in found
                ],
            }
        )  # fmt: skip
        return
    screen = console()
    if not found:
        text = f"nobody is a member of {arguments.mechanism} on reciprocal terms"
        screen.print(plain(text), soft_wrap=True)
    for item in found:
        reads = "reads" if item.reads else "does not read"
        until = "" if item.until_ms is None else f" until {clock_text(item.until_ms)}"
        given = "has given nothing" if item.last_at_ms is None else _given(item)
        screen.print(plain(f"{item.agency:<16} {reads}{until}; {given}"), soft_wrap=True)
        credit = _credit(item, arguments.mechanism, arguments.days)
        if credit is not None:
            screen.print(plain(f"  to put on record: sandiwara bundle propose … {credit}", style="dim"), soft_wrap=True)


def _given(item: Contributor) -> str:
    return f"has given {item.reports} report{'' if item.reports == 1 else 's'}, last {clock_text(item.last_at_ms or 0)}"


def _credit(item: Contributor, mechanism: str, days: int) -> str | None:
    """Return the step that puts the last contribution on record for as many days; None where there is nothing to."""
    if item.last_at_ms is None:
        return None
    until = datetime.fromtimestamp((item.last_at_ms + days * _DAY_MS) / 1000, UTC)
    return f"--credit {mechanism}={item.agency}@{until:%Y-%m-%d}"
