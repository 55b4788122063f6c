"""What a person's desk hands to its node to do: one shape for each act, and the bytes in which it lies in the folder.

Read by the node as strictly as a message, since whoever can write into the folder could write anything. Times are
spans: they count from when the node does it, which may be long after it was handed over.
"""

from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field

from agencies.deconflict import Identifier
from schemas.codec import pack, read_shape, unpack
from schemas.envelope import Bits
from schemas.errors import InputError, RemoteError
from schemas.label import Label
from schemas.limits import DECONFLICT_POINTS, PORTIONS_MAX, SIGNERS_MAX
from schemas.names import AgencyId, Hash, Millis, ShortText, States, Topic, Uint, Word
from schemas.report import MICRODEGREES
from schemas.workflow import Danger, Outcome, Reason

ACT_BYTES_MAX: Final = 2 * 1024 * 1024  # a report file of 1 MiB, and what stands beside it
_TO_MAX: Final = 256  # more than any community has that a person would name one by one

Named = Annotated[tuple[AgencyId, ...], Field(max_length=_TO_MAX)]
Someone = Annotated[tuple[AgencyId, ...], Field(min_length=1, max_length=_TO_MAX)]
Identifiers = Annotated[tuple[Identifier, ...], Field(max_length=4 * DECONFLICT_POINTS)]


class Request(NamedTuple):
    """Ask the originator of a message that is held to release it to a reader; ``bits`` 0 means whatever it can."""

    hid: Hash
    reader: AgencyId
    bits: Bits
    subject: Reason
    reason: Reason
    within_ms: Millis
    wanted_for_ms: Millis | None


class Decide(NamedTuple):
    """Decide on a request; a grant releases ``bits`` of ``message``, a message of ours, to the reader (0: all)."""

    hid: Hash
    outcome: Outcome
    message: Hash | None
    bits: Bits
    conditions: Annotated[str, Field(max_length=1_000)]
    reason: Reason
    lasts_ms: Millis | None


class Forward(NamedTuple):
    """Hand on portions of a message that is held, as they are, each with its parent; ``bits`` 0 means all."""

    hid: Hash
    bits: Bits
    to: Someone
    reason: Reason


class Release(NamedTuple):
    """Release a message of ours to further readers, unasked, each with a decision; ``bits`` 0 means all."""

    hid: Hash
    bits: Bits
    to: Someone
    conditions: Annotated[str, Field(max_length=1_000)]
    reason: Reason
    lasts_ms: Millis | None


class Recall(NamedTuple):
    """Take a message of ours back."""

    hid: Hash
    reason: Reason


class Override(NamedTuple):
    """Tell position and danger of a report that is held past its originator's consent; degrees in millionths."""

    hid: Hash
    authority: Topic
    office: Annotated[str, Field(min_length=1, max_length=80)]
    danger: Danger
    latitude_micro: Annotated[int, Field(ge=-90 * MICRODEGREES, le=90 * MICRODEGREES)]
    longitude_micro: Annotated[int, Field(ge=-180 * MICRODEGREES, le=180 * MICRODEGREES)]
    radius_m: Uint
    line: ShortText
    to: Named
    affected: States
    reason: Reason


class Propose(NamedTuple):
    """Show a joint product: a report file, and the messages whose portions go into it."""

    name: str
    text: str
    to: Named
    cosigners: Annotated[tuple[AgencyId, ...], Field(min_length=1, max_length=SIGNERS_MAX)]
    needed: Uint
    include: Annotated[tuple[Hash, ...], Field(max_length=PORTIONS_MAX)]
    reason: Reason


class AnswerProduct(NamedTuple):
    """Sign a joint product that is held, refuse to, or take the signature back."""

    hid: Hash
    word: Literal["signed", "refused", "withdrawn"]
    reason: Annotated[str, Field(max_length=1_000)]


class Ask(NamedTuple):
    """Ask agencies for information, under the label of what the question gives away."""

    to: Named
    label: Label
    subject: ShortText
    question: Annotated[str, Field(min_length=1, max_length=8_000)]
    reason: Reason
    within_ms: Millis


class Answer(NamedTuple):
    """Answer a question, to its asker alone: by a report file (none: no text), and by portions of what is held."""

    hid: Hash
    name: str
    text: str
    include: Annotated[tuple[Hash, ...], Field(max_length=PORTIONS_MAX)]


class Compare(NamedTuple):
    """Answer an ask for deconfliction by what this agency holds, none of which is sent."""

    hid: Hash
    holding: Identifiers


class Decline(NamedTuple):
    """Say that a question, a task or an offer is declined."""

    hid: Hash
    reason: Reason


class Deconflict(NamedTuple):
    """Ask agencies for hits, telling them nothing of what is compared."""

    to: Someone
    about: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=DECONFLICT_POINTS)]
    subject: ShortText
    within_ms: Millis


class Open(NamedTuple):
    """Open a coordination with each of these agencies; ``hid`` is the call for help that an offer answers."""

    hid: Hash | None
    act: Literal["task", "offer"]
    to: Someone
    subject: Reason
    text: Annotated[str, Field(max_length=4_000)]
    within_ms: Millis
    affected: States


class Step(NamedTuple):
    """Take the next step of a coordination."""

    hid: Hash
    act: Literal["accept", "done"]
    text: Annotated[str, Field(max_length=4_000)]


class Put(NamedTuple):
    """Put something to all members of a mechanism: that ``message``, of ours, goes to ``reader``, or another matter."""

    mechanism: Word
    message: Hash | None
    reader: AgencyId | None
    subject: Reason
    reason: Reason
    within_ms: Millis


class Object(NamedTuple):
    """Object to a proposal that was put to all members."""

    hid: Hash
    reason: Reason


Act = (
    Request | Decide | Forward | Release | Recall | Override | Propose | AnswerProduct | Ask | Answer | Compare
    | Decline | Deconflict | Put | Object | Open | Step
)  # fmt: skip
_SHAPES: Final[dict[str, type[Act]]] = {
    "request": Request, "decide": Decide, "forward": Forward, "release": Release, "recall": Recall,
    "override": Override,
    "propose": Propose, "cosign": AnswerProduct, "ask": Ask, "answer": Answer, "compare": Compare, "decline": Decline,
    "deconflict": Deconflict, "put": Put, "object": Object, "open": Open, "step": Step,
}  # fmt: skip
_NAMES: Final = {shape: name for name, shape in _SHAPES.items()}


def act_name(act: Act) -> str:
    """Return what an act is called in the record: the verb by which it was handed over."""
    match act:
        case AnswerProduct():
            return {"signed": "sign", "refused": "refuse", "withdrawn": "withdraw"}[act.word]
        case Open() | Step():
            return act.act
        case Compare():
            return "answer"
        case _:
            return _NAMES[type(act)]


def write_act(act: Act) -> bytes:
    """Return the bytes of an act, after a look at it as its node will take.

    Raises:
        InputError: If a field is too long or cannot be meant.
    """
    packed = pack((_NAMES[type(act)], act))
    try:
        read_act(packed)
    except RemoteError as error:
        msg = f"this cannot be handed over: {error}"
        raise InputError(msg, remedy="shorten or correct what is named") from error
    return packed


def read_act(packed: bytes) -> Act:
    """Read an act.

    Raises:
        RemoteError: If it is none.
    """
    name, fields = read_shape(_Laid, unpack(packed, bytes_max=ACT_BYTES_MAX))
    found: Act = read_shape(_SHAPES[name], fields)
    return found


class _Laid(NamedTuple):
    name: Literal[
        "request", "decide", "forward", "release", "recall", "override", "propose", "cosign", "ask", "answer",
        "compare", "decline", "deconflict", "put", "object", "open", "step",
    ]  # fmt: skip
    fields: tuple[object, ...]
