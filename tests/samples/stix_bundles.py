"""STIX bundles as a test lays them out, object by object and mark by mark, and what the intake makes of them."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from agencies.intake.intake import read_bytes
from agencies.intake.shapes import Imported, IntakeDefaults
from schemas.errors import InputError
from schemas.report import Portion

DEFAULTS = IntakeDefaults(originator="sgp-cert")
TIME = "2026-03-01T00:00:00.000Z"

TLP_2 = {
    "CLEAR": "94868c89-83c2-464b-929b-a1a8aa3c8487",
    "GREEN": "bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "AMBER": "55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "AMBER+STRICT": "939a9414-2ddd-4d32-a0cd-375ea402b003",
    "RED": "e828b379-4e03-4974-9ac4-e53a884c97c1",
}
TLP_1 = {
    "CLEAR": "613f2e26-407d-48c7-9eca-b8e91df99dc9",
    "GREEN": "34098fce-860f-48ae-8e50-ebd3cc5e41da",
    "AMBER": "f88d31f6-486f-44da-b317-01333bde0b82",
    "RED": "5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
}
TLP_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"


def ref(tlp: str) -> str:
    return f"marking-definition--{TLP_2[tlp]}"


def stix_id(kind: str, number: int) -> str:
    return f"{kind}--00000000-0000-4000-8000-{number:012d}"


def sdo(kind: str, number: int, *, marks: list[str] | None = None, **more: Any) -> dict[str, Any]:
    content: dict[str, Any] = {"type": kind, "spec_version": "2.1", "id": stix_id(kind, number)}
    content |= {"created": TIME, "modified": TIME}
    if marks is not None:
        content["object_marking_refs"] = marks
    return content | more


def definition(number: int, **more: Any) -> dict[str, Any]:
    kind = "marking-definition"
    return {"type": kind, "spec_version": "2.1", "id": stix_id(kind, number), "created": TIME} | more


def bundle(*objects: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "bundle", "id": stix_id("bundle", 1), "objects": list(objects)}


def read(document: Any, defaults: IntakeDefaults = DEFAULTS) -> Imported:
    return read_bytes(json.dumps(document).encode(), name="f.json", defaults=defaults)


def by_tlp(imported: Imported) -> dict[str, Portion]:
    portions: dict[str, Portion] = {portion.label.tlp: portion for portion in imported.report.portions}
    assert len(portions) == len(imported.report.portions)
    return portions


def refused(document: Any, error: type[InputError] = InputError) -> str:
    with pytest.raises(error) as caught:
        read(document)
    assert type(caught.value) is error
    assert caught.value.remedy
    return str(caught.value)


def seen(portion: Portion) -> str:
    """All that a reader of the portion reads, label included."""
    return repr(portion)
