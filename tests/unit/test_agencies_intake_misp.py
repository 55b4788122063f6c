"""MISP in: distribution, sharing groups, tags and drafts as labels; what is not meant to be shared stays out."""

import json
from pathlib import Path
from typing import Any

import pytest

from agencies.intake.bounded_json import parse_json
from agencies.intake.intake import read_bytes
from agencies.intake.misp_distribution import read_sharing_groups
from agencies.intake.shapes import Imported, IntakeDefaults
from schemas.errors import InputError, MarkingError
from schemas.report import Portion

CIRCL = "55f6ea5e-2c60-40e5-964f-47a8950d210f"
OTHER = "56bf12a7-c19c-4b98-83e7-d9bb02de0b81"
DEFAULTS = IntakeDefaults(originator="sgp-cert", organisations={CIRCL: "mys-cert", "Other Organisation": "@asean"})


def uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def tags(*names: str) -> list[dict[str, Any]]:
    return [{"name": name} for name in names]


def attribute(number: int, value: str, **more: Any) -> dict[str, Any]:
    base = {"uuid": uuid(number), "type": "domain", "category": "Network activity", "value": value, "to_ids": True}
    return base | {"distribution": "5"} | more


def event(*attributes: dict[str, Any], **more: Any) -> dict[str, Any]:
    base: dict[str, Any] = {"uuid": uuid(1), "info": "Event words", "date": "2026-03-01", "published": True}
    return base | {"distribution": "3", "Attribute": list(attributes)} | more


def sharing_group(number: int = 4, *organisations: dict[str, str]) -> dict[str, Any]:
    members = [{"extend": False, "Organisation": each} for each in organisations]
    return {"id": str(number), "uuid": uuid(40 + number), "name": "Circle", "SharingGroupOrg": members}


def read(document: Any, defaults: IntakeDefaults = DEFAULTS) -> Imported:
    return read_bytes(json.dumps(document).encode(), name="f.json", defaults=defaults)


def portion_with(imported: Imported, text: str) -> Portion:
    """The one portion in which a text stands; that it is one is half of what the tests are about."""
    (found,) = [portion for portion in imported.report.portions if text in repr(portion.content)]
    return found


def refused(document: Any, error: type[InputError] = InputError) -> str:
    with pytest.raises(error) as caught:
        read(document)
    assert type(caught.value) is error
    assert caught.value.remedy
    return str(caught.value)


def test_an_event_is_read_in_each_of_the_forms_misp_exports() -> None:
    bare = event(attribute(2, "a.example"))
    for document in (
        bare,
        {"Event": bare},
        {"response": [{"Event": bare}]},
        [{"Event": bare}],
        [bare],
        {"response": {"Event": bare}},
    ):
        imported = read(document)
        assert ("MISP", {"event": 1, "domain": 1}) == (imported.standard, imported.counts)


def test_several_events_in_one_file_are_read_together() -> None:
    imported = read({"response": [{"Event": event(info="First")}, {"Event": event(info="Second", uuid=uuid(9))}]})

    assert {"event": 2} == imported.counts
    assert ["First", "Second"] == [
        word for word in ("First", "Second") if word in imported.report.portions[0].content.text
    ]


def test_what_bears_no_tag_gets_the_nodes_default_even_when_distributed_to_all() -> None:
    assert "AMBER+STRICT" == read(event(distribution="3")).report.portions[0].label.tlp


@pytest.mark.parametrize(
    ("tag", "tlp"),
    [
        ("tlp:clear", "CLEAR"),
        ("tlp:white", "CLEAR"),
        ("TLP:GREEN", "GREEN"),
        ("tlp:amber", "AMBER"),
        ("tlp:amber+strict", "AMBER+STRICT"),
        ("tlp: red", "RED"),
        ('tlp:"red"', "RED"),
    ],
)
def test_tlp_tags_are_read_in_every_spelling_in_use(tag: str, tlp: str) -> None:
    imported = read(event(Tag=tags(tag)))

    assert tlp == imported.report.portions[0].label.tlp
    assert ("white" in tag) == any("TLP:WHITE was imported as TLP:CLEAR" in line for line in imported.warnings)


@pytest.mark.parametrize("tag", ["tlp:purple", "tlp:ex:chr", "tlp:unclear", "TLP:", "PAP:BLUE", "tlp:amber-strict"])
def test_an_unknown_colour_is_refused_with_its_place(tag: str) -> None:
    text = refused(event(attribute(2, "x", Tag=tags("free text", tag))), MarkingError)

    assert f"f.json ({uuid(1)}): Attribute.[0] ({uuid(2)}): Tag.[1]" in text


@pytest.mark.parametrize(
    "tag", ['de-vs:Einstufung="VS-NfD"', 'nato:classification="NC"', "iep:commercial-use=MUST NOT"]
)
def test_a_classification_that_no_label_here_can_express_is_refused(tag: str) -> None:
    """As mere text it would be dropped in effect."""
    assert tag.partition(":")[0] in refused(event(Tag=tags(tag)), MarkingError)


def test_permissible_actions_become_the_tightest_caveat() -> None:
    imported = read(event(attribute(2, "a.example", Tag=tags("PAP:RED")), Tag=tags("PAP:GREEN", "PAP:WHITE")))

    assert ("PAP:GREEN",) == portion_with(imported, "event: ").label.caveats
    assert ("PAP:RED",) == portion_with(imported, "a.example").label.caveats


def test_other_tags_go_along_as_text() -> None:
    imported = read(event(Tag=tags('misp-galaxy:threat-actor="X"', "tlp:green")))

    assert 'Tags: misp-galaxy:threat-actor="X"\n' in imported.report.portions[0].content.text


def test_local_and_non_exportable_tags_stay_at_home_but_still_restrict() -> None:
    private = [
        {"name": "internal case 7", "exportable": False},
        {"name": "ours", "local": True},
        {"name": "tlp:red", "local": 1},
    ]
    imported = read(event(Tag=private))

    assert "internal case" not in repr(imported.report)
    assert "ours" not in repr(imported.report)
    assert "RED" == imported.report.portions[0].label.tlp
    assert "local or non-exportable tag was left out" in imported.warnings[0]


def test_attribute_tags_become_portions_that_do_not_show_in_each_other() -> None:
    imported = read(
        event(attribute(2, "open.example"), attribute(3, "closed.example", Tag=tags("tlp:red")), Tag=tags("tlp:green"))
    )

    green, red = portion_with(imported, "open.example"), portion_with(imported, "closed.example")
    assert ("GREEN", "RED") == (green.label.tlp, red.label.tlp)
    assert red is imported.report.portions[0]
    assert uuid(3) not in repr(green)
    assert "Event words" == green.content.title == red.content.title


def test_an_attribute_is_never_wider_than_its_event() -> None:
    imported = read(event(attribute(2, "a.example", Tag=tags("tlp:clear")), Tag=tags("tlp:amber")))

    assert ["AMBER"] == [portion.label.tlp for portion in imported.report.portions]
    assert "wider than that of its event" in imported.warnings[0]


def test_a_part_wider_than_an_unmarked_event_does_not_bear_the_events_words() -> None:
    imported = read(event(attribute(2, "open.example", Tag=tags("tlp:clear"))))

    clear = portion_with(imported, "open.example")
    assert "CLEAR" == clear.label.tlp
    assert "Event words" not in repr(clear)
    assert uuid(1) not in repr(clear)


def test_distribution_0_goes_to_nobody_but_the_originator() -> None:
    imported = read(event(attribute(2, "a.example", distribution=0), attribute(3, "b.example"), Tag=tags("tlp:clear")))

    own, others = portion_with(imported, "a.example").label, portion_with(imported, "b.example").label
    assert (("sgp-cert",), "AMBER+STRICT") == (own.rel, own.tlp)
    assert ((), "CLEAR") == (others.rel, others.tlp)
    assert "distribution 0" in imported.warnings[0]


@pytest.mark.parametrize(
    ("distribution", "tlp", "caveats"), [("1", "GREEN", ("NO-PARTNERS",)), (2, "GREEN", ()), ("3", "CLEAR", ())]
)
def test_distribution_to_communities_narrows_a_tag_and_never_widens_it(
    distribution: Any, tlp: str, caveats: Any
) -> None:
    tagged = read(event(distribution=distribution, Tag=tags("tlp:clear"))).report.portions[0].label
    red = read(event(distribution=distribution, Tag=tags("tlp:red"))).report.portions[0].label

    assert (tlp, caveats) == (tagged.tlp, tagged.caveats)
    assert "RED" == red.tlp


def test_distribution_5_inherits_from_object_and_event() -> None:
    inner = attribute(3, "a.example", object_relation="host")
    grouped = {"uuid": uuid(2), "name": "domain-ip", "distribution": "1", "Attribute": [inner]}
    imported = read(event(Object=[grouped], distribution="0"))

    label = portion_with(imported, "a.example").label
    assert (("sgp-cert",), ("NO-PARTNERS",)) == (label.rel, label.caveats)
    assert "Part of: domain-ip\nRelation: host\n" in portion_with(imported, "a.example").content.text


@pytest.mark.parametrize("distribution", ["6", -1, "x", True, None, 3.5, [], "99999999999999999999"])
def test_a_distribution_that_misp_does_not_have_is_refused(distribution: Any) -> None:
    assert "none that MISP has" in refused(event(attribute(2, "x", distribution=distribution)), MarkingError)


def test_an_event_has_nothing_to_inherit_a_distribution_from() -> None:
    assert "none that MISP has" in refused(event(distribution="5"), MarkingError)


def test_an_event_of_a_feed_has_no_distribution_and_gets_the_default() -> None:
    feed = event(attribute(2, "a.example"))
    del feed["distribution"]
    del feed["Attribute"][0]["distribution"]

    assert [()] == [portion.label.rel for portion in read(feed).report.portions]


def test_a_sharing_group_in_the_event_becomes_releasability() -> None:
    group = sharing_group(4, {"uuid": CIRCL, "name": "CIRCL"}, {"uuid": OTHER, "name": "Other Organisation"})
    imported = read(event(distribution="4", sharing_group_id="4", SharingGroup=group))

    assert ("@asean", "mys-cert", "sgp-cert") == imported.report.portions[0].label.rel


def test_members_of_a_sharing_group_that_nobody_here_knows_get_nothing() -> None:
    group = sharing_group(4, {"uuid": CIRCL, "name": "CIRCL"}, {"uuid": uuid(77), "name": "Stranger Org"})
    imported = read(event(distribution="4", sharing_group_id="4", SharingGroup=group))

    assert ("mys-cert", "sgp-cert") == imported.report.portions[0].label.rel
    assert "not known here and gets nothing" in imported.warnings[0]
    assert "Stranger" not in " ".join(imported.warnings)


def test_a_sharing_group_of_strangers_alone_goes_to_nobody() -> None:
    """An empty list would mean everybody."""
    group = sharing_group(4, {"uuid": uuid(77), "name": "Stranger"})

    assert ("sgp-cert",) == read(event(distribution="4", SharingGroup=group)).report.portions[0].label.rel


def test_a_sharing_group_may_be_given_by_the_node() -> None:
    for key in (uuid(44), "4", "Circle"):
        defaults = IntakeDefaults(originator="sgp-cert", sharing_groups={key: ("IDN", "mys-cert")})
        document = event(
            distribution="4", sharing_group_id="4", SharingGroup={"id": "4", "uuid": uuid(44), "name": "Circle"}
        )
        assert ("IDN", "mys-cert", "sgp-cert") == read(document, defaults).report.portions[0].label.rel


def test_a_sharing_group_whose_members_are_nowhere_is_refused() -> None:
    text = refused(event(attribute(2, "x", distribution="4", sharing_group_id="9")), MarkingError)

    assert f"f.json ({uuid(1)}): Attribute.[0] ({uuid(2)}): goes to a sharing group" in text


def test_the_events_group_is_not_taken_for_another_one() -> None:
    group = sharing_group(4, {"uuid": CIRCL, "name": "CIRCL"})
    document = event(
        attribute(2, "x", distribution="4", sharing_group_id="9"),
        SharingGroup=group,
        sharing_group_id="4",
        distribution="4",
    )

    assert "Attribute.[0]" in refused(document, MarkingError)


def test_of_two_sharing_groups_only_the_members_of_both_may_have_it() -> None:
    outer = sharing_group(4, {"uuid": CIRCL, "name": "CIRCL"}, {"uuid": OTHER, "name": "Other Organisation"})
    inner = sharing_group(5, {"uuid": OTHER, "name": "Other Organisation"})
    none = sharing_group(6, {"uuid": uuid(77), "name": "Stranger"})
    imported = read(
        event(
            attribute(2, "a.example", distribution="4", SharingGroup=inner),
            attribute(3, "b.example", distribution="4", SharingGroup=none),
            distribution="4",
            SharingGroup=outer,
        )
    )

    assert ("@asean", "sgp-cert") == portion_with(imported, "a.example").label.rel
    assert ("sgp-cert",) == portion_with(imported, "b.example").label.rel


def test_a_draft_is_no_wider_than_the_default_unless_it_is_tagged() -> None:
    for published in (False, 0, "0"):
        draft = read(event(published=published))
        assert "AMBER+STRICT" == draft.report.portions[0].label.tlp
        assert "published is false" in draft.warnings[0]
    assert "GREEN" == read(event(published=False, Tag=tags("tlp:green"))).report.portions[0].label.tlp


def test_what_is_deleted_or_only_proposed_is_left_out_and_said_to_be() -> None:
    proposal = {"uuid": uuid(8), "value": "proposed.example"}
    imported = read(
        event(
            attribute(2, "kept.example", ShadowAttribute=[proposal]),
            attribute(3, "gone.example", deleted=True),
            attribute(4, "gone-too.example", deleted="1"),
            Object=[{"name": "o", "deleted": 1, "Attribute": [attribute(5, "gone-with-it.example")]}],
            ShadowAttribute=[proposal],
            RelatedEvent=[{"Event": {"info": "related words"}}],
            EventReport=[{"name": "n", "content": "gone words", "deleted": True}],
            event_creator_email="person@example.org",
        )
    )

    for left_out in ("gone", "proposed", "related words", "person@"):
        assert left_out not in repr(imported.report)
    assert {"event": 1, "domain": 1} == imported.counts
    for what in ("deleted attribute", "deleted object", "deleted event report", "proposal", "related event"):
        assert any(what in line for line in imported.warnings)
    assert "and 1 more" in next(line for line in imported.warnings if "deleted attribute" in line)


def test_samples_are_left_out_and_their_names_kept() -> None:
    imported = read(event(attribute(2, "x.exe|" + "ab" * 16, type="malware-sample", data="UEsDBA==", Tag=[])))

    assert "UEsDBA" not in repr(imported.report)
    assert "sample or attachment" in imported.warnings[0]


def test_attributes_become_indicators_and_composite_ones_two() -> None:
    digest = "ab" * 32
    imported = read(
        event(
            attribute(2, "a.example", comment="seen twice"),
            attribute(3, f"x.exe|{digest}", type="filename|sha256"),
            attribute(4, "no bar", type="ip-dst|port"),
            attribute(5, "long" * 2_000, type="text"),
        )
    )

    content = imported.report.portions[0].content
    assert [
        ("domain", "a.example", "Network activity; seen twice"),
        ("filename", "x.exe", "Network activity"),
        ("sha256", digest, "Network activity"),
        ("ip-dst-port", "no bar", "Network activity"),
    ] == [tuple(found) for found in content.indicators]
    assert "long" * 2_000 in content.text


def test_the_event_is_written_out_for_a_reader_and_nothing_is_invented() -> None:
    text = (
        read(event(threat_level_id="1", analysis="2", timestamp="1554736360", Orgc={"name": "ESET"}))
        .report.portions[0]
        .content.text
    )
    bare = read({"info": "Bare", "Attribute": [{"type": "domain", "value": "a.example"}]}).report.portions[0].content

    assert (
        f"event: Event words\nReference: {uuid(1)}\nDate: 2026-03-01\nCreated by: ESET\nThreat level: high\n"
        "Analysis: completed\nLast change: 2019-04-08T15:12:40Z\n\n"
    ) == text
    assert "event: Bare\n\ndomain: a.example\n\n" == bare.text
    assert bare.observed is None


def test_a_date_is_a_day_and_a_seen_time_a_moment() -> None:
    day = read(event()).report.portions[0].content.observed
    seen = attribute(2, "a.example", first_seen="2026-02-01T00:00:00.000000+00:00", Tag=tags("tlp:red"))
    moment = portion_with(read(event(seen)), "a.example").content.observed

    assert (1_772_323_200_000, 1_772_409_599_999, "approximate") == day
    assert (1_769_904_000_000, None, "exact") == moment


@pytest.mark.parametrize(
    ("document", "topic"),
    [
        (event(Tag=tags('misp-galaxy:ransomware="Avos"')), "cyber.ransomware"),
        (event(Tag=tags('misp-galaxy:mitre-atlas-attack-pattern="X"')), "ai.misuse"),
        (event(Tag=tags('rsit:fraud="phishing"')), "cyber.fraud"),
        (event(Tag=tags("toc.piracy")), "toc.piracy"),
        (event(attribute(2, "x", category="Payload delivery")), "cyber.malware"),
        (event(attribute(2, "CVE-2026-1", type="vulnerability", category="External analysis")), "cyber.vulnerability"),
        (event(info="ransomware in prose"), "cyber.incident"),
    ],
)
def test_the_topic_comes_from_tags_and_categories(document: Any, topic: str) -> None:
    assert topic == read(document).report.portions[0].label.topic


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"response": []}, "holds no event"),
        ({"response": [7]}, "response.[0]: not a MISP event"),
        ({"Event": 7}, "not a MISP event"),
        ([{"Event": event()}, {"x": 1}], "f.json.[1]: not a MISP event"),
        (event(Attribute=[7]) | {"Attribute": [7]}, "Attribute.[0]: not an object"),
        (event() | {"Attribute": "x"}, "Attribute.[0]: not an object"),
        (event(Tag=[{"id": 1}]), "Tag.[0]: a tag without a name"),
        ({"x": 1}, "neither STIX 2.1 nor a MISP event"),
        ([], "neither STIX 2.1 nor a MISP event"),
        ("text", "neither STIX 2.1 nor a MISP event"),
        ([{"SharingGroup": {"id": "1"}, "SharingGroupOrg": []}], "a list of MISP's sharing groups"),
    ],
)
def test_what_is_no_event_is_refused_with_its_place(document: Any, expected: str) -> None:
    assert expected in refused(document)


def test_more_portions_than_a_report_can_have_are_refused() -> None:
    groups = {str(number): (f"agency-{number:02d}",) for number in range(33)}
    several = [attribute(at + 10, f"{at}.example", distribution="4", sharing_group_id=str(at)) for at in range(33)]
    with pytest.raises(InputError, match="more than 32 portions") as caught:
        read(event(*several), IntakeDefaults(originator="sgp-cert", sharing_groups=groups))

    assert "Split the file" in caught.value.remedy


def test_a_wrong_originator_is_refused_in_words() -> None:
    with pytest.raises(InputError, match="cannot be made into a report"):
        read(event(distribution="0"), IntakeDefaults(originator="Not An Id"))


def test_no_refusal_and_no_warning_quotes_what_stands_in_the_file() -> None:
    secret = "agent-lives-at-12-harbour-road"
    documents = [
        event(info=secret, distribution=secret),
        event(info=secret, Tag=tags(f"tlp:{secret} {secret}")),
        event(attribute(2, secret, distribution="4", SharingGroup={"name": secret, "uuid": secret}), info=secret),
        event(info=secret, uuid=secret) | {"Attribute": [secret]},
    ]
    for document in documents:
        with pytest.raises(InputError) as caught:
            read(document)
        assert secret not in f"{caught.value} {caught.value.remedy}"
    group = sharing_group(4, {"uuid": secret, "name": secret})
    imported = read(
        event(attribute(2, secret, deleted=True), info=secret, uuid=secret, distribution="4", SharingGroup=group)
    )
    assert secret not in " ".join(imported.warnings)


SAMPLES = Path(__file__).parents[2] / ".." / "shared" / "data" / "misp"
needs_samples = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the sample files of others (../shared/data) are missing"
)


@needs_samples
@pytest.mark.sample_files
def test_a_published_draft_event_is_read() -> None:
    imported = read_bytes((SAMPLES / "oceanlotus-macos.misp.event.json").read_bytes(), name="f.json", defaults=DEFAULTS)

    (portion,) = imported.report.portions
    assert "OceanLotus : IoC from new macOS sample flashlightd" == portion.content.title
    assert ("AMBER+STRICT", (), 9) == (portion.label.tlp, portion.label.rel, len(portion.content.indicators))
    assert any("published is false" in line for line in imported.warnings)


@needs_samples
@pytest.mark.sample_files
def test_a_published_event_for_its_own_organisation_goes_to_nobody() -> None:
    imported = read_bytes((SAMPLES / "machete.misp.event.json").read_bytes(), name="f.json", defaults=DEFAULTS)

    (portion,) = imported.report.portions
    assert (("sgp-cert",), 396) == (portion.label.rel, len(portion.content.indicators))
    assert 397 == sum(imported.counts.values())


@needs_samples
@pytest.mark.sample_files
def test_published_sharing_groups_become_a_mapping() -> None:
    received = (SAMPLES / "sharing_groups.json").read_bytes()
    groups = read_sharing_groups(
        parse_json(received, name="g.json"), name="g.json", organisations={CIRCL: "mys-cert", "PifPafPoum": "idn-cert"}
    )

    assert {"1": ("idn-cert", "mys-cert"), "2": ("idn-cert", "mys-cert")} == groups
    defaults = IntakeDefaults(originator="sgp-cert", sharing_groups=groups)
    assert ("idn-cert", "mys-cert", "sgp-cert") == read(
        event(distribution="4", sharing_group_id="1"), defaults
    ).report.portions[0].label.rel


def test_what_is_no_export_of_sharing_groups_is_refused() -> None:
    documents: list[Any] = [{"x": 1}, [{"SharingGroup": {}}], 7]
    for document in documents:
        with pytest.raises(MarkingError, match="not a sharing group"):
            read_sharing_groups(document, name="g.json", organisations={})
