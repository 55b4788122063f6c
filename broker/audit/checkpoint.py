"""When the log may sign a checkpoint, and when never again (docs/spec/audit.md, "Checkpoints").

"A log must not sign any checkpoint which is inconsistent with any checkpoint it previously signed" (C2SP
tlog-checkpoint). So each one is signed only after the proof that its tree grew from the one signed before has been
made out of what is on disk and has verified. A disk that tells otherwise was rewritten, or is an old copy; the log is
then fenced: it signs nothing until a person has looked. The states:

    OPEN ──sign──> OPEN      the tree grew from the last one signed
    OPEN ──sign──> FENCED    it did not
    OPEN ──meet──> FENCED    somebody holds a checkpoint of ours that this disk does not know
    FENCED                   for good
"""

import enum
from collections.abc import Sequence
from typing import NoReturn

from schemas.errors import LogError, LogFault
from sealing.keys import SignPair
from sealing.merkle import EMPTY_ROOT, verify_consistency
from sealing.notes import (
    TYPE_ED25519,
    Checkpoint,
    Note,
    NoteKey,
    log_origin,
    read_checkpoint,
    sign_checkpoint,
    verify_note,
)


class Signing(enum.Enum):
    """Whether the log may sign."""

    OPEN = "open"
    FENCED = "fenced"


class CheckpointSigner:
    """Signs the checkpoints of one router's log.

    Args:
        router: Whose log it is.
        signer: The router's key.
        signed: The last checkpoint that was signed, as the disk has it; None if none ever was.
    """

    def __init__(self, *, router: str, signer: SignPair, signed: Checkpoint | None = None) -> None:
        self.origin = log_origin(router)
        self._signer = signer
        self._signed = signed or Checkpoint(self.origin, 0, EMPTY_ROOT)
        self.state = Signing.OPEN

    @property
    def signed(self) -> Checkpoint:
        """The last checkpoint that was signed; the empty tree if none ever was."""
        return self._signed

    def may_sign(self) -> bool:
        """Tell whether the log is not fenced."""
        return self.state is Signing.OPEN

    def sign(self, *, size: int, root: bytes, proof: Sequence[bytes]) -> Note:
        """Sign a checkpoint; it is to be on disk before it leaves.

        Args:
            size: How many covers are in the tree.
            root: Over all of them.
            proof: That this tree grew from the one signed last, made out of what is on disk.

        Raises:
            LogError: ROLLBACK or FORK if the tree did not grow from the one signed last, or if the log is fenced.
        """
        before = self._signed
        self._check_open()
        if size < before.size:
            self._fence(LogFault.ROLLBACK, f"there are {size} covers, and {before.size} were signed for")
        try:
            verify_consistency(old_size=before.size, old_root=before.root, size=size, root=root, proof=proof)
        except LogError as error:
            self.state = Signing.FENCED
            msg = f"{self.origin}: the {size} covers do not begin with the {before.size} that were signed for"
            raise LogError(LogFault.FORK, msg) from error
        self._signed = Checkpoint(self.origin, size, root)
        return sign_checkpoint(self._signed, signer=self._signer)

    def meet(self, note: Note) -> None:
        """Look at a checkpoint of ours that somebody holds.

        Raises:
            LogError: SIGNATURE or MALFORMED if it is none of ours; ROLLBACK if it is of a larger tree than this disk
                was ever signed for, SPLIT_VIEW if of another one; in these two cases the log is fenced.
        """
        key = NoteKey(name=self.origin, kind=TYPE_ED25519, public=self._signer.public)
        verify_note(note, [key])
        theirs = read_checkpoint(note.text)
        if theirs.size > self._signed.size:
            self._fence(LogFault.ROLLBACK, f"{theirs.size} covers were signed for, and this disk knows of fewer")
        if theirs.size == self._signed.size and theirs.root != self._signed.root:
            self._fence(LogFault.SPLIT_VIEW, f"two trees of {theirs.size} covers were signed for")

    def _check_open(self) -> None:
        if self.state is Signing.FENCED:
            msg = f"{self.origin} is fenced: what is on disk is not what was signed for"
            raise LogError(LogFault.FORK, msg)

    def _fence(self, fault: LogFault, message: str) -> NoReturn:
        self.state = Signing.FENCED
        raise LogError(fault, f"{self.origin}: {message}")
