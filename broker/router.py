"""The router at its desk: takes what arrived, decides it, writes it down, and says what is to be sent.

Everything that arrived since the last time is one transaction (group commit): records, queue rows, delivery numbers
and acks reach the disk together, and nothing is sent before they have. Runs on the one thread that owns the store.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never

from broker.application import Publication
from broker.attachments import Attachments
from broker.audit.witnesses import Witnesses
from broker.core import RouterCore
from broker.feeds import Feed
from broker.leavers import forbidden_rows
from broker.quota import QuotaLimits, Throttled
from broker.state import Admitted, Refused, Repeated
from broker.store import Store, Waiting, read_wrap
from broker.tails import Tails
from schemas.codec import pack
from schemas.errors import STAGE_OF, Code, LogError, RemoteError, StoreError
from schemas.frames import (
    Ack,
    Announcement,
    BundleMessage,
    ChunkMessage,
    ChunkRequest,
    Cosign,
    Delivery,
    DownMessage,
    EnvelopeMessage,
    Heartbeat,
    Hello,
    Lookup,
    Resume,
    UpMessage,
)
from schemas.limits import CHUNK_BYTES_MAX, LIFETIME_MS_MAX

_FILL_ROWS: Final = 64  # rows taken from a backlog at a time: one window
_EXPIRED_KEPT_MS: Final = LIFETIME_MS_MAX  # who had a message must be known for as long as it may be recalled

_REFUSED_REASONS: Final[dict[str, Publication]] = {
    "size": Publication.PAYLOAD_FORMAT_INVALID,
    "parse": Publication.PAYLOAD_FORMAT_INVALID,
    "canonical": Publication.PAYLOAD_FORMAT_INVALID,
    "version": Publication.PAYLOAD_FORMAT_INVALID,
    "limits": Publication.PAYLOAD_FORMAT_INVALID,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameArrived:
    """A frame from an agency."""

    agency: str
    messages: tuple[UpMessage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded:
    """An agency's session is over."""

    agency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleSigned:
    """A new version of the community bundle, already proved."""

    version: int
    signed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HousekeepingDue:
    """It is time to forget what is long over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointDue:
    """The log is to be signed for as it stands, and shown to everybody who is connected: an exercise ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverQuota:
    """An agency sends more than it may: frames of it are refused unread."""

    agency: str


Arrival = FrameArrived | SessionEnded | BundleSigned | HousekeepingDue | CheckpointDue | OverQuota


@dataclass(slots=True)
class Outcome:
    """What follows from a batch: an answer for each arrival, messages to send in order, sessions to close."""

    answers: list[Publication] = field(default_factory=list)
    sends: dict[str, list[DownMessage]] = field(default_factory=dict)
    closes: list[str] = field(default_factory=list)
    log_fault: LogError | None = None  # the log signs no more, and somebody has to look; told once
    decided: list[tuple[str, str, str]] = field(default_factory=list)  # originator, outcome or code, hid: for the log

    def send(self, agency: str, message: DownMessage) -> None:
        """Add a message for an agency."""
        self.sends.setdefault(agency, []).append(message)


class Router:
    """The synchronous half of the broker: core, store and feeds in one place, on one thread."""

    def __init__(self, *, core: RouterCore, store: Store, limits: QuotaLimits) -> None:
        self._core = core
        self._store = store
        self.passing = store.passing
        self._log = store.begin_log(router=core.identity.router, signer=core.identity.signer)
        self._limits = limits
        self._throttled = Throttled()
        self._told: list[str] = []  # who the batch at hand says is over its quota
        self._feeds: dict[str, Feed] = {}
        self._queued = store.queues()
        self._attachments = Attachments(store)
        self._witnesses = Witnesses(core=core, log=self._log)
        self._tails = Tails()
        self._now_ms = 0  # of the batch at hand
        self._beats = 0  # hellos and heartbeats in it
        self._introductions: dict[str, int] = {}  # how often each originator has announced a key since the start
        for announcement in store.holdings.announcements():
            self._readmit(announcement)

    def make_sure_of_room(self) -> None:
        """Find out whether a disk that was full has room again.

        Raises:
            DiskFullError: If it has not.
        """
        self._store.make_sure_of_room()

    def handle(self, arrivals: Sequence[Arrival], *, now_ms: int) -> Outcome:
        """Decide a batch and write it down.

        Raises:
            StoreError: If nothing could be written; then nothing was accepted, and every feed is as it was.
        """
        self._now_ms, self._beats = now_ms, 0
        self._told.clear()
        outcome = Outcome()
        dirty: set[str] = set()
        try:
            with self._store.transaction():
                for arrival in arrivals:
                    outcome.answers.append(self._take(arrival, outcome, dirty, now_ms=now_ms))
                for reader in sorted(dirty):
                    self._fill(reader, outcome)
                    self._feeds[reader].end_burst()
                self._store.write_feeds([(reader, self._feeds[reader].next_dseq) for reader in sorted(dirty)])
                signed = self._sign(now_ms=now_ms)
                self._witnesses.show(outcome.send)
                self._tails.show(outcome.send, ready=self._has_all)
                if outcome.decided:
                    self.passing("route.1")
        except StoreError:
            self._forget_feeds()
            self._witnesses.forget_all()
            for agency in self._told:
                self._throttled.untold(agency)
            raise
        if outcome.decided:
            self.passing("route.3")
        if signed:
            self.passing("audit.2")
        outcome.log_fault = self._log.take_fault()
        return outcome

    def _sign(self, *, now_ms: int) -> bool:
        """Sign for the log if a heartbeat came, whatever else did; tells whether a checkpoint was signed."""
        before = self._log.signed_size
        if self._beats:
            # "… one cover for each hello and each heartbeat that it takes … and none for any other cause." -- AUD-038
            # It is answered with all that was promised by then: its node may hear of nothing else for longer than a
            # promise may wait.
            self._log.sign(now_ms=now_ms, covers=self._beats)
        if self._log.signed_size == before:
            return False
        self.passing("audit.1")
        return True

    def idle(self) -> bool:
        """Tell whether nothing is queued for any reader that is connected."""
        # A copy, made in one step: other threads ask this while the one that owns the store adds feeds.
        return not any(feed.connected and self._queued.get(reader) for reader, feed in list(self._feeds.items()))

    def unfinished(self) -> dict[str, int]:
        """Return, for each connected reader, how many deliveries it has not acked."""
        return {
            reader: count
            for reader, feed in sorted(self._feeds.items())
            if feed.connected and (count := self._queued.get(reader, 0))
        }

    def _take(self, arrival: Arrival, outcome: Outcome, dirty: set[str], *, now_ms: int) -> Publication:
        match arrival:
            case FrameArrived():
                answers = [
                    self._message(arrival.agency, message, outcome, dirty, now_ms=now_ms)
                    for message in arrival.messages
                ]
                # One answer for a frame: what all its messages share, or success, since each has its own verdict.
                return answers[0] if len(set(answers)) == 1 else Publication.SUCCESS
            case SessionEnded():
                self._feed(arrival.agency).disconnect()
                self._attachments.forget(arrival.agency)
                self._witnesses.forget(arrival.agency)
                return Publication.SUCCESS
            case BundleSigned():
                self._install(arrival, outcome, now_ms=now_ms)
                return Publication.SUCCESS
            case HousekeepingDue():
                self._store.holdings.forget_announcements(now_ms=now_ms)
                if self._store.purge(now_ms=now_ms, keep_ms=_EXPIRED_KEPT_MS):
                    self._queued = self._store.queues()
                return Publication.SUCCESS
            case CheckpointDue():
                self._beats += 1
                for reader, feed in sorted(self._feeds.items()):
                    if feed.connected:
                        self._witnesses.heard(reader)
                return Publication.SUCCESS
            case OverQuota():
                self._note_throttled(arrival.agency, now_ms=now_ms)
                return Publication.SUCCESS
            case _:
                assert_never(arrival)

    def _message(
        self, agency: str, message: UpMessage, outcome: Outcome, dirty: set[str], *, now_ms: int
    ) -> Publication:
        match message:
            case EnvelopeMessage():
                return self._envelope(agency, message, outcome, dirty, now_ms=now_ms)
            case Ack():
                self._acked(agency, message.dseq, dirty, now_ms=now_ms)
            case Hello():
                self._hello(agency, message, outcome, dirty, now_ms=now_ms)
            case Announcement():
                return self._announce(agency, message, now_ms=now_ms)
            case Lookup():
                self._look_up(agency, message, outcome)
            case ChunkMessage():
                return self._attachments.take(agency, message, outcome.send)
            case ChunkRequest():
                self._attachments.want(agency, message, outcome.send)
            case Heartbeat():
                self._beats += 1
                self._witnesses.heard(agency)
                self._tails.take(agency, [tail for tail in message.tails if self._is_active(tail.to)], at=message.at)
            case Cosign():
                if not self._witnesses.take(agency, message, now_ms=now_ms):
                    return Publication.NOT_AUTHORISED
            case _:
                assert_never(message)
        return Publication.SUCCESS

    # Envelopes and deliveries.

    def _envelope(
        self, agency: str, message: EnvelopeMessage, outcome: Outcome, dirty: set[str], *, now_ms: int
    ) -> Publication:
        decided = self._core.admit(message.envelope, sender=agency, now_ms=now_ms, state=self._store)
        match decided:
            case Repeated():
                outcome.send(agency, decided.message)
            case Refused():
                self._store.write_refused(decided, at=now_ms)
                outcome.decided.append((agency, decided.code, decided.hid.hex() if decided.hid else "-"))
                if decided.message is not None:
                    outcome.send(agency, decided.message)
                return _REFUSED_REASONS.get(decided.stage, Publication.NOT_AUTHORISED)
            case Admitted():
                if self._over_quota(decided):
                    if self._throttled.is_news(agency, now_ms=now_ms):
                        self._told.append(agency)
                        self._note_throttled(agency, now_ms=now_ms)
                    return Publication.QUOTA_EXCEEDED
                self._admit(decided, outcome, dirty, now_ms=now_ms)
                outcome.decided.append((agency, "accepted", decided.hid.hex()))
                outcome.send(agency, decided.message)
            case _:
                assert_never(decided)
        return Publication.SUCCESS

    def _note_throttled(self, agency: str, *, now_ms: int) -> None:
        """Put on record that an agency was refused for what it sends, and of no message in particular."""
        body = pack((Code.QUOTA.value, STAGE_OF[Code.QUOTA].value, ()))
        self._store.write_records([("refused", None, agency, body)], at=now_ms)

    def _over_quota(self, admitted: Admitted) -> bool:
        """A full queue refuses what is new and keeps what was accepted; the author's outbox tries again."""
        limit = self._limits.queue_rows_max
        if any(self._queued.get(row.wrap.to, 0) >= limit for row in admitted.rows):
            return True
        chunks = 0 if admitted.re_release else sum(portion.chunks for portion in admitted.portions)
        if not chunks:
            return False
        held = self._store.holdings.chunk_bytes_of(admitted.originator)
        return held + chunks * CHUNK_BYTES_MAX > self._limits.chunk_bytes_max

    def _admit(self, admitted: Admitted, outcome: Outcome, dirty: set[str], *, now_ms: int) -> None:
        rows = self._store.write_admitted(admitted, at=now_ms)
        ready: list[Waiting] = []
        for row, queued in zip(rows, admitted.rows, strict=True):
            self.passing("route.2")
            reader = row.reader
            self._queued[reader] = self._queued.get(reader, 0) + 1
            feed = self._feed(reader)
            if feed.connected and not feed.backlog:
                cut = self._store.cutter(row.release).cut(queued.wrap)
                if feed.takes(len(cut)):
                    numbered = row._replace(dseq=feed.number())
                    self._deliver(feed, numbered, cut, outcome)
                    ready.append(numbered)
                    dirty.add(reader)
                    continue
            feed.backlog = True
            ready.append(row)
        self._store.queue(ready)
        if admitted.kind == "recall":
            self._queued = self._store.queues()
        for portion in admitted.portions:
            if portion.chunks:
                self._attachments.ask(admitted.originator, admitted.hid, portion.place, outcome.send)

    def _deliver(self, feed: Feed, row: Waiting, cut: bytes, outcome: Outcome) -> None:
        dseq = row.dseq or 0
        originator = self._store.originator_of_release(row.release)
        introduction = self._introductions.get(originator, 0)
        if feed.introduced.get(originator) != introduction:
            # A reader needs its originator's box keys to open anything: once a session, and when there is a new one.
            feed.introduced[originator] = introduction
            for announcement in self._store.holdings.announcements(originator, at_ms=self._now_ms):
                outcome.send(row.reader, announcement)
        feed.send(dseq, len(cut))
        outcome.send(row.reader, Delivery("delivery", dseq, cut))

    def _fill(self, reader: str, outcome: Outcome) -> None:
        """Give numbers to what waits, as far as the window has room."""
        feed = self._feed(reader)
        while feed.connected and feed.backlog:
            rows = self._store.next_waiting(reader, limit=_FILL_ROWS)
            numbered: list[tuple[int, int]] = []
            for row in rows:
                cut = self._cut(row)
                if not feed.takes(len(cut)):
                    break
                sent = row._replace(dseq=feed.number())
                self._deliver(feed, sent, cut, outcome)
                numbered.append((sent.dseq or 0, row.number))
            self._store.number_rows(numbered)
            feed.backlog = len(rows) == _FILL_ROWS or len(numbered) < len(rows)
            if len(numbered) < len(rows):
                return

    def _cut(self, row: Waiting) -> bytes:
        if not row.wrap:
            return b""  # cancelled after it had its number
        return self._store.cutter(row.release).cut(read_wrap(row.wrap))

    def _acked(self, agency: str, dseq: int, dirty: set[str], *, now_ms: int) -> None:
        feed = self._feed(agency)
        # An ack of what was never sent would take rows off that the reader does not hold.
        taken = self._store.acked(agency, min(dseq, feed.next_dseq - 1), at=now_ms)
        self._queued[agency] = self._queued.get(agency, 0) - taken
        feed.acked(dseq)
        dirty.add(agency)

    def _hello(self, agency: str, hello: Hello, outcome: Outcome, dirty: set[str], *, now_ms: int) -> None:
        feed = self._feed(agency)
        # A reader that remembers more than we do met us before our disk was put back: never reuse its numbers.
        feed.next_dseq = max(feed.next_dseq, hello.dseq + 1)
        feed.connect()
        self._witnesses.forget(agency)
        if hello.bundle_version < self._core.bundle.version:
            for _, signed in self._store.holdings.bundles()[-1:]:
                outcome.send(agency, BundleMessage("bundle", signed))
        self._acked(agency, hello.dseq, dirty, now_ms=now_ms)
        again = self._store.queue_forgotten_recalls(agency, held=hello.dseq)
        self._queued[agency] = self._queued.get(agency, 0) + again
        unacked = self._store.sent_after(agency, hello.dseq)
        outcome.send(agency, Resume("resume", (unacked[0].dseq or 0) if unacked else feed.next_dseq))
        for row in unacked:
            self._deliver(feed, row, self._cut(row), outcome)
        feed.backlog = True
        self._attachments.ask_incomplete(agency, outcome.send)
        # A session may be over before its first heartbeat.
        self._beats += 1
        self._witnesses.heard(agency)

    def _feed(self, reader: str) -> Feed:
        feed = self._feeds.get(reader)
        if feed is None:
            feed = self._feeds[reader] = Feed(next_dseq=self._store.next_dseq(reader), backlog=True)
        return feed

    def _has_all(self, reader: str) -> bool:
        """Tell whether a reader is linked and all that is queued for it is under way."""
        feed = self._feeds.get(reader)
        return feed is not None and feed.connected and not feed.backlog

    def _is_active(self, agency: str) -> bool:
        known = self._core.community.agency(agency)
        return known is not None and known.status == "active"

    def _forget_feeds(self) -> None:
        """After a failed write the disk is the truth: numbers given out in memory are taken back."""
        connected = [reader for reader, feed in self._feeds.items() if feed.connected]
        self._feeds.clear()
        self._queued = self._store.queues()
        for reader in connected:
            # Not connected again: its session must say hello, since what was under way is no longer known.
            self._feed(reader)

    # Keys and bundles.

    def _announce(self, agency: str, message: Announcement, *, now_ms: int) -> Publication:
        try:
            statement = self._core.announce(message, sender=agency, now_ms=now_ms)
        except RemoteError as error:
            body = pack((error.code.value, error.stage.value, ()))
            self._store.write_records([("refused", None, agency, body)], at=now_ms)
            return Publication.NOT_AUTHORISED
        self._store.holdings.write_announcement(statement, message)
        self._introductions[agency] = self._introductions.get(agency, 0) + 1
        return Publication.SUCCESS

    def _look_up(self, agency: str, message: Lookup, outcome: Outcome) -> None:
        for name in dict.fromkeys(message.agencies):
            for announcement in self._store.holdings.announcements(name, at_ms=self._now_ms):
                outcome.send(agency, announcement)

    def _readmit(self, announcement: Announcement) -> None:
        """Take up what was announced before a restart; what no longer holds is passed over."""
        try:
            self._core.boxes.readmit(announcement, signers=self._core.signers)
        except RemoteError:
            return

    def _install(self, arrival: BundleSigned, outcome: Outcome, *, now_ms: int) -> None:
        self._store.holdings.write_bundle(arrival.version, arrival.signed)
        self._store.write_records([("bundle", None, "", pack((arrival.version,)))], at=now_ms)
        for agency in self._core.bundle.agencies:
            if agency.status != "active" and self._store.cancel_for(agency.agency, at=now_ms):
                self._queued = self._store.queues()
            if agency.status != "active":
                outcome.closes.append(agency.agency)
        self._cancel_forbidden(now_ms=now_ms)
        for reader, feed in sorted(self._feeds.items()):
            if feed.connected and reader not in outcome.closes:
                outcome.send(reader, BundleMessage("bundle", arrival.signed))

    def _cancel_forbidden(self, *, now_ms: int) -> None:
        """Take back what is queued for readers who may not have it by the new version, with a leaf for each."""
        linked = {reader for reader, feed in self._feeds.items() if feed.connected}
        forbidden = [*forbidden_rows(self._store, self._core, linked=linked, now_ms=now_ms)]
        for number in forbidden:
            self._store.cancel_row(number, at=now_ms)
        if forbidden:
            self._queued = self._store.queues()
