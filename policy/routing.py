"""The community's rules asked about one recipient, with the reasons: forbid beats permit, and silence denies."""

from collections.abc import Iterator
from typing import Final

from policy.community_rules import CompiledRule
from policy.question import Question
from policy.verdict import Reason
from schemas.bundle import Agency, Predicate

NO_PERMIT: Final = "NTK-PERMIT"
CITES: Final = "H6"


def predicate_text(predicate: Predicate) -> str:
    """Write a predicate as a planner would read it aloud."""
    return f"{predicate.name} {' or '.join(predicate.values)}"


def rule_text(rule: CompiledRule) -> str:
    """Write a rule's predicates out."""
    return ", ".join(predicate_text(predicate.source) for predicate in rule.predicates)


def failing(rule: CompiledRule, question: Question, recipient: Agency) -> tuple[Predicate, ...]:
    """Give the predicates of a rule that do not hold for a recipient."""
    bit = question.community.bit(recipient.agency)
    return tuple(
        predicate.source
        for predicate in rule.predicates
        if not predicate.mask(question.label, question.originator, question.at_ms) & bit
    )


def nearest_permit(question: Question, recipient: Agency) -> tuple[CompiledRule, tuple[Predicate, ...]] | None:
    """Find the permitting rule that fails the recipient by the fewest predicates; None if no rule permits at all."""
    permits = [
        (rule, failing(rule, question, recipient)) for rule in question.community.rules if rule.effect == "permit"
    ]
    return min(permits, key=lambda pair: (len(pair[1]), pair[0].rule), default=None)


def check_rules(question: Question, recipient: Agency) -> Iterator[Reason]:
    """Yield every rule that forbids, then the first that permits, or what comes nearest to it."""
    bit = question.community.bit(recipient.agency)
    matching = [
        rule
        for rule in question.community.rules
        if rule.mask(question.label, question.originator, question.at_ms) & bit
    ]
    for rule in matching:
        if rule.effect == "forbid":
            text = f"the rule {rule.rule} forbids it ({rule_text(rule)})"
            yield Reason(rule=rule.rule, passed=False, text=text, cites=CITES)
    for rule in matching:
        if rule.effect == "permit":
            text = f"the rule {rule.rule} permits it ({rule_text(rule)})"
            yield Reason(rule=rule.rule, passed=True, text=text, cites=CITES)
            return
    yield _no_permit(question, recipient)


def _no_permit(question: Question, recipient: Agency) -> Reason:
    nearest = nearest_permit(question, recipient)
    if nearest is None:
        return Reason(rule=NO_PERMIT, passed=False, text="no rule permits anything", cites=CITES)
    rule, missing = nearest
    if not missing:
        # All predicates hold, so the reach of the rule left the recipient out: it does not name the kind "staff".
        text = f"no rule permits it to {recipient.agency}; {rule.rule} does not name the kind staff"
        return Reason(rule=NO_PERMIT, passed=False, text=text, cites=CITES, wanted=("kind staff",))
    wanted = tuple(predicate_text(predicate) for predicate in missing)
    text = f"no rule permits it to {recipient.agency}; {rule.rule} comes nearest and asks for {', '.join(wanted)}"
    return Reason(rule=NO_PERMIT, passed=False, text=text, cites=CITES, wanted=wanted)
