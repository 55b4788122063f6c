"""Who may have which part of which STIX object: object markings, granular markings, and what references reveal.

A relationship reveals that its ends exist, a sighting that something was seen, a translation what was said: each takes
the tightest mark of itself and of what it names. Any other reference to a tighter object (a report's list of objects,
a creator) is taken out of its object and goes along with the tighter mark.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from agencies.intake.markings import StixMarkings, mark_of_tag
from agencies.intake.marks import Mark
from agencies.intake.shapes import Findings
from agencies.intake.stix_granular import MarkTree, Step, read_selector
from agencies.intake.stix_objects import Content, StixObject
from schemas.errors import InputError
from schemas.label import Tlp

# What an object of these types says is nothing but a statement about the objects it names (STIX 2.1, chapters 5 and 7).
_ENDS: Final[Mapping[str, tuple[str, ...]]] = {
    "relationship": ("source_ref", "target_ref"),
    "sighting": ("sighting_of_ref", "observed_data_refs", "where_sighted_refs"),
    "language-content": ("object_ref",),
}
_MARKING_PROPERTIES: Final = frozenset({"object_marking_refs", "granular_markings"})
_MARK_AGAIN: Final = "Have the sender mark the object again."


@dataclass(slots=True)
class MarkedObject:
    """An object with its marks.

    Attributes:
        stated: What it and what it names say; no default filled in.
        tree: The granular marks, by path.
        narrowed: By labels such as ``tlp:red``, which are no markings in STIX but surely meant as such.
    """

    source: StixObject
    stated: Mark
    tree: MarkTree = field(default_factory=MarkTree)

    def settled(self, default: Tlp) -> Mark:
        """The mark of what has none of its own."""
        return self.stated.settled(default)

    def existence(self, default: Tlp) -> Mark:
        """Who may know that the object exists: its mark, and any on its id and type."""
        mark = self.stated
        if self.tree.children:
            mark = mark.joined(self.tree.at(("id",))).joined(self.tree.at(("type",)))
        return mark.settled(default).bare()


def mark_objects(
    objects: Sequence[StixObject], *, markings: StixMarkings, default: Tlp, findings: Findings
) -> list[MarkedObject]:
    """Return every object with all of its marks.

    Raises:
        InputError: If a granular marking cannot be followed.
        MarkingError: If a marking is not known.
    """
    marked: dict[str, list[MarkedObject]] = {}
    for source in objects:
        marked.setdefault(source.id, []).append(_mark_object(source, markings, findings))
    for versions in marked.values():
        _mark_versions_alike(versions)
    # All versions of an id are alike by now, so the first answers for the id.
    by_id = {identifier: versions[0] for identifier, versions in marked.items()}
    every = [each for versions in marked.values() for each in versions]
    _mark_relationships(every, by_id, default=default)
    if len({each.existence(default) for each in every}) > 1:
        for each in every:
            _mark_references(each, by_id, default=default)
    return every


def _mark_versions_alike(versions: Sequence[MarkedObject]) -> None:
    if len(versions) > 1:
        mark = Mark()
        for each in versions:
            mark = mark.joined(each.stated).joined(each.tree.all())
        for each in versions:
            each.stated = mark


def _mark_object(source: StixObject, markings: StixMarkings, findings: Findings) -> MarkedObject:
    stated = Mark()
    references = source.content.get("object_marking_refs", [])
    if not isinstance(references, list):
        msg = f"{source.place}: object_marking_refs is not a list"
        raise InputError(msg, remedy=_MARK_AGAIN)
    for reference in references:
        stated = stated.joined(markings.mark(reference, place=source.place))
    labels = source.content.get("labels")
    for label in labels if isinstance(labels, list) else ():
        mark = mark_of_tag(label, place=source.place, findings=findings) if isinstance(label, str) else None
        if mark is not None:
            # A label is no marking in STIX, so it may narrow and never grants.
            stated = stated.joined(Mark(floor=mark.tlp or "CLEAR", pap=mark.pap))
    marked = MarkedObject(source=source, stated=stated)
    _mark_granularly(marked, markings, findings)
    return marked


def _mark_granularly(marked: MarkedObject, markings: StixMarkings, findings: Findings) -> None:
    content, place = marked.source.content, marked.source.place
    granular = content.get("granular_markings", [])
    if not isinstance(granular, list):
        msg = f"{place}: granular_markings is not a list"
        raise InputError(msg, remedy=_MARK_AGAIN)
    for at, marking in enumerate(granular):
        here = f"{place}: granular_markings.[{at}]"
        selectors = marking.get("selectors") if isinstance(marking, dict) else None
        if not isinstance(marking, dict) or not isinstance(selectors, list) or not selectors:
            msg = f"{here}: selects nothing"
            raise InputError(msg, remedy=_MARK_AGAIN)
        paths = [read_selector(selector, content, place=here) for selector in selectors]
        # "If the marking_ref property is not present, this property [lang] MUST be present" -- STIX 2.1, 7.2.3.
        if "marking_ref" not in marking and isinstance(marking.get("lang"), str):
            continue  # It names the language of a text, and restricts nothing.
        mark = markings.mark(marking.get("marking_ref"), place=here)
        if marked.stated.bare().joined(mark.bare()) != mark.bare() and mark.tlp is not None:
            findings.add("a granular marking is wider than its object's, which holds", here)
        for path in paths:
            marked.tree.add(path, mark)


def _mark_relationships(every: Sequence[MarkedObject], by_id: Mapping[str, MarkedObject], *, default: Tlp) -> None:
    """Join into each relationship the marks of its ends, until nothing changes any more.

    Ends may be relationships themselves, and may form circles. Marks only rise and are finitely many, so each object
    comes up for work no more often than there are steps above it.
    """
    named_by: dict[str, list[MarkedObject]] = {}
    for each in every:
        for end_id in _ends(each.source):
            named_by.setdefault(end_id, []).append(each)
    work = [identifier for identifier in named_by if identifier in by_id]
    while work:
        end = by_id[work.pop()]
        for each in named_by.get(end.source.id, ()):
            mark = end.existence(default)
            if each.source.kind == "language-content":
                mark = mark.joined(end.tree.all().bare())
            # The relationship's own silence means the default, and its ends may not make that wider.
            raised = each.settled(default).joined(mark)
            if raised != each.settled(default):
                each.stated = raised
                work.append(each.source.id)


def _ends(source: StixObject) -> Iterator[str]:
    for name in _ENDS.get(source.kind, ()):
        value = source.content.get(name)
        for reference in value if isinstance(value, list) else (value,):
            if isinstance(reference, str):
                yield reference


def _mark_references(each: MarkedObject, by_id: Mapping[str, MarkedObject], *, default: Tlp) -> None:
    own = each.settled(default).bare()
    for path, reference in _references(each.source.content, ()):
        target = by_id.get(reference)
        if target is None or reference == each.source.id:
            continue
        mark = target.existence(default)
        if own.joined(mark) != own:
            each.tree.add(path, mark)


def _references(value: Any, path: tuple[Step, ...]) -> Iterator[tuple[tuple[Step, ...], str]]:
    """Yield every property that refers to other objects: by the standard's naming, ``…_ref`` and ``…_refs``."""
    match value:
        case dict():
            for name, member in value.items():
                if name in _MARKING_PROPERTIES:
                    continue
                if name.endswith("_ref") and isinstance(member, str):
                    yield (*path, name), member
                elif name.endswith("_refs") and isinstance(member, list):
                    for at, reference in enumerate(member):
                        if isinstance(reference, str):
                            yield (*path, name, at), reference
                else:
                    yield from _references(member, (*path, name))
        case list():
            for at, item in enumerate(value):
                yield from _references(item, (*path, at))


def without_markings(content: Content) -> dict[str, Any]:
    """Return an object without the properties that mark it: they name what is taken out of it."""
    return {name: value for name, value in content.items() if name not in _MARKING_PROPERTIES}
