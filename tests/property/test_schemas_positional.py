"""The quick way of reading a shape admits exactly what the slow way admits, and gives the same value."""

from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from bench.seal_open import cut_for
from bench.stage import make_ready, portions
from schemas.codec import STRICT, pack, read_shape, unpack
from schemas.envelope import Disclosure, Envelope, Header, Kind, Wraps
from schemas.errors import RemoteError
from schemas.label import Label
from schemas.positional import NoPositionalFormError, positional
from schemas.report import Passage, PortionContent
from sealing import portions as sealed_portions
from sealing.entropy import SystemEntropy
from sealing.received import read_envelope

READY = make_ready(3, SystemEntropy())
ENVELOPE = READY.releaser(2).release(READY.seal_report())
RECEIVED = read_envelope(cut_for(ENVELOPE, READY.stage.agencies[1]))
WELL_MADE: list[tuple[Any, Any]] = [
    (Envelope, unpack(ENVELOPE, bytes_max=len(ENVELOPE))),
    (Header, unpack(RECEIVED.envelope.header, bytes_max=4096)),
    (Wraps, (unpack(RECEIVED.envelope.wraps, bytes_max=4096),)),
    (Label, unpack(pack(portions()[0].label), bytes_max=4096)),
    (PortionContent, unpack(pack(portions()[0].content), bytes_max=4096)),
]
STRANGERS: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, False, 0, -1, 1, 2**70, 1.0, "", "x", "\0", b"", b"x", (), ("b", "a"), [], {}]
)


def places(value: Any, path: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    """Return the way to every part of a nested tuple, itself included."""
    inner = [way for at, part in enumerate(value) for way in places(part, (*path, at))] if type(value) is tuple else []
    return [path, *inner]


def changed(value: Any, path: tuple[int, ...], how: str, stranger: Any) -> Any:
    """Return the value with one part replaced, dropped, doubled, or a stranger put behind it."""
    if not path:
        return stranger
    at, *rest = path
    if rest:
        return (*value[:at], changed(value[at], tuple(rest), how, stranger), *value[at + 1 :])
    put = {"replace": (stranger,), "drop": (), "double": (value[at], value[at]), "add": (value[at], stranger)}[how]
    return (*value[:at], *put, *value[at + 1 :])


def by_name(shape: Any, value: Any) -> Any:
    """Read as the named shape alone, which is what the specification is written against."""
    try:
        checked = TypeAdapter(shape, config=STRICT).validate_python(value)
    except ValidationError:
        return "refused"
    return checked if checked == value else "refused"


@pytest.mark.parametrize(("shape", "value"), WELL_MADE, ids=lambda item: getattr(item, "__name__", ""))
def test_a_well_made_value_becomes_the_named_shape_all_the_way_down(shape: Any, value: Any) -> None:
    found = read_shape(shape, value)

    expected = by_name(shape, value)
    assert expected == found
    assert repr(expected) == repr(found)  # tuples of two types may be equal; their words differ


@settings(deadline=None, max_examples=400)
@given(data=st.data())
def test_a_changed_value_is_admitted_by_place_if_and_only_if_by_name(data: st.DataObject) -> None:
    shape, value = data.draw(st.sampled_from(WELL_MADE))
    path = data.draw(st.sampled_from(places(value)))
    how = data.draw(st.sampled_from(["replace", "drop", "double", "add"]))
    tried = changed(value, path, how, data.draw(STRANGERS))

    expected = by_name(shape, tried)
    try:
        found = read_shape(shape, tried)
    except RemoteError:
        found = "refused"
    assert repr(expected) == repr(found)


@settings(deadline=None, max_examples=400)
@given(at=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.sampled_from([None, -1, -36, 5, 19, 60]))
def test_a_disclosure_is_read_by_the_short_way_only_if_its_shape_admits_it(at: int, byte: int, cut: int | None) -> None:
    tried = bytearray(RECEIVED.portions[0].received)
    tried[at % len(tried)] = byte
    received = bytes(tried[:cut])

    try:
        expected = read_shape(Disclosure, unpack(received, bytes_max=4096))
    except RemoteError:
        expected = None
    found = sealed_portions._read_plain_disclosure(received)
    assert found in (expected, None)


def test_the_short_way_is_taken() -> None:
    for portion in RECEIVED.portions:
        assert portion.disclosure == sealed_portions._read_plain_disclosure(portion.received)


@pytest.mark.parametrize("annotation", [Passage | Label, tuple[int, Passage]])
def test_what_cannot_be_told_by_place_has_no_positional_form(annotation: Any) -> None:
    with pytest.raises(NoPositionalFormError):
        positional(annotation)


def test_a_choice_of_words_stays_as_it_is() -> None:
    assert get_args(Kind) == get_args(positional(Kind).annotation)
