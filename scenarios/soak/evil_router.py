"""A router that lies: the real one, with its real key, which drops, replays, bends, misroutes and tells two stories.

It overrides what the honest parts do at four places (what it decides, what it cuts, what it forgets, what it hands
out), so that all else of it goes on as in earnest: the more it looks like itself, the harder it is to catch.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from broker.core import Identity, RouterCore
from broker.cuts import Cutter
from broker.quota import QuotaLimits
from broker.router import Arrival, FrameArrived, Outcome, Router
from broker.state import Admitted, Decided, Repeated, RouterState
from broker.store import Store, Waiting
from scenarios.enrolment import ROUTER
from scenarios.evil_cuts import bend, readdressed
from scenarios.soak.evil_log import SecondTree
from scenarios.soak.hostility import Lie, Misroute, SplitView, Substitute
from scenarios.soak.malice import Malice
from schemas.bundle import Bundle
from schemas.codec import pack
from schemas.envelope import Wrap
from schemas.errors import Code
from schemas.frames import Ack, CheckpointMessage, Cosign, DownMessage, Heartbeat, VerdictMessage
from sealing.statements import sign_verdict
from transport.disk import Database

_REPLAYED_MOST: Final = 24  # of one replay; a few tell as much as thousands
_MISROUTED_MOST: Final = 16  # to one stranger


class LyingCore(RouterCore):
    """Signs verdicts that are not true, and forgets readers of what it admits."""

    def __init__(self, malice: Malice, *, identity: Identity, bundle: Bundle) -> None:
        super().__init__(identity=identity, bundle=bundle)
        self._malice = malice

    def admit(self, envelope: bytes, *, sender: str, now_ms: int, state: RouterState) -> Decided:
        """Decide as the honest router does, and say something else."""
        decided = super().admit(envelope, sender=sender, now_ms=now_ms, state=state)
        if not isinstance(decided, Admitted):
            return decided
        malice, name = self._malice, (decided.hid, decided.wraps_hash)
        if name not in malice.verdicts:
            lie = self._lie(decided, sender, now_ms=now_ms)
            # Another's verdict settles nothing: the author asks again, and is told the truth.
            malice.verdicts[name] = None if lie in malice.told.values() else lie
            if lie is not None:
                return Repeated(message=lie)
            malice.told[sender] = decided.message
        kept = malice.verdicts[name]
        return self._without_hidden(decided) if kept is None else Repeated(message=kept)

    def _lie(self, decided: Admitted, author: str, *, now_ms: int) -> VerdictMessage | None:
        malice = self._malice
        for act in malice.under_way(Lie):
            if act.author != author:
                continue
            match act.verdict:
                case "accepted":
                    malice.did("accepted and kept", decided.hid, author)
                    return decided.message
                case "refused":
                    malice.did("refused without cause", decided.hid, author)
                    refused = decided.verdict._replace(
                        outcome="refused", code=Code.AUDIENCE.value, audience=(), rules=()
                    )
                    return sign_verdict(refused._replace(at=now_ms), signer=self.identity.signer)
                case "another" if malice.told:
                    malice.did("another's verdict", decided.hid, author)
                    return malice.told[malice.chance.choice(sorted(malice.told))]
                case _:
                    pass
        return None

    def _without_hidden(self, decided: Admitted) -> Admitted:
        malice, name = self._malice, (decided.hid, decided.wraps_hash)
        if name not in malice.hidden:
            readers = [row.wrap.to for row in decided.rows if malice.drops(row.wrap.to, "hidden")]
            malice.hidden[name] = frozenset(readers)
            for reader in readers:
                malice.did("hidden", decided.hid, reader)
        kept = tuple(row for row in decided.rows if row.wrap.to not in malice.hidden[name])
        return replace(decided, rows=kept)


class _LyingCutter(Cutter):
    """Makes cuts that say something else, or nothing; of one release and reader always the same."""

    def __init__(self, honest: Cutter, malice: Malice, *, release: int, hid: bytes, wraps_hash: bytes) -> None:
        self._honest = honest
        self._malice = malice
        self._name = (hid, wraps_hash)
        self._number = release

    def cut(self, wrap: Wrap) -> bytes:
        """Return the envelope for one reader, or what is sent in its place; empty is what a cancelled delivery is."""
        malice, true = self._malice, self._honest.cut(wrap)
        name = (*self._name, wrap.to)
        malice.wraps.setdefault((self._number, wrap.to), (self._name[0], wrap))
        if name not in malice.cuts:
            malice.cuts[name] = self._bent(wrap.to, true)
        bent = malice.cuts[name]
        return true if bent is None else bent

    def _bent(self, reader: str, true: bytes) -> bytes | None:
        malice, hid = self._malice, self._name[0]
        if malice.drops(reader, "emptied"):
            malice.did("emptied", hid, reader)
            return b""
        for act in malice.under_way(Substitute):
            if act.reader == reader:
                malice.did(f"substituted {act.form}", hid, reader)
                return bend(true, act.form, other=malice.last_cut or true, chance=malice.chance)
        malice.last_cut = true
        return None


class LyingStore(Store):
    """Forgets nothing that may be of use yet, and hands out bent cuts."""

    malice: Malice

    def cutter(self, release: int) -> Cutter:
        """Return what bends the cuts of a release."""
        hid, wraps_hash = self._sql.execute(
            "SELECT hid, wraps_hash FROM release WHERE number = ?", (release,)
        ).fetchone()
        return _LyingCutter(super().cutter(release), self.malice, release=release, hid=hid, wraps_hash=wraps_hash)

    def purge(self, *, now_ms: int, keep_ms: int) -> int:  # noqa: ARG002 - the honest signature
        """Keep what is over, to deliver it again."""
        return 0

    def deliver_also(self, reader: str, release: int, wrap: Wrap) -> None:
        """Queue a cut once more, or for somebody else."""
        self.queue([Waiting(self._next_row, reader, release, 0, pack(wrap), None)])
        self._next_row += 1


class LyingRouter(Router):
    """Delivers what nobody asked it to, and shows a second log."""

    def __init__(self, malice: Malice, *, core: RouterCore, store: LyingStore, limits: QuotaLimits) -> None:
        super().__init__(core=core, store=store, limits=limits)
        self._malice = malice
        self._lying_store = store

    def handle(self, arrivals: Sequence[Arrival], *, now_ms: int) -> Outcome:
        """Decide a batch as the honest router does, with a few of its own among it."""
        also = self._deliver_also()
        # An ack of nothing makes the router look at a reader's queue.
        woken = [FrameArrived(agency=reader, messages=(Ack("ack", 0),)) for reader in also]
        outcome = super().handle([*map(self._unwitnessed, arrivals), *woken], now_ms=now_ms)
        del outcome.answers[len(arrivals) :]
        self._show_second(outcome)
        return outcome

    # Deliveries.

    def _deliver_also(self) -> list[str]:
        """Queue replays and misroutes; returns for whom."""
        due: list[tuple[str, int, Wrap, bytes, str]] = []
        malice = self._malice
        for replay in malice.replays_due():
            kind = "replayed after months" if replay.months else "replayed"
            found = [
                (reader, release, wrap, hid, kind)
                for (release, reader), (hid, wrap) in malice.wraps.items()
                if replay.reader in {None, reader} and self._has_left(release, reader)
            ]
            due += malice.chance.sample(found, k=min(_REPLAYED_MOST, len(found)))
        for misroute in malice.under_way(Misroute):
            due += self._misrouted(misroute.stranger)
        due = [item for item in due if self._is_active(item[0])]
        if due:
            with self._store.transaction():
                for reader, release, wrap, _, _ in due:
                    self._lying_store.deliver_also(reader, release, wrap)
            for reader, _, _, hid, kind in due:
                self._queued[reader] = self._queued.get(reader, 0) + 1
                self._feed(reader).backlog = True
                malice.did(kind, hid, reader)
        return sorted({reader for reader, *_ in due})

    def _misrouted(self, stranger: str) -> list[tuple[str, int, Wrap, bytes, str]]:
        malice = self._malice
        due: list[tuple[str, int, Wrap, bytes, str]] = []
        given = sum(name[2] == stranger for name in malice.misrouted)
        for (release, reader), (hid, wrap) in malice.wraps.items():
            is_new = reader != stranger and (release, reader, stranger) not in malice.misrouted
            if is_new and given + len(due) < _MISROUTED_MOST:
                malice.misrouted.add((release, reader, stranger))
                # As it is, or with the stranger's name on it: then the stranger tries to open it.
                sent = wrap if malice.chance.random() < 1 / 2 else readdressed(wrap, to=stranger)
                due.append((stranger, release, sent, hid, "misrouted"))
        return due

    def _has_left(self, release: int, reader: str) -> bool:
        return not any(row.release == release for row in self._store.next_waiting(reader, limit=1_000)) and not any(
            row.release == release for row in self._store.sent_after(reader, 0)
        )

    def _is_active(self, agency: str) -> bool:
        found = self._core.community.agency(agency)
        return found is not None and found.status == "active"

    # Two logs.

    def _unwitnessed(self, arrival: Arrival) -> Arrival:
        """Keep what was cosigned of the second tree from the first one, which would take it for a fork of its own."""
        shown = self._malice.shown
        if not isinstance(arrival, FrameArrived) or not any(isinstance(act, SplitView) for act in self._malice.acts):
            return arrival
        if arrival.agency not in shown:
            messages = (item._replace(note=None) if isinstance(item, Cosign) else item for item in arrival.messages)
            return FrameArrived(agency=arrival.agency, messages=tuple(messages))
        # What another agency was shown is asked about along with a heartbeat; what it keeps itself, alone.
        is_met = any(isinstance(item, Heartbeat) for item in arrival.messages)
        for message in arrival.messages:
            if isinstance(message, Cosign) and message.line is None and is_met:
                self._malice.wanted.setdefault(arrival.agency, []).append(message.size)
            elif isinstance(message, Cosign):
                shown[arrival.agency] = message.size
                if message.line is not None and arrival.agency in self._malice.offered:
                    self._malice.believed[arrival.agency] = self._malice.offered[arrival.agency]
                if message.line is None:
                    # The proof was from another size than it keeps: it is shown again, from the right one.
                    self._witnesses.forget(arrival.agency)
                    self._witnesses.heard(arrival.agency)
        kept = tuple(message for message in arrival.messages if not isinstance(message, Cosign))
        # A frame is never empty; an ack of nothing does nothing.
        return FrameArrived(agency=arrival.agency, messages=kept or (Ack("ack", 0),))

    def _show_second(self, outcome: Outcome) -> None:
        malice = self._malice
        acts = {agency: act for act in malice.under_way(SplitView) for agency in act.agencies}
        for agency in sorted(acts.keys() | malice.shown.keys()):
            sends = outcome.sends.get(agency)
            if sends is not None and any(isinstance(message, CheckpointMessage) for message in sends):
                outcome.sends[agency] = [
                    item for message in sends for item in self._second(acts.get(agency), agency, message)
                ]

    def _second(self, act: SplitView | None, agency: str, message: DownMessage) -> list[DownMessage]:
        """Return what an agency is shown instead, with every proof that it has asked for."""
        if not isinstance(message, CheckpointMessage):
            return [message]
        malice = self._malice
        wanted = malice.wanted.pop(agency, [])
        if act is None:
            # It is over, and the agency is shown the true log, with the proof from what it keeps by now.
            malice.offered.pop(agency, None)
            olds = [min(size, self._log.signed_size) for size in (malice.shown[agency], *wanted)]
            return [message._replace(old_size=old, proof=self._log.proof_from(old)) for old in olds]
        rows = self._log.cover_rows()
        held = malice.shown.get(agency, self._log.cosigned_size(agency))
        without = malice.without.get(act)
        if without is None:
            without = malice.without[act] = held - 1 if act.how == "past" else held
        if not 0 <= without < len(rows) - 1 or (act.how == "past" and not held):
            return [message]
        tree = SecondTree(self._log.covers, rows[: self._log.signed_size], without=without)
        malice.shown.setdefault(agency, held)
        # Whoever does not keep the leaf that was left out cannot know that there ever was one.
        is_past = held > without and malice.believed.get(agency) != without
        malice.offered[agency] = without
        malice.did("split view, past" if is_past else "split view, future", b"", agency)
        signer = self._core.identity.signer
        return [tree.checkpoint(router=ROUTER, signer=signer, old_size=old) for old in (held, *wanted)]


def open_store(path: Path, malice: Malice, *, disk: Callable[..., Database]) -> LyingStore:
    """Open the database of a lying router."""
    store = LyingStore.open(path, router=ROUTER, disk=disk)
    assert isinstance(store, LyingStore)
    store.malice = malice
    return store
