"""What reaches a node and is no honest frame is noted, and the feed goes on."""

from pathlib import Path

from agencies.incoming import LAST_DSEQ
from schemas.frames import Ack, Delivery, DownMessage, Resume, VerdictMessage
from tests.samples.small_nodes import draft, frame_of, small_region, until


async def test_bytes_that_are_no_frame_are_noted_and_the_feed_goes_on(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        region.wire.links["bravo"].arriving.put_nowait(b"\xc1 nonsense")
        await region.nodes["alpha"].release(draft("one", "bravo"))
        await region.settle()

        assert ["one"] == region.titles("bravo")
        assert [("BAD_TYPE", "frame")] == [
            (entry.fields["code"], entry.fields["stage_failed"]) for entry in region.journal("bravo", "rejected")
        ]


async def test_a_poisoned_delivery_is_noted_then_acked_and_the_feed_goes_on(tmp_path: Path) -> None:
    async with small_region(tmp_path, "bravo") as region:
        link = region.wire.links["bravo"]
        link.arriving.put_nowait(frame_of(Delivery("delivery", 1, b"\x97 not an envelope")))
        link.arriving.put_nowait(frame_of(Delivery("delivery", 2, b"")))
        await until(lambda: region.nodes["bravo"].store.value(LAST_DSEQ) == 2)

        assert 1 == len(region.journal("bravo", "rejected"))
        assert [] == region.arrivals


async def test_a_verdict_that_no_router_signed_settles_nothing(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        kept: list[DownMessage] = []

        def lose(_agency: str, message: DownMessage) -> bool:
            if isinstance(message, VerdictMessage):
                kept.append(message)
            return isinstance(message, VerdictMessage)

        region.wire.lost = lose
        await region.nodes["alpha"].release(draft("one", "bravo"))
        await until(lambda: kept)
        genuine = kept[0]
        assert isinstance(genuine, VerdictMessage)
        region.wire.links["alpha"].arriving.put_nowait(frame_of(genuine._replace(signature=bytes(64))))
        await until(lambda: region.journal("alpha", "rejected"))
        assert 1 == region.nodes["alpha"].store.waiting_count()
        region.wire.lost = lambda _agency, _message: False
        for agency in ("alpha", "bravo"):  # bravo's receipt may have lost its verdict too
            region.wire.cut(agency)
        await region.settle()

        assert ["BAD_SIG"] == [entry.fields["code"] for entry in region.journal("alpha", "rejected")]


async def test_resume_sets_the_number_and_an_old_number_is_acked_and_dropped(tmp_path: Path) -> None:
    async with small_region(tmp_path, "bravo") as region:
        link = region.wire.links["bravo"]
        link.arriving.put_nowait(frame_of(Resume("resume", 6)))
        link.arriving.put_nowait(frame_of(Delivery("delivery", 3, b"old")))
        await until(lambda: Ack("ack", 5) in [message for _, message in region.wire.up])

        assert [5] == [entry.fields["deliveries"] for entry in region.journal("bravo", "gap")]
        assert [] == region.journal("bravo", "rejected")
