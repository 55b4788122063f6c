"""Cut a plan down to what still breaks the same invariant (Zeller's ddmin over its faults and messages).

A plan of three things is read in a minute; one of thirty hides its cause. Only the same invariant counts: a smaller
plan that breaks another one is another bug.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from scenarios.soak.hostility import Flood, Hostility, Poison, RouterHostility, Slow
from scenarios.soak.plan import Again, Message, Plan, Revocation
from transport.faults import Fault

T = TypeVar("T")

_RUNS_MOST: Final = 500
_HOSTILE: Final = RouterHostility | Flood | Poison | Slow
Part = Fault | Message | Again | Revocation | Hostility
# Runs a plan and returns the number of the invariant that it breaks, or None.
Breaks = Callable[[Plan], int | None]


def shrink(plan: Plan, breaks: Breaks, *, runs_most: int = _RUNS_MOST) -> Plan:
    """Return the smallest plan found that breaks what this one breaks.

    Args:
        plan: One that breaks an invariant.
        breaks: Runs a plan.
        runs_most: After so many runs the smallest one so far is returned.
    """
    wanted = breaks(plan)
    runs = 0

    def still(candidate: Plan) -> bool:
        nonlocal runs
        runs += 1
        return runs <= runs_most and breaks(candidate) == wanted

    def with_parts(parts: Sequence[Part]) -> Plan:
        return plan.model_copy(
            update={
                "messages": tuple(part for part in parts if isinstance(part, Message)),
                "again": tuple(part for part in parts if isinstance(part, Again)),
                "revocations": tuple(part for part in parts if isinstance(part, Revocation)),
                "hostility": tuple(part for part in parts if isinstance(part, _HOSTILE)),
                "faults": tuple(
                    part for part in parts if not isinstance(part, Message | Again | Revocation | _HOSTILE)
                ),
            }
        )

    parts: list[Part] = [*plan.faults, *plan.hostility, *plan.again, *plan.revocations, *plan.messages]
    smallest = with_parts(least(parts, lambda kept: still(with_parts(kept))))
    for change in ({"disk_ms_most": 0}, {"line_ms_most": 0}, {"span_ms": _needed_ms(smallest)}):
        simpler = smallest.model_copy(update=change)
        if simpler != smallest and still(simpler):
            smallest = simpler
    return smallest


def least(parts: list[T], holds: Callable[[list[T]], bool]) -> list[T]:
    """Return parts of which none can be left out, as far as leaving out runs of them shows (ddmin)."""
    if not parts or holds([]):
        return []
    size = max(1, len(parts) // 2)
    while True:
        for first in range(0, len(parts), size):
            rest = parts[:first] + parts[first + size :]
            if rest and holds(rest):
                parts = rest
                break
        else:
            if size == 1:
                return parts
            size = max(1, size // 2)
        size = min(size, max(1, len(parts) // 2))


def _needed_ms(plan: Plan) -> int:
    """Return when the last fault is over and the last work begun."""
    ends = [fault.at_ms + getattr(fault, "lasts_ms", 0) for fault in (*plan.faults, *plan.hostility)]
    work: list[Message | Again | Revocation] = [*plan.messages, *plan.again, *plan.revocations]
    ends += [item.at_ms for item in work]
    return max(ends, default=0) + 1_000
