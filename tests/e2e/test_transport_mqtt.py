"""The MQTT link on our own server: what it carries, and how each end of it is told."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

import transport.mqtt
from broker.application import Attachment, Credentials, Publication
from broker.limits import ServerLimits
from broker.listen import Address
from broker.server import MqttServer
from schemas.errors import LinkError
from schemas.limits import FRAME_BYTES_MAX
from transport.link import Link
from transport.mqtt import MqttAddress, client_tls_context, mqtt_connect

AGENCY = "mys-mar"
PASSWORD = "correct horse"
LIMIT_S = 10


class Echo:
    """Sends every frame back, and answers it as the test says."""

    def __init__(self) -> None:
        self.attachment: Attachment | None = None
        self.answer = Publication.SUCCESS
        self.attachments = 0

    def authenticate(self, credentials: Credentials) -> str | None:
        return credentials.client_id if credentials.password == PASSWORD.encode() else None

    async def attached(self, attachment: Attachment) -> None:
        self.attachment = attachment
        self.attachments += 1

    async def published(self, agency: str, payload: bytes) -> Publication:  # noqa: ARG002 - the interface's
        if self.attachment is not None and self.answer is Publication.SUCCESS:
            self.attachment.send(payload)
        return self.answer

    async def detached(self, attachment: Attachment) -> None:
        if self.attachment is attachment:
            self.attachment = None


@asynccontextmanager
async def listening() -> AsyncGenerator[tuple[Echo, Address], None]:
    echo = Echo()
    server = MqttServer(echo, limits=ServerLimits())
    async with asyncio.timeout(LIMIT_S), server.listening(host="127.0.0.1", port=0, tls=None) as address:
        yield echo, address


def address_of(address: Address, *, password: str = PASSWORD) -> MqttAddress:
    return MqttAddress(host="127.0.0.1", port=address.port, agency=AGENCY, password=password)


async def next_frame(link: Link) -> bytes:
    async for frame in link.frames():
        return frame
    return b""


async def test_frames_of_every_size_come_back_whole_and_in_order() -> None:
    frames = [b"x" * size for size in (1, 1_000, 300_000, FRAME_BYTES_MAX)]
    async with listening() as (_, address), mqtt_connect(address_of(address))() as link:
        for frame in frames:
            await link.send(frame)

        assert frames == [await next_frame(link) for _ in frames]


async def test_a_wrong_password_is_a_link_error_that_says_where_and_what_to_do() -> None:
    async with listening() as (echo, address):
        with pytest.raises(LinkError, match=f"{AGENCY}: no link to the broker at 127.0.0.1:{address.port}") as caught:
            async with mqtt_connect(address_of(address, password="wrong"))():
                pass

        assert 0 == echo.attachments
    assert "knows this agency" in caught.value.remedy
    assert PASSWORD not in str(caught.value)


async def test_nobody_at_the_port_is_a_link_error() -> None:
    async with listening() as (_, address):
        closed = address_of(address)

    with pytest.raises(LinkError):
        async with asyncio.timeout(LIMIT_S), mqtt_connect(closed)():
            pass


async def test_the_end_of_a_link_reaches_reader_and_sender_as_link_errors() -> None:
    ended = []
    async with listening() as (echo, address):
        try:
            async with mqtt_connect(address_of(address))() as link:
                assert echo.attachment is not None
                echo.attachment.close(0x89)
                for use in (next_frame(link), link.send(b"x")):
                    try:
                        await use
                    except LinkError as error:
                        ended.append(str(error))
        except LinkError:
            pass  # leaving a link that has ended may tell so once more

    assert 2 == len(ended)
    assert all("the link ended" in text for text in ended)


@pytest.mark.parametrize("answer", [Publication.QUOTA_EXCEEDED, Publication.IMPLEMENTATION_SPECIFIC])
async def test_a_frame_that_the_broker_did_not_take_ends_the_link(answer: Publication) -> None:
    """A lost hello or ack would be a silence without end; a new session says both again."""
    async with listening() as (echo, address):
        echo.answer = answer
        async with mqtt_connect(address_of(address))() as link:
            with pytest.raises(LinkError, match="did not take a frame"):
                await link.send(b"hello")


async def test_a_frame_that_was_refused_for_its_contents_does_not() -> None:
    """Each of its messages has a verdict of its own."""
    async with listening() as (echo, address), mqtt_connect(address_of(address))() as link:
        echo.answer = Publication.NOT_AUTHORISED
        await link.send(b"refused")
        echo.answer = Publication.SUCCESS
        await link.send(b"taken")

        assert b"taken" == await next_frame(link)


async def test_a_second_login_takes_the_session_over_and_the_first_is_told() -> None:
    told = []
    async with listening() as (_, address):
        try:
            async with mqtt_connect(address_of(address))() as first, mqtt_connect(address_of(address))() as second:
                await second.send(b"mine")
                assert b"mine" == await next_frame(second)
                try:
                    await next_frame(first)
                except LinkError as error:
                    told.append(error)
        except LinkError:
            pass  # leaving a link that has ended may tell so once more

    assert 1 == len(told)


def test_certificates_that_cannot_be_read_are_named() -> None:
    with pytest.raises(LinkError, match=r"missing\.pem"):
        client_tls_context(certificate="missing.pem", key="missing.key", authority="missing.pem")


def test_a_password_never_shows_in_a_debug_print() -> None:
    assert "secret" not in repr(MqttAddress(host="127.0.0.1", port=1, agency=AGENCY, password="secret"))


async def test_a_cancellation_that_comes_with_an_answer_is_not_forgotten() -> None:
    """Found by killing brokers: a node that was told to end as its login was answered went on for ever."""
    client = transport.mqtt._client(MqttAddress(host="127.0.0.1", port=1, agency=AGENCY))
    answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    went_on = False

    async def ask() -> None:
        nonlocal went_on
        await client._wait_for(answer)
        went_on = True

    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(ask())
        while not answer._callbacks:  # noqa: ASYNC110 - until it waits; a future sets no event for that
            await asyncio.sleep(0)
        answer.set_result(None)
        asking.cancel()

    assert not went_on


async def test_a_broker_that_hangs_up_during_the_login_is_noticed_at_once() -> None:
    """A broker that was killed answers nothing; whoever waits for its answer comes back ten seconds late."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with asyncio.timeout(LIMIT_S), server:
        address = MqttAddress(host="127.0.0.1", port=server.sockets[0].getsockname()[1], agency=AGENCY, password="")
        with pytest.raises(LinkError, match="hung up before it answered the login"):
            async with mqtt_connect(address)():
                pass


async def test_a_connect_that_never_comes_back_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs in a thread of its own, for which aiomqtt waits without a bound."""
    end = threading.Event()
    monkeypatch.setattr(transport.mqtt, "_CONNECT_S", 0.01)
    monkeypatch.setattr(transport.mqtt._Client, "_client_connect", lambda _client: end.wait(LIMIT_S))
    try:
        with pytest.raises(LinkError, match="no login within"):
            async with mqtt_connect(MqttAddress(host="127.0.0.1", port=1, agency=AGENCY, password=""))():
                pass
    finally:
        end.set()
