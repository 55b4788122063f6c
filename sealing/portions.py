"""One portion: its key, its commitment, its blob, and its chunks where it is large (docs/spec/envelope.md, "Portions").

XChaCha20-Poly1305 does not commit to its key: one ciphertext can be made to open under two keys to two different
orders. So each blob begins with a commitment to its key, which is compared before anything is decrypted.
"""

from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Final

from schemas.codec import pack, unpack
from schemas.envelope import Disclosure
from schemas.errors import Code, RemoteError, SealError
from schemas.label import Label, read_label
from schemas.limits import (
    CHUNK_BYTES_MAX,
    CHUNKS_MAX,
    CONTENT_BYTES_MAX,
    DISCLOSURE_BYTES_MAX,
    HASH_BYTES,
    INLINE_BYTES_MAX,
    PADDING_BLOCK_BYTES,
    PORTION_KEY_BYTES,
    SALT_BYTES,
)
from sealing.entropy import Entropy
from sealing.primitives import (
    PERSON_BLOB,
    PERSON_CHUNK,
    PERSON_DECOY,
    PERSON_KEY,
    PERSON_PORTION,
    decrypt,
    digest,
    encrypt,
    keyed,
)

_COMMITMENT_BYTES: Final = 32
INLINE_OVERHEAD_BYTES: Final = _COMMITMENT_BYTES + 16  # by how much a blob is longer than its padded text: and a tag
_DISCLOSURE_FIELDS: Final = len(Disclosure._fields)
# How a disclosure begins and ends on the wire: an array of four, a salt; then, behind the label, a hash and a number
# of chunks that takes one byte.
_BEFORE_SALT: Final = b"\x94\xc4\x10"
_LABEL_BEGIN: Final = len(_BEFORE_SALT) + SALT_BYTES
_BEFORE_HASH: Final = b"\xc4\x20"
_LABEL_END: Final = -(len(_BEFORE_HASH) + HASH_BYTES + 1)
_ONE_BYTE_MAX: Final = 0x7F
_PLAINTEXT_BYTES_MAX: Final = CONTENT_BYTES_MAX + PADDING_BLOCK_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedPortion:
    """A portion as its originator keeps it: enough to release it again to somebody else."""

    place: int
    label: Label
    disclosure: bytes
    commitment: bytes
    blob: bytes
    chunks: tuple[bytes, ...]
    key: bytes = field(repr=False)


def seal_portion(
    plaintext: bytes, *, label: Label, place: int, entropy: Entropy, inline_bytes_max: int = INLINE_BYTES_MAX
) -> SealedPortion:
    """Seal one portion under a key of its own.

    Args:
        plaintext: The packed content.
        label: Goes into the disclosure, and by its commitment under the originator's signature.
        place: The portion's place in the header, 0..31.
        entropy: Gives key and salt.
        inline_bytes_max: Above this the portion travels in chunks.

    Raises:
        SealError: If the content is larger than CONTENT_BYTES_MAX, or the label takes more than a disclosure holds.
    """
    if len(plaintext) > CONTENT_BYTES_MAX:
        msg = f"a portion of {len(plaintext)} bytes, where {CONTENT_BYTES_MAX} are the most"
        raise SealError(msg, remedy="split it over several portions or reports")
    key = entropy.take(PORTION_KEY_BYTES)
    encryption_key, key_commitment = _derive(key, place)
    padded = _pad(plaintext)
    chunks: tuple[bytes, ...] = ()
    if len(padded) <= inline_bytes_max:
        blob = key_commitment + encrypt(encryption_key, padded)
    else:
        pieces = [padded[start : start + CHUNK_BYTES_MAX] for start in range(0, len(padded), CHUNK_BYTES_MAX)]
        chunks = tuple(
            encrypt(encryption_key, piece, nonce=chunk_nonce(number, last=number == len(pieces) - 1))
            for number, piece in enumerate(pieces)
        )
        blob = key_commitment + b"".join(chunk_hash(chunk) for chunk in chunks)
    disclosure = pack((entropy.take(SALT_BYTES), label, digest(PERSON_BLOB, blob), len(chunks)))
    if len(disclosure) > DISCLOSURE_BYTES_MAX:
        msg = f"a label that makes a disclosure of {len(disclosure)} bytes, where {DISCLOSURE_BYTES_MAX} are the most"
        raise SealError(msg, remedy="name groups in place of their members, or fewer compartments and caveats")
    return SealedPortion(
        place=place,
        label=label,
        disclosure=disclosure,
        commitment=digest(PERSON_PORTION, disclosure),
        blob=blob,
        chunks=chunks,
        key=key,
    )


def decoy(seed: bytes, place: int) -> bytes:
    """Return the commitment that stands in an unused place."""
    return digest(PERSON_DECOY, seed + place.to_bytes(2, "big"))


def read_disclosure(received: bytes) -> Disclosure:
    """Read a disclosure from its canonical bytes.

    Raises:
        RemoteError: From the reading, SHAPE or LIMIT.
    """
    plain = _read_plain_disclosure(received)
    if plain is not None:
        return plain
    value = unpack(received, bytes_max=DISCLOSURE_BYTES_MAX)
    if not isinstance(value, tuple) or len(value) != _DISCLOSURE_FIELDS:
        msg = "a disclosure is an array of salt, label, hash and chunks"
        raise RemoteError(Code.SHAPE, msg)
    salt, label, blob_hash, chunks = value
    # Labels repeat from report to report and are looked up by their bytes; the three other fields never do.
    if not (
        type(salt) is bytes and len(salt) == SALT_BYTES
        and type(blob_hash) is bytes and len(blob_hash) == HASH_BYTES
        and type(chunks) is int and 0 <= chunks <= CHUNKS_MAX
    ):  # fmt: skip
        msg = "the salt, the hash or the number of chunks of a disclosure is malformed"
        raise RemoteError(Code.SHAPE, msg)
    return Disclosure(salt, read_label(pack(label)), blob_hash, chunks)


def _read_plain_disclosure(received: bytes) -> Disclosure | None:
    """Read a disclosure of the usual layout, or return None; what is not quite so is read by the codec, which judges.

    Array, salt, hash and chunks have one canonical spelling, which is compared here byte by byte, and the label between
    them is read, canonical or not at all, by ``read_label``. So this admits what the codec admits, without decoding
    labels that are known by their bytes: three times for each report of every reader.
    """
    if (
        len(received) > DISCLOSURE_BYTES_MAX
        or not received.startswith(_BEFORE_SALT)
        or received[_LABEL_END : _LABEL_END + len(_BEFORE_HASH)] != _BEFORE_HASH
        or received[-1] > _ONE_BYTE_MAX
    ):
        return None
    try:
        label = read_label(received[_LABEL_BEGIN:_LABEL_END])
    except RemoteError:
        return None
    return Disclosure(received[len(_BEFORE_SALT) : _LABEL_BEGIN], label, received[-HASH_BYTES - 1 : -1], received[-1])


def check_blob(blob: bytes, disclosure: Disclosure) -> None:
    """Prove that a blob is the one disclosed, and that a manifest is as long as was said.

    Raises:
        RemoteError: BLOB_HASH.
    """
    if digest(PERSON_BLOB, blob) != disclosure.blob_hash:
        msg = "a blob is not the one its disclosure names"
        raise RemoteError(Code.BLOB_HASH, msg)
    if disclosure.chunks and len(blob) != _COMMITMENT_BYTES + disclosure.chunks * HASH_BYTES:
        msg = "a manifest is not as long as its disclosure says"
        raise RemoteError(Code.BLOB_HASH, msg)


def manifest_hashes(blob: bytes) -> tuple[bytes, ...]:
    """Return the hashes of the chunks that a manifest lists; the broker checks each chunk by them."""
    listed = blob[_COMMITMENT_BYTES:]
    return tuple(listed[start : start + HASH_BYTES] for start in range(0, len(listed), HASH_BYTES))


def chunk_hash(ciphertext: bytes) -> bytes:
    """Return the hash by which a manifest names a chunk."""
    return digest(PERSON_CHUNK, ciphertext)


def chunk_nonce(number: int, *, last: bool) -> bytes:
    """Return the nonce of a chunk: its number, and whether it is the last, so that none can be cut off or moved."""
    return number.to_bytes(8, "big") + (b"\1" if last else b"\0") + bytes(15)


def open_inline(key: bytes, place: int, blob: bytes) -> bytes:
    """Open an inline portion and take its padding off.

    Raises:
        RemoteError: COMMITMENT before anything is decrypted, then BAD_TAG, then CONTENT for wrong padding.
    """
    encryption_key = _check_commitment(key, place, blob)
    return _unpad(decrypt(encryption_key, blob[_COMMITMENT_BYTES:], code=Code.BAD_TAG))


def open_chunked(key: bytes, place: int, blob: bytes, chunks: tuple[bytes, ...]) -> bytes:
    """Open a portion whose chunks are all here, in order; nothing is released before the last one has proved itself.

    Raises:
        RemoteError: COMMITMENT, CHUNK, BAD_TAG or CONTENT.
    """
    encryption_key = _check_commitment(key, place, blob)
    if tuple(chunk_hash(chunk) for chunk in chunks) != manifest_hashes(blob) or not 0 < len(chunks) <= CHUNKS_MAX:
        msg = "the chunks are not those of the manifest"
        raise RemoteError(Code.CHUNK, msg)
    if sum(len(chunk) for chunk in chunks) > _PLAINTEXT_BYTES_MAX + 16 * len(chunks):
        msg = f"a portion of more than {CONTENT_BYTES_MAX} bytes"
        raise RemoteError(Code.CONTENT, msg)
    last = len(chunks) - 1
    return _unpad(
        b"".join(
            decrypt(encryption_key, chunk, code=Code.BAD_TAG, nonce=chunk_nonce(number, last=number == last))
            for number, chunk in enumerate(chunks)
        )
    )


def _derive(key: bytes, place: int) -> tuple[bytes, bytes]:
    derived = keyed(PERSON_KEY, key, place.to_bytes(2, "big"), size=64)
    return derived[:32], derived[32:]


def _check_commitment(key: bytes, place: int, blob: bytes) -> bytes:
    encryption_key, key_commitment = _derive(key, place)
    # "A receiver MUST compare the key commitment before it decrypts."
    if len(blob) < _COMMITMENT_BYTES or not compare_digest(blob[:_COMMITMENT_BYTES], key_commitment):
        msg = "the key is not the one the blob commits to"
        raise RemoteError(Code.COMMITMENT, msg)
    return encryption_key


def _pad(plaintext: bytes) -> bytes:
    """Pad by ISO/IEC 7816-4, as libsodium does: one 0x80, then zeros up to a whole block."""
    return plaintext + b"\x80" + bytes(-(len(plaintext) + 1) % PADDING_BLOCK_BYTES)


def _unpad(padded: bytes) -> bytes:
    plaintext = padded.rstrip(b"\0")
    # One spelling only: whole blocks, the marker, and no block that is padding alone but the one that must be.
    if (
        not plaintext.endswith(b"\x80")
        or len(padded) % PADDING_BLOCK_BYTES
        or len(padded) - len(plaintext) >= PADDING_BLOCK_BYTES
    ):
        msg = "the padding is malformed"
        raise RemoteError(Code.CONTENT, msg)
    return plaintext[:-1]
