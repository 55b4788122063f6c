"""Strict JSON within bounds, for files that nobody here wrote.

Every bound is checked before the parser runs, so a hostile file costs no more than reading it once. Two readers of the
same file must never see two documents: repeated names are refused, and so are numbers that JSON does not have. An
error names the file, the line and the column, and nothing of what stands there: it may be marked RED.
"""

import json
import math
import re
import stat
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, NoReturn

from schemas.errors import InputError

FILE_BYTES_MAX: Final = 32 * 1024 * 1024  # seventy times the largest bundle among our samples (ATLAS, 450 KB)
DEPTH_MAX: Final = 64  # the deepest objects of STIX and MISP use about 12
VALUES_MAX: Final = 2_000_000  # an empty list takes 2 bytes in a file and 64 in memory: this bounds the memory
_NUMBER_CHARS_MAX: Final = 40  # a double needs 24; a longer integer would cost quadratic time

# A string (closed or cut off by the end), a structural character, or something like a number. Possessive, so that no
# text can make it backtrack.
_STRING: Final = r'"[^"\\]*+(?:\\.?[^"\\]*+)*+(?:"|\Z)'
_LEXEMES: Final = re.compile(_STRING + r"|[{}\[\],]|-?(?:NaN|Infinity|\d[0-9.eE+-]*+)", re.DOTALL)
_STRING_BYTES: Final = re.compile(_STRING.encode("ascii"), re.DOTALL)
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_NOT_SEPARATORS: Final = bytes(set(range(256)) - set(b"[{,"))
_STEPS: Final = tuple({91: 1, 123: 1, 93: -1, 125: -1}.get(byte, 0) for byte in range(256))

_ASK_AGAIN: Final = "Ask for the file again, or export it again from the system it comes from."


def read_limited(path: Path, *, bytes_max: int = FILE_BYTES_MAX) -> bytes:
    """Read a file that may not be larger than ``bytes_max``, without ever holding more than that.

    Raises:
        InputError: If it cannot be read, is no regular file, or is too large.
    """
    try:
        status = path.stat()
        # A named pipe may never end, and a device may never fill: neither has a size that could be checked.
        if not stat.S_ISREG(status.st_mode):
            msg = f"{path.name}: not a regular file"
            raise InputError(msg, remedy="Name a file; what comes through a pipe can be saved to one first.")
        if status.st_size > bytes_max:
            raise _too_big(path.name, bytes_max)
        with path.open("rb") as file:
            # One byte more than allowed tells that it is too large, even if it grew since its size was asked.
            received = file.read(bytes_max + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        msg = f"{path.name}: cannot be read: {reason}"
        raise InputError(msg, remedy="Check the path and the permissions of the file.") from error
    if len(received) > bytes_max:
        raise _too_big(path.name, bytes_max)
    return received


def parse_json(received: bytes, *, name: str, bytes_max: int = FILE_BYTES_MAX) -> Any:
    """Parse one JSON document strictly.

    Args:
        received: The bytes of the file, with or without a UTF-8 byte order mark.
        name: What the file is called in errors.
        bytes_max: The largest size that is looked at.

    Raises:
        InputError: Too large, empty, not UTF-8, not JSON, cut off, nested too deeply, of too many values, with a
            repeated name, NaN, an infinity, an endless number or half a character.
    """
    if len(received) > bytes_max:
        raise _too_big(name, bytes_max)
    text = _decode(received, name=name)
    _check_bounds(text.encode("utf-8"), name=name)
    try:
        document = json.loads(
            text,
            object_pairs_hook=_unique_names,
            parse_constant=_refuse_constant,
            parse_int=_read_integer,
            parse_float=_read_float,
        )
        if _SURROGATE.search(text):
            # Half a surrogate pair is no character: it could be neither packed nor shown.
            json.dumps(document, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        raise _syntax_error(error, text=text, name=name) from None  # the original would carry the whole document
    except (_FaultError, UnicodeEncodeError):
        reason, position = _locate_fault(text)
        msg = f"{_at(name, text, position)}: {reason}"
        raise InputError(msg, remedy="Two programs could read this in two ways. " + _ASK_AGAIN) from None
    return document


class _FaultError(Exception):
    """A value that strict JSON does not have; the parser's hooks do not know where it stands."""


def _decode(received: bytes, *, name: str) -> str:
    if not received:
        msg = f"{name}: the file is empty (0 bytes)"
        raise InputError(msg, remedy="The transfer may have failed. " + _ASK_AGAIN)
    if received.startswith((b"\xff\xfe", b"\xfe\xff")):
        msg = f"{name}: the text is UTF-16"
        raise InputError(msg, remedy="Save it as UTF-8, which JSON asks for.")
    if received.startswith((b"\x1f\x8b", b"PK\x03\x04")):
        msg = f"{name}: the file is compressed"
        raise InputError(msg, remedy="Unpack it first, and import what is inside.")
    try:
        text = received.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = received.count(b"\n", 0, error.start) + 1
        column = error.start - received.rfind(b"\n", 0, error.start)
        msg = f"{name}: line {line}, column {column}: not UTF-8 text"
        raise InputError(msg, remedy="JSON is UTF-8 text: is this the right file?") from None
    if not text.strip():
        msg = f"{name}: the file holds nothing but blanks"
        raise InputError(msg, remedy=_ASK_AGAIN)
    return text


def _check_bounds(encoded: bytes, *, name: str) -> None:
    """Measure nesting and number of values without parsing: brackets and commas outside of strings."""
    bare = _STRING_BYTES.sub(b"", encoded)
    brackets = bare.translate(None, _NOT_BRACKETS)
    if max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) > DEPTH_MAX:
        msg = f"{name}: nested more than {DEPTH_MAX} deep"
        raise InputError(msg, remedy="No threat report is nested like this: is this the right file?")
    if len(bare.translate(None, _NOT_SEPARATORS)) > VALUES_MAX:
        msg = f"{name}: more than {VALUES_MAX} values"
        raise InputError(msg, remedy="Split the file, and import the parts one by one.")


def _syntax_error(error: json.JSONDecodeError, *, text: str, name: str) -> InputError:
    place = f"{name}: line {error.lineno}, column {error.colno}"
    if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
        return InputError(f"{place}: the file ends before it is complete", remedy="It was cut off. " + _ASK_AGAIN)
    if text.lstrip().startswith("<"):
        return InputError(f"{place}: not JSON, but XML", remedy="STIX 1 and CAP are XML; STIX 2.1 and MISP are JSON.")
    return InputError(f"{place}: not JSON ({error.msg})", remedy="Is this the right file? " + _ASK_AGAIN)


def _too_big(name: str, bytes_max: int) -> InputError:
    msg = f"{name}: larger than {bytes_max // (1024 * 1024)} MiB"
    return InputError(msg, remedy="Split the file, and import the parts one by one.")


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # "The names within an object SHOULD be unique": where they are not, readers differ -- RFC 8259, section 4.
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _FaultError
    return members


def _refuse_constant(_constant: str) -> NoReturn:
    # Of numbers that the grammar does not have, the standard says they "are not permitted" -- RFC 8259, section 6.
    raise _FaultError


def _read_integer(digits: str) -> int:
    if len(digits) > _NUMBER_CHARS_MAX:
        raise _FaultError
    return int(digits)


def _read_float(digits: str) -> float:
    number = float(digits) if len(digits) <= _NUMBER_CHARS_MAX else math.inf
    if not math.isfinite(number):
        raise _FaultError
    return number


def _locate_fault(text: str) -> tuple[str, int]:
    """Find what a hook has refused. Runs only on the way to a refusal, so its slowness harms nobody else."""
    return next(_faults(text), ("a value that JSON does not have", 0))


def _faults(text: str) -> Iterator[tuple[str, int]]:
    open_objects: list[set[str] | None] = []  # the names seen in each object that is open; None stands for an array
    name_expected = False
    for match in _LEXEMES.finditer(text):
        lexeme = match.group()
        names = open_objects[-1] if open_objects else None
        if lexeme[0] == '"':
            string = _string_of(lexeme)
            if string is None:
                yield "half a character (an unpaired surrogate)", match.start()
            elif names is not None and name_expected:
                if string in names:
                    yield "a name stands twice in one object", match.start()
                names.add(string)
        elif lexeme in "{[":
            open_objects.append(set() if lexeme == "{" else None)
        elif lexeme in "}]":
            del open_objects[-1:]
        elif lexeme != "," and _is_no_number(lexeme):
            yield "a number that JSON does not have, or of too many digits", match.start()
        name_expected = lexeme == "{" or (lexeme == "," and names is not None)


def _string_of(lexeme: str) -> str | None:
    if "\\" not in lexeme:
        return lexeme[1:-1]
    try:
        string = str(json.loads(lexeme, strict=False))
        string.encode("utf-8")
    except ValueError:
        return None
    return string


def _is_no_number(lexeme: str) -> bool:
    try:
        return len(lexeme) > _NUMBER_CHARS_MAX or not math.isfinite(float(lexeme))
    except ValueError:
        return True


def _at(name: str, text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    return f"{name}: line {line}, column {position - text.rfind(chr(10), 0, position)}"
