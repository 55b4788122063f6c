"""The exercise's own time: what is due, what a link holds, what settles a branch; and the real wire never shows."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agencies.conditions import Sighting
from scenarios.clock import ExerciseClock
from scenarios.engine import prepared
from scenarios.excon import Excon
from scenarios.model import Branch, Condition, Inject, LinkProfile, Outage, Pack, Span, Trigger
from scenarios.pack import load_pack
from scenarios.record import Event, read_record
from scenarios.shaping import LinkShaper, after_outage, draw
from schemas.errors import ExerciseError, LinkError
from sealing.entropy import SystemEntropy
from transport.link import Link
from transport.seeded import stream

PACK = Path(__file__).parents[1] / "packs" / "harbour-watch.yaml"
START = 1_000_000
MINUTE = 60_000
DAY = 24 * 60 * MINUTE


# The clock.


def test_what_is_due_comes_in_the_order_of_time_then_of_asking() -> None:
    clock, done = ExerciseClock(START), []
    for at, name in ((3, "c"), (1, "a"), (3, "d"), (1, "b")):
        clock.at(START + at, lambda name=name: done.append((clock.now_ms() - START, name)))  # type: ignore[misc] # a default

    while clock.next_ms() is not None:
        clock.advance()()

    assert [(1, "a"), (1, "b"), (3, "c"), (3, "d")] == done


def test_nothing_is_due_in_the_past_and_no_leap_goes_over_what_is_due() -> None:
    clock = ExerciseClock(START)
    clock.at(START + 10, lambda: None)

    with pytest.raises(ExerciseError, match="5 ms ago"):
        clock.at(START - 5, lambda: None)
    with pytest.raises(ExerciseError, match="leap"):
        clock.go_to(START + 11)
    clock.go_to(START + 10)
    with pytest.raises(ExerciseError, match="leap"):
        clock.go_to(START)
    assert START + 10 == clock.now_ms()


# Links.


class FakeLink:
    """A real link's interface; what is sent is kept, what is put in arrives."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.arriving: asyncio.Queue[bytes | LinkError] = asyncio.Queue()

    async def send(self, frame: bytes) -> None:
        self.sent.append(frame)

    async def frames(self) -> AsyncIterator[bytes]:
        while True:
            frame = await self.arriving.get()
            if isinstance(frame, LinkError):
                raise frame
            yield frame


def profile(**changes: Any) -> LinkProfile:
    link = LinkProfile(
        link="test", delay=Span(least_ms=0, most_ms=0), rate_bits_per_s=None, outages=(), read_every_ms=None
    )
    return replace(link, **changes)


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def pass_through(link: LinkProfile, *, up: bool, frames: list[tuple[int, bytes]]) -> list[int]:
    """Send frames at times after STARTEX; returns when each came out, by the exercise clock."""
    clock, inner, out = ExerciseClock(START), FakeLink(), []
    shaper = LinkShaper(link, clock=clock, start_ms=START, chance=stream(1, "test"))
    shaper.shaping = True

    @asynccontextmanager
    async def connect() -> AsyncGenerator[Link, None]:
        yield inner

    async def send_all(shaped: Link, queue: asyncio.Queue[bytes]) -> None:
        for _ in frames:
            await shaped.send(await queue.get())
            out.append(clock.now_ms() - START)

    async def take_all(shaped: Link) -> None:
        async for _ in shaped.frames():
            out.append(clock.now_ms() - START)
            if len(out) == len(frames):
                return

    queue: asyncio.Queue[bytes] = asyncio.Queue()
    for at, frame in frames:
        put = queue.put_nowait if up else inner.arriving.put_nowait
        clock.at(START + at, lambda frame=frame, put=put: put(frame))  # type: ignore[misc] # mypy cannot type a default
    async with asyncio.timeout(5), shaper.connect(connect)() as shaped, asyncio.TaskGroup() as tasks:
        tasks.create_task(send_all(shaped, queue) if up else take_all(shaped), name="passing")
        await turns()
        while clock.next_ms() is not None:
            clock.advance()()
            await turns()
    assert 0 == shaper.moving or not up  # a reader that has not asked again is still at work on the last
    return out


@pytest.mark.parametrize("up", [True, False])
async def test_a_frame_takes_exactly_the_delay_that_the_pack_sets(*, up: bool) -> None:
    """Whatever the machine does meanwhile, the record shows what the pack's link draws and nothing else."""
    link = profile(delay=Span(least_ms=40, most_ms=40))

    assert [40, 140] == await pass_through(link, up=up, frames=[(0, b"x"), (100, b"y")])


@pytest.mark.parametrize("up", [True, False])
async def test_a_rate_takes_the_time_of_its_bits_and_frames_keep_their_order(*, up: bool) -> None:
    link = profile(delay=Span(least_ms=10, most_ms=10), rate_bits_per_s=8_000)

    out = await pass_through(link, up=up, frames=[(0, b"x" * 1_000), (1, b"y")])

    assert 1_010 == out[0]
    assert out[1] >= out[0]


async def test_a_node_that_polls_gets_what_has_come_at_its_times() -> None:
    link = profile(delay=Span(least_ms=10, most_ms=10), read_every_ms=300)

    assert [300, 300, 600] == await pass_through(link, up=False, frames=[(0, b"a"), (200, b"b"), (295, b"c")])
    assert [10] == await pass_through(link, up=True, frames=[(0, b"a")])


async def test_an_outage_holds_what_falls_into_it_until_its_end() -> None:
    link = profile(outages=(Outage(begin_ms=100, lasts_ms=50, every_ms=None),))

    assert [99, 150, 150, 151] == await pass_through(
        link, up=True, frames=[(99, b"a"), (100, b"b"), (149, b"c"), (151, b"d")]
    )


def test_an_outage_comes_again_and_again() -> None:
    outage = Outage(begin_ms=100, lasts_ms=10, every_ms=40)

    expected = {99: 99, 100: 110, 109: 110, 110: 110, 139: 139, 140: 150, 185: 190}
    assert expected == {at: after_outage(outage, at) for at in expected}


async def test_nothing_is_held_before_startex() -> None:
    clock, inner = ExerciseClock(START), FakeLink()
    shaper = LinkShaper(
        profile(delay=Span(least_ms=500, most_ms=500)), clock=clock, start_ms=START, chance=stream(1, "x")
    )

    async with asyncio.timeout(1):
        await shaper.send(b"hello", inner)

    assert ([b"hello"], None) == (inner.sent, clock.next_ms())


async def test_the_end_of_a_link_reaches_the_node_behind_the_frames_that_came_before() -> None:
    clock, inner = ExerciseClock(START), FakeLink()
    shaper = LinkShaper(profile(), clock=clock, start_ms=START, chance=stream(1, "x"))

    @asynccontextmanager
    async def connect() -> AsyncGenerator[Link, None]:
        yield inner

    got = []
    inner.arriving.put_nowait(b"last")
    inner.arriving.put_nowait(LinkError("gone"))
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(5), shaper.connect(connect)() as shaped:
            got.extend([frame async for frame in shaped.frames()])

    assert caught.group_contains(LinkError, match="gone")


def test_a_span_is_drawn_evenly_and_reaches_both_ends() -> None:
    luck = stream(5, "span")

    drawn = [draw(Span(least_ms=1, most_ms=4), luck) for _ in range(400)]

    assert {1, 2, 3, 4} == set(drawn)
    assert all(drawn.count(value) > 60 for value in (1, 2, 3, 4))


# Exercise control.


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack(PACK)


class MachineClock:
    def now_ms(self) -> int:
        return 0


def controlled(pack: Pack, **branch: Any) -> tuple[Excon, ExerciseClock, list[tuple[str, str]]]:
    """Return a control with one branch after E01, whose ways are E02 and nothing."""
    made = Branch(**{
        "branch": "B1", "after": "E01", "within_ms": 25 * MINUTE, "then": (), "otherwise": ("E02",),
        "when": Condition(trigger=Trigger(word="report_received", who="idn-mar")), **branch,
    })  # fmt: skip
    clock, delivered = ExerciseClock(pack.start_ms), []

    def deliver(agency: str, inject: Inject, _material: object) -> None:
        delivered.append((agency, inject.inject))

    excon = Excon(replace(pack, branches=(made,)), clock=clock, machine_clock=MachineClock(), deliver=deliver)
    excon.startex()
    return excon, clock, delivered


def run_until(clock: ExerciseClock, pack: Pack, minutes: int) -> None:
    while (due := clock.next_ms()) is not None and due <= pack.start_ms + minutes * MINUTE:
        clock.advance()()


def seen(clock: ExerciseClock, who: str = "idn-mar") -> Sighting:
    return Sighting(word="report_received", who=who, at_ms=clock.now_ms(), cause="m1")


def taken(excon: Excon) -> list[tuple[str, int]]:
    return [(event.fields["outcome"], event.at_ms) for event in excon.events if event.stage == "branch_taken"]


def test_a_branch_that_is_met_takes_its_way_at_once_and_says_why(pack: Pack) -> None:
    excon, clock, _ = controlled(pack)
    run_until(clock, pack, 10)
    excon.notice(seen(clock))
    run_until(clock, pack, 120)

    ((outcome, at_ms),) = taken(excon)
    assert "then" == outcome
    assert 5 * MINUTE <= at_ms - pack.start_ms <= 5 * MINUTE + 1  # looked at in a step of its own
    assert "idn-mar" in next(event.fields["because"] for event in excon.events if event.stage == "branch_taken")


def test_a_branch_that_is_not_met_takes_its_other_way_at_its_deadline(pack: Pack) -> None:
    excon, clock, delivered = controlled(pack)
    excon.notice(seen(clock, who="rb-ifc"))
    run_until(clock, pack, 120)

    assert [("otherwise", pack.start_ms + 30 * MINUTE)] == taken(excon)
    assert [("mys-mar", "E01"), ("mys-mar", "E02")] == delivered


def test_a_branch_on_a_time_is_looked_at_when_it_comes(pack: Pack) -> None:
    when = Condition(trigger=Trigger(word="time", time_ms=12 * MINUTE))
    excon, clock, _ = controlled(pack, when=when)
    run_until(clock, pack, 120)

    assert [("then", pack.start_ms + 12 * MINUTE)] == taken(excon)


def test_what_happened_before_the_branch_opened_counts(pack: Pack) -> None:
    excon, clock, _ = controlled(pack)
    excon.notice(seen(clock))
    run_until(clock, pack, 120)

    assert [("then", pack.start_ms + 5 * MINUTE)] == taken(excon)


def test_after_endex_nothing_is_released_and_no_branch_is_taken(pack: Pack) -> None:
    excon, clock, delivered = controlled(pack)
    run_until(clock, pack, 6)
    excon.endex(reason="called off")
    excon.endex()
    run_until(clock, pack, 120)

    assert ([], [("mys-mar", "E01")]) == (taken(excon), delivered)
    assert ["called off"] == [event.fields["reason"] for event in excon.events if event.stage == "endex"]
    assert list(range(1, len(excon.events) + 1)) == [event.number for event in excon.events]


# Whole plays, over real MQTT.


async def play(pack: Pack, folder: Path) -> tuple[Event, ...]:
    async with (
        asyncio.timeout(60),
        prepared(pack, folder=folder, entropy=SystemEntropy()) as (exercise, region),
    ):
        await exercise.play(region)
    return read_record(folder / "record")


def of(events: tuple[Event, ...], stage: str, source: str | None = None) -> list[Event]:
    return [event for event in events if event.stage == stage and source in {None, event.source}]


async def test_a_small_play_shows_the_packs_delays_and_every_desks_reason(pack: Pack, tmp_path: Path) -> None:
    events = await play(pack, tmp_path)

    (released,) = of(events, "released", "mys-mar")[:1]
    admitted = next(event for event in of(events, "admitted") if event.fields["hid"] == released.fields["hid"])
    read = next(event for event in of(events, "verified") if event.fields["hid"] == released.fields["hid"])
    # 40 ms each way, and a frame of a few KiB at 4 Mbit/s: what the real wire took is not in it.
    assert 40 <= admitted.at_ms - released.at_ms <= 60
    assert 40 <= read.at_ms - admitted.at_ms <= 60
    orders = {order.order: order.why for order in pack.orders}
    acts = [event for event in (*of(events, "released"), *of(events, "acted")) if event.fields["order"]]
    assert {"S1", "S2"} <= {event.fields["order"] for event in acts}
    assert all(event.fields["reason"].endswith(orders[event.fields["order"]]) or "not done" in event.fields["reason"]
               for event in acts)  # fmt: skip
    assert 1 == len(of(events, "branch_taken"))


async def test_an_order_that_waits_for_a_time_alone_is_done_at_it(pack: Pack, tmp_path: Path) -> None:
    events = await play(pack, tmp_path)

    (held,) = [event for event in of(events, "acted", "in-port") if event.fields["order"] == "S5"]
    assert "clock" == held.fields["cause"]
    assert 62 * MINUTE <= held.at_ms - pack.start_ms <= 64 * MINUTE


async def test_an_exercise_of_weeks_does_not_run_out_of_box_keys(pack: Pack, tmp_path: Path) -> None:
    """Box keys last a week and a day of exercise time; the nodes' own timers run in real time, which hardly passes."""
    late = tuple(replace(item, time_ms=17 * DAY) if item.inject == "E01" else item for item in pack.injects)
    events = await play(replace(pack, injects=late, duration_ms=18 * DAY), tmp_path)

    (intended,) = of(events, "intended", "mys-mar")[:1]
    assert "KEY-EPOCH" not in intended.fields["left_out"].values()
    assert of(events, "verified", "rb-ifc")
    assert [] == of(events, "rejected")
