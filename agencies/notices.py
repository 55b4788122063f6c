"""What a node tells its desk unasked: what became of a release, and whether the disk takes anything.

The same stands in the node's journal, but for the disk: a disk that is full takes no entry that says so.
"""

from dataclasses import dataclass
from typing import Literal

NoticeWord = Literal[
    "overdue",
    "settled_late",
    "expired",
    "refused",
    "lapsed",
    "grant_over",
    "recalled",
    "overridden",
    "disk_full",
    "disk_has_room",
    "unanswered",
    "answer_due",
    "unarrived",
    "no_objection",
    "opposed",
    "misput",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing that a desk should know.

    Attributes:
        word: ``overdue``: these readers have sent no receipt in time. ``settled_late``: one of them has, now.
            ``expired``: the message is over, and these never sent one. ``refused``: the router gives it to nobody.
            ``lapsed``: nobody has decided on a request in time; the reader named is the other side of it.
            ``grant_over``: a grant to this reader has ended, and its node has erased what came by it.
            ``recalled``: the originator named took the message back, and it is erased here.
            ``overridden``: position and danger of a message of ours were given away by the agency named, under a
            life-safety authority.
            ``unarrived``: the originator named has said a last number that has not come.
            ``unanswered``: the partner named has not answered in time. ``answer_due``: it waits for ours.
            ``no_objection``: the time for objections to a proposal of ours is over, and its members were silent.
            ``opposed``: one of these members objected, or these were not there to be asked in time.
            ``misput``: the proposer named says one thing to its members and another to the router; we object.
        at_ms: When, Unix ms.
        hid: The message; None where the disk or an originator's numbers are spoken of.
        kind: Of the message.
        readers: Whom it concerns.
        accepted: Whether the router has taken the release; if it has not, the fault lies on this side of it.
        code: Of a refusal.
        text: What the disk said, or what a request or question is about.
        products: Of a recall: what this agency has made from the message and given to others, which is tainted now.
    """

    word: NoticeWord
    at_ms: int
    hid: bytes | None = None
    kind: str = ""
    readers: tuple[str, ...] = ()
    accepted: bool = False
    code: str = ""
    text: str = ""
    products: tuple[bytes, ...] = ()
