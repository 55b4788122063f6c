"""Rules about who reads: case and role (H6), purpose (H7), proprietary confidence (H10); and what a reader takes on."""

from typing import Any, Final

import pytest
from rich.console import Console

from conformance import world
from console.node_view import show_happening
from policy.community import Community
from policy.decide import obligations
from policy.enquiry import Enquiry
from policy.rollup import roll_up
from policy.verdict import Verdict
from schemas.bundle import Agency, Predicate, Rule
from schemas.label import Label

NOW: Final = world.NOW
PLAIN: Final = Label("AMBER", "EX-RESTRICTED", "toc.scams", affected=("MYS", "SGP"))


def agency(name: str, **changed: Any) -> Agency:
    whole = world.AGENCIES[0]._replace(agency=name, state=name[:3].upper(), role=name[4:], compartments=())
    return whole._replace(**changed)


AGENCIES: Final = (
    agency("mys-fiu", purposes=("fiu",)),
    agency("sgp-fiu", purposes=("fiu",)),
    agency("mys-pol", purposes=("police",), compartments=("case-7",)),
    agency("sgp-pol", purposes=("police",)),
    agency("idn-pol", purposes=("police",), compartments=("case-7",)),
    agency("sgp-hlt", purposes=("health", "personal-data")),
    agency("in-bank", state="SGP", kind="industry"),
    agency("dp-aus-pol", state="AUS", role="pol", kind="partner"),
)
RULES: Final = (
    Rule("R1", "permit", (Predicate("topic", ("toc.*",)), Predicate("state", ("affected",)))),
    Rule("R2", "permit", (Predicate("topic", ("toc.scams",)), Predicate("kind", ("industry", "partner")))),
    Rule("R3", "permit", (Predicate("topic", ("bio.*",)), Predicate("role", ("hlt",)))),
)
COMMUNITY: Final = Community.compile(
    world.BUNDLE._replace(agencies=AGENCIES, groups=(), mechanisms=(), compartments=("case-7",), rules=RULES)
)


def ask(recipient: str, originator: str = "mys-fiu", **label: Any) -> Verdict:
    enquiry = Enquiry(label=PLAIN._replace(**label), originator=originator, recipient=recipient, at_ms=NOW)
    return enquiry.decide(COMMUNITY)


def test_h6_the_role_the_topic_and_the_case_together_open_it() -> None:
    assert ask("mys-pol", "sgp-pol", compartments=("case-7",)).permit


@pytest.mark.parametrize(
    ("recipient", "label", "rule"),
    [
        ("sgp-pol", {"compartments": ("case-7",)}, "NTK-COMPARTMENT"),  # the topic is its own, the case is not
        ("idn-pol", {"compartments": ("case-7",)}, "NTK-PERMIT"),  # the case is its own, and its state is not concerned
        ("mys-pol", {"topic": "bio.outbreak"}, "NTK-PERMIT"),
    ],
)
def test_h6_being_releasable_and_cleared_is_not_enough(recipient: str, label: dict[str, Any], rule: str) -> None:
    """REL TO names each of them, and each is cleared for the level."""
    assert rule == ask(recipient, rel=("IDN", "MYS", "SGP"), **label).rule


@pytest.mark.parametrize(
    ("recipient", "caveat", "label"),
    [
        ("sgp-fiu", "LEAD-ONLY:fiu", {}),
        ("sgp-pol", "LEAD-ONLY:police", {}),
        ("sgp-hlt", "LEAD-ONLY:health", {"topic": "bio.outbreak"}),
        ("sgp-hlt", "PERSONAL", {"topic": "bio.outbreak"}),
    ],
)
def test_h7_who_holds_the_purpose_reads_it_and_takes_its_limit_on(
    recipient: str, caveat: str, label: dict[str, Any]
) -> None:
    verdict = ask(recipient, caveats=(caveat,), **label)
    purpose = caveat.partition(":")[2] or "personal-data"

    assert verdict.permit
    assert f"PURPOSE:{purpose}" in verdict.obligations


@pytest.mark.parametrize(
    ("recipient", "caveats"),
    [
        ("mys-pol", ("LEAD-ONLY:fiu",)),  # "purpose-bound, even to own police"
        ("sgp-fiu", ("LEAD-ONLY:police",)),
        ("sgp-pol", ("PERSONAL",)),
        ("sgp-fiu", ("LEAD-ONLY:fiu", "LEAD-ONLY:police")),  # both, and it holds one
    ],
)
def test_h7_who_does_not_hold_the_purpose_does_not_read_it(recipient: str, caveats: tuple[str, ...]) -> None:
    assert "NTK-PURPOSE" == ask(recipient, caveats=caveats).rule


def test_h7_a_product_bears_every_purpose_of_what_it_quotes() -> None:
    """So nobody reads it who could not read each part."""
    parts = [PLAIN._replace(caveats=(caveat,)) for caveat in ("LEAD-ONLY:fiu", "LEAD-ONLY:police")]

    assert ("LEAD-ONLY:fiu", "LEAD-ONLY:police") == roll_up(parts, COMMUNITY).caveats


def shown(label: Label) -> str:
    """Return what a reader's screen says of a portion under a label."""
    screen = Console(width=200, record=True, file=None, quiet=False)
    portion = {
        "label": label._asdict(), "obligations": list(obligations(label)), "title": "Accounts", "text": "Two.",
        "indicators": [],
    }  # fmt: skip
    with screen.capture() as capture:
        show_happening(
            screen,
            {
                "event": "received", "at_ms": NOW, "hid": "ab" * 32, "kind": "report", "originator": "mys-fiu",
                "ref": None, "portions": [portion],
            },
        )  # fmt: skip
    return capture.get()


def test_h7_a_reader_is_shown_what_it_takes_on() -> None:
    text = shown(PLAIN._replace(caveats=("LEAD-ONLY:fiu", "PAP:RED"), precedence="FLASH"))

    for duty in (
        "ask mys-fiu before this goes to anybody else", "use this for fiu alone", "do no more with this than PAP:RED",
        "acknowledge this to mys-fiu",
    ):  # fmt: skip
        assert duty in text


def test_h7_a_reader_is_shown_no_limit_that_nobody_set() -> None:
    assert not any(word in shown(PLAIN._replace(tlp="CLEAR")) for word in ("ask mys-fiu", "use this for", "do no more"))


def test_h10_proprietary_information_goes_to_the_agencies_that_need_it() -> None:
    assert ask("sgp-pol", "in-bank", caveats=("PROPIN",)).permit


@pytest.mark.parametrize("recipient", ["in-bank", "dp-aus-pol"])
def test_h10_proprietary_information_goes_to_no_competitor_and_no_partner(recipient: str) -> None:
    assert ask(recipient).permit
    assert "NTK-PROPIN" == ask(recipient, caveats=("PROPIN",)).rule
