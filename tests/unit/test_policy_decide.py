"""The decision, handling rule by handling rule: for each, one case that passes and one that does not."""

from dataclasses import replace
from typing import Any

import pytest

from policy.community import Community
from policy.decide import Action, Verdict
from policy.enquiry import Enquiry
from schemas.bundle import Agency, Bundle, Group, Mechanism, Membership, Predicate, RouterKey, Rule, SignKey
from schemas.label import EXERCISE_LEVELS, Label
from schemas.limits import UINT_MS_MAX
from schemas.workflow import Grant

NOW = 10_000
HID = b"h" * 32
KEY = SignKey(b"k" * 32, 0, 2 * NOW)


def agency(name: str, **changed: Any) -> Agency:
    whole = Agency(
        agency=name,
        name=name,
        state=name[:3].upper(),
        role=name.split("-")[1],
        kind="member",
        clearance="EX-SECRET",
        compartments=(),
        purposes=(),
        client_of=(),
        status="active",
        keys=(KEY,),
    )
    return whole._replace(**changed)


AGENCIES = (
    agency("mys-mar"),
    agency("mys-cert", compartments=("alpha", "beta")),
    agency("mys-fiu", purposes=("fiu", "personal-data")),
    agency("sgp-mar"),
    agency("sgp-cert", compartments=("alpha",)),
    agency("idn-cert", clearance="EX-RESTRICTED"),
    agency("tha-cert", status="suspended"),
    agency("phl-cert", keys=(KEY._replace(revoked=NOW),)),
    agency("vnm-cert", keys=(KEY._replace(expires=NOW),)),
    agency("rb-msp", state=None, kind="body"),
    agency("dp-aus-mar", state="AUS", kind="partner", role="mar"),
    agency("in-bank", state="SGP", kind="industry", role="cert", client_of=("sgp-cert",)),
    agency("ex-obs", state=None, kind="staff"),
)
BUNDLE = Bundle(
    v=1,
    version=1,
    issued=0,
    expires=2 * NOW,
    levels=EXERCISE_LEVELS,
    compartments=("alpha", "beta"),
    groups=(Group("@straits", ("MYS", "SGP", "rb-msp")),),
    mechanisms=(
        Mechanism(
            "msp",
            "Malacca Straits Patrol",
            (
                Membership("MYS", "member", 0),
                Membership("SGP", "observer", 0),
                Membership("SGP", "member", NOW + 10, NOW + 20),
                Membership("rb-msp", "member", 0),
            ),
        ),
    ),
    agencies=AGENCIES,
    routers=(RouterKey("router", KEY),),
    rules=(Rule("open", "permit", (Predicate("topic", ("toc.*",)),)),),
    marks=(),
)
COMMUNITY = Community.compile(BUNDLE)
PLAIN = Label("AMBER", "EX-RESTRICTED", "toc.piracy")


def ask(recipient: str, *, community: Community = COMMUNITY, at_ms: int = NOW, **changed: Any) -> Verdict:
    """Ask for a release by mys-mar; a label's fields and an enquiry's may both be changed."""
    fields = {name: changed.pop(name) for name in tuple(changed) if name in Label._fields}
    enquiry = Enquiry(label=PLAIN._replace(**fields), originator="mys-mar", recipient=recipient, at_ms=at_ms)
    return replace(enquiry, **changed).decide(community)


def onward(recipient: str, **changed: Any) -> Verdict:
    return ask(recipient, action=Action.ONWARD, **{"via": "sgp-cert", "hid": HID, "bit": 3, **changed})


def with_rules(*rules: Rule) -> Community:
    return Community.compile(BUNDLE._replace(rules=rules))


def permits(name: str, *values: str, effect: Any = "permit") -> Rule:
    predicate: Any = name
    return Rule(f"{effect}-{name}", effect, (Predicate(predicate, values),))


def granted(**changed: Any) -> tuple[Grant, ...]:
    grant = Grant(HID, 1 << 3, "mys-mar", "idn-cert", NOW, NOW + 1)
    return (grant._replace(**changed),)


def test_a_permit_names_the_rule_and_gives_every_test_made() -> None:
    verdict = ask("sgp-mar", rel=("SGP",), caveats=("PAP:AMBER",), precedence="FLASH")

    assert verdict.permit
    assert verdict.rule == "open"
    assert [reason.rule for reason in verdict.reasons] == [
        "NTK-LABEL", "NTK-UNKNOWN", "NTK-ORIGINATOR", "NTK-RECIPIENT", "NTK-REL", "NTK-CLEARANCE", "NTK-TLP", "open",
    ]  # fmt: skip
    assert verdict.obligations == ("CONSENT-BEFORE-ONWARD", "PAP:AMBER", "ACKNOWLEDGE")


def test_a_refusal_names_the_first_test_that_failed_and_keeps_the_others() -> None:
    verdict = ask("idn-cert", rel=("SGP",), level="EX-SECRET", topic="cyber.scam")

    assert not verdict.permit
    assert verdict.rule == "NTK-REL"
    assert [reason.rule for reason in verdict.reasons if not reason.passed] == [
        "NTK-REL", "NTK-CLEARANCE", "NTK-PERMIT",
    ]  # fmt: skip
    assert verdict.obligations == ()


def test_the_obligations_follow_the_caveats() -> None:
    verdict = ask("mys-fiu", tlp="GREEN", caveats=("LEAD-ONLY:fiu", "ORCON", "PAP:GREEN", "PAP:RED", "PERSONAL"))

    assert verdict.obligations == (
        "CONSENT-BEFORE-ONWARD", "PAP:RED", "PAP:GREEN", "PURPOSE:fiu", "PURPOSE:personal-data",
    )  # fmt: skip
    assert ask("mys-fiu", tlp="CLEAR").obligations == ()


def test_the_originator_has_its_own_whatever_the_label_says() -> None:
    verdict = ask("mys-mar", tlp="RED", rel=("SGP",), exclude=("MYS",), caveats=("NOBODY",), not_before=2 * NOW)

    assert verdict.permit
    assert verdict.rule == "NTK-OWN"


@pytest.mark.parametrize("recipient", ["tha-cert", "phl-cert", "vnm-cert", "xxx-cert", ""])
def test_h18_who_does_not_take_part_gets_nothing(recipient: str) -> None:
    """Suspended, revoked from now on, without a key that is good, or unknown."""
    assert ask(recipient).rule == "NTK-RECIPIENT"


@pytest.mark.parametrize("originator", ["tha-cert", "phl-cert", "vnm-cert", "xxx-cert"])
def test_h18_nothing_comes_of_an_originator_that_does_not_take_part(originator: str) -> None:
    assert ask("sgp-mar", originator=originator).rule == "NTK-ORIGINATOR"


def test_h18_a_key_is_good_until_the_moment_it_is_revoked_or_expires() -> None:
    assert ask("phl-cert", at_ms=NOW - 1).permit
    assert ask("vnm-cert", at_ms=NOW - 1).permit


# H1, H2: handing on what is another's.


def test_h1_nobody_hands_on_without_the_originators_consent() -> None:
    assert onward("in-bank").rule == "NTK-ONWARD"


def test_h1_consent_opens_what_the_mark_allows() -> None:
    """TLP:AMBER reaches the clients of who received it, and these once the originator has consented."""
    assert onward("in-bank", grants=granted(reader="in-bank")).permit
    assert onward("in-bank", original_audience=frozenset({"in-bank"})).permit


def test_h1_green_and_clear_may_be_handed_on() -> None:
    assert onward("idn-cert", tlp="GREEN").permit
    assert onward("idn-cert", tlp="CLEAR").permit


def test_h1_an_agency_keeps_what_it_has() -> None:
    assert onward("sgp-cert", tlp="AMBER+STRICT").permit


@pytest.mark.parametrize("via", [None, "xxx-cert", "tha-cert"])
def test_h1_nobody_hands_on_who_does_not_take_part(via: str | None) -> None:
    assert onward("idn-cert", tlp="GREEN", via=via).rule == "NTK-ONWARD"


def test_h1_the_originator_consents_to_its_own_handing_on() -> None:
    assert onward("sgp-mar", via="mys-mar", caveats=("ORCON",)).permit


def test_h2_orcon_needs_a_grant_even_where_the_mark_is_open() -> None:
    assert onward("idn-cert", tlp="GREEN", caveats=("ORCON",)).rule == "NTK-ORCON"


def test_h2_a_grant_or_the_original_audience_opens_orcon() -> None:
    assert onward("idn-cert", tlp="GREEN", caveats=("ORCON",), grants=granted()).permit
    assert onward("idn-cert", tlp="GREEN", caveats=("ORCON",), original_audience=frozenset({"idn-cert"})).permit


@pytest.mark.parametrize(
    "changed",
    [
        {"grants": granted(hid=b"x" * 32)},
        {"grants": granted(bits=1 << 2)},
        {"grants": granted(originator="sgp-cert")},
        {"grants": granted(reader="sgp-mar")},
        {"grants": granted(begin=NOW + 1)},
        {"grants": granted(begin=0, expires=NOW)},
        {"grants": granted(), "hid": None},
        {"grants": granted(), "bit": None},
    ],
    ids=[
        "other report",
        "other portion",
        "other consent",
        "other reader",
        "too early",
        "lapsed",
        "no report",
        "no bit",
    ],
)
def test_h2_a_grant_covers_what_it_names_and_nothing_else(changed: dict[str, Any]) -> None:
    assert onward("idn-cert", tlp="GREEN", caveats=("ORCON",), **changed).rule == "NTK-ORCON"


def test_h2_a_release_by_the_originator_is_its_consent() -> None:
    assert ask("sgp-mar", caveats=("ORCON",)).permit


# H3: REL TO, exclusions, names.


@pytest.mark.parametrize("rel", [("SGP",), ("sgp-mar",), ("@straits",)])
def test_h3_rel_to_names_by_state_by_agency_and_by_group(rel: tuple[str, ...]) -> None:
    assert ask("sgp-mar", rel=rel).permit


@pytest.mark.parametrize(("rel", "recipient"), [(("MYS",), "sgp-mar"), (("rb-msp",), "sgp-mar"), (("SGP",), "in-bank")])
def test_h3_who_is_not_on_the_list_is_not_on_it(rel: tuple[str, ...], recipient: str) -> None:
    """A body is not its members, and a state is not its industry."""
    assert ask(recipient, rel=rel).rule == "NTK-REL"


@pytest.mark.parametrize(
    ("exclude", "recipient"), [(("SGP",), "sgp-mar"), (("@straits",), "rb-msp"), (("SGP",), "in-bank")]
)
def test_h3_exclusion_beats_release_and_reaches_a_states_industry(exclude: tuple[str, ...], recipient: str) -> None:
    assert ask(recipient, rel=("@straits", "in-bank"), exclude=exclude).rule == "NTK-NOT"
    assert ask("mys-cert", rel=("@straits",), exclude=("SGP",)).permit


def test_h3_partners_and_unnamed_agencies_stay_out_where_the_caveat_says_so() -> None:
    assert ask("dp-aus-mar").permit
    assert ask("dp-aus-mar", caveats=("NO-PARTNERS",)).rule == "NTK-NO-PARTNERS"
    assert ask("sgp-mar", caveats=("NAMED:sgp-mar",)).permit
    assert ask("sgp-cert", caveats=("NAMED:sgp-mar",)).rule == "NTK-NAMED"
    assert ask("sgp-cert", caveats=("NOBODY",)).rule == "NTK-NOBODY"


# H4: national only.


def test_h4_natonly_stays_in_the_originators_state() -> None:
    assert ask("mys-cert", caveats=("NATONLY",)).permit
    assert ask("sgp-cert", caveats=("NATONLY",)).rule == "NTK-NATONLY"


def test_h4_a_body_has_no_state_to_stay_in() -> None:
    assert ask("rb-msp", caveats=("NATONLY",)).rule == "NTK-NATONLY"
    assert ask("ex-obs", caveats=("NATONLY",), originator="rb-msp").rule == "NTK-NATONLY"


def test_h4_residency_keeps_to_a_state() -> None:
    assert ask("sgp-cert", caveats=("RESIDENCY:SGP",)).permit
    assert ask("rb-msp", caveats=("RESIDENCY:SGP",)).rule == "NTK-RESIDENCY"
    assert ask("sgp-cert", caveats=("RESIDENCY:MYS", "RESIDENCY:SGP")).rule == "NTK-RESIDENCY"


# H6: need to know beyond being releasable.


def test_h6_every_compartment_must_be_held() -> None:
    """Clause 81: an AND of compartments is not met by an OR."""
    assert ask("mys-cert", compartments=("alpha", "beta")).permit
    assert ask("sgp-cert", compartments=("alpha", "beta")).rule == "NTK-COMPARTMENT"
    assert ask("sgp-cert", compartments=("Alpha",)).rule == "NTK-UNKNOWN"


def test_h6_what_no_rule_permits_is_denied() -> None:
    assert ask("sgp-mar", topic="hadr.typhoon").rule == "NTK-PERMIT"


def test_h6_observers_attend_and_do_not_receive_and_membership_is_dated() -> None:
    label: dict[str, Any] = {"mechanisms": ("msp",)}

    assert ask("mys-cert", **label).permit
    assert ask("rb-msp", **label).permit
    assert ask("sgp-mar", **label).rule == "NTK-MECHANISM"
    assert ask("sgp-mar", at_ms=NOW + 10, **label).permit
    assert ask("sgp-mar", at_ms=NOW + 20, **label).rule == "NTK-MECHANISM"


# H7, H10: purpose and commercial confidence.


def test_h7_a_purpose_must_be_held() -> None:
    assert ask("mys-fiu", caveats=("LEAD-ONLY:fiu",)).permit
    assert ask("sgp-mar", caveats=("LEAD-ONLY:fiu",)).rule == "NTK-PURPOSE"
    assert ask("mys-fiu", caveats=("PERSONAL",)).permit
    assert ask("sgp-mar", caveats=("PERSONAL",)).rule == "NTK-PURPOSE"


def test_h10_commercial_confidence_keeps_industry_and_partners_out() -> None:
    assert ask("sgp-mar", caveats=("PROPIN",)).permit
    assert ask("in-bank", caveats=("PROPIN",)).rule == "NTK-PROPIN"
    assert ask("dp-aus-mar", caveats=("PROPIN",)).rule == "NTK-PROPIN"
    assert ask("in-bank", caveats=("PROPIN",), originator="in-bank").permit


# H11: the Traffic Light Protocol.


def test_h11_red_reaches_the_named_and_nobody_else() -> None:
    assert ask("sgp-mar", tlp="RED", rel=("sgp-mar",)).permit
    assert ask("sgp-mar", tlp="RED", caveats=("NAMED:sgp-mar",)).permit
    assert ask("sgp-mar", tlp="RED", rel=("SGP",)).rule == "NTK-TLP"
    assert ask("sgp-mar", tlp="RED").rule == "NTK-TLP"


def test_h11_strict_amber_stays_in_the_organisation_and_amber_reaches_its_clients() -> None:
    """That the originator gave it to a reader itself does not make the reader a client of who hands it on."""
    gave = frozenset({"idn-cert", "in-bank"})

    assert ask("in-bank", tlp="AMBER+STRICT").permit
    assert onward("in-bank", tlp="AMBER+STRICT", original_audience=gave).rule == "NTK-TLP"
    assert onward("in-bank", tlp="AMBER", original_audience=gave).permit
    assert onward("idn-cert", tlp="AMBER", original_audience=gave).rule == "NTK-TLP"


def test_h11_green_stays_in_the_community_and_clear_does_not() -> None:
    assert onward("dp-aus-mar", tlp="GREEN").permit
    assert onward("in-bank", tlp="GREEN").rule == "NTK-TLP"
    assert onward("in-bank", tlp="CLEAR").permit


@pytest.mark.parametrize("tlp", ["GREEN", "AMBER", "AMBER+STRICT"])
def test_h1_the_originators_grant_opens_what_the_mark_alone_would_refuse(tlp: str) -> None:
    """H1, H11: TLP 2.0 asks who would share wider for "explicit permission from the original source"."""

    def hand_on(**changed: Any) -> Verdict:
        return onward("in-bank", tlp=tlp, via="idn-cert", grants=granted(**{"reader": "in-bank", **changed}))

    assert hand_on().permit
    for other in ({"reader": "idn-cert"}, {"expires": NOW}, {"originator": "idn-cert"}, {"bits": 1 << 2}):
        assert hand_on(**other).rule == "NTK-TLP"


def test_h1_no_grant_opens_red_to_whom_its_mark_does_not_name() -> None:
    """H1, H11: RED is "for the eyes and ears of individual recipients only"; its readers are in the mark itself."""
    grants = (*granted(reader="idn-cert"), *granted(reader="sgp-mar"))

    assert onward("idn-cert", tlp="RED", rel=("sgp-mar",), grants=grants).rule == "NTK-REL"
    assert onward("idn-cert", tlp="RED", rel=("IDN",), grants=grants).rule == "NTK-TLP"
    assert onward("sgp-mar", tlp="RED", rel=("sgp-mar",), grants=grants).permit


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"rel": ("SGP",)}, "NTK-REL"),
        ({"exclude": ("IDN",)}, "NTK-NOT"),
        ({"level": "EX-CONFIDENTIAL"}, "NTK-CLEARANCE"),
        ({"compartments": ("alpha",)}, "NTK-COMPARTMENT"),
        ({"caveats": ("NATONLY",)}, "NTK-NATONLY"),
        ({"caveats": ("PERSONAL",)}, "NTK-PURPOSE"),
        ({"not_before": NOW + 1}, "NTK-EMBARGO"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_h3_a_grant_widens_nothing_but_the_mark(changed: dict[str, Any], rule: str) -> None:
    """H3, H4: consent is about handing on; whom the label shuts out, no consent lets in."""
    assert onward("idn-cert", **changed, grants=granted(reader="idn-cert")).rule == rule


# H12: levels.


def test_h12_nobody_reads_above_its_clearance() -> None:
    assert ask("idn-cert", level="EX-RESTRICTED").permit
    assert ask("idn-cert", level="EX-CONFIDENTIAL").rule == "NTK-CLEARANCE"
    assert ask("idn-cert", level="SECRET").rule == "NTK-UNKNOWN"


# H13: embargo and expiry.


def test_h13_an_embargo_ends_and_a_report_lapses() -> None:
    assert ask("sgp-mar", not_before=NOW).permit
    assert ask("sgp-mar", not_before=NOW + 1).rule == "NTK-EMBARGO"
    assert ask("sgp-mar", expires_ms=NOW).permit
    assert ask("sgp-mar", expires_ms=NOW - 1).rule == "NTK-EXPIRY"


def test_an_embargo_is_told_as_a_time_however_far_it_lies() -> None:
    """A label may name any time, also one that no calendar goes to."""
    told = [ask("sgp-mar", not_before=end).reasons for end in (NOW + 1, 253_402_300_800_000, UINT_MS_MAX)]

    assert all(any("the embargo holds until " in reason.text for reason in reasons) for reasons in told)
    assert any(f"until {UINT_MS_MAX} ms" in reason.text for reason in told[-1])


@pytest.mark.parametrize(
    ("recipient", "changed", "wanted", "held"),
    [
        ("sgp-cert", {"compartments": ("alpha", "beta")}, ("alpha", "beta"), ("alpha",)),
        ("mys-fiu", {"caveats": ("LEAD-ONLY:health", "PERSONAL")}, ("health", "personal-data"), ("personal-data",)),
        ("sgp-cert", {"caveats": ("NATONLY",)}, ("MYS",), ("SGP",)),
        ("rb-msp", {"caveats": ("RESIDENCY:SGP",)}, ("SGP",), ()),
        ("idn-cert", {"level": "EX-SECRET"}, ("EX-SECRET",), ("EX-RESTRICTED",)),
        ("sgp-mar", {"mechanisms": ("msp",)}, ("msp",), ()),
    ],
    ids=str,
)
def test_a_reason_carries_its_operands(
    recipient: str, changed: dict[str, Any], wanted: tuple[str, ...], held: tuple[str, ...]
) -> None:
    """What was asked for and what is held of it: from these the nearest change is worked out."""
    reason = next(reason for reason in ask(recipient, **changed).reasons if not reason.passed)

    assert (reason.wanted, reason.held) == (wanted, held)


# Community rules.


def test_a_forbidding_rule_beats_a_permitting_one_and_gives_its_own_name() -> None:
    community = with_rules(*BUNDLE.rules, permits("kind", "partner", effect="forbid"))

    assert ask("sgp-mar", community=community).permit
    assert ask("dp-aus-mar", community=community).rule == "forbid-kind"


def test_an_empty_rule_set_denies_even_the_originator() -> None:
    assert ask("mys-mar", community=with_rules()).rule == "NTK-NO-RULES"


def test_rules_that_only_forbid_permit_nothing() -> None:
    verdict = ask("sgp-mar", community=with_rules(permits("kind", "partner", effect="forbid")))

    assert verdict.rule == "NTK-PERMIT"
    assert "no rule permits anything" in verdict.reasons[-1].text


def test_staff_see_nothing_unless_a_rule_says_staff() -> None:
    """Control and evaluators are no part of the play; ``topic`` alone does not mean them."""
    assert "does not name the kind staff" in ask("ex-obs").reasons[-1].text
    assert ask("ex-obs", community=with_rules(permits("kind", "member", "staff"))).permit


def test_a_refusal_names_the_rule_that_came_nearest() -> None:
    near = Rule("near", "permit", (Predicate("topic", ("toc.*",)), Predicate("role", ("cert", "fiu"))))
    far = Rule("far", "permit", (Predicate("topic", ("hadr.*",)), Predicate("role", ("fiu",))))

    reason = ask("sgp-mar", community=with_rules(far, near)).reasons[-1]

    assert reason.wanted == ("role cert or fiu",)
    assert "near comes nearest" in reason.text


@pytest.mark.parametrize(
    ("name", "value", "recipient", "fields", "holds"),
    [
        ("topic", "toc.piracy", "sgp-mar", {}, True),
        ("topic", "toc.*", "sgp-mar", {"topic": "toc"}, True),
        ("topic", "toc.*", "sgp-mar", {"topic": "tocs"}, False),
        ("topic", "toc", "sgp-mar", {}, False),
        ("role", "mar", "sgp-mar", {}, True),
        ("role", "mar", "sgp-cert", {}, False),
        ("role", "sar", "sgp-cert", {}, False),
        ("kind", "body", "rb-msp", {}, True),
        ("kind", "body", "sgp-mar", {}, False),
        ("state", "SGP", "sgp-mar", {}, True),
        ("state", "LAO", "sgp-mar", {}, False),
        ("state", "affected", "sgp-mar", {"affected": ("IDN", "SGP")}, True),
        ("state", "affected", "sgp-mar", {"affected": ("BRN", "IDN")}, False),
        ("state", "affected", "rb-msp", {"affected": ("IDN", "SGP")}, False),
        ("state", "originator", "mys-cert", {}, True),
        ("state", "originator", "sgp-mar", {}, False),
        ("state", "originator", "sgp-mar", {"originator": "rb-msp"}, False),
        ("mechanism", "msp", "mys-cert", {}, True),
        ("mechanism", "msp", "sgp-mar", {}, False),
        ("tlp", "AMBER", "sgp-mar", {}, True),
        ("tlp", ">=GREEN", "sgp-mar", {}, True),
        ("tlp", ">=AMBER+STRICT", "sgp-mar", {}, False),
        ("level", "EX-RESTRICTED", "sgp-mar", {}, True),
        ("level", ">=EX-CONFIDENTIAL", "sgp-mar", {}, False),
        ("precedence", ">=IMMEDIATE", "sgp-mar", {"precedence": "FLASH"}, True),
        ("precedence", ">=IMMEDIATE", "sgp-mar", {}, False),
        ("caveat", "ORCON", "sgp-mar", {"caveats": ("ORCON",)}, True),
        ("caveat", "ORCON", "sgp-mar", {}, False),
        ("affected", "LAO", "sgp-mar", {"affected": ("LAO",)}, True),
        ("affected", "LAO", "sgp-mar", {}, False),
    ],
)  # fmt: skip
def test_each_predicate_holds_for_what_it_names(
    name: str, value: str, recipient: str, fields: dict[str, Any], *, holds: bool
) -> None:
    assert ask(recipient, community=with_rules(permits(name, value)), **fields).permit is holds
