"""The router's memory on disk: messages, queues, verdicts, announcements and the record of every decision.

One SQLite file, one connection, one thread. Queue rows and records of a decision are written in the same transaction
as the message, so "accepted" is true of all of it or of nothing; so are the leaves of the provable log.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from broker.audit.records import Record, leaves_of_admission, leaves_of_records
from broker.audit.store import TABLES as LOG_TABLES
from broker.audit.store import LogStore
from broker.cuts import Cutter, Release
from broker.holdings import Holdings
from broker.joint import JOINT_TABLE, JointMessages
from broker.recalls import RECALL_TABLE, KeptRecalls
from broker.silence import PROPOSAL_TABLE, Proposals
from broker.state import Admitted, KnownMessage, KnownProposal, Refused
from schemas.codec import pack, read_shape, unpack
from schemas.envelope import Wrap
from schemas.frames import VerdictMessage
from schemas.label import PRECEDENCE_RANK, Label
from schemas.limits import ENVELOPE_BYTES_MAX
from sealing.keys import SignPair
from sealing.portions import read_disclosure
from transport.disk import Database, open_database, tables_of

APPLICATION_ID: Final = 0x53575231  # "SWR1"
SCHEMA_VERSION: Final = 6
_DECISIONS: Final = frozenset({"admitted", "refused"})  # the stages of records that decide on an author's release
_RELEASES_KEPT: Final = 256  # releases whose cuts are being sent; a few MiB

_TABLES: Final = """
CREATE TABLE message(hid BLOB PRIMARY KEY, originator TEXT NOT NULL, kind TEXT NOT NULL, ref BLOB,
    exp INTEGER NOT NULL, header BLOB NOT NULL, recalled INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE portion(hid BLOB NOT NULL, place INTEGER NOT NULL, disclosure BLOB NOT NULL, blob BLOB,
    chunks INTEGER NOT NULL, PRIMARY KEY(hid, place));
CREATE TABLE release(number INTEGER PRIMARY KEY, hid BLOB NOT NULL, wraps_hash BLOB NOT NULL,
    signature BLOB NOT NULL, cosignatures BLOB NOT NULL, statement BLOB NOT NULL, router_signature BLOB NOT NULL,
    UNIQUE(hid, wraps_hash));
CREATE TABLE queue(number INTEGER PRIMARY KEY, reader TEXT NOT NULL, release INTEGER NOT NULL,
    precedence INTEGER NOT NULL, wrap BLOB NOT NULL, dseq INTEGER);
CREATE INDEX queue_sent ON queue(reader, dseq) WHERE dseq IS NOT NULL;
CREATE INDEX queue_waiting ON queue(reader, precedence DESC, number) WHERE dseq IS NULL;
CREATE TABLE reader(hid BLOB NOT NULL, reader TEXT NOT NULL, bits INTEGER NOT NULL,
    PRIMARY KEY(hid, reader)) WITHOUT ROWID;
CREATE TABLE feed(reader TEXT PRIMARY KEY, next_dseq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE record(number INTEGER PRIMARY KEY, at INTEGER NOT NULL, stage TEXT NOT NULL, hid BLOB,
    agency TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX record_hid ON record(hid) WHERE hid IS NOT NULL;
CREATE TABLE announcement(agency TEXT NOT NULL, epoch INTEGER NOT NULL, expires INTEGER NOT NULL,
    statement BLOB NOT NULL, signature BLOB NOT NULL, PRIMARY KEY(agency, epoch)) WITHOUT ROWID;
CREATE TABLE chunk(hid BLOB NOT NULL, place INTEGER NOT NULL, number INTEGER NOT NULL, ciphertext BLOB NOT NULL,
    PRIMARY KEY(hid, place, number));
CREATE TABLE bundle(version INTEGER PRIMARY KEY, signed BLOB NOT NULL);
"""


class Waiting(NamedTuple):
    """A queue row: one reader's share of one release."""

    number: int
    reader: str
    release: int
    precedence: int
    wrap: bytes
    dseq: int | None


class QueuedRow(NamedTuple):
    """A queue row with what is known of its message; ``is_numbered`` once it has been sent."""

    number: int
    reader: str
    is_numbered: bool
    wrap: bytes
    hid: bytes
    originator: str
    kind: str


class RecordRow(NamedTuple):
    """One record: what happened, to which message, by or to which agency; ``body`` is packed."""

    number: int
    at: int
    stage: str
    hid: bytes | None
    agency: str
    body: bytes


class Store:
    """The router's database; also what the core asks (``broker.state.RouterState``)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.passing = database.passing
        self._sql = database.connection
        self.holdings = Holdings(database)
        self.recalls = KeptRecalls(self._sql)
        self.joint = JointMessages(self._sql)
        self.proposals = Proposals(self._sql)
        self._cutters: dict[int, Cutter] = {}
        self._releases: dict[int, tuple[bytes, str, str]] = {}  # id, originator and kind
        self.log: LogStore | None = None  # none for whoever only reads the file
        self._read_counters()

    @classmethod
    def open(cls, path: Path, *, router: str, disk: Callable[..., Database] = open_database) -> "Store":
        """Open or make the database of one router.

        Args:
            path: Its file.
            router: Whose it is.
            disk: Opens it; a simulation has a disk of its own, which takes the same arguments.

        Raises:
            StoreError: If the file is in use, damaged, or not this router's.
        """
        database = disk(
            path,
            application_id=APPLICATION_ID,
            version=SCHEMA_VERSION,
            owner=router,
            create=tables_of(_TABLES + RECALL_TABLE + JOINT_TABLE + PROPOSAL_TABLE + LOG_TABLES),
        )
        return cls(database)

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
        except BaseException:
            # The counters ran ahead of what was kept; no cut of a release that was not kept may stay either.
            self._read_counters()
            self._cutters.clear()
            self._releases.clear()
            if self.log is not None:
                self.log.reload()
            raise

    def begin_log(self, *, router: str, signer: SignPair) -> LogStore:
        """Have every record told of in the router's provable log from now on.

        Raises:
            StoreError: If the leaves on disk are not those that were signed for.
        """
        self.log = LogStore(self._sql, router=router, signer=signer)
        return self.log

    def _read_counters(self) -> None:
        self._next_record = self._one("SELECT coalesce(max(number), 0) FROM record") + 1
        self._decisions: Counter[str] | None = None  # by author; counted when it is first asked for
        self._next_release = self._one("SELECT coalesce(max(number), 0) FROM release") + 1
        self._next_row = self._one("SELECT coalesce(max(number), 0) FROM queue") + 1

    def _one(self, query: str, *values: object) -> int:
        found: int = self._sql.execute(query, values).fetchone()[0]
        return found

    # What the core asks.

    def verdict_on(self, hid: bytes, wraps_hash: bytes) -> VerdictMessage | None:
        """Return the verdict already given on this release, if any."""
        found = self._sql.execute(
            "SELECT statement, router_signature FROM release WHERE hid = ? AND wraps_hash = ?", (hid, wraps_hash)
        ).fetchone()
        return None if found is None else VerdictMessage("verdict", *found)

    def message(self, hid: bytes) -> KnownMessage | None:
        """Return an admitted message, if it is held."""
        found = self._sql.execute("SELECT originator, kind, recalled FROM message WHERE hid = ?", (hid,)).fetchone()
        if found is None:
            return None
        blobs = dict(self._sql.execute("SELECT place, blob FROM portion WHERE hid = ? AND blob NOTNULL", (hid,)))
        joint = self.joint.of(hid)
        return KnownMessage(found[0], found[1], bool(found[2]), blobs, () if joint is None else joint.cosigners)

    def past_readers(self, hid: bytes) -> frozenset[str]:
        """Return everybody to whom any portion of the message was ever queued."""
        return frozenset(name for (name,) in self._sql.execute("SELECT reader FROM reader WHERE hid = ?", (hid,)))

    def overrides_of(self, hid: bytes, *, by: str) -> int:
        """Return how many overrides of the message by this agency were admitted."""
        query = "SELECT count(*) FROM message WHERE kind = 'override' AND ref = ? AND originator = ?"
        return self._one(query, hid, by)

    def next_decision(self, author: str) -> int:
        """Return the number that the next decision on a release of this author will have, from 1."""
        if self._decisions is None:
            counts = self._sql.execute(
                "SELECT agency, count(*) FROM record WHERE stage IN ('admitted', 'refused') GROUP BY agency"
            )
            self._decisions = Counter(dict(counts.fetchall()))
        return self._decisions[author] + 1

    def proposal(self, hid: bytes) -> KnownProposal | None:
        """Return an admitted proposal."""
        return self.proposals.of(hid)

    def unopposed(self, originator: str, terms: bytes, *, at_ms: int) -> tuple[tuple[bytes, KnownProposal], ...]:
        """Return the proposals of these terms that every member had in time and none of them objected to."""
        return self.proposals.unopposed(originator, terms, at_ms=at_ms)

    # What one decision writes.

    def write_admitted(self, admitted: Admitted, *, at: int) -> list[Waiting]:
        """Write an accepted release with its queue rows and records; returns the new rows."""
        hid = admitted.hid
        if not admitted.re_release:
            self._sql.execute(
                "INSERT INTO message(hid, originator, kind, ref, exp, header) VALUES (?, ?, ?, ?, ?, ?)",
                (hid, admitted.originator, admitted.kind, admitted.ref, admitted.exp, admitted.header),
            )
            self._sql.executemany(
                "INSERT INTO portion(hid, place, disclosure, blob, chunks) VALUES (?, ?, ?, ?, ?)",
                [(hid, item.place, item.disclosure, item.blob, item.chunks) for item in admitted.portions],
            )
            self.joint.keep(admitted)
        self.proposals.keep(admitted)
        release = self._next_release
        self._next_release += 1
        self._sql.execute(
            "INSERT INTO release VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                release, hid, admitted.wraps_hash, admitted.signature, pack(admitted.cosignatures),
                admitted.message.statement, admitted.message.signature,
            ),
        )  # fmt: skip
        self._write_admission_records(admitted, at=at)
        self._sql.executemany(
            "INSERT INTO reader(hid, reader, bits) VALUES (?, ?, ?)"
            " ON CONFLICT(hid, reader) DO UPDATE SET bits = bits | excluded.bits",
            [(hid, row.wrap.to, row.wrap.bits) for row in admitted.rows],
        )
        if admitted.kind == "recall" and admitted.ref is not None:
            self._recall(admitted.ref, at=at)
        first = self._next_row
        self._next_row += len(admitted.rows)
        return [
            Waiting(first + offset, row.wrap.to, release, row.precedence, pack(row.wrap), None)
            for offset, row in enumerate(admitted.rows)
        ]

    def _write_admission_records(self, admitted: Admitted, *, at: int) -> None:
        author = admitted.originator
        body = (admitted.kind, admitted.ref, len(admitted.rows), int(admitted.re_release), admitted.verdict.audience)
        rows = [("admitted", admitted.hid, author, pack(body))]
        rows += [
            ("decided", admitted.hid, author, pack((decision.place, decision.label, decision.permitted)))
            for decision in admitted.decisions
        ]
        if admitted.overridden is not None:
            of, whose, authority = admitted.overridden
            readers = tuple(sorted(row.wrap.to for row in admitted.rows))
            rows.append(("overridden", of, whose, pack((admitted.hid, author, authority, readers))))
        rows += [
            ("let_go", admitted.hid, item.permission.reader, pack((item.proposal, *item.permission)))
            for item in admitted.let_go
        ]
        self.write_records(rows, at=at)
        if self.log is not None:
            self.log.append([*leaves_of_admission(admitted, at=at)], at=at)

    def write_refused(self, refused: Refused, *, at: int) -> None:
        """Write that a release was refused, and why."""
        refusals = refused.verdict.refusals if refused.verdict is not None else ()
        body = pack((refused.code, refused.stage, refusals))
        self.write_records([("refused", refused.hid, refused.originator, body)], at=at)

    def write_records(self, rows: Sequence[Record], *, at: int) -> None:
        """Write records: stage, message, agency, packed body; and the leaves that tell of them."""
        first = self._next_record
        self._sql.executemany(
            "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?)",
            [(first + offset, at, *row) for offset, row in enumerate(rows)],
        )
        self._next_record += len(rows)
        if self._decisions is not None:
            self._decisions.update(agency for stage, _, agency, _ in rows if stage in _DECISIONS)
        if self.log is not None:
            installed = any(stage == "bundle" for stage, *_ in rows)
            self.log.append([*leaves_of_records(rows, at=at)], at=at, bundle_installed=installed)

    def _recall(self, hid: bytes, *, at: int) -> None:
        """Forget the content of a recalled message and cancel what is still queued of it."""
        self._sql.execute("UPDATE message SET recalled = 1 WHERE hid = ?", (hid,))
        self._sql.execute("UPDATE portion SET blob = NULL WHERE hid = ?", (hid,))
        self._sql.execute("DELETE FROM chunk WHERE hid = ?", (hid,))
        releases = [number for (number,) in self._sql.execute("SELECT number FROM release WHERE hid = ?", (hid,))]
        for release in releases:
            self._cutters.pop(release, None)
            self._cancel("release = ?", release, at=at)

    def cancel_for(self, agency: str, *, at: int) -> int:
        """Cancel whatever is queued to or from an agency; returns how many rows that were."""
        mine = self._cancel("reader = ?", agency, at=at)
        query = "release IN (SELECT release.number FROM release JOIN message USING (hid) WHERE originator = ?)"
        return mine + self._cancel(query, agency, at=at)

    def cancel_row(self, number: int, *, at: int) -> None:
        """Cancel one row of the queue."""
        self._cancel("queue.number = ?", number, at=at)

    def _cancel(self, where: str, value: object, *, at: int) -> int:
        # A row that has its number is emptied, not removed: numbers have no gaps, or a loss would not show. One that is
        # empty already was cancelled before.
        where = f"wrap != x'' AND {where}"
        query = f"SELECT reader, hid FROM queue JOIN release ON release.number = queue.release WHERE {where}"  # noqa: S608 - the clause is one of four constants above
        rows = self._sql.execute(query, (value,)).fetchall()
        self._sql.execute(f"UPDATE queue SET wrap = x'' WHERE {where} AND dseq NOTNULL", (value,))  # noqa: S608 - the same constants
        self._sql.execute(f"DELETE FROM queue WHERE {where} AND dseq ISNULL", (value,))  # noqa: S608 - the same constants
        self.write_records([("cancelled", hid, reader, b"") for reader, hid in rows], at=at)
        return len(rows)

    # Queues and deliveries.

    def queue(self, rows: list[Waiting]) -> None:
        """Keep queue rows, with their delivery numbers where they have one."""
        self._sql.executemany("INSERT INTO queue VALUES (?, ?, ?, ?, ?, ?)", rows)

    def queued(self) -> list[QueuedRow]:
        """Return every row of every queue that was not cancelled, in order."""
        return [
            QueuedRow(number, reader, bool(is_numbered), *rest)
            for number, reader, is_numbered, *rest in self._sql.execute(
                "SELECT queue.number, reader, dseq NOTNULL, wrap, hid, originator, kind FROM queue"
                " JOIN release ON release.number = queue.release JOIN message USING (hid)"
                " WHERE wrap != x'' ORDER BY queue.number"
            )
        ]

    def labels(self, hid: bytes) -> dict[int, Label]:
        """Return the labels of an admitted message's portions, by place."""
        rows = self._sql.execute("SELECT place, disclosure FROM portion WHERE hid = ? ORDER BY place", (hid,))
        return {place: read_disclosure(disclosure).label for place, disclosure in rows}

    def next_waiting(self, reader: str, *, limit: int) -> list[Waiting]:
        """Return the rows of a reader that have no number yet, highest precedence first, then oldest."""
        return [
            Waiting(*row)
            for row in self._sql.execute(
                "SELECT * FROM queue WHERE reader = ? AND dseq IS NULL ORDER BY precedence DESC, number LIMIT ?",
                (reader, limit),
            )
        ]

    def sent_after(self, reader: str, dseq: int) -> list[Waiting]:
        """Return the rows that were given numbers above this one, in order."""
        return [
            Waiting(*row)
            for row in self._sql.execute(
                "SELECT * FROM queue WHERE reader = ? AND dseq > ? ORDER BY dseq", (reader, dseq)
            )
        ]

    def number_rows(self, numbered: list[tuple[int, int]]) -> None:
        """Write delivery numbers: pairs of dseq and row."""
        self._sql.executemany("UPDATE queue SET dseq = ? WHERE number = ?", numbered)

    def write_feeds(self, feeds: list[tuple[str, int]]) -> None:
        """Write each reader's next delivery number."""
        self._sql.executemany(
            "INSERT INTO feed VALUES (?, ?) ON CONFLICT(reader) DO UPDATE SET next_dseq = excluded.next_dseq", feeds
        )

    def next_dseq(self, reader: str) -> int:
        """Return a reader's next delivery number; 1 at first."""
        found = self._sql.execute("SELECT next_dseq FROM feed WHERE reader = ?", (reader,)).fetchone()
        return 1 if found is None else int(found[0])

    def acked(self, reader: str, dseq: int, *, at: int) -> int:
        """Take the rows that a reader holds off its queue, and record the deliveries; returns how many."""
        held = self._sql.execute(
            "DELETE FROM queue WHERE reader = ? AND dseq <= ? AND dseq IS NOT NULL RETURNING release, dseq, wrap",
            (reader, dseq),
        ).fetchall()
        records: list[Record] = []
        for number, numbered, wrap in sorted(held, key=lambda row: row[1]):
            hid, _, kind = self._release_of(number)
            # A recall is told of once, however often its reader forgets it.
            if wrap and (kind != "recall" or self.recalls.keep(reader, number, wrap, numbered)):
                records.append(("delivered", hid, reader, pack(numbered)))
        self.write_records(records, at=at)
        return len(held)

    def queue_forgotten_recalls(self, reader: str, *, held: int) -> int:
        """Queue the recalls again that a reader has acked and no longer holds; returns how many."""
        forgotten = self.recalls.forgotten(reader, held=held)
        first, rank = self._next_row, PRECEDENCE_RANK["IMMEDIATE"]
        self._next_row += len(forgotten)
        self.queue(
            [
                Waiting(first + offset, reader, release, rank, wrap, None)
                for offset, (release, wrap) in enumerate(forgotten)
            ]
        )
        return len(forgotten)

    def queues(self) -> dict[str, int]:
        """Return the length of every queue that is not empty."""
        return dict(self._sql.execute("SELECT reader, count(*) FROM queue GROUP BY reader"))

    def originator_of_release(self, release: int) -> str:
        """Return whose message a release was of."""
        return self._release_of(release)[1]

    def _release_of(self, release: int) -> tuple[bytes, str, str]:
        known = self._releases.get(release)
        if known is None:
            found = self._sql.execute(
                "SELECT hid, originator, kind FROM release JOIN message USING (hid) WHERE number = ?", (release,)
            ).fetchone()
            known = self._releases[release] = tuple(found) if found is not None else (b"", "", "")
            if len(self._releases) > _RELEASES_KEPT:
                del self._releases[next(iter(self._releases))]
        return known

    def cutter(self, release: int) -> Cutter:
        """Return what makes the cuts of a release; the last few are kept."""
        cutter = self._cutters.get(release)
        if cutter is None:
            cutter = Cutter(self._read_release(release))
            self._cutters[release] = cutter
            if len(self._cutters) > _RELEASES_KEPT:
                del self._cutters[next(iter(self._cutters))]
        return cutter

    def _read_release(self, release: int) -> Release:
        hid, wraps_hash, signature, cosignatures, header = self._sql.execute(
            "SELECT hid, wraps_hash, signature, cosignatures, header FROM release JOIN message USING (hid)"
            " WHERE number = ?",
            (release,),
        ).fetchone()
        portions = self._sql.execute("SELECT place, disclosure, blob FROM portion WHERE hid = ?", (hid,)).fetchall()
        joint = self.joint.of(hid)
        return Release(
            header=header,
            wraps_hash=wraps_hash,
            signature=signature,
            cosignatures=unpack(cosignatures, bytes_max=ENVELOPE_BYTES_MAX),
            disclosures={place: disclosure for place, disclosure, _ in portions},
            blobs={place: blob for place, _, blob in portions if blob is not None},
            cosigners=() if joint is None else joint.cosigners,
            seed=None if joint is None else joint.seed,
        )

    def may_have(self, hid: bytes, reader: str) -> int:
        """Return the bits of a message that were ever queued to a reader; 0 if none."""
        found = self._sql.execute("SELECT bits FROM reader WHERE hid = ? AND reader = ?", (hid, reader)).fetchone()
        return 0 if found is None else int(found[0])

    # Records and housekeeping.

    def records(self, *, after: int = 0) -> Iterator[RecordRow]:
        """Return the records, oldest first."""
        rows = self._sql.execute(
            "SELECT number, at, stage, hid, agency, body FROM record WHERE number > ? ORDER BY number", (after,)
        )
        return (RecordRow(*row) for row in rows)

    def purge(self, *, now_ms: int, keep_ms: int) -> int:
        """Forget messages that expired longer ago than ``keep_ms``; returns how many. Records stay."""
        expired = [
            hid for (hid,) in self._sql.execute("SELECT hid FROM message WHERE exp < ? LIMIT 1000", (now_ms - keep_ms,))
        ]
        for hid in expired:
            releases = [n for (n,) in self._sql.execute("SELECT number FROM release WHERE hid = ?", (hid,))]
            for release in releases:
                self._cutters.pop(release, None)
                self._cancel("release = ?", release, at=now_ms)
                self.recalls.forget(release)
            for table in ("chunk", "portion", "release", "reader", "joint", "proposal", "message"):
                self._sql.execute(f"DELETE FROM {table} WHERE hid = ?", (hid,))  # noqa: S608 - seven constants
        return len(expired)


def read_wrap(packed: bytes) -> Wrap:
    """Return a wrap as the queue keeps it."""
    return read_shape(Wrap, unpack(packed, bytes_max=ENVELOPE_BYTES_MAX))
