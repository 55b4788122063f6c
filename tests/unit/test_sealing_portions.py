"""Portions: padding, commitment, chunks; at their limits and one beyond."""

import pytest

from conformance import world
from schemas.codec import pack
from schemas.errors import Code, RemoteError, SealError
from schemas.limits import (
    CHUNK_BYTES_MAX,
    CHUNKS_MAX,
    CONTENT_BYTES_MAX,
    DISCLOSURE_BYTES_MAX,
    INLINE_BYTES_MAX,
    PADDING_BLOCK_BYTES,
)
from sealing.portions import (
    SealedPortion,
    check_blob,
    chunk_nonce,
    decoy,
    manifest_hashes,
    open_chunked,
    open_inline,
    read_disclosure,
    seal_portion,
)
from sealing.primitives import digest, encrypt, keyed


def sealed(plaintext: bytes, **named: int) -> SealedPortion:
    return seal_portion(plaintext, label=world.LABEL, place=3, entropy=world.ScriptedEntropy("portion"), **named)


def refusal(call: object, *arguments: object) -> Code:
    """Return the code that a call raises."""
    assert callable(call)
    with pytest.raises(RemoteError) as caught:
        call(*arguments)
    return caught.value.code


@pytest.mark.parametrize("size", [0, 1, 254, 255, 256, 257, 511, 512])
def test_a_text_of_any_size_comes_back_and_shows_in_steps_only(size: int) -> None:
    portion = sealed(b"\x80" * size)

    assert b"\x80" * size == open_inline(portion.key, 3, portion.blob)
    assert 0 == (len(portion.blob) - 48) % PADDING_BLOCK_BYTES
    assert portion.blob == sealed(b"\x80" * size).blob


@pytest.mark.parametrize("surplus", [-1, 0, 1])
def test_above_the_inline_limit_a_portion_goes_in_chunks(surplus: int) -> None:
    """The limit is one of the padded text, which is a byte longer at least."""
    portion = sealed(bytes(INLINE_BYTES_MAX - 1 + surplus))

    assert bool(portion.chunks) is (surplus > 0)


@pytest.mark.parametrize("surplus", [-1, 0, 1])
def test_chunks_are_cut_at_their_limit(surplus: int) -> None:
    portion = sealed(bytes(CHUNK_BYTES_MAX - 1 + surplus))

    assert (2 if surplus > 0 else 1) == len(portion.chunks)
    assert bytes(CHUNK_BYTES_MAX - 1 + surplus) == open_chunked(portion.key, 3, portion.blob, portion.chunks)
    assert len(portion.chunks) == len(manifest_hashes(portion.blob)) == read_disclosure(portion.disclosure).chunks


@pytest.mark.parametrize("surplus", [-1, 0, 1])
def test_a_portion_is_bounded(surplus: int) -> None:
    plaintext = bytes(CONTENT_BYTES_MAX + surplus)
    if surplus <= 0:
        portion = sealed(plaintext)
        assert plaintext == open_chunked(portion.key, 3, portion.blob, portion.chunks)
        return
    with pytest.raises(SealError, match="are the most") as caught:
        sealed(plaintext)
    assert "split" in caught.value.remedy


def test_a_reader_does_not_open_more_than_a_portion_may_hold() -> None:
    """A sender that ignores the limit: the chunks are right in all else."""
    key = world.secret("large")
    derived = keyed(b"sw1 key", key, (3).to_bytes(2, "big"), size=64)
    count = CONTENT_BYTES_MAX // CHUNK_BYTES_MAX + 1
    chunks = tuple(
        encrypt(derived[:32], bytes(CHUNK_BYTES_MAX), nonce=chunk_nonce(number, last=number == count - 1))
        for number in range(count)
    )
    blob = derived[32:] + b"".join(digest(b"sw1 chunk", chunk) for chunk in chunks)

    assert Code.CONTENT is refusal(open_chunked, key, 3, blob, chunks)


def test_no_chunks_are_no_portion() -> None:
    key = world.secret("none")
    commitment = keyed(b"sw1 key", key, (3).to_bytes(2, "big"), size=64)[32:]

    assert Code.CHUNK is refusal(open_chunked, key, 3, commitment, ())


def test_every_chunk_has_a_nonce_of_its_own() -> None:
    nonces = {chunk_nonce(number, last=last) for number in range(CHUNKS_MAX) for last in (False, True)}

    assert 2 * CHUNKS_MAX == len(nonces)
    assert {24} == {len(nonce) for nonce in nonces}


def test_decoys_differ_by_place_and_seed() -> None:
    assert 64 == len({decoy(seed, place) for seed in (bytes(32), world.secret("s")) for place in range(32)})


def test_a_sealed_portion_never_shows_its_key() -> None:
    portion = sealed(b"text")

    assert repr(portion.key) not in repr(portion)


def disclosure(**changes: object) -> bytes:
    fields = {"salt": bytes(16), "label": world.LABEL, "blob_hash": bytes(32), "chunks": 0} | changes
    return pack(tuple(fields.values()))


@pytest.mark.parametrize(
    "changes",
    [
        {"salt": bytes(15)},
        {"salt": bytes(17)},
        {"salt": "s" * 16},
        {"blob_hash": bytes(31)},
        {"blob_hash": None},
        {"chunks": -1},
        {"chunks": CHUNKS_MAX + 1},
        {"chunks": True},
        {"chunks": 1.0},
        {"label": None},
        {"label": ()},
        {"more": 1},
    ],
)
def test_a_disclosure_is_exact(changes: dict[str, object]) -> None:
    assert Code.SHAPE is refusal(read_disclosure, disclosure(**changes))


def test_a_disclosure_is_read_at_its_limits_and_bounded() -> None:
    assert CHUNKS_MAX == read_disclosure(disclosure(chunks=CHUNKS_MAX)).chunks
    assert Code.SHAPE is refusal(read_disclosure, b"\x01")
    assert Code.TOO_BIG is refusal(read_disclosure, bytes(DISCLOSURE_BYTES_MAX + 1))


def test_a_blob_is_checked_by_hash_and_a_manifest_by_length() -> None:
    blob = bytes(32) + bytes(64)
    told = read_disclosure(disclosure(blob_hash=digest(b"sw1 blob", blob), chunks=2))

    check_blob(blob, told)
    assert Code.BLOB_HASH is refusal(check_blob, blob + b"\0", told)
    assert Code.BLOB_HASH is refusal(check_blob, blob, told._replace(chunks=3))
