"""STIX 2.1 in: markings become portions, and nothing of a tighter portion shows in another."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agencies.intake.intake import read_bytes
from agencies.intake.shapes import Imported, IntakeDefaults
from schemas.codec import pack
from schemas.errors import InputError, MarkingError
from schemas.label import EXERCISE_LEVELS
from schemas.limits import CONTENT_BYTES_MAX
from schemas.report import Indicator, Portion

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


@pytest.mark.parametrize(("tlp", "uuid"), [*TLP_2.items(), *TLP_1.items()])
def test_well_known_marking_ids_need_no_definition_in_the_file(tlp: str, uuid: str) -> None:
    imported = read(bundle(sdo("tool", 1, name="nmap", marks=[f"marking-definition--{uuid}"])))

    assert [tlp] == list(by_tlp(imported))


def test_tlp_2_definitions_in_the_file_are_read_by_their_extension() -> None:
    extension = {TLP_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": "amber+strict"}}
    own = definition(7, extensions=extension)
    known = definition(7, extensions=extension) | {"id": ref("AMBER+STRICT"), "name": "TLP:AMBER+STRICT"}
    imported = read(
        bundle(own, known, sdo("tool", 1, name="a", marks=[own["id"]]), sdo("tool", 2, name="b", marks=[known["id"]])),
        IntakeDefaults(originator="sgp-cert", tlp="GREEN"),
    )

    assert ["AMBER+STRICT"] == list(by_tlp(imported))


def test_tlp_white_is_imported_as_clear_with_a_warning() -> None:
    imported = read(bundle(sdo("tool", 1, name="nmap", marks=[f"marking-definition--{TLP_1['CLEAR']}"])))

    assert ["CLEAR"] == list(by_tlp(imported))
    assert ["TLP:WHITE was imported as TLP:CLEAR"] == [line.split(",")[0] for line in imported.warnings]


def test_of_several_markings_the_tightest_holds() -> None:
    assert ["RED"] == list(
        by_tlp(read(bundle(sdo("tool", 1, name="x", marks=[ref("GREEN"), ref("RED"), ref("AMBER")]))))
    )


def test_what_bears_no_mark_gets_the_nodes_default() -> None:
    imported = read(
        bundle(sdo("tool", 1, name="x")), IntakeDefaults(originator="sgp-cert", tlp="GREEN", affected=("MYS", "IDN"))
    )

    label = imported.report.portions[0].label
    assert ("GREEN", EXERCISE_LEVELS[0], ("IDN", "MYS")) == (label.tlp, label.level, label.affected)


def test_each_marking_becomes_a_portion_that_stands_alone_tightest_first() -> None:
    imported = read(
        bundle(
            sdo("malware", 1, name="Open Name", is_family=True, marks=[ref("GREEN")], malware_types=["worm"]),
            sdo("campaign", 2, name="Hidden Name", marks=[ref("RED")], first_seen="2026-02-01T00:00:00Z"),
        )
    )

    red, green = imported.report.portions
    assert ("RED", "GREEN") == (red.label.tlp, green.label.tlp)
    assert ("Hidden Name", "Open Name") == (red.content.title, green.content.title)
    assert "Hidden" not in seen(green)
    assert "campaign" not in seen(green)
    assert green.content.observed is None
    assert red.content.observed is not None
    assert (stix_id("campaign", 2) in red.content.text, "cyber.malware") == (True, green.label.topic)


def test_a_relationship_is_as_tight_as_the_tightest_thing_it_names() -> None:
    """It reveals that its ends exist, and so does a relationship that names such a relationship."""
    first = sdo("relationship", 3, marks=[ref("CLEAR")], relationship_type="uses")
    first |= {"source_ref": stix_id("campaign", 1), "target_ref": stix_id("tool", 2)}
    second = sdo("sighting", 4, marks=[ref("CLEAR")], sighting_of_ref=first["id"])
    imported = read(
        bundle(
            second,
            first,
            sdo("campaign", 1, name="c", marks=[ref("CLEAR")]),
            sdo("tool", 2, name="t", marks=[ref("RED")]),
        )
    )

    portions = by_tlp(imported)
    assert {"RED", "CLEAR"} == set(portions)
    for identifier in (first["id"], second["id"], stix_id("tool", 2)):
        assert identifier in portions["RED"].content.text
        assert identifier not in seen(portions["CLEAR"])


def test_relationships_in_a_circle_come_to_an_end() -> None:
    one = sdo("sighting", 1, marks=[ref("GREEN")], sighting_of_ref=stix_id("sighting", 2))
    two = sdo("sighting", 2, marks=[ref("AMBER")], sighting_of_ref=stix_id("sighting", 1))

    assert ["AMBER"] == list(by_tlp(read(bundle(one, two))))


def test_a_reference_to_something_tighter_goes_along_with_the_tighter_mark() -> None:
    """A report's list of objects must not tell its readers that there is one they may not know."""
    hidden, known = stix_id("malware", 2), stix_id("tool", 3)
    report = sdo("report", 1, name="Weekly", marks=[ref("GREEN")], published=TIME, object_refs=[known, hidden])
    imported = read(
        bundle(
            report,
            sdo("malware", 2, name="m", marks=[ref("RED")], is_family=False),
            sdo("tool", 3, name="t", marks=[ref("GREEN")]),
        )
    )

    portions = by_tlp(imported)
    assert hidden not in seen(portions["GREEN"])
    assert f"Object refs: {known}\n" in portions["GREEN"].content.text
    assert f"part of report\nReference: {report['id']}\nObject refs: {hidden}\n" in portions["RED"].content.text


def test_a_translation_is_as_tight_as_the_tightest_thing_it_translates() -> None:
    translated = sdo("campaign", 1, name="n", description="secret", marks=[ref("GREEN")])
    translated["granular_markings"] = [{"marking_ref": ref("RED"), "selectors": ["description"]}]
    language = sdo("language-content", 2, marks=[ref("GREEN")], object_ref=stix_id("campaign", 1))
    language["contents"] = {"ms": {"description": "rahsia"}}

    portions = by_tlp(read(bundle(translated, language)))
    assert "rahsia" in portions["RED"].content.text
    assert "rahsia" not in seen(portions["GREEN"])


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


def test_an_unknown_marking_is_refused_with_its_id_and_its_place() -> None:
    unknown = stix_id("marking-definition", 99)
    text = refused(bundle(sdo("tool", 1, name="t"), sdo("tool", 2, name="t", marks=[unknown])), MarkingError)

    assert f"f.json: objects.[1] ({stix_id('tool', 2)}): the marking {unknown} is not defined" in text


@pytest.mark.parametrize(
    "content",
    [
        {"definition_type": "tlp", "definition": {"tlp": "purple"}},
        {"definition_type": "house-rules", "definition": {"house": "secret"}},
        {"extensions": {stix_id("extension-definition", 5): {"extension_type": "property-extension", "policy": "x"}}},
        {"extensions": {TLP_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": "amber-strict"}}},
        {"name": "Something"},
        {"definition_type": "statement", "definition": {"statement": "s"}, "name": "TLP:ULTRA"},
    ],
)
def test_a_definition_that_nobody_here_understands_is_refused(content: dict[str, Any]) -> None:
    own = definition(3, **content)

    assert own["id"] in refused(bundle(own, sdo("tool", 1, name="t", marks=[own["id"]])), MarkingError)


def test_a_definition_that_contradicts_its_well_known_id_is_refused() -> None:
    false = definition(1, definition_type="tlp", definition={"tlp": "white"}) | {"id": ref("RED")}

    assert "otherwise than the standard" in refused(
        bundle(false, sdo("tool", 1, name="t", marks=[ref("RED")])), MarkingError
    )


def test_a_statement_goes_along_as_text_and_restricts_nothing() -> None:
    own = definition(3, definition_type="statement", definition={"statement": "Copyright Example 2026"})
    portions = by_tlp(
        read(
            bundle(
                own,
                sdo("tool", 1, name="t", marks=[own["id"], ref("GREEN")]),
                sdo("tool", 2, name="u", marks=[ref("GREEN")]),
            )
        )
    )

    assert 1 == portions["GREEN"].content.text.count("Handling: Copyright Example 2026")


def test_a_statement_that_is_itself_marked_travels_no_wider_than_its_mark() -> None:
    own = definition(3, definition_type="statement", definition={"statement": "s"}, object_marking_refs=[ref("RED")])

    assert ["RED"] == list(by_tlp(read(bundle(own, sdo("tool", 1, name="t", marks=[own["id"], ref("GREEN")])))))


def test_a_tlp_that_stands_in_the_name_of_a_statement_alone_holds() -> None:
    """Some platforms give AMBER+STRICT an id of their own and define it as a statement."""
    own = definition(3, definition_type="statement", definition={"statement": "custom"}, name="TLP:AMBER+STRICT")
    imported = read(
        bundle(own, sdo("tool", 1, name="t", marks=[own["id"]])), IntakeDefaults(originator="sgp-cert", tlp="CLEAR")
    )

    assert ["AMBER+STRICT"] == list(by_tlp(imported))


def test_permissible_actions_become_a_caveat() -> None:
    pap = "marking-definition--60f8932b-e51e-4458-b265-a2e8be9a80ab"
    imported = read(bundle(sdo("tool", 1, name="t", marks=[pap, ref("GREEN")])))

    assert ("PAP:AMBER",) == by_tlp(imported)["GREEN"].label.caveats


def test_a_label_that_looks_like_a_marking_narrows_and_never_grants() -> None:
    portions = read(
        bundle(sdo("tool", 1, name="t", labels=["tlp:red"]), sdo("tool", 2, name="u", labels=["tlp:clear"]))
    )

    assert {"RED", "AMBER+STRICT"} == set(by_tlp(portions))
    assert "the tag tlp:mauve" in refused(bundle(sdo("tool", 1, name="t", labels=["tlp:mauve"])), MarkingError)


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


def test_observables_need_no_spec_version_and_become_indicators() -> None:
    file = {
        "type": "file",
        "id": stix_id("file", 1),
        "name": "a.exe",
        "hashes": {"SHA-256": "ab" * 32, "SHA3-256": "cd" * 32},
    }
    address = {"type": "ipv4-addr", "id": stix_id("ipv4-addr", 2), "value": "198.51.100.7"}
    imported = read(bundle(file, address))

    kinds = [(found.kind, found.value) for found in imported.report.portions[0].content.indicators]
    assert [("file", "a.exe"), ("sha256", "ab" * 32), ("sha3-256", "cd" * 32), ("ipv4-addr", "198.51.100.7")] == kinds
    assert {"file": 1, "ipv4-addr": 1} == imported.counts


def test_a_pattern_gives_its_value_only_where_it_compares_one() -> None:
    single = sdo("indicator", 1, pattern="[file:hashes.'SHA-256' = 'ab']", pattern_type="stix", valid_from=TIME)
    double = sdo("indicator", 2, pattern="[url:value = 'a' AND url:value = 'b']", pattern_type="stix", valid_from=TIME)
    yara = sdo("indicator", 3, pattern="rule r {condition: true}", pattern_type="yara", valid_from=TIME)

    found = read(bundle(single, double, yara)).report.portions[0].content.indicators
    assert ["sha256", "stix-pattern", "stix-pattern", "yara-pattern"] == [each.kind for each in found]
    assert Indicator("sha256", "ab", single["id"]) == found[0]


def test_a_location_gives_a_place_and_claims_no_more_than_it_says() -> None:
    exact = sdo("location", 1, name="Buoy", latitude=1.25, longitude=103.8, precision=500.0)
    vague = sdo("location", 2, latitude=1, longitude=104)
    wrong = sdo("location", 3, latitude=91.0, longitude=104)

    places = read(bundle(exact, vague, wrong)).report.portions[0].content.places
    assert [("Buoy", 1_250_000, 103_800_000, "approximate", 500), ("", 1_000_000, 104_000_000, "unknown", 0)] == [
        tuple(place) for place in places
    ]


def test_observed_is_what_was_seen_and_only_else_what_is_valid_from() -> None:
    indicator = sdo("indicator", 1, pattern="x", pattern_type="yara", valid_from="2026-01-01T00:00:00Z")
    campaign = sdo("campaign", 2, name="c", first_seen="2026-02-01T00:00:00Z", last_seen="2026-02-02T00:00:00+08:00")

    both = read(bundle(indicator, campaign)).report.portions[0].content.observed
    alone = read(bundle(indicator)).report.portions[0].content.observed
    assert (1_769_904_000_000, 1_769_961_600_000, "exact") == both
    assert (1_767_225_600_000, None, "unknown") == alone
    assert read(bundle(sdo("tool", 1, name="t", first_seen="yesterday"))).report.portions[0].content.observed is None


@pytest.mark.parametrize(
    ("content", "topic"),
    [
        (sdo("malware", 1, name="m", is_family=True, malware_types=["ransomware"]), "cyber.ransomware"),
        (sdo("malware", 1, name="m", is_family=True, malware_types=["worm"]), "cyber.malware"),
        (sdo("attack-pattern", 1, name="a", external_references=[{"source_name": "mitre-atlas"}]), "ai.misuse"),
        (sdo("attack-pattern", 1, name="a", external_references=[{"source_name": "mitre-attack"}]), "cyber.incident"),
        (sdo("vulnerability", 1, name="v"), "cyber.vulnerability"),
        (sdo("incident", 1, name="i", labels=["toc.piracy"]), "toc.piracy"),
        (sdo("report", 1, name="ransomware in prose", published=TIME, object_refs=[]), "cyber.incident"),
    ],
)
def test_the_topic_comes_from_closed_vocabularies(content: dict[str, Any], topic: str) -> None:
    assert topic == read(bundle(content)).report.portions[0].label.topic


def test_the_topic_of_a_portion_tells_nothing_of_another() -> None:
    secret = sdo("malware", 1, name="m", is_family=True, malware_types=["ransomware"], marks=[ref("RED")])

    assert (
        "cyber.incident"
        == by_tlp(read(bundle(secret, sdo("tool", 2, name="t", marks=[ref("GREEN")]))))["GREEN"].label.topic
    )


def test_a_topic_given_by_the_node_holds_for_all() -> None:
    imported = read(bundle(sdo("malware", 1, name="m")), IntakeDefaults(originator="sgp-cert", topic="toc.piracy"))

    assert "toc.piracy" == imported.report.portions[0].label.topic


def test_the_later_version_of_an_object_holds_and_the_earlier_is_said_to_be_left_out() -> None:
    old = sdo("tool", 1, name="old name")
    new = sdo("tool", 1, name="new name") | {"modified": "2026-03-02T00:00:00Z"}
    for order in ((old, new), (new, old)):
        imported = read(bundle(*order))
        assert "old name" not in imported.report.portions[0].content.text
        assert "earlier version" in imported.warnings[0]


def test_two_contents_under_one_id_and_version_are_both_kept_under_the_tighter_mark() -> None:
    imported = read(
        bundle(sdo("tool", 1, name="one", marks=[ref("CLEAR")]), sdo("tool", 1, name="two", marks=[ref("RED")]))
    )

    portion = by_tlp(imported)["RED"]
    assert ["one", "two"] == [name for name in ("one", "two") if f"tool: {name}" in portion.content.text]


def test_a_revoked_object_gives_no_indicators() -> None:
    indicator = sdo("indicator", 1, pattern="x", pattern_type="yara", valid_from=TIME, revoked=True)
    imported = read(bundle(indicator))

    assert () == imported.report.portions[0].content.indicators
    assert "revoked" in imported.warnings[0]


def test_a_taxii_envelope_a_list_and_a_single_object_are_read_too() -> None:
    tool = sdo("tool", 1, name="nmap")

    for document in ({"more": False, "objects": [tool]}, [tool], tool):
        assert "tool: nmap" in read(document).report.portions[0].content.text


def test_text_cannot_steer_a_terminal_or_reorder_itself() -> None:
    text = read(bundle(sdo("tool", 1, name="a\x1b[2Jb\u202ec", description="line\nline"))).report.portions[0].content

    assert "a\\u001b[2Jb\\u202ec" == text.title.removeprefix("tool: ")
    assert "line\nline" in text.text
    assert "\x1b" not in text.text


def test_what_overflows_one_portion_is_laid_out_over_several_of_the_same_label() -> None:
    objects = [
        {"type": "url", "id": stix_id("url", number), "value": f"https://e.example/{number}"} for number in range(5_000)
    ]
    portions = read(bundle(*objects)).report.portions

    assert 2 == len(portions)
    assert 1 == len({portion.label for portion in portions})
    assert 5_000 == sum(len(portion.content.indicators) for portion in portions)
    assert portions[0].content.title.endswith("(part 1 of 2)")


def test_large_text_is_cut_to_what_a_portion_holds() -> None:
    text = "ü" * 5_000_000
    portions = read(bundle(sdo("note", 1, content=text, object_refs=[]))).report.portions

    assert 3 == len(portions)
    assert all(len(pack(portion.content)) <= CONTENT_BYTES_MAX for portion in portions)
    assert text in "".join(portion.content.text for portion in portions)


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
