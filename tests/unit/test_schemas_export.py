"""The JSON Schemas of the reference: current, and of one mind with the reader of the wire."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas.bundle import (
    Agency,
    Authority,
    AuthoritySignature,
    Bundle,
    Mechanism,
    Membership,
    Predicate,
    RouterKey,
    Rule,
    SignedBundle,
    SignKey,
    TrustRoot,
)
from schemas.codec import pack, read_shape, unpack
from schemas.envelope import Disclosed, Disclosure, Disclosures, Envelope, Header, Wrap
from schemas.errors import RemoteError
from schemas.export import SHAPES, json_schemas, stale_schemas, write_schemas
from schemas.frames import Ack, BoxKeyStatement, Delivery, Hello, Lookup, Refusal, RouterVerdict
from schemas.label import Label
from schemas.report import Grading, Indicator, Observed, Passage, Place, Portion, PortionContent, Report
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
    ReceiptItem,
    ReleaseTerms,
    RequestContent,
    RfiContent,
)

PUBLISHED = Path(__file__).parents[2] / "docs" / "reference" / "schemas"

SCHEMAS = json_schemas()
HASH, SIGNATURE, KEY = b"\x01" * 32, b"\x02" * 64, b"\x03" * 32
LABEL = Label(tlp="AMBER", level="EX-RESTRICTED", topic="toc.piracy", rel=("@asean", "SGP"), affected=("IDN", "MYS"))
CONTENT = PortionContent(
    marking="EXERCISE",
    title="Boarding at anchor",
    body=(Passage("p1", "Two skiffs approached."), Passage(None, " They left.")),
    indicators=(Indicator("vessel-name", "MV EXAMPLE"),),
    places=(Place("One Fathom Bank", 2_883_333, 100_983_333, "approximate", 500),),
    observed=Observed(1_000, None, "estimated"),
    grading=Grading("B", "2"),
)
SIGN_KEY = SignKey(KEY, 0, 2_000)
BUNDLE = Bundle(
    v=1,
    version=7,
    issued=1_000,
    expires=2_000,
    levels=("EX-UNCLAS", "EX-RESTRICTED"),
    compartments=("KITE",),
    groups=(),
    mechanisms=(Mechanism("mecha", "An agreement", (Membership("SGP", "member", 0),)),),
    agencies=(
        Agency(
            *("sgp-csa", "A cyber agency", "SGP", "cert", "member", "EX-RESTRICTED", ("KITE",), (), (), "active"),
            keys=(SIGN_KEY,),
        ),
    ),
    routers=(RouterKey("router", SIGN_KEY),),
    rules=(Rule("cyber-to-certs", "permit", (Predicate("role", ("cert",)),)),),
    marks=(),
)
EXAMPLES: dict[str, Any] = {
    "bundle": BUNDLE,
    "box-key": BoxKeyStatement("sgp-csa", 3, KEY, 1_000, 2_000),
    "decision": DecisionContent("EXERCISE", "mys-nacsa", "grant", 1, "", "needed at sea", 2_000),
    "objection": ObjectionContent("EXERCISE", "not before our own check"),
    "proposal": ProposalContent("EXERCISE", "boats", "for a patrol", ReleaseTerms(HASH, 1, "dp-jpn-mar"), 2_000),
    "override": OverrideContent("EXERCISE", "duty", "vessel-adrift", 1, 2, 3, 1_000, (Passage(None, "adrift"),)),
    "cosignature": CosignContent("EXERCISE", None, "our source was wrong"),
    "coordination": CoordContent("EXERCISE", "task", "board the boat", "at the anchorage", 2_000),
    "deconflict-ask": DeconflictAsk("EXERCISE", "ask", (HASH,) * 16),
    "deconflict-reply": DeconflictReply("EXERCISE", "reply", (HASH,) * 16, (HASH,) * 64),
    "rfi": RfiContent("EXERCISE", "the boat", "Where is it bound?", "a boarding", 2_000),
    "disclosure": Disclosure(b"\x04" * 16, LABEL, HASH, 0),
    "envelope": Envelope(
        *(b"header", HASH, SIGNATURE, (None,), Disclosures(None, (Disclosed(0, b"disclosure"),)), b"wraps"),
        blobs=(b"blob",),
    ),
    "frame-down": (1, (Delivery("delivery", 1, b"envelope"),)),
    "frame-up": (1, (Hello("hello", 0, 7), Ack("ack", 0), Lookup("lookup", ("sgp-csa",)))),
    "header": Header(1, "report", ("sgp-csa",), 1_000, 2_000, 7, None, (HASH,)),
    "label": LABEL,
    "portion-content": CONTENT,
    "receipt": ReceiptContent("EXERCISE", (ReceiptItem(HASH, 1, "opened", 1_000),)),
    "report": Report((Portion(LABEL, CONTENT),)),
    "request": RequestContent("EXERCISE", "mys-nacsa", 0, "piracy", "our coast", 2_000),
    "signed-bundle": SignedBundle(b"bundle", (AuthoritySignature("authority-a", SIGNATURE),)),
    "trust-root": TrustRoot((Authority("authority-a", KEY),), 1),
    "verdict": RouterVerdict(
        *("router", HASH, HASH, "refused", "AUDIENCE", ("R2-compartment",), (("sgp-csa", 1),)),
        *((Refusal(0, "mys-nacsa", "R2-compartment", "holds no KITE"),), 12, 1_000),
    ),
    "wraps": (Wrap("mys-nacsa", 3, 3, 1, 9, b"\x05" * 48),),
}


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
