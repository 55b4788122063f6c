"""The verifier against an owner who writes the past anew, shows two of them, or hides what was signed for."""

import shutil
from pathlib import Path

import pytest

from broker.audit.covers import Covers
from broker.audit.leaves import DecidedLeaf
from broker.audit.log import LeafRow
from conformance.audit_verifier import verify_folder
from schemas.codec import pack
from sealing.merkle import Frontier
from sealing.notes import Checkpoint, log_origin, sign_checkpoint
from tests.samples.audited_region import AGENCIES, NOW, ROUTER, honest, only


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return honest().export(tmp_path_factory.mktemp("log") / "log")


@pytest.fixture
def folder(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "log"))


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
