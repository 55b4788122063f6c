"""Two witnesses that meet: one log is proved to be one, two are put down with the notes that show it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.audit.store import LogStore
from conformance import world
from schemas.frames import CheckpointMessage, Cosign
from sealing.notes import Checkpoint, read_checkpoint, read_note, sign_checkpoint
from tests.samples.evil_log import EvilLog
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


def heartbeat(agency: SmallWitness) -> list[Cosign]:
    """Play a heartbeat of an agency; returns what it asks with it."""
    return agency.watch.beat(agency.moment)


def hear(agency: SmallWitness, messages: list[CheckpointMessage]) -> list[Cosign]:
    """Have checkpoints come to an agency; returns what it answers."""
    with agency.store.transaction():
        return [answer for message in messages for answer in agency.watch.take(message, agency.moment)]


def compare(router: SmallRouter, agency: SmallWitness) -> list[int]:
    """Play a heartbeat of an agency and all that follows; returns from which sizes the log was asked for a proof."""
    answers = heartbeat(agency)
    asked = [answer.size for answer in answers]
    messages = beat(router, agency.name, *answers)
    while messages:
        answers = hear(agency, messages)
        asked += [answer.size for answer in answers if answer.line is None]
        sent = router.frame(agency.name, *answers).sends.get(agency.name, []) if answers else []
        messages = [message for message in sent if isinstance(message, CheckpointMessage)]
    return asked


def test_two_that_were_shown_one_log_at_different_times_find_that_it_is_one(
    router: SmallRouter, bravo: SmallWitness, golf: SmallWitness
) -> None:
    for agency in (golf, bravo, golf, bravo, bravo):
        follow(router, agency)
    bravo.meet(golf)

    assert [size_of(golf.note)] == compare(router, bravo)
    assert [] == bravo.faults()
    # It has cosigned meanwhile as ever, and has nothing left to ask.
    assert log_of(router).signed_size == size_of(bravo.note) == log_of(router).cosigned_size("bravo")
    assert [] == compare(router, bravo)
    bravo.meet(golf)
    assert [] == compare(router, bravo)


def test_who_was_shown_more_than_this_node_is_compared_once_it_has_caught_up(
    router: SmallRouter, bravo: SmallWitness, golf: SmallWitness
) -> None:
    for agency in (bravo, golf, golf):
        follow(router, agency)
    bravo.meet(golf)

    assert [size_of(golf.note)] == compare(router, bravo)
    assert [] == bravo.faults()


def test_all_that_were_met_are_compared_with_one_tree(router: SmallRouter, bravo: SmallWitness) -> None:
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

    # The newest of each agency, who waits longest first, and once what two of them were shown alike.
    assert [size_of(notes[2]), size_of(notes[1])] == compare(router, bravo)
    assert [] == bravo.faults()


def test_more_than_a_line_should_carry_at_once_is_asked_for_later(router: SmallRouter, bravo: SmallWitness) -> None:
    follow(router, bravo)
    for number in range(40):
        beat(router, "golf")
        note = log_of(router).newest()
        assert note is not None
        with bravo.store.transaction():
            bravo.meetings.meet(f"agency-{number}", note, bravo.moment)

    assert [16, 16, 8, 0] == [len(compare(router, bravo)) for _ in range(4)]
    assert [] == bravo.faults()


def test_a_witness_whose_size_the_router_has_lost_compares_with_the_next_heartbeat(
    router: SmallRouter, bravo: SmallWitness, golf: SmallWitness
) -> None:
    follow(router, golf)
    bravo.take(beat(router, "bravo")[0])  # its cosignature is lost under way
    bravo.meet(golf)

    assert [1, size_of(bravo.note)] == compare(router, bravo)
    assert [1] == compare(router, bravo)
    assert log_of(router).signed_size == log_of(router).cosigned_size("bravo")
    assert [] == compare(router, bravo)
    assert [] == bravo.faults()


def test_two_trees_of_one_size_are_put_down_at_once(
    router: SmallRouter, bravo: SmallWitness, golf: SmallWitness
) -> None:
    follow(router, bravo)
    golf.take(shown(Checkpoint(ORIGIN, size_of(bravo.note), b"x" * 32)))
    bravo.meet(golf)
    bravo.meet(golf)

    assert ["SPLIT_VIEW"] == bravo.faults()
    assert [] == heartbeat(bravo)


@pytest.mark.parametrize(("covers", "beats"), [(2, 1), (1, 2)], ids=["it was shown more", "it was shown less"])
def test_a_history_that_is_sound_in_itself_is_put_down_where_it_meets_the_other(
    router: SmallRouter, bravo: SmallWitness, golf: SmallWitness, covers: int, beats: int
) -> None:
    """Golf was only ever shown the second log: neither of the two could find that out alone."""
    for _ in range(beats):
        follow(router, bravo)
    golf.take(shown(Checkpoint(ORIGIN, covers, b"x" * 32)))
    bravo.meet(golf)
    (ask,) = heartbeat(bravo)
    # The router of this test is honest and would sign no more once it met a second log; one that lies looks away.
    beat(router, "golf")
    assert [] == [answer for answer in hear(bravo, beat(router, "bravo", ask._replace(note=None))) if not answer.line]

    assert ["FORK"] == bravo.faults()
    fault = next(entry for entry in bravo.store.journal.entries() if entry.stage == "log_fault")
    assert [golf.note.decode(), bravo.note.decode()] == fault.fields["evidence"]
    assert [] == heartbeat(bravo)


def test_a_tree_that_is_smaller_than_what_was_met_settles_nothing(router: SmallRouter, bravo: SmallWitness) -> None:
    follow(router, bravo)
    with bravo.store.transaction():
        bravo.meetings.meet("golf", shown(Checkpoint(ORIGIN, 9, b"x" * 32)).note, bravo.moment)
    (ask,) = heartbeat(bravo)
    hear(bravo, [CheckpointMessage("checkpoint", 9, (), bravo.note)])

    assert [ask] == heartbeat(bravo)


def test_a_proof_to_another_tree_than_the_one_that_is_kept_settles_nothing(
    router: SmallRouter, bravo: SmallWitness, golf: SmallWitness
) -> None:
    """A router with two histories could prove of each what belongs to it, and go on as before."""
    follow(router, bravo)
    other = EvilLog("a", "b", "c", router=world.ROUTER, signer=world.sign_pair(world.ROUTER))
    golf.take(other.message(0))
    bravo.meet(golf)
    assert 1 == len(heartbeat(bravo))
    other.append("d")
    answers = hear(bravo, [*beat(router, "bravo"), other.message(3)])

    assert [2] == [answer.size for answer in answers if answer.line is None]  # this is not the tree that it keeps
    assert [1, 1, 0] == [len(heartbeat(bravo)) for _ in range(3)]
    assert ["FREEZE"] == bravo.faults()


def test_a_log_that_shows_no_proof_is_put_down_after_three_heartbeats(
    router: SmallRouter, bravo: SmallWitness, golf: SmallWitness
) -> None:
    follow(router, golf)
    follow(router, bravo)
    bravo.meet(golf)
    (first,) = heartbeat(bravo)
    # What it shows meanwhile leads from elsewhere.
    follow(router, bravo)
    assert [first] == heartbeat(bravo)
    assert [first] == heartbeat(bravo)
    assert [] == bravo.faults()

    assert [] == heartbeat(bravo)
    assert ["FREEZE"] == bravo.faults()


def test_a_new_link_asks_anew_and_accuses_nobody_of_the_last_ones_silence(
    router: SmallRouter, bravo: SmallWitness, golf: SmallWitness
) -> None:
    follow(router, golf)
    follow(router, bravo)
    bravo.meet(golf)
    asked = heartbeat(bravo)
    for _ in range(5):
        assert asked == heartbeat(bravo)
        bravo.watch.begin_session()

    assert [] == bravo.faults()


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

    assert [] == heartbeat(bravo)
    assert [] == bravo.faults()


def test_who_has_seen_nothing_of_a_log_compares_nothing(
    router: SmallRouter, bravo: SmallWitness, golf: SmallWitness
) -> None:
    follow(router, golf)
    bravo.meet(golf)

    assert [] == heartbeat(bravo)
