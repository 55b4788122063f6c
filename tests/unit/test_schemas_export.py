"""The JSON Schemas of the reference: current, and of one mind with the reader of the wire."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas.codec import pack, read_shape, unpack
from schemas.errors import RemoteError
from schemas.export import SHAPES, json_schemas, stale_schemas, write_schemas
from tests.samples.wire_examples import CONTENT, EXAMPLES, HASH, LABEL

PUBLISHED = Path(__file__).parents[2] / "docs" / "reference" / "schemas"

SCHEMAS = json_schemas()


def json_form(value: Any) -> Any:
    """Write a decoded value as the schemas do: arrays as they are, bytes in hexadecimal."""
    if isinstance(value, bytes):
        return value.hex()
    return [json_form(item) for item in value] if isinstance(value, tuple) else value


def judges_agree(name: str, value: Any) -> bool:
    """Ask the schema and the reader of the wire; they must say the same, and it is returned."""
    validator = jsonschema.Draft202012Validator(SCHEMAS[name])
    by_schema = validator.is_valid(json_form(value))
    try:
        read_shape(SHAPES[name], unpack(pack(value), bytes_max=1_000_000))
        by_reader = True
    except RemoteError:
        by_reader = False
    assert by_reader == by_schema
    return by_schema


def test_the_published_schemas_are_current() -> None:
    assert [] == stale_schemas(PUBLISHED), "write them anew with: make fix"


def test_a_stale_missing_or_foreign_file_is_named(tmp_path: Path) -> None:
    write_schemas(tmp_path)
    (tmp_path / "label.json").write_text("{}")
    (tmp_path / "wraps.json").unlink()
    (tmp_path / "foreign.json").write_text("{}")
    command = [sys.executable, "-m", "schemas.export", "--check", str(tmp_path)]

    assert ["foreign.json", "label.json", "wraps.json"] == stale_schemas(tmp_path)
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "foreign.json, label.json, wraps.json" in run.stderr
    write_schemas(tmp_path)
    assert [] == stale_schemas(tmp_path)


def test_every_shape_has_an_example() -> None:
    assert SHAPES.keys() == EXAMPLES.keys()


@pytest.mark.parametrize("name", SHAPES)
def test_a_schema_is_a_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize("name", EXAMPLES)
def test_schema_and_reader_admit_the_same(name: str) -> None:
    assert judges_agree(name, EXAMPLES[name])


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "wraps"])
def test_schema_and_reader_refuse_another_length(name: str) -> None:
    """Exact length: a field with a default is no field that may be left out. A list of wraps has any length."""
    assert not judges_agree(name, tuple(EXAMPLES[name])[:-1])
    assert not judges_agree(name, (*EXAMPLES[name], None))


@pytest.mark.parametrize("name", EXAMPLES)
def test_schema_and_reader_refuse_another_type(name: str) -> None:
    for place in range(len(EXAMPLES[name])):
        value = list(EXAMPLES[name])
        value[place] = True
        assert not judges_agree(name, tuple(value)), place


def test_schema_and_reader_refuse_a_hash_of_another_length() -> None:
    assert not judges_agree("header", EXAMPLES["header"]._replace(por=(HASH[:-1],)))
    assert not judges_agree("header", EXAMPLES["header"]._replace(por=(HASH + b"\x00",)))


def test_schema_and_reader_refuse_a_repeated_word() -> None:
    assert not judges_agree("label", LABEL._replace(affected=("IDN", "IDN")))


def test_a_nested_array_has_its_exact_length_too() -> None:
    assert not judges_agree("receipt", ("EXERCISE", ((HASH, 1, "opened"),)))
    assert not judges_agree("report", (((tuple(LABEL)[:3], CONTENT)),))
