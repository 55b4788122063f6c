"""Community rules by which a stricter label would reach more agencies, for the planner's lint.

"A restriction that is added to a label MUST NOT enlarge its audience" (docs/spec/need-to-know.md). The built-in tests
cannot break that; a rule can, by permitting what is RED and not what is AMBER. Such a rule may be meant, so a bundle
with one is not refused, but its author should hear of it before somebody marks a report up and it spreads.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from policy.community_rules import spelled_out
from schemas.bundle import Bundle, Predicate, Rule
from schemas.label import TLP_ORDER


class Widening(NamedTuple):
    """A rule that lets a stricter label reach further, and why in plain words."""

    rule: str
    text: str


_CAVEAT_TEXT: Final = "permits only what bears a caveat, so that adding the caveat opens it"


def widening_rules(bundle: Bundle) -> tuple[Widening, ...]:
    """Find the rules by which a stricter label would reach more agencies.

    Args:
        bundle: One that ``Community.compile`` accepts.

    Returns:
        One entry per predicate at fault, in the order of the rules' ids.
    """
    rules = sorted(bundle.rules, key=lambda rule: rule.rule)
    return tuple(Widening(rule.rule, text) for rule in rules for text in _faults(rule, bundle.levels))


def _faults(rule: Rule, levels: tuple[str, ...]) -> Iterator[str]:
    for predicate in rule.predicates:
        if predicate.name == "tlp":
            yield from _fault_of_order(rule, predicate, TLP_ORDER)
        elif predicate.name == "level":
            yield from _fault_of_order(rule, predicate, levels)
        elif predicate.name == "caveat" and rule.effect == "permit":
            yield _CAVEAT_TEXT


def _fault_of_order(rule: Rule, predicate: Predicate, order: tuple[str, ...]) -> Iterator[str]:
    """Find fault with a permit that skips lower words, or a forbid that skips higher ones."""
    words = spelled_out(predicate.values, order)
    permits = rule.effect == "permit"
    harmless = order[: len(words)] if permits else order[len(order) - len(words) :]
    if words != set(harmless):
        skipped = "lower" if permits else "higher"
        # A permit that begins at AMBER opens what GREEN did not; a forbid that ends at AMBER lets RED pass.
        yield f"{rule.effect}s {predicate.name} {' or '.join(predicate.values)} and not all that is {skipped}"
