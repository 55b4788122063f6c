"""A recall at both ends: what a reader does with one and finds tainted by it, and what its author knows of it.

A reader erases, names every product of its own that it made from the message and gave to others, and leaves it to its
desk to recall those in turn; so a recall goes as far as the message went (H13). Its author sees, for each agency that
ever had the message, whether it is erased there and in what it was used. Runs where the node's store is used.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from agencies.drafts import Why
from agencies.notices import Notice
from agencies.outgoing import Moment, Outgoing
from agencies.store import NodeStore
from schemas.errors import InputError, SealError
from schemas.workflow import ReceiptItem

RecallAnswer = Literal["purged", "cannot", "no answer yet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallState:
    """What became of a recalled message at one agency that had it; ``at_ms`` is when that agency said so, Unix ms."""

    reader: str
    answer: RecallAnswer
    used_in: tuple[bytes, ...]
    at_ms: int | None


def take_recall(store: NodeStore, ref: bytes, *, by: bytes, originator: str, moment: Moment) -> Notice:
    """Carry out a recall inside a transaction, and owe its author the answers; returns what to tell the desk."""
    bits = store.mark_recalled(ref, originator=originator)
    _write(store, "recalled", moment, hid=ref.hex(), by=by.hex())
    store.owe_receipt(originator, ReceiptItem(ref, bits, "purged", moment.at_ms))
    tainted = tainted_by(store, ref)
    for product in tainted:
        store.owe_receipt(originator, ReceiptItem(ref, bits, "used", moment.at_ms, product))
    if tainted:
        products = [product.hex() for product in tainted]
        _write(store, "tainted", moment, hid=ref.hex(), by=by.hex(), originator=originator, products=products)
    return Notice(word="recalled", at_ms=moment.at_ms, hid=ref, kind="recall", readers=(originator,), products=tainted)


def repeat_refused(store: NodeStore, outgoing: Outgoing, moment: Moment) -> bool:
    """Repeat the recalls that were refused since one of their readers was not active any more; False if there are none.

    The router knew of a revocation before this node did, and refused the recall for everybody. While the bundle here
    calls all of them active, it has to come first.

    Raises:
        StoreError: If the disk is full; then they are to be repeated still.
    """
    repeated = False
    for refused in store.refused_recalls():
        gone = outgoing.not_active(refused.readers)
        if not gone or not store.released_to(refused.subject).keys() - set(gone):
            continue
        why = Why(act="recall", order="", reason="one of its readers is not active any more", cause=refused.hid.hex())
        with suppress(SealError):  # a release of the message waits for its verdict still: with the next bundle or start
            repeated = outgoing.recall(refused.subject, why, moment).hid is not None or repeated
    return repeated


def tainted_by(store: NodeStore, ref: bytes) -> tuple[bytes, ...]:
    """Return our products that a recall of a message taints."""
    # What we have taken back ourselves, or never gave to anybody, taints nobody any more.
    return tuple(hid for hid in store.derived.products(ref) if store.can_release(hid) and store.offered_to(hid))


def is_sound(item: ReceiptItem) -> bool:
    """Tell whether an item of a receipt says all that its status asks for."""
    return item.status != "used" or item.through is not None


def keep_receipt(store: NodeStore, item: ReceiptItem, reader: str) -> bool:
    """Keep an item of a receipt inside a transaction; False if it says nothing new."""
    if item.status == "used" and item.through is not None:
        return store.derived.keep_used(item.hid, reader, item.through, at=item.at)
    # What a grant's end erased answers no recall: there the reader says what became of all that it still held.
    ended = item.status == "purged" and item.through is not None
    return store.keep_receipt(item.hid, reader, status="ended" if ended else item.status, bits=item.bits, at=item.at)


def through_field(item: ReceiptItem) -> dict[str, str]:
    """Return what the journal says of that by which something was used or erased."""
    if item.through is None:
        return {}
    return {"product" if item.status == "used" else "decision": item.through.hex()}


def recall_state(store: NodeStore, hid: bytes) -> tuple[RecallState, ...]:
    """Return what every agency that had a recalled message of ours has answered, by name.

    Raises:
        InputError: If it is no message of ours, or was not recalled.
    """
    if not store.has_sealed(hid) or store.can_release(hid):
        msg = f"{hid.hex()[:16]} is no message of {store.agency} that was recalled"
        raise InputError(msg, remedy="give the id of the message itself, not of its recall")
    used, answers = store.derived.used(hid), store.recall_answers(hid)
    found = []
    for reader in sorted(store.released_to(hid)):
        answered = answers.get(reader)
        found.append(
            RecallState(
                reader=reader,
                answer="no answer yet" if answered is None else answered[0],
                used_in=used.get(reader, ()),
                at_ms=None if answered is None else answered[1],
            )
        )
    return tuple(found)


def _write(store: NodeStore, stage: str, moment: Moment, **fields: object) -> None:
    store.journal.write(stage, at_ms=moment.at_ms, machine_ms=moment.machine_ms, **fields)
