"""Sharing a file through a whole region: what the nodes verified, and the rule for everybody who got nothing."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from console.exits import Exit
from tests.samples.command_line import COMMAND, answer, environment, sandiwara

SAMPLES: Final = Path(__file__).parents[2] / ".." / "shared" / "data"
with_samples: Final = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the sample files of others (../shared/data) are missing"
)
MARKS: Final = {
    "GREEN": "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "AMBER": "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "RED": "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}


def note(number: int, tlp: str, text: str) -> dict[str, Any]:
    return {
        "type": "note",
        "spec_version": "2.1",
        "id": f"note--00000000-0000-4000-8000-{number:012d}",
        "created": "2026-01-01T00:00:00.000Z",
        "modified": "2026-01-01T00:00:00.000Z",
        "abstract": f"Note {number}",
        "content": text,
        "object_refs": ["identity--f431f809-377b-45e0-aa1c-6a4751cae5ff"],
        "object_marking_refs": [MARKS[tlp]],
        "labels": ["toc.piracy"],
    }


def bundle(path: Path, *objects: dict[str, Any]) -> Path:
    document = {"type": "bundle", "id": "bundle--00000000-0000-4000-8000-000000000000", "objects": objects}
    path.write_text(json.dumps(document))
    return path


def readers(document: dict[str, Any]) -> list[list[str]]:
    """Who received each portion, as the nodes have it, in reading order."""
    return [
        sorted(item["agency"] for item in document["agencies"] if item["portions"][at]["received"])
        for at in range(len(document["portions"]))
    ]


def lantern(path: Path, *words: str, code: int = 0) -> dict[str, Any]:
    """Share into the small region of a shipped pack, which starts in a moment."""
    return answer(
        "share", path, "--as", "sgp-mar", "--pack", "strait-lantern", "--affected", "IDN,MYS,SGP", *words, code=code
    )


def test_each_portion_reaches_its_own_readers_and_nobody_else(tmp_path: Path) -> None:
    path = bundle(tmp_path / "b.json", note(1, "GREEN", "open"), note(2, "AMBER", "closer"), note(3, "RED", "closest"))

    document = lantern(path)

    coast = ["idn-mar", "mys-di", "mys-mar", "rb-ifc", "rb-msp", "rb-recaap", "sgp-di"]
    assert [[], coast, coast] == readers(document)
    assert [] == document["differences"]
    assert 64 == len(document["hid"])
    rules = {item["agency"]: [cell["rule"] for cell in item["portions"]] for item in document["agencies"]}
    assert "R07" == rules["dp-jpn-mar"][1]
    assert {"NTK-TLP"} == {cells[0] for cells in rules.values()}


def test_only_those_meant_receive_it(tmp_path: Path) -> None:
    document = lantern(bundle(tmp_path / "b.json", note(1, "GREEN", "open")), "--to", "MYS,rb-ifc")

    assert [["mys-di", "mys-mar", "rb-ifc"]] == readers(document)
    rules = {item["agency"]: item["portions"][0]["rule"] for item in document["agencies"]}
    assert "NOT-MEANT" == rules["idn-mar"]


def test_a_large_file_arrives_whole(tmp_path: Path) -> None:
    """Its portions travel in chunks, and nobody counts as a reader before the last one has come."""
    path = bundle(tmp_path / "b.json", *(note(number, "GREEN", f"{number} " * 20_000) for number in range(40)))

    document = lantern(path)

    assert document["portions"][0]["characters"] > 2_000_000
    assert 7 == len(readers(document)[0])
    assert [] == document["differences"]


def test_a_dry_run_foresees_and_sends_nothing(tmp_path: Path) -> None:
    path = bundle(tmp_path / "b.json", note(1, "AMBER", "closer"))

    foreseen, sent = lantern(path, "--dry-run"), lantern(path)

    assert not foreseen["sent"]
    assert foreseen["portions"][0]["readers"] == sent["portions"][0]["readers"]
    assert {None} == {cell["received"] for item in foreseen["agencies"] for cell in item["portions"]}


def test_what_nobody_may_receive_is_not_sent(tmp_path: Path) -> None:
    document = lantern(bundle(tmp_path / "b.json", note(1, "RED", "closest")), code=Exit.NO)

    assert not document["sent"]


def test_out_keeps_the_databases_and_the_outcome(tmp_path: Path) -> None:
    path, out = bundle(tmp_path / "b.json", note(1, "GREEN", "open")), tmp_path / "out"

    document = lantern(path, "--out", str(out))

    assert document == json.loads((out / "outcome.json").read_text())
    assert (out / "broker.sqlite").is_file()
    assert 11 == len(list((out / "nodes").glob("*.sqlite")))
    again = sandiwara("share", path, "--as", "sgp-mar", "--pack", "strait-lantern", "--out", out)
    assert Exit.INPUT == again.returncode
    assert "not empty" in again.stderr


def test_nothing_is_left_behind_without_out(tmp_path: Path) -> None:
    path = bundle(tmp_path / "b.json", note(1, "GREEN", "open"))
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    run = sandiwara("share", path, "--as", "sgp-mar", "--pack", "strait-lantern", TMPDIR=str(temporary))

    assert Exit.OK == run.returncode, run.stderr
    assert [] == list(temporary.iterdir())


def test_people_read_the_portions_the_readers_and_the_rules(tmp_path: Path) -> None:
    path = bundle(tmp_path / "b.json", note(1, "GREEN", "open"), note(2, "AMBER", "closer"))

    run = sandiwara("share", path, "--as", "sgp-mar", "--pack", "strait-lantern", "--affected", "IDN,MYS,SGP")

    assert Exit.OK == run.returncode, run.stderr
    assert "EXERCISE  from sgp-mar, sent as " in run.stdout
    assert "yes (R01)" in run.stdout
    assert "R07: the rule R07 forbids it" in run.stdout
    assert "Pre-flight, router and nodes agree" in run.stdout
    assert "starting the broker and 11 nodes" in run.stderr


@pytest.mark.parametrize("at", ["starting the broker", "waiting until every reader"])
def test_ctrl_c_ends_it_cleanly_at_any_step(at: str, tmp_path: Path) -> None:
    """No traceback, no database left open, nothing left in the temporary folder."""
    path = bundle(tmp_path / "b.json", *(note(number, "GREEN", f"{number} " * 20_000) for number in range(40)))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        [*COMMAND, "share", str(path), "--as", "sgp-mar", "--pack", "strait-lantern", "--affected", "IDN,MYS,SGP"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(TMPDIR=str(temporary)),
    )  # fmt: skip
    assert process.stderr is not None
    with process:
        said = ""
        for line in process.stderr:
            said += line
            if at in line:
                process.send_signal(signal.SIGINT)
        said += process.stderr.read()

    assert Exit.INTERRUPTED == process.returncode, said
    assert "Traceback" not in said
    assert said.endswith("sandiwara: stopped\n")
    assert [] == list(temporary.iterdir())


@with_samples
@pytest.mark.sample_files
@pytest.mark.parametrize(
    ("file", "topic", "expected"),
    [
        ("stix/atlas.json", "ai.misuse", 23),
        ("stix/using-marking-definitions.json", "cyber.incident", 23),
        ("misp/oceanlotus-macos.misp.event.json", "cyber.malware", 23),
    ],
)
def test_files_of_others_reach_those_who_need_them(file: str, topic: str, expected: int) -> None:
    """The largest has 450 KB, so it travels in chunks; the region has all eleven states."""
    document = answer("share", SAMPLES / file, "--as", "mys-cert")

    assert {topic} == {portion["label"]["topic"] for portion in document["portions"]}
    found = readers(document)
    assert {expected} == {len(names) for names in found}
    assert {True} == {"vnm-cert" in names for names in found}
    assert [] == document["differences"]
    assert 149 == len(document["agencies"])


@with_samples
@pytest.mark.sample_files
@pytest.mark.parametrize(
    ("file", "code", "said"),
    [
        ("stix/stix20-avoslocker-playbook.json", Exit.INPUT, "STIX 2.0"),
        ("misp/sharing_groups.json", Exit.INPUT, "sharing groups"),
        ("misp/machete.misp.event.json", Exit.NO, "Nobody may receive any of it"),
    ],
)
def test_what_may_not_be_shared_is_refused_with_the_reason(file: str, code: int, said: str) -> None:
    run = sandiwara("share", SAMPLES / file, "--as", "mys-cert")

    assert code == run.returncode
    assert said in run.stdout + run.stderr


def test_the_whole_region_fits_into_a_small_limit_of_open_files(tmp_path: Path) -> None:
    """Systems begin with 256 or 1,024 a process; it raises its own limit, and says so where it may not."""
    path = bundle(tmp_path / "b.json", note(1, "GREEN", "open"))
    code = (
        "import resource, sys; from console.cli import main;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300)); sys.exit(main(sys.argv[1:]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, "share", str(path), "--as", "mys-mar", "--affected", "MYS"],
        capture_output=True, text=True, check=False, env=environment(),
    )  # fmt: skip

    assert Exit.STORE == run.returncode
    assert "ulimit -n" in run.stderr
