"""What messages about reports say: receipts, requests for release, decisions on them.

Each is the content of the single sealed portion of a message of its kind (docs/spec/envelope.md, "Receipts").
"""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from schemas.envelope import Bits
from schemas.limits import CHECKPOINT_BYTES_MAX, DECONFLICT_HELD_CLASSES, DECONFLICT_POINTS, RECEIPT_ITEMS_MAX
from schemas.names import AgencyId, Hash, Millis, ShortText, Signature, Word
from schemas.report import MICRODEGREES, Exercise, Passage

ReceiptStatus = Literal["delivered", "opened", "acknowledged", "acted", "purged", "cannot", "misreleased", "used"]
Outcome = Literal["grant", "refuse"]
Reason = Annotated[str, Field(min_length=1, max_length=1_000)]
Danger = Literal[
    "persons-in-water", "vessel-adrift", "vessel-sinking", "vessel-missing", "fire", "hazardous-release",
    "medical-emergency", "hospital-diverting", "attack-imminent", "lifeline-down",
]  # fmt: skip
CoordAct = Literal["task", "offer", "accept", "decline", "done"]
Point = Annotated[bytes, Field(min_length=32, max_length=32)]
AskedPoints = Annotated[tuple[Point, ...], Field(min_length=DECONFLICT_POINTS, max_length=DECONFLICT_POINTS)]


class ReceiptItem(NamedTuple):
    """What became of one report: ``bits`` are the portions it speaks of, ``at`` is Unix ms.

    ``through`` says by what: of ``used`` the product that quotes it, of ``purged`` the decision whose grant has ended;
    None of what a recall brought about, and of everything else.
    """

    hid: Hash
    bits: Bits
    status: ReceiptStatus
    at: Millis
    through: Hash | None = None


class ReceiptContent(NamedTuple):
    """Receipts for one originator, gathered.

    ``checkpoint`` is the newest note of the router's log that the reader keeps, so that the originator can tell whether
    both were shown one history; None from a reader that keeps none.
    """

    marking: Exercise
    items: Annotated[tuple[ReceiptItem, ...], Field(min_length=1, max_length=RECEIPT_ITEMS_MAX)]
    checkpoint: Annotated[bytes, Field(max_length=CHECKPOINT_BYTES_MAX)] | None = None


class RequestContent(NamedTuple):
    """An agency asks an originator to release something to ``reader``; ``bits`` 0 means whatever can be given.

    ``answer_by``: when a request that nobody has decided lapses; ``until``: until when the reader wants it, None for
    good; both Unix ms.
    """

    marking: Exercise
    reader: AgencyId
    bits: Bits
    subject: Reason
    reason: Reason
    answer_by: Millis
    until: Millis | None = None


class DecisionContent(NamedTuple):
    """The originator's answer. A grant is followed by the originator's own re-release, never by a forward.

    ``granted`` is the message of which ``bits`` are granted; ``expires`` is when that ends, Unix ms, None for never.
    """

    marking: Exercise
    reader: AgencyId
    outcome: Outcome
    bits: Bits
    conditions: Annotated[str, Field(max_length=1_000)]
    reason: Reason
    expires: Millis | None
    granted: Hash | None = None


class Grant(NamedTuple):
    """An originator's consent that ``reader`` may have ``bits`` of ``hid`` in the time named, Unix ms."""

    hid: Hash
    bits: Bits
    originator: AgencyId
    reader: AgencyId
    begin: Millis
    expires: Millis


class RfiContent(NamedTuple):
    """A portion of a request for information: what is asked, what the answer is wanted for, and by when, Unix ms."""

    marking: Exercise
    subject: ShortText
    question: Annotated[str, Field(min_length=1, max_length=8_000)]
    wants: Reason
    answer_by: Millis


class CoordContent(NamedTuple):
    """One step between two agencies: a task or an offer opens a thread, the others answer the ``ref`` of the header.

    ``decline`` also answers an RFI or a deconfliction ask. ``by_when`` is when what was agreed is due, Unix ms.
    """

    marking: Exercise
    act: CoordAct
    subject: Reason
    text: Annotated[str, Field(max_length=4_000)]
    by_when: Millis | None


class DeconflictAsk(NamedTuple):
    """Blinded identifiers, always as many: whoever reads them learns nothing but that something is asked."""

    marking: Exercise
    act: Literal["ask"]
    points: AskedPoints


class DeconflictReply(NamedTuple):
    """The asked points blinded once more, in their order, and what the answerer holds, blinded, sorted and padded."""

    marking: Exercise
    act: Literal["reply"]
    doubled: AskedPoints
    held: Annotated[
        tuple[Point, ...], Field(min_length=DECONFLICT_HELD_CLASSES[0], max_length=DECONFLICT_HELD_CLASSES[-1])
    ]


CoordMessage = CoordContent | DeconflictAsk | DeconflictReply


class CosignContent(NamedTuple):
    """A named co-signer's answer to the lead of a joint product, which the header's ``ref`` names.

    ``signature`` is over that product's id; None refuses it, or takes back what was signed, for ``reason``, and is
    final.
    """

    marking: Exercise
    signature: Signature | None
    reason: Annotated[str, Field(max_length=1_000)]


class ReleaseTerms(NamedTuple):
    """What a proposal would let go: exactly these portions of one message, to one reader."""

    hid: Hash
    bits: Bits
    reader: AgencyId


class ProposalContent(NamedTuple):
    """Something that every full member of a mechanism may stop by objecting until ``object_by``, Unix ms.

    ``release`` is what will be released if nobody does; None where the matter is no release. The mechanism is that of
    the label, and the hash of the terms is the header's ``ref``.
    """

    marking: Exercise
    subject: Reason
    reason: Reason
    release: ReleaseTerms | None
    object_by: Millis


class ObjectionContent(NamedTuple):
    """A member's objection to the proposal that the header's ``ref`` names; it cannot be taken back."""

    marking: Exercise
    reason: Reason


class Permission(NamedTuple):
    """What follows from a proposal to which no member of ``mechanism`` objected: ``begin`` to ``expires``, Unix ms."""

    mechanism: Word
    hid: Hash
    bits: Bits
    originator: AgencyId
    reader: AgencyId
    begin: Millis
    expires: Millis


class OverrideContent(NamedTuple):
    """Position and danger, and nothing else of the report that the header's ``ref`` names (H16).

    ``office`` is the role that ordered it, never a person; the authority it acts under is the label's topic. Degrees
    are in millionths, ``at`` is Unix ms, ``line`` is one plain line.
    """

    marking: Exercise
    office: Annotated[str, Field(min_length=1, max_length=80)]
    danger: Danger
    latitude_micro: Annotated[int, Field(ge=-90 * MICRODEGREES, le=90 * MICRODEGREES)]
    longitude_micro: Annotated[int, Field(ge=-180 * MICRODEGREES, le=180 * MICRODEGREES)]
    radius_m: Annotated[int, Field(ge=0, le=20_040_000)]  # half the way round the Earth
    at: Millis
    line: Annotated[tuple[Passage, ...], Field(min_length=1, max_length=4)]

    @property
    def passages(self) -> tuple[str, ...]:
        """The opaque ids of the passages in its line, in order, without repeats."""
        return tuple(dict.fromkeys(run.passage for run in self.line if run.passage is not None))
