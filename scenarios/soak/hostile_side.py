"""What a run with anything hostile in its plan has beside the honest parts, and an honest run has not.

One place for all of it, so that nodes, broker and ghost ask one question: is there anything hostile here, or None.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from agencies.node import NodeTimings
from broker.quota import QuotaLimits
from scenarios.soak.door import Door
from scenarios.soak.hostility import RouterHostility
from scenarios.soak.malice import Malice
from scenarios.soak.plan import Plan
from schemas.label import PRECEDENCE_RANK
from transport.seeded import stream

# Virtual; in earnest hours, which a run of minutes would not see the end of.
RECEIPT_DUE_MS: Final = 120_000


@dataclass(frozen=True, slots=True, kw_only=True)
class HostileSide:
    """What is hostile in one run.

    Attributes:
        malice: Of the router; None where it is honest.
        door: The broker's door, watched.
        limits: What one agency may send.
    """

    malice: Malice | None
    door: Door
    limits: QuotaLimits

    @classmethod
    def of(cls, plan: Plan, *, now_ms: Callable[[], int], saw: Callable[[str], None]) -> "HostileSide | None":
        """Return what is hostile in a plan; None if nothing is."""
        if not plan.hostility:
            return None
        acts = tuple(act for act in plan.hostility if isinstance(act, RouterHostility))
        malice = Malice(acts=acts, chance=stream(plan.seed, "malice"), now_ms=now_ms, saw=saw) if acts else None
        limits = QuotaLimits() if plan.quota is None else replace(QuotaLimits(), **plan.quota.model_dump())
        return cls(malice=malice, door=Door(), limits=limits)

    def timings(self, honest: NodeTimings) -> NodeTimings:
        """Return how long nodes wait: for receipts not as long as in earnest, where the router is not to be trusted."""
        if self.malice is None:
            return honest
        return replace(honest, receipt_due_ms=dict.fromkeys(PRECEDENCE_RANK, RECEIPT_DUE_MS))
