"""STIX 2.1 in: what is read as such, what is refused, and that neither a refusal nor a warning quotes the file."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from agencies.intake.intake import read_bytes
from agencies.intake.shapes import IntakeDefaults
from schemas.errors import InputError
from tests.samples.stix_bundles import DEFAULTS, bundle, by_tlp, definition, read, ref, refused, sdo, stix_id


@pytest.mark.parametrize(
    "document",
    [
        {"type": "bundle", "id": stix_id("bundle", 1), "spec_version": "2.0", "objects": [{"type": "tool"}]},
        bundle({name: value for name, value in sdo("tool", 1, name="t").items() if name != "spec_version"}),
        bundle(sdo("tool", 1, name="t") | {"spec_version": "2.0"}),
    ],
)
def test_stix_2_0_is_refused_with_the_way_to_upgrade(document: Any) -> None:
    with pytest.raises(InputError, match=r"STIX 2\.0, which is not STIX 2\.1") as caught:
        read(document)

    assert "stix2-elevator" in caught.value.remedy


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"type": "bundle", "id": stix_id("bundle", 1)}, "holds no objects"),
        (bundle(), "holds no objects"),
        (bundle(definition(1, definition_type="tlp", definition={"tlp": "red"})), "nothing that they mark"),
        (bundle({"type": "tool"}), "no well-formed id of the type tool"),
        (bundle(sdo("tool", 1) | {"id": stix_id("malware", 1)}), "no well-formed id of the type tool"),
        (bundle({"id": "x"}), "no well-formed type"),
        ({"type": "bundle", "objects": [7]}, "objects.[0]: not an object"),
        (bundle(sdo("tool", 1, object_marking_refs="x")), "object_marking_refs is not a list"),
        (bundle(sdo("tool", 1, granular_markings={})), "granular_markings is not a list"),
        (
            bundle(sdo("tool", 1, granular_markings=[{"marking_ref": ref("RED")}])),
            "granular_markings.[0]: selects nothing",
        ),
    ],
)
def test_what_is_no_stix_is_refused_with_its_place(document: Any, expected: str) -> None:
    assert expected in refused(document)


def test_a_taxii_envelope_a_list_and_a_single_object_are_read_too() -> None:
    tool = sdo("tool", 1, name="nmap")

    for document in ({"more": False, "objects": [tool]}, [tool], tool):
        assert "tool: nmap" in read(document).report.portions[0].content.text


@pytest.mark.parametrize("wrong", [{"level": ""}, {"topic": "No Topic"}, {"affected": ("mys",)}])
def test_wrong_defaults_are_refused_in_words(wrong: dict[str, Any]) -> None:
    """What the originator is called stands in a report only where MISP restricts to it; its tests look at that."""
    with pytest.raises(InputError, match="cannot be made into a report"):
        read(bundle(sdo("tool", 1, name="t")), IntakeDefaults(originator="sgp-cert", **wrong))


def test_no_refusal_quotes_what_stands_in_the_file() -> None:
    secret = "agent-lives-at-12-harbour-road"
    tool = sdo("tool", 1, name=secret, description=secret, marks=[ref("RED")])
    documents = [
        bundle(tool | {"object_marking_refs": [secret]}),
        bundle(tool | {"granular_markings": [{"marking_ref": ref("RED"), "selectors": [secret]}]}),
        bundle(tool | {"granular_markings": [{"marking_ref": secret, "selectors": ["name"]}]}),
        bundle(tool | {"labels": [f"tlp:{secret} {secret}"]}),
        bundle(tool | {"spec_version": secret}),
        bundle(tool | {"id": secret}),
        bundle(tool | {"type": secret + " "}),
        {"type": "bundle", "spec_version": secret, "objects": [tool]},
        bundle(
            definition(3, definition_type=secret, definition={secret: secret}),
            tool | {"object_marking_refs": [stix_id("marking-definition", 3)]},
        ),
    ]
    for document in documents:
        with pytest.raises(InputError) as caught:
            read(document)
        assert secret not in f"{caught.value} {caught.value.remedy}"
    with pytest.raises(InputError) as caught:
        read_bytes(json.dumps(bundle(tool)).encode()[:-40], name="f.json", defaults=DEFAULTS)
    assert secret not in repr(caught.value)
    assert caught.value.__cause__ is None


def test_warnings_name_places_and_no_content() -> None:
    secret = "harbour-road"
    imported = read(
        bundle(sdo("indicator", 1, name=secret, pattern=f"[{secret}", pattern_type="stix", valid_from="never"))
    )

    assert secret not in " ".join(imported.warnings)


def test_without_stix2_the_same_report_comes_out_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    document = bundle(sdo("tool", 1, name="t"), sdo("x-own", 2, name="custom"))
    with_library = read(document)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    without = read(document)

    assert with_library.report == without.report
    assert ("our own checks of structure and markings, and stix2", "our own checks of structure and markings") == (
        with_library.validation,
        without.validation,
    )


SAMPLES = Path(__file__).parents[2] / ".." / "shared" / "data" / "stix"
needs_samples = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the sample files of others (../shared/data) are missing"
)


@needs_samples
@pytest.mark.sample_files
def test_the_published_example_of_markings_gives_one_portion_per_marking() -> None:
    imported = read_bytes((SAMPLES / "using-marking-definitions.json").read_bytes(), name="f.json", defaults=DEFAULTS)

    portions = by_tlp(imported)
    assert {"AMBER", "AMBER+STRICT"} == set(portions)
    assert ("ipv4-addr", "10.0.0.0") == portions["AMBER"].content.indicators[0][:2]
    assert "Handling: Copyright (c) Stark Industries 2017." in portions["AMBER"].content.text
    assert "Stark Industries\n" not in portions["AMBER"].content.text


@needs_samples
@pytest.mark.sample_files
def test_the_published_example_of_a_sighting_is_read() -> None:
    imported = read_bytes((SAMPLES / "sighting-of-an-indicator.json").read_bytes(), name="f.json", defaults=DEFAULTS)

    assert {"indicator": 1, "identity": 2, "sighting": 1} == imported.counts
    assert (1_488_231_431_213, 1_488_231_431_214, "exact") == imported.report.portions[0].content.observed


@needs_samples
@pytest.mark.sample_files
def test_a_large_published_bundle_is_read_in_time() -> None:
    received = (SAMPLES / "atlas.json").read_bytes()
    begin = time.perf_counter()
    imported = read_bytes(received, name="atlas.json", defaults=DEFAULTS)
    elapsed_s = time.perf_counter() - begin

    assert elapsed_s < 1.5
    assert sum(imported.counts.values()) == 538
    assert ("ai.misuse", 538) == (
        imported.report.portions[0].label.topic,
        len(imported.report.portions[0].content.body),
    )


@needs_samples
@pytest.mark.sample_files
def test_a_published_bundle_of_stix_2_0_is_refused() -> None:
    with pytest.raises(InputError, match=r"the bundle is STIX 2\.0"):
        read_bytes((SAMPLES / "stix20-avoslocker-playbook.json").read_bytes(), name="f.json", defaults=DEFAULTS)
