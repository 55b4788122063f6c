"""``sandiwara enrol``: an agency comes into a region while its broker runs, and gets what is sent from then on."""

import json
import signal
import stat
from pathlib import Path

import pytest

from console.exits import Exit
from sealing.keyfile import UNSAFE_THROWAWAY
from tests.samples.command_line import HARBOUR_WATCH, answer, at_once, running, sandiwara
from tests.samples.quick_region import ROBBERY, quick_region

AUTHORITIES = ("auth-host", "auth-secretariat")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return quick_region(tmp_path_factory.mktemp("made"))


@pytest.fixture
def password(made: Path) -> tuple[str, Path]:
    return "--password-file", made.parent / "password"


@pytest.fixture
def larger(tmp_path: Path) -> Path:
    """The pack of the region with one coast guard more."""
    text = HARBOUR_WATCH.read_text()
    line = "  rb-ifc: {name: Fusion centre,"
    added = "  tls-mar: {name: Coast guard of Timor-Leste, link: fast, bot: steady, clearance: EX-RESTRICTED}\n"
    path = tmp_path / "larger.yaml"
    path.write_text(text.replace(line, added + line))
    return path


@pytest.fixture(autouse=True)
def _fast_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scenarios.accession.MODERATE", UNSAFE_THROWAWAY)


def test_an_enrolled_agency_comes_in_while_the_broker_runs_and_gets_no_past_traffic(
    made: Path, tmp_path: Path, password: tuple[str, Path], larger: Path
) -> None:
    reports = [tmp_path / "early.yaml", tmp_path / "late.yaml"]
    for path in reports:
        path.write_text(ROBBERY.replace("Robbery", path.stem).replace("[IDN, MYS]", "[IDN, MYS, TLS]"))
    with running("broker", made, "--port", "0", *password) as broker:
        where = ("--broker", f"localhost:{broker.event('listening')['port']}", *password)
        assert 0 == sandiwara("node", made, "idn-mar", *where, "--once", "--within", "60s").returncode
        with running("node", made, "mys-mar", *where) as author:
            author.event("link_up")
            at_once("send", made, "mys-mar", reports[0])
            before = author.event("sent")
            author.event("accepted", hid=before["hid"])

            enrolled = answer("enrol", made, "tls-mar", *password)
            early = sandiwara("node", made, "tls-mar", *where, "--once", "--within", "60s")
            proposed = at_once(
                "bundle", "propose", made, "--pack", larger, "--enrol", enrolled["card"], "--out", tmp_path / "next"
            )
            for authority in AUTHORITIES:
                at_once("bundle", "sign", tmp_path / "next", "--as", authority, "--keys", made, *password)
            installed = answer("bundle", "install", made, tmp_path / "next")
            author.event("bundle", version=installed["version"])

            with running("node", made, "tls-mar", *where) as newcomer:
                newcomer.event("link_up")
                at_once("send", made, "mys-mar", reports[1])
                received = newcomer.event("received")
                author.event("receipt", reader="tls-mar", status="opened")
                newcomer.process.send_signal(signal.SIGTERM)
                out, _ = newcomer.process.communicate()

    assert "tls-mar" not in before["audience"]
    assert (Exit.INPUT, True) == (early.returncode, "it waits to be taken in" in early.stderr)
    assert f"tls-mar comes in, with the key {enrolled['fingerprint']}" in proposed.stdout
    assert ["tls-mar"] == installed["came_in"]
    assert ("mys-mar", "late") == (received["originator"], received["portions"][0]["title"].split()[0])
    # Nothing of what was sent before, and its own word on what it got has arrived.
    assert [] == [line for line in map(json.loads, out.splitlines()) if line["event"] == "received"]


def test_what_is_made_is_private_and_holds_one_key_each(
    made: Path, tmp_path: Path, password: tuple[str, Path], larger: Path
) -> None:
    enrolled = answer("enrol", made, "sgp-mar", *password)
    folder = Path(enrolled["folder"])
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir() if path.is_file()}

    assert {0o600} == modes
    assert {path.name for path in (made / "nodes" / "in-port").iterdir()} < {path.name for path in folder.iterdir()}
    assert not list((made / "nodes").glob(".*"))
    again = at_once("enrol", made, "sgp-mar", *password)
    assert (Exit.INPUT, True) == (again.returncode, "is there already" in again.stderr)
    stranger = at_once(
        "bundle", "propose", made, "--pack", larger, "--enrol", enrolled["card"], "--out", tmp_path / "next"
    )
    assert "the pack has no participant sgp-mar" in stranger.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("mys-mar",), "is in the region already"),
        (("rt-region",), "is no id for an agency"),
        (("../x",), "is no id for an agency"),
        (("phl-mar", "--keys", "nowhere"), "holds no key of an authority 'link-authority'"),
    ],
)
def test_each_way_to_go_wrong_is_said_and_leaves_nothing(
    made: Path, password: tuple[str, Path], words: tuple[str, ...], said: str
) -> None:
    before = sorted(path for path in made.rglob("*"))
    refused = at_once("enrol", made, *words, *password)

    assert Exit.INPUT == refused.returncode, refused.stderr
    assert said in refused.stderr
    assert before == sorted(path for path in made.rglob("*"))


def test_a_folder_that_is_no_region_is_named_before_a_password_is_asked_for(made: Path) -> None:
    refused = at_once("enrol", made / "nodes", "phl-mar")

    assert Exit.INPUT == refused.returncode
    assert "does not hold the broker's part of a region" in refused.stderr


def test_the_link_authority_of_another_region_certifies_nobody_here(
    made: Path, tmp_path: Path, password: tuple[str, Path]
) -> None:
    other = quick_region(tmp_path)
    links = (made / "broker" / "links.json").read_bytes()
    refused = at_once("enrol", made, "phl-mar", "--keys", other, *password)

    assert "was not issued by the authority" in refused.stderr
    assert not (made / "nodes" / "phl-mar").exists()
    assert links == (made / "broker" / "links.json").read_bytes()


def test_a_card_without_a_pack_or_that_is_none_is_refused(made: Path, tmp_path: Path, larger: Path) -> None:
    card = tmp_path / "card.json"
    card.write_text('{"agency": "phl-mar", "sign_key": "00"}')
    alone = at_once("bundle", "propose", made, "--enrol", made / "broker" / "links.json", "--out", tmp_path / "next")
    short = at_once("bundle", "propose", made, "--pack", larger, "--enrol", card, "--out", tmp_path / "next")

    assert "is no card" in alone.stderr
    assert "is no card" in short.stderr
    larger.write_text(larger.read_text().replace("tls-mar", "vnm-mar"))
    without = at_once("bundle", "propose", made, "--pack", larger, "--out", tmp_path / "next")
    assert "sandiwara enrol DIR vnm-mar" in without.stderr
