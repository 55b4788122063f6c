"""Need to know: may this recipient have this portion (docs/spec/need-to-know.md, "The decision").

One pure function. The author asks it before sending, the broker enforces it, the recipient checks it, the evaluator
replays it: the same bundle and inputs give the same verdict with the same reasons, always.
"""

from collections.abc import Iterator
from typing import Final

from policy.caveats import LEAD_ONLY, ORCON, PAP, PAP_ORDER, PERSONAL, PERSONAL_PURPOSE, operands
from policy.community import Community
from policy.gate import check_label, check_party
from policy.question import Question
from policy.routing import check_rules
from policy.rules import HANDLING_TESTS
from policy.traffic_light import OPEN_ONWARD
from policy.verdict import Action, Reason, Verdict
from schemas.bundle import Agency
from schemas.label import Label
from schemas.workflow import Grant, Permission

__all__ = ["OWN", "Action", "Reason", "Verdict", "decide"]

OWN: Final = "NTK-OWN"


def decide(
    label: Label,
    *,
    originator: str,
    recipient: str,
    action: Action,
    at_ms: int,
    community: Community,
    expires_ms: int | None = None,
    via: str | None = None,
    hid: bytes | None = None,
    bit: int | None = None,
    original_audience: frozenset[str] = frozenset(),
    grants: tuple[Grant, ...] = (),
    permissions: tuple[Permission, ...] = (),
) -> Verdict:
    """Decide whether one recipient may have one portion.

    Args:
        label: The portion's label.
        originator: Whose portion it is.
        recipient: Who is to have it.
        action: RELEASE if the originator hands it over, ONWARD if ``via`` does, who received it.
        at_ms: The time the decision is for, Unix ms.
        community: By whose rules.
        expires_ms: When the report lapses, or None.
        via: Who hands it on; needed for ONWARD.
        hid: The report's hash; without it no grant covers anything.
        bit: The portion's place in the report, 0 to 31; without it no grant covers anything.
        original_audience: Who had the portion from its originator.
        grants: The originator's consents.
        permissions: What silence procedures let go to partners.

    Returns:
        The verdict with every test that was made. It never raises: what cannot be understood is denied.
    """
    reasons = [*check_label(label, community)]
    if reasons[-1].passed:
        reasons.append(check_party("NTK-ORIGINATOR", "originator", originator, at_ms=at_ms, community=community))
    if reasons[-1].passed:
        reasons.append(check_party("NTK-RECIPIENT", "recipient", recipient, at_ms=at_ms, community=community))
    author, reader = community.agency(originator), community.agency(recipient)
    if author is None or reader is None or not reasons[-1].passed:
        return Verdict(permit=False, rule=reasons[-1].rule, reasons=tuple(reasons))
    if author is reader:
        reasons.append(Reason(rule=OWN, passed=True, text=f"{recipient} is the originator, whose own it is"))
        return Verdict(permit=True, rule=OWN, reasons=tuple(reasons))
    question = Question(
        label=label,
        originator=author,
        action=action,
        at_ms=at_ms,
        community=community,
        expires_ms=expires_ms,
        via=via,
        hid=hid,
        bit=bit,
        original_audience=original_audience,
        grants=grants,
        permissions=permissions,
    )
    return _judge(question, reader, reasons)


def _judge(question: Question, reader: Agency, reasons: list[Reason]) -> Verdict:
    """Make all the tests of a recipient, even after one has failed: the author wants to know of all that stands."""
    for test in HANDLING_TESTS:
        reason = test.check(question, reader)
        if reason is not None:
            reasons.append(reason)
    reasons.extend(check_rules(question, reader))
    for reason in reasons:
        if not reason.passed:
            return Verdict(permit=False, rule=reason.rule, reasons=tuple(reasons))
    # Forbidding rules that do not match give no reason, so the last one is the rule that permits.
    return Verdict(
        permit=True, rule=reasons[-1].rule, reasons=tuple(reasons), obligations=tuple(obligations(question.label))
    )


def obligations(label: Label) -> Iterator[str]:
    """Yield what a recipient takes on with a portion; it opens nothing and is for the recipient to keep."""
    if label.tlp not in OPEN_ONWARD or ORCON in label.caveats:
        yield "CONSENT-BEFORE-ONWARD"
    colours = set(operands(label, PAP))
    yield from (f"PAP:{colour}" for colour in reversed(PAP_ORDER) if colour in colours)
    yield from (f"PURPOSE:{purpose}" for purpose in operands(label, LEAD_ONLY))
    if PERSONAL in label.caveats:
        yield f"PURPOSE:{PERSONAL_PURPOSE}"
    if label.precedence == "FLASH":
        yield "ACKNOWLEDGE"
