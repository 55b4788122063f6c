"""A node's database, open for reading while the node may be at work in it, and what its people may find there.

What was recalled is erased there already; what came by a grant that is over is erased by the node when it looks at the
clock, so whoever reads beside it looks at the clock too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agencies.store import HeldPortion, NodeStore
from console.beside import open_beside
from policy.community import Community
from scenarios.deployed import NODE_DATABASE, node_folder, prove_bundle, read_shared
from schemas.errors import InputError
from transport.disk import Database

PREFIX_CHARS_MIN: Final = 4  # fewer are a slip more often than an id
_HID_CHARS: Final = 64
SENT_STAGES: Final = ("released", "requested", "decision", "asked", "proposed")  # each names a message of our own


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReading:
    """One look into a node's database.

    Attributes:
        agency: Whose node.
        part: Its folder.
        store: For reading.
        runs: Whether the node is running.
        now_ms: When the look is taken, Unix ms.
    """

    agency: str
    part: Path
    store: NodeStore
    runs: bool
    now_ms: int

    def community(self) -> Community:
        """Return the community by the newest bundle that this node has.

        Raises:
            InputError: If the bundle of its folder is missing, damaged or over.
        """
        shared = read_shared(self.part, now_ms=self.now_ms)
        newest = self.store.signed_bundle()
        if newest is None:
            return Community.compile(shared.bundle)
        kept = prove_bundle(newest, self.part / NODE_DATABASE, root=shared.root, now_ms=self.now_ms)
        return Community.compile(max(shared.bundle, kept, key=lambda bundle: bundle.version))

    def find(self, prefix: str) -> bytes:
        """Return the one message whose id begins so.

        Raises:
            InputError: If it is no beginning of an id, or none or several begin so.
        """
        wanted = prefix.lower()
        if not PREFIX_CHARS_MIN <= len(wanted) <= _HID_CHARS or not set(wanted) <= set("0123456789abcdef"):
            msg = f"'{prefix[:70]}' is no beginning of a message's id"
            raise InputError(msg, remedy=f"give {PREFIX_CHARS_MIN} or more of its hexadecimal digits")
        found = sorted(hid for hid in self._known() if hid.startswith(wanted))
        if not found:
            msg = f"the node of {self.agency} holds no message that begins with {wanted}, and has sent none"
            raise InputError(msg, remedy=f"'sandiwara desk DIR {self.agency} inbox --all' lists them")
        if len(found) > 1:
            msg = f"{len(found)} messages begin with {wanted}"
            raise InputError(msg, remedy=f"give more of it: {', '.join(hid[:12] for hid in found[:4])}")
        return bytes.fromhex(found[0])

    def _known(self) -> set[str]:
        sent = (found for stage in SENT_STAGES for found in self.store.journal.field(stage, "hid"))
        return {hid.hex() for hid in self.store.message_ids()} | {hid for hid in sent if isinstance(hid, str)}

    def held_now(self, hid: bytes) -> list[HeldPortion]:
        """Return the portions of a message that may be held now: nothing that came by a grant that is over."""
        held = self.store.held(hid)
        if held is None or held.recalled:
            return []
        over = self.store.consent.over_bits(hid, originator=held.originator, reader=self.agency, now_ms=self.now_ms)
        return [item for item in self.store.portions(hid) if not over >> item.place & 1]

    def readable(self, hid: bytes) -> list[HeldPortion]:
        """Return those of them that have come whole."""
        return [item for item in self.held_now(hid) if item.content is not None]


@contextmanager
def reading_node(folder: Path, agency: str, *, now_ms: int) -> Iterator[NodeReading]:
    """Open the database of an agency's node to read it.

    Raises:
        InputError: If there is no such node.
        StoreError: If its database is not there or cannot be read.
    """
    part = node_folder(folder, agency)
    path = part / NODE_DATABASE
    runs = False

    def beside(database: Database) -> NodeStore:
        nonlocal runs
        runs = True
        return NodeStore(database, agency=agency)

    store = open_beside(
        path,
        alone=lambda: NodeStore.open(path, agency=agency),
        beside=beside,
        owner=f"the node of {agency}",
        start=f"sandiwara node {folder} {agency}",
    )
    try:
        yield NodeReading(agency=agency, part=part, store=store, runs=runs, now_ms=now_ms)
    finally:
        store.close()
