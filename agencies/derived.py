"""What a node's own products were made of, and where others have used what it wrote.

A product inherits what its parents are under: it goes on only with the consent of each originator (H2), and a recall
of a parent reaches it (H13). So the parents are kept beside the product, for as long as the node is. The tables are
in the node's one database (agencies/store.py) and take part in its transactions.
"""

import sqlite3
from collections.abc import Iterable
from typing import Final

from agencies.drafts import Quote
from agencies.state import NodeState
from schemas.codec import pack
from schemas.errors import SealError
from schemas.label import read_label

DERIVED_TABLES: Final = """
CREATE TABLE derived(hid BLOB NOT NULL, parent BLOB NOT NULL, place INTEGER NOT NULL, originator TEXT NOT NULL,
    label BLOB, PRIMARY KEY(hid, parent, place)) WITHOUT ROWID;
CREATE INDEX derived_of ON derived(parent);
CREATE TABLE used(hid BLOB NOT NULL, reader TEXT NOT NULL, product BLOB NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY(hid, reader, product)) WITHOUT ROWID;
"""
_WHOLE: Final = -1  # the place of a parent that is named, and of which no portion is quoted


def check_held(quotes: Iterable[Quote], *, parents: Iterable[bytes], state: NodeState) -> None:
    """Prove that what a product is made from was not taken back while it was being written.

    A desk reads first and writes then. What is recalled between the two, or erased at the end of a grant, taints no
    product that is not there yet; so it would go out, and nobody would be told to recall it.

    Raises:
        SealError: If a parent was recalled, or a portion that is quoted is here no more.
    """
    for quote in quotes:
        held = state.held(quote.hid)
        if held is not None and held.originator == quote.originator and not held.bits >> quote.place & 1:
            msg = f"portion {quote.place} of {quote.hid.hex()[:16]} is quoted, and {quote.originator}'s grant is over"
            raise SealError(msg, remedy="write it anew without that portion, or ask its originator again")
    for parent in {*parents, *(quote.hid for quote in quotes)}:
        held = state.held(parent)
        # A recall of what never came here may be anybody's word.
        if held is not None and held.recalled and held.kind:
            msg = f"{parent.hex()[:16]} was recalled by {held.originator} and cannot be used any more"
            raise SealError(msg, remedy="write it anew without what was recalled")


class DerivedTable:
    """The tables ``derived`` and ``used`` of a node's database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    def keep(self, hid: bytes, *, quotes: Iterable[Quote], parents: Iterable[bytes]) -> None:
        """Keep what a product of ours quotes, and the other messages that it names as its parents."""
        rows = [(hid, quote.hid, quote.place, quote.originator, pack(quote.label)) for quote in quotes]
        named = {row[1] for row in rows}
        rows += [(hid, parent, _WHOLE, "", None) for parent in sorted(set(parents) - named)]  # type: ignore[misc] # a label may be absent
        self._sql.executemany("INSERT OR IGNORE INTO derived VALUES (?, ?, ?, ?, ?)", rows)

    def quotes(self, hid: bytes) -> tuple[Quote, ...]:
        """Return what a product of ours quotes from others."""
        rows = self._sql.execute(
            "SELECT parent, place, originator, label FROM derived WHERE hid = ? AND place >= 0 ORDER BY parent, place",
            (hid,),
        )
        return tuple(
            Quote(hid=parent, place=place, originator=originator, label=read_label(label))
            for parent, place, originator, label in rows.fetchall()
        )

    def products(self, parent: bytes) -> list[bytes]:
        """Return our products that were made from a message, and from those products, and so on."""
        found: dict[bytes, None] = {}
        waiting = [parent]
        while waiting:
            rows = self._sql.execute("SELECT DISTINCT hid FROM derived WHERE parent = ? ORDER BY hid", (waiting.pop(),))
            fresh = [hid for (hid,) in rows.fetchall() if hid not in found]
            found.update(dict.fromkeys(fresh))
            waiting += fresh
        return list(found)

    def keep_used(self, hid: bytes, reader: str, product: bytes, *, at: int) -> bool:
        """Keep that a reader has used a message of ours in a product; False if that was known."""
        found = self._sql.execute(
            "INSERT OR IGNORE INTO used VALUES (?, ?, ?, ?) RETURNING 1", (hid, reader, product, at)
        ).fetchone()
        return found is not None

    def used(self, hid: bytes) -> dict[str, tuple[bytes, ...]]:
        """Return in which products each reader says that it has used a message of ours."""
        found: dict[str, tuple[bytes, ...]] = {}
        rows = self._sql.execute("SELECT reader, product FROM used WHERE hid = ? ORDER BY reader, at, product", (hid,))
        for reader, product in rows.fetchall():
            found[reader] = (*found.get(reader, ()), product)
        return found
