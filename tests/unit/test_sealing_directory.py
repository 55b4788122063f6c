"""Whose key is whose, and when: overlapping keys, revocation on arrival, announcements one after another."""

import pytest

from conformance import world
from conformance.world import DAY_MS, EPOCH, NOW
from schemas.bundle import SignKey
from schemas.errors import Code, RemoteError
from schemas.frames import Announcement
from schemas.limits import BOX_EPOCH_MS, BOX_EPOCH_OVERLAP_MS, CLOCK_SKEW_MS_MAX
from sealing.directory import BoxDirectory, SignDirectory, announce
from sealing.keys import BoxPair, box_pair_from_secret
from sealing.primitives import SIGN_BOX, sign

SIGNERS = world.signers()


def refusal(call: object, *arguments: object, **named: object) -> Code:
    """Return the code that a call raises."""
    assert callable(call)
    with pytest.raises(RemoteError) as caught:
        call(*arguments, **named)
    return caught.value.code


def pair(epoch: int, *, begin: int = NOW, length: int = BOX_EPOCH_MS, name: str = "bravo") -> BoxPair:
    secret = world.secret(f"{name} {epoch} {begin}")
    return box_pair_from_secret(secret, epoch=epoch, not_before=begin, expires=begin + length)


def said(box: BoxPair, *, agency: str = "bravo") -> Announcement:
    return announce(box, agency=agency, signer=world.sign_pair(agency))


# Sign keys.


def test_both_of_two_overlapping_keys_count_the_newer_first() -> None:
    newer, older = world.sign_pair("golf").public, world.sign_pair("golf old").public

    assert (newer, older) == SIGNERS.keys_of("golf", sealed_at=NOW, arrived_at=NOW)
    assert (older,) == SIGNERS.keys_of("golf", sealed_at=NOW - DAY_MS - 1, arrived_at=NOW)
    assert (newer,) == SIGNERS.keys_of("golf", sealed_at=NOW + DAY_MS, arrived_at=NOW)
    signed = sign(world.sign_pair("golf old").secret, SIGN_BOX, b"x")
    SIGNERS.verify("golf", SIGN_BOX, b"x", signed, at=(NOW, NOW))


def test_a_key_holds_from_its_first_to_before_its_last_millisecond() -> None:
    SIGNERS.keys_of("alpha", sealed_at=world.KEYS_FROM, arrived_at=NOW)
    SIGNERS.keys_of("alpha", sealed_at=world.KEYS_UNTIL - 1, arrived_at=NOW)
    for sealed_at in (world.KEYS_FROM - 1, world.KEYS_UNTIL):
        assert Code.KEY_TIME is refusal(SIGNERS.keys_of, "alpha", sealed_at=sealed_at, arrived_at=NOW)


def test_a_revocation_counts_from_its_arrival_whatever_the_message_says() -> None:
    """Whoever stole the key writes whatever time it likes."""
    revoked = NOW - 60_000
    long_ago = NOW - 30 * DAY_MS

    SIGNERS.keys_of("foxtrot", sealed_at=long_ago, arrived_at=revoked - 1)
    assert Code.KEY_REVOKED is refusal(SIGNERS.keys_of, "foxtrot", sealed_at=long_ago, arrived_at=revoked)


def test_an_agency_that_is_not_active_signs_nothing() -> None:
    assert Code.KEY_REVOKED is refusal(SIGNERS.keys_of, "echo", sealed_at=NOW, arrived_at=NOW)
    assert Code.UNKNOWN_SENDER is refusal(SIGNERS.keys_of, "zulu", sealed_at=NOW, arrived_at=NOW)


def test_one_revoked_key_leaves_the_other_in_force() -> None:
    alpha, *rest = world.AGENCIES
    old, new = world.sign_pair("alpha").public, world.sign_pair("alpha new").public
    keys = (SignKey(old, world.KEYS_FROM, world.KEYS_UNTIL, NOW), SignKey(new, world.KEYS_FROM, world.KEYS_UNTIL))
    signers = SignDirectory(world.BUNDLE._replace(agencies=(alpha._replace(keys=keys), *rest)))

    assert (new,) == signers.keys_of("alpha", sealed_at=NOW, arrived_at=NOW)


def test_an_agency_may_list_one_key_twice_and_two_agencies_may_not() -> None:
    alpha, bravo, *rest = world.AGENCIES
    twice = alpha.keys[0]._replace(not_before=NOW)
    SignDirectory(world.BUNDLE._replace(agencies=(alpha._replace(keys=(*alpha.keys, twice)), bravo, *rest)))

    shared = world.BUNDLE._replace(agencies=(alpha, bravo._replace(keys=alpha.keys), *rest))
    assert Code.KEY_WEAK is refusal(SignDirectory, shared)


# Box keys.


def test_the_newest_epoch_that_has_begun_is_sealed_to() -> None:
    directory = BoxDirectory()
    for box in (pair(1, begin=NOW - 10), pair(2, begin=NOW - 5), pair(3, begin=NOW + 5)):
        directory.admit(said(box), signers=SIGNERS, now_ms=NOW)

    assert 1 == directory.current("bravo", now_ms=NOW - 6).epoch
    assert 2 == directory.current("bravo", now_ms=NOW).epoch
    assert 3 == directory.current("bravo", now_ms=NOW + 5).epoch
    for agency, now_ms in (("charlie", NOW), ("bravo", NOW - 11), ("bravo", NOW + 2 * BOX_EPOCH_MS)):
        assert Code.KEY_EPOCH is refusal(directory.current, agency, now_ms=now_ms)


def test_an_epoch_is_taken_a_skew_early_and_never_late() -> None:
    directory = BoxDirectory()
    box = pair(1, begin=NOW)
    directory.admit(said(box), signers=SIGNERS, now_ms=NOW)

    for now_ms in (NOW - CLOCK_SKEW_MS_MAX, box.expires - 1):
        assert box.public == directory.at_epoch("bravo", 1, now_ms=now_ms).public
    for epoch, now_ms in ((1, NOW - CLOCK_SKEW_MS_MAX - 1), (1, box.expires), (2, NOW)):
        assert Code.KEY_EPOCH is refusal(directory.at_epoch, "bravo", epoch, now_ms=now_ms)


@pytest.mark.parametrize("surplus", [-1, 0, 1])
def test_a_key_holds_for_an_epoch_and_its_overlap_at_most(surplus: int) -> None:
    box = pair(1, length=BOX_EPOCH_MS + BOX_EPOCH_OVERLAP_MS + surplus)
    if surplus <= 0:
        assert box.public == BoxDirectory().admit(said(box), signers=SIGNERS, now_ms=NOW).key
        return
    assert Code.KEY_TIME is refusal(BoxDirectory().admit, said(box), signers=SIGNERS, now_ms=NOW)


def test_a_key_that_is_over_is_not_admitted_and_its_last_millisecond_is() -> None:
    box = pair(1, begin=NOW - 10, length=10)

    BoxDirectory().admit(said(box), signers=SIGNERS, now_ms=NOW - 1)
    assert Code.KEY_TIME is refusal(BoxDirectory().admit, said(box), signers=SIGNERS, now_ms=NOW)


def test_an_epoch_has_one_key_and_may_be_said_twice() -> None:
    directory = BoxDirectory()
    first, other = pair(1), pair(1, begin=NOW + 1)
    directory.admit(said(first), signers=SIGNERS, now_ms=NOW)
    directory.admit(said(first), signers=SIGNERS, now_ms=NOW)

    assert Code.ROLLBACK is refusal(directory.admit, said(other), signers=SIGNERS, now_ms=NOW)
    assert first.public == directory.current("bravo", now_ms=NOW).public


def test_a_few_epochs_are_kept_and_the_oldest_go_first() -> None:
    directory = BoxDirectory()
    for epoch in (3, 1, 2, 4, 5):
        directory.admit(said(pair(epoch, begin=NOW - 10 + epoch)), signers=SIGNERS, now_ms=NOW)

    assert Code.KEY_EPOCH is refusal(directory.at_epoch, "bravo", 1, now_ms=NOW)
    assert [2, 3, 4, 5] == [directory.at_epoch("bravo", epoch, now_ms=NOW).epoch for epoch in (2, 3, 4, 5)]


def test_what_is_refused_leaves_the_directory_as_it_was() -> None:
    directory = BoxDirectory()
    forged = said(pair(1))._replace(signature=bytes(64))
    foreign = announce(pair(1), agency="bravo", signer=world.sign_pair("charlie"))
    weak = announce(
        BoxPair(epoch=1, public=bytes(32), secret=b"", not_before=NOW, expires=NOW + 1),
        agency="bravo",
        signer=world.sign_pair("bravo"),
    )

    for announcement, code in ((forged, Code.BAD_SIG), (foreign, Code.BAD_SIG), (weak, Code.KEY_WEAK)):
        assert code is refusal(directory.admit, announcement, signers=SIGNERS, now_ms=NOW)
    assert Code.KEY_EPOCH is refusal(directory.current, "bravo", now_ms=NOW)


def test_an_announcement_is_taken_up_again_after_a_restart() -> None:
    """Even one that is over by now, and one of a box key that began before the sign key that stated it."""
    directory = BoxDirectory()
    over = pair(1, begin=world.KEYS_FROM, length=10)
    early = pair(EPOCH, begin=NOW - 2 * DAY_MS, name="golf")

    directory.readmit(said(over), signers=SIGNERS)
    directory.readmit(announce(early, agency="golf", signer=world.sign_pair("golf")), signers=SIGNERS)
    assert early.public == directory.current("golf", now_ms=NOW).public
    assert over.public == directory.at_epoch("bravo", 1, now_ms=world.KEYS_FROM).public


def test_taking_up_again_asks_for_a_signature_all_the_same() -> None:
    for announcement, code in (
        (said(pair(1))._replace(signature=bytes(64)), Code.BAD_SIG),
        (said(pair(1), agency="echo"), Code.KEY_REVOKED),
        (said(pair(1), agency="zulu"), Code.UNKNOWN_SENDER),
        (said(pair(1, length=0)), Code.KEY_TIME),
    ):
        assert code is refusal(BoxDirectory().readmit, announcement, signers=SIGNERS)
