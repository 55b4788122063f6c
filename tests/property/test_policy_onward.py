"""The algebra of handing on: what binds whoever hands on what is another's, and what a grant of the originator adds."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from policy.community import Community
from policy.decide import Action
from policy.enquiry import Enquiry
from schemas.bundle import Bundle
from schemas.label import TLP_ORDER
from schemas.workflow import Grant
from tests.samples.policy_strategies import EVERYTHING, IDS, NOW, audience, bundles, enquiries, originators, quick


@settings(quick, max_examples=200)
@given(bundle=bundles(), enquiry=enquiries())
def test_onward_reaches_nobody_whom_the_originator_may_not_release_to(bundle: Bundle, enquiry: Enquiry) -> None:
    """A forward is bound by all that binds the originator, and by more (H1, H2)."""
    community = Community.compile(bundle)

    if enquiry.decide(community).permit:
        mask = audience(enquiry.label, enquiry.originator, community)
        assert community.bit(enquiry.recipient) & mask


@st.composite
def grants_that_fit(draw: st.DrawFn) -> tuple[Enquiry, Grant]:
    """Draw a hand-on of what may be quoted, without consent, and a grant that covers its portion at its time."""
    enquiry = draw(enquiries())
    mark = draw(st.sampled_from(TLP_ORDER))
    caveats = draw(st.sampled_from(((), ("ORCON",))))
    label = enquiry.label._replace(tlp=mark, caveats=caveats)
    enquiry = replace(enquiry, label=label, action=Action.ONWARD, hid=b"h" * 32, bit=0, via="idn-cert", grants=())
    return enquiry, Grant(b"h" * 32, 1, enquiry.originator, draw(originators), 0, 2 * NOW)


@settings(quick, max_examples=100)
@given(bundle=bundles(fixed=(EVERYTHING,)), drawn=grants_that_fit())
def test_a_grant_gives_to_whom_it_names_and_to_nobody_else(bundle: Bundle, drawn: tuple[Enquiry, Grant]) -> None:
    """It takes nothing away, opens nothing that its originator could not give, and RED not at all (H1, H3)."""
    enquiry, grant = drawn
    community = Community.compile(bundle)

    for recipient in IDS:
        asked = replace(enquiry, recipient=recipient)
        before, after = asked.decide(community), replace(asked, grants=(grant,)).decide(community)
        assert after.permit or not before.permit
        if recipient != grant.reader:
            assert before == after
        elif after.permit and not before.permit:
            assert community.bit(recipient) & audience(enquiry.label, enquiry.originator, community)
            assert enquiry.label.tlp != "RED" or recipient in enquiry.label.rel


@quick
@given(bundle=bundles(fixed=(EVERYTHING,)), drawn=grants_that_fit())
def test_without_a_grant_the_mark_says_how_far_a_portion_goes(bundle: Bundle, drawn: tuple[Enquiry, Grant]) -> None:
    """What the originator itself once gave to a reader opens no mark for somebody else's copy."""
    enquiry, _ = drawn
    community = Community.compile(bundle)

    for reader in bundle.agencies:
        asked = replace(enquiry, recipient=reader.agency, original_audience=frozenset(IDS))
        if reader.agency in {enquiry.originator, "idn-cert"} or enquiry.originator == "idn-cert":
            continue
        if asked.decide(community).permit:
            match enquiry.label.tlp:
                case "AMBER":
                    assert "idn-cert" in reader.client_of
                case "GREEN":
                    assert reader.kind in {"member", "body", "partner"}
                case "RED":
                    assert reader.agency in enquiry.label.rel
                case mark:
                    assert mark == "CLEAR"


@quick
@given(bundle=bundles(fixed=(EVERYTHING,)), drawn=grants_that_fit())
def test_with_one_grant_a_stricter_mark_never_reaches_further(bundle: Bundle, drawn: tuple[Enquiry, Grant]) -> None:
    """Or an originator would mark a portion up and spread it."""
    enquiry, grant = drawn
    community = Community.compile(bundle)

    for recipient in IDS:
        asked = replace(enquiry, recipient=recipient, grants=(grant,), original_audience=frozenset())
        marked = [replace(asked, label=asked.label._replace(tlp=tlp)).decide(community).permit for tlp in TLP_ORDER]
        assert sorted(marked, reverse=True) == marked
