"""How fast is the whole path, and how much of it is not the cryptography? Reports from desk to desk, durable.

The broker runs in one process, every node in another; each report is released, sealed, routed, recorded, delivered,
verified, journalled, receipted and acked, with a sync to disk at every "accepted". Beside it in the same run: the rate
at which one core opens copies and does nothing else, and aiomqtt publishes of the same size through the same MQTT
server with nothing behind it.

``ratio`` is deliveries per second to that open rate. ``ratio_cpu`` is the same with the nodes' own processor time for
time, so that what others do on the machine at the moment counts for nothing.
"""

import asyncio
import os
import socket
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiomqtt

from agencies.core import NodeCore
from agencies.drafts import Draft, Why
from agencies.incoming import Arrival
from agencies.keyring import Keys
from agencies.node import Node
from agencies.store import NodeStore
from bench.measure import Effort, interleave, read_arguments, report, resident_mib
from bench.processes import HOST, BrokerProcess, broker_process, fan_out_process, password_of
from bench.seal_open import cut_for, opener
from bench.stage import Stage, make_ready, make_stage, portions
from schemas.topics import down_topic, up_topic
from sealing.entropy import SystemEntropy
from transport.clock import SystemClock
from transport.inline import InlineExecutor
from transport.mqtt import MqttAddress, mqtt_connect

_RATIO_MIN = 0.5
_AUTHORS = 8  # agencies that write at once
_IN_FLIGHT = 64  # reports under way at a time: enough that nobody waits for work
_LOGINS_AT_ONCE = 32  # half of what the server lets wait for their login
_WHY = Why(act="report", order="bench", reason="a measurement", cause="")
_LIMIT_S = 120.0


@dataclass(slots=True)
class Flight:
    """Reports under way: when each was begun, how many copies are still out, and how long every copy took."""

    places: asyncio.Semaphore
    begun: dict[bytes, float] = field(default_factory=dict)
    out: dict[bytes, int] = field(default_factory=dict)
    latencies_s: list[float] = field(default_factory=list)
    landed: asyncio.Event = field(default_factory=asyncio.Event)

    def released(self, hid: bytes, readers: int, begun: float) -> None:
        """Note a release."""
        self.begun[hid], self.out[hid] = begun, readers
        self.landed.clear()

    def arrived(self, arrival: Arrival) -> None:
        """Note a copy that was verified and is on its reader's disk."""
        begun = self.begun.get(arrival.hid)
        if begun is None:
            return
        self.latencies_s.append(time.perf_counter() - begun)
        self.out[arrival.hid] -= 1
        if not self.out[arrival.hid]:
            del self.out[arrival.hid], self.begun[arrival.hid]
            self.places.release()
        if not self.out:
            self.landed.set()


@asynccontextmanager
async def _nodes(stage: Stage, folder: Path, port: int, flight: Flight) -> AsyncGenerator[dict[str, Node], None]:
    clock, entropy = SystemClock(), SystemEntropy()
    async with AsyncExitStack() as stack:
        disk = stack.enter_context(InlineExecutor())  # as a region has
        nodes: dict[str, Node] = {}
        for agency in stage.agencies:
            store = NodeStore.open(folder / f"{agency}.sqlite", agency=agency)
            stack.callback(store.close)
            nodes[agency] = Node(
                core=NodeCore(keys=Keys(stage.rings[agency]), bundle=stage.bundle),
                root=stage.root,
                store=store,
                disk=disk,
                connect=mqtt_connect(MqttAddress(host=HOST, port=port, agency=agency, password=password_of(agency))),
                clock=clock,
                machine_clock=clock,
                entropy=entropy,
                on_arrival=flight.arrived,
                keep_keys=lambda _ring: None,
            )
        await _start(list(nodes.values()), stack)
        yield nodes


async def _start(nodes: list[Node], stack: AsyncExitStack) -> None:
    for first in range(0, len(nodes), _LOGINS_AT_ONCE):
        wave = nodes[first : first + _LOGINS_AT_ONCE]
        for node in wave:
            await stack.enter_async_context(node.running())
        for node in wave:
            await node.linked()


async def _write_reports(node: Node, flight: Flight, count: int) -> None:
    for _ in range(count):
        await flight.places.acquire()
        draft = Draft(portions=portions(), to=(), why=_WHY)
        begun = time.perf_counter()
        released = await node.release(draft)
        assert released.hid is not None
        flight.released(released.hid, len(released.audience), begun)


async def _load(nodes: dict[str, Node], flight: Flight, *, each: int, authors: int) -> float:
    """Write ``each`` reports at every author and wait until all copies have arrived; returns the seconds it took."""
    chosen = list(nodes.values())[:authors]
    began = time.perf_counter()
    async with asyncio.timeout(_LIMIT_S), asyncio.TaskGroup() as tasks:
        for node in chosen:
            tasks.create_task(_write_reports(node, flight, each), name=f"author-{node.agency}")
    async with asyncio.timeout(_LIMIT_S):
        await flight.landed.wait()
    return time.perf_counter() - began


async def _until_quiet(nodes: dict[str, Node], broker: BrokerProcess) -> dict[str, Any]:
    """Wait until every receipt is in and every ack has reached the broker."""
    async with asyncio.timeout(_LIMIT_S):
        while not (all(node.idle() for node in nodes.values()) and broker.facts()["idle"]):  # noqa: ASYNC110 -- no event crosses the process
            await asyncio.sleep(0.1)
    return broker.facts()


def _latencies_ms(latencies_s: list[float]) -> dict[str, float]:
    hundredths = statistics.quantiles(latencies_s, n=100)
    return {"p50_ms": round(hundredths[49] * 1e3, 2), "p99_ms": round(hundredths[98] * 1e3, 2)}


async def _measure(stage: Stage, folder: Path, broker: BrokerProcess, *, each: int, in_flight: int) -> dict[str, Any]:
    flight = Flight(asyncio.Semaphore(1))
    authors = min(_AUTHORS, len(stage.agencies))
    async with _nodes(stage, folder, broker.port, flight) as nodes:
        # Box keys are looked up and pair keys made with the first report of each author.
        await _load(nodes, flight, each=1, authors=authors)
        flight.latencies_s.clear()
        await _load(nodes, flight, each=max(1, each // 8), authors=authors)
        alone = _latencies_ms(flight.latencies_s)
        flight.latencies_s.clear()
        await _until_quiet(nodes, broker)
        for _ in range(in_flight - 1):
            flight.places.release()
        own, theirs = processor_s_here(), broker.cpu_s
        took_s = await _load(nodes, flight, each=each, authors=authors)
        own, theirs = processor_s_here() - own, broker.cpu_s - theirs
        deliveries = len(flight.latencies_s)
        rss = {"nodes_rss_mib": round(resident_mib_here()), "broker_rss_mib": round(broker.rss_mib)}
        facts = await _until_quiet(nodes, broker)
        written = authors * (1 + max(1, each // 8) + each)
        verified = sum(entry.stage == "verified" for node in nodes.values() for entry in node.store.journal.entries())
        # Nothing counts that was not decided, recorded, verified and journalled.
        assert facts["records"]["admitted"] >= written
        assert verified == written * (len(nodes) - 1)
    return {
        "reports": authors * each,
        "deliveries": deliveries,
        "reports_per_s": round(authors * each / took_s, 1),
        "deliveries_per_s": round(deliveries / took_s, 1),
        "nodes_us": round(own / deliveries * 1e6, 1),
        "broker_us": round(theirs / deliveries * 1e6, 1),
        **_latencies_ms(flight.latencies_s),
        "alone_p50_ms": alone["p50_ms"],
        "alone_p99_ms": alone["p99_ms"],
        **rss,
    }


def processor_s_here() -> float:
    """Return the processor time of this process, all threads."""
    return time.process_time()


def resident_mib_here() -> float:
    """Return the resident memory of this process, MiB."""
    return resident_mib(os.getpid())


async def _bare(agencies: tuple[str, ...], broker: BrokerProcess, *, frame: bytes, count: int) -> dict[str, Any]:
    """Publish frames by bare aiomqtt clients; everybody else gets a part of each."""
    arrived = 0
    expected = count * (len(agencies) - 1)
    all_in = asyncio.Event()

    async def listen(client: aiomqtt.Client) -> None:
        nonlocal arrived
        async for _ in client.messages:
            arrived += 1
            if arrived == expected:
                all_in.set()

    async with AsyncExitStack() as stack:
        clients: list[aiomqtt.Client] = []
        for agency in agencies:
            client = aiomqtt.Client(
                HOST,
                broker.port,
                identifier=agency,
                username=agency,
                password=password_of(agency),
                protocol=aiomqtt.ProtocolVersion.V5,
                # As our own links do; without it every publish waits 40 ms for the kernel of the other side.
                socket_options=((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),),
            )
            clients.append(await stack.enter_async_context(client))
            await client.subscribe(down_topic(agency), qos=1)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        listeners = [tasks.create_task(listen(client), name=f"bare-{at}") for at, client in enumerate(clients)]
        authors = min(_AUTHORS, len(agencies))
        own, theirs, began = processor_s_here(), broker.cpu_s, time.perf_counter()
        async with asyncio.timeout(_LIMIT_S):
            for first in range(0, count, authors):
                async with asyncio.TaskGroup() as publishing:
                    for at in range(min(authors, count - first)):
                        publish = clients[at].publish(up_topic(agencies[at]), frame, qos=1)
                        publishing.create_task(publish, name=f"publish-{at}")
            await all_in.wait()
        took_s = time.perf_counter() - began
        own, theirs = processor_s_here() - own, broker.cpu_s - theirs
        for listener in listeners:
            listener.cancel()
    return {
        "publishes": count,
        "publishes_per_s": round(count / took_s, 1),
        "deliveries_per_s": round(expected / took_s, 1),
        "nodes_us": round(own / expected * 1e6, 1),
        "broker_us": round(theirs / expected * 1e6, 1),
    }


def _pure_open(count: int, effort: Effort) -> tuple[float, int, int]:
    """Return the microseconds of opening one copy and nothing else, and the bytes of an envelope and of a copy."""
    ready = make_ready(count, SystemEntropy())
    envelope = ready.releaser(count - 1).release(ready.seal_report())
    reader = ready.stage.agencies[1]
    cut = cut_for(envelope, reader)
    cost = interleave({"open": opener(ready, cut, reader)}, effort)["open"]
    return cost.us, len(envelope), len(cut)


def main(effort: Effort) -> None:
    cases = ((4, 2),) if effort.quick else ((10, 100), (60, 25), (200, 8))
    for count, each in cases:
        before_us, envelope_bytes, cut_bytes = _pure_open(count, effort)
        stage = make_stage(count, SystemEntropy(), now_ms=SystemClock().now_ms())
        with tempfile.TemporaryDirectory() as folder, broker_process(stage, Path(folder)) as broker:
            figures = asyncio.run(_measure(stage, Path(folder), broker, each=each, in_flight=_IN_FLIGHT))
        with fan_out_process(cut_bytes) as broker:
            frame = bytes(envelope_bytes)
            bare = asyncio.run(_bare(stage.agencies, broker, frame=frame, count=figures["reports"]))
        after_us, _, _ = _pure_open(count, effort)
        open_us = (before_us + after_us) / 2
        ratios = {
            "ratio": round(figures["deliveries_per_s"] * open_us / 1e6, 3),
            "ratio_cpu": round(open_us / figures["nodes_us"], 3),
            "ratio_min": _RATIO_MIN,
            "ratio_to_bare": round(figures["deliveries_per_s"] / bare["deliveries_per_s"], 3),
        }
        report(effort, "whole_path", f"open-{count}", us=round(open_us, 1), per_s=round(1e6 / open_us))
        report(effort, "whole_path", f"bare-{count}", **bare)
        report(effort, "whole_path", f"region-{count}", **figures, **ratios)


if __name__ == "__main__":
    main(read_arguments(__doc__ or ""))
