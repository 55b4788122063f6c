"""A node as a witness of a real router's log: it follows what grows, and puts down what contradicts itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.application import Publication
from broker.audit.store import LogStore
from conformance import world
from schemas.errors import LogFault
from schemas.frames import CheckpointMessage, Cosign
from sealing.notes import (
    TYPE_COSIGNATURE,
    Checkpoint,
    NoteKey,
    cosign,
    log_origin,
    read_checkpoint,
    read_note,
    read_signature,
    verify_note,
    witness_name,
)
from sealing.witness import CHECKPOINT_DEADLINE_MS
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


def log_of(router: SmallRouter) -> LogStore:
    assert router.store.log is not None
    return router.store.log


def witnesses_of(router: SmallRouter) -> list[set[str]]:
    keys = [
        NoteKey(name=witness_name(name), kind=TYPE_COSIGNATURE, public=world.sign_pair(name).public)
        for name in ("alpha", "bravo", "golf")
    ]
    return [
        {line.name for line in note.signatures if line.name != ORIGIN and verify_note(note, keys)}
        for note in log_of(router).checkpoints()
    ]


def test_a_heartbeat_is_answered_with_a_checkpoint_and_that_with_a_cosignature(
    router: SmallRouter, bravo: SmallWitness
) -> None:
    for number in range(5):
        router.report(f"m{number}", "bravo", "golf")
        (message,) = beat(router, "bravo")
        (answer,) = bravo.take(message)
        assert [Publication.SUCCESS] == router.frame("bravo", answer).answers

    assert {witness_name("bravo")} == set.union(*witnesses_of(router))
    assert log_of(router).signed_size == log_of(router).cosigned_size("bravo")
    (kept,) = bravo.store.witness.cosigned()
    assert log_of(router).newest() == kept[0]
    assert [] == bravo.faults()


def test_every_heartbeat_is_answered_alike_whatever_was_sent_meanwhile(router: SmallRouter) -> None:
    """AUD-038: sizes count heartbeats; from one to the next nobody can tell whether the others sent anything."""
    told = []
    for names in (("m", "n"), (), ("o",), ()):
        for name in names:
            router.report(name, "golf")
        (message,) = beat(router, "bravo")
        told.append((read_checkpoint(read_note(message.note).text).size, len(message.note)))

    assert [1, 2, 3, 4] == [size for size, _ in told]
    assert 1 == len({length for _, length in told})


def test_an_author_is_not_shown_the_log_with_its_verdict(router: SmallRouter) -> None:
    """AUD-042: checkpoints come in answer to heartbeats, so nothing of when they come follows from what is sent."""
    router.hello("alpha")
    router.now_ms += 60_000
    _, outcome = router.report("m", "bravo")

    assert ["verdict"] == [item[0] for item in outcome.sends["alpha"]]


def test_a_witness_whose_size_the_router_has_lost_says_it_and_goes_on(router: SmallRouter, bravo: SmallWitness) -> None:
    router.report("one", "bravo")
    bravo.take(beat(router, "bravo")[0])  # its cosignature is lost under way
    router.report("two", "bravo")
    (again,) = beat(router, "bravo")
    (answer,) = bravo.take(again)
    assert None is answer.line
    sent = router.frame("bravo", answer).sends["bravo"]
    (proved,) = (item for item in sent if isinstance(item, CheckpointMessage))

    assert answer.size == proved.old_size
    assert bravo.take(proved)[0].line is not None
    assert [] == bravo.faults()


def test_a_witness_that_goes_on_naming_a_size_gets_no_further_proof(router: SmallRouter) -> None:
    router.report("one", "bravo")
    beat(router, "bravo")
    answers = [router.frame("bravo", Cosign("cosign", 1, None, None)).sends.get("bravo", []) for _ in range(5)]

    assert [1, 0, 0, 0, 0] == [len(sent) for sent in answers]


@pytest.mark.parametrize("bend", ["another key", "another text", "no line", "no such checkpoint", "cut"])
def test_a_cosignature_that_does_not_hold_is_not_kept(router: SmallRouter, bravo: SmallWitness, bend: str) -> None:
    router.report("one", "bravo")
    (message,) = beat(router, "bravo")
    (answer,) = bravo.take(message)
    assert answer.line is not None
    note = read_note(message.note)
    golf = world.sign_pair("golf")
    by_another = cosign(note.text, name=witness_name("bravo"), signer=golf, now_ms=world.NOW).line()
    line = read_signature(answer.line.decode())
    text = cosign(b"x\n1\ny\n", name=line.name, signer=world.sign_pair("bravo"), now_ms=world.NOW).line()
    bent = {
        "another key": answer._replace(line=by_another),
        "another text": answer._replace(line=text),
        "no line": answer._replace(line=b"\xff"),
        "no such checkpoint": answer._replace(size=99),
        "cut": answer._replace(line=line._replace(signature=line.signature[:-1]).line()),
    }[bend]

    assert [Publication.NOT_AUTHORISED] == router.frame("bravo", bent).answers
    assert 0 == log_of(router).cosigned_size("bravo")


def test_nobody_cosigns_in_anothers_name(router: SmallRouter, bravo: SmallWitness) -> None:
    router.report("one", "bravo")
    (answer,) = bravo.take(beat(router, "bravo")[0])

    assert [Publication.NOT_AUTHORISED] == router.frame("golf", answer).answers


def test_a_router_that_shows_two_histories_is_put_down_with_the_proof(router: SmallRouter, bravo: SmallWitness) -> None:
    router.report("one", "bravo")
    (honest,) = beat(router, "bravo")
    bravo.take(honest)
    size = read_checkpoint(read_note(honest.note).text).size
    for fault, evil in (
        ("SPLIT_VIEW", shown(Checkpoint(ORIGIN, size, b"x" * 32), old_size=size)),
        ("FORK", shown(Checkpoint(ORIGIN, size + 1, b"y" * 32), old_size=size, proof=(b"z" * 32,))),
        ("ROLLBACK", shown(Checkpoint(ORIGIN, size - 1, b"w" * 32))),
        ("UNKNOWN_LOG", shown(Checkpoint(log_origin("stranger"), size, b"x" * 32))),
    ):
        assert [] == bravo.take(evil)
        assert [] == bravo.take(evil)  # put down once, however often it is shown
        assert fault == bravo.faults()[-1]

    assert 4 == len(bravo.faults())
    split = next(entry for entry in bravo.store.journal.entries() if entry.fields.get("fault") == "SPLIT_VIEW")
    mine, theirs = (read_note(text.encode()) for text in split.fields["evidence"])
    assert mine.text != theirs.text
    # It was not led away: the honest log is still followed.
    router.report("two", "bravo")
    assert 1 == len(bravo.take(beat(router, "bravo")[0]))


def test_what_a_witness_keeps_is_there_after_a_restart(router: SmallRouter, bravo: SmallWitness) -> None:
    router.report("one", "bravo")
    bravo.take(beat(router, "bravo")[0])
    size = log_of(router).signed_size
    bravo.restart()

    assert [] == bravo.take(shown(Checkpoint(ORIGIN, size - 1, b"w" * 32)))
    assert ["ROLLBACK"] == bravo.faults()


def test_an_old_copy_of_the_routers_disk_is_fenced_by_its_witness(router: SmallRouter, bravo: SmallWitness) -> None:
    """The witness answers with the checkpoint that it keeps, and the router signs no second history."""
    router.report("one", "bravo")
    bravo.take(beat(router, "bravo")[0])
    (note, _) = bravo.store.witness.cosigned()[0]
    with router.store.transaction():
        router.store._sql.execute("DELETE FROM checkpoint")
        router.store._sql.execute("DELETE FROM leaf")
        router.store._sql.execute("DELETE FROM cover")
    log_of(router).reload()
    size = read_checkpoint(read_note(note).text).size
    told = router.frame("bravo", Cosign("cosign", size, None, note))
    _, told_again = router.report("another", "golf")

    assert LogFault.ROLLBACK == (told.log_fault and told.log_fault.fault)
    assert told_again.log_fault is None
    assert [] == beat(router, "bravo")
    assert log_of(router).fault is not None


def test_a_log_that_freezes_is_put_down(router: SmallRouter, bravo: SmallWitness) -> None:
    router.report("one", "bravo")
    bravo.take(beat(router, "bravo")[0])
    bravo.promised()
    bravo.beat()
    bravo.now_ms += CHECKPOINT_DEADLINE_MS
    bravo.beat()
    assert [] == bravo.faults()
    bravo.now_ms += 1
    bravo.beat()
    bravo.beat()

    assert ["FREEZE"] == bravo.faults()


def test_a_log_that_shows_nothing_at_all_is_frozen_too(bravo: SmallWitness) -> None:
    bravo.promised()
    for _ in range(3):
        bravo.beat()
        bravo.now_ms += CHECKPOINT_DEADLINE_MS

    assert ["FREEZE"] == bravo.faults()


def test_a_node_that_seldom_beats_accuses_nobody(router: SmallRouter, bravo: SmallWitness) -> None:
    """However long ago the verdict came: the router shows its log in answer to a heartbeat, and has to be asked."""
    router.report("one", "bravo")
    bravo.promised()
    bravo.now_ms += 3_600_000
    bravo.beat()
    bravo.take(beat(router, "bravo")[0])
    bravo.now_ms += 3_600_000
    bravo.promised()
    bravo.beat()

    assert [] == bravo.faults()


def test_the_same_tree_again_keeps_no_promise(router: SmallRouter, bravo: SmallWitness) -> None:
    router.report("one", "bravo")
    (message,) = beat(router, "bravo")
    bravo.take(message)
    bravo.promised()
    for _ in range(3):
        bravo.beat()
        bravo.now_ms += CHECKPOINT_DEADLINE_MS
        bravo.take(message)

    assert ["FREEZE"] == bravo.faults()


def test_a_new_link_waits_for_the_promise_anew(bravo: SmallWitness) -> None:
    bravo.promised()
    bravo.beat()
    bravo.now_ms += CHECKPOINT_DEADLINE_MS * 2
    bravo.witnessing.begin_session()
    bravo.beat()
    bravo.beat()

    assert [] == bravo.faults()
