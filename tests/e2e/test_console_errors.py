"""Bad input of every kind: the right exit code, two lines that help, and never a traceback."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
from pathlib import Path
from typing import Final

import pytest

from console.exits import Exit
from tests.samples.command_line import COMMAND, HARBOUR_WATCH, answer, at_once, environment, running, sandiwara

PASSWORD: Final = "correct horse battery"
REPORT: Final = (
    "title: Robbery\ntlp: GREEN\nlevel: EX-UNCLAS\ntopic: toc.robbery\naffected: [MYS]\ntext: It happened.\n"
)


def refused(run: "subprocess.CompletedProcess[str]", code: int) -> str:
    """Return what a refused command says, after the form of it has been checked."""
    assert code == run.returncode, run.stdout + run.stderr
    assert "Traceback" not in run.stderr
    said = [line for line in run.stderr.splitlines() if " warning " not in line]
    assert said[0].startswith("sandiwara: "), run.stderr
    assert "" == run.stdout
    return run.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "region"
    run = sandiwara("init", folder, "--pack", HARBOUR_WATCH, SANDIWARA_PASSWORD=PASSWORD)
    assert Exit.OK == run.returncode, run.stderr
    return folder


@pytest.fixture
def region(made: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "region"
    shutil.copytree(made, folder)
    return folder


# Files to share.


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b'{"type": "bundle", "objects": [', "JSON"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b'{"kind": "menu"}', "neither STIX 2.1 nor a MISP event"),
        (b"[" * 100_000, "nest"),
        (b"PK\x03\x04 a spreadsheet", "JSON"),
    ],
    ids=["0 bytes", "truncated", "binary", "other JSON", "nested", "zip"],
)
def test_a_file_that_cannot_be_read_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    path.write_bytes(content)

    message = refused(at_once("share", path, "--as", "sgp-mar", "--pack", "strait-lantern"), Exit.INPUT)

    assert said.lower() in message.lower()
    assert "event.json" in message


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "try:" in refused(at_once("share", tmp_path / "none.json", "--as", "mys-cert"), Exit.INPUT)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    refused(at_once("share", tmp_path, "--as", "mys-cert"), Exit.INPUT)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--as", "mys-crt"), "did you mean mys-cert"),
        (("--as", "mys-cert", "--to", "@cert"), "did you mean @certs"),
        (("--as", "mys-cert", "--affected", "Malaysia"), "three capital letters"),
        (("--as", "mys-cert", "--level", "SECRET"), "EX-SECRET"),
        (("--as", "mys-cert", "--organisation", "ESET"), "--organisation 'ESET=mys-cert'"),
        (("--as", "mys-cert", "--tlp", "PINK"), "CLEAR, GREEN, AMBER"),
    ],
)
def test_a_word_that_the_community_does_not_know_is_a_usage_error(words: tuple[str, ...], said: str) -> None:
    assert said in refused(at_once("share", "any.json", *words), Exit.USAGE)


def test_an_unknown_pack_is_answered_with_the_shipped_ones() -> None:
    assert "strait-lantern" in refused(at_once("lint", "strait-lanterm"), Exit.INPUT)


# Reports of a desk.


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ("title: Robbery\n", "", "report.yaml:1:", "has no 'title'"),
        ("topic:", "topik:", "report.yaml:4:", "did you mean 'topic'"),
        ("GREEN", "GREN", "report.yaml:2:", "GREEN"),
        ("[MYS]", "[mys]", "report.yaml:5:", "affected"),
        ("text: It happened.", "text: ''", "report.yaml:", "no text"),
        ("title: Robbery\n", "title: Robbery\nto: [idn-mra]\n", "report.yaml:2:", "did you mean 'idn-mar'"),
        ("title: Robbery\n", "title: [\n", "report.yaml:", "not YAML"),
        ("title: Robbery\n", "title: Robbery\ntitle: Again\n", "report.yaml:2:", "stands twice"),
        (REPORT, "", "report.yaml:1:", "empty"),
        (REPORT, "- a\n", "report.yaml:1:", "must be a mapping"),
    ],
)  # fmt: skip
def test_a_slip_in_a_report_is_named_with_its_line(old: str, new: str, place: str, said: str, region: Path) -> None:
    path = region / "report.yaml"
    path.write_text(REPORT.replace(old, new))

    message = refused(at_once("send", region, "mys-mar", path), Exit.INPUT)

    assert place in message
    assert said in message
    assert [] == list((region / "nodes" / "mys-mar" / "outgoing").iterdir())


def test_a_report_in_json_is_a_report_too(region: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(
        '{"title": "Robbery \\ud83d\\udea8", "portions": [{"tlp": "GREEN", "topic": "toc.robbery", "affected": ["IDN"],'
        ' "text": "caf\\u00e9 \\ud83d\\udea8"}]}'
    )

    assert ["idn-mar", "rb-ifc"] == answer("send", region, "mys-mar", path)["readers"]


# Folders and keys.


def test_an_unknown_agency_is_answered_with_the_one_that_was_meant(region: Path) -> None:
    assert "idn-mar" in refused(at_once("node", region, "idn-mra", SANDIWARA_PASSWORD=PASSWORD), Exit.INPUT)


@pytest.mark.parametrize("agency", ["../../etc", "mys-mar/../idn-mar", "", "*"])
def test_an_agency_is_a_name_and_no_path(agency: str, region: Path) -> None:
    refused(at_once("node", region, agency, SANDIWARA_PASSWORD=PASSWORD), Exit.INPUT)


def test_a_folder_without_a_region_is_refused(tmp_path: Path) -> None:
    for words in (("broker", tmp_path), ("node", tmp_path, "mys-mar"), ("log", tmp_path), ("broker", tmp_path / "no")):
        assert "sandiwara init" in refused(at_once(*words, SANDIWARA_PASSWORD=PASSWORD), Exit.INPUT)


def test_a_wrong_password_opens_nothing(region: Path) -> None:
    for words in (("broker", region), ("node", region, "mys-mar")):
        message = refused(at_once(*words, SANDIWARA_PASSWORD="wrong horse battery"), Exit.STORE)
        assert "does not open with this password" in message
        assert "wrong horse" not in message


def test_without_a_password_and_a_terminal_it_says_how_to_give_one(region: Path) -> None:
    assert "--password-file" in refused(at_once("node", region, "mys-mar"), Exit.STORE)


def test_a_password_file_that_others_can_read_is_refused(region: Path, tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    path.chmod(0o644)

    message = refused(at_once("node", region, "mys-mar", "--password-file", path), Exit.STORE)

    assert f"chmod 600 {path}" in message


def test_swapped_key_files_are_noticed(region: Path) -> None:
    nodes = region / "nodes"
    shutil.copy(nodes / "idn-mar" / "agency.key", nodes / "mys-mar" / "agency.key")

    message = refused(at_once("node", region, "mys-mar", SANDIWARA_PASSWORD=PASSWORD), Exit.STORE)

    assert "holds the keys of idn-mar, not of mys-mar" in message


def test_swapped_certificates_are_noticed(region: Path) -> None:
    """A broker could only hang up on it, and nobody would know why."""
    nodes = region / "nodes"
    shutil.copy(nodes / "idn-mar" / "link.crt", nodes / "mys-mar" / "link.crt")

    message = refused(at_once("node", region, "mys-mar", SANDIWARA_PASSWORD=PASSWORD), Exit.STORE)

    assert "is the certificate of idn-mar, not of mys-mar" in message


@pytest.mark.parametrize("file", ["bundle", "trust-root", "links.json", "settings.json", "router.key"])
@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "altered"])
def test_a_damaged_part_is_refused_before_anything_is_opened(file: str, damage: str, region: Path) -> None:
    path = region / "broker" / file
    content = path.read_bytes()
    match damage:
        case "missing":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "truncated":
            path.write_bytes(content[: len(content) // 2])
        case _:
            # The salt of link passwords may be any; what follows it is looked up by name, so it is left whole there.
            middle = 2 if file.endswith(".json") else len(content) // 2
            path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])

    run = at_once("broker", region, "--port", "0", SANDIWARA_PASSWORD=PASSWORD)

    assert run.returncode in {Exit.INPUT, Exit.STORE}, run.stderr
    assert str(region) in refused(run, run.returncode)
    assert not (region / "broker" / "broker.sqlite").exists()


def test_init_never_overwrites(region: Path) -> None:
    kept = (region / "broker" / "router.key").read_bytes()

    assert "not empty" in refused(at_once("init", region, "--pack", HARBOUR_WATCH), Exit.INPUT)
    assert kept == (region / "broker" / "router.key").read_bytes()


def test_every_secret_of_a_region_is_its_owners_alone(made: Path) -> None:
    for path in made.rglob("*"):
        if path.is_file():
            assert 0o600 == stat.S_IMODE(path.stat().st_mode), path
    assert 0o700 == stat.S_IMODE(made.stat().st_mode)


def test_the_broker_keeps_no_link_password(made: Path) -> None:
    password = json.loads((made / "nodes" / "mys-mar" / "link.json").read_text())["password"]
    hub = b"".join(path.read_bytes() for path in (made / "broker").rglob("*") if path.is_file())

    assert len(password) > 30
    assert password.encode() not in hub


def test_a_password_that_is_too_short_locks_nothing(tmp_path: Path) -> None:
    refused(at_once("init", tmp_path / "r", "--pack", HARBOUR_WATCH, SANDIWARA_PASSWORD="short"), Exit.USAGE)
    assert not (tmp_path / "r").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    refused(sandiwara("init", tmp_path / "r", "--pack", HARBOUR_WATCH), Exit.INPUT)


# Links.


def test_beyond_loopback_nothing_is_spoken_without_tls(region: Path) -> None:
    for words in (
        ("broker", region, "--host", "0.0.0.0", "--no-tls"),  # noqa: S104 - that it is refused is the point
        ("broker", region, "--host", "::", "--no-tls"),
    ):
        assert "TLS" in refused(sandiwara(*words, SANDIWARA_PASSWORD=PASSWORD), Exit.LINK)
    node = ("node", region, "mys-mar", "--broker", "192.0.2.1:1883", "--no-tls")
    assert "TLS" in refused(sandiwara(*node, SANDIWARA_PASSWORD=PASSWORD), Exit.USAGE)


def test_a_port_in_use_is_said_to_be(region: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        message = refused(sandiwara("broker", region, "--port", port, SANDIWARA_PASSWORD=PASSWORD), Exit.LINK)

    assert f"port {port} on 127.0.0.1 is in use" in message


def test_a_broker_that_is_not_there_is_a_link_error(region: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    words = ("node", region, "mys-mar", "--broker", f"127.0.0.1:{port}", "--once", "--within", "1s")

    assert f"127.0.0.1:{port}" in refused(sandiwara(*words, SANDIWARA_PASSWORD=PASSWORD), Exit.LINK)


def test_two_brokers_or_nodes_of_one_folder_are_refused_and_a_stranger_gets_no_link(region: Path) -> None:
    with running("broker", region, "--port", "0", SANDIWARA_PASSWORD=PASSWORD) as broker:
        port = broker.event("listening")["port"]
        second = sandiwara("broker", region, "--port", "0", SANDIWARA_PASSWORD=PASSWORD)
        assert "in use by another process" in refused(second, Exit.STORE)
        # A node whose link password is not the one that the broker keeps the hash of.
        link = region / "nodes" / "idn-mar" / "link.json"
        link.write_text(link.read_text().replace('"password": "', '"password": "0'))
        words = ("node", region, "idn-mar", "--broker", f"127.0.0.1:{port}", "--once", "--within", "1s")
        assert "no link to the broker" in refused(sandiwara(*words, SANDIWARA_PASSWORD=PASSWORD), Exit.LINK)


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_broker_and_a_node_end_cleanly_when_told(signal_number: signal.Signals, region: Path) -> None:
    expected = Exit.OK if signal_number == signal.SIGTERM else Exit.INTERRUPTED
    with running("broker", region, "--port", "0", SANDIWARA_PASSWORD=PASSWORD) as broker:
        where = f"127.0.0.1:{broker.event('listening')['port']}"
        with running("node", region, "mys-mar", "--broker", where, SANDIWARA_PASSWORD=PASSWORD) as node:
            node.event("link_up")
            for command in (node, broker):
                command.process.send_signal(signal_number)
                said = command.process.communicate()[1]
                assert "Traceback" not in said
                assert expected == command.process.returncode, said
    # What is closed as it should be leaves no log of the database behind.
    assert [] == list(region.rglob("*.sqlite-wal"))


@pytest.mark.parametrize(
    "words", [("init", "R", "--pack", str(HARBOUR_WATCH)), ("packs",), ("share", "x", "--as", "y")]
)
def test_ctrl_c_at_once_leaves_no_traceback(words: tuple[str, ...], tmp_path: Path) -> None:
    """Whatever it was doing, it says that it was stopped, or had ended already."""
    process = subprocess.Popen(
        [*COMMAND, *words], cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=environment(),
    )  # fmt: skip
    # Not before the interpreter has read the command: what Python prints of a Ctrl-C until then is its own.
    loaded = Path(f"/proc/{process.pid}/maps")
    while process.poll() is None and "_struct" not in loaded.read_text() and "_json" not in loaded.read_text():
        pass
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()

    assert "Traceback" not in said
    assert process.returncode in {Exit.INTERRUPTED, Exit.OK, Exit.USAGE}
    # A region's folder gets its name when it is whole: it is there, or nothing is.
    assert {path.name for path in tmp_path.iterdir()} <= {"R"}
    assert not (tmp_path / "R").exists() or (tmp_path / "R" / "README.txt").is_file()


def test_ctrl_c_while_keys_are_locked_leaves_nothing_behind(tmp_path: Path) -> None:
    """It may fall into the starting of a thread; each try falls somewhere else.

    A region of 150 agencies, so that no machine has locked all keys by then.
    """
    for after_s in (0.0, 0.05, 0.1, 0.15):
        process = subprocess.Popen(
            [*COMMAND, "init", "R", "--pack", "region"], cwd=tmp_path, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
        )  # fmt: skip
        while not list(tmp_path.iterdir()):
            assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=after_s)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()

        assert Exit.INTERRUPTED == process.returncode, said
        assert [] == list(tmp_path.iterdir())
