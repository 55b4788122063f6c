"""The router's log: gives each statement its number, its commitment and its place in the tree.

Pure: what it returns is written in the same transaction as the decision it tells of, so that there is no forwarding
without a leaf. After a transaction that was taken back the log is made again from what is on disk.
"""

from typing import NamedTuple

from broker.audit.leaves import Leaf, leaf_key, read_statement, write_entry, write_statement
from sealing.merkle import TREE_HASH_BYTES, Frontier, leaf_hash


class LeafRow(NamedTuple):
    """What is kept of a leaf: what it says, and the hashes it completed, its own first."""

    number: int
    statement: bytes
    hashes: bytes


class Committed:
    """A tree that grows by commitments to statements: of leaves, or of covers (broker/audit/covers.py).

    Args:
        secret: 32 bytes that only this log has; all keys come from it.
        frontier: Where the tree stands.
    """

    def __init__(self, *, secret: bytes, frontier: Frontier) -> None:
        self._secret = secret
        self._frontier = frontier

    @property
    def size(self) -> int:
        """How many entries there are."""
        return self._frontier.size

    def root(self) -> bytes:
        """Return the root over all entries."""
        return self._frontier.root()

    def add(self, statement: bytes, *, key: bytes) -> LeafRow:
        """Commit to a statement under its key; returns what to keep of it."""
        number = self._frontier.size
        entry = write_entry(number, statement, key=key)
        return LeafRow(number, statement, b"".join(self._frontier.append(leaf_hash(entry))))


class Log(Committed):
    """Appends leaves."""

    def append(self, leaf: Leaf) -> LeafRow:
        """Add a leaf; returns what to keep of it."""
        return self.add(write_statement(leaf), key=leaf_key(self._secret, leaf))

    def entry(self, row: LeafRow) -> tuple[bytes, bytes]:
        """Return the bytes of a leaf that is kept, and the key that opens it."""
        key = leaf_key(self._secret, read_statement(row.statement))
        return write_entry(row.number, row.statement, key=key), key


def hash_in_row(hashes: bytes, level: int) -> bytes:
    """Return the hash of the node at ``level`` that a leaf completed."""
    return hashes[level * TREE_HASH_BYTES : (level + 1) * TREE_HASH_BYTES]
