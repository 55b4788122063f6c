"""What many runs come to: for each kind of fault, in how many runs it fired, and what became of the reports of these.

Summed over all seeds these are the rows of the fault matrix: so many reports accepted under this fault, none lost, at
most one effect each.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

# What a run counts under these names is a fault that was carried out; all else is what came of it.
_FAULTS: Final = ("fault ", "evil ", "hostile ", "poison ", "died ")
_FAULTS_BY_NAME: Final = {
    "revoked": "revocation",
    "recalled": "recall",
    "keys changed": "key change",
    "net silent_ends": "silent link",
    "net takeovers": "takeover seen",
}
# What a lying router does is counted by its ways; here by the kinds that plans and the fault matrix name.
_LIES_BY_WAY: Final = {
    "evil emptied": "evil drop",
    "evil hidden": "evil drop",
    "evil replayed": "evil replay",
    "evil substituted": "evil substitute",
    "evil misrouted": "evil misroute",
    "evil accepted and kept": "evil lie",
    "evil refused without cause": "evil lie",
    "evil another's verdict": "evil lie",
    "evil split view": "evil split_view",
}
ALL: Final = "all runs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What became of the reports of one run."""

    accepted: int  # of which a desk was told so
    deliveries: int  # (report, reader) pairs that are on the reader's disk
    lost: int  # accepted, and at no end that anybody could see
    doubled: int  # effects that came a second time


@dataclass(slots=True)
class Row:
    """One kind of fault over all runs in which it fired."""

    runs: int = 0
    fired: int = 0
    accepted: int = 0
    deliveries: int = 0
    lost: int = 0
    doubled: int = 0

    def add(self, account: Account, *, fired: int) -> None:
        """Add a run."""
        self.runs += 1
        self.fired += fired
        self.accepted += account.accepted
        self.deliveries += account.deliveries
        self.lost += account.lost
        self.doubled += account.doubled


@dataclass(slots=True)
class Figures:
    """The sum over the runs of a soak."""

    seeds: int = 0
    virtual_ms: int = 0
    processor_s: float = 0.0
    sometimes: dict[str, int] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)

    def add(self, sometimes: Mapping[str, int], account: Account, *, virtual_ms: int, processor_s: float) -> None:
        """Add a run."""
        self.seeds += 1
        self.virtual_ms += virtual_ms
        self.processor_s += processor_s
        for what, count in sometimes.items():
            self.sometimes[what] = self.sometimes.get(what, 0) + count
        self.rows.setdefault(ALL, Row()).add(account, fired=0)
        for kind, fired in kinds_fired(sometimes).items():
            self.rows.setdefault(kind, Row()).add(account, fired=fired)

    def seeds_per_minute_per_core(self) -> int:
        """Return how many runs one core does in a minute of its own time."""
        return round(self.seeds / self.processor_s * 60) if self.processor_s else 0

    def document(self) -> dict[str, Any]:
        """Return the rows as JSON has them."""
        return {
            kind: {
                "runs": row.runs,
                "fired": row.fired,
                "reports_accepted": row.accepted,
                "deliveries": row.deliveries,
                "lost": row.lost,
                "double_effects": row.doubled,
            }
            for kind, row in sorted(self.rows.items(), key=lambda item: (item[0] != ALL, item[0]))
        }


def kinds_fired(sometimes: Mapping[str, int]) -> Counter[str]:
    """Return the kinds of fault that a run has seen, and how often; a kind with several ways once for all of them."""
    fired: Counter[str] = Counter()
    for what, count in sometimes.items():
        if what in _FAULTS_BY_NAME:
            fired[_FAULTS_BY_NAME[what]] += count
        elif what.startswith(_FAULTS):
            fired[what.removeprefix("fault ")] += count
        for way, kind in _LIES_BY_WAY.items():
            if what.startswith(way):
                fired[kind] += count
    return fired
