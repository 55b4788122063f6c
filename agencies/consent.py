"""What a node remembers of consent: requests that wait for a decision, and grants that end.

A request that nobody decides by its time has lapsed, which is a refusal; both who asked and who was asked find that
out by themselves, each by its own clock, so nothing has to be sent that might get lost. The tables are in the node's
one database (agencies/store.py) and take part in its transactions.
"""

import sqlite3
from typing import Final, Literal, NamedTuple

from schemas.workflow import RequestContent

CONSENT_TABLES: Final = """
CREATE TABLE request(hid BLOB PRIMARY KEY, side TEXT NOT NULL, other TEXT NOT NULL, reader TEXT NOT NULL,
    subject TEXT NOT NULL, answer_by INTEGER NOT NULL, state TEXT NOT NULL);
CREATE INDEX request_open ON request(answer_by) WHERE state = 'open';
"""

Side = Literal["asker", "originator"]  # which of the two this node is


class OpenRequest(NamedTuple):
    """A request without a decision; ``other`` is who asked, or who was asked. ``answer_by`` is Unix ms."""

    hid: bytes
    side: Side
    other: str
    reader: str
    subject: str
    answer_by: int


class ConsentTable:
    """The tables of requests and grants."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    def open_request(self, hid: bytes, content: RequestContent, *, side: Side, other: str) -> None:
        """Note a request that this node has sent, or has got; it waits for its decision."""
        self._sql.execute(
            "INSERT OR IGNORE INTO request VALUES (?, ?, ?, ?, ?, ?, 'open')",
            (hid, side, other, content.reader, content.subject, content.answer_by),
        )

    def decide_request(self, hid: bytes, *, side: Side, other: str | None = None) -> None:
        """Note that a request has its decision, in time or late; where ``other`` is given, only if it is its."""
        self._sql.execute(
            "UPDATE request SET state = 'decided' WHERE hid = ? AND side = ? AND other = coalesce(?, other)",
            (hid, side, other),
        )

    def overdue_requests(self, *, now_ms: int, limit: int) -> list[OpenRequest]:
        """Return requests whose time is over and that nobody has decided, the earliest first."""
        rows = self._sql.execute(
            "SELECT hid, side, other, reader, subject, answer_by FROM request"
            " WHERE state = 'open' AND answer_by < ? ORDER BY answer_by, hid LIMIT ?",
            (now_ms, limit),
        )
        return [OpenRequest(*row) for row in rows.fetchall()]

    def lapse_request(self, hid: bytes) -> None:
        """Note that a request has lapsed."""
        self._sql.execute("UPDATE request SET state = 'lapsed' WHERE hid = ?", (hid,))

    def earliest_end(self) -> int | None:
        """Return when the next open request lapses, Unix ms; None if none is open."""
        found = self._sql.execute("SELECT min(answer_by) FROM request WHERE state = 'open'").fetchone()[0]
        # A decision that is made at the very time that was named is in time.
        return None if found is None else int(found) + 1
