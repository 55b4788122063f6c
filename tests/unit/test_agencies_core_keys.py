"""A node's own box keys and those that others announce."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agencies.keyring import Keys, new_key_ring
from conformance import world
from schemas.errors import RemoteError
from schemas.frames import Announcement
from schemas.limits import BOX_EPOCH_MS, BOX_EPOCH_OVERLAP_MS, CLOCK_SKEW_MS_MAX
from sealing.directory import announce
from sealing.entropy import SystemEntropy
from tests.samples.small_reader import Reader

NOW = world.NOW


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    made = Reader(tmp_path)
    yield made
    made.store.close()


def test_a_key_ring_rotates_weekly_and_erases_what_is_over() -> None:
    kept = Keys(new_key_ring("bravo", SystemEntropy()))
    first = kept.rotate(now_ms=NOW, entropy=SystemEntropy())
    assert first is not None
    assert kept.rotate(now_ms=NOW + BOX_EPOCH_MS - CLOCK_SKEW_MS_MAX - 1, entropy=SystemEntropy()) is None
    second = kept.rotate(now_ms=NOW + BOX_EPOCH_MS - CLOCK_SKEW_MS_MAX, entropy=SystemEntropy())
    assert second is not None
    assert [1, 2] == [pair.epoch for pair in kept.pairs()]
    assert first == kept.at_epoch(1)

    kept.rotate(now_ms=NOW + 2 * BOX_EPOCH_MS, entropy=SystemEntropy())

    assert [2, 3] == [pair.epoch for pair in kept.pairs()]
    assert BOX_EPOCH_MS + BOX_EPOCH_OVERLAP_MS == first.expires - first.not_before
    assert kept.pairs() == Keys(kept.ring()).pairs()


def test_an_agency_without_a_key_that_holds_says_so() -> None:
    with pytest.raises(RemoteError, match="has no box key that holds now") as caught:
        Keys(new_key_ring("bravo", SystemEntropy())).current(now_ms=NOW)

    assert "KEY_EPOCH" == caught.value.code


def test_another_agencys_announcements_are_proved_kept_and_bounded(reader: Reader) -> None:
    pair = world.box_pair("alpha", world.EPOCH)
    for epoch in range(20, 30):
        later = type(pair)(
            epoch=epoch, public=pair.public, secret=pair.secret, not_before=pair.not_before, expires=pair.expires
        )
        reader.take(announce(later, agency="alpha", signer=world.sign_pair("alpha")))
    reader.take(announce(pair, agency="alpha", signer=world.sign_pair("bravo")))

    assert 4 == len(reader.store.announcements())
    assert ["BAD_SIG"] == [entry["code"] for entry in reader.noted("rejected")]
    assert all(isinstance(item, Announcement) for item in reader.store.announcements())
