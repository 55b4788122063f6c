"""Broker and nodes on real MQTT over loopback, each of which the test can stop, kill and start again.

Like ``scenarios.region``, but the parts live and die by themselves; between nodes and broker stands a relay that
writes down every byte that passes.
"""

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from agencies.incoming import Arrival
from agencies.journal import Entry
from agencies.node import Node, NodeTimings
from agencies.store import NodeStore
from broker.limits import ServerLimits
from broker.server import MqttServer
from broker.service import BrokerService
from broker.store import Store
from scenarios.enrolment import ROUTER, Community
from scenarios.region import World, make_broker, make_node
from schemas.report import PortionContent
from transport.mqtt import MqttAddress, mqtt_connect

TIMINGS = NodeTimings(receipt_gather_s=0, keys_s=0.3, keys_unknown_s=60, retry_least_s=0.02, retry_most_s=0.1)
LIMIT_S = 30
HOST = "127.0.0.1"


class Relay:
    """Passes bytes between nodes and broker and keeps all of them."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self.port = 0
        self.target = 0

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        server = await asyncio.start_server(self._pass, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, on = await asyncio.open_connection(HOST, self.target)
        except OSError:
            writer.close()
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pump(reader, on), name="relay-up")
            tasks.create_task(self._pump(there, writer), name="relay-down")

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(65_536):
                self.seen.append(chunk)
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass  # one side has gone; the other is told below
        finally:
            writer.close()


class LiveRegion:
    """The parts of a region."""

    def __init__(self, community: Community, folder: Path, world: World, disk: ThreadPoolExecutor) -> None:
        self.community = community
        self.folder = folder
        self.world = world
        self.disk = disk
        self.relay = Relay()
        self.passwords = {agency: f"password of {agency}" for agency in community.rings}
        self.nodes: dict[str, Node] = {}
        self.arrivals: list[tuple[str, Arrival]] = []
        self.tasks: asyncio.TaskGroup
        self.service: BrokerService
        self.store: Store
        self._broker: AsyncExitStack
        self._running: dict[str, asyncio.Task[None]] = {}

    async def start_broker(self) -> None:
        """Start the broker on its file, new or not."""
        async with AsyncExitStack() as stack:
            self.store = Store.open(self.folder / "broker.sqlite", router=ROUTER)
            stack.callback(self.store.close)
            self.service = make_broker(self.community, self.store, self.passwords, self.world)
            await stack.enter_async_context(self.service.running())
            server = MqttServer(self.service, limits=ServerLimits())
            address = await stack.enter_async_context(server.listening(host=HOST, port=0, tls=None))
            self.relay.target = address.port
            self._broker = stack.pop_all()

    async def stop_broker(self) -> None:
        self.relay.target = 0
        await self._broker.aclose()

    def start(self, agency: str, *, password: str | None = None) -> Node:
        """Start a node on its file, new or not, behind the relay."""
        address = MqttAddress(
            host=HOST, port=self.relay.port, agency=agency, password=password or self.passwords[agency]
        )
        node = self.nodes[agency] = make_node(
            self.community,
            NodeStore.open(self.folder / "nodes" / f"{agency}.sqlite", agency=agency),
            connect=mqtt_connect(address),
            disk=self.disk,
            world=self.world,
            on_arrival=partial(self._arrived, agency),
            timings=TIMINGS,
        )
        self._running[agency] = self.tasks.create_task(self._run(node), name=f"{agency}-test")
        return node

    def _arrived(self, agency: str, arrival: Arrival) -> None:
        self.arrivals.append((agency, arrival))

    @staticmethod
    async def _run(node: Node) -> None:
        async with node.running():
            await asyncio.Event().wait()

    async def kill(self, agency: str) -> None:
        """End a node's tasks wherever they are, and close its file."""
        running = self._running.pop(agency)
        running.cancel()
        while not running.done():  # noqa: ASYNC110 - whatever it ends with
            await asyncio.sleep(0.001)
        self.nodes.pop(agency).store.close()

    def quiet(self) -> bool:
        return self.service.idle() and all(node.idle() and node._linked.is_set() for node in self.nodes.values())

    async def settle(self) -> None:
        async with asyncio.timeout(LIMIT_S):
            still = 0
            while still < 3:
                still = still + 1 if self.quiet() else 0
                await asyncio.sleep(0.005)

    def journal(self, agency: str, *stages: str) -> list[Entry]:
        entries = self.nodes[agency].store.journal.entries()
        return [entry for entry in entries if not stages or entry.stage in stages]

    def titles(self, agency: str) -> list[str]:
        return sorted(
            content.title
            for name, arrival in self.arrivals
            if name == agency
            for _, content in arrival.contents
            if isinstance(content, PortionContent)
        )


@asynccontextmanager
async def live_region(
    community: Community, folder: Path, world: World, *agencies: str
) -> AsyncGenerator[LiveRegion, None]:
    """Run a broker, a relay and some nodes while the block runs."""
    with ThreadPoolExecutor(max_workers=4) as disk:
        region = LiveRegion(community, folder, world, disk)
        async with asyncio.timeout(3 * LIMIT_S), region.relay.running():
            await region.start_broker()
            try:
                async with asyncio.TaskGroup() as tasks:
                    region.tasks = tasks
                    for agency in agencies:
                        region.start(agency)
                    await region.settle()
                    yield region
                    for agency in list(region.nodes):
                        await region.kill(agency)
            finally:
                await region.stop_broker()
