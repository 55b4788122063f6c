"""Before anything is sealed: who will be able to read which portion, and who not, and by which rule.

The same policy that the router enforces, asked by the author first; and for what is quoted from others, whether its
originator lets it go on (docs/spec/need-to-know.md, "Third parties and ORCON").
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from agencies.drafts import Quote
from policy.audience import audience_mask
from policy.community import Community
from policy.decide import decide
from policy.members_first import carried_over
from policy.verdict import Action, Verdict
from schemas.label import Label
from schemas.workflow import Grant, Permission


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Who gets what.

    Attributes:
        readers: The positions of its portions for each reader.
        left_out: The deciding rule for each one left out.
        barred: Of those left out, the quoted portions whose originators have not consented.
    """

    readers: dict[str, tuple[int, ...]]
    left_out: dict[str, str]
    barred: dict[str, tuple[Quote, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentBefore:
    """A message that is there already: its id, the places of its portions in reading order, and what was let go."""

    hid: bytes
    places: tuple[int, ...]
    permissions: tuple[Permission, ...]

    def to(self, reader: str) -> tuple[Permission, ...]:
        """Return what was let go to a reader."""
        return tuple(permission for permission in self.permissions if permission.reader == reader)


def find_audience(
    labels: Sequence[Label],
    *,
    author: str,
    to: tuple[str, ...],
    quotes: Sequence[Quote],
    at_ms: int,
    community: Community,
    grants: tuple[Grant, ...] = (),
    sent: SentBefore | None = None,
) -> Audience:
    """Find the audience of a draft.

    Args:
        labels: Of its portions, in reading order.
        author: The agency that will seal it.
        to: Who is meant; empty means everybody whom policy permits anything of it.
        quotes: What it takes over from others; a reader gets nothing unless every one of them may go on to it.
        at_ms: Unix ms.
        community: The bundle in force.
        grants: The consents of the originators quoted, as far as the author knows them.
        sent: Of a message that is there already: what members let go of it to partners.
    """
    masks = [audience_mask(label, originator=author, at_ms=at_ms, community=community) for label in labels]
    any_of_it = 0
    for mask in masks:
        any_of_it |= mask
    meant = to or community.ids(any_of_it)
    readers: dict[str, tuple[int, ...]] = {}
    left_out: dict[str, str] = {}
    barred: dict[str, tuple[Quote, ...]] = {}
    for reader in sorted(set(meant) - {author}):
        permissions = () if sent is None else sent.to(reader)
        denials = _denied_quotes(reader, author, quotes, grants, at_ms, community, permissions)
        if denials:
            left_out[reader] = denials[0][1]
            barred[reader] = tuple(quote for quote, _ in denials)
            continue
        position = community.position(reader)
        granted = () if position is None else tuple(at for at, mask in enumerate(masks) if mask >> position & 1)
        if sent is not None and permissions:
            granted = _let_go(reader, labels, author, sent, permissions, at_ms, community)
        if granted:
            readers[reader] = granted
        else:
            left_out[reader] = _rule_against(reader, labels, author, at_ms, community)
    return Audience(readers=readers, left_out=left_out, barred=barred)


def _denied_quotes(  # noqa: PLR0917 - private, and handed on in the order of its only caller
    reader: str,
    author: str,
    quotes: Sequence[Quote],
    grants: tuple[Grant, ...],
    at_ms: int,
    community: Community,
    permissions: tuple[Permission, ...],
) -> list[tuple[Quote, str]]:
    """Return the quoted portions that may not go on to this reader, each with the rule that says so."""
    denied: list[tuple[Quote, str]] = []
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
            hid=quote.hid,
            bit=quote.place,
            grants=grants,
            permissions=carried_over(permissions, hid=quote.hid, place=quote.place, originator=quote.originator),
        )
        if not verdict.permit:
            denied.append((quote, verdict.rule))
    return denied


def _let_go(  # noqa: PLR0917 - private, and handed on in the order of its only caller
    reader: str,
    labels: Sequence[Label],
    author: str,
    sent: SentBefore,
    permissions: tuple[Permission, ...],
    at_ms: int,
    community: Community,
) -> tuple[int, ...]:
    """Return the portions that a partner may have by what members did not object to, and by all other rules."""
    return tuple(
        at
        for at, (label, place) in enumerate(zip(labels, sent.places, strict=True))
        if decide(
            label,
            originator=author,
            recipient=reader,
            action=Action.RELEASE,
            at_ms=at_ms,
            community=community,
            hid=sent.hid,
            bit=place,
            permissions=permissions,
        ).permit
    )


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
