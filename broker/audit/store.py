"""The log on disk: leaves, covers, checkpoints and cosignatures, in the router's one database and its transactions.

A row of ``leaf`` or ``cover`` holds the hashes that it completed, so the tables hold both trees whole and a proof takes
a few look-ups. After a transaction that was taken back everything is read from the disk again.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Any, Final

from broker.audit.checkpoint import CheckpointSigner
from broker.audit.covers import Cover, Covers, read_cover
from broker.audit.leaves import BundleLeaf, Leaf, RevokedLeaf
from broker.audit.log import LeafRow, Log, hash_in_row
from schemas.bundle import Bundle, SignedBundle
from schemas.codec import read_shape, unpack
from schemas.errors import LogError, LogFault, StoreError
from schemas.limits import BUNDLE_BYTES_MAX
from sealing.keys import SignPair
from sealing.merkle import EMPTY_ROOT, Frontier, consistency_proof, row_of, tree_root, verify_consistency
from sealing.notes import Note, NoteSignature, read_checkpoint, read_note, read_signature, with_signatures
from sealing.primitives import keyed

TABLES: Final = """
CREATE TABLE log(secret BLOB NOT NULL, bundle INTEGER NOT NULL);
CREATE TABLE leaf(number INTEGER PRIMARY KEY, statement BLOB NOT NULL, hashes BLOB NOT NULL);
CREATE TABLE cover(number INTEGER PRIMARY KEY, statement BLOB NOT NULL, hashes BLOB NOT NULL);
CREATE TABLE checkpoint(size INTEGER PRIMARY KEY, at INTEGER NOT NULL, note BLOB NOT NULL);
CREATE TABLE cosignature(size INTEGER NOT NULL, agency TEXT NOT NULL, line BLOB NOT NULL,
    PRIMARY KEY(size, agency)) WITHOUT ROWID;
"""
_PERSON_SECRET: Final = b"sw1 log secret"
_SEED_BYTES: Final = 32


class LogStore:
    """The log of one router.

    Args:
        connection: The router's database, in whose transactions this takes part.
        router: Whose log it is.
        signer: The router's key.

    Raises:
        StoreError: If what is on disk is not what was signed for.
    """

    def __init__(self, connection: sqlite3.Connection, *, router: str, signer: SignPair) -> None:
        self._sql = connection
        self._router = router
        self._signer = signer
        self.fault: LogError | None = None
        self._fault_told = False
        self.reload()
        signed, (_, _, covered, root) = self._signing.signed, self._covered
        leaves, covers = (self._one(f"SELECT count(*) FROM {table}") for table in ("leaf", "cover"))  # noqa: S608 - ours
        if (
            (leaves, covers) != (self.log.size, self.covers.size)
            or not _begins_with(self.log.size, covered, root, self.node)
            or not _begins_with(covers, signed.size, signed.root, self.cover_node)
        ):
            msg = f"the log of {router} is not the one whose {covered} leaves were signed for"
            raise StoreError(msg, remedy="the file was changed or put back; keep it, and restore the newest copy")

    def reload(self) -> None:
        """Read where the log stands; after a transaction that was taken back."""
        found = self._sql.execute("SELECT secret, bundle FROM log").fetchone()
        # Made from the router's key once, and kept: a rehearsal has the same log each time, and a new key opens it.
        self._begun = found is not None
        secret: bytes = found[0] if found else keyed(_PERSON_SECRET, self._signer.secret[:_SEED_BYTES], b"")
        self._bundle: int = found[1] if found else 0
        self._bundles_due = True
        size = self._one("SELECT coalesce(max(number), -1) + 1 FROM leaf")
        self.log = Log(secret=secret, frontier=Frontier.restore(size, self.node))
        size = self._one("SELECT coalesce(max(number), -1) + 1 FROM cover")
        self.covers = Covers(secret=secret, frontier=Frontier.restore(size, self.cover_node))
        self._secret = secret
        last = self._sql.execute("SELECT statement FROM cover ORDER BY number DESC LIMIT 1").fetchone()
        self._covered = Cover("covered", 0, 0, EMPTY_ROOT) if last is None else read_cover(last[0])
        last = self._sql.execute("SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1").fetchone()
        signed = read_checkpoint(read_note(last[0]).text) if last is not None else None
        self._signing = CheckpointSigner(router=self._router, signer=self._signer, signed=signed)

    def _one(self, query: str) -> int:
        found: int = self._sql.execute(query).fetchone()[0]
        return found

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete node of the tree of leaves.

        Raises:
            StoreError: If it is missing.
        """
        return self._node("leaf", level, index)

    def cover_node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete node of the tree of covers.

        Raises:
            StoreError: If it is missing.
        """
        return self._node("cover", level, index)

    def _node(self, table: str, level: int, index: int) -> bytes:
        query = f"SELECT hashes FROM {table} WHERE number = ?"  # noqa: S608 - one of our two tables
        found = self._sql.execute(query, (row_of(level, index),)).fetchone()
        if found is None:
            msg = f"{table} {row_of(level, index)} of the log is missing"
            raise StoreError(msg, remedy="the file was changed; keep it, and restore the newest copy")
        return hash_in_row(found[0], level)

    # Appending.

    def append(self, leaves: Sequence[Leaf], *, at: int, bundle_installed: bool = False) -> None:
        """Append leaves, and before them the bundles that came into force since the last one."""
        if not leaves and not bundle_installed:
            return
        if self._bundles_due or bundle_installed:
            leaves = [*self._new_bundles(at), *leaves]
            self._bundles_due = False
        rows = [self.log.append(leaf) for leaf in leaves]
        self._sql.executemany("INSERT INTO leaf VALUES (?, ?, ?)", rows)

    def _new_bundles(self, at: int) -> Iterator[Leaf]:
        """Return the leaves of the bundles that have none yet, with those of the agencies that they revoke."""
        self._begin()
        held = self._sql.execute(
            "SELECT version, signed FROM bundle WHERE version >= ? ORDER BY version", (self._bundle,)
        )
        active: set[str] = set()
        for version, signed in held.fetchall():
            bundle = _read_bundle(signed)
            now_active = {agency.agency for agency in bundle.agencies if agency.status == "active"}
            if version > self._bundle:
                yield BundleLeaf("bundle", at, version, sha256(signed).digest())
                for agency in sorted(active - now_active):
                    yield RevokedLeaf("revoked", at, agency, version)
                self._bundle = version
            active = now_active
        self._sql.execute("UPDATE log SET bundle = ?", (self._bundle,))

    def _begin(self) -> None:
        if not self._begun:
            self._sql.execute("INSERT INTO log VALUES (?, 0)", (self._secret,))
            self._begun = True

    # Covers and checkpoints.

    def sign(self, *, now_ms: int, covers: int = 1) -> None:
        """Append so many covers of the leaves that there are, and sign and keep a checkpoint over them.

        A log that must not sign stays in ``fault``; the router goes on, and its witnesses see the log freeze.
        """
        if self.fault is not None or not self._signing.may_sign():
            return
        self._begin()
        try:
            self._check_growth()
            self._covered = Cover("covered", now_ms, self.log.size, self.log.root())
            rows = [self.covers.append(self._covered) for _ in range(covers)]
            self._sql.executemany("INSERT INTO cover VALUES (?, ?, ?)", rows)
            proof = consistency_proof(self._signing.signed.size, self.covers.size, self.cover_node)
            note = self._signing.sign(size=self.covers.size, root=self.covers.root(), proof=proof)
        except LogError as error:
            self.fault = error
            return
        self._sql.execute("INSERT INTO checkpoint VALUES (?, ?, ?)", (self.covers.size, now_ms, note.packed()))

    def _check_growth(self) -> None:
        """Prove, out of what is on disk, that the leaves begin with those of the last cover.

        Raises:
            LogError: ROLLBACK or FORK if they do not.
        """
        _, _, size, root = self._covered
        if self.log.size < size:
            msg = f"there are {self.log.size} leaves, and {size} were covered"
            raise LogError(LogFault.ROLLBACK, msg)
        proof = consistency_proof(size, self.log.size, self.node)
        try:
            verify_consistency(old_size=size, old_root=root, size=self.log.size, root=self.log.root(), proof=proof)
        except LogError as error:
            msg = f"the {self.log.size} leaves do not begin with the {size} that were covered"
            raise LogError(LogFault.FORK, msg) from error

    def take_fault(self) -> LogError | None:
        """Return why the log must not sign, the first time that this is asked."""
        if self._fault_told or self.fault is None:
            return None
        self._fault_told = True
        return self.fault

    def newest(self) -> bytes | None:
        """Return the newest checkpoint's note, as it was signed."""
        found = self._sql.execute("SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1").fetchone()
        return None if found is None else found[0]

    def proof_from(self, old_size: int) -> tuple[bytes, ...]:
        """Return the proof that the newest checkpoint's tree grew from one of ``old_size`` covers.

        Raises:
            LogError: PROOF if that is more than there are.
        """
        return consistency_proof(old_size, self._signing.signed.size, self.cover_node)

    @property
    def signed_size(self) -> int:
        """How many covers the newest checkpoint is over."""
        return self._signing.signed.size

    def meet(self, received: bytes) -> None:
        """Look at a checkpoint of ours that a witness holds; one that we cannot know of puts an end to signing."""
        try:
            self._signing.meet(read_note(received))
        except LogError as error:
            if self.fault is None and not self._signing.may_sign():
                self.fault = error

    def keep_cosignature(self, size: int, agency: str, line: NoteSignature) -> None:
        """Keep an agency's cosignature, which has been proved."""
        self._sql.execute("INSERT OR REPLACE INTO cosignature VALUES (?, ?, ?)", (size, agency, line.line()))

    def cosigned_size(self, agency: str) -> int:
        """Return the size of the largest checkpoint that an agency has cosigned; 0 if it has none."""
        query = "SELECT coalesce(max(size), 0) FROM cosignature WHERE agency = ?"
        found: int = self._sql.execute(query, (agency,)).fetchone()[0]
        return found

    def witnesses(self, size: int) -> set[str]:
        """Return the agencies that have cosigned the checkpoint over so many covers."""
        return {name for (name,) in self._sql.execute("SELECT agency FROM cosignature WHERE size = ?", (size,))}

    def note_of(self, size: int) -> Note | None:
        """Return the checkpoint over so many covers, if one was signed."""
        found = self._sql.execute("SELECT note FROM checkpoint WHERE size = ?", (size,)).fetchone()
        return None if found is None else read_note(found[0])

    # What an export is made of.

    def rows(self) -> list[LeafRow]:
        """Return all leaves, in order."""
        return [
            LeafRow(*row) for row in self._sql.execute("SELECT number, statement, hashes FROM leaf ORDER BY number")
        ]

    def cover_rows(self) -> list[LeafRow]:
        """Return all covers, in order."""
        return [
            LeafRow(*row) for row in self._sql.execute("SELECT number, statement, hashes FROM cover ORDER BY number")
        ]

    def checkpoints(self) -> list[Note]:
        """Return all checkpoints with the cosignatures that came, smallest first."""
        lines: dict[int, list[NoteSignature]] = {}
        for size, line in self._sql.execute("SELECT size, line FROM cosignature ORDER BY size, agency"):
            lines.setdefault(size, []).append(read_signature(line.decode()))
        notes = self._sql.execute("SELECT size, note FROM checkpoint ORDER BY size")
        return [with_signatures(read_note(note), lines.get(size, [])) for size, note in notes]


def _begins_with(held: int, size: int, root: bytes, node: Callable[[int, int], bytes]) -> bool:
    return not size or (held >= size and tree_root(size, node) == root)


def _read_bundle(signed: bytes) -> Bundle:
    value: Any = unpack(
        read_shape(SignedBundle, unpack(signed, bytes_max=BUNDLE_BYTES_MAX)).bundle, bytes_max=BUNDLE_BYTES_MAX
    )
    return read_shape(Bundle, value)
