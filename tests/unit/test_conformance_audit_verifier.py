"""The verifier against files that were damaged: what was dropped, changed or reordered is named, with its place.

The log is that of a small region whose router, agencies and exporter are ours; the verifier shares no code with them.
"""

import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from conformance.audit_verifier import main, verify_folder
from schemas.errors import InputError
from tests.samples.audited_region import honest, only


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return honest().export(tmp_path_factory.mktemp("log") / "log")


@pytest.fixture
def folder(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "log"))


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
