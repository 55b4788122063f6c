"""One run: a plan played in the reference region, first for safety while faults fall, then for liveliness when none do.

The work is that of desks (desks.py), the faults are the plan's, the judge is the ghost (ghost.py, settling.py).
"""

import asyncio
import gc
import traceback
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from policy.community import Community as Compiled
from scenarios.soak import invariants as watch
from scenarios.soak.desks import Desks
from scenarios.soak.figures import Account
from scenarios.soak.ghost import Ghost
from scenarios.soak.ghost_clocks import clock_errors_ms
from scenarios.soak.hostile_run import Auditor, HostileRun
from scenarios.soak.hostile_side import HostileSide
from scenarios.soak.hostility import Poison, RouterHostility
from scenarios.soak.invariants import Tolerance, Violation
from scenarios.soak.lives import BrokerLife, Canary, NodeLife, Surroundings
from scenarios.soak.mishaps import Mishaps
from scenarios.soak.plan import Plan
from scenarios.soak.reference import AGENCIES, make_community
from scenarios.soak.region import LOOK_S, Region
from scenarios.soak.settling import LIVELY_S, settle
from schemas.errors import SimulationError, StoreError
from transport.faults import ClockJump, ClockSkew, DamagedFile, FaultDriver, LyingDisk, OldSnapshot
from transport.memory_disk import MemoryDisk
from transport.seeded import SeededEntropy, stream
from transport.simloop import run_simulated, running_simulation
from transport.simnet import Course, Direction, SimNet

_COLLECTED_EVERY: Final = 20  # runs; going through all of memory takes as long as a tenth of one
# Of the world, which no node and no broker owns; the last two are a disk's word on a call that was done at once.
_OWN_TIMERS: Final = ("SimNet.", "Lane.", "Desks.", "_settle", "_fail")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run showed. ``trace`` is the hash over everything that became durable; ``lines`` only where asked for."""

    plan: Plan
    violation: Violation | None
    trace: str
    virtual_ms: int
    turns: int
    account: Account
    sometimes: dict[str, int] = field(repr=False)
    lines: tuple[str, ...] = field(default=(), repr=False)


def run_plan(
    plan: Plan,
    *,
    canary: Canary | None = None,
    auditor: Auditor | None = None,
    keep_lines: bool = False,
    every_call: bool = False,
) -> Outcome:
    """Run a plan in virtual time.

    Args:
        plan: What is done and what goes wrong.
        canary: A planted bug, to see that it is found.
        auditor: Reads the exported log of a run whose router lies; without one, nobody audits it.
        keep_lines: Keep the trace in words, to compare two runs.
        every_call: Watch every call for stray clocks and chance.
    """
    # Made here, since a name for it takes chance, which a simulation refuses.
    with TemporaryDirectory(prefix="sandiwara-soak-") as folder:
        run = _Run(plan, canary, keep_lines=keep_lines)
        return run_simulated(run.outcome(auditor, Path(folder) / "log"), every_call=every_call)


class _Run:
    def __init__(self, plan: Plan, canary: Canary | None, *, keep_lines: bool) -> None:
        self._plan = plan
        self._canary = canary
        self._keep_lines = keep_lines

    async def outcome(self, auditor: Auditor | None, folder: Path) -> Outcome:
        """Run it all."""
        self._prepare()
        loop = running_simulation()
        loop.set_exception_handler(lambda _, context: self._ghost.broke(watch.NO_REMAINS, _unretrieved(context)))
        try:
            with ThreadPoolExecutor(max_workers=1) as executor:
                await self._play(executor)
        except BaseExceptionGroup as errors:
            self._ghost.broke(watch.NO_CRASH, _in_words(errors))
        except (SimulationError, StoreError, TimeoutError) as error:
            self._ghost.broke(watch.NO_CRASH, _in_words(error))
        self._look_for_remains()
        if self._hostile is not None and auditor is not None:
            self._hostile.audit(auditor, folder)
        self._ghost.finish()
        self._region.disk.close()
        sometimes = self._ghost.sometimes | {f"fault {kind}": count for kind, count in self._faults.fired.items()}
        counts = self._region.net.counts
        sometimes |= {f"net {name}": count for name in counts.__slots__ if (count := getattr(counts, name))}
        return Outcome(
            plan=self._plan,
            violation=self._ghost.violation,
            trace=self._ghost.trace_hash(),
            virtual_ms=loop.now_us() // 1_000,
            turns=loop.turns,
            account=self._ghost.account(),
            sometimes=sometimes,
            lines=tuple(self._ghost.lines or ()),
        )

    def _look_for_remains(self) -> None:
        """See that no task, timer, open database or error that nobody took has outlived its node or the broker."""
        if self._plan.seed % _COLLECTED_EVERY == 0:
            gc.collect()  # an error in a ring of references is told of only when it is taken away
        remains = sorted(task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()})
        remains += [name for name in running_simulation().timers() if not name.startswith(_OWN_TIMERS)]
        remains += self._region.disk.in_use()
        if remains:
            self._ghost.broke(watch.NO_REMAINS, f"still there at the end: {', '.join(remains[:8])}")

    def _prepare(self) -> None:
        plan, loop = self._plan, running_simulation()
        if plan.disk_ms_most:
            disks = stream(plan.seed, "disks")
            loop.executor_us = lambda: int(disks.random() * plan.disk_ms_most * 1_000)
        community, bundle = make_community(SeededEntropy(plan.seed, purpose="community"))
        self._ghost = Ghost(
            Compiled.compile(bundle),
            tolerance=Tolerance(
                skewed=any(isinstance(fault, ClockSkew | ClockJump) for fault in plan.faults),
                revoking=bool(plan.revocations),
                expiring=any(message.lives_ms is not None for message in plan.messages),
                losing=any(isinstance(fault, LyingDisk | OldSnapshot | DamagedFile) for fault in plan.faults),
                lying=any(isinstance(act, RouterHostility) for act in plan.hostility),
                poisoned=any(isinstance(act, Poison) for act in plan.hostility),
                clock_errors_ms=clock_errors_ms(plan.faults),
            ),
            now_ms=lambda: loop.now_us() // 1_000,
            router=community.router.public,
            seed=plan.seed,
            faults=plan.faults,
        )
        self._ghost.lines = [] if self._keep_lines else None
        net = SimNet(self._course)
        net.watch(self._ghost.frame_down)
        disk = MemoryDisk(gate=self._gate)
        self._region = Region(plan=plan, ghost=self._ghost, disk=disk, net=net, community=community, bundle=bundle)
        self._side = HostileSide.of(plan, now_ms=lambda: loop.now_us() // 1_000, saw=self._ghost.saw)
        self._hostile = None if self._side is None else HostileRun(self._region, self._side)
        self._desks = Desks(self._region)
        self._mishaps = Mishaps(self._region, self._desks)
        self._faults = FaultDriver(plan.faults, net=net, process=self._mishaps.process)

    def _gate(self, owner: str, moment: str) -> None:
        self._mishaps.gate(owner, moment)

    def _course(self, agency: str, direction: Direction) -> Course:
        most_us = self._plan.line_ms_most * 1_000
        return Course(
            chance=stream(self._plan.seed, f"line {agency} {direction}"),
            delay_us_least=most_us // 4,
            delay_us_most=most_us,
        )

    async def _play(self, executor: ThreadPoolExecutor) -> None:
        region = self._region
        around = Surroundings(
            seed=self._plan.seed, community=region.community, disk=region.disk, net=region.net, executor=executor,
            canary=self._canary, saw=self._ghost.saw, keys=self._ghost.wire.learn_keys,
            ended=self._ghost.life_ended, hostile=self._side,
        )  # fmt: skip
        region.broker = BrokerLife(around)
        region.nodes = {
            agency: NodeLife(agency, around, on_arrival=self._desks.arrived, on_notice=self._desks.told)
            for agency in AGENCIES
        }
        async with asyncio.TaskGroup() as lives:
            lives.create_task(region.broker.live(), name="broker-life")
            for agency, life in region.nodes.items():
                lives.create_task(life.live(), name=f"{agency}-life")
            async with asyncio.TaskGroup() as region.tasks:
                await self._linked()
                self._ghost.between.begin_plan()
                self._faults.begin()
                if self._hostile is not None:
                    self._hostile.begin()
                self._desks.begin()
                await region.watched_for(self._plan.span_ms / 1_000)
                await settle(region)
                if self._hostile is not None:
                    await self._hostile.go_on()
            self._desks.end()
            for life in region.nodes.values():
                life.stop()
            region.broker.stop()

    async def _linked(self) -> None:
        """Begin when everybody has a link; what goes wrong before that is no part of the plan."""
        async with asyncio.timeout(LIVELY_S):
            while self._region.unlinked():  # noqa: ASYNC110 - many conditions, in virtual time
                await asyncio.sleep(LOOK_S / 10)


def _unretrieved(context: Mapping[str, Any]) -> str:
    error = context.get("exception")
    return f"{context['message']}: {type(error).__name__ if error is not None else 'no error'}"


def _in_words(error: BaseException) -> str:
    """Name what was raised and where, without a word of content."""
    inner: BaseException = error
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    places = traceback.extract_tb(inner.__traceback__)[-3:]
    where = " < ".join(f"{place.filename.rpartition('/')[2]}:{place.lineno}" for place in reversed(places))
    return f"{type(inner).__name__}: {inner} at {where}"
