"""Announcements of box keys at the router: who gets them, when, and how many it keeps."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.application import Publication
from conformance import world
from schemas.frames import Ack, Announcement, Lookup
from sealing.directory import announce
from tests.samples.small_router import SmallRouter, announced


@pytest.fixture
def router(tmp_path: Path) -> Iterator[SmallRouter]:
    made = SmallRouter(tmp_path)
    yield made
    made.close()


def test_a_lookup_is_answered_with_the_owners_own_announcements_and_silence_on_the_others(router: SmallRouter) -> None:
    outcome = router.frame("alpha", Lookup("lookup", ("bravo", "hotel", "nobody-here")))

    own = [item for item in world.announcements() if b"bravo" in item.statement]
    assert own == outcome.sends["alpha"]


def test_a_refused_announcement_is_recorded_and_told_to_nobody(router: SmallRouter) -> None:
    of_another = world.announcements()[0]

    outcome = router.frame("bravo", of_another)

    assert [Publication.NOT_AUTHORISED] == outcome.answers
    assert [("refused", "bravo")] == [(row.stage, row.agency) for row in router.records()]


def test_a_reader_learns_of_an_originators_next_box_key_before_what_is_sealed_under_it(router: SmallRouter) -> None:
    """Keys are introduced once a session, and anew when they change: no message may fail for a rotation alone."""
    router.hello("bravo")
    router.report("before", "bravo")
    later = announce(world.box_pair("alpha", world.EPOCH + 1), agency="alpha", signer=world.sign_pair("alpha"))
    router.frame("alpha", later)

    _, outcome = router.report("after", "bravo")
    router.frame("bravo", Ack("ack", 2))
    _, third = router.report("third", "bravo")

    assert later in announced(outcome.sends["bravo"])
    assert [] == announced(third.sends["bravo"])


def test_announcements_survive_a_restart(router: SmallRouter) -> None:
    router.restart()

    _, outcome = router.report("one", "bravo")

    assert [Publication.SUCCESS] == outcome.answers


def test_one_agencys_announcements_cannot_fill_the_disk(router: SmallRouter) -> None:
    for epoch in range(20):
        pair = world.box_pair("bravo", world.EPOCH)
        stated: Announcement = announce(
            type(pair)(epoch=100 + epoch, public=pair.public, secret=pair.secret, not_before=pair.not_before,
                       expires=pair.expires),
            agency="bravo", signer=world.sign_pair("bravo"),
        )  # fmt: skip
        router.frame("bravo", stated)

    assert 4 == len(list(router.store.holdings.announcements("bravo")))
