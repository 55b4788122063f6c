"""The door for files of others: finds out which standard a file follows, and has it read by that standard's reader.

A file tells what it is by its own structure, never by its name. What is neither STIX 2.1 nor a MISP event is refused.
"""

from pathlib import Path
from typing import Any, Final, Literal

from agencies.intake.bounded_json import parse_json, read_limited
from agencies.intake.misp import read_misp
from agencies.intake.shapes import Imported, IntakeDefaults
from agencies.intake.stix import read_stix
from schemas.errors import InputError

__all__ = ["Imported", "IntakeDefaults", "read_bytes", "read_file"]

Standard = Literal["STIX", "MISP"]

_MISP_KEYS: Final = frozenset({"Event", "response", "Attribute", "Object", "info"})
_WHAT_IS_READ: Final = "What can be imported is a STIX 2.1 bundle (JSON) or a MISP event (JSON)."


def read_file(path: Path, *, defaults: IntakeDefaults) -> Imported:
    """Read a file into a report.

    Raises:
        InputError: If it cannot be read, is too large, or follows no standard known here.
        MarkingError: If it bears a marking that is not known here.
    """
    return read_bytes(read_limited(path), name=path.name, defaults=defaults)


def read_bytes(received: bytes, *, name: str, defaults: IntakeDefaults) -> Imported:
    """Read the bytes of a file into a report.

    Args:
        received: The bytes, as they came.
        name: What the file is called in errors and in the result.
        defaults: What holds where the file is silent.

    Raises:
        InputError: If they are no JSON within bounds, or follow no standard known here.
        MarkingError: If they bear a marking that is not known here.
    """
    document = parse_json(received, name=name)
    if _standard_of(document, name=name) == "STIX":
        return read_stix(document, name=name, defaults=defaults)
    return read_misp(document, name=name, defaults=defaults)


def _standard_of(document: Any, *, name: str) -> Standard:
    first = document[0] if isinstance(document, list) and document else document
    if isinstance(first, dict):
        if isinstance(first.get("SharingGroup"), dict) and "SharingGroupOrg" in first:
            msg = f"{name}: a list of MISP's sharing groups, not an event"
            raise InputError(msg, remedy="Give it with the event that it belongs to, as the import's sharing groups.")
        # A bundle says so; a TAXII envelope has objects; a single STIX object has an id that begins with its type.
        kind, identifier = first.get("type"), first.get("id")
        single = isinstance(kind, str) and isinstance(identifier, str) and identifier.startswith(f"{kind}--")
        if kind == "bundle" or single or (isinstance(first.get("objects"), list) and not _MISP_KEYS & first.keys()):
            return "STIX"
        if _MISP_KEYS & first.keys():
            return "MISP"
    msg = f"{name}: JSON, but neither STIX 2.1 nor a MISP event"
    raise InputError(msg, remedy=_WHAT_IS_READ)
