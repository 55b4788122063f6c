"""The region of one run: nodes and broker with their many lives, their disks, the network, and the ghost who watches.

What works in it (desks), what goes wrong in it (run) and who waits for its end (settling) all look at this one thing.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from scenarios.enrolment import Community
from scenarios.simulated_region import BROKER_DATABASE, node_database
from scenarios.soak import invariants as watch
from scenarios.soak.ghost import Ghost
from scenarios.soak.lives import BrokerLife, Life, NodeLife
from scenarios.soak.plan import Plan
from scenarios.soak.reference import BROKER
from schemas.bundle import Bundle
from schemas.errors import LinkError, StoreError
from transport.memory_disk import Dead, MemoryDisk
from transport.simnet import SimNet

LOOK_S: Final = 1.0  # virtual; how often somebody who waits for a state of the region looks
_MEASURED_EVERY_S: Final = 5.0  # virtual; every bound is held against what there is
_GRAIN_S: Final = 1e-6  # transport/simloop.py counts microseconds
_DESK_S: Final = 60.0  # virtual; a desk waits for a disk and a look-up of keys, a second or two


@dataclass(slots=True, kw_only=True)
class Region:
    """One run's world; ``broker`` and ``nodes`` are there once it is played."""

    plan: Plan
    ghost: Ghost
    disk: MemoryDisk
    net: SimNet
    community: Community
    bundle: Bundle  # the newest that was signed
    broker: BrokerLife = field(init=False)
    nodes: dict[str, NodeLife] = field(default_factory=dict)
    tasks: asyncio.TaskGroup = field(init=False)  # of desks and strangers
    was_full: bool = False  # some disk, at some time

    def unlinked(self) -> list[str]:
        """Return the agencies that ought to have a link and have none."""
        struck = self.ghost.revoked_anywhere
        return [
            agency
            for agency, life in self.nodes.items()
            if agency not in struck and (life.node is None or not self.net.linked(agency))
        ]

    async def watched_for(self, span_s: float) -> None:
        """Let time pass, and have the ghost measure everything again and again meanwhile."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + span_s
        # Less than the grain of virtual time is no time: what a subtraction leaves over would be slept for without end.
        while (left_s := end_s - loop.time()) > _GRAIN_S:
            await asyncio.sleep(min(left_s, _MEASURED_EVERY_S))
            self.measure()

    def measure(self) -> None:
        """Have the ghost measure everything."""
        paths = {BROKER: BROKER_DATABASE} | {agency: node_database(agency) for agency in self.nodes}
        self.ghost.measure({owner: self.disk.connection(path) for owner, path in paths.items()})

    def in_force(self, version: int) -> bool:
        """Tell whether the broker's disk has this version of the bundle, or a later one."""
        sql = self.disk.connection(BROKER_DATABASE)
        return sql.execute("SELECT 1 FROM bundle WHERE version >= ?", (version,)).fetchone() is not None

    async def until_dead(self, life: Life, work: Coroutine[Any, Any, None]) -> None:
        """Do a desk's work, unless its node or the broker dies over it."""
        deaths = life.deaths
        try:
            async with asyncio.timeout(_DESK_S):
                await work
        except (Dead, LinkError):
            return
        except StoreError as error:
            self.ghost.saw("desk told that the disk is full")
            if not self.was_full:
                self.ghost.broke(watch.NO_CRASH, f"a desk of {life.name} was told that it has no disk: {error}")
        except TimeoutError:
            # A dead process answers nobody, and whoever asked it is dead as well.
            if life.deaths == deaths:
                self.ghost.broke(watch.LIVELINESS, f"{life.name} has not answered its desk for {_DESK_S:.0f} s")
