"""Sealing, releasing, reading and opening whole envelopes: their limits, their co-signers, their contents."""

from typing import Any

import pytest

from conformance import world
from conformance.evil_sealer import EvilSealer, Plan, cut
from conformance.world import DAY_MS, NOW
from schemas.codec import pack, unpack
from schemas.envelope import Wrap
from schemas.errors import Code, NotForMeError, RemoteError, SealError
from schemas.label import Label
from schemas.limits import (
    CLOCK_SKEW_MS_MAX,
    ENVELOPE_BYTES_MAX,
    HEADER_BYTES_MAX,
    INLINE_BYTES_MAX,
    LIFETIME_MS_MAX,
    PORTIONS_MAX,
    WRAPS_MAX,
)
from schemas.report import Passage, PortionContent
from schemas.workflow import (
    CoordContent,
    DecisionContent,
    DeconflictAsk,
    DeconflictReply,
    ReceiptContent,
    ReceiptItem,
    RequestContent,
    RfiContent,
)
from sealing.opening import finish_chunked, my_wrap, open_portions, read_content, unwrap
from sealing.pairs import PairKeys
from sealing.primitives import digest
from sealing.received import (
    Received,
    check_author,
    check_disclosures,
    check_times,
    read_envelope,
    read_header,
)
from sealing.seal import Reader, SealedMessage, cosign, release, seal

TEXT = PortionContent("EXERCISE", "One", (Passage(None, "two boats"),))


def sealed(contents: list[tuple[Label, bytes]] | None = None, **changes: Any) -> SealedMessage:
    fields: dict[str, Any] = {
        "kind": "report",
        "by": ("alpha",),
        "ts": NOW,
        "exp": NOW + DAY_MS,
        "bundle_version": 1,
        "entropy": world.ScriptedEntropy("unit"),
    }
    return seal([(world.LABEL, pack(TEXT))] if contents is None else contents, **(fields | changes))


def reader(to: str = "bravo", bits: int = 1, seq: int = 1) -> Reader:
    return Reader(to=to, bits=bits, seq=seq, from_epoch=world.EPOCH, to_epoch=world.EPOCH, pair_key=world.secret(to))


def released(message: SealedMessage, *readers: Reader, **named: Any) -> bytes:
    return release(message, readers or (reader(),), signer=world.sign_pair("alpha"), **named)


def refusal(call: object, *arguments: object, **named: object) -> Code:
    """Return the code that a call raises."""
    assert callable(call)
    with pytest.raises(RemoteError) as caught:
        call(*arguments, **named)
    return caught.value.code


# What a sender is stopped from.


@pytest.mark.parametrize("surplus", [-1, 0, 1])
def test_so_many_portions_and_no_more(surplus: int) -> None:
    contents = [(world.LABEL, b"text")] * (PORTIONS_MAX + surplus)
    if surplus <= 0:
        assert len(contents) == len(sealed(contents).portions)
        return
    with pytest.raises(SealError, match="33 portions"):
        sealed(contents)


@pytest.mark.parametrize(
    ("lifetime", "good"), [(0, False), (1, True), (LIFETIME_MS_MAX, True), (LIFETIME_MS_MAX + 1, False)]
)
def test_a_message_lives_from_a_millisecond_to_thirty_days(lifetime: int, good: bool) -> None:  # noqa: FBT001 - a table's column
    if not good:
        with pytest.raises(SealError, match="lifetime"):
            sealed(exp=NOW + lifetime)
        return
    assert NOW + lifetime == read_envelope(released(sealed(exp=NOW + lifetime))).header.exp


@pytest.mark.parametrize("count", [0, 1, WRAPS_MAX - 1, WRAPS_MAX, WRAPS_MAX + 1])
def test_a_release_is_to_one_reader_at_least_and_a_thousand_at_most(count: int) -> None:
    readers = [reader(f"agency-{number}", bits=0) for number in range(count)]
    if 0 < count <= WRAPS_MAX:
        assert count == len(read_envelope(release(sealed(), readers, signer=world.sign_pair("alpha"))).wraps)
        return
    with pytest.raises(SealError, match="readers"):
        release(sealed(), readers, signer=world.sign_pair("alpha"))


def test_what_a_router_could_not_even_read_is_not_made() -> None:
    """It would be refused without a verdict, and its author would send it for ever."""
    for by in ((), ("alpha", "alpha"), ("alpha", "golf", "golf"), tuple(f"agency-{number}" for number in range(17))):
        with pytest.raises(SealError, match="signers"):
            sealed(by=by)
    assert 16 == len(sealed(by=tuple(f"agency-{number}" for number in range(16))).by)
    with pytest.raises(SealError, match="twice"):
        released(sealed(), reader(), reader(bits=0))
    for cosignatures in ((), (None, None)):
        with pytest.raises(SealError, match="co-signatures"):
            released(sealed(by=("alpha", "golf")), cosignatures=cosignatures)
    wide = world.LABEL._replace(rel=tuple(f"an-agency-with-a-long-name-{number:04d}" for number in range(64)))
    wider = wide._replace(exclude=wide.rel, compartments=tuple(f"C{'O' * 60}{number:02d}" for number in range(64)))
    assert 1 == len(sealed([(wide, b"text")]).portions)
    with pytest.raises(SealError, match="a label that makes a disclosure"):
        sealed([(wider, b"text")])


def test_what_is_inline_is_kept_to_half_an_envelope() -> None:
    """Portions that would not fit together go in chunks, the largest first, until nothing is inline."""
    for count, size in ((2, INLINE_BYTES_MAX - 1), (8, 20_000), (32, 5_000), (32, 4_095)):
        message = sealed([(world.LABEL, bytes(size))] * count)
        assert len(released(message)) <= ENVELOPE_BYTES_MAX
    assert all(portion.chunks for portion in sealed([(world.LABEL, bytes(20_000))] * 8).portions)
    assert not any(portion.chunks for portion in sealed([(world.LABEL, bytes(4_000))] * 32).portions)


def test_an_envelope_that_would_be_too_large_is_not_made() -> None:
    message = sealed([(world.LABEL, bytes(4_000))] * 32)
    readers = [reader(f"a-very-long-agency-name-{number:04d}", bits=2**32 - 1) for number in range(150)]

    with pytest.raises(SealError, match="an envelope of") as caught:
        release(message, readers, signer=world.sign_pair("alpha"))
    assert "fewer readers" in caught.value.remedy


def test_secrets_of_a_message_never_show() -> None:
    message = sealed()

    assert repr(message.seed) not in repr(message)
    assert repr(message.portions[0].key) not in repr(message)
    assert repr(reader().pair_key) not in repr(reader())


# Envelopes at their limits.


def _filled(surplus: int) -> bytes:
    """Make an envelope of exactly the limit and so many bytes more, filled with a blob that nobody opens."""
    fields = unpack(released(sealed()), bytes_max=ENVELOPE_BYTES_MAX)[:6]
    overhead = len(pack((*fields, (bytes(100_000),)))) - 100_000
    return pack((*fields, (bytes(ENVELOPE_BYTES_MAX + surplus - overhead),)))


@pytest.mark.parametrize("surplus", [-1, 0, 1])
def test_an_envelope_is_bounded_in_bytes(surplus: int) -> None:
    envelope = _filled(surplus)
    assert ENVELOPE_BYTES_MAX + surplus == len(envelope)
    if surplus <= 0:
        read_envelope(envelope)
        return
    assert Code.TOO_BIG is refusal(read_envelope, envelope)


def test_a_header_is_bounded_by_itself_too() -> None:
    assert Code.TOO_BIG is refusal(read_header, bytes(HEADER_BYTES_MAX + 1))


def test_the_largest_header_that_can_be_made_fits() -> None:
    """16 names of 32 characters and 32 commitments take 1.7 KiB; a header of 4 KiB has room to spare."""
    header = pack(
        (1, "decision", tuple(f"{number:02d}-" + "a" * 29 for number in range(16)), NOW, NOW + 1, 2**53 - 1, bytes(32),
         tuple(digest(b"x", bytes([number])) for number in range(32)))
    )  # fmt: skip

    assert 16 == len(read_header(header).by)
    assert len(header) < HEADER_BYTES_MAX // 2


@pytest.mark.parametrize("value", [b"\x90", b"\x01", b"\xc0", b"\x91\xc3", b"\x91\xa11", b"\x91\x02"])
def test_what_does_not_begin_with_the_version_is_of_no_version(value: bytes) -> None:
    assert Code.VERSION is refusal(read_header, value)


@pytest.mark.parametrize(
    ("now_ms", "code"),
    [
        (NOW - CLOCK_SKEW_MS_MAX - 1, Code.FUTURE),
        (NOW - CLOCK_SKEW_MS_MAX, None),
        (NOW + DAY_MS, None),
        (NOW + DAY_MS + 1, Code.STALE),
    ],
)
def test_a_message_is_taken_from_a_skew_before_it_was_sealed_to_its_expiry(now_ms: int, code: Code | None) -> None:
    header = read_header(sealed().header)
    if code is None:
        check_times(header, now_ms=now_ms)
        return
    assert code is refusal(check_times, header, now_ms=now_ms)


# Co-signers.


def test_each_cosignature_counts_for_its_own_place() -> None:
    message = sealed(by=("alpha", "bravo", "golf"))
    bravo, golf, old = (cosign(world.sign_pair(name), message.hid) for name in ("bravo", "golf", "golf old"))
    for good in ((None, None), (bravo, None), (None, golf), (bravo, golf), (bravo, old)):
        received = read_envelope(released(message, cosignatures=good))
        check_author(received, signers=world.signers(), arrived_at=NOW)
    for bad in ((golf, None), (golf, bravo), (None, bravo), (bytes(64), None)):
        received = read_envelope(released(message, cosignatures=bad))
        assert Code.BAD_COSIG is refusal(check_author, received, signers=world.signers(), arrived_at=NOW)


@pytest.mark.parametrize(
    ("name", "code"), [("zulu", Code.UNKNOWN_SENDER), ("echo", Code.KEY_REVOKED), ("hotel", Code.KEY_TIME)]
)
def test_a_cosigner_must_be_able_to_sign_even_if_it_has_not(name: str, code: Code) -> None:
    received = read_envelope(released(sealed(by=("alpha", name))))

    assert code is refusal(check_author, received, signers=world.signers(), arrived_at=NOW)


# Hidden decoys.


def test_whatever_is_not_disclosed_must_be_a_decoy_to_who_holds_the_seed() -> None:
    """A reader has no seed: to it, the same envelope is in order."""
    message = sealed([(world.LABEL, pack(TEXT))] * 3)
    fields = list(unpack(released(message), bytes_max=ENVELOPE_BYTES_MAX))
    seed, disclosed = fields[4]
    fields[4], fields[6] = (seed, disclosed[1:]), fields[6][1:]
    received = read_envelope(pack(tuple(fields)))

    assert Code.DISCLOSURE is refusal(check_disclosures, received, every_place=True)
    check_disclosures(received, every_place=False)


# Opening.


def _opened(kind: str, contents: tuple[bytes, ...]) -> tuple[Received, dict[int, bytes]]:
    readers = (("bravo", tuple(range(len(contents)))),)
    sealer = EvilSealer(Plan(kind=kind, labels=(world.LABEL,) * len(contents), contents=contents, readers=readers))
    received = read_envelope(cut(sealer.release(sealer.seal()), "bravo"))
    pair_key = PairKeys("bravo").from_originator(
        world.box_pair("bravo"), "alpha", world.boxes().at_epoch("alpha", world.EPOCH, now_ms=NOW)
    )
    return received, unwrap(received, my_wrap(received, me="bravo"), pair_key=pair_key)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("report", TEXT),
        ("rfi", RfiContent("EXERCISE", "boats", "Where do they land?", "a patrol", NOW)),
        ("answer", TEXT),
        ("coord", CoordContent("EXERCISE", "task", "board it", "", None)),
        ("coord", DeconflictAsk("EXERCISE", "ask", (bytes(32),) * 16)),
        ("coord", DeconflictReply("EXERCISE", "reply", (bytes(32),) * 16, (bytes(32),) * 64)),
        ("receipt", ReceiptContent("EXERCISE", (ReceiptItem(bytes(32), 1, "opened", NOW),))),
        ("request", RequestContent("EXERCISE", "charlie", 1, "boats", "because", NOW)),
        ("decision", DecisionContent("EXERCISE", "charlie", "grant", 1, "", "because", None)),
    ],
)
def test_each_kind_opens_to_its_content_and_to_no_other(kind: str, content: Any) -> None:
    received, keys = _opened(kind, (pack(content),))
    (portion,) = open_portions(received, keys)

    assert content == portion.content
    assert f"OpenedPortion(place={portion.place})" == repr(portion)
    other = "receipt" if kind != "receipt" else "report"
    assert Code.CONTENT is refusal(read_content, other, pack(content))


@pytest.mark.parametrize("kind", ["recall", "cosign"])
def test_what_has_no_portions_opens_to_nothing(kind: str) -> None:
    assert Code.CONTENT is refusal(read_content, kind, pack(TEXT))
    assert () == open_portions(*_opened(kind, ()))


def test_a_large_portion_opens_when_all_its_chunks_are_here() -> None:
    large = TEXT._replace(body=(Passage(None, "x" * 70_000),))
    sealer = EvilSealer(
        Plan(labels=(world.LABEL,), contents=(pack(large),), readers=(("bravo", (0,)),), chunk_bytes=65_536)
    )
    message = sealer.seal()
    received = read_envelope(cut(sealer.release(message), "bravo"))
    (portion,) = open_portions(received, {message.portions[0].place: message.portions[0].key})

    assert portion.content is None
    assert 2 == portion.chunks
    assert large == finish_chunked("report", portion, message.portions[0].chunks)
    assert Code.CHUNK is refusal(finish_chunked, "report", portion, message.portions[0].chunks[:1])


def test_a_reader_without_a_wrap_is_told_so_without_alarm() -> None:
    received, _ = _opened("report", (pack(TEXT),))

    with pytest.raises(NotForMeError, match="no wrap for golf"):
        my_wrap(received, me="golf")


def test_a_wrap_for_no_portion_opens_to_no_key() -> None:
    received = read_envelope(released(sealed(), reader(bits=0)))

    assert {} == unwrap(received, received.wraps[0], pair_key=world.secret("bravo"))
    forged = Wrap(*received.wraps[0][:5], ct=bytes(16))
    assert Code.BAD_WRAP is refusal(unwrap, received, forged, pair_key=world.secret("bravo"))


def test_bits_name_places_and_not_reading_order() -> None:
    message = sealed([(world.LABEL, b"text")] * 5)

    assert sum(1 << portion.place for portion in message.portions) == message.bits(range(5))
    assert 1 << message.portions[4].place == message.bits([4])
    assert "alpha" == read_envelope(released(message)).originator
