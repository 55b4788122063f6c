"""The ghost's account after a disk came back as it was before: what its owner still knows is read off it anew.

What everybody else knows stays. So a message that its author has forgotten may still arrive, and one that its reader
has forgotten may come again; both are no fault, and two effects on one disk still are.
"""

import json
import sqlite3
from collections import Counter

from scenarios.soak.ghost_reports import Reports


def router_put_back(reports: Reports, sql: sqlite3.Connection) -> None:
    """Take in what the router still knows of reports."""
    admitted = sql.execute("SELECT hid FROM record WHERE stage = 'admitted'")
    reports.admitted = dict(Counter(hid.hex() for (hid,) in admitted))
    cancelled = sql.execute("SELECT agency, hid FROM record WHERE stage = 'cancelled' AND hid NOTNULL")
    reports.cancelled = {(agency, hid.hex()) for agency, hid in cancelled}


def node_put_back(reports: Reports, agency: str, sql: sqlite3.Connection) -> None:
    """Take in what a node still knows of reports, its own and others'."""
    for pair in [pair for pair in reports.settled if pair[0] == agency]:
        del reports.settled[pair]
    for pair in [pair for pair in reports.verified if pair[0] == agency]:
        del reports.verified[pair]
    reports.receipts = {receipt for receipt in reports.receipts if receipt[0] != agency}
    released: Counter[str] = Counter()
    for stage, packed in sql.execute("SELECT stage, fields FROM journal ORDER BY number"):
        if stage in {"accepted", "refused"} or (stage == "expired" and not json.loads(packed)["accepted"]):
            reports.settled.setdefault((agency, json.loads(packed)["hid"]), []).append(stage)
        elif stage == "released":
            released[json.loads(packed)["hid"]] += 1
        elif stage == "verified":
            fields = json.loads(packed)
            if fields["kind"] == "report":
                pair = (agency, fields["hid"])
                reports.verified[pair] = reports.verified.get(pair, 0) | int(fields["bits"])
        elif stage == "receipt":
            fields = json.loads(packed)
            if fields["status"] == "delivered":
                reports.receipts.add((agency, fields["hid"], fields["reader"]))
    for hid, sent in reports.sent.items():
        if sent.author == agency:
            sent.forgotten = len(sent.audiences) - released[hid]
