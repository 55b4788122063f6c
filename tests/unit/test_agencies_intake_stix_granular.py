"""Marks on a part of a STIX object: it goes into a portion of its own, and a selector that fits nothing is refused."""

from typing import Any

import pytest

from tests.samples.stix_bundles import TIME, bundle, by_tlp, read, ref, refused, sdo, seen


def test_granular_markings_move_what_they_select_into_its_own_portion() -> None:
    indicator = sdo("indicator", 1, marks=[ref("GREEN")], name="Known name", description="How we know it")
    indicator |= {"pattern": "[ipv4-addr:value = '198.51.100.7']", "pattern_type": "stix", "valid_from": TIME}
    indicator["external_references"] = [
        {"source_name": "a", "url": "https://open.example"},
        {"source_name": "hidden-b"},
    ]
    indicator["granular_markings"] = [
        {"marking_ref": ref("AMBER"), "selectors": ["description", "external_references.[1]"]},
        {"marking_ref": ref("RED"), "selectors": ["pattern"]},
    ]
    portions = by_tlp(read(bundle(indicator)))

    assert {"RED", "AMBER", "GREEN"} == set(portions)
    assert "198.51.100.7" not in seen(portions["GREEN"]) + seen(portions["AMBER"])
    assert "How we know" not in seen(portions["GREEN"]) + seen(portions["RED"])
    assert "hidden-b" not in seen(portions["GREEN"])
    assert "Known name" not in seen(portions["RED"])
    assert "https://open.example" in portions["GREEN"].content.text
    assert () == portions["GREEN"].content.indicators
    assert "ipv4-addr" == portions["RED"].content.indicators[0].kind
    assert indicator["id"] in portions["RED"].content.text
    assert "granular" not in seen(portions["GREEN"]).lower()


def test_a_selector_may_go_to_one_member_of_an_object_in_a_list() -> None:
    tool = sdo("tool", 1, name="t", marks=[ref("GREEN")])
    tool["external_references"] = [{"source_name": "public", "url": "https://secret.example"}]
    tool["granular_markings"] = [{"marking_ref": ref("RED"), "selectors": ["external_references.[0].url"]}]
    portions = by_tlp(read(bundle(tool)))

    assert "Source name: public" in portions["GREEN"].content.text
    assert "secret.example" not in seen(portions["GREEN"])
    assert "Url: https://secret.example" in portions["RED"].content.text


def test_marks_on_a_part_and_on_the_whole_of_it_both_hold() -> None:
    tool = sdo(
        "tool",
        1,
        name="t",
        marks=[ref("CLEAR")],
        external_references=[{"source_name": "s", "url": "https://u.example"}],
    )
    tool["granular_markings"] = [
        {"marking_ref": ref("AMBER"), "selectors": ["external_references"]},
        {"marking_ref": ref("GREEN"), "selectors": ["external_references.[0].url"]},
    ]

    assert {"AMBER", "CLEAR"} == set(by_tlp(read(bundle(tool))))


def test_a_granular_marking_never_loosens_its_object() -> None:
    tool = sdo("tool", 1, name="t", description="d", marks=[ref("RED")])
    tool["granular_markings"] = [{"marking_ref": ref("CLEAR"), "selectors": ["description"]}]
    imported = read(bundle(tool))

    assert ["RED"] == list(by_tlp(imported))
    assert "wider than its object's" in imported.warnings[0]


def test_a_part_wider_than_its_unmarked_object_does_not_name_the_object() -> None:
    tool = sdo("tool", 1, name="hidden", description="for all")
    tool["granular_markings"] = [{"marking_ref": ref("CLEAR"), "selectors": ["description"]}]
    portions = by_tlp(read(bundle(tool)))

    assert "for all" in portions["CLEAR"].content.text
    assert "tool" not in seen(portions["CLEAR"])
    assert "hidden" not in seen(portions["CLEAR"])


def test_a_granular_language_is_no_restriction() -> None:
    tool = sdo("tool", 1, name="t", description="d", marks=[ref("GREEN")])
    tool["granular_markings"] = [{"lang": "ms", "selectors": ["description"]}]

    assert ["GREEN"] == list(by_tlp(read(bundle(tool))))


@pytest.mark.parametrize(
    "selector",
    ["", "name.", ".name", "[0]", "name[0]", "labels.[01]", "labels.[-1]", "labels.0]", "na me", 7, "x" * 3_000],
)
def test_a_selector_outside_of_the_grammar_is_refused(selector: Any) -> None:
    tool = sdo(
        "tool", 1, name="t", labels=["a"], granular_markings=[{"marking_ref": ref("RED"), "selectors": [selector]}]
    )

    assert "does not follow the grammar" in refused(bundle(tool))


@pytest.mark.parametrize("selector", ["descriptions", "labels.[1]", "name.length", "labels.a", "name.[0]"])
def test_a_selector_that_matches_nothing_is_refused(selector: str) -> None:
    """What it was to mark would otherwise go out unmarked."""
    tool = sdo(
        "tool", 1, name="t", labels=["a"], granular_markings=[{"marking_ref": ref("RED"), "selectors": [selector]}]
    )

    assert "matches nothing" in refused(bundle(tool))
