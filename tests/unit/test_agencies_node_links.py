"""A node's link may end at any moment, and nothing is lost and nothing twice."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.frames import (
    Announcement,
    Delivery,
    DownMessage,
    EnvelopeMessage,
    Hail,
    Hello,
    VerdictMessage,
    write_frame,
)
from tests.samples.small_nodes import TIMINGS, SmallRegion, draft, hid_of, small_region, until


async def everything(region: SmallRegion) -> tuple[object, ...]:
    """Do a little of everything between two nodes, and say what came of it, order and numbers aside."""
    alpha, bravo = region.nodes["alpha"], region.nodes["bravo"]
    hids = [hid_of(await alpha.release(draft(f"report {number}", "bravo"))) for number in range(3)]
    hids.append(hid_of(await bravo.release(draft("answer", "alpha"))))
    await region.settle()
    await bravo.opened(hids[0])
    await region.settle()
    receipts = [sorted(region.receipts(owner, hid)) for owner, hid in zip(["alpha"] * 3 + ["bravo"], hids, strict=True)]
    return (
        sorted(region.titles("bravo")),
        region.titles("alpha"),
        receipts,
        [
            len(region.journal(name, "accepted", "refused")) - len(region.journal(name, "released"))
            for name in ("alpha",)
        ],
        [entry.stage for name in ("alpha", "bravo") for entry in region.journal(name, "rejected", "gap", "missing")],
        region.router.store.queues(),
    )


async def test_a_link_that_ends_at_any_moment_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    """Each passing of a frame, in each direction, before and after the router took it, is the end of a link once."""
    async with small_region(tmp_path / "calm", "alpha", "bravo") as region:
        begun = region.wire.passings
        expected = await everything(region)
        last = region.wire.passings
    assert (["report 0", "report 1", "report 2"], ["answer"]) == expected[:2]
    assert last - begun > 25
    for passing in range(1, last - begun + 1):
        async with small_region(tmp_path / str(passing), "alpha", "bravo") as region:
            region.wire.end_at = {region.wire.passings + passing}

            assert expected == await everything(region), f"passing {passing}"


async def test_links_that_end_again_and_again_only_delay(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        region.wire.end_at = set(range(region.wire.passings + 3, region.wire.passings + 300, 7))
        for number in range(20):
            await region.nodes["alpha"].release(draft(f"m{number:02}"))
        await region.settle()

        for reader in ("bravo", "charlie"):
            assert [f"m{number:02}" for number in range(20)] == sorted(region.titles(reader))
        assert [] == region.journal("bravo", "rejected", "gap")


@pytest.mark.parametrize("turns", range(12))
async def test_a_node_that_is_told_to_end_as_its_link_ends_does_end(tmp_path: Path, turns: int) -> None:
    """A failing TaskGroup swallows a cancellation from outside; the node went on for ever."""
    async with small_region(tmp_path, "alpha", "bravo") as region:
        await region.settle()
        region.wire.cut("bravo")
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await region.stop("bravo")

        assert "bravo" not in region.nodes


async def test_what_a_frame_brought_reaches_the_desk_though_its_link_ends_while_it_is_written(tmp_path: Path) -> None:
    """The call on the disk is finished and followed, or the message would be in the inbox and nobody told."""
    async with small_region(tmp_path, "alpha", "bravo") as region:
        node = region.nodes["bravo"]
        loop = asyncio.get_running_loop()
        take = node._incoming.take

        def take_and_cut(*arguments: object) -> object:
            effects = take(*arguments)  # type: ignore[arg-type] # as they came
            if effects.arrivals:
                loop.call_soon_threadsafe(region.wire.cut, "bravo")
                while "bravo" in region.wire.links and not region.wire.links["bravo"].ended:
                    pass
            return effects

        node._incoming.take = take_and_cut  # type: ignore[assignment, method-assign]
        await region.nodes["alpha"].release(draft("one", "bravo"))
        await region.settle()

        assert ["one"] == region.titles("bravo")
        assert [] == region.journal("bravo", "duplicate", "rejected")


async def test_the_outbox_is_sent_again_until_its_verdict_comes(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", timings=replace(TIMINGS, verdict_s=0.02)) as region:
        lost: list[DownMessage] = []

        def lose(agency: str, message: DownMessage) -> bool:
            is_lost = isinstance(message, VerdictMessage) and agency == "alpha" and len(lost) < 2
            lost.extend([message] if is_lost else [])
            return is_lost

        region.wire.lost = lose
        await region.nodes["alpha"].release(draft("one", "bravo"))
        await region.settle()

        sent = [
            message for agency, message in region.wire.up if agency == "alpha" and isinstance(message, EnvelopeMessage)
        ]
        assert 3 == len(sent)
        assert 1 == len(set(sent))
        assert lost[0] == lost[1]
        assert ["one"] == region.titles("bravo")


async def test_a_hailed_node_says_all_anew_on_the_link_that_there_is(tmp_path: Path) -> None:
    """A router behind another broker is restarted and no link ends: what was said to the one before is lost."""
    async with small_region(tmp_path, "alpha", "bravo") as region:
        assert () == await region.nodes["alpha"].look_up(["bravo"])
        heard, region.wire.deaf = len(region.wire.up), True
        await region.nodes["alpha"].release(draft("one", "bravo"))
        await until(lambda: region.wire.unheard)
        region.router.restart()
        region.wire.deaf = False
        for link in list(region.wire.links.values()):
            # However many hails wait to be taken, one hello answers them.
            link.arriving.put_nowait(write_frame((Hail("hail"), Hail("hail"))))
        await region.settle()

        anew = [message for agency, message in region.wire.up[heard:] if agency == "alpha"]
        hello, envelope = (
            [place for place, message in enumerate(anew) if isinstance(message, kind)]
            for kind in (Hello, EnvelopeMessage)
        )
        assert isinstance(anew[0], Announcement)
        assert 1 == len(hello)
        assert hello[0] < envelope[0]
        assert ["one"] == region.titles("bravo")
        assert 1 == len([row for row in region.router.records("admitted") if row.agency == "alpha"])


async def test_a_release_while_there_is_no_link_goes_out_when_there_is_one(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        await region.nodes["alpha"].release(draft("first", "bravo"))
        await region.settle()
        region.wire.closed.add("alpha")
        region.wire.cut("alpha")
        await until(lambda: not region.nodes["alpha"]._linked.is_set())
        await region.nodes["alpha"].release(draft("kept", "bravo"))
        assert ["first"] == region.titles("bravo")

        region.wire.closed.clear()
        await region.settle()

        assert ["first", "kept"] == region.titles("bravo")
        assert ["link_up", "link_down", "link_up"] == [e.stage for e in region.journal("alpha", "link_up", "link_down")]


async def test_a_receipt_that_is_here_before_the_verdict_counts(tmp_path: Path) -> None:
    """The link was down when the verdict was said; the reader's receipt is the first to come after it."""
    async with small_region(tmp_path, "alpha", "bravo") as region:
        verdicts: list[DownMessage] = []

        def lose(_agency: str, message: DownMessage) -> bool:
            if isinstance(message, VerdictMessage) and not verdicts:
                verdicts.append(message)
                return True
            return False

        region.wire.lost = lose
        hid = hid_of(await region.nodes["alpha"].release(draft("one", "bravo")))
        await until(lambda: region.receipts("alpha", hid))
        assert 1 == region.nodes["alpha"].store.waiting_count()
        region.wire.cut("alpha")
        await region.settle()

        assert {("bravo", "delivered")} == region.receipts("alpha", hid)
        assert [] == region.journal("alpha", "rejected")


async def test_a_gap_in_the_deliveries_is_asked_for_once(tmp_path: Path) -> None:
    """Frames behind the gap are on their way already: one hello brings them all, and one each would bring a storm."""
    async with small_region(tmp_path, "alpha", "bravo") as region:
        region.wire.lost = lambda agency, message: (
            agency == "bravo" and isinstance(message, Delivery) and message.dseq == 1 and hellos(region) < 2
        )
        for number in range(5):
            await region.nodes["alpha"].release(draft(f"m{number}", "bravo"))
        await region.settle()

        assert [f"m{number}" for number in range(5)] == region.titles("bravo")
        assert hellos(region) <= 3


def hellos(region: SmallRegion) -> int:
    return len([message for agency, message in region.wire.up if agency == "bravo" and isinstance(message, Hello)])
