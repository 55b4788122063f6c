"""Packets of hostile clients: what is read, what is refused, and that nothing else ever happens."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker import answers
from broker.fields import MalformedPacketError, Property, Reason, encode_variable_integer
from broker.packets import (
    Connect,
    Disconnect,
    OtherVersionConnect,
    Packet,
    PacketBuffer,
    PingRequest,
    Publish,
    PublishAcknowledgement,
    Subscribe,
    Unsubscribe,
    Will,
    decode_packet,
)
from schemas.errors import Code

PACKET_BYTES_MAX = 1 << 20


def frame(first: int, body: bytes) -> bytes:
    return bytes((first,)) + encode_variable_integer(len(body)) + body


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return len(raw).to_bytes(2, "big") + raw


def block(properties: bytes = b"") -> bytes:
    return encode_variable_integer(len(properties)) + properties


def connect(*, flags: int = 0xC2, properties: bytes = b"", payload: bytes | None = None, level: int = 5) -> bytes:
    if payload is None:
        payload = text("sgp-csa") + text("sgp-csa") + text(b"\xff\x00secret")
    return frame(0x10, text("MQTT") + bytes((level, flags)) + b"\x00\x1e" + block(properties) + payload)


def publish(
    *,
    flags: int = 2,
    topic: str | bytes = "sw/1/a/up",
    packet_id: int = 7,
    properties: bytes = b"",
    payload: bytes = b"x",
) -> bytes:
    identifier = packet_id.to_bytes(2, "big") if flags & 6 else b""
    return frame(0x30 | flags, text(topic) + identifier + block(properties) + payload)


def read(raw: bytes) -> Packet:
    buffer = PacketBuffer()
    buffer.feed(raw)
    found = buffer.next_frame(PACKET_BYTES_MAX)
    assert found is not None
    return decode_packet(*found)


def refusal(raw: bytes) -> Reason:
    with pytest.raises(MalformedPacketError) as caught:
        read(raw)
    return caught.value.reason


WELL_MADE = [
    connect(),
    connect(properties=b"\x21\x00\x10\x27\x00\x01\x00\x00\x26\x00\x01a\x00\x01b\x26\x00\x01a\x00\x01c\x19\x01"),
    connect(
        flags=0xEE, payload=text("a") + block(b"\x18\x00\x00\x00\x05") + text("t") + text("w") + text("u") + text("p")
    ),
    publish(),
    publish(flags=0),
    publish(properties=b"\x01\x01\x02\x00\x00\x00\x05\x03\x00\x01t\x08\x00\x01r\x09\x00\x01c\x26\x00\x01a\x00\x01b"),
    frame(0x40, b"\x00\x07"),
    frame(0x40, b"\x00\x07\x10"),
    frame(0x40, b"\x00\x07\x00\x04\x1f\x00\x01r"),
    frame(0x82, b"\x00\x01" + block() + text("sw/1/a/down") + b"\x2d" + text("b") + b"\x00"),
    frame(0x82, b"\x00\x01" + block(b"\x0b\xff\x7f") + text("a") + b"\x01"),
    frame(0xA2, b"\x00\x02" + block() + text("sw/1/a/down")),
    b"\xc0\x00",
    b"\xe0\x00",
    frame(0xE0, b"\x04" + block(b"\x11\x00\x00\x00\x00")),
]


def test_a_connect_is_read_whole_with_a_binary_password() -> None:
    """A password is binary data in MQTT 5, so it need not be UTF-8."""
    packet = read(connect(properties=b"\x21\x00\x10\x19\x00"))

    assert isinstance(packet, Connect)
    assert (
        packet.client_id,
        packet.username,
        packet.password,
        packet.keep_alive_s,
        packet.will,
    ) == ("sgp-csa", "sgp-csa", b"\xff\x00secret", 30, None)
    assert packet.properties == {Property.RECEIVE_MAXIMUM: 16, Property.REQUEST_RESPONSE_INFORMATION: 0}
    assert "secret" not in repr(packet)


def test_a_will_is_noted_and_its_content_forgotten() -> None:
    packet = read(WELL_MADE[2])

    assert isinstance(packet, Connect)
    assert Will(qos=1, retain=True) == packet.will
    assert packet.client_id == "a"


@pytest.mark.parametrize(("name", "level"), [("MQTT", 4), ("MQIsdp", 3), ("MQTT", 6), ("HTTP", 5)])
def test_nothing_is_read_behind_another_protocol_version(name: str, level: int) -> None:
    assert OtherVersionConnect(protocol_name=name, level=level) == read(
        frame(0x10, text(name) + bytes((level,)) + b"\xff" * 30)
    )


def test_what_a_publish_says_beside_its_payload_is_dropped() -> None:
    """Response topic, correlation data and user properties cannot be forwarded if they are not kept."""
    assert Publish(topic="sw/1/a/up", packet_id=7, qos=1, retain=False, aliased=False, payload=b"x") == read(
        WELL_MADE[5]
    )


def test_the_other_packets_are_read() -> None:
    assert [PublishAcknowledgement(packet_id=7)] * 3 == [read(raw) for raw in WELL_MADE[6:9]]
    assert Subscribe(packet_id=1, filters=(("sw/1/a/down", 1), ("b", 0)), identified=False) == read(WELL_MADE[9])
    assert Subscribe(packet_id=1, filters=(("a", 1),), identified=True) == read(WELL_MADE[10])
    assert Unsubscribe(packet_id=2, filters=("sw/1/a/down",)) == read(WELL_MADE[11])
    assert PingRequest() == read(WELL_MADE[12])
    assert [Disconnect(reason=0), Disconnect(reason=4)] == [read(raw) for raw in WELL_MADE[13:15]]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        pytest.param(connect(flags=0xC3), Reason.MALFORMED_PACKET, id="reserved connect flag"),
        pytest.param(connect(flags=0xE2), Reason.MALFORMED_PACKET, id="will retain without a will"),
        pytest.param(connect(flags=0xDE), Reason.MALFORMED_PACKET, id="will QoS 3"),
        pytest.param(b"\x11" + connect()[1:], Reason.MALFORMED_PACKET, id="flags of CONNECT"),
        pytest.param(connect(properties=b"\x21\x00\x00"), Reason.PROTOCOL_ERROR, id="receive maximum 0"),
        pytest.param(connect(properties=b"\x27\x00\x00\x00\x00"), Reason.PROTOCOL_ERROR, id="maximum packet size 0"),
        pytest.param(connect(properties=b"\x17\x02"), Reason.PROTOCOL_ERROR, id="a flag of 2"),
        pytest.param(connect(properties=b"\x21\x00\x01\x21\x00\x01"), Reason.PROTOCOL_ERROR, id="property twice"),
        pytest.param(connect(properties=b"\x16\x00\x00"), Reason.PROTOCOL_ERROR, id="auth data without method"),
        pytest.param(connect(properties=b"\x23\x00\x01"), Reason.MALFORMED_PACKET, id="property of another packet"),
        pytest.param(connect(properties=b"\x7f"), Reason.MALFORMED_PACKET, id="unknown property"),
        pytest.param(connect(properties=b"\xa1\x00\x00\x01"), Reason.MALFORMED_PACKET, id="long property identifier"),
        pytest.param(connect(payload=text(b"\xff") + text("a") + text("p")), Reason.MALFORMED_PACKET, id="bad UTF-8"),
        pytest.param(
            connect(payload=text(b"\xed\xa0\x80") + text("a") + text("p")), Reason.MALFORMED_PACKET, id="surrogate"
        ),
        pytest.param(connect(payload=text("a\0b") + text("a") + text("p")), Reason.MALFORMED_PACKET, id="NUL"),
        pytest.param(connect(payload=text("a") * 4), Reason.MALFORMED_PACKET, id="bytes left over"),
        pytest.param(connect(payload=text("a")), Reason.MALFORMED_PACKET, id="user name missing"),
        pytest.param(publish(flags=6), Reason.MALFORMED_PACKET, id="QoS 3"),
        pytest.param(publish(flags=8), Reason.MALFORMED_PACKET, id="DUP on QoS 0"),
        pytest.param(publish(packet_id=0), Reason.PROTOCOL_ERROR, id="packet identifier 0"),
        pytest.param(publish(topic=b"\xc0\xaf"), Reason.MALFORMED_PACKET, id="overlong UTF-8"),
        pytest.param(publish(properties=b"\x0b\x01"), Reason.MALFORMED_PACKET, id="subscription identifier"),
        pytest.param(frame(0x30, b"\x00\x09abc"), Reason.MALFORMED_PACKET, id="topic runs past the end"),
        pytest.param(frame(0x30, text("a") + b"\x05\x26"), Reason.MALFORMED_PACKET, id="properties run past the end"),
        pytest.param(frame(0x30, text("a") + b"\x80\x00x"), Reason.MALFORMED_PACKET, id="non-minimal length"),
        pytest.param(
            publish(properties=b"\x26\x00\x01a\x00\x01b" * 1000), Reason.QUOTA_EXCEEDED, id="too many properties"
        ),
        pytest.param(frame(0x80, b"\x00\x01\x00" + text("a") + b"\x01"), Reason.MALFORMED_PACKET, id="SUBSCRIBE flags"),
        pytest.param(frame(0x82, b"\x00\x01\x00"), Reason.PROTOCOL_ERROR, id="no filter"),
        pytest.param(frame(0xA2, b"\x00\x01\x00"), Reason.PROTOCOL_ERROR, id="no filter to leave"),
        pytest.param(frame(0x82, b"\x00\x01\x00" + text("a") + b"\x03"), Reason.PROTOCOL_ERROR, id="subscribe QoS 3"),
        pytest.param(frame(0x82, b"\x00\x01\x00" + text("a") + b"\x31"), Reason.PROTOCOL_ERROR, id="retain handling 3"),
        pytest.param(frame(0x82, b"\x00\x01\x00" + text("a") + b"\x41"), Reason.MALFORMED_PACKET, id="reserved option"),
        pytest.param(frame(0x82, b"\x00\x01\x00" + (text("a") + b"\x01") * 9), Reason.QUOTA_EXCEEDED, id="9 filters"),
        pytest.param(
            frame(0x82, b"\x00\x01\x02\x0b\x00" + text("a") + b"\x01"), Reason.PROTOCOL_ERROR, id="identifier 0"
        ),
        pytest.param(b"\xc0\x01\x00", Reason.MALFORMED_PACKET, id="PINGREQ with a body"),
        pytest.param(b"\xc0\x80\x00", Reason.MALFORMED_PACKET, id="non-minimal remaining length"),
        pytest.param(b"\x30\xff\xff\xff\xff\x7f", Reason.MALFORMED_PACKET, id="remaining length of five bytes"),
        pytest.param(b"\x30\xff\xff\xff\x7f", Reason.PACKET_TOO_LARGE, id="256 MiB claimed"),
        *(
            pytest.param(frame(kind << 4 | 2, b"\x00\x01"), Reason.PROTOCOL_ERROR, id=f"type {kind}")
            for kind in (0, 2, 5, 6, 7, 9, 11, 13, 15)
        ),
    ],
)
def test_what_the_standard_forbids_is_refused_with_its_reason(raw: bytes, reason: Reason) -> None:
    assert reason == refusal(raw)


def test_a_refusal_carries_a_code_of_the_common_list() -> None:
    with pytest.raises(MalformedPacketError) as caught:
        read(b"\x30\xff\xff\xff\x7f")

    assert caught.value.code is Code.TOO_BIG


def test_a_length_is_judged_before_a_body_is_gathered() -> None:
    """The limit itself passes, one more does not, and neither needs its body to be known."""
    buffer = PacketBuffer()
    buffer.feed(b"\x30" + encode_variable_integer(1000 - 3))

    assert buffer.next_frame(1000) is None
    with pytest.raises(MalformedPacketError):
        buffer.next_frame(999)


@given(cuts=st.lists(st.integers(1, 40), min_size=1))
def test_packets_arrive_the_same_however_the_stream_is_cut(cuts: list[int]) -> None:
    stream = b"".join(WELL_MADE)
    buffer = PacketBuffer()
    found: list[Packet] = []
    at = turn = 0
    while at < len(stream):
        step = cuts[turn % len(cuts)]
        buffer.feed(stream[at : at + step])
        at, turn = at + step, turn + 1
        while (cut := buffer.next_frame(PACKET_BYTES_MAX)) is not None:
            found.append(decode_packet(*cut))

    assert [read(raw) for raw in WELL_MADE] == found


def test_an_emptied_buffer_gives_its_memory_back() -> None:
    buffer = PacketBuffer()
    buffer.feed(publish(payload=bytes(900_000)))

    assert buffer.next_frame(PACKET_BYTES_MAX) is not None
    assert buffer.next_frame(PACKET_BYTES_MAX) is None
    assert len(buffer._bytes) == 0


@st.composite
def mutated_packets(draw: st.DrawFn) -> bytes:
    """A well-made packet with a few bytes changed, cut out or put in, most often with a length that fits again."""
    raw = bytearray(draw(st.sampled_from(WELL_MADE)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw)))
        width = draw(st.integers(0, 3))
        raw[at : at + width] = draw(st.binary(max_size=3))
    if draw(st.booleans()) and len(raw) > 1:
        return frame(raw[0], bytes(raw[2:]))
    return bytes(raw)


@settings(max_examples=1000, deadline=200)
@given(
    raw=st.one_of(
        mutated_packets(),
        st.binary(max_size=64),
        st.binary(min_size=1, max_size=64).map(lambda body: frame(body[0], body[1:])),
    )
)
def test_hostile_bytes_yield_packets_or_our_own_error_and_nothing_else(raw: bytes) -> None:
    buffer = PacketBuffer()
    buffer.feed(raw)
    reason: Reason | None = None
    try:
        while (found := buffer.next_frame(PACKET_BYTES_MAX)) is not None:
            assert isinstance(decode_packet(*found), Packet)
    except MalformedPacketError as error:
        reason = error.reason

    assert reason is None or reason >= Reason.MALFORMED_PACKET


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(text("a") + b"\xff" * 1_000_000, id="endless integer"),
        pytest.param(text("a") + b"\xff\xff\x3f" + b"\x26\x00\x00\x00\x00" * 200_000, id="endless user properties"),
        pytest.param(text("a") + b"\xff\xff\xff\x7f", id="properties longer than the packet"),
    ],
)
def test_a_large_hostile_packet_costs_little_time(body: bytes) -> None:
    """An integer without end must not be added up: that would take time with the square of its length."""
    began = time.process_time()
    refusal(frame(0x30, body))

    assert time.process_time() - began < 0.1


def test_answers_are_written_as_the_standard_shows_them() -> None:
    assert bytes.fromhex("20 03 00 86 00") == answers.encode_connect_refusal(Reason.BAD_USER_NAME_OR_PASSWORD)
    assert bytes.fromhex("20 02 00 01") == answers.CONNECT_REFUSED_3_1_1
    assert bytes.fromhex("40 02 01 02") == answers.encode_publish_acknowledgement(0x0102, 0)
    assert bytes.fromhex("40 03 01 02 97") == answers.encode_publish_acknowledgement(0x0102, 0x97)
    assert bytes.fromhex("90 05 00 07 00 01 87") == answers.encode_subscribe_acknowledgement(7, (1, 0x87))
    assert bytes.fromhex("b0 05 00 07 00 00 11") == answers.encode_unsubscribe_acknowledgement(7, (0, 0x11))
    assert bytes.fromhex("e0 01 8d") == answers.encode_disconnect(Reason.KEEP_ALIVE_TIMEOUT)
    assert (
        bytes.fromhex("32 0b 00 01 61 00 05 00 68 65 6c 6c 6f") == answers.encode_publish_header("a", 5, 5) + b"hello"
    )
    assert bytes.fromhex("30 09 00 01 61 00 68 65 6c 6c 6f") == answers.encode_publish_header("a", 0, 5) + b"hello"


@given(payload=st.binary(max_size=300), packet_id=st.integers(0, 0xFFFF))
def test_what_we_publish_reads_back(payload: bytes, packet_id: int) -> None:
    raw = answers.encode_publish_header("sw/1/a/down", packet_id, len(payload)) + payload

    assert Publish(
        topic="sw/1/a/down",
        packet_id=packet_id,
        qos=1 if packet_id else 0,
        retain=False,
        aliased=False,
        payload=payload,
    ) == read(raw)
