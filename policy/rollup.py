"""The label of a product that quotes portions: at least as strict as each of them.

Roll-up (docs/spec/need-to-know.md) is associative, commutative and idempotent, so it does not matter who combined what
first. Parts that have no reader in common become the caveat ``NOBODY``: an empty REL TO would mean everybody.

A label cannot say all that its parts asked of the *community's* rules: a rule may permit the wider topic of a product,
or a state that only the other part affects. Hence ``product_audience``, which asks them about each part as well.
"""

import functools
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeVar

from policy.audience import audience_mask
from policy.caveats import NAMED, NOBODY, operands
from policy.community import Community
from policy.gate import is_well_made, unknown_words
from policy.traffic_light import named_agencies
from schemas.errors import InputError
from schemas.label import PRECEDENCE_RANK, TLP_ORDER, Label
from schemas.limits import LABEL_ITEMS_MAX

MIXED_TOPIC: Final = "mixed"

T = TypeVar("T")


class _Readers(NamedTuple):
    """How a label names its readers: as spelled, and what that comes to as a bit set."""

    rel: tuple[str, ...]
    named: tuple[str, ...]
    is_red: bool
    mask: int


class Part(NamedTuple):
    """A portion that a product quotes, and whose it is."""

    label: Label
    originator: str


def roll_up(labels: Sequence[Label], community: Community) -> Label:
    """Combine the labels of what a product quotes into the product's label.

    Args:
        labels: The labels quoted, at least one, in any order.
        community: The bundle that expands groups and orders levels.

    Raises:
        InputError: If there is none, one is malformed or has a word the bundle does not know, or the result needs
            more words than a label holds.
    """
    if not labels:
        msg = "a product that quotes nothing has no label to inherit"
        raise InputError(msg, remedy="give it a label of its own")
    for label in labels:
        _require_known(label, community)
    readers = _combine_readers([_readers(label, community) for label in labels if _narrows(label)], community)
    mechanisms = _combine_mechanisms(label.mechanisms for label in labels)
    caveats = {word for label in labels for word in label.caveats if not word.startswith(f"{NAMED}:")}
    rel: tuple[str, ...] = ()
    if NOBODY in caveats or readers is None or mechanisms is None:
        caveats.add(NOBODY)
        mechanisms = ()
    else:
        rel = readers.rel
        caveats.update(f"{NAMED}:{agency}" for agency in readers.named)
    return Label(
        tlp=max((label.tlp for label in labels), key=TLP_ORDER.index),
        level=max((label.level for label in labels), key=community.level_rank.__getitem__),
        topic=functools.reduce(_common_topic, (label.topic for label in labels)),
        compartments=_union(labels, lambda label: label.compartments),
        mechanisms=mechanisms,
        rel=rel,
        exclude=_union(labels, lambda label: label.exclude),
        caveats=_bounded(caveats),
        affected=_union(labels, lambda label: label.affected),
        precedence=max((label.precedence for label in labels), key=PRECEDENCE_RANK.__getitem__),
        not_before=max((label.not_before for label in labels if label.not_before is not None), default=None),
    )


def product_audience(parts: Sequence[Part], *, originator: str, at_ms: int, community: Community) -> int:
    """Give the readers of a product: those of its rolled-up label who may also have each part from its originator.

    Args:
        parts: The portions quoted, at least one.
        originator: Who makes the product. Consent to quote (ORCON) is asked for elsewhere.
        at_ms: When, Unix ms.
        community: By whose rules.

    Raises:
        InputError: As ``roll_up``.
    """
    label = roll_up([part.label for part in parts], community)
    masks = (audience_mask(part.label, originator=part.originator, at_ms=at_ms, community=community) for part in parts)
    product = audience_mask(label, originator=originator, at_ms=at_ms, community=community)
    return functools.reduce(operator.and_, masks, product)


def _require_known(label: Label, community: Community) -> None:
    unknown = ["a malformed list or word"] if not is_well_made(label) else list(unknown_words(label, community))
    if unknown:
        msg = f"a label cannot be rolled up: the bundle does not know {', '.join(unknown)}"
        raise InputError(msg, remedy="correct the label, or take the newest bundle")


def _narrows(label: Label) -> bool:
    """Tell whether a label names its readers at all."""
    return bool(label.rel) or label.tlp == "RED" or any(operands(label, NAMED))


def _readers(label: Label, community: Community) -> _Readers:
    named = tuple(operands(label, NAMED))
    mask = community.everyone
    if label.rel:
        mask &= community.expand(label.rel) or 0
    if named:
        mask &= community.expand(named) or 0
    if label.tlp == "RED":
        # A state on the list names nobody, and must not become a name when the list is spelled out below.
        mask &= functools.reduce(operator.or_, map(community.bit, named_agencies(label)), 0)
    return _Readers(label.rel, named, label.tlp == "RED", mask)


def _combine_readers(readers: Sequence[_Readers], community: Community) -> _Readers | None:
    """Intersect what the parts say of their readers; None means that nobody is left."""
    if len(set(readers)) <= 1:
        # One spelling is kept: a reader recognises @asean sooner than a hundred names.
        return readers[0] if readers else _Readers((), (), is_red=False, mask=community.everyone)
    mask = functools.reduce(operator.and_, (reader.mask for reader in readers))
    if not mask:
        return None
    is_red = any(reader.is_red for reader in readers)
    return _Readers(_spell(mask, community, is_red=is_red), (), is_red, mask)


def _spell(mask: int, community: Community, *, is_red: bool) -> tuple[str, ...]:
    """Write a bit set as REL TO, the same way whatever it came from.

    Agencies are named one by one where they fit, since such a list cannot grow with the community; RED allows nothing
    else. A longer list names whole states where all their members are meant.
    """
    ids = community.ids(mask)
    if len(ids) <= LABEL_ITEMS_MAX or is_red:
        return _bounded(ids)
    subjects = []
    rest = mask
    for state in community.with_state:
        members = community.expand((state,)) or 0
        if members and members & mask == members:
            subjects.append(state)
            rest &= ~members
    return _bounded((*subjects, *community.ids(rest)))


def _combine_mechanisms(each: Iterable[tuple[str, ...]]) -> tuple[str, ...] | None:
    """Intersect the agreements; () asks for none, None means that no agreement authorises all the parts.

    A member of one parent's agreement and a member of another's are different people, so the union would widen.
    """
    asked = [set(mechanisms) for mechanisms in each if mechanisms]
    if not asked:
        return ()
    return tuple(sorted(set.intersection(*asked))) or None


def _common_topic(one: str, other: str) -> str:
    """Give the nearest topic above both, or ``mixed``, which no rule permits unless it says so."""
    common = []
    for left, right in zip(one.split("."), other.split("."), strict=False):
        if left != right:
            break
        common.append(left)
    return ".".join(common) or MIXED_TOPIC


def _union(labels: Sequence[Label], part: Callable[[Label], tuple[str, ...]]) -> tuple[str, ...]:
    return _bounded({word for label in labels for word in part(label)})


def _bounded(words: Iterable[str]) -> tuple[str, ...]:
    chosen = tuple(sorted(words))
    if len(chosen) > LABEL_ITEMS_MAX:
        msg = f"the label of the product needs {len(chosen)} words in one list; {LABEL_ITEMS_MAX} fit"
        raise InputError(msg, remedy="quote fewer portions, or split the product")
    return chosen
