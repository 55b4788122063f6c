"""The exercise clock: one queue of what is due, one time, ties settled by order (docs/adr/0008).

Exercise time moves only from one due event to the next, and only while nothing is under way on the real wire. So
50 ms on the wire never shows as 18 s of exercise time, however the play is accelerated; the delays that players see
are those of the pack's links and desks.
"""

import heapq
import itertools
from collections.abc import Awaitable, Callable

from schemas.errors import ExerciseError

# What is due: it may be a plain call, or one that waits for the disk or the wire.
Due = Callable[[], Awaitable[None] | None]


class ExerciseClock:
    """Exercise time, Unix ms, as every part of the region reads it (``transport.clock.Clock``)."""

    def __init__(self, start_ms: int) -> None:
        self._now_ms = start_ms
        self._order = itertools.count()
        self._heap: list[tuple[int, int, Due]] = []

    def now_ms(self) -> int:
        """Return exercise time."""
        return self._now_ms

    def at(self, at_ms: int, due: Due) -> None:
        """Have something happen at a time; what is due at the same time happens in the order it was asked for.

        Raises:
            ExerciseError: If the time has passed.
        """
        if at_ms < self._now_ms:
            msg = f"something is due {self._now_ms - at_ms} ms ago"
            raise ExerciseError(msg)
        heapq.heappush(self._heap, (at_ms, next(self._order), due))

    def next_ms(self) -> int | None:
        """Return when the next thing is due, or None if nothing is."""
        return self._heap[0][0] if self._heap else None

    def advance(self) -> Due:
        """Go to the next due time and return what is due; its caller runs it."""
        at_ms, _, due = heapq.heappop(self._heap)
        self._now_ms = at_ms
        return due

    def go_to(self, at_ms: int) -> None:
        """Let time pass up to a moment before which nothing is due.

        Raises:
            ExerciseError: If something is due before.
        """
        due = self.next_ms()
        if at_ms < self._now_ms or (due is not None and due < at_ms):
            msg = "the clock cannot leap over what is due"
            raise ExerciseError(msg)
        self._now_ms = at_ms
