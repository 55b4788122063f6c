"""What a node has sealed and released: the outbox, and the sequence numbers that it counts for each reader.

The tables are in the node's one database (agencies/store.py) and take part in its transactions.
"""

import sqlite3
from typing import Any, Final, Literal, NamedTuple

from schemas.codec import pack, read_shape, unpack
from schemas.errors import Code
from schemas.label import Label
from schemas.limits import CLOCK_SKEW_MS_MAX, CONTENT_BYTES_MAX, ENVELOPE_BYTES_MAX
from sealing.portions import SealedPortion
from sealing.seal import SealedMessage

# "A node MUST NOT send a receipt for a receipt."
UNRECEIPTED_KINDS: Final = frozenset({"receipt"})
_NEW_READER: Final = ""  # the row of the numbers for readers that have none yet, below every agency's id
_WATCHED: Final = "number, hid, subject, kind, state, readers, exp, due"


class ReaderDue(NamedTuple):
    """A reader of a release: the portions it was given, its number, and when its receipt is due, Unix ms."""

    reader: str
    bits: int
    seq: int
    due_ms: int


class WatchedRelease(NamedTuple):
    """A release of which something is awaited: a verdict, or receipts on the message that is its subject."""

    number: int
    hid: bytes
    subject: bytes
    kind: str
    state: str
    readers: tuple[ReaderDue, ...]
    over_ms: int
    due_ms: int


class RefusedRecall(NamedTuple):
    """A recall that the router refused for one of its readers, so that it has reached none of them."""

    hid: bytes
    subject: bytes
    readers: tuple[str, ...]


class Settled(NamedTuple):
    """A verdict that was taken: on a release of this kind; ``late`` if it had expired before."""

    when: Literal["now", "late"]
    kind: str


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
        found = self._sql.execute(
            "SELECT next FROM sequence WHERE reader IN (?, ?) ORDER BY reader DESC LIMIT 1", (reader, _NEW_READER)
        ).fetchone()
        seq = 1 if found is None else int(found[0])
        self._sql.execute("INSERT OR REPLACE INTO sequence VALUES (?, ?)", (reader, seq + 1))
        return seq

    def skip_numbers(self, count: int) -> None:
        """Leave out so many sequence numbers for every reader: this disk was put back, and they may be used already."""
        self._sql.execute("INSERT OR IGNORE INTO sequence VALUES (?, 1)", (_NEW_READER,))
        self._sql.execute("UPDATE sequence SET next = next + ?", (count,))
        self._sql.execute("DELETE FROM returned")

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
        """Return a message that this agency sealed and has not recalled."""
        found = self._sql.execute(
            "SELECT kind, header, packed, exp FROM sealed WHERE hid = ? AND packed != x''", (hid,)
        ).fetchone()
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
        """Forget a message that was recalled: its keys, its texts and its chunks, but not that it was ours."""
        self._sql.execute("UPDATE sealed SET packed = x'' WHERE hid = ?", (hid,))

    def can_release(self, hid: bytes) -> bool:
        """Tell whether this agency sealed a message and has not recalled it."""
        return bool(self._sql.execute("SELECT 1 FROM sealed WHERE hid = ? AND packed != x''", (hid,)).fetchone())

    def has_sealed(self, hid: bytes) -> bool:
        """Tell whether this agency sealed a message, recalled or not."""
        return self._sql.execute("SELECT 1 FROM sealed WHERE hid = ?", (hid,)).fetchone() is not None

    def keep_release(
        self,
        hid: bytes,
        wraps_hash: bytes,
        envelope: bytes,
        readers: list[ReaderDue],
        *,
        kind: str,
        subject: bytes,
        exp: int,
    ) -> int:
        """Put a release into the outbox; ``subject`` is what its receipts will name. Returns when it is first due."""
        over_ms = _over(exp)
        dues = [] if kind in UNRECEIPTED_KINDS else [reader.due_ms for reader in readers]
        due_ms = min([over_ms, *dues])
        number = int(self._sql.execute("SELECT coalesce(max(number), 0) + 1 FROM outbox").fetchone()[0])
        # What was refused and is released once more, with the numbers that it gave back, is the same to the byte. It
        # goes out as what is new, behind all that has gone out in this session.
        self._sql.execute(
            "DELETE FROM outbox WHERE hid = ? AND wraps_hash = ? AND state = 'refused'", (hid, wraps_hash)
        )
        self._sql.execute(
            "INSERT INTO outbox(number, hid, wraps_hash, envelope, readers, state, kind, subject, exp, due)"
            " VALUES (?, ?, ?, ?, ?, 'waiting', ?, ?, ?, ?)",
            (number, hid, wraps_hash, envelope, pack(readers), kind, subject, exp, due_ms),
        )
        return due_ms

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

    def awaits_verdict(self, hid: bytes) -> bool:
        """Tell whether any release of a message still waits for its verdict."""
        return (
            self._sql.execute("SELECT 1 FROM outbox WHERE hid = ? AND state = 'waiting'", (hid,)).fetchone() is not None
        )

    def settle(self, hid: bytes, wraps_hash: bytes, *, state: str, code: str | None) -> Settled | None:
        """Note the verdict on a release; None if it was settled before or is not ours."""
        when: Literal["now", "late"] = "now"
        found = self._settle(hid, wraps_hash, state, code, "waiting")
        if found is None:
            when = "late"
            found = self._settle(hid, wraps_hash, state, code, "expired")
        if found is None and state == "accepted":
            # A late refusal of the same bytes came first: what counts is that its readers get it.
            found = self._settle(hid, wraps_hash, state, code, "refused")
            taken = [] if found is None else _readers(found[0])
            self._sql.executemany(
                "DELETE FROM returned WHERE reader = ? AND seq = ?", [(reader.reader, reader.seq) for reader in taken]
            )
        if found is None:
            return None
        if state == "refused":
            readers = _readers(found[0])
            self._sql.executemany(
                "INSERT OR IGNORE INTO returned VALUES (?, ?)", [(reader.reader, reader.seq) for reader in readers]
            )
        return Settled(when, found[1])

    def _settle(self, hid: bytes, wraps_hash: bytes, state: str, code: str | None, before: str) -> Any:
        return self._sql.execute(
            "UPDATE outbox SET state = ?1, code = ?2, envelope = NULL,"
            " due = CASE WHEN ?1 = 'refused' OR kind = 'receipt' THEN NULL ELSE due END"
            " WHERE hid = ?3 AND wraps_hash = ?4 AND state = ?5 RETURNING readers, kind",
            (state, code, hid, wraps_hash, before),
        ).fetchone()

    # What is awaited of a release.

    def earliest_due(self) -> int | None:
        """Return when something is next due of any release, Unix ms; None if nothing is awaited."""
        found = self._sql.execute("SELECT min(due) FROM outbox WHERE due NOTNULL").fetchone()[0]
        return None if found is None else int(found)

    def due_releases(self, *, until_ms: int, limit: int) -> list[WatchedRelease]:
        """Return releases of which something is due by a time, the earliest first."""
        rows = self._sql.execute(
            f"SELECT {_WATCHED} FROM outbox WHERE due NOTNULL AND due <= ? ORDER BY due, number LIMIT ?",  # noqa: S608 - a constant
            (until_ms, limit),
        )
        return [_watched(row) for row in rows.fetchall()]

    def unreceipted_releases(self, *, limit: int) -> list[WatchedRelease]:
        """Return accepted releases of which something is awaited still, the longest first."""
        rows = self._sql.execute(
            f"SELECT {_WATCHED} FROM outbox WHERE due NOTNULL AND state = 'accepted' ORDER BY due DESC LIMIT ?",  # noqa: S608 - a constant
            (limit,),
        )
        return [_watched(row) for row in rows.fetchall()]

    def overdue_releases(self, subject: bytes) -> list[WatchedRelease]:
        """Return the releases whose receipts name this message, and were called overdue."""
        rows = self._sql.execute(
            f"SELECT {_WATCHED} FROM outbox WHERE subject = ? AND overdue = 1 ORDER BY number",  # noqa: S608 - a constant
            (subject,),
        )
        return [_watched(row) for row in rows.fetchall()]

    def watch_on(self, release: WatchedRelease, *, due_ms: int | None, overdue: bool) -> None:
        """Look at a release again at a later time, or no more."""
        self._sql.execute(
            "UPDATE outbox SET due = ?, overdue = max(overdue, ?) WHERE number = ?", (due_ms, overdue, release.number)
        )

    def end_watch(self, release: WatchedRelease, *, expired: bool, overdue: bool) -> None:
        """Look at a release no more; one that has expired without a verdict is sent no more either."""
        self.watch_on(release, due_ms=None, overdue=overdue)
        if expired:
            self._sql.execute(
                "UPDATE outbox SET state = 'expired', envelope = NULL WHERE number = ?", (release.number,)
            )

    def stop_watching(self, hid: bytes) -> None:
        """Await no receipts any more on a message that was recalled; its recall is awaited instead."""
        self._sql.execute("UPDATE outbox SET due = NULL WHERE hid = ? AND state = 'accepted'", (hid,))

    def refused_recalls(self) -> list[RefusedRecall]:
        """Return the recalls that were refused for a reader, and that no later one has taken the place of."""
        rows = self._sql.execute(
            "SELECT hid, subject, readers FROM outbox AS refused"
            " WHERE kind = 'recall' AND state = 'refused' AND code = ? AND NOT EXISTS (SELECT 1 FROM outbox AS later"
            " WHERE later.kind = 'recall' AND later.subject = refused.subject AND later.number > refused.number)",
            (Code.AUDIENCE,),
        )
        return [
            RefusedRecall(hid, subject, tuple(item.reader for item in _readers(packed)))
            for hid, subject, packed in rows.fetchall()
        ]

    def receipted(self, subject: bytes, *, recall: bool) -> dict[str, int]:
        """Return who has receipted a message, with the bits; of a recall, who has said what became of it."""
        which = " AND status IN ('purged', 'cannot')" if recall else ""
        bits: dict[str, int] = {}
        rows = self._sql.execute(f"SELECT reader, bits FROM receipt WHERE hid = ?{which}", (subject,))  # noqa: S608 - one of two constants
        for reader, receipted in rows.fetchall():
            bits[reader] = bits.get(reader, 0) | receipted
        return bits

    def receipted_by(self, subject: bytes) -> dict[str, int]:
        """Return who has receipted a message, with the earliest time at which they say they had it, Unix ms."""
        rows = self._sql.execute("SELECT reader, min(at) FROM receipt WHERE hid = ? GROUP BY reader", (subject,))
        return dict(rows.fetchall())

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
            for reader in _readers(packed):
                audience[reader.reader] = audience.get(reader.reader, 0) | reader.bits
        return audience


def _readers(packed: bytes) -> tuple[ReaderDue, ...]:
    return tuple(ReaderDue(*item) for item in unpack(packed, bytes_max=ENVELOPE_BYTES_MAX))


def _watched(row: tuple[Any, ...]) -> WatchedRelease:
    number, hid, subject, kind, state, readers, exp, due_ms = row
    return WatchedRelease(number, hid, subject, kind, state, _readers(readers), _over(exp), due_ms or 0)


def _over(exp: int) -> int:
    """Return when a message has expired by every clock that is right enough: nobody takes it up from then on."""
    return exp + CLOCK_SKEW_MS_MAX
