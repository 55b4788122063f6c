"""The MQTT link: the only file that names aiomqtt, the maintained continuation of asyncio-mqtt.

MQTT 5, QoS 1, no session kept: what is lost with a link is sent again by the ends (docs/spec/wire.md, "MQTT 5
profile"). A node has one subscription; a router that is a client of somebody else's broker has one for each agency.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Self, TypeVar

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from schemas.errors import LinkError
from schemas.limits import DELIVERY_WINDOW, FRAME_BYTES_MAX
from schemas.topics import down_topic, up_topic
from transport.link import Connect, Link
from transport.router_link import ConnectRouter, Passing, Received, RouterLink
from transport.simloop import in_simulation

T = TypeVar("T")

_PACKET_BYTES_MAX: Final = FRAME_BYTES_MAX + 1_024  # topic, packet id and properties around a frame
_KEEP_ALIVE_S: Final = 30
_QOS: Final = 1
# aiomqtt's queue drops silently when it is full, so it must hold whatever the window lets come: a frame for each
# delivery, and as many again for verdicts, chunks and bundles.
_FRAMES_WAITING_MAX: Final = 4 * DELIVERY_WINDOW
# A frame goes out at once. Left to Nagle's algorithm it waits until the PUBACK before it is acknowledged by the other
# kernel, which takes its time (40 ms on Linux): twice that on the way of a report from desk to desk.
_SEND_AT_ONCE: Final = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)
_REFUSED_FROM: Final = 0x80  # MQTT 5 reason codes at and above this are failures
# The broker took nothing of the frame, and no verdict will say so: its disk failed, or we are over our quota.
_NOT_TAKEN: Final = frozenset({0x80, 0x83, 0x97})
_NOBODY_LISTENS: Final = 0x10
_NOT_AUTHORISED: Final = 0x87

# The router's own link. Frames that it holds and has not decided: what a broker may send before it waits for a PUBACK.
# Not every broker keeps to it (Mosquitto 2.0.11 sent a thousand): so beyond this the socket is not read for a while.
_ROUTER_RECEIVES_MAX: Final = 256
# Publishes of the router that have no PUBACK yet; fewer where the broker's CONNACK says so.
_ROUTER_SENDS_MAX: Final = 64
_FILTERS_MAX: Final = 256  # in one SUBSCRIBE, which so stays below 16 KiB
_CONNECT_S: Final = 20.0  # paho gives the connect five seconds, and aiomqtt the login ten
_PUBACK_S: Final = 10.0  # what aiomqtt gives every answer; a broker that is slower than that is as good as gone
_RETAINED_NEVER: Final = 2  # retain handling of a subscription: send nothing that was retained


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttAddress:
    """Where the broker is and how this agency proves itself: a password on loopback, a certificate elsewhere."""

    host: str
    port: int
    agency: str
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None


def client_tls_context(*, certificate: str, key: str, authority: str) -> ssl.SSLContext:
    """Return a TLS 1.3 context for an agency: it shows its certificate and checks the broker's name.

    Raises:
        LinkError: If a file cannot be read or does not fit the others.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_verify_locations(cafile=authority)
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        msg = f"the certificate {certificate} cannot be used: {error}"
        raise LinkError(
            msg, remedy="check certificate, key and authority; 'sandiwara init' writes all three"
        ) from error
    return context


def mqtt_connect(address: MqttAddress) -> Connect:
    """Return what opens a link to this address."""

    @asynccontextmanager
    async def connect() -> AsyncGenerator[Link, None]:
        if in_simulation():
            # Keys of a rehearsal follow from its seed: nothing sealed with them may ever reach a real broker.
            msg = "a real link cannot be opened in virtual time"
            raise LinkError(msg, remedy="use transport.simnet there")
        try:
            async with _client(address) as client:
                granted = await client.subscribe(down_topic(address.agency), qos=_QOS)
                _check_granted(granted, address)
                yield _MqttLink(client, up_topic(address.agency))
        except aiomqtt.MqttError as error:
            msg = f"{address.agency}: no link to the broker at {address.host}:{address.port}: {error}"
            raise LinkError(msg, remedy="check that the broker runs there and knows this agency") from error

    return connect


def mqtt_router_connect(address: MqttAddress) -> ConnectRouter:
    """Return what opens the router's own link to somebody else's broker; ``agency`` is the router's id."""

    @asynccontextmanager
    async def connect() -> AsyncGenerator[RouterLink, None]:
        if in_simulation():
            msg = "a real link cannot be opened in virtual time"
            raise LinkError(msg, remedy="use transport.simnet there")
        try:
            async with _router_client(address) as client:
                yield _MqttRouterLink(client)
        except aiomqtt.MqttError as error:
            msg = f"{address.agency}: no link to the broker at {address.host}:{address.port}: {error}"
            raise LinkError(msg, remedy=_what_to_check(error)) from error

    return connect


def _what_to_check(error: aiomqtt.MqttError) -> str:
    if isinstance(error, MqttConnectError):
        return "the broker answers and refuses the login: does it know this user, password or certificate?"
    if isinstance(error.__context__, ssl.SSLError):
        return "does the broker speak TLS there, with a certificate that the region's link authority has signed?"
    return "is the broker running there, and does it speak TLS exactly where this side does?"


class _HeedingClient(aiomqtt.Client):
    """aiomqtt's client, mended in three places at which a node could wait for what never comes."""

    async def __aenter__(self) -> Self:
        # aiomqtt bounds the wait for the answer to its login, and not that for the thread in which paho connects.
        try:
            async with asyncio.timeout(_CONNECT_S):
                return await super().__aenter__()
        except TimeoutError as error:
            msg = f"no login within {_CONNECT_S:.0f} s"
            raise aiomqtt.MqttError(msg) from error

    async def _wait_for(self, fut: Awaitable[T], **asked: float | None) -> T:  # type: ignore[override] # as it is called
        # ``asyncio.wait_for`` before Python 3.12 forgets a cancellation that comes in one turn of the loop with the
        # answer: a node that was told to end, or whose link had ended, would go on as if nothing had happened.
        try:
            async with asyncio.timeout(asked.get("timeout") or self.timeout):
                return await fut
        except TimeoutError as error:
            msg = "Operation timed out"
            raise aiomqtt.MqttError(msg) from error

    def _on_disconnect(
        self, client: Any, userdata: Any, flags: Any, reason_code: ReasonCode, properties: Properties | None = None
    ) -> None:
        # A broker that dies while we log in answers nothing; aiomqtt would wait ten seconds for it.
        if not self._connected.done():
            self._connected.set_exception(aiomqtt.MqttError("it hung up before it answered the login"))
        super()._on_disconnect(client, userdata, flags, reason_code, properties)


class _Client(_HeedingClient):
    """aiomqtt's client, which calls a publish done whatever its PUBACK says; the reason code is kept here."""

    not_taken: int | None = None

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason_code: ReasonCode, properties: Any) -> None:
        if reason_code.value in _NOT_TAKEN:
            self.not_taken = reason_code.value
        super()._on_publish(client, userdata, mid, reason_code, properties)


class _RouterClient(_HeedingClient):
    """aiomqtt's client, acknowledging when it is told to, and telling of each publish what its PUBACK says."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._client.manual_ack_set(True)
        self._answers: dict[int, asyncio.Future[int]] = {}
        self._sending = asyncio.Semaphore(_ROUTER_SENDS_MAX)
        self._paused = False

    def _on_message(self, client: Any, userdata: Any, message: Any) -> None:
        super()._on_message(client, userdata, message)
        sock = self._client.socket()
        if self._queue.qsize() >= _ROUTER_RECEIVES_MAX and not self._paused and sock is not None:
            self._paused = True
            self._loop.remove_reader(sock)

    def taken(self) -> None:
        """Note that a frame was taken from the queue: read on when there is room."""
        if self._paused and self._queue.qsize() <= _ROUTER_RECEIVES_MAX // 2:
            self._paused = False
            sock = self._client.socket()
            if sock is not None:
                self._loop.add_reader(sock, self._read_on)
                # What TLS has read from the socket already wakes no loop.
                self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        """Read as aiomqtt does."""
        try:
            while not self._paused:
                self._client.loop_read()
                sock = self._client.socket()
                if not isinstance(sock, ssl.SSLSocket) or not sock.pending():
                    return
        except Exception as error:  # noqa: BLE001 - whatever breaks here, the link is broken, and its reader is told
            if not self._disconnected.done():
                self._disconnected.set_exception(error)

    def _on_connect(
        self, client: Any, userdata: Any, flags: Any, reason_code: ReasonCode, properties: Properties | None = None
    ) -> None:
        # "The Client MUST NOT send more than Receive Maximum QoS 1 … PUBLISH packets" -- MQTT-3.3.4-7; paho does not
        # look, and Mosquitto grants 20.
        granted = int(getattr(properties, "ReceiveMaximum", _ROUTER_SENDS_MAX))
        self._sending = asyncio.Semaphore(min(granted, _ROUTER_SENDS_MAX))
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason_code: ReasonCode, properties: Any) -> None:
        # Here and not where it is awaited: a publish that nobody waits for any more counts with the broker still.
        self._sending.release()
        answer = self._answers.get(mid)
        if answer is not None and not answer.done():
            answer.set_result(int(reason_code.value))
        super()._on_publish(client, userdata, mid, reason_code, properties)

    async def publish_and_hear(self, topic: str, payload: bytes) -> int:
        """Publish at QoS 1 and return the reason code of the PUBACK."""
        await self._sending.acquire()
        info = self._client.publish(topic, payload, _QOS)
        if info.rc:
            self._sending.release()
            raise aiomqtt.MqttCodeError(info.rc, "Could not publish message")
        answer: asyncio.Future[int] = self._loop.create_future()
        self._answers[info.mid] = answer
        try:
            async with asyncio.timeout(_PUBACK_S):
                return await answer
        except TimeoutError as error:
            msg = f"no PUBACK within {_PUBACK_S:.0f} s"
            raise aiomqtt.MqttError(msg) from error
        finally:
            del self._answers[info.mid]

    def acknowledge(self, packet: int) -> None:
        """Send the PUBACK of a publish."""
        self._client.ack(packet, _QOS)


def _router_client(address: MqttAddress) -> _RouterClient:
    return _RouterClient(
        address.host,
        address.port,
        **_connecting(address, receives_max=_ROUTER_RECEIVES_MAX),
        # Room for what one more read brings: as many packets as there are publishes without a PUBACK.
        max_queued_incoming_messages=2 * _ROUTER_RECEIVES_MAX,
        max_queued_outgoing_messages=2 * _ROUTER_SENDS_MAX,
        max_inflight_messages=_ROUTER_SENDS_MAX,
    )


def _client(address: MqttAddress) -> _Client:
    return _Client(
        address.host,
        address.port,
        **_connecting(address, receives_max=_FRAMES_WAITING_MAX),
        max_queued_incoming_messages=_FRAMES_WAITING_MAX,
        max_queued_outgoing_messages=DELIVERY_WINDOW,
    )


def _connecting(address: MqttAddress, *, receives_max: int) -> dict[str, Any]:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho ships it untyped
    properties.MaximumPacketSize = _PACKET_BYTES_MAX
    properties.ReceiveMaximum = receives_max
    return {
        "identifier": address.agency,
        "username": address.agency,
        "password": address.password,
        "protocol": aiomqtt.ProtocolVersion.V5,
        "clean_start": True,
        "keepalive": _KEEP_ALIVE_S,
        "properties": properties,
        "tls_context": address.tls,
        "socket_options": _SEND_AT_ONCE,
    }


def _codes(granted: tuple[int, ...] | list[ReasonCode]) -> list[int]:
    return [code if isinstance(code, int) else code.value for code in granted]


def _check_granted(granted: tuple[int, ...] | list[ReasonCode], address: MqttAddress) -> None:
    if any(code >= _REFUSED_FROM for code in _codes(granted)):
        msg = f"the broker does not let {address.agency} listen on {down_topic(address.agency)}"
        raise LinkError(msg, remedy="check the broker's access list")


class _MqttLink:
    def __init__(self, client: _Client, topic: str) -> None:
        self._client = client
        self._topic = topic

    async def send(self, frame: bytes) -> None:
        try:
            await self._client.publish(self._topic, frame, qos=_QOS)
        except aiomqtt.MqttError as error:
            msg = f"the link ended while a frame was sent: {error}"
            raise LinkError(msg) from error
        if self._client.not_taken is not None:
            # Going on would leave a hello, an ack or a chunk unsaid: a new session says all of it again.
            msg = f"the broker did not take a frame (reason code 0x{self._client.not_taken:02x})"
            raise LinkError(msg, remedy="it is out of disk, or this agency sends more than its quota; it tries again")

    async def frames(self) -> AsyncIterator[bytes]:
        try:
            async for message in self._client.messages:
                if isinstance(message.payload, bytes):
                    yield message.payload
        except aiomqtt.MqttError as error:
            msg = f"the link ended: {error}"
            raise LinkError(msg) from error


class _MqttRouterLink:
    def __init__(self, client: _RouterClient) -> None:
        self._client = client

    async def listen(self, topics: Sequence[str]) -> None:
        options = SubscribeOptions(qos=_QOS, retainHandling=_RETAINED_NEVER)
        for first in range(0, len(topics), _FILTERS_MAX):
            asked = topics[first : first + _FILTERS_MAX]
            try:
                granted = await self._client.subscribe([(topic, options) for topic in asked])
            except aiomqtt.MqttError as error:
                msg = f"the link ended before the topics were granted: {error}"
                raise LinkError(msg) from error
            for topic, code in zip(asked, _codes(granted), strict=False):
                if code >= _REFUSED_FROM:
                    msg = f"the broker does not let the router listen on {topic}"
                    raise LinkError(msg, remedy="check the broker's access list; 'sandiwara render' writes one")

    async def frames(self) -> AsyncIterator[Received]:
        try:
            async for message in self._client.messages:
                self._client.taken()
                if not message.retain:
                    packet = message.mid if message.qos == _QOS else 0
                    yield Received(topic=message.topic.value, payload=message.payload, packet=packet)
        except aiomqtt.MqttError as error:
            msg = f"the link ended: {error}"
            raise LinkError(msg) from error

    def acknowledge(self, received: Received) -> None:
        if received.packet:
            self._client.acknowledge(received.packet)

    async def send(self, topic: str, frame: bytes) -> Passing:
        try:
            reason = await self._client.publish_and_hear(topic, frame)
        except aiomqtt.MqttError as error:
            msg = f"the link ended while a frame was sent: {error}"
            raise LinkError(msg) from error
        match reason:
            case _ if reason == _NOBODY_LISTENS:
                return Passing.NOBODY_LISTENS
            case _ if reason == _NOT_AUTHORISED:
                return Passing.NO_RIGHT
            case _ if reason >= _REFUSED_FROM:
                msg = f"the broker did not take a frame (reason code 0x{reason:02x})"
                raise LinkError(msg, remedy="its log says why; is it out of memory or disk?")
            case _:
                return Passing.TAKEN
