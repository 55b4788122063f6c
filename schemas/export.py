"""The shapes as JSON Schema (2020-12), for those who write a node or a router in another language.

On the wire a shape is a msgpack array; its JSON form, which the schemas and the conformance vectors use, is the same
array with every byte string written in lowercase hexadecimal. What a schema cannot say is still asked for: lists of
words are sorted, encodings are canonical, and what stands as bytes inside bytes is read by its own shape.

``python -m schemas.export --write docs/reference/schemas`` writes them anew, ``--check`` fails where one is stale.
"""

import argparse
import inspect
import json
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from schemas.bundle import Bundle, SignedBundle, TrustRoot
from schemas.codec import STRICT
from schemas.envelope import Disclosure, Envelope, Header, Wrap
from schemas.frames import BoxKeyStatement, DownMessage, RouterVerdict, UpMessage
from schemas.label import Label
from schemas.limits import FRAME_MESSAGES_MAX, WRAPS_MAX
from schemas.names import Version
from schemas.report import PortionContent, Report
from schemas.workflow import (
    CoordContent,
    CosignContent,
    DecisionContent,
    DeconflictAsk,
    DeconflictReply,
    ObjectionContent,
    OverrideContent,
    ProposalContent,
    ReceiptContent,
    RequestContent,
    RfiContent,
)

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_Wraps = Annotated[tuple[Wrap, ...], Field(max_length=WRAPS_MAX)]
_UpMessages = Annotated[tuple[UpMessage, ...], Field(min_length=1, max_length=FRAME_MESSAGES_MAX)]
_DownMessages = Annotated[tuple[DownMessage, ...], Field(min_length=1, max_length=FRAME_MESSAGES_MAX)]

SHAPES: Final[dict[str, Any]] = {
    "bundle": Bundle,
    "box-key": BoxKeyStatement,
    "coordination": CoordContent,
    "cosignature": CosignContent,
    "decision": DecisionContent,
    "deconflict-ask": DeconflictAsk,
    "deconflict-reply": DeconflictReply,
    "disclosure": Disclosure,
    "envelope": Envelope,
    "frame-down": tuple[Version, _DownMessages],
    "frame-up": tuple[Version, _UpMessages],
    "header": Header,
    "label": Label,
    "objection": ObjectionContent,
    "override": OverrideContent,
    "portion-content": PortionContent,
    "proposal": ProposalContent,
    "receipt": ReceiptContent,
    "report": Report,
    "request": RequestContent,
    "rfi": RfiContent,
    "signed-bundle": SignedBundle,
    "trust-root": TrustRoot,
    "verdict": RouterVerdict,
    "wraps": _Wraps,
}


class _WireForm(GenerateJsonSchema):
    """Says of a shape what a reader of the wire demands, where pydantic says what its constructor does."""

    def bytes_schema(self, schema: core_schema.BytesSchema) -> JsonSchemaValue:
        """Byte strings stand in hexadecimal, so their bounds count digits."""
        written: JsonSchemaValue = {"type": "string", "contentEncoding": "base16", "pattern": "^([0-9a-f]{2})*$"}
        if "min_length" in schema:
            written["minLength"] = 2 * schema["min_length"]
        if "max_length" in schema:
            written["maxLength"] = 2 * schema["max_length"]
        return written

    def get_title_from_name(self, name: str) -> str:
        """A field is called what the specification calls it."""
        return name

    def function_after_schema(self, schema: core_schema.AfterValidatorFunctionSchema) -> JsonSchemaValue:
        """The one check that shapes add to an array is "sorted and unique"; JSON Schema can say the second."""
        written = super().function_after_schema(schema)
        return {**written, "uniqueItems": True} if written.get("type") == "array" else written


def _made_exact(schema: Any) -> Any:
    """Demand every array's exact length: a default is for writers in Python, never a field left out on the wire."""
    if isinstance(schema, list):
        return [_made_exact(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    exact = {key: _made_exact(part) for key, part in schema.items() if key != "default"}
    if "prefixItems" in exact:
        exact |= {"minItems": len(exact["prefixItems"]), "maxItems": len(exact["prefixItems"]), "items": False}
    return exact


def json_schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of every shape that travels, by the name of its file without ``.json``."""
    schemas = {}
    for name, shape in SHAPES.items():
        schema = _made_exact(TypeAdapter(shape, config=STRICT).json_schema(schema_generator=_WireForm))
        schema["$schema"] = _DIALECT
        schema["title"] = name
        if inspect.isclass(shape) and shape.__doc__:
            schema["description"] = inspect.cleandoc(shape.__doc__).partition("\n\n")[0].replace("\n", " ")
        schemas[name] = schema
    return schemas


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def write_schemas(folder: Path) -> None:
    """Write one file for each schema into a folder, and remove what is no schema any more."""
    folder.mkdir(parents=True, exist_ok=True)
    schemas = json_schemas()
    for path in folder.glob("*.json"):
        if path.stem not in schemas:
            path.unlink()
    for name, schema in schemas.items():
        (folder / f"{name}.json").write_text(_text(schema), encoding="utf-8")


def stale_schemas(folder: Path) -> list[str]:
    """Return the names of the files in a folder that are missing, stale or of no shape."""
    expected = {f"{name}.json": _text(schema) for name, schema in json_schemas().items()}
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))


def main() -> None:
    """Write the schemas into a folder, or fail if those that stand there are stale."""
    parser = argparse.ArgumentParser(prog="python -m schemas.export", description=main.__doc__)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--check", type=Path, metavar="FOLDER")
    action.add_argument("--write", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    if arguments.write is not None:
        write_schemas(arguments.write)
    elif stale := stale_schemas(arguments.check):
        parser.exit(1, f"stale in {arguments.check}: {', '.join(stale)}; write them anew with --write\n")


if __name__ == "__main__":
    main()
