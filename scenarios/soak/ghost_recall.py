"""The ghost's account of recalls: once one is admitted, nothing of its message is released, held or taken up again.

A recall that comes before its message, to who is away, twice, or after an old copy of a disk was put back is the same
recall: whoever ever had any of it ends without it, and says so under its own signature.
"""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scenarios.soak.ghost_community import Bundles
from scenarios.soak.ghost_reports import Reports
from scenarios.soak.invariants import RECALLED, Tolerance
from scenarios.soak.losses import Losses
from scenarios.soak.reference import BROKER
from schemas.codec import unpack
from schemas.errors import RemoteError
from schemas.frames import ChunkMessage, Delivery, read_down_frame
from schemas.limits import FRAME_BYTES_MAX
from sealing.received import read_envelope


@dataclass(frozen=True, slots=True)
class Asked:
    """A recall as its author's disk has it."""

    author: str
    recall: str  # its own id
    readers: tuple[str, ...]


class Recalls:
    """Every recall of a run.

    Args:
        reports: Who was ever given what.
        bundles: Who is revoked.
        losses: Whose disks were put back.
        tolerance: What the plan makes legitimate: of a receipt that was refused, nothing more comes.
    """

    def __init__(self, reports: Reports, bundles: Bundles, losses: Losses, tolerance: Tolerance) -> None:
        self._tolerance = tolerance
        self._reports = reports
        self._bundles = bundles
        self._losses = losses
        self._broke = reports.broke
        self.saw: Callable[[str], None] = reports.saw
        self.asked: dict[str, list[Asked]] = {}  # by the message's id
        self.admitted: dict[str, str] = {}  # the recalls that the router knows, and of what
        self._erased: set[tuple[str, str]] = set()  # (agency, message)
        self._confirmed: set[tuple[str, str, str]] = set()  # (author, message, reader)

    def has_erased(self, agency: str, hid: str) -> bool:
        """Tell whether an agency has erased a message at its author's recall, as its own disk has it."""
        return (agency, hid) in self._erased

    @property
    def recalled(self) -> set[str]:
        """The messages of which the router must release nothing any more."""
        return set(self.admitted.values())

    def journal(self, agency: str, stage: str, fields: Mapping[str, Any]) -> bool:
        """Take in an entry of a node's journal; True if it tells of a recall and of nothing else."""
        match stage:
            case "released" if fields["kind"] == "recall":
                asked = Asked(agency, fields["hid"], tuple(fields["audience"]))
                self.asked.setdefault(fields["ref"], []).append(asked)
                return True
            case "receipt" if fields["status"] in {"purged", "cannot"} and "decision" not in fields:
                self._confirmed.add((agency, fields["hid"], fields["reader"]))
                return True
            case "recalled":
                self._erased.add((agency, fields["hid"]))
                return True
            case "verified" if (agency, fields["hid"]) in self._erased:
                self._broke(RECALLED, f"{agency} took up {fields['hid']} again, erased at its author's recall")
        return False

    def record(self, stage: str, hid: str, agency: str, value: Any) -> None:
        """Take in a record of the router: of a recall, or of anything that must not have been recalled."""
        if self._tolerance.lying:
            return  # what the router does about recalls is for its readers to withstand
        if stage == "admitted":
            kind, ref, *_ = value
            if kind == "recall":
                self.admitted[hid] = ref.hex()
            elif hid in self.recalled:
                self._broke(RECALLED, f"the router admitted a release of {hid} after its recall")
        elif stage == "delivered" and hid in self.recalled:
            self._broke(RECALLED, f"{hid} counts as delivered to {agency} after its recall")

    # What the router sends.

    def frame_down(self, agency: str, frame: bytes) -> None:
        """See a frame that the broker sends: nothing of what was recalled may be in it."""
        if not self.admitted or (b"delivery" not in frame and b"chunk" not in frame):
            return
        try:
            messages = read_down_frame(frame)
        except RemoteError:
            return
        for message in messages:
            hid = ""
            if isinstance(message, ChunkMessage):
                hid = message.hid.hex()
            elif isinstance(message, Delivery) and message.envelope:
                try:
                    hid = read_envelope(message.envelope).hid.hex()
                except RemoteError:
                    continue
            if hid in self.recalled:
                self._broke(RECALLED, f"a frame to {agency} holds some of {hid} after its recall")

    # After a disk was put back.

    def router_put_back(self, sql: sqlite3.Connection) -> None:
        """Take in which recalls the router still knows."""
        self.admitted.clear()
        for hid, body in sql.execute("SELECT hid, body FROM record WHERE stage = 'admitted'"):
            kind, ref, *_ = unpack(body, bytes_max=FRAME_BYTES_MAX)
            if kind == "recall":
                self.admitted[hid.hex()] = ref.hex()

    def node_put_back(self, agency: str, sql: sqlite3.Connection) -> None:
        """Take in what a node still knows of recalls, its own and others'."""
        self._erased = {pair for pair in self._erased if pair[0] != agency}
        self._erased |= {(agency, hid.hex()) for (hid,) in sql.execute("SELECT hid FROM inbox WHERE recalled = 1")}
        self._confirmed = {item for item in self._confirmed if item[0] != agency}
        for hid, reader in sql.execute("SELECT hid, reader FROM receipt WHERE status IN ('purged', 'cannot')"):
            self._confirmed.add((agency, hid.hex(), reader))

    # At the end.

    def unexplained(self, databases: Mapping[str, sqlite3.Connection]) -> list[str]:
        """Return what a recall has not reached, or has left without a word; databases are given by owner."""
        missing: list[str] = []
        if self._tolerance.lying:
            return missing  # its authors are told of the receipts that do not come
        for hid, asked in self.asked.items():
            carried_out = [item for item in asked if self._is_accepted(item, hid)]
            if not carried_out and self._is_left_refused(asked):
                missing.append(f"{asked[-1].author} has not repeated its recall of {hid}, which was refused")
            for reader in sorted({reader for item in carried_out for reader in item.readers}):
                missing += self._unexplained_at(hid, carried_out[0].author, reader, databases[reader])
        return missing

    def _is_accepted(self, asked: Asked, hid: str) -> bool:
        verdicts = self._reports.settled.get((asked.author, asked.recall), [])
        if "accepted" in verdicts and self.admitted.get(asked.recall) != hid:
            # The broker has forgotten it with its disk; its author misses the receipts of who was away, and repeats it.
            self.saw("recall forgotten by the broker")
            if BROKER not in self._losses.put_back:
                self._broke(RECALLED, f"the router has no record of the recall of {hid}")
            return False
        return "accepted" in verdicts and asked.author not in self._bundles.revoked_anywhere

    def _is_left_refused(self, asked: list[Asked]) -> bool:
        """Tell whether an author left it at a refusal, though one of its readers could have been told."""
        last, struck = asked[-1], self._bundles.revoked_anywhere
        # A clock that errs has it refused in earnest, and who has forgotten does not know whom to tell.
        if self._tolerance.skewed or {BROKER, last.author} & self._losses.put_back:
            return False
        told = {reader for item in asked for reader in item.readers}
        refused = self._reports.settled.get((last.author, last.recall), []) == ["refused"]
        return refused and last.author not in struck and bool(told - struck)

    def _unexplained_at(self, hid: str, author: str, reader: str, sql: sqlite3.Connection) -> list[str]:
        refused = any((reader, item.recall) in self._reports.rejected for item in self.asked[hid])
        if reader in self._bundles.revoked_anywhere or refused:
            return []
        key = bytes.fromhex(hid)
        erased = sql.execute("SELECT 1 FROM inbox WHERE hid = ? AND recalled = 1", (key,)).fetchone()
        left = sql.execute("SELECT 1 FROM portion WHERE hid = ?1 UNION SELECT 1 FROM chunk WHERE hid = ?1", (key,))
        if erased is None or left.fetchone() is not None:
            return [f"{reader} still holds {hid}, which {author} has recalled"]
        confirmed = (author, hid, reader) in self._confirmed
        if not confirmed and not self._tolerance.refusals:
            return [f"{author} has no receipt of {reader} for the recall of {hid}"]
        self.saw("recall carried out")
        return []
