"""The canonical codec: the only file that names msgpack (docs/spec/envelope.md, "Encoding").

Everything signed or hashed is a msgpack array of exact length, read once from the bytes as received. Maps, extension
types and every second spelling of a value are refused, since two readers of the same signed bytes must never see two
messages: msgpack readers keep the last of duplicate keys and accept integers in more bytes than they need.
"""

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

import msgpack
from pydantic import ConfigDict, TypeAdapter, ValidationError

from schemas.errors import Code, RemoteError
from schemas.limits import ARRAY_ITEMS_MAX
from schemas.positional import Build, NoPositionalFormError, positional

_ARRAY_TOO_LONG: Final = re.compile(r"(\d+) exceeds max_array_len")

T = TypeVar("T")

# Kept, since making one costs as much as packing a small array. It holds nothing between two calls, and no other
# thread can come between inside one: packing the types that we pack never runs Python code.
_write: Final = msgpack.Packer(use_bin_type=True).pack

STRICT: Final = ConfigDict(strict=True, hide_input_in_errors=True)


def pack(value: Any) -> bytes:
    """Encode nested tuples of int, str, bytes and None in the one canonical way."""
    packed: bytes = _write(value)
    return packed


def unpack(received: bytes, *, bytes_max: int) -> Any:
    """Decode canonical bytes into nested tuples.

    Args:
        received: The bytes exactly as they came; they are what a signature covers.
        bytes_max: The limit of this shape, checked before anything is parsed.

    Raises:
        RemoteError: In this order TOO_BIG, then TRUNCATED, TRAILING, BAD_TYPE, DEPTH, BAD_UTF8 or LIMIT, then
            NOT_CANONICAL.
    """
    if len(received) > bytes_max:
        msg = f"{len(received)} bytes where at most {bytes_max} are allowed"
        raise RemoteError(Code.TOO_BIG, msg)
    value = _parse(received)
    # "A receiver MUST refuse bytes that do not equal the canonical encoding of what they decode to."
    if _write(value) != received:
        msg = "the bytes are not the canonical encoding of what they say"
        raise RemoteError(Code.NOT_CANONICAL, msg)
    return value


def _parse(received: bytes) -> Any:
    try:
        return msgpack.unpackb(
            received,
            raw=False,
            use_list=False,
            max_array_len=ARRAY_ITEMS_MAX,
            max_map_len=0,
            max_ext_len=0,
            object_pairs_hook=_refuse_map,
            ext_hook=_refuse_extension,
        )
    except RemoteError:
        raise
    except msgpack.ExtraData as error:
        msg = "bytes follow after the end of the message"
        raise RemoteError(Code.TRAILING, msg) from error
    except msgpack.StackError as error:
        msg = "arrays are nested too deeply"
        raise RemoteError(Code.DEPTH, msg) from error
    except UnicodeDecodeError as error:
        msg = "a text is not UTF-8"
        raise RemoteError(Code.BAD_UTF8, msg) from error
    except ValueError as error:
        raise _value_error(error, len(received)) from error


def _value_error(error: ValueError, size: int) -> RemoteError:
    """Sort msgpack's ValueErrors: a length limit, a foreign format byte, or an early end of input."""
    text = str(error)
    too_long = _ARRAY_TOO_LONG.match(text)
    # An item takes a byte at least, so an array of more items than there are bytes is one that ends too early.
    if too_long and int(too_long[1]) <= size:
        return RemoteError(Code.LIMIT, f"an array of {too_long[1]} items where at most {ARRAY_ITEMS_MAX} are allowed")
    if "exceeds max_map_len" in text or "exceeds max_ext_len" in text or isinstance(error, msgpack.FormatError):
        return RemoteError(Code.BAD_TYPE, "a map, an extension or a reserved byte stands in the message")
    return RemoteError(Code.TRUNCATED, "the message ends before it is complete")


def _refuse_map(_pairs: Any) -> NoReturn:
    msg = "a map stands where only arrays may"
    raise RemoteError(Code.BAD_TYPE, msg)


def _refuse_extension(_code: int, _payload: bytes) -> NoReturn:
    msg = "an extension type stands in the message"
    raise RemoteError(Code.BAD_TYPE, msg)


class _Checker(NamedTuple):
    """How a shape is checked: by place if it can be, and by name to say where a value does not fit."""

    check: Callable[[Any], Any] | None
    build: Build | None
    named: TypeAdapter[Any]


# One checker per shape; shapes are the classes of this room, so the table is as small as the room.
_checkers: dict[Any, _Checker] = {}


def _make_checker(shape: Any) -> _Checker:
    named = TypeAdapter(shape, config=STRICT)
    try:
        annotation, build = positional(shape)
    except NoPositionalFormError:
        checker = _Checker(None, None, named)
    else:
        # The adapter's own method only adds arguments that we never give.
        checker = _Checker(TypeAdapter(annotation, config=STRICT).validator.validate_python, build, named)
    _checkers[shape] = checker
    return checker


def read_shape(shape: type[T], value: Any, *, code: Code = Code.SHAPE) -> T:
    """Check decoded tuples against a shape, strictly and to its exact length.

    Args:
        shape: A NamedTuple (or any type pydantic can check) of ``schemas``.
        value: What ``unpack`` returned, or a part of it.
        code: What a misfit is called; content inside a sealed portion fails as CONTENT.

    Raises:
        RemoteError: With ``code``; the message names the place, never the value.
    """
    check, build, named = _checkers.get(shape) or _make_checker(shape)
    if check is not None:
        try:
            # A tuple of fixed length admits no field left out and no field too many, and strict checking converts
            # nothing, so what passes here is the shape.
            found = check(value)
        except ValidationError:
            pass
        else:
            passed: T = found if build is None else build(found)
            return passed
    return _read_by_name(shape, named, value, code)


def _read_by_name(shape: type[T], named: TypeAdapter[Any], value: Any, code: Code) -> T:
    """Check the slower way, which knows the names of the fields and admits values that are shapes already."""
    try:
        checked: T = named.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        msg = f"{getattr(shape, '__name__', 'value')} at {place or 'top'}: {first['type']}"
        raise RemoteError(code, msg) from error
    # Fields with a default may be left out when we write a shape in Python; on the wire that would be a second
    # spelling of the same message. Strict checking converts nothing, so what differs now is a tuple cut short.
    if checked != value:
        msg = f"{getattr(shape, '__name__', 'value')}: an array is shorter than its shape"
        raise RemoteError(code, msg)
    return checked
