"""What a node holds for its people, what waits for them, and what they wait for: read from the node's database."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from agencies.questions import is_our_turn
from agencies.tails import still_unarrived
from console.node_reading import NodeReading
from console.sent_log import sent_messages
from console.spool import read_set_aside, read_waiting
from scenarios.deployment import OUTGOING
from schemas.report import PortionContent
from schemas.workflow import DecisionContent, RequestContent

_HELD_SHOWN: Final = 20  # what came last; all of it is listed on demand
_NOT_LISTED: Final = frozenset({"receipt", "cosign", "recall"})  # the node itself deals with these


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that somebody waits for.

    Attributes:
        what: What is to be done, or awaited: ``decide``, ``sign``, ``answer``, ``object``, ``release``, ``recall``,
            ``finish``; ``decision``, ``signatures``, ``objections``, ``reply``, ``receipt``.
        hid: The message that it is about.
        kind: Of the message.
        who: Of the others.
        subject: In words.
        due_ms: By when, Unix ms, or None.
        overdue: Whether that is over, or a receipt was called overdue.
        note: What else there is to know.
    """

    what: str
    hid: str
    kind: str
    who: tuple[str, ...]
    subject: str = ""
    due_ms: int | None = None
    overdue: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A message of the inbox; ``at_ms`` is when it came, Unix ms.

    ``state`` is ``held``, ``recalled``, or ``ended`` where it came by a grant that is over; then there is no title.
    """

    hid: str
    kind: str
    originator: str
    at_ms: int
    title: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """All of it; ``unarrived`` is how many messages of an originator have not come that it says it has sent."""

    agency: str
    waiting: list[Item]
    awaited: list[Item]
    held: list[Held]
    left_out: int
    unarrived: dict[str, int]
    handed_over: int
    set_aside: list[str]

    def as_document(self) -> dict[str, Any]:
        """Return it for machines."""
        return asdict(self)


def read_inbox(reading: NodeReading, *, everything: bool) -> Inbox:
    """Read what a node holds and what waits.

    Args:
        reading: The node's database.
        everything: Whether to list all that is held, and not only what came last.
    """
    held = list(_held(reading))
    shown = held if everything else held[-_HELD_SHOWN:]
    folder = reading.part / OUTGOING
    return Inbox(
        agency=reading.agency,
        waiting=[*_waiting(reading)],
        awaited=[*_awaited(reading)],
        held=shown,
        left_out=len(held) - len(shown),
        unarrived=still_unarrived(reading.store),
        handed_over=len(read_waiting(folder)),
        set_aside=[path.name for path in read_set_aside(folder)],
    )


def title_of(reading: NodeReading, hid: bytes) -> str:
    """Return what a message that is held is called; nothing of one that may not be read."""
    for item in reading.readable(hid):
        if isinstance(item.content, PortionContent):
            return item.content.title
        if isinstance(item.content, DecisionContent):
            return f"{item.content.outcome}, for {item.content.reader}"
        subject = getattr(item.content, "subject", "")
        if subject:
            return str(subject)
    return ""


def state_of(reading: NodeReading, hid: bytes) -> str:
    """Return whether a message of the inbox may be read: ``held``, or why not: ``recalled``, ``ended``."""
    held = reading.store.held(hid)
    if held is None or held.recalled:
        return "recalled"
    # A portion whose chunks are still coming is not one that was erased.
    return "held" if reading.held_now(hid) else "ended"


def _held(reading: NodeReading) -> Iterator[Held]:
    came = {str(entry.fields["hid"]): entry.at_ms for entry in reading.store.journal.entries(stages=("verified",))}
    for hid in reading.store.message_ids():
        held = reading.store.held(hid)
        if held is None or held.kind in _NOT_LISTED:
            continue
        yield Held(
            hid=hid.hex(),
            kind=held.kind,
            originator=held.originator,
            at_ms=came.get(hid.hex(), 0),
            title=title_of(reading, hid),
            state=state_of(reading, hid),
        )


def _waiting(reading: NodeReading) -> Iterator[Item]:
    """Yield what waits for this desk."""
    store, now_ms = reading.store, reading.now_ms
    for request in store.consent.open_requests():
        if request.side == "originator":
            asked = next((item.content for item in store.portions(request.hid)), None)
            reason = asked.reason if isinstance(asked, RequestContent) else ""
            yield Item(
                what="decide", hid=request.hid.hex(), kind="request", who=(request.other,), subject=request.subject,
                due_ms=request.answer_by, overdue=request.answer_by < now_ms,
                note=f"to be read by {request.reader}; {reason}",
            )  # fmt: skip
    for hid in store.joint.unanswered():
        product, message = store.joint.held(hid), store.held(hid)
        if product is not None and product.asks(reading.agency) and message is not None and not message.recalled:
            yield Item(
                what="sign", hid=hid.hex(), kind="report", who=(product.lead,), subject=title_of(reading, hid),
                note=f"beside {', '.join(name for name in product.cosigners if name != reading.agency) or 'the lead'}",
            )  # fmt: skip
    for question in store.questions.open_questions():
        if is_our_turn(question):
            what = "finish" if question.state == "accepted" else "answer"
            yield Item(
                what=what, hid=question.hid.hex(), kind=question.kind, who=(question.partner,),
                subject=question.subject, due_ms=question.due,
                overdue=question.due is not None and question.due < now_ms,
            )  # fmt: skip
    for procedure in store.silence.asked(now_ms=now_ms):
        yield Item(
            what="object", hid=procedure.hid.hex(), kind="proposal", who=(procedure.proposer,),
            subject=procedure.subject, due_ms=procedure.object_by, note="silence lets it go",
        )  # fmt: skip
    for procedure in store.silence.opened_here("permitted"):
        terms = procedure.terms
        if terms is not None and now_ms < procedure.expires and terms.reader not in store.offered_to(terms.hid):
            yield Item(
                what="release", hid=terms.hid.hex(), kind="report", who=(terms.reader,), subject=procedure.subject,
                due_ms=procedure.expires, note="no member objected",
            )  # fmt: skip
    for product in dict.fromkeys(
        product for entry in store.journal.entries(stages=("tainted",)) for product in entry.fields["products"]
    ):
        if store.can_release(bytes.fromhex(product)):
            yield Item(what="recall", hid=product, kind="report", who=(), note="made from what was recalled")


def _awaited(reading: NodeReading) -> Iterator[Item]:
    """Yield what this desk waits for."""
    store, now_ms = reading.store, reading.now_ms
    for request in store.consent.open_requests():
        if request.side == "asker":
            yield Item(
                what="decision", hid=request.hid.hex(), kind="request", who=(request.other,), subject=request.subject,
                due_ms=request.answer_by, overdue=request.answer_by < now_ms,
            )  # fmt: skip
    for question in store.questions.open_questions():
        if not is_our_turn(question):
            yield Item(
                what="reply", hid=question.hid.hex(), kind=question.kind, who=(question.partner,),
                subject=question.subject, due_ms=question.due,
                overdue=question.due is not None and question.due < now_ms,
            )  # fmt: skip
    for procedure in store.silence.opened_here("open"):
        yield Item(
            what="objections", hid=procedure.hid.hex(), kind="proposal", who=procedure.members,
            subject=procedure.subject, due_ms=procedure.object_by, note="silence lets it go",
        )  # fmt: skip
    for hid in store.joint.led_ids():
        led = store.joint.led(hid)
        signed = {answer.member for answer in store.joint.answers(hid) if answer.signature is not None}
        if led is not None and len(signed) < led.plan.needed:
            left = tuple(name for name in led.plan.cosigners if name not in signed)
            yield Item(
                what="signatures", hid=hid.hex(), kind="report", who=left, subject=led.plan.parts[0].content.title,
                note=f"{len(signed)} of {led.plan.needed} have come",
            )  # fmt: skip
    for message in sent_messages(store.journal.entries()):
        silent = tuple(name for name, reader in message.readers.items() if reader.state in {"overdue", "expired"})
        if silent:
            yield Item(
                what="receipt", hid=message.hid, kind=message.kind, who=tuple(sorted(silent)), subject=message.title,
                overdue=True,
            )  # fmt: skip
