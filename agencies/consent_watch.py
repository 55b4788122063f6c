"""The node looks at the clock for consent: what nobody has decided in time has lapsed, and a grant may be over.

Runs where the node's store is used, whenever something is due; as with overdue receipts the time is handed in, and
what is waited for stands on disk, so that a restart forgets nothing (docs/spec/envelope.md, "Requests and decisions").
"""

from typing import Final

from agencies.consent import KnownGrant, OpenRequest
from agencies.notices import Notice
from agencies.outgoing import Moment
from agencies.store import NodeStore
from schemas.workflow import ReceiptItem

_LOOKED_AT: Final = 64  # in one transaction; what is due beyond has the next turn of the disk


class ConsentWatch:
    """Finds requests that have lapsed and grants that are over."""

    def __init__(self, *, store: NodeStore) -> None:
        self._store = store

    def look(self, moment: Moment) -> tuple[Notice, ...]:
        """Let lapse and end what is due by now, at most a page of it; returns what to tell the desk.

        Raises:
            StoreError: If the disk is full; then nothing was told, and the next look finds it again.
        """
        requests = self._store.consent.overdue_requests(now_ms=moment.at_ms, limit=_LOOKED_AT)
        grants = self._store.consent.ending_grants(now_ms=moment.at_ms, limit=_LOOKED_AT)
        if not requests and not grants:
            return ()
        with self._store.transaction():
            lapsed = [self._lapse(request, moment) for request in requests]
            return (*lapsed, *(self._end(known, moment) for known in grants))

    def _end(self, known: KnownGrant, moment: Moment) -> Notice:
        self._store.consent.end_grant(known.decision)
        grant = known.grant
        if grant.reader == self._store.agency:
            # Another grant of the same portions may still run; what came by the originator's own release is not named.
            uncovered = self._store.consent.over(
                grant.hid, originator=grant.originator, reader=grant.reader, now_ms=moment.at_ms
            )
            grant = grant._replace(bits=sum(item.grant.bits for item in uncovered if item.decision == known.decision))
        return end_grant(self._store, KnownGrant(known.decision, grant), moment)

    def _lapse(self, request: OpenRequest, moment: Moment) -> Notice:
        self._store.consent.lapse_request(request.hid)
        here = self._store.agency
        asker, originator = (here, request.other) if request.side == "asker" else (request.other, here)
        self._store.journal.write(
            "lapsed",
            at_ms=moment.at_ms,
            machine_ms=moment.machine_ms,
            hid=request.hid.hex(),
            asker=asker,
            originator=originator,
            reader=request.reader,
            subject=request.subject,
            answer_by_ms=request.answer_by,
        )
        return Notice(
            word="lapsed",
            at_ms=moment.at_ms,
            hid=request.hid,
            kind="request",
            readers=(request.other,),
            text=request.subject,
        )


def end_grant(store: NodeStore, known: KnownGrant, moment: Moment) -> Notice:
    """End a grant inside a transaction: its reader erases what came by it, and owes its originator the receipt."""
    grant = known.grant
    held = store.held(grant.hid)
    erased = 0
    # "The originator of a message alone can grant it": a stranger's decision must not erase what another wrote.
    if grant.reader == store.agency and held is not None and held.originator == grant.originator and not held.recalled:
        erased = store.erase_portions(grant.hid, grant.bits)
    if erased:
        store.owe_receipt(grant.originator, ReceiptItem(grant.hid, erased, "purged", moment.at_ms, known.decision))
    store.journal.write(
        "grant_over",
        at_ms=moment.at_ms,
        machine_ms=moment.machine_ms,
        hid=grant.hid.hex(),
        decision=known.decision.hex(),
        originator=grant.originator,
        reader=grant.reader,
        bits=erased,
    )
    return Notice(
        word="grant_over",
        at_ms=moment.at_ms,
        hid=grant.hid,
        kind="decision",
        readers=(grant.reader,),
    )
