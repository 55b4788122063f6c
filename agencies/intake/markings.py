"""Markings of others in our words: TLP 2.0, TLP 1 and PAP, by STIX id, by STIX definition, by MISP tag.

"An unknown marking is refused, never dropped" (docs/spec/need-to-know.md, section 7): whoever wrote it meant to
restrict something, and nobody here knows what.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from agencies.intake.marks import Mark
from agencies.intake.shapes import Findings
from schemas.errors import MarkingError
from schemas.label import Tlp

# The names of both versions of TLP, lower case. WHITE is CLEAR under its old name -- FIRST, TLP 2.0.
TLP_BY_NAME: Final[Mapping[str, Tlp]] = {
    "clear": "CLEAR",
    "white": "CLEAR",
    "green": "GREEN",
    "amber": "AMBER",
    "amber+strict": "AMBER+STRICT",
    "red": "RED",
}
PAP_BY_NAME: Final[Mapping[str, str]] = {
    "clear": "CLEAR",
    "white": "CLEAR",
    "green": "GREEN",
    "amber": "AMBER",
    "red": "RED",
}

TLP_2_EXTENSION: Final = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
PAP_EXTENSION: Final = "extension-definition--f8d78575-edfd-406e-8e84-6162a8450f5b"

# The ids that the OASIS committee has fixed: STIX 2.1, 7.2.1.4 for TLP 1, its common object repository for the rest.
_KNOWN_TLP: Final[Mapping[str, str]] = {
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": "white",
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": "green",
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": "amber",
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": "red",
    "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487": "clear",
    "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb": "green",
    "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421": "amber",
    "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003": "amber+strict",
    "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1": "red",
}
_KNOWN_PAP: Final[Mapping[str, str]] = {
    "marking-definition--a3bea94c-b469-41dc-9cfe-d6e7daba7730": "white",
    "marking-definition--ad15a0cd-55b6-4588-a14c-a66105329b92": "clear",
    "marking-definition--c43594d1-4b11-4c59-93ab-1c9b14d53ce9": "green",
    "marking-definition--60f8932b-e51e-4458-b265-a2e8be9a80ab": "amber",
    "marking-definition--740d36e5-7714-4c30-961a-3ae632ceee0e": "red",
}

# MISP taxonomies that restrict handling and that no label here can express: classifications of states and
# organisations, and exchange policies. Kept as mere text they would be dropped in effect.
_FOREIGN_HANDLING: Final = frozenset(
    {
        "acs-marking",
        "ais-marking",
        "de-vs",
        "dni-ism",
        "euci",
        "fr-classif",
        "iep",
        "iep2-policy",
        "iep2-reference",
        "nato",
    }
)

_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,249}--[0-9a-fA-F-]{36}")
_MARKING_TAG: Final = re.compile(r"(tlp|pap)\s*:\s*(.*)", re.IGNORECASE | re.DOTALL)
_TAG_SHOWN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9:+_-]{0,40}")

_MARK_IT_TLP: Final = "Have the sender mark it with TLP 2.0, or remove the marking if you may release it without."
_WHITE: Final = "{system}:WHITE was imported as {system}:CLEAR, its name since TLP 2.0"


def shown_id(text: Any) -> str:
    """Return a STIX id if it has the form of one; anything else might be content."""
    return text if isinstance(text, str) and _ID.fullmatch(text) else "an object without a well-formed id"


def _colour(system: str, name: Any, *, place: str, what: str, findings: Findings) -> Mark:
    key = name.strip().lower() if isinstance(name, str) else ""
    if key == "white":
        findings.add(_WHITE.format(system=system), place)
    if system == "TLP" and key in TLP_BY_NAME:
        return Mark(tlp=TLP_BY_NAME[key])
    if system == "PAP" and key in PAP_BY_NAME:
        return Mark(pap=PAP_BY_NAME[key])
    msg = f"{place}: {what} is no {system} that is known here"
    raise MarkingError(msg, remedy=_MARK_IT_TLP)


def mark_of_tag(tag: str, *, place: str, findings: Findings) -> Mark | None:
    """Read a MISP tag or a STIX label: a mark, or None if it is no marking at all.

    Raises:
        MarkingError: If it is of a marking system, and not one of its known words.
    """
    match = _MARKING_TAG.fullmatch(tag.strip())
    shown = f"the tag {tag.strip()}" if _TAG_SHOWN.fullmatch(tag.strip()) else "a marking tag"
    if match is not None:
        return _colour(match[1].upper(), match[2].strip("\"' "), place=place, what=shown, findings=findings)
    namespace = re.split(r"[:=]", tag.strip(), maxsplit=1)[0].strip().lower()
    if namespace in _FOREIGN_HANDLING:
        msg = f"{place}: a tag of the taxonomy {namespace} restricts handling in a way that is not known here"
        raise MarkingError(msg, remedy=_MARK_IT_TLP)
    return None


class StixMarkings:
    """The marking definitions of one file, resolved once each."""

    def __init__(self, definitions: Mapping[str, Mapping[str, Any]], *, findings: Findings) -> None:
        self._definitions = definitions
        self._findings = findings
        self._resolved: dict[str, Mark] = {}

    def mark(self, reference: Any, *, place: str) -> Mark:
        """Return what a reference to a marking definition means.

        Raises:
            MarkingError: If it is neither well known nor in the file, or of a kind that is not known.
        """
        if isinstance(reference, str) and reference in self._resolved:
            return self._resolved[reference]
        known = self._well_known(reference, place=place)
        definition = self._definitions.get(reference) if isinstance(reference, str) else None
        if definition is None:
            if known is None:
                # "If a consumer cannot resolve all of the ID references contained in the object_marking_refs
                # property the consumer MUST reject" it -- OASIS CTI committee, ballot 2947, 6.5.
                msg = f"{place}: the marking {shown_id(reference)} is not defined in the file and not known here"
                raise MarkingError(msg, remedy="Ask the sender for a bundle that holds the definition. " + _MARK_IT_TLP)
            mark = known
        else:
            mark = self._defined(definition, reference=reference, place=place)
            if known is not None and mark.bare() != known:
                msg = f"{place}: the file defines {shown_id(reference)} otherwise than the standard does"
                raise MarkingError(msg, remedy="One of the two is wrong, so nothing is released. " + _MARK_IT_TLP)
        self._resolved[reference] = mark
        return mark

    def _well_known(self, reference: Any, *, place: str) -> Mark | None:
        for system, table in (("TLP", _KNOWN_TLP), ("PAP", _KNOWN_PAP)):
            if isinstance(reference, str) and reference in table:
                what = f"the marking {reference}"
                return _colour(system, table[reference], place=place, what=what, findings=self._findings)
        return None

    def _defined(self, definition: Mapping[str, Any], *, reference: str, place: str) -> Mark:
        what = f"the marking {shown_id(reference)}"
        marks: list[Mark] = []
        kind, body = definition.get("definition_type"), definition.get("definition")
        if kind is not None and isinstance(body, dict):
            marks.append(self._typed(kind, body, place=place, what=what))
        extensions = definition.get("extensions")
        for extension, content in extensions.items() if isinstance(extensions, dict) else ():
            property_name = {TLP_2_EXTENSION: "tlp_2_0", PAP_EXTENSION: "pap"}.get(extension)
            if property_name is None or not isinstance(content, dict):
                msg = f"{place}: {what} is defined by the extension {shown_id(extension)}, which is not known here"
                raise MarkingError(msg, remedy=_MARK_IT_TLP)
            system = "TLP" if extension == TLP_2_EXTENSION else "PAP"
            marks.append(_colour(system, content.get(property_name), place=place, what=what, findings=self._findings))
        if not marks:
            msg = f"{place}: {what} is defined in the file, but without saying what it means"
            raise MarkingError(msg, remedy=_MARK_IT_TLP)
        # Some systems give TLP:AMBER+STRICT or PAP an id of their own, and say what it is in the name alone.
        name = definition.get("name")
        if isinstance(name, str):
            # What is worth a warning was found with the definition's own content already.
            named = mark_of_tag(name, place=f"{place}: {what}", findings=Findings())
            marks.extend([] if named is None else [named])
        mark = marks[0]
        for further in marks[1:]:
            mark = mark.joined(further)
        return self._with_its_own_markings(mark, definition, place=place)

    def _typed(self, kind: Any, body: Mapping[str, Any], *, place: str, what: str) -> Mark:
        match kind:
            case "tlp":
                return _colour("TLP", body.get("tlp"), place=place, what=what, findings=self._findings)
            case "pap" | "PAP":
                colour = str(body.get("pap", "")).lower().removeprefix("pap:")
                return _colour("PAP", colour, place=place, what=what, findings=self._findings)
            case "statement" if isinstance(body.get("statement"), str):
                # "The Statement marking type defines the representation of a textual marking statement (e.g.,
                # copyright, terms of use, etc.)" -- STIX 2.1, 7.2.1.3. It is for people: it goes along as text,
                # and routes nothing.
                return Mark(statements=frozenset({body["statement"]}))
            case _:
                msg = f"{place}: {what} is of a type that is not known here"
                raise MarkingError(msg, remedy=_MARK_IT_TLP)

    def _with_its_own_markings(self, mark: Mark, definition: Mapping[str, Any], *, place: str) -> Mark:
        """A definition may itself be marked; what it says then travels no wider than that."""
        references = definition.get("object_marking_refs", [])
        if not mark.statements:
            return mark
        for reference in references if isinstance(references, list) else [None]:
            known = self._well_known(reference, place=place)
            inner = self._definitions.get(reference) if isinstance(reference, str) else None
            if known is None and inner is not None and not inner.get("object_marking_refs"):
                known = self._defined(inner, reference=str(reference), place=place)
            if known is None or definition.get("granular_markings"):
                msg = f"{place}: the markings of {shown_id(definition.get('id'))} cannot be followed"
                raise MarkingError(msg, remedy=_MARK_IT_TLP)
            mark = mark.joined(replace(known, statements=frozenset()))
        return mark
