"""Fault plans: strict data, drawn by a seed, and applied so that one fault's end never ends another."""

import asyncio

import pytest
from pydantic import TypeAdapter, ValidationError

from transport.fault_draw import draw_faults
from transport.faults import Delay, Duplicate, Fault, FaultDriver, NodeCrash, Partition, ProcessFault
from transport.seeded import stream
from transport.simloop import run_simulated
from transport.simnet import Course, SimNet

A, B = "sgp-mar", "mys-mar"
PLAN: TypeAdapter[tuple[Fault, ...]] = TypeAdapter(tuple[Fault, ...])


def test_a_plan_survives_its_text() -> None:
    faults = draw_faults(stream(1, "faults"), [A, B], until_ms=60_000, count=200)

    assert faults == PLAN.validate_json(PLAN.dump_json(faults))


def test_one_seed_draws_one_plan_and_runs_differ_in_their_kinds() -> None:
    """Swarm testing: a kind that is left out lets the others go where it would stop them."""
    drawn = [draw_faults(stream(seed, "faults"), [A, B], until_ms=60_000, count=40) for seed in range(40)]

    assert drawn == [draw_faults(stream(seed, "faults"), [A, B], until_ms=60_000, count=40) for seed in range(40)]
    assert 10 < len({frozenset(fault.kind for fault in faults) for faults in drawn})
    assert all(fault.at_ms + getattr(fault, "lasts_ms", 0) <= 60_000 for faults in drawn for fault in faults)


@pytest.mark.parametrize(
    "text",
    [
        '[{"kind":"meteor","at_ms":1}]',
        '[{"kind":"cut","at_ms":1,"agency":"sgp-mar","why":"no such field"}]',
        '[{"kind":"cut","at_ms":"1","agency":"sgp-mar"}]',
        '[{"kind":"cut","at_ms":-1,"agency":"sgp-mar"}]',
        '[{"kind":"cut","at_ms":1,"agency":"SGP MAR"}]',
        '[{"kind":"partition","at_ms":1,"lasts_ms":1,"agencies":[],"direction":"both"}]',
    ],
)
def test_a_plan_with_anything_unknown_in_it_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        PLAN.validate_json(text)


def states(faults: tuple[Fault, ...], at_ms: list[int]) -> list[tuple[bool, float, int]]:
    """Return, at each time, whether A's line up is blocked, its share of duplicates and its longest delay."""

    async def main() -> list[tuple[bool, float, int]]:
        net = SimNet(lambda agency, direction: Course(chance=stream(1, f"{agency} {direction}"), delay_us_most=7))
        FaultDriver(faults, net=net, process=lambda _fault, _begins: None).begin()
        seen: list[tuple[bool, float, int]] = []
        for time_ms in at_ms:
            await asyncio.sleep(time_ms / 1_000 - asyncio.get_running_loop().time())
            course = net.line(A)["up"]
            seen.append((course.blocked, course.duplicated, course.delay_us_most))
        return seen

    return run_simulated(main())


def test_the_end_of_one_fault_does_not_end_another() -> None:
    both = (
        Partition(at_ms=10, lasts_ms=100, agencies=(A,), direction="both"),
        Partition(at_ms=50, lasts_ms=100, agencies=(A, B), direction="up"),
    )

    assert [False, True, True, False] == [state[0] for state in states(both, [5, 60, 120, 160])]


def test_a_line_is_what_it_was_when_all_faults_are_over() -> None:
    faults = (
        Delay(at_ms=10, lasts_ms=20, agency=A, least_ms=1, most_ms=9),
        Duplicate(at_ms=15, lasts_ms=30, agency=A, direction="up", per_cent=25),
    )

    assert [(False, 0.0, 7), (False, 0.25, 9_000), (False, 0.0, 7)] == states(faults, [5, 20, 60])


def test_a_one_way_partition_leaves_the_other_way_open() -> None:
    assert [(False, 0.0, 7)] == states((Partition(at_ms=1, lasts_ms=9, agencies=(A,), direction="down"),), [5])


def test_faults_of_processes_are_told_with_begin_and_end() -> None:
    told: list[tuple[str, bool, float]] = []

    async def main() -> dict[str, int]:
        def tell(fault: ProcessFault, begins: bool) -> None:  # noqa: FBT001 - the driver's signature
            told.append((fault.kind, begins, asyncio.get_running_loop().time()))

        net = SimNet(lambda _agency, _direction: Course(chance=stream(1, "line")))
        driver = FaultDriver((NodeCrash(at_ms=10, lasts_ms=5, agency=A, point="now"),), net=net, process=tell)
        driver.begin()
        await asyncio.sleep(1)
        return driver.fired

    assert {"node_crash": 1} == run_simulated(main())
    assert [("node_crash", True, 0.01), ("node_crash", False, 0.015)] == told
