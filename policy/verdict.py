"""What the decision function answers: a verdict, and every test that was made on the way to it.

It stands apart from the function so that the small rules can give reasons without knowing who puts them together.
"""

import enum
from dataclasses import dataclass


class Action(enum.StrEnum):
    """Who hands the portion on: its originator, or an agency that has received it."""

    RELEASE = "release"
    ONWARD = "onward"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One test that was made, with its operands.

    Attributes:
        rule: A stable id of a built-in test, such as ``NTK-REL``, or the id of a community rule.
        passed: Whether the test let the portion through.
        text: The test in plain words, operands included.
        cites: The handling rule it enforces (docs/spec/need-to-know.md, "Handling rules"), or empty.
        wanted: What was asked for.
        held: What the recipient, the originator or the label has of it.
    """

    rule: str
    passed: bool
    text: str
    cites: str = ""
    wanted: tuple[str, ...] = ()
    held: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Permit or deny.

    Attributes:
        permit: False unless every test passed and a community rule permits.
        rule: The first test that failed, or the rule that permits.
        reasons: Every test that was made, in the order of the specification.
        obligations: What a permitted recipient takes on; empty on a refusal.
    """

    permit: bool
    rule: str
    reasons: tuple[Reason, ...]
    obligations: tuple[str, ...] = ()
