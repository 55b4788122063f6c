"""The label of a product is at least as strict as each of its parts."""

from typing import Any

import pytest

from policy.audience import audience_mask
from policy.community import Community
from policy.rollup import Part, product_audience, roll_up
from schemas.bundle import Agency, Bundle, Group, Mechanism, Predicate, RouterKey, Rule, SignKey
from schemas.errors import InputError
from schemas.label import EXERCISE_LEVELS, Label

NOW = 1_000
KEY = SignKey(b"k" * 32, 0, 2 * NOW)
STATES = ("IDN", "MYS", "SGP")


def agency(state: str, number: int) -> Agency:
    name = f"{state.lower()}-{number:03}"
    return Agency(name, name, state, "cert", "member", "EX-SECRET", (), (), (), "active", (KEY,))


BUNDLE = Bundle(
    v=1,
    version=1,
    issued=0,
    expires=2 * NOW,
    levels=EXERCISE_LEVELS,
    compartments=tuple(f"c{number:02}" for number in range(80)),
    groups=(Group("@all", STATES), Group("@most", ("IDN", "MYS", "sgp-000"))),
    mechanisms=(Mechanism("msp", "Patrol", ()), Mechanism("our-eyes", "Eyes", ())),
    agencies=tuple(agency(state, number) for state in STATES for number in range(40)),
    routers=(RouterKey("router", KEY),),
    rules=(
        Rule("N1", "permit", (Predicate("topic", ("cyber",)),)),
        Rule("N2", "permit", (Predicate("topic", ("cyber.*",)), Predicate("state", ("affected",)))),
    ),
    marks=(),
)
COMMUNITY = Community.compile(BUNDLE)
PLAIN = Label("GREEN", "EX-UNCLAS", "cyber.scam")


def rolled(*changes: dict[str, Any]) -> Label:
    return roll_up([PLAIN._replace(**change) for change in changes], COMMUNITY)


def test_the_strictest_of_each_wins() -> None:
    label = rolled(
        {"tlp": "AMBER", "level": "EX-SECRET", "precedence": "FLASH", "not_before": 5, "compartments": ("c01",)},
        {"tlp": "CLEAR", "caveats": ("ORCON",), "affected": ("MYS",), "compartments": ("c02",), "exclude": ("IDN",)},
        {"caveats": ("NATONLY",), "affected": ("SGP",), "not_before": 9, "exclude": ("sgp-000",)},
    )

    assert label == Label(
        tlp="AMBER",
        level="EX-SECRET",
        topic="cyber.scam",
        compartments=("c01", "c02"),
        exclude=("IDN", "sgp-000"),
        caveats=("NATONLY", "ORCON"),
        affected=("MYS", "SGP"),
        precedence="FLASH",
        not_before=9,
    )


def test_h3_releases_intersect_after_expanding_groups() -> None:
    assert rolled({"rel": ("@all",)}, {"rel": ("mys-001", "sgp-002")}, {}).rel == ("mys-001", "sgp-002")


def test_h3_an_empty_intersection_means_nobody_and_never_everybody() -> None:
    label = rolled({"rel": ("MYS",)}, {"rel": ("SGP",)})

    assert (label.rel, label.caveats) == ((), ("NOBODY",))
    mask = audience_mask(label._replace(topic="cyber"), originator="idn-000", at_ms=NOW, community=COMMUNITY)
    assert COMMUNITY.ids(mask) == ("idn-000",)


def test_one_spelling_of_the_readers_is_kept() -> None:
    assert rolled({"rel": ("@all",)}, {"rel": ("@all",), "level": "EX-SECRET"}).rel == ("@all",)


def test_a_long_list_names_whole_states() -> None:
    """81 agencies do not fit a list of 64; two states and one agency do."""
    assert rolled({"rel": ("@all",)}, {"rel": ("@most",)}).rel == ("IDN", "MYS", "sgp-000")


def test_h11_a_state_on_a_red_list_does_not_become_names() -> None:
    """RED names agencies; its state must not be spelled out into forty of them when another part is combined."""
    label = rolled({"tlp": "RED", "rel": ("MYS", "sgp-001")}, {"rel": ("@all",)})

    assert (label.tlp, label.rel) == ("RED", ("sgp-001",))


def test_h11_red_that_names_nobody_stays_with_its_originator() -> None:
    assert rolled({"tlp": "RED"}, {"rel": ("MYS",)}).caveats == ("NOBODY",)


def test_named_readers_intersect() -> None:
    """A union of NAMED caveats would let each part's readers have the other part."""
    assert rolled({"caveats": ("NAMED:mys-001",)}, {"caveats": ("NAMED:sgp-001",)}).caveats == ("NOBODY",)
    both = rolled({"caveats": ("NAMED:mys-001", "NAMED:sgp-001")}, {"rel": ("MYS",)})
    assert (both.rel, both.caveats) == (("mys-001",), ())


@pytest.mark.parametrize(
    ("one", "two", "mechanisms", "caveats"),
    [
        ((), ("msp",), ("msp",), ()),
        (("msp", "our-eyes"), ("msp",), ("msp",), ()),
        (("msp",), ("our-eyes",), (), ("NOBODY",)),
    ],
)
def test_mechanisms_intersect(
    one: tuple[str, ...], two: tuple[str, ...], mechanisms: tuple[str, ...], caveats: tuple[str, ...]
) -> None:
    label = rolled({"mechanisms": one}, {"mechanisms": two})

    assert (label.mechanisms, label.caveats) == (mechanisms, caveats)


@pytest.mark.parametrize(
    ("topics", "expected"),
    [
        (("cyber.scam", "cyber.scam"), "cyber.scam"),
        (("cyber.scam.loan", "cyber.scam.love"), "cyber.scam"),
        (("cyber.scam", "cyber"), "cyber"),
        (("cyber.scam", "cyberx.scam"), "mixed"),
        (("mixed", "cyber.scam"), "mixed"),
    ],
)
def test_the_topic_is_what_all_have_in_common(topics: tuple[str, str], expected: str) -> None:
    assert rolled(*({"topic": topic} for topic in topics)).topic == expected


def test_a_list_may_be_as_long_as_a_label_holds() -> None:
    """64 words are the limit of the shape; the label must still be well made."""
    words = BUNDLE.compartments[:64]

    assert rolled({"compartments": words[:32]}, {"compartments": words[32:]}).compartments == words
    with pytest.raises(InputError, match="65 words"):
        rolled({"compartments": words}, {"compartments": BUNDLE.compartments[64:65]})


def test_a_list_of_64_agencies_is_not_shortened_to_states() -> None:
    """Names cannot grow with the community, so they are kept where they fit."""
    names = tuple(sorted(f"{state.lower()}-{number:03}" for state in ("IDN", "MYS") for number in range(40)))[:64]

    assert rolled({"rel": names}, {"rel": ("@all",)}).rel == names


def test_h11_red_without_a_name_leaves_nobody_of_a_part() -> None:
    label = rolled({"tlp": "RED", "rel": ("IDN",)}, {"rel": ("@all",)})

    assert (label.rel, label.caveats) == ((), ("NOBODY",))


def test_a_product_reaches_nobody_whom_a_part_does_not() -> None:
    """The rule N1 opens ``cyber`` to all, and each part was for one affected state."""
    parts = [
        Part(PLAIN._replace(topic="cyber.scam", affected=("MYS", "SGP")), "idn-000"),
        Part(PLAIN._replace(topic="cyber.worm", affected=("SGP",)), "idn-001"),
    ]

    mask = product_audience(parts, originator="sgp-000", at_ms=NOW, community=COMMUNITY)

    assert COMMUNITY.ids(mask) == tuple(f"sgp-{number:03}" for number in range(40))


@pytest.mark.parametrize(
    ("labels", "named"),
    [
        ([], "quotes nothing"),
        ([PLAIN, PLAIN._replace(level="TOP")], "level TOP"),
        ([PLAIN._replace(rel=("@none",))], "subject @none"),
        ([PLAIN._replace(rel=("SGP", "MYS"))], "malformed"),
        (
            [PLAIN._replace(compartments=half) for half in (BUNDLE.compartments[:40], BUNDLE.compartments[40:])],
            "80 words",
        ),
    ],
)
def test_what_cannot_be_combined_is_refused(labels: list[Label], named: str) -> None:
    with pytest.raises(InputError, match=named):
        roll_up(labels, COMMUNITY)
