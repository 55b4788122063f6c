"""A node as a witness of the router's log: keeps the last checkpoint, takes a larger one with its proof, cosigns it.

What is kept is in the node's database before the cosignature leaves. A log that contradicts itself goes into the
journal with the notes that prove it, and is cosigned no more (docs/spec/audit.md, "Witnesses").
"""

import sqlite3
from typing import Final

from agencies.core import NodeCore
from agencies.journal import Journal
from agencies.quarantine import Kept, Quarantine
from schemas.errors import LogError, LogFault
from schemas.frames import CheckpointMessage, Cosign
from schemas.limits import CHECKPOINT_BYTES_MAX
from sealing.notes import (
    TYPE_ED25519,
    Checkpoint,
    NoteKey,
    NoteSignature,
    log_origin,
    read_checkpoint,
    read_note,
    witness_name,
)
from sealing.witness import (
    Witnessed,
    begin,
    check_fresh,
    cosign_checkpoint,
    expect_growth,
    witness,
)

WITNESS_TABLE: Final = """
CREATE TABLE witnessed(origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note BLOB NOT NULL,
    line BLOB NOT NULL, seen_at INTEGER NOT NULL) WITHOUT ROWID;
"""


class WitnessTable:
    """The table ``witnessed`` of a node's database; takes part in its transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    def held(self, origin: str) -> Witnessed | None:
        """Return what is kept of a log, if anything."""
        found = self._sql.execute(
            "SELECT size, root, note, seen_at FROM witnessed WHERE origin = ?", (origin,)
        ).fetchone()
        if found is None:
            return None
        size, root, note, seen_at = found
        return Witnessed(checkpoint=Checkpoint(origin, size, root), note=note, seen_at=seen_at, awaited_since=None)

    def keep(self, held: Witnessed, line: NoteSignature) -> None:
        """Keep a checkpoint, with our cosignature of it."""
        origin, size, root = held.checkpoint
        self._sql.execute(
            "INSERT OR REPLACE INTO witnessed VALUES (?, ?, ?, ?, ?, ?)",
            (origin, size, root, held.note, line.line(), held.seen_at),
        )

    def newest(self) -> bytes | None:
        """Return the note that was seen last, of whichever log; None before the first."""
        found = self._sql.execute("SELECT note FROM witnessed ORDER BY seen_at DESC, origin LIMIT 1").fetchone()
        return None if found is None else found[0]

    def cosigned(self) -> list[tuple[bytes, bytes]]:
        """Return the notes that are kept, each with our cosignature's line."""
        return self._sql.execute("SELECT note, line FROM witnessed ORDER BY origin").fetchall()


class Witnessing:
    """What a node does with checkpoints; times are the machine's own, since promises are kept in real time.

    Args:
        core: Has the bundle and our key.
        table: What is kept.
        journal: Where faults go.
        quarantine: Bounds how many go there: a log can sign as many notes as it likes.
    """

    def __init__(self, *, core: NodeCore, table: WitnessTable, journal: Journal, quarantine: Quarantine) -> None:
        self._core = core
        self._table = table
        self._journal = journal
        self._quarantine = quarantine
        self._awaited_from = ""  # the log that has promised something …
        self._awaited_since: int | None = None  # … and since when
        self._beats = 0  # of ours, since then, or since the session began without a sight of the log
        self._sighted = False  # the log has shown itself in this session
        self._told: tuple[str, bytes] | None = None  # the last fault that was put down, once for each note

    def begin_session(self) -> None:
        """Note a new link: what was promised on the last one is waited for anew, and so is a first sight of the log."""
        self._awaited_since = None
        self._beats = 0
        self._sighted = False

    def take_back(self) -> None:
        """Note that what was put down last may be on no disk: it is put down again when it shows again."""
        self._told = None

    def promised(self, router: str, *, machine_ms: int) -> None:
        """Note that a verdict came, whose leaf a checkpoint of its router must soon cover."""
        if self._awaited_since is None:
            self._awaited_from = log_origin(router)
            self._awaited_since = machine_ms

    def beat(self) -> bool:
        """Note a heartbeat of ours; True if what was promised has outlasted one, and ``judge_promise`` is to be asked.

        A heartbeat is answered with the newest checkpoint, so one that is still awaited at the next was withheld; so is
        one that has not come at all from a log that had any.
        """
        self._beats += self._awaited_since is not None or (not self._sighted and bool(self._table.cosigned()))
        return self._beats > 1

    def judge_promise(self, *, at_ms: int, machine_ms: int) -> None:
        """Put down a log that has promised and not shown for longer than the deadline, or that shows nothing."""
        if not self._sighted:
            for note, _ in self._table.cosigned():
                shown = read_checkpoint(read_note(note, bytes_max=CHECKPOINT_BYTES_MAX).text)
                msg = f"{shown.origin} shows nothing, and has shown {shown.size} leaves before"
                error = LogError(LogFault.FREEZE, msg, evidence=(note,))
                self.put_down(error, note, at_ms=at_ms, machine_ms=machine_ms)
        if self._awaited_since is None:
            return
        held = self._table.held(self._awaited_from) or begin(self._awaited_from, now_ms=machine_ms)
        try:
            check_fresh(expect_growth(held, now_ms=self._awaited_since), now_ms=machine_ms)
        except LogError as error:
            self.put_down(error, held.note, at_ms=at_ms, machine_ms=machine_ms)

    def take(self, message: CheckpointMessage, *, at_ms: int, machine_ms: int) -> list[Cosign]:
        """Judge a checkpoint; returns the cosignature, or the size from which a proof is wanted, or nothing."""
        self._sighted = True
        try:
            origin = read_checkpoint(read_note(message.note, bytes_max=CHECKPOINT_BYTES_MAX).text).origin
            keys = self.keys_of(origin, at_ms)
            held = self._table.held(origin) or begin(origin, now_ms=machine_ms)
            seen = witness(
                held, message.note, old_size=message.old_size, proof=message.proof, keys=keys, now_ms=machine_ms
            )
        except LogError as error:
            self.put_down(error, message.note, at_ms=at_ms, machine_ms=machine_ms)
            return []
        if seen is None:
            return [Cosign("cosign", held.checkpoint.size, None, held.note or None)]
        now_held, note = seen
        name = witness_name(self._core.agency)
        line = cosign_checkpoint(note, name=name, signer=self._core.keys.signer, now_ms=at_ms)
        self._table.keep(now_held, line)
        if origin == self._awaited_from and now_held.checkpoint.size > held.checkpoint.size:
            self._awaited_since, self._beats = None, 0
        return [Cosign("cosign", now_held.checkpoint.size, line.line(), None)]

    def held(self, origin: str) -> Witnessed | None:
        """Return what is kept of a log, if anything."""
        return self._table.held(origin)

    def keys_of(self, origin: str, at_ms: int) -> tuple[NoteKey, ...]:
        """Return the keys of a log that count now.

        Raises:
            LogError: UNKNOWN_LOG if there are none.
        """
        keys = tuple(
            NoteKey(name=origin, kind=TYPE_ED25519, public=item.key.key)
            for item in self._core.bundle.routers
            if log_origin(item.router) == origin
            and item.key.not_before <= at_ms < item.key.expires
            and (item.key.revoked is None or at_ms < item.key.revoked)
        )
        if not keys:
            msg = f"{origin} is no log of this community, or has no key now"
            raise LogError(LogFault.UNKNOWN_LOG, msg)
        return keys

    def put_down(self, error: LogError, note: bytes, *, at_ms: int, machine_ms: int) -> None:
        """Put a fault of a log into the journal, once for each note; inside a transaction."""
        if self._told == (error.fault.value, note):
            return
        self._told = (error.fault.value, note)
        fault = error.fault.value
        kept = self._quarantine.keep(fault.encode() + note, stage="log", code=fault, at_ms=at_ms)
        if kept not in {Kept.NEW, Kept.LAST}:
            return
        self._journal.write(
            "log_fault",
            at_ms=at_ms,
            machine_ms=machine_ms,
            fault=error.fault.value,
            text=str(error),
            evidence=[item.decode("utf-8", "replace") for item in error.evidence],
        )
