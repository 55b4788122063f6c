"""Deconfliction says hit or no hit, as a comparison of the plain sets would, and nothing else."""

from hashlib import blake2b
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl import bindings

from agencies.deconflict import Identifier, count_hits, held_by, make_ask, make_reply, spelling
from schemas.codec import pack, read_shape, unpack
from schemas.errors import Code, RemoteError, SealError
from schemas.limits import DECONFLICT_HELD_CLASSES, DECONFLICT_POINTS
from schemas.report import Indicator, PortionContent
from schemas.workflow import CoordMessage, DeconflictAsk
from sealing.entropy import SystemEntropy
from sealing.intersection import Answer, answer, blind, find_hits

SYSTEM = SystemEntropy()
CONTEXT = b"alpha asks bravo"
SMALL_ORDER = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
NEUTRAL = b"\x01" + bytes(31)


class Counted:
    """Bytes that repeat from run to run."""

    def __init__(self, seed: bytes) -> None:
        self._numbers = count()
        self._seed = seed

    def take(self, count: int) -> bytes:
        return blake2b(self._seed + str(next(self._numbers)).encode(), digest_size=count).digest()


elements = st.lists(st.binary(min_size=1, max_size=4), min_size=1, max_size=DECONFLICT_POINTS, unique=True)


@settings(max_examples=25, deadline=None)
@given(asked=elements, held=st.sets(st.binary(min_size=1, max_size=4), max_size=70), both=st.integers(0, 16))
def test_hits_are_what_a_comparison_of_the_plain_sets_gives(asked: list[bytes], held: set[bytes], both: int) -> None:
    held |= set(asked[:both])
    blinded = blind(asked, context=CONTEXT, entropy=SYSTEM)
    reply = answer(blinded.points, held, context=CONTEXT, entropy=SYSTEM)

    assert tuple(element in held for element in asked) == find_hits(blinded, len(asked), reply)


def test_an_ask_has_one_size_whatever_is_asked() -> None:
    asks = [blind([bytes([n]) for n in range(many)], context=CONTEXT, entropy=SYSTEM) for many in (1, 7, 16)]

    assert [DECONFLICT_POINTS] * 3 == [len(ask.points) for ask in asks]


def test_replies_of_different_holdings_are_of_one_size_and_share_nothing() -> None:
    """The same randomness and the same ask: what is held shows in no byte but as other points, in another order."""
    asked = blind([b"x"], context=CONTEXT, entropy=SYSTEM)
    nothing, one, many = (
        answer(asked.points, held, context=CONTEXT, entropy=Counted(b"b"))
        for held in (set(), {b"y"}, {bytes([n]) for n in range(64)})
    )

    # What goes back of the ask depends on the ask and on the answerer's scalar alone.
    assert nothing.doubled == one.doubled == many.doubled
    assert [DECONFLICT_HELD_CLASSES[0]] * 3 == [len(reply.held) for reply in (nothing, one, many)]
    assert 1 == len({len(pack(("EXERCISE", "reply", *reply))) for reply in (nothing, one, many)})
    assert all(reply.held == tuple(sorted(reply.held)) for reply in (nothing, one, many))
    assert not set(many.held) & set(nothing.held)
    assert all(bindings.crypto_core_ed25519_is_valid_point(point) for point in (*nothing.held, *many.held))


def test_two_replies_to_one_ask_have_no_point_in_common() -> None:
    asked = blind([b"x"], context=CONTEXT, entropy=SYSTEM)
    first, second = (answer(asked.points, {b"x", b"y"}, context=CONTEXT, entropy=SYSTEM) for _ in range(2))

    assert not {*first.doubled, *first.held} & {*second.doubled, *second.held}


def test_two_asks_for_the_same_have_no_point_in_common() -> None:
    first, second = (blind([b"x"], context=CONTEXT, entropy=SYSTEM) for _ in range(2))

    assert not set(first.points) & set(second.points)


def test_padding_never_hits() -> None:
    asked = blind([b"x"], context=CONTEXT, entropy=SYSTEM)
    reply = answer(asked.points, {bytes([n]) for n in range(60)} - {b"x"}, context=CONTEXT, entropy=SYSTEM)

    assert (False,) * DECONFLICT_POINTS == find_hits(asked, DECONFLICT_POINTS, reply)


def test_an_ask_that_is_passed_on_hits_nothing_at_the_third() -> None:
    asked = blind([b"x"], context=b"alpha asks bravo", entropy=SYSTEM)
    of_charlie = answer(asked.points, {b"x"}, context=b"bravo asks charlie", entropy=SYSTEM)

    assert (False,) == find_hits(asked, 1, of_charlie)


@pytest.mark.parametrize(
    "point",
    [
        SMALL_ORDER,
        NEUTRAL,
        bytes(32),  # of order four
        b"\xff" * 32,  # not canonical
        b"\x02" + bytes(31),  # on no curve
        bindings.crypto_core_ed25519_add(bindings.crypto_scalarmult_ed25519_base_noclamp(b"\x05" + bytes(31)),
                                         SMALL_ORDER),  # with a torsion component
        b"\x05",
    ],
)  # fmt: skip
def test_a_point_outside_the_group_is_refused_on_both_sides(point: bytes) -> None:
    """Multiplying such a point by a secret would tell a part of the secret."""
    asked = blind([b"x"], context=CONTEXT, entropy=SYSTEM)
    reply = answer(asked.points, {b"x"}, context=CONTEXT, entropy=SYSTEM)

    with pytest.raises(RemoteError) as refused:
        answer((point, *asked.points[1:]), {b"x"}, context=CONTEXT, entropy=SYSTEM)
    assert Code.CONTENT is refused.value.code
    for hostile in (Answer((point, *reply.doubled[1:]), reply.held), Answer(reply.doubled, (point, *reply.held[1:]))):
        with pytest.raises(RemoteError) as refused:
            find_hits(asked, 1, hostile)
        assert Code.CONTENT is refused.value.code


def test_a_reply_of_another_size_is_refused() -> None:
    asked = blind([b"x"], context=CONTEXT, entropy=SYSTEM)
    reply = answer(asked.points, {b"x"}, context=CONTEXT, entropy=SYSTEM)

    for hostile in (Answer(reply.doubled[1:], reply.held), Answer(reply.doubled, reply.held[1:])):
        with pytest.raises(RemoteError, match="a size that there is not"):
            find_hits(asked, 1, hostile)


def test_nothing_and_too_much_are_not_asked_and_too_much_is_not_compared() -> None:
    """A reply that left something out would say "no hit" where there is one."""
    for many in (0, DECONFLICT_POINTS + 1):
        with pytest.raises(SealError, match="in one ask"):
            blind([bytes([n]) for n in range(many)], context=CONTEXT, entropy=SYSTEM)
    held = {n.to_bytes(2, "big") for n in range(DECONFLICT_HELD_CLASSES[-1] + 1)}
    points = blind([b"x"], context=CONTEXT, entropy=SYSTEM).points
    with pytest.raises(SealError, match="where a reply takes 1024"):
        answer(points, held, context=CONTEXT, entropy=SYSTEM)


def test_the_secret_of_an_ask_is_not_printed() -> None:
    assert "Blinded(16 points)" == repr(blind([b"x"], context=CONTEXT, entropy=SYSTEM))


# The spelling.


@pytest.mark.parametrize(
    "written",
    ["Bunga Melati 7", "BUNGA MELATI-7", "bunga  melati\u00a07", "\uff22\uff55\uff4e\uff47\uff41 Melati \u2466"],
)
def test_one_name_written_in_many_ways_is_one_identifier(written: str) -> None:
    assert spelling(Identifier("vessel-name", "bungamelati7")) == spelling(Identifier("Vessel-Name", written))


def test_one_number_of_two_kinds_is_two_identifiers() -> None:
    assert spelling(Identifier("passport", "A1234567")) != spelling(Identifier("plate", "A1234567"))


@given(value=st.text(max_size=30))
def test_a_spelling_spells_itself(value: str) -> None:
    try:
        once = spelling(Identifier("plate", value))
    except SealError:
        return
    kind, written = unpack(once, bytes_max=1_000)
    assert once == spelling(Identifier(kind, written))


def test_an_identifier_without_letters_and_digits_is_not_asked_for() -> None:
    with pytest.raises(SealError, match="neither letters nor digits"):
        spelling(Identifier("plate", " - / "))


def test_indicators_that_say_nothing_are_not_held() -> None:
    content = PortionContent("EXERCISE", "T", (), indicators=(Indicator("plate", "--"), Indicator("plate", "b 1")))

    assert frozenset({spelling(Identifier("plate", "B-1"))}) == held_by([content])


def test_an_ask_and_its_reply_go_through_their_shapes_and_count_hits() -> None:
    boats = [Identifier("vessel-name", "Bunga Melati 7"), Identifier("vessel-name", "Sri Kemboja")]
    ask, kept = make_ask(boats, asker="alpha", answerer="bravo", entropy=SYSTEM)
    assert ask == read_shape(CoordMessage, (*ask,))  # type: ignore[arg-type] # a choice of shapes is no type
    held = held_by([PortionContent("EXERCISE", "T", (), indicators=(Indicator("vessel-name", "BUNGA MELATI 7"),))])
    reply = make_reply(ask, held, asker="alpha", answerer="bravo", entropy=SYSTEM)
    assert reply == read_shape(CoordMessage, (*reply,))  # type: ignore[arg-type] # as above

    assert 1 == count_hits(kept, reply)
    assert 0 == count_hits(kept, make_reply(ask, frozenset(), asker="alpha", answerer="bravo", entropy=SYSTEM))


def test_an_ask_of_another_number_of_points_is_no_ask() -> None:
    ask, _ = make_ask([Identifier("plate", "B 1")], asker="alpha", answerer="bravo", entropy=SYSTEM)
    with pytest.raises(RemoteError):
        read_shape(DeconflictAsk, ("EXERCISE", "ask", ask.points[1:]))
