"""Read an envelope as it came, and prove who made it: the checks that router and reader share.

The order is normative (docs/spec/envelope.md, "Order of checks"): size, parse, canonical, version and limits in
``read_envelope``; sender, key and signature in ``check_author`` and ``check_disclosures``. The first failure names
the stage, and nothing later has been looked at.
"""

from typing import NamedTuple

from schemas.codec import read_shape, unpack
from schemas.envelope import Disclosure, Envelope, Header, Wrap, Wraps
from schemas.errors import Code, RemoteError
from schemas.limits import (
    CLOCK_SKEW_MS_MAX,
    ENVELOPE_BYTES_MAX,
    HEADER_BYTES_MAX,
    LIFETIME_MS_MAX,
    PORTION_PLACES,
    PROTOCOL_VERSION,
)
from sealing.directory import SignDirectory
from sealing.portions import check_blob, decoy, read_disclosure
from sealing.primitives import PERSON_HID, PERSON_PORTION, PERSON_WRAPS, SIGN_COSIGN, SIGN_RELEASE, digest, verify_any


class DisclosedPortion(NamedTuple):
    """A portion as this copy discloses it; ``blob`` is None in a re-release, which carries none."""

    place: int
    received: bytes
    disclosure: Disclosure
    blob: bytes | None


class Received(NamedTuple):
    """A well-formed envelope. Nothing in it is proved yet but its shape."""

    envelope: Envelope
    header: Header
    hid: bytes
    wraps: tuple[Wrap, ...]
    portions: tuple[DisclosedPortion, ...]

    @property
    def originator(self) -> str:
        """The agency that claims to have made it."""
        return self.header.by[0]


def read_envelope(received: bytes) -> Received:
    """Read an envelope from its bytes: size, parse, canonical, version, limits.

    Raises:
        RemoteError: TOO_BIG, TRUNCATED, TRAILING, BAD_TYPE, DEPTH, BAD_UTF8, NOT_CANONICAL, VERSION, SHAPE or LIMIT.
    """
    envelope = read_shape(Envelope, unpack(received, bytes_max=ENVELOPE_BYTES_MAX))
    header = read_header(envelope.header)
    wraps = _read_wraps(envelope.wraps, places=len(header.por))
    if len(envelope.cosignatures) != len(header.by) - 1:
        msg = "there is not one place for each co-signer"
        raise RemoteError(Code.SHAPE, msg)
    portions = _read_disclosed(envelope, places=len(header.por))
    hid = digest(PERSON_HID, envelope.header)
    return Received(envelope=envelope, header=header, hid=hid, wraps=wraps, portions=portions)


def read_header(received: bytes) -> Header:
    """Read a header from its canonical bytes.

    Raises:
        RemoteError: As ``read_envelope``.
    """
    value = unpack(received, bytes_max=HEADER_BYTES_MAX)
    # The version comes first, so that a reader never judges the shape of a format it does not know.
    version = value[0] if isinstance(value, tuple) and value else None
    if type(version) is not int or version != PROTOCOL_VERSION:
        msg = "the header is of a version this node does not speak"
        raise RemoteError(Code.VERSION, msg)
    header = read_shape(Header, value)
    if len(header.por) not in PORTION_PLACES:
        msg = f"{len(header.por)} places, which is none of {PORTION_PLACES}"
        raise RemoteError(Code.LIMIT, msg)
    if not 0 < header.exp - header.ts <= LIFETIME_MS_MAX:
        msg = f"a lifetime of {header.exp - header.ts} ms is not allowed"
        raise RemoteError(Code.LIMIT, msg)
    if len(set(header.by)) != len(header.by) or len(set(header.por)) != len(header.por):
        msg = "a signer or a commitment is named twice"
        raise RemoteError(Code.LIMIT, msg)
    return header


def check_author(received: Received, *, signers: SignDirectory, arrived_at: int) -> None:
    """Prove that the originator released exactly this, and that each co-signature present is its co-signer's.

    Raises:
        RemoteError: UNKNOWN_SENDER, KEY_REVOKED, KEY_TIME, BAD_SIG or BAD_COSIG.
    """
    header, envelope = received.header, received.envelope
    keys = signers.keys_of(header.by[0], sealed_at=header.ts, arrived_at=arrived_at)
    for cosigner in header.by[1:]:
        signers.keys_of(cosigner, sealed_at=header.ts, arrived_at=arrived_at)
    verify_any(keys, SIGN_RELEASE, received.hid + envelope.wraps_hash, envelope.signature)
    for cosigner, cosignature in zip(header.by[1:], envelope.cosignatures, strict=True):
        if cosignature is not None:
            try:
                signers.verify(cosigner, SIGN_COSIGN, received.hid, cosignature, at=(header.ts, arrived_at))
            except RemoteError as error:
                raise RemoteError(Code.BAD_COSIG, str(error)) from error


def check_wraps_hash(received: Received) -> None:
    """Prove that the wraps are those the originator signed; only the router sees them all.

    Raises:
        RemoteError: WRAPS_HASH.
    """
    if digest(PERSON_WRAPS, received.envelope.wraps) != received.envelope.wraps_hash:
        msg = "the wraps are not those that were signed"
        raise RemoteError(Code.WRAPS_HASH, msg)


def check_disclosures(received: Received, *, every_place: bool) -> None:
    """Prove that each disclosure and blob is the one the header commits to.

    Args:
        received: The envelope.
        every_place: For router and co-signers: whatever is not disclosed must be a true decoy, so that no portion
            hides behind one. A reader has no seed and cannot tell a decoy from a withheld portion.

    Raises:
        RemoteError: DISCLOSURE or BLOB_HASH.
    """
    commitments = received.header.por
    for portion in received.portions:
        if digest(PERSON_PORTION, portion.received) != commitments[portion.place]:
            msg = f"the disclosure of place {portion.place} is not the one committed to"
            raise RemoteError(Code.DISCLOSURE, msg)
        if portion.blob is not None:
            check_blob(portion.blob, portion.disclosure)
    if every_place:
        _check_decoys(received)


def check_times(header: Header, *, now_ms: int) -> None:
    """Prove that the message is neither from the future nor over.

    Raises:
        RemoteError: FUTURE or STALE.
    """
    if header.ts > now_ms + CLOCK_SKEW_MS_MAX:
        msg = f"sealed {header.ts - now_ms} ms ahead of this clock"
        raise RemoteError(Code.FUTURE, msg)
    if now_ms > header.exp:
        msg = f"expired {now_ms - header.exp} ms ago"
        raise RemoteError(Code.STALE, msg)


def _check_decoys(received: Received) -> None:
    seed = received.envelope.disclosures.seed
    if seed is None:
        msg = "the decoy seed is missing"
        raise RemoteError(Code.DISCLOSURE, msg)
    disclosed = {portion.place for portion in received.portions}
    for place, commitment in enumerate(received.header.por):
        if place not in disclosed and decoy(seed, place) != commitment:
            msg = f"place {place} is neither disclosed nor a decoy"
            raise RemoteError(Code.DISCLOSURE, msg)


def _read_wraps(received: bytes, *, places: int) -> tuple[Wrap, ...]:
    value = unpack(received, bytes_max=ENVELOPE_BYTES_MAX)
    wraps = read_shape(Wraps, (value,)).items
    if len({wrap.to for wrap in wraps}) != len(wraps):
        msg = "a reader is named twice"
        raise RemoteError(Code.LIMIT, msg)
    if any(wrap.bits >> places for wrap in wraps):
        msg = "a wrap names a place that the header does not have"
        raise RemoteError(Code.LIMIT, msg)
    return wraps


def _read_disclosed(envelope: Envelope, *, places: int) -> tuple[DisclosedPortion, ...]:
    disclosed = envelope.disclosures.portions
    listed = [item.place for item in disclosed]
    if listed != sorted(set(listed)) or (listed and listed[-1] >= places):
        msg = "the disclosed places are not ascending places of the header"
        raise RemoteError(Code.SHAPE, msg)
    if envelope.blobs and len(envelope.blobs) != len(disclosed):
        msg = "there is not one blob for each disclosure"
        raise RemoteError(Code.SHAPE, msg)
    blobs: tuple[bytes | None, ...] = envelope.blobs or (None,) * len(disclosed)
    return tuple(
        DisclosedPortion(
            place=item.place, received=item.disclosure, disclosure=read_disclosure(item.disclosure), blob=blob
        )
        for item, blob in zip(disclosed, blobs, strict=True)
    )
