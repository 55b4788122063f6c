"""Pre-flight: before anything is sent, the exact audience of each portion, and for each agency left out the reason."""

from collections.abc import Sequence
from dataclasses import dataclass

from policy.audience import audience_mask
from policy.community import Community
from policy.decide import decide
from policy.verdict import Action, Verdict
from schemas.label import Label


@dataclass(frozen=True, slots=True, kw_only=True)
class PortionAudience:
    """Who will have one portion, and who will not.

    Attributes:
        place: The portion's place in what was asked, from 0.
        label: Its label.
        permitted: Agency ids, sorted; the originator is among them if it may have its own.
        refused: Each other agency with its verdict, sorted by id.
    """

    place: int
    label: Label
    permitted: tuple[str, ...]
    refused: tuple[tuple[str, Verdict], ...]


def preflight(
    labels: Sequence[Label], *, originator: str, at_ms: int, community: Community
) -> tuple[PortionAudience, ...]:
    """Work out who would have each portion if it were released now.

    Args:
        labels: One label per portion.
        originator: Who would release them.
        at_ms: When, Unix ms.
        community: By whose rules.
    """
    return tuple(
        _portion_audience(place, label, originator=originator, at_ms=at_ms, community=community)
        for place, label in enumerate(labels)
    )


def _portion_audience(
    place: int, label: Label, *, originator: str, at_ms: int, community: Community
) -> PortionAudience:
    permitted = audience_mask(label, originator=originator, at_ms=at_ms, community=community)
    refused = tuple(
        (
            recipient,
            decide(
                label,
                originator=originator,
                recipient=recipient,
                action=Action.RELEASE,
                at_ms=at_ms,
                community=community,
            ),
        )
        for recipient in community.ids(community.everyone & ~permitted)
    )
    return PortionAudience(place=place, label=label, permitted=community.ids(permitted), refused=refused)
