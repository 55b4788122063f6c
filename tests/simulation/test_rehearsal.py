"""A rehearsal is the same to the byte: record and report, in another process, under another hash seed."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from scenarios.catalogue import find_pack
from scenarios.pack import load_pack_with_places
from scenarios.rehearsal import rehearse

ROOT = Path(__file__).parents[2]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def play(folder: Path, *, seed: int, hash_seed: str) -> dict[str, bytes]:
    command = ["run", "strait-lantern", "--virtual", "--quiet", "--seed", str(seed), "--out", str(folder)]
    subprocess.run(
        [sys.executable, "-m", "console.cli", *command],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "COLUMNS": "100"},
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return contents(folder)


def test_record_and_report_are_the_same_to_the_byte(tmp_path: Path) -> None:
    """Message ids, salts, keys and every number of the report: whatever hangs on an address or a hash would differ."""
    first = play(tmp_path / "first", seed=5, hash_seed="0")
    again = play(tmp_path / "again", seed=5, hash_seed="1")
    third = play(tmp_path / "third", seed=5, hash_seed="random")

    assert "aar.html" in first
    assert first == again
    assert first == third


def test_another_seed_is_another_play(tmp_path: Path) -> None:
    pack = load_pack_with_places(find_pack("strait-lantern")).pack
    for seed in (5, 6):
        other = replace(pack, header=replace(pack.header, seed=seed))
        rehearse(other, folder=tmp_path / str(seed))

    assert contents(tmp_path / "5") != contents(tmp_path / "6")


def test_no_call_of_a_play_goes_past_the_ports(tmp_path: Path) -> None:
    """Every call into C is looked at: no clock, chance, thread or socket but those that were handed in."""
    pack = load_pack_with_places(find_pack("strait-lantern")).pack

    rehearse(pack, folder=tmp_path, every_call=True)

    assert (tmp_path / "record" / "router.jsonl").is_file()
