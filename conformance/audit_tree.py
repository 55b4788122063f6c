"""The leaves of an exported log against its openings, its tree and its checkpoints.

Each leaf is told three times: by its entry, by the statement that it commits to, and by its hash in the tree. Where
one differs from the other two, that one was changed; where all agree with each other and not with what was signed and
cosigned, the log was written anew. The tree is computed here once more, in the words of RFC 6962.
"""

from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from typing import Any, Final, NamedTuple

from conformance.audit_reading import Finding, Unpacker, UnreadableError

_HEAD: Final = b"\x00\x24\x92\x01\xc4\x20"  # 36 bytes follow: an array of version 1 and 32 bytes
ENTRY_BYTES: Final = len(_HEAD) + 32
_KEY_BYTES: Final = 32
_HASH_BYTES: Final = 32
_FINDINGS_MAX: Final = 64  # the first ones say where; a log that is all wrong is not listed leaf by leaf


class Files(NamedTuple):
    """The names of the three files of a tree: its entries, what opens them, and its hashes."""

    entries: str
    openings: str
    tree: str


LEAVES: Final = Files("leaves.bin", "openings.bin", "tree.bin")


class Opening(NamedTuple):
    """What a leaf is said to say, and where that stands; ``statement`` is None where it cannot be read."""

    number: int
    commitment: bytes
    statement: tuple[Any, ...] | None
    offset: int
    length: int


@dataclass(slots=True, kw_only=True)
class Tree:
    """What was found: how many leaves are here, the root of each size that was asked for, and the statements."""

    size: int
    router: str
    files: Files = LEAVES
    known: int = 0  # leaves that are here, or whose hash is
    roots: dict[int, bytes] = field(default_factory=dict)
    openings: list[Opening] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def add(self, fault: str, file: str, where: tuple[int, int], text: str, leaf: int) -> None:
        """Note what is wrong; ``where`` is offset and length."""
        if len(self.findings) < _FINDINGS_MAX:
            offset, length = where
            self.findings.append(
                Finding(fault=fault, file=file, offset=offset, length=length, who=self.router, text=text, leaf=leaf)
            )

    def openings_end(self) -> int:
        """Return where the statements end."""
        return self.openings[-1].offset + self.openings[-1].length if self.openings else 0


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash of two neighbours (RFC 6962, 2.1)."""
    return sha256(b"\x01" + left + right).digest()


def fold(peaks: list[bytes]) -> bytes:
    """Return the root over complete nodes of falling height."""
    if not peaks:
        return sha256(b"").digest()
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node(peak, root)
    return root


def read_tree(
    leaves: bytes, openings: bytes, tree: bytes, *, sizes: frozenset[int], router: str, files: Files = LEAVES
) -> Tree:
    """Read the three files of a tree, of leaves or of covers, and judge them against each other.

    Args:
        leaves: The file of entries.
        openings: The file of keys and statements.
        tree: The file of hashes.
        sizes: Those of the checkpoints, or of the covers; their roots are wanted.
        router: Whose log it is.
        files: What the files are called.
    """
    found = Tree(size=len(leaves) // ENTRY_BYTES, router=router, files=files)
    found.openings = _read_openings(openings, found)
    rows = _Rows(tree)
    entries = [leaves[at * ENTRY_BYTES : (at + 1) * ENTRY_BYTES] for at in range(found.size)]
    signed = _judge_leaves(entries, rows, found)
    found.known = len(signed)
    _judge_ends(leaves, found, rows, len(tree))
    _compute(signed, rows, found, sizes)
    return found


def _judge_leaves(entries: list[bytes], rows: "_Rows", found: Tree) -> list[bytes]:
    """Match entries to the tree, leaf by leaf; returns the leaf hashes to go on with, the tree's where they differ."""
    hashes = [sha256(b"\x00" + entry[2:]).digest() for entry in entries]
    hashes += [b"", b""]
    signed: list[bytes] = []
    at = 0
    for number in range(rows.count):
        want = rows.leaf(number)
        # One entry too few or too many shows by its neighbour's being in its place; two swapped ones do not.
        odd = at < len(entries) and hashes[at] != want
        if odd and hashes[at + 1] == want and hashes[at] != rows.leaf(number + 1):
            found.add(
                "forged", found.files.entries, (at * ENTRY_BYTES, ENTRY_BYTES), "an entry that is in no tree", number
            )
            at += 1
        elif at >= len(entries) or (odd and hashes[at] == rows.leaf(number + 1) and hashes[at + 1] != want):
            found.add("dropped", found.files.entries, (at * ENTRY_BYTES, 0), "the leaf is missing here", number)
            signed.append(want)
            continue
        opening = found.openings[number] if number < len(found.openings) else None
        signed.append(_judge_leaf(number, at, entries[at], opening, rows=rows, found=found))
        at += 1
    for extra in range(at, len(entries)):
        signed.append(hashes[extra])
        found.add("dropped", found.files.tree, (rows.end, 0), "no hash of this leaf is in the tree", extra)
    return signed


def _compute(signed: list[bytes], rows: "_Rows", found: Tree, sizes: frozenset[int]) -> None:
    """Compute the tree over the leaves, compare the hashes of its nodes, and keep the roots that are wanted."""
    peaks: list[bytes] = []
    if 0 in sizes:
        found.roots[0] = fold(peaks)
    for number, leaf in enumerate(signed):
        here, index, level = leaf, number, 1
        while index & 1:
            here = node(peaks.pop(), here)
            if rows.at(number, level) != here and number < rows.count:
                where = (rows.offset(number) + level * _HASH_BYTES, _HASH_BYTES)
                found.add("changed", found.files.tree, where, "another hash than that of its two parts", number)
            index >>= 1
            level += 1
        peaks.append(here)
        if number + 1 in sizes:
            found.roots[number + 1] = fold(peaks)


class _Rows:
    """The tree file: for each leaf its hash and those of the nodes it completed."""

    def __init__(self, received: bytes) -> None:
        self._received = received
        self._offsets: list[int] = []
        self._places: dict[bytes, int] | None = None
        offset = number = 0
        while offset < len(received):
            self._offsets.append(offset)
            offset += _HASH_BYTES * (number ^ (number + 1)).bit_length()
            number += 1
        self.count = number
        self.end = offset

    def offset(self, number: int) -> int:
        return self._offsets[number] if number < self.count else len(self._received)

    def at(self, number: int, level: int) -> bytes:
        begin = self.offset(number) + level * _HASH_BYTES
        return self._received[begin : begin + _HASH_BYTES]

    def leaf(self, number: int) -> bytes:
        return self.at(number, 0)

    def place_of(self, leaf: bytes) -> int | None:
        if self._places is None:
            self._places = {self.leaf(number): number for number in range(self.count)}
        return self._places.get(leaf)


def _judge_leaf(number: int, at: int, entry: bytes, opening: Opening | None, *, rows: _Rows, found: Tree) -> bytes:
    """Say which of entry, opening and hash is the odd one out; returns the hash to go on with."""
    here = sha256(b"\x00" + entry[2:]).digest()
    signed = rows.leaf(number)
    where = (at * ENTRY_BYTES, ENTRY_BYTES)
    if opening is None:
        found.add("dropped", found.files.openings, (found.openings_end(), 0), "no statement opens this leaf", number)
        return here
    framed = entry.startswith(_HEAD)
    opens = framed and entry[len(_HEAD) :] == opening.commitment
    if opens and here == signed:
        return here
    if opens:
        found.add(
            "changed", found.files.tree, (rows.offset(number), _HASH_BYTES), "another hash than its leaf's", number
        )
        return here
    if here == signed and framed:
        text = "the statement, or its key, is not what the leaf commits to"
        found.add("changed", found.files.openings, (opening.offset, opening.length), text, number)
        return here
    place = rows.place_of(here)
    if place is not None and place != number and framed:
        found.add("reordered", found.files.entries, where, f"the leaf that belongs at {place}", number)
    elif sha256(b"\x00" + _HEAD[2:] + opening.commitment).digest() == signed:
        found.add("changed", found.files.entries, where, "not what statement and tree say", number)
    else:
        found.add("changed", found.files.entries, where, "entry, statement and tree each say something else", number)
    return signed


def _judge_ends(leaves: bytes, found: Tree, rows: _Rows, tree_bytes: int) -> None:
    rest = len(leaves) % ENTRY_BYTES
    if rest:
        found.add("changed", found.files.entries, (len(leaves) - rest, rest), "no whole leaf at the end", found.size)
    if len(found.openings) > max(found.size, rows.count):
        opening = found.openings[max(found.size, rows.count)]
        found.add(
            "dropped", found.files.entries, (len(leaves) - rest, 0), "a statement without its leaf", opening.number
        )
    if rows.end != tree_bytes:
        found.add(
            "changed",
            found.files.tree,
            (rows.offset(rows.count - 1), tree_bytes),
            "no whole row at the end",
            rows.count - 1,
        )


def _read_openings(received: bytes, found: Tree) -> list[Opening]:
    openings: list[Opening] = []
    at, number = 0, 0
    while at < len(received):
        begin = at + _KEY_BYTES + 2
        size = int.from_bytes(received[begin - 2 : begin], "big")
        statement = received[begin : begin + size]
        if begin > len(received) or len(statement) != size:
            where = (at, len(received) - at)
            found.add("changed", found.files.openings, where, "a statement that ends before it is complete", number)
            break
        message = number.to_bytes(8, "big") + statement
        key = received[at : at + _KEY_BYTES]
        commitment = blake2b(message, digest_size=32, key=key, person=b"sw1 leaf").digest()
        openings.append(Opening(number, commitment, _read_statement(statement), at, begin + size - at))
        at = begin + size
        number += 1
    return openings


def _read_statement(statement: bytes) -> tuple[Any, ...] | None:
    try:
        value = Unpacker.whole(statement)
    except UnreadableError:
        return None  # the commitment tells whether the router wrote it so; then reconciling names it
    return value if isinstance(value, tuple) and value and isinstance(value[0], str) else None


def climb(old_size: int, size: int, old_root: bytes, proof: list[bytes]) -> tuple[bytes, bytes] | None:
    """Return the two roots to which a consistency proof leads (RFC 9162, 2.1.4.2), or None if it leads nowhere."""
    hashes = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not hashes or old_size >= size:
        return None
    here, last = old_size - 1, size - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if not last:
            return None
        if here & 1 or here == last:
            old, new = node(sibling, old), node(sibling, new)
            while here and not here & 1:
                here, last = here >> 1, last >> 1
        else:
            new = node(new, sibling)
        here, last = here >> 1, last >> 1
    return None if last else (old, new)
