"""Frames that poison: bytes that cannot be read, and messages that can and say what makes no sense.

They are made as if the other end of an agency's line had sent them, since a peer that is authenticated is not thereby
sane (docs/spec/wire.md, "Frames").
"""

from random import Random  # noqa: TID251 - the type of a seeded stream
from typing import Any, Final, Literal, assert_never

from scenarios.soak.hostility import PoisonForm
from schemas.codec import pack
from schemas.frames import write_frame
from schemas.limits import FRAME_BYTES_MAX, HASH_BYTES, PROTOCOL_VERSION, SIGNATURE_BYTES, UINT_MS_MAX

_DEPTH: Final = 2_000
_NAN: Final = bytes.fromhex("cb7ff8000000000000")
_MAP: Final = bytes.fromhex("81a16101")
_HEARTBEAT: Final = write_frame((("heartbeat", 1),))  # type: ignore[arg-type] # a shape is a tuple on the wire
_BAD_UTF8: Final = b"\xa2\xc3\x28"


def poison(form: PoisonForm, direction: Literal["up", "down"], *, chance: Random) -> bytes:
    """Return a frame of this form for one direction of an agency's line."""
    bytes_of_it = _bytes(form, chance)
    if bytes_of_it is not None:
        return bytes_of_it
    return pack((PROTOCOL_VERSION, (_message(form, direction, chance),)))


def _bytes(form: PoisonForm, chance: Random) -> bytes | None:
    match form:
        case "empty":
            return chance.choice((b"", pack((PROTOCOL_VERSION, ())), pack(()), pack(PROTOCOL_VERSION)))
        case "flipped":
            place = chance.randrange(len(_HEARTBEAT))
            return _HEARTBEAT[:place] + bytes((_HEARTBEAT[place] ^ 0x81,)) + _HEARTBEAT[place + 1 :]
        case "truncated":
            return _HEARTBEAT[: 1 + chance.randrange(len(_HEARTBEAT) - 1)]
        case "trailing":
            return _HEARTBEAT + b"\xc0"
        case "deep":
            return b"\x91" * _DEPTH + b"\xc0"
        case "huge":
            return chance.choice((b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", bytes(FRAME_BYTES_MAX + 1)))
        case "nan":
            return b"\x92\x01\x91\x92\xa9heartbeat" + _NAN
        case "map":
            return b"\x92\x01\x91\x92\xa9heartbeat" + chance.choice((_MAP, _BAD_UTF8, b"\xc7\x01\x05\x00"))
        case _:
            return None


def _message(form: PoisonForm, direction: Literal["up", "down"], chance: Random) -> tuple[Any, ...]:
    """Return a message that reads well as a frame, where the form has one for this direction."""
    noise, signature, own = chance.randbytes(40), chance.randbytes(SIGNATURE_BYTES), chance.randbytes(HASH_BYTES)
    match form:
        case "schema":
            return chance.choice((("nothing-known", 1), ("heartbeat",), (1, 2), ("envelope", "text"), ("ack", -1)))
        case "statement" if direction == "up":
            return ("envelope", noise)
        case "statement":
            return ("verdict", noise, signature)
        case "bundle" if direction == "down":
            return ("bundle", noise)
        case "checkpoint" if direction == "down":
            return ("checkpoint", chance.randrange(2**40), (own,), chance.choice((noise, b"sandiwara/log/x\n1\n\n")))
        case "cosign" | "checkpoint" | "bundle" if direction == "up":
            return ("cosign", chance.randrange(2**40), chance.choice((None, noise)), noise)
        case "announcement" | "cosign":
            return ("announce", noise, signature)
        case "chunk":
            return chance.choice((("chunk", own, 3, 7, noise), ("want", own, 31, 1_023)))
        case "numbers" if direction == "up":
            # Of nothing that was ever sent: an ack as high as numbers go.
            return chance.choice((("ack", UINT_MS_MAX), ("heartbeat", UINT_MS_MAX), ("lookup", ("nobody-at-all",))))
        case "numbers":
            return ("delivery", UINT_MS_MAX, noise)
        case "bundle" | "checkpoint":
            return ("announce", noise, signature)
        case "empty" | "flipped" | "truncated" | "trailing" | "deep" | "huge" | "nan" | "map":
            return ()
        case _:
            assert_never(form)
