"""What a lying router makes of a reader's cut: every part swapped or bent, and bytes that are no envelope at all.

It has no agency's key, so whatever it changes is under a signature, a commitment or a tag that it cannot make anew.
Used by the lying router of the simulation (scenarios/soak) and by the adversary of an exercise (scenarios/red).
"""

from collections.abc import Callable
from random import Random  # noqa: TID251 - the type of a seeded stream
from typing import Final, Literal

from schemas.codec import pack, read_shape, unpack
from schemas.envelope import Disclosed, Envelope, Wrap, Wraps
from schemas.limits import ENVELOPE_BYTES_MAX

# What a lying router does to the cut that a reader gets.
Form = Literal[
    "body", "label", "header", "signature", "recipient", "bits", "epoch", "number", "truncated", "deep", "huge", "nan",
    "schema",
]  # fmt: skip

_DEPTH: Final = 2_000  # deeper than any reader goes
_NAN: Final = bytes.fromhex("cb7ff8000000000000")
_STRANGER: Final = "nobody-at-all"

_Change = Callable[[Envelope, Envelope, Random], Envelope]


def bend(cut: bytes, form: Form, *, other: bytes, chance: Random) -> bytes:
    """Return another cut in the place of this one, never the same.

    Args:
        cut: The true one.
        form: What is done to it.
        other: A cut of another message or for another reader, from which parts are taken; may be the same.
        chance: Where in it.
    """
    junk = _junk(cut, form)
    if junk is not None:
        return junk
    bent = pack(_CHANGES[form](_read(cut), _read(other), chance))
    return bent if bent != cut else pack(_bend_signature(_read(cut), _read(cut), chance))


def readdressed(wrap: Wrap, *, to: str) -> Wrap:
    """Return somebody's wrap with another name on it."""
    return wrap._replace(to=to)


def _junk(cut: bytes, form: Form) -> bytes | None:
    match form:
        case "truncated":
            return cut[: len(cut) * 2 // 3]
        case "deep":
            return b"\x91" * _DEPTH + b"\xc0"
        case "huge":
            return b"\xdc\xff\xff" + bytes(ENVELOPE_BYTES_MAX // 4)
        case "nan":
            return b"\x97" + _NAN * 7
        case "schema":
            # Canonical, of the right length, and every field of another type.
            return pack((1, None, "signature", (), (None, ()), (), b""))
        case _:
            return None


def _bend_body(mine: Envelope, other: Envelope, chance: Random) -> Envelope:
    blobs = list(mine.blobs)
    if not blobs:
        return mine
    place = chance.randrange(len(blobs))
    blobs[place] = other.blobs[0] if other.blobs and other.blobs[0] != blobs[place] else _flipped(blobs[place], chance)
    return mine._replace(blobs=tuple(blobs))


def _bend_label(mine: Envelope, other: Envelope, chance: Random) -> Envelope:
    portions = list(mine.disclosures.portions)
    theirs = other.disclosures.portions
    if not portions:
        return mine
    place, before = portions[0]
    taken = theirs[0].disclosure if theirs and theirs[0].disclosure != before else _flipped(before, chance)
    portions[0] = Disclosed(place, taken)
    return mine._replace(disclosures=mine.disclosures._replace(portions=tuple(portions)))


def _bend_header(mine: Envelope, other: Envelope, chance: Random) -> Envelope:
    if other.header != mine.header:
        return mine._replace(header=other.header)
    return mine._replace(wraps_hash=_flipped(mine.wraps_hash, chance))


def _bend_signature(mine: Envelope, other: Envelope, chance: Random) -> Envelope:
    signature = other.signature if other.signature != mine.signature else _flipped(mine.signature, chance)
    return mine._replace(signature=signature)


def _bend_recipient(mine: Envelope, _other: Envelope, _chance: Random) -> Envelope:
    return _with_wrap(mine, lambda wrap: wrap._replace(to=_STRANGER))


def _bend_bits(mine: Envelope, _other: Envelope, _chance: Random) -> Envelope:
    return _with_wrap(mine, lambda wrap: wrap._replace(bits=wrap.bits ^ 1))


def _bend_epoch(mine: Envelope, _other: Envelope, _chance: Random) -> Envelope:
    return _with_wrap(mine, lambda wrap: wrap._replace(from_epoch=wrap.from_epoch + 1))


def _bend_number(mine: Envelope, _other: Envelope, _chance: Random) -> Envelope:
    return _with_wrap(mine, lambda wrap: wrap._replace(seq=wrap.seq + 1))


_CHANGES: Final[dict[str, _Change]] = {
    "body": _bend_body,
    "label": _bend_label,
    "header": _bend_header,
    "signature": _bend_signature,
    "recipient": _bend_recipient,
    "bits": _bend_bits,
    "epoch": _bend_epoch,
    "number": _bend_number,
}


def _with_wrap(mine: Envelope, change: Callable[[Wrap], Wrap]) -> Envelope:
    (wrap,) = read_shape(Wraps, (unpack(mine.wraps, bytes_max=ENVELOPE_BYTES_MAX),)).items
    return mine._replace(wraps=pack((change(wrap),)))


def _flipped(before: bytes, chance: Random) -> bytes:
    place = chance.randrange(len(before))
    return before[:place] + bytes((before[place] ^ 0x55,)) + before[place + 1 :]


def _read(cut: bytes) -> Envelope:
    return read_shape(Envelope, unpack(cut, bytes_max=ENVELOPE_BYTES_MAX))
