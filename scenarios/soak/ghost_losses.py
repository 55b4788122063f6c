"""The ghost's account after a disk came back as it was before: what its owner still knows is read off it anew.

What everybody else knows stays. So a message that its author has forgotten may still arrive, and one that its reader
has forgotten may come again; both are no fault, and two effects on one disk still are.
"""

import json
import sqlite3
from collections import Counter
from typing import Any

from scenarios.soak.ghost_reports import REPORTED, Reports


def router_put_back(reports: Reports, sql: sqlite3.Connection) -> None:
    """Take in what the router still knows of reports."""
    admitted = sql.execute("SELECT hid FROM record WHERE stage = 'admitted'")
    reports.admitted = dict(Counter(hid.hex() for (hid,) in admitted))
    cancelled = sql.execute("SELECT agency, hid FROM record WHERE stage = 'cancelled' AND hid NOTNULL")
    reports.cancelled = {(agency, hid.hex()) for agency, hid in cancelled}


def node_put_back(reports: Reports, agency: str, sql: sqlite3.Connection) -> None:
    """Take in what a node still knows of reports, its own and others'."""
    _forget(reports, agency)
    released: Counter[str] = Counter()
    for stage, packed in sql.execute("SELECT stage, fields FROM journal ORDER BY number"):
        fields = json.loads(packed)
        if stage == "released":
            released[fields["hid"]] += 1
        else:
            _remember(reports, agency, stage, fields)
    for hid, sent in reports.sent.items():
        if sent.author == agency:
            sent.forgotten = len(sent.audiences) - released[hid]


def _forget(reports: Reports, agency: str) -> None:
    """Leave out all that stands on one node's disk."""
    for pair in [pair for pair in reports.settled if pair[0] == agency]:
        del reports.settled[pair]
    for kept in (reports.verified, reports.times, reports.ended):
        for pair in [pair for pair in kept if pair[0] == agency]:
            del kept[pair]
    reports.heard = {pair for pair in reports.heard if pair[0] != agency}
    reports.receipts = {receipt for receipt in reports.receipts if receipt[0] != agency}


def _remember(reports: Reports, agency: str, stage: str, fields: dict[str, Any]) -> None:
    """Take in an entry of a journal that was put back."""
    match stage:
        case "accepted" | "refused":
            reports.settled.setdefault((agency, fields["hid"]), []).append(stage)
        case "expired" if not fields["accepted"]:
            reports.settled.setdefault((agency, fields["hid"]), []).append(stage)
        case "verified" if fields["kind"] in REPORTED:
            pair = (agency, fields["hid"])
            before = reports.verified.get(pair, 0)
            reports.times[pair] = reports.times.get(pair, 1) + bool(before & int(fields["bits"]))
            reports.verified[pair] = before | int(fields["bits"])
        case "verified":
            reports.heard.add((agency, fields["hid"]))
        case "grant_over":
            reports.end(agency, fields["hid"], int(fields["bits"]))
        case "receipt" if fields["status"] == "delivered" or "decision" in fields:
            reports.receipts.add((agency, fields["hid"], fields["reader"]))
        case _:
            pass
