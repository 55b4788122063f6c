"""An MQTT server that forgets what it is told, and an honest client beside whatever is done to it.

It stands here since one of the floods runs in a process of its own, whose limit of open files is not the tests'.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from broker.application import Attachment, Credentials, Publication
from broker.limits import ServerLimits
from broker.listen import Address
from broker.server import MqttServer
from tests.fuzz.mqtt_targets import connect

LIMIT_S = 60
QUICK = ServerLimits(connect_ms_max=400, linger_ms_max=200, sweep_ms=50)
DISCONNECT, CONNACK, PINGRESP = 0xE0, 0x20, b"\xd0\x00"


class Anybody:
    """Admits whoever knows alpha's password, and forgets what is published."""

    def authenticate(self, credentials: Credentials) -> str | None:
        return "alpha" if credentials.client_id == "alpha" and credentials.password == b"secret" else None

    async def attached(self, attachment: Attachment) -> None:
        pass

    async def published(self, agency: str, payload: bytes) -> Publication:  # noqa: ARG002 -- as every application
        return Publication.SUCCESS

    async def detached(self, attachment: Attachment) -> None:
        pass


@asynccontextmanager
async def served(
    limits: ServerLimits = QUICK, *, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[tuple[MqttServer, Address], None]:
    server = MqttServer(Anybody(), limits=limits)
    async with asyncio.timeout(LIMIT_S), server.listening(tls=tls) as address:
        yield server, address
    assert 0 == server.connections


async def assert_serves(address: Address, tls: ssl.SSLContext | None = None) -> None:
    """An honest client may be displaced in a flood, and comes again, as nodes do."""
    while True:
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection(*address, ssl=tls)
            try:
                writer.write(connect() + b"\xc0\x00")
                answer = await reader.readuntil(PINGRESP)
                assert CONNACK == answer[0]
                return
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
        await asyncio.sleep(0.05)
