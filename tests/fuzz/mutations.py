"""How hostile bytes are made from honest ones: blindly, byte by byte, and knowingly, value by value.

Each mutation is a function of the bytes, of two numbers that say where and how, and of a second sample; so Hypothesis
and the coverage-guided loop draw the same things, and a failure is reproduced from its numbers.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from schemas.codec import pack, unpack
from schemas.errors import RemoteError

INPUT_BYTES_MAX: Final = 1 << 16  # larger inputs are what the amplifiers are for; here many small ones tell more
_NUMBERS: Final = (
    0,
    1,
    2,
    31,
    32,
    127,
    128,
    255,
    256,
    32_767,
    65_535,
    65_536,
    2**31,
    2**32 - 1,
    2**53,
    2**63,
    2**64 - 1,
)
_NEST: Final = 40
_DIGITS_BEYOND_PYTHON: Final = 5_000  # int() refuses more than 4,300 digits, by a ValueError


def _nested(depth: int) -> Any:
    value: Any = ()
    for _ in range(depth):
        value = (value,)
    return value


# What takes the place of an honest value: every type, every edge.
_VALUES: Final[tuple[Any, ...]] = (
    None, True, False, *_NUMBERS, -1, -(2**63), "", "\0", "é\u202e", "a" * 300, "A", "..", "-1", "1e999", "@asean",
    b"", b"\0" * 32, b"\xff" * 32, b"\1" * 64, b"x" * 5_000, (), ((),), (None,) * 70, ("a", "a"), _nested(_NEST), 1.5,
)  # fmt: skip
_JSON_VALUES: Final = (
    *(value for value in _VALUES if not isinstance(value, bytes)),
    {}, {"": {}}, float("nan"), float("inf"), "\ud800", "2026-02-30T25:61:00Z", {"a": {"a": {"a": []}}},
)  # fmt: skip

Mutation = Callable[[bytes, int, int, bytes], bytes]


def mutate(received: bytes, steps: Sequence[tuple[int, int, int]], other: bytes) -> bytes:
    """Apply mutations, each given as its number, a place and a kind."""
    for which, place, kind in steps:
        received = MUTATIONS[which % len(MUTATIONS)](received, place, kind, other)[:INPUT_BYTES_MAX]
    return received


def _flip(received: bytes, place: int, kind: int, _other: bytes) -> bytes:
    if not received:
        return bytes((kind & 0xFF,))
    at = place % len(received)
    return received[:at] + bytes((received[at] ^ (1 << kind % 8),)) + received[at + 1 :]


def _set(received: bytes, place: int, kind: int, _other: bytes) -> bytes:
    at = place % (len(received) + 1)
    return received[:at] + bytes((kind & 0xFF,)) + received[at + 1 :]


def _truncate(received: bytes, place: int, _kind: int, _other: bytes) -> bytes:
    return received[: place % (len(received) + 1)]


def _duplicate(received: bytes, place: int, kind: int, _other: bytes) -> bytes:
    begin = place % (len(received) + 1)
    part = received[begin : begin + 1 + kind % 64]
    return received[:begin] + part * (2 + kind % 7) + received[begin + len(part) :]


def _remove(received: bytes, place: int, kind: int, _other: bytes) -> bytes:
    begin = place % (len(received) + 1)
    return received[:begin] + received[begin + 1 + kind % 64 :]


def _insert_number(received: bytes, place: int, kind: int, _other: bytes) -> bytes:
    """Overwrite with a number of one, two, four or eight bytes: lengths and counts."""
    begin, size = place % (len(received) + 1), (1, 2, 4, 8)[kind % 4]
    number = _NUMBERS[kind // 4 % len(_NUMBERS)] % (1 << 8 * size)
    return received[:begin] + number.to_bytes(size, "big") + received[begin + size :]


def _splice(received: bytes, place: int, kind: int, other: bytes) -> bytes:
    return received[: place % (len(received) + 1)] + other[kind % (len(other) + 1) :]


def _insert_other(received: bytes, place: int, kind: int, other: bytes) -> bytes:
    at, begin = place % (len(received) + 1), kind % (len(other) + 1)
    return received[:at] + other[begin : begin + 1 + kind % 97] + received[at:]


def _insert_text(received: bytes, place: int, kind: int, _other: bytes) -> bytes:
    at = place % (len(received) + 1)
    words = (
        b"\n", b"\r", b"\0", b"\xff", b"\xef\xbb\xbf", b": ", b"- ", b"&a ", b"*a", b"!!python/name:os.system ", b"{",
        b"[", b'"', b"\\ud800", b"[" * 3_000, b'{"a":' * 200, b"9" * _DIGITS_BEYOND_PYTHON, b"\xe2\x80\x94 a AAAA\n",
        b"\n\n",
        b"- " * 50, b"? ", b"%YAML 9", b"---\n", b"...\n", b"\t", b",", b";", b'"""', "é".encode(), b"T+99999999999h",
        b"\xf0\x9f\x92\xa9", b"\xe2\x80\xa8", b"\x1c", b"1e400", b"-0",
    )  # fmt: skip
    return received[:at] + words[kind % len(words)] + received[at:]


def _swap_lines(received: bytes, place: int, kind: int, _other: bytes) -> bytes:
    lines = received.split(b"\n")
    one, two = place % len(lines), kind % len(lines)
    lines[one], lines[two] = lines[two], lines[one]
    return b"\n".join(lines)


def _repeat_line(received: bytes, place: int, kind: int, _other: bytes) -> bytes:
    lines = received.split(b"\n")
    at = place % len(lines)
    return b"\n".join([*lines[:at], *[lines[at]] * (2 + kind % 5), *lines[at + 1 :]])


def _graft_packed(received: bytes, place: int, kind: int, _other: bytes) -> bytes:
    """Replace one value of the packed arrays, also inside bytes that are packed arrays themselves."""
    value = _unpacked(received)
    if value is None:
        return _set(received, place, kind, b"")
    try:
        return pack(_graft(value, place, kind, _VALUES))
    except (ValueError, OverflowError, TypeError):
        return received


def _graft_json(received: bytes, place: int, kind: int, _other: bytes) -> bytes:
    try:
        value = json.loads(received)
    except (ValueError, RecursionError):
        return _set(received, place, kind, b"")
    try:
        return json.dumps(_graft(value, place, kind, _JSON_VALUES)).encode()
    except (ValueError, TypeError, RecursionError):
        return received


def _unpacked(received: bytes) -> tuple[Any, ...] | None:
    """Return the arrays that the bytes hold, None if they hold something else."""
    if not received or not (received[0] >> 4 == 0x9 or received[0] in {0xDC, 0xDD}):
        return None
    try:
        value = unpack(received, bytes_max=1 << 20)
    except RemoteError:
        return None
    return value if isinstance(value, tuple) else None


def _graft(value: Any, place: int, kind: int, palette: Sequence[Any]) -> Any:
    """Walk down by the digits of ``place`` and do there what ``kind`` says."""
    if isinstance(value, bytes):
        inner = _unpacked(value)
        if inner is not None and place % 8:
            return pack(_graft(inner, place // 8, kind, palette))
    if isinstance(value, (tuple, list)) and value and place % 16:
        at = place // 16 % len(value)
        changed = list(value)
        changed[at] = _graft(value[at], place // (16 * len(value)), kind, palette)
        return type(value)(changed)
    if isinstance(value, dict) and value and place % 16:
        name = list(value)[place // 16 % len(value)]
        return value | {name: _graft(value[name], place // (16 * len(value)), kind, palette)}
    return _replaced(value, kind, palette)


def _replaced(value: Any, kind: int, palette: Sequence[Any]) -> Any:
    how, kind = kind % 4, kind // 4
    if how == 1 and isinstance(value, (tuple, list)) and value:
        at = kind % len(value)
        return type(value)(
            [*value[:at], *[value[at]] * (kind % 5), *value[at + 1 :]]
        )  # a multiple of none is a removal
    if how == 2 and isinstance(value, int) and not isinstance(value, bool):
        return value + (kind % 7) - 3
    if how == 2 and isinstance(value, (str, bytes)):
        return value * (kind % 40)
    if how == 3 and isinstance(value, dict) and value:
        name = list(value)[kind % len(value)]
        return {other: held for other, held in value.items() if other != name}
    return palette[kind % len(palette)]


MUTATIONS: Final[tuple[Mutation, ...]] = (
    _flip, _set, _truncate, _duplicate, _remove, _insert_number, _splice, _insert_other, _insert_text, _swap_lines,
    _repeat_line, _graft_packed, _graft_packed, _graft_packed, _graft_json, _graft_json, _graft_json,
)  # fmt: skip
