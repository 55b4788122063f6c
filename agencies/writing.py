"""How a desk writes: its inject's material as a report, what it received as a product of its own, or a correction.

Pure. A passage is kept whole or dropped whole, with its opaque id; what a product takes over from others is named in
``derived_from`` inside the sealed content and handed on as quotes, whose onward release policy must allow.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agencies.bots import StandingOrder
from agencies.drafts import Quote
from agencies.inheritance import with_inherited
from policy.community import Community
from policy.rollup import roll_up
from schemas.errors import SealError
from schemas.label import Label
from schemas.report import Parent, Passage, Portion, PortionContent

# Given the passages of a text and the order, those that end up in what is written (``Bot.kept``).
Keep = Callable[[Sequence[str], StandingOrder], frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A portion that a desk holds and may quote."""

    hid: bytes
    place: int
    commitment: bytes
    originator: str
    label: Label
    content: PortionContent


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a desk has written, and what it quoted."""

    portions: tuple[Portion, ...]
    quotes: tuple[Quote, ...]


def write_report(material: Sequence[Portion], order: StandingOrder, keep: Keep) -> Written:
    """Write the material of an inject as a report: its portions as they are, less what the order drops.

    Raises:
        SealError: If nothing is left.
    """
    portions: list[Portion] = []
    for portion in material:
        content = portion.content
        kept = keep(content.passages, order)
        body = tuple(run for run in content.body if run.passage is None or run.passage in kept)
        # A portion whose every passage was dropped is left out; one that never had any is plain text and stays.
        if content.passages and not kept:
            continue
        written = content._replace(body=body, title=order.title or content.title)
        portions.append(Portion(order.label or portion.label, written))
    if not portions:
        msg = f"order {order.order} keeps nothing of its material"
        raise SealError(msg, remedy="name at least one fact of the material under keep")
    return Written(portions=tuple(portions), quotes=())


def write_product(
    sources: Sequence[Source], order: StandingOrder, keep: Keep, *, author: str, community: Community
) -> Written:
    """Write a product of one portion from what was received.

    The label is the order's, or the roll-up of everything quoted: a product is never released more widely than its
    strictest part unless its author says so, and then policy is asked about each quoted part all the same.

    Raises:
        SealError: If nothing is left.
    """
    runs: list[Passage] = []
    quoted: list[Source] = []
    for source in sources:
        kept = keep(source.content.passages, order)
        taken = [run for run in source.content.body if run.passage is not None and run.passage in kept]
        if taken:
            quoted.append(source)
            runs += [*([Passage(None, "\n\n")] if runs else []), *_joined(taken)]
    if not runs:
        msg = f"order {order.order} keeps nothing of what was received"
        raise SealError(msg, remedy="name at least one fact of the received report under keep")
    first = quoted[0]
    alone = len(quoted) == 1 and set(first.content.passages) <= {run.passage for run in runs}
    content = PortionContent(
        marking="EXERCISE",
        title=order.title or first.content.title,
        body=tuple(runs),
        language=first.content.language,
        # Place and time go along only with a portion that is passed on whole: they are statements of their own.
        places=first.content.places if alone else (),
        observed=first.content.observed if alone else None,
        grading=first.content.grading if alone else None,
        derived_from=tuple(Parent(source.hid, source.commitment) for source in quoted),
    )
    label = order.label or roll_up([source.label for source in quoted], community)
    quotes = tuple(
        Quote(
            hid=source.hid, place=source.place, originator=source.originator, label=source.label,
            commitment=source.commitment,
        )
        for source in quoted
        if source.originator != author
    )  # fmt: skip
    # A label of one's own may change much, and never what the parents do not let go of (H2, H11).
    label = with_inherited(label, (quote.label for quote in quotes))
    return Written(portions=(Portion(label, content),), quotes=quotes)


def _joined(runs: Sequence[Passage]) -> list[Passage]:
    joined: list[Passage] = []
    for run in runs:
        if joined:
            joined.append(Passage(None, " "))
        joined.append(run)
    return joined
