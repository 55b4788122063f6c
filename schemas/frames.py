"""Frames and the messages in them: all that is ever published (docs/spec/wire.md, "Frames").

A frame gathers what a few milliseconds bring, since one MQTT publish costs more than all the cryptography of a
delivery. Every message begins with its type.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import Field

from schemas.codec import pack, read_shape, unpack
from schemas.envelope import Bits, Epoch, Place
from schemas.errors import Code, RemoteError
from schemas.limits import (
    BUNDLE_BYTES_MAX,
    CHECKPOINT_BYTES_MAX,
    CHUNK_BYTES_MAX,
    CHUNKS_MAX,
    ENVELOPE_BYTES_MAX,
    FRAME_BYTES_MAX,
    FRAME_MESSAGES_MAX,
    PROTOCOL_VERSION,
    TAILS_MAX,
    WRAPS_MAX,
)
from schemas.names import AgencyId, BoxPublicKey, Hash, Millis, Signature, Uint, Word

_FRAME_FIELDS: Final = 2
_FRAME_ROOM_BYTES: Final = FRAME_BYTES_MAX - 4 * 1024  # the frame's own arrays
_MESSAGE_OVERHEAD_BYTES: Final = 256  # type, numbers and array headers around a message's bytes
_ITEM_BYTES: Final = 128  # of a list in a message: a hash, an id, or a tail, which is both with four numbers
_STATEMENT_BYTES_MAX: Final = 128 * 1024  # a verdict that names 1,000 readers


class EnvelopeMessage(NamedTuple):
    """Up: an envelope for the router."""

    type: Literal["envelope"]
    envelope: Annotated[bytes, Field(max_length=ENVELOPE_BYTES_MAX)]


class ChunkMessage(NamedTuple):
    """Up and down: one chunk of an attachment, checked against its manifest's hash."""

    type: Literal["chunk"]
    hid: Hash
    place: Place
    number: Annotated[int, Field(ge=0, lt=CHUNKS_MAX)]
    ciphertext: Annotated[bytes, Field(max_length=CHUNK_BYTES_MAX + 64)]


class ChunkRequest(NamedTuple):
    """Up and down: ask for a chunk by its number: the router of its author, a reader of the router."""

    type: Literal["want"]
    hid: Hash
    place: Place
    number: Annotated[int, Field(ge=0, lt=CHUNKS_MAX)]


class Lookup(NamedTuple):
    """Up: ask for the box keys of these agencies; the answer is their own announcements."""

    type: Literal["lookup"]
    agencies: Annotated[tuple[AgencyId, ...], Field(min_length=1, max_length=WRAPS_MAX)]


class Hello(NamedTuple):
    """Up: the node is here; it holds every delivery up to ``dseq`` and this bundle."""

    type: Literal["hello"]
    dseq: Uint
    bundle_version: Uint


class Ack(NamedTuple):
    """Up: every delivery up to ``dseq`` is on the node's disk."""

    type: Literal["ack"]
    dseq: Uint


class Tail(NamedTuple):
    """The last number that the sender has used for a reader who owes it a receipt, proved under the key of the two."""

    to: AgencyId
    from_epoch: Epoch
    to_epoch: Epoch
    seq: Uint
    proof: Hash


class Heartbeat(NamedTuple):
    """Up: the node lives; ``at`` is its own clock, Unix ms."""

    type: Literal["heartbeat"]
    at: Millis
    tails: Annotated[tuple[Tail, ...], Field(max_length=TAILS_MAX)]


class Cosign(NamedTuple):
    """Up: the node's cosignature line of a checkpoint over ``size`` leaves.

    Without a line: the node keeps a checkpoint of that size, or another agency does, and it stands in ``note``; wanted
    is the proof from there.
    """

    type: Literal["cosign"]
    size: Uint
    line: Annotated[bytes, Field(max_length=512)] | None
    note: Annotated[bytes, Field(max_length=CHECKPOINT_BYTES_MAX)] | None


class Announcement(NamedTuple):
    """Up and down: a box key, stated by its owner under its sign key."""

    type: Literal["announce"]
    statement: Annotated[bytes, Field(max_length=256)]
    signature: Signature


class BoxKeyStatement(NamedTuple):
    """What an announcement's bytes decode to; ``not_before`` and ``expires`` are Unix ms."""

    agency: AgencyId
    epoch: Epoch
    key: BoxPublicKey
    not_before: Millis
    expires: Millis


class Resume(NamedTuple):
    """Down, in answer to a hello: the number of the next delivery, from which numbers have no gaps."""

    type: Literal["resume"]
    dseq: Uint


class Hail(NamedTuple):
    """Down: the router is here and has had no hello of this node, which says all anew as on a new link."""

    type: Literal["hail"]


class Delivery(NamedTuple):
    """Down: one reader's cut of an envelope; empty where a delivery that had its number was cancelled."""

    type: Literal["delivery"]
    dseq: Uint
    envelope: Annotated[bytes, Field(max_length=ENVELOPE_BYTES_MAX)]


class VerdictMessage(NamedTuple):
    """Down: what the router decided on an envelope, signed by the router, for its author alone."""

    type: Literal["verdict"]
    statement: Annotated[bytes, Field(max_length=_STATEMENT_BYTES_MAX)]
    signature: Signature


class Refusal(NamedTuple):
    """One portion that one reader may not have: the rule that refused, and in words why."""

    place: Place
    reader: AgencyId
    rule: Word
    reason: Annotated[str, Field(max_length=400)]


class RouterVerdict(NamedTuple):
    """What a verdict's bytes decode to.

    ``audience`` lists, for an accepted envelope, each reader with its bits; ``refusals`` names, for a refused one,
    what was over-wide. ``record`` counts the router's decisions on this author's releases.
    """

    router: AgencyId
    hid: Hash
    wraps_hash: Hash
    outcome: Literal["accepted", "refused"]
    code: Word | None
    rules: Annotated[tuple[Word, ...], Field(max_length=512)]
    audience: Annotated[tuple[tuple[AgencyId, Bits], ...], Field(max_length=1_000)]
    refusals: Annotated[tuple[Refusal, ...], Field(max_length=64)]
    record: Uint
    at: Millis


class CheckpointMessage(NamedTuple):
    """Down: a checkpoint of the router's log, with the proof that its tree grew from one of ``old_size`` leaves."""

    type: Literal["checkpoint"]
    old_size: Uint
    proof: Annotated[tuple[Hash, ...], Field(max_length=63)]
    note: Annotated[bytes, Field(max_length=CHECKPOINT_BYTES_MAX)]


class TailMessage(NamedTuple):
    """Down: what an originator said on its heartbeat of ``at`` to this reader: the last number that it had used."""

    type: Literal["tail"]
    originator: AgencyId
    from_epoch: Epoch
    to_epoch: Epoch
    seq: Uint
    at: Millis
    proof: Hash


class BundleMessage(NamedTuple):
    """Down: a signed community bundle."""

    type: Literal["bundle"]
    signed_bundle: Annotated[bytes, Field(max_length=BUNDLE_BYTES_MAX)]


UpMessage = EnvelopeMessage | ChunkMessage | ChunkRequest | Lookup | Hello | Ack | Heartbeat | Cosign | Announcement
DownMessage = (
    Resume
    | Hail
    | Delivery
    | VerdictMessage
    | ChunkMessage
    | ChunkRequest
    | BundleMessage
    | CheckpointMessage
    | TailMessage
    | Announcement
)

UP_SHAPES: Final[dict[str, type[Any]]] = {
    "envelope": EnvelopeMessage,
    "chunk": ChunkMessage,
    "want": ChunkRequest,
    "lookup": Lookup,
    "hello": Hello,
    "ack": Ack,
    "heartbeat": Heartbeat,
    "cosign": Cosign,
    "announce": Announcement,
}
DOWN_SHAPES: Final[dict[str, type[Any]]] = {
    "resume": Resume,
    "hail": Hail,
    "delivery": Delivery,
    "verdict": VerdictMessage,
    "chunk": ChunkMessage,
    "want": ChunkRequest,
    "bundle": BundleMessage,
    "checkpoint": CheckpointMessage,
    "tail": TailMessage,
    "announce": Announcement,
}


def write_frame(messages: tuple[UpMessage | DownMessage, ...]) -> bytes:
    """Gather messages into one frame."""
    return pack((PROTOCOL_VERSION, messages))


def gather_frames(messages: Sequence[UpMessage | DownMessage]) -> list[bytes]:
    """Gather messages into as few frames as the limits allow, in order."""
    frames: list[bytes] = []
    gathered: list[UpMessage | DownMessage] = []
    size = 0
    for message in messages:
        weight = _weight(message)
        if gathered and (size + weight > _FRAME_ROOM_BYTES or len(gathered) == FRAME_MESSAGES_MAX):
            frames.append(write_frame(tuple(gathered)))
            gathered, size = [], 0
        gathered.append(message)
        size += weight
    if gathered:
        frames.append(write_frame(tuple(gathered)))
    return frames


def _weight(message: UpMessage | DownMessage) -> int:
    """Return how many bytes a message has in a frame at most."""
    texts = sum(len(part) for part in message if isinstance(part, bytes))
    items = sum(len(part) for part in message if isinstance(part, tuple))
    return _MESSAGE_OVERHEAD_BYTES + texts + items * _ITEM_BYTES


def read_up_frame(received: bytes) -> tuple[UpMessage, ...]:
    """Read what a node sent; raises RemoteError on the first fault."""
    return _read_frame(received, UP_SHAPES)


def read_down_frame(received: bytes) -> tuple[DownMessage, ...]:
    """Read what a router sent; raises RemoteError on the first fault."""
    return _read_frame(received, DOWN_SHAPES)


def _read_frame(received: bytes, shapes: dict[str, type[Any]]) -> tuple[Any, ...]:
    value = unpack(received, bytes_max=FRAME_BYTES_MAX)
    if not isinstance(value, tuple) or not value:
        msg = "a frame is an array of version and messages"
        raise RemoteError(Code.SHAPE, msg)
    if value[0] != PROTOCOL_VERSION or type(value[0]) is not int:
        msg = "the frame is of a version this node does not speak"
        raise RemoteError(Code.VERSION, msg)
    if len(value) != _FRAME_FIELDS or not isinstance(value[1], tuple) or not value[1]:
        msg = "a frame is an array of version and at least one message"
        raise RemoteError(Code.SHAPE, msg)
    if len(value[1]) > FRAME_MESSAGES_MAX:
        msg = f"{len(value[1])} messages in a frame where at most {FRAME_MESSAGES_MAX} are allowed"
        raise RemoteError(Code.LIMIT, msg)
    return tuple(_read_message(message, shapes) for message in value[1])


def _read_message(message: Any, shapes: dict[str, type[Any]]) -> Any:
    kind = message[0] if isinstance(message, tuple) and message else None
    shape = shapes.get(kind) if isinstance(kind, str) else None
    if shape is None:
        msg = "a message is of no type known on this hop"
        raise RemoteError(Code.SHAPE, msg)
    return read_shape(shape, message)
