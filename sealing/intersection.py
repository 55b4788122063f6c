"""Whether two agencies hold the same thing, and nothing else: a Diffie-Hellman private set intersection.

The asker sends each identifier as a point that it has blinded by a secret scalar; the answerer blinds these points
once more, and beside them sends all that it holds, blinded by its own scalar alone. The asker takes its own blinding
off again and sees which points meet. Both scalars are made for one ask and then forgotten, so no two asks can be
compared. Points are of the prime-order subgroup of edwards25519 (docs/spec/envelope.md, "Deconfliction").

What a point hides rests on the decisional Diffie-Hellman problem and on the hash; that the answerer holds what it
says it holds, or anything at all, nothing here can prove.
"""

import hashlib
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from nacl import bindings

from schemas.errors import Code, RemoteError, SealError
from schemas.limits import DECONFLICT_HELD_CLASSES, DECONFLICT_POINTS
from sealing.entropy import Entropy
from sealing.primitives import PERSON_INTERSECT

_SCALAR_ZERO: Final = bytes(32)


class Blinded(NamedTuple):
    """An ask: ``secret`` takes the blinding off again, ``points`` are sent; the first of them are those asked for."""

    secret: bytes
    points: tuple[bytes, ...]

    def __repr__(self) -> str:  # the secret must never reach a log by way of a debug print
        return f"Blinded({len(self.points)} points)"


class Answer(NamedTuple):
    """A reply: the asked points blinded once more, in their order, and what the answerer holds."""

    doubled: tuple[bytes, ...]
    held: tuple[bytes, ...]


def blind(elements: Sequence[bytes], *, context: bytes, entropy: Entropy) -> Blinded:
    """Make an ask of one size, whatever is asked.

    Args:
        elements: What is asked for, each in the one spelling that both sides use; at most DECONFLICT_POINTS.
        context: Who asks whom: a reply to another ask, or by somebody else, must never match.
        entropy: Where the scalar and the padding come from.

    Raises:
        SealError: If there is nothing to ask for, or too much.
    """
    if not 0 < len(elements) <= DECONFLICT_POINTS:
        msg = f"{len(elements)} identifiers in one ask, where 1 to {DECONFLICT_POINTS} are allowed"
        raise SealError(msg, remedy="ask for fewer")
    secret = _scalar(entropy)
    points = [_multiply(secret, _point_of(element, context)) for element in elements]
    points += [_random_point(entropy) for _ in range(DECONFLICT_POINTS - len(points))]
    return Blinded(secret, tuple(points))


def answer(points: Sequence[bytes], held: Collection[bytes], *, context: bytes, entropy: Entropy) -> Answer:
    """Answer an ask with all that is held, in one of a few sizes.

    Args:
        points: The points that were asked, as they came.
        held: What this side holds, each in the one spelling that both sides use.
        context: As for ``blind``, of the asker.
        entropy: Where the scalar and the padding come from.

    Raises:
        RemoteError: CONTENT if a point is none of the group.
        SealError: If more is held than a reply takes; a part of it would say "no" where it must not.
    """
    size = next((size for size in DECONFLICT_HELD_CLASSES if len(held) <= size), None)
    if size is None:
        msg = f"{len(held)} identifiers are held, where a reply takes {DECONFLICT_HELD_CLASSES[-1]}"
        raise SealError(msg, remedy="compare with a register that is kept for this, or decline")
    _check_points(points)
    secret = _scalar(entropy)
    doubled = tuple(_multiply(secret, point) for point in points)
    own = [_multiply(secret, _point_of(element, context)) for element in sorted(set(held))]
    own += [_random_point(entropy) for _ in range(size - len(own))]
    # In the order of their bytes, which says nothing: the points look random, and so does any order of them.
    return Answer(doubled, tuple(sorted(own)))


def find_hits(asked: Blinded, count: int, reply: Answer) -> tuple[bool, ...]:
    """Return for each of the first ``count`` points asked whether the answerer holds the same.

    Raises:
        RemoteError: CONTENT if the reply is of no size that there is, or a point is none of the group.
    """
    if len(reply.doubled) != len(asked.points) or len(reply.held) not in DECONFLICT_HELD_CLASSES:
        msg = "a reply of a size that there is not"
        raise RemoteError(Code.CONTENT, msg)
    _check_points(reply.doubled)
    _check_points(reply.held)
    inverse = bindings.crypto_core_ed25519_scalar_invert(asked.secret)
    held = frozenset(reply.held)
    return tuple(_multiply(inverse, point) in held for point in reply.doubled[:count])


def _point_of(element: bytes, context: bytes) -> bytes:
    """Hash to the group as a random oracle does: the sum of two maps, since one alone misses half of the points."""
    wide = hashlib.blake2b(
        len(context).to_bytes(4, "big") + context + element, digest_size=64, person=PERSON_INTERSECT
    ).digest()
    first, second = (bindings.crypto_core_ed25519_from_uniform(half) for half in (wide[:32], wide[32:]))
    return bindings.crypto_core_ed25519_add(first, second)


def _random_point(entropy: Entropy) -> bytes:
    """Return a point that nobody can tell from a blinded one: both are even over the whole group."""
    return bindings.crypto_scalarmult_ed25519_base_noclamp(_scalar(entropy))


def _scalar(entropy: Entropy) -> bytes:
    scalar = _SCALAR_ZERO
    while scalar == _SCALAR_ZERO:  # once in 2^252 draws; it would blind nothing
        scalar = bindings.crypto_core_ed25519_scalar_reduce(entropy.take(64))
    return scalar


def _multiply(scalar: bytes, point: bytes) -> bytes:
    try:
        return bindings.crypto_scalarmult_ed25519_noclamp(scalar, point)
    except RuntimeError as error:  # the neutral element, which no point that was checked can give
        msg = "a point vanishes"
        raise RemoteError(Code.CONTENT, msg) from error


def _check_points(points: Sequence[bytes]) -> None:
    """Admit points of the prime-order subgroup alone; any other leaks the scalar that it is multiplied by.

    Raises:
        RemoteError: CONTENT if one is not canonical, not on the curve, of small order or outside the subgroup.
    """
    for point in points:
        if len(point) != bindings.crypto_core_ed25519_BYTES or not bindings.crypto_core_ed25519_is_valid_point(point):
            msg = "a point is none of the group"
            raise RemoteError(Code.CONTENT, msg)
