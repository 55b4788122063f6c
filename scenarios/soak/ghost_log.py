"""The ghost's account of the router's provable log: one leaf for each event and no other, and one tree for ever.

The events are read off the router's other tables (releases with their signed verdicts, queues, bundles, refusals), so
a leaf that is missing, doubled or made up shows at the commit that wrote it. The tree is grown here anew from what the
leaves say, and every checkpoint, on whichever disk, has to be of this tree.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from random import Random  # noqa: TID251 - the type of a seeded stream
from typing import Any, Final

from broker.audit.covers import cover_key, read_cover
from broker.audit.leaves import (
    AdmittedLeaf,
    BundleLeaf,
    CancelledLeaf,
    DecidedLeaf,
    DeliveredLeaf,
    Leaf,
    LetGoLeaf,
    OverriddenLeaf,
    RecalledLeaf,
    RefusedLeaf,
    ReleasedLeaf,
    RevokedLeaf,
    leaf_key,
    read_statement,
    write_entry,
)
from broker.audit.log import hash_in_row
from scenarios.enrolment import ROUTER
from scenarios.soak.ghost_community import Bundles
from scenarios.soak.ghost_reports import Broke
from scenarios.soak.invariants import LEAVES, NEVER_BACK, REVOKED
from schemas.codec import read_shape, unpack
from schemas.errors import LogError
from schemas.frames import RouterVerdict
from schemas.limits import FRAME_BYTES_MAX
from sealing.merkle import Frontier, consistency_proof, leaf_hash, row_of, tree_root, verify_consistency
from sealing.notes import TYPE_ED25519, Checkpoint, NoteKey, log_origin, read_checkpoint, read_note, verify_note

# Rows that a leaf must still tell of; a recall that its reader forgot is queued again, and was told of.
_OWED_COUNT: Final = (
    "SELECT count(*) FROM queue WHERE wrap != x'' AND NOT EXISTS (SELECT 1 FROM recalled"
    " WHERE recalled.reader = queue.reader AND recalled.release = queue.release)"
)
_OWED: Final = (
    "SELECT hid, queue.reader, count(*) FROM queue JOIN release ON release.number = queue.release"
    " WHERE wrap != x'' AND NOT EXISTS (SELECT 1 FROM recalled"
    " WHERE recalled.reader = queue.reader AND recalled.release = queue.release) GROUP BY hid, queue.reader"
)

Event = tuple[object, ...]
"""What happened: the stage, and what a leaf says of it but for the time."""

_COMPARED_AT_END: Final = 8  # checkpoints of which any two are compared when a run is over
_AGAINST_LATER: Final = 2  # earlier ones from which a new checkpoint must be proved to have grown


class LogWatch:
    """Watches the log of the one router.

    Args:
        public: The router's sign key, under which checkpoints must verify.
        bundles: Who holds which bundle.
        chance: Draws which earlier checkpoints a new one is compared with.
        broke: Told of what does not hold.
    """

    def __init__(self, *, public: bytes, bundles: Bundles, chance: Random, broke: Broke) -> None:
        origin = log_origin(ROUTER)
        self._key = NoteKey(name=origin, kind=TYPE_ED25519, public=public)
        self._bundles = bundles
        self._chance = chance
        self._broke = broke
        self._frontier = Frontier()
        self._rows: list[bytes] = []  # the hashes that each leaf completed
        self._cover_frontier = Frontier()
        self._cover_rows: list[bytes] = []  # and each cover
        self._covered = 0  # leaves, by the last cover
        self._signed: list[Checkpoint] = []
        self._releases = self._records = self._version = 0  # seen of these tables
        self._originators: dict[bytes, str] = {}  # of what was admitted
        self._recalled: set[bytes] = set()
        self._due: Counter[tuple[bytes, str]] = Counter()  # decided and neither delivered nor cancelled
        self._last_dseq: dict[str, int] = {}
        self.leaves = 0

    def committed(self, sql: sqlite3.Connection) -> None:
        """Take in what a commit of the router added."""
        events = Counter(self._events(sql))
        told: Counter[Event] = Counter()
        before = self.leaves
        for leaf in self._grow(sql):
            match leaf:
                case DeliveredLeaf():
                    self._due[leaf.hid, leaf.reader] -= 1
                    if leaf.dseq <= self._last_dseq.get(leaf.reader, 0):
                        self._broke(LEAVES, f"delivery {leaf.dseq} to {leaf.reader} is told of a second time")
                    self._last_dseq[leaf.reader] = leaf.dseq
                case CancelledLeaf():
                    self._due[leaf.hid, leaf.reader] -= 1
                case _:
                    told[_event(leaf)] += 1
        for event in (events - told).elements():
            self._broke(LEAVES, f"no leaf tells of {_in_words(event)}")
        for event in (told - events).elements():
            self._broke(LEAVES, f"a leaf tells of {_in_words(event)}, which did not happen")
        self._settle_queues(sql, changed=self.leaves > before)
        self._grow_covers(sql)
        self._checkpoints(sql)

    def witnessed(self, agency: str, sql: sqlite3.Connection) -> None:
        """Look at the checkpoint that an agency keeps: it must be of this tree, however the agency came by it."""
        if self.contradicted_by(sql):
            self._broke(NEVER_BACK, f"{agency} keeps a checkpoint of covers that are not those of the log")

    def contradicted_by(self, sql: sqlite3.Connection) -> bool:
        """Tell whether a node keeps a checkpoint that is not of this tree."""
        return any(
            size > len(self._cover_rows) or tree_root(size, self._cover_node) != root
            for size, root in sql.execute("SELECT size, root FROM witnessed")
        )

    def finish(self) -> None:
        """Compare any two of a few checkpoints, once a run is over."""
        some = self._chance.sample(self._signed, k=min(_COMPARED_AT_END, len(self._signed)))
        some.sort(key=lambda checkpoint: checkpoint.size)
        for place, later in enumerate(some):
            for earlier in some[:place]:
                self._compare(earlier, later)

    # Events, as the other tables tell of them.

    def _events(self, sql: sqlite3.Connection) -> Iterator[Event]:
        has_leaves = sql.execute("SELECT 1 FROM leaf LIMIT 1").fetchone() is not None
        if has_leaves:  # the first bundle is told of together with the first event
            yield from self._bundle_events(sql)
        releases = sql.execute(
            "SELECT number, hid, wraps_hash, release.statement, originator, kind, ref"
            " FROM release JOIN message USING (hid) WHERE number > ? ORDER BY number",
            (self._releases,),
        ).fetchall()
        for number, hid, wraps_hash, statement, originator, kind, ref in releases:
            self._releases = number
            verdict = read_shape(RouterVerdict, unpack(statement, bytes_max=FRAME_BYTES_MAX))
            if hid in self._originators:
                yield ("released", hid, originator, wraps_hash)
            else:
                yield ("admitted", hid, originator, kind, ref, wraps_hash)
            self._originators[hid] = originator
            if kind == "recall":
                self._recalled.add(ref)
                yield ("recalled", ref, originator, hid)
            for reader, bits in verdict.audience:
                self._due[hid, reader] += 1
                yield ("decided", hid, reader, originator, bits)
        refused = sql.execute(
            "SELECT number, hid, agency, body FROM record WHERE number > ? AND stage = 'refused' ORDER BY number",
            (self._records,),
        )
        for number, hid, agency, body in refused:
            self._records = number
            value: Any = unpack(body, bytes_max=FRAME_BYTES_MAX)
            yield ("refused", hid, agency, value[0])

    def _bundle_events(self, sql: sqlite3.Connection) -> Iterator[Event]:
        held = sql.execute("SELECT version, signed FROM bundle WHERE version > ? ORDER BY version", (self._version,))
        for version, signed in held.fetchall():
            yield ("bundle", version, sha256(signed).digest())
            if self._version:
                yield from (("revoked", agency, version) for agency in self._bundles.lost(self._version, version))
            self._version = version

    # Leaves, and the tree over them.

    def _grow(self, sql: sqlite3.Connection) -> Iterator[Leaf]:
        secret = sql.execute("SELECT secret FROM log").fetchone()
        rows = sql.execute(
            "SELECT number, statement, hashes FROM leaf WHERE number >= ? ORDER BY number", (self.leaves,)
        )
        for number, statement, hashes in rows.fetchall():
            if number != self.leaves:
                self._broke(NEVER_BACK, f"leaf {number} of the log stands where {self.leaves} is due")
            leaf = read_statement(statement)
            entry = write_entry(number, statement, key=leaf_key(secret[0], leaf))
            completed = b"".join(self._frontier.append(leaf_hash(entry)))
            if completed != hashes:
                self._broke(LEAVES, f"the hashes of leaf {number} are not those of what it says")
            self._rows.append(completed)
            self.leaves += 1
            yield leaf

    def _node(self, level: int, index: int) -> bytes:
        return hash_in_row(self._rows[row_of(level, index)], level)

    def _cover_node(self, level: int, index: int) -> bytes:
        return hash_in_row(self._cover_rows[row_of(level, index)], level)

    def _grow_covers(self, sql: sqlite3.Connection) -> None:
        """Each cover stands for the leaves as they were, and for no fewer than the one before."""
        secret = sql.execute("SELECT secret FROM log").fetchone()
        rows = sql.execute(
            "SELECT number, statement, hashes FROM cover WHERE number >= ? ORDER BY number", (len(self._cover_rows),)
        )
        for number, statement, hashes in rows.fetchall():
            if number != len(self._cover_rows):
                self._broke(NEVER_BACK, f"cover {number} of the log stands where {len(self._cover_rows)} is due")
            _, _, size, root = read_cover(statement)
            if not self._covered <= size <= self.leaves or tree_root(size, self._node) != root:
                self._broke(NEVER_BACK, f"cover {number} is of {size} leaves that are not those on disk")
                return
            entry = write_entry(number, statement, key=cover_key(secret[0], number))
            completed = b"".join(self._cover_frontier.append(leaf_hash(entry)))
            if completed != hashes:
                self._broke(LEAVES, f"the hashes of cover {number} are not those of what it says")
            self._covered = size
            self._cover_rows.append(completed)

    def _settle_queues(self, sql: sqlite3.Connection, *, changed: bool) -> None:
        """Whatever was decided for a reader is queued for it until a leaf says that it was delivered or cancelled."""
        if not changed:
            queued = sql.execute(_OWED_COUNT).fetchone()[0]
            if queued == self._due.total():
                return
        rows = sql.execute(_OWED)
        live = Counter({(hid, reader): count for hid, reader, count in rows})
        for hid, reader in live:
            struck = self._bundles.revoked & {reader, self._originators.get(hid, "")}
            if struck or hid in self._recalled:
                why = f"{', '.join(sorted(struck))} was revoked" if struck else "it was recalled"
                self._broke(REVOKED, f"{hid.hex()} is still queued for {reader} after {why}")
        self._due = Counter({pair: count for pair, count in self._due.items() if count})
        for hid, reader in (self._due - live) | (live - self._due) | Counter(+(-self._due)):
            due, queued = self._due[hid, reader], live[hid, reader]
            self._broke(LEAVES, f"{queued} rows of {hid.hex()} are queued for {reader} where leaves leave {due}")

    # Checkpoints.

    def _checkpoints(self, sql: sqlite3.Connection) -> None:
        last = self._signed[-1].size if self._signed else -1
        for size, packed in sql.execute("SELECT size, note FROM checkpoint WHERE size > ? ORDER BY size", (last,)):
            try:
                note = read_note(packed)
                verify_note(note, [self._key])
                signed = read_checkpoint(note.text)
            except LogError as error:
                self._broke(NEVER_BACK, f"a checkpoint on the router's disk is none: {error}")
                return
            held = len(self._cover_rows)
            if signed.size != size or size > held or signed.root != tree_root(size, self._cover_node):
                self._broke(NEVER_BACK, f"the checkpoint of {signed.size} covers is not of the covers on disk")
                return
            earlier = self._signed[-1:] + self._chance.sample(self._signed, k=min(_AGAINST_LATER, len(self._signed)))
            for old in earlier:
                self._compare(old, signed)
            self._signed.append(signed)

    def _compare(self, old: Checkpoint, new: Checkpoint) -> None:
        try:
            proof = consistency_proof(old.size, new.size, self._cover_node)
            verify_consistency(old_size=old.size, old_root=old.root, size=new.size, root=new.root, proof=proof)
        except LogError as error:
            self._broke(NEVER_BACK, f"no proof leads from {old.size} to {new.size} covers: {error}")


def _event(leaf: Leaf) -> Event:
    match leaf:
        case RefusedLeaf():
            return (leaf.stage, leaf.hid, leaf.originator, leaf.code)
        case (
            AdmittedLeaf()
            | ReleasedLeaf()
            | DecidedLeaf()
            | DeliveredLeaf()
            | RecalledLeaf()
            | OverriddenLeaf()
            | LetGoLeaf()
            | CancelledLeaf()
            | RevokedLeaf()
            | BundleLeaf()
        ):
            return (leaf.stage, *leaf[2:])


def _in_words(event: Event) -> str:
    return " ".join(part.hex()[:16] if isinstance(part, bytes) else str(part) for part in event)
