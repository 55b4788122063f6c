"""How a seed draws faults: which kinds a run has at all, where they strike, and how hard."""

from collections.abc import Sequence
from random import Random  # noqa: TID251 - the type of a seeded stream
from typing import Final

from transport.disk_damage import Damage
from transport.faults import (
    HOUR_MS,
    BrokerRestart,
    ClockDrift,
    ClockFault,
    ClockJump,
    ClockSkew,
    Cut,
    DamagedFile,
    Delay,
    DiskFault,
    DiskFull,
    Duplicate,
    Fault,
    LyingDisk,
    NodeCrash,
    OldSnapshot,
    Partition,
    Point,
    PowerCut,
    SwappedFile,
    Takeover,
    Way,
)

_SKEW_MS_MOST: Final = 10 * 60_000  # twice what the protocol tolerates, so that both sides of the line are tried
_NEAR_MS: Final = 3_000
# With these, honest messages may be refused or lost in sight of all, and less can be asked of a run.
_SHARE_OF_RUNS: Final = {"clock_skew": 1 / 6, "clock_jump": 1 / 6, "clock_drift": 1 / 2, "lost_writes": 1 / 5}
_DISK_FAULTS_MOST: Final = 4
_CLOCK_FAULTS_MOST: Final = 4
_PARTITIONED_MOST: Final = 8
_DUPLICATED_MOST: Final = 50  # per cent, as in TigerBeetle's simulator
_KINDS: Final = (
    "delay", "cut", "partition", "duplicate", "takeover", "node_crash", "broker_restart", "clock_skew",
)  # fmt: skip


def draw_faults(
    chance: Random, agencies: Sequence[str], *, until_ms: int, count: int, moments_ms: Sequence[int] = ()
) -> tuple[Fault, ...]:
    """Draw the faults of a run; each kind is left out with a chance of one half, so that runs differ in character.

    Args:
        chance: The stream for faults.
        agencies: Who may be struck.
        until_ms: By when all are over.
        count: How many faults.
        moments_ms: When something is at work; half of the faults fall near one of these.
    """
    kinds = [kind for kind in _KINDS if chance.random() < _SHARE_OF_RUNS.get(kind, 1 / 2)] or [chance.choice(_KINDS)]
    drawn: list[Fault] = []
    for _ in range(count):
        at_ms = chance.randrange(until_ms)
        if moments_ms and chance.random() < 1 / 2:
            at_ms = min(until_ms - 1, chance.choice(moments_ms) + chance.randrange(_NEAR_MS))
        drawn.append(_draw(chance.choice(kinds), chance, agencies, at_ms=at_ms, until_ms=until_ms))
    return tuple(sorted(drawn, key=lambda fault: fault.at_ms))


def _draw(  # noqa: PLR0911 - one a kind
    kind: str, chance: Random, agencies: Sequence[str], *, at_ms: int, until_ms: int
) -> Fault:
    lasts_ms = min(chance.choice((50, 500, 5_000, 20_000)) * (1 + chance.randrange(3)), until_ms - at_ms)
    agency = chance.choice(agencies)
    way: Way = chance.choice(("both", "up", "down"))
    match kind:
        case "delay":
            most_ms = chance.choice((5, 80, 900, 6_000))
            return Delay(at_ms=at_ms, lasts_ms=lasts_ms, agency=agency, least_ms=most_ms // 4, most_ms=most_ms)
        case "cut":
            return Cut(at_ms=at_ms, agency=agency)
        case "partition":
            struck = chance.sample(agencies, k=min(len(agencies), chance.randint(1, _PARTITIONED_MOST)))
            return Partition(at_ms=at_ms, lasts_ms=lasts_ms, agencies=tuple(struck), direction=way)
        case "duplicate":
            per_cent = chance.randint(5, _DUPLICATED_MOST)
            return Duplicate(at_ms=at_ms, lasts_ms=lasts_ms, agency=agency, direction=way, per_cent=per_cent)
        case "takeover":
            return Takeover(at_ms=at_ms, agency=agency)
        case "node_crash":
            point: Point = chance.choice(("now", "before-commit", "after-commit", "before-send", "after-send"))
            return NodeCrash(at_ms=at_ms, lasts_ms=lasts_ms, agency=agency, point=point)
        case "broker_restart":
            return BrokerRestart(
                at_ms=at_ms, lasts_ms=lasts_ms, point=chance.choice(("now", "before-commit", "after-commit"))
            )
        case _:
            offset_ms = chance.randint(-_SKEW_MS_MOST, _SKEW_MS_MOST)
            return ClockSkew(at_ms=at_ms, lasts_ms=lasts_ms, agency=agency, offset_ms=offset_ms)


def draw_disk_faults(
    chance: Random, agencies: Sequence[str], broker: str, *, until_ms: int, moments_ms: Sequence[int]
) -> tuple[DiskFault, ...]:
    """Draw what goes wrong with disks: what an honest disk does in half of the runs, what loses writes in a few.

    Args:
        chance: The stream for disks.
        agencies: Who may be struck.
        broker: The broker's name among the holders of machines; it is struck as often as all agencies together.
        until_ms: By when all are over.
        moments_ms: When something is at work; faults fall near these.
    """
    kinds = [kind for kind in ("power_cut", "swapped_file", "disk_full") if chance.random() < 1 / 2]
    if chance.random() < _SHARE_OF_RUNS["lost_writes"]:
        kinds += [chance.choice(("lying_disk", "old_snapshot", "damaged_file")) for _ in range(2)]
    drawn: list[DiskFault] = []
    for _ in range(chance.randint(1, _DISK_FAULTS_MOST) if kinds else 0):
        at_ms = min(until_ms - 1, chance.choice(moments_ms) + chance.randrange(_NEAR_MS))
        lasts_ms = min(chance.choice((200, 2_000, 10_000, 30_000)) * (1 + chance.randrange(2)), until_ms - at_ms)
        holder = broker if chance.random() < 1 / 2 else chance.choice(agencies)
        drawn.append(_draw_disk_fault(chance.choice(kinds), chance, [*agencies, broker], (at_ms, lasts_ms, holder)))
    return tuple(sorted(drawn, key=lambda fault: fault.at_ms))


def _draw_disk_fault(kind: str, chance: Random, holders: Sequence[str], place: tuple[int, int, str]) -> DiskFault:
    at_ms, lasts_ms, holder = place
    match kind:
        case "power_cut":
            site = tuple(chance.sample(holders, k=chance.randint(1, min(4, len(holders)))))
            return PowerCut(at_ms=at_ms, lasts_ms=min(lasts_ms, 5_000), holders=site)
        case "lying_disk":
            sync_ms = chance.choice((50, 500, 3_000))
            return LyingDisk(at_ms=at_ms, lasts_ms=lasts_ms, holder=holder, sync_ms=sync_ms)
        case "old_snapshot":
            return OldSnapshot(at_ms=at_ms, lasts_ms=lasts_ms, holder=holder)
        case "damaged_file":
            damage: Damage = chance.choice(("torn", "flipped", "truncated"))
            return DamagedFile(at_ms=at_ms, lasts_ms=lasts_ms, holder=holder, damage=damage)
        case "swapped_file":
            first, second = chance.sample(holders, k=2)
            return SwappedFile(at_ms=at_ms, lasts_ms=min(lasts_ms, 5_000), holders=(first, second))
        case _:
            return DiskFull(at_ms=at_ms, lasts_ms=lasts_ms, holder=holder)


def draw_clock_faults(
    chance: Random, agencies: Sequence[str], broker: str, *, until_ms: int, moments_ms: Sequence[int]
) -> tuple[ClockFault, ...]:
    """Draw what goes wrong with machines' clocks; the arguments are those of ``draw_disk_faults``.

    A drift of a few per cent stays within what the protocol tolerates, and asks for no indulgence; a leap does not.
    """
    kinds = [kind for kind in ("clock_drift", "clock_jump") if chance.random() < _SHARE_OF_RUNS[kind]]
    drawn: list[ClockFault] = []
    for _ in range(chance.randint(1, _CLOCK_FAULTS_MOST) if kinds else 0):
        at_ms = min(until_ms - 1, chance.choice(moments_ms) + chance.randrange(_NEAR_MS))
        lasts_ms = min(chance.choice((1_000, 10_000, 60_000)), until_ms - at_ms)
        holder = broker if chance.random() < 1 / 3 else chance.choice(agencies)
        if chance.choice(kinds) == "clock_drift":
            ppm = chance.choice((-1, 1)) * chance.choice((50, 5_000, 50_000))
            drawn.append(ClockDrift(at_ms=at_ms, lasts_ms=lasts_ms, holder=holder, ppm=ppm))
        else:
            offset_ms = chance.choice((-1, 1)) * chance.choice((60_000, 11 * 60_000, HOUR_MS, 24 * HOUR_MS))
            drawn.append(ClockJump(at_ms=at_ms, lasts_ms=lasts_ms, holder=holder, offset_ms=offset_ms))
    return tuple(sorted(drawn, key=lambda fault: fault.at_ms))
