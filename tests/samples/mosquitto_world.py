"""Mosquitto under the transport contract, set up by what ``scenarios.mosquitto`` writes; the router is a client."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import aiomqtt

from broker.listen import Address
from scenarios.deployment import BROKER, LINK_FILE, NODES
from scenarios.enrolment import ROUTER
from scenarios.mosquitto import (
    ACCESS_FILE,
    CONFIGURATION_FILE,
    HASH_SALT_BYTES,
    PASSWORDS_FILE,
    Listener,
    access_text,
    configuration_text,
    password_entry,
    passwords_text,
)
from schemas.topics import down_topic, up_topic
from sealing.entropy import SystemEntropy
from tests.samples.command_line import at_once
from tests.samples.lossy_line import LossyLine
from tests.samples.mosquitto_process import running_mosquitto
from tests.samples.transport_world import AGENCIES, Capabilities
from transport.link import Connect
from transport.mqtt import MqttAddress, mqtt_connect


class ClientRouter:
    """The router's side of a general broker: one client, which hears every agency and tells each."""

    def __init__(self) -> None:
        self._client: aiomqtt.Client | None = None
        self._changed = asyncio.Event()
        self.arrived: list[tuple[str, bytes]] = []
        self.sessions: list[str] = []

    @asynccontextmanager
    async def running(self, address: Address, password: str) -> AsyncGenerator[None, None]:
        """Be linked while the block runs."""
        client = aiomqtt.Client(
            address.host,
            address.port,
            identifier=ROUTER,
            username=ROUTER,
            password=password,
            protocol=aiomqtt.ProtocolVersion.V5,
            max_queued_incoming_messages=1_000,
        )
        with suppress(aiomqtt.MqttError):
            async with client, asyncio.TaskGroup() as tasks:
                await client.subscribe([(up_topic(agency), 1) for agency in AGENCIES])
                self._client = client
                listening = tasks.create_task(self._listen(client), name="router-listens")
                try:
                    yield
                finally:
                    self._client = None
                    listening.cancel()

    async def _listen(self, client: aiomqtt.Client) -> None:
        agency_of = {up_topic(agency): agency for agency in AGENCIES}
        with suppress(aiomqtt.MqttError):
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                self.arrived.append((agency_of[str(message.topic)], message.payload))
                self._changed.set()

    async def ready_for(self, agency: str) -> None:
        """Nothing to wait for: a node's link is open when Mosquitto has granted its subscription."""

    async def send(self, agency: str, frame: bytes) -> None:
        assert self._client is not None
        await self._client.publish(down_topic(agency), frame, qos=1)

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()


class MosquittoWorld:
    """See ``tests.samples.transport_world.MqttWorld``.

    Args:
        write: Writes its files for this port; returns the configuration's path.
        passwords: In clear, by user.
    """

    capabilities = Capabilities(decides=False, tells_of_sessions=False, refuses_aloud=False)

    def __init__(self, write: Callable[[int], Path], passwords: Mapping[str, str]) -> None:
        self._write = write
        self._passwords = dict(passwords)
        self._lines = {agency: LossyLine(lambda: self._address) for agency in AGENCIES}
        self._address = Address("", 0)
        self._broker = AsyncExitStack()
        self._router = AsyncExitStack()
        self.router = ClientRouter()

    def connect(self, agency: str, *, proven: bool = True) -> Connect:
        host, port = self.address(agency)
        password = self._passwords[agency] if proven else "guessed"
        return mqtt_connect(MqttAddress(host=host, port=port, agency=agency, password=password))

    def line(self, agency: str) -> LossyLine:
        return self._lines[agency]

    def address(self, agency: str) -> Address:
        return self._lines[agency].address

    def password(self, agency: str) -> str:
        return self._passwords[agency]

    async def away(self) -> None:
        await self._router.aclose()

    async def restart(self) -> None:
        """Kill it, so that it can say goodbye to nobody."""
        await self._broker.aclose()
        await self._router.aclose()
        await self.start()

    async def start(self) -> None:
        """Serve until the next ``restart``, or the end."""
        mosquitto = await self._broker.enter_async_context(running_mosquitto(self._write))
        self._address = mosquitto.address
        await self._router.enter_async_context(self.router.running(self._address, self._passwords[ROUTER]))

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["MosquittoWorld", None]:
        """Run Mosquitto, the router's client and the lines while the block runs."""
        async with AsyncExitStack() as lines:
            for line in self._lines.values():
                await lines.enter_async_context(line.listening())
            await self.start()
            try:
                yield self
            finally:
                await self._router.aclose()
                await self._broker.aclose()


def mosquitto_by_text(folder: Path) -> MosquittoWorld:
    """Return Mosquitto with passwords of this test alone, its files made of our text."""
    passwords = {user: SystemEntropy().take(8).hex() for user in (*AGENCIES, ROUTER)}

    def write(port: int) -> Path:
        entries = {
            user: password_entry(password, SystemEntropy().take(HASH_SALT_BYTES))
            for user, password in passwords.items()
        }
        listener = Listener(address="127.0.0.1", port=port, tls=False)
        (folder / CONFIGURATION_FILE).write_text(configuration_text(listener, folder=str(folder)))
        (folder / ACCESS_FILE).write_text(access_text(AGENCIES, router=ROUTER))
        (folder / PASSWORDS_FILE).write_text(passwords_text(entries))
        return folder / CONFIGURATION_FILE

    return MosquittoWorld(write, passwords)


def mosquitto_of_region(region: Path, folder: Path) -> MosquittoWorld:
    """Return Mosquitto as ``sandiwara render`` sets it up for a region that ``sandiwara init`` made."""
    links = {agency: region / NODES / agency / LINK_FILE for agency in AGENCIES} | {ROUTER: region / BROKER / LINK_FILE}
    passwords = {user: json.loads(path.read_text())["password"] for user, path in links.items()}

    def write(port: int) -> Path:
        words = ("render", "mosquitto", region, "--port", str(port), "--out", folder, "--replace")
        assert at_once(*words).returncode == 0
        return folder / CONFIGURATION_FILE

    return MosquittoWorld(write, passwords)
