"""The ghost's account of reports: released, admitted, decided, taken, receipted; each step against the one before.

Policy is asked here by ``decide``, where nodes and router ask ``audience_mask``: two ways to the same answer.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Final

from policy.community import Community
from policy.decide import decide
from policy.verdict import Action
from scenarios.soak.ghost_clocks import EMBARGO, EmbargoClocks
from scenarios.soak.ghost_community import Bundles
from scenarios.soak.ghost_orders import Granted, Order, Together
from scenarios.soak.invariants import (
    NOTHING_LOST,
    NOTHING_UNSENT,
    ONE_EFFECT,
    ORACLE,
    RECEIPTED,
    REVOKED,
    Tolerance,
)
from scenarios.soak.losses import Losses
from scenarios.soak.reference import BROKER
from schemas.codec import read_shape
from schemas.label import Label

REPORTED: Final = frozenset({"report", "rfi", "answer"})  # the kinds that are released under labels of their own

Broke = Callable[[int, str], None]
"""Told which invariant does not hold, and in words; the first one counts."""


@dataclass(slots=True)
class Sent:
    """A message of a report as its author's disk has it."""

    author: str
    at_ms: int
    labels: dict[int, Label]
    audiences: list[dict[str, int]] = field(default_factory=list)
    forgotten: int = 0  # of these, by an author whose disk was put back
    granted: dict[str, int] = field(default_factory=dict)  # bits by reader: by consent alone
    passages: frozenset[str] = frozenset()
    parents: frozenset[str] = frozenset()  # the messages that it names as taken over
    again: bool = False  # a product made again, without who left it

    def bits(self, reader: str) -> int:
        """Return all portions that were ever released to a reader."""
        bits = 0
        for audience in self.audiences:
            bits |= audience.get(reader, 0)
        return bits


class Reports:
    """Every report of a run, as the databases of all its parties tell of it.

    Args:
        bundles: Who holds which bundle.
        tolerance: What the plan makes legitimate.
        losses: Whose disks were put back.
        broke: Told of what does not hold.
        saw: Counts what was seen.
    """

    def __init__(
        self, bundles: Bundles, *, tolerance: Tolerance, losses: Losses, broke: Broke, saw: Callable[[str], None]
    ) -> None:
        self._bundles = bundles
        self._losses = losses
        self._tolerance = tolerance
        self.broke = broke
        self.saw = saw
        self._clocks = EmbargoClocks(tolerance.clock_errors_ms)
        self._early: set[str] = set()  # refused for an embargo that two clocks part
        self._left_out: dict[str, dict[str, str]] = {}
        self._meant: dict[str, tuple[str, ...]] = {}
        self.sent: dict[str, Sent] = {}
        self.accepted: set[str] = set()  # what a desk was told is accepted
        self.orders: dict[str, Order] = {}  # what desks mean by what they release, by the order that they name
        self.made: dict[str, str] = {}  # what was released first by each order
        self.order_of: dict[str, str] = {}  # by which order each message was released first
        self.ended: dict[tuple[str, str], int] = {}  # (reader, hid): bits whose grant is over
        self.heard: set[tuple[str, str]] = set()  # (reader, hid): messages about messages, as their readers have them
        self.settled: dict[tuple[str, str], list[str]] = {}  # (author, hid): verdicts as the author has them
        self.admitted: dict[str, int] = {}
        self.verified: dict[tuple[str, str], int] = {}  # (reader, hid): bits
        self.rejected: set[tuple[str, str]] = set()
        self.cancelled: set[tuple[str, str]] = set()
        self.receipts: set[tuple[str, str, str]] = set()  # (author, hid, reader): delivered
        self.times: dict[tuple[str, str], int] = {}  # (reader, hid): of what goes to a reader more than once
        self.doubled = 0  # effects that came a second time

    # What nodes wrote.

    def intended(self, agency: str, fields: dict[str, Any]) -> None:
        """Take in for whom a desk means the report that it is about to release."""
        self._left_out[agency], self._meant[agency] = fields["left_out"], tuple(fields["to"])

    def released(self, author: str, at_ms: int, fields: dict[str, Any]) -> None:
        """Take in a release, whose audience must be what policy says."""
        hid, audience = fields["hid"], {reader: int(bits) for reader, bits in fields["audience"].items()}
        sent, order = self.sent.get(hid), self.orders.get(fields["order"])
        if sent is None:
            labels = {item["place"]: _label(item["label"]) for item in fields["portions"]}
            sent = self.sent[hid] = Sent(author, at_ms, labels)
            sent.passages = frozenset(passage for item in fields["portions"] for passage in item["passages"])
            sent.parents = frozenset(hid for item in fields["portions"] for hid, _ in item["derived_from"])
            sent.again = fields["ref"] is not None
        sent.audiences.append(audience)
        self.made.setdefault(fields["order"], hid)
        self.order_of.setdefault(hid, fields["order"])
        if isinstance(order, Together) and sent.again:
            order = order.left_with(sent.parents)
        if isinstance(order, Granted):
            for reader, bits in audience.items():
                sent.granted[reader] = sent.granted.get(reader, 0) | bits
        community = self._bundles.of(author)
        meant = self._meant.get(author) or tuple(agency.agency for agency in community.bundle.agencies)
        if order is not None:
            # A joint product is for its readers, and tells its co-signers as well who else has signed.
            meant = (*meant, *sorted(set(audience) & order.among - set(meant)))
        left_out = self._left_out.get(author, {})
        for reader in meant:
            if reader == author or left_out.get(reader) == "KEY-EPOCH":
                continue
            bits = self._oracle(sent, author, reader, at_ms, community)
            if order is not None:
                bits = order.narrowed(bits, sent.labels, reader=reader, at_ms=at_ms, community=community)
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

    def verdict(self, agency: str, stage: str, fields: dict[str, Any]) -> None:
        """Take in a verdict as its author has it, or that a message came to its end without one."""
        if stage == "expired" and fields["accepted"]:
            return
        hid = fields["hid"]
        self.settled.setdefault((agency, hid), []).append(stage)
        known = hid in self.admitted or self._tolerance.lying or BROKER in self._losses.put_back
        if stage == "accepted" and not known:
            self.broke(NOTHING_LOST, f"{agency} was told that {hid} is accepted; the router has no record of it")
        if stage == "refused" and not (self._tolerance.refusals or self._tolerance.lying or hid in self._early):
            self.broke(ORACLE, f"an honest message of {agency} was refused: {fields['code']} {fields['refusals']}")

    def taken(self, reader: str, fields: dict[str, Any]) -> None:
        """Take in what a reader has opened and written down: an effect."""
        hid, bits = fields["hid"], int(fields["bits"])
        before = self.verified.get((reader, hid), 0)
        sent = self.sent.get(hid)
        if before & bits:
            self._repeated(reader, hid, before & bits)
        self.verified[reader, hid] = before | bits
        if sent is None or sent.author != fields["originator"] or bits & ~sent.bits(reader):
            self.broke(NOTHING_UNSENT, f"{reader} took {bits:b} of {hid}, which was never released to it")
            return
        for item in fields["portions"]:
            if _label(item["label"]) != sent.labels[item["place"]]:
                self.broke(NOTHING_UNSENT, f"{reader} has another label at place {item['place']} of {hid}")

    def _repeated(self, reader: str, hid: str, bits: int) -> None:
        """Take in portions that were taken before: a joint product goes to its co-signers again, with signatures."""
        times = self.times[reader, hid] = self.times.get((reader, hid), 1) + 1
        sent = self.sent.get(hid)
        audiences = [] if sent is None else sent.audiences
        # Each release is one effect; a delivery that came twice would be one too many.
        if times > sum(bool(audience.get(reader, 0) & bits) for audience in audiences):
            self.doubled += 1
            self.broke(ONE_EFFECT, f"{reader} took portions {bits:b} of {hid} a second time")

    def end(self, reader: str, hid: str, bits: int) -> None:
        """Take in that portions came by a grant that is over: their reader has erased them."""
        self.ended[reader, hid] = self.ended.get((reader, hid), 0) | bits

    def refused_by_reader(self, agency: str, fields: dict[str, Any]) -> None:
        """Take in what a reader would not take."""
        if fields["hid"] is not None:
            self.rejected.add((agency, fields["hid"]))
        forged = fields["hid"] is None and self._tolerance.poisoned
        if not (self._tolerance.refusals or self._tolerance.lying or forged):
            self.broke(NOTHING_UNSENT, f"{agency} rejected what an honest agency sent: {fields['code']}")

    def misreleased(self, reader: str, at_ms: int, fields: dict[str, Any]) -> None:
        """Take in what a reader has and should not have by its own reading of the policy."""
        hid, sent = fields["hid"], self.sent.get(fields["hid"])
        if self._tolerance.refusals:
            # Its receipt says so, and nothing of it has to be on that disk.
            self.rejected.add((reader, hid))
            return
        may = sent is not None and self._clocks.reader_may_refuse(sent.labels, sent.author, reader, at_ms)
        if may and fields["rule"] == EMBARGO:
            self.saw("early by a reader's clock")
            self.rejected.add((reader, hid))
            return
        self.broke(ORACLE, f"{reader} got what it may not have of {hid}: {fields['rule']}")

    def receipt(self, author: str, fields: dict[str, Any]) -> None:
        """Take in a receipt as the author has it."""
        hid, reader = fields["hid"], fields["reader"]
        known = (
            self.verified.get((reader, hid), 0)
            or self.ended.get((reader, hid), 0)
            or (reader, hid) in self.rejected | self.heard
        )
        if not known and reader not in self._losses.put_back:
            self.broke(RECEIPTED, f"{author} holds a receipt of {reader} for {hid}, which that disk does not have")
        if fields["status"] == "delivered" or "decision" in fields:
            self.receipts.add((author, hid, reader))

    # What the router wrote.

    def admit(self, hid: str, author: str, value: Any) -> None:
        """Take in an admission, which must be of what its author released, and to whom."""
        kind, _ref, _wraps, re_release, audience = value
        self.admitted[hid] = self.admitted.get(hid, 0) + 1
        named = {reader: int(bits) for reader, bits in audience}
        struck = self._bundles.revoked & {author, *named}
        if struck:
            self.broke(REVOKED, f"{hid} was admitted after {', '.join(sorted(struck))} had been revoked")
        if kind not in REPORTED:
            return
        sent = self.sent.get(hid)
        if sent is None or sent.author != author or named not in sent.audiences:
            self.broke(NOTHING_UNSENT, f"the router admitted {hid} of {author} with an audience that nobody released")
        elif self.admitted[hid] > len(sent.audiences):
            self.broke(ONE_EFFECT, f"the router admitted {hid} more often than it was released")
        if not re_release and self.admitted[hid] > 1:
            self.broke(ONE_EFFECT, f"the router admitted {hid} anew")

    def refused_by_router(self, at_ms: int, hid: str, author: str, value: Any) -> None:
        """Take in that the router refused a release, before its author hears of it."""
        sent = self.sent.get(hid)
        if sent is not None and self._clocks.router_may_refuse(sent.labels, author, at_ms, value):
            self.saw("early by the router's clock")
            self._early.add(hid)

    def decided(self, at_ms: int, author: str, value: Any) -> None:
        """Take in a decision on one portion."""
        _place, packed, permitted = value
        label = read_shape(Label, packed)
        community = self._bundles.of(BROKER)
        for reader in permitted:
            verdict = decide(
                label, originator=author, recipient=reader, action=Action.RELEASE, at_ms=at_ms, community=community
            )
            if not verdict.permit:
                self.broke(ORACLE, f"the router lets {reader} have {label.topic} of {author}; policy: {verdict.rule}")

    def delivered(self, hid: str, reader: str) -> None:
        """The router has an ack for it, so it takes it off the queue: the reader's disk must have dealt with it."""
        sent = self.sent.get(hid)
        if sent is not None and (reader, hid) not in self.rejected and (reader, hid) not in self.verified:
            self.saw("acked before all its chunks came")

    # At the end.

    def unexplained(self, recalled: Collection[str] = ()) -> list[str]:
        """Return what was accepted, was not recalled, and has come to no end that anybody could see."""
        missing: list[str] = []
        for hid, sent in self.sent.items():
            if hid in recalled or sent.author in self._bundles.revoked_anywhere:
                continue
            verdicts = self.settled.get((sent.author, hid), [])
            due = len(sent.audiences) - sent.forgotten
            if len(verdicts) < due:
                missing.append(f"{sent.author} has {len(verdicts)} of {due} verdicts on {hid}")
            if "accepted" not in verdicts:
                continue
            readers = dict.fromkeys(reader for audience in sent.audiences for reader in audience)
            missing += [text for reader in readers if (text := self._unexplained_at(hid, sent, reader))]
        missing += [f"{hid} was called accepted and is on no disk" for hid in sorted(self.accepted - set(self.sent))]
        return missing

    def _unexplained_at(self, hid: str, sent: Sent, reader: str) -> str:
        if reader in self._bundles.revoked_anywhere or (reader, hid) in self.cancelled | self.rejected:
            return ""
        verdicts = self.settled.get((sent.author, hid), [])
        if "refused" in verdicts and (self._tolerance.refusals or hid in self._early):
            return ""
        held = self.verified.get((reader, hid), 0)
        if held | self.ended.get((reader, hid), 0) != sent.bits(reader):
            if self._losses.explain(sent.author, hid, reader):
                return ""
            return f"{reader} holds {held:b} of {hid} where {sent.bits(reader):b} was accepted"
        if (sent.author, hid, reader) not in self.receipts and not self._tolerance.refusals:
            return f"{sent.author} has no receipt of {reader} for {hid}"
        return ""


def _label(fields: dict[str, Any]) -> Label:
    values = (fields[name] for name in Label._fields)
    return Label._make(tuple(value) if isinstance(value, list) else value for value in values)
