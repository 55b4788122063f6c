"""Before anything is sealed: who will be able to read which portion, and who not, and by which rule.

The same policy that the router enforces, asked by the author first; and for what is quoted from others, whether its
originator lets it go on (docs/spec/need-to-know.md, "Third parties and ORCON").
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agencies.drafts import Quote
from policy.audience import audience_mask
from policy.community import Community
from policy.decide import decide
from policy.verdict import Action, Verdict
from schemas.label import Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Who gets what: for each reader the positions of its portions; for each one left out, the deciding rule."""

    readers: dict[str, tuple[int, ...]]
    left_out: dict[str, str]


def find_audience(
    labels: Sequence[Label],
    *,
    author: str,
    to: tuple[str, ...],
    quotes: Sequence[Quote],
    at_ms: int,
    community: Community,
) -> Audience:
    """Find the audience of a draft.

    Args:
        labels: Of its portions, in reading order.
        author: The agency that will seal it.
        to: Who is meant; empty means everybody whom policy permits anything of it.
        quotes: What it takes over from others.
        at_ms: Unix ms.
        community: The bundle in force.
    """
    masks = [audience_mask(label, originator=author, at_ms=at_ms, community=community) for label in labels]
    any_of_it = 0
    for mask in masks:
        any_of_it |= mask
    meant = to or community.ids(any_of_it)
    readers: dict[str, tuple[int, ...]] = {}
    left_out: dict[str, str] = {}
    for reader in sorted(set(meant) - {author}):
        barred = _barred_quote(reader, author, quotes, at_ms, community)
        if barred is not None:
            left_out[reader] = barred
            continue
        position = community.position(reader)
        granted = () if position is None else tuple(at for at, mask in enumerate(masks) if mask >> position & 1)
        if granted:
            readers[reader] = granted
        else:
            left_out[reader] = _rule_against(reader, labels, author, at_ms, community)
    return Audience(readers=readers, left_out=left_out)


def _barred_quote(reader: str, author: str, quotes: Sequence[Quote], at_ms: int, community: Community) -> str | None:
    """Return the rule by which a quoted portion may not go on to this reader, or None if all may."""
    for quote in quotes:
        # What an originator wrote may always go back to that originator.
        if quote.originator in {reader, author}:
            continue
        verdict = decide(
            quote.label,
            originator=quote.originator,
            recipient=reader,
            action=Action.ONWARD,
            at_ms=at_ms,
            community=community,
            via=author,
        )
        if not verdict.permit:
            return verdict.rule
    return None


def _rule_against(reader: str, labels: Sequence[Label], author: str, at_ms: int, community: Community) -> str:
    """Return the rule of the portion that came closest to being permitted; of two as close, the one further down.

    The source portion of a tear-line report is denied to nearly everybody, as it should be: what keeps a reader from
    having anything is what is missing for the part that was written to be given.
    """
    verdicts = [
        decide(label, originator=author, recipient=reader, action=Action.RELEASE, at_ms=at_ms, community=community)
        for label in reversed(labels)
    ]
    return min(verdicts, key=_distance).rule


def _distance(verdict: Verdict) -> tuple[int, int]:
    """Order refusals by how far they are from a permit: tests that failed, then how few were passed before."""
    failed = sum(not reason.passed for reason in verdict.reasons)
    return failed, failed - len(verdict.reasons)
