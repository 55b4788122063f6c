"""What was asked of whom and still awaits something: RFIs, deconfliction asks, tasks and offers, on both sides.

The table is in the node's one database (agencies/store.py) and takes part in its transactions. One row is one
question between two agencies: an RFI to three is three rows, since each answers for itself.
"""

import sqlite3
from typing import Final, Literal, NamedTuple

from schemas.limits import CLOCK_SKEW_MS_MAX, LIFETIME_MS_MAX

QuestionKind = Literal["rfi", "deconflict", "task", "offer"]
QuestionState = Literal["open", "answered", "declined", "hit", "no_hit", "accepted", "done", "refused"]

QUESTION_TABLE: Final = """
CREATE TABLE question(hid BLOB NOT NULL, partner TEXT NOT NULL, mine INTEGER NOT NULL, kind TEXT NOT NULL,
    subject TEXT NOT NULL, at INTEGER NOT NULL, due INTEGER, state TEXT NOT NULL, told INTEGER NOT NULL DEFAULT 0,
    kept BLOB, PRIMARY KEY(hid, partner)) WITHOUT ROWID;
CREATE INDEX question_due ON question(due) WHERE told = 0 AND due NOTNULL AND state IN ('open', 'accepted');
"""
_FIELDS: Final = "hid, partner, mine, kind, subject, at, due, state, kept"
_AWAITED: Final = "told = 0 AND due NOTNULL AND state IN ('open', 'accepted')"
# A message that is older can be answered no more (its id is forgotten everywhere), so its row says nothing.
_KEPT_MS: Final = LIFETIME_MS_MAX + CLOCK_SKEW_MS_MAX


class Question(NamedTuple):
    """One question between this agency and another.

    Attributes:
        hid: The message that asked.
        partner: The other agency.
        mine: Whether this agency asked.
        kind: What it is.
        subject: In words; empty where the asker does not say.
        at: When it was asked, or came, Unix ms.
        due: When the answer is due, Unix ms, or None.
        state: What became of it so far.
        kept: What the asker of a deconfliction keeps secret until the reply.
    """

    hid: bytes
    partner: str
    mine: bool
    kind: QuestionKind
    subject: str
    at: int
    due: int | None
    state: QuestionState = "open"
    kept: bytes | None = None


class QuestionTable:
    """The table ``question`` of a node's database.

    Args:
        connection: The node's database.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    def open(self, question: Question) -> bool:
        """Keep a question; False if it is kept already."""
        self._sql.execute("DELETE FROM question WHERE at < ?", (question.at - _KEPT_MS,))
        return bool(
            self._sql.execute(
                f"INSERT INTO question({_FIELDS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - a constant
                " ON CONFLICT DO NOTHING RETURNING 1",
                question,
            ).fetchone()
        )

    def find(self, hid: bytes, partner: str) -> Question | None:
        """Return the question that a message asked of, or by, this partner."""
        found = self._sql.execute(
            f"SELECT {_FIELDS} FROM question WHERE hid = ? AND partner = ?",  # noqa: S608 - a constant
            (hid, partner),
        ).fetchone()
        return None if found is None else _read(found)

    def open_questions(self) -> list[Question]:
        """Return questions of either side that await an answer or what was agreed, the earliest first."""
        rows = self._sql.execute(
            f"SELECT {_FIELDS} FROM question WHERE state IN ('open', 'accepted') ORDER BY at, hid, partner"  # noqa: S608 - a constant
        )
        return [_read(row) for row in rows.fetchall()]

    def of_message(self, hid: bytes) -> list[Question]:
        """Return the questions that a message asked, one for each partner."""
        rows = self._sql.execute(f"SELECT {_FIELDS} FROM question WHERE hid = ? ORDER BY partner", (hid,))  # noqa: S608 - a constant
        return [_read(row) for row in rows.fetchall()]

    def settle(self, question: Question, state: QuestionState) -> None:
        """Note what became of a question; the secret of an ask is erased with it."""
        self._sql.execute(
            "UPDATE question SET state = ?, kept = NULL WHERE hid = ? AND partner = ?",
            (state, question.hid, question.partner),
        )

    def asked_since(self, partner: str, *, at_ms: int) -> int:
        """Return how many deconfliction asks of a partner have come since a time."""
        return int(
            self._sql.execute(
                "SELECT count(*) FROM question WHERE partner = ? AND kind = 'deconflict' AND mine = 0 AND at > ?",
                (partner, at_ms),
            ).fetchone()[0]
        )

    def earliest_due(self) -> int | None:
        """Return when the next answer is due, Unix ms."""
        found = self._sql.execute(f"SELECT min(due) FROM question WHERE {_AWAITED}").fetchone()[0]  # noqa: S608 - a constant
        return None if found is None else int(found)

    def take_due(self, *, until_ms: int, limit: int) -> list[Question]:
        """Return questions whose answer is due by now, each once."""
        found = self._sql.execute(
            f"SELECT {_FIELDS} FROM question WHERE {_AWAITED} AND due <= ? ORDER BY due, hid, partner LIMIT ?",  # noqa: S608 - constants
            (until_ms, limit),
        ).fetchall()
        self._sql.executemany("UPDATE question SET told = 1 WHERE hid = ? AND partner = ?", [row[:2] for row in found])
        return [_read(row) for row in found]


def _read(row: tuple[object, ...]) -> Question:
    hid, partner, mine, *rest = row
    return Question(hid, partner, bool(mine), *rest)  # type: ignore[arg-type] # the columns are these types
