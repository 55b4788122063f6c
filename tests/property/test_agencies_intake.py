"""Whatever is in a file, intake answers with a report or with an InputError, and no secret changes its portion."""

import json
from typing import Any, Final

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agencies.intake.bounded_json import parse_json
from agencies.intake.intake import read_bytes
from agencies.intake.marks import Mark
from agencies.intake.shapes import IntakeDefaults
from schemas.codec import pack, read_shape, unpack
from schemas.errors import InputError
from schemas.label import TLP_ORDER
from schemas.limits import CONTENT_BYTES_MAX
from schemas.report import Report

DEFAULTS: Final = IntakeDefaults(originator="sgp-cert", sharing_groups={"1": ("IDN", "mys-cert")})
TLP_IDS: Final = {
    "CLEAR": "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    "GREEN": "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "AMBER": "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "AMBER+STRICT": "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    "RED": "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}

# Drawing deep values takes a while on a busy machine, and the first example of all imports a library.
patient = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


def stix_id(kind: str, number: int) -> str:
    return f"{kind}--00000000-0000-4000-8000-{number:012d}"


def outcome(received: bytes) -> Report | None:
    """Read, and check what must hold of every report; None for a refusal that says what to do."""
    try:
        report = read_bytes(received, name="f.json", defaults=DEFAULTS).report
    except InputError as error:
        refusal = error
    else:
        contents = [unpack(pack(portion.content), bytes_max=CONTENT_BYTES_MAX) for portion in report.portions]
        assert len(contents) == len(report.portions)
        assert read_shape(Report, report) == report
        return report
    assert refusal.remedy
    assert str(refusal).startswith("f.json")
    return None


@given(st.binary(max_size=300) | st.text(alphabet='{}[]":,\\ue0aN1.-', max_size=80).map(str.encode))
@example(b'{"a":1,"a":NaN')
@example(b'"\\')
def test_any_bytes_are_parsed_or_refused(received: bytes) -> None:
    """And what is parsed is what the standard library would have parsed."""
    try:
        document = parse_json(received, name="f.json")
    except InputError:
        return
    assert json.loads(received.decode("utf-8-sig")) == document


stix_names = st.sampled_from(
    [
        "type",
        "id",
        "spec_version",
        "created",
        "modified",
        "name",
        "description",
        "labels",
        "object_marking_refs",
        "granular_markings",
        "revoked",
        "external_references",
        "source_ref",
        "target_ref",
        "object_refs",
        "created_by_ref",
        "pattern",
        "pattern_type",
        "valid_from",
        "first_seen",
        "last_seen",
        "latitude",
        "longitude",
        "precision",
        "hashes",
        "value",
        "objects",
        "extensions",
        "malware_types",
        "kill_chain_phases",
    ]
)
stix_kinds = st.sampled_from(
    [
        *("tool", "malware", "indicator", "report", "relationship", "sighting", "location", "file", "url"),
        *("observed-data", "vulnerability", "language-content", "marking-definition", "x-own"),
    ]
)
stix_values = (
    anything
    | st.sampled_from(sorted(TLP_IDS.values()))
    | st.lists(st.sampled_from([*TLP_IDS.values(), stix_id("marking-definition", 1), stix_id("tool", 1)]), max_size=3)
    | st.builds(
        lambda mark, selectors: [{"marking_ref": mark, "selectors": selectors}],
        st.sampled_from([*TLP_IDS.values(), stix_id("marking-definition", 1)]),
        st.lists(
            st.sampled_from(["name", "id", "type", "labels.[0]", "hashes.a", "external_references.[0].url"]), max_size=3
        ),
    )
)


@st.composite
def stix_objects(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(stix_kinds)
    base: dict[str, Any] = {"type": kind, "spec_version": "2.1", "id": stix_id(kind, draw(st.integers(0, 2)))}
    base |= {"created": "2026-03-01T00:00:00Z", "modified": "2026-03-01T00:00:00Z", "name": "n"}
    return base | draw(st.dictionaries(stix_names, stix_values, max_size=5))


@patient
@given(st.lists(stix_objects(), max_size=6))
def test_any_bundle_is_read_or_refused(objects: list[dict[str, Any]]) -> None:
    outcome(json.dumps({"type": "bundle", "id": stix_id("bundle", 1), "objects": objects}).encode())


misp_names = st.sampled_from(
    [
        "uuid",
        "info",
        "date",
        "published",
        "distribution",
        "sharing_group_id",
        "SharingGroup",
        "Attribute",
        "Object",
        "EventReport",
        "Tag",
        "Galaxy",
        "type",
        "category",
        "value",
        "comment",
        "to_ids",
        "deleted",
        "timestamp",
        "first_seen",
        "threat_level_id",
        "analysis",
        "Orgc",
        "data",
        "name",
        "content",
        "ShadowAttribute",
        "RelatedEvent",
        "object_relation",
    ]
)
misp_tags = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["tlp:red", "tlp:white", "PAP:AMBER", "x", "toc.piracy"]) | st.text()}
    ),
    max_size=2,
)
misp_leaves = anything | misp_tags | st.sampled_from(["0", "1", "2", "3", "4", "5", 0, 4, False, True, "ip-dst|port"])
misp_elements = st.recursive(
    st.dictionaries(misp_names, misp_leaves, max_size=6),
    lambda inner: st.dictionaries(misp_names, misp_leaves | inner | st.lists(inner, max_size=2), max_size=6),
    max_leaves=6,
)


@patient
@given(misp_elements)
def test_any_event_is_read_or_refused(event: dict[str, Any]) -> None:
    outcome(json.dumps({"Event": {"info": "Words"} | event}).encode())


@patient
@given(anything)
def test_any_document_is_read_or_refused(document: Any) -> None:
    outcome(json.dumps(document).encode())


@patient
@given(st.integers(0, 400), st.binary(max_size=3), st.integers(0, 20))
def test_any_damage_to_a_file_is_survived(at: int, inserted: bytes, cut: int) -> None:
    whole = json.dumps(
        {
            "type": "bundle",
            "objects": [
                {"type": "url", "id": stix_id("url", 1), "value": "https://a.example"},
                {"type": "url", "id": stix_id("url", 2), "value": "b", "object_marking_refs": [TLP_IDS["RED"]]},
            ],
        }
    ).encode()
    outcome(whole[:at] + inserted + whole[at + cut :])


@st.composite
def marked_bundles(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, int]]:
    """A bundle in which every text is a word of its own, and for each word the rank of the tightest mark it bears."""
    ranks: dict[str, int] = {}
    objects: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 5))):
        own = draw(st.sampled_from(TLP_ORDER))
        content: dict[str, Any] = {"type": "tool", "spec_version": "2.1", "id": stix_id("tool", number)}
        content |= {"created": "2026-03-01T00:00:00Z", "modified": "2026-03-01T00:00:00Z"}
        content |= {"name": f"name-{number}-x", "description": f"description-{number}-x"}
        content["external_references"] = [{"source_name": f"source-{number}-{at}-x"} for at in range(3)]
        content["object_marking_refs"] = [TLP_IDS[own]]
        paths = {"name": content["name"], "description": content["description"]}
        paths |= {f"external_references.[{at}]": f"source-{number}-{at}-x" for at in range(3)}
        chosen = draw(st.dictionaries(st.sampled_from(sorted(paths)), st.sampled_from(TLP_ORDER), max_size=3))
        content["granular_markings"] = [
            {"marking_ref": TLP_IDS[tlp], "selectors": [path]} for path, tlp in chosen.items()
        ]
        for path, word in paths.items():
            ranks[word] = max(TLP_ORDER.index(own), TLP_ORDER.index(chosen.get(path, "CLEAR")))
        ranks[content["id"]] = TLP_ORDER.index(own)
        objects.append(content)
    return {"type": "bundle", "objects": objects}, ranks


@patient
@given(marked_bundles())
def test_every_word_stands_in_portions_as_tight_as_its_mark_and_is_never_lost(
    drawn: tuple[dict[str, Any], dict[str, int]],
) -> None:
    bundle, ranks = drawn
    report = outcome(json.dumps(bundle).encode())

    assert report is not None
    for word, rank in ranks.items():
        found = [TLP_ORDER.index(portion.label.tlp) for portion in report.portions if word in repr(portion)]
        assert found
        # An id may go along with a tighter part of its object; no word may go with anything wider.
        assert rank == min(found)
        assert word.startswith("tool--") or {rank} == set(found)


marks = st.builds(
    Mark,
    tlp=st.none() | st.sampled_from(TLP_ORDER),
    floor=st.sampled_from(TLP_ORDER),
    pap=st.none() | st.sampled_from(["CLEAR", "GREEN", "AMBER", "RED"]),
    rel=st.none() | st.frozensets(st.sampled_from(["IDN", "MYS", "@asean"])),
    caveats=st.frozensets(st.sampled_from(["NO-PARTNERS", "ORCON"])),
)


@given(marks, marks, marks)
def test_joining_marks_is_in_any_order_and_never_widens(one: Mark, other: Mark, third: Mark) -> None:
    joined = one.joined(other)

    assert joined == other.joined(one)
    assert joined.joined(third) == one.joined(other.joined(third))
    assert one.joined(one) == one
    assert joined.covers(one)
    assert joined.covers(other)
    assert TLP_ORDER.index(joined.settled("CLEAR").tlp or "RED") >= TLP_ORDER.index(one.settled("CLEAR").tlp or "CLEAR")
