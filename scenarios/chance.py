"""Chance that can be repeated: one stream for each purpose, all from the pack's seed.

A new draw in one stream moves no other, so a change to one desk leaves the rest of a play as it was. This is luck in
an exercise, never a source of keys.
"""

import hashlib
import random  # noqa: TID251 - seeded streams for desks and links; keys come from sealing.entropy


def stream(seed: int, purpose: str) -> random.Random:
    """Return the stream of chance for one purpose, for example ``desk sgp-mar``."""
    digest = hashlib.blake2b(f"{seed}:{purpose}".encode(), digest_size=16).digest()
    return random.Random(int.from_bytes(digest, "big"))  # noqa: S311 - not cryptography, see above
