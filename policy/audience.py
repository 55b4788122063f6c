"""Everybody who may have a portion, at once: what ``decide`` says for each agency, as one bit set.

The author seals for it and the broker forwards to it, so it is asked for every portion of every report, and kept.
"""

from policy.community import Community
from policy.gate import check_label
from policy.question import Question
from policy.rules import HANDLING_TESTS
from policy.verdict import Action
from schemas.bundle import Agency
from schemas.label import Label


def audience_mask(label: Label, *, originator: str, at_ms: int, community: Community) -> int:
    """Give the agencies to which an originator may release a portion, the originator among them.

    Equal to asking ``decide`` for each agency, with RELEASE, no expiry and no grants. The answer is kept for the span
    of time inside which no key, no membership and no embargo begins or ends.

    Args:
        label: The portion's label; a malformed one has no audience.
        originator: Who releases it.
        at_ms: When, Unix ms.
        community: By whose rules.

    Returns:
        A bit set over the positions of ``community``; ``community.ids`` names them.
    """
    embargo = label.not_before
    if embargo is not None and type(embargo) is not int:
        # 1, 1.0 and True would be one key; only the first of them can stand in a well-made label.
        return 0
    key = (label, originator, community.epoch(at_ms), embargo is not None and at_ms < embargo)
    return community.audiences.get(key, lambda: _work_out(label, originator, at_ms, community))


def _work_out(label: Label, originator: str, at_ms: int, community: Community) -> int:
    if not all(reason.passed for reason in check_label(label, community)):
        return 0
    author = community.agency(originator)
    active = community.active(at_ms)
    if author is None or not community.bit(originator) & active:
        return 0
    question = Question(label=label, originator=author, action=Action.RELEASE, at_ms=at_ms, community=community)
    mask = _permitted(question, author) & active
    for test in HANDLING_TESTS:
        if not mask:
            break
        mask &= test.mask(question)
    return mask | community.bit(originator)


def _permitted(question: Question, author: Agency) -> int:
    """Give those whom a community rule permits and none forbids."""
    permitted = forbidden = 0
    for rule in question.community.rules:
        mask = rule.mask(question.label, author, question.at_ms)
        if rule.effect == "permit":
            permitted |= mask
        else:
            forbidden |= mask
    return permitted & ~forbidden
