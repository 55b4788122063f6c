"""How the files of an exported log are read: strictly, in one spelling each, and always with the place.

A second reader on purpose. It shares no code with the router, the nodes and ``sealing`` but one Ed25519 check, so that
a fault in how they write cannot hide itself in how they are read (docs/spec/audit.md, "Exported log").
"""

import json
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

_DEPTH_MAX: Final = 16
_FILE_BYTES_MAX: Final = 2 * 1024**3  # a log of ten million leaves; beyond this it is cut at checkpoints first
# As many digits as the largest size of the protocol has; int() itself fails beyond 4,300.
SIZE: Final = re.compile(r"0|[1-9][0-9]{0,15}")
_DASH: Final = "\u2014 "
_ENCODER: Final = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        fault: One of changed, dropped, hidden, reordered, forged, unexplained, unreadable.
        file: Below the folder.
        offset: Of the first byte of what is wrong.
        length: How many bytes that is.
        who: By whom: the party whose file or signature it is.
        text: What is wrong.
        leaf: Its number, where it is about one.
    """

    fault: str
    file: str
    offset: int
    length: int
    who: str
    text: str
    leaf: int | None = None

    def line(self) -> str:
        """Return the finding for people."""
        leaf = "" if self.leaf is None else f", leaf {self.leaf}"
        line = f"{self.fault}: {self.file}, byte {self.offset}{leaf}: {self.text} (by {self.who})"
        # Names of files and agencies are whatever the folder's maker chose: nothing that a terminal would obey.
        return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)


class UnreadableError(Exception):
    """Bytes that are not what their file should hold; ``offset`` counts from where the reader was put."""

    def __init__(self, text: str, *, offset: int = 0) -> None:
        super().__init__(text)
        self.offset = offset


class SignatureLine(NamedTuple):
    """One signature line of a note, and where it stands."""

    name: str
    key_id: bytes
    signature: bytes
    offset: int
    length: int


class NoteText(NamedTuple):
    """A note: its signed text, the three lines of it, and its signatures."""

    text: bytes
    origin: str
    size: int
    root: bytes
    signatures: tuple[SignatureLine, ...]


def read_bytes(path: Path) -> bytes:
    """Read a file whole.

    Raises:
        UnreadableError: If it is missing, no file, or larger than any that we write.
    """
    try:
        if path.stat().st_size > _FILE_BYTES_MAX:
            _refuse("larger than any file of a log")
        return path.read_bytes()
    except OSError as error:
        msg = f"cannot be read: {error.strerror}"
        raise UnreadableError(msg) from error


class Unpacker:
    """Reads the arrays of the protocol: msgpack without maps, floats and extensions, each value in its fewest bytes."""

    def __init__(self, received: bytes) -> None:
        self._received = received
        self._at = 0

    @classmethod
    def whole(cls, received: bytes) -> Any:
        """Return the one value that the bytes hold.

        Raises:
            UnreadableError: If they hold none, another spelling of one, or more.
        """
        reader = cls(received)
        value = reader._value(0)
        if reader._at != len(received):
            _refuse("bytes follow after the end", offset=reader._at)
        return value

    def _take(self, count: int) -> bytes:
        taken = self._received[self._at : self._at + count]
        if len(taken) != count:
            _refuse("ends before it is complete", offset=self._at)
        self._at += count
        return taken

    def _number(self, size: int, least: int) -> int:
        number = int.from_bytes(self._take(size), "big")
        if number < least:
            _refuse("a number or length in more bytes than it needs", offset=self._at)
        return number

    def _value(self, depth: int) -> Any:
        lead = self._take(1)[0]
        match lead >> 4:
            case 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7:
                return lead
            case 9:
                return self._array(lead & 0x0F, depth)
            case 10 | 11:
                return self._text(lead & 0x1F)
            case _:
                return self._long_value(lead, depth)

    def _long_value(self, lead: int, depth: int) -> Any:
        match lead:
            case 0xC0:
                return None
            case 0xC4 | 0xC5 | 0xC6:
                return self._take(self._number(1 << lead - 0xC4, (0, 0x100, 0x10000)[lead - 0xC4]))
            case 0xCC | 0xCD | 0xCE | 0xCF:
                return self._number(1 << lead - 0xCC, (0x80, 0x100, 0x10000, 0x100000000)[lead - 0xCC])
            case 0xD9 | 0xDA | 0xDB:
                return self._text(self._number(1 << lead - 0xD9, (0x20, 0x100, 0x10000)[lead - 0xD9]))
            case 0xDC | 0xDD:
                return self._array(self._number(2 << lead - 0xDC, (0x10, 0x10000)[lead - 0xDC]), depth)
            case _:
                return _refuse(f"the byte {lead:02x} begins nothing that may stand here", offset=self._at - 1)

    def _array(self, count: int, depth: int) -> tuple[Any, ...]:
        if depth >= _DEPTH_MAX or count > len(self._received) - self._at:
            _refuse("an array too deep, or of more items than there are bytes", offset=self._at)
        return tuple(self._value(depth + 1) for _ in range(count))

    def _text(self, count: int) -> str:
        try:
            return self._take(count).decode()
        except UnicodeDecodeError as error:
            msg = "a text that is not UTF-8"
            raise UnreadableError(msg, offset=self._at - count) from error


def read_note(received: bytes) -> NoteText:
    """Read a signed note of three lines (C2SP signed-note, tlog-checkpoint); nothing of it is proved.

    Raises:
        UnreadableError: If it is in any but the one spelling.
    """
    text, found, signed = received.rpartition(b"\n\n")
    if not found or not signed.endswith(b"\n"):
        _refuse("no note: a text, an empty line, and signature lines")
    text += b"\n"
    lines = _text(text, 0).split("\n")
    if len(lines) != len(("origin", "size", "root", "")) or not lines[0]:
        _refuse("a note's text is three lines: origin, size, root")
    if not SIZE.fullmatch(lines[1]):
        _refuse("a size that is no decimal number", offset=len(lines[0].encode()) + 1)
    signatures: list[SignatureLine] = []
    offset = len(text) + 1
    for line in signed[:-1].split(b"\n"):
        signatures.append(_read_line(line, offset))
        offset += len(line) + 1
    return NoteText(text, lines[0], int(lines[1]), unbase64(lines[2], length=32), tuple(signatures))


def _read_line(line: bytes, offset: int) -> SignatureLine:
    words = _text(line, offset)
    name, found, encoded = words.removeprefix(_DASH).partition(" ")
    if not words.startswith(_DASH) or not found or not name:
        _refuse("no signature line", offset=offset)
    blob = unbase64(encoded, offset=offset)
    return SignatureLine(name, blob[:4], blob[4:], offset, len(line) + 1)


def unbase64(encoded: str, *, length: int | None = None, offset: int = 0) -> bytes:
    """Return what base64 says, in its one spelling.

    Raises:
        UnreadableError: If it is another spelling, or not of this length.
    """
    try:
        found = b64decode(encoded, validate=True)
    except (Base64Error, ValueError) as error:
        msg = "what should be base64 is not"
        raise UnreadableError(msg, offset=offset) from error
    if b64encode(found).decode() != encoded or (length is not None and len(found) != length):
        _refuse("base64 in another spelling, or of another length", offset=offset)
    return found


def canonical(value: Any) -> str:
    """Return JSON in the one spelling that our files have."""
    return _ENCODER.encode(value)


def read_line(line: bytes, names: frozenset[str]) -> dict[str, Any]:
    """Read one line of JSON, an object with exactly these names, in its one spelling.

    Raises:
        UnreadableError: If it is not.
    """
    try:
        value = json.loads(line)
        # Half a character, which JSON can write and UTF-8 cannot, fails here.
        spelt = canonical(value).encode()
    except (ValueError, RecursionError) as error:
        msg = "no line of JSON"
        raise UnreadableError(msg) from error
    if not isinstance(value, dict) or value.keys() != names or spelt != line:
        _refuse("not the fields that stand here, or in another spelling")
    return value


class SigningKey(NamedTuple):
    """A key of the bundle and when it holds, Unix ms; ``revoked`` is None or the time from which it does not."""

    public: bytes
    not_before: int
    expires: int
    revoked: int | None

    def holds(self, at_ms: int) -> bool:
        """Tell whether the key counted at this time."""
        return self.not_before <= at_ms < self.expires and (self.revoked is None or at_ms < self.revoked)


class Keys(NamedTuple):
    """Whose keys are whose, by the bundle."""

    routers: dict[str, tuple[SigningKey, ...]]
    agencies: dict[str, tuple[SigningKey, ...]]


_BUNDLE_AGENCIES, _BUNDLE_ROUTERS = 8, 9  # places in the array of need-to-know.md, "Bundle"
_AGENCY_KEYS: Final = 10


def read_keys(bundle: bytes) -> Keys:
    """Return the keys that a bundle's bytes name; their signatures were checked before.

    Raises:
        UnreadableError: If it is no bundle.
    """
    value = Unpacker.whole(bundle)
    try:
        routers: dict[str, tuple[SigningKey, ...]] = {}
        for router, key in value[_BUNDLE_ROUTERS]:
            routers[router] = (*routers.get(router, ()), SigningKey(*key))
        agencies = {
            agency[0]: tuple(SigningKey(*key) for key in agency[_AGENCY_KEYS]) for agency in value[_BUNDLE_AGENCIES]
        }
    except (TypeError, IndexError, ValueError) as error:
        msg = "no community bundle"
        raise UnreadableError(msg) from error
    return Keys(routers, agencies)


def key_id(name: str, kind: int, public: bytes) -> bytes:
    """Return the four bytes that name a key on a signature line."""
    return sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def _text(received: bytes, offset: int) -> str:
    try:
        text = received.decode()
    except UnicodeDecodeError as error:
        msg = "a text that is not UTF-8"
        raise UnreadableError(msg, offset=offset + error.start) from error
    if any(char < " " and char != "\n" for char in text):
        _refuse("a control character", offset=offset)
    return text


def _refuse(text: str, *, offset: int = 0) -> NoReturn:
    raise UnreadableError(text, offset=offset)


@dataclass(slots=True)
class Audit:
    """One run over one folder: what it trusts, and what it has found so far."""

    folder: Path
    keys: Keys
    findings: list[Finding] = field(default_factory=list)
    cosignatures: int = 0
    cosigned_covers: int = 0

    def add(self, fault: str, file: str, where: tuple[int, int], who: str, text: str) -> None:
        """Note what is wrong; ``where`` is offset and length."""
        offset, length = where
        self.findings.append(Finding(fault=fault, file=file, offset=offset, length=length, who=who, text=text))

    def read(self, file: str, who: str, reader: Callable[[bytes], T]) -> T | None:
        """Read a file; None, and a finding, where it cannot be."""
        received = b""
        try:
            received = read_bytes(self.folder / file)
            return reader(received)
        except UnreadableError as error:
            self.add("unreadable", file, (0, len(received)), who, f"{error} at byte {error.offset}")
            return None

    def names(self, folder: str, suffix: str) -> list[str]:
        """Return the files of a kind, in order of their names."""
        return sorted(path.name.removesuffix(suffix) for path in (self.folder / folder).glob(f"*{suffix}"))
