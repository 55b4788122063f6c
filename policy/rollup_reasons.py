"""Why the label of a product is what it is: which part asked for each word of it.

A banner that is computed is obeyed only if it is understood; so the roll-up is told part by part.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from policy.caveats import NAMED, NOBODY
from policy.community import Community
from policy.rollup import roll_up
from schemas.label import Label

_UNIONS: Final = (("compartments", "the compartment"), ("exclude", "not to"), ("caveats", "the caveat"))
_MEETS: Final = (("rel", "REL TO"), ("mechanisms", "by way of"))


def explain_roll_up(labels: Sequence[Label], community: Community) -> tuple[Label, tuple[str, ...]]:
    """Return the label of a product of these parts, and a line for each word of it that a part asked for.

    Args:
        labels: Of the parts, in order; they are called by their numbers, from 1.
        community: As ``roll_up``.

    Raises:
        InputError: As ``roll_up``.
    """
    whole = roll_up(labels, community)
    return whole, tuple(_lines(labels, whole))


def _lines(labels: Sequence[Label], whole: Label) -> Iterator[str]:
    yield f"TLP:{whole.tlp} is the strictest: {_those(labels, lambda label: label.tlp == whole.tlp)}"
    yield f"{whole.level} is the highest level: {_those(labels, lambda label: label.level == whole.level)}"
    for field, spoken in _UNIONS:
        for word in getattr(whole, field):
            yield f"{spoken} {word}: {_whence(labels, field, word)}"
    for field, spoken in _MEETS:
        given = _those(labels, lambda label: bool(getattr(label, field)))  # noqa: B023 - asked within this turn
        if given:
            words = ", ".join(getattr(whole, field)) or "as the caveats say"
            yield f"{spoken} {words}: what is common to {given}" if " and " in given else f"{spoken} {words}: {given}"
    if len({label.topic for label in labels}) > 1:
        yield f"the topic {whole.topic} is what all topics begin with"


def _whence(labels: Sequence[Label], field: str, word: str) -> str:
    asked = _those(labels, lambda label: word in getattr(label, field))
    if asked:
        return asked
    if word == NOBODY:
        return "the parts have no reader or no agreement in common"
    return "all parts may go to it" if word.startswith(f"{NAMED}:") else "the parts together"


def _those(labels: Sequence[Label], asks: Callable[[Label], bool]) -> str:
    numbers = [str(number) for number, label in enumerate(labels, start=1) if asks(label)]
    if not numbers:
        return ""
    *before, last = numbers
    return f"portions {', '.join(before)} and {last}" if before else f"portion {last}"
