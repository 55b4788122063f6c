"""A second reader of the encoding, written from docs/spec/envelope.md alone, with no library's help.

Where it and ``schemas.codec`` disagree on any bytes, the specification has left something open. It is slow and small on
purpose: whoever writes a reader in another language can read it beside the page.
"""

from typing import Final, NamedTuple, TypeAlias

from schemas.errors import Code, RemoteError
from schemas.limits import ARRAY_ITEMS_MAX, NESTING_DEPTH_MAX

Value: TypeAlias = "int | str | bytes | tuple[Value, ...] | bool | float | None"

# Length bytes behind a format byte: binary, text, array.
_BINARY: Final = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_TEXT: Final = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_ARRAY: Final = {0xDC: 2, 0xDD: 4}
_UNSIGNED: Final = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
_SIGNED: Final = {0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
_FLOAT: Final = {0xCA: 4, 0xCB: 8}
# Maps, extensions and the byte that is never used.
_FOREIGN: Final = frozenset({*range(0x80, 0x90), 0xC1, *range(0xC7, 0xCA), *range(0xD4, 0xD9), 0xDE, 0xDF})
_CONSTANTS: Final[dict[int, bool | None]] = {0xC0: None, 0xC2: False, 0xC3: True}
_FIXED_INTEGER_LAST: Final = 0x7F
_FIXED_ARRAY: Final = 0x90
_FIXED_TEXT: Final = 0xA0
_NEGATIVE_FIRST: Final = 0xE0
_DOUBLE_BYTES: Final = 8


class _Array(NamedTuple):
    """The head of an array."""

    items: int


class _Reader:
    """Reads one structure and notes on the way whether every part is in its shortest form."""

    def __init__(self, received: bytes) -> None:
        self._received = received
        self._at = 0
        self.shortest = True

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self._received) - self._at

    def _take(self, count: int) -> bytes:
        if count > self.left:
            msg = "the end comes early"
            raise RemoteError(Code.TRUNCATED, msg)
        self._at += count
        return self._received[self._at - count : self._at]

    def _number(self, size: int, *, least: int) -> int:
        number = int.from_bytes(self._take(size), "big")
        # A length or number that fits the next smaller form was written too long.
        self.shortest &= number >= least
        return number

    def value(self) -> Value:
        """Read one value; arrays wait on a list of our own, since they nest deeper than calls may."""
        open_arrays: list[tuple[int, list[Value]]] = []
        while True:
            read: Value | _Array = self._one()
            if isinstance(read, _Array):
                if len(open_arrays) >= NESTING_DEPTH_MAX:
                    msg = "nested too deeply"
                    raise RemoteError(Code.DEPTH, msg)
                if read.items:
                    open_arrays.append((read.items, []))
                    continue
                read = ()
            while open_arrays:
                count, items = open_arrays[-1]
                items.append(read)
                if len(items) < count:
                    break
                open_arrays.pop()
                read = tuple(items)
            else:
                return read

    def _one(self) -> "Value | _Array":
        """Read one value, or the head of an array."""
        head = self._take(1)[0]
        if head in _FOREIGN:
            msg = "a type that may not stand here"
            raise RemoteError(Code.BAD_TYPE, msg)
        if head <= _FIXED_INTEGER_LAST:
            return head
        if head >= _NEGATIVE_FIRST:
            return head - 256
        if head in _CONSTANTS:
            return _CONSTANTS[head]
        if head & 0xF0 == _FIXED_ARRAY:
            return self._array(head & 0x0F)
        if head & 0xE0 == _FIXED_TEXT:
            return self._text(head & 0x1F)
        return self._long(head)

    def _long(self, head: int) -> "Value | _Array":
        if head in _BINARY:
            size = _BINARY[head]
            return self._take(self._number(size, least={1: 0, 2: 1 << 8, 4: 1 << 16}[size]))
        if head in _TEXT:
            size = _TEXT[head]
            return self._text(self._number(size, least={1: 32, 2: 1 << 8, 4: 1 << 16}[size]))
        if head in _ARRAY:
            size = _ARRAY[head]
            return self._array(self._number(size, least={2: 16, 4: 1 << 16}[size]))
        if head in _UNSIGNED:
            size = _UNSIGNED[head]
            return self._number(size, least={1: 1 << 7, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32}[size])
        if head in _SIGNED:
            size = _SIGNED[head]
            number = int.from_bytes(self._take(size), "big", signed=True)
            self.shortest &= number < {1: -(1 << 5), 2: -(1 << 7), 4: -(1 << 15), 8: -(1 << 31)}[size]
            return number
        # A float of 64 bits is well-formed, and no field's type; one of 32 is a second spelling of it.
        self.shortest &= _FLOAT[head] == _DOUBLE_BYTES
        self._take(_FLOAT[head])
        return 0.0

    def _text(self, size: int) -> str:
        try:
            return self._take(size).decode("utf-8")
        except UnicodeDecodeError as error:
            msg = "a text is not UTF-8"
            raise RemoteError(Code.BAD_UTF8, msg) from error

    def _array(self, count: int) -> "_Array":
        if count > ARRAY_ITEMS_MAX:
            code = Code.LIMIT if count <= len(self._received) else Code.TRUNCATED
            msg = "too many items"
            raise RemoteError(code, msg)
        return _Array(count)


def decode(received: bytes, *, bytes_max: int) -> Value:
    """Read bytes as the specification says.

    Raises:
        RemoteError: As ``schemas.codec.unpack``.
    """
    if len(received) > bytes_max:
        msg = "too long"
        raise RemoteError(Code.TOO_BIG, msg)
    reader = _Reader(received)
    value = reader.value()
    if reader.left:
        msg = "bytes follow"
        raise RemoteError(Code.TRAILING, msg)
    if not reader.shortest:
        msg = "not the shortest form"
        raise RemoteError(Code.NOT_CANONICAL, msg)
    return value
