"""Layer L6, continued: leaves, proofs, and what a witness does with the checkpoints that it is shown."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final

from conformance import world
from conformance.evil_book import Made
from conformance.evil_log import (
    ENTRIES,
    KEYS,
    L6,
    LOG,
    OTHER,
    Row,
    checkpoint_text,
    enter_rows,
    growth,
    line_of,
    note_of,
    path_of,
    root_of,
)
from schemas.codec import pack
from schemas.errors import LogFault

# Trees.


def _included(number: int, size: int, *, proof: tuple[bytes, ...] | None = None, **changes: Any) -> Made:
    entries = ENTRIES[:size]
    context = {
        "entry": ENTRIES[changes.get("of", number)].hex(),
        "number": number,
        "size": changes.get("told", size),
        "root": root_of(changes.get("of_root", entries)).hex(),
    }
    return Made(pack(path_of(number, entries) if proof is None else proof), context)


@L6.accepts("inclusion", "AUD-010", why="control")
def inclusion() -> Made:
    """Leaf 6 of 13."""
    return _included(6, 13)


@L6.accepts("inclusion", "AUD-010", base="inclusion", mutation="the last leaf", why="its path skips levels")
def inclusion_of_the_last_leaf() -> Made:
    """Leaf 12 of 13, which has no neighbour on most levels."""
    return _included(12, 13)


@L6.accepts("inclusion", "AUD-010", base="inclusion", mutation="one leaf", why="the tree of one leaf has no nodes")
def inclusion_in_a_tree_of_one() -> Made:
    """The only leaf."""
    return _included(0, 1)


def _inclusion_rows() -> tuple[Row, ...]:
    why = "a leaf that is not there is taken for one that is"
    path = path_of(6, ENTRIES)

    def row(name: str, comment: str, made: Made, req: str = "AUD-010") -> Row:
        return Row(name, LogFault.PROOF, req, comment, why, "Proof", lambda: made)

    return (
        row("inclusion_of_another_entry", "The path of leaf 6 for the entry of leaf 7.", _included(6, 13, of=7)),
        row("inclusion_elsewhere", "The path of leaf 6, said to be leaf 7.", _included(7, 13, proof=path, of=6)),
        row("inclusion_beyond_the_end", "Leaf 1 in a tree of one.", _included(1, 1, proof=(), of=0), "AUD-012"),
        row("inclusion_by_a_path_too_short", "The path without its last hash.", _included(6, 13, proof=path[:-1]),
            "AUD-012"),
        row("inclusion_by_a_path_too_long", "The path with one hash more.",
            _included(6, 13, proof=(*path, bytes(32))), "AUD-012"),
        row("inclusion_above_the_root", "A tree of two, said to be of one: its second leaf as the first.",
            _included(0, 1, of=1, of_root=ENTRIES[:2], proof=(root_of(ENTRIES[:1]),)), "AUD-012"),
        row("inclusion_by_a_hash_of_31_bytes", "A hash of 31 bytes in the path.",
            _included(6, 13, proof=(path[0][:31], *path[1:])), "AUD-011"),
        row("inclusion_by_64_hashes", "A path of 64 hashes.", _included(6, 13, proof=(bytes(32),) * 64), "AUD-011"),
        row("inclusion_of_a_node_as_a_leaf", "The hashes of two leaves as an entry.", _node_as_leaf()),
    )  # fmt: skip


def _node_as_leaf() -> Made:
    """Claim that the tree of two leaves is a tree of one, whose entry is their hashes."""
    joined = root_of(ENTRIES[:1]) + root_of(ENTRIES[1:2])
    return Made(pack(()), {"entry": joined.hex(), "number": 0, "size": 1, "root": root_of(ENTRIES[:2]).hex()})


enter_rows(_inclusion_rows(), op="inclusion", base="inclusion")


def _grown(
    old_size: int, size: int, *, proof: tuple[bytes, ...] | None = None, entries: Sequence[bytes] = ENTRIES
) -> Made:
    context = {
        "old_size": old_size,
        "old_root": root_of(ENTRIES[:old_size]).hex(),
        "size": size,
        "root": root_of(entries[:size]).hex(),
    }
    usual = growth(old_size, entries[:size]) if 0 < old_size < size else ()
    return Made(pack(usual if proof is None else proof), context)


@L6.accepts("consistency", "AUD-010", why="control")
def consistency() -> Made:
    """From 6 leaves to 13."""
    return _grown(6, 13)


@L6.accepts("consistency", "AUD-010", base="consistency", mutation="8 to 13", why="the old root is not in the proof")
def consistency_from_a_complete_tree() -> Made:
    """From 8 leaves, which are one complete node, to 13."""
    return _grown(8, 13)


@L6.accepts("consistency", "AUD-010", base="consistency", mutation="0 to 13", why="everything begins with nothing")
def consistency_from_no_leaves() -> Made:
    """From no leaf to 13, without a proof."""
    return _grown(0, 13)


@L6.accepts("consistency", "AUD-010", base="consistency", mutation="13 to 13", why="a tree begins with itself")
def consistency_of_a_tree_with_itself() -> Made:
    """From 13 leaves to 13, without a proof."""
    return _grown(13, 13)


def _consistency_rows() -> tuple[Row, ...]:
    why = "a log that was written anew is taken for one that grew"
    proof = growth(6, ENTRIES)

    def row(name: str, comment: str, made: Made, req: str = "AUD-010") -> Row:
        return Row(name, LogFault.PROOF, req, comment, why, "Proof", lambda: made)

    return (
        row("consistency_with_another_history", "Leaf 5 says something else.", _grown(6, 13, entries=OTHER)),
        row("consistency_with_the_proof_of_another", "The proof of the tree that was shown first.",
            _grown(6, 13, entries=OTHER, proof=proof)),
        row("consistency_backwards", "From 13 leaves to 6.", _grown(13, 6), "AUD-012"),
        row("consistency_backwards_with_one_root", "From 2 leaves to 1, and the root stays.",
            Made(pack(()), {**_grown(2, 13).context, "size": 1, "root": root_of(ENTRIES[:2]).hex()}), "AUD-012"),
        row("consistency_without_a_proof", "No proof at all.", _grown(6, 13, proof=()), "AUD-012"),
        row("consistency_by_a_proof_too_short", "The proof without its last hash.", _grown(6, 13, proof=proof[:-1]),
            "AUD-012"),
        row("consistency_by_a_proof_too_long", "The proof with one hash more.",
            _grown(6, 13, proof=(*proof, bytes(32))), "AUD-012"),
        row("consistency_of_equals_with_a_proof", "A proof where none is due.",
            _grown(13, 13, proof=(bytes(32),)), "AUD-012"),
        row("consistency_of_equal_sizes_and_other_roots", "Two trees of 13 leaves.", _grown(13, 13, entries=OTHER)),
        row("consistency_by_64_hashes", "A proof of 64 hashes.", _grown(6, 13, proof=(bytes(32),) * 64), "AUD-011"),
        row("consistency_by_a_hash_of_33_bytes", "A hash of 33 bytes in the proof.",
            _grown(6, 13, proof=(proof[0] + b"\0", *proof[1:])), "AUD-011"),
    )  # fmt: skip


enter_rows(_consistency_rows(), op="consistency", base="consistency")


# Leaves.


_STATEMENT: Final = ("decided", world.NOW, bytes(range(32)), "bravo", "alpha", 3)
_LEAF_KEY: Final = blake2b(b"a leaf key of bravo", digest_size=32).digest()


def _entry(number: int = 5, statement: Any = _STATEMENT, key: bytes = _LEAF_KEY) -> bytes:
    keyed = blake2b(
        number.to_bytes(8, "big") + pack(statement), key=key, digest_size=32, person=b"sw1 leaf".ljust(16, b"\0")
    )
    return pack((1, keyed.digest()))


def _opened(entry: bytes, *, number: int = 5, statement: Any = _STATEMENT, key: bytes = _LEAF_KEY) -> Made:
    return Made(entry, {"number": number, "statement": pack(statement).hex(), "key": key.hex()})


@L6.accepts("leaf", "AUD-004", "AUD-005", why="control")
def leaf() -> Made:
    """Leaf 5 opens as what was decided for bravo."""
    return _opened(_entry())


def _leaf_rows() -> tuple[Row, ...]:
    why = "a router tells an auditor another thing than it has committed to"
    wider = (*_STATEMENT[:-1], 7)
    shouted = ("shouted", *_STATEMENT[1:])

    def row(name: str, fault: LogFault, req: str, comment: str, made: Made) -> Row:
        return Row(name, fault, req, comment, why, "Proof", lambda: made)

    return (
        row("leaf_of_another_statement", LogFault.PROOF, "AUD-004", "One portion more was decided on.",
            _opened(_entry(), statement=wider)),
        row("leaf_of_another_number", LogFault.PROOF, "AUD-005", "The commitment of leaf 5, as leaf 6.",
            _opened(_entry(), number=6)),
        row("leaf_under_another_key", LogFault.PROOF, "AUD-005", "The key of another party.",
            _opened(_entry(), key=bytes(32))),
        row("leaf_of_another_version", LogFault.PROOF, "AUD-004", "Version 2 of a leaf.",
            _opened(b"\x92\x02" + _entry()[2:])),
        row("leaf_of_an_unknown_stage", LogFault.MALFORMED, "AUD-004", "A stage that is not known.",
            _opened(_entry(statement=shouted), statement=shouted)),
        row("leaf_with_a_field_too_few", LogFault.MALFORMED, "AUD-004", "A statement without its bits.",
            _opened(_entry(statement=_STATEMENT[:-1]), statement=_STATEMENT[:-1])),
    )  # fmt: skip


enter_rows(_leaf_rows(), op="leaf", base="leaf")


# What a witness does.


def _shown(
    size: int,
    *,
    held: int = 6,
    old_size: int | None = None,
    entries: Sequence[bytes] = ENTRIES,
    proof: tuple[bytes, ...] | None = None,
    text: bytes | None = None,
    signer: str = world.ROUTER,
) -> Made:
    shown = checkpoint_text(size, entries) if text is None else text
    usual = growth(held, entries[:size]) if 0 < held < size else ()
    context = KEYS | {
        "held": {"origin": LOG, "size": held, "root": root_of(ENTRIES[:held]).hex()},
        "old_size": held if old_size is None else old_size,
        "proof": [item.hex() for item in (usual if proof is None else proof)],
    }
    return Made(note_of(shown, line_of(shown, signer=signer)), context)


@L6.accepts("witness", "AUD-026", why="control")
def witness() -> Made:
    """13 leaves, after 6 were shown, with the proof."""
    return _shown(13)


@L6.accepts("witness", "AUD-024", base="witness", mutation="the first checkpoint", why="a witness begins with nothing")
def witness_of_a_firstcheckpoint_text() -> Made:
    """13 leaves, to a witness that has seen none."""
    return _shown(13, held=0)


@L6.accepts("witness", "AUD-026", base="witness", mutation="the same once more", why="a log may be quiet")
def witness_of_the_same_again() -> Made:
    """The checkpoint that is held already."""
    return _shown(6)


@L6.accepts("witness", "AUD-028", base="witness", mutation="a proof from another size", verdict="repeat",
            why="a router that has lost an answer is no liar, and is told which size is held")  # fmt: skip
def witness_of_a_proof_from_another_size() -> Made:
    """13 leaves with the proof from 4, where 6 are held: the witness answers with its size and cosigns nothing."""
    return _shown(13, old_size=4, proof=growth(4, ENTRIES))


def _witness_rows() -> tuple[Row, ...]:
    why = "the owner of the log shows each agency the history that suits it"

    def row(name: str, fault: LogFault, req: str, comment: str, made: Made) -> Row:
        return Row(name, fault, req, comment, why, "Equivocation", lambda: made)

    strange = checkpoint_text(13, origin="sandiwara/log/other")
    return (
        row("witness_of_fewer_leaves", LogFault.ROLLBACK, "AUD-029", "5 leaves, after 6 were shown.", _shown(5)),
        row("witness_of_a_second_tree", LogFault.SPLIT_VIEW, "AUD-029", "Another tree of 6 leaves.",
            _shown(6, entries=OTHER)),
        row("witness_of_a_fork", LogFault.FORK, "AUD-026", "13 leaves that do not begin with the 6.",
            _shown(13, entries=OTHER)),
        row("witness_without_a_proof", LogFault.FORK, "AUD-026", "13 leaves and no proof.", _shown(13, proof=())),
        row("witness_of_another_log", LogFault.UNKNOWN_LOG, "AUD-013", "A checkpoint of another log, under this key.",
            _shown(13, text=strange)),
        row("witness_of_a_stranger", LogFault.SIGNATURE, "AUD-025", "Signed by another router's key.",
            _shown(13, signer="spoke")),
        row("witness_of_a_forged_rollback", LogFault.SIGNATURE, "AUD-025",
            "Fewer leaves, and not signed by the log: it has not said so.", _shown(5, signer="spoke")),
        row("witness_of_a_text_that_is_no_checkpoint", LogFault.MALFORMED, "AUD-021", "A signed text of four lines.",
            _shown(13, text=checkpoint_text(13) + b"more\n")),
    )  # fmt: skip


enter_rows(_witness_rows(), op="witness", base="witness")


# What two witnesses do that meet.


def _met(
    theirs: int,
    size: int,
    *,
    entries: Sequence[bytes] = ENTRIES,
    old_size: int | None = None,
    proof: tuple[bytes, ...] | None = None,
    text: bytes | None = None,
    signer: str = world.ROUTER,
) -> Made:
    """Return a checkpoint of ``size`` leaves, shown to who has met one of ``theirs``; that one is of ``entries``."""
    met = checkpoint_text(theirs, entries) if text is None else text
    shown = checkpoint_text(size)
    usual = growth(theirs, ENTRIES[:size]) if theirs < size else ()
    context = KEYS | {
        "met": note_of(met, line_of(met, signer=signer)).hex(),
        "old_size": theirs if old_size is None else old_size,
        "proof": [item.hex() for item in (usual if proof is None else proof)],
    }
    return Made(note_of(shown, line_of(shown)), context)


@L6.accepts("met", "AUD-050", why="control")
def met() -> Made:
    """13 leaves, where another agency was shown 6 of them, with the proof."""
    return _met(6, 13)


@L6.accepts("met", "AUD-050", base="met", mutation="the same size", why="two that were shown alike have met")
def met_of_the_same_size() -> Made:
    """6 leaves, as the other was shown."""
    return _met(6, 6)


@L6.accepts("met", "AUD-050", base="met", mutation="a proof from another size", verdict="repeat",
            why="what the log shows of its own accord leads from what is kept here, and is no answer")  # fmt: skip
def met_with_a_proof_from_another_size() -> Made:
    """13 leaves with the proof from 4, where the other was shown 6."""
    return _met(6, 13, old_size=4, proof=growth(4, ENTRIES))


@L6.accepts("met", "AUD-050", base="met", mutation="fewer leaves", verdict="repeat",
            why="whoever beats later is shown more")  # fmt: skip
def met_with_fewer_leaves() -> Made:
    """6 leaves, where the other was shown 13."""
    return _met(13, 6)


def _met_rows() -> tuple[Row, ...]:
    why = "the owner of the log shows each agency a history that is sound in itself"

    def row(name: str, fault: LogFault, req: str, comment: str, made: Made) -> Row:
        return Row(name, fault, req, comment, why, "Equivocation", lambda: made)

    return (
        row("met_with_a_second_tree", LogFault.SPLIT_VIEW, "AUD-050", "6 leaves; the other was shown another 6.",
            _met(6, 6, entries=OTHER)),
        row("met_with_a_second_history", LogFault.FORK, "AUD-050", "13 leaves, begun otherwise than the other's 6.",
            _met(6, 13, entries=OTHER)),
        row("met_without_a_proof", LogFault.FORK, "AUD-050", "13 leaves and no proof.", _met(6, 13, proof=())),
        row("met_with_a_forged_note", LogFault.SIGNATURE, "AUD-051", "The other's note is not signed by the log.",
            _met(6, 6, entries=OTHER, signer="spoke")),
        row("met_with_another_log", LogFault.UNKNOWN_LOG, "AUD-051", "The other's note is of another log.",
            _met(6, 13, text=checkpoint_text(6, origin="sandiwara/log/other"))),
    )  # fmt: skip


enter_rows(_met_rows(), op="met", base="met")
