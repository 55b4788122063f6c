"""The envelope: header, disclosures, wraps and blobs, as positional shapes (docs/spec/envelope.md).

Field order is wire order. A header, a disclosure and the wraps travel as bytes inside bytes and are hashed as
received, so these shapes are what such bytes decode to, never what is hashed.
"""

from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field

from schemas.label import Label
from schemas.limits import (
    CHUNKS_MAX,
    DECOY_SEED_BYTES,
    DISCLOSURE_BYTES_MAX,
    ENVELOPE_BYTES_MAX,
    HEADER_BYTES_MAX,
    PORTIONS_MAX,
    SALT_BYTES,
    SIGNERS_MAX,
    WRAPS_MAX,
)
from schemas.names import AgencyId, Hash, Millis, Signature, Uint, Version

Kind = Literal[
    "report", "rfi", "answer", "recall", "receipt", "request", "decision", "cosign", "coord", "override",
    "proposal", "objection",
]  # fmt: skip
KINDS: Final[tuple[Kind, ...]] = (
    "report", "rfi", "answer", "recall", "receipt", "request", "decision", "cosign", "coord", "override",
    "proposal", "objection",
)  # fmt: skip

Place = Annotated[int, Field(ge=0, lt=PORTIONS_MAX)]
Bits = Annotated[int, Field(ge=0, lt=2**PORTIONS_MAX)]
Epoch = Annotated[int, Field(ge=0, lt=2**32)]


class Header(NamedTuple):
    """The immutable part of a message; ``hid`` is the hash of its bytes.

    Attributes:
        v: Format and suite.
        kind: What the message is.
        by: The originator first, then the co-signers it names.
        ts: Sealed at, Unix ms.
        exp: Dropped on arrival after this, Unix ms.
        bv: Version of the community bundle the author used.
        ref: ``hid`` of what this corrects, recalls, answers or asks about, or the hash of a proposal's terms, or None.
        por: Commitments to the portions in shuffled order, decoys among them.
    """

    v: Version
    kind: Kind
    by: Annotated[tuple[AgencyId, ...], Field(min_length=1, max_length=SIGNERS_MAX)]
    ts: Millis
    exp: Millis
    bv: Uint
    ref: Hash | None
    por: Annotated[tuple[Hash, ...], Field(min_length=1, max_length=PORTIONS_MAX)]


class Disclosure(NamedTuple):
    """What a commitment commits to. ``chunks`` is 0 for inline text, else the blob is a manifest of chunks."""

    salt: Annotated[bytes, Field(min_length=SALT_BYTES, max_length=SALT_BYTES)]
    label: Label
    blob_hash: Hash
    chunks: Annotated[int, Field(ge=0, le=CHUNKS_MAX)]


class Disclosed(NamedTuple):
    """One portion's place in the header and its disclosure's bytes."""

    place: Place
    disclosure: Annotated[bytes, Field(max_length=DISCLOSURE_BYTES_MAX)]


class Disclosures(NamedTuple):
    """The decoy seed (to the broker and co-signers only) and the disclosures that go with this copy."""

    seed: Annotated[bytes, Field(min_length=DECOY_SEED_BYTES, max_length=DECOY_SEED_BYTES)] | None
    portions: Annotated[tuple[Disclosed, ...], Field(max_length=PORTIONS_MAX)]


class Wrap(NamedTuple):
    """One reader's keys. ``from_epoch`` and ``to_epoch`` name the box keys the pair key was made from."""

    to: AgencyId
    from_epoch: Epoch
    to_epoch: Epoch
    bits: Bits
    seq: Uint
    ct: Annotated[bytes, Field(min_length=16, max_length=PORTIONS_MAX * 32 + 16)]


class Envelope(NamedTuple):
    """What travels on either hop: all of it from the author, one reader's cut from the broker."""

    header: Annotated[bytes, Field(max_length=HEADER_BYTES_MAX)]
    wraps_hash: Hash
    signature: Signature
    cosignatures: Annotated[tuple[Signature | None, ...], Field(max_length=SIGNERS_MAX - 1)]
    disclosures: Disclosures
    wraps: Annotated[bytes, Field(max_length=ENVELOPE_BYTES_MAX)]
    blobs: Annotated[tuple[Annotated[bytes, Field(max_length=ENVELOPE_BYTES_MAX)], ...], Field(max_length=PORTIONS_MAX)]


class Wraps(NamedTuple):
    """A named home for the packed list of wraps; packed as the bare list."""

    items: Annotated[tuple[Wrap, ...], Field(min_length=1, max_length=WRAPS_MAX)]
