"""A simulated desk: it reads, decides by its standing orders, takes its time, and says why it does each thing.

Pure: sightings in, planned acts out. What it may not know it is never given: no facts, no needs, only passages by
opaque id and the words of its own orders. How well it keeps passages apart is a matter of skill and of chance.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from agencies.conditions import Condition, Outcome, Sighting, TriggerWord, find, times_of, words_of
from agencies.deconflict import Identifier
from agencies.drafts import OverrideTerms
from schemas.label import Label
from schemas.workflow import CoordAct

ActWord = Literal[
    "report", "forward", "request", "decide", "correct", "acknowledge",
    "hold", "joint", "cosign", "refuse_cosign", "withdraw", "ask", "answer", "decline", "deconflict", "coordinate",
    "recall", "override", "propose", "object",
]  # fmt: skip


_DECIDING: Final = frozenset({"decide", "cosign", "refuse_cosign", "withdraw", "object", "recall"})


class Chance(Protocol):
    """Where a bot's luck comes from; a seeded one, so that a play can be repeated."""

    def random(self) -> float:
        """Return a number from 0 up to, but not including, 1."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long something takes: at least and at most, in ms."""

    least_ms: int
    most_ms: int

    def draw(self, chance: Chance) -> int:
        """Return a duration within the bounds, every one equally likely."""
        return self.least_ms + int((self.most_ms - self.least_ms + 1) * chance.random())


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """How a desk works. ``sanitising`` is the share of passages to be dropped that it does drop, 0 to 1."""

    read: Pace
    write: Pace
    decide: Pace
    sanitising: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingOrder:
    """What a desk does when something happens, and why; the fields are those of a pack's ``orders``.

    Attributes:
        order: Its id.
        on: When.
        do: The act.
        to: Whom the desk means to tell; empty means everybody whom policy permits.
        label: Of what is written; None keeps the material's own, or the roll-up of what is quoted.
        title: Of what is written; None keeps the material's own.
        keep: The passages that are kept, None keeps all.
        corrects: For ``correct``: the order whose report is superseded.
        subject: What is asked for, or what is to be done.
        answer_within_ms: How long the asker can wait.
        question: For ``ask``: the question; for ``coordinate``: what is said beside the subject.
        about: For ``deconflict``: what the other may hold too.
        step: For ``coordinate``.
        affected: For ``coordinate``: the states that help is asked for or offered to.
        override: For ``override``: what is told, and under which authority.
        among: For ``propose``: the mechanism whose members may object.
        releases: For ``propose``: the order whose report goes to ``reader`` if nobody does.
        outcome: For ``decide``.
        conditions: For a grant.
        grants: For a grant: the order whose report is released to the asker.
        expires_after_ms: For a grant: how long it lasts; None is for good, or as long as the asker wanted it.
        reader: For ``request``: for whom the desk asks; None is itself.
        wanted_for_ms: For ``request``: how long the reader wants it; None is for good.
        recalls: For ``recall``: the order whose report is taken back; None is whatever a recall has tainted.
        after: How long it takes, where the desk's own pace does not apply.
        why: The reason, in words.
        once: Whether it is done only the first time.
        cosigners: For ``joint``: who is to co-sign.
        needs: For ``joint``: how many of them have to; None is all.
        withdraws: For ``withdraw``: the order whose co-signature is taken back.
        conceals: For a refusal: the asker is told that there is no such report, and nothing else.
    """

    order: str
    on: Condition
    do: ActWord
    to: tuple[str, ...]
    label: Label | None
    title: str | None
    keep: frozenset[str] | None
    corrects: str | None
    subject: str
    answer_within_ms: int
    outcome: Outcome | None
    conditions: str
    grants: str | None
    after: Pace | None
    why: str
    once: bool
    expires_after_ms: int | None = None
    reader: str | None = None
    wanted_for_ms: int | None = None
    recalls: str | None = None
    cosigners: tuple[str, ...] = ()
    needs: int | None = None
    withdraws: str | None = None
    conceals: bool = False
    question: str = ""
    about: tuple[Identifier, ...] = ()
    step: CoordAct | None = None
    affected: tuple[str, ...] = ()
    override: OverrideTerms | None = None
    among: str = ""
    releases: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAct:
    """What a desk will do, when, and because of what it saw."""

    order: StandingOrder
    after_ms: int
    causes: tuple[Sighting, ...]


class Bot:
    """A desk without a person.

    Args:
        orders: Its standing orders, in the order they are tried.
        skill: How it works.
        chance: Its luck.
    """

    def __init__(self, *, orders: Iterable[StandingOrder], skill: Skill, chance: Chance) -> None:
        self._orders = tuple(orders)
        self._skill = skill
        self._chance = chance
        self._sightings: list[Sighting] = []
        self._done: set[str] = set()

    def times(self) -> tuple[int, ...]:
        """Return the times that its orders wait for, Unix ms, each once and in order."""
        return tuple(sorted({at_ms for order in self._orders for at_ms in times_of(order.on)}))

    def reading_ms(self) -> int:
        """Return how long the desk takes to open what has just come."""
        return self._skill.read.draw(self._chance)

    def deciding_ms(self) -> int:
        """Return how long the desk takes to decide on what it has no order for."""
        return self._skill.decide.draw(self._chance)

    def waits_for(self, word: TriggerWord) -> bool:
        """Tell whether any of its orders names this trigger."""
        return any(word in words_of(order.on) for order in self._orders)

    def notice(self, sighting: Sighting) -> tuple[PlannedAct, ...]:
        """Take in something that happened at the desk; returns what it will do because of it."""
        self._sightings.append(sighting)
        planned: list[PlannedAct] = []
        for order in self._orders:
            if order.once and order.order in self._done:
                continue
            causes = find(order.on, self._sightings, now_ms=sighting.at_ms)
            # Only what has just happened can set an order off; else an old sighting would do so for ever.
            if causes is None or sighting not in causes:
                continue
            self._done.add(order.order)
            planned.append(PlannedAct(order=order, after_ms=self._pace(order).draw(self._chance), causes=causes))
        return tuple(planned)

    def kept(self, passages: Iterable[str], order: StandingOrder) -> frozenset[str]:
        """Return the passages that end up in what is written: those to be kept, and those that slip through."""
        if order.keep is None:
            return frozenset(passages)
        return frozenset(
            passage
            for passage in dict.fromkeys(passages)
            if passage in order.keep or self._chance.random() >= self._skill.sanitising
        )

    def _pace(self, order: StandingOrder) -> Pace:
        if order.after is not None:
            return order.after
        return self._skill.decide if order.do in _DECIDING else self._skill.write
