"""What a leaf of the router's log says, and how it keeps its secret (docs/spec/audit.md, "Leaves").

A statement is a canonical array: what happened, when, to which message, by or to which agency. Ids, bits and rules are
guessable, and a log is shown to many, so the leaf itself holds only a commitment: keyed BLAKE2b over its number and
the statement. The key belongs to one message and one agency; whoever is given it can open the leaves that tell of that
agency's part in that message, and can confirm a guess about no other. The number keeps a leaf from standing anywhere
else in the log.
"""

from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import Field

from schemas.codec import pack, read_shape, unpack
from schemas.envelope import Bits, Kind, Place
from schemas.errors import LogError, LogFault, RemoteError
from schemas.limits import HASH_BYTES
from schemas.names import AgencyId, AgencyIds, Hash, Millis, Uint, Version, Word
from sealing.primitives import keyed

LOG_SECRET_BYTES: Final = 32
LEAF_VERSION: Final = 1
# "a big-endian uint16 length" frames an entry in C2SP's tiles, and so in the files of ours that hold statements.
STATEMENT_BYTES_MAX: Final = 0xFFFF
_PERSON_LEAF: Final = b"sw1 leaf"
_PERSON_KEY: Final = b"sw1 leaf key"
_NO_MESSAGE: Final = bytes(HASH_BYTES)
_NUMBER_BYTES: Final = 8


class AdmittedLeaf(NamedTuple):
    """A message was admitted: its first release."""

    stage: Literal["admitted"]
    at: Millis
    hid: Hash
    originator: AgencyId
    kind: Kind
    ref: Hash | None
    wraps_hash: Hash


class ReleasedLeaf(NamedTuple):
    """A message that was admitted before was released to further readers."""

    stage: Literal["released"]
    at: Millis
    hid: Hash
    originator: AgencyId
    wraps_hash: Hash


class DecidedLeaf(NamedTuple):
    """One reader may have these portions, a bit each; ``hid`` commits to their labels."""

    stage: Literal["decided"]
    at: Millis
    hid: Hash
    reader: AgencyId
    originator: AgencyId
    bits: Bits


class RefusedPair(NamedTuple):
    """One portion that one reader may not have, and by which rule."""

    place: Place
    reader: AgencyId
    rule: Word


class RefusedLeaf(NamedTuple):
    """A release was refused whole; ``hid`` is nil where none could be read."""

    stage: Literal["refused"]
    at: Millis
    hid: Hash | None
    originator: AgencyId
    code: Word
    refusals: Annotated[tuple[RefusedPair, ...], Field(max_length=64)]


class DeliveredLeaf(NamedTuple):
    """A reader acked its cut of a message."""

    stage: Literal["delivered"]
    at: Millis
    hid: Hash
    reader: AgencyId
    dseq: Uint


class RecalledLeaf(NamedTuple):
    """A message was recalled by its originator with the message ``by``."""

    stage: Literal["recalled"]
    at: Millis
    hid: Hash
    originator: AgencyId
    by: Hash


class OverriddenLeaf(NamedTuple):
    """Position and danger of the message ``hid`` went to ``readers`` by the override ``by``, which ``invoker`` made."""

    stage: Literal["overridden"]
    at: Millis
    hid: Hash
    originator: AgencyId
    by: Hash
    invoker: AgencyId
    authority: Word
    readers: AgencyIds


class LetGoLeaf(NamedTuple):
    """Portions went to a partner since no member of ``mechanism`` had objected to ``proposal`` until ``object_by``."""

    stage: Literal["let_go"]
    at: Millis
    hid: Hash
    originator: AgencyId
    reader: AgencyId
    bits: Bits
    proposal: Hash
    mechanism: Word
    object_by: Millis


class CancelledLeaf(NamedTuple):
    """What was queued for a reader will not be delivered."""

    stage: Literal["cancelled"]
    at: Millis
    hid: Hash
    reader: AgencyId


class RevokedLeaf(NamedTuple):
    """An agency lost its part in the community with this version of the bundle."""

    stage: Literal["revoked"]
    at: Millis
    agency: AgencyId
    bundle_version: Uint


class BundleLeaf(NamedTuple):
    """A bundle is in force from here on; ``digest`` is SHA-256 over its signed bytes."""

    stage: Literal["bundle"]
    at: Millis
    bundle_version: Uint
    digest: Hash


Leaf = (
    AdmittedLeaf
    | ReleasedLeaf
    | DecidedLeaf
    | RefusedLeaf
    | DeliveredLeaf
    | RecalledLeaf
    | OverriddenLeaf
    | LetGoLeaf
    | CancelledLeaf
    | RevokedLeaf
    | BundleLeaf
)

_SHAPES: Final[dict[str, type[Leaf]]] = {
    "admitted": AdmittedLeaf,
    "released": ReleasedLeaf,
    "decided": DecidedLeaf,
    "refused": RefusedLeaf,
    "delivered": DeliveredLeaf,
    "recalled": RecalledLeaf,
    "overridden": OverriddenLeaf,
    "let_go": LetGoLeaf,
    "cancelled": CancelledLeaf,
    "revoked": RevokedLeaf,
    "bundle": BundleLeaf,
}


class _Entry(NamedTuple):
    v: Version
    commitment: Hash


def write_statement(leaf: Leaf) -> bytes:
    """Return the canonical bytes of what a leaf says.

    Raises:
        LogError: MALFORMED if they are longer than a log's file can frame.
    """
    statement = pack(leaf)
    if len(statement) > STATEMENT_BYTES_MAX:
        msg = f"a statement of {len(statement)} bytes where at most {STATEMENT_BYTES_MAX} are allowed"
        raise LogError(LogFault.MALFORMED, msg)
    return statement


def read_statement(received: bytes) -> Leaf:
    """Read what a leaf says from its canonical bytes.

    Raises:
        LogError: MALFORMED.
    """
    try:
        value: Any = unpack(received, bytes_max=STATEMENT_BYTES_MAX)
        shape = _SHAPES.get(value[0]) if isinstance(value, tuple) and value and isinstance(value[0], str) else None
        if shape is None:
            msg = "a statement of no stage that is known here"
            raise LogError(LogFault.MALFORMED, msg)
        return read_shape(shape, value)
    except RemoteError as error:
        msg = f"a statement that cannot be read: {error}"
        raise LogError(LogFault.MALFORMED, msg) from error


def message_key(secret: bytes, hid: bytes | None) -> bytes:
    """Return the key of one message's leaves, which its author may have; ``secret`` is the log's, 32 bytes."""
    return keyed(_PERSON_KEY, secret, hid or _NO_MESSAGE)


def party_key(of_message: bytes, agency: str) -> bytes:
    """Return the key of those leaves that tell of one agency's part in a message, which that agency may have."""
    return keyed(_PERSON_KEY, of_message, agency.encode())


def leaf_key(secret: bytes, leaf: Leaf) -> bytes:
    """Return the key under which a leaf is committed to: that of its message and of the agency it tells of."""
    match leaf:
        case AdmittedLeaf() | ReleasedLeaf() | RefusedLeaf() | RecalledLeaf() | OverriddenLeaf() | LetGoLeaf():
            return party_key(message_key(secret, leaf.hid), leaf.originator)
        case DecidedLeaf() | DeliveredLeaf() | CancelledLeaf():
            return party_key(message_key(secret, leaf.hid), leaf.reader)
        case RevokedLeaf():
            return party_key(message_key(secret, None), leaf.agency)
        case BundleLeaf():
            return message_key(secret, None)


def write_entry(number: int, statement: bytes, *, key: bytes) -> bytes:
    """Return the bytes of leaf ``number``: 36, whatever it says."""
    commitment = keyed(_PERSON_LEAF, key, number.to_bytes(_NUMBER_BYTES, "big") + statement)
    return pack(_Entry(LEAF_VERSION, commitment))


def open_entry(entry: bytes, *, number: int, statement: bytes, key: bytes) -> Leaf:
    """Prove that leaf ``number`` says this, and return it.

    Raises:
        LogError: PROOF if it says something else, or stands elsewhere; MALFORMED if the statement cannot be read.
    """
    if write_entry(number, statement, key=key) != entry:
        msg = f"leaf {number} does not say what it is said to say"
        raise LogError(LogFault.PROOF, msg)
    return read_statement(statement)
