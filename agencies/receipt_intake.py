"""What arrives of receipts: each item counts from an agency to which that message was released, and from nobody else.

Takes part in the transaction of the arrival (agencies/incoming.py).
"""

from agencies.notices import Notice
from agencies.outgoing import Moment
from agencies.recalls import is_sound, keep_receipt, through_field
from agencies.receipts import ReceiptWatch
from agencies.state import Accepted
from agencies.store import NodeStore
from schemas.workflow import ReceiptContent, ReceiptItem


def take_receipts(
    store: NodeStore, watch: ReceiptWatch, accepted: Accepted, moment: Moment
) -> tuple[list[Notice], list[ReceiptItem]]:
    """Take up a message of receipts; returns what to tell the desk, and the items that count from nobody."""
    notices: list[Notice] = []
    refused: list[ReceiptItem] = []
    reader = accepted.originator
    for portion in accepted.portions:
        for item in portion.content.items if isinstance(portion.content, ReceiptContent) else ():
            offered = store.offered_to(item.hid).get(reader)
            overdue = watch.overdue_from(item.hid, reader)
            if offered is None or item.bits & ~offered or not is_sound(item):
                refused.append(item)
            elif keep_receipt(store, item, reader):
                store.journal.write(
                    "receipt",
                    at_ms=moment.at_ms,
                    machine_ms=moment.machine_ms,
                    hid=item.hid.hex(),
                    reader=reader,
                    status=item.status,
                    bits=item.bits,
                    reported_ms=item.at,
                    **through_field(item),
                )
                notices += watch.settle_late(overdue, reader, moment)
                store.passing("send.4")
    return notices, refused
