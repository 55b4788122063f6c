"""The author watches for receipts: who is overdue, who has sent one after all, and what has expired unheard.

A router that drops what it has accepted, or all of one reader's, says nothing; only the reader's signed receipt says
that a message came. So its author waits for one from every reader, up to a deadline that follows from the precedence,
and tells its desk who has sent none (docs/spec/envelope.md, "Receipts"). What is waited for stands in the outbox, so a
restart forgets nothing; it is read a page at a time, so that a long queue costs no memory.
"""

from dataclasses import dataclass
from typing import Final

from agencies.core import NodeCore
from agencies.notices import Notice
from agencies.outbox import UNRECEIPTED_KINDS, ReaderDue, WatchedRelease
from agencies.outgoing import Moment
from agencies.store import NodeStore

_RELEASES_LOOKED_AT: Final = 64  # in one transaction; what is due beyond has the next turn of the disk


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a look found: what to tell, when to look next, and how many releases wait for a verdict no more."""

    notices: tuple[Notice, ...]
    next_ms: int | None
    expired: int


class ReceiptWatch:
    """Finds what is overdue; runs on the thread that has the node's store.

    Args:
        core: Knows who is revoked, of whom no receipt is waited for.
        store: The outbox, the receipts and the journal.
    """

    def __init__(self, *, core: NodeCore, store: NodeStore) -> None:
        self._core = core
        self._store = store

    def look(self, moment: Moment) -> Looked:
        """Look at the releases of which something is due by now, at most a page of them.

        Raises:
            StoreError: If the disk is full; then nothing was told, and the next look finds it again.
        """
        notices: list[Notice] = []
        expired = 0
        releases = self._store.due_releases(until_ms=moment.at_ms, limit=_RELEASES_LOOKED_AT)
        if releases:
            with self._store.transaction():
                for release in releases:
                    notice = self._judge(release, moment)
                    expired += release.over_ms <= moment.at_ms and release.state == "waiting"
                    if notice is not None:
                        self._write(notice, moment)
                        notices.append(notice)
        told = tuple(notice for notice in notices if notice.kind not in UNRECEIPTED_KINDS)
        return Looked(notices=told, next_ms=self._store.next_due(), expired=expired)

    def owing(self, release: WatchedRelease) -> list[ReaderDue]:
        """Return the readers of a release whose receipt has not come, but for those that are revoked."""
        if release.kind in UNRECEIPTED_KINDS:
            return []
        receipted = self._store.receipted(release.subject, recall=release.kind == "recall")
        return [
            reader
            for reader in release.readers
            if self._is_active(reader.reader)
            # Of a recall there are no bits; that it was carried out is all that can be said of it.
            and (reader.reader not in receipted or reader.bits & ~receipted[reader.reader])
        ]

    def overdue_from(self, subject: bytes, reader: str) -> list[WatchedRelease]:
        """Return the releases for which a reader's receipt on a message is overdue."""
        return [
            release
            for release in self._store.overdue_releases(subject)
            if any(owing.reader == reader for owing in self.owing(release))
        ]

    def settle_late(self, releases: list[WatchedRelease], reader: str, moment: Moment) -> list[Notice]:
        """Note which of these releases a reader has now receipted after all; inside a transaction."""
        notices: list[Notice] = []
        for release in releases:
            if any(owing.reader == reader for owing in self.owing(release)):
                continue
            notice = Notice(
                word="settled_late",
                at_ms=moment.at_ms,
                hid=release.hid,
                kind=release.kind,
                readers=(reader,),
                accepted=release.state == "accepted",
            )
            self._write(notice, moment)
            notices.append(notice)
        return notices

    def _judge(self, release: WatchedRelease, moment: Moment) -> Notice | None:
        """Move a release on to its next date; returns what there is to tell of it."""
        owing = self.owing(release)
        if release.over_ms <= moment.at_ms:
            self._store.end_watch(release, expired=release.state == "waiting", overdue=bool(owing))
            if not owing and release.state != "waiting":
                return None
            return _notice("expired", release, owing, moment)
        late = [reader for reader in owing if release.due_ms <= reader.due_ms <= moment.at_ms]
        dates = [reader.due_ms for reader in owing if reader.due_ms > moment.at_ms]
        # With nobody left to wait for, only its own end is still to come, and that only without a verdict.
        if owing or release.state == "waiting":
            dates.append(release.over_ms)
        self._store.watch_on(release, due_ms=min(dates, default=None), overdue=bool(late))
        return _notice("overdue", release, late, moment) if late else None

    def _is_active(self, reader: str) -> bool:
        agency = self._core.community.agency(reader)
        return agency is not None and agency.status == "active"

    def _write(self, notice: Notice, moment: Moment) -> None:
        self._store.journal.write(
            notice.word,
            at_ms=moment.at_ms,
            machine_ms=moment.machine_ms,
            hid=None if notice.hid is None else notice.hid.hex(),
            kind=notice.kind,
            readers=list(notice.readers),
            accepted=notice.accepted,
        )


def _notice(word: str, release: WatchedRelease, readers: list[ReaderDue], moment: Moment) -> Notice:
    return Notice(
        word="expired" if word == "expired" else "overdue",
        at_ms=moment.at_ms,
        hid=release.hid,
        kind=release.kind,
        readers=tuple(sorted(reader.reader for reader in readers)),
        accepted=release.state == "accepted",
    )
