"""Announcements of box keys at the router: by their owner alone, and one for each epoch."""

from dataclasses import replace

import pytest

from conformance import world
from schemas.errors import RemoteError
from schemas.frames import Announcement
from sealing.directory import announce
from tests.samples.small_core import NOW, router

DAY_MS = world.DAY_MS


def test_a_box_key_is_announced_by_its_owner_alone() -> None:
    core = router()
    announcement = announce(world.box_pair("bravo", 8), agency="bravo", signer=world.sign_pair("bravo"))

    with pytest.raises(RemoteError, match="alpha announces a key of bravo") as caught:
        core.announce(announcement, sender="alpha", now_ms=NOW)

    assert "TOPIC_MISMATCH" == caught.value.code
    with pytest.raises(RemoteError):
        core.boxes.at_epoch("bravo", 8, now_ms=NOW + 7 * DAY_MS)


def test_an_announcement_under_another_agencys_sign_key_is_refused() -> None:
    forged = announce(world.box_pair("bravo", 8), agency="bravo", signer=world.sign_pair("alpha"))

    with pytest.raises(RemoteError) as caught:
        router().announce(forged, sender="bravo", now_ms=NOW)

    assert "BAD_SIG" == caught.value.code


def test_a_second_key_for_one_epoch_is_refused() -> None:
    other = replace(world.box_pair("charlie"), epoch=world.EPOCH)
    announcement = announce(other, agency="bravo", signer=world.sign_pair("bravo"))

    with pytest.raises(RemoteError) as caught:
        router().announce(announcement, sender="bravo", now_ms=NOW)

    assert "ROLLBACK" == caught.value.code


def test_an_announcement_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(RemoteError) as caught:
        router().announce(Announcement("announce", b"\xc1", bytes(64)), sender="bravo", now_ms=NOW)

    assert "BAD_TYPE" == caught.value.code
