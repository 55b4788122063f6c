"""Cut a plan down to what still breaks the same invariant (Zeller's ddmin over its parts, then each part for itself).

A plan of three things is read in a minute; one of thirty hides its cause. Only the same invariant counts: a smaller
plan that breaks another one is another bug.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from pydantic import ValidationError

from scenarios.soak.parts import Part, parts_of, with_parts
from scenarios.soak.plan import Plan

T = TypeVar("T")

RUNS_MOST: Final = 500
SECONDS_MOST: Final = 60.0
_COARSE_MS: Final = (10_000, 1_000, 100)  # times are made round, if it does no harm: they are read more easily
_LISTS: Final = ("agencies", "holders", "to", "labels", "parents", "parts", "replies", "asks", "holds")
# Runs a plan and returns the number of the invariant that it breaks, or None.
Breaks = Callable[[Plan], int | None]


def shrink(
    plan: Plan, breaks: Breaks, *, runs_most: int = RUNS_MOST, out_of_time: Callable[[], bool] = lambda: False
) -> Plan:
    """Return the smallest plan found that breaks what this one breaks.

    Args:
        plan: One that breaks an invariant.
        breaks: Runs a plan.
        runs_most: After so many runs the smallest one so far is returned …
        out_of_time: … and as soon as this says so.
    """
    return _Shrinking(plan, breaks, runs_most=runs_most, out_of_time=out_of_time).smallest()


class _Shrinking:
    def __init__(self, plan: Plan, breaks: Breaks, *, runs_most: int, out_of_time: Callable[[], bool]) -> None:
        self._plan = plan
        self._breaks = breaks
        self._left = runs_most
        self._out_of_time = out_of_time
        self._wanted = breaks(plan)

    def smallest(self) -> Plan:
        parts = least(parts_of(self._plan), lambda kept: self._takes(with_parts(self._plan, kept)))
        self._plan = with_parts(self._plan, parts)
        for place in range(len(parts)):
            self._narrow(place)
            self._shorten(place)
        self._earlier()
        needed = {"span_ms": _needed_ms(self._plan)}
        for change in ({"disk_ms_most": 0}, {"line_ms_most": 0}, {"quota": None}, needed):
            self._takes(self._plan.model_copy(update=change))
        return self._plan

    def _takes(self, candidate: Plan) -> bool:
        """Try a plan, and go on from it if it breaks what is wanted."""
        if candidate == self._plan or self._left <= 0 or self._out_of_time():
            return candidate == self._plan
        self._left -= 1
        if self._breaks(candidate) != self._wanted:
            return False
        self._plan = candidate
        return True

    def _takes_part(self, place: int, **fields: object) -> bool:
        parts = parts_of(self._plan)
        try:
            parts[place] = parts[place].changed(**fields)
        except ValidationError:
            return False
        return self._takes(with_parts(self._plan, parts))

    def _narrow(self, place: int) -> None:
        """Leave out nodes, readers and portions of one part."""
        for name in _LISTS:
            held = self._part(place).value(name)
            if isinstance(held, tuple) and len(held) > 1:
                # An empty list of readers means everybody, which is more and not less.
                least(list(held), lambda kept, name=name: bool(kept) and self._takes_part(place, **{name: tuple(kept)}))  # type: ignore[misc] # mypy cannot type a lambda's default
        for name in ("large", "greedy", "months"):
            if self._part(place).value(name) is True:
                self._takes_part(place, **{name: False})

    def _shorten(self, place: int) -> None:
        """Halve how long one part lasts, as often as that does no harm, and make its times round."""
        while (lasts_ms := self._part(place).value("lasts_ms") or 0) > 1:
            if not self._takes_part(place, lasts_ms=lasts_ms // 2):
                break
        for name in ("lasts_ms", "at_ms"):
            for coarse_ms in _COARSE_MS:
                value = self._part(place).value(name)
                if value and value % coarse_ms and self._takes_part(place, **{name: value // coarse_ms * coarse_ms}):
                    break

    def _earlier(self) -> None:
        """Begin with the first thing that happens."""
        parts = parts_of(self._plan)
        begin_ms = min((part.value("at_ms") for part in parts), default=0)
        self._takes(with_parts(self._plan, [part.changed(at_ms=part.value("at_ms") - begin_ms) for part in parts]))

    def _part(self, place: int) -> Part:
        return parts_of(self._plan)[place]


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
    return max((part.value("at_ms") + (part.value("lasts_ms") or 0) for part in parts_of(plan)), default=0) + 1_000
