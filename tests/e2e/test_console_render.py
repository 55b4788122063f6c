"""``sandiwara render mosquitto``: what it writes, what it refuses, and that a real Mosquitto starts from it."""

import asyncio
import json
import shutil
import ssl
import stat
from pathlib import Path

import pytest

from broker.listen import Address
from scenarios.deployment import BROKER, CERTIFICATE_FILE, CERTIFICATE_KEY_FILE, LINK_AUTHORITY_FILE, NODES
from scenarios.mosquitto import Listener, access_text, configuration_text, is_password_entry, password_entry
from schemas.errors import LinkError, UsageError
from tests.samples.command_line import HARBOUR_WATCH, at_once
from tests.samples.mosquitto_process import running_mosquitto
from tests.samples.quick_region import quick_region
from transport.mqtt import MqttAddress, client_tls_context, mqtt_connect

A, B = "mys-mar", "idn-mar"
ALL = ["idn-mar", "in-port", "mys-mar", "rb-ifc"]
_WITHIN_S = 60


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return quick_region(tmp_path_factory.mktemp("render"))


@pytest.fixture
def region(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "region")


def test_it_writes_a_folder_that_stands_alone_and_is_private(region: Path) -> None:
    """From the broker's part alone: the nodes' folders have gone to their machines."""
    secrets = [json.loads(path.read_text())["password"] for path in sorted(region.glob("*/*/link.json"))]
    secrets.append(json.loads((region / BROKER / "link.json").read_text())["password"])
    shutil.rmtree(region / NODES)

    result = at_once("render", "mosquitto", region / BROKER, "--out", region / "out", "--json")

    said = json.loads(result.stdout)
    names = {"access-list", "mosquitto.conf", "passwords"}
    assert (0, ALL, {"host": "127.0.0.1", "port": 1883, "tls": False}) == (
        result.returncode, said["agencies"], said["listener"],
    )  # fmt: skip
    assert names == {path.name for path in (region / "out").iterdir()} == {Path(name).name for name in said["files"]}
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in (region / "out").iterdir()}
    assert 0o700 == stat.S_IMODE((region / "out").stat().st_mode)
    assert len(secrets) == len(ALL) + 1
    written = "".join(path.read_text() for path in (region / "out").iterdir())
    assert not [secret for secret in secrets if secret in written]


def test_what_is_there_is_kept_unless_it_is_to_be_replaced(region: Path) -> None:
    """And then nothing of the other way of listening is left behind."""
    assert 0 == at_once("render", "mosquitto", region).returncode
    kept = (region / "mosquitto" / "mosquitto.conf").read_text()

    again = at_once("render", "mosquitto", region, "--tls")

    assert again.returncode != 0
    assert "is there already" in again.stderr
    assert "--replace" in again.stderr
    assert kept == (region / "mosquitto" / "mosquitto.conf").read_text()
    assert 0 == at_once("render", "mosquitto", region, "--tls", "--replace").returncode
    assert {"access-list", "authority.crt", "broker.crt", "broker.pem", "mosquitto.conf"} == {
        path.name for path in (region / "mosquitto").iterdir()
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["--host", "192.0.2.7", "--no-tls"], "without TLS", id="in the clear to a network"),
        pytest.param(["--host", "0.0.0.0", "--no-tls"], "without TLS", id="in the clear to all"),  # noqa: S104 - refused
        pytest.param(["--host", "broker.example.org"], "no IP address", id="a name"),
        pytest.param(["--host", "127.0.0.1\nlistener 1 0.0.0.0"], "no IP address", id="another line"),
        pytest.param(["--port", "65536"], "no port", id="no port"),
        pytest.param(["--lies-in", "somewhere"], "whole path", id="a path that depends on where it starts"),
        pytest.param(["--lies-in", "/etc\nallow_anonymous true"], "whole path", id="another line in a path"),
        pytest.param(["--for-version", "1.6"], "1.6", id="a version that it does not know"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_written(region: Path, words: list[str], said: str) -> None:
    result = at_once("render", "mosquitto", region, *words)

    assert (2, "") == (result.returncode, result.stdout)
    assert said in result.stderr
    assert not (region / "mosquitto").exists()


@pytest.mark.parametrize(
    "entry", ["", "$7$101$c2FsdA==$aGFzaA==\nrt-region:x", "correct horse", "$6$c2FsdA==$aGFzaA==", None]
)
def test_a_damaged_hash_reaches_no_password_file(region: Path, entry: str | None) -> None:
    path = region / BROKER / "links.json"
    links = json.loads(path.read_text())
    links["mosquitto"][A] = entry
    path.write_text(json.dumps(links))

    result = at_once("render", "mosquitto", region)

    assert result.returncode != 0
    assert A in result.stderr
    assert not (region / "mosquitto").exists()


def test_an_entry_is_what_mosquitto_passwd_makes() -> None:
    """Made by mosquitto_passwd 2.0.11 of the password "secret"."""
    made_by_mosquitto = (
        "$7$101$a13SoDgAgiqjItph$"
        "aI63KSnNelN2vMp5JmTUEnmMQvrTy1NCDKN+FnweA5/2rT2+OazzVSAnMkeAl4uQxym6dOxmvGrzqKdHEX9EdQ=="
    )
    assert made_by_mosquitto == password_entry("secret", bytes.fromhex("6b5dd2a03800822aa322da61"))
    assert is_password_entry(made_by_mosquitto)


def test_the_access_list_names_every_right_and_holds_no_wildcard() -> None:
    text = access_text([B, A], router="rt-region")

    rights = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert not [line for line in rights if any(sign in line for sign in "+#%") or "pattern" in line]
    assert ["user idn-mar", "topic write sw/1/idn-mar/up", "topic read sw/1/idn-mar/down"] == rights[:3]
    assert "user rt-region" == rights[6]
    assert len(rights) == 2 * 3 + 1 + 2 * 2


def test_a_listener_in_the_clear_is_of_this_machine_alone() -> None:
    for address in ("127.0.0.1", "127.9.9.9", "::1"):
        assert address == Listener(address=address, port=1883, tls=False).address
    for address in ("0.0.0.0", "::", "192.0.2.7", "localhost", ""):  # noqa: S104 - refused
        with pytest.raises(UsageError):
            Listener(address=address, port=1883, tls=False)


def test_what_an_earlier_version_does_not_know_is_left_out() -> None:
    listener = Listener(address="127.0.0.1", port=1883, tls=False)
    old, new = (configuration_text(listener, folder="/x", version=version) for version in ("2.0", "2.1"))

    assert ["accept_protocol_versions 5"] == [line for line in new.splitlines() if line not in old.splitlines()]
    assert not [line for line in old.splitlines() if line not in new.splitlines()]


def test_no_agency_has_the_routers_name(tmp_path: Path) -> None:
    """It would log in as the router, to whom every topic is open."""
    pack = tmp_path / "namesake.yaml"
    text = HARBOUR_WATCH.read_text().replace("in-port: {", "rt-region: {state: MYS, role: pco, ")
    pack.write_text(text.replace("in-port", "rt-region"))

    result = at_once("init", tmp_path / "region", "--pack", pack)

    assert result.returncode != 0
    assert "rt-region, which is the router's own name" in result.stderr
    assert not (tmp_path / "region").exists()


def _tls(region: Path, agency: str) -> ssl.SSLContext:
    folder = region / NODES / agency
    return client_tls_context(
        certificate=str(folder / CERTIFICATE_FILE),
        key=str(folder / CERTIFICATE_KEY_FILE),
        authority=str(folder / LINK_AUTHORITY_FILE),
    )


def _by_certificate(address: Address, agency: str, context: ssl.SSLContext) -> MqttAddress:
    return MqttAddress(host=address.host, port=address.port, agency=agency, tls=context)


async def test_by_tls_the_certificate_says_who_it_is_and_without_one_nobody_enters(region: Path) -> None:
    """B's certificate with A's name is B: it may not hear what is A's, and A's link lives on."""

    def write(port: int) -> Path:
        result = at_once("render", "mosquitto", region, "--tls", "--port", str(port), "--replace")
        assert result.returncode == 0, result.stderr
        return region / "mosquitto" / "mosquitto.conf"

    nobody = ssl.create_default_context(cafile=str(region / NODES / A / LINK_AUTHORITY_FILE))
    async with asyncio.timeout(_WITHIN_S), running_mosquitto(write) as mosquitto:
        address = mosquitto.address
        async with mqtt_connect(_by_certificate(address, A, _tls(region, A)))() as link:
            await link.send(b"by certificate")
            with pytest.raises(LinkError):
                async with mqtt_connect(_by_certificate(address, A, nobody))():
                    pytest.fail("it was let in")
            with pytest.raises(LinkError):
                async with mqtt_connect(MqttAddress(host=address.host, port=address.port, agency=A, password="x"))():
                    pytest.fail("it was let in")
            async with mqtt_connect(_by_certificate(address, A, _tls(region, B)))() as pretender:
                await pretender.send(b"as another")
            await link.send(b"still here")
    names = [line for line in mosquitto.said if "as mys-mar" in line or "as idn-mar" in line]
    assert ["u'mys-mar'", "u'idn-mar'"] == [line[line.index("u'") : -2] for line in names]
