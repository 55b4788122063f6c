"""How a seed draws malice: from a stream of its own, so that what honest plans of old seeds hold is not moved.

A router that lies leaves no room for all that can go wrong besides: which of two causes a loss had could not be told.
So disks and clocks are sound in such a run, nothing is recalled, and what remains is what a network does.
"""

from random import Random  # noqa: TID251 - the type of a seeded stream
from typing import Final, Literal

from scenarios.soak.hostility import (
    FORMS,
    POISON_FORMS,
    Drop,
    Flood,
    Hostility,
    Lie,
    Misroute,
    Poison,
    Quota,
    Replay,
    RouterHostility,
    Slow,
    SplitView,
    Substitute,
)
from scenarios.soak.plan import Plan
from scenarios.soak.reference import AGENCIES
from transport.faults import BrokerRestart, Cut, Delay, Duplicate, NodeCrash, Partition, Takeover
from transport.seeded import stream

_LYING: Final = 1 / 6  # the share of runs with a router that lies; each costs half as much again as an honest one …
_FLOODED: Final = 1 / 12  # … with a flood, which costs twice as much …
_POISONED: Final = 1 / 8
_SLOW: Final = 1 / 12
_ACTS_MOST: Final = 4
_OF_A_NETWORK: Final = (Delay, Cut, Partition, Duplicate, Takeover, NodeCrash, BrokerRestart)
# Reached by a desk in earnest and by nobody else in a run.
_QUOTA: Final = Quota(messages_per_s=20, messages_burst=150, queue_rows_max=200)


def with_hostility(plan: Plan) -> Plan:
    """Return a plan with what its seed draws of malice."""
    chance = stream(plan.seed, "plan hostile")
    acts: list[Hostility] = []
    if chance.random() < _LYING:
        acts += [_draw_lie(plan, chance) for _ in range(chance.randint(1, _ACTS_MOST))]
    if chance.random() < _POISONED:
        acts += [_draw_poison(plan, chance) for _ in range(chance.randint(1, 2 * _ACTS_MOST))]
    if chance.random() < _SLOW:
        acts.append(_draw_slow(plan, chance))
    floods = chance.random() < _FLOODED
    if floods:
        acts.append(_draw_flood(plan, chance))
    if not acts:
        return plan
    changed: dict[str, object] = {"hostility": tuple(sorted(acts, key=lambda act: act.at_ms))}
    if floods:
        changed["quota"] = _QUOTA
        if chance.random() < 1 / 2:
            # Only where nothing else goes wrong can it be told whether the others have to wait for the flood.
            changed |= {"faults": (), "revocations": ()}
    if any(isinstance(act, RouterHostility) for act in acts):
        changed |= {
            "recalls": (),
            "faults": tuple(fault for fault in plan.faults if isinstance(fault, _OF_A_NETWORK)),
            "messages": tuple(
                message.model_copy(update={"lives_ms": type(message).model_fields["lives_ms"].default})
                for message in plan.messages
            ),
        } | ({"faults": ()} if changed.get("faults") == () else {})
    return plan.model_copy(update=changed)


def _moment_ms(plan: Plan, chance: Random) -> int:
    """Draw a time at which something is at work."""
    return max(0, min(plan.span_ms - 1, chance.choice(plan.messages).at_ms - chance.randrange(500)))


def _busy(plan: Plan) -> list[str]:
    """Return the agencies that write, or are written to by name: what is done to them comes to something."""
    return sorted({item.agency for item in plan.messages} | {reader for item in plan.messages for reader in item.to})


def _draw_lie(plan: Plan, chance: Random) -> Hostility:
    at_ms = _moment_ms(plan, chance)
    lasts_ms = min(chance.choice((1_000, 10_000, 60_000)), plan.span_ms - at_ms)
    reader = chance.choice((chance.choice(AGENCIES), chance.choice(_busy(plan))))
    match chance.choice(("drop", "replay", "substitute", "misroute", "lie", "split_view")):
        case "drop":
            victim = reader if chance.random() < 3 / 4 else None
            return Drop(at_ms=at_ms, lasts_ms=lasts_ms, reader=victim, how=chance.choice(("emptied", "hidden")))
        case "replay":
            victim = reader if chance.random() < 1 / 2 else None
            return Replay(at_ms=at_ms, reader=victim, months=chance.random() < 1 / 4)
        case "substitute":
            return Substitute(at_ms=at_ms, lasts_ms=lasts_ms, reader=reader, form=chance.choice(FORMS))
        case "misroute":
            return Misroute(at_ms=at_ms, lasts_ms=lasts_ms, stranger=reader)
        case "lie":
            author = chance.choice(plan.messages).agency
            verdict: Literal["accepted", "refused", "another"] = chance.choice(("accepted", "refused", "another"))
            return Lie(at_ms=at_ms, lasts_ms=lasts_ms, author=author, verdict=verdict)
        case _:
            shown = tuple(sorted(chance.sample(AGENCIES, k=chance.randint(1, 4))))
            return SplitView(at_ms=at_ms, lasts_ms=lasts_ms, agencies=shown, how=chance.choice(("past", "future")))


def _draw_poison(plan: Plan, chance: Random) -> Poison:
    return Poison(
        at_ms=_moment_ms(plan, chance),
        agency=chance.choice(AGENCIES),
        direction=chance.choice(("up", "down")),
        form=chance.choice(POISON_FORMS),
        times=chance.choice((1, 3, 40)),
    )


def _draw_slow(plan: Plan, chance: Random) -> Slow:
    at_ms = _moment_ms(plan, chance)
    return Slow(
        at_ms=at_ms,
        lasts_ms=min(chance.choice((5_000, 40_000)), plan.span_ms - at_ms),
        agency=chance.choice(AGENCIES),
        bytes_per_s=chance.choice((200, 2_000, 20_000)),
        greedy=chance.random() < 1 / 2,
    )


def _draw_flood(plan: Plan, chance: Random) -> Flood:
    author = chance.choice(plan.messages)
    how: Literal["desk", "raw"] = chance.choice(("desk", "raw"))
    # What is sent raw has been signed before, so it must not begin before its author has sent anything.
    at_ms = author.at_ms if how == "desk" else min(plan.span_ms - 1, author.at_ms + 2_000)
    return Flood(at_ms=at_ms, agency=author.agency, how=how, messages=200 if how == "desk" else 800)
