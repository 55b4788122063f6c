"""What messages about reports say: receipts, requests for release, decisions on them.

Each is the content of the single sealed portion of a message of its kind (docs/spec/envelope.md, "Receipts").
"""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from schemas.envelope import Bits
from schemas.limits import RECEIPT_ITEMS_MAX
from schemas.names import AgencyId, Hash, Millis
from schemas.report import Exercise

ReceiptStatus = Literal["delivered", "opened", "acknowledged", "acted", "purged", "cannot", "misreleased"]
Outcome = Literal["grant", "refuse"]
Reason = Annotated[str, Field(min_length=1, max_length=1_000)]


class ReceiptItem(NamedTuple):
    """What became of one report: ``bits`` are the portions it speaks of, ``at`` is Unix ms."""

    hid: Hash
    bits: Bits
    status: ReceiptStatus
    at: Millis


class ReceiptContent(NamedTuple):
    """Receipts for one originator, gathered."""

    marking: Exercise
    items: Annotated[tuple[ReceiptItem, ...], Field(min_length=1, max_length=RECEIPT_ITEMS_MAX)]


class RequestContent(NamedTuple):
    """An agency asks an originator to release something to ``reader``; ``bits`` 0 means whatever can be given."""

    marking: Exercise
    reader: AgencyId
    bits: Bits
    subject: Reason
    reason: Reason
    answer_by: Millis


class DecisionContent(NamedTuple):
    """The originator's answer. A grant is followed by the originator's own re-release, never by a forward."""

    marking: Exercise
    reader: AgencyId
    outcome: Outcome
    bits: Bits
    conditions: Annotated[str, Field(max_length=1_000)]
    reason: Reason
    expires: Millis | None


class Grant(NamedTuple):
    """An originator's consent that ``reader`` may have ``bits`` of ``hid`` in the time named, Unix ms."""

    hid: Hash
    bits: Bits
    originator: AgencyId
    reader: AgencyId
    begin: Millis
    expires: Millis
