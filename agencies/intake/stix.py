"""STIX 2.1 in: a bundle's objects become the portions of a report, one per marking."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from agencies.intake import plain_text, topics
from agencies.intake.markings import StixMarkings
from agencies.intake.marks import Mark
from agencies.intake.portions import PLAIN_HEADING, Item, build_report
from agencies.intake.shapes import Findings, Imported, IntakeDefaults
from agencies.intake.stix_granular import split
from agencies.intake.stix_marks import MarkedObject, mark_objects, without_markings
from agencies.intake.stix_objects import StixObject, read_objects
from agencies.intake.stix_observables import indicators_of, places_of
from agencies.intake.stix_validation import validate
from schemas.errors import InputError

STANDARD: Final = "STIX 2.1"

# Whose name makes the best title, lowest first: what was written to be read, then what it is about.
_HEADINGS: Final[Mapping[str, int]] = {
    "report": 0,
    "grouping": 1,
    "incident": 1,
    "campaign": 2,
    "intrusion-set": 3,
    "threat-actor": 3,
    "malware": 4,
}
_NOT_SHOWN: Final = frozenset({"type", "id", "spec_version"})
# Begin and end of what was seen; what is merely valid from a time is second best.
_BEGINS: Final = ("first_seen", "first_observed", "start_time")
_ENDS: Final = ("last_seen", "last_observed", "end_time")


def read_stix(document: Any, *, name: str, defaults: IntakeDefaults) -> Imported:
    """Read a STIX 2.1 document into a report.

    Args:
        document: The parsed JSON: a bundle, a TAXII envelope, a list of objects or one object.
        name: What the file is called.
        defaults: What holds where the file is silent.

    Raises:
        InputError: If it is not STIX 2.1, cannot be followed, or does not fit into one report.
        MarkingError: If a marking is not known.
    """
    findings = Findings()
    objects = read_objects(document, name=name, findings=findings)
    definitions = {each.id: each.content for each in objects if each.kind == "marking-definition"}
    reported = [each for each in objects if each.kind != "marking-definition"]
    if not reported:
        msg = f"{name}: holds marking definitions, and nothing that they mark"
        raise InputError(msg, remedy="Ask the sender for a bundle with objects in it.")
    markings = StixMarkings(definitions, findings=findings)
    marked = mark_objects(reported, markings=markings, default=defaults.tlp, findings=findings)
    items = [item for each in marked for item in _items(each, defaults=defaults, findings=findings)]
    report = build_report(items, standard=STANDARD, name=name, defaults=defaults)
    validation = validate(reported, findings=findings)
    counts: dict[str, int] = {}
    for source in reported:
        counts[source.kind] = counts.get(source.kind, 0) + 1
    return Imported(
        report=report,
        standard=STANDARD,
        source_name=name,
        warnings=findings.lines(),
        counts=counts,
        validation=validation,
    )


def _items(marked: MarkedObject, *, defaults: IntakeDefaults, findings: Findings) -> Iterator[Item]:
    """Yield the object, or its parts where some of it bears a mark of its own."""
    source = marked.source
    if source.content.get("revoked") is True:
        findings.add("a revoked object is reported as such, and gives no indicators", source.place)
    existence = marked.existence(defaults.tlp)
    parts = split(
        without_markings(source.content), marked.tree, marked.stated, settle=lambda mark: mark.settled(defaults.tlp)
    )
    for mark, part in parts.items():
        whole = "id" in part and "type" in part
        # A part says what it is part of only to those who may know that there is such an object.
        known = whole or mark.covers(existence)
        kind = source.kind if whole else f"part of {source.kind}" if known else "part of an object"
        content = {"id": source.id} | part if known else part
        yield _item(mark, content, source, kind=kind, known=known)


def _item(mark: Mark, part: Mapping[str, Any], source: StixObject, *, kind: str, known: bool) -> Item:
    named = part.get("name")
    heading = named if isinstance(named, str) else ""
    revoked = source.content.get("revoked") is True
    begin, end, rank = _times(part)
    return Item(
        mark=mark,
        kind=kind,
        text=_text(mark, part, kind, heading=heading),
        heading=heading,
        heading_rank=_HEADINGS.get(source.kind, PLAIN_HEADING) if known else PLAIN_HEADING,
        indicators=() if revoked else tuple(indicators_of(source.kind, part, source.content)),
        places=tuple(places_of(source.kind, part)),
        observed=(begin, end),
        observed_rank=rank,
        topics=tuple(topics.of_stix(source.kind if known else "", part)),
    )


def _text(mark: Mark, part: Mapping[str, Any], kind: str, *, heading: str) -> str:
    lines = [f"{kind}: {plain_text.printable(heading)}" if heading else kind]
    if "id" in part:
        lines.append(f"Reference: {part['id']}")
    shown = {name: value for name, value in part.items() if name not in _NOT_SHOWN and not (heading and name == "name")}
    # What was written to be read comes first, so that a reader meets it before the machine's part.
    first = {name: shown.pop(name) for name in ("description", "abstract", "content") if name in shown}
    last = {name: shown.pop(name) for name in ("external_references", "extensions") if name in shown}
    lines.extend(plain_text.lines(first | shown | last))
    lines.extend(f"Handling: {plain_text.printable(statement)}" for statement in sorted(mark.statements))
    return "\n".join(lines) + "\n\n"


def _times(part: Mapping[str, Any]) -> tuple[int | None, int | None, int]:
    begin = next((at for name in _BEGINS if (at := plain_text.millis(part.get(name))) is not None), None)
    end = next((at for name in _ENDS if (at := plain_text.millis(part.get(name))) is not None), None)
    if begin is not None or end is not None:
        return begin, end, 0
    return plain_text.millis(part.get("valid_from")), None, 1
