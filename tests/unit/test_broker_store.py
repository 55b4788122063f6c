"""The router's memory on disk: what a transaction keeps, takes back, and finds again."""

import stat
from pathlib import Path

import pytest

from broker.cuts import Cutter, Release
from broker.store import Store
from conformance import world
from conformance.evil_book import sealed
from conformance.evil_sealer import cut
from schemas.codec import pack, unpack
from schemas.envelope import Wrap
from schemas.errors import StoreError
from sealing.received import read_envelope
from tests.samples.small_router import SmallRouter


class StopError(Exception):
    """Something that goes wrong in the middle of a transaction."""


@pytest.fixture
def router(tmp_path: Path) -> SmallRouter:
    return SmallRouter(tmp_path)


def test_a_block_that_fails_keeps_nothing_and_its_numbers_are_used_again(router: SmallRouter) -> None:
    router.report("one", "bravo")
    before = router.store.next_decision("alpha")

    with pytest.raises(StopError), router.store.transaction():  # noqa: PT012 - the block is what is taken back
        router.store.write_records([("refused", None, "alpha", pack(("QUOTA", "release", ())))], at=1)
        router.store.holdings.write_chunk(bytes(32), 0, 0, b"x")
        raise StopError

    assert before == router.store.next_decision("alpha")
    assert router.store.holdings.chunk(bytes(32), 0, 0) is None
    assert ["admitted", "decided"] == [row.stage for row in router.records()]


def test_no_cut_of_a_release_that_was_not_kept_stays_in_memory(router: SmallRouter) -> None:
    """A release's number is given again, and the cut of another message must not be found under it."""
    router.hello("bravo")
    first, _ = router.report("kept", "bravo")
    with pytest.raises(StopError), router.store.transaction():  # noqa: PT012 - the block is what is taken back
        message, made = sealed(name="lost", labels=(world.LABEL,), readers=(("bravo", (0,)),))
        decided = router.core.admit(made, sender="alpha", now_ms=router.now_ms, state=router.store)
        rows = router.store.write_admitted(decided, at=1)  # type: ignore[arg-type] # it is admitted
        router.store.cutter(rows[0].release)
        raise StopError

    second, _ = router.report("next", "bravo")

    hids = [
        read_envelope(router.store.cutter(row.release).cut(Wrap(*unpack(row.wrap, bytes_max=4_096)))).hid
        for row in router.store.sent_after("bravo", 0)
    ]
    assert [first.hid, second.hid] == hids
    assert message.hid not in hids


def test_records_are_numbered_from_one_without_gaps_across_restarts(router: SmallRouter) -> None:
    router.report("one", "bravo", "golf")
    router.restart()
    router.report("two", "delta", "india")
    router.restart()
    router.report("three", "bravo")

    records = router.records()

    assert list(range(1, len(records) + 1)) == [row.number for row in records]
    assert records[2:] == list(router.store.records(after=2))


def test_a_decision_is_recorded_with_label_and_those_permitted(router: SmallRouter) -> None:
    message, made = sealed()
    router.send(made)

    decided = {
        place: (label, permitted)
        for place, label, permitted in (unpack(row.body, bytes_max=4_096) for row in router.records("decided"))
    }

    places = [portion.place for portion in message.portions]
    assert (tuple(world.HIGH), ("charlie",)) == decided[places[2]]
    assert (tuple(world.LABEL), ("bravo", "charlie")) == decided[places[0]]


def test_the_files_are_private_the_log_of_the_database_too(router: SmallRouter) -> None:
    router.report("one", "bravo")

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in router.path.parent.iterdir()}

    assert {"broker.sqlite", "broker.sqlite-wal", "broker.sqlite-shm", "broker.sqlite.lock"} <= modes.keys()
    assert {0o600} == set(modes.values())


def test_a_commit_is_synced_before_it_is_called_done(router: SmallRouter) -> None:
    """With NORMAL a power cut takes back what was called accepted."""
    pragmas = {
        name: router.store._sql.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")
    }

    assert {"synchronous": 2, "journal_mode": "wal"} == pragmas


def test_another_routers_file_is_refused(router: SmallRouter) -> None:
    router.close()

    with pytest.raises(StoreError, match="belongs to hub, not to other"):
        Store.open(router.path, router="other")


def test_the_router_holds_nothing_by_which_a_report_could_be_read(router: SmallRouter) -> None:
    """It keeps disclosures, blobs and wraps; portion keys and plaintext are in none of its tables."""
    message, made = sealed()
    router.send(made)
    router.close()

    on_disk = b"".join(path.read_bytes() for path in sorted(router.path.parent.iterdir()))

    assert message.portions[0].blob[:64] in on_disk
    assert not any(portion.key in on_disk for portion in message.portions)
    assert b"two boats seen" not in on_disk


@pytest.mark.parametrize("reader", ["bravo", "charlie"])
def test_a_cut_is_the_canonical_encoding_that_an_independent_cutter_makes(router: SmallRouter, reader: str) -> None:
    """The shared part is packed once for all readers; joined by hand, it must be what a packer would write."""
    _, made = sealed(by=("alpha", "golf"), cosigners=("golf",))
    router.send(made)
    (row,) = router.store.next_waiting(reader, limit=1)

    joined = router.store.cutter(row.release).cut(Wrap(*unpack(row.wrap, bytes_max=4_096)))

    assert cut(made, reader) == joined


def test_a_cosigner_gets_the_decoy_seed_and_a_reader_of_the_same_portions_does_not(router: SmallRouter) -> None:
    """RTR-050 and ENV-067: one must be able to tell a decoy from a withheld portion, and the other must not."""
    both = (("charlie", (0, 1)), ("golf", (0, 1)))
    message, made = sealed(by=("alpha", "golf"), cosigners=("golf",), labels=(world.LABEL,) * 2, readers=both)
    router.send(made)
    seeds = {}
    for reader, _ in both:
        (row,) = router.store.next_waiting(reader, limit=1)
        joined = router.store.cutter(row.release).cut(Wrap(*unpack(row.wrap, bytes_max=4_096)))
        seeds[reader] = read_envelope(joined).envelope.disclosures.seed

    assert {"charlie": None, "golf": message.seed} == seeds


def test_a_cutter_keeps_a_bounded_number_of_shared_parts() -> None:
    """A thousand readers with a thousand different shares would each keep all blobs in memory."""
    places = range(32)
    release = Release(
        header=b"h", wraps_hash=bytes(32), signature=bytes(64), cosignatures=(),
        disclosures=dict.fromkeys(places, b"d"), blobs=dict.fromkeys(places, b"b"),
    )  # fmt: skip
    cutter = Cutter(release)

    first = [cutter.cut(Wrap("bravo", 0, 0, bits, 1, bytes(16))) for bits in range(1, 200)]

    assert first == [cutter.cut(Wrap("bravo", 0, 0, bits, 1, bytes(16))) for bits in range(1, 200)]
    assert 16 == len(cutter._shared)


def test_a_reader_may_have_what_was_ever_queued_to_it_and_no_more(router: SmallRouter) -> None:
    message, made = sealed(readers=(("bravo", (0,)), ("charlie", (0, 1, 2))))
    router.send(made)
    router.send(sealed(readers=(("bravo", (1,)),), with_blobs=False)[1])

    assert message.bits(0, 1) == router.store.may_have(message.hid, "bravo")
    assert 0 == router.store.may_have(message.hid, "golf")
    assert frozenset({"bravo", "charlie"}) == router.store.past_readers(message.hid)


def test_a_thousand_waiting_rows_are_read_a_window_at_a_time(router: SmallRouter) -> None:
    for number in range(70):
        router.report(f"m{number}", "bravo")

    assert 64 == len(router.store.next_waiting("bravo", limit=64))
    assert 70 == router.queued("bravo")
