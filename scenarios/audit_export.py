"""Write a log as a folder that anybody can check without us (docs/spec/audit.md, "Exported log").

Statements and their keys are in it, so it is for the auditor of an exercise and not for its players: whoever has the
folder knows who was sent what. What an auditor is not to know is left out by leaving out openings, and then only the
tree can be checked.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from agencies.store import NodeStore
from broker.audit.covers import Covers
from broker.audit.log import LeafRow, Log, hash_in_row
from broker.store import Store
from scenarios.enrolment import Community
from schemas.bundle import TrustRoot
from schemas.errors import InputError, StoreError
from sealing.keys import SignPair, sign_pair_from_seed
from sealing.merkle import consistency_proof, row_of
from sealing.notes import (
    Checkpoint,
    Note,
    read_checkpoint,
    read_note,
    read_signature,
    sign_checkpoint,
    with_signatures,
)

_LENGTH_BYTES: Final = 2
_JOURNAL: Final = "sandiwara/journal/"


class JournalLine(NamedTuple):
    """One entry of a node's journal, as its database keeps it; ``fields`` are JSON values."""

    number: int
    at_ms: int
    stage: str
    fields: dict[str, Any]
    chain: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedLog:
    """What an export is made of.

    Attributes:
        root: The authorities.
        signed_bundle: The newest bundle's bytes.
        log: Opens its own leaves.
        rows: All leaves, in order.
        covers: Opens its own covers.
        cover_rows: All covers, in order.
        checkpoints: All that were signed, smallest first, with the cosignatures that came.
    """

    root: TrustRoot
    signed_bundle: bytes
    log: Log
    rows: Sequence[LeafRow]
    covers: Covers
    cover_rows: Sequence[LeafRow]
    checkpoints: Sequence[Note]


def write_log(folder: Path, exported: ExportedLog) -> None:
    """Write the log: trust, bundle, leaves and covers with openings and trees, and checkpoints with their proofs.

    Raises:
        InputError: If the folder exists already and is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        msg = f"{folder} is not empty"
        raise InputError(msg, remedy="give a folder that does not exist yet")
    for kind in ("checkpoints", "journals", "witnesses"):
        (folder / kind).mkdir(parents=True, mode=0o700)
    _write_trust(folder / "trust.json", exported.root)
    (folder / "bundle.bin").write_bytes(exported.signed_bundle)
    _write_tree(folder, exported.log, exported.rows, names=("leaves.bin", "openings.bin", "tree.bin"))
    _write_tree(
        folder, exported.covers, exported.cover_rows, names=("covers.bin", "cover-openings.bin", "cover-tree.bin")
    )
    _write_checkpoints(folder / "checkpoints", exported)


def _write_tree(folder: Path, log: Log | Covers, rows: Sequence[LeafRow], *, names: tuple[str, str, str]) -> None:
    entries, openings, tree = (folder / name for name in names)
    with entries.open("wb") as entries_file, openings.open("wb") as openings_file, tree.open("wb") as tree_file:
        for row in rows:
            entry, key = log.entry(row)
            entries_file.write(_framed(entry))
            openings_file.write(key + _framed(row.statement))
            tree_file.write(row.hashes)


def write_journal(folder: Path, *, agency: str, lines: Iterable[JournalLine], signer: SignPair) -> None:
    """Write an agency's journal into an exported log, with a head under the agency's key."""
    count, chain = 0, bytes(32)
    with (folder / "journals" / f"{agency}.jsonl").open("w", encoding="utf-8", newline="\n") as file:
        for line in lines:
            file.write(_canonical(line._asdict() | {"chain": line.chain.hex()}) + "\n")
            count, chain = line.number, line.chain
    head = sign_checkpoint(Checkpoint(_JOURNAL + agency, count, chain), signer=signer)
    (folder / "journals" / f"{agency}.head").write_bytes(head.packed())


def write_witness(folder: Path, *, agency: str, note: Note) -> None:
    """Write the last checkpoint that an agency kept, with its own cosignature, into an exported log."""
    (folder / "witnesses" / f"{agency}.txt").write_bytes(note.packed())


def export_region(folder: Path, *, community: Community, router: Store, nodes: Mapping[str, NodeStore]) -> None:
    """Write the log of a region with every agency's journal and what it kept as a witness.

    Raises:
        InputError: If the folder exists already and is not empty.
        StoreError: If the router keeps no log.
    """
    export_router(folder, root=community.root, signed_bundle=community.signed_bundle, router=router)
    for agency, store in sorted(nodes.items()):
        export_node(folder, agency=agency, store=store, signer=sign_pair_from_seed(community.rings[agency].sign_seed))


def export_router(folder: Path, *, root: TrustRoot, signed_bundle: bytes, router: Store) -> int:
    """Write a router's log; returns the number of leaves.

    Args:
        folder: To be made.
        root: The authorities.
        signed_bundle: The bundle that holds where the router has put down none.
        router: Its database, with the log begun.

    Raises:
        InputError: If the folder exists already and is not empty.
        StoreError: If the router keeps no log.
    """
    log = router.log
    if log is None:
        msg = "the router keeps no log"
        raise StoreError(msg, remedy="open its database by a router first")
    versions = router.holdings.bundles()
    rows = log.rows()
    exported = ExportedLog(
        root=root,
        signed_bundle=versions[-1][1] if versions else signed_bundle,
        log=log.log,
        rows=rows,
        covers=log.covers,
        cover_rows=log.cover_rows(),
        checkpoints=log.checkpoints(),
    )
    write_log(folder, exported)
    return len(rows)


def export_node(folder: Path, *, agency: str, store: NodeStore, signer: SignPair) -> None:
    """Write an agency's journal, and what it kept as a witness, into an exported log."""
    lines = (
        JournalLine(entry.number, entry.at_ms, entry.stage, entry.fields, chain)
        for entry, chain in zip(store.journal.entries(), store.journal.chains(), strict=True)
    )
    write_journal(folder, agency=agency, lines=lines, signer=signer)
    for note, line in store.witness.cosigned():
        write_witness(folder, agency=agency, note=with_signatures(read_note(note), [read_signature(line.decode())]))


def _write_trust(path: Path, root: TrustRoot) -> None:
    rest = {
        "authorities": {item.authority: item.key.hex() for item in root.authorities},
        "threshold": root.threshold,
    }
    digest = sha256(_canonical(rest).encode()).hexdigest()
    path.write_text(_canonical(rest | {"digest": digest}) + "\n", encoding="utf-8", newline="\n")


def _write_checkpoints(folder: Path, exported: ExportedLog) -> None:
    def node(level: int, index: int) -> bytes:
        return hash_in_row(exported.cover_rows[row_of(level, index)].hashes, level)

    old_size = 0
    for note in exported.checkpoints:
        size = read_checkpoint(note.text).size
        proof = consistency_proof(old_size, size, node)
        head = [f"old {old_size}", *(b64encode(item).decode() for item in proof)]
        body = "\n".join(head).encode() + b"\n\n" + note.packed()
        (folder / f"{size:012d}.txt").write_bytes(body)
        old_size = size


def _framed(content: bytes) -> bytes:
    return len(content).to_bytes(_LENGTH_BYTES, "big") + content


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
