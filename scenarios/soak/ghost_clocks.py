"""The ghost's account of clocks that drift: how far two of them may differ about whether an embargo is over.

A drift of a few per cent costs nothing but this: what its author's clock lets go is early by the router's clock, and
the router refuses it visibly, or by its reader's, which then calls it misreleased. Both are right; for longer than the
clocks of that plan really err, neither may be.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from scenarios.soak.reference import BROKER
from schemas.errors import Code
from schemas.label import Label
from transport.faults import ClockDrift, Fault

EMBARGO: Final = "NTK-EMBARGO"
_GRAIN_MS: Final = 1  # clocks are read in whole milliseconds


def clock_errors_ms(faults: Sequence[Fault]) -> dict[str, int]:
    """Return, for each machine whose clock drifts, by how many ms it is off at most; a clock is set right at the end.

    A drift that begins while another lasts begins with a clock that is right (``transport.seeded.LoopClock``), so the
    longest and not the sum counts.
    """
    errors: dict[str, int] = {}
    for fault in faults:
        if isinstance(fault, ClockDrift):
            error_ms = abs(fault.ppm) * fault.lasts_ms // 1_000_000 + _GRAIN_MS
            errors[fault.holder] = max(errors.get(fault.holder, 0), error_ms)
    return errors


class EmbargoClocks:
    """Judges whether an embargo that holds for one party and is over for another is a matter of their clocks.

    Args:
        errors_ms: By how much whose clock is off at most.
    """

    def __init__(self, errors_ms: Mapping[str, int]) -> None:
        self._errors_ms = errors_ms

    def router_may_refuse(self, labels: Mapping[int, Label], author: str, at_ms: int, record: Sequence[Any]) -> bool:
        """Tell whether a refusal names nothing but embargoes that the author's clock may have called over.

        Args:
            labels: Of the message's portions, by place.
            author: Who released it.
            at_ms: The router's time of its refusal.
            record: What it wrote of it: code, stage, and (place, reader, rule, reason) for each refusal.
        """
        code, _stage, refusals = record
        apart_ms = self._errors_ms.get(author, 0) + self._errors_ms.get(BROKER, 0)
        return (
            code == Code.AUDIENCE
            and bool(refusals)
            and all(
                rule == EMBARGO and _lately(labels.get(place), at_ms, apart_ms) for place, _reader, rule, _ in refusals
            )
        )

    def reader_may_refuse(self, labels: Mapping[int, Label], author: str, reader: str, at_ms: int) -> bool:
        """Tell whether a reader may call early what its author and the router have both called over.

        Args:
            labels: Of the message's portions, by place.
            author: Who released it.
            reader: Who has it.
            at_ms: The reader's time.
        """
        # It is over by both other clocks, so it was early by no more than the better of them errs.
        others_ms = min(self._errors_ms.get(author, 0), self._errors_ms.get(BROKER, 0))
        apart_ms = self._errors_ms.get(reader, 0) + others_ms
        return any(_lately(label, at_ms, apart_ms) for label in labels.values())


def _lately(label: Label | None, at_ms: int, apart_ms: int) -> bool:
    """Tell whether a label's embargo holds at this time, and ends within so many ms."""
    return label is not None and label.not_before is not None and 0 < label.not_before - at_ms <= apart_ms
