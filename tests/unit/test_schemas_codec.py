"""The codec: one spelling for every value, every second spelling refused, and no value in a complaint."""

from typing import Annotated, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from schemas.codec import pack, read_shape, unpack
from schemas.errors import Code, RemoteError
from schemas.limits import ARRAY_ITEMS_MAX, NESTING_DEPTH_MAX

ATOMS = st.one_of(
    st.none(),
    st.integers(min_value=-(2**63), max_value=2**64 - 1),
    st.text(max_size=300),
    st.binary(max_size=300),
)
VALUES = st.recursive(ATOMS, lambda inner: st.lists(inner, max_size=20).map(tuple), max_leaves=40)


class Pair(NamedTuple):
    """A shape for these tests."""

    number: Annotated[int, Field(ge=0, le=9)]
    words: tuple[str, ...]


@given(value=VALUES)
def test_what_is_packed_is_read_back(value: object) -> None:
    packed = pack(value)

    assert value == unpack(packed, bytes_max=len(packed))


@given(value=VALUES, data=st.data())
def test_no_proper_prefix_is_accepted(value: object, data: st.DataObject) -> None:
    packed = pack(value)
    cut = data.draw(st.integers(min_value=0, max_value=len(packed) - 1))

    with pytest.raises(RemoteError) as caught:
        unpack(packed[:cut], bytes_max=len(packed))

    assert Code.TRUNCATED is caught.value.code


@given(received=st.binary(max_size=200))
def test_whatever_is_accepted_is_its_own_encoding(received: bytes) -> None:
    """Random bytes: either our own error, or a value whose one encoding these bytes are."""
    try:
        value = unpack(received, bytes_max=200)
    except RemoteError:
        return
    assert received == pack(value)


@given(value=VALUES, tail=st.binary(min_size=1, max_size=9))
def test_nothing_may_follow(value: object, tail: bytes) -> None:
    with pytest.raises(RemoteError) as caught:
        unpack(pack(value) + tail, bytes_max=1 << 20)

    assert Code.TRAILING is caught.value.code


@pytest.mark.parametrize("surplus", [-1, 0, 1])
def test_the_limits_hold_to_the_byte_the_item_and_the_level(surplus: int) -> None:
    packed = pack(tuple(range(100)))
    cases = {
        Code.TOO_BIG: (packed, len(packed) - surplus),
        Code.LIMIT: (pack((None,) * (ARRAY_ITEMS_MAX + surplus)), 1 << 20),
        Code.DEPTH: (b"\x91" * (NESTING_DEPTH_MAX + surplus) + b"\xc0", 1 << 20),
    }
    for code, (received, bytes_max) in cases.items():
        if surplus <= 0:
            unpack(received, bytes_max=bytes_max)
            continue
        with pytest.raises(RemoteError) as caught:
            unpack(received, bytes_max=bytes_max)
        assert code is caught.value.code


def test_size_is_judged_before_anything_is_parsed() -> None:
    """Else a reader spends its memory on what it was going to refuse."""
    with pytest.raises(RemoteError) as caught:
        unpack(b"\xc1" * 11, bytes_max=10)

    assert Code.TOO_BIG is caught.value.code


def test_a_complaint_names_the_place_and_never_the_value() -> None:
    with pytest.raises(RemoteError) as caught:
        read_shape(Pair, (3, ("plain", 0xC0FFEE)))

    assert "Pair at 1.1: string_type" == str(caught.value)
    assert Code.SHAPE is caught.value.code


@pytest.mark.parametrize("value", [(3,), (3, (), 1), (True, ()), (3.0, ()), (10, ()), ("3", ()), (3, []), 3, None])
def test_a_shape_is_exact_in_length_and_type(value: object) -> None:
    with pytest.raises(RemoteError) as caught:
        read_shape(Pair, value, code=Code.CONTENT)

    assert Code.CONTENT is caught.value.code


def test_a_misfit_at_the_top_is_called_so() -> None:
    with pytest.raises(RemoteError, match="at top"):
        read_shape(Pair, 7)
