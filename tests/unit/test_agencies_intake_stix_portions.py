"""STIX objects become portions by their marks, and nothing of a tighter portion shows in another."""

from schemas.codec import pack
from schemas.limits import CONTENT_BYTES_MAX
from tests.samples.stix_bundles import TIME, bundle, by_tlp, read, ref, sdo, seen, stix_id


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
