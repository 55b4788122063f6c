"""A session begins, ends and begins again: numbers without gaps, nothing lost, nothing twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.application import Publication
from broker.router import FrameArrived, SessionEnded
from conformance import world
from conformance.evil_book import sealed
from schemas.frames import BundleMessage, EnvelopeMessage, Heartbeat, Hello, UpMessage
from tests.samples.small_router import SmallRouter, deliveries, numbers, resumed_at


@pytest.fixture
def router(tmp_path: Path) -> Iterator[SmallRouter]:
    made = SmallRouter(tmp_path)
    yield made
    made.close()


def test_hello_sends_everything_above_its_number_again_and_in_order(router: SmallRouter) -> None:
    router.hello("bravo")
    for number in range(6):
        router.report(f"m{number}", "bravo")

    again = router.hello("bravo", 2)

    assert 3 == resumed_at(again)
    assert [3, 4, 5, 6] == numbers(again)
    assert 4 == router.queued("bravo")


def test_resume_names_the_next_delivery_even_if_there_is_none_yet(router: SmallRouter) -> None:
    assert 1 == resumed_at(router.hello("bravo"))
    router.report("one", "bravo")
    router.ack("bravo", 1)

    assert 2 == resumed_at(router.hello("bravo", 1))


def test_a_restart_keeps_numbers_queues_and_what_was_under_way(router: SmallRouter) -> None:
    router.hello("bravo")
    for number in range(4):
        router.report(f"m{number}", "bravo")
    router.ack("bravo", 1)
    before = {item.dseq: item.envelope for item in deliveries(router.hello("bravo", 1))}
    router.restart()
    router.report("after", "bravo")

    again = router.hello("bravo", 1)

    assert [2, 3, 4, 5] == numbers(again)
    assert before == {item.dseq: item.envelope for item in deliveries(again) if item.dseq < 5}


def test_a_reader_that_remembers_more_than_the_router_gets_no_number_twice(router: SmallRouter) -> None:
    """WIRE-021: the router's disk was put back from an old copy; reused numbers would be dropped as duplicates."""
    resumed = router.hello("bravo", 40)
    _, outcome = router.report("one", "bravo")

    assert 41 == resumed_at(resumed)
    assert [41] == numbers(outcome.sends["bravo"])
    router.restart()
    assert [41] == numbers(router.hello("bravo", 40))


def test_a_reader_that_forgot_is_told_where_the_numbers_go_on(router: SmallRouter) -> None:
    """Its own disk was put back; what it had acked is gone from the queue, and it can see how much that was."""
    router.hello("bravo")
    router.report("one", "bravo")
    router.report("two", "bravo")
    router.ack("bravo", 2)

    assert 3 == resumed_at(router.hello("bravo", 0))


def test_what_was_under_way_when_a_session_ended_is_sent_in_the_next(router: SmallRouter) -> None:
    router.hello("bravo")
    router.report("one", "bravo")
    router.leave("bravo")
    _, meanwhile = router.report("two", "bravo")

    assert "bravo" not in meanwhile.sends
    assert [1, 2] == numbers(router.hello("bravo"))


def test_a_node_with_an_older_bundle_gets_the_one_in_force(router: SmallRouter) -> None:
    outcome = router.frame("bravo", Hello("hello", 0, world.BUNDLE_VERSION - 1))

    bundles = [item for item in outcome.sends["bravo"] if isinstance(item, BundleMessage)]
    assert [BundleMessage("bundle", world.signed_bundle())] == bundles


def test_a_hello_and_a_report_in_one_batch_are_sent_once(router: SmallRouter) -> None:
    """The report is queued behind the backlog that the hello opens, and numbered at the end of the batch."""
    made = sealed(labels=(world.LABEL,), readers=(("bravo", (0,)),))[1]

    outcome = router.frames(
        FrameArrived(agency="bravo", messages=(Hello("hello", 0, world.BUNDLE_VERSION),)),
        FrameArrived(agency="alpha", messages=(EnvelopeMessage("envelope", made),)),
    )

    assert [1] == numbers(outcome.sends["bravo"])


def test_idle_means_that_no_connected_reader_owes_an_ack(router: SmallRouter) -> None:
    router.report("one", "bravo")
    away = router.router.idle()
    router.hello("bravo")
    owing = router.router.idle(), router.router.unfinished()
    router.ack("bravo", 1)

    assert (True, (False, {"bravo": 1}), True) == (away, owing, router.router.idle())


def test_heartbeats_and_ends_of_sessions_nobody_began_are_taken(router: SmallRouter) -> None:
    beat: UpMessage = Heartbeat("heartbeat", world.NOW, ())

    assert [Publication.SUCCESS] == router.frame("bravo", beat).answers
    assert [Publication.SUCCESS] == router.frames(SessionEnded(agency="india")).answers  # type: ignore[arg-type] # any arrival
