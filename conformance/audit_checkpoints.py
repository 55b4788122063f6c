"""The checkpoints of an exported log: signed by the router, cosigned by agencies, each grown from the one before.

What an agency kept for itself stands beside them: a log that showed it another tree has two views, and here is the
place where they meet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from conformance.audit_reading import (
    SIZE,
    Audit,
    NoteText,
    SignatureLine,
    SigningKey,
    UnreadableError,
    key_id,
    read_note,
    unbase64,
)
from conformance.audit_tree import ENTRY_BYTES, Tree, climb
from schemas.errors import RemoteError
from sealing.primitives import verify

CHECKPOINTS: Final = "checkpoints"
WITNESSES: Final = "witnesses"
_PROOF_HASHES_MAX: Final = 63
_LOG, _AGENCY = "sandiwara/log/", "sandiwara/agency/"
_OF_A_LOG, _OF_A_WITNESS = 0x01, 0x04


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCheckpoint:
    """A checkpoint as a file has it; ``proved`` if the router's signature verifies."""

    file: str
    length: int
    old_size: int
    proof: list[bytes]
    note: NoteText
    note_offset: int
    proved: bool


def verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether a signature verifies: a report has to go on where a verifier of one message would stop."""
    try:
        verify(public, b"", message, signature)
    except RemoteError:
        return False
    return True


def read_checkpoints(audit: Audit, router: str) -> list[ShownCheckpoint]:
    """Read the checkpoints of the folder, smallest first, and check every signature on them."""
    found: list[ShownCheckpoint] = []
    for name in audit.names(CHECKPOINTS, ".txt"):
        file = f"{CHECKPOINTS}/{name}.txt"
        read = audit.read(file, router, _read_checkpoint)
        if read is None:
            continue
        old_size, proof, note, offset, length = read
        proved = _check_signatures(audit, file, note, offset, router)
        checkpoint = ShownCheckpoint(
            file=file, length=length, old_size=old_size, proof=proof, note=note, note_offset=offset, proved=proved
        )
        if name != f"{note.size:012d}":
            audit.add("changed", file, (0, length), router, f"holds a checkpoint of {note.size} covers")
        found.append(checkpoint)
    return found


def _read_checkpoint(received: bytes) -> tuple[int, list[bytes], NoteText, int, int]:
    """Read a checkpoint with its proof: the body of C2SP's ``add-checkpoint``."""
    head, found, note = received.partition(b"\n\n")
    first, *proof = head.decode("ascii", "replace").split("\n")
    size = first.removeprefix("old ")
    if not found or f"old {size}" != first or not SIZE.fullmatch(size):
        msg = "no old size, proof, empty line and checkpoint"
        raise UnreadableError(msg)
    if len(proof) > _PROOF_HASHES_MAX:
        msg = "a proof of too many hashes"
        raise UnreadableError(msg)
    return int(size), [unbase64(line, length=32) for line in proof], read_note(note), len(head) + 2, len(received)


def _check_signatures(audit: Audit, file: str, note: NoteText, offset: int, router: str) -> bool:
    """Check every signature line; a line of nobody is a fault too, since nothing in the folder goes unchecked."""
    signed_by_router = False
    for line in note.signatures:
        who = line.name.removeprefix(_AGENCY)
        if line.name == _LOG + router:
            good = note.origin == line.name and is_of(line, note, audit.keys.routers[router])
            signed_by_router |= good
            who = router
        else:
            good = line.name == _AGENCY + who and is_of(line, note, audit.keys.agencies.get(who, ()))
            audit.cosignatures += good
            audit.cosigned_covers = max(audit.cosigned_covers, note.size if good else 0)
        if not good:
            where = (offset + line.offset, line.length)
            audit.add("forged", file, where, who, f"the signature of {line.name} does not verify")
    if not signed_by_router:
        audit.add("forged", file, (offset, len(note.text)), router, f"{_LOG}{router} has not signed this checkpoint")
    return signed_by_router


def is_of(line: SignatureLine, note: NoteText, keys: Sequence[SigningKey]) -> bool:
    """Tell whether the line is of one of these keys, over this note, at a time when the key held."""
    kind = _OF_A_WITNESS if line.name.startswith(_AGENCY) else _OF_A_LOG
    for key in keys:
        if line.key_id != key_id(line.name, kind, key.public):
            continue
        if kind == _OF_A_LOG:
            return verifies(key.public, note.text, line.signature)
        at_s = int.from_bytes(line.signature[:8], "big")
        message = f"cosignature/v1\ntime {at_s}\n".encode() + note.text
        return key.holds(at_s * 1000) and verifies(key.public, message, line.signature[8:])
    return False


def check_roots(audit: Audit, checkpoints: list[ShownCheckpoint], tree: Tree) -> None:
    """Each checkpoint grew from the one before, and is the root over the covers."""
    before: ShownCheckpoint | None = None
    for item in checkpoints:
        if not item.proved:
            continue
        who = item.note.origin.removeprefix(_LOG)
        old_size, old_root = (before.note.size, before.note.root) if before else (0, sha256(b"").digest())
        head = (0, item.note_offset)
        if item.old_size != old_size:
            audit.add("hidden", item.file, head, who, f"follows on {item.old_size} covers where {old_size} were shown")
        elif not _grew(item, old_size, old_root):
            audit.add(
                "forged", item.file, head, who, f"does not prove that its tree grew from that of {old_size} covers"
            )
        root = tree.roots.get(item.note.size)
        if root is None:
            where = (tree.known * ENTRY_BYTES, 0)
            text = f"{tree.known} covers where {item.note.size} were signed for"
            audit.add("dropped", tree.files.entries, where, who, text)
        elif root != item.note.root:
            where = (old_size * ENTRY_BYTES, (item.note.size - old_size) * ENTRY_BYTES)
            text = f"among covers {old_size} to {item.note.size - 1}: not the tree that was signed for in {item.file}"
            audit.add("changed", tree.files.entries, where, who, text)
        before = item


def _grew(item: ShownCheckpoint, old_size: int, old_root: bytes) -> bool:
    if old_size in (0, item.note.size):
        return not item.proof and (old_size == 0 or old_root == item.note.root)
    return climb(old_size, item.note.size, old_root, item.proof) == (old_root, item.note.root)


def read_witnesses(audit: Audit, router: str) -> list[ShownCheckpoint]:
    """Read the last checkpoint that each agency kept of the log."""
    found: list[ShownCheckpoint] = []
    for agency in audit.names(WITNESSES, ".txt"):
        file = f"{WITNESSES}/{agency}.txt"
        note = audit.read(file, agency, read_note)
        if note is None:
            continue
        proved = _check_signatures(audit, file, note, 0, router)
        if not any(line.name == _AGENCY + agency for line in note.signatures):
            audit.add(
                "forged", file, (0, len(note.text)), agency, f"{agency} keeps a checkpoint that it has not cosigned"
            )
        length = len(note.text) + 1 + sum(line.length for line in note.signatures)
        found.append(
            ShownCheckpoint(file=file, length=length, old_size=0, proof=[], note=note, note_offset=0, proved=proved)
        )
    return found


def check_witnessed(
    audit: Audit, witnessed: list[ShownCheckpoint], checkpoints: list[ShownCheckpoint], tree: Tree
) -> None:
    """What an agency was shown must be in the log, and be the same: else the log has two views."""
    shown = {item.note.size: item.note.root for item in checkpoints if item.proved}
    for item in witnessed:
        if not item.proved:
            continue
        who = item.note.origin.removeprefix(_LOG)
        size, where = item.note.size, (0, item.length)
        if shown.get(size, item.note.root) != item.note.root or tree.roots.get(size, item.note.root) != item.note.root:
            text = f"this agency was shown another tree of {size} covers than the one that is exported"
            audit.add("forged", item.file, where, who, text)
        elif size not in shown:
            audit.add(
                "hidden", item.file, where, who, f"this agency was shown a checkpoint of {size} covers that is left out"
            )
        if size > tree.known:
            audit.add(
                "dropped",
                tree.files.entries,
                (tree.known * ENTRY_BYTES, 0),
                who,
                f"{tree.known} covers where {size} were shown",
            )
