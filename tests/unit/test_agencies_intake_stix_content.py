"""What a portion says of a STIX object: indicators, places, times and topic, and which version of it holds."""

from typing import Any

import pytest

from agencies.intake.shapes import IntakeDefaults
from schemas.report import Indicator
from tests.samples.stix_bundles import TIME, bundle, by_tlp, read, ref, sdo, stix_id


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


def test_text_cannot_steer_a_terminal_or_reorder_itself() -> None:
    text = read(bundle(sdo("tool", 1, name="a\x1b[2Jb\u202ec", description="line\nline"))).report.portions[0].content

    assert "a\\u001b[2Jb\\u202ec" == text.title.removeprefix("tool: ")
    assert "line\nline" in text.text
    assert "\x1b" not in text.text
