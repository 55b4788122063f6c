"""A fault plan is data: what goes wrong, when, for how long, to whom; strict JSON, to be kept, replayed and cut down.

A seed makes a plan (fault_draw.py), but a plan is what is replayed and shrunk: faults can be taken out of it one by one
without moving the others. Here stand the kinds, and how those of the network are applied; whoever runs nodes and broker
carries out the rest (crashes, restarts, clocks, disks). A ``holder`` is who has a machine: an agency, or the broker.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.names import AgencyId
from transport.disk_damage import Damage
from transport.simloop import running_simulation
from transport.simnet import Course, Direction, SimNet

HOUR_MS: Final = 3_600_000
Millis = Annotated[int, Field(ge=0, le=24 * HOUR_MS)]
Way = Literal["both", "up", "down"]
Point = Literal["now", "before-commit", "after-commit", "before-send", "after-send"]


class _Fault(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    at_ms: Millis


class Delay(_Fault):
    """An agency's line is slow both ways."""

    kind: Literal["delay"] = "delay"
    lasts_ms: Millis
    agency: AgencyId
    least_ms: Millis
    most_ms: Millis


class Cut(_Fault):
    """An agency's link breaks: what is in flight is lost, the session ends."""

    kind: Literal["cut"] = "cut"
    agency: AgencyId


class Partition(_Fault):
    """Nothing passes, in one direction or both; after 45 s of it the link is given up."""

    kind: Literal["partition"] = "partition"
    lasts_ms: Millis
    agencies: Annotated[tuple[AgencyId, ...], Field(min_length=1, max_length=2_048)]
    direction: Way


class Duplicate(_Fault):
    """Frames arrive twice."""

    kind: Literal["duplicate"] = "duplicate"
    lasts_ms: Millis
    agency: AgencyId
    direction: Way
    per_cent: Annotated[int, Field(ge=1, le=100)]


class Takeover(_Fault):
    """A second link opens under an agency's name and displaces the first."""

    kind: Literal["takeover"] = "takeover"
    agency: AgencyId


class NodeCrash(_Fault):
    """A node dies, at once or at the next moment of this kind, and is started again."""

    kind: Literal["node_crash"] = "node_crash"
    lasts_ms: Millis
    agency: AgencyId
    point: Point


class BrokerRestart(_Fault):
    """The broker dies, at once or at its next commit, and is started again on its database."""

    kind: Literal["broker_restart"] = "broker_restart"
    lasts_ms: Millis
    point: Literal["now", "before-commit", "after-commit"]


class ClockSkew(_Fault):
    """A node's clock is off for a while; it leaps there and back."""

    kind: Literal["clock_skew"] = "clock_skew"
    lasts_ms: Millis
    agency: AgencyId
    offset_ms: Annotated[int, Field(ge=-HOUR_MS, le=HOUR_MS)]


class ClockJump(_Fault):
    """A machine's clock leaps, under all that runs on it, and is set right later, which is a leap too."""

    kind: Literal["clock_jump"] = "clock_jump"
    lasts_ms: Millis
    holder: AgencyId
    offset_ms: Annotated[int, Field(ge=-24 * HOUR_MS, le=24 * HOUR_MS)]


class ClockDrift(_Fault):
    """A machine's clock runs fast or slow, and is set right later."""

    kind: Literal["clock_drift"] = "clock_drift"
    lasts_ms: Millis
    holder: AgencyId
    ppm: Annotated[int, Field(ge=-100_000, le=100_000)]


class PowerCut(_Fault):
    """A site has no power: all its machines die in one instant, and their disks keep what they said they had."""

    kind: Literal["power_cut"] = "power_cut"
    lasts_ms: Millis
    holders: Annotated[tuple[AgencyId, ...], Field(min_length=1, max_length=2_048)]


class LyingDisk(_Fault):
    """A disk says that it has synced and does so only now and then; at the end its machine has no power.

    What was committed since the last true sync is gone, though everybody was told that it is there.
    """

    kind: Literal["lying_disk"] = "lying_disk"
    lasts_ms: Millis
    holder: AgencyId
    sync_ms: Annotated[int, Field(ge=10, le=HOUR_MS)]


class OldSnapshot(_Fault):
    """A copy of a database is made, and is what its owner dies and rises on when this is over."""

    kind: Literal["old_snapshot"] = "old_snapshot"
    lasts_ms: Millis
    holder: AgencyId


class DamagedFile(_Fault):
    """A copy of a database is made; when this is over the file is damaged, is refused, and the copy is put back."""

    kind: Literal["damaged_file"] = "damaged_file"
    lasts_ms: Millis
    holder: AgencyId
    damage: Damage


class SwappedFile(_Fault):
    """Two machines come up with each other's file; each refuses it, and gets its own again."""

    kind: Literal["swapped_file"] = "swapped_file"
    lasts_ms: Millis
    holders: tuple[AgencyId, AgencyId]


class DiskFull(_Fault):
    """A disk has no room for a while."""

    kind: Literal["disk_full"] = "disk_full"
    lasts_ms: Millis
    holder: AgencyId


DiskFault = PowerCut | LyingDisk | OldSnapshot | DamagedFile | SwappedFile | DiskFull
ClockFault = ClockSkew | ClockJump | ClockDrift
Fault = Annotated[
    Delay | Cut | Partition | Duplicate | Takeover | NodeCrash | BrokerRestart | ClockFault | DiskFault,
    Field(discriminator="kind"),
]
ProcessFault = NodeCrash | BrokerRestart | Takeover | ClockFault | DiskFault


class FaultDriver:
    """Carries a plan's faults out, counted from now.

    Args:
        faults: What goes wrong.
        net: Where.
        process: Told of each fault of a node, the broker or a clock when it begins (True) and ends (False).
    """

    def __init__(
        self,
        faults: Sequence[Fault],
        *,
        net: SimNet,
        process: Callable[[ProcessFault, bool], None],
    ) -> None:
        self._net = net
        self._process = process
        self._faults = tuple(faults)
        self._active: dict[int, Delay | Partition | Duplicate] = {}
        self._calm: dict[tuple[str, Direction], tuple[int, int]] = {}
        self.fired: dict[str, int] = {}

    def begin(self) -> None:
        """Have every fault fall due."""
        loop = running_simulation()
        for number, fault in enumerate(self._faults):
            loop.call_later(fault.at_ms / 1_000, partial(self._strike, number, fault))

    def _strike(self, number: int, fault: Fault) -> None:
        loop = running_simulation()
        match fault:
            case Delay() | Partition() | Duplicate():
                self._active[number] = fault
                loop.call_later(fault.lasts_ms / 1_000, partial(self._pass, number, fault))
                self._apply(fault)
            case Cut():
                if not self._net.cut(fault.agency):
                    return
            case Takeover():
                self._process(fault, True)
            case _:
                self._process(fault, True)
                loop.call_later(fault.lasts_ms / 1_000, partial(self._process, fault, False))
        self.fired[fault.kind] = self.fired.get(fault.kind, 0) + 1

    def _pass(self, number: int, fault: Delay | Partition | Duplicate) -> None:
        del self._active[number]
        self._apply(fault)

    def _apply(self, fault: Delay | Partition | Duplicate) -> None:
        """Work out anew the lines that a fault touches: where two overlap, one's end must not end the other."""
        for agency in fault.agencies if isinstance(fault, Partition) else (fault.agency,):
            for direction, course in self._net.line(agency).items():
                self._work_out(agency, direction, course)
            self._net.changed(agency)

    def _work_out(self, agency: str, direction: Direction, course: Course) -> None:
        calm = self._calm.setdefault((agency, direction), (course.delay_us_least, course.delay_us_most))
        course.delay_us_least, course.delay_us_most = calm
        course.blocked, course.duplicated = False, 0.0
        for fault in self._active.values():
            match fault:
                case Delay() if fault.agency == agency:
                    course.delay_us_least, course.delay_us_most = fault.least_ms * 1_000, fault.most_ms * 1_000
                case Partition() if agency in fault.agencies and fault.direction in {"both", direction}:
                    course.blocked = True
                case Duplicate() if fault.agency == agency and fault.direction in {"both", direction}:
                    course.duplicated = fault.per_cent / 100
                case _:
                    pass
