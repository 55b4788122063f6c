"""Primitives, key pairs, pair keys and entropy: what is admitted, what is refused, what is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance import curve, world
from schemas.errors import Code, RemoteError, SealError
from sealing import pairs, primitives
from sealing.directory import BoxKey
from sealing.entropy import SystemEntropy, shuffled
from sealing.keys import admit_box_key, admit_sign_key, box_pair_from_secret, new_box_pair, new_sign_pair
from sealing.pairs import PairKeys
from sealing.primitives import agree, decrypt, digest, encrypt, keyed, sign, verify, verify_any

ENTROPY = world.ScriptedEntropy("keys")


def test_persons_and_purposes_are_all_different() -> None:
    """Else a hash or signature of one use could stand in for another."""
    persons = [value for name, value in vars(primitives).items() if name.startswith("PERSON_")]
    purposes = [value for name, value in vars(primitives).items() if name.startswith("SIGN_")]

    assert len(persons) == len({digest(person, b"") for person in persons})
    assert len(purposes) == len(set(purposes))
    assert all(purpose.endswith(b"\0") and purpose.count(b"\0") == 1 for purpose in purposes)
    assert all(len(person) <= 16 for person in persons)


def test_a_signature_holds_for_its_purpose_content_and_key() -> None:
    pair, other = world.sign_pair("alpha"), world.sign_pair("bravo")
    signature = sign(pair.secret, b"one\0", b"content")

    verify(pair.public, b"one\0", b"content", signature)
    for public, purpose, content, presented in (
        (other.public, b"one\0", b"content", signature),
        (pair.public, b"two\0", b"content", signature),
        (pair.public, b"one\0", b"Content", signature),
        (pair.public, b"one\0", b"content", signature[:-1]),
        (pair.public, b"one\0", b"content", b""),
        (pair.public[:31], b"one\0", b"content", signature),
    ):
        with pytest.raises(RemoteError) as caught:
            verify(public, purpose, content, presented)
        assert Code.BAD_SIG is caught.value.code


def test_one_of_several_keys_is_enough_and_none_is_not() -> None:
    alpha, bravo, charlie = (world.sign_pair(name) for name in ("alpha", "bravo", "charlie"))
    signature = sign(alpha.secret, b"p\0", b"c")

    for keys in ([alpha.public], [alpha.public, bravo.public], [bravo.public, alpha.public]):
        verify_any(keys, b"p\0", b"c", signature)
    with pytest.raises(RemoteError):
        verify_any([bravo.public, charlie.public], b"p\0", b"c", signature)


@given(plaintext=st.binary(max_size=600), at=st.integers(min_value=0, max_value=10_000), bit=st.integers(0, 7))
def test_any_flipped_bit_of_a_ciphertext_is_refused(plaintext: bytes, at: int, bit: int) -> None:
    ciphertext = bytearray(encrypt(bytes(32), plaintext))
    assert plaintext == decrypt(bytes(32), bytes(ciphertext), code=Code.BAD_TAG)

    ciphertext[at % len(ciphertext)] ^= 1 << bit
    with pytest.raises(RemoteError) as caught:
        decrypt(bytes(32), bytes(ciphertext), code=Code.BAD_TAG)
    assert Code.BAD_TAG is caught.value.code


@pytest.mark.parametrize("size", [0, 1, 15])
def test_a_ciphertext_shorter_than_its_tag_is_refused(size: int) -> None:
    with pytest.raises(RemoteError):
        decrypt(bytes(32), bytes(size), code=Code.BAD_TAG)


@pytest.mark.parametrize(("key", "nonce"), [(bytes(31), bytes(24)), (bytes(32), bytes(12)), (b"", bytes(24))])
def test_a_key_or_nonce_of_another_length_never_reaches_the_library(key: bytes, nonce: bytes) -> None:
    """C reads 32 and 24 bytes whatever it is given."""
    with pytest.raises(SealError, match="length"):
        encrypt(key, b"", nonce=nonce)
    with pytest.raises(SealError, match="length"):
        decrypt(key, bytes(32), code=Code.BAD_TAG, nonce=nonce)


def test_a_library_that_cannot_encrypt_is_not_taken_at_its_word(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        @staticmethod
        def crypto_aead_xchacha20poly1305_ietf_encrypt(*_arguments: object) -> int:
            return -1

    monkeypatch.setattr(primitives, "lib", Broken)
    with pytest.raises(SealError, match="could not encrypt"):
        encrypt(bytes(32), b"text")


def test_keyed_hashes_differ_by_key_person_and_size() -> None:
    assert 4 == len(
        {keyed(b"a", b"k", b""), keyed(b"b", b"k", b""), keyed(b"a", b"l", b""), keyed(b"a", b"k", b"", size=64)}
    )


def test_fresh_pairs_are_admitted_and_differ() -> None:
    entropy = SystemEntropy()
    signing = [new_sign_pair(entropy).public for _ in range(3)]
    boxes = [new_box_pair(entropy, epoch=number, not_before=0, expires=1).public for number in range(3)]

    for sign_key, box_key in zip(signing, boxes, strict=True):
        admit_sign_key(sign_key)
        admit_box_key(box_key)
    assert 6 == len({*signing, *boxes})


def test_a_pair_never_shows_its_secret() -> None:
    signing, box = world.sign_pair("alpha"), world.box_pair("alpha")

    assert repr(signing.secret) not in repr(signing)
    assert "secret" not in repr(box)


@pytest.mark.parametrize("key", [*curve.SMALL_ORDER, bytes(31), bytes(33), b""])
def test_degenerate_sign_keys_are_not_admitted(key: bytes) -> None:
    with pytest.raises(RemoteError) as caught:
        admit_sign_key(key)
    assert Code.KEY_WEAK is caught.value.code


@pytest.mark.parametrize("key", [*curve.SMALL_ORDER_U, b"\xff" * 32, bytes(31)])
def test_degenerate_box_keys_are_neither_admitted_nor_used(key: bytes) -> None:
    with pytest.raises(RemoteError) as caught:
        admit_box_key(key)
    assert Code.KEY_WEAK is caught.value.code
    if key in curve.SMALL_ORDER_U[:5]:
        with pytest.raises(RemoteError):
            agree(world.secret("any"), key)


# Pair keys.


def _box(name: str, epoch: int = world.EPOCH) -> BoxKey:
    pair = world.box_pair(name, epoch)
    return BoxKey(epoch, pair.public, pair.not_before, pair.expires)


def test_both_ends_make_the_same_key_and_only_one_way() -> None:
    """A wrap by bravo must not pass for one by alpha, though both share the X25519 secret."""
    alpha, bravo = PairKeys("alpha"), PairKeys("bravo")
    there = alpha.to_reader(world.box_pair("alpha"), "bravo", _box("bravo"))

    assert there == bravo.from_originator(world.box_pair("bravo"), "alpha", _box("alpha"))
    assert there != bravo.to_reader(world.box_pair("bravo"), "alpha", _box("alpha"))
    assert there != alpha.to_reader(world.box_pair("alpha"), "charlie", _box("bravo"))
    assert there != alpha.to_reader(world.box_pair("alpha"), "bravo", _box("bravo", world.EPOCH - 1))
    assert there != alpha.to_reader(world.box_pair("alpha", world.EPOCH - 1), "bravo", _box("bravo"))


def test_pair_keys_are_kept_and_the_least_recently_used_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bytes] = []
    monkeypatch.setattr(pairs, "_PAIRS_KEPT", 2)

    def noted(secret: bytes, public: bytes) -> bytes:
        made.append(public)
        return agree(secret, public)

    monkeypatch.setattr(pairs, "agree", noted)
    kept = PairKeys("alpha")
    mine = world.box_pair("alpha")
    for reader in ("bravo", "charlie", "bravo", "delta", "bravo", "charlie"):
        kept.to_reader(mine, reader, _box(reader))

    assert [_box(name).public for name in ("bravo", "charlie", "delta", "charlie")] == made


def test_a_weak_box_key_makes_no_pair() -> None:
    with pytest.raises(RemoteError):
        PairKeys("alpha").to_reader(world.box_pair("alpha"), "bravo", BoxKey(1, bytes(32), 0, 1))


def test_a_box_pair_follows_from_its_secret() -> None:
    pair = box_pair_from_secret(world.secret("x"), epoch=1, not_before=0, expires=1)

    assert pair == box_pair_from_secret(world.secret("x"), epoch=1, not_before=0, expires=1)


# Entropy.


@given(count=st.integers(min_value=0, max_value=255), name=st.text(max_size=5))
def test_a_shuffle_is_a_permutation(count: int, name: str) -> None:
    assert list(range(count)) == sorted(shuffled(world.ScriptedEntropy(name), count))


def test_a_shuffle_has_no_bias() -> None:
    """Draws that would favour low places are thrown away, so each of six orders comes a sixth of the time."""
    entropy = world.ScriptedEntropy("shuffle")
    orders = [tuple(shuffled(entropy, 3)) for _ in range(6_000)]
    counts = {order: orders.count(order) for order in set(orders)}

    assert 6 == len(counts)
    assert all(900 < count < 1_100 for count in counts.values())


def test_a_draw_above_the_bound_is_drawn_again() -> None:
    class Listed:
        def __init__(self, *draws: int) -> None:
            self._draws = list(draws)

        def take(self, count: int) -> bytes:
            assert count == 1
            return bytes([self._draws.pop(0)])

    assert [1, 2, 0] == shuffled(Listed(255, 0, 0), 3)


def test_the_system_gives_as_many_bytes_as_asked() -> None:
    assert 48 == len(SystemEntropy().take(48))
    assert SystemEntropy().take(32) != SystemEntropy().take(32)
