"""What a node remembers of consent: requests that wait for a decision, and grants that end.

A request that nobody decides by its time has lapsed, which is a refusal; both who asked and who was asked find that
out by themselves, each by its own clock, so nothing has to be sent that might get lost. So it is with the end of a
grant. The tables are in the node's one database (agencies/store.py) and take part in its transactions.
"""

import sqlite3
from typing import Final, Literal, NamedTuple

from schemas.limits import UINT_MS_MAX
from schemas.workflow import DecisionContent, Grant, RequestContent

CONSENT_TABLES: Final = """
CREATE TABLE request(hid BLOB PRIMARY KEY, side TEXT NOT NULL, other TEXT NOT NULL, reader TEXT NOT NULL,
    subject TEXT NOT NULL, answer_by INTEGER NOT NULL, state TEXT NOT NULL);
CREATE INDEX request_open ON request(answer_by) WHERE state = 'open';
CREATE TABLE consent(decision BLOB PRIMARY KEY, hid BLOB NOT NULL, bits INTEGER NOT NULL, originator TEXT NOT NULL,
    reader TEXT NOT NULL, begin INTEGER NOT NULL, expires INTEGER NOT NULL, ended INTEGER NOT NULL DEFAULT 0);
CREATE INDEX consent_of ON consent(hid);
CREATE INDEX consent_open ON consent(expires) WHERE ended = 0;
"""
_NEVER: Final = UINT_MS_MAX  # when a grant ends that was given for good

Side = Literal["asker", "originator"]  # which of the two this node is


class OpenRequest(NamedTuple):
    """A request without a decision; ``other`` is who asked, or who was asked. ``answer_by`` is Unix ms."""

    hid: bytes
    side: Side
    other: str
    reader: str
    subject: str
    answer_by: int


class KnownGrant(NamedTuple):
    """A grant, and the decision that gave it."""

    decision: bytes
    grant: Grant


class ConsentTable:
    """The tables ``request`` and ``consent`` of a node's database."""

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

    def open_requests(self) -> list[OpenRequest]:
        """Return requests that nobody has decided and whose time is not over, the earliest first."""
        rows = self._sql.execute(
            "SELECT hid, side, other, reader, subject, answer_by FROM request WHERE state = 'open'"
            " ORDER BY answer_by, hid"
        )
        return [OpenRequest(*row) for row in rows.fetchall()]

    def find_request(self, hid: bytes) -> OpenRequest | None:
        """Return a request that was sent or got, whatever has become of it."""
        row = self._sql.execute(
            "SELECT hid, side, other, reader, subject, answer_by FROM request WHERE hid = ?", (hid,)
        ).fetchone()
        return None if row is None else OpenRequest(*row)

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

    def keep_grant(self, decision: bytes, content: DecisionContent, *, originator: str, begin: int) -> None:
        """Keep what a decision grants, if it names a message; ``begin`` is Unix ms."""
        if content.outcome == "grant" and content.granted is not None:
            expires = _NEVER if content.expires is None else content.expires
            # The same consent may be said twice, to who asked and to who reads; it ends once.
            self._sql.execute(
                "INSERT OR IGNORE INTO consent SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, 0 WHERE NOT EXISTS (SELECT 1 FROM"
                " consent WHERE hid = ?2 AND bits = ?3 AND originator = ?4 AND reader = ?5 AND expires = ?7)",
                (decision, content.granted, content.bits, originator, content.reader, begin, expires),
            )

    def grants(self, hid: bytes) -> tuple[Grant, ...]:
        """Return every grant of a message that is known here; the decision asks which of them count at its time."""
        rows = self._sql.execute(
            "SELECT hid, bits, originator, reader, begin, expires FROM consent WHERE hid = ? ORDER BY decision", (hid,)
        )
        return tuple(Grant(*row) for row in rows.fetchall())

    def ending_grants(self, *, now_ms: int, limit: int) -> list[KnownGrant]:
        """Return grants that are over by now and were not ended yet, the earliest first."""
        rows = self._sql.execute(
            "SELECT decision, hid, bits, originator, reader, begin, expires FROM consent"
            " WHERE ended = 0 AND expires <= ? ORDER BY expires, decision LIMIT ?",
            (now_ms, limit),
        )
        return [KnownGrant(decision, Grant(*grant)) for decision, *grant in rows.fetchall()]

    def end_grant(self, decision: bytes) -> None:
        """Note that a grant was ended."""
        self._sql.execute("UPDATE consent SET ended = 1 WHERE decision = ?", (decision,))

    def over(self, hid: bytes, *, originator: str, reader: str, now_ms: int) -> list[KnownGrant]:
        """Return the grants of a message to a reader that are over, each with the bits that no other still covers."""
        rows = self._sql.execute(
            "SELECT decision, hid, bits, originator, reader, begin, expires FROM consent"
            " WHERE hid = ? AND originator = ? AND reader = ? ORDER BY expires, decision",
            (hid, originator, reader),
        )
        known = [KnownGrant(decision, Grant(*grant)) for decision, *grant in rows.fetchall()]
        covered = 0
        for item in known:
            covered |= item.grant.bits if now_ms < item.grant.expires else 0
        return [
            KnownGrant(item.decision, item.grant._replace(bits=item.grant.bits & ~covered))
            for item in known
            if item.grant.expires <= now_ms and item.grant.bits & ~covered
        ]

    def over_bits(self, hid: bytes, *, originator: str, reader: str, now_ms: int) -> int:
        """Return the portions of a message that a reader may hold no longer, as bits; its node may yet have to look."""
        bits = 0
        for known in self.over(hid, originator=originator, reader=reader, now_ms=now_ms):
            bits |= known.grant.bits
        return bits

    def earliest_end(self) -> int | None:
        """Return when the next open request lapses or the next grant ends, Unix ms; None if nothing is open."""
        answer_by = self._sql.execute("SELECT min(answer_by) FROM request WHERE state = 'open'").fetchone()[0]
        expires = self._sql.execute(
            "SELECT min(expires) FROM consent WHERE ended = 0 AND expires < ?", (_NEVER,)
        ).fetchone()[0]
        # A decision that is made at the very time that was named is in time.
        lapse = None if answer_by is None else int(answer_by) + 1
        return min((int(at) for at in (lapse, expires) if at is not None), default=None)
