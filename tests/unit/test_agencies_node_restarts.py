"""A node, its disk or its router begins anew: what was under way goes on, and what came is told."""

from dataclasses import replace
from pathlib import Path

from schemas.limits import SEQUENCE_SKIP
from tests.samples.small_nodes import TIMINGS, WHY, draft, hid_of, small_region, until


async def test_what_was_released_before_a_node_died_goes_out_after_it(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        await region.nodes["alpha"].release(draft("first", "bravo"))
        await region.settle()
        region.wire.closed.add("alpha")
        region.wire.cut("alpha")
        await region.nodes["alpha"].release(draft("kept", "bravo"))
        await region.stop("alpha")
        region.wire.closed.clear()

        region.start("alpha")
        await region.settle()

        assert ["first", "kept"] == region.titles("bravo")


async def test_receipts_that_are_owed_survive_a_restart(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", timings=replace(TIMINGS, receipt_gather_s=3_600)) as region:
        hid = hid_of(await region.nodes["alpha"].release(draft("one", "bravo")))
        await until(lambda: region.titles("bravo"))
        await region.stop("bravo")
        region.timings = TIMINGS

        region.start("bravo")
        await region.settle()

        assert {("bravo", "delivered")} == region.receipts("alpha", hid)


async def test_a_desk_is_told_at_the_start_of_what_came_just_before_a_crash(tmp_path: Path) -> None:
    """The process died between the disk and the desk: the inbox had it, the router had no ack, the desk no word."""
    async with small_region(tmp_path, "alpha", "bravo") as region:
        bravo = region.nodes["bravo"]
        bravo._follow = lambda messages, effects: None  # type: ignore[method-assign] # noqa: ARG005 - as in a dead process
        await region.nodes["alpha"].release(draft("Two boats", "bravo"))
        await until(lambda: region.journal("bravo", "verified"))
        await region.stop("bravo")
        assert [] == region.titles("bravo")

        region.start("bravo")
        await region.settle()
        assert ["Two boats"] == region.titles("bravo")
        assert ["verified"] == [entry.stage for entry in region.journal("bravo", "verified")]

        # It is receipted now: the desk knows, and is not told again.
        await region.stop("bravo")
        region.start("bravo")
        await region.settle()
        assert ["Two boats"] == region.titles("bravo")


async def test_a_desk_is_not_told_of_what_was_recalled_meanwhile(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        bravo = region.nodes["bravo"]
        bravo._follow = lambda messages, effects: None  # type: ignore[method-assign] # noqa: ARG005 - as in a dead process
        released = await region.nodes["alpha"].release(draft("Two boats", "bravo"))
        await until(lambda: region.nodes["alpha"]._unsettled == 0)
        await region.nodes["alpha"].recall(hid_of(released), WHY)
        await until(lambda: region.journal("bravo", "recalled"))
        await region.stop("bravo")

        region.start("bravo")
        await region.settle()

    assert [] == region.titles("bravo")


async def test_a_restarted_node_takes_nothing_up_again(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        await region.nodes["alpha"].release(draft("one", "bravo"))
        await region.settle()
        await region.stop("bravo")
        region.start("bravo")
        await region.nodes["alpha"].release(draft("two", "bravo"))
        await region.settle()

        assert ["one", "two"] == region.titles("bravo")
        assert [] == region.journal("bravo", "rejected", "missing", "gap")


async def test_a_disk_that_was_put_back_shows_as_a_gap(tmp_path: Path) -> None:
    """The node had acked what its old copy does not hold: its operator is told how much that is."""
    async with small_region(tmp_path, "alpha", "bravo") as region:
        await region.nodes["alpha"].release(draft("one", "bravo"))
        await region.settle()
        await region.stop("bravo")
        file = tmp_path / "nodes" / "bravo.sqlite"
        old = file.read_bytes()
        region.start("bravo")
        await region.nodes["alpha"].release(draft("two", "bravo"))
        await region.nodes["alpha"].release(draft("three", "bravo"))
        await region.settle()
        await region.stop("bravo")
        file.write_bytes(old)

        region.start("bravo")
        await region.settle()

        assert [2] == [entry.fields["deliveries"] for entry in region.journal("bravo", "gap")]


async def test_a_node_whose_disk_was_put_back_uses_no_number_twice(tmp_path: Path) -> None:
    """SEQ-009: its readers would refuse what it sends from then on, until the numbers had caught up."""
    async with small_region(tmp_path, "alpha", "bravo") as region:
        await region.stop("bravo")
        file = tmp_path / "nodes" / "bravo.sqlite"
        old = file.read_bytes()
        region.start("bravo")
        await region.nodes["alpha"].release(draft("one", "bravo"))
        await region.settle()
        await region.nodes["bravo"].release(draft("two", "alpha"))
        await region.settle()
        await region.stop("bravo")
        file.write_bytes(old)
        region.start("bravo")
        await region.settle()

        await region.nodes["bravo"].release(draft("three", "alpha"))
        await region.settle()

        assert ["two", "three"] == region.titles("alpha")
        assert [] == region.journal("alpha", "rejected")
        assert [SEQUENCE_SKIP - 2] == [entry.fields["messages"] for entry in region.journal("alpha", "missing")]


async def test_the_router_restarts_under_its_nodes(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        await region.nodes["alpha"].release(draft("one", "bravo"))
        await region.settle()
        for name in ("alpha", "bravo"):
            region.wire.closed.add(name)
            region.wire.cut(name)
        await region.nodes["alpha"].release(draft("two", "bravo"))
        await until(lambda: not region.wire.links)
        region.router.restart()
        region.wire.closed.clear()
        await region.settle()

        assert ["one", "two"] == region.titles("bravo")
        assert [] == region.journal("bravo", "rejected", "gap", "missing", "duplicate")
