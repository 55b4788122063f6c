"""Sequence numbers at a reader: gaps are counted, a second message under one number is an equivocation."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agencies.state import Accepted, Duplicate
from conformance import world
from conformance.evil_sealer import cut
from schemas.codec import pack, unpack
from schemas.frames import Ack, Hello
from schemas.limits import REPLAY_WINDOW_MESSAGES
from tests.samples.small_reader import Reader, one, rejected


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    made = Reader(tmp_path)
    yield made
    made.store.close()


def test_a_second_message_under_one_number_is_an_equivocation(reader: Reader) -> None:
    reader.deliver(one("first", seq=1))

    assert ("freshness", "EQUIVOCATION") == rejected(reader.judge(one("second", seq=1)))


def test_a_router_that_changes_a_number_puts_nobody_else_in_doubt(reader: Reader) -> None:
    """Until the wrap has opened nothing proves that its originator chose the number."""
    reader.deliver(one("first", seq=1))
    parts = unpack(cut(one("second", seq=2), "bravo"), bytes_max=256 * 1024)
    (wrap,) = unpack(parts[5], bytes_max=256 * 1024)
    renumbered = (*wrap[:4], 1, wrap[5])

    judged = reader.judge_cut(pack((*parts[:5], pack((renumbered,)), parts[6])))

    assert ("unwrap", "BAD_WRAP") == rejected(judged)


def test_the_same_message_again_is_a_duplicate_without_effect(reader: Reader) -> None:
    made = one()
    reader.deliver(made)
    reader.store.take_owed()

    effects = reader.deliver(made)

    assert isinstance(reader.judge(made), Duplicate)
    assert ([], False, [Ack("ack", 2)]) == (effects.arrivals, reader.store.owes(), effects.replies)
    assert 1 == len(reader.noted("verified"))


def test_numbers_inside_the_window_come_in_any_order_and_below_it_not_at_all(reader: Reader) -> None:
    top = REPLAY_WINDOW_MESSAGES + 5
    reader.deliver(one("top", seq=top))

    assert isinstance(reader.judge(one("in", seq=6)), Accepted)
    assert ("freshness", "SEQUENCE") == rejected(reader.judge(one("below", seq=5)))


def test_the_window_forgets_what_lies_below_it(reader: Reader) -> None:
    for seq in (1, 2, REPLAY_WINDOW_MESSAGES + 2):
        reader.deliver(one(f"m{seq}", seq=seq))

    held = [seq for (seq,) in reader.store._sql.execute("SELECT seq FROM seen ORDER BY seq")]
    assert [REPLAY_WINDOW_MESSAGES + 2] == held


def test_a_gap_is_counted_and_what_follows_is_taken_all_the_same(reader: Reader) -> None:
    reader.deliver(one("first", seq=1))
    effects = reader.deliver(one("fifth", seq=5))

    assert [("alpha", 3)] == [(entry["originator"], entry["messages"]) for entry in reader.noted("missing")]
    assert 1 == len(effects.arrivals)
    reader.deliver(one("third", seq=3))
    assert 1 == len(reader.noted("missing"))


def test_what_was_seen_is_known_after_a_restart(tmp_path: Path) -> None:
    first = Reader(tmp_path)
    made = one()
    first.deliver(made)
    first.store.close()

    again = Reader(tmp_path)

    assert isinstance(again.judge(made), Duplicate)
    assert ("freshness", "EQUIVOCATION") == rejected(again.judge(one("other")))
    assert Hello("hello", 1, world.BUNDLE_VERSION) == again.incoming.hello()
    again.store.close()
