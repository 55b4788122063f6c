"""The verifier's own reader of the wire and of notes: it reads what ours writes, and refuses every other spelling."""

import pytest

from conformance.audit_reading import Unpacker, UnreadableError, read_note
from schemas.codec import pack


@pytest.mark.parametrize(
    "value",
    [0, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**53 - 1, None, "", "a" * 31, "é" * 16, "a" * 256,
     "a" * 65_536, b"", b"b" * 255, b"b" * 256, b"b" * 65_536, (), (1, (2, ("x", b"y", None))), (0,) * 15, (0,) * 16,
     (0,) * 65_536],
    ids=lambda value: f"{type(value).__name__} {str(value)[:12]}",
)  # fmt: skip
def test_the_second_reader_reads_what_the_first_one_writes(value: object) -> None:
    assert value == Unpacker.whole(pack(value))


@pytest.mark.parametrize(
    "bent",
    ["", "cc05", "cd00ff", "ce0000ffff", "cf00000000ffffffff", "d90161", "c50001ff", "dc000101", "9101ff", "9201",
     "a2ff", "80", "ca00000000", "c1", "d4ff00", "e0", "a2c328", "91" * 40 + "c0"],
)  # fmt: skip
def test_the_second_reader_refuses_every_other_spelling(bent: str) -> None:
    with pytest.raises(UnreadableError):
        Unpacker.whole(bytes.fromhex(bent))


@pytest.mark.parametrize("bent", [b"", b"a\n1\nx\n\n", b"\n\n\xff\n", b"a\n01\n\n\n", b"a\nb\n\n\xe2\x80\x94 n YQ==\n"])
def test_the_second_reader_of_notes_refuses_what_is_none(bent: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_note(bent)
