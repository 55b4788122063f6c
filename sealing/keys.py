"""Key pairs, and the admission of public keys (docs/spec/envelope.md, "Keys").

Ed25519 libraries disagree on degenerate keys: one crafted key makes some of them accept any message. So a public key
is checked once, when it is admitted into a bundle or announced, and never has to be doubted later.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from nacl import bindings

from schemas.errors import Code, RemoteError
from schemas.limits import BOX_KEY_BYTES, SIGN_KEY_BYTES
from sealing.entropy import Entropy
from sealing.primitives import agree

_FIELD_PRIME: Final = 2**255 - 19
_JUDGED_KEPT: Final = 8_192  # of public keys, four epochs of two thousand agencies
_ANY_SCALAR: Final = bytes([8]) + bytes(30) + bytes([64])


@dataclass(frozen=True, slots=True)
class SignPair:
    """An Ed25519 pair; ``secret`` is libsodium's 64 bytes, seed first."""

    public: bytes
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxPair:
    """An X25519 pair of one epoch; ``not_before`` and ``expires`` are Unix ms."""

    epoch: int
    public: bytes
    secret: bytes = field(repr=False)
    not_before: int
    expires: int


def new_sign_pair(entropy: Entropy) -> SignPair:
    """Make a signing pair."""
    return sign_pair_from_seed(entropy.take(32))


def sign_pair_from_seed(seed: bytes) -> SignPair:
    """Return the signing pair of a 32-byte seed."""
    public, secret = bindings.crypto_sign_seed_keypair(seed)
    return SignPair(public, secret)


def new_box_pair(entropy: Entropy, *, epoch: int, not_before: int, expires: int) -> BoxPair:
    """Make the box pair of one epoch."""
    return box_pair_from_secret(entropy.take(32), epoch=epoch, not_before=not_before, expires=expires)


def box_pair_from_secret(secret: bytes, *, epoch: int, not_before: int, expires: int) -> BoxPair:
    """Return the box pair of a 32-byte secret."""
    public = bindings.crypto_scalarmult_base(secret)
    return BoxPair(epoch=epoch, public=public, secret=secret, not_before=not_before, expires=expires)


# Every node of a region judges the same public keys, and so does each that starts again; a judgement takes 43 µs.
@lru_cache(maxsize=_JUDGED_KEPT)
def _is_valid_point(public: bytes) -> bool:
    return bool(bindings.crypto_core_ed25519_is_valid_point(public))


@lru_cache(maxsize=_JUDGED_KEPT)
def _agree_with_any(public: bytes) -> None:
    agree(_ANY_SCALAR, public)


def admit_sign_key(public: bytes) -> None:
    """Admit an Ed25519 public key.

    Raises:
        RemoteError: KEY_WEAK unless it is 32 bytes, canonical, and a point of the prime-order group.
    """
    if len(public) != SIGN_KEY_BYTES or not _is_valid_point(public):
        msg = "the sign key is of small order or not canonical"
        raise RemoteError(Code.KEY_WEAK, msg)


def admit_box_key(public: bytes) -> None:
    """Admit an X25519 public key.

    Raises:
        RemoteError: KEY_WEAK unless it is 32 bytes, canonical, and not of small order.
    """
    # RFC 7748 only allows the check for small order; we require it, and one spelling for each key.
    if len(public) != BOX_KEY_BYTES or int.from_bytes(public, "little") >= _FIELD_PRIME:
        msg = "the box key is not canonical"
        raise RemoteError(Code.KEY_WEAK, msg)
    _agree_with_any(public)
