"""The MQTT 5 packets that a server sends, written as bytes.

Nothing of a client's packet is ever echoed: no user property, no response topic, no reason string.
"""

from typing import Final

from broker.fields import Reason, encode_variable_integer

_CONNACK, _PUBLISH, _PUBACK, _SUBACK, _UNSUBACK, _PINGRESP, _DISCONNECT = 2, 3, 4, 9, 11, 13, 14

PING_RESPONSE: Final = bytes((_PINGRESP << 4, 0))
# The CONNACK of MQTT 3.1 and 3.1.1, "Connection Refused, unacceptable protocol version" -- 3.1.1, table 3.1
CONNECT_REFUSED_3_1_1: Final = bytes((_CONNACK << 4, 2, 0, 1))


def encode_connect_refusal(reason: Reason) -> bytes:
    """Write a CONNACK (3.2) that refuses."""
    return bytes((_CONNACK << 4, 3, 0, reason, 0))


def encode_connect_acceptance(*, packet_bytes_max: int, receive_maximum: int, keep_alive_s: int) -> bytes:
    """Write the CONNACK (3.2) that accepts and announces what this server has not: a session is never present."""
    properties = b"".join(
        (
            b"\x11\x00\x00\x00\x00",  # Session Expiry Interval 0: sessions are never kept
            b"\x13" + keep_alive_s.to_bytes(2, "big"),
            b"\x21" + receive_maximum.to_bytes(2, "big"),
            b"\x22\x00\x00",  # Topic Alias Maximum 0
            b"\x24\x01",  # Maximum QoS 1
            b"\x25\x00",  # Retain Available 0
            b"\x27" + packet_bytes_max.to_bytes(4, "big"),
            b"\x28\x00",  # Wildcard Subscription Available 0
            b"\x29\x00",  # Subscription Identifier Available 0
            b"\x2a\x00",  # Shared Subscription Available 0
        )
    )
    return bytes((_CONNACK << 4, 3 + len(properties), 0, Reason.SUCCESS, len(properties))) + properties


def encode_publish_header(topic: str, packet_id: int, payload_bytes: int) -> bytes:
    """Write a PUBLISH (3.3) up to its payload, which the caller sends behind it uncopied; QoS 0 for packet id 0."""
    name = topic.encode()
    identifier = packet_id.to_bytes(2, "big") if packet_id else b""
    remaining = 2 + len(name) + len(identifier) + 1 + payload_bytes
    first = _PUBLISH << 4 | (0b0010 if packet_id else 0)
    return b"".join(
        (
            bytes((first,)),
            encode_variable_integer(remaining),
            len(name).to_bytes(2, "big"),
            name,
            identifier,
            b"\x00",
        )
    )


def encode_publish_acknowledgement(packet_id: int, reason: int) -> bytes:
    """Write a PUBACK (3.4); the reason code is left out where it is success, as 3.4.2.1 allows."""
    if reason == Reason.SUCCESS:
        return bytes((_PUBACK << 4, 2, packet_id >> 8, packet_id & 0xFF))
    return bytes((_PUBACK << 4, 3, packet_id >> 8, packet_id & 0xFF, reason))


def encode_subscribe_acknowledgement(packet_id: int, reasons: tuple[int, ...]) -> bytes:
    """Write a SUBACK (3.9); one reason code per filter, in their order."""
    return _encode_filter_acknowledgement(_SUBACK, packet_id, reasons)


def encode_unsubscribe_acknowledgement(packet_id: int, reasons: tuple[int, ...]) -> bytes:
    """Write an UNSUBACK (3.11); one reason code per filter, in their order."""
    return _encode_filter_acknowledgement(_UNSUBACK, packet_id, reasons)


def _encode_filter_acknowledgement(packet_type: int, packet_id: int, reasons: tuple[int, ...]) -> bytes:
    length = encode_variable_integer(3 + len(reasons))
    return bytes((packet_type << 4,)) + length + packet_id.to_bytes(2, "big") + b"\x00" + bytes(reasons)


def encode_disconnect(reason: int) -> bytes:
    """Write a DISCONNECT (3.14)."""
    return bytes((_DISCONNECT << 4, 1, reason))
