"""What a node keeps of silence procedures: those that it opened, and those in which it is asked.

The tables are in the node's one database (agencies/store.py) and take part in its transactions, so a deadline that
passes while the node is down is seen when it is up again.
"""

import sqlite3
from typing import Final, Literal, NamedTuple

from schemas.codec import pack, read_shape, unpack
from schemas.limits import ENVELOPE_BYTES_MAX, HEADER_BYTES_MAX
from schemas.workflow import Permission, ReleaseTerms

SILENCE_TABLES: Final = """
CREATE TABLE procedure(hid BLOB PRIMARY KEY, proposer TEXT NOT NULL, mechanism TEXT NOT NULL, subject TEXT NOT NULL,
    message BLOB, terms BLOB NOT NULL, members BLOB NOT NULL, opened INTEGER NOT NULL, object_by INTEGER NOT NULL,
    expires INTEGER NOT NULL, state TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX procedure_open ON procedure(object_by) WHERE state IN ('open', 'misput');
CREATE INDEX procedure_of ON procedure(message) WHERE message NOTNULL;
CREATE TABLE objection(hid BLOB NOT NULL, member TEXT NOT NULL, PRIMARY KEY(hid, member)) WITHOUT ROWID;
"""

# At a member ``asked``, and ``misput`` until it has objected by itself; the others at whoever opened it.
ProcedureState = Literal["asked", "misput", "answered", "open", "permitted", "opposed", "undelivered"]


class Procedure(NamedTuple):
    """A silence procedure; ``terms`` is None where the matter is no release. Times are Unix ms."""

    hid: bytes
    proposer: str
    mechanism: str
    subject: str
    terms: ReleaseTerms | None
    members: tuple[str, ...]
    opened: int
    object_by: int
    expires: int
    state: ProcedureState


class SilenceTable:
    """The tables ``procedure`` and ``objection`` of a node's database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    def open(self, procedure: Procedure) -> None:
        """Keep a procedure that was opened here, or in which this agency is asked."""
        terms = procedure.terms
        self._sql.execute(
            "INSERT OR IGNORE INTO procedure VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *procedure[:4], None if terms is None else terms.hid, b"" if terms is None else pack(terms),
                pack(procedure.members), *procedure[6:],
            ),
        )  # fmt: skip

    def find(self, hid: bytes) -> Procedure | None:
        """Return a procedure."""
        rows = self._find("hid = ?", hid)
        return rows[0] if rows else None

    def settle(self, hid: bytes, state: ProcedureState) -> None:
        """Note how a procedure has ended."""
        self._sql.execute("UPDATE procedure SET state = ? WHERE hid = ?", (state, hid))

    def keep_objection(self, hid: bytes, member: str) -> bool:
        """Note that a member has objected; False if it had before."""
        query = "INSERT OR IGNORE INTO objection VALUES (?, ?) RETURNING 1"
        return self._sql.execute(query, (hid, member)).fetchone() is not None

    def objectors(self, hid: bytes) -> tuple[str, ...]:
        """Return who has objected, by name."""
        rows = self._sql.execute("SELECT member FROM objection WHERE hid = ? ORDER BY member", (hid,))
        return tuple(member for (member,) in rows)

    def over(self, *, now_ms: int, limit: int) -> list[Procedure]:
        """Return procedures opened here whose time is over and that have no end yet, the earliest first."""
        return self._find("state = 'open' AND object_by < ? ORDER BY object_by, hid LIMIT ?", now_ms, limit)

    def asked(self, *, now_ms: int) -> list[Procedure]:
        """Return procedures in which this agency is asked and may still object, the earliest first."""
        return self._find("state = 'asked' AND object_by >= ? ORDER BY object_by, hid", now_ms)

    def opened_here(self, state: ProcedureState) -> list[Procedure]:
        """Return procedures that this agency opened and that stand so, the earliest first."""
        return self._find("state = ? ORDER BY object_by, hid", state)

    def misput(self, *, limit: int) -> list[Procedure]:
        """Return proposals that contradict themselves and to which this agency has yet to object."""
        return self._find("state = 'misput' ORDER BY object_by, hid LIMIT ?", limit)

    def earliest_end(self) -> int | None:
        """Return when the next procedure that was opened here ends, or there is one to object to, Unix ms."""
        if self.misput(limit=1):
            return 1
        found = self._sql.execute("SELECT min(object_by) FROM procedure WHERE state = 'open'").fetchone()[0]
        # An objection that is made at the very time that was named is in time.
        return None if found is None else int(found) + 1

    def permissions(self, message: bytes) -> tuple[Permission, ...]:
        """Return what members have let go of a message of ours by their silence."""
        return tuple(
            Permission(
                *(found.mechanism, *found.terms[:2], found.proposer, found.terms.reader),
                begin=found.object_by + 1,
                expires=found.expires,
            )
            for found in self._find("message = ? AND state = 'permitted' ORDER BY hid", message)
            if found.terms is not None
        )

    def _find(self, where: str, *values: object) -> list[Procedure]:
        columns = "hid, proposer, mechanism, subject, terms, members, opened, object_by, expires, state"
        query = f"SELECT {columns} FROM procedure WHERE {where}"  # noqa: S608 - the clauses are constants of this file
        return [_read(row) for row in self._sql.execute(query, values)]


def _read(row: tuple[object, ...]) -> Procedure:
    hid, proposer, mechanism, subject, terms, members, *rest = row
    read = None if not terms else read_shape(ReleaseTerms, unpack(terms, bytes_max=HEADER_BYTES_MAX))  # type: ignore[arg-type] # a BLOB of our own
    named = tuple(unpack(members, bytes_max=ENVELOPE_BYTES_MAX))  # type: ignore[arg-type] # as above
    return Procedure(hid, proposer, mechanism, subject, read, named, *rest)  # type: ignore[arg-type] # columns of our own table
