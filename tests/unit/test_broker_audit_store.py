"""The log on disk: written with the records, taken back with them, there after a restart, refused when changed."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.audit.covers import read_cover
from broker.audit.leaves import (
    AdmittedLeaf,
    BundleLeaf,
    CancelledLeaf,
    DecidedLeaf,
    DeliveredLeaf,
    Leaf,
    RecalledLeaf,
    RefusedLeaf,
    RevokedLeaf,
    read_statement,
)
from broker.audit.store import LogStore
from broker.router import FrameArrived
from conformance import world
from schemas.errors import LogFault, StoreError
from schemas.frames import CheckpointMessage, DownMessage, Heartbeat
from sealing.merkle import leaf_hash, tree_root, verify_consistency
from sealing.notes import (
    TYPE_COSIGNATURE,
    TYPE_ED25519,
    NoteKey,
    cosign,
    log_origin,
    read_checkpoint,
    verify_note,
    witness_name,
)
from tests.samples.small_router import SmallRouter


@pytest.fixture
def router(tmp_path: Path) -> Iterator[SmallRouter]:
    made = SmallRouter(tmp_path)
    yield made
    made.close()


def log_of(router: SmallRouter) -> LogStore:
    assert router.store.log is not None
    return router.store.log


def leaves_of(router: SmallRouter, *kinds: type) -> list[Leaf]:
    leaves = [read_statement(row.statement) for row in log_of(router).rows()]
    return [leaf for leaf in leaves if not kinds or isinstance(leaf, kinds)]


def key() -> NoteKey:
    return NoteKey(name=log_origin(world.ROUTER), kind=TYPE_ED25519, public=world.sign_pair(world.ROUTER).public)


def test_a_log_begins_with_the_bundle_in_force(router: SmallRouter) -> None:
    router.report("first", "bravo")
    (first, *_) = leaves_of(router)

    assert isinstance(first, BundleLeaf)
    assert world.BUNDLE_VERSION == first.bundle_version


def test_a_release_has_its_leaf_and_one_for_each_reader(router: SmallRouter) -> None:
    message, _ = router.report("first", "bravo", "golf")

    assert [
        ("admitted", message.hid, "alpha"),
        ("decided", message.hid, "bravo"),
        ("decided", message.hid, "golf"),
    ] == [leaf[:1] + leaf[2:4] for leaf in leaves_of(router, AdmittedLeaf, DecidedLeaf)]


def test_a_delivery_has_its_leaf_when_it_is_acked(router: SmallRouter) -> None:
    router.hello("bravo")
    message, _ = router.report("first", "bravo")
    assert [] == leaves_of(router, DeliveredLeaf)
    router.ack("bravo", 1)

    assert [DeliveredLeaf("delivered", router.now_ms, message.hid, "bravo", 1)] == leaves_of(router, DeliveredLeaf)


def test_a_refusal_has_its_leaf_whatever_could_be_read(router: SmallRouter) -> None:
    router.send(b"nothing that can be read")
    (leaf,) = leaves_of(router, RefusedLeaf)

    assert isinstance(leaf, RefusedLeaf)
    assert (None, "alpha") == (leaf.hid, leaf.originator)


def test_a_revocation_has_its_leaf_and_what_it_cancels_too(router: SmallRouter) -> None:
    message, _ = router.report("first", "bravo", "golf")
    router.install(status={"bravo": "revoked"})
    cancelled = leaves_of(router, CancelledLeaf)

    assert [(message.hid, "bravo")] == [
        (leaf.hid, leaf.reader) for leaf in cancelled if isinstance(leaf, CancelledLeaf)
    ]
    assert [RevokedLeaf("revoked", router.now_ms, "bravo", world.BUNDLE_VERSION + 1)] == leaves_of(router, RevokedLeaf)
    assert [world.BUNDLE_VERSION, world.BUNDLE_VERSION + 1] == [
        leaf.bundle_version for leaf in leaves_of(router, BundleLeaf) if isinstance(leaf, BundleLeaf)
    ]


def test_no_recall_is_told_of_that_was_none(router: SmallRouter) -> None:
    router.report("first", "bravo")

    assert [] == leaves_of(router, RecalledLeaf)


def test_a_transaction_that_is_taken_back_takes_its_leaves_back(router: SmallRouter) -> None:
    router.report("first", "bravo")
    before = (log_of(router).log.size, log_of(router).log.root())

    def write_and_fail() -> None:
        with router.store.transaction():
            router.store.write_records([("cancelled", b"h" * 32, "bravo", b"")], at=1)
            assert before[0] + 1 == log_of(router).log.size
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        write_and_fail()

    assert before == (log_of(router).log.size, log_of(router).log.root())
    router.report("second", "bravo")
    assert len(log_of(router).rows()) == log_of(router).log.size


def beat(router: SmallRouter, *agencies: str) -> list[DownMessage]:
    """Have heartbeats come in one batch; returns what the first of them is sent."""
    frames = [FrameArrived(agency=name, messages=(Heartbeat("heartbeat", router.now_ms, ()),)) for name in agencies]
    return router.router.handle(frames, now_ms=router.now_ms).sends.get(agencies[0], [])


def test_a_log_goes_on_after_a_restart(router: SmallRouter) -> None:
    router.report("first", "bravo")
    beat(router, "bravo")
    first = read_checkpoint(log_of(router).checkpoints()[-1].text)
    router.restart()
    router.now_ms += 5_000
    router.report("second", "bravo")
    beat(router, "bravo")
    second = read_checkpoint(log_of(router).checkpoints()[-1].text)

    assert (1, 2) == (first.size, second.size)
    assert log_of(router).log.size == read_cover(log_of(router).cover_rows()[-1].statement).size
    verify_consistency(
        old_size=first.size,
        old_root=first.root,
        size=second.size,
        root=second.root,
        proof=log_of(router).proof_from(first.size),
    )
    assert 1 == len(leaves_of(router, BundleLeaf))


def test_every_leaf_is_the_one_that_the_tree_holds(router: SmallRouter) -> None:
    for name in ("a", "b", "c"):
        router.report(name, "bravo", "golf")
    log = log_of(router)
    for row in log.rows():
        assert log.node(0, row.number) == leaf_hash(log.log.entry(row)[0])


def test_a_checkpoint_is_signed_at_each_heartbeat_and_at_nothing_else(router: SmallRouter) -> None:
    """AUD-038: whatever else came, or came not, is nothing that the number or the time of checkpoints tells."""
    log = log_of(router)
    for names in (("one", "two", "three"), ("four",), ()):
        for name in names:
            router.now_ms += 5_000
            sent = router.report(name, "bravo", "golf")[1].sends
            assert not any(isinstance(item, CheckpointMessage) for items in sent.values() for item in items)
        beat(router, "bravo")
    beat(router, "bravo", "golf", "alpha")

    assert [1, 2, 3, 6] == [read_checkpoint(note.text).size for note in log.checkpoints()]
    for note in log.checkpoints():
        size = read_checkpoint(note.text).size
        assert {key().name: None} == verify_note(note, [key()])
        assert tree_root(size, log.cover_node) == read_checkpoint(note.text).root
    covers = [read_cover(row.statement) for row in log.cover_rows()]
    assert [10, 13, 13, 13, 13, 13] == [cover.size for cover in covers]
    assert {cover.size: tree_root(cover.size, log.node) for cover in covers} == {
        cover.size: cover.root for cover in covers
    }


def test_a_cover_opens_with_its_own_key_and_looks_like_any_other(router: SmallRouter) -> None:
    """AUD-040: of two covers that say the same no byte but the frame's is the same."""
    beat(router, "bravo", "golf")
    log = log_of(router)
    (first, first_key), (second, second_key) = (log.covers.entry(row) for row in log.cover_rows())

    assert 1 == len({read_cover(row.statement) for row in log.cover_rows()})
    assert first_key != second_key
    assert len(first) == len(second)
    assert first[4:] != second[4:]


def test_a_cosignature_stands_under_its_checkpoint(router: SmallRouter) -> None:
    router.report("first", "bravo")
    beat(router, "bravo")
    log = log_of(router)
    pair = world.sign_pair("bravo")
    note = log.note_of(log.signed_size)
    assert note is not None
    line = cosign(note.text, name=witness_name("bravo"), signer=pair, now_ms=router.now_ms)
    with router.store.transaction():
        log.keep_cosignature(log.signed_size, "bravo", line)
    witness = NoteKey(name=witness_name("bravo"), kind=TYPE_COSIGNATURE, public=pair.public)

    assert witness.name in verify_note(log.checkpoints()[-1], [witness])


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE leaf SET hashes = zeroblob(length(hashes)) WHERE number = (SELECT max(number) FROM leaf)",
        "UPDATE cover SET hashes = zeroblob(length(hashes)) WHERE number = (SELECT max(size) FROM checkpoint) - 1",
        "DELETE FROM cover",
        "DELETE FROM leaf WHERE number = (SELECT max(number) FROM leaf)",
        "DELETE FROM leaf WHERE number = 0",
    ],
)
def test_a_log_that_was_changed_on_disk_is_not_begun_again(router: SmallRouter, change: str) -> None:
    router.report("first", "bravo", "golf")
    beat(router, "bravo")
    router.close()
    connection = sqlite3.connect(router.path)
    with connection:
        connection.execute(change)
    connection.close()
    with pytest.raises(StoreError):
        router._open()


def test_an_old_copy_of_the_disk_signs_no_more_once_a_newer_checkpoint_is_shown(router: SmallRouter) -> None:
    """Else the router would sign another tree of a size that agencies have cosigned."""
    router.report("first", "bravo")
    log = log_of(router)
    with router.store.transaction():
        log.sign(now_ms=router.now_ms)
    newest = log.newest()
    assert newest is not None
    with router.store.transaction():
        connection = router.store._sql
        connection.execute("DELETE FROM checkpoint")
        connection.execute("DELETE FROM leaf")
        connection.execute("DELETE FROM cover")
    log.reload()
    log.meet(newest)
    router.now_ms += 60_000
    router.report("another", "golf")
    beat(router, "golf")

    assert log.fault is not None
    assert LogFault.ROLLBACK == log.fault.fault
    assert [] == log.checkpoints()
