"""The second tree of a lying router: its log with a cover left out, signed with the key of the true one.

Nothing but the witnesses' own memory stands against it: root, proof and signature of what it shows are all in order.
"""

from collections.abc import Sequence

from broker.audit.covers import Covers
from broker.audit.log import LeafRow, hash_in_row
from schemas.frames import CheckpointMessage
from sealing.keys import SignPair
from sealing.merkle import Frontier, consistency_proof, leaf_hash, row_of
from sealing.notes import Checkpoint, log_origin, sign_checkpoint


class SecondTree:
    """A history in which one cover never was.

    Args:
        covers: Those of the true log, which makes their bytes.
        rows: All of them, in order.
        without: The one that is left out.
    """

    def __init__(self, covers: Covers, rows: Sequence[LeafRow], *, without: int) -> None:
        self._frontier = Frontier()
        self._hashes: list[bytes] = []
        for row in rows:
            if row.number != without:
                entry, _ = covers.entry(row)
                self._hashes.append(b"".join(self._frontier.append(leaf_hash(entry))))

    def checkpoint(self, *, router: str, signer: SignPair, old_size: int) -> CheckpointMessage:
        """Return a checkpoint of this tree, with its proof from an older size."""
        size = len(self._hashes)
        note = sign_checkpoint(Checkpoint(log_origin(router), size, self._frontier.root()), signer=signer)
        begun = min(old_size, size)
        return CheckpointMessage("checkpoint", begun, consistency_proof(begun, size, self._node), note.packed())

    def _node(self, level: int, index: int) -> bytes:
        return hash_in_row(self._hashes[row_of(level, index)], level)
