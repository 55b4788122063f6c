"""What a fuzz target is, and what is asserted of whatever a reader lets through.

A target hands bytes to one reader. It may end in silence or in an error of our own tree; any other exception, and any
bound that does not hold, is a find.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from schemas.errors import SandiwaraError


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One reader under fuzzing.

    Attributes:
        name: As on the command line.
        feed: Hands bytes to the reader, and checks what comes of it.
        samples: Makes the honest inputs from which hostile ones are made.
        refusals: What the reader may raise.
    """

    name: str
    feed: Callable[[bytes], None]
    samples: Callable[[], Sequence[bytes]]
    refusals: tuple[type[Exception], ...] = (SandiwaraError,)

    def run(self, received: bytes) -> bool:
        """Run once; returns whether the input was let through, raises whatever is a find."""
        try:
            self.feed(received)
        except self.refusals as refusal:
            # A refusal is read by people and by logs: it must be sayable, and must not carry the input along.
            said = str(refusal)
            assert said.isascii() or said.encode()
            assert len(said) < 20_000, "a refusal that repeats its input"
            return False
        return True


def size_of(value: Any, *, objects_max: int, depth_max: int = 64) -> int:
    """Count the values that a reader made, without recursion.

    Raises:
        AssertionError: If there are more of them, or they lie deeper, than a reader may make.
    """
    waiting: list[tuple[Any, int]] = [(value, 0)]
    count = 0
    while waiting:
        found, depth = waiting.pop()
        count += 1
        assert count <= objects_max, f"more than {objects_max} objects were made"
        assert depth <= depth_max, f"an object lies more than {depth_max} deep"
        if isinstance(found, Mapping):
            waiting += [(item, depth + 1) for pair in found.items() for item in pair]
        elif isinstance(found, (tuple, list, set, frozenset)):
            waiting += [(item, depth + 1) for item in found]
        elif is_dataclass(found) and not isinstance(found, type):
            waiting += [(getattr(found, place.name, None), depth + 1) for place in fields(found)]
    return count
