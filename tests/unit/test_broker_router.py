"""The router at its desk: one transaction for all that follows, numbers without gaps, nothing lost, nothing twice."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.application import Publication
from broker.feeds import IN_FLIGHT_BYTES_MAX
from broker.quota import QuotaLimits, Quotas
from broker.router import FrameArrived, HousekeepingDue, SessionEnded
from conformance import world
from conformance.evil_book import envelope, flip, sealed
from schemas.codec import pack, unpack
from schemas.errors import StoreError
from schemas.frames import (
    Ack,
    Announcement,
    BundleMessage,
    ChunkMessage,
    ChunkRequest,
    Delivery,
    EnvelopeMessage,
    Heartbeat,
    Hello,
    Lookup,
    UpMessage,
    VerdictMessage,
)
from schemas.label import Label
from schemas.limits import CHUNK_BYTES_MAX, DELIVERY_WINDOW, LIFETIME_MS_MAX
from sealing.directory import announce
from sealing.received import read_envelope
from sealing.statements import read_verdict
from tests.samples.small_router import (
    SmallRouter,
    announced,
    chunks_of,
    deliveries,
    numbers,
    resumed_at,
    wanted,
)

DAY_MS = world.DAY_MS


@pytest.fixture
def router(tmp_path: Path) -> Iterator[SmallRouter]:
    made = SmallRouter(tmp_path)
    yield made
    made.close()


def marked(precedence: str) -> Label:
    return world.LABEL._replace(precedence=precedence)  # type: ignore[arg-type] # a word of the table


def hid_of(delivery: Delivery) -> bytes:
    return read_envelope(delivery.envelope).hid


# One transaction.


def test_a_release_is_on_disk_with_its_queue_rows_and_records_when_the_verdict_is_said(router: SmallRouter) -> None:
    message, made = sealed()

    outcome = router.send(made)

    (verdict,) = outcome.sends["alpha"]
    assert isinstance(verdict, VerdictMessage)
    said = read_verdict(verdict, bundle=world.BUNDLE, now_ms=world.NOW)
    assert "accepted" == said.outcome
    router.restart()
    assert {"bravo": 1, "charlie": 1} == router.store.queues()
    assert ["admitted", "decided", "decided", "decided"] == [row.stage for row in router.records()]
    assert {message.hid} == {row.hid for row in router.records()}
    assert 1 == said.record


def test_a_verdict_counts_the_releases_of_its_author_and_nobody_elses(router: SmallRouter) -> None:
    """WIRE-060: a number that counted all records would tell each author how much the others send."""
    router.report("one", "charlie")
    with router.store.transaction():
        router.store.write_records([("refused", None, "bravo", pack(("SIGNATURE", "signature", ())))] * 3, at=world.NOW)

    _, outcome = router.report("two", "charlie")

    (verdict,) = (item for item in outcome.sends["alpha"] if isinstance(item, VerdictMessage))
    assert 2 == read_verdict(verdict, bundle=world.BUNDLE, now_ms=world.NOW).record
    router.restart()
    assert (3, 4, 1) == tuple(router.store.next_decision(author) for author in ("alpha", "bravo", "charlie"))


def test_a_refusal_is_recorded_with_code_stage_and_what_was_over_wide(router: SmallRouter) -> None:
    message, made = sealed(readers=(("bravo", (0, 1, 2)),))

    outcome = router.send(made)

    (row,) = router.records()
    code, stage, refusals = unpack(row.body, bytes_max=4_096)
    assert ("refused", message.hid, "alpha") == (row.stage, row.hid, row.agency)
    assert ("AUDIENCE", "policy", "bravo") == (code, stage, refusals[0][1])
    assert {} == router.store.queues()
    assert [Publication.NOT_AUTHORISED] == outcome.answers


def test_what_cannot_be_read_is_recorded_without_an_id_and_gets_no_verdict(router: SmallRouter) -> None:
    outcome = router.send(b"\x91")

    assert [Publication.PAYLOAD_FORMAT_INVALID] == outcome.answers
    assert {} == outcome.sends
    assert [None] == [row.hid for row in router.records("refused")]


def test_a_frame_is_answered_with_what_all_its_messages_share_or_success(router: SmallRouter) -> None:
    """A PUBACK has one reason code; where it cannot speak for all, each message's own verdict does."""
    good, bad = sealed(name="good")[1], sealed(name="bad", readers=(("bravo", (2,)),))[1]

    both = router.frame("alpha", EnvelopeMessage("envelope", good), EnvelopeMessage("envelope", bad))
    alone = router.send(bad)

    assert [Publication.SUCCESS] == both.answers
    assert [Publication.NOT_AUTHORISED] == alone.answers
    assert ["accepted", "AUDIENCE", "AUDIENCE"] == [word for _, word, _ in both.decided + alone.decided]


def test_a_batch_of_many_frames_is_one_commit(router: SmallRouter) -> None:
    """Group commit: one sync for whatever has come, so a burst costs no more disk time than one report."""
    router.hello("bravo")
    commits = 0

    def count(statement: str) -> None:
        nonlocal commits
        commits += statement == "COMMIT"

    router.store._sql.set_trace_callback(count)
    made = [sealed(name=f"m{number}", labels=(world.LABEL,), readers=(("bravo", (0,)),))[1] for number in range(20)]

    outcome = router.frames(
        *(FrameArrived(agency="alpha", messages=(EnvelopeMessage("envelope", each),)) for each in made),
        FrameArrived(agency="bravo", messages=(Ack("ack", 3),)),
    )

    assert 1 == commits
    assert [Publication.SUCCESS] * 21 == outcome.answers
    assert list(range(1, 21)) == numbers(outcome.sends["bravo"])
    assert 17 == router.queued("bravo")
    assert 3 == len(router.records("delivered"))


def test_the_same_release_in_one_batch_is_queued_once(router: SmallRouter) -> None:
    made = EnvelopeMessage("envelope", sealed()[1])

    outcome = router.frame("alpha", made, made)

    assert {"bravo": 1, "charlie": 1} == router.store.queues()
    first, second = outcome.sends["alpha"]
    assert first == second


def test_the_verdict_is_the_same_bytes_after_a_restart(router: SmallRouter) -> None:
    made = sealed()[1]
    first = router.send(made).sends["alpha"]
    router.restart()
    router.now_ms += 5_000

    again = router.send(made).sends["alpha"]

    assert first == again
    assert {"bravo": 1, "charlie": 1} == router.store.queues()


# Deliveries, windows and order.


def test_a_reader_that_is_here_gets_its_delivery_with_the_decision(router: SmallRouter) -> None:
    router.hello("bravo")

    message, outcome = router.report("one", "bravo")

    kinds = [type(item).__name__ for item in outcome.sends["bravo"]]
    assert ["Announcement", "Announcement", "Delivery"] == kinds
    assert [message.hid] == [hid_of(item) for item in deliveries(outcome.sends["bravo"])]


def test_nothing_is_sent_before_hello(router: SmallRouter) -> None:
    """WIRE-016: until then the router does not know what the node holds."""
    _, outcome = router.report("one", "bravo")

    assert ["alpha"] == list(outcome.sends)
    assert 1 == router.queued("bravo")


def test_each_reader_gets_its_own_cut_and_no_decoy_seed(router: SmallRouter) -> None:
    router.hello("bravo")
    router.hello("charlie")
    message, made = sealed()

    outcome = router.send(made)

    for reader, positions in (("bravo", (0, 1)), ("charlie", (0, 1, 2))):
        (delivery,) = deliveries(outcome.sends[reader])
        cut = read_envelope(delivery.envelope)
        assert [reader] == [wrap.to for wrap in cut.wraps]
        assert message.bits(*positions) == sum(1 << portion.place for portion in cut.portions)
        assert cut.envelope.disclosures.seed is None
        assert all(portion.blob is not None for portion in cut.portions)


def test_no_more_than_the_window_is_under_way(router: SmallRouter) -> None:
    for number in range(DELIVERY_WINDOW + 6):
        router.report(f"m{number}", "bravo")

    first = router.hello("bravo")
    then = router.ack("bravo", 4)
    _, direct = router.report("late", "bravo")

    assert list(range(1, DELIVERY_WINDOW + 1)) == numbers(first)
    assert list(range(DELIVERY_WINDOW + 1, DELIVERY_WINDOW + 5)) == numbers(then)
    assert [] == numbers(direct.sends.get("bravo", []))
    assert [DELIVERY_WINDOW + 5, DELIVERY_WINDOW + 6, DELIVERY_WINDOW + 7] == numbers(router.ack("bravo", 64))


def test_the_window_is_one_of_bytes_too(router: SmallRouter) -> None:
    """Half the session's send buffer at most, or a slow reader of large reports would be closed for its own window."""
    text = pack(("EXERCISE", "large", ((None, "x" * 60_000),), "en", (), (), None, None, None, ()))
    sizes = []
    for number in range(40):
        made = sealed(name=f"m{number}", labels=(world.LABEL,), contents=(text,), readers=(("bravo", (0,)),))[1]
        router.send(made)
        sizes.append(len(made))

    sent = deliveries(router.hello("bravo"))

    assert len(sent) < 40
    assert sum(len(item.envelope) for item in sent) <= IN_FLIGHT_BYTES_MAX
    assert sum(len(item.envelope) for item in sent) > IN_FLIGHT_BYTES_MAX - max(sizes)
    assert numbers(router.ack("bravo", 1)) == [len(sent) + 1]


def test_a_waiting_queue_is_emptied_by_precedence_then_by_age(router: SmallRouter) -> None:
    for name, precedence in (("a", "ROUTINE"), ("b", "FLASH"), ("c", "PRIORITY"), ("d", "FLASH"), ("e", "IMMEDIATE")):
        router.report(name, "bravo", label=marked(precedence))

    sent = deliveries(router.hello("bravo"))

    names = {sealed(name=name, labels=(marked(word),), readers=(("bravo", (0,)),))[0].hid: name for name, word in (
        ("a", "ROUTINE"), ("b", "FLASH"), ("c", "PRIORITY"), ("d", "FLASH"), ("e", "IMMEDIATE"))}  # fmt: skip
    assert ["b", "d", "e", "c", "a"] == [names[hid_of(item)] for item in sent]
    assert [1, 2, 3, 4, 5] == numbers(list(sent))


def test_a_flash_overtakes_what_waits_behind_a_full_window(router: SmallRouter) -> None:
    for number in range(DELIVERY_WINDOW + 3):
        router.report(f"m{number}", "bravo")
    router.hello("bravo")
    message, _ = router.report("urgent", "bravo", label=marked("FLASH"))

    (next_one,) = deliveries(router.ack("bravo", 1))

    assert message.hid == hid_of(next_one)


def test_an_ack_is_cumulative_and_recorded_once(router: SmallRouter) -> None:
    for number in range(5):
        router.report(f"m{number}", "bravo")
    router.hello("bravo")

    router.ack("bravo", 4)
    router.ack("bravo", 4)
    router.ack("bravo", 2)

    assert 1 == router.queued("bravo")
    assert [1, 2, 3, 4] == [unpack(row.body, bytes_max=16) for row in router.records("delivered")]


def test_an_ack_of_a_number_never_given_takes_nothing_that_follows(router: SmallRouter) -> None:
    """WIRE-020: a node cannot clear its own queue of what it never saw."""
    router.hello("bravo")
    router.ack("bravo", 1_000)

    _, outcome = router.report("one", "bravo")

    assert [1] == numbers(outcome.sends["bravo"])
    assert 1 == router.queued("bravo")


def test_one_reader_that_never_acks_does_not_hold_up_another(router: SmallRouter) -> None:
    router.hello("bravo")
    router.hello("golf")
    for number in range(DELIVERY_WINDOW + 1):
        router.report(f"m{number}", "bravo")

    _, outcome = router.report("both", "bravo", "golf")

    assert [1] == numbers(outcome.sends["golf"])
    assert "bravo" not in outcome.sends


# Hello, resume, restart.


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


# Quotas and limits.


def test_a_full_queue_refuses_what_is_new_and_loses_nothing(tmp_path: Path) -> None:
    router = SmallRouter(tmp_path, limits=QuotaLimits(queue_rows_max=3))
    for number in range(3):
        router.report(f"m{number}", "bravo")

    message, refused = router.report("too-many", "bravo", "golf")
    other = router.report("other", "golf")[1]

    assert [Publication.QUOTA_EXCEEDED] == refused.answers
    assert {} == refused.sends
    assert router.store.message(message.hid) is None
    assert [Publication.SUCCESS] == other.answers
    router.hello("bravo")
    router.ack("bravo", 1)
    assert [Publication.SUCCESS] == router.report("too-many", "bravo", "golf")[1].answers
    router.close()


def test_attachments_are_refused_before_they_come_if_they_would_not_fit(tmp_path: Path) -> None:
    """What a manifest declares counts, not what has arrived: else one message could fill the disk."""
    router = SmallRouter(tmp_path, limits=QuotaLimits(chunk_bytes_max=3 * CHUNK_BYTES_MAX))
    small = sealed(name="small", labels=(world.LABEL,), readers=(("bravo", (0,)),), chunk_bytes=256)[1]
    large = sealed(
        name="large",
        labels=(world.LABEL,),
        contents=(pack(("x" * 1_000,)),),
        readers=(("bravo", (0,)),),
        chunk_bytes=256,
    )[1]

    assert [Publication.QUOTA_EXCEEDED] == router.send(large).answers
    assert [Publication.SUCCESS] == router.send(small).answers
    assert [Publication.SUCCESS] == router.send(sealed(name="plain", readers=(("bravo", (0,)),))[1]).answers
    router.close()


def test_a_flood_is_slowed_for_its_own_agency_alone() -> None:
    quotas = Quotas(QuotaLimits(messages_per_s=10, messages_burst=20, bytes_per_s=1_000, bytes_burst=5_000))

    first = [quotas.charge("alpha", messages=1, size=10, now_ms=0) for _ in range(25)]

    assert [True] * 20 + [False] * 5 == first
    assert quotas.charge("bravo", messages=1, size=10, now_ms=0)
    assert quotas.charge("alpha", messages=1, size=10, now_ms=100)
    assert not quotas.charge("alpha", messages=1, size=10, now_ms=100)


def test_bytes_are_counted_beside_messages_and_a_refused_frame_costs_nothing() -> None:
    quotas = Quotas(QuotaLimits(messages_per_s=10, messages_burst=20, bytes_per_s=1_000, bytes_burst=5_000))

    assert not quotas.charge("alpha", messages=1, size=5_001, now_ms=0)
    assert quotas.charge("alpha", messages=1, size=5_000, now_ms=0)
    assert not quotas.charge("alpha", messages=1, size=1, now_ms=0)
    assert quotas.charge("alpha", messages=1, size=1_000, now_ms=1_000)


def test_a_clock_that_goes_back_gives_no_quota_and_takes_none() -> None:
    quotas = Quotas(QuotaLimits(messages_per_s=10, messages_burst=2))
    quotas.charge("alpha", messages=2, size=0, now_ms=10_000)

    assert not quotas.charge("alpha", messages=1, size=0, now_ms=5_000)
    assert quotas.charge("alpha", messages=1, size=0, now_ms=5_100)


def test_a_quiet_agencys_bucket_takes_no_memory() -> None:
    quotas = Quotas(QuotaLimits())
    quotas.charge("alpha", messages=1, size=1, now_ms=0)
    quotas.charge("bravo", messages=1, size=1, now_ms=50_000)

    quotas.forget_idle(now_ms=60_001)

    assert {"bravo"} == quotas._spent.keys()


# Box keys.


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


# Chunks.


def chunked(router: SmallRouter, *readers: str, name: str = "chunked") -> Any:
    """Release a portion in four chunks of 256 bytes; returns the portion and hid."""
    text = pack(("EXERCISE", "chunks", ((None, "y" * 900),), "en", (), (), None, None, None, ()))
    message, made = sealed(
        name=name, labels=(world.LABEL,), contents=(text,), readers=tuple((item, (0,)) for item in readers),
        chunk_bytes=256,
    )  # fmt: skip
    outcome = router.send(made)
    return message.portions[0], message.hid, outcome


def chunk(hid: bytes, portion: Any, number: int) -> ChunkMessage:
    return ChunkMessage("chunk", hid, portion.place, number, portion.chunks[number])


def want(hid: bytes, portion: Any, number: int) -> ChunkRequest:
    return ChunkRequest("want", hid, portion.place, number)


def test_each_chunk_is_asked_of_its_author_once(router: SmallRouter) -> None:
    portion, hid, outcome = chunked(router, "bravo")
    asked = wanted(outcome.sends["alpha"])
    at = 0
    while at < len(asked):
        asked += wanted(router.frame("alpha", chunk(hid, portion, asked[at])).sends.get("alpha", []))
        at += 1

    assert 4 == len(portion.chunks)
    assert [0, 1, 2, 3] == asked


def test_a_reader_gets_the_chunks_it_asks_for_now_or_when_they_come(router: SmallRouter) -> None:
    portion, hid, _ = chunked(router, "bravo")
    router.frame("alpha", chunk(hid, portion, 0))

    now = router.frame("bravo", want(hid, portion, 0), want(hid, portion, 1))
    later = router.frame("alpha", chunk(hid, portion, 1))

    assert [chunk(hid, portion, 0)] == chunks_of(now.sends["bravo"])
    assert [chunk(hid, portion, 1)] == chunks_of(later.sends["bravo"])


def test_a_reader_without_rights_to_a_portion_gets_the_silence_of_a_message_that_does_not_exist(
    router: SmallRouter,
) -> None:
    portion, hid, _ = chunked(router, "bravo")
    router.frame("alpha", chunk(hid, portion, 0))

    there = router.frame("golf", want(hid, portion, 0), want(hid, portion, 1))
    not_there = router.frame("golf", ChunkRequest("want", bytes(32), portion.place, 0))

    assert {} == there.sends == not_there.sends
    assert there.answers == not_there.answers
    assert {"alpha"} == router.frame("alpha", chunk(hid, portion, 1)).sends.keys()


@pytest.mark.parametrize(
    ("agency", "number", "spoilt", "answer"),
    [
        ("golf", 0, False, Publication.NOT_AUTHORISED),
        ("bravo", 0, False, Publication.NOT_AUTHORISED),
        ("alpha", 0, True, Publication.PAYLOAD_FORMAT_INVALID),
        ("alpha", 1_023, False, Publication.PAYLOAD_FORMAT_INVALID),
    ],
)
def test_a_chunk_of_somebody_else_or_off_the_manifest_is_refused(
    router: SmallRouter, agency: str, number: int, *, spoilt: bool, answer: Publication
) -> None:
    portion, hid, _ = chunked(router, "bravo")
    ciphertext = flip()(portion.chunks[0]) if spoilt else portion.chunks[0]

    outcome = router.frame(agency, ChunkMessage("chunk", hid, portion.place, number, ciphertext))

    assert [answer] == outcome.answers
    assert [0, 1] == router.store.holdings.missing_chunks(hid, portion.place, limit=2)


def test_an_author_that_is_back_is_asked_again_for_what_is_missing(router: SmallRouter) -> None:
    portion, hid, _ = chunked(router, "bravo")
    router.frame("alpha", chunk(hid, portion, 0))
    router.restart()

    assert [1, 2] == wanted(router.hello("alpha"))


def test_what_a_reader_waits_for_is_forgotten_with_its_session(router: SmallRouter) -> None:
    portion, hid, _ = chunked(router, "bravo")
    router.frame("bravo", want(hid, portion, 0))
    router.leave("bravo")

    assert "bravo" not in router.frame("alpha", chunk(hid, portion, 0)).sends


# A disk that is full.


def fill(router: SmallRouter) -> None:
    pages = router.store._sql.execute("PRAGMA page_count").fetchone()[0]
    router.store._sql.execute(f"PRAGMA max_page_count = {pages}")


def test_a_full_disk_accepts_nothing_keeps_what_was_accepted_and_heals(router: SmallRouter) -> None:
    router.hello("bravo")
    router.report("before", "bravo")
    kept = [tuple(row) for row in router.records()]
    fill(router)
    text = pack(("EXERCISE", "large", ((None, "x" * 60_000),), "en", (), (), None, None, None, ()))
    message, made = sealed(name="full", labels=(world.LABEL,), contents=(text,), readers=(("bravo", (0,)),))

    with pytest.raises(StoreError, match="full"):
        router.send(made)

    assert router.store.message(message.hid) is None
    assert kept == [tuple(row) for row in router.records()]
    assert {"bravo": 1} == router.store.queues()
    assert {} == router.router.unfinished()  # its session has to say hello again: what was under way is not known
    router.store._sql.execute("PRAGMA max_page_count = 1000000")
    assert [Publication.SUCCESS] == router.send(made).answers
    assert [1, 2] == numbers(router.hello("bravo"))


def test_who_is_over_a_quota_in_a_batch_that_fails_is_put_on_record_the_next_time(tmp_path: Path) -> None:
    """Its being news would else be used up by a record that was never written."""
    router = SmallRouter(tmp_path, limits=QuotaLimits(queue_rows_max=1))
    router.report("first", "bravo")
    fill(router)
    text = pack(("EXERCISE", "large", ((None, "x" * 60_000),), "en", (), (), None, None, None, ()))
    large = sealed(name="large", labels=(world.LABEL,), contents=(text,), readers=(("golf", (0,)),))[1]
    small = sealed(name="small", labels=(world.LABEL,), readers=(("bravo", (0,)),))[1]
    with pytest.raises(StoreError):
        router.frame("alpha", EnvelopeMessage("envelope", small), EnvelopeMessage("envelope", large))
    router.store._sql.execute("PRAGMA max_page_count = 1000000")
    before = [row.stage for row in router.records()].count("refused")

    assert [Publication.QUOTA_EXCEEDED] * 2 == router.send(small).answers + router.send(small).answers
    assert (0, 1) == (before, [row.stage for row in router.records()].count("refused"))
    router.close()


def test_a_batch_that_fails_takes_back_the_numbers_it_gave(router: SmallRouter) -> None:
    """Numbers that were given in memory and are not on disk would show as a gap."""
    router.hello("bravo")
    fill(router)
    text = pack(("EXERCISE", "large", ((None, "x" * 60_000),), "en", (), (), None, None, None, ()))
    large = sealed(name="large", labels=(world.LABEL,), contents=(text,), readers=(("bravo", (0,)),))[1]
    small = sealed(name="small", labels=(world.LABEL,), readers=(("bravo", (0,)),))[1]
    with pytest.raises(StoreError):
        router.frame("alpha", EnvelopeMessage("envelope", small), EnvelopeMessage("envelope", large))
    router.store._sql.execute("PRAGMA max_page_count = 1000000")

    router.hello("bravo")
    outcome = router.send(small)

    assert [1] == numbers(outcome.sends["bravo"])
    router.restart()
    assert 2 == router.store.next_dseq("bravo")


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


def test_heartbeats_and_ends_of_sessions_nobody_began_are_taken(router: SmallRouter) -> None:
    beat: UpMessage = Heartbeat("heartbeat", world.NOW, ())

    assert [Publication.SUCCESS] == router.frame("bravo", beat).answers
    assert [Publication.SUCCESS] == router.frames(SessionEnded(agency="india")).answers  # type: ignore[arg-type] # any arrival
