"""The node looks at the clock for consent: what nobody has decided in time has lapsed.

Runs where the node's store is used, whenever something is due; as with overdue receipts the time is handed in, and
what is waited for stands on disk, so that a restart forgets nothing (docs/spec/envelope.md, "Requests and decisions").
"""

from typing import Final

from agencies.consent import OpenRequest
from agencies.notices import Notice
from agencies.outgoing import Moment
from agencies.store import NodeStore

_LOOKED_AT: Final = 64  # in one transaction; what is due beyond has the next turn of the disk


class ConsentWatch:
    """Finds requests that have lapsed."""

    def __init__(self, *, store: NodeStore) -> None:
        self._store = store

    def look(self, moment: Moment) -> tuple[Notice, ...]:
        """Let lapse what is due by now, at most a page of it; returns what to tell the desk.

        Raises:
            StoreError: If the disk is full; then nothing was told, and the next look finds it again.
        """
        requests = self._store.consent.overdue_requests(now_ms=moment.at_ms, limit=_LOOKED_AT)
        if not requests:
            return ()
        with self._store.transaction():
            return tuple(self._lapse(request, moment) for request in requests)

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
