"""A router's memory that lives as long as one vector: the interface of the store, kept in dictionaries."""

from broker.state import Admitted, KnownMessage
from schemas.frames import VerdictMessage


class MemoryState:
    """What ``RouterCore`` asks of its store (``broker.state.RouterState``)."""

    def __init__(self) -> None:
        self._messages: dict[bytes, KnownMessage] = {}
        self._verdicts: dict[tuple[bytes, bytes], VerdictMessage] = {}
        self._readers: dict[bytes, frozenset[str]] = {}

    def verdict_on(self, hid: bytes, wraps_hash: bytes) -> VerdictMessage | None:
        """Return the verdict already given on this release, if any."""
        return self._verdicts.get((hid, wraps_hash))

    def message(self, hid: bytes) -> KnownMessage | None:
        """Return an admitted message, if it is known."""
        return self._messages.get(hid)

    def past_readers(self, hid: bytes) -> frozenset[str]:
        """Return everybody to whom any portion of the message was ever queued."""
        return self._readers.get(hid, frozenset())

    def next_record(self) -> int:
        """Return the number that the next record will have."""
        return len(self._verdicts) + 1

    def keep(self, admitted: Admitted) -> None:
        """Keep an accepted release, and carry a recall out."""
        blobs = {portion.place: portion.blob for portion in admitted.portions if portion.blob is not None}
        known = KnownMessage(originator=admitted.originator, kind=admitted.kind, recalled=False, blobs=blobs)
        self._messages.setdefault(admitted.hid, known)
        self._verdicts[admitted.hid, admitted.wraps_hash] = admitted.message
        readers = frozenset(row.wrap.to for row in admitted.rows)
        self._readers[admitted.hid] = self._readers.get(admitted.hid, frozenset()) | readers
        if admitted.kind == "recall" and admitted.ref in self._messages:
            self._messages[admitted.ref] = self._messages[admitted.ref]._replace(recalled=True, blobs={})
