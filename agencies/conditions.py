"""Conditions on what has happened: the trigger words of standing orders and branches.

They are matched on sightings, which name messages, places and passages by id; no truth of the exercise is in them,
so a desk that matches its orders learns nothing that it has not been told.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from schemas.workflow import CoordAct

TriggerWord = Literal[
    "time", "manual", "inject_delivered", "report_sent", "report_received", "opened", "acknowledged", "fact_known",
    "request_received", "decision_received", "correction_received", "rule_denied", "link_down", "request_lapsed",
    "recall_received", "tainted",
    "rfi_received", "answer_received", "deconflict_received", "hit", "no_hit", "coord_received", "unanswered",
    "cosign_asked", "override_received", "overridden",
    "proposal_received", "objection_received", "no_objection", "opposed",
]  # fmt: skip
Outcome = Literal["grant", "refuse"]
_TELLS_FACTS: Final = frozenset(
    {"inject_delivered", "report_received", "correction_received", "answer_received", "override_received"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Something that happened at a desk.

    Attributes:
        word: What; ``fact_known`` is never a sighting of its own, any sighting with the passages is one.
        who: Where.
        at_ms: When, Unix ms.
        cause: The inject's id, or the message's in hex.
        sender: Whose message it was.
        topics: Of the portions that were readable.
        passages: The opaque ids of the passages that were readable.
        outcome: Of a decision.
        order: The standing order that sent it, where it was sent here.
        step: Of a coordination.
    """

    word: TriggerWord
    who: str
    at_ms: int
    cause: str
    sender: str | None = None
    topics: tuple[str, ...] = ()
    passages: frozenset[str] = frozenset()
    outcome: Outcome | None = None
    order: str | None = None
    step: CoordAct | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What to look for; a field that is None matches anything. ``passages``: any one of them suffices."""

    word: TriggerWord
    who: str | None = None
    sender: str | None = None
    inject: str | None = None
    topic: str | None = None
    passages: frozenset[str] | None = None
    order: str | None = None
    outcome: Outcome | None = None
    step: CoordAct | None = None
    time_ms: int | None = None

    def matches(self, sighting: Sighting) -> bool:
        """Tell whether this sighting is what is looked for."""
        return (
            sighting.word in (_TELLS_FACTS if self.word == "fact_known" else {self.word})
            and self.who in {None, sighting.who}
            and self.sender in {None, sighting.sender}
            and self.inject in {None, sighting.cause}
            and self.order in {None, sighting.order}
            and self.outcome in {None, sighting.outcome}
            and self.step in {None, sighting.step}
            and (self.passages is None or bool(self.passages & sighting.passages))
            and (self.topic is None or any(_topic_matches(self.topic, topic) for topic in sighting.topics))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Triggers joined by all, any or not; exactly one of the fields is set."""

    trigger: Trigger | None = None
    all: tuple["Condition", ...] = ()
    any: tuple["Condition", ...] = ()
    negated: "Condition | None" = None


def find(condition: Condition, sightings: Sequence[Sighting], *, now_ms: int) -> tuple[Sighting, ...] | None:
    """Return the sightings by which a condition holds, or None if it does not; a time or a not needs none.

    Args:
        condition: What is asked.
        sightings: Everything that has happened, oldest first; the latest match counts.
        now_ms: Unix ms.
    """
    if condition.trigger is not None:
        return _find_trigger(condition.trigger, sightings, now_ms)
    if condition.negated is not None:
        return () if find(condition.negated, sightings, now_ms=now_ms) is None else None
    if condition.any:
        found = [part for item in condition.any if (part := find(item, sightings, now_ms=now_ms)) is not None]
        # What has just happened goes first: a desk acts on news, and an older cause of the same must not hide it.
        latest = sightings[-1:]
        return next((part for part in found if latest and latest[0] in part), found[0] if found else None)
    parts = [find(part, sightings, now_ms=now_ms) for part in condition.all]
    if not parts or any(part is None for part in parts):
        return None
    return tuple(sighting for part in parts for sighting in part or ())


def times_of(condition: Condition) -> tuple[int, ...]:
    """Return the times that a condition names, at which it may come to hold without anything happening; Unix ms."""
    if condition.trigger is not None:
        return () if condition.trigger.time_ms is None else (condition.trigger.time_ms,)
    parts = [*condition.all, *condition.any, *([condition.negated] if condition.negated else [])]
    return tuple(at_ms for part in parts for at_ms in times_of(part))


def words_of(condition: Condition) -> frozenset[TriggerWord]:
    """Return the words of every trigger in a condition."""
    if condition.trigger is not None:
        return frozenset({condition.trigger.word})
    parts = [*condition.all, *condition.any, *([condition.negated] if condition.negated else [])]
    return frozenset(word for part in parts for word in words_of(part))


def _find_trigger(trigger: Trigger, sightings: Sequence[Sighting], now_ms: int) -> tuple[Sighting, ...] | None:
    if trigger.word == "time":
        if trigger.time_ms is None or now_ms < trigger.time_ms:
            return None
        # A desk that waits for times is told when they come; elsewhere the time itself is enough.
        came = (seen for seen in sightings if seen.word == "time" and seen.at_ms >= (trigger.time_ms or 0))
        return tuple(itertools.islice(came, 1))
    for sighting in reversed(sightings):
        if trigger.matches(sighting):
            return (sighting,)
    return None


def _topic_matches(pattern: str, topic: str) -> bool:
    if pattern.endswith(".*"):
        return topic.startswith(pattern[:-1])
    return pattern == topic
