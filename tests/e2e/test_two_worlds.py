"""One code, two worlds: over real MQTT and in virtual time a pack comes to the same decisions at the same times."""

import asyncio
from pathlib import Path

from scenarios.catalogue import find_pack
from scenarios.engine import prepared
from scenarios.model import Pack
from scenarios.pack import load_pack_with_places
from scenarios.record import read_record
from scenarios.rehearsal import rehearse
from sealing.entropy import SystemEntropy
from tests.samples.two_plays import comparable, judged


async def play_for_real(pack: Pack, folder: Path) -> None:
    async with prepared(pack, folder=folder, entropy=SystemEntropy()) as (exercise, region):
        await exercise.play(region)


def test_strait_lantern_is_decided_alike_in_both_worlds(tmp_path: Path) -> None:
    """The links draw their delays from the same seeded streams, so even the exercise times are equal."""
    pack = load_pack_with_places(find_pack("strait-lantern")).pack
    asyncio.run(play_for_real(pack, tmp_path / "real"))
    rehearse(pack, folder=tmp_path / "virtual")
    real, virtual = read_record(tmp_path / "real" / "record"), read_record(tmp_path / "virtual" / "record")

    assert comparable(real) == comparable(virtual)
    assert judged(pack, real) == judged(pack, virtual)
