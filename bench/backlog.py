"""What does a hundred thousand of anything that waits cost: at the broker for readers who are away, in a node's outbox?

Both are started in a fresh process on what is on disk, and have to be at work within seconds and in bounded memory. The
rows are made by the code that makes them in earnest: a node's outgoing half seals and writes each report in a
transaction of its own (here without waiting for the disk), and the router's own transactions queue them.
"""

import asyncio
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from agencies.core import NodeCore
from agencies.drafts import Draft, Why
from agencies.incoming import Arrival
from agencies.keyring import Keys
from agencies.node import Node
from agencies.outgoing import Moment, Outgoing
from agencies.store import NodeStore
from bench.measure import Effort, read_arguments, report
from bench.processes import HOST, broker_process, password_of
from bench.stage import ROUTER, Stage, make_stage, portions
from broker.core import Identity, RouterCore
from broker.quota import QuotaLimits
from broker.router import FrameArrived, Router
from broker.store import Store
from console.happenings import Happenings
from schemas.frames import Announcement, EnvelopeMessage
from sealing.directory import announce
from sealing.entropy import SystemEntropy
from transport.clock import SystemClock
from transport.inline import InlineExecutor
from transport.mqtt import MqttAddress, mqtt_connect

_READERS = 10
_RESTART_S_MAX, _RSS_MIB_MAX = 5.0, 200.0
_BATCH = 100  # frames that the router decides in one transaction, as it does under load
_LIMIT_S = 600.0
_WHY = Why(act="report", order="bench", reason="a measurement", cause="")
_SPAWN = multiprocessing.get_context("spawn")


def _met(stage: Stage) -> tuple[Stage, list[Announcement]]:
    """Return the stage with everybody's first box key made, and the announcements of all."""
    entropy, now_ms = SystemEntropy(), SystemClock().now_ms()
    announcements, rings = [], {}
    for name, ring in stage.rings.items():
        keys = Keys(ring)
        pair = keys.rotate(now_ms=now_ms, entropy=entropy)
        assert pair is not None
        announcements.append(announce(pair, agency=name, signer=keys.signer))
        rings[name] = keys.ring()
    return replace(stage, rings=rings), announcements


def _write_outbox(stage: Stage, announcements: list[Announcement], folder: Path, count: int) -> None:
    """Have the first agency release ``count`` reports to all others; nothing of them is sent."""
    author = stage.agencies[0]
    clock = SystemClock()
    store = NodeStore.open(folder / f"{author}.sqlite", agency=author)
    store._sql.execute("PRAGMA synchronous=OFF")  # noqa: SLF001 - a hundred thousand syncs would measure the disk
    core = NodeCore(keys=Keys(stage.rings[author]), bundle=stage.bundle)
    with store.transaction():
        for item in announcements:
            statement = core.boxes.admit(item, signers=core.signers, now_ms=clock.now_ms())
            store.keep_announcement(statement.agency, statement.epoch, item)
    outgoing = Outgoing(core=core, store=store, entropy=SystemEntropy())
    for _ in range(count):
        now_ms = clock.now_ms()
        draft = Draft(portions=portions(), to=(), why=_WHY)
        assert outgoing.release(draft, Moment(at_ms=now_ms, machine_ms=now_ms)).hid is not None
    store.close()


def _open_router(stage: Stage, announcements: list[Announcement], folder: Path) -> tuple[Store, Router]:
    store = Store.open(folder / "broker.sqlite", router=ROUTER)
    with store.transaction():
        store.holdings.write_bundle(stage.bundle.version, stage.signed_bundle)
    core = RouterCore(identity=Identity(router=ROUTER, signer=stage.router), bundle=stage.bundle)
    router = Router(core=core, store=store, limits=QuotaLimits())
    frames = [
        FrameArrived(agency=name, messages=(item,)) for name, item in zip(stage.agencies, announcements, strict=True)
    ]
    router.handle(frames, now_ms=SystemClock().now_ms())
    return store, router


def _write_queues(stage: Stage, announcements: list[Announcement], folder: Path) -> int:
    """Have the router decide all that waits in the first agency's outbox; returns the rows that wait then."""
    author = stage.agencies[0]
    outbox = NodeStore.open(folder / f"{author}.sqlite", agency=author)
    store, router = _open_router(stage, announcements, folder)
    after = 0
    while rows := outbox.waiting(after=after, limit=_BATCH):
        after = rows[-1].number
        frames = [FrameArrived(agency=author, messages=(EnvelopeMessage("envelope", row.envelope),)) for row in rows]
        router.handle(frames, now_ms=SystemClock().now_ms())
    queued = sum(store.queues().values())
    store.close()
    outbox.close()
    return queued


def _node(stage: Stage, store: NodeStore, port: int, arrived: Callable[[Arrival], None]) -> Node:
    clock, agency = SystemClock(), store.agency
    return Node(
        core=NodeCore(keys=Keys(stage.rings[agency]), bundle=stage.bundle),
        root=stage.root,
        store=store,
        disk=InlineExecutor(),
        connect=mqtt_connect(MqttAddress(host=HOST, port=port, agency=agency, password=password_of(agency))),
        clock=clock,
        machine_clock=clock,
        entropy=SystemEntropy(),
        on_arrival=arrived,
        keep_keys=lambda _ring: None,
    )


# The broker.


async def _fetch(stage: Stage, agency: str, folder: Path, port: int, count: int) -> float:
    """Have a reader fetch ``count`` reports; returns how many seconds passed until the first one came."""
    began = time.perf_counter()
    first: list[float] = []
    left = count
    done = asyncio.Event()

    def arrived(_arrival: Arrival) -> None:
        nonlocal left
        first.append(time.perf_counter() - began) if not first else None
        left -= 1
        if left <= 0:
            done.set()

    store = NodeStore.open(folder / f"{agency}.sqlite", agency=agency)
    try:
        async with asyncio.timeout(_LIMIT_S), _node(stage, store, port, arrived).running():
            await done.wait()
    finally:
        store.close()
    return first[0]


def _measure_broker(effort: Effort, rows: int) -> None:
    stage, announcements = _met(make_stage(_READERS + 1, SystemEntropy(), now_ms=SystemClock().now_ms()))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        began = time.perf_counter()
        _write_outbox(stage, announcements, folder, rows // _READERS)
        queued = _write_queues(stage, announcements, folder)
        preloaded = time.perf_counter()
        with broker_process(stage, folder) as broker:
            restart_s = time.perf_counter() - preloaded
            started_mib = broker.peak_mib
            fetched = rows // _READERS // 2
            first_s = [
                asyncio.run(_fetch(stage, agency, folder, broker.port, fetched)) for agency in stage.agencies[1:3]
            ]
            report(
                effort,
                "backlog",
                f"broker-{queued}",
                file_mib=round((folder / "broker.sqlite").stat().st_size / 1024**2, 1),
                preload_s=round(preloaded - began, 1),
                restart_s=round(restart_s, 2),
                restart_s_max=_RESTART_S_MAX,
                first_delivery_s=round(max(first_s), 3),
                fetched=2 * fetched,
                started_mib=round(started_mib, 1),
                peak_mib=round(broker.peak_mib, 1),
                peak_mib_max=_RSS_MIB_MAX,
            )


# A node.


async def _send(stage: Stage, folder: Path, port: int, count: int) -> dict[str, Any]:
    began = time.perf_counter()
    author = stage.agencies[0]
    store = NodeStore.open(folder / f"{author}.sqlite", agency=author)
    opened = time.perf_counter()
    Happenings(store).begin()  # as the desk of 'sandiwara node' does
    begun = time.perf_counter()
    waiting = store.waiting_count()
    async with asyncio.timeout(_LIMIT_S), _node(stage, store, port, lambda _arrival: None).running():
        while store.waiting_count() == waiting:  # noqa: ASYNC110 - a verdict that is on disk sets no event
            await asyncio.sleep(0.005)
        first = time.perf_counter()
        while store.waiting_count() > waiting - count:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
    store.close()
    return {
        "open_s": round(opened - began, 2),
        "desk_s": round(begun - opened, 2),
        "first_verdict_s": round(first - began, 2),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def _run_node(pipe: Connection, stage: Stage, folder: Path, port: int, count: int) -> None:
    pipe.send(asyncio.run(_send(stage, folder, port, count)))


def _measure_node(effort: Effort, rows: int) -> None:
    stage, announcements = _met(make_stage(2, SystemEntropy(), now_ms=SystemClock().now_ms()))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        began = time.perf_counter()
        _write_outbox(stage, announcements, folder, rows)
        preloaded = time.perf_counter()
        store, _ = _open_router(stage, announcements, folder)
        store.close()
        with broker_process(stage, folder) as broker:
            ours, theirs = _SPAWN.Pipe()
            sent = min(rows, 2_000)
            process = _SPAWN.Process(target=_run_node, args=(theirs, stage, folder, broker.port, sent), daemon=True)
            process.start()
            theirs.close()
            found = ours.recv()
            process.join()
        report(
            effort,
            "backlog",
            f"node-{rows}",
            file_mib=round((folder / f"{stage.agencies[0]}.sqlite").stat().st_size / 1024**2, 1),
            preload_s=round(preloaded - began, 1),
            **found,
            first_verdict_s_max=_RESTART_S_MAX,
            sent=sent,
            peak_mib_max=_RSS_MIB_MAX,
        )


def main(effort: Effort) -> None:
    rows = 200 if effort.quick else 100_000
    _measure_broker(effort, rows)
    _measure_node(effort, rows)


if __name__ == "__main__":
    main(read_arguments(__doc__ or ""))
