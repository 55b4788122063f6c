"""The ghost's account of consent: a grant counts for its portions, its reader and its time, and silence is a refusal.

It keeps grants as their originators' desks gave them, and who knows of which since when; whether one covers something
is asked here in another way than nodes do. Requests lapse by each side's own clock, so both ends are laid side by side
once all is settled.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agencies.drafts import Quote
from scenarios.soak.ghost_between import Between
from scenarios.soak.ghost_community import Bundles
from scenarios.soak.ghost_reports import Reports
from scenarios.soak.invariants import CONSENT, Tolerance
from scenarios.soak.losses import Losses
from scenarios.soak.reference import BROKER

# Nothing in a plan is asked for longer; what is due later was asked for by a clock that leapt.
_DUE_MS_MOST: Final = 120_000
_NEVER: Final = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a desk grants by a decision on a request; ``expires`` is Unix ms, None for good."""

    request: str
    hid: bytes
    bits: int
    originator: str
    asker: str
    reader: str
    expires: int | None

    def covers(self, hid: bytes, place: int, reader: str, at_ms: int) -> bool:
        """Tell whether a portion may go to a reader by it."""
        in_time = self.expires is None or at_ms < self.expires
        return (hid, reader) == (self.hid, self.reader) and bool(self.bits >> place & 1) and in_time


class Consents:
    """Every request, decision and grant of a run.

    Args:
        reports: Who was given what.
        bundles: Who is revoked.
        losses: Whose disks were put back.
        tolerance: What the plan makes legitimate.
        between: Told of what a fault may fall between.
        now_ms: Unix ms, by a clock that does not err.
    """

    def __init__(
        self,
        reports: Reports,
        bundles: Bundles,
        losses: Losses,
        *,
        tolerance: Tolerance,
        between: Between,
        now_ms: Callable[[], int],
    ) -> None:
        self._reports = reports
        self._bundles = bundles
        self._losses = losses
        self._tolerance = tolerance
        self._between = between
        self._now_ms = now_ms
        self.means: dict[str, Given] = {}  # by the desk's order
        self.subjects: dict[str, str] = {}  # of requests
        self._copied: set[str] = set()  # orders of which the reader was told besides who asked
        self.parties: dict[str, tuple[str, str]] = {}  # who asks and who is asked, by request
        self._decisions: dict[str, str] = {}  # which request each decides
        self._given: dict[str, Given] = {}  # by decision
        self._known: dict[str, dict[str, int]] = {}  # (agency, decision): since when
        self._lapsed: set[tuple[str, str]] = set()  # (agency, request)

    def has_decided(self, request: str) -> bool:
        """Tell whether a request has its decision."""
        return request in self._decisions.values()

    def has_told(self, order: str) -> bool:
        """Tell whether the reader of a grant was told of it."""
        return order in self._copied

    def covers(self, agency: str, quote: Quote, reader: str, at_ms: int) -> bool:
        """Tell whether an agency knows of a grant that covers a quoted portion for a reader."""
        return any(
            since_ms <= at_ms and self._given[decision].covers(quote.hid, quote.place, reader, at_ms)
            for decision, since_ms in self._known.get(agency, {}).items()
        )

    def journal(self, agency: str, at_ms: int, stage: str, fields: Mapping[str, Any]) -> None:
        """Take in an entry of a node's journal."""
        match stage:
            case "requested":
                self.parties[fields["hid"]] = (agency, fields["originator"])
                self.subjects[fields["hid"]] = fields["subject"]
                self._between.begin("request and decision", fields["hid"])
            case "decision":
                given = self.means.get(fields["order"])
                self._decisions[fields["hid"]] = fields["request"]
                if fields["copy"]:
                    self._copied.add(fields["order"])
                self._between.end("request and decision", fields["request"], (agency, fields["asker"]))
                if given is not None:
                    self._given[fields["hid"]] = given
                    self._learn(agency, fields["hid"], at_ms)
                    self._between.begin("decision and re-release", fields["order"])
            case "released" if fields["order"] in self.means:
                self._between.end("decision and re-release", fields["order"], (agency,))
                self._between.begin("re-release and its end", (fields["hid"], fields["order"]))
            case "verified" if fields["kind"] == "decision":
                self._learn(agency, fields["hid"], at_ms)
            case "verified" if fields["kind"] == "report":
                self._taken(agency, at_ms, fields)
            case "grant_over":
                self._over(agency, fields)
            case "lapsed":
                self._lapse(agency, at_ms, fields)

    def _learn(self, agency: str, decision: str, at_ms: int) -> None:
        if decision in self._given:
            self._known.setdefault(agency, {}).setdefault(decision, at_ms)

    def _over(self, agency: str, fields: Mapping[str, Any]) -> None:
        self._reports.saw("grant over")
        given = self._given.get(fields["decision"])
        if given is not None and agency == given.reader:
            self._reports.end(agency, fields["hid"], int(fields["bits"]))
            self._between.end("re-release and its end", (fields["hid"], self._order(given)), (agency,))

    def _order(self, given: Given) -> str:
        return next(order for order, meant in self.means.items() if meant is given)

    def _taken(self, reader: str, at_ms: int, fields: Mapping[str, Any]) -> None:
        """A reader that knows that a grant is over must not take up what comes by it."""
        hid, bits = bytes.fromhex(fields["hid"]), int(fields["bits"])
        known = [self._given[name] for name in self._known.get(reader, {}) if self._given[name].hid == hid]
        for given in known:
            mine = given.reader == reader and given.expires is not None and given.expires <= at_ms
            late = bits & given.bits & ~self._plainly_given(fields["hid"], reader) if mine else 0
            for other in known:
                late &= ~(other.bits if other.reader == reader and (other.expires or _NEVER) > at_ms else 0)
            if late:
                self._reports.broke(CONSENT, f"{reader} took portions {late:b} of {fields['hid']} after its grant")

    def _plainly_given(self, hid: str, reader: str) -> int:
        """Return what a reader was given of a message by no grant."""
        sent = self._reports.sent.get(hid)
        return 0 if sent is None else sent.bits(reader) & ~sent.granted.get(reader, 0)

    def _lapse(self, agency: str, at_ms: int, fields: Mapping[str, Any]) -> None:
        self._reports.saw("request lapsed")
        key = (agency, fields["hid"])
        if key in self._lapsed:
            self._reports.broke(CONSENT, f"the request {fields['hid']} lapsed at {agency} a second time")
        if at_ms <= fields["answer_by_ms"]:
            self._reports.broke(CONSENT, f"the request {fields['hid']} lapsed at {agency} before its time")
        self._lapsed.add(key)

    def node_put_back(self, agency: str, sql: sqlite3.Connection) -> None:
        """Take in what a node still knows of consent."""
        self._known.pop(agency, None)
        self._lapsed = {pair for pair in self._lapsed if pair[0] != agency}
        rows = sql.execute(
            "SELECT at_ms, stage, fields FROM journal WHERE stage IN ('verified', 'decision', 'lapsed') ORDER BY number"
        )
        for at_ms, stage, packed in rows:
            fields = json.loads(packed)
            if stage == "lapsed":
                self._lapsed.add((agency, fields["hid"]))
            else:
                self._learn(agency, fields["hid"], at_ms)

    # At the end.

    def open(self, databases: Mapping[str, sqlite3.Connection]) -> list[str]:
        """Return requests and grants that have not come to their end; databases are given by owner."""
        found: list[str] = []
        if not self.parties:
            return found  # nobody has asked for anything
        now_ms, struck = self._now_ms(), self._bundles.revoked_anywhere
        for agency, sql in databases.items():
            if agency in struck:
                continue
            rows = sql.execute("SELECT hid, answer_by FROM request WHERE state = 'open'").fetchall()
            found += [f"a request waits at {agency}" for _, due in rows if due <= now_ms + _DUE_MS_MOST]
            rows = sql.execute("SELECT expires FROM consent WHERE ended = 0").fetchall()
            found += [f"a grant runs on at {agency}" for (end,) in rows if end <= now_ms + _DUE_MS_MOST]
        found += [text for given in self._given.values() if (text := self._outlived(given, databases, now_ms))]
        found += [text for hid in self.parties if (text := self._parted(hid, databases))]
        return found

    def _outlived(self, given: Given, databases: Mapping[str, sqlite3.Connection], now_ms: int) -> str:
        """Say of a grant that is over that its reader still holds what came by it."""
        hid = given.hid.hex()
        if given.expires is None or now_ms < given.expires or given.reader in self._bundles.revoked_anywhere:
            return ""
        covered = self._plainly_given(hid, given.reader)
        for other in self._given.values():
            if (other.hid, other.reader) == (given.hid, given.reader) and (other.expires or _NEVER) > now_ms:
                covered |= other.bits
        rows = databases[given.reader].execute("SELECT place FROM portion WHERE hid = ?", (given.hid,)).fetchall()
        held = sum(1 << place for (place,) in rows) & given.bits & ~covered
        if not held:
            return ""
        if given.reader in self._losses.put_back or given.originator in self._losses.put_back:
            self._reports.saw("grant forgotten with a disk")
            return ""
        if self._is_unheard(given):
            return ""
        return f"{given.reader} holds {held:b} of {hid} after its grant"

    def _is_unheard(self, given: Given) -> bool:
        """Tell whether the reader has refused the decision, or was not given it: a clock that errs, or a disk."""
        decisions = [hid for hid, other in self._given.items() if other is given]
        return self._tolerance.refusals and not any(hid in self._known.get(given.reader, {}) for hid in decisions)

    def _parted(self, request: str, databases: Mapping[str, sqlite3.Connection]) -> str:
        """Say of a request that its two ends have it otherwise."""
        key = bytes.fromhex(request)
        ends = self.parties[request]
        struck = {*ends} & (self._bundles.revoked_anywhere | self._losses.put_back)
        if struck or not self._is_heard(request):
            return ""
        states = [
            databases[agency].execute("SELECT state FROM request WHERE hid = ?", (key,)).fetchone() for agency in ends
        ]
        if None in states or states[0] == states[1]:
            return ""
        # A leaping clock may have let it lapse here and not there, where its time is yet to come.
        return (
            ""
            if ("open",) in states
            else f"the request {request} is {states[0][0]} at one end, {states[1][0]} at the other"
        )

    def _is_heard(self, request: str) -> bool:
        """Tell whether every decision on a request was taken in by who asked.

        One that the broker has forgotten with its disk never comes; its author misses the receipt.
        """
        asker, originator = self.parties[request]
        reports, came = self._reports, self._known.get(asker, {})
        return all(
            (asker, hid) not in reports.rejected
            and "accepted" in reports.settled.get((originator, hid), [])
            and (hid in came or BROKER not in self._losses.put_back)
            for hid, decided in self._decisions.items()
            if decided == request
        )
