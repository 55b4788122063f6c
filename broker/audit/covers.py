"""Covers: what the agencies are shown of the log instead of its leaves (docs/spec/audit.md, "Covers").

How many leaves there are, and when their number grows, tells that something was sent, to agencies that may not know
of it. So the router signs for another tree: at each hello and heartbeat it appends one cover, whatever has happened
since the last one, and the cover commits to the tree of leaves as it stands. A cover is as opaque as a leaf; the number
of covers tells how often agencies have shown themselves.
"""

from typing import Any, Final, Literal, NamedTuple

from broker.audit.leaves import STATEMENT_BYTES_MAX, write_entry
from broker.audit.log import Committed, LeafRow
from schemas.codec import pack, read_shape, unpack
from schemas.errors import LogError, LogFault, RemoteError
from schemas.names import Hash, Millis, Uint
from sealing.primitives import keyed

_PERSON_KEY: Final = b"sw1 cover key"
_NUMBER_BYTES: Final = 8


class Cover(NamedTuple):
    """So many leaves were in the log at this time, with this root over them."""

    stage: Literal["covered"]
    at: Millis
    size: Uint
    root: Hash


def read_cover(statement: bytes) -> Cover:
    """Read what a cover says.

    Raises:
        LogError: MALFORMED.
    """
    try:
        value: Any = unpack(statement, bytes_max=STATEMENT_BYTES_MAX)
        return read_shape(Cover, value)
    except RemoteError as error:
        msg = f"a cover that cannot be read: {error}"
        raise LogError(LogFault.MALFORMED, msg) from error


def cover_key(secret: bytes, number: int) -> bytes:
    """Return the key of one cover: each has its own, so that nobody who is shown one can try what others say."""
    return keyed(_PERSON_KEY, secret, number.to_bytes(_NUMBER_BYTES, "big"))


class Covers(Committed):
    """Appends covers."""

    def append(self, cover: Cover) -> LeafRow:
        """Add a cover; returns what to keep of it."""
        return self.add(pack(cover), key=cover_key(self._secret, self.size))

    def entry(self, row: LeafRow) -> tuple[bytes, bytes]:
        """Return the bytes of a cover that is kept, and the key that opens it."""
        key = cover_key(self._secret, row.number)
        return write_entry(row.number, row.statement, key=key), key
