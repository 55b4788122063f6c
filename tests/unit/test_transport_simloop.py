"""The loop in virtual time: it jumps, it settles ties, it finds deadlocks, and nothing real gets past its tripwire."""

# ruff: noqa: TID251 - what is banned elsewhere is what must be caught here

import asyncio
import contextlib
import hashlib
import os
import random
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from time import monotonic as imported_beforehand
from typing import Any
from uuid import uuid4

import pytest

from schemas.errors import DeadlockError, LinkError, SimulationError, StrayCallError, ThreadInSimulationError
from transport.mqtt import MqttAddress, mqtt_connect
from transport.seeded import LoopClock, SeededEntropy, stream
from transport.simloop import SimLoop, run_simulated

ROOT = Path(__file__).parents[2]


def test_four_hours_pass_at_once() -> None:
    async def main() -> float:
        await asyncio.sleep(4 * 3600)
        return asyncio.get_running_loop().time()

    assert 14_400.0 == run_simulated(main())


def test_equal_times_are_settled_by_the_order_of_asking() -> None:
    """CPython's own heap of timers settles nothing: which of two equal ones runs first depends on the others."""
    seen: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for number in range(50):
            loop.call_at(1.0 if number % 2 else 0.9999999, seen.append, number)
            if number % 7 == 0:
                loop.call_at(0.5, seen.append, 1_000 + number).cancel()
        await asyncio.sleep(2)

    run_simulated(main())

    assert list(range(50)) == seen


def test_no_call_comes_before_its_time() -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        missed = []
        for tenths in range(1, 200):
            due = loop.time() + tenths / 10_000_000
            await asyncio.sleep(tenths / 10_000_000)
            if loop.time() < due - 1e-9:
                missed.append(due)
        return missed

    assert [] == run_simulated(main())


def test_a_loop_that_waits_for_nothing_is_a_deadlock_and_names_who_waits() -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.Event().wait(), name="waits-for-ever")

    with pytest.raises(DeadlockError) as caught:
        run_simulated(main())

    assert "waits-for-ever" in caught.value.remedy


def test_time_that_stands_still_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transport.simloop._TURNS_AT_ONE_TIME_MAX", 1_000)

    async def main() -> None:
        while True:  # noqa: ASYNC110 - the very mistake that is to be found
            await asyncio.sleep(0)

    with pytest.raises(SimulationError, match="stood still"):
        run_simulated(main())


def test_an_executor_works_at_once_and_its_errors_arrive() -> None:
    def fail() -> None:
        msg = "no"
        raise ValueError(msg)

    async def main() -> tuple[int, str]:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(max_workers=1) as disk:
            here = await loop.run_in_executor(disk, threading.get_ident)
            with pytest.raises(ValueError, match="no") as caught:
                await loop.run_in_executor(disk, fail)
        return here, str(caught.value)

    assert (threading.get_ident(), "no") == run_simulated(main())


def test_a_thread_may_not_reach_in() -> None:
    caught: list[BaseException] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def reach_in() -> None:
            with contextlib.suppress(SimulationError):
                try:
                    loop.call_soon_threadsafe(lambda: None)
                except SimulationError as error:
                    caught.append(error)
                    raise

        thread = threading.Thread(target=reach_in)
        thread.start()
        thread.join()

    run_simulated(main(), guarded=False)

    assert [ThreadInSimulationError] == [type(error) for error in caught]


def _doors() -> dict[str, Any]:
    return {
        "time": time.time,
        "monotonic": time.monotonic,
        "random": random.random,
        "urandom": lambda: os.urandom(4),
        "uuid": uuid4,
        "thread": lambda: threading.Thread(target=print).start(),
        "socket": socket.socket,
        "sleep": lambda: time.sleep(0),
    }


@pytest.mark.parametrize("door", _doors())
def test_the_usual_doors_are_closed(door: str) -> None:
    async def main() -> None:
        _doors()[door]()

    with pytest.raises(StrayCallError):
        run_simulated(main())


@pytest.mark.parametrize(
    "stray",
    [imported_beforehand, lambda: datetime.now(tz=UTC), date.today, lambda: random.Random.random(random._inst)],
    ids=["imported-name", "datetime", "date", "module-chance"],
)
def test_what_goes_past_the_names_is_found_when_every_call_is_watched(stray: Any) -> None:
    async def main() -> None:
        stray()

    with pytest.raises(StrayCallError):
        run_simulated(main(), every_call=True)


def test_all_doors_are_open_again_afterwards() -> None:
    async def main() -> None:
        await asyncio.sleep(1)

    before = [time.time, os.urandom, random.random, threading.Thread.start, sys.getprofile()]
    run_simulated(main(), every_call=True)

    assert before == [time.time, os.urandom, random.random, threading.Thread.start, sys.getprofile()]


def test_other_threads_keep_their_clocks() -> None:
    """A test runner's own threads go on while a simulation runs."""
    seen: list[float] = []
    begin, done = threading.Event(), threading.Event()

    def read_clock() -> None:
        begin.wait()
        seen.append(time.time())
        done.set()

    thread = threading.Thread(target=read_clock)
    thread.start()

    async def main() -> None:
        begin.set()
        done.wait()

    run_simulated(main())
    thread.join()

    assert 1 == len(seen)


def test_seeded_entropy_refuses_to_exist_beside_a_real_link() -> None:
    with pytest.raises(SimulationError):
        SeededEntropy(1, purpose="keys")

    async def main() -> SeededEntropy:
        with pytest.raises(SimulationError):
            SeededEntropy(1, purpose="keys")
        return None  # type: ignore[return-value] # on a real loop there is none

    asyncio.run(main())


def test_seeded_entropy_ends_with_its_loop() -> None:
    async def make() -> SeededEntropy:
        return SeededEntropy(1, purpose="keys")

    entropy = run_simulated(make())

    async def use() -> None:
        entropy.take(1)

    with pytest.raises(SimulationError):
        entropy.take(1)
    with pytest.raises(SimulationError):
        run_simulated(use())


def test_a_real_link_refuses_to_open_in_virtual_time() -> None:
    async def main() -> None:
        async with mqtt_connect(MqttAddress(host="127.0.0.1", port=1, agency="mys-mar"))():
            pass

    with pytest.raises(LinkError, match="virtual time"):
        run_simulated(main())


def test_entropy_repeats_by_seed_and_purpose_and_never_within_a_run() -> None:
    async def take(seed: int, purpose: str) -> list[bytes]:
        entropy = SeededEntropy(seed, purpose=purpose)
        return [entropy.take(32) for _ in range(4)]

    first = run_simulated(take(1, "keys"))

    assert first == run_simulated(take(1, "keys"))
    assert 4 == len(set(first))
    assert not set(first) & set(run_simulated(take(2, "keys")))
    assert not set(first) & set(run_simulated(take(1, "salts")))


def test_the_loop_clock_counts_from_its_beginning_with_its_skew() -> None:
    async def main() -> tuple[int, int]:
        clock = LoopClock(1_000)
        await asyncio.sleep(1.5)
        clock.skew_ms = -300
        return clock.now_ms(), LoopClock(0).now_ms()

    assert (2_200, 1_500) == run_simulated(main())


def test_a_timeout_is_one_of_virtual_time() -> None:
    async def main() -> float:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3_600):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert 3_600.0 == run_simulated(main())


def test_a_thousand_timeouts_that_are_not_reached_leave_no_heap_behind() -> None:
    async def main() -> int:
        for _ in range(1_000):
            async with asyncio.timeout(3_600):
                await asyncio.sleep(0.001)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimLoop)
        return len(loop._due)

    assert 600 > run_simulated(main())


async def busy_program(seed: int) -> str:
    """Tasks, cancellations over sets, timers, chance and entropy: whatever could come in another order would show."""
    trace = hashlib.blake2b(digest_size=16)
    entropy, chance = SeededEntropy(seed, purpose="busy"), stream(seed, "busy")

    async def worker(number: int) -> None:
        try:
            for _ in range(20):
                await asyncio.sleep(chance.randrange(5) / 1_000)
                trace.update(f"{number} {asyncio.get_running_loop().time()} {entropy.take(2).hex()}".encode())
        finally:
            trace.update(f"end {number}".encode())

    with contextlib.suppress(ExceptionGroup):
        async with asyncio.TaskGroup() as tasks:
            for number in range(40):
                tasks.create_task(worker(number), name=f"worker-{number}")
            await asyncio.sleep(0.02)
            msg = "all are cancelled at once, over a set"
            raise ValueError(msg)
    return trace.hexdigest()


_PROGRAM = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("busy", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
waste = [object() for _ in range(int(sys.argv[2]))]
from transport.simloop import run_simulated
print(run_simulated(module.busy_program(7)))
"""


def test_the_trace_is_the_same_whatever_the_hash_seed_and_the_addresses() -> None:
    """Sets of tasks have the order of addresses: more allocations beforehand changed it on the loop of asyncio."""

    def trace(hash_seed: str, waste: int) -> str:
        return subprocess.run(
            [sys.executable, "-c", _PROGRAM, __file__, str(waste)],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
            cwd=ROOT,
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()

    expected = run_simulated(busy_program(7))

    assert [expected] * 4 == [trace("0", 0), trace("1", 10), trace("random", 0), trace("0", 1_000)]
    assert expected != run_simulated(busy_program(8))
