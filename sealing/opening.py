"""Open a reader's own cut of an envelope: unwrap, commitment, payload (docs/spec/envelope.md, "Opening").

Author, signature, policy and freshness have been checked by then (``sealing.received``, the node's core). Whatever
fails here fails alike to the outside; the code is for the local log.
"""

from typing import Any, Final, NamedTuple

from schemas.codec import read_shape, unpack
from schemas.envelope import Kind, Wrap
from schemas.errors import Code, NotForMeError, RemoteError
from schemas.label import Label
from schemas.limits import CONTENT_BYTES_MAX, OVERRIDE_PADDED_BYTES_MAX, PORTION_KEY_BYTES
from schemas.report import PortionContent
from schemas.workflow import (
    CoordContent,
    CoordMessage,
    CosignContent,
    DecisionContent,
    DeconflictAsk,
    DeconflictReply,
    ObjectionContent,
    OverrideContent,
    ProposalContent,
    ReceiptContent,
    RequestContent,
    RfiContent,
)
from sealing.portions import open_chunked, open_inline
from sealing.primitives import PERSON_WRAP, decrypt, keyed
from sealing.received import DisclosedPortion, Received
from sealing.seal import wrap_context

Content = (
    PortionContent
    | ReceiptContent
    | RequestContent
    | DecisionContent
    | RfiContent
    | CoordContent
    | DeconflictAsk
    | DeconflictReply
    | CosignContent
    | OverrideContent
    | ProposalContent
    | ObjectionContent
)

_CONTENT_SHAPES: Final[dict[Kind, Any]] = {
    "report": PortionContent,
    "rfi": RfiContent,
    "answer": PortionContent,
    "coord": CoordMessage,
    "receipt": ReceiptContent,
    "request": RequestContent,
    "decision": DecisionContent,
    "cosign": CosignContent,
    "override": OverrideContent,
    "proposal": ProposalContent,
    "objection": ObjectionContent,
}


class OpenedPortion(NamedTuple):
    """A portion that its reader may have. ``content`` is None until the chunks of a large one are all here."""

    place: int
    commitment: bytes
    label: Label
    content: Content | None
    blob: bytes
    key: bytes
    chunks: int

    def __repr__(self) -> str:  # a key and a plaintext must never reach a log by way of a debug print
        return f"OpenedPortion(place={self.place})"


def my_wrap(received: Received, *, me: str) -> Wrap:
    """Return the wrap that is made for this reader; it proves itself when it is opened, whatever else is here.

    Raises:
        NotForMeError: If there is none.
    """
    for wrap in received.wraps:
        if wrap.to == me:
            return wrap
    msg = f"no wrap for {me}"
    raise NotForMeError(msg)


def unwrap(received: Received, wrap: Wrap, *, pair_key: bytes) -> dict[int, bytes]:
    """Return the keys of the portions that the originator gave to this reader, by place.

    Raises:
        RemoteError: BAD_WRAP if the originator did not make this wrap for this reader and this message.
    """
    key = keyed(PERSON_WRAP, pair_key, wrap_context(received.hid, wrap.seq, wrap.bits))
    joined = decrypt(key, wrap.ct, code=Code.BAD_WRAP)
    places = [place for place in range(len(received.header.por)) if wrap.bits >> place & 1]
    if len(joined) != len(places) * PORTION_KEY_BYTES:
        msg = "the wrap does not hold one key for each of its portions"
        raise RemoteError(Code.BAD_WRAP, msg)
    return {
        place: joined[rank * PORTION_KEY_BYTES : (rank + 1) * PORTION_KEY_BYTES] for rank, place in enumerate(places)
    }


def open_portions(received: Received, keys: dict[int, bytes]) -> tuple[OpenedPortion, ...]:
    """Open every portion that this copy discloses and the wrap gives a key for, in order of place.

    Raises:
        RemoteError: COMMITMENT, BAD_TAG or CONTENT; DISCLOSURE if router and wrap disagree on what this reader has.
    """
    disclosed = {portion.place: portion for portion in received.portions}
    # "The router MUST forward exactly the portions that the wrap names": less would be a silent cut.
    if disclosed.keys() != keys.keys():
        msg = "the portions in this copy are not those of the wrap"
        raise RemoteError(Code.DISCLOSURE, msg)
    return tuple(_open(received.header.kind, disclosed[place], keys[place], received) for place in sorted(keys))


def read_content(kind: Kind, plaintext: bytes) -> Content:
    """Read an opened plaintext as the content of its kind, strictly.

    Raises:
        RemoteError: CONTENT for whatever is wrong with it.
    """
    shape = _CONTENT_SHAPES.get(kind)
    if shape is None:
        msg = f"a {kind} has no portions"
        raise RemoteError(Code.CONTENT, msg)
    # One byte at least is padding, and the router has counted the padded text: an override holds no more.
    bytes_max = OVERRIDE_PADDED_BYTES_MAX - 1 if kind == "override" else CONTENT_BYTES_MAX
    try:
        value = unpack(plaintext, bytes_max=bytes_max)
    except RemoteError as error:
        raise RemoteError(Code.CONTENT, str(error)) from error
    content: Content = read_shape(shape, value, code=Code.CONTENT)
    return content


def finish_chunked(kind: Kind, portion: OpenedPortion, chunks: tuple[bytes, ...]) -> Content:
    """Open a large portion once all its chunks are here.

    Raises:
        RemoteError: COMMITMENT, CHUNK, BAD_TAG or CONTENT.
    """
    return read_content(kind, open_chunked(portion.key, portion.place, portion.blob, chunks))


def _open(kind: Kind, portion: DisclosedPortion, key: bytes, received: Received) -> OpenedPortion:
    if portion.blob is None:
        msg = f"the blob of place {portion.place} is missing"
        raise RemoteError(Code.BLOB_HASH, msg)
    chunks = portion.disclosure.chunks
    content = None if chunks else read_content(kind, open_inline(key, portion.place, portion.blob))
    return OpenedPortion(
        place=portion.place,
        commitment=received.header.por[portion.place],
        label=portion.disclosure.label,
        content=content,
        blob=portion.blob,
        key=key,
        chunks=chunks,
    )
