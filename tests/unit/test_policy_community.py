"""A bundle becomes a community, or is refused with its loose end named."""

import re
from typing import Any

import pytest

from policy.community import Community
from policy.recent import Recent
from schemas.bundle import (
    Agency,
    Bundle,
    Group,
    Mechanism,
    Membership,
    NationalMark,
    Predicate,
    RouterKey,
    Rule,
    SignKey,
)
from schemas.errors import InputError

KEY = SignKey(b"k" * 32, 0, 1_000)


def agency(name: str, **changed: Any) -> Agency:
    state = name[:3].upper()
    return Agency(name, name, state, "cert", "member", "LOW", (), (), (), "active", (KEY,))._replace(**changed)


BUNDLE = Bundle(
    v=1,
    version=1,
    issued=0,
    expires=1_000,
    levels=("LOW", "HIGH"),
    compartments=("alpha",),
    groups=(Group("@pair", ("MYS", "sgp-cert")),),
    mechanisms=(Mechanism("msp", "Patrol", (Membership("@pair", "member", 0),)),),
    agencies=(
        agency("sgp-cert"),
        agency("mys-cert"),
        agency("mys-bank", kind="industry"),
        agency("aus-cert", kind="partner"),
    ),
    routers=(RouterKey("router", KEY),),
    rules=(Rule("R1", "permit", (Predicate("topic", ("cyber.*",)),)),),
    marks=(NationalMark("MYS", "SULIT", "HIGH", 0),),
)


def rule(effect: Any, name: Any, value: str) -> dict[str, Any]:
    return {"rules": (Rule("R1", effect, (Predicate(name, (value,)),)),)}


def test_a_sound_bundle_is_compiled() -> None:
    community = Community.compile(BUNDLE)

    assert community.bundle is BUNDLE
    assert community.agency("mys-cert") == BUNDLE.agencies[1]
    assert community.agency("mys-mar") is None
    assert community.position("aus-cert") == 0
    assert community.position("mys-mar") is None
    assert community.bit("mys-mar") == 0


@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        ((), ()),
        (("MYS",), ("mys-cert",)),
        (("AUS",), ()),
        (("@pair",), ("mys-cert", "sgp-cert")),
        (("aus-cert", "mys-bank"), ("aus-cert", "mys-bank")),
    ],
)
def test_subjects_stand_for_agencies(subjects: tuple[str, ...], expected: tuple[str, ...]) -> None:
    """A state stands for its members, not for its industry."""
    community = Community.compile(BUNDLE)

    mask = community.expand(subjects)

    assert mask is not None
    assert community.ids(mask) == expected


def test_an_exclusion_of_a_state_is_of_all_its_agencies() -> None:
    community = Community.compile(BUNDLE)

    assert community.ids(community.expand(("@pair",), every_kind=True) or 0) == ("mys-bank", "mys-cert", "sgp-cert")


@pytest.mark.parametrize("subject", ["THA", "tha-cert", "@none", "mys", "mys-cer"])
def test_an_unknown_subject_stands_for_nothing_at_all(subject: str) -> None:
    """Not even the known ones beside it count: unknown is never "no restriction". A prefix is another name."""
    assert Community.compile(BUNDLE).expand(("MYS", subject)) is None


TWICE = (agency("mys-cert"), agency("mys-cert"))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"agencies": TWICE}, "agency 'mys-cert' more than once"),
        ({"groups": BUNDLE.groups * 2}, "group '@pair' more than once"),
        ({"mechanisms": BUNDLE.mechanisms * 2}, "mechanism 'msp' more than once"),
        ({"rules": BUNDLE.rules * 2}, "rule 'R1' more than once"),
        ({"levels": ("LOW", "HIGH", "LOW")}, "level 'LOW' more than once"),
        ({"marks": BUNDLE.marks * 2}, "mark 'MYS SULIT' more than once"),
        ({"agencies": (agency("mys-cert", clearance="TOP"),)}, "'TOP', which is no level"),
        ({"agencies": (agency("mys-cert", compartments=("beta",)),)}, "'beta', which is no compartment"),
        ({"agencies": (agency("mys-cert", client_of=("tha-cert",)),)}, "client of 'tha-cert'"),
        ({"groups": (Group("@pair", ("@pair",)),)}, "holds '@pair'"),
        ({"groups": (Group("@pair", ("THA",)),)}, "holds 'THA'"),
        ({"mechanisms": (Mechanism("msp", "Patrol", (Membership("THA", "observer", 0),)),)}, "'THA' as observer"),
        ({"marks": (NationalMark("MYS", "SULIT", "TOP", 0),)}, "maps to 'TOP'"),
        ({"rules": (Rule("NTK-1", "permit", BUNDLE.rules[0].predicates),)}, "NTK-1 has the name of a built-in"),
        ({"rules": (Rule("R1", "permit", ()),)}, "R1 has no predicate"),
        ({"rules": (Rule("R1", "permit", (Predicate("role", ()),)),)}, "role without a value"),
        (rule("permit", "topic", "*"), "topic '*'"),
        (rule("permit", "topic", "cyber*"), "topic 'cyber*'"),
        (rule("forbid", "role", "cret"), "role 'cret'"),
        (rule("forbid", "state", "THA"), "state 'THA'"),
        (rule("permit", "state", "Thailand"), "state 'Thailand'"),
        (rule("permit", "kind", "friend"), "kind 'friend'"),
        (rule("permit", "mechanism", "psm"), "mechanism 'psm'"),
        (rule("permit", "tlp", "WHITE"), "tlp 'WHITE'"),
        (rule("permit", "tlp", "AMBER or above"), "tlp 'AMBER or above'"),
        (rule("permit", "level", ">=TOP"), "level '>=TOP'"),
        (rule("permit", "precedence", "SOON"), "precedence 'SOON'"),
        (rule("permit", "caveat", "EYES-ONLY"), "caveat 'EYES-ONLY'"),
        (rule("permit", "caveat", "NAMED:tha-cert"), "caveat 'NAMED:tha-cert'"),
        (rule("permit", "caveat", "RESIDENCY:THA"), "caveat 'RESIDENCY:THA'"),
        (rule("permit", "affected", "Siam"), "affected 'Siam'"),
        (rule("permit", "colour", "blue"), "colour 'blue'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_loose_end_is_refused_and_named(changed: dict[str, Any], named: str) -> None:
    # A community of other agencies would leave the groups behind as a loose end of their own.
    sound = BUNDLE._replace(groups=(), mechanisms=()) if "agencies" in changed else BUNDLE

    with pytest.raises(InputError, match=re.escape(named)) as caught:
        Community.compile(sound._replace(**changed))

    assert caught.value.remedy


@pytest.mark.parametrize(
    "changed",
    [
        rule("permit", "role", "sar"),
        rule("permit", "state", "THA"),
        rule("forbid", "state", "affected"),
        rule("permit", "level", ">=HIGH"),
        rule("permit", "caveat", "RESIDENCY:MYS"),
        rule("permit", "caveat", "NAMED:mys-cert"),
        rule("permit", "caveat", "PAP:RED"),
        rule("forbid", "affected", "THA"),
    ],
)
def test_a_permit_may_speak_of_who_has_not_joined(changed: dict[str, Any]) -> None:
    """It reaches nobody there; and any state can be affected."""
    assert Community.compile(BUNDLE._replace(**changed)).rules[0].rule == "R1"


def test_the_oldest_is_forgotten_first() -> None:
    recent: Recent[int, int] = Recent(entries_max=2)
    worked_out: list[int] = []

    def value(key: int) -> int:
        def work_out() -> int:
            worked_out.append(key)
            return key * 10

        return recent.get(key, work_out)

    assert [value(key) for key in (1, 2, 2, 3, 2, 1)] == [10, 20, 20, 30, 20, 10]
    assert worked_out == [1, 2, 3, 1]
