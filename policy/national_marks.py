"""National markings and the levels of the community: what a mark comes to, and what is lost on the way (H12).

No two states grade alike: some have three degrees where others have four, and one word stands for different things. The
bundle says how each mark maps; where a mapping loses meaning it says that too, and whoever marks hears of it. The
highest of several marks wins, and an unknown one is refused: it is never "no marking".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from policy.community import Community
from schemas.bundle import NationalMark
from schemas.errors import InputError

_NAMED_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """What some national marks come to.

    Attributes:
        level: Of the community's lattice.
        lossy: The marks whose mapping loses some of their meaning.
    """

    level: str
    lossy: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What a mark of one state becomes in another.

    Attributes:
        level: What it comes to in between.
        mark: The other state's mark, or None if it has none that is high enough.
        lossy: What is lost, in words; empty if nothing is.
    """

    level: str
    mark: str | None
    lossy: tuple[str, ...]


def grade(state: str, marks: Sequence[str], community: Community) -> Graded:
    """Return the level that some marks of a state come to.

    Args:
        state: Whose marks; the same word means another thing elsewhere.
        marks: At least one, in the state's own spelling; capitals do not matter.
        community: Whose bundle maps them.

    Raises:
        InputError: If there is none, or the bundle maps one of them to nothing.
    """
    if not marks:
        msg = f"no mark of {state} was given"
        raise InputError(msg, remedy="an unmarked text gets the node's default; say that instead")
    found = [_find(state, mark, community) for mark in marks]
    highest = max((item.level for item in found), key=community.level_rank.__getitem__)
    return Graded(level=highest, lossy=tuple(sorted({item.mark for item in found if item.lossy})))


def carry(state: str, mark: str, other: str, community: Community) -> Carried:
    """Return what a mark of one state becomes in another: the lowest mark there that is not below it.

    Raises:
        InputError: If the bundle does not map the mark.
    """
    ours = _find(state, mark, community)
    rank = community.level_rank
    lossy = [f"{ours.mark} of {state} is more than {ours.level} says"] if ours.lossy else []
    above = [item for item in _marks_of(other, community) if rank[item.level] >= rank[ours.level]]
    if not above:
        return Carried(level=ours.level, mark=None, lossy=(*lossy, f"{other} has no mark as high as {ours.level}"))
    # Of two marks of one level the exact one, and then the first by name, so that the answer is always the same.
    theirs = min(above, key=lambda item: (rank[item.level], item.lossy, item.mark))
    if theirs.level != ours.level:
        lossy.append(f"{other} has no mark for {ours.level}; {theirs.mark} means {theirs.level}")
    elif theirs.lossy:
        lossy.append(f"{theirs.mark} of {other} is more than {theirs.level} says")
    return Carried(level=ours.level, mark=theirs.mark, lossy=tuple(lossy))


def states_with_marks(community: Community) -> tuple[str, ...]:
    """Return the states whose marks the bundle maps, in order."""
    return tuple(sorted({item.state for item in community.bundle.marks}))


def marks_of(state: str, community: Community) -> tuple[NationalMark, ...]:
    """Return a state's marks, lowest first."""
    return tuple(
        sorted(_marks_of(state, community), key=lambda item: (community.level_rank[item.level], item.lossy, item.mark))
    )


def _marks_of(state: str, community: Community) -> Iterable[NationalMark]:
    return (item for item in community.bundle.marks if item.state == state)


def _find(state: str, mark: str, community: Community) -> NationalMark:
    for item in _marks_of(state, community):
        if item.mark.casefold() == mark.strip().casefold():
            return item
    known = [item.mark for item in marks_of(state, community)]
    msg = f"the community does not know the mark '{mark.strip()[:40]}' of {state}"
    named = ", ".join(known[:_NAMED_MAX]) if known else f"the bundle maps no marks of {state}"
    raise InputError(msg, remedy=f"known: {named}" if known else named)
