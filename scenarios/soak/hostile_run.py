"""A run with something hostile in it: begin it, let months pass where the plan says so, and have the log audited.

The auditor is handed in, since it stands in a room of this floor: it reads what is exported, and knows nothing else.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from agencies.store import NodeStore
from broker.store import Store
from scenarios.audit_export import export_region
from scenarios.enrolment import ROUTER
from scenarios.simulated_region import BROKER_DATABASE, node_database
from scenarios.soak.ghost_evil import EvilWatch, Finding
from scenarios.soak.ghost_flood import FloodWatch
from scenarios.soak.hostile_side import HostileSide
from scenarios.soak.hostility import Flood, Replay, Slow
from scenarios.soak.region import Region
from scenarios.soak.settling import settle
from scenarios.soak.strangers import Strangers
from schemas.limits import LIFETIME_MS_MAX
from transport.seeded import stream
from transport.simloop import running_simulation

Auditor = Callable[[Path], Sequence[Finding]]
"""Reads an exported log and returns what is wrong with it."""

_MONTHS_MS: Final = LIFETIME_MS_MAX + 10 * 24 * 3_600_000  # after which everything that was sent is over
_BEATS_S: Final = 65.0  # two heartbeats, so that everybody has been shown and has renewed what is due


class HostileRun:
    """What is hostile in one run, carried out and judged.

    Args:
        region: Where.
        side: What is hostile.
    """

    def __init__(self, region: Region, side: HostileSide) -> None:
        self._region = region
        self._side = side
        plan, ghost = region.plan, region.ghost
        now_ms = _now_ms
        if side.malice is not None:
            ghost.evil = EvilWatch(
                ghost.reports, side.malice, bundles=ghost.bundles, broke=ghost.broke, saw=ghost.saw, now_ms=now_ms
            )
        flooders = frozenset(act.agency for act in plan.hostility if isinstance(act, Flood | Slow))
        if flooders:
            ghost.flood = FloodWatch(
                flooders,
                door=side.door,
                limits=side.limits,
                calm=not plan.faults and not plan.revocations and side.malice is None,
                line_ms_most=plan.line_ms_most,
                disk_ms_most=plan.disk_ms_most,
                broke=ghost.broke,
                saw=ghost.saw,
                now_ms=now_ms,
                broker_lives=lambda: region.broker.lives,
            )
            side.door.unwritable = lambda: region.disk.is_full(BROKER_DATABASE)

    def begin(self) -> None:
        """Have everything hostile fall due, counted from now."""
        plan = self._region.plan
        if self._side.malice is not None:
            self._side.malice.begin()
        Strangers(self._region, self._side.door, chance=stream(plan.seed, "strangers")).begin(plan.hostility)

    async def go_on(self) -> None:
        """Let months pass, if the router means to deliver again what is long over; everything has settled before."""
        malice, region = self._side.malice, self._region
        if malice is None or not any(isinstance(act, Replay) and act.months for act in malice.acts):
            return
        await asyncio.sleep(_BEATS_S)
        for life in (region.broker, *region.nodes.values()):
            for clock in life.clocks:
                clock.skew_ms += _MONTHS_MS
        for agency in region.nodes:
            # As after a thousand further messages, which are as many as a reader remembers.
            region.disk.connection(node_database(agency)).execute(
                "DELETE FROM seen WHERE seq < (SELECT max(seq) FROM seen AS other WHERE originator = seen.originator)"
            )
        region.ghost.saw("months passed")
        await asyncio.sleep(_BEATS_S)
        malice.months_passed = True
        await asyncio.sleep(_BEATS_S)
        await settle(region)

    def audit(self, auditor: Auditor, folder: Path) -> None:
        """Export the log with all journals once everybody has stopped, and compare what the auditor finds."""
        region, evil = self._region, self._region.ghost.evil
        if evil is None or region.ghost.violation is not None:
            return
        router = Store.open(BROKER_DATABASE, router=ROUTER, disk=region.disk.open)
        router.begin_log(router=ROUTER, signer=region.community.router)
        nodes = {
            agency: NodeStore.open(node_database(agency), agency=agency, disk=region.disk.open)
            for agency in region.nodes
        }
        export_region(folder, community=region.community, router=router, nodes=nodes)
        evil.audited(auditor(folder))


def _now_ms() -> int:
    return running_simulation().now_us() // 1_000
