"""A rehearsal: a whole pack played in virtual time, in a second, the same to the byte each time.

One seed decides everything, message ids included; the same engine, nodes, broker and router play as over real MQTT,
and a test asks that both come to the same decisions at the same exercise times.
"""

from functools import partial
from pathlib import Path

from scenarios.engine import prepared
from scenarios.model import Pack
from scenarios.simulated_region import simulated_region
from transport.seeded import ApartSeededEntropy, LoopClock
from transport.simloop import run_simulated


def rehearse(
    pack: Pack, *, folder: Path, texts: dict[tuple[str, int], str] | None = None, every_call: bool = False
) -> None:
    """Play a pack in virtual time and write its record.

    Args:
        pack: What is played; its seed decides all.
        folder: Where the record goes; the databases stay in memory.
        texts: As for ``scenarios.engine.prepared``.
        every_call: Watch every call for stray clocks and chance; slower, for tests.

    Raises:
        ExerciseError: If the communications check fails.
        CapacityError: If a step does not come to rest.
    """
    run_simulated(_play(pack, folder, texts), every_call=every_call)


async def _play(pack: Pack, folder: Path, texts: dict[tuple[str, int], str] | None) -> None:
    seed = pack.header.seed
    async with prepared(
        pack,
        folder=folder,
        entropy=ApartSeededEntropy(seed, purpose="region"),
        texts=texts,
        # What stands for real time begins with the exercise, so that no record tells on which day it was rehearsed.
        machine_clock=LoopClock(pack.start_ms),
        start=partial(simulated_region, seed=seed),
    ) as (exercise, region):
        await exercise.play(region)
