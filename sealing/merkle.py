"""The Merkle tree of a log: hashing, appending, and proofs that it only ever grew (RFC 6962, section 2.1).

Below all rooms that use it: the router appends, agencies check that what they are shown grew from what they saw, and
an auditor checks both. A node of the tree is named by level and index: ``(0, n)`` is leaf n, ``(level, index)`` covers
the ``2**level`` leaves from ``index * 2**level`` on. Each leaf completes itself and as many nodes above as its number
has one bits at the end, so a row of hashes for each leaf holds the whole tree and nothing twice.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final

from schemas.errors import LogError, LogFault

TREE_HASH_BYTES: Final = 32
PROOF_HASHES_MAX: Final = 63  # of a tree below 2**63 leaves; C2SP's witnesses take no more either
EMPTY_ROOT: Final = sha256(b"").digest()

# A leaf can never be taken for a node of the tree: "domain separation is required to give second preimage resistance".
_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"

Nodes = Callable[[int, int], bytes]
"""Returns the hash of a complete node, by level and index."""


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf: 32 bytes."""
    return sha256(_LEAF + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two neighbours: 32 bytes."""
    return sha256(_NODE + left + right).digest()


def row_of(level: int, index: int) -> int:
    """Return the number of the leaf that completed a node; the node's hash stands at ``level`` in that leaf's row."""
    return (index + 1 << level) - 1


class Frontier:
    """The complete nodes at the right edge of a tree: all that is needed to append, and to know the root.

    Args:
        size: Leaves in the tree.
        peaks: The largest complete nodes that cover them, left to right: one for each one bit of ``size``.
    """

    __slots__ = ("_peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size = size
        self._peaks = list(peaks)

    @classmethod
    def restore(cls, size: int, nodes: Nodes) -> "Frontier":
        """Return the frontier of a tree whose nodes are kept."""
        return cls(size, _peaks(0, size, nodes))

    def append(self, leaf: bytes) -> list[bytes]:
        """Add a leaf by its hash; returns the hashes it completed, its own first: the row to keep of it."""
        completed = [leaf]
        size, peaks = self.size, self._peaks
        while size & 1:
            leaf = sha256(_NODE + peaks.pop() + leaf).digest()
            completed.append(leaf)
            size >>= 1
        peaks.append(leaf)
        self.size += 1
        return completed

    def root(self) -> bytes:
        """Return the hash of the whole tree."""
        return _fold(self._peaks) if self._peaks else EMPTY_ROOT


def tree_root(size: int, nodes: Nodes) -> bytes:
    """Return the hash of the tree's first ``size`` leaves."""
    return _fold(_peaks(0, size, nodes)) if size else EMPTY_ROOT


def inclusion_proof(number: int, size: int, nodes: Nodes) -> tuple[bytes, ...]:
    """Return the proof that leaf ``number`` is in the tree of ``size`` leaves (RFC 6962, 2.1.1).

    Raises:
        LogError: PROOF if the tree has no such leaf.
    """
    if not 0 <= number < size:
        msg = f"there is no leaf {number} in a tree of {size}"
        raise LogError(LogFault.PROOF, msg)
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if number < middle:
            path.append(_fold(_peaks(middle, end, nodes)))
            end = middle
        else:
            path.append(_fold(_peaks(begin, middle, nodes)))
            begin = middle
    return tuple(reversed(path))


def consistency_proof(old_size: int, size: int, nodes: Nodes) -> tuple[bytes, ...]:
    """Return the proof that the tree of ``size`` leaves begins with that of ``old_size`` (RFC 6962, 2.1.2).

    Raises:
        LogError: PROOF if the old tree is the larger one.
    """
    if not 0 <= old_size <= size:
        msg = f"a tree of {size} leaves does not begin with one of {old_size}"
        raise LogError(LogFault.PROOF, msg)
    if old_size in (0, size):
        return ()
    path: list[bytes] = []
    begin, end = 0, size
    while end != old_size:
        middle = begin + _split(end - begin)
        if old_size <= middle:
            path.append(_fold(_peaks(middle, end, nodes)))
            end = middle
        else:
            path.append(_fold(_peaks(begin, middle, nodes)))
            begin = middle
    if begin:
        path.append(_fold(_peaks(begin, end, nodes)))
    return tuple(reversed(path))


def verify_inclusion(*, leaf: bytes, number: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Prove that a leaf, given by its hash, stands at ``number`` in the tree with this root (RFC 9162, 2.1.3.2).

    Raises:
        LogError: PROOF.
    """
    _check_proof(proof)
    if not 0 <= number < size:
        msg = f"leaf {number} cannot be in a tree of {size}"
        raise LogError(LogFault.PROOF, msg)
    here, last = number, size - 1
    found = leaf
    for sibling in proof:
        if last == 0:
            msg = f"the proof of leaf {number} is longer than the tree is high"
            raise LogError(LogFault.PROOF, msg)
        if here & 1 or here == last:
            found = node_hash(sibling, found)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        here, last = here >> 1, last >> 1
    if last or found != root:
        msg = f"the proof does not lead from leaf {number} to the root of {size} leaves"
        raise LogError(LogFault.PROOF, msg)


def verify_consistency(*, old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Prove that a tree grew from an older one: that it begins with the same leaves (RFC 9162, 2.1.4.2).

    Raises:
        LogError: PROOF.
    """
    _check_proof(proof)
    if old_size > size or old_size < 0:
        msg = f"a tree of {size} leaves cannot have grown from one of {old_size}"
        raise LogError(LogFault.PROOF, msg)
    if old_size in (0, size):
        # The empty tree is the beginning of every tree, and a tree is the beginning of itself: nothing to show.
        if proof or old_root != (root if old_size else EMPTY_ROOT):
            msg = f"two trees of {old_size} leaves differ" if old_size else "the empty tree has one root and no proof"
            raise LogError(LogFault.PROOF, msg)
        return
    # Where the old tree is one complete node, that node's hash is the old root and is left out of the proof.
    hashes = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not hashes or _climb(old_size, size, hashes) != (old_root, root):
        msg = f"the proof does not lead from the root of {old_size} leaves to that of {size}"
        raise LogError(LogFault.PROOF, msg)


def _climb(old_size: int, size: int, hashes: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Return the two roots that a consistency proof leads to, or None where it is too long or too short."""
    here, last = old_size - 1, size - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return None
        if here & 1 or here == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        here, last = here >> 1, last >> 1
    return None if last else (old, new)


def _check_proof(proof: Sequence[bytes]) -> None:
    if len(proof) > PROOF_HASHES_MAX or any(len(item) != TREE_HASH_BYTES for item in proof):
        msg = f"a proof is at most {PROOF_HASHES_MAX} hashes of {TREE_HASH_BYTES} bytes"
        raise LogError(LogFault.PROOF, msg)


def _split(count: int) -> int:
    """Return the largest power of two below ``count``, which is at least 2."""
    return 1 << (count - 1).bit_length() - 1


def _peaks(begin: int, end: int, nodes: Nodes) -> list[bytes]:
    """Return the complete nodes that cover the leaves from ``begin`` to ``end``, left to right.

    ``begin`` is 0 or where a tree was split, so it is a multiple of every power of two up to what follows.
    """
    peaks: list[bytes] = []
    left = end - begin
    while left:
        level = left.bit_length() - 1
        peaks.append(nodes(level, begin >> level))
        begin += 1 << level
        left -= 1 << level
    return peaks


def _fold(peaks: Sequence[bytes]) -> bytes:
    """Return the hash over neighbours of falling height: the rightmost pair first."""
    *others, found = peaks
    for peak in reversed(others):
        found = sha256(_NODE + peak + found).digest()
    return found
