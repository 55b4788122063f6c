"""The four primitives and their one use each (docs/spec/envelope.md, "Primitives").

Ed25519, X25519, XChaCha20-Poly1305 and BLAKE2b; nothing is negotiated. Every AEAD key is used for one message, with
all context in the derivation of the key, so nonces are fixed and the additional data is always empty.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

from nacl import bindings

# PyNaCl's own wrapper of the AEAD costs more than the cipher does on a page of text, once for every reader of every
# report. What it checks is checked in _check_lengths below.
from nacl._sodium import ffi, lib
from nacl.exceptions import CryptoError

from schemas.errors import Code, RemoteError, SealError

AEAD_TAG_BYTES: Final = 16
_AEAD_KEY_BYTES: Final = 32
NONCE_ZERO: Final = bytes(24)

# Person strings of BLAKE2b keep one use of a hash from ever standing in for another.
PERSON_HID: Final = b"sw1 hid"
PERSON_PORTION: Final = b"sw1 portion"
PERSON_BLOB: Final = b"sw1 blob"
PERSON_CHUNK: Final = b"sw1 chunk"
PERSON_DECOY: Final = b"sw1 decoy"
PERSON_WRAPS: Final = b"sw1 wraps"
PERSON_KEY: Final = b"sw1 key"
PERSON_PAIR: Final = b"sw1 pair"
PERSON_WRAP: Final = b"sw1 wrap"
PERSON_INTERSECT: Final = b"sw1 intersect"
PERSON_TAIL: Final = b"sw1 tail"
PERSON_TERMS: Final = b"sw1 terms"

# Signatures begin with their purpose, so that none is valid as another kind of statement.
SIGN_RELEASE: Final = b"sw1 release\0"
SIGN_COSIGN: Final = b"sw1 cosign\0"
SIGN_BOX: Final = b"sw1 box\0"
SIGN_BUNDLE: Final = b"sw1 bundle\0"
SIGN_VERDICT: Final = b"sw1 verdict\0"


def digest(person: bytes, content: bytes) -> bytes:
    """Return BLAKE2b-256 with a person: 32 bytes."""
    return hashlib.blake2b(content, digest_size=32, person=person).digest()


def keyed(person: bytes, key: bytes, content: bytes, *, size: int = 32) -> bytes:
    """Return keyed BLAKE2b with a person: ``size`` bytes, 32 or 64."""
    return hashlib.blake2b(content, digest_size=size, key=key, person=person).digest()


def sign(secret: bytes, purpose: bytes, content: bytes) -> bytes:
    """Sign content for one purpose; ``secret`` is libsodium's 64-byte form. Returns 64 bytes."""
    return bindings.crypto_sign(purpose + content, secret)[:64]


def verify(public: bytes, purpose: bytes, content: bytes, signature: bytes, *, code: Code = Code.BAD_SIG) -> None:
    """Prove that the holder of ``public`` signed this content for this purpose.

    Raises:
        RemoteError: With ``code``.
    """
    try:
        bindings.crypto_sign_open(signature + purpose + content, public)
    except (CryptoError, ValueError) as error:
        msg = "the signature does not verify"
        raise RemoteError(code, msg) from error


def verify_any(publics: Sequence[bytes], purpose: bytes, content: bytes, signature: bytes) -> None:
    """Prove that the holder of one of these keys signed; while keys overlap, a signer may use either.

    Args:
        publics: At least one key.
        purpose: As for ``verify``.
        content: As for ``verify``.
        signature: As for ``verify``.

    Raises:
        RemoteError: BAD_SIG.
    """
    *others, last = publics
    for public in others:
        try:
            verify(public, purpose, content, signature)
        except RemoteError:
            continue
        return
    verify(last, purpose, content, signature)


def encrypt(key: bytes, plaintext: bytes, *, nonce: bytes = NONCE_ZERO) -> bytes:
    """Encrypt under a 32-byte key used once; returns the ciphertext with its 16-byte tag."""
    _check_lengths(key, nonce)
    ciphertext = ffi.new("unsigned char[]", len(plaintext) + AEAD_TAG_BYTES)
    failed = lib.crypto_aead_xchacha20poly1305_ietf_encrypt(
        ciphertext, ffi.NULL, plaintext, len(plaintext), ffi.NULL, 0, ffi.NULL, nonce, key
    )
    if failed:  # libsodium documents that it never does; a ciphertext that is not one must not go out
        msg = "libsodium could not encrypt"
        raise SealError(msg)
    return bytes(ffi.buffer(ciphertext))


def decrypt(key: bytes, ciphertext: bytes, *, code: Code, nonce: bytes = NONCE_ZERO) -> bytes:
    """Decrypt, or raise ``code``; nothing of a forged plaintext is ever released.

    Raises:
        RemoteError: With ``code``.
    """
    _check_lengths(key, nonce)
    length = len(ciphertext) - AEAD_TAG_BYTES
    if length >= 0:
        plaintext = ffi.new("unsigned char[]", length)
        failed = lib.crypto_aead_xchacha20poly1305_ietf_decrypt(
            plaintext, ffi.NULL, ffi.NULL, ciphertext, len(ciphertext), ffi.NULL, 0, nonce, key
        )
        if not failed:
            return bytes(ffi.buffer(plaintext))
    msg = "the ciphertext does not authenticate"
    raise RemoteError(code, msg)


def _check_lengths(key: bytes, nonce: bytes) -> None:
    """Stand between Python's lengths and C, which reads 32 and 24 bytes whatever it is given."""
    if len(key) != _AEAD_KEY_BYTES or len(nonce) != len(NONCE_ZERO):
        msg = "an AEAD key or nonce is of the wrong length"
        raise SealError(msg)


def agree(secret: bytes, public: bytes) -> bytes:
    """Return the X25519 shared secret, 32 bytes.

    Raises:
        RemoteError: KEY_WEAK if the public key is of small order.
    """
    try:
        return bindings.crypto_scalarmult(secret, public)
    except (CryptoError, RuntimeError, ValueError) as error:
        msg = "the box key is of small order"
        raise RemoteError(Code.KEY_WEAK, msg) from error
