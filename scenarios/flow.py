"""What a pack will bring about before anybody plays it: which injects can be released, what reaches which desk when.

An estimate for lint alone. Desks act at once, every standing order whose trigger can match does act, and people do
nothing: what arrives here can arrive, what does not arrive here needs a person.
"""

from dataclasses import dataclass
from typing import Final

from scenarios.conditions import triggers_of
from scenarios.model import Branch, Inject, Order, Pack, Trigger

_ROUNDS_MAX: Final = 32  # longer chains of orders than desks in any exercise
_RELEASING: Final = ("report", "forward", "correct")
_ANSWERS: Final = {
    "request": "request_received", "decide": "decision_received", "correct": "correction_received",
    "ask": "rfi_received", "answer": "answer_received", "decline": "coord_received",
    "deconflict": "deconflict_received", "coordinate": "coord_received", "override": "override_received",
}  # fmt: skip
# What goes back to whom it came from.
_REPLYING: Final = ("decide", "answer", "decline")
_REPLYING_STEPS: Final = ("accept", "decline", "done")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Something on a desk: when at the earliest, from whom, and what kind of trigger it sets off."""

    at_ms: int
    agency: str
    sender: str | None
    inject: str | None
    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What can happen: injects with the earliest time of their release, and arrivals."""

    release_ms: dict[str, int]
    reachable: frozenset[str]  # branch ids
    arrivals: frozenset[Arrival]


def foresee(pack: Pack) -> Flow:
    """Work out what can happen."""
    release_ms = {inject.inject: inject.time_ms for inject in pack.injects if inject.time_ms is not None}
    reachable: set[str] = set()
    waiting = list(pack.branches)
    while True:
        ready = [branch for branch in waiting if branch.after in release_ms]
        if not ready:
            break
        for branch in ready:
            reachable.add(branch.branch)
            for inject in (*branch.then, *branch.otherwise):
                release_ms.setdefault(inject, release_ms[branch.after])
        waiting = [branch for branch in waiting if branch.branch not in reachable]
    arrivals = {
        Arrival(
            at_ms=release_ms[inject.inject], agency=agency, sender=None, inject=inject.inject, word="inject_delivered"
        )
        for inject in pack.injects
        if inject.inject in release_ms and inject.type != "expected action"
        for agency in inject.to
    }
    return Flow(
        release_ms=release_ms, reachable=frozenset(reachable), arrivals=frozenset(_follow_orders(pack, arrivals))
    )


def _follow_orders(pack: Pack, arrivals: set[Arrival]) -> set[Arrival]:
    """Let standing orders act on what has arrived until nothing new arrives."""
    fresh = set(arrivals)
    seen = {(arrival.agency, arrival.sender, arrival.inject, arrival.word) for arrival in arrivals}
    for _ in range(_ROUNDS_MAX):
        caused: set[Arrival] = set()
        for order in pack.orders:
            for arrival in sorted(fresh, key=lambda arrival: (arrival.at_ms, arrival.agency)):
                if arrival.agency == order.who and any(
                    _sets_off(trigger, arrival) for trigger in triggers_of(order.on)
                ):
                    caused.update(_caused_by(order, arrival, pack))
        fresh = {new for new in caused if (new.agency, new.sender, new.inject, new.word) not in seen}
        if not fresh:
            break
        seen.update((new.agency, new.sender, new.inject, new.word) for new in fresh)
        arrivals |= fresh
    return arrivals


def _sets_off(trigger: Trigger, arrival: Arrival) -> bool:
    """Tell whether an arrival may set a trigger off; topic and fact are left to play."""
    # Whether a comparison will hit is left to play too: its answer is one thing on the desk, and sets off either.
    also = {"report_received": "opened", "hit": "no_hit"}.get(arrival.word)
    if trigger.word not in {arrival.word, also}:
        return False
    return trigger.inject in {None, arrival.inject} and trigger.sender in {None, arrival.sender}


def _caused_by(order: Order, arrival: Arrival, pack: Pack) -> set[Arrival]:
    if order.do not in {*_RELEASING, *_ANSWERS}:
        return set()
    everybody = tuple(participant.agency for participant in pack.participants)
    to = everybody if order.need_to_know else order.to
    if order.do in _REPLYING or order.step in _REPLYING_STEPS:
        to = () if arrival.sender is None else (arrival.sender,)
    elif order.do == "correct":
        corrected = next((other for other in pack.orders if other.order == order.corrects), None)
        to = (*to, *(corrected.to if corrected is not None else ()))
    hits = order.do == "answer" and arrival.word == "deconflict_received"
    word = "hit" if hits else _ANSWERS.get(order.do, "report_received")
    return {
        Arrival(at_ms=arrival.at_ms, agency=agency, sender=order.who, inject=None, word=word)
        for agency in to
        if agency != order.who
    }


def released_by(inject: Inject, branches: tuple[Branch, ...]) -> tuple[Branch, ...]:
    """Return the branches that release an inject."""
    return tuple(branch for branch in branches if inject.inject in (*branch.then, *branch.otherwise))
