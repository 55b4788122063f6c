"""The verifier against evil logs: what was dropped, changed, hidden or reordered is named, with its place and by whom.

The log is that of a small region whose router, agencies and exporter are ours; the verifier shares no code with them.
"""

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from broker.audit.checkpoint import CheckpointSigner
from broker.audit.covers import Cover, Covers
from broker.audit.leaves import (
    AdmittedLeaf,
    CancelledLeaf,
    DecidedLeaf,
    DeliveredLeaf,
    Leaf,
    RefusedLeaf,
)
from broker.audit.log import LeafRow, Log, hash_in_row
from conformance.audit_reading import Finding, Unpacker, UnreadableError, read_note
from conformance.audit_verifier import Report, main, verify_folder
from scenarios.audit_export import ExportedLog, JournalLine, write_journal, write_log, write_witness
from schemas.bundle import Agency, Authority, Bundle, RouterKey, SignKey, TrustRoot
from schemas.codec import pack
from schemas.errors import InputError
from sealing.keys import sign_pair_from_seed
from sealing.merkle import Frontier, consistency_proof, row_of
from sealing.notes import Checkpoint, Note, cosign, log_origin, sign_checkpoint, with_signatures, witness_name
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


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return honest().export(tmp_path_factory.mktemp("log") / "log")


@pytest.fixture
def folder(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "log"))


def only(report: Report, fault: str) -> Finding:
    found = [finding for finding in report.findings if finding.fault == fault]
    assert found, [finding.line() for finding in report.findings]
    return found[0]


def test_an_honest_log_holds_and_is_counted(good: Path) -> None:
    report = verify_folder(good)

    assert [] == [finding.line() for finding in report.findings]
    assert len(honest().leaves) == report.leaves
    assert (3, 3, report.leaves, 0, 3) == (
        report.covers, report.checkpoints, report.cosigned_leaves, report.outstanding, report.journals,
    )  # fmt: skip
    assert honest().messages == report.messages
    assert 12 == report.cosignatures


def test_a_flipped_byte_is_found_wherever_it_is(good: Path, folder: Path) -> None:
    """Every file; every eleventh byte of it, another bit each time, and always its first and last."""
    missed = []
    for path in sorted(path for path in good.rglob("*") if path.is_file()):
        content = path.read_bytes()
        file = path.relative_to(good).as_posix()
        places = sorted({*range(0, len(content), max(11, len(content) // 60)), len(content) - 1})
        for turn, place in enumerate(places):
            bent = bytearray(content)
            bent[place] ^= 1 << (turn + place) % 8
            (folder / file).write_bytes(bent)
            if not any(
                finding.file == file and finding.offset <= place < finding.offset + finding.length
                for finding in verify_folder(folder).findings
            ):
                missed.append((file, place, bent[place] ^ content[place]))
        (folder / file).write_bytes(content)

    assert [] == missed
    assert () == verify_folder(folder).findings


@pytest.mark.parametrize("cut", [1, 37, 38, 38 * 4 + 5])
@pytest.mark.parametrize("file", ["leaves.bin", "openings.bin", "tree.bin", "journals/mys-cert.jsonl"])
def test_a_file_that_was_cut_is_named(folder: Path, file: str, cut: int) -> None:
    (folder / file).write_bytes((folder / file).read_bytes()[:-cut])

    assert file in {finding.file for finding in verify_folder(folder).findings}


def test_a_missing_file_is_named(good: Path, tmp_path: Path) -> None:
    for number, path in enumerate(sorted(path for path in good.rglob("*") if path.is_file())):
        file = path.relative_to(good).as_posix()
        copy = Path(shutil.copytree(good, tmp_path / str(number)))
        (copy / file).unlink()
        report = verify_folder(copy)

        # A witness that shows nothing accuses nobody; the rest of the proof is as it was.
        assert bool(report.findings) is not file.startswith("witnesses/"), file


def test_a_dropped_entry_is_named_with_its_leaf(folder: Path) -> None:
    leaves = (folder / "leaves.bin").read_bytes()
    (folder / "leaves.bin").write_bytes(leaves[: 38 * 4] + leaves[38 * 5 :])
    report = verify_folder(folder)

    assert [("dropped", 4, "rt")] == [(item.fault, item.leaf, item.who) for item in report.findings]
    assert 38 * 4 == report.findings[0].offset


def test_a_forged_entry_is_named_with_its_place(folder: Path) -> None:
    leaves = (folder / "leaves.bin").read_bytes()
    forged = leaves[: 38 * 4 + 6] + bytes(32)
    (folder / "leaves.bin").write_bytes(forged + leaves[38 * 4 :])

    assert [("forged", 38 * 4)] == [(item.fault, item.offset) for item in verify_folder(folder).findings]


def test_reordered_entries_are_named_with_their_leaves(folder: Path) -> None:
    leaves = (folder / "leaves.bin").read_bytes()
    swapped = leaves[: 38 * 4] + leaves[38 * 5 : 38 * 6] + leaves[38 * 4 : 38 * 5] + leaves[38 * 6 :]
    (folder / "leaves.bin").write_bytes(swapped)
    report = verify_folder(folder)

    assert [("reordered", 4), ("reordered", 5)] == [(item.fault, item.leaf) for item in report.findings]
    assert "5" in report.findings[0].text


def test_a_log_written_anew_by_its_owner_is_found_between_two_checkpoints(good: Path, tmp_path: Path) -> None:
    """The router has every key of its own: leaves, openings and tree agree. What was signed for does not."""
    region = honest()
    region.leaves[2] = DecidedLeaf("decided", NOW, bytes(32), "tha-cert", "mys-cert", 1)
    evil = region.export(tmp_path / "evil")
    for kind in ("checkpoints", "witnesses"):
        shutil.rmtree(evil / kind)
        shutil.copytree(good / kind, evil / kind)
    first = next(item for item in verify_folder(evil).findings if item.file == "covers.bin")

    assert ("changed", 0, 38, "rt") == (first.fault, first.offset, first.length, first.who)
    for name in ("covers.bin", "cover-openings.bin", "cover-tree.bin"):
        shutil.copy(good / name, evil / name)
    first = next(item for item in verify_folder(evil).findings if item.file == "leaves.bin")

    assert ("changed", 0, 38 * honest().cuts[0], "rt") == (first.fault, first.offset, first.length, first.who)


def test_a_log_that_signs_its_new_past_is_accused_by_what_agencies_kept(good: Path, tmp_path: Path) -> None:
    region = honest()
    region.leaves[2] = DecidedLeaf("decided", NOW, bytes(32), "tha-cert", "mys-cert", 1)
    evil = region.export(tmp_path / "evil")
    shutil.rmtree(evil / "witnesses")
    shutil.copytree(good / "witnesses", evil / "witnesses")
    accusers = {item.file for item in verify_folder(evil).findings if item.fault == "forged" and item.who == "rt"}

    assert {f"witnesses/{agency}.txt" for agency in AGENCIES} <= accusers


def test_two_views_are_named_and_by_whom(tmp_path: Path) -> None:
    region = honest()
    region.views["tha-cert"] = sign_checkpoint(Checkpoint(log_origin("rt"), 2, b"x" * 32), signer=ROUTER)
    report = verify_folder(region.export(tmp_path / "evil"))

    finding = only(report, "forged")
    assert ("witnesses/tha-cert.txt", "rt") == (finding.file, finding.who)
    assert "another tree" in finding.text


def test_a_hidden_checkpoint_is_named_by_the_agency_that_cosigned_it(folder: Path) -> None:
    (folder / "checkpoints" / "000000000002.txt").unlink()
    report = verify_folder(folder)

    assert {"hidden"} == {item.fault for item in report.findings}
    assert {"witnesses/mys-cert.txt", "witnesses/tha-cert.txt", "checkpoints/000000000003.txt"} == {
        item.file for item in report.findings
    }


def test_a_cover_of_fewer_leaves_than_the_one_before_is_named(tmp_path: Path) -> None:
    """AUD-039: signed, cosigned and in the tree, and still no log that only grows."""
    region = honest()
    region.cuts[1], region.cuts[2] = region.cuts[2], region.cuts[1]
    report = verify_folder(region.export(tmp_path / "evil"))

    finding = only(report, "forged")
    assert ("covers.bin", 38 * 2, "rt") == (finding.file, finding.offset, finding.who)
    assert len(region.leaves) == report.cosigned_leaves


def test_leaves_that_were_covered_and_are_not_here_are_named(tmp_path: Path) -> None:
    region = honest()
    region.cuts[-1] += 3
    report = verify_folder(region.export(tmp_path / "evil"))

    finding = only(report, "dropped")
    assert ("leaves.bin", 38 * len(region.leaves)) == (finding.file, finding.offset)


def test_what_opens_a_cover_and_is_none_is_named(folder: Path) -> None:
    """AUD-043: key and commitment hold, since whoever keeps the log makes both."""
    covers = Covers(secret=b"s" * 32, frontier=Frontier())
    cover_key = covers.entry(LeafRow(0, b"", b""))[1]
    openings = (folder / "cover-openings.bin").read_bytes()
    first = 34 + int.from_bytes(openings[32:34], "big")
    strange = pack(("covered", NOW, 3, b"short"))
    (folder / "cover-openings.bin").write_bytes(
        cover_key + len(strange).to_bytes(2, "big") + strange + openings[first:]
    )

    assert "cover-openings.bin" == only(verify_folder(folder), "unreadable").file


def test_a_log_cut_back_is_named_by_what_was_signed_for(tmp_path: Path) -> None:
    region = honest()
    whole = region.export(tmp_path / "whole")
    region.leaves = region.leaves[: region.cuts[1]]
    region.cuts = region.cuts[:2]
    region.shown["sgp-cert"] = 1
    back = region.export(tmp_path / "back")
    shutil.copy(whole / "witnesses" / "sgp-cert.txt", back / "witnesses")
    report = verify_folder(back)

    assert {"hidden", "dropped"} <= {item.fault for item in report.findings}
    assert "rt" == only(report, "hidden").who


Evil = Callable[[Region], None]


def _admits_what_nobody_sent(region: Region) -> None:
    region.leaves.insert(0, AdmittedLeaf("admitted", NOW, b"f" * 32, "mys-cert", "report", None, bytes(32)))


def _leaves_out_an_admission(region: Region) -> None:
    del region.leaves[0]


def _leaves_out_a_decision(region: Region) -> None:
    del region.leaves[1]


def _decides_for_a_stranger(region: Region) -> None:
    first = region.leaves[0]
    assert isinstance(first, AdmittedLeaf)
    region.leaves.insert(3, DecidedLeaf("decided", NOW, first.hid, "mys-cert", "mys-cert", 1))


def _decides_on_fewer_portions(region: Region) -> None:
    decided = region.leaves[1]
    assert isinstance(decided, DecidedLeaf)
    region.leaves[1] = decided._replace(bits=1)


def _claims_a_delivery(region: Region) -> None:
    region.journals["sgp-cert"] = [
        (stage, fields) for stage, fields in region.journals["sgp-cert"] if stage not in {"delivered", "verified"}
    ]


def _withholds_a_receipt(region: Region) -> None:
    region.journals["mys-cert"] = [told for told in region.journals["mys-cert"] if told[0] != "receipt"]


def _reorders_deliveries(region: Region) -> None:
    places = [
        place
        for place, leaf in enumerate(region.leaves)
        if isinstance(leaf, DeliveredLeaf) and leaf.reader == "mys-cert"
    ]
    one, two = places[:2]
    region.leaves[one], region.leaves[two] = region.leaves[two], region.leaves[one]


def _receipts_what_never_came(region: Region) -> None:
    region.tell("mys-cert", "receipt", hid="ab" * 32, reader="tha-cert", status="delivered", bits=1)


def _writes_another_shape(region: Region) -> None:
    region.tell("mys-cert", "delivered", hid="ab" * 32)


@pytest.mark.parametrize(
    ("evil", "fault", "who"),
    [
        (_admits_what_nobody_sent, "unexplained", "rt or mys-cert"),
        (_leaves_out_an_admission, "dropped", "rt"),
        (_leaves_out_a_decision, "hidden", "rt"),
        (_decides_for_a_stranger, "forged", "rt"),
        (_decides_on_fewer_portions, "hidden", "rt"),
        (_claims_a_delivery, "unexplained", "rt or sgp-cert"),
        (_withholds_a_receipt, "unexplained", "the router or sgp-cert"),
        (_reorders_deliveries, "reordered", "rt"),
        (_receipts_what_never_came, "unexplained", "tha-cert"),
        (_writes_another_shape, "unreadable", "mys-cert"),
    ],
)
def test_what_one_side_knows_and_the_other_does_not_is_named(tmp_path: Path, evil: Evil, fault: str, who: str) -> None:
    """The log is sound in itself each time: only the parties' own records tell."""
    region = honest()
    evil(region)
    region.cuts[-1] = len(region.leaves)
    report = verify_folder(region.export(tmp_path / "evil"))

    assert who in {item.who for item in report.findings if item.fault == fault}
    assert not any(item.file in {"leaves.bin", "tree.bin"} for item in report.findings)


def test_an_agency_without_a_journal_leaves_its_part_unexplained(folder: Path) -> None:
    (folder / "journals" / "tha-cert.jsonl").unlink()
    (folder / "journals" / "tha-cert.head").unlink()

    assert "tha-cert" == only(verify_folder(folder), "unexplained").who


def test_a_journal_that_was_rewritten_needs_its_owners_key(folder: Path) -> None:
    """The chain is made anew to the last entry; the head is what cannot be."""
    region = honest()
    region.journals["mys-cert"][0] = ("note", {})
    write_journal(folder, agency="mys-cert", lines=chained(region.journals["mys-cert"]), signer=ROUTER)

    assert "journals/mys-cert.head" == only(verify_folder(folder), "forged").file


def test_a_file_that_nothing_checks_is_named(folder: Path) -> None:
    (folder / "checkpoints" / "readme.md").write_text("trust me")

    assert "checkpoints/readme.md" == only(verify_folder(folder), "unreadable").file


def test_a_bundle_needs_its_threshold(folder: Path) -> None:
    trust = json.loads((folder / "trust.json").read_text())
    trust["threshold"] = 3
    rest = {name: trust[name] for name in ("authorities", "threshold")}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    trust["digest"] = sha256(text.encode()).hexdigest()
    (folder / "trust.json").write_text(json.dumps(trust, sort_keys=True, separators=(",", ":")) + "\n")

    assert ["bundle.bin"] == [item.file for item in verify_folder(folder).findings]


def test_nothing_is_written_over(good: Path) -> None:
    with pytest.raises(InputError):
        honest().export(good)


def test_the_command_says_what_is_wrong_and_ends_with_one(
    good: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == main([str(good)])
    assert "nothing is unexplained" in capsys.readouterr().out
    (folder / "leaves.bin").write_bytes(b"\x01" + (folder / "leaves.bin").read_bytes()[1:])

    assert 1 == main([str(folder), "--json"])
    assert "leaves.bin" == json.loads(capsys.readouterr().out)["findings"][0]["file"]


@pytest.mark.parametrize(
    "value",
    [0, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**53 - 1, None, "", "a" * 31, "é" * 16, "a" * 256,
     "a" * 65_536, b"", b"b" * 255, b"b" * 256, b"b" * 65_536, (), (1, (2, ("x", b"y", None))), (0,) * 15, (0,) * 16,
     (0,) * 65_536],
    ids=lambda value: f"{type(value).__name__} {str(value)[:12]}",
)  # fmt: skip
def test_the_second_reader_reads_what_the_first_one_writes(value: object) -> None:
    assert value == Unpacker.whole(pack(value))


@pytest.mark.parametrize(
    "bent",
    ["", "cc05", "cd00ff", "ce0000ffff", "cf00000000ffffffff", "d90161", "c50001ff", "dc000101", "9101ff", "9201",
     "a2ff", "80", "ca00000000", "c1", "d4ff00", "e0", "a2c328", "91" * 40 + "c0"],
)  # fmt: skip
def test_the_second_reader_refuses_every_other_spelling(bent: str) -> None:
    with pytest.raises(UnreadableError):
        Unpacker.whole(bytes.fromhex(bent))


@pytest.mark.parametrize("bent", [b"", b"a\n1\nx\n\n", b"\n\n\xff\n", b"a\n01\n\n\n", b"a\nb\n\n\xe2\x80\x94 n YQ==\n"])
def test_the_second_reader_of_notes_refuses_what_is_none(bent: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_note(bent)
