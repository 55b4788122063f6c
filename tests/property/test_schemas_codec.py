"""Two readers of the encoding, ours and one written from the page, agree on all bytes: accept, or the same stage.

Bytes with two faults may be called by either; each vector has one, and there the code is compared.
"""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conformance.second_decoder import decode
from conformance.vectors import every_vector, read_folder
from schemas.codec import pack, unpack
from schemas.errors import STAGE_OF, Code, RemoteError
from schemas.limits import NESTING_DEPTH_MAX

INPUTS = [vector.input for vector in every_vector(read_folder())]
HEADS = bytes(range(0x80, 0x100))


def ours(received: bytes) -> object:
    try:
        return unpack(received, bytes_max=1 << 20)
    except RemoteError as error:
        return error.code


def theirs(received: bytes) -> object:
    try:
        return decode(received, bytes_max=1 << 20)
    except RemoteError as error:
        return error.code


def agree(received: bytes) -> None:
    """Compare outcomes: the stage, or the value by its own encoding; a float's value is nobody's business."""
    one, other = ours(received), theirs(received)
    if isinstance(one, Code) or isinstance(other, Code):
        assert isinstance(one, Code)
        assert isinstance(other, Code)
        assert STAGE_OF[one] == STAGE_OF[other]
    elif b"\xcb" not in received:
        assert pack(one) == pack(other) == received


@settings(deadline=None, max_examples=1_500)
@given(received=st.binary(max_size=40))
@example(received=b"\x91" * 1_024 + b"\xc0")
@example(received=b"\xdd\xff\xff\xff\xff")
def test_both_readers_agree_on_random_bytes(received: bytes) -> None:
    agree(received)


@settings(deadline=None, max_examples=1_500)
@given(heads=st.lists(st.sampled_from(HEADS), max_size=6), tail=st.binary(max_size=12))
def test_both_readers_agree_on_the_formats_own_bytes(heads: list[int], tail: bytes) -> None:
    """Format bytes one behind the other, which random bytes seldom hold."""
    agree(bytes(heads) + tail)


@settings(deadline=None, max_examples=1_000)
@given(data=st.data())
def test_both_readers_agree_on_mutated_vectors(data: st.DataObject) -> None:
    received = bytearray(data.draw(st.sampled_from(INPUTS)))
    for _ in range(data.draw(st.integers(0, 3))):
        if received:
            received[data.draw(st.integers(0, len(received) - 1))] = data.draw(st.integers(0, 255))
    agree(bytes(received))


def test_both_readers_agree_on_every_vector_and_each_of_its_prefixes() -> None:
    for received in INPUTS:
        agree(received)
        if isinstance(ours(received), Code):
            assert ours(received) == theirs(received)
        for length in range(min(len(received), 60)):
            agree(received[:length])


@pytest.mark.parametrize("number", [0, 31, 32, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**64 - 1])
def test_both_readers_agree_where_one_form_ends_and_the_next_begins(number: int) -> None:
    for value in (
        number,
        -number - 1 if number < 2**63 else 0,
        (b"x" * min(number, 70_000),),
        ("x" * min(number, 70_000),),
    ):
        agree(pack(value))
    for count in (15, 16, 4_096, 4_097):
        agree(pack((None,) * count))


@pytest.mark.parametrize("depth", [NESTING_DEPTH_MAX - 1, NESTING_DEPTH_MAX, NESTING_DEPTH_MAX + 1])
def test_both_readers_agree_on_how_deep_is_too_deep(depth: int) -> None:
    agree(b"\x91" * depth + b"\xc0")
    agree(b"\x91" * depth + b"\x90")


def test_both_readers_measure_before_they_read() -> None:
    for read in (unpack, decode):
        with pytest.raises(RemoteError) as caught:
            read(b"\xc1" * 11, bytes_max=10)
        assert Code.TOO_BIG is caught.value.code
