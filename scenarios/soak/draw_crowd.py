"""Crowds: the work of many plans in one run, under all kinds of fault at once.

Plans of seeds are small, so that what breaks can be understood, and leave kinds of fault out, so that they differ in
character. What is asked of a row of the fault matrix, a hundred thousand reports of which none is lost, takes them days
for the rare kinds. A crowd has some hundred reports, and every kind that is wanted strikes while they are under way.
"""

from collections.abc import Collection
from itertools import chain, zip_longest
from typing import Final

from scenarios.soak.draw import draw_plan
from scenarios.soak.hostility import RouterHostility
from scenarios.soak.only import check_kinds
from scenarios.soak.parts import Part, parts_of, with_parts
from scenarios.soak.plan import Plan
from schemas.errors import UsageError
from transport.seeded import stream

# What loses nothing and excuses nothing: with clocks that leap, disks that lie and routers too less can be asked of a
# run, so these have crowds of their own (``--only``).
SOUND_KINDS: Final = (
    "broker_restart", "cut", "delay", "disk_full", "duplicate", "node_crash", "partition", "power_cut", "recall",
    "revocation", "rotation", "swapped_file", "takeover",
)  # fmt: skip
_MESSAGES: Final = 600
_STRIKES: Final = 60  # of all kinds together: with many more a minute and a half is one long outage
_REVOCATIONS_MOST: Final = 1  # whoever is revoked is asked for nothing any more
_AGAIN_MOST: Final = 100  # later releases, as in any plan
_DRAWS_MOST: Final = 1_000  # the rarest kind stands in one plan of some hundred


def draw_crowd(seed: int, wanted: Collection[str] = ()) -> Plan:
    """Draw the crowd of a seed, with faults of these kinds; of those that lose nothing if none is wanted.

    Raises:
        UsageError: If a kind is unknown, or stands in none of the plans that were drawn.
    """
    kinds = sorted(wanted) or list(SOUND_KINDS)
    check_kinds(kinds)
    work: list[Part] = []
    strikes: dict[str, list[Part]] = {kind: [] for kind in kinds}
    quota = None
    for turn in range(_DRAWS_MOST):
        plan = draw_plan(seed * _DRAWS_MOST + turn)
        sent = sum(part.kind == "message" for part in work)
        has_room = sent < _MESSAGES
        parts = _renumbered(plan, sent)
        work += [part for part in parts if has_room and part.kind in {"message", "again"}]
        for part in parts:
            # Of a plan whose messages have no room only what does not speak of them.
            if part.kind in strikes and (has_room or part.kind != "recall"):
                strikes[part.kind].append(part)
        quota = quota or (plan.quota if "flood" in strikes else None)
        if not has_room and all(strikes.values()):
            break
    else:
        missing = ", ".join(kind for kind, found in strikes.items() if not found)
        msg = f"none of {_DRAWS_MOST} plans of seed {seed} has any of {missing}"
        raise UsageError(msg, remedy="choose kinds that are drawn more often, or another first seed")
    del strikes.get("revocation", [])[_REVOCATIONS_MOST:]
    struck = [part for part in chain(*zip_longest(*strikes.values())) if part is not None][:_STRIKES]
    if any(isinstance(part.item, RouterHostility) for part in struck):
        work = [_long_lived(part) for part in work]
    chance = stream(seed, "plan crowd")
    empty = Plan(
        seed=seed,
        span_ms=plan.span_ms,
        line_ms_most=chance.choice((0, 1, 40, 400)),
        disk_ms_most=chance.choice((0, 1, 5)),
        messages=(),
        faults=(),
        quota=quota,
    )
    later = [part for part in work if part.kind == "again"][:_AGAIN_MOST]
    return with_parts(empty, [*(part for part in work if part.kind == "message"), *later, *_by_time(struck)])


def _renumbered(plan: Plan, offset: int) -> list[Part]:
    """Return a plan's parts but its stories, with numbers of messages that no other plan has."""
    number = {message.number: offset + place for place, message in enumerate(plan.messages)}

    def renumbered(part: Part) -> Part:
        if part.kind == "message":
            return part.changed(number=number[part.value("number")], corrects=number.get(part.value("corrects")))
        return part.changed(message=number[part.value("message")]) if part.kind in {"again", "recall"} else part

    return [renumbered(part) for part in parts_of(plan) if part.field != "workflow"]


def _long_lived(part: Part) -> Part:
    """A message that could expire under a router that drops it would excuse the router."""
    return part.changed(lives_ms=None) if part.kind == "message" else part


def _by_time(parts: list[Part]) -> list[Part]:
    return sorted(parts, key=lambda part: part.value("at_ms"))
