"""What a node has sealed and released: the outbox, and the sequence numbers that it counts for each reader.

The tables are in the node's one database (agencies/store.py) and take part in its transactions.
"""

import sqlite3
from typing import NamedTuple

from schemas.codec import pack, read_shape, unpack
from schemas.label import Label
from schemas.limits import CONTENT_BYTES_MAX, ENVELOPE_BYTES_MAX
from sealing.portions import SealedPortion
from sealing.seal import SealedMessage


class OutboxRow(NamedTuple):
    """A release that waits for its verdict."""

    number: int
    hid: bytes
    wraps_hash: bytes
    envelope: bytes


class Outbox:
    """The sending half of a node's database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    def next_seq(self, reader: str) -> int:
        """Take the next sequence number for a reader.

        One that a refused release gave back is used first: to its reader nothing must show that there was one.
        """
        back = self._sql.execute("SELECT min(seq) FROM returned WHERE reader = ?", (reader,)).fetchone()[0]
        if back is not None:
            self._sql.execute("DELETE FROM returned WHERE reader = ? AND seq = ?", (reader, back))
            return int(back)
        found = self._sql.execute("SELECT next FROM sequence WHERE reader = ?", (reader,)).fetchone()
        seq = 1 if found is None else int(found[0])
        self._sql.execute("INSERT OR REPLACE INTO sequence VALUES (?, ?)", (reader, seq + 1))
        return seq

    def keep_sealed(self, sealed: SealedMessage) -> None:
        """Keep a sealed message, so that it can be released again later."""
        portions = tuple(
            (item.place, item.label, item.disclosure, item.commitment, item.blob, item.chunks, item.key)
            for item in sealed.portions
        )
        packed = pack((sealed.by, sealed.ts, sealed.seed, portions))
        self._sql.execute(
            "INSERT OR IGNORE INTO sealed VALUES (?, ?, ?, ?, ?)",
            (sealed.hid, sealed.kind, sealed.header, packed, sealed.exp),
        )

    def sealed(self, hid: bytes) -> SealedMessage | None:
        """Return a message that this agency sealed."""
        found = self._sql.execute("SELECT kind, header, packed, exp FROM sealed WHERE hid = ?", (hid,)).fetchone()
        if found is None:
            return None
        kind, header, packed, exp = found
        by, ts, seed, portions = unpack(packed, bytes_max=64 * CONTENT_BYTES_MAX)
        return SealedMessage(
            header=header, hid=hid, kind=kind, by=by, ts=ts, exp=exp, seed=seed,
            portions=tuple(
                SealedPortion(
                    place=place, label=read_shape(Label, label), disclosure=disclosure, commitment=commitment,
                    blob=blob, chunks=chunks, key=key,
                )
                for place, label, disclosure, commitment, blob, chunks, key in portions
            ),
        )  # fmt: skip

    def forget_sealed(self, hid: bytes) -> None:
        """Forget a message that was recalled: its keys, its texts and its chunks."""
        self._sql.execute("DELETE FROM sealed WHERE hid = ?", (hid,))

    def keep_release(self, hid: bytes, wraps_hash: bytes, envelope: bytes, readers: list[tuple[str, int, int]]) -> int:
        """Put a release into the outbox; ``readers`` are (reader, bits, seq). Returns its row."""
        cursor = self._sql.execute(
            "INSERT INTO outbox(hid, wraps_hash, envelope, readers, state) VALUES (?, ?, ?, ?, 'waiting')",
            (hid, wraps_hash, envelope, pack(readers)),
        )
        return int(cursor.lastrowid or 0)

    def waiting(self, *, after: int, limit: int) -> list[OutboxRow]:
        """Return releases that wait for a verdict, oldest first."""
        return [
            OutboxRow(*row)
            for row in self._sql.execute(
                "SELECT number, hid, wraps_hash, envelope FROM outbox WHERE state = 'waiting' AND number > ?"
                " ORDER BY number LIMIT ?",
                (after, limit),
            )
        ]

    def waiting_count(self) -> int:
        """Return how many releases wait for a verdict."""
        return int(self._sql.execute("SELECT count(*) FROM outbox WHERE state = 'waiting'").fetchone()[0])

    def settle(self, hid: bytes, wraps_hash: bytes, *, state: str, code: str | None) -> bool:
        """Note the verdict on a release; False if it was settled before or is not ours."""
        found = self._sql.execute(
            "UPDATE outbox SET state = ?, code = ?, envelope = NULL"
            " WHERE hid = ? AND wraps_hash = ? AND state = 'waiting' RETURNING readers",
            (state, code, hid, wraps_hash),
        ).fetchone()
        if found is None:
            return False
        if state == "refused":
            readers = unpack(found[0], bytes_max=ENVELOPE_BYTES_MAX)
            self._sql.executemany(
                "INSERT OR IGNORE INTO returned VALUES (?, ?)", [(reader, seq) for reader, _, seq in readers]
            )
        return True

    def released_to(self, hid: bytes) -> dict[str, int]:
        """Return everybody to whom a message of ours was released and accepted, with the bits."""
        return self._audience("SELECT readers FROM outbox WHERE hid = ? AND state = 'accepted'", hid)

    def offered_to(self, hid: bytes) -> dict[str, int]:
        """Return everybody to whom a message of ours was released and not refused, with the bits.

        A reader's receipt may be here before the verdict is, where the link was down when the verdict was said.
        """
        return self._audience("SELECT readers FROM outbox WHERE hid = ? AND state != 'refused'", hid)

    def _audience(self, query: str, hid: bytes) -> dict[str, int]:
        audience: dict[str, int] = {}
        rows = self._sql.execute(query, (hid,))
        for (packed,) in rows.fetchall():
            for reader, bits, _ in unpack(packed, bytes_max=ENVELOPE_BYTES_MAX):
                audience[reader] = audience.get(reader, 0) | bits
        return audience
