"""What a soak must have seen, or it has not tried what it says: faults, and the branches that recover from them."""

from collections.abc import Mapping
from typing import Final

SEEDS_FOR_ALL_KINDS: Final = 200  # a soak of so many seeds must have seen every kind of fault and recovery

EXPECTED: Final = (
    "accepted", "accepted again", "cuts tried with the keys of others", "deaths", "desk told that the disk is full",
    "died after-commit", "died after-send", "died before-commit", "died before-send", "fault broker_restart",
    "fault clock_drift", "fault clock_jump", "fault clock_skew", "fault cut", "fault damaged_file", "fault delay",
    "fault disk_full", "fault duplicate", "fault lying_disk", "fault node_crash", "fault old_snapshot",
    "fault partition", "fault power_cut", "fault swapped_file", "fault takeover", "keys changed", "net duplicates",
    "net held", "net lost", "net refused", "net silent_ends", "net takeovers", "node duplicate", "node gap",
    "node link_down", "node log_fault", "node opened", "node recalled", "node receipt", "node refused AUDIENCE",
    "node rejected FUTURE", "node rejected STALE", "node superseded", "node verified", "put back the broker",
    "put back the node", "recall carried out", "recalled", "recalled again", "recalled too early",
    "refused a file of another", "revoked", "router cancelled", "router refused",
    "evil misrouted", "evil replayed", "hostile flood", "hostile poison", "hostile slow",
    "latency of others measured", "noticed as a duplicate", "noticed by its reader", "noticed overdue",
    "noticed split view", "throttled", "throttled, on record",
)  # fmt: skip


def never_seen(sometimes: Mapping[str, int]) -> list[str]:
    """Return the faults and recoveries that a soak should have seen and has not."""
    return [what for what in EXPECTED if not sometimes.get(what)]
