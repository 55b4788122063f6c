"""What was given to a pool: what counts, from when, and what the bundle has on record."""

from typing import Any, Final

import pytest

from conformance import world
from policy.community import Community
from policy.difference import PastPortion
from policy.reciprocity import contributors
from schemas.label import Label

NOW: Final = world.NOW
POOLED: Final[Label] = world.LABEL._replace(mechanisms=("sea-pool",))
COMMUNITY: Final = Community.compile(world.BUNDLE)


def portion(**changed: Any) -> PastPortion:
    fields: dict[str, Any] = {
        "hid": "ab", "place": 0, "originator": "bravo", "at_ms": NOW - 10, "label": POOLED,
        "got": frozenset({"charlie"}),
    }  # fmt: skip
    return PastPortion(**(fields | changed))


def counted(*portions: PastPortion, at_ms: int = NOW) -> dict[str, tuple[int, int | None]]:
    found = contributors(portions, mechanism="sea-pool", community=COMMUNITY, since_ms=NOW - 100, at_ms=at_ms)
    return {item.agency: (item.reports, item.last_at_ms) for item in found}


def test_h8_a_report_counts_once_however_many_portions_and_releases_it_has() -> None:
    again = (portion(), portion(place=1, at_ms=NOW - 5), portion(hid="cd", at_ms=NOW - 7))

    assert {"bravo": (2, NOW - 5), "charlie": (0, None)} == counted(*again)


@pytest.mark.parametrize(
    "changed",
    [
        {"label": world.LABEL},
        {"got": frozenset()},
        {"got": frozenset({"bravo"})},
        {"at_ms": NOW - 101},
        {"at_ms": NOW + 1},
        {"originator": "golf"},  # no member on reciprocal terms
    ],
)
def test_h8_what_was_given_to_nobody_or_elsewhere_or_at_another_time_is_no_contribution(
    changed: dict[str, Any],
) -> None:
    assert {"bravo": (0, None), "charlie": (0, None)} == counted(portion(**changed))


def test_h8_what_is_on_record_is_told_beside_what_was_given() -> None:
    before, now = (
        {
            item.agency: (item.reads, item.until_ms)
            for item in contributors((), mechanism="sea-pool", community=COMMUNITY, since_ms=0, at_ms=at_ms)
        }
        for at_ms in (NOW - 1, NOW)
    )

    assert {"bravo": (True, NOW), "charlie": (True, NOW + world.DAY_MS)} == before
    assert {"bravo": (False, None), "charlie": (True, NOW + world.DAY_MS)} == now
