"""Randomness is handed in: one port, and the one source that real links may use.

A rehearsal in virtual time brings its own source, so that a run can be repeated to the byte; that source is made
where virtual time is made and cannot be had from here.
"""

from typing import Protocol

from nacl.utils import random


class Entropy(Protocol):
    """Where keys, salts, decoys and the order of portions come from."""

    def take(self, count: int) -> bytes:
        """Return ``count`` fresh bytes."""
        ...


class SystemEntropy:
    """The operating system's generator, by way of libsodium."""

    def take(self, count: int) -> bytes:
        """Return ``count`` fresh bytes."""
        return random(count)


def shuffled(entropy: Entropy, count: int) -> list[int]:
    """Return 0..count-1 in an order that the entropy decides, without bias (Fisher and Yates).

    Args:
        entropy: The source.
        count: At most 255, so that one byte a draw suffices.
    """
    order = list(range(count))
    for last in range(count - 1, 0, -1):
        # Bytes at or above the largest multiple of last + 1 are thrown away: they would favour low places.
        bound = 256 - 256 % (last + 1)
        draw = entropy.take(1)[0]
        while draw >= bound:
            draw = entropy.take(1)[0]
        other = draw % (last + 1)
        order[last], order[other] = order[other], order[last]
    return order
