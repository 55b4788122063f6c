"""The Merkle tree against the definition of RFC 6962, its published vectors, and every way to bend a proof."""

from collections.abc import Sequence
from hashlib import sha256

import pytest

from schemas.errors import LogError, LogFault
from sealing.merkle import (
    EMPTY_ROOT,
    PROOF_HASHES_MAX,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    row_of,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

# The inputs and roots that implementations of Certificate Transparency share.
CT_INPUTS = (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)  # fmt: skip
CT_ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
CT_INCLUSION = (  # leaf, size, proof
    (0, 1, ()),
    (0, 8, (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    )),
    (5, 8, (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    )),
    (2, 3, ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",)),
    (1, 5, (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    )),
)  # fmt: skip
CT_CONSISTENCY = (  # old size, size, proof
    (1, 1, ()),
    (1, 8, (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    )),
    (6, 8, (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    )),
    (2, 5, (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    )),
)  # fmt: skip


class Tree:
    """A whole tree in memory, as a store keeps it: one row of hashes for each leaf."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self.frontier = Frontier()
        self.rows = [self.frontier.append(leaf_hash(entry)) for entry in entries]

    def node(self, level: int, index: int) -> bytes:
        return self.rows[row_of(level, index)][level]


def entries_of(count: int) -> list[bytes]:
    return [f"entry {number}".encode() for number in range(count)]


def defined_root(entries: Sequence[bytes]) -> bytes:
    """Compute MTH as RFC 6962 writes it, without any of our code."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0]).digest()
    split = 1
    while split * 2 < len(entries):
        split *= 2
    return sha256(b"\x01" + defined_root(entries[:split]) + defined_root(entries[split:])).digest()


def defined_path(number: int, entries: Sequence[bytes]) -> list[bytes]:
    """Compute PATH(m, D[n]) as RFC 6962, 2.1.1 writes it."""
    if len(entries) == 1:
        return []
    split = 1
    while split * 2 < len(entries):
        split *= 2
    if number < split:
        return [*defined_path(number, entries[:split]), defined_root(entries[split:])]
    return [*defined_path(number - split, entries[split:]), defined_root(entries[:split])]


def defined_subproof(old: int, entries: Sequence[bytes], *, whole: bool) -> list[bytes]:
    """Compute SUBPROOF(m, D[n], b) as RFC 6962, 2.1.2 writes it."""
    if old == len(entries):
        return [] if whole else [defined_root(entries)]
    split = 1
    while split * 2 < len(entries):
        split *= 2
    if old <= split:
        return [*defined_subproof(old, entries[:split], whole=whole), defined_root(entries[split:])]
    return [*defined_subproof(old - split, entries[split:], whole=False), defined_root(entries[:split])]


def unhex(proof: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(item) for item in proof)


def test_the_roots_are_those_of_certificate_transparency() -> None:
    entries = [bytes.fromhex(text) for text in CT_INPUTS]

    assert list(CT_ROOTS) == [Tree(entries[:size]).frontier.root().hex() for size in range(9)]


@pytest.mark.parametrize(("number", "size", "proof"), CT_INCLUSION)
def test_inclusion_proofs_are_those_of_certificate_transparency(number: int, size: int, proof: tuple[str, ...]) -> None:
    entries = [bytes.fromhex(text) for text in CT_INPUTS]

    assert unhex(proof) == inclusion_proof(number, size, Tree(entries).node)
    verify_inclusion(
        leaf=leaf_hash(entries[number]),
        number=number,
        size=size,
        proof=unhex(proof),
        root=bytes.fromhex(CT_ROOTS[size]),
    )


@pytest.mark.parametrize(("old_size", "size", "proof"), CT_CONSISTENCY)
def test_consistency_proofs_are_those_of_certificate_transparency(
    old_size: int, size: int, proof: tuple[str, ...]
) -> None:
    entries = [bytes.fromhex(text) for text in CT_INPUTS]

    assert unhex(proof) == consistency_proof(old_size, size, Tree(entries).node)
    verify_consistency(
        old_size=old_size,
        old_root=bytes.fromhex(CT_ROOTS[old_size]),
        size=size,
        root=bytes.fromhex(CT_ROOTS[size]),
        proof=unhex(proof),
    )


def test_every_size_to_a_thousand_has_the_root_of_the_definition() -> None:
    entries = entries_of(1_000)
    tree = Frontier()
    whole = Tree(entries)
    for size, entry in enumerate(entries, start=1):
        tree.append(leaf_hash(entry))
        root = tree.root()

        assert tree_root(size, whole.node) == root
        # The definition costs n hashes a size, so it is asked for every size to 130 and then for every seventh.
        if size <= 130 or size % 7 == 0 or size == 1_000:
            assert defined_root(entries[:size]) == root


def test_every_proof_of_every_tree_to_seventy_is_that_of_the_definition() -> None:
    entries = entries_of(70)
    node = Tree(entries).node
    roots = [defined_root(entries[:size]) for size in range(71)]
    for size in range(1, 71):
        for number in range(size):
            path = inclusion_proof(number, size, node)
            assert tuple(defined_path(number, entries[:size])) == path
            verify_inclusion(leaf=leaf_hash(entries[number]), number=number, size=size, proof=path, root=roots[size])
            proof = consistency_proof(number + 1, size, node)
            assert tuple(defined_subproof(number + 1, entries[:size], whole=True)) == proof
            verify_consistency(
                old_size=number + 1, old_root=roots[number + 1], size=size, root=roots[size], proof=proof
            )


def test_a_frontier_that_was_kept_goes_on_as_the_first_one() -> None:
    entries = entries_of(200)
    whole = Tree(entries)
    for size in (0, 1, 2, 63, 64, 65, 127, 199):
        restored = Frontier.restore(size, whole.node)
        rows = [restored.append(leaf_hash(entry)) for entry in entries[size:]]

        assert whole.rows[size:] == rows
        assert whole.frontier.root() == restored.root()


def test_the_empty_tree_is_the_hash_of_nothing() -> None:
    assert sha256(b"").digest() == EMPTY_ROOT == Frontier().root() == tree_root(0, Tree([]).node)


def test_a_leaf_that_looks_like_a_node_has_another_hash() -> None:
    left, right = leaf_hash(b"left"), leaf_hash(b"right")

    assert node_hash(left, right) != leaf_hash(left + right)


@pytest.mark.parametrize("size", [2, 3, 5, 8, 13])
def test_a_bent_inclusion_proof_is_refused(size: int) -> None:
    entries = entries_of(size)
    tree = Tree(entries)
    root = tree.frontier.root()
    for number in range(size):
        leaf = leaf_hash(entries[number])
        proof = inclusion_proof(number, size, tree.node)
        bent = [
            (leaf_hash(b"another"), number, size, proof, root),
            (leaf, number, size, proof[:-1], root),
            (leaf, number, size, (*proof, root), root),
            (leaf, number, size, tuple(reversed(proof)) if len(set(proof)) > 1 else (), root),
            (leaf, number, size, proof, leaf_hash(b"root")),
            (leaf, size, size, proof, root),
            (leaf, -1, size, proof, root),
            (leaf, number, size, tuple(item[:31] for item in proof), root),
            *((leaf, other, size, proof, root) for other in range(size) if other != number),
        ]
        for bent_leaf, bent_number, bent_size, bent_proof, bent_root in bent:
            with pytest.raises(LogError) as caught:
                verify_inclusion(leaf=bent_leaf, number=bent_number, size=bent_size, proof=bent_proof, root=bent_root)
            assert LogFault.PROOF == caught.value.fault


@pytest.mark.parametrize(("old_size", "size"), [(1, 2), (2, 3), (3, 5), (4, 8), (6, 7), (7, 13), (12, 13)])
def test_a_bent_consistency_proof_is_refused(old_size: int, size: int) -> None:
    tree = Tree(entries_of(size))
    old_root, root = tree_root(old_size, tree.node), tree.frontier.root()
    proof = consistency_proof(old_size, size, tree.node)
    flipped = [
        (*proof[:place], bytes([proof[place][0] ^ 1]) + proof[place][1:], *proof[place + 1 :])
        for place in range(len(proof))
    ]
    bent = [
        (old_size, leaf_hash(b"x"), size, root, proof),
        (old_size, old_root, size, leaf_hash(b"x"), proof),
        (old_size, old_root, size, root, proof[:-1]),
        (old_size, old_root, size, root, proof[1:]),
        (old_size, old_root, size, root, (*proof, root)),
        (old_size, old_root, size, root, ()),
        (size, root, old_size, old_root, proof),
        (-1, old_root, size, root, proof),
        *((old_size, old_root, size, root, item) for item in flipped),
    ]
    for bent_old, bent_old_root, bent_size, bent_root, bent_proof in bent:
        with pytest.raises(LogError) as caught:
            verify_consistency(
                old_size=bent_old, old_root=bent_old_root, size=bent_size, root=bent_root, proof=bent_proof
            )
        assert LogFault.PROOF == caught.value.fault


def test_the_empty_tree_and_a_tree_itself_need_no_proof() -> None:
    tree = Tree(entries_of(5))
    root = tree.frontier.root()
    verify_consistency(old_size=0, old_root=EMPTY_ROOT, size=5, root=root, proof=())
    verify_consistency(old_size=5, old_root=root, size=5, root=root, proof=())
    for old_size, old_root, proof in ((0, root, ()), (0, EMPTY_ROOT, (root,)), (5, EMPTY_ROOT, ()), (5, root, (root,))):
        with pytest.raises(LogError):
            verify_consistency(old_size=old_size, old_root=old_root, size=5, root=root, proof=proof)


def test_a_proof_has_at_most_63_hashes() -> None:
    hashes = (EMPTY_ROOT,) * (PROOF_HASHES_MAX + 1)
    for proof in (hashes, hashes[1:]):
        with pytest.raises(LogError):
            verify_consistency(old_size=3, old_root=EMPTY_ROOT, size=2**62, root=EMPTY_ROOT, proof=proof)


def test_no_proof_is_made_for_what_is_not_there() -> None:
    tree = Tree(entries_of(4))
    with pytest.raises(LogError):
        inclusion_proof(4, 4, tree.node)
    with pytest.raises(LogError):
        consistency_proof(5, 4, tree.node)


def test_a_row_names_the_leaf_that_completed_a_node() -> None:
    tree = Tree(entries_of(64))

    assert [row_of(0, 5), row_of(1, 2), row_of(3, 0), row_of(6, 0)] == [5, 5, 7, 63]
    assert [(number ^ (number + 1)).bit_length() for number in range(64)] == [len(row) for row in tree.rows]
