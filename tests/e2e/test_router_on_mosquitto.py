"""The router as a client of a real Mosquitto: processes that pass reports, die and come back, and the same verdicts."""

import asyncio
import json
import shutil
import signal
import threading
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from console.exits import Exit
from scenarios.catalogue import find_pack
from scenarios.deployment import BROKER, LINK_FILE
from scenarios.engine import prepared
from scenarios.enrolment import ROUTER
from scenarios.model import Pack
from scenarios.pack import load_pack_with_places
from scenarios.record import read_record
from scenarios.region import Hosting, own_server, running_region
from scenarios.rehearsal import rehearse
from schemas.topics import down_topic, up_topic
from sealing.entropy import SystemEntropy
from tests.samples.command_line import HARBOUR_WATCH, Running, answer, running, sandiwara
from tests.samples.mosquitto_hosting import on_mosquitto, write_files
from tests.samples.mosquitto_of_region import mosquitto_of
from tests.samples.mosquitto_process import mosquitto_program, running_mosquitto
from tests.samples.quick_region import self_locked_region
from tests.samples.two_plays import comparable, judged
from tests.samples.wire import on_the_wire
from transport.mqtt import MqttAddress, mqtt_connect, mqtt_router_connect
from transport.router_link import Passing

TEXT: Final = "The robbers left northward in a grey skiff at four."
WITHIN_S: Final = 180  # for what takes twenty on a machine at rest
READER, SENDER, UNCLEARED = "idn-mar", "mys-mar", "in-port"


@pytest.fixture(scope="module", autouse=True)
def _mosquitto_is_here() -> None:
    mosquitto_program()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A region's folder as init made it; each test works on its own copy."""
    return self_locked_region(tmp_path_factory.mktemp("made"))


@pytest.fixture
def region(made: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "region"
    shutil.copytree(made, folder)
    return folder


def report(folder: Path, title: str) -> Path:
    path = folder / f"{title.replace(' ', '-')}.yaml"
    fields = ["tlp: AMBER", "level: EX-UNCLAS", "topic: toc.robbery-at-sea", "affected: [IDN, MYS]", f"text: {TEXT}"]
    path.write_text("\n".join([f"title: {title}", *fields, ""]))
    return path


def ended(command: Running) -> str:
    """End a command by SIGTERM; returns what it logged."""
    command.process.send_signal(signal.SIGTERM)
    out, logged = command.process.communicate()
    command.seen += [json.loads(line) for line in out.splitlines()]
    assert Exit.OK == command.process.returncode, logged
    return logged


@pytest.mark.parametrize("tls", [False, True], ids=["passwords", "certificates"])
def test_a_report_and_its_receipts_pass_and_mosquitto_learns_no_word(
    region: Path, tmp_path: Path, *, tls: bool
) -> None:
    """Between nodes and Mosquitto stands a relay; without TLS it sees all that Mosquitto sees."""
    with mosquitto_of(region, tmp_path / "mosquitto", tls=tls) as mosquitto, on_the_wire(mosquitto.port) as wire:
        url = f"{'mqtts' if tls else 'mqtt'}://localhost:{wire.port}"
        where = ("--broker", f"localhost:{wire.port}", "--tls" if tls else "--no-tls")
        with running("router", region, "--broker", url) as router:
            assert {"event": "link_up", "host": "localhost", "port": wire.port, "tls": tls} == router.event("link_up")
            assert 4 == router.event("routing")["agencies"]
            with running("node", region, READER, *where) as reader, running("node", region, UNCLEARED, *where) as other:
                reader.event("link_up")
                other.event("link_up")
                sending = ("--send", report(tmp_path, "Robbery off the anchorage"), "--once", "--wait-receipts")
                sent = sandiwara("node", region, SENDER, *where, "--json", *sending, "--to", READER)
                received = reader.event("received")
                ended(reader)
                ended(other)
            ended(router)

    assert Exit.OK == sent.returncode, sent.stderr
    events = [json.loads(line) for line in sent.stdout.splitlines()]
    assert "delivered" in {event["status"] for event in events if event["event"] == "receipt"}
    assert TEXT == received["portions"][0]["text"]
    assert [] == [event for event in other.seen if event["event"] == "received"]
    assert len(wire.recorded) > 5_000
    assert TEXT.encode() not in wire.recorded
    (release,) = answer("log", region)["releases"]
    assert [READER] == [item["agency"] for item in release["portions"][0]["permitted"]]


class Scene:
    """Mosquitto, the router, a reader and a sender, each a process that can be killed, and a relay between them."""

    def __init__(self, region: Path, folder: Path, stack: ExitStack) -> None:
        self.region = region
        self.folder = folder
        self._stack = stack
        self.mosquitto = stack.enter_context(mosquitto_of(region, folder / "mosquitto"))
        self.wire = stack.enter_context(on_the_wire(self.mosquitto.port))
        self.router = self.start_router()
        self.reader, self.sender = self._node(READER), self._node(SENDER)
        self.sent: list[str] = []
        # A line that never comes ends the wait, since the process that should write it is killed by then.
        watchdog = threading.Timer(WITHIN_S, self._give_up)
        stack.callback(watchdog.cancel)
        watchdog.start()

    def _give_up(self) -> None:
        for command in (self.router, self.reader, self.sender):
            command.process.kill()

    def start_router(self) -> Running:
        url = f"mqtt://localhost:{self.wire.port}"
        self.router = self._stack.enter_context(running("router", self.region, "--broker", url))
        self.router.event("routing")
        return self.router

    def _node(self, agency: str) -> Running:
        node = self._stack.enter_context(
            running("node", self.region, agency, "--broker", f"localhost:{self.wire.port}")
        )
        node.event("link_up")
        return node

    def kill_router(self) -> None:
        self.router.process.kill()
        self.router.process.wait()

    def restart_mosquitto(self) -> None:
        self.wire.to = self.mosquitto.start()

    def hand_over(self, title: str) -> None:
        """Hand a report to the sender's node."""
        answer("send", self.region, SENDER, report(self.folder, title), "--to", READER)

    def sealed(self) -> None:
        """Wait until the report that was handed over is in the sender's outbox."""
        event = self.sender.wait_for(lambda event: event["event"] == "sent" and event["hid"] not in self.sent)
        self.sent.append(event["hid"])

    def passed_on(self) -> None:
        """Wait until the last report that was sealed is read and its receipt is back."""
        self.reader.event("received", hid=self.sent[-1])
        self.sender.event("receipt", hid=self.sent[-1], reader=READER, status="delivered")


def test_nothing_is_lost_or_done_twice_when_mosquitto_and_the_router_are_killed(region: Path, tmp_path: Path) -> None:
    """Each dies by SIGKILL and alone, while the other and the nodes go on; then both at once."""
    with ExitStack() as stack:
        scene = Scene(region, tmp_path, stack)
        scene.hand_over("Nothing has happened")
        scene.sealed()
        scene.passed_on()

        scene.mosquitto.kill()
        scene.router.event("link_down")
        scene.hand_over("No broker")
        scene.restart_mosquitto()
        scene.sealed()
        scene.passed_on()

        # The nodes' links stay up, and tell them nothing.
        scene.kill_router()
        scene.hand_over("No router")
        scene.sealed()
        scene.start_router()
        scene.passed_on()

        scene.kill_router()
        scene.mosquitto.kill()
        scene.hand_over("Neither")
        scene.restart_mosquitto()
        scene.start_router()
        scene.sealed()
        scene.passed_on()
        for command in (scene.sender, scene.reader, scene.router):
            ended(command)

    once = dict.fromkeys(scene.sent, 1)
    assert 4 == len(once)
    assert once == Counter(event["hid"] for event in scene.reader.seen if event["event"] == "received")
    assert once == Counter(event["hid"] for event in scene.sender.seen if event["event"] == "accepted")
    assert once == Counter(
        event["hid"] for event in scene.sender.seen if event["event"] == "receipt" and event["status"] == "delivered"
    )
    assert [] == [event for event in scene.sender.seen if event["event"] == "refused"]


def test_what_is_wrong_with_the_link_is_said_at_the_start(region: Path, tmp_path: Path) -> None:
    with mosquitto_of(region, tmp_path / "mosquitto") as mosquitto:
        by_tls = sandiwara("router", region, "--broker", f"mqtts://localhost:{mosquitto.port}")
        settings = region / BROKER / LINK_FILE
        settings.write_text(json.dumps({**json.loads(settings.read_text()), "password": "guessed"}))
        refused = sandiwara("router", region, "--broker", f"mqtt://localhost:{mosquitto.port}")
    gone = sandiwara("router", region, "--broker", f"mqtt://localhost:{mosquitto.port}")

    where = f"rt-region: no link to the broker at localhost:{mosquitto.port}: "
    assert [Exit.LINK] * 3 == [by_tls.returncode, refused.returncode, gone.returncode]
    assert where + "[code:135] Not authorized" in refused.stderr
    assert "refuses the login" in refused.stderr
    assert "guessed" not in refused.stderr
    assert where in by_tls.stderr
    assert "speak TLS exactly where this side does" in by_tls.stderr
    assert "is the broker running there" in gone.stderr


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("mqtt://192.0.2.1", "will not speak to 192.0.2.1 without TLS"),
        ("mqtt://rt-region:secret-word@localhost", "names and passwords have no place in the address"),
        ("localhost:1883", "is no mqtt:// or mqtts:// address"),
        ("mqtt://localhost:0", "0 is no port"),
        ("mqtt://localhost:99999", "is no address"),
        ("mqtts://localhost/sw", "is no mqtt:// or mqtts:// address"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused_and_no_password_quoted(made: Path, given: str, says: str) -> None:
    run = sandiwara("router", made, "--broker", given)

    assert Exit.USAGE == run.returncode
    assert says in run.stderr
    assert "secret-word" not in run.stderr


async def test_what_comes_while_the_router_is_busy_waits_for_it_in_order_and_none_is_dropped(tmp_path: Path) -> None:
    """Mosquitto 2.0.11 sends beyond the window that a client grants; aiomqtt drops what finds its queue full."""
    frames = [number.to_bytes(2, "big") for number in range(1_500)]
    passwords = {SENDER: "the sender's", ROUTER: "the router's"}
    async with (
        asyncio.timeout(WITHIN_S),
        running_mosquitto(lambda port: write_files(tmp_path / "mosquitto", port, passwords)) as mosquitto,
    ):
        router, sender = (
            MqttAddress(host="127.0.0.1", port=mosquitto.address.port, agency=user, password=passwords[user])
            for user in (ROUTER, SENDER)
        )
        async with mqtt_router_connect(router)() as link, mqtt_connect(sender)() as node:
            await link.listen([up_topic(SENDER)])
            for frame in frames:
                await node.send(frame)
            received: list[bytes] = []
            async for found in link.frames():
                received.append(found.payload)
                link.acknowledge(found)
                if len(received) == len(frames):
                    break

            assert Passing.TAKEN == await link.send(down_topic(SENDER), b"an answer")
    assert frames == received


async def play(pack: Pack, folder: Path, hosting: Hosting) -> None:
    start = partial(running_region, folder=folder / "databases", hosting=hosting)
    async with prepared(pack, folder=folder, entropy=SystemEntropy(), start=start) as (exercise, region):
        await exercise.play(region)


def test_harbour_watch_is_decided_alike_behind_mosquitto_and_behind_our_own_server(tmp_path: Path) -> None:
    pack = load_pack_with_places(HARBOUR_WATCH).pack
    asyncio.run(play(pack, tmp_path / "own", own_server))
    asyncio.run(play(pack, tmp_path / "foreign", partial(on_mosquitto, folder=tmp_path / "mosquitto")))
    own, foreign = read_record(tmp_path / "own" / "record"), read_record(tmp_path / "foreign" / "record")

    assert comparable(own) == comparable(foreign)
    assert judged(pack, own) == judged(pack, foreign)


def test_strait_lantern_is_decided_behind_mosquitto_as_it_is_rehearsed(tmp_path: Path) -> None:
    """And a rehearsal is decided like a play on our own server (test_two_worlds)."""
    pack = load_pack_with_places(find_pack("strait-lantern")).pack
    asyncio.run(play(pack, tmp_path / "foreign", partial(on_mosquitto, folder=tmp_path / "mosquitto")))
    rehearse(pack, folder=tmp_path / "virtual")
    foreign, virtual = read_record(tmp_path / "foreign" / "record"), read_record(tmp_path / "virtual" / "record")

    assert comparable(virtual) == comparable(foreign)
    assert judged(pack, virtual) == judged(pack, foreign)
