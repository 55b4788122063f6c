"""Recalls that readers have acked, kept until they expire: for a reader whose disk comes back as it was before.

Such a reader may hold the recalled text again and has forgotten that it was recalled. Its ``hello`` shows what it has
forgotten, and the recalls among that are sent to it once more (docs/spec/router.md, "Queues").
"""

import sqlite3
from typing import Final

RECALL_TABLE: Final = """
CREATE TABLE recalled(reader TEXT NOT NULL, release INTEGER NOT NULL, wrap BLOB NOT NULL, dseq INTEGER NOT NULL,
    PRIMARY KEY(reader, release)) WITHOUT ROWID;
"""


class KeptRecalls:
    """The table ``recalled`` of the router's database; takes part in its transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    def keep(self, reader: str, release: int, wrap: bytes, dseq: int) -> bool:
        """Keep a recall that a reader has acked under this number; False if it had acked it before."""
        before = self._sql.execute("SELECT 1 FROM recalled WHERE reader = ? AND release = ?", (reader, release))
        is_new = before.fetchone() is None
        self._sql.execute("INSERT OR REPLACE INTO recalled VALUES (?, ?, ?, ?)", (reader, release, wrap, dseq))
        return is_new

    def forgotten(self, reader: str, *, held: int) -> list[tuple[int, bytes]]:
        """Return releases and wraps of the recalls above the number that a reader holds, unless they are queued again.

        A reader acks what it holds, so there are none unless its disk was put back.
        """
        return self._sql.execute(
            "SELECT release, wrap FROM recalled WHERE reader = ?1 AND dseq > ?2"
            " AND release NOT IN (SELECT release FROM queue WHERE reader = ?1) ORDER BY dseq",
            (reader, held),
        ).fetchall()

    def forget(self, release: int) -> None:
        """Forget a recall that has expired."""
        self._sql.execute("DELETE FROM recalled WHERE release = ?", (release,))
