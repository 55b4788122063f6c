"""Lives: a node or the broker that may die at any moment and is started again on what its disk kept.

A death is a fence first: the databases and the link of that life refuse at once, so that no clean-up of it can have an
effect; only then is it cancelled. The parts that are started are the ones that run in earnest.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from agencies.core import NodeCore
from agencies.incoming import Arrival
from agencies.keyring import Keys
from agencies.node import Node, NodeTimings
from agencies.notices import Notice
from agencies.store import NodeStore
from broker.core import Identity, RouterCore
from broker.quota import QuotaLimits, Quotas
from broker.router import Router
from broker.service import BrokerService
from broker.store import Store
from scenarios.enrolment import ROUTER, Community
from scenarios.simulated_region import BROKER_DATABASE, node_database
from scenarios.soak.evil_router import LyingCore, LyingRouter, LyingStore, open_store
from scenarios.soak.hostile_side import HostileSide
from scenarios.soak.reference import BEGIN_MS, BROKER
from schemas.bundle import Bundle
from sealing.keyfile import KeyRing
from sealing.statements import read_bundle
from transport.link import Connect, Link
from transport.memory_disk import Dead, MemoryDisk
from transport.seeded import LoopClock, SeededEntropy
from transport.simnet import SimNet

TIMINGS: Final = NodeTimings(receipt_gather_s=0.2)  # all else as in earnest
_DOWN_S_LEAST: Final = 0.05  # a crashed process is not back in the same instant


class Canary(Protocol):
    """A planted bug: changes the parts of a life before they run."""

    def into_node(self, node: Node) -> None:
        """Change a node."""
        ...

    def into_broker(self, router: Router) -> None:
        """Change the broker."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all lives of a run share."""

    seed: int
    community: Community
    disk: MemoryDisk
    net: SimNet
    executor: Executor
    canary: Canary | None
    saw: Callable[[str], None]
    keys: Callable[[KeyRing], None]  # told of every key ring before it is used
    ended: Callable[[str], None]  # told of the end of every life
    hostile: HostileSide | None = None


class Life(ABC):
    """What a node and the broker have in common: being alive, armed to die, dead, and back."""

    def __init__(self, name: str, path: Path, around: Surroundings) -> None:
        self.name = name
        self.around = around
        self.path = path
        self._end: asyncio.Future[bool] | None = None  # of this life: True if it dies, False if it is stopped
        self._armed: str | None = None
        self._stopping = False
        self._may_rise = asyncio.Event()
        self._may_rise.set()
        self.lives = self.deaths = 0
        self.clock = LoopClock(BEGIN_MS)  # the time that is signed and judged by …
        self.machine_clock = LoopClock(BEGIN_MS)  # … and that of the machine

    @property
    def clocks(self) -> tuple[LoopClock, ...]:
        """Both clocks, which err together where it is the machine's that errs."""
        return self.clock, self.machine_clock

    def arm(self, point: str) -> None:
        """Have it die, now or when it next comes to this point; it stays dead until ``raise_again``."""
        self._may_rise.clear()
        if point == "now":
            self.die()
        else:
            self._armed = point

    @property
    def held_down(self) -> bool:
        """Whether a fault keeps it from being started again."""
        return not self._may_rise.is_set()

    def raise_again(self) -> None:
        """Let it be started again; a point that was never reached is forgotten."""
        self._armed = None
        self._may_rise.set()

    def pass_point(self, point: str) -> None:
        """Come to a point at which it may have been armed to die.

        Raises:
            Dead: If it was.
        """
        if self._armed == point:
            self._armed = None
            self.around.saw(f"died {point}")
            self.die()
            raise Dead

    def die(self) -> None:
        """End this life: nothing that it still does has any effect."""
        self.deaths += 1
        self.around.disk.kill(self.path)
        if self._end is not None and not self._end.done():
            self.around.saw("deaths")
            self._end.set_result(True)

    def stop(self) -> None:
        """End this life in good order, and have no other."""
        self._stopping = True
        self._may_rise.set()
        if self._end is not None and not self._end.done():
            self._end.set_result(False)

    async def live(self) -> None:
        """Live, die and rise again until stopped."""
        while True:
            await self._may_rise.wait()
            if self._stopping:
                return
            self.lives += 1
            end = self._end = asyncio.get_running_loop().create_future()
            try:
                async with self._one_life(end):
                    if await end:
                        raise Dead  # noqa: TRY301 - the end of this life's block, and of nothing else
            except* Dead:
                pass
            self.around.ended(self.name)
            if self._stopping:
                return
            await asyncio.sleep(_DOWN_S_LEAST)

    @abstractmethod
    def try_to_open(self) -> None:
        """Open the database as a life begins with, and close it again.

        Raises:
            StoreError: If it is refused.
        """

    @abstractmethod
    def _one_life(self, end: asyncio.Future[bool], /) -> AbstractAsyncContextManager[None]:
        """Run the parts for one life; ``end`` is done as soon as that life is over."""


class NodeLife(Life):
    """An agency's node; its keys are kept beside its database."""

    def __init__(
        self,
        agency: str,
        around: Surroundings,
        *,
        on_arrival: Callable[[str, Arrival], None],
        on_notice: Callable[[str, Notice], None],
    ) -> None:
        super().__init__(agency, node_database(agency), around)
        self._ring = around.community.rings[agency]
        self._on_arrival = on_arrival
        self._on_notice = on_notice
        self.node: Node | None = None

    def die(self) -> None:
        """End this life; no desk finds its node any more."""
        self.node = None
        super().die()

    def try_to_open(self) -> None:
        """Open the database as a life begins with, and close it again."""
        NodeStore.open(self.path, agency=self.name, disk=self.around.disk.open).close()

    @asynccontextmanager
    async def _one_life(self, end: asyncio.Future[bool], /) -> AsyncGenerator[None, None]:
        around = self.around
        store = NodeStore.open(self.path, agency=self.name, disk=around.disk.open)
        node = Node(
            core=NodeCore(keys=Keys(self._ring), bundle=self._newest_bundle(store)),
            root=around.community.root,
            store=store,
            disk=around.executor,
            connect=self._fenced(around.net.connect(self.name), end),
            clock=self.clock,
            machine_clock=self.machine_clock,
            entropy=SeededEntropy(around.seed, purpose=f"node {self.name} life {self.lives}"),
            on_arrival=partial(self._arrived, end),
            on_notice=partial(self._noticed, end),
            keep_keys=self._keep_keys,
            timings=TIMINGS if around.hostile is None else around.hostile.timings(TIMINGS),
        )
        if around.canary is not None:
            around.canary.into_node(node)
        try:
            async with node.running():
                self.node = node
                yield
        finally:
            self.node = None
            store.close()

    def _newest_bundle(self, store: NodeStore) -> Bundle:
        kept = store.signed_bundle()
        community = self.around.community
        if kept is None:
            return community.bundle
        return read_bundle(kept, root=community.root, now_ms=self.clock.now_ms())

    def _keep_keys(self, ring: KeyRing) -> None:
        self.around.keys(ring)
        self._ring = ring

    def _arrived(self, end: asyncio.Future[bool], arrival: Arrival) -> None:
        if not end.done():
            self._on_arrival(self.name, arrival)

    def _noticed(self, end: asyncio.Future[bool], notice: Notice) -> None:
        if not end.done():
            self._on_notice(self.name, notice)

    def _fenced(self, inner: Connect, end: asyncio.Future[bool]) -> Connect:
        @asynccontextmanager
        async def connect() -> AsyncGenerator[Link, None]:
            async with inner() as link:
                yield _LifeLink(link, self, end)

        return connect


class _LifeLink:
    """A link that ends with the life that opened it, and at which that life may die."""

    def __init__(self, link: Link, life: NodeLife, end: asyncio.Future[bool]) -> None:
        self._link = link
        self._life = life
        self._end = end

    async def send(self, frame: bytes) -> None:
        self._check_alive()
        self._life.pass_point("before-send")
        await self._link.send(frame)
        self._check_alive()
        self._life.pass_point("after-send")

    async def frames(self) -> AsyncIterator[bytes]:
        async for frame in self._link.frames():
            self._check_alive()
            yield frame

    def _check_alive(self) -> None:
        if self._end.done():
            raise Dead


class BrokerLife(Life):
    """The broker: its service in front of the simulated network, its router on its database."""

    def __init__(self, around: Surroundings) -> None:
        super().__init__(BROKER, BROKER_DATABASE, around)
        self.service: BrokerService | None = None
        self.core: RouterCore | None = None

    def die(self) -> None:
        """End this life; no operator finds its service any more."""
        self.service = self.core = None
        super().die()

    def try_to_open(self) -> None:
        """Open the database as a life begins with, and close it again."""
        Store.open(self.path, router=ROUTER, disk=self.around.disk.open).close()

    @asynccontextmanager
    async def _one_life(self, _end: asyncio.Future[bool], /) -> AsyncGenerator[None, None]:
        around, community = self.around, self.around.community
        malice = None if around.hostile is None else around.hostile.malice
        if malice is None:
            store = Store.open(self.path, router=ROUTER, disk=around.disk.open)
        else:
            store = open_store(self.path, malice, disk=around.disk.open)
        held = store.holdings.bundles()
        bundle = community.bundle
        if held:
            bundle = read_bundle(held[-1][1], root=community.root, now_ms=self.clock.now_ms())
        else:
            with store.transaction():
                store.holdings.write_bundle(bundle.version, community.signed_bundle)
        limits = QuotaLimits() if around.hostile is None else around.hostile.limits
        identity = Identity(router=ROUTER, signer=community.router)
        if malice is None:
            core = RouterCore(identity=identity, bundle=bundle)
        else:
            core = LyingCore(malice, identity=identity, bundle=bundle)
        if malice is None or not isinstance(store, LyingStore):
            router = Router(core=core, store=store, limits=limits)
        else:
            router = LyingRouter(malice, core=core, store=store, limits=limits)
        service = BrokerService(
            router=router,
            authenticator=lambda _credentials: None,  # the simulated network has proved who connects
            quotas=Quotas(limits),
            clock=self.clock,
            machine_clock=self.machine_clock,
        )
        if around.canary is not None:
            around.canary.into_broker(router)
        try:
            front = service if around.hostile is None else around.hostile.door.before(service)
            async with service.running(), around.net.serving(front, admits=partial(_active, core)):
                self.service, self.core = service, core
                yield
        finally:
            self.service = self.core = None
            store.close()


def _active(core: RouterCore, agency: str) -> bool:
    """Admit as the deployed broker does: whom the bundle in force calls active."""
    found = core.community.agency(agency)
    return found is not None and found.status == "active"
