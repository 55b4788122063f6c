"""The verifier against a router or an agency that tells another story than the others: it is named, and by whom."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.audit.leaves import AdmittedLeaf, DecidedLeaf, DeliveredLeaf
from conformance.audit_verifier import verify_folder
from scenarios.audit_export import write_journal
from tests.samples.audited_region import NOW, ROUTER, Region, chained, honest, only


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return honest().export(tmp_path_factory.mktemp("log") / "log")


@pytest.fixture
def folder(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "log"))


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
