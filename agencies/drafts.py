"""What a desk hands to its node to send: a draft, before policy and sealing have looked at it."""

from dataclasses import dataclass
from typing import NamedTuple

from schemas.envelope import Kind
from schemas.label import WORKFLOW_TOPICS, Label, Precedence, Tlp
from schemas.limits import PERMISSION_MS
from schemas.report import Passage, Portion
from schemas.workflow import (
    CoordContent,
    CosignContent,
    Danger,
    DecisionContent,
    DeconflictAsk,
    DeconflictReply,
    ObjectionContent,
    OverrideContent,
    ProposalContent,
    ReceiptContent,
    ReleaseTerms,
    RequestContent,
    RfiContent,
)
from sealing.terms import terms_hash


class QuestionPortion(NamedTuple):
    """A portion of an RFI: the question, under the label of what it gives away."""

    label: Label
    content: RfiContent


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A portion of somebody else's that a draft takes over, in whole or in part.

    ``commitment`` is the portion's, as the draft's portions name it in ``derived_from``; None where it is not known.
    """

    hid: bytes
    place: int
    originator: str
    label: Label
    commitment: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Why something was done: the act, the standing order or person behind it, the reason in words, the cause.

    Attributes:
        act: ``report``, ``forward``, ``request`` …
        order: The standing order's id, or who decided.
        reason: In words.
        cause: The id of the inject or message (hex) that this answers.
        once: Whether the record must say with the release itself that it was made: a person's act, handed over in a
            file, is found again after a crash, and must not be done again.
    """

    act: str
    order: str
    reason: str
    cause: str
    once: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A report (or correction, RFI, answer) as its desk wrote it.

    Attributes:
        portions: In reading order.
        to: Who is meant; empty means everybody whom policy permits anything of it.
        why: For the node's own record.
        quotes: What was taken over from others, whose onward release policy must allow.
        ref: The message that this corrects.
        kind: ``report`` unless it is another labelled kind.
        questions: Of an RFI, which has these and no other portions.
        lifetime_ms: From sealing to expiry.
    """

    portions: tuple[Portion, ...]
    to: tuple[str, ...]
    why: Why
    quotes: tuple[Quote, ...] = ()
    ref: bytes | None = None
    kind: Kind = "report"
    questions: tuple[QuestionPortion, ...] = ()
    lifetime_ms: int = 7 * 24 * 3_600_000  # a week: what is older is superseded in any exercise

    @property
    def written(self) -> tuple[Portion | QuestionPortion, ...]:
        """All that is sealed, in reading order."""
        return (*self.portions, *self.questions)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowDraft:
    """A receipt, request, decision, co-signature or step of a coordination: one portion of its own shape to one agency.

    ``affected`` names the states that a coordination about help is for; its label bears them.
    Of an ask for deconfliction, the sender's record alone holds the rest: what it is about, when the answer is due,
    and the secret that the reply is read with.
    """

    kind: Kind
    content: (
        ReceiptContent
        | RequestContent
        | DecisionContent
        | CosignContent
        | CoordContent
        | DeconflictAsk
        | DeconflictReply
        | ProposalContent
        | ObjectionContent
    )
    to: str
    ref: bytes | None
    why: Why
    lifetime_ms: int = 7 * 24 * 3_600_000
    subject: str = ""
    answer_by: int | None = None
    kept: bytes | None = None
    affected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideTerms:
    """What a standing order lets a desk tell under a life-safety authority; degrees in millionths."""

    authority: str
    office: str
    danger: Danger
    latitude_micro: int
    longitude_micro: int
    radius_m: int
    line: tuple[Passage, ...]
    affected: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideDraft:
    """Position and danger of a report of somebody else's, for those who can help.

    Attributes:
        ref: The report.
        authority: The mechanism of the bundle under which it is done, ``life-safety.…``.
        content: What is told.
        to: Who is meant; empty means everybody whom the rules name for that authority. The originator is always told.
        affected: The states concerned; sorted.
        why: For the node's own record.
        lifetime_ms: From sealing to expiry.
    """

    ref: bytes
    authority: str
    content: OverrideContent
    to: tuple[str, ...]
    affected: tuple[str, ...]
    why: Why
    lifetime_ms: int = 24 * 3_600_000  # a day: a position is old by then

    @property
    def kind(self) -> Kind:
        """What is sealed."""
        return "override"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalDraft:
    """A matter for all full members of a mechanism, any of whom may stop it until ``object_by``, Unix ms.

    Attributes:
        mechanism: Whose members are asked.
        subject: What it is about, in words.
        object_by: Until when they may object.
        why: For the members and for the node's own record.
        message: The message of this agency that is to go to ``reader``; None if the matter is no release.
        reader: The partner.
    """

    mechanism: str
    subject: str
    object_by: int
    why: Why
    message: bytes | None = None
    reader: str = ""

    def sealed(self, terms: ReleaseTerms | None, *, now_ms: int) -> "WorkflowDraft":
        """Return what is sealed: it commits to its terms, and lives as long as what may follow from it."""
        return WorkflowDraft(
            kind="proposal",
            content=ProposalContent("EXERCISE", self.subject, self.why.reason or "-", terms, self.object_by),
            to="",
            ref=None if terms is None else terms_hash(terms),
            why=self.why,
            lifetime_ms=self.object_by + PERMISSION_MS - now_ms,
        )


def workflow_label(kind: Kind, *, lowest_level: str, affected: tuple[str, ...] = ()) -> Label:
    """Return the label of a workflow message, at the lowest level; policy for reports must not stop a receipt."""
    precedence: Precedence = "ROUTINE" if kind == "receipt" else "PRIORITY"
    tlp: Tlp = "GREEN" if kind == "receipt" else "AMBER"
    return Label(tlp, lowest_level, WORKFLOW_TOPICS[kind], affected=affected, precedence=precedence)
