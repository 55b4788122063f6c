"""MISP events in: an event, its objects and attributes become the portions of a report, one per marking.

Only what is written to be shared is read. Left out, and said so: what is deleted, proposals nobody has accepted,
related events (they name others), local and non-exportable tags, samples and attachments. The address of the person
who entered the event is never read.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from agencies.intake import plain_text, topics
from agencies.intake.markings import mark_of_tag
from agencies.intake.marks import Mark
from agencies.intake.misp_distribution import Distributions, read_integer
from agencies.intake.portions import PLAIN_HEADING, Item, build_report, count_kinds
from agencies.intake.shapes import Findings, Imported, IntakeDefaults
from schemas.errors import InputError
from schemas.report import Indicator

STANDARD: Final = "MISP"

_MALFORMED: Final = "It is not a MISP event as it stands; export it again as MISP JSON."
_THREAT_LEVELS: Final = {1: "high", 2: "medium", 3: "low", 4: "undefined"}  # MISP core format, threat_level_id
_ANALYSIS: Final = {0: "initial", 1: "ongoing", 2: "completed"}  # MISP core format, analysis
_VALUE_CHARS_MAX: Final = 4_096  # schemas.report.Indicator.value
_DAY_MS: Final = 86_400_000
_LAST_SECOND: Final = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that a datetime has

_GALAXY: Final = "the description of a galaxy, whose name stays as a tag,"

Element = Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class _Event:
    """What applies to everything within one event."""

    place: str
    mark: Mark
    info: str
    topics: tuple[str, ...]
    distributions: Distributions
    defaults: IntakeDefaults
    findings: Findings


def read_misp(document: Any, *, name: str, defaults: IntakeDefaults) -> Imported:
    """Read one or more MISP events into a report.

    Args:
        document: The parsed JSON: ``{"Event": …}``, ``{"response": [{"Event": …}]}``, a bare event, or a list.
        name: What the file is called.
        defaults: What holds where the file is silent.

    Raises:
        InputError: If it is no MISP event, or does not fit into one report.
        MarkingError: If a tag, a distribution or a sharing group is not known.
    """
    findings = Findings()
    items: list[Item] = []
    for place, event in _events(document, name=name):
        items.extend(_event_items(event, place=place, defaults=defaults, findings=findings))
    report = build_report(items, standard=STANDARD, name=name, defaults=defaults)
    return Imported(
        report=report,
        standard=STANDARD,
        source_name=name,
        warnings=findings.lines(),
        counts=count_kinds(items),
        validation="our own checks of structure and markings",
    )


def _events(document: Any, *, name: str) -> Iterator[tuple[str, Element]]:
    place = name
    if isinstance(document, dict) and "response" in document:
        document, place = document["response"], f"{name}: response"
    listed = document if isinstance(document, list) else [document]
    if not listed:
        msg = f"{place}: holds no event"
        raise InputError(msg, remedy="The search in MISP found nothing; export the event again.")
    for at, entry in enumerate(listed):
        here = f"{place}.[{at}]" if isinstance(document, list) else place
        event = entry.get("Event", entry) if isinstance(entry, dict) else None
        if not isinstance(event, dict) or not ("info" in event or "Attribute" in event or "Object" in event):
            msg = f"{here}: not a MISP event"
            raise InputError(msg, remedy=_MALFORMED)
        yield f"{here}{_reference(event)}", event


def _event_items(event: Element, *, place: str, defaults: IntakeDefaults, findings: Findings) -> Iterator[Item]:
    distributions = Distributions(event, defaults=defaults, findings=findings)
    shown, mark = _tags(event, place=place, findings=findings)
    mark = mark.joined(distributions.mark(event, place=place, inherits=False))
    if event.get("published") in (False, 0, "0"):
        # A draft is not released by its distribution: only a tag can say more than the node's default, and the
        # default is what holds without one.
        findings.add("published is false: a draft, to which the default mark applies unless it is tagged", place)
    context = _Event(
        place=place,
        mark=mark,
        info=_text_of(event, "info"),
        topics=tuple(topics.of_misp(category="", kind="", tags=_tag_names(event))),
        distributions=distributions,
        defaults=defaults,
        findings=findings,
    )
    yield _header(event, shown, context)
    for at, attribute in _elements(event, "Attribute", place=place):
        yield from _attribute_items(attribute, place=at, outer=mark, event=context, part_of="")
    for at, grouped in _elements(event, "Object", place=place):
        yield from _object_items(grouped, place=at, event=context)
    for at, report in _elements(event, "EventReport", place=place):
        yield from _event_report_items(report, place=at, event=context)
    for key, what in (
        ("ShadowAttribute", "a proposal nobody has accepted"),
        ("RelatedEvent", "a related event"),
        ("Galaxy", _GALAXY),
    ):
        for at, _left_out in _elements(event, key, place=place):
            findings.add(f"{what} was left out", at)


def _header(event: Element, tags: Sequence[str], context: _Event) -> Item:
    creator = event.get("Orgc")
    fields = {
        "Reference": _text_of(event, "uuid"),
        "Extends": _text_of(event, "extends_uuid"),
        "Date": _text_of(event, "date"),
        "Created by": _text_of(creator, "name") if isinstance(creator, dict) else "",
        "Threat level": _THREAT_LEVELS.get(read_integer(event.get("threat_level_id")) or 0, ""),
        "Analysis": _ANALYSIS.get(_or(read_integer(event.get("analysis")), -1), ""),
        "Last change": _moment(event.get("timestamp")),
        "Tags": ", ".join(plain_text.one_line(tag, chars_max=200) for tag in tags),
    }
    begin = plain_text.millis(f"{_text_of(event, 'date')}T00:00:00Z")
    return Item(
        mark=context.mark.settled(context.defaults.tlp),
        kind="event",
        text=_paragraph("event", context.info, fields),
        heading=context.info,
        heading_rank=0,
        # "date" is a day, without a time: it happened at some time of it.
        observed=(begin, None if begin is None else begin + _DAY_MS - 1),
        observed_rank=0,
        observed_by_day=True,
        topics=context.topics,
    )


def _object_items(grouped: Element, *, place: str, event: _Event) -> Iterator[Item]:
    if _is_deleted(grouped):
        event.findings.add("a deleted object was left out", place)
        return
    shown, mark = _tags(grouped, place=place, findings=event.findings)
    mark = event.mark.joined(mark).joined(event.distributions.mark(grouped, place=place, inherits=True))
    name = _text_of(grouped, "name") or "object"
    fields = {
        "Reference": _text_of(grouped, "uuid"),
        "Description": _text_of(grouped, "description"),
        "Comment": _text_of(grouped, "comment"),
        "Tags": ", ".join(shown),
    }
    yield _part(grouped, mark, event, kind="object", text=_paragraph("object", name, fields))
    for at, attribute in _elements(grouped, "Attribute", place=place):
        yield from _attribute_items(attribute, place=at, outer=mark, event=event, part_of=name)
    for at, _reference_left_out in _elements(grouped, "ObjectReference", place=place):
        # It names another object, whose mark may be tighter; the ids in the texts say what belongs together.
        event.findings.add("a reference between objects was left out", at)


def _attribute_items(attribute: Element, *, place: str, outer: Mark, event: _Event, part_of: str) -> Iterator[Item]:
    if _is_deleted(attribute):
        event.findings.add("a deleted attribute was left out", place)
        return
    for at, _left_out in _elements(attribute, "ShadowAttribute", place=place):
        event.findings.add("a proposal nobody has accepted was left out", at)
    if attribute.get("data"):
        event.findings.add("the sample or attachment of an attribute was left out; its name was kept", place)
    shown, own = _tags(attribute, place=place, findings=event.findings)
    own = own.joined(event.distributions.mark(attribute, place=place, inherits=True))
    mark = outer.joined(own)
    if own.tlp is not None and mark.tlp != own.tlp:
        event.findings.add("a TLP tag is wider than that of its event or object, which holds", place)
    kind, value = _text_of(attribute, "type") or "attribute", _text_of(attribute, "value")
    category, comment = _text_of(attribute, "category"), _text_of(attribute, "comment")
    fields = {
        "Reference": _text_of(attribute, "uuid"),
        "Category": category,
        "Part of": part_of if mark.settled(event.defaults.tlp).covers(outer.settled(event.defaults.tlp)) else "",
        "Relation": _text_of(attribute, "object_relation"),
        "Comment": comment,
        "For detection": _yes_or_no(attribute.get("to_ids")),
        "First seen": _text_of(attribute, "first_seen"),
        "Last seen": _text_of(attribute, "last_seen"),
        "Last change": _moment(attribute.get("timestamp")),
        "Tags": ", ".join(plain_text.one_line(tag, chars_max=200) for tag in shown),
    }
    note = "; ".join(word for word in (category, comment) if word)
    yield _part(
        attribute,
        mark,
        event,
        kind=kind,
        text=_paragraph(kind, value, fields),
        indicators=tuple(_indicators(kind, value, note)),
        found=tuple(topics.of_misp(category=category, kind=kind, tags=_tag_names(attribute))),
    )


def _event_report_items(report: Element, *, place: str, event: _Event) -> Iterator[Item]:
    if _is_deleted(report):
        event.findings.add("a deleted event report was left out", place)
        return
    shown, own = _tags(report, place=place, findings=event.findings)
    mark = event.mark.joined(own).joined(event.distributions.mark(report, place=place, inherits=True))
    fields = {"Reference": _text_of(report, "uuid"), "Content": _text_of(report, "content"), "Tags": ", ".join(shown)}
    yield _part(report, mark, event, kind="report", text=_paragraph("report", _text_of(report, "name"), fields))


def _part(
    element: Element,
    mark: Mark,
    event: _Event,
    *,
    kind: str,
    text: str,
    indicators: tuple[Indicator, ...] = (),
    found: tuple[str, ...] = (),
) -> Item:
    settled = mark.settled(event.defaults.tlp)
    # What the event is called and about stands with a part only for those who may have the event's own words.
    named = settled.covers(event.mark.settled(event.defaults.tlp))
    begin, end = (plain_text.millis(element.get(name)) for name in ("first_seen", "last_seen"))
    return Item(
        mark=settled,
        kind=plain_text.one_line(kind, chars_max=60),
        text=text,
        heading=event.info if named else "",
        heading_rank=1 if named else PLAIN_HEADING,
        indicators=indicators,
        observed=(begin, end),
        topics=found + (event.topics if named else ()),
    )


def _indicators(kind: str, value: str, note: str) -> Iterator[Indicator]:
    """Yield the values; a composite type such as ``filename|sha256`` holds two, divided in the same way."""
    kinds, values = kind.split("|"), value.split("|")
    pairs = zip(kinds, values, strict=True) if len(kinds) == len(values) else [(kind, value)]
    for one_kind, one_value in pairs:
        word, text = plain_text.as_word(one_kind), one_value.strip()
        if word and text and len(text) <= _VALUE_CHARS_MAX:
            yield Indicator(kind=word, value=text, note=plain_text.one_line(note, chars_max=400))


def _tags(holder: Element, *, place: str, findings: Findings) -> tuple[list[str], Mark]:
    """Return the tags that go along as text, and the mark that the others make."""
    shown: list[str] = []
    mark = Mark()
    for at, tag in _elements(holder, "Tag", place=place):
        name = tag.get("name")
        if not isinstance(name, str):
            msg = f"{at}: a tag without a name"
            raise InputError(msg, remedy=_MALFORMED)
        found = mark_of_tag(name, place=at, findings=findings)
        if found is not None:
            mark = mark.joined(found)
        elif tag.get("exportable") in (False, 0, "0") or tag.get("local") in (True, 1, "1"):
            findings.add("a local or non-exportable tag was left out", at)
        else:
            shown.append(plain_text.printable(name))
    return shown, mark


def _tag_names(holder: Element) -> Iterator[str]:
    for _place, tag in _elements(holder, "Tag", place=""):
        hidden = tag.get("exportable") in (False, 0, "0") or tag.get("local") in (True, 1, "1")
        if isinstance(tag.get("name"), str) and not hidden:
            yield tag["name"]


def _elements(holder: Element, key: str, *, place: str) -> Iterator[tuple[str, Element]]:
    listed = holder.get(key)
    if listed is None:
        return
    for at, element in enumerate(listed if isinstance(listed, list) else [None]):
        here = f"{place}: {key}.[{at}]"
        if not isinstance(element, dict):
            msg = f"{here}: not an object"
            raise InputError(msg, remedy=_MALFORMED)
        yield f"{here}{_reference(element)}", element


def _reference(element: Element) -> str:
    """The uuid in brackets, for an error text, if it has the form of one."""
    uuid = element.get("uuid")
    well_formed = isinstance(uuid, str) and len(uuid) == 36 and not set(uuid.lower()) - set("0123456789abcdef-")  # noqa: PLR2004 - RFC 9562
    return f" ({uuid})" if well_formed else ""


def _is_deleted(element: Element) -> bool:
    return element.get("deleted") in (True, 1, "1")


def _text_of(element: Element, key: str) -> str:
    value = element.get(key)
    return plain_text.scalar(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""


def _yes_or_no(value: Any) -> str:
    return "yes" if value in (True, 1, "1") else "no" if value in (False, 0, "0") else ""


def _or(value: int | None, fallback: int) -> int:
    return fallback if value is None else value


def _moment(timestamp: Any) -> str:
    """A MISP timestamp (Unix seconds) as text; empty if it is none or 0, which is how MISP writes "never"."""
    seconds = read_integer(timestamp)
    if not seconds or not 0 < seconds <= _LAST_SECOND:
        return ""
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat().replace("+00:00", "Z")


def _paragraph(kind: str, words: str, fields: Mapping[str, str]) -> str:
    lines = [f"{kind}: {words}" if words else kind]
    lines.extend(f"{name}: {value}" for name, value in fields.items() if value)
    return "\n".join(lines) + "\n\n"
