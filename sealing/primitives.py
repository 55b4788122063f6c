"""The four primitives and their one use each (docs/spec/envelope.md, "Primitives").

Ed25519, X25519, XChaCha20-Poly1305 and BLAKE2b; nothing is negotiated. Every AEAD key is used for one message, with
all context in the derivation of the key, so nonces are fixed and the additional data is always empty.
"""

import hashlib
from typing import Final

from nacl import bindings
from nacl.exceptions import CryptoError

from schemas.errors import Code, RemoteError

AEAD_TAG_BYTES: Final = 16
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


def encrypt(key: bytes, plaintext: bytes, *, nonce: bytes = NONCE_ZERO) -> bytes:
    """Encrypt under a key used once; returns the ciphertext with its 16-byte tag."""
    return bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, None, nonce, key)


def decrypt(key: bytes, ciphertext: bytes, *, code: Code, nonce: bytes = NONCE_ZERO) -> bytes:
    """Decrypt, or raise ``code``; nothing of a forged plaintext is ever released.

    Raises:
        RemoteError: With ``code``.
    """
    try:
        return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(ciphertext, None, nonce, key)
    except (CryptoError, ValueError) as error:
        msg = "the ciphertext does not authenticate"
        raise RemoteError(code, msg) from error


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
