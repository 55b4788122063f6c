"""The ghost's account of joint products: k signatures over one text before it goes out, and nothing kept of who left.

Signatures are counted on the wire, with the keys of the bundle, over the id of what is delivered; what the lead's
journal says of them is compared with that.
"""

import sqlite3
from collections.abc import Mapping
from typing import Any

from scenarios.soak.ghost_between import Between
from scenarios.soak.ghost_community import Bundles
from scenarios.soak.ghost_reports import Reports
from scenarios.soak.invariants import COSIGNED
from scenarios.soak.losses import Losses
from schemas.errors import RemoteError
from sealing.directory import SignDirectory
from sealing.primitives import SIGN_COSIGN
from sealing.received import Received


class JointWatch:
    """Every joint product of a run.

    Args:
        reports: Who was given what.
        bundles: Who holds which bundle, and whose signature counts.
        losses: Whose disks were put back.
        between: Told of what a fault may fall between.
    """

    def __init__(self, reports: Reports, bundles: Bundles, losses: Losses, *, between: Between) -> None:
        self._reports = reports
        self._bundles = bundles
        self._losses = losses
        self._between = between
        self.needed: dict[str, int] = {}  # by order, as the desk means it
        self._members: dict[str, int] = {}  # how many each text names
        self._left: dict[str, set[str]] = {}  # who has left each text, as its lead knows
        self._again: dict[str, str] = {}  # the text that each was made again as

    def journal(self, agency: str, stage: str, fields: Mapping[str, Any]) -> None:
        """Take in an entry of a node's journal, after the reports of it."""
        match stage:
            case "joint_asked":
                self._members[fields["hid"]] = len(fields["cosigners"])
                self._between.begin("proposal and answer", fields["hid"])
            case "cosign_received":
                self._answered(agency, fields)
            case "joint_released":
                self._between.end("two co-signatures", fields["hid"], (agency, *fields["cosigned"]))
                self._check_count(f"{agency} released", fields["hid"], len(set(fields["cosigned"])))
            case "joint_reissued":
                self._between.end("withdrawal and re-issue", fields["of"], (agency, *fields["without"]))
                self._reports.saw("joint product made again")
                if fields["hid"] is not None:
                    self._made_again(fields["of"], fields["hid"], set(fields["without"]))
            case "verified" if fields.get("cosigned") is not None and agency not in self._named(fields):
                self._check_count(f"{agency} took up", fields["hid"], len(set(fields["cosigned"])))

    @staticmethod
    def _named(fields: Mapping[str, Any]) -> set[str]:
        return {*fields["cosigned"], *fields["unsigned"]}

    def _answered(self, lead: str, fields: Mapping[str, Any]) -> None:
        hid, member = fields["hid"], fields["member"]
        self._between.end("proposal and answer", hid, (lead, member))
        if fields["answer"] == "signed":
            self._between.end("two co-signatures", hid, (lead, member))
            self._between.begin("two co-signatures", hid)
            return
        self._left.setdefault(hid, set()).add(member)
        self._between.begin("withdrawal and re-issue", hid)

    def _check_count(self, who: str, hid: str, signed: int) -> None:
        needed = self._needed(hid)
        if signed < needed:
            self._reports.broke(COSIGNED, f"{who} {hid} with {signed} of the {needed} signatures that it needs")

    def _needed(self, hid: str) -> int:
        """Return how many must have signed a text: as many as its lead asks for, or all where fewer are left."""
        return min(self.needed.get(self._reports.order_of.get(hid, ""), 0), self._members.get(hid, 0))

    def _made_again(self, of: str, hid: str, without: set[str]) -> None:
        """What is made in place of a text must hold nothing of who left it."""
        self._again[of] = hid
        theirs = {
            passage for sent in self._reports.sent.values() if sent.author in without for passage in sent.passages
        }
        kept = sorted(theirs & self._reports.sent[hid].passages)
        if kept or not self._left.get(of, set()) <= without:
            self._reports.broke(
                COSIGNED, f"{hid}, made in place of {of}, still has a part of {sorted(without)}: {kept}"
            )

    # What the router sends.

    def delivery(self, agency: str, received: Received) -> None:
        """See a cut on its way to a reader: who is not named in it gets it only with the signatures that it needs."""
        lead, *members = received.header.by
        if not members or agency in {lead, *members}:
            return
        # What was queued before its signer was revoked was signed all the same; whoever gets it now refuses it.
        signers = SignDirectory(self._bundles.first.bundle)
        signed = set()
        for member, signature in zip(members, received.envelope.cosignatures, strict=True):
            if signature is None:
                continue
            try:
                signers.verify(
                    member, SIGN_COSIGN, received.hid, signature, at=(received.header.ts, received.header.ts)
                )
            except RemoteError:
                continue
            signed.add(member)
        self._reports.saw("joint product delivered")
        self._check_count(f"the router sent {agency}", received.hid.hex(), len(signed))

    # At the end.

    def open(self, databases: Mapping[str, sqlite3.Connection]) -> list[str]:
        """Return products that wait for something still; databases are given by owner."""
        found: list[str] = []
        leads = {self._reports.sent[hid].author for hid in self._members if hid in self._reports.sent}
        for lead in sorted(leads - self._bundles.revoked_anywhere):
            sql = databases[lead]
            kept = {hid for (hid,) in sql.execute("SELECT hid FROM sealed WHERE packed != x''")}
            for hid, signed in sql.execute("SELECT hid, signed FROM joint_led WHERE plan != x''").fetchall():
                gone = sql.execute("SELECT 1 FROM joint_answer WHERE hid = ? AND signature ISNULL", (hid,)).fetchone()
                if set(self._reports.settled.get((lead, hid.hex()), [])) == {"refused"}:
                    continue  # its lead was told that nobody has it: a broker that was put back has forgotten the last
                if hid in kept and signed == 0:
                    found.append(f"{lead} waits for signatures of {hid.hex()}")
                elif signed < 0 or (hid in kept and gone is not None):
                    found.append(f"{lead} has not made {hid.hex()} again without those who left it")
        return found
