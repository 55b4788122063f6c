"""The reader of MQTT packets, and the session of an agency that is logged in."""

from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from typing import Any, Final

from broker.answers import encode_publish_acknowledgement
from broker.events import Ended, LoginAsked, PublishArrived
from broker.fields import MalformedPacketError, Reason, encode_variable_integer
from broker.limits import ServerLimits
from broker.packets import PacketBuffer, decode_packet
from broker.session import Session
from tests.fuzz.target import Target, size_of

_PACKET_BYTES_MAX: Final = 4_096
_LIMITS: Final = ServerLimits()


def _text(value: str) -> bytes:
    return len(value).to_bytes(2, "big") + value.encode()


def _packet(first: int, body: bytes) -> bytes:
    return bytes((first,)) + encode_variable_integer(len(body)) + body


def connect(agency: str = "alpha", *, properties: bytes = b"", flags: int = 0xC2) -> bytes:
    """Write a CONNECT as a node does."""
    head = _text("MQTT") + bytes((5, flags)) + b"\x00\x1e" + encode_variable_integer(len(properties)) + properties
    will = b"\x00" + _text("t") + _text("w") if flags & 4 else b""
    return _packet(0x10, head + _text(agency) + will + _text(agency) + _text("secret"))


def publish(payload: bytes, *, packet_id: int = 7, properties: bytes = b"") -> bytes:
    """Write a PUBLISH of QoS 1 as a node does."""
    block = encode_variable_integer(len(properties)) + properties
    return _packet(0x32, _text("sw/1/alpha/up") + packet_id.to_bytes(2, "big") + block + payload)


@cache
def packet_samples() -> tuple[bytes, ...]:
    """Return what nodes and other clients send."""
    subscribe = _packet(0x82, b"\x00\x01\x00" + _text("sw/1/alpha/down") + b"\x01")
    unsubscribe = _packet(0xA2, b"\x00\x02\x00" + _text("sw/1/alpha/down"))
    session = connect() + subscribe + publish(b"x" * 40) + b"\xc0\x00" + unsubscribe + b"\xe0\x00"
    properties = b"\x01\x01\x02\x00\x00\x00\x05\x03\x00\x01t\x08\x00\x01r\x09\x00\x01c\x26\x00\x01a\x00\x01b"
    return (
        session,
        connect(properties=b"\x21\x00\x10\x27\x00\x01\x00\x00\x26\x00\x01a\x00\x01b\x19\x01\x15\x00\x01m\x16\x00\x01d"),
        connect(flags=0xEE),
        publish(b"y", properties=properties) * 3,
        encode_publish_acknowledgement(7, 0) + encode_publish_acknowledgement(8, 0x10),
        _packet(0x82, b"\x00\x01\x02\x0b\x05" + _text("$share/g/sw/1/alpha/down") + b"\x2d" + _text("#") + b"\x00"),
        _packet(0xE0, b"\x04\x05\x11\x00\x00\x00\x00"),
        _packet(0x10, _text("MQIsdp") + b"\x03" + bytes(20)),
    )


def _chunks(received: bytes) -> list[bytes]:
    """Split as the content itself decides, so that one input is always split alike."""
    cuts = sorted(place * 7 % (len(received) + 1) for place in blake2b(received, digest_size=6).digest())
    return [received[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(received)], strict=True)]


def _packets(chunks: Sequence[bytes]) -> tuple[list[Any], str]:
    """Read packets off a stream; returns them with the name of what ended it."""
    buffer, found = PacketBuffer(), list[Any]()
    try:
        for chunk in chunks:
            buffer.feed(chunk)
            while (frame := buffer.next_frame(_PACKET_BYTES_MAX)) is not None:
                assert len(frame[1]) < _PACKET_BYTES_MAX
                found.append(decode_packet(*frame))
            assert len(buffer._bytes) <= _PACKET_BYTES_MAX + len(chunk), "the buffer holds more than one packet"
    except MalformedPacketError as error:
        return found, f"{error.reason.name}: {error}"
    return found, ""


def _feed_packets(received: bytes) -> None:
    whole, split = _packets([received]), _packets(_chunks(received))
    assert whole == split, "a stream reads differently when it comes in other pieces"
    size_of(whole[0], objects_max=64 * (len(received) + 1))


def _feed_session(received: bytes) -> None:
    """A session of an agency whose password is right: whatever it sends then."""
    session = Session(limits=_LIMITS, now_ms=0)
    session.receive(connect(), 0)
    assert isinstance(session.next_event(), LoginAsked)
    assert session.admit("alpha")
    events = output_bytes = 0
    for at_ms, chunk in enumerate(_chunks(received)):
        session.receive(chunk, at_ms)
        while (event := session.next_event()) is not None:
            events += 1
            if isinstance(event, PublishArrived) and events % 2:
                session.settle(event.ticket, Reason.SUCCESS)
            if isinstance(event, Ended):
                assert session.next_event() is None
        assert session.deciding <= _LIMITS.receive_maximum
        output_bytes += len(session.take_output())
    assert events <= len(received) // 2 + 1, "more events than packets"
    assert output_bytes <= 64 + 8 * len(received), "more is answered than was said"
    session.end(Reason.SERVER_SHUTTING_DOWN, outcome="over")
    assert session.buffered_bytes < 64


MQTT_TARGETS: Final = (
    Target(name="packets", feed=_feed_packets, samples=packet_samples),
    Target(name="session", feed=_feed_session, samples=packet_samples),
)
