"""The ends of sequences: the newest message of all cannot be dropped unnoticed, and an honest link raises no alarm."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from broker.tails import Tails
from conformance import world
from schemas.errors import Code, RemoteError
from schemas.frames import Delivery, DownMessage, Heartbeat, Tail, TailMessage
from sealing.tails import check_tail, prove_tail
from tests.samples.small_nodes import TIMINGS, SmallRegion, draft, small_region
from tests.samples.small_router import SmallRouter

BEATING = replace(TIMINGS, heartbeat_s=0.01)
KEY = bytes(range(32))
TAIL = Tail("bravo", 1, 1, 1, bytes(32))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - the disk thread sets no event
            await asyncio.sleep(0.002)


def beats(region: SmallRegion, agency: str) -> list[Heartbeat]:
    return [message for name, message in region.wire.up if name == agency and isinstance(message, Heartbeat)]


def unarrived(region: SmallRegion, agency: str) -> list[tuple[str, int]]:
    entries = region.journal(agency, "unarrived")
    return [(entry.fields["originator"], entry.fields["messages"]) for entry in entries]


async def test_a_reader_is_told_when_the_newest_message_of_all_is_dropped(tmp_path: Path) -> None:
    """SEQ-010, SEQ-013: no later message shows a gap, and the router says nothing."""
    async with small_region(tmp_path, "alpha", "bravo", timings=BEATING) as region:
        region.wire.lost = lambda agency, message: agency == "bravo" and isinstance(message, Delivery)
        await region.nodes["alpha"].release(draft("one", "bravo"))
        await region.nodes["alpha"].release(draft("two", "bravo"))
        await until(lambda: bool(unarrived(region, "bravo")) and unarrived(region, "bravo")[-1] == ("alpha", 2))
        told = len(unarrived(region, "bravo"))
        before = len(beats(region, "bravo"))
        await until(lambda: len(beats(region, "bravo")) > before + 5)

        assert told == len(unarrived(region, "bravo")), "told again of the same number"
        assert ["alpha"] == sorted({notice.readers[0] for _, notice in region.notices if notice.word == "unarrived"})


async def test_nothing_is_said_of_what_was_receipted_and_nobody_is_alarmed(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", timings=BEATING) as region:
        for number in range(3):
            await region.nodes["alpha"].release(draft(f"m{number}", "bravo"))
        await region.settle()
        await until(lambda: bool(beats(region, "alpha")) and beats(region, "alpha")[-1].tails == ())
        before = len(beats(region, "bravo"))
        await until(lambda: len(beats(region, "bravo")) > before + 3)

        assert [] == unarrived(region, "bravo") + region.journal("bravo", "rejected")


async def test_a_number_that_its_originator_never_said_raises_no_alarm(tmp_path: Path) -> None:
    """SEQ-012: else a router could put any agency's good name in doubt."""
    async with small_region(tmp_path, "alpha", "bravo", timings=BEATING) as region:
        await region.nodes["alpha"].release(draft("one", "bravo"))
        await region.settle()
        forged = TailMessage("tail", "alpha", 1, 1, 9, world.NOW, bytes(32))
        effects = region.nodes["bravo"]._incoming.take((forged,), region.nodes["bravo"]._moment())
        before = len(beats(region, "bravo"))
        await until(lambda: len(beats(region, "bravo")) > before + 3)

        assert [] == effects.replies
        assert ["BAD_WRAP"] == [entry.fields["code"] for entry in region.journal("bravo", "rejected")]
        assert [] == unarrived(region, "bravo")


async def test_a_tail_of_an_unknown_key_is_answered_by_asking_for_the_key(tmp_path: Path) -> None:
    async with small_region(tmp_path, "bravo") as region:
        unknown = TailMessage("tail", "alpha", 3, 1, 9, world.NOW, bytes(32))
        effects = region.nodes["bravo"]._incoming.take((unknown,), region.nodes["bravo"]._moment())

        assert [("lookup", ("alpha",))] == effects.replies
        assert [] == region.journal("bravo", "rejected")


def tails_in(messages: list[DownMessage]) -> list[tuple[str, int, int]]:
    return [(item.originator, item.seq, item.at) for item in messages if isinstance(item, TailMessage)]


def test_a_tail_is_handed_over_behind_all_that_is_queued_and_the_newest_alone(tmp_path: Path) -> None:
    """WIRE-058: told earlier, it would raise an alarm over what is only waiting at the router."""
    router = SmallRouter(tmp_path)
    for number in range(100):
        router.report(f"m{number}", "bravo")
    router.frame("alpha", Heartbeat("heartbeat", world.NOW, (TAIL._replace(seq=99),)))
    router.frame("alpha", Heartbeat("heartbeat", world.NOW + 1, (TAIL._replace(seq=100),)))
    sent = router.hello("bravo")
    taken, shown = 0, tails_in(sent)
    while not shown:
        held = max(message.dseq for message in sent if isinstance(message, Delivery))
        taken = held
        sent = router.ack("bravo", held)
        shown = tails_in(sent)
        assert taken < 100 or shown
    router.close()

    assert [("alpha", 100, world.NOW + 1)] == shown
    assert 100 == max(message.dseq for message in sent if isinstance(message, Delivery)), "it came before the last"


def test_a_tail_to_nobody_who_takes_part_is_dropped(tmp_path: Path) -> None:
    router = SmallRouter(tmp_path)
    router.hello("bravo")
    router.install(status={"bravo": "suspended"})
    router.frame("alpha", Heartbeat("heartbeat", world.NOW, (TAIL, TAIL._replace(to="nobody"))))

    assert {} == router.router._tails._kept
    router.close()


def test_what_a_reader_that_is_away_is_told_is_bounded() -> None:
    tails = Tails()
    for number in range(1_000):
        tails.take(f"agency-{number}", [TAIL], at=world.NOW)
    shown: list[tuple[str, DownMessage]] = []
    tails.show(lambda reader, message: shown.append((reader, message)), ready=lambda _reader: True)

    assert 256 == len(shown)


@pytest.mark.parametrize(("seq", "at_ms", "key"), [(8, 5, KEY), (7, 6, KEY), (7, 5, bytes(32))])
def test_a_proof_holds_for_one_number_one_time_and_one_pair(seq: int, at_ms: int, key: bytes) -> None:
    proof = prove_tail(KEY, seq=7, at_ms=5)
    check_tail(KEY, proof, seq=7, at_ms=5)

    with pytest.raises(RemoteError) as caught:
        check_tail(key, proof, seq=seq, at_ms=at_ms)
    assert caught.value.code is Code.BAD_WRAP
