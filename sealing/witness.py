"""What a witness keeps of a log and when it cosigns (docs/spec/audit.md, "Witnesses").

One host's log proves nothing against its owner: it can be written anew, or shown to each in another version. So each
agency keeps the last checkpoint it saw of a log, takes a newer one only with the proof that it grew from that, and
says so under its own key. Two agencies with cosigned checkpoints that contradict each other hold the proof of a fork.

Pure: what is kept goes in and comes out, and the caller has it on disk before the cosignature leaves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from schemas.errors import LogError, LogFault
from schemas.limits import CHECKPOINT_BYTES_MAX
from sealing.keys import SignPair
from sealing.merkle import EMPTY_ROOT, verify_consistency
from sealing.notes import (
    Checkpoint,
    Note,
    NoteKey,
    NoteSignature,
    cosign,
    read_checkpoint,
    read_note,
    verify_note,
)

# "An inclusion promise needs a deadline": a leaf that a verdict speaks of is in a checkpoint before this is over.
CHECKPOINT_DEADLINE_MS: Final = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """What a witness keeps of one log.

    Attributes:
        checkpoint: The largest one it has proved; the empty tree at first.
        note: Its bytes as they came, the evidence should another be shown; empty at first.
        seen_at: When it came, Unix ms.
        awaited_since: When something was promised that no checkpoint has covered yet, Unix ms; None if nothing was.
    """

    checkpoint: Checkpoint
    note: bytes
    seen_at: int
    awaited_since: int | None


def begin(origin: str, *, now_ms: int) -> Witnessed:
    """Return what a witness keeps of a log of which it has seen nothing."""
    return Witnessed(checkpoint=Checkpoint(origin, 0, EMPTY_ROOT), note=b"", seen_at=now_ms, awaited_since=None)


def witness(
    held: Witnessed, received: bytes, *, old_size: int, proof: Sequence[bytes], keys: Sequence[NoteKey], now_ms: int
) -> tuple[Witnessed, Note] | None:
    """Judge a checkpoint that a log shows; it may be cosigned once what is returned is on disk.

    Args:
        held: What is kept of this log.
        received: The note's bytes.
        old_size: The size from which the proof leads.
        proof: That the tree grew from ``old_size`` leaves to its present size.
        keys: The log's keys that count now, by the community bundle.
        now_ms: Unix ms.

    Returns:
        What to keep and the note, or None if the proof leads from another size than the one that is held: no fault,
        and the log can be told which size that is.

    Raises:
        LogError: MALFORMED, SIGNATURE or UNKNOWN_LOG if the log has not said this; ROLLBACK if it shows a smaller
            tree than before, SPLIT_VIEW another tree of the same size, FORK a tree that did not grow from the one
            it showed before. The last three carry the two notes.
    """
    note = read_note(received, bytes_max=CHECKPOINT_BYTES_MAX)
    # The text counts only once a signature has verified, so nothing is judged by it before.
    verify_note(note, keys)
    shown = read_checkpoint(note.text)
    before = held.checkpoint
    evidence = (held.note, received)
    if shown.origin != before.origin:
        msg = f"a checkpoint of {shown.origin} where one of {before.origin} was due"
        raise LogError(LogFault.UNKNOWN_LOG, msg)
    if shown.size < before.size:
        msg = f"{shown.origin} shows {shown.size} leaves after it has shown {before.size}"
        raise LogError(LogFault.ROLLBACK, msg, evidence=evidence)
    if shown.size == before.size:
        if shown.root != before.root:
            msg = f"{shown.origin} shows two trees of {shown.size} leaves"
            raise LogError(LogFault.SPLIT_VIEW, msg, evidence=evidence)
        return replace(held, note=received, seen_at=now_ms), note
    if old_size != before.size:
        return None
    try:
        verify_consistency(old_size=before.size, old_root=before.root, size=shown.size, root=shown.root, proof=proof)
    except LogError as error:
        msg = f"{shown.origin} shows {shown.size} leaves that do not begin with the {before.size} it has shown before"
        raise LogError(LogFault.FORK, msg, evidence=evidence) from error
    return Witnessed(checkpoint=shown, note=received, seen_at=now_ms, awaited_since=None), note


def cosign_checkpoint(note: Note, *, name: str, signer: SignPair, now_ms: int) -> NoteSignature:
    """Cosign what ``witness`` has passed, after it is on disk."""
    return cosign(note.text, name=name, signer=signer, now_ms=now_ms)


def expect_growth(held: Witnessed, *, now_ms: int) -> Witnessed:
    """Note that the log has promised a leaf: a verdict came, and a larger tree is due."""
    return held if held.awaited_since is not None else replace(held, awaited_since=now_ms)


def check_fresh(held: Witnessed, *, now_ms: int, deadline_ms: int = CHECKPOINT_DEADLINE_MS) -> None:
    """Prove that the log has kept its promises in time.

    Raises:
        LogError: FREEZE if something promised has waited longer than the deadline for a larger tree.
    """
    if held.awaited_since is not None and now_ms - held.awaited_since > deadline_ms:
        waited_s = (now_ms - held.awaited_since) // 1000
        msg = f"{held.checkpoint.origin} has shown {held.checkpoint.size} leaves for {waited_s} s and promised more"
        raise LogError(LogFault.FREEZE, msg, evidence=(held.note,))


def read_shown(note: bytes, *, keys: Sequence[NoteKey]) -> Checkpoint:
    """Read a checkpoint that the log has signed, whoever shows it.

    Raises:
        LogError: MALFORMED or SIGNATURE if the log has not said this, UNKNOWN_LOG if another has.
    """
    read = read_note(note, bytes_max=CHECKPOINT_BYTES_MAX)
    verify_note(read, keys)
    shown = read_checkpoint(read.text)
    if all(key.name != shown.origin for key in keys):
        msg = f"a checkpoint of {shown.origin} under the key of another log"
        raise LogError(LogFault.UNKNOWN_LOG, msg)
    return shown


def check_met(
    theirs: Checkpoint, ours: Checkpoint, *, old_size: int, proof: Sequence[bytes], evidence: tuple[bytes, ...]
) -> Checkpoint | None:
    """Prove that what another agency was shown of a log, and what we keep of it, is one history.

    Each of two histories may be sound in itself, so no witness alone can tell them apart; two witnesses that meet can.

    Args:
        theirs: What the other agency keeps, as ``read_shown`` has read it.
        ours: What we keep of the same log.
        old_size: The size from which the proof leads.
        proof: That the tree grew from ``old_size`` to that of ``ours``.
        evidence: The two notes, for whoever is to be shown a fault.

    Returns:
        Theirs, or None if nothing can be said: ours is of fewer covers, or the proof leads from another size.

    Raises:
        LogError: SPLIT_VIEW if the log signed two trees of one size, FORK if ours did not grow from theirs.
    """
    if ours.size < theirs.size:
        return None
    if ours.size == theirs.size:
        if ours.root != theirs.root:
            msg = f"{ours.origin} has signed two trees of {ours.size} covers"
            raise LogError(LogFault.SPLIT_VIEW, msg, evidence=evidence)
        return theirs
    if old_size != theirs.size:
        return None
    try:
        verify_consistency(old_size=theirs.size, old_root=theirs.root, size=ours.size, root=ours.root, proof=proof)
    except LogError as error:
        msg = f"{ours.origin} shows {ours.size} covers that do not begin with the {theirs.size} it has shown elsewhere"
        raise LogError(LogFault.FORK, msg, evidence=evidence) from error
    return theirs
