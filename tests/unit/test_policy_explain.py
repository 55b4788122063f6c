"""Why, who else, and what would turn it: told to each asker as far as that asker may know."""

from dataclasses import replace
from typing import Any

import pytest

from policy.community import Community
from policy.decide import Action
from policy.enquiry import Enquiry
from policy.explain import NO_SUCH_REPORT, Asker, Change, explain, explain_audience, nearest_change
from policy.preflight import preflight
from schemas.bundle import Agency, Bundle, Mechanism, Membership, Predicate, RouterKey, Rule, SignKey
from schemas.label import EXERCISE_LEVELS, Label

NOW = 1_000
HID = b"h" * 32
KEY = SignKey(b"k" * 32, 0, 2 * NOW)


def agency(name: str, **changed: Any) -> Agency:
    state, role = name[:3].upper(), name.split("-")[1]
    return Agency(name, name, state, role, "member", "EX-SECRET", (), (), (), "active", (KEY,))._replace(**changed)


BUNDLE = Bundle(
    v=1,
    version=1,
    issued=0,
    expires=2 * NOW,
    levels=EXERCISE_LEVELS,
    compartments=("alpha",),
    groups=(),
    mechanisms=(Mechanism("msp", "Patrol", (Membership("MYS", "member", 0),)),),
    agencies=(
        agency("mys-mar"),
        agency("sgp-mar", clearance="EX-RESTRICTED"),
        agency("sgp-cert"),
        agency("tha-mar", status="suspended"),
        agency("rb-ifc", state=None, kind="body"),
    ),
    routers=(RouterKey("router", KEY),),
    rules=(
        Rule("N1", "permit", (Predicate("topic", ("toc.*",)), Predicate("role", ("mar", "ifc")))),
        Rule("N2", "permit", (Predicate("topic", ("cyber.*",)), Predicate("mechanism", ("msp",)))),
        Rule("N3", "forbid", (Predicate("topic", ("toc.oil",)), Predicate("role", ("mar",)))),
    ),
    marks=(),
)
COMMUNITY = Community.compile(BUNDLE)
ENQUIRY = Enquiry(
    label=Label("AMBER", "EX-RESTRICTED", "toc.piracy"), originator="mys-mar", recipient="sgp-mar", at_ms=NOW
)


def enquiry(recipient: str = "sgp-mar", **changed: Any) -> Enquiry:
    fields = {name: changed.pop(name) for name in tuple(changed) if name in Label._fields}
    return replace(ENQUIRY, recipient=recipient, label=ENQUIRY.label._replace(**fields), **changed)


def turn(asked: Enquiry, community: Community = COMMUNITY) -> Change | None:
    return nearest_change(asked, asked.decide(community), community)


ONWARD: dict[str, Any] = {"action": Action.ONWARD, "via": "sgp-cert", "hid": HID, "bit": 0}


@pytest.mark.parametrize(
    ("asked", "subject", "text"),
    [
        (enquiry(), "label", "exclude sgp-mar"),
        (enquiry(exclude=("sgp-mar",)), "label", "take sgp-mar from the excluded"),
        (enquiry(rel=("sgp-cert",)), "label", "add sgp-mar to REL TO"),
        (enquiry(level="EX-SECRET"), "label", "lower the level to EX-RESTRICTED"),
        (enquiry(compartments=("alpha",)), "agency", "read sgp-mar into alpha"),
        (enquiry(mechanisms=("msp",)), "membership", "make sgp-mar a full member of msp"),
        (enquiry(caveats=("NATONLY",)), "label", "take the caveat NATONLY from the label"),
        (enquiry(caveats=("RESIDENCY:MYS",)), "label", "take the caveat RESIDENCY:MYS from the label"),
        (enquiry(caveats=("NOBODY",)), "label", "take the caveat NOBODY from the label"),
        (enquiry(caveats=("LEAD-ONLY:fiu",)), "agency", "give sgp-mar the purposes fiu"),
        (enquiry(caveats=("NAMED:sgp-cert",)), "label", "add the caveat NAMED:sgp-mar"),
        (enquiry(tlp="RED"), "label", "add sgp-mar to REL TO"),
        (enquiry(tlp="RED", rel=("sgp-mar",), caveats=("NAMED:sgp-cert",)), "label", "add the caveat NAMED:sgp-mar"),
        (enquiry(tlp="RED", caveats=("NAMED:sgp-cert",)), "label", "add the caveat NAMED:sgp-mar"),
        (enquiry(not_before=NOW + 1), "label", "lift the embargo"),
        (enquiry(expires_ms=NOW - 1), "label", "let the report lapse later"),
        (enquiry("tha-mar"), "agency", "make tha-mar active"),
        (enquiry(originator="tha-mar"), "agency", "make tha-mar active"),
        (enquiry("sgp-cert"), "rule", "add a rule: permit topic toc.piracy, role cert, kind member, state SGP"),
        (enquiry("rb-ifc", topic="bio.outbreak"), "rule", "add a rule: permit topic bio.outbreak, role ifc, kind body"),
        (enquiry("sgp-cert", topic="cyber.scam"), "membership", "make sgp-cert a full member of msp"),
        (enquiry(topic="toc.oil"), "rule", "take away the rule N3"),
        (enquiry(tlp="GREEN", caveats=("ORCON",), **ONWARD), "consent", "ask mys-mar to grant it to sgp-mar"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_the_nearest_change_concerns_the_fewest_others(asked: Enquiry, subject: str, text: str) -> None:
    """And it was decided anew with it, so that it is true."""
    change = turn(asked)

    assert change is not None
    assert (change.subject, change.text) == (subject, text)
    assert change.verdict.permit is not asked.decide(COMMUNITY).permit


def test_where_the_mark_and_the_consent_both_fail_a_grant_answers_both() -> None:
    """A milder mark would do too, or becoming a client; but a grant is for this report and this reader alone."""
    given = enquiry(original_audience=frozenset({"sgp-mar"}), **ONWARD)

    for asked in (given, enquiry(**ONWARD)):
        change = turn(asked)

        assert change is not None
        assert (change.subject, change.text) == ("consent", "ask mys-mar to grant it to sgp-mar")


def test_without_a_report_to_speak_of_only_a_milder_mark_answers_both() -> None:
    change = turn(enquiry(**{**ONWARD, "hid": None}))

    assert change is not None
    assert change.text == "mark it TLP:GREEN"


def test_orcon_without_a_report_to_speak_of_can_only_be_taken_off() -> None:
    change = turn(enquiry(tlp="GREEN", caveats=("ORCON",), **{**ONWARD, "bit": None}))

    assert change is not None
    assert change.text == "take the caveat ORCON from the label"


def test_naming_the_state_as_affected_is_tried_where_a_rule_asks_for_it() -> None:
    rules = (Rule("N1", "permit", (Predicate("state", ("affected",)),)),)

    change = turn(enquiry("rb-ifc"), Community.compile(BUNDLE._replace(rules=rules)))
    other = turn(enquiry("sgp-mar"), Community.compile(BUNDLE._replace(rules=rules)))

    assert change is not None
    assert change.subject == "rule"
    assert other is not None
    assert other.text == "add a rule: permit topic toc.piracy, role mar, kind member, state SGP"


def test_a_new_rule_takes_a_name_that_is_free() -> None:
    rules = (Rule("proposed-0", "permit", (Predicate("role", ("fiu",)),)),)

    change = turn(enquiry(), Community.compile(BUNDLE._replace(rules=rules)))

    assert change is not None
    assert change.bundle is not None
    assert [rule.rule for rule in change.bundle.rules] == ["proposed-0", "proposed-1"]


@pytest.mark.parametrize(
    "asked",
    [
        enquiry("xxx-mar"),
        enquiry(originator="xxx-mar"),
        enquiry(level="TOP"),
        enquiry(topic="Piracy"),
        enquiry(rel=("sgp-cert",), level="EX-SECRET"),
        enquiry("mys-mar"),
    ],
    ids=["unknown recipient", "unknown originator", "unknown level", "malformed", "two faults", "its own"],
)
def test_where_no_single_change_is_enough_none_is_claimed(asked: Enquiry) -> None:
    assert turn(asked) is None


def test_the_author_and_the_evaluator_are_told_all() -> None:
    asked = enquiry(level="EX-SECRET")
    verdict = asked.decide(COMMUNITY)

    for asker in (Asker.AUTHOR, Asker.EVALUATOR):
        told = str(explain(verdict, recipient="sgp-mar", asker=asker, asked_by="mys-mar", change=turn(asked)))

        assert "sgp-mar may not have it, by NTK-CLEARANCE." in told
        assert "FAIL NTK-CLEARANCE: the clearance of sgp-mar, EX-RESTRICTED, is below EX-SECRET" in told
        assert "pass N1:" in told
        assert "nearest change: lower the level to EX-RESTRICTED (others concerned: 0)" in told


def test_h15_to_a_recipient_a_refusal_is_that_there_is_no_such_report() -> None:
    """The very object that is shown for a report that does not exist: nothing of the verdict can shine through."""
    refused = enquiry(level="EX-SECRET").decide(COMMUNITY)
    permitted = enquiry().decide(COMMUNITY)

    assert explain(refused, recipient="sgp-mar", asker=Asker.RECIPIENT, asked_by="sgp-mar") is NO_SUCH_REPORT
    assert explain(permitted, recipient="sgp-mar", asker=Asker.RECIPIENT, asked_by="sgp-cert") is NO_SUCH_REPORT
    assert str(NO_SUCH_REPORT) == "There is no such report."


def test_h15_a_recipient_is_told_of_what_it_has() -> None:
    asked = enquiry()

    told = str(
        explain(
            asked.decide(COMMUNITY), recipient="sgp-mar", asker=Asker.RECIPIENT, asked_by="sgp-mar", change=turn(asked)
        )
    )

    assert "sgp-mar may have it, by N1." in told
    assert "obligation: CONSENT-BEFORE-ONWARD" in told
    assert "nearest change" not in told


def test_pre_flight_sums_up_who_is_left_out_and_by_what() -> None:
    first, second = preflight(
        [ENQUIRY.label, ENQUIRY.label._replace(tlp="RED")], originator="mys-mar", at_ms=NOW, community=COMMUNITY
    )

    assert (first.place, second.place) == (0, 1)
    assert first.permitted == ("mys-mar", "rb-ifc", "sgp-mar")
    assert second.permitted == ("mys-mar",)
    assert str(explain_audience(first)).splitlines() == [
        "Portion 0, TLP:AMBER EX-RESTRICTED",
        "  permitted (3): mys-mar, rb-ifc, sgp-mar",
        "  left out by NTK-PERMIT (1): sgp-cert",
        "  left out by NTK-RECIPIENT (1): tha-mar",
    ]


def test_pre_flight_of_a_label_nobody_knows_permits_nobody() -> None:
    (part,) = preflight([ENQUIRY.label._replace(level="TOP")], originator="mys-mar", at_ms=NOW, community=COMMUNITY)

    assert "permitted (0): nobody" in str(explain_audience(part))
