"""The exercise engine: plays a pack with real nodes and the real broker, from STARTEX to ENDEX.

Time stands while anything moves on the wire and goes from one due event to the next when nothing does, so the play is
as quick as the machine and every delay in it is one that the pack set.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from agencies.bots import Chance
from agencies.conditions import Sighting
from agencies.incoming import Arrival
from agencies.node import Node, NodeTimings
from policy.community import Community as Compiled
from scenarios.audit_export import export_region
from scenarios.casting import cast_bot
from scenarios.clock import ExerciseClock
from scenarios.community_changes import Version, later_versions
from scenarios.desk import Desk
from scenarios.enrolment import Community, enrol
from scenarios.excon import Excon
from scenarios.model import Inject, Pack
from scenarios.recording import readable_texts, write_record
from scenarios.red.cell import RedCell
from scenarios.region import Region, World, running_region
from scenarios.shaping import LinkShaper
from schemas.errors import CapacityError, ExerciseError
from schemas.report import Portion
from sealing.entropy import Entropy
from sealing.statements import sign_bundle
from transport.clock import Clock, SystemClock
from transport.link import Connect
from transport.seeded import stream

_MOTION_LIMIT_S: Final = 60.0  # of real time for one step; a step takes milliseconds unless a disk or link is stuck
_SPIN_TURNS: Final = 8  # turns of the loop before real waiting begins: most steps are over by then
_LOOK_S: Final = 0.0005
_RENEWAL_MS: Final = 6 * 3_600_000  # a box key's last day is one of four looks at least
_DRAIN_MS: Final = 2 * 3_600_000  # after ENDEX, what is under way may still arrive for two hours of exercise time

# Real-time timers of a node would fire while exercise time stands; the exercise needs none of them.
_TIMINGS: Final = NodeTimings(receipt_gather_s=0, verdict_s=3_600, heartbeat_s=3_600, receipts_look_s=3_600, keys_s=10)

StartRegion = Callable[..., AbstractAsyncContextManager[Region]]
# Takes the pack, and what a ``Desk`` takes but for its bot.
Seat = Callable[..., Desk]
# Returns a stream of chance for one purpose, for example ``desk sgp-mar``.
Chances = Callable[[str], Chance]


def seat_bot(pack: Pack, *, node: Node, chances: Chances, **seated: Any) -> Desk:
    """Seat the bot that the pack casts at an agency's desk; the other arguments are those of a ``Desk``."""
    return Desk(node=node, bot=cast_bot(pack, node.agency, chance=chances(f"desk {node.agency}")), **seated)


@dataclass(slots=True)
class Progress:
    """What a view may show while the play goes on; exercise times in Unix ms."""

    now_ms: int
    next_ms: int | None = None
    playing: bool = False
    released: dict[str, int] = field(default_factory=dict)
    known: dict[tuple[str, str], int] = field(default_factory=dict)  # (fact, agency): since when
    sightings: list[Sighting] = field(default_factory=list)
    reports: int = 0
    denied: int = 0


class Exercise:
    """One play of a pack.

    Args:
        pack: What is played.
        community: From ``enrol``.
        machine_clock: Real time.
        entropy: Where an adversary's keys come from.
        speed: Exercise time over real time for those who watch; None plays as quickly as it can.
        watch: Called after every step with the progress; must not block.
        seat: Seats whoever plays at a desk.
    """

    def __init__(
        self,
        pack: Pack,
        community: Community,
        *,
        machine_clock: Clock,
        entropy: Entropy,
        speed: float | None = None,
        watch: Callable[[Progress], None] | None = None,
        seat: Seat = seat_bot,
    ) -> None:
        self.pack = pack
        self.community = community
        self.clock = ExerciseClock(pack.start_ms)
        self.excon = Excon(pack, clock=self.clock, machine_clock=machine_clock, deliver=self._deliver)
        self.progress = Progress(now_ms=pack.start_ms)
        self._speed = speed
        self._watch = watch
        self._seat = seat
        self._desks: dict[str, Desk] = {}
        self._looks: set[tuple[str, int]] = set()  # for overdue receipts, that are on the clock
        profiles = {profile.link: profile for profile in pack.links}
        self._shapers = {
            item.agency: LinkShaper(
                profiles[item.link],
                clock=self.clock,
                start_ms=pack.start_ms,
                chance=stream(pack.header.seed, f"link {item.agency}"),
            )
            for item in pack.participants
        }

        # Without an adversary nobody holds a line, and every frame goes as it is.
        self._red = (
            RedCell(pack, community, clock=self.clock, excon=self.excon, shapers=self._shapers, entropy=entropy)
            if pack.red
            else None
        )

    def shape(self, agency: str, inner: Connect) -> Connect:
        """Put the pack's link quality around an agency's link."""
        return self._shapers[agency].connect(inner)

    def arrived(self, agency: str, arrival: Arrival) -> None:
        """Pass an arrival on to its desk."""
        desk = self._desks.get(agency)
        if desk is not None:
            desk.arrived(arrival)

    async def play(self, region: Region) -> None:
        """Play from STARTEX to ENDEX.

        Raises:
            ExerciseError: If the communications check fails.
            CapacityError: If a step does not come to rest; names who is still at work.
        """
        await self._check_communications(region)
        for agency, node in region.nodes.items():
            self._desks[agency] = self._seat(
                self.pack,
                node=node,
                chances=partial(stream, self.pack.header.seed),
                clock=self.clock,
                noticed=self._notice,
                in_play=lambda: self.excon.playing,
            )
            node.tell_also(self._desks[agency].told)
            self._shapers[agency].shaping = True
        # Before EXCON's injects, so that at one time a change comes first.
        for version in later_versions(self.pack, self.community.bundle):
            self.clock.at(version.at_ms, partial(self._change, region, version))
        if self._red is not None:
            self._red.begin(region)
        self.excon.startex()
        self._expect_outages()
        for desk in self._desks.values():
            desk.begin()
        for at_ms in range(0, self.pack.duration_ms + _DRAIN_MS, _RENEWAL_MS):
            self.clock.at(self.pack.start_ms + at_ms, partial(self._renew_keys, region))
        await self._step_through(region)
        await self._sign_log(region)

    async def _sign_log(self, region: Region) -> None:
        """Have the router's log signed for and cosigned to its end; exercise time is over, so no link is slow.

        It is signed when the drain is over, and not when the last thing has happened: that would tell of it.
        """
        self.clock.go_to(self.pack.start_ms + self.pack.duration_ms + _DRAIN_MS)
        for shaper in self._shapers.values():
            shaper.shaping = False
        await region.broker.sign_log()
        await self._at_rest(region)

    async def _check_communications(self, region: Region) -> None:
        """Play begins when every seat has its link and the box keys of all others (COMMEX)."""
        silent: dict[str, list[str]] = {}
        for agency, node in region.nodes.items():
            for other in await node.look_up(region.nodes):
                silent.setdefault(other, []).append(agency)
        self.excon.write("commex", agencies=sorted(region.nodes), silent=sorted(silent))
        if silent:
            msg = f"the communications check failed: no box key of {', '.join(sorted(silent))}"
            raise ExerciseError(msg, remedy="start those nodes; STARTEX stays locked until all have answered")
        await self._at_rest(region)

    @staticmethod
    async def _renew_keys(region: Region) -> None:
        """Have box keys renewed in exercise time: nothing may fail in an exercise of weeks because it is quick."""
        for node in region.nodes.values():
            await node.renew_keys()

    async def _change(self, region: Region, version: Version) -> None:
        """Have the authorities sign the next version of the bundle, and the router judge by it from now on."""
        if not self.excon.playing:
            return
        signers = dict(sorted(self.community.authorities.items())[: self.community.root.threshold])
        sessions = {agency: shaper.sessions for agency, shaper in self._shapers.items()}
        await region.install(version.bundle, sign_bundle(version.bundle, signers))
        await self._severed({item.agency for item in version.bundle.agencies if item.status != "active"}, sessions)
        self.excon.write(
            "bundle_changed",
            change=version.change.change,
            version=version.bundle.version,
            steps=[amendment.text for amendment in version.change.amendments],
            why=version.change.why,
            signed_by=sorted(signers),
        )

    async def _severed(self, closed: set[str], sessions: dict[str, int]) -> None:
        """Wait until whoever is not active any more has lost its session: that takes real time, and no time of play."""
        try:
            async with asyncio.timeout(_MOTION_LIMIT_S):
                for agency in sorted(closed):
                    shaper = self._shapers[agency]
                    while shaper.linked and shaper.sessions == sessions[agency]:  # noqa: ASYNC110 - as in _at_rest
                        await asyncio.sleep(_LOOK_S)
        except TimeoutError as error:
            msg = f"the session of an agency that is not active goes on after {_MOTION_LIMIT_S:.0f} s"
            raise CapacityError(msg, remedy="look for errors above; is the machine overloaded?") from error

    def _expect_outages(self) -> None:
        """Have the beginning of each outage be seen, for whoever waits for a link to fail."""
        profiles = {profile.link: profile for profile in self.pack.links}
        for participant in self.pack.participants:
            for outage in profiles[participant.link].outages:
                step_ms = outage.every_ms or self.pack.duration_ms
                for begin_ms in range(outage.begin_ms, self.pack.duration_ms, step_ms):
                    at_ms = self.pack.start_ms + begin_ms
                    self.clock.at(at_ms, partial(self._see_outage, participant.agency))

    def _see_outage(self, agency: str) -> None:
        now_ms = self.clock.now_ms()
        self._notice(Sighting(word="link_down", who=agency, at_ms=now_ms, cause=""))

    async def _step_through(self, region: Region) -> None:
        end_ms = self.pack.start_ms + self.pack.duration_ms
        while True:
            await self._at_rest(region)
            self._expect_receipts(region)
            due_ms = self.clock.next_ms()
            self._show(due_ms)
            if due_ms is None or due_ms > end_ms + _DRAIN_MS:
                break
            await self._pace(due_ms)
            awaited = self.clock.advance()()
            if awaited is not None:
                await awaited
        self.excon.endex()
        self._show(None)

    def _expect_receipts(self, region: Region) -> None:
        """Have each node look for overdue receipts when its next one is due, in exercise time."""
        for agency, node in region.nodes.items():
            look = (agency, node.receipts_due_ms or 0)
            if node.receipts_due_ms is not None and look not in self._looks:
                self._looks.add(look)
                self.clock.at(max(node.receipts_due_ms, self.clock.now_ms()), node.look_for_overdue)

    async def _at_rest(self, region: Region) -> None:
        """Wait until nothing moves: no node or broker at work, no frame on the wire."""
        moving: list[str] = []
        for _ in range(_SPIN_TURNS):
            await asyncio.sleep(0)
        try:
            async with asyncio.timeout(_MOTION_LIMIT_S):
                while moving := self._moving(region):  # noqa: ASYNC110 - sockets and threads set no event
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError as error:
            msg = f"the play has not come to rest for {_MOTION_LIMIT_S:.0f} s; still at work: {', '.join(moving)}"
            raise CapacityError(msg, remedy="look for errors above; is the disk full?") from error

    def _moving(self, region: Region) -> list[str]:
        moving = ["broker"] if region.broker.stirring() else []
        for agency, node in region.nodes.items():
            shaper = self._shapers[agency]
            on_the_wire = region.broker.frames_sent(agency) != shaper.received
            if node.stirring() or shaper.moving or on_the_wire:
                moving.append(agency)
        return moving

    async def _pace(self, due_ms: int) -> None:
        if self._speed is not None:
            await asyncio.sleep((due_ms - self.clock.now_ms()) / 1000 / self._speed)

    def _deliver(self, agency: str, inject: Inject, material: tuple[Portion, ...]) -> None:
        desk = self._desks.get(agency)
        if desk is not None:
            desk.hand_material(inject.inject, material)

    def _notice(self, sighting: Sighting) -> None:
        self.progress.sightings.append(sighting)
        for passage in sighting.passages:
            fact = self.pack.passage_facts.get(passage)
            if fact is not None:
                self.progress.known.setdefault((fact, sighting.who), sighting.at_ms)
        self.progress.reports += sighting.word == "report_sent"
        self.progress.denied += sighting.word == "rule_denied"
        self.excon.notice(sighting)
        if self._red is not None:
            self._red.notice(sighting)

    def _show(self, next_ms: int | None) -> None:
        self.progress.now_ms = self.clock.now_ms()
        self.progress.next_ms = next_ms
        self.progress.playing = self.excon.playing
        self.progress.released = self.excon.released
        if self._watch is not None:
            self._watch(self.progress)


def _communities(exercise: Exercise) -> dict[int, Compiled]:
    """Return every community of a play, by the version of its bundle; what it never came to is never asked for."""
    first = exercise.community.bundle
    bundles = [first, *(version.bundle for version in later_versions(exercise.pack, first))]
    return {bundle.version: Compiled.compile(bundle) for bundle in bundles}


@asynccontextmanager
async def prepared(
    pack: Pack,
    *,
    folder: Path,
    entropy: Entropy,
    speed: float | None = None,
    watch: Callable[[Progress], None] | None = None,
    texts: dict[tuple[str, int], str] | None = None,
    machine_clock: Clock | None = None,
    start: StartRegion | None = None,
    seat: Seat = seat_bot,
) -> AsyncGenerator[tuple[Exercise, Region], None]:
    """Set up an exercise with its region running; its record is written when the block ends, however it ends.

    Args:
        pack: What is played.
        folder: Where databases and the record go.
        entropy: Where keys come from.
        speed: As for ``Exercise``.
        watch: As for ``Exercise``.
        texts: Filled at the end with what each portion says, by (hid, place), for evaluation alone: the record holds
            no text.
        machine_clock: Real time, or what stands for it in a simulation.
        start: Starts the region; on real MQTT unless given.
        seat: As for ``Exercise``.
    """
    machine_clock = machine_clock or SystemClock()
    start = start or partial(running_region, folder=folder / "databases")
    community = enrol(pack, entropy=entropy)
    exercise = Exercise(
        pack,
        community,
        machine_clock=machine_clock,
        entropy=entropy,
        speed=speed,
        watch=watch,
        seat=seat,
    )
    world = World(clock=exercise.clock, entropy=entropy, machine_clock=machine_clock)
    async with start(
        community,
        world=world,
        on_arrival=exercise.arrived,
        shape=exercise.shape,
        timings=_TIMINGS,
    ) as region:
        try:
            yield exercise, region
        finally:
            write_record(
                folder / "record",
                excon=exercise.excon.events,
                router=region.store,
                nodes={agency: node.store for agency, node in region.nodes.items()},
                communities=_communities(exercise),
                machine_start_ms=exercise.excon.machine_start_ms,
            )
            export_region(
                folder / "log",
                community=community,
                router=region.store,
                nodes={agency: node.store for agency, node in region.nodes.items()},
            )
            if texts is not None:
                for node in region.nodes.values():
                    texts |= readable_texts(node.store)
