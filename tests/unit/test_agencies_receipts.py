"""The author watches for receipts: each reader that is silent is named once, and so is what comes after all."""

from dataclasses import replace
from pathlib import Path

import pytest

from conformance import world
from schemas.frames import DownMessage, VerdictMessage
from schemas.label import Precedence
from schemas.limits import CLOCK_SKEW_MS_MAX, RECEIPT_DUE_MS
from tests.samples.overdue_receipts import WEEK_MS, look, lose_all_to, told
from tests.samples.small_nodes import TIMINGS, WHY, SmallRegion, draft, hid_of, portion, small_region, until

HOUR_MS = 3_600_000
DUE_MS = RECEIPT_DUE_MS["ROUTINE"]


async def taken_by(region: SmallRegion, hid: bytes, *readers: str) -> None:
    await until(lambda: {name for name, _ in region.receipts("alpha", hid)} >= set(readers))
    await until(lambda: region.journal("alpha", "accepted"))


async def test_a_reader_to_whom_the_router_gives_nothing_is_overdue_once_and_by_name(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        lose_all_to(region, "charlie")
        hid = hid_of(await region.nodes["alpha"].release(draft("one", "bravo", "charlie")))
        await taken_by(region, hid, "bravo")

        assert [] == await look(region, "alpha", world.NOW + DUE_MS - 1)
        assert [("overdue", ("charlie",), True)] == await look(region, "alpha", world.NOW + DUE_MS)
        assert [] == await look(region, "alpha", world.NOW + DUE_MS + HOUR_MS)
        (entry,) = region.journal("alpha", "overdue")
        assert (hid.hex(), ["charlie"], True) == tuple(entry.fields[name] for name in ("hid", "readers", "accepted"))
        region.wire.lost = lambda _agency, _message: False
        region.wire.cut("charlie")
        await region.settle()


async def test_a_receipt_that_comes_after_all_is_told_as_late(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        lose_all_to(region, "bravo")
        hid = hid_of(await region.nodes["alpha"].release(draft("one", "bravo")))
        await until(lambda: region.journal("alpha", "accepted"))
        await look(region, "alpha", world.NOW + DUE_MS)
        region.wire.lost = lambda _agency, _message: False
        region.wire.cut("bravo")
        await region.settle()

        assert [("overdue", ("bravo",), True), ("settled_late", ("bravo",), True)] == told(region.notices, "alpha")
        assert [hid.hex()] == [entry.fields["hid"] for entry in region.journal("alpha", "settled_late")]
        await region.nodes["bravo"].opened(hid)
        await region.settle()
        assert 1 == len(region.journal("alpha", "settled_late"))


async def test_nothing_is_told_of_a_message_that_all_have_receipted(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        await region.nodes["alpha"].release(draft("one"))
        await region.settle()

        assert [] == await look(region, "alpha", world.NOW + DUE_MS)
        assert [] == await look(region, "alpha", world.NOW + WEEK_MS + CLOCK_SKEW_MS_MAX)
        assert region.nodes["alpha"].receipts_due_ms is None


@pytest.mark.parametrize("precedence", ["FLASH", "IMMEDIATE", "PRIORITY", "ROUTINE"])
async def test_the_deadline_follows_from_the_precedence(tmp_path: Path, precedence: Precedence) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        lose_all_to(region, "bravo")
        label = world.LABEL._replace(precedence=precedence)
        await region.nodes["alpha"].release(draft("one", "bravo", label=label))
        await until(lambda: region.journal("alpha", "accepted"))

        assert [] == await look(region, "alpha", world.NOW + RECEIPT_DUE_MS[precedence] - 1)
        overdue = await look(region, "alpha", world.NOW + RECEIPT_DUE_MS[precedence])
        assert [("overdue", ("bravo",), True)] == overdue
        region.wire.lost = lambda _agency, _message: False
        region.wire.cut("bravo")
        await region.settle()


async def test_each_reader_has_the_deadline_of_the_portions_that_it_was_given(tmp_path: Path) -> None:
    """Bravo may not have the urgent portion, so its copy is queued as routine and is not late after ten minutes."""
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        lose_all_to(region, "bravo", "charlie")
        urgent = world.HIGH._replace(precedence="FLASH")
        await region.nodes["alpha"].release(draft("", portions=(portion("urgent", urgent), portion("plain"))))
        await until(lambda: region.journal("alpha", "accepted"))

        assert [("overdue", ("charlie",), True)] == await look(region, "alpha", world.NOW + RECEIPT_DUE_MS["FLASH"])
        assert [("overdue", ("bravo",), True)] == await look(region, "alpha", world.NOW + DUE_MS)
        region.wire.lost = lambda _agency, _message: False
        for name in ("bravo", "charlie"):
            region.wire.cut(name)
        await region.settle()


async def test_what_nobody_receipted_expires_once_every_clock_says_so(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        lose_all_to(region, "charlie")
        hid = hid_of(await region.nodes["alpha"].release(draft("one", "bravo", "charlie")))
        await taken_by(region, hid, "bravo")
        over_ms = world.NOW + WEEK_MS + CLOCK_SKEW_MS_MAX

        assert [("overdue", ("charlie",), True)] == await look(region, "alpha", over_ms - 1)
        assert [("expired", ("charlie",), True)] == await look(region, "alpha", over_ms)
        assert region.nodes["alpha"].receipts_due_ms is None
        region.wire.lost = lambda _agency, _message: False
        region.set_clock(world.NOW)
        region.wire.cut("charlie")
        await region.settle()


async def test_a_release_without_a_verdict_expires_and_is_sent_no_more(tmp_path: Path) -> None:
    """Its author's link was down for as long as the message lived: that is an end, and its desk is told of it."""
    async with small_region(tmp_path, "alpha", "bravo") as region:
        await region.nodes["alpha"].release(draft("first", "bravo"))
        await region.settle()
        region.wire.closed.add("alpha")
        region.wire.cut("alpha")
        await until(lambda: not region.nodes["alpha"]._linked.is_set())
        await region.nodes["alpha"].release(draft("never sent", "bravo", lifetime_ms=HOUR_MS))
        assert not region.nodes["alpha"].idle()

        expired = await look(region, "alpha", world.NOW + HOUR_MS + CLOCK_SKEW_MS_MAX)
        assert [("expired", ("bravo",), False)] == expired
        region.wire.closed.clear()
        await region.settle()
        assert ["first"] == region.titles("bravo")
        assert 0 == region.nodes["alpha"].store.waiting_count()


async def test_a_verdict_that_comes_after_the_end_still_counts(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        held: list[DownMessage] = []

        def hold(agency: str, message: DownMessage) -> bool:
            is_held = agency == "alpha" and isinstance(message, VerdictMessage)
            held.extend([message] if is_held else [])
            return is_held

        region.wire.lost = hold
        hid = hid_of(await region.nodes["alpha"].release(draft("one", "bravo")))
        await until(lambda: region.receipts("alpha", hid))
        await look(region, "alpha", world.NOW + WEEK_MS + CLOCK_SKEW_MS_MAX)
        assert [[]] == [entry.fields["readers"] for entry in region.journal("alpha", "expired")]

        region.set_clock(world.NOW)
        await region.nodes["alpha"]._took((held[0],))
        assert [hid.hex()] == [entry.fields["hid"] for entry in region.journal("alpha", "accepted")]
        region.wire.lost = lambda _agency, _message: False
        for name in ("alpha", "bravo"):
            region.wire.cut(name)
        await region.settle()


async def test_what_is_awaited_survives_a_restart(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        lose_all_to(region, "bravo")
        await region.nodes["alpha"].release(draft("one", "bravo"))
        await until(lambda: region.journal("alpha", "accepted"))
        await region.stop("alpha")
        region.start("alpha")

        assert world.NOW + DUE_MS == region.nodes["alpha"].receipts_due_ms
        assert [("overdue", ("bravo",), True)] == await look(region, "alpha", world.NOW + DUE_MS)
        await region.stop("alpha")
        region.start("alpha")
        assert [] == await look(region, "alpha", world.NOW + DUE_MS + 1)
        region.wire.lost = lambda _agency, _message: False
        region.wire.cut("bravo")
        await region.settle()
        assert "settled_late" == told(region.notices, "alpha")[-1][0]


async def test_of_a_reader_that_is_revoked_nothing_is_awaited(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        lose_all_to(region, "bravo", "charlie")
        await region.nodes["alpha"].release(draft("one", "bravo", "charlie"))
        await until(lambda: region.journal("alpha", "accepted"))
        revoked = world.BUNDLE._replace(
            agencies=tuple(
                item._replace(status="revoked") if item.agency == "charlie" else item for item in world.BUNDLE.agencies
            )
        )
        region.nodes["alpha"].core.install(revoked)

        assert [("overdue", ("bravo",), True)] == await look(region, "alpha", world.NOW + DUE_MS)
        region.nodes["alpha"].core.install(world.BUNDLE)
        region.wire.lost = lambda _agency, _message: False
        for name in ("bravo", "charlie"):
            region.wire.cut(name)
        await region.settle()


async def test_a_recall_is_awaited_in_place_of_what_it_recalls(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        lose_all_to(region, "charlie")
        hid = hid_of(await region.nodes["alpha"].release(draft("one", "bravo", "charlie")))
        await taken_by(region, hid, "bravo")
        recall = hid_of(await region.nodes["alpha"].recall(hid, WHY))
        await until(lambda: ("bravo", "purged") in region.receipts("alpha", hid))
        await until(lambda: len(region.journal("alpha", "accepted")) >= 2)

        overdue = await look(region, "alpha", world.NOW + RECEIPT_DUE_MS["IMMEDIATE"])
        assert [("overdue", ("charlie",), True)] == overdue
        assert [recall.hex()] == [entry.fields["hid"] for entry in region.journal("alpha", "overdue")]
        assert [] == await look(region, "alpha", world.NOW + DUE_MS)
        region.wire.lost = lambda _agency, _message: False
        region.wire.cut("charlie")
        await region.settle()
        assert ("settled_late", ("charlie",), True) == told(region.notices, "alpha")[-1]


async def test_a_refusal_is_told_to_the_desk_and_ends_the_waiting(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        lenient = world.BUNDLE._replace(
            agencies=tuple(
                item._replace(clearance="EX-SECRET", compartments=("SEA-EYES",)) if item.agency == "bravo" else item
                for item in world.BUNDLE.agencies
            )
        )
        region.nodes["alpha"].core.install(lenient)
        await region.nodes["alpha"].release(draft("SECRET", "bravo", label=world.HIGH))
        await region.settle()

        ((name, notice),) = region.notices
        assert ("alpha", "refused", "AUDIENCE", ("bravo",)) == (name, notice.word, notice.code, notice.readers)
        assert [] == await look(region, "alpha", world.NOW + DUE_MS)
        assert region.nodes["alpha"].receipts_due_ms is None


async def test_a_long_queue_is_looked_at_a_page_at_a_time(tmp_path: Path) -> None:
    """No more than a page is in memory or in one transaction, and none is passed over."""
    async with small_region(tmp_path, "alpha", "bravo") as region:
        await region.nodes["alpha"].release(draft("first", "bravo"))
        await region.settle()
        region.wire.closed.add("alpha")
        region.wire.cut("alpha")
        await until(lambda: not region.nodes["alpha"]._linked.is_set())
        for number in range(150):
            await region.nodes["alpha"].release(draft(f"m{number}", "bravo"))
        pages: list[int] = []
        store = region.nodes["alpha"].store
        due_releases = store.due_releases

        def count(*, until_ms: int, limit: int) -> object:
            found = due_releases(until_ms=until_ms, limit=limit)
            pages.append(len(found))
            return found

        store.due_releases = count  # type: ignore[assignment, method-assign]
        overdue = await look(region, "alpha", world.NOW + DUE_MS)

        assert [64, 64, 23] == pages
        assert [("overdue", ("bravo",), False)] * 150 == overdue
        region.set_clock(world.NOW)
        region.wire.closed.clear()
        await region.settle()


async def test_a_running_node_looks_by_itself(tmp_path: Path) -> None:
    timings = replace(TIMINGS, receipts_look_s=0.01)
    async with small_region(tmp_path, "alpha", "bravo", timings=timings) as region:
        lose_all_to(region, "bravo")
        await region.nodes["alpha"].release(draft("one", "bravo"))
        await until(lambda: region.journal("alpha", "accepted"))
        region.set_clock(world.NOW + DUE_MS)
        await until(lambda: region.notices)

        assert [("overdue", ("bravo",), True)] == told(region.notices, "alpha")
        region.wire.lost = lambda _agency, _message: False
        region.wire.cut("bravo")
        await region.settle()
