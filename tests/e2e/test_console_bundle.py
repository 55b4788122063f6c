"""``sandiwara bundle``: a change of the community, proposed, signed and installed while the region runs."""

import signal
from pathlib import Path

import pytest

from console.exits import Exit
from scenarios.pack import load_pack
from scenarios.rehearsal import rehearse
from tests.samples.command_line import HARBOUR_WATCH, answer, at_once, running, sandiwara
from tests.samples.quick_region import ROBBERY, quick_region


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return quick_region(tmp_path_factory.mktemp("made"))


@pytest.fixture
def region(made: Path) -> Path:
    """The region as it is: each test that installs makes a later version, as a region does."""
    return made


@pytest.fixture
def password(made: Path) -> tuple[str, Path]:
    return "--password-file", made.parent / "password"


def signed(region: Path, into: Path, password: tuple[str, Path], *steps: str) -> Path:
    """Propose a version and have two authorities sign it."""
    assert 0 == at_once("bundle", "propose", region, *steps, "--out", into).returncode
    for authority in ("auth-host", "auth-secretariat"):
        done = at_once("bundle", "sign", into, "--as", authority, "--keys", region, *password)
        assert 0 == done.returncode, done.stderr
    return into


def test_a_running_broker_takes_up_what_was_installed_and_a_suspended_agency_is_out(
    region: Path, tmp_path: Path, password: tuple[str, Path]
) -> None:
    """Nobody is restarted: the broker finds the new version and ends the session; a report to it goes nowhere."""
    report = tmp_path / "report.yaml"
    report.write_text(ROBBERY)
    with running("broker", region, "--port", "0", *password) as broker:
        where = ("--broker", f"localhost:{broker.event('listening')['port']}", *password)
        with running("node", region, "idn-mar", *where) as reader:
            reader.event("link_up")
            new = signed(region, tmp_path / "next", password, "--suspend", "idn-mar")
            installed = answer("bundle", "install", region, new)
            assert {"event": "bundle", "version": installed["version"]} == broker.event("bundle")
            reader.event("link_down")
            sent = sandiwara(
                "node", region, "mys-mar", *where, "--json", "--send", report, "--once", "--within", "60s",
                "--to", "idn-mar",
            )  # fmt: skip
        restored = signed(region, tmp_path / "after", password, "--restore", "idn-mar")
        later = answer("bundle", "install", region, restored)
        broker.event("bundle", version=later["version"])
        with running("node", region, "idn-mar", *where) as reader:
            reader.event("link_up")
        broker.process.send_signal(signal.SIGTERM)
        broker.process.communicate()

    assert Exit.NO == sent.returncode, sent.stdout + sent.stderr
    assert (Exit.OK, installed["version"] + 1) == (broker.process.returncode, later["version"])


def test_what_is_shown_names_versions_dates_and_who_signed(
    region: Path, tmp_path: Path, password: tuple[str, Path]
) -> None:
    held = answer("bundle", "show", region)
    new = signed(region, tmp_path / "next", password, "--chair", "mys-mar", "--clearance", "in-port=EX-RESTRICTED")
    shown = answer("bundle", "show", new)
    said = at_once("bundle", "show", new)

    assert (held["version"] + 1, ["auth-host", "auth-secretariat"]) == (shown["version"], shown["signed_by"])
    assert held["threshold"] == len(held["proved"])
    assert {"EX-RESTRICTED"} == {item["clearance"] for item in shown["agencies"] if item["agency"] == "in-port"}
    (chair,) = [item for item in shown["mechanisms"] if item["mechanism"] == "chair"]
    assert [("mys-mar", "observer", None)] == [
        (item["who"], item["standing"], item["end_ms"]) for item in chair["memberships"]
    ]
    assert "mys-mar          holds it   from 20" in said.stdout


def test_each_way_to_go_wrong_is_said_with_what_to_do(region: Path, tmp_path: Path, password: tuple[str, Path]) -> None:
    new, key = tmp_path / "next", ("--keys", region, *password)
    at_once("bundle", "propose", region, "--clearance", "in-port=EX-RESTRICTED", "--out", new)

    unsigned = at_once("bundle", "install", region, new)
    stranger = at_once("bundle", "sign", new, "--as", "auth-nobody", *key)
    once = at_once("bundle", "sign", new, "--as", "auth-chair", *key)
    twice = at_once("bundle", "sign", new, "--as", "auth-chair", *key)
    one = at_once("bundle", "install", region, new)
    at_once("bundle", "sign", new, "--as", "auth-host", *key)
    enough = at_once("bundle", "install", region, new)
    lower = at_once("bundle", "install", region, new)
    nothing = at_once("bundle", "propose", region, "--out", tmp_path / "other")
    occupied = at_once("bundle", "propose", region, "--suspend", "in-port", "--out", new)
    dated = at_once("bundle", "propose", region, "--join", "msp=IDN@tomorrow", "--out", tmp_path / "other")

    assert "has 0 of 2 signatures" in unsigned.stderr
    assert "no key of an authority 'auth-nobody'" in stranger.stderr
    assert "auth-chair, auth-host, auth-secretariat" in stranger.stderr
    assert (0, "1 of 2 signatures") == (once.returncode, once.stdout.strip().partition("; ")[2])
    assert "auth-chair has signed version" in twice.stderr
    assert "auth-host or auth-secretariat" in one.stderr
    assert 0 == enough.returncode, enough.stderr
    assert "propose it anew" in lower.stderr
    assert "nothing is to be changed" in nothing.stderr
    assert "there already" in occupied.stderr
    assert "no date and time" in dated.stderr


def test_a_proposal_that_nobody_has_signed_is_laid_over_what_was_sent(region: Path, tmp_path: Path) -> None:
    rehearse(load_pack(HARBOUR_WATCH), folder=tmp_path)
    new = tmp_path / "next"
    assert 0 == at_once("bundle", "propose", region, "--suspend", "rb-ifc", "--out", new).returncode
    document = answer("policy", "diff", region / "broker" / "bundle", new, "--log", tmp_path, code=Exit.NO)

    # It would not have been told by mys-mar, and idn-mar not by it.
    assert {"idn-mar", "rb-ifc"} == {agency for agency, counts in document["agencies"].items() if counts["loses"]}


def test_another_regions_bundle_is_refused(region: Path, tmp_path: Path, password: tuple[str, Path]) -> None:
    """Its authorities have the same names and other keys."""
    other = quick_region(tmp_path)
    new = signed(other, tmp_path / "next", ("--password-file", tmp_path / "password"), "--suspend", "in-port")
    refused = at_once("bundle", "install", region, new)

    assert Exit.INPUT == refused.returncode
    assert "is refused" in refused.stderr


def test_a_pack_proposes_rules_and_attributes_and_brings_nobody_new(
    region: Path, tmp_path: Path, password: tuple[str, Path]
) -> None:
    same = at_once("bundle", "propose", region, "--pack", tmp_path / "none", "--out", tmp_path / "a")
    wider = at_once("bundle", "propose", region, "--pack", "strait-lantern", "--out", tmp_path / "b")

    assert "there is no pack" in same.stderr
    assert "has no keys in this region" in wider.stderr
