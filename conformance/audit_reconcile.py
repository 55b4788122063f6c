"""The router's leaves against the agencies' own journals: who sent, who may have, who got, who said so.

The log proves that nothing in it was changed; it cannot prove that what it says is true or whole. For that each party's
own record is laid beside it. A message that one side knows and the other does not is unexplained, and the finding says
which of the two would have to be lying.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from conformance.audit_reading import Finding
from conformance.audit_tree import LEAVES, Opening

_OF_A_KIND_MAX: Final = 256  # in one file: more than a person reads, and a flood has hidden nothing of another kind
# Kinds that are answered by no receipt of their own; a recall is answered for the message that it recalls.
_UNRECEIPTED: Final = frozenset({"receipt", "recall"})
# What the router proves before it admits: whatever fails there at a reader was changed after that.
_PROVED_BY_ROUTER: Final = frozenset({"size", "parse", "canonical", "version", "limits", "signature"})
# What only the reader can prove: its author may have made it wrong, or the router have changed it.
_PROVED_BY_READER: Final = frozenset({"unwrap", "commitment", "payload"})
_EPOCH_UNKNOWN: Final = "KEY_EPOCH"  # a key that nobody announced; the router admits no wrap that names one
_CONTRADICTIONS: Final = frozenset({"ROLLBACK", "SPLIT_VIEW", "FORK"})


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One line of an agency's journal, and where it stands."""

    file: str
    offset: int
    length: int
    stage: str
    fields: Mapping[str, Any]


Journals = Mapping[str, tuple[JournalEntry, ...]]
_Pair = tuple[str, str]  # message and reader


class _LetGo(NamedTuple):
    """A release to a partner by a silence procedure, as its leaf says."""

    hid: str
    reader: str
    proposal: str
    at_ms: int
    object_by: int
    opening: Opening


@dataclass(slots=True)
class _Logged:
    """What the leaves say, each with its opening."""

    admitted: dict[str, tuple[str, str, Opening]] = field(default_factory=dict)  # hid: originator, kind
    decided: dict[_Pair, tuple[int, Opening]] = field(default_factory=dict)  # bits of all releases
    decisions: Counter[_Pair] = field(default_factory=Counter)
    delivered: dict[_Pair, Opening] = field(default_factory=dict)
    deliveries: dict[_Pair, list[Opening]] = field(default_factory=dict)
    refused: set[tuple[str, str]] = field(default_factory=set)  # message and code
    cancelled: set[_Pair] = field(default_factory=set)
    acked_ms: dict[_Pair, int] = field(default_factory=dict)  # when it was first acked
    opposed: dict[str, list[tuple[int, str]]] = field(default_factory=dict)  # objections, by proposal
    let_go: list[_LetGo] = field(default_factory=list)
    overridden: dict[str, tuple[str, Opening]] = field(default_factory=dict)  # by the override: whose report it is of
    last_dseq: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Told:
    """What the journals say."""

    accepted: dict[str, tuple[str, JournalEntry]] = field(default_factory=dict)  # hid: whose outbox
    refused: dict[tuple[str, str], JournalEntry] = field(default_factory=dict)  # message and code
    audience: dict[str, dict[str, int]] = field(default_factory=dict)
    released: dict[str, JournalEntry] = field(default_factory=dict)
    arrived: dict[_Pair, tuple[int, str, JournalEntry]] = field(default_factory=dict)  # bits, kind
    judged: set[_Pair] = field(default_factory=set)  # arrivals that were not taken up
    rejected: dict[_Pair, JournalEntry] = field(default_factory=dict)  # those of them that did not prove themselves
    contradicted: list[tuple[str, JournalEntry]] = field(default_factory=list)  # logs in two versions, and by whom seen
    opened: dict[_Pair, JournalEntry] = field(default_factory=dict)
    receipts: dict[_Pair, tuple[str, JournalEntry]] = field(default_factory=dict)  # who holds it


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What came of it: what is unexplained, and how much was compared."""

    findings: tuple[Finding, ...]
    messages: int
    outstanding: int  # decided, and neither delivered nor cancelled: it waits for its reader


def reconcile(openings: list[Opening], journals: Journals, *, router: str) -> Reconciled:
    """Lay the log beside the journals.

    Args:
        openings: Of all leaves.
        journals: By agency.
        router: Whose log it is.
    """
    logged, told = _Logged(), _Told()
    findings: list[Finding] = []
    for opening in openings:
        if opening.statement is not None:
            findings += _take_leaf(opening, opening.statement, logged, router)
    for agency, entries in journals.items():
        for entry in entries:
            try:
                _take_entry(agency, entry, told)
            except (KeyError, TypeError, AttributeError):
                findings.append(_at_entry(entry, "unreadable", agency, f"an entry {entry.stage!r} of another shape"))
    for found in (
        _outboxes(logged, told, journals, router),
        _audiences(logged, told, router),
        _arrivals(logged, told, journals, router),
        _receipts(logged, told, journals),
        _deliveries(logged, router),
        _rejections(logged, told, router),
        _contradictions(told, router),
        _silences(logged, router),
        _overrides(logged, router),
    ):
        findings += found
    outstanding = sum(pair not in logged.delivered and pair not in logged.cancelled for pair in logged.decided)
    return Reconciled(findings=tuple(_summed_up(findings)), messages=len(logged.admitted), outstanding=outstanding)


def _summed_up(findings: list[Finding]) -> list[Finding]:
    """Keep the first of each kind in each file, and say how many more there are."""
    kinds: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        kinds.setdefault((finding.fault, finding.file), []).append(finding)
    kept: list[Finding] = []
    for alike in kinds.values():
        kept += alike[:_OF_A_KIND_MAX]
        if len(alike) > _OF_A_KIND_MAX:
            text = f"this and {len(alike) - _OF_A_KIND_MAX - 1} more of the kind in this file are not listed"
            kept.append(replace(alike[_OF_A_KIND_MAX], text=text))
    return kept


def _take_leaf(opening: Opening, statement: tuple[Any, ...], logged: _Logged, router: str) -> Iterator[Finding]:
    match statement:
        case ("admitted", int(at_ms), bytes(hid), originator, kind, ref, *_):
            logged.admitted[hid.hex()] = (originator, kind, opening)
            if kind == "objection" and isinstance(ref, bytes):
                logged.opposed.setdefault(ref.hex(), []).append((at_ms, originator))
        case ("decided", _, bytes(hid), reader, _, int(bits)):
            before = logged.decided.get((hid.hex(), reader))
            logged.decisions[hid.hex(), reader] += 1
            logged.decided[hid.hex(), reader] = (bits | (before[0] if before else 0), before[1] if before else opening)
        case ("delivered", int(at_ms), bytes(hid), reader, int(dseq)):
            logged.acked_ms.setdefault((hid.hex(), reader), at_ms)
            logged.delivered[hid.hex(), reader] = opening
            logged.deliveries.setdefault((hid.hex(), reader), []).append(opening)
            # A reader's deliveries are numbered, and acked in the order of their numbers.
            if dseq <= logged.last_dseq.get(reader, 0):
                yield _at_leaf(opening, "reordered", router, f"delivery {dseq} to {reader} stands after a later one")
            logged.last_dseq[reader] = max(dseq, logged.last_dseq.get(reader, 0))
        case ("let_go", int(at_ms), bytes(hid), _, reader, _, bytes(proposal), _, int(object_by)):
            logged.let_go.append(_LetGo(hid.hex(), reader, proposal.hex(), at_ms, object_by, opening))
        case ("cancelled", _, bytes(hid), reader):
            logged.cancelled.add((hid.hex(), reader))
        case ("refused", _, bytes(hid), _, str(code), *_):
            logged.refused.add((hid.hex(), code))
        case ("overridden", _, bytes(), originator, bytes(by), *_):
            logged.overridden[by.hex()] = (originator, opening)
        case ("released" | "refused" | "recalled" | "revoked" | "bundle", *_):
            pass
        case _:
            yield _at_leaf(opening, "unreadable", router, "a statement of no kind that is known here")


def _take_entry(agency: str, entry: JournalEntry, told: _Told) -> None:
    fields = entry.fields
    if entry.stage == "log_fault" and fields["fault"] in _CONTRADICTIONS:
        told.contradicted.append((agency, entry))
    hid = fields.get("hid")
    if not isinstance(hid, str):
        return
    match entry.stage:
        case "released":
            told.released[hid] = entry
            audience = told.audience.setdefault(hid, {})
            for reader, bits in fields["audience"].items():
                audience[reader] = audience.get(reader, 0) | bits
        case "accepted":
            told.accepted[hid] = (agency, entry)
        case "refused":
            told.refused.setdefault((hid, fields["code"]), entry)
        case "delivered":
            before = told.arrived.get((hid, agency))
            told.arrived[hid, agency] = (fields["bits"] | (before[0] if before else 0), fields["kind"], entry)
        case "rejected" | "duplicate":
            told.judged.add((hid, agency))
            if entry.stage == "rejected":
                told.rejected.setdefault((hid, agency), entry)
        case "verified":
            told.opened[hid, agency] = entry
        case "receipt":
            told.receipts.setdefault((hid, fields["reader"]), (agency, entry))
        case _:
            pass


def _outboxes(logged: _Logged, told: _Told, journals: Journals, router: str) -> Iterator[Finding]:
    """Every verdict has its leaf, and every leaf its sender."""
    for hid, (agency, entry) in told.accepted.items():
        admitted = logged.admitted.get(hid)
        if admitted is None:
            yield _at_entry(
                entry, "dropped", router, f"{agency} holds the verdict on {hid[:16]}, and no leaf admits it"
            )
        elif admitted[0] != agency:
            yield _at_leaf(admitted[2], "forged", router, f"admits {hid[:16]} from {admitted[0]}, which {agency} sent")
    for (hid, code), entry in told.refused.items():
        # Of one message there may be several releases: what was refused for another reason is another of them.
        if (hid, code) not in logged.refused:
            yield _at_entry(
                entry, "dropped", router, f"{_whose(entry)} was told that {hid[:16]} is refused, and no leaf"
            )
    for hid, (originator, _, opening) in logged.admitted.items():
        if originator not in journals:
            yield _at_leaf(opening, "unexplained", originator, f"admits {hid[:16]}, and {originator} shows no journal")
        elif hid not in told.accepted and hid not in told.released:
            text = f"admits {hid[:16]} from {originator}, whose journal knows nothing of it"
            yield _at_leaf(opening, "unexplained", f"{router} or {originator}", text)


def _audiences(logged: _Logged, told: _Told, router: str) -> Iterator[Finding]:
    """Whoever was released to has a decision, and nobody else has one."""
    refused = {hid for hid, _ in told.refused}
    readers: dict[str, dict[str, tuple[int, Opening]]] = {}
    for (hid, reader), decision in logged.decided.items():
        readers.setdefault(hid, {})[reader] = decision
    for hid, audience in told.audience.items():
        if hid not in logged.admitted:
            continue  # not decided yet, or refused, or named above
        decided = readers.get(hid, {})
        for reader, bits in audience.items():
            if decided.get(reader, (0,))[0] != bits and hid not in refused:
                text = f"{hid[:16]} was released to {reader} and accepted, and no leaf decides on just that"
                yield _at_entry(told.released[hid], "hidden", router, text)
        for reader, (_, opening) in decided.items():
            if reader not in audience:
                text = f"decides on {hid[:16]} for {reader}, to whom it was not released"
                yield _at_leaf(opening, "forged", router, text)


def _arrivals(logged: _Logged, told: _Told, journals: Journals, router: str) -> Iterator[Finding]:
    """Whoever got a cut has a decision on just these portions, and whoever acked one knows of it."""
    for (hid, reader), (bits, _, entry) in told.arrived.items():
        decided = logged.decided.get((hid, reader))
        if decided is None:
            yield _at_entry(entry, "hidden", router, f"{reader} was sent {hid[:16]}, and no leaf decides that it may")
        elif bits & ~decided[0]:
            text = f"{reader} was sent other portions of {hid[:16]} than a leaf decides"
            yield _at_entry(entry, "hidden", router, text)
    for (hid, reader), opening in logged.delivered.items():
        if reader not in journals:
            yield _at_leaf(opening, "unexplained", reader, f"{reader} acked {hid[:16]} and shows no journal")
        elif (hid, reader) not in told.arrived and (hid, reader) not in told.judged:
            text = f"says that {reader} acked {hid[:16]}, of which its journal knows nothing"
            yield _at_leaf(opening, "unexplained", f"{router} or {reader}", text)


def _receipts(logged: _Logged, told: _Told, journals: Journals) -> Iterator[Finding]:
    """Every receipt is for something that arrived, and everything that was opened has its receipt."""
    for (hid, reader), (holder, entry) in told.receipts.items():
        if reader in journals and (hid, reader) not in told.arrived:
            text = f"{holder} holds a receipt of {reader} for {hid[:16]}, which never arrived there"
            yield _at_entry(entry, "unexplained", reader, text)
    for (hid, reader), entry in sorted(told.opened.items(), key=lambda item: item[0]):
        admitted = logged.admitted.get(hid)
        if admitted is None or admitted[1] in _UNRECEIPTED or admitted[0] not in journals:
            continue
        if (hid, reader) not in told.receipts:
            text = f"{reader} opened {hid[:16]}, and {admitted[0]} holds no receipt"
            yield _at_entry(entry, "unexplained", f"the router or {reader}", text)


def _deliveries(logged: _Logged, router: str) -> Iterator[Finding]:
    """Whatever was delivered had been decided, and as often: what goes beyond was misrouted or replayed."""
    for (hid, reader), openings in logged.deliveries.items():
        decisions = logged.decisions[hid, reader]
        for opening in openings[decisions:]:
            text = f"delivers {hid[:16]} to {reader} where {decisions} leaves decide that it may have it"
            yield _at_leaf(opening, "forged", router, text)


def _overrides(logged: _Logged, router: str) -> Iterator[Finding]:
    """Whatever was told past an originator's consent has a leaf for that originator, who was given it as well."""
    for hid, (_, kind, opening) in logged.admitted.items():
        if kind == "override" and hid not in logged.overridden:
            text = f"admits the override {hid[:16]}, and no leaf says of whose report"
            yield _at_leaf(opening, "dropped", router, text)
    for hid, (originator, opening) in logged.overridden.items():
        if (hid, originator) not in logged.decided:
            text = f"tells of the override {hid[:16]}, and no leaf decides that {originator} is told of it"
            yield _at_leaf(opening, "forged", router, text)


def _silences(logged: _Logged, router: str) -> Iterator[Finding]:
    """Whatever was let go by silence had been put to somebody, who had it in time and did not object in time."""
    for item in logged.let_go:
        members = sorted(reader for hid, reader in logged.decided if hid == item.proposal)
        objected = sorted(who for at_ms, who in logged.opposed.get(item.proposal, ()) if at_ms <= item.object_by)
        absent = [
            who for who in members if logged.acked_ms.get((item.proposal, who), item.object_by + 1) > item.object_by
        ]
        known = logged.admitted.get(item.proposal)
        if known is None or known[1] != "proposal" or not members:
            why = "no proposal stands in the log"
        elif item.at_ms <= item.object_by:
            why = "the time for objections was not over"
        elif objected:
            why = f"{', '.join(objected)} had objected"
        elif absent:
            why = f"{', '.join(absent)} had not been asked in time"
        else:
            continue
        text = f"lets {item.hid[:16]} go to {item.reader} by silence, and {why}"
        yield _at_leaf(item.opening, "forged", router, text)


def _rejections(logged: _Logged, told: _Told, router: str) -> Iterator[Finding]:
    """Whoever was meant to have a message and could not take it was sent another than the one that was admitted."""
    for (hid, reader), entry in told.rejected.items():
        admitted = logged.admitted.get(hid)
        if admitted is None or (hid, reader) not in logged.decided:
            continue
        stage, code = entry.fields.get("stage_failed"), entry.fields.get("code")
        doubtful = stage in _PROVED_BY_READER or code == _EPOCH_UNKNOWN
        if stage in _PROVED_BY_ROUTER or (doubtful and (hid, reader) not in told.arrived):
            who = router if stage in _PROVED_BY_ROUTER else f"{router} or {admitted[0]}"
            yield _at_entry(entry, "changed", who, f"{reader} was sent {hid[:16]} in a form that it rejects: {code}")


def _contradictions(told: _Told, router: str) -> Iterator[Finding]:
    """Two notes of one log that cannot both be true, each with the router's signature."""
    for agency, entry in told.contradicted:
        fault = entry.fields["fault"]
        yield _at_entry(entry, "forged", router, f"{agency} was shown the log in two versions: {fault}")


def _whose(entry: JournalEntry) -> str:
    return entry.file.rpartition("/")[2].removesuffix(".jsonl")


def _at_leaf(opening: Opening, fault: str, who: str, text: str) -> Finding:
    return Finding(
        fault=fault, file=LEAVES.openings, offset=opening.offset, length=opening.length, who=who, text=text,
        leaf=opening.number,
    )  # fmt: skip


def _at_entry(entry: JournalEntry, fault: str, who: str, text: str) -> Finding:
    return Finding(fault=fault, file=entry.file, offset=entry.offset, length=entry.length, who=who, text=text)
