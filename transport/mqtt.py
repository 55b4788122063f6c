"""The MQTT link: the only file that names aiomqtt, the maintained continuation of asyncio-mqtt.

MQTT 5, one subscription, QoS 1, no session kept: what is lost with a link is sent again by the ends
(docs/spec/wire.md, "MQTT 5 profile").
"""

import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from schemas.errors import LinkError
from schemas.limits import DELIVERY_WINDOW, FRAME_BYTES_MAX
from schemas.topics import down_topic, up_topic
from transport.link import Connect, Link
from transport.simloop import in_simulation

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


class _Client(aiomqtt.Client):
    """aiomqtt's client, which calls a publish done whatever its PUBACK says; the reason code is kept here."""

    not_taken: int | None = None

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason_code: ReasonCode, properties: Any) -> None:
        if reason_code.value in _NOT_TAKEN:
            self.not_taken = reason_code.value
        super()._on_publish(client, userdata, mid, reason_code, properties)


def _client(address: MqttAddress) -> _Client:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho ships it untyped
    properties.MaximumPacketSize = _PACKET_BYTES_MAX
    properties.ReceiveMaximum = _FRAMES_WAITING_MAX
    return _Client(
        address.host,
        address.port,
        identifier=address.agency,
        username=address.agency,
        password=address.password,
        protocol=aiomqtt.ProtocolVersion.V5,
        clean_start=True,
        keepalive=_KEEP_ALIVE_S,
        properties=properties,
        tls_context=address.tls,
        socket_options=_SEND_AT_ONCE,
        max_queued_incoming_messages=_FRAMES_WAITING_MAX,
        max_queued_outgoing_messages=DELIVERY_WINDOW,
    )


def _check_granted(granted: tuple[int, ...] | list[ReasonCode], address: MqttAddress) -> None:
    codes = [code if isinstance(code, int) else code.value for code in granted]
    if any(code >= _REFUSED_FROM for code in codes):
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
