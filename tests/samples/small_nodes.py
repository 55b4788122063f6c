"""Nodes and a router joined without sockets: the test decides which frame arrives and when a link ends.

The link is the production interface (``transport.link.Link``), so node, stores and router are the code that runs in
earnest; only what carries the frames is another.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from agencies.core import NodeCore
from agencies.drafts import Draft, Why
from agencies.incoming import Arrival
from agencies.journal import Entry
from agencies.keyring import Keys
from agencies.node import Node, NodeTimings
from agencies.notices import Notice
from agencies.store import NodeStore
from broker.application import Publication
from broker.router import FrameArrived, Outcome
from conformance import world
from schemas.errors import LinkError
from schemas.frames import DownMessage, Resume, UpMessage, gather_frames, read_up_frame, write_frame
from schemas.label import Label
from schemas.report import Passage, Portion, PortionContent
from sealing.entropy import SystemEntropy
from sealing.keyfile import KeyRing
from tests.samples.small_router import SmallRouter
from transport.link import Link

TIMINGS = NodeTimings(
    receipt_gather_s=0, verdict_s=3_600, heartbeat_s=3_600, keys_s=0.2, retry_least_s=0.001, retry_most_s=0.002
)
WHY = Why(act="report", order="O1", reason="it is known", cause="E1")
LIMIT_S = 20


def ring(agency: str) -> KeyRing:
    """Return an agency's keys as they are at its enrolment: no box key yet."""
    return KeyRing(agency, world.secret(f"sign {agency}"), ())


def portion(title: str, label: Label = world.LABEL, *, text: str = "Two boats seen.") -> Portion:
    return Portion(label, PortionContent("EXERCISE", title, (Passage(None, text),)))


def draft(title: str, *to: str, label: Label = world.LABEL, **fields: Any) -> Draft:
    return Draft(**{"portions": (portion(title, label),), "to": to, "why": WHY, **fields})


class SetClock:
    """A clock that stands until the test sets it."""

    def __init__(self, at_ms: int) -> None:
        self.at_ms = at_ms

    def now_ms(self) -> int:
        return self.at_ms


class FakeLink:
    """One open link. Whatever passes it is first shown to the wire, which may end it there and then."""

    def __init__(self, wire: "Wire", agency: str) -> None:
        self.wire = wire
        self.agency = agency
        self.arriving: asyncio.Queue[bytes | LinkError] = asyncio.Queue()
        self.ended = False
        self.resumed = False  # the router has answered the node's hello

    def end(self) -> None:
        self.ended = True
        self.arriving.put_nowait(LinkError("the link ended"))

    async def send(self, frame: bytes) -> None:
        await asyncio.sleep(0)
        self.wire.pass_by(self, "up")
        self._check()
        self.wire.taken(self, frame)
        self.wire.pass_by(self, "taken")
        self._check()

    def _check(self) -> None:
        if self.ended:
            msg = "the link ended while a frame was sent"
            raise LinkError(msg)

    async def frames(self) -> AsyncIterator[bytes]:
        while True:
            frame = await self.arriving.get()
            if isinstance(frame, LinkError):
                raise frame
            yield frame


class Wire:
    """All links, the router behind them, and the faults that the test asks for."""

    def __init__(self, router: SmallRouter) -> None:
        self.router = router
        self.links: dict[str, FakeLink] = {}
        self.up: list[tuple[str, UpMessage]] = []  # everything that reached the router
        self.passings = 0
        self.end_at: set[int] = set()  # the passings, counted over all links, at which a link ends
        self.lost: Callable[[str, DownMessage], bool] = lambda _agency, _message: False
        self.closed: set[str] = set()  # agencies that find no link
        self.deaf = False  # a broker between takes what is sent, and no router is there
        self.unheard = 0

    def connect(self, agency: str) -> Callable[[], Any]:
        @asynccontextmanager
        async def opened() -> AsyncGenerator[Link, None]:
            if agency in self.closed:
                msg = f"{agency}: no link"
                raise LinkError(msg)
            link = self.links[agency] = FakeLink(self, agency)
            try:
                yield link
            finally:
                link.ended = True
                if self.links.get(agency) is link:
                    del self.links[agency]
                    self.router.leave(agency)

        return opened

    def cut(self, agency: str) -> None:
        """End an agency's link now."""
        if agency in self.links:
            self.links[agency].end()

    def pass_by(self, link: FakeLink, _where: str) -> None:
        self.passings += 1
        if self.passings in self.end_at and not link.ended:
            link.end()

    def taken(self, link: FakeLink, frame: bytes) -> None:
        messages = read_up_frame(frame)
        if self.deaf:
            self.unheard += 1
            return
        self.up += [(link.agency, message) for message in messages]
        self.follow(
            self.router.router.handle([FrameArrived(agency=link.agency, messages=messages)], now_ms=self.router.now_ms)
        )

    def follow(self, outcome: Outcome) -> list[Publication]:
        """Send what an outcome asks for, as the service does."""
        for agency, messages in outcome.sends.items():
            link = self.links.get(agency)
            if link is None:
                continue
            for frame in gather_frames([message for message in messages if not self.lost(agency, message)]):
                self.pass_by(link, "down")
                if not link.ended:
                    link.arriving.put_nowait(frame)
                    link.resumed |= any(isinstance(message, Resume) for message in messages)
        for agency in outcome.closes:
            self.cut(agency)
        return outcome.answers


class SmallRegion:
    """Some nodes at one router, their clocks, and what reached their desks."""

    def __init__(self, folder: Path, tasks: asyncio.TaskGroup, disk: ThreadPoolExecutor, timings: NodeTimings) -> None:
        self.folder = folder
        self.tasks = tasks
        self.disk = disk
        self.timings = timings
        self.clock = SetClock(world.NOW)
        self.router = SmallRouter(folder, announced=False)
        self.wire = Wire(self.router)
        self.nodes: dict[str, Node] = {}
        self.rings: dict[str, KeyRing] = {}
        self.arrivals: list[tuple[str, Arrival]] = []
        self.notices: list[tuple[str, Notice]] = []
        self._over: dict[str, asyncio.Event] = {}
        self._running: dict[str, asyncio.Task[None]] = {}

    def start(self, agency: str) -> Node:
        """Start a node on its own file, new or not."""
        store = NodeStore.open(self.folder / "nodes" / f"{agency}.sqlite", agency=agency)
        node = self.nodes[agency] = Node(
            core=NodeCore(keys=Keys(self.rings.get(agency, ring(agency))), bundle=world.BUNDLE),
            root=world.TRUST,
            store=store,
            disk=self.disk,
            connect=self.wire.connect(agency),
            clock=self.clock,
            machine_clock=self.clock,
            entropy=SystemEntropy(),
            on_arrival=lambda arrival: self.arrivals.append((agency, arrival)),
            keep_keys=lambda kept: self.rings.update({agency: kept}),
            on_notice=lambda notice: self.notices.append((agency, notice)),
            timings=self.timings,
        )
        over = self._over[agency] = asyncio.Event()
        self._running[agency] = self.tasks.create_task(self._run(node, over), name=f"{agency}-test")
        return node

    @staticmethod
    async def _run(node: Node, over: asyncio.Event) -> None:
        async with node.running():
            await over.wait()

    async def stop(self, agency: str) -> None:
        """Stop a node and close its file."""
        self._over[agency].set()
        await self._running[agency]
        self.nodes.pop(agency).store.close()

    def set_clock(self, at_ms: int) -> None:
        self.clock.at_ms = self.router.now_ms = at_ms

    def quiet(self) -> bool:
        links = self.wire.links
        return (
            all(name in links and links[name].resumed and links[name].arriving.empty() for name in self.nodes)
            and all(node.idle() and node._linked.is_set() for node in self.nodes.values())
            and self.router.queued_to(self.nodes) == 0
        )

    async def settle(self) -> None:
        """Wait until every release has its verdict and every delivery its ack."""
        async with asyncio.timeout(LIMIT_S):
            still = 0
            while still < 3:
                still = still + 1 if self.quiet() else 0
                await asyncio.sleep(0.001)

    def journal(self, agency: str, *stages: str) -> list[Entry]:
        entries = self.nodes[agency].store.journal.entries()
        return [entry for entry in entries if not stages or entry.stage in stages]

    def titles(self, agency: str) -> list[str]:
        """Return the titles that reached an agency's desk, in order."""
        return [
            content.title
            for name, arrival in self.arrivals
            if name == agency
            for _, content in arrival.contents
            if isinstance(content, PortionContent)
        ]

    def receipts(self, agency: str, hid: bytes) -> set[tuple[str, str]]:
        """Return the receipts that an agency holds for a message, as reader and status."""
        rows = self.nodes[agency].store._sql.execute("SELECT reader, status FROM receipt WHERE hid = ?", (hid,))
        return set(rows.fetchall())


@asynccontextmanager
async def small_region(
    folder: Path, *agencies: str, timings: NodeTimings = TIMINGS
) -> AsyncGenerator[SmallRegion, None]:
    """Run some nodes while the block runs."""
    with ThreadPoolExecutor(max_workers=3) as disk:
        async with asyncio.timeout(3 * LIMIT_S), asyncio.TaskGroup() as tasks:
            region = SmallRegion(folder, tasks, disk, timings)
            for agency in agencies:
                region.start(agency)
            await region.settle()
            yield region
            for agency in list(region.nodes):
                await region.stop(agency)
        region.router.close()


async def until(condition: object, limit_s: float = 30) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():  # type: ignore[operator] # noqa: ASYNC110 - the disk thread sets no event
            await asyncio.sleep(0.001)


def hid_of(released: object) -> bytes:
    hid = released.hid  # type: ignore[attr-defined]
    assert isinstance(hid, bytes)
    return hid


def frame_of(message: DownMessage) -> bytes:
    return write_frame((message,))
