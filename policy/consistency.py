"""Whether a bundle makes sense as a whole: every name that is used is also defined, and defined once.

A rule with a misspelt level or group would silently match nothing; in a forbidding rule that is a leak. So a bundle
with a loose end is refused before anything is decided by it.
"""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Final, NoReturn, get_args

from policy.caveats import MEMBERS_FIRST, NAMED, RESIDENCY, read_caveat
from schemas.bundle import AgencyKind, Bundle, Predicate, Rule
from schemas.errors import InputError
from schemas.label import PRECEDENCE_ORDER, TLP_ORDER
from schemas.names import STATE_PATTERN

BUILT_IN_PREFIX: Final = "NTK-"
AND_ABOVE: Final = ">="
AFFECTED: Final = "affected"
UNAFFECTED: Final = "unaffected"
ORIGINATOR: Final = "originator"
CHAIR: Final = "chair"  # the mechanism whose observer convenes and administers

_TOPIC_PATTERN: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*(\.\*)?")
_STATE_PATTERN: Final = re.compile(STATE_PATTERN)


def _refuse(message: str, remedy: str) -> NoReturn:
    raise InputError(message, remedy=remedy)


def _require_unique(names: Iterable[str], *, what: str) -> None:
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        _refuse(f"the bundle names {what} {repeated[0]!r} more than once", "keep one of them")


class _Names:
    """The names a bundle defines."""

    def __init__(self, bundle: Bundle) -> None:
        self.agencies = {agency.agency for agency in bundle.agencies}
        self.states = {agency.state for agency in bundle.agencies if agency.state is not None}
        self.roles = {agency.role for agency in bundle.agencies}
        self.groups = {group.group for group in bundle.groups}
        self.mechanisms = {mechanism.mechanism for mechanism in bundle.mechanisms}
        self.levels = set(bundle.levels)
        self.compartments = set(bundle.compartments)


def check_bundle(bundle: Bundle) -> None:
    """Check that a bundle holds together.

    Raises:
        InputError: On the first loose end; the message names the place, the remedy what to do.
    """
    _require_unique((agency.agency for agency in bundle.agencies), what="the agency")
    _require_unique((group.group for group in bundle.groups), what="the group")
    _require_unique((mechanism.mechanism for mechanism in bundle.mechanisms), what="the mechanism")
    _require_unique((rule.rule for rule in bundle.rules), what="the rule")
    _require_unique(bundle.levels, what="the level")
    _require_unique((f"{mark.state} {mark.mark}" for mark in bundle.marks), what="the national mark")
    names = _Names(bundle)
    _check_agencies(bundle, names)
    _check_subjects(bundle, names)
    _check_chair(bundle)
    for mark in bundle.marks:
        if mark.level not in names.levels:
            _refuse(f"the mark {mark.mark!r} of {mark.state} maps to {mark.level!r}, which is no level", "map it anew")
    for rule in bundle.rules:
        _check_rule(rule, names)


def _check_agencies(bundle: Bundle, names: _Names) -> None:
    for agency in bundle.agencies:
        if agency.clearance not in names.levels:
            _refuse(
                f"the agency {agency.agency} is cleared for {agency.clearance!r}, which is no level of the bundle",
                f"use one of {', '.join(bundle.levels)}",
            )
        for compartment in agency.compartments:
            if compartment not in names.compartments:
                _refuse(
                    f"the agency {agency.agency} holds {compartment!r}, which is no compartment of the bundle",
                    "add it to the bundle's compartments, or take it from the agency",
                )
        for protector in agency.client_of:
            if protector not in names.agencies:
                _refuse(f"the agency {agency.agency} is a client of {protector!r}, which is unknown", "name an agency")


def _check_subjects(bundle: Bundle, names: _Names) -> None:
    lone = names.agencies | names.states
    for group in bundle.groups:
        for subject in group.members:
            if subject not in lone:
                _refuse(
                    f"the group {group.group} holds {subject!r}, which is no agency and no state of the bundle",
                    "a group holds agencies and states, never another group",
                )
    for mechanism in bundle.mechanisms:
        for membership in mechanism.memberships:
            if membership.subject not in lone | names.groups:
                _refuse(
                    f"{mechanism.mechanism} has {membership.subject!r} as {membership.standing}, which is unknown",
                    "name an agency, a state or a group of the bundle",
                )


def _check_chair(bundle: Bundle) -> None:
    """Refuse a chair that would read something by it, or two at one time: the chair moves, reading rights do not."""
    held = sorted(
        (item for mechanism in bundle.mechanisms if mechanism.mechanism == CHAIR for item in mechanism.memberships),
        key=lambda item: item.begin,
    )
    for item in held:
        if item.standing != "observer":
            _refuse(f"{item.subject} is full member of {CHAIR!r}, and would read by it", "let it be an observer")
    for before, after in pairwise(held):
        if before.end is None or before.end > after.begin:
            _refuse(f"{before.subject} and {after.subject} hold the chair at one time", "end the first before")


def _check_rule(rule: Rule, names: _Names) -> None:
    if rule.rule.startswith(BUILT_IN_PREFIX):
        _refuse(f"the rule {rule.rule} has the name of a built-in test", f"do not begin it with {BUILT_IN_PREFIX}")
    if not rule.predicates:
        _refuse(f"the rule {rule.rule} has no predicate", "say what it is about; no rule is about everything")
    for predicate in rule.predicates:
        if not predicate.values:
            _refuse(f"the rule {rule.rule} has a predicate {predicate.name} without a value", "give it one")
        for value in predicate.values:
            if not _is_known(value, predicate, rule, names):
                _refuse(
                    f"the rule {rule.rule} asks for {predicate.name} {value!r}, which is unknown",
                    "correct the spelling, or define it in the bundle",
                )


def _is_known(value: str, predicate: Predicate, rule: Rule, names: _Names) -> bool:
    # A permitting rule may be about roles and states that have not joined: it reaches nobody there. A forbidding rule
    # about somebody unknown would let pass whom its author meant to stop.
    may_be_absent = rule.effect == "permit"
    word = value.removeprefix(AND_ABOVE)
    known = {
        "topic": _TOPIC_PATTERN.fullmatch(value) is not None,
        "role": may_be_absent or value in names.roles,
        "state": value in {AFFECTED, ORIGINATOR} | names.states or (may_be_absent and _is_state(value)),
        "kind": value in get_args(AgencyKind),
        "mechanism": value in names.mechanisms,
        "tlp": word in TLP_ORDER,
        "level": word in names.levels,
        "precedence": word in PRECEDENCE_ORDER,
        "caveat": _is_known_caveat(value, names),
        "originator": value in {AFFECTED, UNAFFECTED} | names.states or (may_be_absent and _is_state(value)),
        "affected": _is_state(value),  # a state without an agency here can be affected all the same
    }
    # A bundle that has not been read through its shape may hold any name, and an unknown one is refused.
    return known.get(predicate.name, False)


def _is_state(value: str) -> bool:
    return _STATE_PATTERN.fullmatch(value) is not None


def _is_known_caveat(value: str, names: _Names) -> bool:
    caveat = read_caveat(value)
    if caveat is None:
        return False
    known = {
        NAMED: caveat.operand in names.agencies,
        RESIDENCY: caveat.operand in names.states,
        MEMBERS_FIRST: caveat.operand in names.mechanisms,
    }
    return known.get(caveat.name, True)
