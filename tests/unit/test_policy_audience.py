"""The audience at once and the decision one by one agree at the edges, where a community lacks something."""

from typing import Any

import pytest

from policy.audience import audience_mask
from policy.community import Community
from policy.decide import Action, decide
from schemas.bundle import Agency, Bundle, Group, Mechanism, Predicate, RouterKey, Rule, SignKey
from schemas.label import Label

NOW = 1_000
KEY = SignKey(b"k" * 32, 0, 2 * NOW)


def agency(name: str, **changed: Any) -> Agency:
    state = name[:3].upper()
    return Agency(name, name, state, "mar", "member", "LOW", (), (), (), "active", (KEY,))._replace(**changed)


MEMBERS = (agency("mys-a0"), agency("mys-b0"), agency("sgp-a0"))
PARTNER = agency("aus-a0", kind="partner")
BUNDLE = Bundle(
    v=1,
    version=1,
    issued=0,
    expires=2 * NOW,
    levels=("LOW",),
    compartments=("alpha",),
    groups=(Group("@none", ()),),
    mechanisms=(Mechanism("msp", "Patrol", ()),),
    agencies=MEMBERS,
    routers=(RouterKey("router", KEY),),
    rules=(Rule("R1", "permit", (Predicate("topic", ("toc.piracy",)),)),),
    marks=(),
)
PLAIN = Label("GREEN", "LOW", "toc.piracy")


def audience(
    label: Label, agencies: tuple[Agency, ...] = MEMBERS, *, rules: tuple[Rule, ...] = BUNDLE.rules
) -> set[str]:
    """Ask both ways for a release by sgp-a0, hold them equal, and leave the originator out."""
    community = Community.compile(BUNDLE._replace(agencies=agencies, rules=rules))
    mask = audience_mask(label, originator="sgp-a0", at_ms=NOW, community=community)
    permitted = {
        each.agency
        for each in agencies
        if decide(
            label,
            originator="sgp-a0",
            recipient=each.agency,
            action=Action.RELEASE,
            at_ms=NOW,
            community=community,
        ).permit
    }
    assert permitted == set(community.ids(mask))
    return permitted - {"sgp-a0"}


@pytest.mark.parametrize("caveat", ["PROPIN", "NO-PARTNERS", "ORCON", "PAP:RED"])
def test_a_caveat_against_somebody_absent_keeps_nobody_out(caveat: str) -> None:
    assert audience(PLAIN._replace(caveats=(caveat,))) == {"mys-a0", "mys-b0"}


@pytest.mark.parametrize(
    "changed",
    [
        {"rel": ("AUS",)},
        {"rel": ("@none",)},
        {"compartments": ("alpha",)},
        {"mechanisms": ("msp",)},
        {"caveats": ("PERSONAL",)},
        {"caveats": ("LEAD-ONLY:fiu",)},
        {"tlp": "RED"},
        {"tlp": "RED", "rel": ("MYS",)},
    ],
    ids=str,
)
def test_what_nobody_meets_reaches_nobody(changed: dict[str, Any]) -> None:
    """A state without members and an empty group are known, and are nobody: not "no restriction"."""
    assert audience(PLAIN._replace(**changed), (PARTNER, *MEMBERS)) == set()


@pytest.mark.parametrize("exclude", [("@none",), ("sgp-a0",)])
def test_the_exclusion_of_nobody_else_keeps_nobody_out(exclude: tuple[str, ...]) -> None:
    assert audience(PLAIN._replace(exclude=exclude)) == {"mys-a0", "mys-b0"}


@pytest.mark.parametrize(
    ("name", "value"), [("role", "sar"), ("kind", "staff"), ("state", "THA"), ("mechanism", "msp")]
)
def test_a_rule_about_somebody_absent_permits_nobody(name: Any, value: str) -> None:
    assert audience(PLAIN, rules=(Rule("R1", "permit", (Predicate(name, (value,)),)),)) == set()


def test_a_community_without_members_has_states_that_name_nobody() -> None:
    bodies = (agency("sgp-a0", kind="partner"), agency("aus-a0", kind="partner"))

    assert audience(PLAIN._replace(rel=("AUS", "SGP")), bodies) == set()
    assert audience(PLAIN, bodies) == {"aus-a0"}


def test_an_embargo_is_lifted_for_the_kept_audience_too() -> None:
    community = Community.compile(BUNDLE)
    label = PLAIN._replace(not_before=NOW)

    sizes = [
        audience_mask(label, originator="sgp-a0", at_ms=at_ms, community=community).bit_count()
        for at_ms in (NOW - 1, NOW, NOW - 1, NOW + 1)
    ]

    assert sizes == [1, 3, 1, 3]
