"""One of the two worlds: a play in virtual time, with the secret or without it, and what each observer saw of it."""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from scenarios.engine import prepared
from scenarios.enrolment import Community
from scenarios.model import Pack, Span
from scenarios.noninterference_desk import Concealment
from scenarios.noninterference_sight import Sight, blank_file, read_tables, watched
from scenarios.region import Region, World
from scenarios.simulated_region import node_database, simulated_region
from transport.link import Connect
from transport.memory_disk import MemoryDisk
from transport.seeded import ApartSeededEntropy, LoopClock
from transport.simloop import run_simulated

# Plants a fault in a region before play begins; for the tests that show what the kit finds.
Plant = Callable[[Region], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """How plays are watched.

    Attributes:
        folder: Where plays may write; each is given one of its own below it.
        log: What a handler of the log puts in, as (agency, line); emptied at the beginning of each play.
        plant: See ``Plant``.
    """

    folder: Path
    log: list[tuple[str, str]] = field(default_factory=list)
    plant: Plant = lambda _region: None


class HeardLines(logging.Handler):
    """Keeps what the nodes log: whoever sets up logging adds it, and it hands on what an agency's node says."""

    def __init__(self, heard: list[tuple[str, str]]) -> None:
        super().__init__()
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line, if it is a node's."""
        agency = getattr(record, "agency", None)
        if isinstance(agency, str) and record.name.startswith("agencies."):
            said = {name: value for name, value in vars(record).items() if name in {"error", "remedy", "releases"}}
            self._heard.append((agency, f"{record.levelname} {record.getMessage()} {said}"))


def without_delay(pack: Pack) -> Pack:
    """Return the pack with lines that take no time; what they poll and when they are down stays as it is.

    A message waits behind what its sender sent just before. That a line is busy tells whoever sits at its end, which
    no protocol can hide (docs/limits.md); so it is kept out of what is compared.
    """
    at_once = Span(least_ms=0, most_ms=0)
    return replace(pack, links=tuple(replace(link, delay=at_once, rate_bits_per_s=None) for link in pack.links))


def play_world(pack: Pack, concealment: Concealment, *, watching: Watching, name: str) -> dict[str, Sight]:
    """Play a pack in one world.

    Args:
        pack: What is played; its seed decides all but the secret.
        concealment: The secret, and whether it is in this world; afterwards it tells what was held back.
        watching: How it is watched.
        name: Of the play, for its folder.

    Returns:
        What each observer saw.

    Raises:
        ExerciseError: If the communications check fails.
        CapacityError: If a step does not come to rest.
    """
    watching.log.clear()
    sights = {agency: Sight(agency) for agency in sorted(concealment.observers)}
    run_simulated(_play(pack, concealment, sights, watching, watching.folder / name))
    for agency, line in watching.log:
        if agency in sights:
            sights[agency].log.append(line)
    return sights


async def _play(
    pack: Pack, concealment: Concealment, sights: dict[str, Sight], watching: Watching, folder: Path
) -> None:
    seed = pack.header.seed
    disk = MemoryDisk()
    async with prepared(
        without_delay(pack),
        folder=folder,
        entropy=ApartSeededEntropy(seed, purpose="region"),
        machine_clock=LoopClock(pack.start_ms),
        start=partial(_watched_region, seed=seed, sights=sights, disk=disk, plant=watching.plant),
        seat=concealment.seat,
    ) as (exercise, region):
        await exercise.play(region)
        for agency, sight in sights.items():
            read_tables(sight, disk.connection(node_database(agency)))
    for agency, sight in sights.items():
        for kind in ("journals", "witnesses"):
            for path in sorted((folder / "log" / kind).glob(f"{agency}.*")):
                sight.files[f"log/{kind}/{path.name}"] = blank_file(path.read_bytes())


@asynccontextmanager
async def _watched_region(
    community: Community,
    *,
    world: World,
    shape: Callable[[str, Connect], Connect],
    sights: dict[str, Sight],
    plant: Plant,
    **started: Any,
) -> AsyncGenerator[Region, None]:
    def shaped(agency: str, connect: Connect) -> Connect:
        sight = sights.get(agency)
        seen = connect if sight is None else watched(connect, sight, now_ms=world.clock.now_ms)
        return shape(agency, seen)

    async with simulated_region(community, world=world, shape=shaped, **started) as region:
        plant(region)
        yield region
