"""Pair keys: made once from the box keys of both ends, kept, and used to wrap portion keys.

Only the two ends of a pair can make its key, so a wrap proves that its originator made it, for this reader and no
other: that is originator control, by mathematics (docs/spec/envelope.md, "Wraps"). Keeping the key costs forward
secrecy inside an epoch and saves an X25519 for each reader of each message.
"""

from collections import OrderedDict
from typing import Final

from schemas.codec import pack
from sealing.directory import BoxKey
from sealing.keys import BoxPair
from sealing.primitives import PERSON_PAIR, agree, keyed

_PAIRS_KEPT: Final = 4_096  # four epochs with a thousand agencies; 32 bytes each and their names

_Name = tuple[str, str, bytes, bytes]  # way, peer, my public key, the peer's public key


class PairKeys:
    """The pair keys of one agency, both as originator and as reader; the least recently used go first."""

    def __init__(self, agency: str) -> None:
        self._agency = agency
        self._kept: OrderedDict[_Name, bytes] = OrderedDict()

    def to_reader(self, mine: BoxPair, reader: str, theirs: BoxKey) -> bytes:
        """Return the key for wraps that this agency makes for a reader.

        Raises:
            RemoteError: KEY_WEAK.
        """
        name = ("to", reader, mine.public, theirs.public)
        return self._kept_key(name) or self._make(
            name, mine, mine.public + theirs.public, (self._agency, mine.epoch, reader, theirs.epoch)
        )

    def from_originator(self, mine: BoxPair, originator: str, theirs: BoxKey) -> bytes:
        """Return the key for wraps that an originator made for this agency.

        Raises:
            RemoteError: KEY_WEAK.
        """
        name = ("from", originator, mine.public, theirs.public)
        return self._kept_key(name) or self._make(
            name, mine, theirs.public + mine.public, (originator, theirs.epoch, self._agency, mine.epoch)
        )

    def _kept_key(self, name: _Name) -> bytes | None:
        kept = self._kept.get(name)
        if kept is not None:
            self._kept.move_to_end(name)
        return kept

    def _make(self, name: _Name, mine: BoxPair, publics: bytes, context: tuple[str, int, str, int]) -> bytes:
        made = keyed(PERSON_PAIR, agree(mine.secret, name[3]), publics + pack(context))
        self._kept[name] = made
        if len(self._kept) > _PAIRS_KEPT:
            self._kept.popitem(last=False)
        return made
