"""The command line: quick, helpful, and the same in every command."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from console.commands import _COMMANDS
from console.exits import MEANINGS, Exit
from console.label_options import PRECEDENCE_WORDS, TLP_WORDS
from schemas.label import PRECEDENCE_ORDER, Tlp
from tests.samples.command_line import COMMAND, HARBOUR_WATCH, answer, at_once, environment, sandiwara

NAMES = [command.name for command in _COMMANDS]
HEAVY = ("asyncio", "cryptography", "msgpack", "nacl", "pydantic", "rich", "yaml")


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["share", "--help"]])
def test_help_and_version_import_nothing_heavy(words: list[str]) -> None:
    """They answer at each press of a key; a second of imports would be felt at each."""
    code = (
        "import sys; from console.cli import main; main(sys.argv[2:]);"
        "print([name for name in sys.argv[1].split(',') if name in sys.modules], file=sys.stderr)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, ",".join(HEAVY), *words],
        capture_output=True, text=True, check=False, env=environment(),
    )  # fmt: skip

    assert run.stdout
    assert "[]\n" == run.stderr


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_with_an_example_that_names_it(name: str) -> None:
    run = at_once(name, "--help")

    assert 0 == run.returncode
    assert f"  sandiwara {name}" in run.stdout.partition("examples:")[2]
    assert "--json" in run.stdout


def test_help_says_what_every_exit_code_means() -> None:
    text = sandiwara("--help").stdout

    assert set(MEANINGS) == set(Exit)
    assert [] == [code for code, meaning in MEANINGS.items() if f"{code.value:>3}  {meaning}" not in text]


def test_no_command_at_all_shows_the_help() -> None:
    assert sandiwara("--help").stdout == sandiwara().stdout


def test_the_version_is_that_of_the_package() -> None:
    assert re.fullmatch(r"sandiwara \d+\.\d+\.\d+\n", sandiwara("--version").stdout)


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_names_every_command(shell: str) -> None:
    script = sandiwara("completion", shell).stdout

    assert [] == [name for name in NAMES if name not in script]


@pytest.mark.parametrize(
    ("words", "wrong", "meant"),
    [
        (["shar"], "'shar' is no command", "did you mean share?"),
        (["completion", "bsh"], "'bsh' is no value of SHELL", "did you mean bash or zsh?"),
        (["packs", "--jsn"], "unrecognized arguments: --jsn", "did you mean --json?"),
        (
            ["explain", "strait-lantern", "--from", "sgp-mar", "--labl", "x"],
            "unrecognized arguments: --labl x",
            "--label",
        ),
        (["lint"], "the following arguments are required: PACK", "sandiwara lint"),
        (["explain", "strait-lantern", "--from", "sgp-mra", "--label", "track"], "'sgp-mra' is no agency", "sgp-mar"),
        (["explain", "strait-lantern", "--from", "sgp-mar", "--label", "trak"], "'trak' is no label", "track"),
        (["explain", "strait-lantern", "--from", "sgp-mar"], "which label?", "--label"),
    ],
)
def test_a_slip_is_answered_with_what_was_probably_meant(words: list[str], wrong: str, meant: str) -> None:
    run = at_once(*words)

    assert Exit.USAGE == run.returncode
    assert "" == run.stdout
    first, second = run.stderr.rstrip("\n").split("\n", maxsplit=1)
    assert first.startswith("sandiwara: ")
    assert wrong in first
    assert second.startswith("  try: ")
    assert meant in second


def test_the_words_of_the_options_are_those_of_the_shapes() -> None:
    """They stand twice, since help must not cost the import of the shapes."""
    assert get_args(Tlp) == TLP_WORDS
    assert PRECEDENCE_ORDER == PRECEDENCE_WORDS


def test_packs_lists_each_shipped_pack_with_its_participants() -> None:
    found = {item["pack"]: item for item in answer("packs")["packs"]}

    assert 11 == len(found["strait-lantern"]["participants"])
    assert 6 * 3_600_000 == found["strait-lantern"]["duration_ms"]
    assert "region" in found


def test_lint_names_file_and_line_and_ends_with_1_for_errors(tmp_path: Path) -> None:
    text = HARBOUR_WATCH.read_text().replace("who: [idn-mar, rb-ifc]", "who: [idn-mra]")
    pack = tmp_path / "harbour.yaml"
    pack.write_text(text)
    line = text[: text.index("idn-mra")].count("\n") + 1

    document = answer("lint", pack, code=Exit.NO)

    assert [("harbour.yaml", line)] == [(item["file"], item["line"]) for item in document["findings"]]
    assert 0 == sandiwara("lint", HARBOUR_WATCH).returncode


def test_explain_tells_the_author_all_and_an_uncleared_recipient_nothing() -> None:
    words = ("explain", "strait-lantern", "--from", "sgp-mar", "--label", "track", "--to", "tha-mar")
    author = answer(*words, code=Exit.NO)
    recipient = answer(*words, "--as", "recipient", code=Exit.NO)

    assert "NTK-REL" == author["rule"]
    assert {"headline": "There is no such report."} == recipient


def test_explain_names_the_nearest_change_that_would_turn_it() -> None:
    words = ("--tlp", "AMBER", "--topic", "toc.piracy", "--affected", "MYS,SGP")
    document = answer("explain", "strait-lantern", "--from", "sgp-mar", *words, "--to", "idn-mar", code=Exit.NO)

    assert not document["permit"]
    assert document["nearest_change"] is not None
    assert "IDN" in document["nearest_change"]["text"]


def test_explain_of_a_whole_audience_leaves_nobody_out() -> None:
    document = answer("explain", "strait-lantern", "--from", "sgp-mar", "--label", "track")
    told = {*document["permitted"], *(item["agency"] for item in document["refused"])}

    assert 10 == len(told)
    assert "idn-mar" in document["permitted"]


def test_output_that_nobody_reads_any_more_ends_quietly() -> None:
    process = subprocess.Popen(
        [*COMMAND, "packs", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()

    with process:
        said = process.stderr.read()

    assert "" == said
    assert Exit.PIPE == process.returncode


@pytest.mark.parametrize(
    "changes", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"COLUMNS": "24"}, {"PYTHONIOENCODING": "ascii"}]
)
def test_people_are_served_on_any_terminal(changes: dict[str, str]) -> None:
    run = sandiwara("explain", "strait-lantern", "--from", "sgp-mar", "--label", "track", "--to", "tha-mar", **changes)

    assert Exit.NO == run.returncode
    assert "\x1b" not in run.stdout
    assert "NTK-REL" in run.stdout


def test_schemas_are_written_into_a_folder_of_their_own(tmp_path: Path) -> None:
    folder = tmp_path / "schemas"
    document = answer("schemas", folder)

    assert sorted(path.name for path in folder.iterdir()) == document["files"]
    assert "array" == json.loads((folder / "label.json").read_text())["type"]
    assert 0 == sandiwara("schemas", folder).returncode


def test_schemas_never_remove_what_is_not_theirs(tmp_path: Path) -> None:
    (tmp_path / "precious.json").write_text("{}")

    run = sandiwara("schemas", tmp_path)

    assert Exit.INPUT == run.returncode
    assert "precious.json" in run.stderr
    assert ["precious.json"] == [path.name for path in tmp_path.iterdir()]
