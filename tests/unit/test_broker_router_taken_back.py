"""What the router no longer gives: messages that were recalled, agencies that were revoked, and what is long over."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.application import Publication
from broker.router import HousekeepingDue
from conformance import world
from conformance.evil_book import envelope, sealed
from schemas.codec import unpack
from schemas.frames import BundleMessage, ChunkMessage
from schemas.limits import DELIVERY_WINDOW, LIFETIME_MS_MAX
from sealing.received import read_envelope
from tests.samples.small_router import SmallRouter, chunk, deliveries, numbers

DAY_MS = world.DAY_MS


@pytest.fixture
def router(tmp_path: Path) -> Iterator[SmallRouter]:
    made = SmallRouter(tmp_path)
    yield made
    made.close()


# Recall and revocation.


def recall_of(hid: bytes, *readers: str) -> bytes:
    return envelope(name="recall", kind="recall", ref=hid, labels=(), readers=tuple((name, ()) for name in readers))


def test_a_recall_cancels_what_waits_and_leaves_no_gap(router: SmallRouter) -> None:
    for number in range(DELIVERY_WINDOW):
        router.report(f"m{number}", "bravo")
    router.hello("bravo")
    message, _ = router.report("waiting", "bravo", "golf")

    router.send(recall_of(message.hid, "bravo", "golf"))

    cancelled = [(row.agency, row.hid) for row in router.records("cancelled")]
    assert [("bravo", message.hid), ("golf", message.hid)] == sorted(cancelled)
    (next_one,) = deliveries(router.ack("bravo", DELIVERY_WINDOW))
    assert DELIVERY_WINDOW + 1 == next_one.dseq
    assert "recall" == read_envelope(next_one.envelope).header.kind


def test_a_recalled_delivery_that_had_its_number_comes_again_empty(router: SmallRouter) -> None:
    """Numbers have no gaps, or a loss could not be told from a cancellation."""
    router.hello("bravo")
    message, _ = router.report("one", "bravo")
    router.send(recall_of(message.hid, "bravo"))

    again = deliveries(router.hello("bravo", 0))

    assert [(1, True), (2, False)] == [(item.dseq, item.envelope == b"") for item in again]
    router.ack("bravo", 2)
    assert 0 == router.queued("bravo")
    assert 1 == len(router.records("delivered"))


def test_a_recall_comes_again_to_a_reader_whose_disk_was_put_back(router: SmallRouter) -> None:
    """It holds the text again, and has forgotten the recall: its hello shows that."""
    router.hello("bravo")
    message, _ = router.report("one", "bravo")
    router.ack("bravo", 1)
    router.send(recall_of(message.hid, "bravo"))
    router.ack("bravo", 2)
    told = len(router.records("delivered"))

    again = [deliveries(router.hello("bravo", 1)) for _ in range(2)]

    assert [[3], [3]] == [[item.dseq for item in sent] for sent in again]
    assert "recall" == read_envelope(again[0][0].envelope).header.kind
    router.ack("bravo", 3)
    assert (0, told) == (router.queued("bravo"), len(router.records("delivered")))
    assert [] == deliveries(router.hello("bravo", 3))


def test_a_recall_that_its_reader_holds_does_not_come_again(router: SmallRouter) -> None:
    router.hello("bravo")
    message, _ = router.report("one", "bravo")
    router.send(recall_of(message.hid, "bravo"))
    router.ack("bravo", 2)

    assert [] == deliveries(router.hello("bravo", 2))


def test_what_is_cancelled_once_is_not_cancelled_again(router: SmallRouter) -> None:
    """A row that had its number stays, emptied; a second recall, or a revocation later, must not tell of it anew."""
    router.hello("bravo")
    message, _ = router.report("one", "bravo")
    router.send(recall_of(message.hid, "bravo"))
    router.send(envelope(name="again", kind="recall", ref=message.hid, labels=(), readers=(("bravo", ()),)))

    router.install(status={"bravo": "revoked"})

    assert 1 == [(row.agency, row.hid) for row in router.records("cancelled")].count(("bravo", message.hid))


def test_a_recalled_message_leaves_neither_blob_nor_chunk_on_disk(router: SmallRouter) -> None:
    message, made = sealed(labels=(world.LABEL,), readers=(("bravo", (0,)),), chunk_bytes=256)
    router.send(made)
    portion = message.portions[0]
    router.frame("alpha", ChunkMessage("chunk", message.hid, portion.place, 0, portion.chunks[0]))

    router.send(recall_of(message.hid, "bravo"))

    assert router.store.holdings.chunk(message.hid, portion.place, 0) is None
    assert router.store.holdings.manifest(message.hid, portion.place) is None
    late = router.frame("alpha", ChunkMessage("chunk", message.hid, portion.place, 1, portion.chunks[-1]))
    assert [Publication.NOT_AUTHORISED] == late.answers


def test_a_revocation_cancels_what_is_queued_to_and_from_the_agency_and_closes_its_session(
    router: SmallRouter,
) -> None:
    router.report("to", "golf")
    router.send(sealed(name="from", by=("golf",), labels=(world.LABEL,), readers=(("bravo", (0,)),))[1], sender="golf")
    router.report("other", "bravo")

    outcome = router.install(status={"golf": "revoked"})

    assert {"bravo": 1} == router.store.queues()
    assert ["bravo", "golf"] == sorted(row.agency for row in router.records("cancelled"))
    assert "golf" in outcome.closes
    assert [world.BUNDLE_VERSION + 1] == [unpack(row.body, bytes_max=64)[0] for row in router.records("bundle")]


def test_a_revoked_agencys_numbered_rows_are_emptied(router: SmallRouter) -> None:
    router.hello("golf")
    router.report("to", "golf")
    router.install(status={"golf": "suspended"})
    router.leave("golf")
    router.install(version=world.BUNDLE_VERSION + 2, status={})

    assert [(1, b"")] == [(item.dseq, item.envelope) for item in deliveries(router.hello("golf"))]


def test_nothing_to_or_from_an_agency_is_accepted_after_its_revocation(router: SmallRouter) -> None:
    router.install(status={"golf": "revoked"})

    _, to = router.report("to", "golf")
    made = sealed(name="from", by=("golf",), labels=(world.LABEL,), readers=(("bravo", (0,)),))[1]
    by = router.send(made, sender="golf")

    assert ["AUDIENCE", "KEY_REVOKED"] == [word for _, word, _ in to.decided + by.decided]
    assert {} == router.store.queues()


def test_a_new_bundle_goes_to_every_node_that_is_connected(router: SmallRouter) -> None:
    router.hello("bravo")
    router.hello("charlie")
    router.leave("charlie")

    outcome = router.install(status={})

    assert ["bravo"] == list(outcome.sends)
    assert isinstance(outcome.sends["bravo"][0], BundleMessage)


def test_an_agency_that_joins_gets_no_past_traffic(router: SmallRouter) -> None:
    router.install(status={"golf": "suspended"})
    router.report("past", "bravo")
    router.install(version=world.BUNDLE_VERSION + 2, status={})

    assert [] == numbers(router.hello("golf"))


# What is long over.


def test_a_message_is_forgotten_a_month_after_its_expiry_with_all_that_hangs_on_it(router: SmallRouter) -> None:
    message, made = sealed(labels=(world.LABEL,), readers=(("bravo", (0,)),), chunk_bytes=256)
    router.send(made)
    portion = message.portions[0]
    router.frame("alpha", chunk(message.hid, portion, 0))
    router.now_ms = world.NOW + DAY_MS + LIFETIME_MS_MAX

    router.router.handle([HousekeepingDue()], now_ms=router.now_ms)
    held = router.store.message(message.hid) is not None
    router.router.handle([HousekeepingDue()], now_ms=router.now_ms + 1)

    assert held
    assert router.store.message(message.hid) is None
    assert frozenset() == router.store.past_readers(message.hid)
    assert router.store.holdings.chunk(message.hid, portion.place, 0) is None
    assert {} == router.store.queues()
    assert ["bravo"] == [row.agency for row in router.records("cancelled")]
    assert ["admitted", "decided", "cancelled"] == [row.stage for row in router.records()]


def test_a_purged_delivery_that_had_its_number_is_sent_empty(router: SmallRouter) -> None:
    router.hello("bravo")
    router.report("old", "bravo")
    router.leave("bravo")
    router.router.handle([HousekeepingDue()], now_ms=world.NOW + DAY_MS + LIFETIME_MS_MAX + 1)

    assert [(1, b"")] == [(item.dseq, item.envelope) for item in deliveries(router.hello("bravo"))]
