"""A router and three agencies as their records tell of them, to which evil is done before their log is exported.

The log is written by our own exporter; the verifier that reads it shares no code with it.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from broker.audit.checkpoint import CheckpointSigner
from broker.audit.covers import Cover, Covers
from broker.audit.leaves import AdmittedLeaf, CancelledLeaf, DecidedLeaf, DeliveredLeaf, Leaf, RefusedLeaf
from broker.audit.log import LeafRow, Log, hash_in_row
from conformance.audit_reading import Finding
from conformance.audit_verifier import Report
from scenarios.audit_export import ExportedLog, JournalLine, write_journal, write_log, write_witness
from schemas.bundle import Agency, Authority, Bundle, RouterKey, SignKey, TrustRoot
from sealing.keys import sign_pair_from_seed
from sealing.merkle import Frontier, consistency_proof, row_of
from sealing.notes import Note, cosign, with_signatures, witness_name
from sealing.primitives import digest
from sealing.statements import sign_bundle

NOW = 1_700_000_000_000
ROUTER = sign_pair_from_seed(b"r" * 32)
AUTHORITIES = {name: sign_pair_from_seed(name.encode().ljust(32)) for name in ("auth-a", "auth-b", "auth-c")}
AGENCIES = {name: sign_pair_from_seed(name.encode().ljust(32)) for name in ("mys-cert", "sgp-cert", "tha-cert")}
ROOT = TrustRoot(tuple(Authority(name, pair.public) for name, pair in sorted(AUTHORITIES.items())), 2)


def make_bundle() -> bytes:
    def key(public: bytes) -> SignKey:
        return SignKey(public, NOW - 10_000, NOW + 10_000_000)

    bundle = Bundle(
        v=1, version=1, issued=NOW - 10_000, expires=NOW + 10_000_000, levels=("EX-UNCLAS",), compartments=(),
        groups=(), mechanisms=(),
        agencies=tuple(
            Agency(name, name, None, "cert", "member", "EX-UNCLAS", (), (), (), "active", (key(pair.public),))
            for name, pair in AGENCIES.items()
        ),
        routers=(RouterKey("rt", key(ROUTER.public)),), rules=(), marks=(),
    )  # fmt: skip
    return sign_bundle(bundle, {name: AUTHORITIES[name] for name in ("auth-a", "auth-b")})


class Region:
    """A router and three agencies as their records tell of them; evil is done to it before it is exported."""

    def __init__(self) -> None:
        self.leaves: list[Leaf] = []
        self.journals: dict[str, list[tuple[str, dict[str, Any]]]] = {name: [] for name in AGENCIES}
        self.dseq = dict.fromkeys(AGENCIES, 0)
        self.cuts: list[int] = []  # how many leaves there were at each checkpoint, which is over one cover more
        self.shown: dict[str, int] = {}  # how many covers were in what each agency cosigned last
        self.views: dict[str, Note] = {}  # another tree that an agency was shown
        self.messages = 0

    def tell(self, agency: str, stage: str, **fields: Any) -> None:
        self.journals[agency].append((stage, fields))

    def message(self, sender: str, audience: dict[str, int], *, kind: Any = "report") -> bytes:
        """Have a message go all its way: outbox, leaves, deliveries."""
        self.messages += 1
        hid = digest(b"test hid", self.messages.to_bytes(4, "big"))
        if kind == "report":
            self.tell(sender, "released", hid=hid.hex(), kind=kind, audience=audience)
        self.leaves.append(AdmittedLeaf("admitted", NOW + self.messages, hid, sender, kind, None, bytes(32)))
        for reader, bits in audience.items():
            self.leaves.append(DecidedLeaf("decided", NOW + self.messages, hid, reader, sender, bits))
        self.tell(sender, "accepted", hid=hid.hex())
        for reader, bits in audience.items():
            self.arrive(hid, sender, reader, bits, kind)
        return hid

    def arrive(self, hid: bytes, sender: str, reader: str, bits: int, kind: str) -> None:
        self.dseq[reader] += 1
        self.tell(reader, "delivered", hid=hid.hex(), kind=kind, originator=sender, bits=bits)
        if kind == "report":
            self.tell(reader, "verified", hid=hid.hex(), kind=kind, originator=sender, bits=bits)
        self.leaves.append(DeliveredLeaf("delivered", NOW + self.messages, hid, reader, self.dseq[reader]))

    def receipted(self, sender: str, audience: dict[str, int]) -> bytes:
        """Have a report go out and its receipts come back."""
        hid = self.message(sender, audience)
        for reader, bits in audience.items():
            self.message(reader, {sender: 1}, kind="receipt")
            self.tell(sender, "receipt", hid=hid.hex(), reader=reader, status="delivered", bits=bits)
        return hid

    def checkpoint(self, *witnesses: str) -> None:
        self.cuts.append(len(self.leaves))
        self.shown.update(dict.fromkeys(witnesses, len(self.cuts)))

    def rows(self) -> tuple[Log, list[LeafRow]]:
        log = Log(secret=b"s" * 32, frontier=Frontier())
        return log, [log.append(leaf) for leaf in self.leaves]

    def export(self, folder: Path) -> Path:
        log, rows = self.rows()
        covers, cover_rows = self.covers(rows)
        notes = self._checkpoints(cover_rows)
        exported = ExportedLog(
            root=ROOT, signed_bundle=make_bundle(), log=log, rows=rows, covers=covers, cover_rows=cover_rows,
            checkpoints=list(notes.values()),
        )  # fmt: skip
        write_log(folder, exported)
        for agency, told in self.journals.items():
            write_journal(folder, agency=agency, lines=chained(told), signer=AGENCIES[agency])
        for agency, size in self.shown.items():
            note = self.views.get(agency) or Note(notes[size].text, notes[size].signatures[:1])
            write_witness(folder, agency=agency, note=with_signatures(note, [cosigned(note, agency)]))
        return folder

    def covers(self, rows: list[LeafRow]) -> tuple[Covers, list[LeafRow]]:
        covers, node = Covers(secret=b"s" * 32, frontier=Frontier()), nodes_of(rows)
        return covers, [
            covers.append(Cover("covered", NOW, size, Frontier.restore(min(size, len(rows)), node).root()))
            for size in self.cuts
        ]

    def _checkpoints(self, cover_rows: list[LeafRow]) -> dict[int, Note]:
        signer, node = CheckpointSigner(router="rt", signer=ROUTER), nodes_of(cover_rows)
        notes: dict[int, Note] = {}
        for size in range(1, len(cover_rows) + 1):
            root = Frontier.restore(size, node).root()
            note = signer.sign(size=size, root=root, proof=consistency_proof(signer.signed.size, size, node))
            names = [agency for agency in AGENCIES if agency in self.shown]
            notes[size] = with_signatures(note, [cosigned(note, agency) for agency in names])
        return notes


def nodes_of(rows: list[LeafRow]) -> Callable[[int, int], bytes]:
    return lambda level, index: hash_in_row(rows[row_of(level, index)].hashes, level)


def cosigned(note: Note, agency: str) -> Any:
    return cosign(note.text, name=witness_name(agency), signer=AGENCIES[agency], now_ms=NOW)


def chained(told: list[tuple[str, dict[str, Any]]]) -> list[JournalLine]:
    """Chain entries as a node's journal does."""
    lines, chain = [], bytes(32)
    for number, (stage, fields) in enumerate(told, start=1):
        text = json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        chain = digest(b"sw1 journal", chain + f"{number}|{NOW}|{stage}|{text}".encode())
        lines.append(JournalLine(number, NOW, stage, fields, chain))
    return lines


def honest() -> Region:
    region = Region()
    region.receipted("mys-cert", {"sgp-cert": 3, "tha-cert": 1})
    region.checkpoint("sgp-cert")
    region.receipted("sgp-cert", {"mys-cert": 1})
    waiting = region.message("tha-cert", {})
    region.leaves.append(DecidedLeaf("decided", NOW, waiting, "sgp-cert", "tha-cert", 1))
    region.journals["tha-cert"].insert(-1, ("released", {"hid": waiting.hex(), "audience": {"sgp-cert": 1}}))
    region.leaves.append(CancelledLeaf("cancelled", NOW, waiting, "sgp-cert"))
    region.leaves.append(RefusedLeaf("refused", NOW, None, "tha-cert", "TRUNCATED", ()))
    region.checkpoint("mys-cert", "tha-cert")
    region.receipted("mys-cert", {"tha-cert": 1})
    region.checkpoint("sgp-cert")
    return region


def only(report: Report, fault: str) -> Finding:
    found = [finding for finding in report.findings if finding.fault == fault]
    assert found, [finding.line() for finding in report.findings]
    return found[0]
