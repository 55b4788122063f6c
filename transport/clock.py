"""Time is handed in: every shell takes a clock, every core takes a number.

Exercise time and wall time are both milliseconds since the Unix epoch, as integers, so that they can be
signed, stored and compared without rounding.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """Where a shell reads the time; one reading per event, used throughout that event."""

    def now_ms(self) -> int:
        """Return Unix time in milliseconds."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        """Return Unix time in milliseconds."""
        return time.time_ns() // 1_000_000
