"""The covers of an exported log: each commits to the tree of leaves as it stood, and none to fewer than the one before.

Checkpoints are over covers, so that the agencies which cosign them learn nothing of how many leaves there are; here is
the place where the auditor, who has the openings, goes on from what was cosigned to the leaves.
"""

from typing import Final, NamedTuple

from conformance.audit_reading import Audit
from conformance.audit_tree import ENTRY_BYTES, LEAVES, Files, Opening, Tree

COVERS: Final = Files("covers.bin", "cover-openings.bin", "cover-tree.bin")
_FIELDS: Final = 4
_HASH_BYTES: Final = 32
_FINDINGS_MAX: Final = 64  # as for leaves: the first ones say where


class Covered(NamedTuple):
    """What a cover says: how many leaves there were, and the root over them."""

    size: int
    root: bytes


def read_covers(audit: Audit, covers: Tree) -> list[Covered | None]:
    """Read what each cover says; None where it says nothing that can be read, which is noted."""
    return [_read(audit, opening, covers.router) for opening in covers.openings]


def check_covers(audit: Audit, said: list[Covered | None], leaves: Tree) -> None:
    """Lay what the covers say against the leaves that are here."""
    before, known = 0, len(audit.findings)
    shown: set[int] = set()
    for number, covered in enumerate(said):
        if covered is None or len(audit.findings) - known >= _FINDINGS_MAX:
            continue
        size, root = covered
        if size < before:
            where = (number * ENTRY_BYTES, ENTRY_BYTES)
            text = f"cover {number} is of {size} leaves, and the one before it of {before}"
            audit.add("forged", COVERS.entries, where, leaves.router, text)
        elif size > leaves.known and size not in shown:
            where = (leaves.known * ENTRY_BYTES, 0)
            text = f"{leaves.known} leaves where cover {number} is of {size}"
            audit.add("dropped", LEAVES.entries, where, leaves.router, text)
        elif leaves.roots.get(size, root) != root and size not in shown:
            where = (before * ENTRY_BYTES, (size - before) * ENTRY_BYTES)
            text = f"among leaves {before} to {size - 1}: not the tree to which cover {number} commits"
            audit.add("changed", LEAVES.entries, where, leaves.router, text)
        shown.add(size)
        before = max(before, size)


def leaves_under(said: list[Covered | None], covers: int) -> int:
    """Return how many leaves are covered by the first so many covers."""
    return max((covered.size for covered in said[:covers] if covered is not None), default=0)


def _read(audit: Audit, opening: Opening, router: str) -> Covered | None:
    match opening.statement:
        case ("covered", int(), int(size), bytes(root)) if len(root) == _HASH_BYTES:
            return Covered(size, root)
        case _:
            where = (opening.offset, opening.length)
            text = f"what opens cover {opening.number} is no statement of a cover"
            audit.add("unreadable", COVERS.openings, where, router, text)
            return None
