"""The objects of a STIX 2.1 document: which ones there are, which version of each holds, and where each stands."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from agencies.intake.markings import shown_id
from agencies.intake.plain_text import millis
from agencies.intake.shapes import Findings
from schemas.errors import InputError

Content = Mapping[str, Any]

_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,249}")
_AS_2_1: Final = "Have it exported as STIX 2.1, or convert it with stix2-elevator or stix2's own upgrade."
_MALFORMED: Final = "It is not STIX 2.1 as it stands; have the sender export it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class StixObject:
    """An object of the file, with the place to name in an error: position and id, never content."""

    id: str
    kind: str
    place: str
    content: Content


def read_objects(document: Any, *, name: str, findings: Findings) -> list[StixObject]:
    """Return the objects of a bundle, a TAXII envelope, a list of objects, or a single object, newest versions only.

    Raises:
        InputError: If it is another version of STIX, or an object is not one.
    """
    if isinstance(document, dict):
        version = document.get("spec_version")
        # "spec_version" of a bundle is a property of STIX 2.0; in 2.1 each object has its own -- STIX 2.1, 8.1.
        if document.get("type") == "bundle" and version not in (None, "2.1"):
            raise _other_version(name + ": the bundle", version)
    found = _listed(document, name=name)
    objects = [_read_object(content, place=f"{name}: objects.[{at}]") for at, content in enumerate(found)]
    return _newest(objects, findings=findings)


def _listed(document: Any, *, name: str) -> list[Any]:
    if isinstance(document, list):
        return document
    if isinstance(document, dict) and ("objects" in document or document.get("type") == "bundle"):
        objects = document.get("objects", [])
        if isinstance(objects, list) and objects:
            return objects
        msg = f"{name}: the bundle holds no objects"
        raise InputError(msg, remedy="Ask the sender for a bundle with objects in it.")
    return [document]


def _read_object(content: Any, *, place: str) -> StixObject:
    if not isinstance(content, dict):
        msg = f"{place}: not an object"
        raise InputError(msg, remedy=_MALFORMED)
    kind, identifier = content.get("type"), content.get("id")
    if not isinstance(kind, str) or _TYPE.fullmatch(kind) is None:
        msg = f"{place}: has no well-formed type"
        raise InputError(msg, remedy=_MALFORMED)
    place = f"{place} ({shown_id(identifier)})"
    # "The identifier MUST be of the form object-type--UUID" -- STIX 2.1, 2.9.
    if not isinstance(identifier, str) or shown_id(identifier) != identifier or not identifier.startswith(f"{kind}--"):
        msg = f"{place}: has no well-formed id of the type {kind}"
        raise InputError(msg, remedy=_MALFORMED)
    version = content.get("spec_version")
    # All but cyber observables MUST have spec_version (STIX 2.1, 3.2); they alone have no time of creation.
    if version != "2.1" and not (version is None and "created" not in content):
        raise _other_version(place, version)
    return StixObject(id=identifier, kind=kind, place=place, content=content)


def _other_version(place: str, version: Any) -> InputError:
    if version == "2.0":
        return InputError(f"{place} is STIX 2.0, which is not STIX 2.1", remedy=_AS_2_1)
    if version is None:
        msg = f"{place} has no spec_version: it may be STIX 2.0, which is not STIX 2.1"
        return InputError(msg, remedy=_AS_2_1)
    return InputError(f"{place} is of a version of STIX that is not 2.1", remedy=_AS_2_1)


def _newest(objects: list[StixObject], *, findings: Findings) -> list[StixObject]:
    """Keep one version of each object: "the most recent modified value is the latest version" (STIX 2.1, 3.6).

    Published files do repeat an id with other content and no later version. Nobody can tell which one holds, so both
    are kept, and both bear the marks of either (``stix_marks``).
    """
    newest: dict[str, list[StixObject]] = {}
    for candidate in objects:
        known = newest.setdefault(candidate.id, [])
        if any(each.content == candidate.content for each in known):
            continue
        old = millis(known[0].content.get("modified")) if known else None
        new = millis(candidate.content.get("modified"))
        if known and old is not None and new is not None and old != new:
            findings.add(
                "an earlier version of an object was left out", known[0].place if new > old else candidate.place
            )
            if new > old:
                newest[candidate.id] = [candidate]
            continue
        if known:
            findings.add("an id stands twice with different content: both are kept", candidate.place)
        known.append(candidate)
    return [each for versions in newest.values() for each in versions]
