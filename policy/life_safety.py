"""The life-safety override: who may invoke it, and the one label that it may bear (H16).

What leaves without its originator's consent must be narrow by itself, or the override would be a way round every other
rule. So its label has no freedom but these: the authority, which the community has named in its bundle as a mechanism
of the topic's own name; the readers, each by name; the states concerned. Who may read is left to the community's rules
for that topic, as for any other portion (docs/spec/need-to-know.md, "Life-safety override").
"""

from collections.abc import Iterable
from typing import Final

from policy.community import Community
from policy.question import Question
from policy.verdict import Reason
from schemas.bundle import Agency
from schemas.label import LIFE_SAFETY_PREFIX, Label
from schemas.limits import OVERRIDE_READERS_MAX

NOTICE_RULE: Final = "NTK-OVERRIDE-NOTICE"  # by which an originator gets its copy, whatever the community rules
_READERS_MIN: Final = 2  # somebody who can help, and the originator, who is told


def override_label(*, authority: str, readers: tuple[str, ...], affected: tuple[str, ...], lowest_level: str) -> Label:
    """Return the label of an override.

    Args:
        authority: The mechanism under which it is invoked, ``life-safety.…``.
        readers: Everybody who gets it, the originator among them; sorted.
        affected: The states concerned; sorted.
        lowest_level: Of the community's lattice.
    """
    return Label("AMBER", lowest_level, authority, rel=readers, affected=affected, precedence="FLASH")


def is_override_topic(topic: str) -> bool:
    """Tell whether a topic is that of an override."""
    return topic.startswith(LIFE_SAFETY_PREFIX)


def topic_is_misused(kind: str, topics: Iterable[str]) -> bool:
    """Tell whether an override bears another topic, or another message one of an override.

    The rules by which an override reaches its readers would else carry any report past its originator.
    """
    return any((kind == "override") != is_override_topic(topic) for topic in topics)


def may_invoke(authority: str, invoker: str, *, at_ms: int, community: Community) -> bool:
    """Tell whether an agency is a full member of the authority at the time; an observer may not invoke it."""
    if not is_override_topic(authority) or not community.knows_mechanism(authority):
        return False
    return bool(community.full_members(authority, at_ms) & community.bit(invoker))


def _is_narrow(label: Label, community: Community) -> bool:
    by_name = all(community.position(name) is not None for name in label.rel)
    fixed = override_label(
        authority=label.topic,
        readers=label.rel,
        affected=label.affected,
        lowest_level=community.bundle.levels[0],
    )
    return label == fixed and by_name and _READERS_MIN <= len(label.rel) <= OVERRIDE_READERS_MAX


class LifeSafety:
    """The override: invoked under an authority of the bundle by a full member of it, under its one label."""

    rule: Final = "NTK-OVERRIDE"
    cites: Final = "H16"

    def check(self, question: Question, _recipient: Agency) -> Reason | None:
        """Pass an override that its invoker may make; None for everything else."""
        label, invoker = question.label, question.originator.agency
        if not is_override_topic(label.topic):
            return None
        narrow = _is_narrow(label, question.community)
        invoked = may_invoke(label.topic, invoker, at_ms=question.at_ms, community=question.community)
        if not narrow:
            text = "an override bears no other label than that of its authority, readers and states"
        elif not invoked:
            text = f"{invoker} is a full member of no authority {label.topic} on that date, so it may not invoke it"
        else:
            text = f"{invoker} invokes {label.topic}, of which it is a full member"
        return Reason(
            rule=self.rule, passed=narrow and invoked, text=text, cites=self.cites, wanted=(label.topic,),
            held=(label.topic,) if invoked else (),
        )  # fmt: skip

    def mask(self, question: Question) -> int:
        """Give everybody, or nobody where the override may not be made."""
        label, community = question.label, question.community
        if not is_override_topic(label.topic):
            return community.everyone
        invoked = may_invoke(label.topic, question.originator.agency, at_ms=question.at_ms, community=community)
        return community.everyone if invoked and _is_narrow(label, community) else 0
