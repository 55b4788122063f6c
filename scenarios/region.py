"""A whole region in one process: the embedded broker and every node, on real MQTT over loopback.

What `sandiwara run` and `sandiwara share` start. The parts are those that run as separate processes elsewhere; only
the keys are made on the spot and last as long as the region.
"""

import asyncio
import hmac
from collections.abc import AsyncGenerator, Callable, Iterable
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from agencies.core import NodeCore
from agencies.incoming import Arrival
from agencies.keyring import Keys
from agencies.node import Node, NodeTimings
from agencies.notices import Notice
from agencies.store import NodeStore
from broker.application import Credentials
from broker.core import Identity, RouterCore
from broker.limits import ServerLimits
from broker.quota import QuotaLimits, Quotas
from broker.router import Router
from broker.server import MqttServer
from broker.service import BrokerService
from broker.store import Store
from scenarios.enrolment import ROUTER, Community
from schemas.bundle import Bundle
from schemas.errors import CapacityError, DiskFullError, LinkError, SandiwaraError
from sealing.entropy import Entropy
from sealing.statements import read_bundle
from transport.clock import Clock, SystemClock
from transport.failures import first_of
from transport.inline import InlineExecutor
from transport.link import Connect
from transport.mqtt import MqttAddress, mqtt_connect

_HOST: Final = "127.0.0.1"
_LINK_LIMIT_S: Final = 30.0  # all nodes of a region of a thousand have said hello by then
_LOGINS_AT_ONCE: Final = 32  # half of what broker.limits lets wait for their login
_QUIET_POLL_S: Final = 0.002  # how often quiet is looked for; real time only, the exercise clock stands meanwhile
_TIMINGS: Final = NodeTimings(receipt_gather_s=0)  # a region in one process has no reason to wait for more receipts
_QUIET_LOOKS: Final = 2  # in a row, since an ack may wake somebody else


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a region is handed: the time that is signed and judged by, real time, and where keys come from."""

    clock: Clock
    entropy: Entropy
    machine_clock: Clock = field(default_factory=SystemClock)


# Returns how an agency opens its link.
Reach = Callable[[str], Connect]
# Lets the service be reached while the block runs; given the agencies' link passwords.
Hosting = Callable[[BrokerService, dict[str, str]], AbstractAsyncContextManager[Reach]]


@asynccontextmanager
async def own_server(service: BrokerService, passwords: dict[str, str]) -> AsyncGenerator[Reach, None]:
    """Host the service behind our own MQTT server on loopback.

    Raises:
        ListenError: If no port is free.
    """
    server = MqttServer(service, limits=ServerLimits())
    async with server.listening(host=_HOST, port=0, tls=None) as address:

        def reach(agency: str) -> Connect:
            return mqtt_connect(MqttAddress(host=_HOST, port=address.port, agency=agency, password=passwords[agency]))

        yield reach


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A running region."""

    community: Community
    nodes: dict[str, Node]
    broker: BrokerService
    store: Store
    core: RouterCore

    async def install(self, bundle: Bundle, signed: bytes) -> None:
        """Put a new bundle in force at the router, which tells all nodes.

        Raises:
            StoreError: If the disk is full.
        """
        install = partial(self.core.install, bundle)
        await self.broker.install_bundle(version=bundle.version, signed=signed, install=install)

    def idle(self) -> bool:
        """Tell whether nothing is under way anywhere."""
        return self.broker.idle() and all(node.idle() for node in self.nodes.values())

    async def quiet(self, *, limit_s: float) -> None:
        """Wait until nothing is under way: every release has its verdict, every delivery its ack.

        Raises:
            CapacityError: If that takes longer than the limit; names who is not done.
        """
        try:
            async with asyncio.timeout(limit_s):
                still = 0
                while still < _QUIET_LOOKS:
                    still = still + 1 if self.idle() else 0
                    await asyncio.sleep(_QUIET_POLL_S)
        except TimeoutError as error:
            busy = [name for name, node in self.nodes.items() if not node.idle()]
            owing = self.broker.unfinished()
            msg = f"the region is not quiet after {limit_s:.0f} s; busy: {busy or 'none'}; un-acked: {owing or 'none'}"
            raise CapacityError(msg, remedy="look for the named agencies' errors above; is the disk full?") from error


@asynccontextmanager
async def running_region(
    community: Community,
    *,
    folder: Path,
    world: World,
    on_arrival: Callable[[str, Arrival], None],
    agencies: Iterable[str] | None = None,
    shape: Callable[[str, Connect], Connect] | None = None,
    timings: NodeTimings = _TIMINGS,
    hosting: Hosting = own_server,
) -> AsyncGenerator[Region, None]:
    """Start a region and stop it with the block.

    Args:
        community: From ``enrol``.
        folder: Where the broker's and the nodes' databases go; made if need be.
        world: Clocks and entropy, shared by all parts.
        on_arrival: Told of everything new at any desk.
        agencies: Who takes part; everybody unless given.
        shape: Puts a link's quality around an agency's link.
        timings: How long nodes wait, in real time.
        hosting: What stands between nodes and service.

    Raises:
        LinkError: If a node finds no link.
        StoreError: If a database cannot be opened, or a disk is full; whatever ends the region comes out as itself,
            however many tasks end with it.
        ListenError: If no port is free.
    """
    try:
        async with _region(
            community,
            folder=folder,
            world=world,
            on_arrival=on_arrival,
            agencies=agencies,
            shape=shape,
            timings=timings,
            hosting=hosting,
        ) as region:
            yield region
    except BaseExceptionGroup as group:
        raise _one_of(group) from None


def _one_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error of a region that people are to read: the first that was raised on purpose, or the only one."""
    known = first_of(group, SandiwaraError)
    if known is not None:
        return known
    only: BaseException = group
    while isinstance(only, BaseExceptionGroup) and len(only.exceptions) == 1:
        only = only.exceptions[0]
    return only


@asynccontextmanager
async def _region(
    community: Community,
    *,
    folder: Path,
    world: World,
    on_arrival: Callable[[str, Arrival], None],
    agencies: Iterable[str] | None,
    shape: Callable[[str, Connect], Connect] | None,
    timings: NodeTimings,
    hosting: Hosting,
) -> AsyncGenerator[Region, None]:
    chosen = sorted(community.rings if agencies is None else agencies)
    passwords = {agency: world.entropy.take(18).hex() for agency in chosen}
    async with AsyncExitStack() as stack:
        disk = stack.enter_context(InlineExecutor())
        store = Store.open(folder / "broker.sqlite", router=ROUTER)
        stack.callback(store.close)
        core = make_router_core(community, store, world)
        service = make_broker(community, store, passwords, world, core=core)
        await stack.enter_async_context(service.running())
        reach = await stack.enter_async_context(hosting(service, passwords))
        nodes: dict[str, Node] = {}
        disks = _Disks()
        for agency, node_store in zip(chosen, _open_stores(folder / "nodes", chosen, disk, stack), strict=True):
            connect = reach(agency) if shape is None else shape(agency, reach(agency))
            nodes[agency] = make_node(
                community,
                node_store,
                connect=connect,
                disk=disk,
                world=world,
                on_arrival=partial(on_arrival, agency),
                on_notice=disks.noticed,
                timings=timings,
            )
        region = Region(community=community, nodes=nodes, broker=service, store=store, core=core)
        async with asyncio.TaskGroup() as tasks:
            over = asyncio.Event()
            watching = tasks.create_task(disks.end_when_full(), name="region-disks")
            await _start(tuple(nodes.values()), tasks, over)
            await region.quiet(limit_s=_LINK_LIMIT_S)
            yield region
            over.set()
            watching.cancel()


class _Disks:
    """A node of its own waits for room; a region in one process ends, since nobody could tell who missed what."""

    def __init__(self) -> None:
        self._full = asyncio.Event()
        self._said = ""

    def noticed(self, notice: Notice) -> None:
        """Take what a node tells its desk."""
        if notice.word == "disk_full" and not self._said:
            self._said = notice.text
            self._full.set()

    async def end_when_full(self) -> None:
        """Wait until a disk is full.

        Raises:
            DiskFullError: Always.
        """
        await self._full.wait()
        raise DiskFullError(self._said, remedy="make room on the disk; what was accepted before is safe")


def _open_stores(folder: Path, agencies: list[str], disk: Executor, stack: AsyncExitStack) -> list[NodeStore]:
    """Open everybody's database at once, since each waits for its syncs; they are closed with the stack."""

    def open_store(agency: str) -> NodeStore:
        return NodeStore.open(folder / f"{agency}.sqlite", agency=agency)

    opening = [disk.submit(open_store, agency) for agency in agencies]
    done = [future for future in opening if future.exception() is None]
    for future in done:
        stack.callback(future.result().close)
    return [future.result() for future in opening]


async def _run(node: Node, over: asyncio.Event) -> None:
    async with node.running():
        await over.wait()


async def _start(nodes: tuple[Node, ...], tasks: asyncio.TaskGroup, over: asyncio.Event) -> None:
    """Start the nodes in waves, each when the one before it has logged in: the server drops a crowd of strangers."""
    try:
        async with asyncio.timeout(_LINK_LIMIT_S):
            for first in range(0, len(nodes), _LOGINS_AT_ONCE):
                wave = nodes[first : first + _LOGINS_AT_ONCE]
                for node in wave:
                    tasks.create_task(_run(node, over), name=f"{node.agency}-node")
                for node in wave:
                    await node.linked()
    except TimeoutError as error:
        msg = f"not all nodes had a link after {_LINK_LIMIT_S:.0f} s"
        raise LinkError(msg, remedy="look for errors of single agencies above; is the machine overloaded?") from error


def make_router_core(community: Community, store: Store, world: World) -> RouterCore:
    """Make what a region's router decides by: the newest bundle, on a database that may be from before a restart."""
    with store.transaction():
        store.holdings.write_bundle(community.bundle.version, community.signed_bundle)
    bundle = _in_force(community, store.holdings.bundles()[-1][1], world)
    return RouterCore(identity=Identity(router=ROUTER, signer=community.router), bundle=bundle)


def make_broker(
    community: Community, store: Store, passwords: dict[str, str], world: World, *, core: RouterCore | None = None
) -> BrokerService:
    """Make the broker of a region, on a database that may be new or from before a restart."""
    limits = QuotaLimits()
    core = core or make_router_core(community, store, world)

    def authenticator(credentials: Credentials) -> str | None:
        expected = passwords.get(credentials.client_id)
        given = credentials.password or b""
        if expected is None or not hmac.compare_digest(expected.encode(), given):
            return None
        return credentials.client_id

    return BrokerService(
        router=Router(core=core, store=store, limits=limits),
        authenticator=authenticator,
        quotas=Quotas(limits),
        clock=world.clock,
        machine_clock=world.machine_clock,
    )


def _in_force(community: Community, kept: bytes | None, world: World) -> Bundle:
    """Return the newest bundle: a folder that is used again may hold a later one, and nobody goes back."""
    if kept is None:
        return community.bundle
    later = read_bundle(kept, root=community.root, now_ms=world.clock.now_ms())
    return max(community.bundle, later, key=lambda bundle: bundle.version)


def make_node(
    community: Community,
    store: NodeStore,
    *,
    connect: Connect,
    disk: Executor,
    world: World,
    on_arrival: Callable[[Arrival], None],
    timings: NodeTimings,
    on_notice: Callable[[Notice], None] = lambda _notice: None,
) -> Node:
    """Make one agency's node, on a database that may be new or from before a restart."""
    bundle = _in_force(community, store.signed_bundle(), world)
    return Node(
        core=NodeCore(keys=Keys(community.rings[store.agency]), bundle=bundle),
        root=community.root,
        store=store,
        disk=disk,
        connect=connect,
        clock=world.clock,
        machine_clock=world.machine_clock,
        entropy=world.entropy,
        on_arrival=on_arrival,
        on_notice=on_notice,
        keep_keys=lambda ring: community.rings.update({ring.name: ring}),  # they last as long as the community does
        timings=timings,
    )
