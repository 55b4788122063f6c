"""Merkle trees and witnesses for any sizes: what grew proves it, and nothing else does."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import LogError
from sealing.keys import sign_pair_from_seed
from sealing.merkle import (
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    row_of,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from sealing.notes import TYPE_ED25519, Checkpoint, NoteKey, log_origin, read_checkpoint, read_note, sign_checkpoint
from sealing.witness import begin, witness

SIZE_MAX = 600
ROUTER = sign_pair_from_seed(b"r" * 32)
ORIGIN = log_origin("router")
KEYS = (NoteKey(name=ORIGIN, kind=TYPE_ED25519, public=ROUTER.public),)


class Rows:
    """A tree as a store keeps it."""

    def __init__(self, leaves: list[bytes]) -> None:
        frontier = Frontier()
        self.rows = [frontier.append(leaf) for leaf in leaves]

    def node(self, level: int, index: int) -> bytes:
        return self.rows[row_of(level, index)][level]


WHOLE = Rows([leaf_hash(str(number).encode()) for number in range(SIZE_MAX)])


@st.composite
def two_sizes(draw: st.DrawFn) -> tuple[int, int]:
    size = draw(st.integers(1, SIZE_MAX))
    return draw(st.integers(1, size)), size


@given(sizes=two_sizes())
def test_a_tree_that_grew_can_prove_it(sizes: tuple[int, int]) -> None:
    old_size, size = sizes
    verify_consistency(
        old_size=old_size,
        old_root=tree_root(old_size, WHOLE.node),
        size=size,
        root=tree_root(size, WHOLE.node),
        proof=consistency_proof(old_size, size, WHOLE.node),
    )


@given(sizes=two_sizes())
def test_a_leaf_that_is_there_can_prove_it(sizes: tuple[int, int]) -> None:
    number, size = sizes[0] - 1, sizes[1]
    verify_inclusion(
        leaf=WHOLE.node(0, number),
        number=number,
        size=size,
        proof=inclusion_proof(number, size, WHOLE.node),
        root=tree_root(size, WHOLE.node),
    )


@given(sizes=two_sizes(), place=st.integers(0, SIZE_MAX), bit=st.integers(0, 255))
def test_no_bent_proof_is_taken(sizes: tuple[int, int], place: int, bit: int) -> None:
    """One bit of one hash, or one hash too few, and nothing is proved."""
    old_size, size = sizes
    roots = {"old_root": tree_root(old_size, WHOLE.node), "root": tree_root(size, WHOLE.node)}
    proof = consistency_proof(old_size, size, WHOLE.node)
    if not proof:
        return
    at = place % len(proof)
    bent = bytearray(proof[at])
    bent[bit // 8] ^= 1 << bit % 8
    for wrong in ((*proof[:at], bytes(bent), *proof[at + 1 :]), (*proof[:at], *proof[at + 1 :])):
        try:
            verify_consistency(old_size=old_size, size=size, proof=wrong, **roots)
        except LogError:
            continue
        raise AssertionError((old_size, size, at))


@given(
    sizes=st.lists(st.integers(0, SIZE_MAX), min_size=1, max_size=8).map(sorted),
    changed=st.integers(0, SIZE_MAX - 1),
)
def test_a_witness_follows_what_grows_and_stops_at_what_was_rewritten(sizes: list[int], changed: int) -> None:
    """It cosigns each tree in turn; once a leaf that it has covered is another one, it cosigns nothing more."""
    leaves = [row[0] for row in WHOLE.rows]
    evil = Rows([*leaves[:changed], leaf_hash(b"rewritten"), *leaves[changed + 1 :]])
    held = begin(ORIGIN, now_ms=0)
    for size in sizes:
        note = sign_checkpoint(Checkpoint(ORIGIN, size, tree_root(size, WHOLE.node)), signer=ROUTER)
        assert (size, tree_root(size, WHOLE.node)) == read_checkpoint(read_note(note.packed()).text)[1:]
        old_size = held.checkpoint.size
        proof = consistency_proof(old_size, size, WHOLE.node)
        seen = witness(held, note.packed(), old_size=old_size, proof=proof, keys=KEYS, now_ms=0)
        assert seen is not None
        held = seen[0]
    covered = held.checkpoint.size
    note = sign_checkpoint(Checkpoint(ORIGIN, SIZE_MAX, tree_root(SIZE_MAX, evil.node)), signer=ROUTER)
    proof = consistency_proof(covered, SIZE_MAX, evil.node)
    try:
        witness(held, note.packed(), old_size=covered, proof=proof, keys=KEYS, now_ms=0)
    except LogError:
        assert changed < covered
    else:
        assert changed >= covered
