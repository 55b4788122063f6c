"""Chance from a seed: streams for delays and faults, and the one source of keys that repeats itself.

The source of keys is for rehearsals. Whoever knows the seed knows every key, so it exists inside virtual time only,
where no real link can be opened (transport/mqtt.py refuses): what it sealed can never leave the process by a wire.
"""

import hashlib
import random  # noqa: TID251 - seeded streams; keys come from the class below, and never from here
from collections import Counter

from schemas.errors import SimulationError
from transport.simloop import running_simulation


def stream(seed: int, purpose: str) -> random.Random:
    """Return the stream of chance for one purpose, for example ``link sgp-mar up``; a draw in one moves no other."""
    digest = hashlib.blake2b(f"{seed}:{purpose}".encode(), digest_size=16).digest()
    return random.Random(int.from_bytes(digest, "big"))  # noqa: S311 - not cryptography, see above


class SeededEntropy:
    """Entropy (``sealing.entropy.Entropy``) that a seed decides.

    Args:
        seed: Of the run.
        purpose: Each has a stream of its own.

    Raises:
        SimulationError: If it is made outside virtual time.
    """

    def __init__(self, seed: int, *, purpose: str) -> None:
        self._loop = running_simulation()
        self._key = hashlib.blake2b(f"{seed}:entropy:{purpose}".encode(), digest_size=32).digest()
        self._taken = 0

    def __repr__(self) -> str:
        return "SeededEntropy()"

    def take(self, count: int) -> bytes:
        """Return the next ``count`` bytes of the stream.

        Raises:
            SimulationError: If the loop that it was made in no longer runs.
        """
        if running_simulation() is not self._loop:
            msg = "entropy of a rehearsal was asked for outside of it"
            raise SimulationError(msg, remedy="use sealing.entropy.SystemEntropy")
        self._taken += 1
        return hashlib.shake_256(self._key + self._taken.to_bytes(8, "big")).digest(count)


class ApartSeededEntropy(SeededEntropy):
    """Entropy that a seed decides, with a stream of its own for each purpose (``sealing.entropy.ApartEntropy``).

    So what one node draws for one message changes no byte of any other message or node.
    """

    def __init__(self, seed: int, *, purpose: str) -> None:
        super().__init__(seed, purpose=purpose)
        self._seed = seed
        self._purpose = purpose
        self._named: Counter[str] = Counter()

    def apart(self, purpose: bytes) -> "ApartSeededEntropy":
        """Return the stream of one purpose; the second time that it is named, a second one."""
        name = hashlib.blake2b(purpose, digest_size=32).hexdigest()
        self._named[name] += 1
        return ApartSeededEntropy(self._seed, purpose=f"{self._purpose}:{name}:{self._named[name]}")


class LoopClock:
    """The machine's clock of a simulation (``transport.clock.Clock``): virtual time since a fixed beginning.

    Args:
        begin_ms: Unix ms at which the loop began.
        skew_ms: How far this clock is ahead; may be changed while it runs.
    """

    def __init__(self, begin_ms: int, *, skew_ms: int = 0) -> None:
        self._loop = running_simulation()
        self._begin_ms = begin_ms
        self.skew_ms = skew_ms
        self._drift_ppm = 0
        self._drifting_since_us = 0

    def drift(self, ppm: int) -> None:
        """Run fast (or slow) by so many millionths from now on; 0 sets the clock right again."""
        self._drift_ppm, self._drifting_since_us = ppm, self._loop.now_us()

    def now_ms(self) -> int:
        """Return Unix time in milliseconds, as this clock has it."""
        now_us = self._loop.now_us()
        drifted_us = (now_us - self._drifting_since_us) * self._drift_ppm // 1_000_000
        return self._begin_ms + (now_us + drifted_us) // 1_000 + self.skew_ms
