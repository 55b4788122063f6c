"""A node's memory on disk: outbox, inbox, sequence numbers, keys of others, receipts and the journal.

One SQLite file, one connection; every method runs on one thread at a time. What the desk was told is sent or held is
in a committed transaction.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, NamedTuple

from agencies.consent import CONSENT_TABLES, ConsentTable
from agencies.derived import DERIVED_TABLES, DerivedTable
from agencies.joint_table import JOINT_TABLES, JointTable
from agencies.journal import Journal
from agencies.outbox import Outbox
from agencies.quarantine import QUARANTINE_TABLE, Quarantine
from agencies.question_table import QUESTION_TABLE, QuestionTable
from agencies.silence_table import SILENCE_TABLES, SilenceTable
from agencies.state import Accepted, HeldMessage
from agencies.witness import WITNESS_TABLE, WitnessTable
from schemas.codec import pack
from schemas.frames import Announcement
from schemas.label import Label, read_label
from schemas.limits import RECEIPT_ITEMS_MAX, REPLAY_WINDOW_MESSAGES
from schemas.workflow import Grant, ReceiptItem
from sealing.opening import Content, OpenedPortion, read_content
from transport.disk import Database, open_database, tables_of

APPLICATION_ID: Final = 0x53574E31  # "SWN1"
SCHEMA_VERSION: Final = 5
_EPOCHS_KEPT: Final = 4  # of one agency's box keys, as many as a directory keeps; else they could fill the disk
_RECALLED_UNSEEN: Final = ""  # the kind of an inbox row that keeps a recall whose message has not come

_TABLES: Final = """
CREATE TABLE value(name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE bundle(version INTEGER PRIMARY KEY, signed BLOB NOT NULL);
CREATE TABLE sealed(hid BLOB PRIMARY KEY, kind TEXT NOT NULL, header BLOB NOT NULL, packed BLOB NOT NULL,
    exp INTEGER NOT NULL);
CREATE TABLE outbox(number INTEGER PRIMARY KEY, hid BLOB NOT NULL, wraps_hash BLOB NOT NULL, envelope BLOB,
    readers BLOB NOT NULL, state TEXT NOT NULL, code TEXT, kind TEXT NOT NULL, subject BLOB NOT NULL,
    exp INTEGER NOT NULL, due INTEGER, overdue INTEGER NOT NULL DEFAULT 0, UNIQUE(hid, wraps_hash));
CREATE INDEX outbox_waiting ON outbox(number) WHERE state = 'waiting';
CREATE INDEX outbox_due ON outbox(due) WHERE due NOTNULL;
CREATE INDEX outbox_overdue ON outbox(subject) WHERE overdue = 1;
CREATE TABLE sequence(reader TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE returned(reader TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(reader, seq)) WITHOUT ROWID;
CREATE TABLE inbox(hid BLOB PRIMARY KEY, originator TEXT NOT NULL, kind TEXT NOT NULL, ref BLOB, ts INTEGER NOT NULL,
    exp INTEGER NOT NULL, bits INTEGER NOT NULL, recalled INTEGER NOT NULL DEFAULT 0, opened_at INTEGER);
CREATE TABLE portion(hid BLOB NOT NULL, place INTEGER NOT NULL, commitment BLOB NOT NULL, label BLOB NOT NULL,
    content BLOB, blob BLOB, key BLOB, chunks INTEGER NOT NULL, PRIMARY KEY(hid, place));
CREATE TABLE chunk(hid BLOB NOT NULL, place INTEGER NOT NULL, number INTEGER NOT NULL, ciphertext BLOB NOT NULL,
    PRIMARY KEY(hid, place, number));
CREATE TABLE seen(originator TEXT NOT NULL, seq INTEGER NOT NULL, hid BLOB NOT NULL,
    PRIMARY KEY(originator, seq)) WITHOUT ROWID;
CREATE TABLE announcement(agency TEXT NOT NULL, epoch INTEGER NOT NULL, statement BLOB NOT NULL,
    signature BLOB NOT NULL, PRIMARY KEY(agency, epoch)) WITHOUT ROWID;
CREATE TABLE receipt(hid BLOB NOT NULL, reader TEXT NOT NULL, status TEXT NOT NULL, bits INTEGER NOT NULL,
    at INTEGER NOT NULL, PRIMARY KEY(hid, reader, status)) WITHOUT ROWID;
CREATE TABLE owed(number INTEGER PRIMARY KEY, originator TEXT NOT NULL, hid BLOB NOT NULL, bits INTEGER NOT NULL,
    status TEXT NOT NULL, at INTEGER NOT NULL, through BLOB);
CREATE TABLE journal(number INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, machine_ms INTEGER NOT NULL,
    stage TEXT NOT NULL, fields TEXT NOT NULL, chain BLOB NOT NULL);
"""


class HeldPortion(NamedTuple):
    """A portion of the inbox; ``content`` is None while its chunks are still coming."""

    hid: bytes
    place: int
    commitment: bytes
    label: Label
    content: Content | None


class PendingPortion(NamedTuple):
    """A large portion whose chunks are still coming, or have just all come."""

    opened: OpenedPortion
    kind: str
    held: frozenset[int]


class NodeStore(Outbox):
    """A node's database; also what the core asks (``agencies.state.NodeState``)."""

    def __init__(self, database: Database, *, agency: str) -> None:
        super().__init__(database.connection)
        self.agency = agency
        self._database = database
        self.passing = database.passing
        self.journal = Journal(self._sql)
        # Asked for every arrival, so they are remembered: numbers by name, those of them that the transaction at hand
        # has yet to write, and the highest sequence number of each originator.
        self._values: dict[str, int] = {}
        self._changed: dict[str, None] = {}
        self._highest: dict[str, int] = {}
        self.witness = WitnessTable(self._sql)
        self.quarantine = Quarantine(self._sql)
        self.consent = ConsentTable(self._sql)
        self.derived = DerivedTable(self._sql)
        self.questions = QuestionTable(self._sql)
        self.silence = SilenceTable(self._sql)
        self.joint = JointTable(self._sql)

    @classmethod
    def open(cls, path: Path, *, agency: str, disk: Callable[..., Database] = open_database) -> "NodeStore":
        """Open or make the database of one agency.

        Args:
            path: Its file.
            agency: Whose it is.
            disk: Opens it; a simulation has a disk of its own, which takes the same arguments.

        Raises:
            StoreError: If the file is in use, damaged, or not this agency's.
        """
        database = disk(
            path,
            application_id=APPLICATION_ID,
            version=SCHEMA_VERSION,
            owner=agency,
            create=tables_of(
                _TABLES
                + WITNESS_TABLE
                + QUARANTINE_TABLE
                + CONSENT_TABLES
                + SILENCE_TABLES
                + DERIVED_TABLES
                + QUESTION_TABLE
                + JOINT_TABLES
            ),
        )
        return cls(database, agency=agency)

    def next_due(self) -> int | None:
        """Return when a receipt, verdict, decision or answer is next due, Unix ms; None if nothing is awaited."""
        dues = (
            self.earliest_due(), self.consent.earliest_end(), self.questions.earliest_due(),
            self.silence.earliest_end(),
        )  # fmt: skip
        return min((at for at in dues if at is not None), default=None)

    def make_sure_of_room(self) -> None:
        """Find out whether a disk that was full has room again.

        Raises:
            DiskFullError: If it has not.
        """
        self._database.make_sure_of_room()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run a block as one transaction.

        Raises:
            StoreError: If the disk is full or fails; nothing of the block is kept.
        """
        try:
            with self._database.transaction():
                yield
                self.journal.flush()
                for name in self._changed:
                    self._sql.execute("INSERT OR REPLACE INTO value VALUES (?, ?)", (name, self._values[name]))
                self._changed.clear()
        except BaseException:
            # What was remembered may have been taken back; the file is asked again.
            self._values.clear()
            self._changed.clear()
            self._highest.clear()
            self.journal.reload()
            raise

    def value(self, name: str) -> int:
        """Return a kept number; 0 at first."""
        known = self._values.get(name)
        if known is None:
            found = self._sql.execute("SELECT number FROM value WHERE name = ?", (name,)).fetchone()
            known = self._values[name] = 0 if found is None else int(found[0])
        return known

    def keep_value(self, name: str, number: int) -> None:
        """Keep a number; inside a transaction, which writes it once, however often it changes."""
        self._values[name] = number
        self._changed[name] = None

    # Bundles and announcements.

    def signed_bundle(self) -> bytes | None:
        """Return the newest bundle that was kept."""
        found = self._sql.execute("SELECT signed FROM bundle ORDER BY version DESC LIMIT 1").fetchone()
        return None if found is None else found[0]

    def keep_bundle(self, version: int, signed: bytes) -> None:
        """Keep a bundle that has been proved."""
        self._sql.execute("INSERT OR REPLACE INTO bundle VALUES (?, ?)", (version, signed))

    def keep_announcement(self, agency: str, epoch: int, announcement: Announcement) -> None:
        """Keep another agency's box key."""
        self._sql.execute(
            "INSERT OR REPLACE INTO announcement VALUES (?, ?, ?, ?)",
            (agency, epoch, announcement.statement, announcement.signature),
        )
        self._sql.execute(
            "DELETE FROM announcement WHERE agency = ?1 AND epoch NOT IN"
            " (SELECT epoch FROM announcement WHERE agency = ?1 ORDER BY epoch DESC LIMIT ?2)",
            (agency, _EPOCHS_KEPT),
        )

    def announcements(self) -> list[Announcement]:
        """Return every announcement that is kept."""
        rows = self._sql.execute("SELECT statement, signature FROM announcement ORDER BY agency, epoch").fetchall()
        return [Announcement("announce", statement, signature) for statement, signature in rows]

    # Inbox (agencies.state.NodeState, and what an accepted arrival writes).

    def seen(self, originator: str, seq: int) -> bytes | None:
        """Return the id of the message that came with this sequence number, if one did."""
        if seq > self.highest_seq(originator):
            return None
        found = self._sql.execute("SELECT hid FROM seen WHERE originator = ? AND seq = ?", (originator, seq)).fetchone()
        return None if found is None else found[0]

    def highest_seq(self, originator: str) -> int:
        """Return the highest sequence number that came from an originator; 0 if none did."""
        known = self._highest.get(originator)
        if known is None:
            found = self._sql.execute("SELECT max(seq) FROM seen WHERE originator = ?", (originator,)).fetchone()[0]
            known = self._highest[originator] = 0 if found is None else int(found)
        return known

    def held(self, hid: bytes) -> HeldMessage | None:
        """Return a message of the inbox."""
        found = self._sql.execute(
            "SELECT hid, originator, kind, bits, recalled, ref FROM inbox WHERE hid = ?", (hid,)
        ).fetchone()
        if found is None:
            return None
        hid, originator, kind, bits, recalled, ref = found
        return HeldMessage(hid, originator, kind, bits, bool(recalled), ref)

    def grants(self, hid: bytes) -> tuple[Grant, ...]:
        """Return every grant of a message that is known here."""
        return self.consent.grants(hid)

    def keep_arrival(self, accepted: Accepted) -> None:
        """Write an accepted arrival; a later release of the same message adds its portions to it."""
        header = accepted.header
        permitted = sum(1 << portion.place for portion in accepted.portions)
        self._sql.execute(
            "INSERT INTO inbox(hid, originator, kind, ref, ts, exp, bits) VALUES (?, ?, ?, ?, ?, ?, ?)"
            # A row that is there is of an earlier release, or of a recall by somebody whose message it is not.
            " ON CONFLICT(hid) DO UPDATE SET bits = bits | excluded.bits, originator = excluded.originator,"
            " kind = excluded.kind, ref = excluded.ref, ts = excluded.ts, exp = excluded.exp, recalled = 0",
            (accepted.hid, accepted.originator, header.kind, header.ref, header.ts, header.exp, permitted),
        )
        self._sql.executemany(
            "INSERT OR IGNORE INTO portion VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    accepted.hid, portion.place, portion.commitment, pack(portion.label),
                    pack(portion.content) if portion.content is not None else None,
                    portion.blob if portion.chunks else None, portion.key if portion.chunks else None, portion.chunks,
                )
                for portion in accepted.portions
            ],
        )  # fmt: skip
        self._highest[accepted.originator] = max(self.highest_seq(accepted.originator), accepted.seq)
        self._sql.execute("INSERT INTO seen VALUES (?, ?, ?)", (accepted.originator, accepted.seq, accepted.hid))
        self._sql.execute(
            "DELETE FROM seen WHERE originator = ? AND seq <= ?",
            (accepted.originator, accepted.seq - REPLAY_WINDOW_MESSAGES),
        )

    def mark_recalled(self, hid: bytes, *, originator: str) -> int:
        """Erase a recalled message's content, or keep the recall until it comes; returns the bits that were held."""
        held = self.held(hid)
        self._sql.execute(
            "INSERT INTO inbox(hid, originator, kind, ts, exp, bits, recalled) VALUES (?, ?, ?, 0, 0, 0, 1)"
            " ON CONFLICT(hid) DO UPDATE SET recalled = 1",
            (hid, originator, _RECALLED_UNSEEN),
        )
        self._sql.execute("DELETE FROM portion WHERE hid = ?", (hid,))
        self._sql.execute("DELETE FROM chunk WHERE hid = ?", (hid,))
        return 0 if held is None else held.bits

    def erase_portions(self, hid: bytes, bits: int) -> int:
        """Erase some portions of a message whose grant is over; returns those that were held."""
        held = self.held(hid)
        erased = 0 if held is None else held.bits & bits
        self._sql.execute("UPDATE inbox SET bits = bits & ~? WHERE hid = ?", (erased, hid))
        for table in ("portion", "chunk"):
            self._sql.execute(f"DELETE FROM {table} WHERE hid = ? AND (? >> place) & 1", (hid, bits))  # noqa: S608 - one of two names
        return erased

    def mark_opened(self, hid: bytes, *, at: int) -> bool:
        """Note that the desk has read a message; False if it had, or if it is not held."""
        return bool(
            self._sql.execute(
                "UPDATE inbox SET opened_at = ? WHERE hid = ? AND opened_at ISNULL RETURNING 1", (at, hid)
            ).fetchone()
        )

    def portions(self, hid: bytes) -> list[HeldPortion]:
        """Return the portions of a message, in order of place."""
        held = self.held(hid)
        rows = self._sql.execute(
            "SELECT place, commitment, label, content FROM portion WHERE hid = ? ORDER BY place", (hid,)
        ).fetchall()
        kind = held.kind if held is not None else "report"
        return [
            HeldPortion(
                hid,
                place,
                commitment,
                read_label(label),
                None if content is None else read_content(kind, content),  # type: ignore[arg-type] # the kind was checked when it arrived
            )
            for place, commitment, label, content in rows
        ]

    def message_ids(self) -> list[bytes]:
        """Return the ids of the inbox, oldest first."""
        return [hid for (hid,) in self._sql.execute("SELECT hid FROM inbox WHERE kind != '' ORDER BY rowid")]

    # Attachments.

    def pending(self, hid: bytes, place: int) -> PendingPortion | None:
        """Return a large portion that is not complete, with the chunks that have come."""
        found = self._sql.execute(
            "SELECT commitment, label, blob, key, chunks, kind FROM portion JOIN inbox USING (hid)"
            " WHERE hid = ? AND place = ? AND chunks > 0 AND content ISNULL",
            (hid, place),
        ).fetchone()
        if found is None:
            return None
        commitment, label, blob, key, chunks, kind = found
        numbers = self._sql.execute("SELECT number FROM chunk WHERE hid = ? AND place = ?", (hid, place))
        held = frozenset(number for (number,) in numbers)
        opened = OpenedPortion(
            place=place, commitment=commitment, label=read_label(label), content=None, blob=blob, key=key, chunks=chunks
        )
        return PendingPortion(opened, kind, held)

    def all_pending(self) -> list[tuple[bytes, int]]:
        """Return the large portions that are not complete."""
        return self._sql.execute("SELECT hid, place FROM portion WHERE chunks > 0 AND content ISNULL").fetchall()

    def awaiting_chunks(self) -> int:
        """Return how many large portions still wait for a chunk; one that has all, and does not open, waits no more."""
        return int(
            self._sql.execute(
                "SELECT count(*) FROM portion WHERE chunks > 0 AND content ISNULL AND chunks >"
                " (SELECT count(*) FROM chunk WHERE chunk.hid = portion.hid AND chunk.place = portion.place)"
            ).fetchone()[0]
        )

    def keep_chunk(self, hid: bytes, place: int, number: int, ciphertext: bytes) -> None:
        """Keep a chunk of a portion that is not complete."""
        self._sql.execute("INSERT OR IGNORE INTO chunk VALUES (?, ?, ?, ?)", (hid, place, number, ciphertext))

    def chunks(self, hid: bytes, place: int) -> tuple[bytes, ...]:
        """Return the chunks of a portion that have come, in order."""
        rows = self._sql.execute(
            "SELECT ciphertext FROM chunk WHERE hid = ? AND place = ? ORDER BY number", (hid, place)
        )
        return tuple(ciphertext for (ciphertext,) in rows)

    def complete(self, hid: bytes, place: int, content: Content) -> None:
        """Keep a large portion's content in place of its chunks."""
        self._sql.execute(
            "UPDATE portion SET content = ?, blob = NULL, key = NULL WHERE hid = ? AND place = ?",
            (pack(content), hid, place),
        )
        self._sql.execute("DELETE FROM chunk WHERE hid = ? AND place = ?", (hid, place))

    # Receipts.

    def owe_receipt(self, originator: str, item: ReceiptItem) -> None:
        """Note that an originator is owed a receipt."""
        self._sql.execute(
            "INSERT INTO owed(originator, hid, bits, status, at, through) VALUES (?, ?, ?, ?, ?, ?)",
            (originator, *item),
        )

    def take_owed(self) -> dict[str, list[ReceiptItem]]:
        """Take up to a message's worth of owed receipts for each originator, oldest first."""
        taken: dict[str, list[ReceiptItem]] = {}
        numbers: list[tuple[int]] = []
        rows = self._sql.execute("SELECT number, originator, hid, bits, status, at, through FROM owed ORDER BY number")
        for number, originator, *item in rows.fetchall():
            items = taken.setdefault(originator, [])
            if len(items) < RECEIPT_ITEMS_MAX:
                items.append(ReceiptItem(*item))
                numbers.append((number,))
        self._sql.executemany("DELETE FROM owed WHERE number = ?", numbers)
        return taken

    def owed_deliveries(self, *, after: int, limit: int) -> list[tuple[int, bytes, int]]:
        """Return row, message and bits of receipts of delivery that are owed, oldest first."""
        return self._sql.execute(
            "SELECT number, hid, bits FROM owed WHERE status = 'delivered' AND number > ? ORDER BY number LIMIT ?",
            (after, limit),
        ).fetchall()

    def owed_recalls(self) -> list[tuple[bytes, str]]:
        """Return message and originator of recalls whose receipt is owed, oldest first: few, they leave at once."""
        return self._sql.execute(
            "SELECT hid, originator FROM owed WHERE status = 'purged' AND through ISNULL ORDER BY number"
        ).fetchall()

    def owes(self) -> bool:
        """Tell whether any receipt is owed."""
        return self._sql.execute("SELECT 1 FROM owed LIMIT 1").fetchone() is not None

    def recall_answers(self, hid: bytes) -> dict[str, tuple[Literal["purged", "cannot"], int]]:
        """Return what each reader has answered to the recall of a message, and when, Unix ms; the better answer."""
        rows = self._sql.execute(
            "SELECT reader, status, at FROM receipt WHERE hid = ? AND status IN ('purged', 'cannot') ORDER BY status",
            (hid,),
        )
        return {reader: (status, at) for reader, status, at in rows.fetchall()}

    def keep_receipt(self, hid: bytes, reader: str, *, status: str, bits: int, at: int) -> bool:
        """Keep a receipt; False if it says nothing of any portion that was not said before."""
        return bool(
            self._sql.execute(
                "INSERT INTO receipt VALUES (?, ?, ?, ?, ?)"
                # A portion in chunks is delivered, and receipted, after the rest of its message.
                " ON CONFLICT(hid, reader, status) DO UPDATE SET bits = bits | excluded.bits"
                " WHERE bits != bits | excluded.bits RETURNING 1",
                (hid, reader, status, bits, at),
            ).fetchone()
        )
