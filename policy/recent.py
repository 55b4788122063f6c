"""A memory with a bound: what was worked out last is kept, the oldest is forgotten first.

``functools.lru_cache`` on a method would keep every community alive that ever was; this lives and dies with its owner.
"""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Values worked out on demand, at most ``entries_max`` of them.

    Args:
        entries_max: How many are kept; beyond it the one stored first is forgotten.
    """

    def __init__(self, *, entries_max: int) -> None:
        self._entries: dict[K, V] = {}
        self._entries_max = entries_max

    def get(self, key: K, work_out: Callable[[], V]) -> V:
        """Return what is kept for ``key``, or work it out and keep it."""
        try:
            return self._entries[key]
        except KeyError:
            value = work_out()
        if len(self._entries) >= self._entries_max:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = value
        return value
