"""A disk that is full to the last byte under real processes: what is refused is said, what was accepted is kept.

The file system is a small one that the test mounts; SQLite, the key files and the outgoing folder all meet its end.
"""

import json
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.exits import Exit
from tests.samples.command_line import HARBOUR_WATCH, Running, answer, running, sandiwara
from tests.samples.quick_region import self_locked_region
from tests.samples.small_filesystem import SmallFilesystem, small_filesystem

TEXT = "The robbers left northward. " * 700


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A region's folder as init made it; each test works on its own copy."""
    return self_locked_region(tmp_path_factory.mktemp("made"))


@pytest.fixture
def region(made: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "region"
    shutil.copytree(made, folder)
    return folder


@pytest.fixture
def small(tmp_path: Path) -> Iterator[SmallFilesystem]:
    with small_filesystem(tmp_path / "small", kib=900) as filesystem:
        yield filesystem


def report(folder: Path, number: int) -> Path:
    """Write a report of some 20 KB that idn-mar may have."""
    path = folder / f"report-{number}.json"
    fields = {
        "title": f"robbery {number}", "tlp": "AMBER", "level": "EX-UNCLAS", "topic": "toc.robbery-at-sea",
        "affected": ["IDN", "MYS"], "text": TEXT,
    }  # fmt: skip
    path.write_text(json.dumps(fields))
    return path


def move(part: Path, small: SmallFilesystem) -> None:
    """Move a part of a region onto the small file system; a link stands in its place."""
    moved = small.folder / part.name
    shutil.move(part, moved)
    part.symlink_to(moved)


def send(region: Path, where: tuple[str, ...], path: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return sandiwara("node", region, "mys-mar", *where, "--json", "--once", "--send", path, "--to", "idn-mar", *words)


def ended(process: Running) -> tuple[list[dict[str, Any]], str]:
    """End a process in good order; returns the events that were not read yet, and its log."""
    process.process.send_signal(signal.SIGTERM)
    out, err = process.process.communicate(timeout=60)
    assert Exit.OK == process.process.returncode, err
    return process.seen + [json.loads(line) for line in out.splitlines()], err


def sound(database: Path) -> bool:
    connection = sqlite3.connect(database)
    try:
        return bool(connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok")
    finally:
        connection.close()


def test_a_node_whose_disk_is_full_takes_nothing_says_so_and_takes_all_of_it_when_there_is_room(
    region: Path, small: SmallFilesystem, tmp_path: Path
) -> None:
    move(region / "nodes" / "idn-mar", small)
    with running("broker", region, "--port", "0") as broker:
        where = ("--broker", f"localhost:{broker.event('listening')['port']}")
        with running("node", region, "idn-mar", *where) as reader:
            reader.event("link_up")
            assert Exit.OK == send(region, where, report(tmp_path, 0), "--wait-receipts").returncode
            reader.event("received")
            small.fill()
            handed = sandiwara("send", region, "idn-mar", report(tmp_path, 9))
            assert Exit.STORE == handed.returncode
            assert "No space left" in handed.stderr
            for number in range(1, 3):
                sent = send(region, where, report(tmp_path, number))
                assert Exit.OK == sent.returncode, sent.stderr
            reader.event("disk_full")
            while_full = [event["event"] for event in reader.seen]
            small.make_room()
            reader.event("disk_has_room")
            for number in range(1, 3):
                reader.wait_for(lambda event, number=number: titled(event, number))  # type: ignore[misc] # mypy cannot type a lambda's default
            running_log = answer("log", region, "--agency", "idn-mar")
            events, log = ended(reader)
        ended(broker)
        logged = answer("log", region)
        sent_log = answer("log", region, "--agency", "mys-mar")

    assert 1 == while_full.count("received")
    titles = [event["portions"][0]["title"] for event in events if event["event"] == "received"]
    assert [f"robbery {number}" for number in range(3)] == sorted(titles)
    assert ["disk_full", "disk_has_room"] == [event["event"] for event in events if event["event"].startswith("disk")]
    assert 1 == log.count("disk.full")
    assert sound(small.folder / "idn-mar" / "node.sqlite")
    # The node that ran was read beside itself; the author's shows a message for each, and how far it came.
    assert [] == running_log["messages"]
    messages = sent_log["messages"]
    assert [f"robbery {number}" for number in range(3)] == [message["title"] for message in messages]
    assert {"accepted"} == {message["state"] for message in messages}
    assert {"idn-mar"} == {reader["agency"] for message in messages for reader in message["readers"]}
    assert [["idn-mar"]] * 3 == [[item["agency"] for item in release["delivered"]] for release in logged["releases"]]


def titled(event: dict[str, Any], number: int) -> bool:
    return event["event"] == "received" and bool(event["portions"][0]["title"] == f"robbery {number}")


def test_an_author_whose_disk_is_full_is_told_at_once_and_what_it_handed_over_waits(
    region: Path, small: SmallFilesystem, tmp_path: Path
) -> None:
    move(region / "nodes" / "mys-mar", small)
    outgoing = region / "nodes" / "mys-mar" / "outgoing"
    outgoing.rmdir()
    outgoing.symlink_to(tmp_path)
    with running("broker", region, "--port", "0") as broker:
        where = ("--broker", f"localhost:{broker.event('listening')['port']}")
        assert Exit.OK == sandiwara("node", region, "idn-mar", *where, "--once").returncode
        assert Exit.OK == send(region, where, report(tmp_path, 0)).returncode
        with running("node", region, "mys-mar", *where) as author:
            author.event("link_up")
            small.fill()
            handed = sandiwara("send", region, "mys-mar", report(tmp_path, 1), "--to", "idn-mar")
            author.event("disk_full")
            waiting = list(tmp_path.glob("*.report"))
            while_full = [event["event"] for event in author.seen]
            small.make_room()
            author.event("disk_has_room")
            author.event("accepted")
            ended(author)
        # One that is started on a disk without room cannot even open its database.
        small.fill()
        refused = send(region, where, report(tmp_path, 2))
        small.make_room()
        fetched = sandiwara("node", region, "idn-mar", *where, "--once", "--json")
        ended(broker)

    assert Exit.OK == handed.returncode, handed.stderr
    assert 1 == len(waiting)
    assert "sent" not in while_full
    assert [] == list(tmp_path.glob("*.report"))
    assert Exit.STORE == refused.returncode, refused.stdout
    assert "make room" in refused.stderr
    received = [json.loads(line) for line in fetched.stdout.splitlines()]
    titles = [event["portions"][0]["title"] for event in received if event["event"] == "received"]
    assert ["robbery 0", "robbery 1"] == titles
    assert sound(small.folder / "mys-mar" / "node.sqlite")


def test_a_broker_whose_disk_is_full_accepts_nothing_says_so_once_and_heals(
    region: Path, small: SmallFilesystem, tmp_path: Path
) -> None:
    move(region / "broker", small)
    with running("broker", region, "--port", "0") as broker:
        where = ("--broker", f"localhost:{broker.event('listening')['port']}")
        with running("node", region, "idn-mar", *where) as reader:
            reader.event("link_up")
            assert Exit.OK == send(region, where, report(tmp_path, 0)).returncode
            reader.wait_for(lambda event: titled(event, 0))
            small.fill()
            undecided = send(region, where, report(tmp_path, 1), "--within", "5s")
            small.make_room()
            decided = sandiwara("node", region, "mys-mar", *where, "--json", "--once")
            reader.wait_for(lambda event: titled(event, 1))
            ended(reader)
        _, log = ended(broker)

    # Accepted by its own node, which keeps it; the router's verdict came when there was room.
    assert Exit.LIMIT == undecided.returncode, undecided.stderr
    assert '"accepted"' not in undecided.stdout
    assert Exit.OK == decided.returncode, decided.stderr
    assert '"accepted"' in decided.stdout
    assert 1 == log.count("disk.full")
    assert 1 == log.count("disk.has-room")
    assert sound(small.folder / "broker" / "broker.sqlite")


def test_a_region_and_a_play_that_find_no_room_end_with_a_clear_error(small: SmallFilesystem) -> None:
    small.fill()
    made = sandiwara("init", small.folder / "region", "--pack", HARBOUR_WATCH)
    played = sandiwara("run", HARBOUR_WATCH, "--out", small.folder / "out")

    for run in (made, played):
        assert Exit.STORE == run.returncode, run.stderr
        assert "No space left" in run.stderr or "full" in run.stderr
        assert "Traceback" not in run.stderr


def test_a_play_whose_disk_fills_half_way_ends_with_a_clear_error(small: SmallFilesystem) -> None:
    played = sandiwara("run", HARBOUR_WATCH, "--out", small.folder / "out")

    assert Exit.STORE == played.returncode, played.stderr
    assert "room" in played.stderr
    assert "Traceback" not in played.stderr
