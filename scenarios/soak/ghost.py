"""The ghost: sees every commit of every database and every frame that the broker sends, and says what must not be.

Nodes and broker never read it. It keeps its own account from their journals, records and tables, row by row as they
become durable, and remembers the first thing that broke. What it looks at stands in files of its own: reports, the
router's log, frames, bounds.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from agencies.incoming import LAST_DSEQ
from policy.community import Community
from scenarios.soak.figures import Account
from scenarios.soak.ghost_between import Between
from scenarios.soak.ghost_bounds import look_for_remains, measure, measure_tasks
from scenarios.soak.ghost_community import Bundles
from scenarios.soak.ghost_consent import Consents
from scenarios.soak.ghost_evil import EvilWatch
from scenarios.soak.ghost_flood import FloodWatch
from scenarios.soak.ghost_joint import JointWatch
from scenarios.soak.ghost_log import LogWatch
from scenarios.soak.ghost_losses import node_put_back, router_put_back
from scenarios.soak.ghost_questions import QuestionWatch
from scenarios.soak.ghost_recall import Recalls
from scenarios.soak.ghost_reports import REPORTED, Reports, Sent
from scenarios.soak.ghost_taint import Taint
from scenarios.soak.ghost_time import Times
from scenarios.soak.ghost_wire import WireWatch
from scenarios.soak.invariants import LIVELINESS, NEVER_BACK, NOTHING_LOST, REVOKED, Tolerance, Violation
from scenarios.soak.losses import Losses
from scenarios.soak.reference import BEGIN_MS, BROKER
from schemas.codec import unpack
from schemas.limits import FRAME_BYTES_MAX
from transport.faults import Fault
from transport.seeded import stream

_RECORD: Final = "SELECT number, at, stage, hid, agency, body FROM record WHERE number > ?"
_RECORDS_HELD: Final = "SELECT coalesce(max(number), 0) FROM record"
_ENTRIES_HELD: Final = "SELECT coalesce(max(number), 0) FROM journal"
_NUMBERS: Final = (
    "SELECT name, number FROM value UNION ALL SELECT 'to ' || reader, next FROM sequence"
    " UNION ALL SELECT 'outbox', count(*) FROM outbox"
)
_JOURNAL: Final = "SELECT number, at_ms, machine_ms, stage, fields FROM journal WHERE number > ?"
_UNSIGNED_FAULTS: Final = frozenset({"MALFORMED", "UNKNOWN_LOG", "SIGNATURE"})


class Ghost:
    """Watches one run.

    Args:
        community: The bundle compiled for the ghost alone.
        tolerance: What the plan makes legitimate.
        now_ms: Virtual time.
        router: The router's public sign key.
        seed: Of the run; decides whose keys a frame is tried with.
        faults: Of the plan, to say what they fell between.
    """

    def __init__(
        self,
        community: Community,
        *,
        tolerance: Tolerance,
        now_ms: Callable[[], int],
        router: bytes,
        seed: int,
        faults: Sequence[Fault] = (),
    ) -> None:
        self._tolerance = tolerance
        self._now_ms = now_ms
        self._rows: dict[str, int] = {}  # rows seen of each journal and of the record
        self._numbers: dict[tuple[str, str], int] = {}  # whatever may never fall
        self._changes: dict[sqlite3.Connection, int] = {}  # so that a commit of nothing is not looked at
        self._measured: dict[sqlite3.Connection, int] = {}  # the same, of when it was held against its bounds
        self._trace = hashlib.blake2b(digest_size=16)
        self.lines: list[str] | None = None  # the trace in words, where it is asked for
        self.violation: Violation | None = None
        self.sometimes: dict[str, int] = {}
        self._router, self._seed = router, seed
        self.losses = Losses(self.saw)
        self._bundles = Bundles(community)
        self.reports = Reports(self._bundles, tolerance=tolerance, losses=self.losses, broke=self.broke, saw=self.saw)
        self.evil: EvilWatch | None = None  # where the router lies
        self.flood: FloodWatch | None = None  # where somebody sends too much
        self.recalls = Recalls(self.reports, self._bundles, self.losses, tolerance)
        self.times = Times(self.reports)
        self.between = Between(faults, now_ms=now_ms, saw=self.saw)

        def unix_ms() -> int:
            return BEGIN_MS + now_ms()

        self.consents = Consents(
            self.reports, self._bundles, self.losses, tolerance=tolerance, between=self.between, now_ms=unix_ms
        )
        self.joint = JointWatch(self.reports, self._bundles, self.losses, between=self.between)
        self.questions = QuestionWatch(self.reports, self._bundles, between=self.between, now_ms=unix_ms)
        self.taint = Taint(self.reports, self.recalls, self._bundles, self.losses, between=self.between)
        self.log = self._watch_log()
        self.wire = WireWatch(
            self.reports, self._bundles, chance=stream(seed, "ghost wire"), honest=not tolerance.lying
        )
        self.wire.joint = self.joint

    @property
    def accepted(self) -> set[str]:
        """The ids of the reports of which a desk was told that they are accepted."""
        return self.reports.accepted

    @property
    def sent(self) -> dict[str, Sent]:
        """The reports that are on their authors' disks, by id."""
        return self.reports.sent

    @property
    def bundles(self) -> Bundles:
        """Who holds which bundle."""
        return self._bundles

    @property
    def revoked_anywhere(self) -> set[str]:
        """The agencies that any bundle revokes."""
        return self._bundles.revoked_anywhere

    def trace_hash(self) -> str:
        """Return the hash over everything that became durable, in order."""
        return self._trace.hexdigest()

    def learn(self, version: int, community: Community, revoked: str) -> None:
        """Be told of a later bundle before anybody else is."""
        self._bundles.learn(version, community, revoked)

    def broke(self, invariant: int, text: str) -> None:
        """Note that an invariant does not hold; the first one counts."""
        if self.violation is None:
            self.violation = Violation(invariant, self._now_ms(), text)

    def saw(self, what: str) -> None:
        """Count a fault, or a branch of recovery, that was taken."""
        self.sometimes[what] = self.sometimes.get(what, 0) + 1

    def account(self) -> Account:
        """Return what became of the reports of this run; once it is over."""
        # A run that broke off has not come to the end of anything: only what broke it may speak of losses.
        told = self.violation is None or self.violation.invariant in {NOTHING_LOST, LIVELINESS}
        return Account(
            accepted=len(self.reports.accepted),
            deliveries=sum(1 for bits in self.reports.verified.values() if bits),
            lost=len(self.unexplained()) if told else 0,
            doubled=self.reports.doubled,
        )

    def unexplained(self) -> list[str]:
        """Return what was accepted and has come to no end that anybody could see."""
        if self.evil is None:
            return self.reports.unexplained(self.recalls.asked)
        # Of a report that was taken back no receipt is waited for any more.
        return [text for text in self.evil.unnoticed() if not any(hid in text for hid in self.recalls.asked)]

    def _contradicted(self, _invariant: int, _text: str) -> None:
        """A lying router's log is not asked to be true, but to be found out."""
        self.saw("log contradicts what happened")

    def frame_down(self, agency: str, frame: bytes) -> None:
        """See a frame that the broker sends."""
        self.wire.frame_down(agency, frame)
        self.recalls.frame_down(agency, frame)

    def measure(self, databases: Mapping[str, sqlite3.Connection]) -> None:
        """Hold everything that may grow against its bound; the databases are given by owner."""
        for owner, sql in databases.items():
            if self._measured.get(sql) != sql.total_changes:
                self._measured[sql] = sql.total_changes
                measure(owner, sql, self.broke)
        measure_tasks(self.broke)

    def life_ended(self, owner: str) -> None:
        """See that a life of a node, or of the broker, has left nothing running."""
        look_for_remains(owner, self.broke)

    def finish(self) -> None:
        """Look at what can be judged only once a run is over."""
        if self.evil is not None:
            self.evil.finish()
        if self.flood is not None:
            self.flood.finish()
        self.log.finish()

    # What became durable.

    def committed(self, owner: str, sql: sqlite3.Connection) -> None:
        """Take in what a commit added."""
        if sql.total_changes == self._changes.get(sql):
            return
        self._changes[sql] = sql.total_changes
        seen = self._rows.get(owner, 0)
        query = _RECORD if owner == BROKER else _JOURNAL
        for row in sql.execute(query, (seen,)).fetchall():
            seen += 1
            if row[0] != seen:
                self.broke(NEVER_BACK, f"{owner}: entry {row[0]} stands where {seen} is due")
            self._note(owner, row)
            if owner == BROKER:
                self._record(*row[1:])
            else:
                self._journal(owner, row[1], row[3], json.loads(row[4]))
        self._rows[owner] = seen
        self._watch_numbers(owner, sql)
        if owner == BROKER:
            self.log.committed(sql)
        elif BROKER not in self.losses.put_back:
            self.log.witnessed(owner, sql)

    def put_back(self, owner: str, sql: sqlite3.Connection) -> None:
        """See that a database is as it was some time ago: what it has forgotten is no longer asked of its owner."""
        query = _RECORDS_HELD if owner == BROKER else _ENTRIES_HELD
        self._rows[owner] = sql.execute(query).fetchone()[0]
        self._note(owner, ("put back", self._rows[owner]))
        before = self._numbers.get((owner, LAST_DSEQ), 0)
        for key in [key for key in self._numbers if key[0] == owner]:
            del self._numbers[key]
        self.losses.note(owner, forgot=owner == BROKER or _last_dseq(sql) < before)
        self._bundles.install(owner, sql.execute("SELECT coalesce(max(version), 1) FROM bundle").fetchone()[0])
        if owner == BROKER:
            router_put_back(self.reports, sql)
            self.recalls.router_put_back(sql)
            self.log = self._watch_log()
            self.log.committed(sql)
        else:
            node_put_back(self.reports, owner, sql)
            self.consents.node_put_back(owner, sql)
            self.questions.node_put_back(owner, sql)
            self.recalls.node_put_back(owner, sql)

    def _watch_log(self) -> LogWatch:
        return LogWatch(
            public=self._router,
            bundles=self._bundles,
            chance=stream(self._seed, "ghost log"),
            broke=self._contradicted if self._tolerance.lying else self.broke,
        )

    def _note(self, owner: str, row: tuple[Any, ...]) -> None:
        line = f"{self._now_ms()} {owner} {row!r}"
        self._trace.update(line.encode())
        if self.lines is not None:
            self.lines.append(line)

    def _watch_numbers(self, owner: str, sql: sqlite3.Connection) -> None:
        """Sequences and delivery numbers never fall, across crashes too."""
        if owner == BROKER:
            found = sql.execute("SELECT reader, next_dseq FROM feed").fetchall()
        else:
            found = sql.execute(_NUMBERS).fetchall()
        for name, number in found:
            if number < self._numbers.get((owner, name), 0):
                before = self._numbers[owner, name]
                self.broke(NEVER_BACK, f"{owner}: {name} fell from {before} to {number}")
            self._numbers[owner, name] = number

    def _journal(self, agency: str, at_ms: int, stage: str, fields: dict[str, Any]) -> None:
        self.saw(f"node {stage}" + (f" {fields['code']}" if "code" in fields else ""))
        if self.evil is not None:
            self.evil.journal(agency, stage, fields)
        if self.flood is not None:
            self.flood.journal(agency, stage, fields)
        self.times.journal(agency, at_ms, stage, fields)
        if not self.recalls.journal(agency, stage, fields):
            self._report(agency, at_ms, stage, fields)
        self._workflow(agency, at_ms, stage, fields)

    def _workflow(self, agency: str, at_ms: int, stage: str, fields: dict[str, Any]) -> None:
        """Take in what is asked, granted, signed and answered, and what was made of what."""
        self.consents.journal(agency, at_ms, stage, fields)
        self.joint.journal(agency, stage, fields)
        self.questions.journal(agency, stage, fields)
        self.taint.journal(agency, stage, fields)

    def open(self, databases: Mapping[str, sqlite3.Connection]) -> list[str]:
        """Return what was begun between agencies and has not come to its end; databases are given by owner."""
        watches = (self.consents, self.joint, self.questions, self.taint)
        return [text for watch in watches for text in watch.open(databases)]

    def _report(self, agency: str, at_ms: int, stage: str, fields: dict[str, Any]) -> None:
        reports = self.reports
        match stage:
            case "intended":
                reports.intended(agency, fields)
            case "released":
                reports.released(agency, at_ms, fields)
            case "accepted" | "refused" | "expired":
                reports.verdict(agency, stage, fields)
            case "verified":
                if fields["kind"] in REPORTED:
                    reports.taken(agency, fields)
                else:
                    reports.heard.add((agency, fields["hid"]))
            case "rejected":
                reports.refused_by_reader(agency, fields)
            case "receipt":
                reports.receipt(agency, fields)
            case "misreleased":
                reports.misreleased(agency, at_ms, fields)
            case "gap" | "log_fault":
                self._alarmed(agency, stage, fields)
            case "bundle":
                self._install(agency, fields["version"])

    def _alarmed(self, agency: str, stage: str, fields: dict[str, Any]) -> None:
        """Take in that a node misses deliveries, or finds a fault in the log: it must not be wrong."""
        # What poisons a line forges no signature: of a log it can only say what cannot be believed.
        forged = self._tolerance.poisoned and fields.get("fault") in _UNSIGNED_FAULTS
        # That a log stands still is a suspicion: where nothing passes for half a minute it may be wrong.
        suspected = fields.get("fault") == "FREEZE"
        # By a clock that leapt back to before the region began, its router's key is not in force yet.
        early = self._tolerance.skewed and fields.get("fault") == "UNKNOWN_LOG"
        if not (self.losses.noticed(agency, stage) or self._tolerance.lying or forged or suspected or early):
            self.broke(NEVER_BACK, f"{agency} noticed a {stage}, and nothing was put back: {fields}")

    def _install(self, owner: str, version: int) -> None:
        before = self._bundles.install(owner, version)
        if version < before:
            self.broke(NEVER_BACK, f"{owner} went back from bundle {before} to {version}")

    def _record(self, at_ms: int, stage: str, hid: bytes | None, agency: str, body: bytes) -> None:
        self.saw(f"router {stage}")
        value: Any = unpack(body, bytes_max=FRAME_BYTES_MAX) if body else ()
        if self.evil is not None and hid is not None:
            self.evil.record(stage, hid.hex(), agency, value)
        if self.flood is not None:
            self.flood.record(at_ms, stage, agency, value)
        if hid is not None:
            self.recalls.record(stage, hid.hex(), agency, value)
            self.questions.record(stage, agency, value)
            self.times.record(at_ms, stage, hid.hex())
        match stage:
            case "bundle":
                self._install(BROKER, value[0])
            case "admitted" if hid is not None:
                self.reports.admit(hid.hex(), agency, value)
            case "refused" if hid is not None:
                self.reports.refused_by_router(at_ms, hid.hex(), agency, value)
            case "decided":
                self.reports.decided(at_ms, agency, value)
            case "delivered" if hid is not None:
                if agency in self._bundles.revoked:
                    self.broke(REVOKED, f"{hid.hex()} was delivered to {agency} after it was revoked")
                self.reports.delivered(hid.hex(), agency)
            case "cancelled":
                if hid is not None:
                    self.reports.cancelled.add((agency, hid.hex()))
            case _:
                pass


def _last_dseq(sql: sqlite3.Connection) -> int:
    """Return the last delivery that a node's disk says it has."""
    found = sql.execute("SELECT number FROM value WHERE name = ?", (LAST_DSEQ,)).fetchone()
    return 0 if found is None else int(found[0])
