"""What could not be taken: one row for the same bytes, so many of them, and then no more for a while.

A peer that goes on sending what cannot be read must not fill the disk, and an evidence that is bounded is worth more
than a journal that had to be thrown away. The bytes themselves are not kept: of what did not prove itself nothing is
known, and some of it may be meant for whoever reads dumps (docs/spec/envelope.md, "Order of checks").
"""

import enum
import sqlite3
from typing import Final

from sealing.primitives import digest

QUARANTINE_TABLE: Final = """
CREATE TABLE quarantine(hash BLOB PRIMARY KEY, at_ms INTEGER NOT NULL, bytes INTEGER NOT NULL,
    stage TEXT NOT NULL, code TEXT NOT NULL) WITHOUT ROWID;
"""
_PERSON: Final = b"sw1 quarantine"
_ROWS_MAX: Final = 1_024  # a few hundred KiB of table and journal; what comes beyond tells nobody anything new
_KEPT_MS: Final = 24 * 3_600_000  # then there is room for the same again, so that a day's trouble shows every day


class Kept(enum.Enum):
    """What became of something that could not be taken."""

    NEW = "new"  # it is in the journal
    LAST = "last"  # so is this, and that the quarantine is full now
    KNOWN = "known"  # the same came before
    NOT = "not"  # there is no room


class Quarantine:
    """The table ``quarantine`` of a node's database; takes part in its transactions.

    Args:
        connection: The node's database.
        rows_max: How many different things are kept.
    """

    def __init__(self, connection: sqlite3.Connection, *, rows_max: int = _ROWS_MAX) -> None:
        self._sql = connection
        self._rows_max = rows_max

    def keep(self, received: bytes, *, stage: str, code: str, at_ms: int) -> Kept:
        """Keep what could not be taken, if it is new and there is room.

        Args:
            received: The bytes as they came.
            stage: Where it failed.
            code: Why.
            at_ms: Now.
        """
        name = digest(_PERSON, received)
        if self._sql.execute("SELECT 1 FROM quarantine WHERE hash = ?", (name,)).fetchone() is not None:
            return Kept.KNOWN
        held = self._count()
        if held >= self._rows_max:
            self._sql.execute("DELETE FROM quarantine WHERE at_ms NOT BETWEEN ? AND ?", (at_ms - _KEPT_MS, at_ms))
            held = self._count()
        if held >= self._rows_max:
            return Kept.NOT
        self._sql.execute("INSERT INTO quarantine VALUES (?, ?, ?, ?, ?)", (name, at_ms, len(received), stage, code))
        return Kept.LAST if held + 1 == self._rows_max else Kept.NEW

    def _count(self) -> int:
        return int(self._sql.execute("SELECT count(*) FROM quarantine").fetchone()[0])
