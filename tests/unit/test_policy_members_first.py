"""Members first: what a permission opens and what it does not, and what a product inherits (H17)."""

from typing import Any

import pytest

from agencies.drafts import Quote
from agencies.inheritance import check_inherited, with_inherited
from conformance import world
from policy.community import Community
from policy.decide import decide
from policy.enquiry import Enquiry
from policy.explain import nearest_change
from policy.members_first import of_grants
from policy.verdict import Action, Verdict
from schemas.errors import SealError
from schemas.report import Parent
from schemas.workflow import Grant, Permission
from tests.samples.small_nodes import portion

HID = bytes(range(32))
COMMUNITY = Community.compile(world.BUNDLE)
PLAIN = world.LABEL._replace(tlp="GREEN")
FIRST = PLAIN._replace(caveats=("MEMBERS-FIRST:our-eyes",))
TWICE = PLAIN._replace(caveats=("MEMBERS-FIRST:our-eyes", "MEMBERS-FIRST:sea-pool"))
PERMITTED = Permission("our-eyes", HID, 0b100, "alpha", "delta", world.NOW, world.NOW + 10)


def asked(*permissions: Permission, **changed: Any) -> Verdict:
    asking: dict[str, Any] = {"originator": "alpha", "recipient": "delta", "action": Action.RELEASE, "at_ms": world.NOW}
    asking |= {"hid": HID, "bit": 2} | changed
    label = asking.pop("label", FIRST)
    return decide(label, community=COMMUNITY, permissions=permissions, **asking)


def test_h17_who_is_no_partner_needs_no_permission() -> None:
    assert asked(recipient="bravo").permit


def test_h17_a_partner_has_it_by_a_permission_and_not_without() -> None:
    assert "NTK-MEMBERS-FIRST" == asked().rule
    assert asked(PERMITTED).permit


@pytest.mark.parametrize(
    "other",
    [
        PERMITTED._replace(mechanism="sea-pool"), PERMITTED._replace(hid=bytes(32)), PERMITTED._replace(bits=0b11),
        PERMITTED._replace(originator="bravo"), PERMITTED._replace(reader="golf"),
        PERMITTED._replace(begin=world.NOW + 1), PERMITTED._replace(expires=world.NOW),
    ],
)  # fmt: skip
def test_h17_a_permission_opens_nothing_but_what_it_names(other: Permission) -> None:
    assert "NTK-MEMBERS-FIRST" == asked(other).rule


def test_h17_each_mechanism_that_is_named_has_to_have_been_silent() -> None:
    both = PERMITTED._replace(mechanism="sea-pool")

    assert not asked(PERMITTED, label=TWICE).permit
    assert asked(PERMITTED, both, label=TWICE).permit


def test_h17_members_cannot_permit_what_another_rule_forbids() -> None:
    assert "N2" == asked(PERMITTED, label=FIRST._replace(tlp="AMBER+STRICT")).rule


def test_h17_a_mechanism_that_nobody_knows_keeps_everybody_out() -> None:
    assert "NTK-UNKNOWN" == asked(label=PLAIN._replace(caveats=("MEMBERS-FIRST:five-eyes",)), recipient="bravo").rule


def test_the_nearest_change_is_to_ask_the_members() -> None:
    enquiry = Enquiry(label=FIRST, originator="alpha", recipient="delta", at_ms=world.NOW, hid=HID, bit=2)
    change = nearest_change(enquiry, enquiry.decide(COMMUNITY), COMMUNITY)

    assert change is not None
    assert "propose it to the members of our-eyes, and let none of them object" == change.text


def test_a_partner_takes_its_originators_decision_for_its_word_that_members_were_asked() -> None:
    grant = Grant(HID, 0b100, "alpha", "delta", world.NOW, world.NOW + 10)

    assert asked(*of_grants(FIRST, [grant])).permit
    assert not asked(*of_grants(FIRST, [grant._replace(originator="bravo")])).permit


def test_h2_what_quotes_what_goes_to_members_first_goes_to_members_first() -> None:
    quote = Quote(hid=HID, place=0, originator="bravo", label=FIRST)
    quoting = portion("quoting", PLAIN)
    quoting = quoting._replace(content=quoting.content._replace(derived_from=(Parent(HID, bytes(32)),)))

    with pytest.raises(SealError, match="MEMBERS-FIRST:our-eyes"):
        check_inherited([quoting], [quote])
    check_inherited([quoting._replace(label=with_inherited(PLAIN, [FIRST]))], [quote])
    assert FIRST.caveats == with_inherited(PLAIN, [FIRST]).caveats
