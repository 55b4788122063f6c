"""What fuzzing has found, each as the smallest input that showed it; all of them crashed a reader, or got through."""

import json
from pathlib import Path

import pytest

from conformance.audit_verifier import main, verify_folder
from console.spool import read_one
from scenarios.certificates import check_host
from scenarios.deployed import read_settings
from schemas.errors import InputError, UsageError
from tests.fuzz.audit_target import log_samples, made_good
from tests.fuzz.file_targets import split_files, write_folder

HONEST = {"format": 1, "host": "broker.example.org", "port": 8883, "tls": True}


@pytest.mark.parametrize(
    "change",
    [
        {"port": 0},
        {"port": -1},
        {"port": 65_536},
        {"host": ""},
        {"host": "\ud800"},
        {"host": "a" * 300},
        {"host": "é.org"},
    ],
    ids=str,
)
def test_settings_of_no_address_are_damaged(tmp_path: Path, change: dict[str, object]) -> None:
    """They went on into a socket call, which fails in ways of its own."""
    path = tmp_path / "link.json"
    path.write_text(json.dumps(HONEST | change))

    with pytest.raises(InputError, match="damaged") as caught:
        read_settings(path)
    str(caught.value).encode()


def test_a_scope_is_no_part_of_an_address() -> None:
    """Python takes any text for the scope of an IPv6 address, of any length."""
    assert "fe80::1" == check_host("fe80::1")
    with pytest.raises(UsageError):
        check_host("fe80::1%\x1b[2J")


@pytest.mark.parametrize(
    "change", [{"text": "\ud800"}, {"to": ["\ud800"]}, {"name": "\ud800"}, {"name": "n" * 5_000}], ids=str
)
def test_half_a_character_in_the_outgoing_folder_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    """JSON can write it and UTF-8 cannot: the node's desk ended, and met the same file at each start."""
    path = tmp_path / "1.report"
    path.write_text(json.dumps({"name": "report.yaml", "to": ["bravo"], "text": "title: a"} | change))

    with pytest.raises(InputError, match=r"no report|half a character"):
        read_one(path)


@pytest.fixture
def files() -> dict[str, bytes]:
    return split_files(log_samples()[0])


def faults(folder: Path) -> set[str]:
    return {finding.fault for finding in verify_folder(folder).findings}


def test_an_entry_of_something_opened_that_never_arrived_is_a_finding(tmp_path: Path, files: dict[str, bytes]) -> None:
    journal = files["journals/tha-cert.jsonl"].splitlines(keepends=True)
    files["journals/tha-cert.jsonl"] = b"".join(line for line in journal if b'"stage":"delivered"' not in line)

    assert {"dropped", "unexplained"} <= faults(write_folder(tmp_path, made_good(files)))


@pytest.mark.parametrize("name", ["checkpoints/000000000006.txt", "witnesses/sgp-cert.txt", "journals/sgp-cert.head"])
def test_a_size_of_five_thousand_digits_is_unreadable(tmp_path: Path, files: dict[str, bytes], name: str) -> None:
    """Python reads numbers of 4,300 digits, and fails beyond."""
    name = next(file for file in files if file.startswith(name[:8]) and file.endswith(name[-4:]))
    lines = files[name].split(b"\n")
    at = next(number for number, line in enumerate(lines) if line.isdigit())
    files[name] = b"\n".join([*lines[:at], b"9" * 5_000, *lines[at + 1 :]])

    assert "unreadable" in faults(write_folder(tmp_path, files))


def test_half_a_character_in_a_journal_is_a_finding(tmp_path: Path, files: dict[str, bytes]) -> None:
    files["journals/tha-cert.jsonl"] = (
        b'{"at_ms":1,"chain":"","fields":{"a":"\\ud800"},"number":1,"stage":"released"}\n'
    )

    assert "changed" in faults(write_folder(tmp_path, files))


@pytest.mark.parametrize("threshold", [0, -1, True, "2", None, 1.5])
def test_a_threshold_of_nobody_trusts_nobody(tmp_path: Path, files: dict[str, bytes], threshold: object) -> None:
    trust = json.loads(files["trust.json"])
    files["trust.json"] = json.dumps(trust | {"threshold": threshold}).encode()

    assert {"unreadable"} == faults(write_folder(tmp_path, made_good(files)))


@pytest.mark.parametrize("authorities", [[], None, {"auth-a": 7, "auth-b": "zz"}])
def test_authorities_of_another_shape_are_unreadable(
    tmp_path: Path, files: dict[str, bytes], authorities: object
) -> None:
    trust = json.loads(files["trust.json"])
    files["trust.json"] = json.dumps(trust | {"authorities": authorities}).encode()

    assert {"unreadable"} == faults(write_folder(tmp_path, made_good(files)))


def test_one_key_in_two_spellings_is_one_authority(tmp_path: Path, files: dict[str, bytes]) -> None:
    """The bundle is signed by two; with the second key gone, the first under both names does not make two."""
    trust = json.loads(files["trust.json"])
    names = trust["authorities"]
    names["auth-b"] = names["auth-a"].upper()
    files["trust.json"] = json.dumps(trust | {"authorities": names}).encode()

    assert {"unreadable"} == faults(write_folder(tmp_path, made_good(files)))


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_name_that_is_no_text_is_said_as_text(
    tmp_path: Path, files: dict[str, bytes], capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    """A name in the folder is whatever its maker chose: neither a crash nor an order to the terminal."""
    files["checkpoints/\udcff\x1b[2J.txt"] = b"x"

    assert 1 == main([str(write_folder(tmp_path, files)), *options])
    said = capsys.readouterr().out
    said.encode()
    assert "\x1b" not in said
