"""The community's routing rules, compiled: each predicate becomes a bit set over the agencies, or a test of the label.

Default deny, forbid beats permit, as in Cedar; a closed vocabulary and no expressions (docs/spec/need-to-know.md,
"Community routing rules").
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, assert_never

from policy.consistency import AFFECTED, AND_ABOVE, ORIGINATOR, UNAFFECTED
from policy.directory import Directory
from schemas.bundle import Agency, Effect, Predicate, Rule
from schemas.label import PRECEDENCE_ORDER, TLP_ORDER, Label


class CompiledPredicate(Protocol):
    """One predicate: the agencies for which it holds, given a label."""

    @property
    def source(self) -> Predicate:
        """The predicate as the planner wrote it."""

    def mask(self, label: Label, originator: Agency, at_ms: int) -> int:
        """Give the agencies for which it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPredicate:
    """Holds for everybody or for nobody: it asks about the label alone."""

    source: Predicate
    everyone: int
    holds: Callable[[Label], bool]

    def mask(self, label: Label, _originator: Agency, _at_ms: int) -> int:
        """Give everybody, or nobody."""
        return self.everyone if self.holds(label) else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientPredicate:
    """Holds for the same agencies whatever the label: ``role`` and ``kind``."""

    source: Predicate
    recipients: int

    def mask(self, _label: Label, _originator: Agency, _at_ms: int) -> int:
        """Give the agencies worked out once."""
        return self.recipients


@dataclass(frozen=True, slots=True, kw_only=True)
class StatePredicate:
    """Holds for agencies of fixed states, of the affected states, of the originator's; never for a body."""

    source: Predicate
    recipients: int
    with_state: dict[str, int]

    def mask(self, label: Label, originator: Agency, _at_ms: int) -> int:
        """Give the agencies of the states that are meant this time."""
        mask = self.recipients
        if AFFECTED in self.source.values:
            for state in label.affected:
                mask |= self.with_state.get(state, 0)
        if ORIGINATOR in self.source.values and originator.state is not None:
            mask |= self.with_state[originator.state]
        return mask


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginatorPredicate:
    """Holds for everybody or for nobody: it asks whose report it is, and whether that state is an affected one.

    By it the affected state keeps control: what only it may say, a rule forbids to originators that are unaffected.
    """

    source: Predicate
    everyone: int

    def mask(self, label: Label, originator: Agency, _at_ms: int) -> int:
        """Give everybody if the originator is of a state that is meant, or nobody."""
        values, state = self.source.values, originator.state
        # A body has no state, and a label may name nobody as affected: neither speaks for an affected state.
        is_affected = state is not None and state in label.affected
        holds = (AFFECTED if is_affected else UNAFFECTED) in values or (state is not None and state in values)
        return self.everyone if holds else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MechanismPredicate:
    """Holds for those who are full members of one of the agreements on that date."""

    source: Predicate
    directory: Directory

    def mask(self, _label: Label, _originator: Agency, at_ms: int) -> int:
        """Give the full members at ``at_ms``."""
        mask = 0
        for mechanism in self.source.values:
            mask |= self.directory.full_members(mechanism, at_ms)
        return mask


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRule:
    """A rule; ``reach`` is the most that it can match, whatever the label."""

    rule: str
    effect: Effect
    reach: int
    predicates: tuple[CompiledPredicate, ...]

    def mask(self, label: Label, originator: Agency, at_ms: int) -> int:
        """Give the agencies for which all predicates hold."""
        mask = self.reach
        for predicate in self.predicates:
            if not mask:
                break
            mask &= predicate.mask(label, originator, at_ms)
        return mask


def compile_rules(directory: Directory) -> tuple[CompiledRule, ...]:
    """Compile the rules of a bundle, in the order of their ids so that the bundle's order means nothing."""
    return tuple(_compile_rule(rule, directory) for rule in sorted(directory.bundle.rules, key=lambda rule: rule.rule))


def _compile_rule(rule: Rule, directory: Directory) -> CompiledRule:
    predicates = tuple(_compile_predicate(predicate, directory) for predicate in rule.predicates)
    reach = directory.everyone
    names_staff = any(predicate.name == "kind" and "staff" in predicate.values for predicate in rule.predicates)
    if rule.effect == "permit" and not names_staff:
        # Control, adversary and evaluators see nothing by the way: a rule has to say "staff" to mean them.
        reach &= ~directory.with_kind.get("staff", 0)
    # Tests of the label come first: one that fails spares the rest.
    ordered = sorted(predicates, key=lambda predicate: not isinstance(predicate, LabelPredicate))
    return CompiledRule(rule=rule.rule, effect=rule.effect, reach=reach, predicates=tuple(ordered))


def _compile_predicate(predicate: Predicate, directory: Directory) -> CompiledPredicate:
    match predicate.name:
        case "role":
            return RecipientPredicate(source=predicate, recipients=_union(directory.with_role, predicate.values))
        case "kind":
            return RecipientPredicate(source=predicate, recipients=_union(directory.with_kind, predicate.values))
        case "state":
            return StatePredicate(
                source=predicate,
                recipients=_union(directory.with_state, predicate.values),
                with_state=directory.with_state,
            )
        case "mechanism":
            return MechanismPredicate(source=predicate, directory=directory)
        case "originator":
            return OriginatorPredicate(source=predicate, everyone=directory.everyone)
        case "topic" | "tlp" | "level" | "precedence" | "caveat" | "affected":
            return LabelPredicate(
                source=predicate, everyone=directory.everyone, holds=_label_test(predicate, directory)
            )
        case _:
            assert_never(predicate.name)


def _union(table: dict[str, int], values: tuple[str, ...]) -> int:
    mask = 0
    for value in values:
        mask |= table.get(value, 0)
    return mask


def _label_test(predicate: Predicate, directory: Directory) -> Callable[[Label], bool]:
    values = predicate.values
    match predicate.name:
        case "topic":
            return lambda label: any(topic_matches(label.topic, value) for value in values)
        case "tlp":
            tlps = spelled_out(values, TLP_ORDER)
            return lambda label: label.tlp in tlps
        case "level":
            levels = spelled_out(values, directory.bundle.levels)
            return lambda label: label.level in levels
        case "precedence":
            precedences = spelled_out(values, PRECEDENCE_ORDER)
            return lambda label: label.precedence in precedences
        case "caveat":
            return lambda label: any(value in label.caveats for value in values)
        case _:
            return lambda label: any(value in label.affected for value in values)


def topic_matches(topic: str, pattern: str) -> bool:
    """Tell whether a topic is the pattern, or stands at or below one that ends in ``.*``."""
    if not pattern.endswith(".*"):
        return topic == pattern
    stem = pattern.removesuffix(".*")
    # The dot is part of the test: ``cyber.*`` is not about ``cyberx``.
    return topic == stem or topic.startswith(f"{stem}.")


def spelled_out(values: tuple[str, ...], order: tuple[str, ...]) -> frozenset[str]:
    """Spell out ``>=WORD`` as that word and all above it in an order that runs from the lowest."""
    words: set[str] = set()
    for value in values:
        if value.startswith(AND_ABOVE):
            words.update(order[order.index(value.removeprefix(AND_ABOVE)) :])
        else:
            words.add(value)
    return frozenset(words)
