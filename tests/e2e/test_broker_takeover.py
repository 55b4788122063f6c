"""A second session of an agency on real sockets: nothing of it is decided before the first is let go."""

import asyncio
from contextlib import suppress

import pytest

from broker.application import Attachment, Credentials, Publication
from broker.server import MqttServer
from schemas.errors import LinkError
from transport.mqtt import MqttAddress, mqtt_connect

AGENCY = "sgp-mar"


class SlowToDetach:
    """Admits everybody, and lets an earlier session go only when it is told to."""

    def __init__(self) -> None:
        self.history: list[str] = []
        self.news = asyncio.Condition()
        self.may_detach = asyncio.Event()

    def authenticate(self, credentials: Credentials) -> str | None:
        return credentials.client_id

    async def attached(self, _attachment: Attachment) -> None:
        await self.note("attached")

    async def published(self, _agency: str, payload: bytes) -> Publication:
        await self.note(f"published {payload.decode()}")
        return Publication.SUCCESS

    async def detached(self, _attachment: Attachment) -> None:
        await self.note("detaching")
        await self.may_detach.wait()
        await self.note("detached")

    async def note(self, what: str) -> None:
        async with self.news:
            self.history.append(what)
            self.news.notify_all()

    async def until(self, what: str) -> None:
        async with self.news:
            await self.news.wait_for(lambda: what in self.history)


async def test_a_publish_is_decided_only_after_its_session_is_taken_up() -> None:
    """Else the router takes up a hello, then the end of the session before, and never sends that reader anything.

    Found by the soak: a node that came back while the disk was still busy with its last frame was left without a feed.
    """
    application = SlowToDetach()
    async with asyncio.timeout(10), MqttServer(application).listening() as address:
        connect = mqtt_connect(MqttAddress(host=address.host, port=address.port, agency=AGENCY, password="any"))
        with suppress(LinkError):
            async with connect():
                await application.until("attached")
                async with connect() as second, asyncio.TaskGroup() as tasks:
                    tasks.create_task(second.send(b"hello"), name="hello")
                    await application.until("detaching")
                    with pytest.raises(TimeoutError):
                        async with asyncio.timeout(0.3):
                            await application.until("published hello")
                    application.may_detach.set()
                    await application.until("published hello")

    assert ["attached", "detaching", "detached", "attached", "published hello"] == application.history[:5]
