"""A whole region in virtual time: the broker's service and every node, on a simulated network and disks in memory.

The parts are those of ``scenarios.region``; only what carries frames and keeps databases is another. The network
knows no broker and the broker no network, so the piece that joins both stands here, on the floor above them.
"""

from collections.abc import AsyncGenerator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Final

from agencies.incoming import Arrival
from agencies.node import Node, NodeTimings
from agencies.store import NodeStore
from broker.service import BrokerService
from broker.store import Store
from scenarios.enrolment import ROUTER, Community
from scenarios.region import Region, World, make_broker, make_node, make_router_core
from sealing.entropy import apart
from transport.link import Connect
from transport.memory_disk import MemoryDisk
from transport.seeded import stream
from transport.simnet import Course, Direction, SimNet

BROKER_DATABASE: Final = Path("broker.sqlite")
_QUIET_S: Final = 30.0  # of virtual time


@cache
def node_database(agency: str) -> Path:
    """Return the name of a node's database on a simulated disk."""
    return Path("nodes") / f"{agency}.sqlite"


def calm_course(agency: str, direction: Direction, *, seed: int) -> Course:
    """Return a line that takes no time and loses nothing: what slows a frame in an exercise is the pack's."""
    return Course(chance=stream(seed, f"line {agency} {direction}"))


@asynccontextmanager
async def simulated_region(
    community: Community,
    *,
    world: World,
    on_arrival: Callable[[str, Arrival], None],
    timings: NodeTimings,
    agencies: Iterable[str] | None = None,
    shape: Callable[[str, Connect], Connect] | None = None,
    seed: int = 0,
    disk: MemoryDisk | None = None,
) -> AsyncGenerator[Region, None]:
    """Start a region in virtual time and stop it with the block; the arguments are those of ``running_region``.

    Args:
        community: From ``enrol``.
        world: Clocks and entropy, of virtual time.
        on_arrival: Told of everything new at any desk.
        timings: How long nodes wait, in virtual time.
        agencies: Who takes part; everybody unless given.
        shape: Puts a link's quality around an agency's link.
        seed: Of the network.
        disk: Where the databases are; one of its own unless given.

    Raises:
        SimulationError: If the loop is a real one.
    """
    chosen = sorted(community.rings if agencies is None else agencies)
    disk = disk or MemoryDisk()
    net = SimNet(partial(calm_course, seed=seed))
    async with AsyncExitStack() as stack:
        stack.callback(disk.close)
        # Never used: the loop does at once what an executor is asked for, and starts no thread.
        executor = stack.enter_context(ThreadPoolExecutor(max_workers=1))
        store = Store.open(BROKER_DATABASE, router=ROUTER, disk=disk.open)
        core = make_router_core(community, store, world)
        service: BrokerService = make_broker(community, store, {}, world, core=core)
        await stack.enter_async_context(service.running())
        await stack.enter_async_context(net.serving(service))
        nodes: dict[str, Node] = {}
        for agency in chosen:
            connect = net.connect(agency)
            nodes[agency] = make_node(
                community,
                NodeStore.open(node_database(agency), agency=agency, disk=disk.open),
                connect=connect if shape is None else shape(agency, connect),
                disk=executor,
                world=replace(world, entropy=apart(world.entropy, b"node", agency.encode())),
                on_arrival=partial(on_arrival, agency),
                timings=timings,
            )
        for node in nodes.values():
            await stack.enter_async_context(node.running())
            await node.linked()
        region = Region(community=community, nodes=nodes, broker=service, store=store, core=core)
        await region.quiet(limit_s=_QUIET_S)
        yield region
