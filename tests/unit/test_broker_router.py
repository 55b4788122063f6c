"""The router at its desk: one transaction for all that follows from a batch, or nothing of it if the disk is full."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.application import Publication
from broker.quota import QuotaLimits
from broker.router import FrameArrived
from conformance import world
from conformance.evil_book import sealed
from schemas.codec import pack, unpack
from schemas.errors import StoreError
from schemas.frames import Ack, EnvelopeMessage, VerdictMessage
from sealing.statements import read_verdict
from tests.samples.small_router import SmallRouter, numbers


@pytest.fixture
def router(tmp_path: Path) -> Iterator[SmallRouter]:
    made = SmallRouter(tmp_path)
    yield made
    made.close()


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
