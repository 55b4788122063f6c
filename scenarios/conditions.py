"""Triggers and conditions as a planner writes them: closed words, no expressions.

A condition is one trigger (``report_received: {sender: in-ship, topic: toc.piracy}``), or triggers joined by ``all:``,
``any:`` or ``not:``, at most two deep.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

from scenarios.fields import Fields
from scenarios.model import Condition, Trigger, TriggerWord
from scenarios.problems import Problems, did_you_mean
from scenarios.text_yaml import ListNode, MapNode, Node, TextNode, shorten
from scenarios.values import read_exercise_time_ms
from schemas.workflow import CoordAct

CONDITION_DEPTH_MAX: Final = 2  # deeper than this nobody can say aloud what a branch waits for
TRIGGERS_MAX: Final = 16  # in one condition
_JOIN: Final[dict[str, Callable[[tuple[Condition, ...]], Condition]]] = {
    "all": lambda parts: Condition(all=parts),
    "any": lambda parts: Condition(any=parts),
    "not": lambda parts: Condition(negated=parts[0]),
}
_JOINERS: Final = tuple(_JOIN)
_WORDS: Final[tuple[TriggerWord, ...]] = get_args(TriggerWord)
_OUTCOMES: Final = ("grant", "refuse")
_STEPS: Final[tuple[CoordAct, ...]] = get_args(CoordAct)
_TOPIC_PATTERN: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*(?:\.\*)?", re.ASCII)
_REPORT_FIELDS: Final = ("who", "sender", "topic", "fact")
# What each trigger can be narrowed by. A field that could never match is refused rather than ignored.
_FIELDS: Final[dict[TriggerWord, tuple[str, ...]]] = {
    "time": (),
    "manual": (),
    "inject_delivered": ("who", "inject"),
    "report_sent": ("who", "order"),
    "report_received": _REPORT_FIELDS,
    "opened": ("who", "sender"),
    "acknowledged": ("who", "sender"),
    "fact_known": ("who", "fact"),
    "request_received": ("who", "sender"),
    "decision_received": ("who", "sender", "outcome"),
    "correction_received": _REPORT_FIELDS,
    "rule_denied": ("who", "order"),
    "link_down": ("who",),
    "request_lapsed": ("who", "sender"),
    "recall_received": ("who", "sender"),
    "tainted": ("who", "sender"),
    "rfi_received": ("who", "sender", "topic"),
    "answer_received": _REPORT_FIELDS,
    "deconflict_received": ("who", "sender"),
    "hit": ("who", "sender"),
    "no_hit": ("who", "sender"),
    "coord_received": ("who", "sender", "step"),
    "unanswered": ("who", "sender"),
    "cosign_asked": _REPORT_FIELDS,
    "override_received": _REPORT_FIELDS,
    "overridden": ("who", "sender"),
    "proposal_received": ("who", "sender"),
    "objection_received": ("who", "sender"),
    "no_objection": ("who", "order"),
    "opposed": ("who", "order"),
}
# The field that a trigger written as one word means: ``inject_delivered: E01``.
_MAIN_FIELD: Final[dict[TriggerWord, str]] = {"inject_delivered": "inject", "fact_known": "fact", "link_down": "who"}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownIds:
    """The ids that a condition, an order or an inject may name."""

    agencies: Collection[str]
    facts: Collection[str]
    injects: Collection[str]
    orders: Collection[str]
    labels: Collection[str]
    objectives: Collection[str]
    mechanisms: Collection[str]


def read_condition(node: Node, known: KnownIds, problems: Problems, *, desk: str | None = None) -> Condition | None:
    """Read a condition; None after a slip.

    Args:
        node: What stands after ``on:`` or ``when:``.
        known: The ids it may name.
        problems: Where slips are noted.
        desk: The agency whose standing order this is; a desk sees only what happens at its own desk.
    """
    condition = _read_joined(node, known, problems, desk, depth=0)
    if condition is not None and len(triggers_of(condition)) > TRIGGERS_MAX:
        problems.add(node.mark, "limit", f"more than {TRIGGERS_MAX} triggers in one condition", "split it into two")
    return condition


def triggers_of(condition: Condition) -> tuple[Trigger, ...]:
    """Return every trigger in a condition, in written order."""
    own = () if condition.trigger is None else (condition.trigger,)
    negated = () if condition.negated is None else (condition.negated,)
    return own + tuple(found for part in (*condition.all, *condition.any, *negated) for found in triggers_of(part))


def _read_joined(node: Node, known: KnownIds, problems: Problems, desk: str | None, *, depth: int) -> Condition | None:
    if isinstance(node, TextNode) and node.value == "manual":
        return Condition(trigger=Trigger(word="manual", who=desk))
    if not isinstance(node, MapNode) or len(node.entries) != 1:
        problems.add(
            node.mark, "form", "a condition is one 'trigger: {…}'", "join several with all: [ … ] or any: [ … ]"
        )
        return None
    (key, value), *_ = node.entries
    if key.value not in _JOINERS:
        trigger = _read_trigger(key, value, known, problems, desk)
        return None if trigger is None else Condition(trigger=trigger)
    if depth >= CONDITION_DEPTH_MAX:
        problems.add(key.mark, "depth", f"conditions nest at most {CONDITION_DEPTH_MAX} deep", "make two of it")
        return None
    items = value.items if isinstance(value, ListNode) and key.value != "not" else (value,)
    joined = [_read_joined(item, known, problems, desk, depth=depth + 1) for item in items]
    parts = tuple(part for part in joined if part is not None)
    if not items:
        problems.add(value.mark, "form", f"'{key.value}:' joins nothing", f"write {key.value}: [{{…}}, {{…}}]")
    if not items or len(parts) < len(items):
        return None  # the slip is noted; half a condition would mean something else
    return _JOIN[key.value](parts)


def _read_trigger(key: TextNode, value: Node, known: KnownIds, problems: Problems, desk: str | None) -> Trigger | None:
    word = next((word for word in _WORDS if word == key.value), None)
    if word is None:
        problems.add(
            key.mark,
            "unknown-word",
            f"'{shorten(key.value)}' is no trigger",
            did_you_mean(key.value, (*_WORDS, *_JOINERS)),
        )
        return None
    if word == "time":
        holder = Fields(MapNode(((key, value),), key.mark), problems, what="the trigger")
        return Trigger(word=word, who=desk, time_ms=holder.required("time", read_exercise_time_ms, 0))
    if isinstance(value, TextNode):
        if word not in _MAIN_FIELD and value.value:
            problems.add(
                value.mark, "form", f"'{word}' needs its fields", f"write {word}: {{{', '.join(_FIELDS[word])}}}"
            )
            return None
        entries = ((TextNode(_MAIN_FIELD[word], value.mark), value),) if value.value else ()
        value = MapNode(entries, value.mark)
    return _read_trigger_fields(word, Fields(value, problems, what=f"the trigger {word}"), known, desk)


def _read_trigger_fields(word: TriggerWord, fields: Fields, known: KnownIds, desk: str | None) -> Trigger:
    def one_of(name: str, ids: Collection[str], noun: str) -> str | None:
        return fields.one_of(name, ids, noun=noun) if name in _FIELDS[word] else None

    who = one_of("who", known.agencies, "participant")
    if desk is not None and who not in {None, desk}:
        fields.problems.add(
            fields.mark_of("who"), "other-desk", f"an order of {desk} cannot wait for what happens at {who}",
            "a desk sees only its own; let the other desk report, or use a branch",
        )  # fmt: skip
    topic = fields.text("topic") if "topic" in _FIELDS[word] else ""
    if topic and _TOPIC_PATTERN.fullmatch(topic) is None:
        fields.problems.add(
            fields.mark_of("topic"), "value", f"'{shorten(topic)}' is no topic", "write for example toc.piracy or toc.*"
        )
    outcome = one_of("outcome", _OUTCOMES, "outcome of a decision")
    trigger = Trigger(
        word=word,
        who=desk or who,
        sender=one_of("sender", known.agencies, "participant"),
        inject=one_of("inject", known.injects, "inject of the MSEL"),
        topic=topic or None,
        fact=one_of("fact", known.facts, "fact of the pack"),
        order=one_of("order", known.orders, "standing order of the pack"),
        outcome=cast("Literal['grant', 'refuse'] | None", outcome),
        step=cast("CoordAct | None", one_of("step", _STEPS, "step of a coordination")),
    )
    fields.close()
    return trigger
