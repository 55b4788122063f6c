"""The MQTT 5 packets that come from clients: cut out of a byte stream, and read into values.

Only what a client may send is read, and what this server never has a use for (QoS 2 flow, AUTH) is refused here, before
its content is looked at. What the server sends is written in ``broker.answers``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from broker.fields import (
    VARIABLE_INTEGER_BYTES_MAX,
    FieldReader,
    MalformedPacketError,
    Properties,
    Property,
    Reason,
)

PROTOCOL_LEVEL: Final = 5
CONNECT_FIRST_BYTE: Final = 0x10

_CONNECT, _PUBLISH, _PUBACK, _SUBSCRIBE, _UNSUBSCRIBE, _PINGREQ, _DISCONNECT = 1, 3, 4, 8, 10, 12, 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Will:
    """What a CONNECT asked for as its will; the content is read over and forgotten."""

    qos: int
    retain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """CONNECT (3.1) of protocol version 5."""

    client_id: str
    username: str | None
    password: bytes | None = field(repr=False)
    keep_alive_s: int
    will: Will | None
    properties: Properties = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherVersionConnect:
    """CONNECT of another protocol version; nothing behind the version is read, since its meaning is not known."""

    protocol_name: str
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """PUBLISH (3.3) from a client; properties that change its meaning are kept as flags, all others are dropped."""

    topic: str
    packet_id: int  # 0 for QoS 0
    qos: int
    retain: bool
    aliased: bool
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishAcknowledgement:
    """PUBACK (3.4) from a client; its reason code changes nothing for us."""

    packet_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """SUBSCRIBE (3.8): filters with the QoS asked for."""

    packet_id: int
    filters: tuple[tuple[str, int], ...]
    identified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribe:
    """UNSUBSCRIBE (3.10)."""

    packet_id: int
    filters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PingRequest:
    """PINGREQ (3.12)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnect:
    """DISCONNECT (3.14) from a client."""

    reason: int


Packet = (
    Connect
    | OtherVersionConnect
    | Publish
    | PublishAcknowledgement
    | Subscribe
    | Unsubscribe
    | PingRequest
    | Disconnect
)


class PacketBuffer:
    """Cuts a byte stream into packets; never holds more than one packet and one read of the socket.

    The length that a packet claims is judged as soon as its header is there, before its body is gathered.
    """

    __slots__ = ("_at", "_bytes")

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._at = 0

    def feed(self, chunk: bytes) -> None:
        """Take in what the peer sent."""
        self._bytes += chunk

    @property
    def first_byte(self) -> int | None:
        """The first byte of the next packet, None until it is there."""
        return self._bytes[self._at] if self._at < len(self._bytes) else None

    def next_frame(self, packet_bytes_max: int) -> tuple[int, bytes] | None:
        """Return the first byte and the body of the next packet, or None until it is complete.

        Raises:
            MalformedPacketError: If the length is misspelt, or the packet would exceed ``packet_bytes_max``.
        """
        header = self._header(packet_bytes_max)
        if header is None or header[1] > len(self._bytes):
            self._compact()
            return None
        start, end = header
        first = self._bytes[self._at]
        with memoryview(self._bytes) as view, view[start:end] as body_view:
            body = bytes(body_view)
        self._at = end
        return first, body

    def _header(self, packet_bytes_max: int) -> tuple[int, int] | None:
        """Return where the next body begins and ends, or None while the header is incomplete."""
        remaining = 0
        for place in range(VARIABLE_INTEGER_BYTES_MAX):
            at = self._at + 1 + place
            if at >= len(self._bytes):
                return None
            digit = self._bytes[at]
            remaining |= (digit & 0x7F) << 7 * place
            if digit < 0x80:  # noqa: PLR2004 -- the continuation bit
                # "The encoded value MUST use the minimum number of bytes" -- MQTT-1.5.5-1
                if place and not digit:
                    break
                # "Where a Server receives a packet larger than … Maximum Packet Size" -- 3.2.2.3.6
                if remaining + 2 + place > packet_bytes_max:
                    msg = "a packet exceeds the maximum packet size"
                    raise MalformedPacketError(msg, reason=Reason.PACKET_TOO_LARGE)
                return at + 1, at + 1 + remaining
        msg = "a remaining length is misspelt"
        raise MalformedPacketError(msg)

    def _compact(self) -> None:
        """Forget what has been cut off; an emptied buffer gives its memory back."""
        if self._at == len(self._bytes):
            self._bytes = bytearray()
        elif self._at:
            del self._bytes[: self._at]
        self._at = 0


def decode_packet(first: int, body: bytes) -> Packet:
    """Read one packet of a client.

    Args:
        first: The first byte of the fixed header: type and flags.
        body: Everything behind the remaining length.

    Raises:
        MalformedPacketError: If the packet breaks the standard, or is none that a client may send to this server.
    """
    packet_type, flags = first >> 4, first & 0x0F
    if packet_type == _PUBLISH:
        return _decode_publish(flags, FieldReader(body))
    decoder = _DECODERS.get(packet_type)
    if decoder is None:
        # PUBREC, PUBREL, PUBCOMP: never in answer to anything at Maximum QoS 1. AUTH: "MUST NOT send an AUTH packet"
        # -- MQTT-4.12.0-7. The others are a server's, or reserved (table 2-1).
        msg = f"a packet of type {packet_type} is out of place"
        raise MalformedPacketError(msg, reason=Reason.PROTOCOL_ERROR)
    # "If the flags are invalid … it is a Malformed Packet" -- 2.1.3; MQTT-3.8.1-1 and 3.10.1-1 ask for 0010.
    if flags != (0b0010 if packet_type in (_SUBSCRIBE, _UNSUBSCRIBE) else 0):
        msg = f"the reserved header flags of a packet of type {packet_type} are set"
        raise MalformedPacketError(msg)
    fields = FieldReader(body)
    packet = decoder(fields)
    if not fields.exhausted and not isinstance(packet, OtherVersionConnect):
        msg = f"bytes are left over behind a packet of type {packet_type}"
        raise MalformedPacketError(msg)
    return packet


_WILL_PROPERTIES: Final = frozenset(
    {
        Property.PAYLOAD_FORMAT_INDICATOR,
        Property.MESSAGE_EXPIRY_INTERVAL,
        Property.CONTENT_TYPE,
        Property.RESPONSE_TOPIC,
        Property.CORRELATION_DATA,
        Property.WILL_DELAY_INTERVAL,
        Property.USER_PROPERTY,
    }
)
_CONNECT_PROPERTIES: Final = frozenset(
    {
        Property.SESSION_EXPIRY_INTERVAL,
        Property.AUTHENTICATION_METHOD,
        Property.AUTHENTICATION_DATA,
        Property.REQUEST_PROBLEM_INFORMATION,
        Property.REQUEST_RESPONSE_INFORMATION,
        Property.RECEIVE_MAXIMUM,
        Property.TOPIC_ALIAS_MAXIMUM,
        Property.USER_PROPERTY,
        Property.MAXIMUM_PACKET_SIZE,
    }
)
# Without SUBSCRIPTION_IDENTIFIER: "A PUBLISH packet sent from a Client to a Server MUST NOT contain" it -- MQTT-3.3.4-6
_PUBLISH_PROPERTIES: Final = frozenset(
    {
        Property.PAYLOAD_FORMAT_INDICATOR,
        Property.MESSAGE_EXPIRY_INTERVAL,
        Property.CONTENT_TYPE,
        Property.RESPONSE_TOPIC,
        Property.CORRELATION_DATA,
        Property.TOPIC_ALIAS,
        Property.USER_PROPERTY,
    }
)
_ANSWER_PROPERTIES: Final = frozenset({Property.REASON_STRING, Property.USER_PROPERTY})
_DISCONNECT_PROPERTIES: Final = _ANSWER_PROPERTIES | {Property.SESSION_EXPIRY_INTERVAL}
_SUBSCRIBE_PROPERTIES: Final = frozenset({Property.SUBSCRIPTION_IDENTIFIER, Property.USER_PROPERTY})
_UNSUBSCRIBE_PROPERTIES: Final = frozenset({Property.USER_PROPERTY})

_QOS_MAX: Final = 2
# An agency has one topic to subscribe to; counted while reading, so that a large packet is not first unfolded.
FILTERS_MAX: Final = 8


def _decode_connect(fields: FieldReader) -> Connect | OtherVersionConnect:
    protocol_name = fields.text()
    level = fields.uint8()
    if protocol_name != "MQTT" or level != PROTOCOL_LEVEL:
        return OtherVersionConnect(protocol_name=protocol_name, level=level)
    flags = fields.uint8()
    # "The Server MUST validate that the reserved flag in the CONNECT packet is set to 0" -- MQTT-3.1.2-3
    if flags & 0b0000_0001:
        msg = "the reserved connect flag is set"
        raise MalformedPacketError(msg)
    keep_alive_s = fields.uint16()
    properties = fields.properties(_CONNECT_PROPERTIES)
    # "It is a Protocol Error to include Authentication Data if there is no Authentication Method" -- 3.1.2.11.10
    if Property.AUTHENTICATION_DATA in properties and Property.AUTHENTICATION_METHOD not in properties:
        msg = "a CONNECT holds authentication data without a method"
        raise MalformedPacketError(msg, reason=Reason.PROTOCOL_ERROR)
    client_id = fields.text()
    will = _decode_will(flags, fields)
    username = fields.text() if flags & 0b1000_0000 else None
    password = fields.binary() if flags & 0b0100_0000 else None
    return Connect(
        client_id=client_id,
        username=username,
        password=password,
        keep_alive_s=keep_alive_s,
        will=will,
        properties=properties,
    )


def _decode_will(flags: int, fields: FieldReader) -> Will | None:
    qos, retain = flags >> 3 & 0b11, bool(flags & 0b0010_0000)
    if not flags & 0b0000_0100:
        # "If the Will Flag is set to 0, then the Will QoS MUST be set to 0 … Will Retain MUST be set to 0"
        # -- MQTT-3.1.2-11, MQTT-3.1.2-13
        if qos or retain:
            msg = "a CONNECT without a will describes one"
            raise MalformedPacketError(msg)
        return None
    # "A value of 3 (0x03) is a Malformed Packet." -- MQTT-3.1.2-12
    if qos > _QOS_MAX:
        msg = "a will asks for QoS 3"
        raise MalformedPacketError(msg)
    fields.properties(_WILL_PROPERTIES)
    fields.text()
    fields.binary()
    return Will(qos=qos, retain=retain)


def _decode_publish(flags: int, fields: FieldReader) -> Publish:
    qos = flags >> 1 & 0b11
    # "A PUBLISH Packet MUST NOT have both QoS bits set to 1" -- MQTT-3.3.1-4; "The DUP flag MUST be set to 0 for all
    # QoS 0 messages" -- MQTT-3.3.1-2
    if qos > _QOS_MAX or (not qos and flags & 0b1000):
        msg = "the QoS and DUP flags of a PUBLISH contradict the standard"
        raise MalformedPacketError(msg)
    topic = fields.text()
    packet_id = fields.packet_id() if qos else 0
    properties = fields.properties(_PUBLISH_PROPERTIES)
    return Publish(
        topic=topic,
        packet_id=packet_id,
        qos=qos,
        retain=bool(flags & 0b0001),
        aliased=Property.TOPIC_ALIAS in properties,
        payload=fields.rest(),
    )


def _decode_publish_acknowledgement(fields: FieldReader) -> PublishAcknowledgement:
    packet_id = fields.packet_id()
    if not fields.exhausted:
        fields.uint8()
    if not fields.exhausted:
        fields.properties(_ANSWER_PROPERTIES)
    return PublishAcknowledgement(packet_id=packet_id)


def _decode_subscribe(fields: FieldReader) -> Subscribe:
    packet_id = fields.packet_id()
    properties = fields.properties(_SUBSCRIBE_PROPERTIES)
    filters: list[tuple[str, int]] = []
    while not fields.exhausted:
        topic_filter, options = fields.text(), fields.uint8()
        # "Bits 6 and 7 … reserved"; "It is a Protocol Error if the Maximum QoS field has the value 3" and "to send a
        # Retain Handling value of 3" -- MQTT-3.8.3-5, 3.8.3.1
        if options & 0b1100_0000:
            msg = "the reserved subscription options are set"
            raise MalformedPacketError(msg)
        if options & 0b11 > _QOS_MAX or options >> 4 & 0b11 > _QOS_MAX:
            msg = "a subscription option has a value that does not exist"
            raise MalformedPacketError(msg, reason=Reason.PROTOCOL_ERROR)
        filters.append((topic_filter, options & 0b11))
        _refuse_too_many_filters(len(filters))
    _refuse_no_filters(len(filters))
    return Subscribe(
        packet_id=packet_id,
        filters=tuple(filters),
        identified=Property.SUBSCRIPTION_IDENTIFIER in properties,
    )


def _decode_unsubscribe(fields: FieldReader) -> Unsubscribe:
    packet_id = fields.packet_id()
    fields.properties(_UNSUBSCRIBE_PROPERTIES)
    filters: list[str] = []
    while not fields.exhausted:
        filters.append(fields.text())
        _refuse_too_many_filters(len(filters))
    _refuse_no_filters(len(filters))
    return Unsubscribe(packet_id=packet_id, filters=tuple(filters))


def _refuse_too_many_filters(count: int) -> None:
    if count > FILTERS_MAX:
        msg = f"a packet names more than {FILTERS_MAX} topic filters"
        raise MalformedPacketError(msg, reason=Reason.QUOTA_EXCEEDED)


def _refuse_no_filters(count: int) -> None:
    # "A SUBSCRIBE packet with no Payload is a Protocol Error." -- MQTT-3.8.3-2; MQTT-3.10.3-2 for UNSUBSCRIBE
    if not count:
        msg = "a packet names no topic filter"
        raise MalformedPacketError(msg, reason=Reason.PROTOCOL_ERROR)


def _decode_ping_request(_fields: FieldReader) -> PingRequest:
    return PingRequest()


def _decode_disconnect(fields: FieldReader) -> Disconnect:
    # "If the Remaining Length is less than 1 the value of 0x00 (Normal disconnection) is used." -- 3.14.2.1
    reason = 0 if fields.exhausted else fields.uint8()
    if not fields.exhausted:
        fields.properties(_DISCONNECT_PROPERTIES)
    return Disconnect(reason=reason)


_DECODERS: Final[Mapping[int, Callable[[FieldReader], Packet]]] = {
    _CONNECT: _decode_connect,
    _PUBACK: _decode_publish_acknowledgement,
    _SUBSCRIBE: _decode_subscribe,
    _UNSUBSCRIBE: _decode_unsubscribe,
    _PINGREQ: _decode_ping_request,
    _DISCONNECT: _decode_disconnect,
}
