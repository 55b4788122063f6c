"""The ghost: sees every commit of every database and every frame to whom is revoked, and says what must not be.

Nodes and broker never read it. It keeps its own account from their journals and records, row by row as they become
durable, asks policy itself (``decide``, where the router and the nodes ask ``audience_mask``), and remembers the first
thing that broke. The numbers of the invariants are those of docs/adr and of the counters that a soak shows.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from policy.community import Community
from policy.decide import decide
from policy.verdict import Action
from schemas.codec import read_shape, unpack
from schemas.frames import Delivery, read_down_frame
from schemas.label import Label
from schemas.limits import FRAME_BYTES_MAX
from sealing.received import read_envelope

# The invariants, by number; a shrunk plan must break the same one.
NO_CRASH: Final = 0
NOTHING_LOST: Final = 1
ONE_EFFECT: Final = 2
NOTHING_UNSENT: Final = 3
ORACLE: Final = 4
REVOKED: Final = 5
NEVER_BACK: Final = 6
RECEIPTED: Final = 7
BOUNDS: Final = 8
NO_REMAINS: Final = 9
LIVELINESS: Final = 10

BROKER: Final = "broker"


@dataclass(frozen=True, slots=True)
class Violation:
    """What broke: the invariant's number, at which virtual time, and in words."""

    invariant: int
    at_ms: int
    text: str


@dataclass(slots=True)
class Sent:
    """A message of a report as its author's disk has it."""

    author: str
    at_ms: int
    labels: dict[int, Label]
    audiences: list[dict[str, int]] = field(default_factory=list)

    def bits(self, reader: str) -> int:
        """Return all portions that were ever released to a reader."""
        bits = 0
        for audience in self.audiences:
            bits |= audience.get(reader, 0)
        return bits


@dataclass(slots=True)
class Tolerance:
    """What a plan makes legitimate: a clock that errs, or a revocation, lets honest messages be refused, visibly."""

    skewed: bool
    revoking: bool

    @property
    def refusals(self) -> bool:
        """Whether an honest message may be refused."""
        return self.skewed or self.revoking


class Ghost:
    """Watches one run.

    Args:
        community: The bundle compiled for the ghost alone.
        tolerance: What the plan makes legitimate.
        now_ms: Virtual time.
    """

    def __init__(self, community: Community, *, tolerance: Tolerance, now_ms: Callable[[], int]) -> None:
        self._communities = {1: community}
        self._tolerance = tolerance
        self._now_ms = now_ms
        self._rows: dict[str, int] = {}  # rows seen of each journal and of the record
        self._versions: dict[str, int] = {}  # of the bundle, by node and broker
        self._numbers: dict[tuple[str, str], int] = {}  # whatever may never fall
        self._left_out: dict[str, dict[str, str]] = {}
        self._meant: dict[str, tuple[str, ...]] = {}
        self._trace = hashlib.blake2b(digest_size=16)
        self.lines: list[str] | None = None  # the trace in words, where it is asked for
        self.violation: Violation | None = None
        self.sent: dict[str, Sent] = {}
        self.accepted: set[str] = set()  # what a desk was told is accepted
        self.settled: dict[tuple[str, str], list[str]] = {}  # (author, hid): verdicts as the author has them
        self.admitted: dict[str, int] = {}
        self.verified: dict[tuple[str, str], int] = {}  # (reader, hid): bits
        self.rejected: set[tuple[str, str]] = set()
        self.cancelled: set[tuple[str, str]] = set()
        self.receipts: set[tuple[str, str, str]] = set()  # (author, hid, reader): delivered
        self.revoked: set[str] = set()
        self.revoked_anywhere: set[str] = set()
        self.sometimes: dict[str, int] = {}

    def trace_hash(self) -> str:
        """Return the hash over everything that became durable, in order."""
        return self._trace.hexdigest()

    def learn(self, version: int, community: Community, revoked: str) -> None:
        """Be told of a later bundle before anybody else is."""
        self._communities[version] = community
        self.revoked_anywhere.add(revoked)

    def broke(self, invariant: int, text: str) -> None:
        """Note that an invariant does not hold; the first one counts."""
        if self.violation is None:
            self.violation = Violation(invariant, self._now_ms(), text)

    def saw(self, what: str) -> None:
        """Count a fault, or a branch of recovery, that was taken."""
        self.sometimes[what] = self.sometimes.get(what, 0) + 1

    # What became durable.

    def committed(self, owner: str, sql: sqlite3.Connection) -> None:
        """Take in what a commit added."""
        seen = self._rows.get(owner, 0)
        if owner == BROKER:
            rows = sql.execute("SELECT number, at, stage, hid, agency, body FROM record WHERE number > ?", (seen,))
            taken: Iterable[tuple[Any, ...]] = rows.fetchall()
        else:
            rows = sql.execute("SELECT number, at_ms, machine_ms, stage, fields FROM journal WHERE number > ?", (seen,))
            taken = rows.fetchall()
        for row in taken:
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
            found = sql.execute("SELECT name, number FROM value").fetchall()
            found += sql.execute("SELECT 'to ' || reader, next FROM sequence").fetchall()
            found.append(("outbox", sql.execute("SELECT count(*) FROM outbox").fetchone()[0]))
        for name, number in found:
            if number < self._numbers.get((owner, name), 0):
                before = self._numbers[owner, name]
                self.broke(NEVER_BACK, f"{owner}: {name} fell from {before} to {number}")
            self._numbers[owner, name] = number

    def _journal(self, agency: str, at_ms: int, stage: str, fields: dict[str, Any]) -> None:
        self.saw(f"node {stage}" + (f" {fields['code']}" if "code" in fields else ""))
        match stage:
            case "intended":
                self._left_out[agency], self._meant[agency] = fields["left_out"], tuple(fields["to"])
            case "released":
                self._released(agency, at_ms, fields)
            case "accepted" | "refused":
                self._verdict(agency, stage, fields)
            case "verified":
                if fields["kind"] == "report":
                    self._verified(agency, fields)
            case "rejected":
                self._rejected(agency, fields)
            case "receipt":
                self._receipt(agency, fields)
            case "misreleased" if not self._tolerance.refusals:
                self.broke(ORACLE, f"{agency} got what it may not have of {fields['hid']}: {fields['rule']}")
            case "gap":
                self.broke(NEVER_BACK, f"{agency} lost {fields['deliveries']} deliveries that it had acked")
            case "bundle":
                if fields["version"] < self._versions.get(agency, 1):
                    self.broke(NEVER_BACK, f"{agency} went back to bundle {fields['version']}")
                self._versions[agency] = fields["version"]
            case _:
                pass

    def _released(self, author: str, at_ms: int, fields: dict[str, Any]) -> None:
        hid, audience = fields["hid"], {reader: int(bits) for reader, bits in fields["audience"].items()}
        sent = self.sent.get(hid)
        if sent is None:
            labels = {item["place"]: _label(item["label"]) for item in fields["portions"]}
            sent = self.sent[hid] = Sent(author, at_ms, labels)
        sent.audiences.append(audience)
        community = self._communities[self._versions.get(author, 1)]
        meant = self._meant.get(author) or tuple(agency.agency for agency in community.bundle.agencies)
        left_out = self._left_out.get(author, {})
        for reader in meant:
            if reader == author or left_out.get(reader) == "KEY-EPOCH":
                continue
            bits = self._oracle(sent, author, reader, at_ms, community)
            if bits != audience.get(reader, 0):
                msg = f"{author} released {audience.get(reader, 0):b} of {hid} to {reader}; policy says {bits:b}"
                self.broke(ORACLE, msg)
        if not set(audience) <= set(meant):
            self.broke(ORACLE, f"{author} released {hid} to {sorted(set(audience) - set(meant))}, who were not meant")

    @staticmethod
    def _oracle(sent: Sent, author: str, reader: str, at_ms: int, community: Community) -> int:
        bits = 0
        for place, label in sent.labels.items():
            verdict = decide(
                label, originator=author, recipient=reader, action=Action.RELEASE, at_ms=at_ms, community=community
            )
            bits |= int(verdict.permit) << place
        return bits

    def _verdict(self, agency: str, stage: str, fields: dict[str, Any]) -> None:
        hid = fields["hid"]
        self.settled.setdefault((agency, hid), []).append(stage)
        if stage == "accepted" and hid not in self.admitted:
            self.broke(NOTHING_LOST, f"{agency} was told that {hid} is accepted; the router has no record of it")
        if stage == "refused" and not self._tolerance.refusals:
            self.broke(ORACLE, f"an honest message of {agency} was refused: {fields['code']} {fields['refusals']}")

    def _verified(self, reader: str, fields: dict[str, Any]) -> None:
        hid, bits = fields["hid"], int(fields["bits"])
        before = self.verified.get((reader, hid), 0)
        if before & bits:
            self.broke(ONE_EFFECT, f"{reader} took portions {before & bits:b} of {hid} a second time")
        self.verified[reader, hid] = before | bits
        sent = self.sent.get(hid)
        if sent is None or sent.author != fields["originator"] or bits & ~sent.bits(reader):
            self.broke(NOTHING_UNSENT, f"{reader} took {bits:b} of {hid}, which was never released to it")
            return
        for item in fields["portions"]:
            if _label(item["label"]) != sent.labels[item["place"]]:
                self.broke(NOTHING_UNSENT, f"{reader} has another label at place {item['place']} of {hid}")

    def _rejected(self, agency: str, fields: dict[str, Any]) -> None:
        if fields["hid"] is not None:
            self.rejected.add((agency, fields["hid"]))
        if not self._tolerance.refusals:
            self.broke(NOTHING_UNSENT, f"{agency} rejected what an honest agency sent: {fields['code']}")

    def _receipt(self, author: str, fields: dict[str, Any]) -> None:
        hid, reader = fields["hid"], fields["reader"]
        if not self.verified.get((reader, hid), 0) and (reader, hid) not in self.rejected:
            self.broke(RECEIPTED, f"{author} holds a receipt of {reader} for {hid}, which that disk does not have")
        if fields["status"] == "delivered":
            self.receipts.add((author, hid, reader))

    def _record(self, at_ms: int, stage: str, hid: bytes | None, agency: str, body: bytes) -> None:
        self.saw(f"router {stage}")
        value: Any = unpack(body, bytes_max=FRAME_BYTES_MAX) if body else ()
        match stage:
            case "bundle":
                version = value[0]
                if version < self._versions.get(BROKER, 1):
                    self.broke(NEVER_BACK, f"the router went back to bundle {version}")
                self._versions[BROKER] = version
                bundle = self._communities[version].bundle
                self.revoked = {item.agency for item in bundle.agencies if item.status != "active"}
            case "admitted" if hid is not None:
                self._admitted(hid.hex(), agency, value)
            case "decided":
                self._decided(at_ms, agency, value)
            case "delivered" if hid is not None:
                if agency in self.revoked:
                    self.broke(REVOKED, f"{hid.hex()} was delivered to {agency} after it was revoked")
                self._delivered(hid.hex(), agency)
            case "cancelled":
                if hid is not None:
                    self.cancelled.add((agency, hid.hex()))
            case _:
                pass

    def _admitted(self, hid: str, author: str, value: Any) -> None:
        kind, _ref, _wraps, re_release, audience = value
        self.admitted[hid] = self.admitted.get(hid, 0) + 1
        named = {reader: int(bits) for reader, bits in audience}
        struck = self.revoked & {author, *named}
        if struck:
            self.broke(REVOKED, f"{hid} was admitted after {', '.join(sorted(struck))} had been revoked")
        if kind != "report":
            return
        sent = self.sent.get(hid)
        if sent is None or sent.author != author or named not in sent.audiences:
            self.broke(NOTHING_UNSENT, f"the router admitted {hid} of {author} with an audience that nobody released")
        elif self.admitted[hid] > len(sent.audiences):
            self.broke(ONE_EFFECT, f"the router admitted {hid} more often than it was released")
        if not re_release and self.admitted[hid] > 1:
            self.broke(ONE_EFFECT, f"the router admitted {hid} anew")

    def _decided(self, at_ms: int, author: str, value: Any) -> None:
        _place, packed, permitted = value
        label = read_shape(Label, packed)
        community = self._communities[self._versions.get(BROKER, 1)]
        for reader in permitted:
            verdict = decide(
                label, originator=author, recipient=reader, action=Action.RELEASE, at_ms=at_ms, community=community
            )
            if not verdict.permit:
                self.broke(ORACLE, f"the router lets {reader} have {label.topic} of {author}; policy: {verdict.rule}")

    def _delivered(self, hid: str, reader: str) -> None:
        """The router has an ack for it, so it takes it off the queue: the reader's disk must have dealt with it."""
        sent = self.sent.get(hid)
        if sent is not None and (reader, hid) not in self.rejected and (reader, hid) not in self.verified:
            self.saw("acked before all its chunks came")

    # What is sent.

    def frame_down(self, agency: str, frame: bytes) -> None:
        """See a frame that the broker sends; nothing with content may go to or come from who is revoked."""
        if not self.revoked:
            return
        for message in read_down_frame(frame):
            if not isinstance(message, Delivery) or not message.envelope:
                continue
            originator = read_envelope(message.envelope).originator
            if self.revoked & {agency, originator}:
                self.broke(REVOKED, f"delivery {message.dseq} of {originator} went to {agency} after a revocation")

    # At the end.

    def unexplained(self) -> list[str]:
        """Return what was accepted and has come to no end that anybody could see."""
        missing: list[str] = []
        for hid, sent in self.sent.items():
            if sent.author in self.revoked_anywhere:
                continue
            verdicts = self.settled.get((sent.author, hid), [])
            if len(verdicts) < len(sent.audiences):
                missing.append(f"{sent.author} has {len(verdicts)} of {len(sent.audiences)} verdicts on {hid}")
            if "accepted" not in verdicts:
                continue
            readers = dict.fromkeys(reader for audience in sent.audiences for reader in audience)
            missing += [text for reader in readers if (text := self._unexplained_at(hid, sent, reader))]
        missing += [f"{hid} was called accepted and is on no disk" for hid in sorted(self.accepted - set(self.sent))]
        return missing

    def _unexplained_at(self, hid: str, sent: Sent, reader: str) -> str:
        if reader in self.revoked_anywhere or (reader, hid) in self.cancelled | self.rejected:
            return ""
        verdicts = self.settled.get((sent.author, hid), [])
        if "refused" in verdicts and self._tolerance.refusals:
            return ""
        if self.verified.get((reader, hid), 0) != sent.bits(reader):
            held = self.verified.get((reader, hid), 0)
            return f"{reader} holds {held:b} of {hid} where {sent.bits(reader):b} was accepted"
        if (sent.author, hid, reader) not in self.receipts and not self._tolerance.refusals:
            return f"{sent.author} has no receipt of {reader} for {hid}"
        return ""


def _label(fields: dict[str, Any]) -> Label:
    values = (fields[name] for name in Label._fields)
    return Label._make(tuple(value) if isinstance(value, list) else value for value in values)
