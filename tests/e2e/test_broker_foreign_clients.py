"""The MQTT server and clients that others wrote: Mosquitto's programs, paho and aiomqtt."""

# paho's property class carries no types.
# mypy: disable-error-code="no-untyped-call"

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import aiomqtt
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from broker.application import Attachment, Credentials, Publication
from broker.limits import ServerLimits
from broker.listen import Address
from broker.server import MqttServer

A, B = "sgp-csa", "mys-nacsa"
PASSWORD = "correct horse"

pytestmark = pytest.mark.foreign


class FakeApplication:
    """Admits whoever knows the password and keeps what was published."""

    def __init__(self) -> None:
        self.attachments: dict[str, Attachment] = {}
        self.published_payloads: list[tuple[str, bytes]] = []
        self.detached_agencies: list[str] = []
        self.answer = Publication.SUCCESS
        self.changed = asyncio.Event()

    def authenticate(self, credentials: Credentials) -> str | None:
        return credentials.client_id if credentials.password == PASSWORD.encode() else None

    async def attached(self, attachment: Attachment) -> None:
        self.attachments[attachment.agency] = attachment
        self.changed.set()

    async def published(self, agency: str, payload: bytes) -> Publication:
        self.published_payloads.append((agency, payload))
        self.changed.set()
        return self.answer

    async def detached(self, attachment: Attachment) -> None:
        self.detached_agencies.append(attachment.agency)
        self.changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.changed.clear()
            await self.changed.wait()


@pytest.fixture
def application() -> FakeApplication:
    return FakeApplication()


@asynccontextmanager
async def served(application: FakeApplication, *, limits: ServerLimits | None = None) -> AsyncGenerator[Address, None]:
    async with asyncio.timeout(20), MqttServer(application, limits=limits).listening() as address:
        yield address


async def mosquitto(program: str, address: Address, *arguments: str) -> tuple[int, str]:
    """Run one of Mosquitto's programs to its end; returns its exit code and all it said."""
    path = shutil.which(program)
    if path is None:
        reason = f"{program} is missing: install the package mosquitto-clients"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    process = await asyncio.create_subprocess_exec(
        path,
        *("-h", address.host, "-p", str(address.port), "-d", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, said.decode()


def as_agency(name: str, *, password: str = PASSWORD, version: str = "5") -> tuple[str, ...]:
    return ("-V", version, "-i", name, "-u", name, "-P", password)


async def test_mosquitto_pub_gets_its_publish_decided(application: FakeApplication) -> None:
    async with served(application) as address:
        code, said = await mosquitto(
            "mosquitto_pub", address, *as_agency(A), "-t", f"sw/1/{A}/up", "-q", "1", "-m", "report"
        )
    assert code == 0
    assert "received PUBACK (Mid: 1, RC:0)" in said
    assert application.published_payloads == [(A, b"report")]


async def test_mosquitto_pub_sends_a_hundred_lines_in_order(application: FakeApplication) -> None:
    """More than its in-flight window and more than our Receive Maximum of 5."""
    lines = [f"line {number}" for number in range(100)]
    async with served(application, limits=ServerLimits(receive_maximum=5)) as address:
        arguments = [part for line in lines[:1] for part in ("-m", line)]
        code, _ = await mosquitto(
            "mosquitto_pub", address, *as_agency(A), "-t", f"sw/1/{A}/up", "-q", "1", *arguments, "--repeat", "100"
        )
    assert code == 0
    assert len(application.published_payloads) == len(lines)


async def test_mosquitto_pub_hears_why_it_was_refused(application: FakeApplication) -> None:
    application.answer = Publication.PAYLOAD_FORMAT_INVALID
    async with served(application) as address:
        _, foreign = await mosquitto(
            "mosquitto_pub", address, *as_agency(A), "-t", f"sw/1/{B}/up", "-q", "1", "-m", "x"
        )
        _, malformed = await mosquitto(
            "mosquitto_pub", address, *as_agency(A), "-t", f"sw/1/{A}/up", "-q", "1", "-m", "x"
        )
    assert "RC:135" in foreign
    assert "RC:153" in malformed
    assert application.published_payloads == [(A, b"x")]


async def test_mosquitto_pub_drops_the_retain_flag_when_our_connack_says_so(application: FakeApplication) -> None:
    async with served(application) as address:
        code, said = await mosquitto(
            "mosquitto_pub", address, *as_agency(A), "-t", f"sw/1/{A}/up", "-q", "1", "-m", "x", "-r"
        )
    assert code == 0
    assert "(d0, q1, r0" in said
    assert application.published_payloads == [(A, b"x")]


async def test_mosquitto_pub_cannot_publish_at_qos_2(application: FakeApplication) -> None:
    """Its library reads the Maximum QoS of our CONNACK and refuses by itself."""
    async with served(application) as address:
        _, said = await mosquitto("mosquitto_pub", address, *as_agency(A), "-t", f"sw/1/{A}/up", "-q", "2", "-m", "x")
    assert "q2" not in said
    assert "not supported" in said
    assert application.published_payloads == []


@pytest.mark.parametrize(
    ("login", "words"),
    [
        pytest.param(as_agency(A, password="wrong"), "Bad User Name or Password", id="wrong password"),
        pytest.param(("-V", "5", "-i", A), "Bad User Name or Password", id="anonymous"),
        pytest.param(
            ("-V", "5", "-i", A, "-u", B, "-P", PASSWORD), "Bad User Name or Password", id="another's client id"
        ),
        pytest.param(as_agency(A, version="311"), "unacceptable protocol version", id="3.1.1"),
        pytest.param(as_agency(A, version="31"), "unacceptable protocol version", id="3.1"),
        pytest.param((*as_agency(A), "--will-topic", "x", "--will-payload", "x"), "Not authorized", id="will"),
        pytest.param(
            (*as_agency(A), "--will-topic", "x", "--will-payload", "x", "--will-retain"),
            "Retain not supported",
            id="retained will",
        ),
    ],
)
async def test_mosquitto_pub_is_refused_a_login(
    application: FakeApplication, login: tuple[str, ...], words: str
) -> None:
    async with served(application) as address:
        code, said = await mosquitto("mosquitto_pub", address, *login, "-t", f"sw/1/{A}/up", "-q", "1", "-m", "x")
    assert code != 0
    assert words.lower() in said.lower()
    assert application.published_payloads == []


@pytest.mark.parametrize("topic", ["#", "+/+/#", "$SYS/#", f"$share/g/sw/1/{B}/down", f"sw/1/{B}/down"])
async def test_mosquitto_sub_hears_nothing_of_others(application: FakeApplication, topic: str) -> None:
    """Between two controls: B gets its delivery before and after A tried to listen in."""
    async with (
        served(application) as address,
        aiomqtt.Client(
            address.host, address.port, identifier=B, username=B, password=PASSWORD, protocol=aiomqtt.ProtocolVersion.V5
        ) as victim,
    ):
        await victim.subscribe(f"sw/1/{B}/down", qos=1)
        await application.until(lambda: B in application.attachments)
        messages = aiter(victim.messages)
        assert application.attachments[B].send(b"before")
        assert (await anext(messages)).payload == b"before"
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(
                mosquitto("mosquitto_sub", address, *as_agency(A), "-t", topic, "-q", "1", "-W", "1"), name="listening"
            )
            while not listening.done():
                assert application.attachments[B].send(b"secret")
                assert (await anext(messages)).payload == b"secret"
                await asyncio.sleep(0.05)
        assert application.attachments[B].send(b"after")
        assert (await anext(messages)).payload == b"after"
    assert "secret" not in listening.result()[1]
    assert A not in application.attachments


async def test_mosquitto_sub_gets_its_deliveries(application: FakeApplication) -> None:
    payloads = [f"delivery-{number}" for number in range(50)]
    async with served(application) as address, asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(
            mosquitto("mosquitto_sub", address, *as_agency(A), "-t", f"sw/1/{A}/down", "-q", "1", "-C", "50"),
            name="listening",
        )
        await application.until(lambda: A in application.attachments)
        for payload in payloads:
            assert application.attachments[A].send(payload.encode())
        code, said = await listening
        await application.until(lambda: application.detached_agencies == [A])
    assert code == 0
    assert [line for line in said.splitlines() if line.startswith("delivery-")] == payloads


async def test_aiomqtt_sends_and_receives_a_megabyte(application: FakeApplication) -> None:
    large = bytes(range(256)) * 4096
    async with (
        served(application) as address,
        aiomqtt.Client(
            address.host, address.port, identifier=A, username=A, password=PASSWORD, protocol=aiomqtt.ProtocolVersion.V5
        ) as node,
    ):
        await node.subscribe(f"sw/1/{A}/down", qos=1)
        await node.publish(f"sw/1/{A}/up", large, qos=1)
        assert application.published_payloads == [(A, large)]
        assert application.attachments[A].send(large)
        assert (await anext(aiter(node.messages))).payload == large


async def test_aiomqtt_is_taken_over_by_its_own_second_login(application: FakeApplication) -> None:
    async with served(application) as address:

        def node() -> aiomqtt.Client:
            return aiomqtt.Client(
                address.host,
                address.port,
                identifier=A,
                username=A,
                password=PASSWORD,
                protocol=aiomqtt.ProtocolVersion.V5,
            )

        first = node()
        await first.__aenter__()
        await first.subscribe(f"sw/1/{A}/down", qos=1)
        async with node() as second:
            await second.subscribe(f"sw/1/{A}/down", qos=1)
            with pytest.raises(aiomqtt.MqttError):
                await anext(aiter(first.messages))
            await application.until(lambda: application.detached_agencies == [A])
            await second.publish(f"sw/1/{A}/up", b"x", qos=1)
        await first.__aexit__(None, None, None)
    assert application.published_payloads == [(A, b"x")]


async def test_paho_reads_all_that_the_connack_announces(application: FakeApplication) -> None:
    """The properties as another implementation understands them."""
    loop = asyncio.get_running_loop()
    announced: asyncio.Future[dict[str, object]] = loop.create_future()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=A, protocol=MQTTProtocolVersion.MQTTv5)
    client.username_pw_set(A, PASSWORD)

    def on_connect(
        _client: paho.Client, _userdata: object, flags: paho.ConnectFlags, reason: object, properties: Properties | None
    ) -> None:
        assert not flags.session_present
        assert str(reason) == "Success"
        assert properties is not None
        loop.call_soon_threadsafe(announced.set_result, properties.json())

    client.on_connect = on_connect
    asked = Properties(PacketTypes.CONNECT)
    asked.SessionExpiryInterval = 3600
    asked.RequestResponseInformation = 1
    asked.UserProperty = ("software", "test")
    async with served(application) as address:
        client.connect_async(address.host, address.port, clean_start=False, properties=asked)
        client.loop_start()
        try:
            properties = await announced
        finally:
            client.disconnect()
            await asyncio.to_thread(client.loop_stop)
    assert properties == {
        "SessionExpiryInterval": 0,
        "ServerKeepAlive": 60,
        "ReceiveMaximum": 32,
        "TopicAliasMaximum": 0,
        "MaximumQoS": 1,
        "RetainAvailable": 0,
        "MaximumPacketSize": 1_052_672,
        "WildcardSubscriptionAvailable": 0,
        "SubscriptionIdentifierAvailable": 0,
        "SharedSubscriptionAvailable": 0,
    }


async def test_what_paho_adds_to_a_publish_reaches_nobody(application: FakeApplication) -> None:
    """Response topic, correlation data, user properties and expiry are taken and never forwarded."""
    extra = Properties(PacketTypes.PUBLISH)
    extra.ResponseTopic = f"sw/1/{B}/down"
    extra.CorrelationData = b"correlation"
    extra.UserProperty = ("route", B)
    extra.MessageExpiryInterval = 1
    extra.PayloadFormatIndicator = 1
    async with (
        served(application) as address,
        aiomqtt.Client(
            address.host, address.port, identifier=A, username=A, password=PASSWORD, protocol=aiomqtt.ProtocolVersion.V5
        ) as node,
    ):
        await node.subscribe(f"sw/1/{A}/down", options=SubscribeOptions(qos=1, noLocal=True))
        await node.publish(f"sw/1/{A}/up", b"x", qos=1, properties=extra)
        assert application.attachments[A].send(b"y")
        message = await anext(aiter(node.messages))
        assert message.payload == b"y"
        assert message.properties is not None
        assert message.properties.json() == {}
    assert application.published_payloads == [(A, b"x")]
