"""A region on separate machines, as far as one machine can show it: real processes, TLS, and somebody on the wire."""

import json
import shutil
import signal
from pathlib import Path
from typing import Final

import pytest

from console.exits import Exit
from tests.samples.command_line import HARBOUR_WATCH, answer, running, sandiwara
from tests.samples.wire import on_the_wire

TITLE: Final = "Robbery off the eastern anchorage"
TEXT: Final = "The robbers left northward in a grey skiff at four."
REPORT: Final = f"""\
title: {TITLE}
tlp: AMBER
level: EX-UNCLAS
topic: toc.robbery-at-sea
affected: [IDN, MYS]
text: {TEXT}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A region's folder as init made it; each test works on its own copy, since keys take seconds to lock."""
    folder = tmp_path_factory.mktemp("made") / "region"
    answer("init", folder, "--pack", HARBOUR_WATCH, "--tls")
    return folder


@pytest.fixture
def region(made: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "region"
    shutil.copytree(made, folder)
    return folder


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.yaml"
    path.write_text(REPORT)
    return path


def files_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_report_and_its_receipts_pass_between_processes_and_the_wire_learns_nothing(
    region: Path, report: Path
) -> None:
    """Over TLS the relay sees no word of it; and the broker, past TLS, holds no word either."""
    with running("broker", region, "--port", "0", "--log-level", "debug") as broker:
        port = broker.event("listening")["port"]
        with on_the_wire(port) as wire:
            where = ("--broker", f"localhost:{wire.port}", "--log-level", "debug")
            with (
                running("node", region, "idn-mar", *where) as reader,
                running("node", region, "in-port", *where) as other,
            ):
                reader.event("link_up")
                other.event("link_up")
                sent = sandiwara(
                    "node", region, "mys-mar", *where, "--json", "--send", report, "--once", "--wait-receipts",
                    "--to", "idn-mar",
                )  # fmt: skip
                received = reader.event("received")
                reader.process.send_signal(signal.SIGTERM)
                other.process.send_signal(signal.SIGTERM)
                reader_logs, other_logs = (item.process.communicate()[1] for item in (reader, other))
                assert (Exit.OK, Exit.OK) == (reader.process.returncode, other.process.returncode)
            recorded = bytes(wire.recorded)
        logged = answer("log", region)
        broker.process.send_signal(signal.SIGTERM)
        broker_logs = broker.process.communicate()[1]
        assert Exit.OK == broker.process.returncode

    events = [json.loads(line) for line in sent.stdout.splitlines()]
    assert Exit.OK == sent.returncode, sent.stderr
    assert {"idn-mar": [1]} == next(event for event in events if event["event"] == "sent")["audience"]
    assert "delivered" in {event["status"] for event in events if event["event"] == "receipt"}
    assert (TITLE, TEXT) == (received["portions"][0]["title"], received["portions"][0]["text"])

    secret = [TITLE.encode(), TEXT.encode(), b"grey skiff"]
    assert len(recorded) > 10_000
    assert [] == [word for word in secret if word in recorded]
    assert [] == [word for word in secret if word in files_of(region / "broker")]
    assert [] == [word for word in secret if word in (broker_logs + reader_logs + other_logs + sent.stderr).encode()]
    # The one that may not know holds no trace of it: not the text, not even the report's id.
    uncleared = files_of(region / "nodes" / "in-port")
    assert [] == [word for word in [*secret, bytes.fromhex(received["hid"])] if word in uncleared]
    assert received["hid"] not in other_logs
    # What was asked of the log while the broker ran: who got it, and by which rule the other did not.
    (release,) = logged["releases"]
    assert ["idn-mar"] == [item["agency"] for item in release["portions"][0]["permitted"]]
    assert {"in-port": "R3", "rb-ifc": "NOT-SEALED"} == {
        item["agency"]: item["rule"] for item in release["portions"][0]["left_out"]
    }


def test_what_is_handed_over_while_no_node_runs_is_sent_by_the_next_one_and_only_once(
    region: Path, report: Path
) -> None:
    assert ["idn-mar", "rb-ifc"] == answer("send", region, "mys-mar", report)["readers"]
    (waiting,) = (region / "nodes" / "mys-mar" / "outgoing").iterdir()
    kept = waiting.read_bytes()
    with running("broker", region, "--port", "0") as broker:
        where = ("--broker", f"localhost:{broker.event('listening')['port']}")
        with running("node", region, "idn-mar", *where) as reader:
            reader.event("link_up")
            first = sandiwara("node", region, "mys-mar", *where, "--json", "--once")
            # The same file once more is what a node finds that was killed before it could remove it.
            waiting.write_bytes(kept)
            second = sandiwara("node", region, "mys-mar", *where, "--json", "--once")
            reader.event("received")
            reader.process.send_signal(signal.SIGTERM)
            rest = reader.process.communicate()[0]

    assert (Exit.OK, Exit.OK) == (first.returncode, second.returncode), first.stderr + second.stderr
    assert '"sent"' in first.stdout
    assert '"sent"' not in second.stdout
    assert not waiting.exists()
    assert '"received"' not in rest


def test_a_reader_that_was_away_gets_its_reports_when_it_comes(region: Path, report: Path) -> None:
    """It must have been seen once, or nobody could seal for it."""
    with running("broker", region, "--port", "0") as broker:
        where = ("--broker", f"localhost:{broker.event('listening')['port']}")
        assert Exit.OK == sandiwara("node", region, "idn-mar", *where, "--once").returncode
        assert Exit.OK == sandiwara("node", region, "mys-mar", *where, "--send", report, "--once").returncode
        fetched = sandiwara("node", region, "idn-mar", *where, "--once", "--json")

    assert Exit.OK == fetched.returncode, fetched.stderr
    assert TEXT in fetched.stdout


def test_parts_work_when_they_are_copied_apart(region: Path, report: Path, tmp_path: Path) -> None:
    """As README.txt says: each part to its own machine, its password by another way."""
    parts = {name: tmp_path / name for name in ("hub", "coast", "island")}
    shutil.move(region / "broker", parts["hub"])
    shutil.move(region / "nodes" / "mys-mar", parts["coast"])
    shutil.move(region / "nodes" / "idn-mar", parts["island"])
    passwords = {path.name: path for path in (region / "passwords").iterdir()}
    with running("broker", parts["hub"], "--port", "0", "--password-file", passwords["rt-region"]) as broker:
        where = ("--broker", f"localhost:{broker.event('listening')['port']}", "--password-file")
        with running("node", parts["island"], "idn-mar", *where, passwords["idn-mar"]) as reader:
            reader.event("link_up")
            sending = ("--send", report, "--once")
            sent = sandiwara("node", parts["coast"], "mys-mar", *where, passwords["mys-mar"], *sending)
            assert Exit.OK == sent.returncode, sent.stderr
            assert TEXT == reader.event("received")["portions"][0]["text"]
