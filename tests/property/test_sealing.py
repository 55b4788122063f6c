"""What must hold of every message: round trips, no flipped bit, no prefix, nobody opens what is not his."""

import functools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.cuts import Cutter, Release
from conformance import world
from conformance.second_decoder import decode
from schemas.codec import pack, read_shape
from schemas.envelope import KINDS, Disclosure
from schemas.errors import RemoteError
from schemas.label import Label
from schemas.limits import DISCLOSURE_BYTES_MAX, PORTION_PLACES, PORTIONS_MAX
from schemas.report import Passage, PortionContent
from sealing.opening import my_wrap, open_portions, unwrap
from sealing.pairs import PairKeys
from sealing.portions import decoy, read_disclosure
from sealing.received import (
    Received,
    check_author,
    check_disclosures,
    check_times,
    check_wraps_hash,
    read_envelope,
)
from sealing.seal import Reader, SealedMessage, release, seal

READERS = ("bravo", "charlie", "delta", "golf", "india")
LABELS = (
    world.LABEL,
    world.HIGH,
    world.LABEL._replace(affected=("MYS",), not_before=5),
    world.LABEL._replace(tlp="GREEN"),
)


def content(number: int) -> PortionContent:
    return PortionContent("EXERCISE", f"Portion {number}", (Passage(None, f"text {number} " * (number * 7 % 40)),))


@functools.cache
def message(count: int, name: str = "message") -> SealedMessage:
    contents: list[tuple[Label, bytes]] = [
        (LABELS[number % len(LABELS)], pack(content(number))) for number in range(count)
    ]
    return seal(
        contents,
        kind="report",
        by=("alpha",),
        ts=world.NOW,
        exp=world.NOW + world.DAY_MS,
        bundle_version=world.BUNDLE_VERSION,
        entropy=world.ScriptedEntropy(f"{name} {count}"),
    )


def reader(to: str, bits: int, seq: int = 1) -> Reader:
    box = world.boxes().at_epoch(to, world.EPOCH, now_ms=world.NOW)
    pair_key = PairKeys("alpha").to_reader(world.box_pair("alpha"), to, box)
    return Reader(to=to, bits=bits, seq=seq, from_epoch=world.EPOCH, to_epoch=world.EPOCH, pair_key=pair_key)


def released(sealed: SealedMessage, audience: dict[str, list[int]]) -> bytes:
    readers = [reader(to, sealed.bits(positions)) for to, positions in audience.items()]
    return release(sealed, readers, signer=world.sign_pair("alpha"))


def as_the_router(envelope: bytes) -> Received:
    """Make the checks of size to signature that a router makes."""
    received = read_envelope(envelope)
    check_author(received, signers=world.signers(), arrived_at=world.NOW)
    check_wraps_hash(received)
    check_disclosures(received, every_place=True)
    check_times(received.header, now_ms=world.NOW)
    return received


def cut(envelope: bytes, to: str) -> bytes:
    received = read_envelope(envelope)
    parts = Release(
        header=received.envelope.header,
        wraps_hash=received.envelope.wraps_hash,
        signature=received.envelope.signature,
        cosignatures=received.envelope.cosignatures,
        disclosures={portion.place: portion.received for portion in received.portions},
        blobs={portion.place: portion.blob or b"" for portion in received.portions},
    )
    return Cutter(parts).cut(next(wrap for wrap in received.wraps if wrap.to == to))


def as_the_reader(envelope: bytes, me: str) -> dict[int, PortionContent]:
    """Make the checks of a reader and open; returns the contents by place."""
    received = read_envelope(envelope)
    check_author(received, signers=world.signers(), arrived_at=world.NOW)
    check_disclosures(received, every_place=False)
    wrap = my_wrap(received, me=me)
    theirs = world.boxes().at_epoch("alpha", wrap.from_epoch, now_ms=world.NOW)
    pair_key = PairKeys(me).from_originator(world.box_pair(me, wrap.to_epoch), "alpha", theirs)
    opened = open_portions(received, unwrap(received, wrap, pair_key=pair_key))
    return {portion.place: portion.content for portion in opened if isinstance(portion.content, PortionContent)}


@st.composite
def audiences(draw: st.DrawFn) -> tuple[int, dict[str, list[int]]]:
    """A number of portions, and for some readers the positions of those that they get."""
    count = draw(st.integers(min_value=0, max_value=PORTIONS_MAX))
    readers = draw(st.lists(st.sampled_from(READERS), min_size=1, unique=True))
    positions = st.just(list[int]()) if not count else st.lists(st.integers(0, count - 1), unique=True)
    return count, {name: sorted(draw(positions)) for name in readers}


@settings(deadline=None, max_examples=60)
@given(case=audiences())
def test_each_reader_opens_exactly_its_own_portions(case: tuple[int, dict[str, list[int]]]) -> None:
    """For 0 to 32 portions: the router finds all in order, and each cut holds its reader's texts and no other."""
    count, audience = case
    sealed = message(count)
    envelope = released(sealed, audience)
    as_the_router(envelope)

    for name, positions in audience.items():
        expected = {sealed.portions[at].place: content(at) for at in positions}
        mine = cut(envelope, name)
        assert expected == as_the_reader(mine, name)
        held = read_envelope(mine)
        assert set(expected) == {portion.place for portion in held.portions}
        assert held.envelope.disclosures.seed is None
        assert 1 == len(held.wraps)


@settings(deadline=None, max_examples=60)
@given(case=audiences())
def test_nobody_opens_another_readers_cut(case: tuple[int, dict[str, list[int]]]) -> None:
    count, audience = case
    envelope = released(message(count), audience)
    for name in audience:
        for other in (each for each in READERS if each != name):
            with pytest.raises(RemoteError):
                as_the_reader(cut(envelope, name), other)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 8, 9, 16, 17, 31, 32])
def test_a_header_shows_a_step_and_never_the_count(count: int) -> None:
    sealed = message(count)
    received = read_envelope(released(sealed, {"bravo": []}))

    assert len(received.header.por) == next(places for places in PORTION_PLACES if places >= max(count, 4))
    used = {portion.place for portion in sealed.portions}
    hidden = [place for place in range(len(received.header.por)) if place not in used]
    assert [decoy(sealed.seed, place) for place in hidden] == [received.header.por[place] for place in hidden]


ENVELOPE = released(message(3), {"bravo": [0, 1], "charlie": [0, 1, 2]})
CUT = cut(ENVELOPE, "bravo")


@settings(deadline=None, max_examples=400)
@given(at=st.integers(min_value=0, max_value=len(ENVELOPE) * 8 - 1))
def test_no_flipped_bit_of_an_envelope_passes_the_router(at: int) -> None:
    flipped = bytearray(ENVELOPE)
    flipped[at // 8] ^= 1 << at % 8

    with pytest.raises(RemoteError):
        as_the_router(bytes(flipped))


def test_no_flipped_bit_of_the_signed_parts_passes_at_all() -> None:
    """Every single bit of header, hash and signature; the rest is sampled above, being hashed the same way."""
    length = len(message(3).header) + 110
    for at in range(length * 8):
        flipped = bytearray(ENVELOPE)
        flipped[at // 8] ^= 1 << at % 8
        with pytest.raises(RemoteError):
            as_the_router(bytes(flipped))


@settings(deadline=None, max_examples=400)
@given(at=st.integers(min_value=0, max_value=len(CUT) * 8 - 1))
def test_no_flipped_bit_of_a_cut_passes_its_reader(at: int) -> None:
    """Whatever a router or a wire alters, the reader notices."""
    flipped = bytearray(CUT)
    flipped[at // 8] ^= 1 << at % 8

    with pytest.raises(RemoteError):
        as_the_reader(bytes(flipped), "bravo")


@settings(deadline=None, max_examples=200)
@given(length=st.integers(min_value=0, max_value=len(ENVELOPE) - 1))
def test_no_proper_prefix_of_an_envelope_is_accepted(length: int) -> None:
    with pytest.raises(RemoteError):
        read_envelope(ENVELOPE[:length])


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(received=st.binary(max_size=400))
def test_random_bytes_meet_our_own_refusal_only(received: bytes) -> None:
    with pytest.raises(RemoteError):
        read_envelope(received)


@settings(deadline=None, max_examples=500)
@given(data=st.data())
def test_a_disclosure_is_read_alike_by_the_quick_way_and_by_the_page(data: st.DataObject) -> None:
    """Mutated a little: ``read_disclosure`` admits exactly what the second decoder and the strict shape admit."""
    received = bytearray(message(3).portions[data.draw(st.integers(0, 2))].disclosure)
    for _ in range(data.draw(st.integers(0, 2))):
        received[data.draw(st.integers(0, len(received) - 1))] = data.draw(st.integers(0, 255))
    received = received[: data.draw(st.sampled_from([len(received), len(received) - 1, 40]))]
    try:
        expected = read_shape(Disclosure, decode(bytes(received), bytes_max=DISCLOSURE_BYTES_MAX))
    except RemoteError:
        with pytest.raises(RemoteError):
            read_disclosure(bytes(received))
        return
    assert expected == read_disclosure(bytes(received))
    assert bytes(received) == pack(expected)


def test_two_sealings_share_no_secret_and_no_byte_that_matters() -> None:
    """A thousand portions: every key, salt, commitment and blob is there once."""
    sealings = [message(PORTIONS_MAX, name=str(number)) for number in range(32)]
    portions = [portion for sealed in sealings for portion in sealed.portions]

    for values in (
        {portion.key for portion in portions},
        {portion.disclosure for portion in portions},
        {portion.commitment for portion in portions},
        {portion.blob for portion in portions},
    ):
        assert len(portions) == len(values)
    assert len(sealings) == len({sealed.hid for sealed in sealings}) == len({sealed.seed for sealed in sealings})


def test_places_are_drawn_so_that_reading_order_does_not_show() -> None:
    firsts = [message(4, name=str(number)).portions[0].place for number in range(200)]

    assert {0, 1, 2, 3} == set(firsts)
    assert max(firsts.count(place) for place in range(4)) < 80


def test_a_re_release_is_the_same_message_for_others() -> None:
    sealed = message(3)
    again = release(
        sealed, [reader("golf", sealed.bits([0]), seq=9)], signer=world.sign_pair("alpha"), with_blobs=False
    )
    received = as_the_router(again)

    assert read_envelope(ENVELOPE).hid == received.hid
    assert [None] * 3 == [portion.blob for portion in received.portions]
    assert len(again) < len(ENVELOPE)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_sealed_and_read(kind: str) -> None:
    sealed = seal(
        (),
        kind=kind,  # type: ignore[arg-type] # the parameter runs over all of them
        by=("alpha", "golf"),
        ts=world.NOW,
        exp=world.NOW + 1,
        bundle_version=1,
        entropy=world.ScriptedEntropy(kind),
        ref=bytes(32),
    )
    received = as_the_router(released(sealed, {"bravo": []}))

    assert kind == received.header.kind
    assert (None,) == received.envelope.cosignatures
