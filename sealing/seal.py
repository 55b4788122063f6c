"""Seal a message once, release it as often as its originator consents (docs/spec/envelope.md, "Releases").

Sealing fixes header, portions and id; a release adds the wraps for some readers and the originator's signature over
both. So consent given later is a new release of the same sealed message: nothing is encrypted again, and nobody but
the originator can make it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from schemas.codec import pack
from schemas.envelope import Kind
from schemas.errors import SealError
from schemas.label import Label
from schemas.limits import (
    DECOY_SEED_BYTES,
    ENVELOPE_BYTES_MAX,
    INLINE_BYTES_MAX,
    LABELLED_PLACES_MIN,
    LIFETIME_MS_MAX,
    PORTION_PLACES,
    PORTIONS_MAX,
    PROTOCOL_VERSION,
    SIGNERS_MAX,
    WRAPS_MAX,
)
from sealing.entropy import Entropy, apart, shuffled
from sealing.keys import SignPair
from sealing.portions import SealedPortion, decoy, seal_portion
from sealing.primitives import (
    PERSON_HID,
    PERSON_WRAP,
    PERSON_WRAPS,
    SIGN_COSIGN,
    SIGN_RELEASE,
    digest,
    encrypt,
    keyed,
    sign,
)

_LABELLED: Final = frozenset[Kind]({"report", "rfi", "answer"})  # the kinds that may have several portions
_INLINE_TOTAL_BYTES_MAX: Final = ENVELOPE_BYTES_MAX // 2  # the other half is for wraps and disclosures
# All portions at the lowest of these take 32 KiB, so one of them always fits.
_CHUNKED_ABOVE_BYTES: Final = (INLINE_BYTES_MAX, 16 * 1024, 4 * 1024, 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedMessage:
    """A sealed message as its originator keeps it; ``portions`` stand in the order they were written in."""

    header: bytes
    hid: bytes
    kind: Kind
    by: tuple[str, ...]
    ts: int
    exp: int
    seed: bytes = field(repr=False)
    portions: tuple[SealedPortion, ...]

    def bits(self, positions: Sequence[int]) -> int:
        """Return the bit mask of the portions written at these positions (0 is the first)."""
        return sum(1 << self.portions[position].place for position in positions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Somebody to release to: which portions, and the pair key that both ends share.

    ``seq`` counts up per (originator, reader) and survives restarts: a gap tells the reader of a loss.
    """

    to: str
    bits: int
    seq: int
    from_epoch: int
    to_epoch: int
    pair_key: bytes = field(repr=False)


def seal(
    contents: Sequence[tuple[Label, bytes]],
    *,
    kind: Kind,
    by: tuple[str, ...],
    ts: int,
    exp: int,
    bundle_version: int,
    entropy: Entropy,
    ref: bytes | None = None,
) -> SealedMessage:
    """Seal labelled contents into a message.

    Args:
        contents: Label and packed content of each portion, in reading order; none for a recall.
        kind: What the message is.
        by: The originator first, then the co-signers it names.
        ts: Sealed at, Unix ms, from the caller's clock.
        exp: Dropped on arrival after this, Unix ms.
        bundle_version: The community bundle that the author used.
        entropy: Gives keys, salts, decoys and the order of places.
        ref: The id of what this message corrects, recalls, answers or asks about.

    Raises:
        SealError: If there are too many portions, they or their labels are too large, a signer is named twice, or the
            lifetime is not allowed. A router would refuse such a message without a verdict, being unable to read it.
    """
    if len(contents) > PORTIONS_MAX:
        msg = f"{len(contents)} portions, where {PORTIONS_MAX} are the most"
        raise SealError(msg, remedy="write several reports")
    if not 0 < exp - ts <= LIFETIME_MS_MAX:
        msg = f"a lifetime of {exp - ts} ms, where 1 to {LIFETIME_MS_MAX} are allowed"
        raise SealError(msg, remedy="choose an expiry within 30 days")
    if not 0 < len(by) <= SIGNERS_MAX or len(set(by)) != len(by):
        msg = f"{len(by)} signers, where 1 to {SIGNERS_MAX} different ones are allowed"
        raise SealError(msg, remedy="name the originator first, then each co-signer once")
    # "A sender MUST give a report, an RFI and an answer at least LABELLED_PLACES_MIN places."
    least = max(len(contents), LABELLED_PLACES_MIN if kind in _LABELLED else 1)
    count = next(places for places in PORTION_PLACES if places >= least)
    entropy = apart(entropy, f"{kind} {by} {ts} {exp}".encode(), ref or b"", *(plaintext for _, plaintext in contents))
    places = shuffled(entropy, count)
    seed = entropy.take(DECOY_SEED_BYTES)
    inline_bytes_max = _inline_limit([len(plaintext) for _, plaintext in contents])
    portions = tuple(
        seal_portion(plaintext, label=label, place=place, entropy=entropy, inline_bytes_max=inline_bytes_max)
        for place, (label, plaintext) in zip(places, contents, strict=False)
    )
    commitments = {portion.place: portion.commitment for portion in portions}
    listed = tuple(commitments.get(place) or decoy(seed, place) for place in range(count))
    header = pack((PROTOCOL_VERSION, kind, by, ts, exp, bundle_version, ref, listed))
    return SealedMessage(
        header=header,
        hid=digest(PERSON_HID, header),
        kind=kind,
        by=by,
        ts=ts,
        exp=exp,
        seed=seed,
        portions=portions,
    )


def release(
    sealed: SealedMessage,
    readers: Sequence[Reader],
    *,
    signer: SignPair,
    cosignatures: tuple[bytes | None, ...] | None = None,
    with_blobs: bool = True,
) -> bytes:
    """Release a sealed message to some readers; returns the envelope for the router.

    Args:
        sealed: What ``seal`` made, by this originator.
        readers: At most 1,000, each once; each gets the keys of the portions its bits name and of no other.
        signer: The originator's signing pair.
        cosignatures: One place for each co-signer named in the header; None while it is still asked for.
        with_blobs: False for a re-release, since the router holds the blobs.

    Raises:
        SealError: If there are no or too many readers, one is named twice, the co-signatures are not as many as the
            co-signers, or the envelope would be too large.
    """
    if not 0 < len(readers) <= WRAPS_MAX:
        msg = f"{len(readers)} readers, where 1 to {WRAPS_MAX} are allowed in one release"
        raise SealError(msg, remedy="release in several parts")
    if len({reader.to for reader in readers}) != len(readers):
        msg = "a reader is named twice in one release"
        raise SealError(msg, remedy="join what the reader gets into one wrap")
    cosigned = (None,) * (len(sealed.by) - 1) if cosignatures is None else cosignatures
    if len(cosigned) != len(sealed.by) - 1:
        msg = f"{len(cosigned)} places for co-signatures, where {len(sealed.by) - 1} co-signers are named"
        raise SealError(msg, remedy="give one place for each, None while it is still asked for")
    wraps = pack([_wrap(sealed, reader) for reader in readers])
    wraps_hash = digest(PERSON_WRAPS, wraps)
    by_place = sorted(sealed.portions, key=lambda portion: portion.place)
    envelope = pack(
        (
            sealed.header,
            wraps_hash,
            sign(signer.secret, SIGN_RELEASE, sealed.hid + wraps_hash),
            cosigned,
            (sealed.seed, [(portion.place, portion.disclosure) for portion in by_place]),
            wraps,
            [portion.blob for portion in by_place] if with_blobs else (),
        )
    )
    if len(envelope) > ENVELOPE_BYTES_MAX:
        msg = f"an envelope of {len(envelope)} bytes, where {ENVELOPE_BYTES_MAX} are the most"
        raise SealError(msg, remedy="release to fewer readers at a time")
    return envelope


def cosign(signer: SignPair, hid: bytes) -> bytes:
    """Sign a message that names this agency as a co-signer; 64 bytes for its place in ``cosignatures``."""
    return sign(signer.secret, SIGN_COSIGN, hid)


def wrap_context(hid: bytes, seq: int, bits: int) -> bytes:
    """Return what binds a wrap to its message, its place in the sequence and its portions."""
    return hid + seq.to_bytes(8, "big") + bits.to_bytes(8, "big")


def _wrap(sealed: SealedMessage, reader: Reader) -> tuple[str, int, int, int, int, bytes]:
    keys = b"".join(
        portion.key
        for portion in sorted(sealed.portions, key=lambda portion: portion.place)
        if reader.bits >> portion.place & 1
    )
    key = keyed(PERSON_WRAP, reader.pair_key, wrap_context(sealed.hid, reader.seq, reader.bits))
    return (reader.to, reader.from_epoch, reader.to_epoch, reader.bits, reader.seq, encrypt(key, keys))


def _inline_limit(sizes: list[int]) -> int:
    """Return the size above which a portion goes in chunks, so that what stays inline fits an envelope."""
    return next(
        limit
        for limit in _CHUNKED_ABOVE_BYTES
        if sum(size for size in sizes if size <= limit) <= _INLINE_TOTAL_BYTES_MAX
    )
