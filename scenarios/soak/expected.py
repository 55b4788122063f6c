"""What a soak must have seen, or it has not tried what it says: faults, and the branches that recover from them."""

from collections.abc import Mapping
from typing import Final

SEEDS_FOR_ALL_KINDS: Final = 200  # a soak of so many seeds must have seen every kind of fault and recovery

EXPECTED: Final = (
    "accepted", "accepted again", "cuts tried with the keys of others", "deaths", "died after-commit",
    "died after-send", "died before-commit", "died before-send", "fault broker_restart", "fault clock_skew",
    "fault cut", "fault delay", "fault duplicate", "fault node_crash", "fault partition", "fault takeover",
    "net duplicates", "net held", "net lost", "net refused", "net silent_ends", "net takeovers", "node link_down",
    "node opened", "node receipt", "node refused AUDIENCE", "node rejected FUTURE", "node superseded", "node verified",
    "revoked", "router cancelled", "router refused",
)  # fmt: skip


def never_seen(sometimes: Mapping[str, int]) -> list[str]:
    """Return the faults and recoveries that a soak should have seen and has not."""
    return [what for what in EXPECTED if not sometimes.get(what)]
