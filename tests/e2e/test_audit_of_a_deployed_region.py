"""The provable log of a region of real processes: exported once they have stopped, and checked without them."""

import shutil
import signal
from pathlib import Path

import pytest

from console.exits import Exit
from tests.samples.command_line import answer, running, sandiwara
from tests.samples.quick_region import ROBBERY, self_locked_region


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A region in which a report has gone from mys-mar to idn-mar, with its receipts; all of it has stopped."""
    home = tmp_path_factory.mktemp("deployed")
    folder, report = self_locked_region(home), home / "report.yaml"
    report.write_text(ROBBERY, encoding="utf-8")
    with running("broker", folder, "--port", "0") as broker:
        where = ("--broker", f"127.0.0.1:{broker.event('listening')['port']}")
        with running("node", folder, "idn-mar", *where) as reader:
            reader.event("link_up")
            sending = ("--send", report, "--once", "--wait-receipts")
            sent = sandiwara("node", folder, "mys-mar", *where, *sending)
            assert Exit.OK == sent.returncode, sent.stderr
            running_still = sandiwara("audit", "export", folder, home / "too-early")
            assert Exit.STORE == running_still.returncode
            assert "in use by another process" in running_still.stderr
            for command in (reader, broker):
                command.process.send_signal(signal.SIGTERM)
                command.process.communicate()
    return folder


@pytest.fixture(scope="module")
def exported(region: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "log"
    written = answer("audit", "export", region, folder)
    assert ["idn-mar", "mys-mar"] == written["journals"]
    return folder


def test_nothing_of_a_deployed_region_is_unexplained(exported: Path) -> None:
    report = answer("audit", "verify", exported)

    assert [] == report["findings"]
    assert report["messages"] >= 2
    assert 2 == report["journals"]
    assert report["cosignatures"] > 0


def test_one_flipped_byte_is_named_with_file_and_place(exported: Path, tmp_path: Path) -> None:
    log = Path(shutil.copytree(exported, tmp_path / "log"))
    content = bytearray((log / "leaves.bin").read_bytes())
    content[len(content) // 2] ^= 1
    (log / "leaves.bin").write_bytes(content)
    report = answer("audit", "verify", log, code=Exit.NO)

    assert any(
        item["file"] == "leaves.bin" and item["offset"] <= len(content) // 2 < item["offset"] + item["length"]
        for item in report["findings"]
    )


def test_machines_export_apart_and_an_auditor_lays_the_parts_together(
    region: Path, exported: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    passwords = region / "passwords"
    broker = answer("audit", "export", region / "broker", log, "--password-file", passwords / "rt-region")
    assert [] == broker["journals"]
    for agency in ("mys-mar", "idn-mar"):
        words = ("--agency", agency, "--password-file", passwords / agency)
        answer("audit", "export", region / "nodes" / agency, tmp_path / agency, *words)
        shutil.copytree(tmp_path / agency, log, dirs_exist_ok=True)

    assert [] == answer("audit", "verify", log)["findings"]
    files = {path.relative_to(log): path.read_bytes() for path in log.rglob("*") if path.is_file()}
    assert files == {path.relative_to(exported): path.read_bytes() for path in exported.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("export", "{region}"), (Exit.USAGE, "nowhere to write")),
        (("export", "{region}", "{exported}"), (Exit.INPUT, "not empty")),
        (("export", "{region}", "{new}", "--agency", "in-port"), (Exit.INPUT, "has never run")),
        (("export", "{region}", "{exported}", "--agency", "mys-mar"), (Exit.INPUT, "is there already")),
        (("export", "{new}", "{new}"), (Exit.INPUT, "there is no folder")),
        (("verify", "{exported}", "{new}"), (Exit.USAGE, "one folder")),
    ],
)
def test_what_cannot_be_exported_says_why(
    words: tuple[str, ...], refusal: tuple[Exit, str], region: Path, exported: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new"
    run = sandiwara("audit", *(word.format(region=region, exported=exported, new=new) for word in words))

    assert refusal[0] == run.returncode, run.stderr
    assert refusal[1] in run.stderr
    assert not new.exists()
