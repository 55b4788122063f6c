"""Frames that poison: bytes that cannot be read, and messages that can and say what makes no sense.

They are made as if the other end of an agency's line had sent them, since a peer that is authenticated is not thereby
sane (docs/spec/wire.md, "Frames").
"""

from collections.abc import Callable, Mapping
from random import Random  # noqa: TID251 - the type of a seeded stream
from typing import Any, Final, Literal

from scenarios.soak.hostility import PoisonForm
from schemas.codec import pack
from schemas.frames import Heartbeat, write_frame
from schemas.limits import FRAME_BYTES_MAX, HASH_BYTES, PROTOCOL_VERSION, SIGNATURE_BYTES, UINT_MS_MAX

_DEPTH: Final = 2_000
_SIZE_MOST: Final = 2**40  # of a log that never was
_NAN: Final = bytes.fromhex("cb7ff8000000000000")
_BEAT: Final = write_frame((Heartbeat("heartbeat", 1, ()),))
_UNTIL_THE_TIME: Final = b"\x92\x01\x91\x92\xa9heartbeat"  # the same without its last field
_EMPTY: Final = (b"", pack(()), pack(PROTOCOL_VERSION), pack((PROTOCOL_VERSION, ())))
_FOREIGN: Final = (b"\x81\xa1a\x01", b"\xa2\xc3\x28", b"\xc7\x01\x05\x00")  # a map, no UTF-8, an extension
_HUGE: Final = (b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", bytes(FRAME_BYTES_MAX + 1))

_Message = tuple[Any, ...]

# An ack as high as numbers go: of what was never sent, and of what was sent and has not arrived.
_ALL_ACKED: Final[_Message] = ("ack", UINT_MS_MAX)
ACK_OF_ALL: Final = pack((PROTOCOL_VERSION, (_ALL_ACKED,)))


def poison(form: PoisonForm, direction: Literal["up", "down"], *, chance: Random) -> bytes:
    """Return a frame of this form for one direction of an agency's line."""
    if form in _BYTES:
        return _BYTES[form](chance)
    return pack((PROTOCOL_VERSION, (_MESSAGES[direction][form](chance),)))


def _flipped(chance: Random) -> bytes:
    place = chance.randrange(len(_BEAT))
    return _BEAT[:place] + bytes((_BEAT[place] ^ 0x81,)) + _BEAT[place + 1 :]


def _noise(chance: Random) -> bytes:
    return chance.randbytes(40)


def _announcement(chance: Random) -> _Message:
    return ("announce", _noise(chance), chance.randbytes(SIGNATURE_BYTES))


def _chunk(chance: Random) -> _Message:
    hid = chance.randbytes(HASH_BYTES)
    return chance.choice((("chunk", hid, 3, 7, _noise(chance)), ("want", hid, 31, 1_023)))


def _cosign(chance: Random) -> _Message:
    return ("cosign", chance.randrange(_SIZE_MOST), chance.choice((None, _noise(chance))), _noise(chance))


def _checkpoint(chance: Random) -> _Message:
    note = chance.choice((_noise(chance), b"sandiwara/log/x\n1\n\n"))
    return ("checkpoint", chance.randrange(_SIZE_MOST), (chance.randbytes(HASH_BYTES),), note)


def _schema(chance: Random) -> _Message:
    return chance.choice((("nothing-known", 1), ("heartbeat",), (1, 2), ("envelope", "text"), ("ack", -1)))


def _numbers_up(chance: Random) -> _Message:
    return chance.choice((_ALL_ACKED, ("heartbeat", UINT_MS_MAX, ()), ("lookup", ("nobody-at-all",))))


_BYTES: Final[Mapping[str, Callable[[Random], bytes]]] = {
    "empty": lambda chance: chance.choice(_EMPTY),
    "flipped": _flipped,
    "truncated": lambda chance: _BEAT[: 1 + chance.randrange(len(_BEAT) - 1)],
    "trailing": lambda _chance: _BEAT + b"\xc0",
    "deep": lambda _chance: b"\x91" * _DEPTH + b"\xc0",
    "huge": lambda chance: chance.choice(_HUGE),
    "nan": lambda _chance: _UNTIL_THE_TIME + _NAN,
    "map": lambda chance: _UNTIL_THE_TIME + chance.choice(_FOREIGN),
}
_BOTH_WAYS: Final[Mapping[str, Callable[[Random], _Message]]] = {
    "schema": _schema,
    "announcement": _announcement,
    "chunk": _chunk,
}
# A checkpoint or a bundle has no way up, and a cosignature none down: there stands what comes nearest.
_MESSAGES: Final[Mapping[str, Mapping[str, Callable[[Random], _Message]]]] = {
    "up": {
        **_BOTH_WAYS,
        "statement": lambda chance: ("envelope", _noise(chance)),
        "checkpoint": _cosign,
        "bundle": _announcement,
        "cosign": _cosign,
        "numbers": _numbers_up,
    },
    "down": {
        **_BOTH_WAYS,
        "statement": lambda chance: ("verdict", _noise(chance), chance.randbytes(SIGNATURE_BYTES)),
        "checkpoint": _checkpoint,
        "bundle": lambda chance: ("bundle", _noise(chance)),
        "cosign": _checkpoint,
        "numbers": lambda chance: ("delivery", UINT_MS_MAX, _noise(chance)),
    },
}
