"""Bounded JSON: what is refused, where the error says it stands, and what refusing costs."""

import os
import time
import tracemalloc
from pathlib import Path

import pytest

from agencies.intake.bounded_json import DEPTH_MAX, FILE_BYTES_MAX, VALUES_MAX, parse_json, read_limited
from schemas.errors import InputError


def refusal(received: bytes) -> str:
    with pytest.raises(InputError) as refused:
        parse_json(received, name="f.json")
    assert refused.value.remedy
    return str(refused.value)


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        (b"", "f.json: the file is empty (0 bytes)"),
        (b" \n\t ", "f.json: the file holds nothing but blanks"),
        (b"\xef\xbb\xbf", "f.json: the file holds nothing but blanks"),
        (b"\xff\xfe{\x00}\x00", "f.json: the text is UTF-16"),
        (b"\x1f\x8b\x08\x00", "f.json: the file is compressed"),
        (b'{"a":\n "\xff"}', "f.json: line 2, column 3: not UTF-8 text"),
        (b"hello", "f.json: line 1, column 1: not JSON (Expecting value)"),
        (b"<STIX_Package/>", "f.json: line 1, column 1: not JSON, but XML"),
        (b'{"a": 1} x', "f.json: line 1, column 10: not JSON (Extra data)"),
        (b'{"a":\n {"b": [1, 2', "f.json: line 2, column 13: the file ends before it is complete"),
        (b'{"a":\n "cut of', "f.json: line 2, column 2: the file ends before it is complete"),
        (b'{"a": 1,\n "a": 2}', "f.json: line 2, column 2: a name stands twice in one object"),
        (b'{"a\\u0062": 1, "ab": 2}', "f.json: line 1, column 16: a name stands twice in one object"),
        (b'{"a": [1, NaN]}', "f.json: line 1, column 11: a number that JSON does not have, or of too many digits"),
        (b'{"a": -Infinity}', "f.json: line 1, column 7: a number that JSON does not have, or of too many digits"),
        (b'{"a": 1e999}', "f.json: line 1, column 7: a number that JSON does not have, or of too many digits"),
        (
            b"[" + b"7" * 5_000 + b"]",
            "f.json: line 1, column 2: a number that JSON does not have, or of too many digits",
        ),
        (b'{"a": "\\ud800"}', "f.json: line 1, column 7: half a character (an unpaired surrogate)"),
    ],
)
def test_what_is_not_strict_json_is_refused_with_its_place(received: bytes, expected: str) -> None:
    assert expected == refusal(received)


def test_a_byte_order_mark_is_no_fault() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": 1}', name="f.json") == {"a": 1}


def test_the_same_name_in_two_objects_is_no_fault() -> None:
    assert parse_json(b'[{"a": 1}, {"a": {"a": 2}}]', name="f.json") == [{"a": 1}, {"a": {"a": 2}}]


def test_nesting_is_allowed_up_to_the_limit_and_no_further() -> None:
    deepest = b"[" * DEPTH_MAX + b"]" * DEPTH_MAX

    parse_json(deepest, name="f.json")
    assert refusal(b"[" + deepest + b"]") == f"f.json: nested more than {DEPTH_MAX} deep"


def test_brackets_inside_of_strings_are_no_nesting() -> None:
    assert parse_json(b'"' + b"[" * 500 + b'\\""', name="f.json") == "[" * 500 + '"'


def test_values_are_counted_before_they_are_made() -> None:
    """Ten million empty lists fit into the bytes allowed, and would take most of a gigabyte."""
    assert refusal(b"[" + b"[]," * (VALUES_MAX + 1) + b"[]]") == f"f.json: more than {VALUES_MAX} values"


@pytest.mark.parametrize("hostile", [b"[" * 8_000_000, b'"' + b'\\"' * 4_000_000, b'"' + b'\\"' * 4_000_000 + b"\\"])
def test_hostile_text_is_refused_in_linear_time(hostile: bytes) -> None:
    begin = time.perf_counter()
    refusal(hostile)
    assert time.perf_counter() - begin < 5


def test_a_file_of_a_gigabyte_is_refused_at_once_and_never_held(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    path.write_bytes(b"{")
    os.truncate(path, 1 << 30)
    tracemalloc.start()
    try:
        begin = time.perf_counter()
        with pytest.raises(InputError, match="larger than 32 MiB"):
            read_limited(path)
        elapsed_s = time.perf_counter() - begin
        _now, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert elapsed_s < 1
    assert peak_bytes < 2 * FILE_BYTES_MAX


def test_a_file_is_read_up_to_its_limit_and_no_further(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_bytes(b"x" * 100)

    assert read_limited(path, bytes_max=100) == b"x" * 100
    with pytest.raises(InputError):
        read_limited(path, bytes_max=99)


def test_more_bytes_than_allowed_are_not_parsed() -> None:
    with pytest.raises(InputError, match="larger than"):
        parse_json(b"[1, 2]", name="f.json", bytes_max=5)


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    """A named pipe that nobody writes to would hold the program for ever."""
    os.mkfifo(tmp_path / "pipe.json")

    for path in (tmp_path / "pipe.json", tmp_path, Path("/dev/zero")):
        with pytest.raises(InputError, match="not a regular file"):
            read_limited(path)


def test_a_missing_file_is_named_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json: cannot be read: No such file"):
        read_limited(tmp_path / "none.json")
