"""Recalls, corrections and later releases at a reader, in whichever order they come."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance import world
from conformance.evil_book import envelope, sealed
from tests.samples.small_reader import Reader, one, rejected


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    made = Reader(tmp_path)
    yield made
    made.store.close()


def recall_of(hid: bytes, *, seq: int, by: str = "alpha") -> bytes:
    return envelope(
        name=f"recall {seq}", kind="recall", by=(by,), ref=hid, labels=(), readers=(("bravo", ()),), seq=seq
    )


def test_a_recall_erases_keeps_the_id_and_owes_a_receipt(reader: Reader) -> None:
    message, made = sealed(labels=(world.LABEL,), readers=(("bravo", (0,)),))
    reader.deliver(made)
    reader.store.take_owed()

    reader.deliver(recall_of(message.hid, seq=2))

    assert [] == reader.store.portions(message.hid)
    held = reader.store.held(message.hid)
    assert held is not None
    assert held.recalled
    assert [("purged", message.bits(0))] == [
        (i.status, i.bits) for items in reader.store.take_owed().values() for i in items
    ]


@pytest.mark.parametrize("seq", [1, 3])
def test_what_was_recalled_stays_recalled_after_a_replay(reader: Reader, seq: int) -> None:
    """The very same delivery, and a fresh release of the same message."""
    message, _ = sealed(labels=(world.LABEL,), readers=(("bravo", (0,)),))
    reader.deliver(one())
    reader.deliver(recall_of(message.hid, seq=2))

    effects = reader.deliver(one(seq=seq))

    assert [] == effects.arrivals
    assert [] == reader.store.portions(message.hid)
    assert ("duplicate" if seq == 1 else "rejected") == reader.stages()[-1]


def test_a_recall_that_comes_before_its_message_is_kept(reader: Reader) -> None:
    """RCL-007: precedence and lost links reorder; the text must not be taken up after its author took it back."""
    message, _ = sealed(labels=(world.LABEL,), readers=(("bravo", (0,)),))
    reader.deliver(recall_of(message.hid, seq=2))

    judged = reader.judge(one())

    assert ("release", "RECALLED") == rejected(judged)
    assert [] == [hid for hid in reader.store.message_ids() if hid == message.hid]
    assert reader.store.owes()


def test_a_strangers_recall_that_comes_first_keeps_nobody_from_the_message(reader: Reader) -> None:
    message, _ = sealed(labels=(world.LABEL,), readers=(("bravo", (0,)),))
    reader.deliver(recall_of(message.hid, seq=1, by="charlie"))

    effects = reader.deliver(one())

    assert ["Part 1"] == [content.title for _, content in effects.arrivals[0].contents]
    held = reader.store.held(message.hid)
    assert held is not None
    assert ("alpha", False) == (held.originator, held.recalled)


def test_somebody_elses_recall_or_correction_of_a_message_held_is_refused(reader: Reader) -> None:
    message, _ = sealed(labels=(world.LABEL,), readers=(("bravo", (0,)),))
    reader.deliver(one())

    assert ("policy", "REFERENCE") == rejected(reader.judge(recall_of(message.hid, seq=1, by="charlie")))
    assert ("policy", "REFERENCE") == rejected(reader.judge(one("correction", by=("charlie",), ref=message.hid)))
    assert [] != reader.store.portions(message.hid)


def test_a_correction_is_noted_at_the_message_that_it_supersedes(reader: Reader) -> None:
    message, _ = sealed(labels=(world.LABEL,), readers=(("bravo", (0,)),))
    reader.deliver(one())
    effects = reader.deliver(one("correction", seq=2, ref=message.hid))

    assert message.hid == effects.arrivals[0].ref
    assert [message.hid.hex()] == [entry["hid"] for entry in reader.noted("superseded")]


def test_a_later_release_adds_its_portions_to_the_message(reader: Reader) -> None:
    labels = (world.LABEL, world.LABEL)
    reader.deliver(one(labels=labels))
    effects = reader.deliver(one(labels=labels, readers=(("bravo", (1,)),), seq=2))

    (hid,) = reader.store.message_ids()
    assert 2 == len(reader.store.portions(hid))
    assert ["Part 2"] == [content.title for _, content in effects.arrivals[0].contents]
