"""The provable log of a whole play: it holds, every leaf is cosigned, and each kind of evil done to it is named."""

import json
import shutil
from pathlib import Path

import pytest

from conformance.audit_verifier import Report, verify_folder
from console.cli import main
from scenarios.catalogue import find_pack
from scenarios.pack import load_pack_with_places
from scenarios.rehearsal import rehearse


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("play")
    rehearse(load_pack_with_places(find_pack("strait-lantern")).pack, folder=folder)
    return folder


@pytest.fixture
def log(play: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(play / "log", tmp_path / "log"))


def told(report: Report) -> list[str]:
    return [finding.line() for finding in report.findings]


def test_a_play_leaves_nothing_unexplained(play: Path) -> None:
    """Every release, delivery and receipt of eleven agencies against the leaves, to zero."""
    report = verify_folder(play / "log")

    assert [] == told(report)
    assert report.leaves > 400
    assert report.leaves == report.cosigned_leaves
    assert report.messages > 100
    assert 11 == report.journals
    assert 0 == report.outstanding


def test_every_agency_cosigned_the_end_of_the_log(play: Path) -> None:
    last = max((play / "log" / "checkpoints").iterdir())

    assert 11 == last.read_text(encoding="utf-8").count("sandiwara/agency/")
    assert {path.stem for path in (play / "log" / "journals").glob("*.jsonl")} == {
        path.stem for path in (play / "log" / "witnesses").iterdir()
    }


def test_the_log_holds_no_text_of_any_report(play: Path) -> None:
    openings = (play / "log" / "openings.bin").read_bytes()
    record = (play / "record").glob("*.jsonl")
    titles = {
        portion["title"]
        for path in record
        for line in path.read_text(encoding="utf-8").splitlines()
        for portion in json.loads(line).get("portions", [])
    }

    assert len(titles) > 10
    assert [] == [title for title in titles if title.encode() in openings]


@pytest.mark.parametrize("file", ["leaves.bin", "openings.bin", "tree.bin", "bundle.bin", "trust.json"])
def test_a_flipped_byte_anywhere_is_named_with_its_place(log: Path, file: str) -> None:
    content = (log / file).read_bytes()
    for place in range(7, len(content), max(1, len(content) // 5)):
        bent = bytearray(content)
        bent[place] ^= 0x20
        (log / file).write_bytes(bent)
        found = verify_folder(log).findings

        assert any(item.file == file and item.offset <= place < item.offset + item.length for item in found), place


def test_an_entry_that_is_dropped_is_named_with_its_leaf(log: Path) -> None:
    leaves = (log / "leaves.bin").read_bytes()
    (log / "leaves.bin").write_bytes(leaves[: 38 * 100] + leaves[38 * 101 :])

    assert [("dropped", 100)] == [(item.fault, item.leaf) for item in verify_folder(log).findings]


def test_a_delivery_that_the_reader_denies_is_named(log: Path) -> None:
    """Somebody's journal is replaced by an empty one: what it acked is then unexplained, every piece of it."""
    (log / "journals" / "tha-mar.jsonl").write_text("")
    report = verify_folder(log)

    assert any(item.file == "journals/tha-mar.jsonl" for item in report.findings)
    assert any("tha-mar" in item.who and item.fault == "unexplained" for item in report.findings)


def test_the_folder_of_a_play_stands_for_the_log_in_it(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The README says DIR, and what a play has told its user is the play's own folder."""
    assert 0 == main(["audit", "verify", str(log.parent)])
    assert "nothing is unexplained" in capsys.readouterr().out
    (log / "tree.bin").write_bytes(b"")
    assert 1 == main(["audit", "verify", str(log.parent)])


def test_the_command_answers_with_its_exit_code(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["audit", "verify", str(log)])
    assert "nothing is unexplained" in capsys.readouterr().out
    (log / "bundle.bin").unlink()
    assert 1 == main(["audit", "verify", str(log), "--json"])
    assert "bundle.bin" == json.loads(capsys.readouterr().out)["findings"][0]["file"]
    assert 3 == main(["audit", "verify", str(log / "nowhere")])
