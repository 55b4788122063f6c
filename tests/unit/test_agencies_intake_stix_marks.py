"""What the marking of a STIX object says about who may read it, and that an unknown one is refused."""

from typing import Any

import pytest

from agencies.intake.shapes import IntakeDefaults
from schemas.errors import MarkingError
from schemas.label import EXERCISE_LEVELS
from tests.samples.stix_bundles import (
    TLP_1,
    TLP_2,
    TLP_EXTENSION,
    bundle,
    by_tlp,
    definition,
    read,
    ref,
    refused,
    sdo,
    stix_id,
)


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
