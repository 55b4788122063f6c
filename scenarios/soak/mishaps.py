"""What goes wrong with machines in one run: deaths, power, clocks and disks; the network's faults are its driver's own.

A disk that lost writes comes back as an older image of itself, as does one that an operator restores from a copy. What
is damaged or somebody else's is offered to the product first, which has to refuse it.
"""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Final, assert_never

from scenarios.simulated_region import BROKER_DATABASE, node_database
from scenarios.soak import invariants as watch
from scenarios.soak.desks import Desks
from scenarios.soak.lives import Life
from scenarios.soak.reference import BROKER
from scenarios.soak.region import LOOK_S, Region
from schemas.errors import LinkError, StoreError
from transport.disk_damage import damaged
from transport.faults import (
    BrokerRestart,
    ClockDrift,
    ClockFault,
    ClockJump,
    ClockSkew,
    DamagedFile,
    DiskFull,
    LyingDisk,
    NodeCrash,
    OldSnapshot,
    PowerCut,
    ProcessFault,
    SwappedFile,
    Takeover,
)
from transport.seeded import stream
from transport.simloop import running_simulation

_RESTORE_S: Final = 1.0  # how long an operator takes to put a copy back; in earnest much longer


class Mishaps:
    """Carries out a plan's faults of machines.

    Args:
        region: Where.
        desks: Install the newest bundle again where the broker has forgotten it, as its operator would.
    """

    def __init__(self, region: Region, desks: Desks) -> None:
        self._region = region
        self._ghost = region.ghost
        self._desks = desks
        self._copies: dict[ProcessFault, bytes] = {}  # of databases, made when a fault began
        self._syncs: dict[ProcessFault, asyncio.TimerHandle] = {}  # when a disk that lies will next tell the truth
        self._chance = stream(region.plan.seed, "damage")

    def gate(self, owner: str, moment: str) -> None:
        """See a database before and after a commit; its owner may die there."""
        if moment == "after-commit":
            self._ghost.committed(owner, self._region.disk.connection(database_of(owner)))
        self._life(owner).pass_point(moment)

    def process(self, fault: ProcessFault, begins: bool) -> None:  # noqa: FBT001 - begins or ends
        """Carry out the beginning or the end of a fault."""
        match fault:
            case NodeCrash():
                self._strike(self._life(fault.agency), fault.point, begins=begins)
            case BrokerRestart():
                self._strike(self._life(BROKER), fault.point, begins=begins)
            case PowerCut():
                for holder in fault.holders:
                    self._strike(self._life(holder), "now", begins=begins)
            case ClockSkew() | ClockJump() | ClockDrift():
                self._err(fault, begins=begins)
            case Takeover():
                self._region.tasks.create_task(self._take_over(fault.agency), name=f"stranger-{fault.agency}")
            case SwappedFile():
                self._swap(fault, begins=begins)
            case DiskFull():
                disk, path = self._region.disk, database_of(fault.holder)
                disk.fill(path) if begins else disk.make_room(path)
                self._region.was_full = True
            case OldSnapshot() | DamagedFile() | LyingDisk():
                self._lose_writes(fault, begins=begins)
            case _:
                assert_never(fault)

    def _life(self, holder: str) -> Life:
        return self._region.broker if holder == BROKER else self._region.nodes[holder]

    @staticmethod
    def _strike(life: Life, point: str, *, begins: bool) -> None:
        life.arm(point) if begins else life.raise_again()

    async def _take_over(self, agency: str) -> None:
        """Open a second link under an agency's name, and leave again."""
        with suppress(LinkError):
            async with self._region.net.connect(agency)():
                await asyncio.sleep(LOOK_S / 2)

    def _err(self, fault: ClockFault, *, begins: bool) -> None:
        """Have a clock err: of an agency's signatures and judgements alone, or of all that its machine does."""
        match fault:
            case ClockSkew():
                self._region.nodes[fault.agency].clock.skew_ms += fault.offset_ms if begins else -fault.offset_ms
            case ClockJump():
                for clock in self._life(fault.holder).clocks:
                    clock.skew_ms += fault.offset_ms if begins else -fault.offset_ms
            case ClockDrift():
                for clock in self._life(fault.holder).clocks:
                    clock.drift(fault.ppm if begins else 0)

    def _lose_writes(self, fault: OldSnapshot | DamagedFile | LyingDisk, *, begins: bool) -> None:
        disk, path = self._region.disk, database_of(fault.holder)
        if begins:
            self._copies[fault] = disk.image(path)
            if isinstance(fault, LyingDisk):
                self._sync_later(fault)
            return
        copy = self._copies.pop(fault)
        if fault in self._syncs:
            self._syncs.pop(fault).cancel()
        life = self._life(fault.holder)
        if isinstance(fault, DamagedFile):
            life.arm("now")
            self._offer(life, damaged(disk.image(path), fault.damage, self._chance), f"a {fault.damage} file")
        self._put_back(life, copy)

    def _sync_later(self, fault: LyingDisk) -> None:
        """Have what is committed by then truly on disk, again and again while the disk lies."""

        def sync() -> None:
            self._copies[fault] = self._region.disk.image(database_of(fault.holder))
            self._sync_later(fault)

        self._syncs[fault] = running_simulation().call_later(fault.sync_ms / 1_000, sync)

    def _swap(self, fault: SwappedFile, *, begins: bool) -> None:
        disk = self._region.disk
        lives = [self._life(holder) for holder in fault.holders]
        if not begins:
            for life in lives:
                life.raise_again()
            return
        for life in lives:
            life.arm("now")
        images = [disk.image(life.path) for life in lives]
        for life, own, other in zip(lives, images, reversed(images), strict=True):
            self._offer(life, other, "a file of another")
            disk.put_back(life.path, own)

    def _offer(self, life: Life, image: bytes, what: str) -> None:
        """Let a machine come up on a file that it must refuse."""
        self._region.disk.put_back(life.path, image)
        try:
            life.try_to_open()
        except StoreError:
            self._ghost.saw(f"refused {what}")
        else:
            self._ghost.broke(watch.FILE_REFUSED, f"{life.name} opened {what}")

    def _put_back(self, life: Life, image: bytes) -> None:
        life.arm("now")
        disk = self._region.disk
        disk.put_back(life.path, image)
        self._ghost.put_back(life.name, disk.connection(life.path))
        running_simulation().call_later(_RESTORE_S, life.raise_again)
        self._desks.put_back(life.name)


def database_of(holder: str) -> Path:
    """Return the name of a machine's database."""
    return BROKER_DATABASE if holder == BROKER else node_database(holder)
