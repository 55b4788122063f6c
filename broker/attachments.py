"""Chunks of attachments on their way: asked of their author one after the other, handed to the readers that want them.

The chunks themselves are in the store (broker/holdings.py); who waits for which is kept in memory, since a reader asks
again whenever it says hello (docs/adr/0009).
"""

from collections.abc import Callable
from typing import Final

from broker.application import Publication
from broker.store import Store
from schemas.frames import ChunkMessage, ChunkRequest, DownMessage
from schemas.limits import CHUNKS_MAX
from sealing.portions import chunk_hash, manifest_hashes

_CHUNKS_ASKED: Final = 2  # chunks of one portion on their way from its author at a time: half a MiB
_WISHES_MAX: Final = 4_096  # chunks that readers wait for and their authors have not sent yet; readers ask again

# Adds a message for an agency to what is sent once everything is on disk.
Send = Callable[[str, DownMessage], None]


class Attachments:
    """The chunks that are under way through the router."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._wishes: dict[tuple[bytes, int, int], set[str]] = {}

    def ask(self, author: str, hid: bytes, place: int, send: Send) -> None:
        """Ask an author for the first chunks that are missing of a portion."""
        for number in self._store.holdings.missing_chunks(hid, place, limit=_CHUNKS_ASKED):
            send(author, ChunkRequest("want", hid, place, number))

    def ask_incomplete(self, author: str, send: Send) -> None:
        """Ask an author, who is back, for whatever is missing of its portions."""
        for hid, place in self._store.holdings.incomplete(author):
            self.ask(author, hid, place, send)

    def take(self, agency: str, message: ChunkMessage, send: Send) -> Publication:
        """Keep a chunk of its author's, hand it to those who wait for it, and ask for the next."""
        held = self._store.holdings.manifest(message.hid, message.place)
        if held is None or held[0] != agency:
            return Publication.NOT_AUTHORISED
        hashes = manifest_hashes(held[1])
        if message.number >= min(len(hashes), CHUNKS_MAX) or chunk_hash(message.ciphertext) != hashes[message.number]:
            return Publication.PAYLOAD_FORMAT_INVALID
        self._store.holdings.write_chunk(message.hid, message.place, message.number, message.ciphertext)
        for reader in sorted(self._wishes.pop((message.hid, message.place, message.number), ())):
            # It may have been given back meanwhile: rights are those of the moment in which the chunk leaves.
            if self._may_have(message.hid, message.place, reader):
                send(reader, message)
        missing = self._store.holdings.missing_chunks(message.hid, message.place, limit=_CHUNKS_ASKED)
        # All but the last of those asked for are on their way already.
        if len(missing) == _CHUNKS_ASKED:
            send(agency, ChunkRequest("want", message.hid, message.place, missing[-1]))
        return Publication.SUCCESS

    def want(self, agency: str, message: ChunkRequest, send: Send) -> None:
        """Send a reader a chunk, now or when it comes."""
        # A reader that was not given this portion gets the same silence as for a message that does not exist.
        if not self._may_have(message.hid, message.place, agency):
            return
        ciphertext = self._store.holdings.chunk(message.hid, message.place, message.number)
        if ciphertext is not None:
            send(agency, ChunkMessage("chunk", message.hid, message.place, message.number, ciphertext))
        elif len(self._wishes) < _WISHES_MAX:
            self._wishes.setdefault((message.hid, message.place, message.number), set()).add(agency)

    def forget(self, agency: str) -> None:
        """Forget what a reader waits for whose session is over; it asks again, and must not fill the list meanwhile."""
        for wish in [wish for wish, readers in self._wishes.items() if agency in readers]:
            self._wishes[wish].discard(agency)
            if not self._wishes[wish]:
                del self._wishes[wish]

    def _may_have(self, hid: bytes, place: int, reader: str) -> bool:
        return bool(self._store.may_have(hid, reader) >> place & 1)
