"""The MQTT server against peers that mean harm: many at once, slow ones, and ones that never say a word.

What is bounded is asserted by counts, never by a clock; bench/hostile.py shows what it costs in time and memory.
"""

import asyncio
import gc
import json
import socket
import ssl
import struct
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from broker.fields import Reason
from broker.limits import ServerLimits
from broker.listen import Address, server_tls_context
from broker.server import MqttServer
from conformance import world
from scenarios.certificates import LinkAuthority, Validity, new_seed
from tests.fuzz.mqtt_targets import connect, packet_samples, publish
from tests.samples.flooded_server import CONNACK, DISCONNECT, LIMIT_S, QUICK, Anybody, assert_serves, served

Contexts = tuple[ssl.SSLContext | None, ssl.SSLContext | None]


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """A socket that was left open shows in the test that left it."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates of a region: the broker's, and alpha's."""
    folder = tmp_path_factory.mktemp("tls")
    entropy = world.ScriptedEntropy("hostile links")
    now_ms = Validity(begin_ms=0, end_ms=4_000_000_000_000)
    authority = LinkAuthority(seed=new_seed(entropy), validity=now_ms, entropy=entropy)
    (folder / "authority.pem").write_bytes(authority.certificate)
    for name, issued in {"broker": authority.server(["127.0.0.1"]), "alpha": authority.client("alpha")}.items():
        (folder / f"{name}.pem").write_bytes(issued.certificate)
        (folder / f"{name}.key").write_bytes(issued.key)
    return folder


def server_context(folder: Path) -> ssl.SSLContext:
    return server_tls_context(folder / "broker.pem", folder / "broker.key", folder / "authority.pem")


def client_context(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=folder / "authority.pem")
    context.load_cert_chain(folder / "alpha.pem", folder / "alpha.key")
    return context


async def said(reader: asyncio.StreamReader) -> bytes:
    """Everything until the server closes; a reset counts as closing."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def exchange(address: Address, *parts: bytes, tls: ssl.SSLContext | None = None) -> bytes:
    """Send, and return all that the server said until it closed."""
    reader, writer = await asyncio.open_connection(*address, ssl=tls)
    try:
        for part in parts:
            writer.write(part)
        return await said(reader)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def gone(server: MqttServer) -> None:
    await server._all_gone()


async def test_links_displaced_in_the_turn_that_accepted_them_leave_nothing_behind() -> None:
    """A task that is cancelled before its first step runs no ``finally``: its socket stayed open, and a stop hung."""
    async with served(ServerLimits(strangers_max=1)) as (server, address):
        links = [socket.create_connection(address) for _ in range(60)]
        while server.connections != 1:
            server._idle.clear()
            await server._idle.wait()
        for link in links:
            link.close()
        await gone(server)
        await assert_serves(address)


async def test_a_stop_in_the_turn_that_accepted_a_link_ends() -> None:
    server = MqttServer(Anybody(), limits=QUICK)
    links = []
    async with asyncio.timeout(LIMIT_S):
        for _ in range(20):
            async with server.listening() as address:
                links.append(socket.create_connection(address))
                await asyncio.sleep(0)
            assert 0 == server.connections
    for link in links:
        link.close()


@pytest.fixture(params=["plain", "tls"])
def contexts(request: pytest.FixtureRequest, tls_files: Path) -> Contexts:
    """The server's context and an agency's, or none of either."""
    return (server_context(tls_files), client_context(tls_files)) if request.param == "tls" else (None, None)


CLIENT_HELLO_CUT = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)
BEFORE_LOGIN = {
    "nothing": (),
    "one byte of a length": (b"\x10\xff",),
    "giant remaining length": (b"\x10\xff\xff\xff\x7f", bytes(300_000)),
    "no connect first": (publish(b"x") * 500,),
    "garbage in a pipeline": (bytes(range(256)) * 2_000,),
    "half a client hello": (CLIENT_HELLO_CUT,),
    "tls alert": (b"\x15\x03\x03\x00\x02\x02\x28",),
    "tls record of a giant": (b"\x16\x03\x03\xff\xff" + bytes(70_000),),
    "another protocol": (b"GET / HTTP/1.1\r\n\r\n",),
}


@pytest.mark.parametrize("attack", BEFORE_LOGIN.values(), ids=BEFORE_LOGIN.keys())
async def test_a_stranger_learns_nothing_and_is_let_go(contexts: Contexts, attack: tuple[bytes, ...]) -> None:
    """Over TCP as it is, so with TLS on these are what stands in place of a handshake."""
    ours, theirs = contexts
    async with served(tls=ours) as (server, address):
        answer = await exchange(address, *attack)
        assert b"" == answer if ours is None else answer[:1] in {b"", b"\x15"}, "at most a TLS alert"
        await gone(server)
        await assert_serves(address, theirs)


@pytest.mark.parametrize("attack", BEFORE_LOGIN.values(), ids=BEFORE_LOGIN.keys())
async def test_who_has_a_certificate_and_no_manners_learns_no_more(tls_files: Path, attack: tuple[bytes, ...]) -> None:
    theirs = client_context(tls_files)
    async with served(tls=server_context(tls_files)) as (server, address):
        assert b"" == await exchange(address, *attack, tls=theirs)
        await gone(server)
        await assert_serves(address, theirs)


# Short, so that the server has read all of it when it closes: a TLS link that is closed with bytes unread is reset, and
# the reset may overtake the last packet.
AFTER_LOGIN = {
    "connect twice": (connect(), Reason.PROTOCOL_ERROR),
    "giant remaining length": (b"\x32\xff\xff\xff\x7f" + bytes(1_000), Reason.PACKET_TOO_LARGE),
    "misspelt length": (b"\x32\x80\x80\x80\x80", Reason.MALFORMED_PACKET),
    "garbage": (b"\xff" * 1_000, Reason.MALFORMED_PACKET),
    "silence": (b"", None),
    "half a publish": (publish(bytes(1_000))[:-1], None),
}


@pytest.mark.parametrize(("attack", "reason"), AFTER_LOGIN.values(), ids=AFTER_LOGIN.keys())
async def test_an_agency_without_manners_is_told_why(contexts: Contexts, attack: bytes, reason: Reason | None) -> None:
    """A half-open link is found by its silence: 1.5 times the keep-alive, here of the shortest that there is."""
    ours, theirs = contexts
    limits = ServerLimits(keep_alive_s_max=1, sweep_ms=50)
    async with served(limits, tls=ours) as (server, address):
        answer = await exchange(address, connect(), attack, tls=theirs)
        assert CONNACK == answer[0]
        assert bytes((DISCONNECT, 1, reason or Reason.KEEP_ALIVE_TIMEOUT)) == answer[-3:]
        await gone(server)


async def test_a_byte_now_and_then_buys_no_time(contexts: Contexts) -> None:
    """Each byte of a handshake, or of a CONNECT, counts for nothing until the whole of it is there."""
    ours, theirs = contexts
    async with served(tls=ours) as (server, address):
        with socket.create_connection(address) as link:
            link.sendall(b"\x10\xff\x1e" if ours is None else CLIENT_HELLO_CUT[:20])
            while not server.connections:  # noqa: ASYNC110 -- the server tells nobody of an arrival
                await asyncio.sleep(0)
            while server.connections:
                with suppress(OSError):
                    link.send(b"\x00")
                await asyncio.sleep(0.02)
        await assert_serves(address, theirs)


@pytest.mark.parametrize(
    "first", [b"", b"\x10", connect()[:-3], packet_samples()[0]], ids=["silent", "byte", "cut", "whole"]
)
async def test_waves_of_connects_leave_as_little_as_one(contexts: Contexts, first: bytes) -> None:
    """Two thousand over all cases, half of them reset: who has not logged in is displaced, and nothing grows."""
    ours, theirs = contexts
    limits = ServerLimits(strangers_max=16, connect_ms_max=400, linger_ms_max=200, sweep_ms=50)
    most = 0
    async with served(limits, tls=ours) as (server, address):
        tasks = len(asyncio.all_tasks())
        for _wave in range(5):
            links = [socket.create_connection(address) for _ in range(50)]
            for number, link in enumerate(links):
                with suppress(OSError):
                    link.sendall(first)
                if number % 2:
                    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    link.close()
            await asyncio.sleep(0.02)
            most = max(most, server.connections)
            assert len(server._strangers) <= limits.strangers_max
            await assert_serves(address, theirs)
            for link in links:
                link.close()
        await gone(server)
        assert len(asyncio.all_tasks()) <= tasks
    assert most <= 50 + limits.strangers_max


# Run in a process of its own, whose limit of open files is not the tests'.
_WITHOUT_HANDLES = """
    import asyncio, json, logging, resource, socket
    from broker.limits import ServerLimits
    from tests.samples.flooded_server import assert_serves, served
    said = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    logging.getLogger("broker.server").addHandler(handler)

    async def main() -> None:
        async with served(ServerLimits(sweep_ms=50)) as (server, address):
            # The peers have their handles before the limit falls, so it is the server that runs out of them.
            links = [socket.socket() for _ in range(60)]
            limit = max(link.fileno() for link in links) + 11
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            for link in links:
                link.connect(address)
            while "mqtt.accept.paused" not in said:
                await asyncio.sleep(0.01)
            assert server.connections <= 10
            for link in links:
                link.close()
            await assert_serves(address)
        print(json.dumps({"paused": said.count("mqtt.accept.paused")}))

    asyncio.run(main())
"""


def test_without_file_handles_the_server_pauses_and_goes_on() -> None:
    """``accept`` fails while the kernel says that something waits: to ask again at once would be a spin."""
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_WITHOUT_HANDLES)],
        check=False, capture_output=True, text=True, timeout=120, cwd=Path(__file__).parents[2],
    )  # fmt: skip

    assert 0 == ran.returncode, ran.stderr
    answer = json.loads(ran.stdout)
    assert 1 <= answer["paused"] < 100
