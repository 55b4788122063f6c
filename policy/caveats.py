"""The closed vocabulary of caveats: whatever is not listed here is refused, never ignored.

Need to know says what each means (docs/spec/need-to-know.md, "Label"); the tests stand in ``caveat_tests``.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from schemas.label import Label

ORCON: Final = "ORCON"
NATONLY: Final = "NATONLY"
PROPIN: Final = "PROPIN"
PERSONAL: Final = "PERSONAL"
NO_PARTNERS: Final = "NO-PARTNERS"
MEMBERS_FIRST: Final = "MEMBERS-FIRST"
NOBODY: Final = "NOBODY"  # what roll-up writes where nobody is left; an empty REL TO would mean everybody
LEAD_ONLY: Final = "LEAD-ONLY"
RESIDENCY: Final = "RESIDENCY"
NAMED: Final = "NAMED"
PAP: Final = "PAP"

PLAIN_CAVEATS: Final = frozenset({ORCON, NATONLY, PROPIN, PERSONAL, NO_PARTNERS, NOBODY})
CAVEATS_WITH_OPERAND: Final = frozenset({LEAD_ONLY, RESIDENCY, NAMED, PAP, MEMBERS_FIRST})

# Permissible Actions Protocol, least restrictive first: what may be done with it, never who may have it.
PAP_ORDER: Final = ("CLEAR", "GREEN", "AMBER", "RED")

PERSONAL_PURPOSE: Final = "personal-data"


class Caveat(NamedTuple):
    """A caveat taken apart: ``LEAD-ONLY:fiu`` is name ``LEAD-ONLY``, operand ``fiu``."""

    name: str
    operand: str


def read_caveat(word: str) -> Caveat | None:
    """Take a caveat apart; None if it is none of the vocabulary, or has an operand where none belongs."""
    name, colon, operand = word.partition(":")
    if not colon:
        return Caveat(name, "") if name in PLAIN_CAVEATS else None
    if not operand or name not in CAVEATS_WITH_OPERAND:
        return None
    if name == PAP and operand not in PAP_ORDER:
        return None
    return Caveat(name, operand)


def operands(label: Label, name: str) -> Iterator[str]:
    """Yield the operands of every caveat of one name, in the order of the label."""
    prefix = f"{name}:"
    return (word.removeprefix(prefix) for word in label.caveats if word.startswith(prefix))
