"""The story of a pack: the facts, who needs them, who must never have them, and the injects that tell them."""

from collections.abc import Collection
from typing import Final, get_args

from scenarios.conditions import KnownIds
from scenarios.content import read_content, read_inline_portion
from scenarios.fields import Fields
from scenarios.model import ContentPortion, Fact, Inject, InjectMode, InjectType, MustNot, Need
from scenarios.parts import Parts
from scenarios.passages import ContentContext
from scenarios.problems import PackTextError
from scenarios.text_yaml import MapNode, Node, TextNode, decode_text
from scenarios.values import datetime_ms, read_datetime, read_duration_ms, read_exercise_time_ms

BY_BRANCH: Final = "by branch"
_AT_ONCE: Final[tuple[int, int | None]] = (0, None)
_TYPES: Final[tuple[InjectType, ...]] = get_args(InjectType)
_MODES: Final[tuple[InjectMode, ...]] = get_args(InjectMode)


def read_facts(entries: list[tuple[str, Fields]]) -> tuple[Fact, ...]:
    """Read the ground truth."""
    found = []
    for fact, fields in entries:
        signs = tuple(dict.fromkeys(item.value for item in fields.texts("signs") if item.value))
        found.append(Fact(fact=fact, text=fields.required_text("text"), eei=fields.text("eei"), signs=signs))
        fields.close()
    return tuple(found)


def read_needs(
    entries: list[tuple[str, Fields]], facts: Collection[str], agencies: Collection[str]
) -> tuple[Need, ...]:
    """Read the information exchange requirements; ``by`` is a duration, or a time of the exercise (``T+01:30``)."""
    found = []
    for need, fields in entries:
        by_ms, from_ms = fields.required("by", _read_by, _AT_ONCE)
        found.append(
            Need(
                need=need,
                fact=fields.required_one_of("fact", facts, noun="fact of the pack"),
                who=_read_who(fields, agencies),
                by_ms=by_ms,
                from_ms=from_ms,
                why=fields.text("why"),
            )
        )
        fields.close()
    return tuple(found)


def _read_by(text: str) -> tuple[int, int | None]:
    if text.strip().startswith("T"):
        return read_exercise_time_ms(text), 0
    return read_duration_ms(text), None


def _read_who(fields: Fields, agencies: Collection[str]) -> tuple[str, ...]:
    who = fields.words("who", agencies, noun="participant")
    if not fields.texts("who"):
        fields.problems.add(fields.mark, "missing", f"{fields.what} has no 'who'", "name at least one participant")
    return who


def read_must_nots(
    entries: list[tuple[str, Fields]], facts: Collection[str], agencies: Collection[str]
) -> tuple[MustNot, ...]:
    """Read who must never be able to read a fact."""
    found = []
    for must_not, fields in entries:
        found.append(
            MustNot(
                must_not=must_not,
                fact=fields.required_one_of("fact", facts, noun="fact of the pack"),
                who=_read_who(fields, agencies),
                why=fields.text("why"),
            )
        )
        fields.close()
    return tuple(found)


def read_msel(
    entries: list[tuple[str, Fields]], known: KnownIds, context: ContentContext, parts: Parts
) -> tuple[Inject, ...]:
    """Read the rows of the MSEL in the order of their times, those that only a branch releases last."""
    found = []
    for inject, fields in entries:
        title = fields.required_text("title")
        material = read_material(f"msel/{inject}", title, fields, context, parts)
        told = [context.passage_facts[passage] for portion in material for passage in portion.content.passages]
        carries = fields.words("carries", known.facts, noun="fact of the pack")
        kind = fields.word("type", _TYPES, "inject")
        to = _read_to(fields, known.agencies)
        found.append(
            Inject(
                inject=inject,
                time_ms=fields.required("time", lambda text: _read_time(text, context.start_ms), None),
                type=kind,
                mode=fields.word("mode", _MODES, "report"),
                sender=fields.text("from", "EXCON"),
                to=to,
                title=title,
                controller=fields.text("controller"),
                objective=fields.one_of("objective", known.objectives, noun="objective of the pack"),
                expected=fields.text("expected"),
                carries=tuple(dict.fromkeys((*carries, *told))),
                material=material,
                notes=fields.text("notes"),
            )
        )
        fields.close()
    return tuple(sorted(found, key=lambda inject: (inject.time_ms is None, inject.time_ms or 0)))


def _read_time(text: str, start_ms: int) -> int | None:
    """Read ``T+5m``, a date and time of the scenario, or ``by branch``."""
    if text.strip().lower() == BY_BRANCH:
        return None
    time_ms = (
        read_exercise_time_ms(text) if text.strip().startswith("T") else datetime_ms(read_datetime(text)) - start_ms
    )
    if time_ms < 0:
        msg = f"'{text.strip()[:40]}' lies before STARTEX; what happened before belongs into the briefs"
        raise ValueError(msg)
    return time_ms


def _read_to(fields: Fields, agencies: Collection[str]) -> tuple[str, ...]:
    if not fields.texts("to"):
        fields.problems.add(
            fields.mark, "missing", f"{fields.what} has no 'to'", "name the seats whose desk it lands on"
        )
    return fields.words("to", agencies, noun="participant")


def read_material(
    origin: str, title: str, fields: Fields, context: ContentContext, parts: Parts
) -> tuple[ContentPortion, ...]:
    """Read the text of an inject, or of a false report: a content file, or text that stands here under one label."""
    message = fields.node("message")
    label = fields.node("label")
    if message is None:
        return ()
    if not isinstance(message, TextNode):
        fields.problems.add(
            message.mark, "form", "'message' must be a file or a text", "write content/E01.md, or the text itself"
        )
        return ()
    name = message.value.strip()
    if not name.endswith(".md"):
        entries: list[tuple[TextNode, Node]] = [(TextNode("title", message.mark), TextNode(title, message.mark))]
        if label is not None:
            entries.append((TextNode("label", label.mark), label))
        header = Fields(MapNode(tuple(entries), message.mark), context.problems, what=f"the text of {origin}")
        portion = read_inline_portion(header, message, origin, context)
        return () if portion is None else (portion,)
    if label is not None:
        fields.problems.add(
            label.mark, "form", "the portions of a content file have labels of their own", "remove 'label' here"
        )
    try:
        text = decode_text(parts.files.fetch(name, message.mark), name)
    except PackTextError as error:
        parts.problems.take(error)
        return ()
    return read_content(text, name, context)
