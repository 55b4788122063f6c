"""Randomness is handed in: one port, and the one source that real links may use.

A rehearsal in virtual time brings its own source, so that a run can be repeated to the byte; that source is made
where virtual time is made and cannot be had from here.
"""

from typing import Protocol, runtime_checkable

from nacl.utils import random


class Entropy(Protocol):
    """Where keys, salts, decoys and the order of portions come from."""

    def take(self, count: int) -> bytes:
        """Return ``count`` fresh bytes."""
        ...


@runtime_checkable
class ApartEntropy(Entropy, Protocol):
    """A source that repeats itself, and keeps what is drawn for one thing apart from what is drawn for any other.

    In a play that a seed decides, one message more must not change the bytes of any other: else whoever lays two plays
    side by side sees in its own messages that somebody else sent one.
    """

    def apart(self, purpose: bytes) -> "ApartEntropy":
        """Return a source for one purpose alone, another one each time that the same purpose is named."""
        ...


def apart(entropy: Entropy, *purpose: bytes) -> Entropy:
    """Return a source for one purpose, where draws can be told apart; what the system draws is apart already."""
    return entropy.apart(b"|".join(purpose)) if isinstance(entropy, ApartEntropy) else entropy


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
