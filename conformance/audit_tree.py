"""The leaves of an exported log against its openings, its tree and its checkpoints.

Each leaf is told three times: by its entry, by the statement that it commits to, and by its hash in the tree. Where
one differs from the other two, that one was changed; where all agree with each other and not with what was signed and
cosigned, the log was written anew. The tree is computed here once more, in the words of RFC 6962.
"""

from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from typing import Any, Final, NamedTuple

from conformance.audit_reading import Finding, UnreadableError, Unpacker

LEAVES_FILE: Final = "leaves.bin"
OPENINGS_FILE: Final = "openings.bin"
TREE_FILE: Final = "tree.bin"
_HEAD: Final = b"\x00\x24\x92\x01\xc4\x20"  # 36 bytes follow: an array of version 1 and 32 bytes
_ENTRY_BYTES: Final = len(_HEAD) + 32
_KEY_BYTES: Final = 32
_HASH_BYTES: Final = 32
_FINDINGS_MAX: Final = 64  # the first ones say where; a log that is all wrong is not listed leaf by leaf


class Opening(NamedTuple):
    """What a leaf is said to say, and where that stands; ``statement`` is None where it cannot be read."""

    number: int
    commitment: bytes
    statement: tuple[Any, ...] | None
    offset: int
    length: int


@dataclass(slots=True)
class Tree:
    """What was found: the root of each size that was asked for, and the statements."""

    size: int = 0
    roots: dict[int, bytes] = field(default_factory=dict)
    openings: list[Opening] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    stated: int = 0  # how many leaves the tree file knows of


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


def read_tree(leaves: bytes, openings: bytes, tree: bytes, *, sizes: frozenset[int], router: str) -> Tree:
    """Read the three files of leaves and judge them against each other.

    Args:
        leaves: The file of entries.
        openings: The file of keys and statements.
        tree: The file of hashes.
        sizes: Those of the checkpoints; their roots are wanted.
        router: Whose log it is.
    """
    found = Tree(size=len(leaves) // _ENTRY_BYTES)
    found.openings = _read_openings(openings, found.findings, router)
    rows = _Rows(tree)
    found.stated = rows.count
    peaks: list[bytes] = []
    if 0 in sizes:
        found.roots[0] = fold([])
    for number in range(found.size):
        entry = leaves[number * _ENTRY_BYTES : (number + 1) * _ENTRY_BYTES]
        here = sha256(b"\x00" + entry[2:]).digest()
        opening = found.openings[number] if number < len(found.openings) else None
        if opening is None or entry[len(_HEAD) :] != opening.commitment or not entry.startswith(_HEAD):
            # Computed as it was signed, so that one changed entry is one finding and no more.
            here = _judge_leaf(number, entry, here, opening, rows, found, router)
        elif here != rows.leaf(number):
            _add(found, "changed", TREE_FILE, rows.offset(number), _HASH_BYTES, router, "another hash than its leaf's", number)
        peaks.append(here)
        level, index = 1, number
        while index & 1:
            right, left = peaks.pop(), peaks.pop()
            here = node(left, right)
            if rows.at(number, level) != here:
                offset = rows.offset(number) + level * _HASH_BYTES
                _add(found, "changed", TREE_FILE, offset, _HASH_BYTES, router, "another hash than that of its two parts", number)
            peaks.append(here)
            index >>= 1
            level += 1
        if number + 1 in sizes:
            found.roots[number + 1] = fold(peaks)
    _judge_ends(leaves, found, rows, len(tree), router)
    return found


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


def _judge_leaf(
    number: int, entry: bytes, here: bytes, opening: Opening | None, rows: _Rows, found: Tree, router: str
) -> bytes:
    """Say which of entry, opening and hash is the odd one out; returns the hash to go on with."""
    signed = rows.leaf(number)
    offset = number * _ENTRY_BYTES
    if opening is None:
        _add(found, "dropped", OPENINGS_FILE, _end(found), 0, router, "no statement opens this leaf", number)
        return here
    said = sha256(b"\x00" + _HEAD[2:] + opening.commitment).digest()
    if here == signed and entry[:2] == _HEAD[:2]:
        text = "the statement, or its key, is not what the leaf commits to"
        _add(found, "changed", OPENINGS_FILE, opening.offset, opening.length, router, text, number)
        return here
    place = rows.place_of(here)
    if place is not None and place != number and entry.startswith(_HEAD):
        _add(found, "reordered", LEAVES_FILE, offset, _ENTRY_BYTES, router, f"stands where leaf {place} should", number)
    elif said == signed:
        _add(found, "changed", LEAVES_FILE, offset, _ENTRY_BYTES, router, "not what statement and tree say", number)
    else:
        text = "entry, statement and tree each say something else"
        _add(found, "changed", LEAVES_FILE, offset, _ENTRY_BYTES, router, text, number)
    return signed or here


def _judge_ends(leaves: bytes, found: Tree, rows: _Rows, tree_bytes: int, router: str) -> None:
    rest = len(leaves) % _ENTRY_BYTES
    if rest:
        _add(found, "changed", LEAVES_FILE, len(leaves) - rest, rest, router, "no whole leaf at the end", found.size)
    if len(found.openings) > found.size:
        opening = found.openings[found.size]
        text = f"{len(found.openings) - found.size} statements more than leaves"
        _add(found, "dropped", LEAVES_FILE, len(leaves) - rest, 0, router, text, opening.number)
    if rows.count != found.size or rows.end != tree_bytes:
        text = f"hashes of {rows.count} leaves where there are {found.size}"
        _add(found, "dropped", TREE_FILE, tree_bytes, 0, router, text, min(rows.count, found.size))


def _read_openings(received: bytes, findings: list[Finding], router: str) -> list[Opening]:
    openings: list[Opening] = []
    at, number = 0, 0
    while at < len(received):
        begin = at + _KEY_BYTES + 2
        size = int.from_bytes(received[begin - 2 : begin], "big")
        statement = received[begin : begin + size]
        if begin > len(received) or len(statement) != size:
            findings.append(
                Finding(
                    fault="changed", file=OPENINGS_FILE, offset=at, length=len(received) - at, who=router,
                    text="a statement that ends before it is complete", leaf=number,
                )
            )  # fmt: skip
            break
        key = received[at : at + _KEY_BYTES]
        message = number.to_bytes(8, "big") + statement
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


def _end(found: Tree) -> int:
    return found.openings[-1].offset + found.openings[-1].length if found.openings else 0


def _add(found: Tree, fault: str, file: str, offset: int, length: int, who: str, text: str, leaf: int) -> None:
    if len(found.findings) < _FINDINGS_MAX:
        found.findings.append(
            Finding(fault=fault, file=file, offset=offset, length=length, who=who, text=text, leaf=leaf)
        )


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
