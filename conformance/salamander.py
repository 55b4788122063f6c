"""One ciphertext that authenticates under two keys: why every blob begins with a commitment to its key.

Poly1305 is linear in the ciphertext's blocks once its keys are known, so one block can be solved for such that two keys
find the same tag right. Written from RFC 8439 and the XChaCha draft, to attack what others wrote.
"""

import struct
from typing import Final

_PRIME: Final = 2**130 - 5
_CLAMP: Final = 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
_CONSTANTS: Final = struct.unpack("<4I", b"expand 32-byte k")
_ROUNDS: Final = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                  (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))  # fmt: skip
_WORD: Final = 0xFFFFFFFF
_BLOCK_BYTES: Final = 16


def _rotate(word: int, count: int) -> int:
    return (word << count | word >> 32 - count) & _WORD


def _permute(state: list[int]) -> list[int]:
    words = list(state)
    for _ in range(10):
        for a, b, c, d in _ROUNDS:
            for one, two, three, count in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                words[one] = (words[one] + words[two]) & _WORD
                words[three] = _rotate(words[three] ^ words[one], count)
    return words


def one_time_key(key: bytes) -> tuple[int, int]:
    """Return r and s of Poly1305 for XChaCha20-Poly1305 with a nonce of zeros."""
    mixed = _permute([*_CONSTANTS, *struct.unpack("<8I", key), 0, 0, 0, 0])
    subkey = [*mixed[:4], *mixed[12:]]
    initial = [*_CONSTANTS, *subkey, 0, 0, 0, 0]
    block = struct.pack("<16I", *((a + b) & _WORD for a, b in zip(initial, _permute(initial), strict=True)))
    return int.from_bytes(block[:16], "little") & _CLAMP, int.from_bytes(block[16:32], "little")


def _lengths(size: int) -> bytes:
    return struct.pack("<QQ", 0, size)


def poly1305(key: bytes, ciphertext: bytes) -> bytes:
    """Return the tag of a ciphertext of whole blocks, without additional data."""
    r, s = one_time_key(key)
    total = 0
    whole = ciphertext + _lengths(len(ciphertext))
    for start in range(0, len(whole), _BLOCK_BYTES):
        total = (total + int.from_bytes(whole[start : start + _BLOCK_BYTES] + b"\1", "little")) * r % _PRIME
    return ((total + s) % 2**128).to_bytes(16, "little")


def forge(ciphertext: bytes, keys: tuple[bytes, bytes]) -> bytes:
    """Append blocks to a ciphertext of whole blocks so that it authenticates under both keys; returns it with its tag.

    Two blocks are appended: the first is counted up until the equation for the second has a solution of 16 bytes.
    """
    (r1, s1), (r2, s2) = map(one_time_key, keys)
    size = len(ciphertext) + 2 * _BLOCK_BYTES
    for attempt in range(10_000):
        fixed = ciphertext + attempt.to_bytes(16, "little")
        sums = []
        for r in (r1, r2):
            total = 0
            for start in range(0, size - _BLOCK_BYTES, _BLOCK_BYTES):
                total = (total + int.from_bytes(fixed[start : start + _BLOCK_BYTES] + b"\1", "little")) * r % _PRIME
            sums.append(total)
        last = int.from_bytes(_lengths(size) + b"\1", "little")
        # (sum1 + x)·r1² + last·r1 + s1 = (sum2 + x)·r2² + last·r2 + s2, solved for the block x (2^128 included)
        left = sums[1] * r2 * r2 + last * r2 + s2 - sums[0] * r1 * r1 - last * r1 - s1
        block = left * pow(r1 * r1 - r2 * r2, -1, _PRIME) % _PRIME - 2**128
        if 0 <= block < 2**128:
            whole = fixed + block.to_bytes(16, "little")
            tags = {poly1305(key, whole) for key in keys}
            if len(tags) == 1:
                return whole + tags.pop()
    msg = "no block fits these keys"
    raise ValueError(msg)
