"""A full disk: what is not written is not accepted, what was is kept, and the node heals without a restart."""

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from agencies.incoming import LAST_DSEQ
from agencies.store import NodeStore
from conformance import world
from schemas.errors import DiskFullError
from schemas.frames import Ack, BundleMessage
from sealing.statements import sign_bundle
from tests.samples.small_nodes import TIMINGS, SmallRegion, draft, hid_of, portion, small_region, until

LARGE = portion("large", text="x" * 60_000)
QUICK = replace(TIMINGS, retry_most_s=0.02)


def fill(store: NodeStore) -> None:
    """Let a database grow no more: SQLite then says what it says on a full disk."""
    pages = store._sql.execute("PRAGMA page_count").fetchone()[0]
    store._sql.execute(f"PRAGMA max_page_count = {pages}")


def make_room(store: NodeStore) -> None:
    store._sql.execute("PRAGMA max_page_count = 1000000")


def words(region: SmallRegion, agency: str) -> list[str]:
    return [notice.word for name, notice in region.notices if name == agency]


async def test_a_reader_with_a_full_disk_acks_nothing_and_takes_all_of_it_when_there_is_room(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", timings=QUICK) as region:
        bravo = region.nodes["bravo"]
        fill(bravo.store)
        for _ in range(10):
            await region.nodes["alpha"].release(draft("", "bravo", portions=(LARGE,)))
        await until(lambda: "disk_full" in words(region, "bravo") and "bravo" not in region.wire.links)
        await until(lambda: 10 == len(region.journal("alpha", "accepted")))
        held = bravo.store.value(LAST_DSEQ)
        acked = [message.dseq for name, message in region.wire.up if name == "bravo" and isinstance(message, Ack)]

        assert max(acked, default=0) <= held < 10
        assert 10 - held == region.router.queued_to(["bravo"])
        assert held == len(region.titles("bravo"))
        make_room(bravo.store)
        await region.settle()

        assert ["disk_full", "disk_has_room"] == words(region, "bravo")
        assert ["large"] * 10 == region.titles("bravo")
        assert [] == region.journal("bravo", "gap", "missing", "rejected")
        assert 1 == len(region.journal("bravo", "disk_full"))
        ups_and_downs = [entry.stage for entry in region.journal("bravo", "link_up", "link_down")]
        assert ["link_up", "link_down", "link_up"] == ups_and_downs


async def test_the_desk_is_told_once_however_long_the_disk_stays_full(tmp_path: Path, caplog: object) -> None:
    async with small_region(tmp_path, "alpha", "bravo", timings=QUICK) as region:
        bravo = region.nodes["bravo"]
        fill(bravo.store)
        probes: list[int] = []
        probe = bravo.store.make_sure_of_room

        def count() -> None:
            probes.append(1)
            probe()

        bravo.store.make_sure_of_room = count  # type: ignore[method-assign]
        for _ in range(10):
            await region.nodes["alpha"].release(draft("", "bravo", portions=(LARGE,)))
        await until(lambda: len(probes) > 5)

        assert ["disk_full"] == words(region, "bravo")
        assert 1 == [record.getMessage() for record in caplog.records].count("disk.full")  # type: ignore[attr-defined] # pytest's
        make_room(bravo.store)
        await region.settle()


async def test_a_release_on_a_full_disk_is_refused_at_once_and_the_desk_can_go_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    async with small_region(tmp_path, "alpha", "bravo", timings=QUICK) as region:
        alpha = region.nodes["alpha"]
        first = hid_of(await alpha.release(draft("before", "bravo")))
        await region.settle()
        fill(alpha.store)
        for _ in range(3):
            with pytest.raises(DiskFullError, match="full"):
                await alpha.release(draft("", "bravo", portions=(LARGE,)))
        assert ["disk_full"] == words(region, "alpha")
        make_room(alpha.store)
        await alpha.release(draft("after", "bravo"))
        await region.settle()

        assert ["disk_full", "disk_has_room"] == words(region, "alpha")
        assert ["before", "after"] == region.titles("bravo")
        assert ("bravo", "delivered") in region.receipts("alpha", first)
        assert [] == region.journal("bravo", "missing")
        assert 2 == region.nodes["bravo"].store.highest_seq("alpha")


async def test_receipts_that_a_full_disk_holds_back_go_out_when_there_is_room(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", timings=QUICK) as region:
        bravo = region.nodes["bravo"]
        outgoing = bravo._outgoing
        send, failures = outgoing.send_receipts, [1, 1]

        def send_receipts(moment: object) -> bool:
            if failures:
                failures.pop()
                msg = "the disk is full"
                raise DiskFullError(msg)
            return send(moment)  # type: ignore[arg-type] # as it came

        outgoing.send_receipts = send_receipts  # type: ignore[method-assign]
        hid = hid_of(await region.nodes["alpha"].release(draft("one", "bravo")))
        await region.settle()

        assert {("bravo", "delivered")} == region.receipts("alpha", hid)


async def test_a_bundle_that_could_not_be_written_is_not_in_force(tmp_path: Path) -> None:
    """In force and on no disk, it would never be asked for again, and be gone after a restart."""
    async with small_region(tmp_path, "alpha", "bravo", timings=QUICK) as region:
        bravo = region.nodes["bravo"]
        later = world.BUNDLE._replace(version=world.BUNDLE_VERSION + 1)
        signed = sign_bundle(later, {name: world.sign_pair(name) for name in world.AUTHORITIES})
        store = bravo.store
        keep_bundle = store.keep_bundle

        def full(_version: int, _signed: bytes) -> None:
            store._sql.execute("PRAGMA max_page_count = 1")
            store._sql.execute("CREATE TABLE more(x)")

        store.keep_bundle = full  # type: ignore[method-assign, assignment]
        witnessing = bravo._incoming._log._witnessing
        witnessing._told = ("SPLIT_VIEW", b"a note that was put down in a transaction that is taken back")
        with pytest.raises(DiskFullError):
            await bravo._took((BundleMessage("bundle", signed),))
        assert world.BUNDLE_VERSION == bravo.core.bundle.version
        assert witnessing._told is None, "a fault of the log that is on no disk is put down when it shows again"

        make_room(store)
        store.keep_bundle = keep_bundle
        await bravo._took((BundleMessage("bundle", signed),))
        assert later.version == bravo.core.bundle.version
        await region.settle()


async def test_a_node_is_told_to_end_while_its_disk_is_full_and_ends(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", timings=QUICK) as region:
        fill(region.nodes["bravo"].store)
        for _ in range(10):
            await region.nodes["alpha"].release(draft("", "bravo", portions=(LARGE,)))
        await until(lambda: "disk_full" in words(region, "bravo"))
        async with asyncio.timeout(30):
            await region.stop("bravo")
        region.start("bravo")
        await region.settle()

        assert 10 == len(region.titles("bravo"))


async def test_what_a_full_disk_did_not_take_leaves_no_part_behind(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", timings=QUICK) as region:
        alpha = region.nodes["alpha"]
        await alpha.release(draft("before", "bravo"))
        await region.settle()

        def rows() -> dict[str, int]:
            tables = ("outbox", "sealed", "sequence", "returned")
            counts = {t: alpha.store._sql.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables}  # noqa: S608 - constants
            return counts | {"journal": len(region.journal("alpha", "intended", "released"))}

        before = rows()
        fill(alpha.store)
        with pytest.raises(DiskFullError):
            await alpha.release(draft("", "bravo", portions=(LARGE,)))
        await until(lambda: not alpha._linked.is_set())
        assert before == rows()
        assert "ok" == alpha.store._sql.execute("PRAGMA integrity_check").fetchone()[0]
        make_room(alpha.store)
        await region.settle()


def test_a_disk_has_room_again_only_once_a_few_messages_can_be_written(tmp_path: Path) -> None:
    store = NodeStore.open(tmp_path / "alpha.sqlite", agency="alpha")
    fill(store)
    with pytest.raises(DiskFullError, match="full"):
        store.make_sure_of_room()
    make_room(store)
    for _ in range(3):
        store.make_sure_of_room()

    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        store._sql.execute("SELECT * FROM ballast")
    store.close()
