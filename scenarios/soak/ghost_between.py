"""The ghost's account of what faults fell between: a question and its answer, two signatures, a recall and its receipt.

A soak that never had a fault there has not tried the workflow, however green it is (expected.py). What a fault touches
is read off the plan, so nothing has to be asked of who carries it out.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from scenarios.soak.reference import BROKER
from transport.faults import BrokerRestart, Fault


class Between:
    """The spans of a run that have a name.

    Args:
        faults: Of the plan.
        now_ms: Virtual time.
        saw: Counts the spans into which a fault fell.
    """

    def __init__(self, faults: Sequence[Fault], *, now_ms: Callable[[], int], saw: Callable[[str], None]) -> None:
        self._faults = faults
        self._now_ms = now_ms
        self._saw = saw
        self._zero_ms = 0
        self._open: dict[tuple[str, Any], int] = {}

    def begin_plan(self) -> None:
        """Count the plan's times from now."""
        self._zero_ms = self._now_ms()

    def begin(self, name: str, key: object) -> None:
        """Begin a span; one that is open goes on."""
        self._open.setdefault((name, key), self._now_ms())

    def end(self, name: str, key: object, parties: Iterable[str]) -> None:
        """End a span, and count it if a fault of one of its parties, or of the broker, fell into it."""
        began_ms = self._open.pop((name, key), None)
        if began_ms is None:
            return
        touched = {*parties, BROKER}
        since_ms, until_ms = began_ms - self._zero_ms, self._now_ms() - self._zero_ms
        for fault in self._faults:
            ends_ms = fault.at_ms + getattr(fault, "lasts_ms", 0)
            if fault.at_ms <= until_ms and ends_ms >= since_ms and _holders(fault) & touched:
                self._saw(f"struck between {name}")
                return


def _holders(fault: Fault) -> set[str]:
    """Return whose line, machine or clock a fault strikes."""
    if isinstance(fault, BrokerRestart):
        return {BROKER}
    one = [getattr(fault, name) for name in ("agency", "holder") if hasattr(fault, name)]
    many = [name for field in ("agencies", "holders") for name in getattr(fault, field, ())]
    return {*one, *many}
