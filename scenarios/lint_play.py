"""Lint of the play: branches that end, injects that are released, seats with something to do and time to do it in."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from scenarios.conditions import triggers_of
from scenarios.finding import Checked, Finding
from scenarios.flow import released_by
from scenarios.model import Branch, Inject, Pack

IDLE_MS_MAX: Final = 30 * 60_000  # players who wait longer than this start to play with something else
ITEMS_IN_TEN_MINUTES_MAX: Final = 6  # what one reader takes in with care
TRANSFER_MS_MAX: Final = 60_000
QUIET_MS_MIN: Final = 15 * 60_000  # enough to look back and to talk
SPOKEN_MS: Final = 5 * 60_000  # one telephone call
_TEN_MINUTES_MS: Final = 10 * 60_000
_PHASED_INJECTS_MIN: Final = 5  # a shorter MSEL needs no phases
_SEALING_BYTES: Final = 2_048  # what header, label and signature add to a text, with room to spare
_SPOKEN_MODES: Final = ("phone", "manual")
_OF_RED: Final = ("forged_accepted", "attempts_noticed")  # what red does serves an objective as an inject does


def lint_play(checked: Checked) -> Iterator[Finding]:
    """Yield the findings on injects, branches, orders, seats and objectives."""
    yield from _branches(checked)
    yield from _changes(checked)
    yield from _red(checked)
    yield from _injects(checked)
    yield from _orders(checked)
    yield from _objectives(checked)
    yield from _seats(checked)
    yield from _slow_links(checked)
    yield from _controllers(checked)
    yield from _advice(checked)


def _branches(checked: Checked) -> Iterator[Finding]:
    pack = checked.pack
    for branch in pack.branches:
        if branch.branch not in checked.flow.reachable:
            if _waits_for_itself(branch, pack):
                text = f"{branch.branch} is cyclic: only what follows from it releases {branch.after}, its beginning"
                yield checked.finding("error", "cyclic-branch", "branches", branch.branch, text)
            else:
                text = f"{branch.branch} can never begin: nothing releases {branch.after}"
                yield checked.finding("error", "unreachable-branch", "branches", branch.branch, text)
            continue
        awaited = {trigger.inject for trigger in triggers_of(branch.when) if trigger.inject is not None}
        for inject in sorted(awaited - checked.flow.release_ms.keys()):
            text = f"{branch.branch} waits for {inject}, which nothing releases"
            yield checked.finding("error", "unreachable-branch", "branches", branch.branch, text)
        ends_ms = checked.flow.release_ms[branch.after] + branch.within_ms
        if ends_ms > pack.duration_ms:
            text = f"{branch.branch} may still be open at ENDEX; shorten 'within' or lengthen the exercise"
            yield checked.finding("warning", "branch-after-endex", "branches", branch.branch, text)


def _changes(checked: Checked) -> Iterator[Finding]:
    for change in checked.pack.changes:
        if change.time_ms >= checked.pack.duration_ms:
            text = f"{change.change} comes at or after ENDEX, and never happens"
            yield checked.finding("error", "change-after-endex", "changes", change.change, text)


def _red(checked: Checked) -> Iterator[Finding]:
    for act in checked.pack.red:
        if act.time_ms is not None and act.time_ms >= checked.pack.duration_ms:
            text = f"{act.act} comes at or after ENDEX, and is never tried"
            yield checked.finding("error", "red-after-endex", "red", act.act, text)


def _waits_for_itself(branch: Branch, pack: Pack) -> bool:
    """Tell whether what a branch begins after is, somewhere up the line, released by the branch."""
    injects = {inject.inject: inject for inject in pack.injects}
    waiting, seen = [branch], set[str]()
    while waiting:
        current = waiting.pop()
        for parent in released_by(injects[current.after], pack.branches):
            if parent.branch == branch.branch:
                return True
            if parent.branch not in seen:
                seen.add(parent.branch)
                waiting.append(parent)
    return False


def _injects(checked: Checked) -> Iterator[Finding]:
    pack = checked.pack
    for inject in pack.injects:
        releasing = released_by(inject, pack.branches)
        if inject.time_ms is None and not releasing and inject.type != "contingency inject":
            text = f"no branch releases {inject.inject}; give it a time, or make it a contingency inject"
            yield checked.finding("error", "unreachable-inject", "msel", inject.inject, text)
        if inject.time_ms is not None and releasing:
            text = f"{inject.inject} has a time and is released by {releasing[0].branch} too; write time: by branch"
            yield checked.finding("warning", "released-twice", "msel", inject.inject, text)
        if inject.time_ms is not None and inject.time_ms >= pack.duration_ms:
            text = f"{inject.inject} comes at or after ENDEX; nobody will see it"
            yield checked.finding("error", "after-endex", "msel", inject.inject, text)
        if inject.objective is None:
            yield checked.finding(
                "warning", "no-objective", "msel", inject.inject, f"{inject.inject} serves no objective"
            )
        if not inject.expected:
            text = f"{inject.inject} says no expected action, so an evaluator will not know what to look for"
            yield checked.finding("warning", "no-expected-action", "msel", inject.inject, text)


def _orders(checked: Checked) -> Iterator[Finding]:
    desks = {inject.inject: inject.to for inject in checked.pack.injects}
    for order in checked.pack.orders:
        awaited = [trigger.inject for trigger in triggers_of(order.on) if trigger.word == "inject_delivered"]
        for inject in awaited:
            if inject is not None and order.who not in desks[inject]:
                text = f"{order.order} can never act: {inject} does not land on the desk of {order.who}"
                yield checked.finding("error", "order-never-acts", "orders", order.order, text)


def _objectives(checked: Checked) -> Iterator[Finding]:
    served = {inject.objective for inject in checked.pack.injects}
    for objective in checked.pack.objectives:
        if objective.objective not in served and not any(each.kind in _OF_RED for each in objective.measures):
            text = f"no inject serves {objective.objective}, so it cannot be observed"
            yield checked.finding("warning", "objective-without-inject", "objectives", objective.objective, text)
        if not objective.measures:
            text = f"{objective.objective} has no measure, so it is judged by impression alone"
            yield checked.finding("warning", "objective-without-measure", "objectives", objective.objective, text)


def _seats(checked: Checked) -> Iterator[Finding]:
    times: defaultdict[str, list[int]] = defaultdict(list)
    for arrival in checked.flow.arrivals:
        times[arrival.agency].append(arrival.at_ms)
    for participant in checked.pack.participants:
        arrived = sorted(times[participant.agency])
        name = participant.agency
        if not arrived and participant.kind != "staff":
            text = f"nothing ever reaches the seat {name}; give it an inject, or name it in an order"
            yield checked.finding("warning", "seat-idle", "participants", name, text)
        elif participant.seat == "human":
            gaps = [later - earlier for earlier, later in pairwise([0, *arrived, checked.pack.duration_ms])]
            if max(gaps) > IDLE_MS_MAX:
                text = f"the player of {name} may sit idle for {max(gaps) // 60_000} minutes"
                yield checked.finding("warning", "seat-idle", "participants", name, text)
        most = max(
            (bisect_left(arrived, at_ms + _TEN_MINUTES_MS) - place for place, at_ms in enumerate(arrived)), default=0
        )
        if most > ITEMS_IN_TEN_MINUTES_MAX:
            text = f"{name} may get {most} items within ten minutes; spread them, or share the seat"
            yield checked.finding("warning", "seat-overloaded", "participants", name, text)


def _slow_links(checked: Checked) -> Iterator[Finding]:
    rates = {link.link: link.rate_bits_per_s for link in checked.pack.links}
    links = {participant.agency: participant.link for participant in checked.pack.participants}
    for inject in checked.pack.injects:
        text_bytes = sum(len(portion.content.text.encode()) + _SEALING_BYTES for portion in inject.material)
        reached = {*inject.to, *(agency for order in _acting_on(inject, checked.pack) for agency in order)}
        for agency in sorted(reached):
            rate = rates[links[agency]]
            if rate is not None and text_bytes * 8_000 // rate > TRANSFER_MS_MAX:
                seconds = text_bytes * 8 // rate
                text = f"the text of {inject.inject} takes {seconds} s on the link of {agency}; shorten it"
                yield checked.finding("warning", "long-body", "msel", inject.inject, text)


def _acting_on(inject: Inject, pack: Pack) -> list[tuple[str, ...]]:
    """Return whom the orders that act on an inject send to."""
    return [
        order.to for order in pack.orders if any(trigger.inject == inject.inject for trigger in triggers_of(order.on))
    ]


def _controllers(checked: Checked) -> Iterator[Finding]:
    spoken = [
        inject for inject in checked.pack.injects
        if inject.mode in _SPOKEN_MODES and inject.controller and inject.time_ms is not None
    ]  # fmt: skip
    for earlier, later in pairwise(sorted(spoken, key=lambda inject: (inject.controller, inject.time_ms or 0))):
        same = earlier.controller == later.controller
        if same and (later.time_ms or 0) - (earlier.time_ms or 0) < SPOKEN_MS:
            text = (
                f"{later.controller} has to speak {earlier.inject} and {later.inject} at once; give one to a colleague"
            )
            yield checked.finding("warning", "controller-busy", "msel", later.inject, text)


def _advice(checked: Checked) -> Iterator[Finding]:
    pack = checked.pack
    if not any(inject.type == "contingency inject" for inject in pack.injects):
        text = "there is no contingency inject; have one ready for when play stalls"
        yield checked.finding("advice", "no-contingency", "pack", "", text)
    if len(pack.injects) > 1 and len({inject.sender for inject in pack.injects}) == 1:
        text = f"every inject comes from {pack.injects[0].sender}; players soon hear one voice"
        yield checked.finding("advice", "one-sender", "pack", "", text)
    times = sorted(inject.time_ms for inject in pack.injects if inject.time_ms is not None)
    gaps = [later - earlier for earlier, later in pairwise([*times, pack.duration_ms])]
    if len(times) >= _PHASED_INJECTS_MIN and max(gaps) < QUIET_MS_MIN:
        text = "there is no quiet phase of a quarter of an hour; people need one to take stock"
        yield checked.finding("advice", "no-quiet-phase", "pack", "", text)
    if not pack.hot_wash_ms:
        text = "no time is set aside for the hot wash; write hot_wash: 30m under clock"
        yield checked.finding("advice", "no-hot-wash", "pack", "", text)
