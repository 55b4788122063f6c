"""Why a verdict is what it is, and what would turn it, told to each asker as far as that asker may know.

The author and the evaluator see all. A recipient sees what concerns itself, and to one that may not have the report a
refusal is the same answer as that there is none (H15).
"""

import enum
from dataclasses import dataclass
from typing import Final

from policy.audience import audience_mask
from policy.changes import SUBJECT_ORDER, Draft, Subject, drafts
from policy.community import Community
from policy.enquiry import Enquiry
from policy.preflight import PortionAudience
from policy.verdict import Verdict
from schemas.bundle import Bundle


class Asker(enum.StrEnum):
    """In which part somebody asks for an explanation."""

    AUTHOR = "author"
    RECIPIENT = "recipient"
    EVALUATOR = "evaluator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change that was tried and does turn the verdict.

    Attributes:
        subject: What is changed.
        text: The change in plain words, as an imperative.
        others: How many agencies beside the one asked about would gain or lose the portion by it.
        enquiry: The question after the change.
        bundle: The bundle after the change, or None if it stays.
        verdict: What is decided then.
    """

    subject: Subject
    text: str
    others: int
    enquiry: Enquiry
    bundle: Bundle | None
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """An answer for people: a headline and one line for each test."""

    headline: str
    lines: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join((self.headline, *(f"  {line}" for line in self.lines)))


# One object for both cases, so that they cannot come to differ.
NO_SUCH_REPORT: Final = Explanation(headline="There is no such report.")


def nearest_change(enquiry: Enquiry, verdict: Verdict, community: Community) -> Change | None:
    """Find the smallest single change that turns a verdict.

    Every draft is decided anew, so whatever is named here is true. The smallest is the one by which the fewest other
    agencies gain or lose the portion; then the author's own comes before what needs the authorities.

    Args:
        enquiry: What was asked.
        verdict: What ``enquiry.decide(community)`` answered.
        community: By whose rules.

    Returns:
        The change, or None if no single one of those known turns it.
    """
    before = _audience(enquiry, community)
    recipient = community.bit(enquiry.recipient)
    found: list[Change] = []
    for draft in drafts(enquiry, verdict, community):
        then = community if draft.bundle is None else Community.compile(draft.bundle)
        turned = draft.enquiry.decide(then)
        if turned.permit is not verdict.permit:
            # The agencies stay who they are, so their positions do too.
            others = ((_audience(draft.enquiry, then) ^ before) & ~recipient).bit_count()
            found.append(_tried(draft, others, turned))
    return min(found, key=lambda change: (change.others, SUBJECT_ORDER.index(change.subject)), default=None)


def _audience(enquiry: Enquiry, community: Community) -> int:
    return audience_mask(enquiry.label, originator=enquiry.originator, at_ms=enquiry.at_ms, community=community)


def _tried(draft: Draft, others: int, verdict: Verdict) -> Change:
    return Change(
        subject=draft.subject,
        text=draft.text,
        others=others,
        enquiry=draft.enquiry,
        bundle=draft.bundle,
        verdict=verdict,
    )


def explain(
    verdict: Verdict, *, recipient: str, asker: Asker, asked_by: str, change: Change | None = None
) -> Explanation:
    """Explain a verdict as far as the asker may know.

    Args:
        verdict: The verdict to explain.
        recipient: Whom it is about.
        asker: In which part the question is asked; the caller has established that.
        asked_by: The agency that asks; as a recipient it may ask about itself alone.
        change: The nearest change that would turn it, if it is known; shown with a refusal.

    Returns:
        ``NO_SUCH_REPORT`` itself to a recipient that was refused or asks about another.
    """
    if asker is Asker.RECIPIENT and (asked_by != recipient or not verdict.permit):
        return NO_SUCH_REPORT
    lines = [f"{'pass' if reason.passed else 'FAIL'} {reason.rule}: {reason.text}" for reason in verdict.reasons]
    lines.extend(f"obligation: {obligation}" for obligation in verdict.obligations)
    if change is not None and asker is not Asker.RECIPIENT:
        lines.append(f"nearest change: {change.text} (others concerned: {change.others})")
    answer = "may" if verdict.permit else "may not"
    return Explanation(headline=f"{recipient} {answer} have it, by {verdict.rule}.", lines=tuple(lines))


def explain_audience(audience: PortionAudience) -> Explanation:
    """Sum up a portion's audience for its author: who has it, and by which rule the others do not."""
    left_out: dict[str, list[str]] = {}
    for recipient, verdict in audience.refused:
        left_out.setdefault(verdict.rule, []).append(recipient)
    lines = [f"permitted ({len(audience.permitted)}): {', '.join(audience.permitted) or 'nobody'}"]
    lines.extend(f"left out by {rule} ({len(ids)}): {', '.join(ids)}" for rule, ids in sorted(left_out.items()))
    headline = f"Portion {audience.place}, TLP:{audience.label.tlp} {audience.label.level}"
    return Explanation(headline=headline, lines=tuple(lines))
