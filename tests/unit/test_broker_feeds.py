"""Under load a reader gets few bursts, and a lone report never waits."""

from pathlib import Path

import pytest

from broker.feeds import BURSTS_UNDER_WAY_MAX, Feed
from schemas.limits import DELIVERY_WINDOW
from tests.samples.small_router import SmallRouter, deliveries


@pytest.fixture
def feed() -> Feed:
    feed = Feed(next_dseq=1)
    feed.connect()
    return feed


def send(feed: Feed) -> int:
    dseq = feed.number()
    feed.send(dseq, 100)
    return dseq


def test_the_deliveries_of_one_batch_are_one_burst_up_to_the_window(feed: Feed) -> None:
    sent = 0
    while feed.takes(100):
        sent = send(feed)

    assert DELIVERY_WINDOW == sent
    assert [DELIVERY_WINDOW] == list(feed.bursts)


def test_a_further_burst_waits_until_one_is_acked_whole(feed: Feed) -> None:
    last = 0
    for _ in range(BURSTS_UNDER_WAY_MAX):
        assert feed.takes(100)
        send(feed)
        last = send(feed)
        feed.end_burst()

    assert not feed.takes(100)
    feed.acked(1)
    assert not feed.takes(100)
    feed.acked(2)
    assert feed.takes(100)
    feed.acked(last)
    assert not feed.bursts


def test_an_ack_inside_the_batch_at_hand_does_not_join_what_follows_to_what_is_gone(feed: Feed) -> None:
    feed.acked(send(feed))
    last = send(feed)

    assert [last] == list(feed.bursts)


def test_a_new_session_begins_without_bursts(feed: Feed) -> None:
    send(feed)
    feed.disconnect()
    feed.connect()

    assert not feed.bursts
    assert feed.takes(100)


def test_what_waits_for_a_burst_leaves_together_after_the_ack(tmp_path: Path) -> None:
    router = SmallRouter(tmp_path)
    router.hello("bravo")
    at_once = [router.report(f"m{number}", "bravo")[1] for number in range(BURSTS_UNDER_WAY_MAX + 5)]

    assert [1] * BURSTS_UNDER_WAY_MAX + [0] * 5 == [len(deliveries(item.sends.get("bravo", []))) for item in at_once]
    together = deliveries(router.ack("bravo", 1))
    assert [BURSTS_UNDER_WAY_MAX + 1 + number for number in range(5)] == [item.dseq for item in together]
    router.close()
