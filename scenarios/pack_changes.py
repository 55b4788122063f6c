"""The changes of the community in mid-play: who joins, leaves, is suspended, takes the chair, which rules hold."""

from collections.abc import Iterator
from typing import Final

from policy.amendment import OF_MECHANISMS, STEPS, Amendment, Step
from scenarios.fields import Fields
from scenarios.model import Change
from scenarios.pack_community import CommunityNames
from scenarios.pack_rules import read_rules
from scenarios.problems import did_you_mean
from scenarios.text_yaml import MapNode, TextNode, shorten
from scenarios.values import datetime_ms, read_datetime, read_exercise_time_ms

_OF_RULES: Final = frozenset[Step]({"adopt", "drop"})
_OF_SUBJECTS: Final = frozenset[Step]({*OF_MECHANISMS, "chair"})  # a state or group may do so; the rest is an agency's


def read_changes(entries: list[tuple[str, Fields]], names: CommunityNames, start_ms: int) -> tuple[Change, ...]:
    """Read the changes, in the order of their times; those of one time in the order in which they stand."""
    found = []
    for change, fields in entries:
        time_ms = fields.required("at", lambda text: _read_time(text, start_ms), 0)
        amendments = tuple(item for step in STEPS for item in _read_step(step, fields, names, start_ms))
        if all(fields.node(step) is None for step in STEPS):
            known = ", ".join(STEPS)
            fields.problems.add(fields.mark, "missing", f"{fields.what} changes nothing", f"write one of: {known}")
        found.append(Change(change=change, time_ms=time_ms, amendments=amendments, why=fields.text("why")))
        fields.close()
    return tuple(sorted(found, key=lambda item: item.time_ms))


def _read_time(text: str, start_ms: int) -> int:
    """Read ``T+01:00``, or a date and time of the scenario."""
    from_start = text.strip().startswith("T")
    time_ms = read_exercise_time_ms(text) if from_start else datetime_ms(read_datetime(text)) - start_ms
    if time_ms < 0:
        msg = f"'{text.strip()[:40]}' lies before STARTEX; the community of the start is that of the other parts"
        raise ValueError(msg)
    return time_ms


def _read_step(step: Step, fields: Fields, names: CommunityNames, start_ms: int) -> Iterator[Amendment]:
    """Read ``suspend: [in-port]``, ``chair: idn-mar``, ``join: {mechanism: our-eyes, who: [TLS]}`` and their like."""
    if step in _OF_RULES:
        yield from _read_rule_step(step, fields, names)
        return
    if step not in OF_MECHANISMS and step != "clearance":
        for who in _read_who(step, step, fields, names):
            yield Amendment(step=step, who=who)
        return
    node = fields.node(step)
    if node is None:
        return
    if not isinstance(node, MapNode):
        remedy = (
            f"write {step}: {{who: [tls-di], {'level: EX-SECRET' if step == 'clearance' else 'mechanism: our-eyes'}}}"
        )
        fields.problems.add(node.mark, "form", f"'{step}' of {fields.what} must be a mapping", remedy)
        return
    inner = Fields(node, fields.problems, what=f"'{step}' of {fields.what}")
    mechanism = level = ""
    until_ms = (
        inner.required("until", lambda text: start_ms + _read_time(text, start_ms), 0) if step == "credit" else None
    )
    if step == "clearance":
        level = inner.required_one_of("level", names.levels, noun="level")
    else:
        mechanism = inner.required_one_of("mechanism", names.mechanisms, noun="mechanism of the pack")
    everybody = _read_who(step, "who", inner, names)
    if not inner.texts("who"):
        inner.problems.add(inner.mark, "missing", f"{inner.what} has no 'who'", "name at least one")
    inner.close()
    for who in everybody:
        yield Amendment(step=step, who=who, mechanism=mechanism, level=level, at_ms=until_ms)


def _read_rule_step(step: Step, fields: Fields, names: CommunityNames) -> Iterator[Amendment]:
    """Read ``adopt: [{id: R7, permit: {…}}]`` and ``drop: [R2]``."""
    if step == "drop":
        for item in fields.texts("drop"):
            yield Amendment(step="drop", who=item.value)
        return
    entries = [(item.required_text("id"), item) for item in fields.each("adopt")]
    for rule in read_rules(entries, names):
        yield Amendment(step="adopt", who=rule.rule, rule=rule)


def _read_who(step: Step, name: str, fields: Fields, names: CommunityNames) -> Iterator[str]:
    known = names.subjects if step in _OF_SUBJECTS else names.agencies
    for item in fields.texts(name):
        if item.value in known:
            yield item.value
        else:
            _note_unknown(item, fields, known=sorted(known))


def _note_unknown(item: TextNode, fields: Fields, *, known: list[str]) -> None:
    text = f"'{shorten(item.value)}' has no seat in this exercise"
    fields.problems.add(item.mark, "unknown-id", text, did_you_mean(item.value, known))
