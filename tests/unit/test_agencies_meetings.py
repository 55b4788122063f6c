"""Two witnesses that meet: one log is proved to be one, two are put down with the notes that show it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.audit.store import LogStore
from conformance import world
from schemas.frames import CheckpointMessage, Cosign, UpMessage
from sealing.notes import Checkpoint, read_checkpoint, read_note, sign_checkpoint
from tests.samples.small_router import SmallRouter
from tests.samples.small_witness import ORIGIN, SmallWitness, beat, shown


@pytest.fixture
def router(tmp_path: Path) -> Iterator[SmallRouter]:
    made = SmallRouter(tmp_path)
    yield made
    made.close()


@pytest.fixture
def bravo(tmp_path: Path) -> Iterator[SmallWitness]:
    agency = SmallWitness(tmp_path, "bravo")
    yield agency
    agency.store.close()


@pytest.fixture
def golf(tmp_path: Path) -> Iterator[SmallWitness]:
    agency = SmallWitness(tmp_path, "golf")
    yield agency
    agency.store.close()


def size_of(note: bytes) -> int:
    return read_checkpoint(read_note(note).text).size


def log_of(router: SmallRouter) -> LogStore:
    assert router.store.log is not None
    return router.store.log


def follow(router: SmallRouter, agency: SmallWitness) -> None:
    (message,) = beat(router, agency.name)
    router.frame(agency.name, *agency.take(message))


def compare(router: SmallRouter, agency: SmallWitness) -> list[int]:
    """Play a heartbeat of an agency and all that follows; returns from which sizes the log was asked for a proof."""
    asked: list[int] = []
    assert not agency.meetings.beat()
    up: list[UpMessage] = list(agency.meetings.ask())
    shown_to = beat(router, agency.name, *up)
    while shown_to:
        asked += [message.size for message in up if isinstance(message, Cosign) and message.line is None]
        (message,) = shown_to
        with agency.store.transaction():
            agency.meetings.take(message, agency.moment)
        up = list(agency.take(message))
        if all(isinstance(answer, Cosign) and answer.line is not None for answer in up):
            up += agency.meetings.ask_next()
        sent = router.frame(agency.name, *up).sends.get(agency.name, [])
        shown_to = [message for message in sent if isinstance(message, CheckpointMessage)]
    return asked


def test_two_that_were_shown_one_log_at_different_times_find_that_it_is_one(
    router: SmallRouter, bravo: SmallWitness, golf: SmallWitness
) -> None:
    for agency in (golf, bravo, golf, bravo, bravo):
        follow(router, agency)
    held = size_of(golf.note)
    bravo.meet(golf)

    assert [held, size_of(bravo.note)] == compare(router, bravo)  # golf's size, and then what it keeps itself
    assert [] == bravo.faults()
    # It has cosigned meanwhile as ever, and has nothing left to ask.
    assert log_of(router).signed_size == size_of(bravo.note) == log_of(router).cosigned_size("bravo")
    assert [] == compare(router, bravo)


def test_all_that_were_met_are_compared_one_after_the_other(router: SmallRouter, bravo: SmallWitness) -> None:
    agencies = ["golf", "alpha", "hotel"]
    notes = []
    follow(router, bravo)
    for _ in agencies:
        beat(router, "golf")
        note = log_of(router).newest()
        assert note is not None
        notes.append(note)
    with bravo.store.transaction():
        for agency, note in zip([*agencies, "golf"], [*notes, notes[-1]], strict=True):
            bravo.meetings.meet(agency, note, bravo.moment)

    asked = compare(router, bravo)
    # The newest of each agency, who waits longest first, and once what two of them were shown alike.
    assert [size_of(notes[2]), size_of(notes[1])] == [size for size in asked if size in map(size_of, notes)]
    assert [] == bravo.faults()


def test_two_trees_of_one_size_are_put_down_at_once(
    router: SmallRouter, bravo: SmallWitness, golf: SmallWitness
) -> None:
    follow(router, bravo)
    golf.take(shown(Checkpoint(ORIGIN, size_of(bravo.note), b"x" * 32)))
    bravo.meet(golf)
    bravo.meet(golf)

    assert ["SPLIT_VIEW"] == bravo.faults()
    assert [] == bravo.meetings.ask()


@pytest.mark.parametrize(("covers", "beats"), [(2, 1), (1, 2)], ids=["it was shown more", "it was shown less"])
def test_a_history_that_is_sound_in_itself_is_put_down_where_it_meets_the_other(
    router: SmallRouter, bravo: SmallWitness, golf: SmallWitness, covers: int, beats: int
) -> None:
    """Golf was only ever shown the second log: neither of the two could find that out alone."""
    for _ in range(beats):
        follow(router, bravo)
    golf.take(shown(Checkpoint(ORIGIN, covers, b"x" * 32)))
    bravo.meet(golf)
    (ask,) = bravo.meetings.ask()
    beat(router, "bravo")
    # The router of this test is honest and would sign no more once it met a second log; one that lies looks away.
    (message,) = beat(router, "bravo", ask._replace(note=None))
    with bravo.store.transaction():
        bravo.meetings.take(message, bravo.moment)

    assert ["FORK"] == bravo.faults()
    fault = next(entry for entry in bravo.store.journal.entries() if entry.stage == "log_fault")
    assert [golf.note.decode(), message.note.decode()] == fault.fields["evidence"]
    assert [] == bravo.meetings.ask_next()


def test_a_log_that_shows_no_proof_is_put_down_after_two_heartbeats(
    router: SmallRouter, bravo: SmallWitness, golf: SmallWitness
) -> None:
    follow(router, golf)
    follow(router, bravo)
    bravo.meet(golf)
    assert not bravo.meetings.beat()
    (first,) = bravo.meetings.ask()
    # What it shows meanwhile leads from elsewhere.
    follow(router, bravo)
    assert not bravo.meetings.beat()
    assert [first] == bravo.meetings.ask()
    assert bravo.meetings.beat()
    with bravo.store.transaction():
        bravo.meetings.judge_silence(bravo.moment)

    assert ["FREEZE"] == bravo.faults()
    assert [] == bravo.meetings.ask()
    assert not bravo.meetings.beat()


def test_a_new_link_asks_anew_and_accuses_nobody_of_the_last_ones_silence(
    router: SmallRouter, bravo: SmallWitness, golf: SmallWitness
) -> None:
    follow(router, golf)
    follow(router, bravo)
    bravo.meet(golf)
    asked = bravo.meetings.ask()
    assert not bravo.meetings.beat()
    bravo.meetings.begin_session()

    assert not bravo.meetings.beat()
    assert asked == bravo.meetings.ask()
    assert not bravo.meetings.beat()


def test_what_no_router_has_signed_is_no_meeting(router: SmallRouter, bravo: SmallWitness, golf: SmallWitness) -> None:
    """One agency cannot make another accuse the router."""
    follow(router, bravo)
    size = size_of(bravo.note)
    forged = sign_checkpoint(Checkpoint(ORIGIN, size, b"x" * 32), signer=world.sign_pair("golf"))
    for note in (
        forged.packed(),
        forged.packed()[:-9],
        b"",
        b"\xff" * 100,
        bravo.note.replace(b"sandiwara", b"elsewhere"),
    ):
        bravo.meet(golf, note)

    assert [] == bravo.meetings.ask()
    assert [] == bravo.faults()


def test_who_has_seen_nothing_of_a_log_compares_nothing(
    router: SmallRouter, bravo: SmallWitness, golf: SmallWitness
) -> None:
    follow(router, golf)
    bravo.meet(golf)

    assert [] == bravo.meetings.ask()
