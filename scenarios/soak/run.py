"""One run: a plan played in the reference region, first for safety while faults fall, then for liveliness when none do.

The work is that of desks (release, correct, release again, open), the faults are the plan's, the judge is the ghost.
"""

import asyncio
import traceback
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, assert_never

from agencies.drafts import Draft, Why
from agencies.incoming import Arrival
from policy.community import Community as Compiled
from scenarios.simulated_region import BROKER_DATABASE, node_database
from scenarios.soak import ghost as watch
from scenarios.soak.ghost import Ghost, Tolerance, Violation
from scenarios.soak.lives import BrokerLife, Canary, Life, NodeLife, Surroundings
from scenarios.soak.plan import Again, Message, Plan, Revocation
from scenarios.soak.reference import AGENCIES, BEGIN_MS, LABELS, make_community, revoked
from schemas.errors import LinkError, SimulationError, StoreError
from schemas.report import Passage, Portion, PortionContent
from transport.faults import BrokerRestart, ClockSkew, FaultDriver, NodeCrash, ProcessFault, Takeover
from transport.memory_disk import Dead, MemoryDisk
from transport.seeded import LoopClock, SeededEntropy, stream
from transport.simloop import run_simulated, running_simulation
from transport.simnet import Course, Direction, SimNet

_LIVELY_S: Final = 600  # virtual; docs: accepted messages settle in ten minutes once faults have ended
_LOOK_S: Final = 1.0
_DESK_S: Final = 60.0  # virtual; a desk waits for a disk and a look-up of keys, a second or two
_TASKS_MOST: Final = 5_000
_LARGE_CHARS: Final = 100_000  # over what travels inline, so in chunks
_WHY: Final = Why(act="report", order="soak", reason="the plan says so", cause="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run showed. ``trace`` is the hash over everything that became durable; ``lines`` only where asked for."""

    plan: Plan
    violation: Violation | None
    trace: str
    virtual_ms: int
    turns: int
    sometimes: dict[str, int] = field(repr=False)
    lines: tuple[str, ...] = field(default=(), repr=False)


def run_plan(
    plan: Plan, *, canary: Canary | None = None, keep_lines: bool = False, every_call: bool = False
) -> Outcome:
    """Run a plan in virtual time.

    Args:
        plan: What is done and what goes wrong.
        canary: A planted bug, to see that it is found.
        keep_lines: Keep the trace in words, to compare two runs.
        every_call: Watch every call for stray clocks and chance.
    """
    return run_simulated(_Run(plan, canary, keep_lines=keep_lines).outcome(), every_call=every_call)


class _Run:
    def __init__(self, plan: Plan, canary: Canary | None, *, keep_lines: bool) -> None:
        self._plan = plan
        self._canary = canary
        self._keep_lines = keep_lines
        self._nodes: dict[str, NodeLife] = {}
        self._hids: dict[int, bytes] = {}  # of the plan's messages
        self._tasks: asyncio.TaskGroup

    async def outcome(self) -> Outcome:
        """Run it all."""
        self._prepare()
        try:
            with ThreadPoolExecutor(max_workers=1) as executor:
                await self._play(executor)
        except BaseExceptionGroup as errors:
            self._ghost.broke(watch.NO_CRASH, _in_words(errors))
        except (SimulationError, StoreError, TimeoutError) as error:
            self._ghost.broke(watch.NO_CRASH, _in_words(error))
        remains = sorted(task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()})
        if remains:
            self._ghost.broke(watch.NO_REMAINS, f"still running at the end: {', '.join(remains[:8])}")
        self._disk.close()
        loop = running_simulation()
        sometimes = self._ghost.sometimes | {f"fault {kind}": count for kind, count in self._faults.fired.items()}
        counts = self._net.counts
        sometimes |= {f"net {name}": count for name in counts.__slots__ if (count := getattr(counts, name))}
        return Outcome(
            plan=self._plan,
            violation=self._ghost.violation,
            trace=self._ghost.trace_hash(),
            virtual_ms=loop.now_us() // 1_000,
            turns=loop.turns,
            sometimes=sometimes,
            lines=tuple(self._ghost.lines or ()),
        )

    def _prepare(self) -> None:
        plan, loop = self._plan, running_simulation()
        if plan.disk_ms_most:
            disks = stream(plan.seed, "disks")
            loop.executor_us = lambda: int(disks.random() * plan.disk_ms_most * 1_000)
        self._community, self._bundle = make_community(SeededEntropy(plan.seed, purpose="community"))
        self._ghost = Ghost(
            Compiled.compile(self._bundle),
            tolerance=Tolerance(
                skewed=any(isinstance(fault, ClockSkew) for fault in plan.faults), revoking=bool(plan.revocations)
            ),
            now_ms=lambda: loop.now_us() // 1_000,
        )
        self._ghost.lines = [] if self._keep_lines else None
        self._disk = MemoryDisk(gate=self._gate)
        self._net = SimNet(self._course)
        self._net.watch(self._ghost.frame_down)
        self._faults = FaultDriver(plan.faults, net=self._net, process=self._process)
        self._desk = stream(plan.seed, "desks")

    def _course(self, agency: str, direction: Direction) -> Course:
        most_us = self._plan.line_ms_most * 1_000
        return Course(
            chance=stream(self._plan.seed, f"line {agency} {direction}"),
            delay_us_least=most_us // 4,
            delay_us_most=most_us,
        )

    async def _play(self, executor: ThreadPoolExecutor) -> None:
        around = Surroundings(
            seed=self._plan.seed, community=self._community, disk=self._disk, net=self._net, executor=executor,
            clock=LoopClock(BEGIN_MS), canary=self._canary, saw=self._ghost.saw,
        )  # fmt: skip
        self._broker = BrokerLife(around)
        self._nodes = {agency: NodeLife(agency, around, on_arrival=self._arrived) for agency in AGENCIES}
        async with asyncio.TaskGroup() as lives:
            lives.create_task(self._broker.live(), name="broker-life")
            for agency, life in self._nodes.items():
                lives.create_task(life.live(), name=f"{agency}-life")
            async with asyncio.TaskGroup() as self._tasks:
                await self._linked()
                self._faults.begin()
                items: tuple[Message | Again | Revocation, ...] = (
                    *self._plan.messages, *self._plan.again, *self._plan.revocations,
                )  # fmt: skip
                for item in items:
                    running_simulation().call_later(item.at_ms / 1_000, self._begin, item)
                await asyncio.sleep(self._plan.span_ms / 1_000)
                await self._settle()
            for life in self._nodes.values():
                life.stop()
            self._broker.stop()

    async def _linked(self) -> None:
        """Begin when everybody has a link; what goes wrong before that is no part of the plan."""
        async with asyncio.timeout(_LIVELY_S):
            while self._unlinked():  # noqa: ASYNC110 - many conditions, in virtual time
                await asyncio.sleep(_LOOK_S / 10)

    def _unlinked(self) -> list[str]:
        struck = self._ghost.revoked_anywhere
        return [
            agency
            for agency, life in self._nodes.items()
            if agency not in struck and (life.node is None or not self._net.linked(agency))
        ]

    # Work.

    def _begin(self, item: Message | Again | Revocation) -> None:
        match item:
            case Message():
                work = self._until_dead(self._nodes[item.agency], self._release(item))
            case Again():
                author = next((found.agency for found in self._plan.messages if found.number == item.message), None)
                if author is None:
                    return
                work = self._until_dead(self._nodes[author], self._release_again(item))
            case Revocation():
                work = self._revoke(item)
            case _:
                assert_never(item)
        self._tasks.create_task(work, name=f"desk-{item.at_ms}")

    async def _release(self, message: Message) -> None:
        node = self._nodes[message.agency].node
        if node is None:
            self._ghost.saw("desk without a node")
            return
        ref = None if message.corrects is None else self._hids.get(message.corrects)
        original = next((item for item in self._plan.messages if item.number == message.corrects), None)
        if original is None or original.agency != message.agency:
            ref = None
        portions = tuple(Portion(LABELS[label], _content(message, place)) for place, label in enumerate(message.labels))
        released = await node.release(Draft(portions=portions, to=message.to, why=_WHY, ref=ref))
        if released.hid is not None:
            self._hids[message.number] = released.hid
            self._ghost.accepted.add(released.hid.hex())
            self._ghost.saw("accepted")

    async def _release_again(self, again: Again) -> None:
        hid = self._hids.get(again.message)
        message = next((item for item in self._plan.messages if item.number == again.message), None)
        node = None if message is None else self._nodes[message.agency].node
        if hid is None or node is None or message is None or again.reader == message.agency:
            return
        if again.reader in self._ghost.sent[hid.hex()].audiences[0]:
            return
        released = await node.release_again(hid, {again.reader: 0}, _WHY)
        if released.hid is not None:
            self._ghost.saw("accepted again")

    async def _revoke(self, revocation: Revocation) -> None:
        self._bundle, signed = revoked(self._community, self._bundle, revocation.agency)
        version = self._bundle.version
        self._ghost.learn(version, Compiled.compile(self._bundle), revocation.agency)
        bundle = self._bundle
        while True:
            service, core = self._broker.service, self._broker.core
            if service is not None and core is not None and core.bundle.version < version:
                install = service.install_bundle(version=version, signed=signed, install=partial(core.install, bundle))
                await self._until_dead(self._broker, install)
            if self._in_force(version):
                self._ghost.saw("revoked")
                return
            await asyncio.sleep(_LOOK_S)

    def _in_force(self, version: int) -> bool:
        sql = self._disk.connection(BROKER_DATABASE)
        return sql.execute("SELECT 1 FROM bundle WHERE version >= ?", (version,)).fetchone() is not None

    def _arrived(self, agency: str, arrival: Arrival) -> None:
        """Put what has come on a desk, which opens it after a while."""
        after_s = self._desk.random() * 30
        if arrival.kind == "report" and after_s < 15:  # noqa: PLR2004 - half of it is opened at all
            running_simulation().call_later(after_s, self._open, agency, arrival.hid)

    def _open(self, agency: str, hid: bytes) -> None:
        node = self._nodes[agency].node
        if node is not None:
            work = self._until_dead(self._nodes[agency], node.opened(hid))
            self._tasks.create_task(work, name=f"desk-opens-{agency}")

    async def _until_dead(self, life: Life, work: Coroutine[Any, Any, None]) -> None:
        """Do a desk's work, unless its node or the broker dies over it."""
        deaths = life.deaths
        try:
            async with asyncio.timeout(_DESK_S):
                await work
        except (Dead, LinkError):
            return
        except TimeoutError:
            # A dead process answers nobody, and whoever asked it is dead as well.
            if life.deaths == deaths:
                self._ghost.broke(watch.LIVELINESS, f"{life.name} has not answered its desk for {_DESK_S:.0f} s")

    # Faults.

    def _gate(self, owner: str, moment: str) -> None:
        life: Life = self._broker if owner == watch.BROKER else self._nodes[owner]
        if moment == "after-commit":
            path = BROKER_DATABASE if owner == watch.BROKER else node_database(owner)
            self._ghost.committed(owner, self._disk.connection(path))
        life.pass_point(moment)

    def _process(self, fault: ProcessFault, begins: bool) -> None:  # noqa: FBT001 - begins or ends
        match fault:
            case NodeCrash():
                life = self._nodes[fault.agency]
                life.arm(fault.point) if begins else life.raise_again()
            case BrokerRestart():
                self._broker.arm(fault.point) if begins else self._broker.raise_again()
            case ClockSkew():
                self._nodes[fault.agency].clock.skew_ms += fault.offset_ms if begins else -fault.offset_ms
            case Takeover():
                self._tasks.create_task(self._take_over(fault.agency), name=f"stranger-{fault.agency}")

    async def _take_over(self, agency: str) -> None:
        """Open a second link under an agency's name, and leave again."""
        with suppress(LinkError):
            async with self._net.connect(agency)():
                await asyncio.sleep(_LOOK_S / 2)

    # Liveliness.

    async def _settle(self) -> None:
        """All faults are over: whatever was accepted comes to an end that can be seen."""
        for _ in range(int(_LIVELY_S / _LOOK_S)):
            if self._ghost.violation is not None:
                return
            if len(asyncio.all_tasks()) > _TASKS_MOST:
                self._ghost.broke(watch.BOUNDS, f"{len(asyncio.all_tasks())} tasks are running")
            if self._net.counts.overflows:
                self._ghost.broke(watch.BOUNDS, "a node's queue of frames was full")
            if not self._unsettled():
                break
            await asyncio.sleep(_LOOK_S)
        unsettled = [*self._unsettled(), *self._ghost.unexplained()]
        if unsettled:
            shown = "; ".join(unsettled[:4])
            self._ghost.broke(watch.LIVELINESS, f"{len(unsettled)} things have come to no end: {shown}")

    def _unsettled(self) -> list[str]:
        struck = self._ghost.revoked_anywhere
        found = [f"{agency} has no link" for agency in self._unlinked()]
        sql = self._disk.connection(BROKER_DATABASE)
        queued = dict(sql.execute("SELECT reader, count(*) FROM queue GROUP BY reader").fetchall())
        found += [f"{count} rows are queued for {reader}" for reader, count in queued.items() if reader not in struck]
        for agency in self._nodes:
            if agency in struck:
                continue
            sql = self._disk.connection(node_database(agency))
            waiting = sql.execute("SELECT count(*) FROM outbox WHERE state = 'waiting'").fetchone()[0]
            owed = [name for (name,) in sql.execute("SELECT DISTINCT originator FROM owed") if name not in struck]
            if waiting:
                found.append(f"{waiting} releases of {agency} have no verdict")
            if owed:
                found.append(f"{agency} owes receipts to {', '.join(sorted(owed))}")
        return found


def _content(message: Message, place: int) -> PortionContent:
    text = f"Report {message.number}, part {place}. " * (1 if not message.large else _LARGE_CHARS // 20)
    return PortionContent(
        "EXERCISE", f"Report {message.number}, part {place}", (Passage(f"m{message.number}-{place}", text),)
    )


def _in_words(error: BaseException) -> str:
    """Name what was raised and where, without a word of content."""
    inner: BaseException = error
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    places = traceback.extract_tb(inner.__traceback__)[-3:]
    where = " < ".join(f"{place.filename.rpartition('/')[2]}:{place.lineno}" for place in reversed(places))
    return f"{type(inner).__name__}: {inner} at {where}"
