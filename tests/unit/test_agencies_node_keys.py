"""Box keys of a node change weekly or at once, and no message fails for it."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from conformance import world
from schemas.errors import KeyFileError
from schemas.frames import Announcement, EnvelopeMessage, Heartbeat
from schemas.limits import BOX_EPOCH_MS, BOX_EPOCH_OVERLAP_MS
from sealing.keyfile import KeyRing
from sealing.received import read_envelope
from tests.samples.small_nodes import TIMINGS, draft, small_region, until


async def test_keys_that_change_at_once_lose_nothing_that_is_under_way(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        alpha, bravo = region.nodes["alpha"], region.nodes["bravo"]
        await alpha.release(draft("one", "bravo"))
        await region.settle()
        region.wire.closed.add("bravo")
        region.wire.cut("bravo")
        await alpha.release(draft("to the old key", "bravo"))
        changed = [await bravo.change_keys() for _ in range(3)]
        region.wire.closed.clear()
        await region.settle()
        await alpha.release(draft("to the new key", "bravo"))
        await region.settle()

        assert [True, True, False] == changed
        assert ["one", "to the old key", "to the new key"] == region.titles("bravo")
        assert [] == region.journal("bravo", "rejected")
        assert 3 == bravo.core.keys.current(now_ms=world.NOW).epoch


async def test_keys_are_renewed_each_week_and_no_message_fails_for_it(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        alpha, bravo = region.nodes["alpha"], region.nodes["bravo"]
        day_ms = BOX_EPOCH_OVERLAP_MS
        for day in range(22):
            region.set_clock(world.NOW + day * day_ms)
            await alpha.renew_keys()
            await alpha.release(draft(f"day {day:02} from alpha", "bravo"))
            await bravo.release(draft(f"day {day:02} from bravo", "alpha"))
            await bravo.renew_keys()
            await region.settle()

        assert [f"day {day:02} from alpha" for day in range(22)] == region.titles("bravo")
        assert [f"day {day:02} from bravo" for day in range(22)] == region.titles("alpha")
        assert [] == region.journal("alpha", "rejected", "refused") + region.journal("bravo", "rejected", "refused")
        epochs = [pair.epoch for pair in alpha.core.keys.pairs()]
        assert epochs in ([4], [3, 4])


async def test_a_key_is_announced_before_anything_that_is_sealed_under_it(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        region.set_clock(world.NOW + BOX_EPOCH_MS)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(region.nodes["alpha"].renew_keys(), name="renewal")
            for number in range(5):
                tasks.create_task(region.nodes["alpha"].release(draft(f"m{number}", "bravo")), name=f"release {number}")
        await region.settle()

        assert [] == region.journal("alpha", "refused")
        mine = [message for agency, message in region.wire.up if agency == "alpha"]
        first = next(i for i, m in enumerate(mine) if isinstance(m, EnvelopeMessage)
                     and read_envelope(m.envelope).wraps[0].from_epoch == 2)  # fmt: skip
        assert 2 == len({m for m in mine[:first] if isinstance(m, Announcement)})


async def test_a_heartbeat_renews_keys_by_itself(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", timings=replace(TIMINGS, heartbeat_s=0.01)) as region:
        region.set_clock(world.NOW + BOX_EPOCH_MS)
        await until(lambda: len(region.nodes["alpha"].core.keys.pairs()) == 2)
        await until(lambda: any(isinstance(message, Heartbeat) for _, message in region.wire.up))

        assert 2 == len(region.rings["alpha"].boxes)


async def test_a_key_that_could_not_be_written_down_is_never_used(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        alpha = region.nodes["alpha"]

        def fail(_ring: KeyRing) -> None:
            msg = "no room for the key file"
            raise KeyFileError(msg)

        alpha._keep_keys = fail
        region.set_clock(world.NOW + BOX_EPOCH_MS)
        with pytest.raises(KeyFileError):
            await alpha.renew_keys()
        await alpha.release(draft("one", "bravo"))
        await region.settle()

        assert [1] == [pair.epoch for pair in alpha.core.keys.pairs()]
        assert ["one"] == region.titles("bravo")
