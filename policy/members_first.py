"""MEMBERS-FIRST:<mechanism>: a dialogue partner has it only once no full member of the mechanism has objected.

The members have it by the other rules; for a partner somebody opens a silence procedure with a deadline, and what
comes of it is a permission for exactly these portions, this partner and a time (docs/spec/need-to-know.md, "Members
first"). Who is no partner is not touched by the caveat.
"""

from collections.abc import Iterable
from typing import Final

from policy.caveats import MEMBERS_FIRST, operands
from policy.question import Question
from policy.verdict import Reason
from schemas.bundle import Agency
from schemas.label import Label
from schemas.limits import UINT_MS_MAX
from schemas.workflow import Grant, Permission


def asks_members(label: Label) -> bool:
    """Tell whether a label bears the caveat."""
    return any(operands(label, MEMBERS_FIRST))


def first_words(label: Label) -> tuple[str, ...]:
    """Return the caveats of a label that ask for a silence procedure."""
    return tuple(word for word in label.caveats if word.startswith(f"{MEMBERS_FIRST}:"))


def without_members_first(label: Label) -> Label:
    """Return a label as it stands where the procedure has been kept."""
    asked = first_words(label)
    return label._replace(caveats=tuple(word for word in label.caveats if word not in asked)) if asked else label


def carried_over(
    permissions: Iterable[Permission], *, hid: bytes, place: int, originator: str
) -> tuple[Permission, ...]:
    """Return permissions for a product as what they are for a portion that it quotes.

    The members were asked about the product, and it bears every such caveat of what it quotes.
    """
    return tuple(item._replace(hid=hid, bits=1 << place, originator=originator) for item in permissions)


def of_grants(label: Label, grants: Iterable[Grant]) -> tuple[Permission, ...]:
    """Return what a partner knows of the members' permission: its originator's signed decision, for as long as it runs.

    A partner cannot hear the silence of others. The router has counted it before it carried anything, and the
    decision is the originator's word that it was so.
    """
    return tuple(
        Permission(mechanism, grant.hid, grant.bits, grant.originator, grant.reader, grant.begin, grant.expires)
        for mechanism in operands(label, MEMBERS_FIRST)
        for grant in grants
    )


def permission_for(mechanism: str, *, hid: bytes, bit: int, originator: str, reader: str, at_ms: int) -> Permission:
    """Return a permission of one mechanism for one portion and reader from a time on."""
    return Permission(mechanism, hid, 1 << bit, originator, reader, at_ms, UINT_MS_MAX)


class MembersFirst:
    """MEMBERS-FIRST:<mechanism>: to a partner by a permission of every mechanism named."""

    rule: Final = "NTK-MEMBERS-FIRST"
    cites: Final = "H17"

    def check(self, question: Question, recipient: Agency) -> Reason | None:
        """Pass whoever is no partner, and a partner by permission."""
        wanted = tuple(operands(question.label, MEMBERS_FIRST))
        if not wanted:
            return None
        if recipient.kind != "partner":
            text = f"MEMBERS-FIRST: {recipient.agency} is of the kind {recipient.kind}"
            return Reason(rule=self.rule, passed=True, text=text, cites=self.cites, wanted=wanted)
        held = tuple(mechanism for mechanism in wanted if _permits(question, mechanism, recipient.agency))
        missing = ", ".join(mechanism for mechanism in wanted if mechanism not in held)
        text = (
            f"MEMBERS-FIRST: no silence procedure among {missing} lets {recipient.agency} have it now"
            if missing
            else f"MEMBERS-FIRST: no member of {', '.join(wanted)} has objected to {recipient.agency} having it"
        )
        return Reason(rule=self.rule, passed=not missing, text=text, cites=self.cites, wanted=wanted, held=held)

    def mask(self, question: Question) -> int:
        """Give all but partners: a permission is for one message, and is asked for with it."""
        if not asks_members(question.label):
            return question.community.everyone
        return question.community.everyone & ~question.community.with_kind.get("partner", 0)


def _permits(question: Question, mechanism: str, reader: str) -> bool:
    return any(
        item.mechanism == mechanism
        and item.hid == question.hid
        and question.bit is not None
        and item.bits >> question.bit & 1
        and item.originator == question.originator.agency
        and item.reader == reader
        and item.begin <= question.at_ms < item.expires
        for item in question.permissions
    )
