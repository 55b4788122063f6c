"""``sandiwara policy diff`` on a play and on the log of a running region."""

import json
import shutil
from pathlib import Path

import pytest

from console.exits import Exit
from scenarios.catalogue import find_pack
from scenarios.pack import load_pack_with_places
from scenarios.rehearsal import rehearse
from tests.samples.command_line import HARBOUR_WATCH, answer, at_once, running, sandiwara
from tests.samples.quick_region import self_locked_region


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("play")
    rehearse(load_pack_with_places(find_pack("strait-lantern")).pack, folder=folder)
    return folder


@pytest.fixture
def proposed(tmp_path: Path) -> Path:
    """strait-lantern without the words that kept piracy among the states concerned, and without one centre."""
    folder = Path(shutil.copytree(find_pack("strait-lantern"), tmp_path / "proposed"))
    community = folder / "community.yaml"
    text = community.read_text(encoding="utf-8")
    for before, after in ((", state: affected}", "}"), ("mechanism: [ifc, msp, recaap]", "mechanism: [ifc, recaap]")):
        assert before in text
        text = text.replace(before, after)
    community.write_text(text, encoding="utf-8")
    return folder


def test_the_rules_that_held_change_nothing(play: Path) -> None:
    document = answer("policy", "diff", "strait-lantern", "strait-lantern", "--log", play)
    assert (0, [], {}) == (document["elsewhere"], document["portions"], document["agencies"])
    assert document["reports"] > 10


def test_who_would_have_gained_and_lost_is_named_with_report_and_rule(play: Path, proposed: Path) -> None:
    document = answer("policy", "diff", "strait-lantern", proposed, "--log", play, code=Exit.NO)

    assert {"rb-msp": {"gains": 0, "loses": 1}, "tha-mar": {"gains": 1, "loses": 0}} == document["agencies"]
    assert 2 == document["elsewhere"]
    (gained,) = [portion for portion in document["portions"] if portion["gains"]]
    assert ("mys-di", "CLEAR", "R01") == (
        gained["originator"], gained["label"]["tlp"], gained["gains"][0]["rule"],
    )  # fmt: skip


def test_people_read_it_in_words(play: Path, proposed: Path) -> None:
    said = at_once("policy", "diff", "strait-lantern", proposed, "--log", play / "record")

    assert Exit.NO == said.returncode, said.stderr
    assert "tha-mar gains it by R01" in said.stdout
    assert "rb-msp loses it by NTK-PERMIT" in said.stdout
    assert said.stdout.rstrip().endswith("2 of 19 past reports would have gone elsewhere")


def test_a_running_broker_is_asked_too(tmp_path: Path) -> None:
    """Its log does not know whom an author meant, so whoever the proposal would permit gains."""
    region, report, narrower = self_locked_region(tmp_path), tmp_path / "report.yaml", tmp_path / "narrower.yaml"
    report.write_text(
        "title: Robbery\ntlp: AMBER\nlevel: EX-UNCLAS\ntopic: toc.robbery-at-sea\naffected: [IDN, MYS]\ntext: Four.\n"
    )
    text = HARBOUR_WATCH.read_text(encoding="utf-8")
    assert "role: mar, state: affected" in text
    narrower.write_text(text.replace("role: mar, state: affected", "role: mar, state: [SGP]"), encoding="utf-8")
    with running("broker", region, "--port", "0") as broker:
        where = ("--broker", f"127.0.0.1:{broker.event('listening')['port']}")
        assert Exit.OK == sandiwara("node", region, "idn-mar", *where, "--once").returncode
        sent = sandiwara("node", region, "mys-mar", *where, "--send", report, "--once")
        assert Exit.OK == sent.returncode, sent.stderr
        same = answer("policy", "diff", region / "broker" / "bundle", HARBOUR_WATCH, "--log", region)
        other = sandiwara("policy", "diff", region / "broker" / "bundle", narrower, "--log", region, "--json")

    assert (1, 0) == (same["reports"], same["elsewhere"])
    assert Exit.NO == other.returncode, other.stderr
    assert {"idn-mar": {"gains": 0, "loses": 1}} == json.loads(other.stdout)["agencies"]


@pytest.mark.parametrize(
    ("old", "log", "said"),
    [
        ("strait-lantren", "{play}", "there is no pack"),
        ("strait-lantern", "{empty}", "does not hold the broker's part"),
        ("{empty}/bundle", "{play}", "is no bundle"),
    ],
)
def test_what_cannot_be_compared_says_why(old: str, log: str, said: str, play: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle").write_bytes(b"no bundle")
    words = (word.format(play=play, empty=tmp_path) for word in (old, "strait-lantern", "--log", log))
    run = at_once("policy", "diff", *words)

    assert Exit.INPUT == run.returncode
    assert said in run.stderr
