"""What a desk hands to its node to send: a draft, before policy and sealing have looked at it."""

from dataclasses import dataclass

from schemas.envelope import Kind
from schemas.label import WORKFLOW_TOPICS, Label, Precedence, Tlp
from schemas.report import Portion
from schemas.workflow import DecisionContent, ReceiptContent, RequestContent


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A portion of somebody else's that a draft takes over, in whole or in part."""

    hid: bytes
    place: int
    originator: str
    label: Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Why something was done: the act, the standing order or person behind it, the reason in words, the cause.

    Attributes:
        act: ``report``, ``forward``, ``request`` …
        order: The standing order's id, or who decided.
        reason: In words.
        cause: The id of the inject or message (hex) that this answers.
    """

    act: str
    order: str
    reason: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A report (or correction) as its desk wrote it.

    Attributes:
        portions: In reading order.
        to: Who is meant; empty means everybody whom policy permits anything of it.
        why: For the node's own record.
        quotes: What was taken over from others, whose onward release policy must allow.
        ref: The message that this corrects.
        kind: ``report`` unless it is another labelled kind.
        lifetime_ms: From sealing to expiry.
    """

    portions: tuple[Portion, ...]
    to: tuple[str, ...]
    why: Why
    quotes: tuple[Quote, ...] = ()
    ref: bytes | None = None
    kind: Kind = "report"
    lifetime_ms: int = 7 * 24 * 3_600_000  # a week: what is older is superseded in any exercise


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowDraft:
    """A receipt, request or decision: one portion of its own shape to one agency."""

    kind: Kind
    content: ReceiptContent | RequestContent | DecisionContent
    to: str
    ref: bytes | None
    why: Why
    lifetime_ms: int = 7 * 24 * 3_600_000


def workflow_label(kind: Kind, *, lowest_level: str) -> Label:
    """Return the label of a workflow message, at the lowest level; policy for reports must not stop a receipt."""
    precedence: Precedence = "ROUTINE" if kind == "receipt" else "PRIORITY"
    tlp: Tlp = "GREEN" if kind == "receipt" else "AMBER"
    return Label(tlp, lowest_level, WORKFLOW_TOPICS[kind], precedence=precedence)
