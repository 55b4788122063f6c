"""How a seed draws faults: which kinds a run has at all, where they strike, and how hard."""

from collections.abc import Sequence
from random import Random  # noqa: TID251 - the type of a seeded stream
from typing import Final

from transport.faults import (
    BrokerRestart,
    ClockSkew,
    Cut,
    Delay,
    Duplicate,
    Fault,
    NodeCrash,
    Partition,
    Point,
    Takeover,
    Way,
)

_SKEW_MS_MOST: Final = 10 * 60_000  # twice what the protocol tolerates, so that both sides of the line are tried
_NEAR_MS: Final = 3_000
_SHARE_OF_RUNS: Final = {"clock_skew": 1 / 6}  # with it, honest messages may be refused, and less can be asked
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
