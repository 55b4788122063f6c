"""The ghost's account of questions: one answer at most has an effect, and it goes to nobody but who asked.

Whether two agencies hold the same is said truthfully, and how often each end tells its desk of what is due is counted.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, Final

from scenarios.soak.ghost_between import Between
from scenarios.soak.ghost_community import Bundles
from scenarios.soak.ghost_reports import Reports
from scenarios.soak.invariants import ANSWERED

_DUE_MS_MOST: Final = 120_000  # as in ghost_consent.py
_WAITING: Final = (
    "SELECT count(*) FROM question WHERE told = 0 AND due NOTNULL AND due <= ? AND state IN ('open', 'accepted')"
)
_ENDS: Final = frozenset({"answered", "hit", "no_hit", "declined", "done"})


class QuestionWatch:
    """Every question of a run.

    Args:
        reports: Who was given what.
        bundles: Who is revoked.
        between: Told of what a fault may fall between.
        now_ms: Unix ms, by a clock that does not err.
    """

    def __init__(
        self,
        reports: Reports,
        bundles: Bundles,
        *,
        between: Between,
        now_ms: Callable[[], int],
    ) -> None:
        self._reports = reports
        self._bundles = bundles
        self._between = between
        self._now_ms = now_ms
        self.subjects: dict[str, str] = {}  # by question
        self.truth: dict[str, bool] = {}  # by subject: whether both hold the same
        self._askers: dict[str, str] = {}
        self._ended: set[tuple[str, str, str]] = set()  # (agency, question, partner): as its own disk has it
        self._told: set[tuple[str, str, str]] = set()

    def journal(self, agency: str, stage: str, fields: Mapping[str, Any]) -> None:
        """Take in an entry of a node's journal."""
        match stage:
            case "asked":
                self.subjects[fields["hid"]] = fields["subject"]
                self._askers[fields["hid"]] = agency
                self._between.begin("question and answer", (fields["hid"], fields["partner"]))
            case "answered":
                self._answered(agency, fields)
            case "unanswered" | "answer_due":
                self._due(agency, fields)
            case "released" | "verified" if fields["kind"] == "answer":
                readers = {agency} if stage == "verified" else set(fields["audience"])
                self._check_readers(f"an answer of {agency}", fields["ref"], readers)

    def record(self, stage: str, agency: str, value: Any) -> None:
        """Take in a record of the router."""
        if stage == "admitted" and value[0] == "answer":
            self._check_readers(
                f"the router admitted an answer of {agency}: it", value[1].hex(), {to for to, _ in value[4]}
            )

    def _check_readers(self, what: str, question: str, readers: set[str]) -> None:
        if readers != {self._askers.get(question, "")}:
            self._reports.broke(ANSWERED, f"{what} went to {sorted(readers)}, who did not ask {question}")

    def _answered(self, agency: str, fields: Mapping[str, Any]) -> None:
        key = (agency, fields["hid"], fields["partner"])
        outcome = fields["outcome"]
        if fields["mine"]:
            self._between.end("question and answer", (fields["hid"], fields["partner"]), (agency, fields["partner"]))
            self._reports.saw(f"question settled: {outcome}")
        if outcome not in _ENDS:
            return
        if key in self._ended:
            self._reports.broke(ANSWERED, f"{agency} has a second answer about {fields['hid']}: {outcome}")
        self._ended.add(key)
        truth = self.truth.get(self.subjects.get(fields["hid"], ""))
        if fields["mine"] and outcome in {"hit", "no_hit"} and truth is not (outcome == "hit"):
            self._reports.broke(ANSWERED, f"{agency} was told {outcome} by {fields['partner']}, which is not true")

    def _due(self, agency: str, fields: Mapping[str, Any]) -> None:
        key = (agency, fields["hid"], fields["partner"])
        self._reports.saw("question due and open")
        if key in self._told:
            self._reports.broke(ANSWERED, f"{agency} was told a second time that {fields['hid']} is due")
        self._told.add(key)

    def node_put_back(self, agency: str, sql: sqlite3.Connection) -> None:
        """Take in what a node still knows of questions."""
        self._ended = {key for key in self._ended if key[0] != agency}
        self._told = {key for key in self._told if key[0] != agency}
        rows = sql.execute(
            "SELECT stage, fields FROM journal WHERE stage IN ('answered', 'unanswered', 'answer_due') ORDER BY number"
        )
        for stage, packed in rows:
            fields = json.loads(packed)
            key = (agency, fields["hid"], fields["partner"])
            if stage != "answered":
                self._told.add(key)
            elif fields["outcome"] in _ENDS:
                self._ended.add(key)

    # At the end.

    def open(self, databases: Mapping[str, sqlite3.Connection]) -> list[str]:
        """Return questions of whose end nobody was told; databases are given by owner."""
        if not self.subjects:
            return []
        due_ms = self._now_ms() + _DUE_MS_MOST
        return [
            f"{agency} has questions that wait"
            for agency, sql in databases.items()
            if agency not in self._bundles.revoked_anywhere and sql.execute(_WAITING, (due_ms,)).fetchone()[0]
        ]
