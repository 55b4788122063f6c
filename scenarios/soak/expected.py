"""What a soak must have seen, or it has not tried what it says: faults, and the branches that recover from them."""

from collections.abc import Mapping
from typing import Final

SEEDS_FOR_ALL_KINDS: Final = 200  # a soak of so many seeds must have seen every kind of fault and recovery …
SEEDS_FOR_RARE_KINDS: Final = 1_000  # … and one of so many also what comes up in one run of fifty

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


# The workflow of sharing: what was done, and between which two steps of it a fault fell (ghost_between.py).
_WORKFLOW: Final = (
    "consent granted", "consent refused", "grant over", "joint product delivered", "joint product made again",
    "joint product signed", "product denied", "product recalled", "product tainted", "question due and open",
    "question settled: answered", "question settled: declined", "released under a grant", "request lapsed",
    "struck between proposal and answer", "struck between question and answer", "struck between recall and receipt",
    "struck between request and decision",
)  # fmt: skip
_RARE: Final = (
    "author told where its report was used", "joint product given up", "joint product refused",
    "joint product withdrawn", "question settled: accepted", "question settled: done", "question settled: hit",
    "question settled: no_hit", "struck between decision and re-release", "struck between re-release and its end",
    "struck between taint and recall", "struck between two co-signatures", "struck between withdrawal and re-issue",
)  # fmt: skip


def never_seen(sometimes: Mapping[str, int], *, seeds: int) -> list[str]:
    """Return the faults and recoveries that a soak of so many seeds should have seen and has not."""
    expected = (*EXPECTED, *_WORKFLOW) if seeds >= SEEDS_FOR_ALL_KINDS else ()
    if seeds >= SEEDS_FOR_RARE_KINDS:
        expected = (*expected, *_RARE)
    return [what for what in expected if not sometimes.get(what)]
