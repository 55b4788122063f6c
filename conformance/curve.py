"""Just enough of edwards25519 to make keys that must be refused; slow, and never used on a secret that matters.

Written from RFC 8032, section 5.1, so that what libsodium is asked to refuse was not made by libsodium.
"""

from typing import Final

PRIME: Final = 2**255 - 19
ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_D: Final = -121665 * pow(121666, -1, PRIME) % PRIME
_ROOT_OF_MINUS_ONE: Final = pow(2, (PRIME - 1) // 4, PRIME)
_SIGN_BIT: Final = 1 << 255

Point = tuple[int, int]

# The points of order 1, 2, 4 and 8, and the other spellings of some of them that careless readers take.
SMALL_ORDER: Final = tuple(
    bytes.fromhex(text)
    for text in (
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    )
)
# The u of X25519 whose shared secret is zero whatever the other end's key: 0, 1, two of order 8, p-1, p, p+1.
SMALL_ORDER_U: Final = tuple(
    number.to_bytes(32, "little")
    for number in (
        0,
        1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
        PRIME - 1,
        PRIME,
        PRIME + 1,
    )
)


def decode(encoded: bytes) -> Point:
    """Return the point of a canonical encoding."""
    number = int.from_bytes(encoded, "little")
    y, negative = number % _SIGN_BIT, number >> 255
    square = (y * y - 1) * pow(_D * y * y + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if x * x % PRIME != square:
        x = x * _ROOT_OF_MINUS_ONE % PRIME
    if x % 2 != negative:
        x = PRIME - x
    return x, y


def encode(point: Point) -> bytes:
    """Return the canonical encoding of a point."""
    x, y = point
    return (y | (x % 2) << 255).to_bytes(32, "little")


def add(one: Point, other: Point) -> Point:
    """Return the sum of two points."""
    (x1, y1), (x2, y2) = one, other
    product = _D * x1 * x2 * y1 * y2 % PRIME
    x3 = (x1 * y2 + x2 * y1) * pow(1 + product, -1, PRIME) % PRIME
    y3 = (y1 * y2 + x1 * x2) * pow(1 - product, -1, PRIME) % PRIME
    return x3, y3


def with_torsion(public: bytes) -> bytes:
    """Return a public key moved by a point of order 8: on the curve, canonical, not small, and not of prime order."""
    return encode(add(decode(public), decode(SMALL_ORDER[4])))


def second_spelling(signature: bytes) -> bytes:
    """Return a signature with the group order added to S; a careless verifier takes both."""
    scalar = int.from_bytes(signature[32:], "little") + ORDER
    return signature[:32] + scalar.to_bytes(32, "little")
