"""What came, and its desk may never have heard of: the process died between the disk and the desk.

The transaction that writes an arrival owes its author a receipt, and the receipt leaves only after the desk was told.
So what is still owed as "delivered" when a node starts is told then: once more rather than never. So it is with a
recall and what it taints, as long as the receipt that it was carried out is owed.
"""

from typing import Final, NamedTuple

from agencies.incoming import Arrival
from agencies.notices import Notice
from agencies.recalls import tainted_by
from agencies.store import NodeStore

_PAGE: Final = 64  # arrivals that are read at a time, as many as one window brings


class Untold(NamedTuple):
    """Some arrivals, and the row after which to go on; None at the end."""

    arrivals: list[Arrival]
    after: int | None


def read_untold(store: NodeStore, *, after: int) -> Untold:
    """Return arrivals that were not receipted, oldest first; runs where the node's database is used."""
    rows = store.owed_deliveries(after=after, limit=_PAGE)
    found = [arrival for _, hid, bits in rows if (arrival := _arrival(store, hid, bits)) is not None]
    return Untold(found, rows[-1][0] if len(rows) == _PAGE else None)


def read_untold_recalls(store: NodeStore, *, at_ms: int) -> list[Notice]:
    """Return the recalls that were carried out and not receipted, oldest first; runs where the database is used."""
    return [
        Notice(
            word="recalled", at_ms=at_ms, hid=hid, kind="recall", readers=(originator,), products=tainted_by(store, hid)
        )
        for hid, originator in store.owed_recalls()
    ]


def _arrival(store: NodeStore, hid: bytes, bits: int) -> Arrival | None:
    held = store.held(hid)
    if held is None or held.recalled:
        return None
    portions = [portion for portion in store.portions(hid) if bits >> portion.place & 1]
    joint = store.joint.held(hid)
    return Arrival(
        hid=hid,
        kind=held.kind,
        originator=held.originator,
        ref=held.ref,
        contents=tuple((portion.place, portion.content) for portion in portions if portion.content is not None),
        topics=tuple(sorted({portion.label.topic for portion in portions})),
        asks_cosignature=joint is not None and joint.asks(store.agency),
    )
