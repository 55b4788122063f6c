"""The rules of a session, without a socket: what each packet brings about, in every phase."""

from collections.abc import Sequence

import pytest

from broker.events import (
    Ended,
    Event,
    Handled,
    LoginAsked,
    Phase,
    PublishArrived,
    SubscriptionEnded,
    SubscriptionGranted,
)
from broker.fields import Reason, encode_variable_integer
from broker.limits import ServerLimits
from broker.session import Session
from schemas.errors import UsageError

LIMITS = ServerLimits(
    packet_bytes_max=2_000, send_bytes_max=5_000, send_bytes_total_max=5_000, receive_maximum=3, keep_alive_s_max=40
)
AGENCY = "sgp-csa"
UP, DOWN = f"sw/1/{AGENCY}/up", f"sw/1/{AGENCY}/down"
ACCEPTED = bytes.fromhex("20 20 00 00 1d 11 00000000 13 001e 21 0003 22 0000 24 01 25 00 27 000007d0 28 00 29 00 2a 00")


def frame(first: int, body: bytes) -> bytes:
    return bytes((first,)) + encode_variable_integer(len(body)) + body


def text(value: str) -> bytes:
    return len(value.encode()).to_bytes(2, "big") + value.encode()


def connect(
    *, client: str = AGENCY, flags: int = 0xC2, properties: bytes = b"", keep_alive_s: int = 30, will: bytes = b""
) -> bytes:
    head = text("MQTT") + bytes((5, flags)) + keep_alive_s.to_bytes(2, "big")
    block = encode_variable_integer(len(properties)) + properties
    return frame(0x10, head + block + text(client) + will + text(client) + text("password"))


def publish(
    topic: str = UP, *, packet_id: int = 1, flags: int = 2, properties: bytes = b"", payload: bytes = b"x"
) -> bytes:
    identifier = packet_id.to_bytes(2, "big") if flags & 6 else b""
    return frame(0x30 | flags, text(topic) + identifier + bytes((len(properties),)) + properties + payload)


def subscribe(*filters: str, qos: int = 1, packet_id: int = 9, properties: bytes = b"") -> bytes:
    head = packet_id.to_bytes(2, "big") + bytes((len(properties),)) + properties
    return frame(0x82, head + b"".join(text(one) + bytes((qos,)) for one in filters))


def unsubscribe(*filters: str) -> bytes:
    return frame(0xA2, b"\x00\x0a\x00" + b"".join(map(text, filters)))


def puback(packet_id: int) -> bytes:
    return frame(0x40, packet_id.to_bytes(2, "big"))


def feed(session: Session, raw: bytes, *, now_ms: int = 0) -> list[Event]:
    session.receive(raw, now_ms)
    events: list[Event] = []
    while (event := session.next_event()) is not None:
        events.append(event)
    return events


def opened(*packets: bytes, properties: bytes = b"", limits: ServerLimits = LIMITS) -> Session:
    """A session that has logged in, has been fed these packets and has nothing to write."""
    session = Session(limits=limits, now_ms=0)
    feed(session, connect(properties=properties))
    assert session.admit(AGENCY)
    feed(session, b"".join(packets))
    session.take_output()
    return session


def arrived(events: Sequence[Event]) -> list[PublishArrived]:
    return [event for event in events if isinstance(event, PublishArrived)]


def test_a_login_is_decided_before_the_next_packet_is_read() -> None:
    session = Session(limits=LIMITS, now_ms=0)

    assert feed(session, connect() + subscribe(DOWN)) == [
        LoginAsked(client_id=AGENCY, username=AGENCY, password=b"password")
    ]
    assert session.take_output() == b""
    assert session.admit(AGENCY)
    assert session.next_event() == SubscriptionGranted()
    assert session.take_output() == ACCEPTED + bytes.fromhex("90 04 0009 00 01")


def test_the_connack_announces_everything_the_server_has_not() -> None:
    session = Session(limits=LIMITS, now_ms=0)
    feed(session, connect())
    session.admit(AGENCY)

    assert session.take_output() == ACCEPTED


@pytest.mark.parametrize(("asked", "granted"), [(0, 40), (30, 30), (40, 40), (600, 40)])
def test_the_server_bounds_the_keep_alive(asked: int, granted: int) -> None:
    session = Session(limits=LIMITS, now_ms=0)
    feed(session, connect(keep_alive_s=asked))
    session.admit(AGENCY)

    assert session.take_output()[10:13] == b"\x13" + granted.to_bytes(2, "big")
    assert not session.overdue(granted * 1_500)
    assert session.overdue(granted * 1_500 + 1)


def test_a_refused_login_ends_with_0x86() -> None:
    session = Session(limits=LIMITS, now_ms=0)
    feed(session, connect() + subscribe(DOWN))
    session.refuse_login()

    assert session.next_event() == Ended(outcome="login-refused", reason=Reason.BAD_USER_NAME_OR_PASSWORD)
    assert session.take_output() == bytes.fromhex("20 03 00 86 00")
    assert session.next_event() is None
    assert session.phase is Phase.ENDED


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        pytest.param(0xC6, Reason.NOT_AUTHORISED, id="QoS 0"),
        pytest.param(0xCE, Reason.NOT_AUTHORISED, id="QoS 1"),
        pytest.param(0xD6, Reason.QOS_NOT_SUPPORTED, id="QoS 2"),
        pytest.param(0xE6, Reason.RETAIN_NOT_SUPPORTED, id="retain"),
    ],
)
def test_a_will_is_refused_after_the_login_is_proved(flags: int, reason: Reason) -> None:
    session = Session(limits=LIMITS, now_ms=0)

    assert len(feed(session, connect(flags=flags, will=b"\x00" + text(UP) + text("w")))) == 1
    assert not session.admit(AGENCY)
    assert session.next_event() == Ended(outcome="will", reason=reason)
    assert session.take_output() == bytes((0x20, 3, 0, reason, 0))


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        pytest.param(frame(0x10, text("MQTT") + b"\x04\x02\x00\x3c" + text("a")), "20020001", id="3.1.1"),
        pytest.param(frame(0x10, text("MQTT") + b"\x84\x02\x00\x3c" + text("a")), "20020001", id="3.1.1 bridge"),
        pytest.param(frame(0x10, text("MQIsdp") + b"\x03\x02\x00\x3c" + text("a")), "20020001", id="3.1"),
        pytest.param(frame(0x10, text("MQTT") + b"\x06\x02\x00\x3c" + text("a")), "2003008400", id="6"),
        pytest.param(frame(0x10, text("MQTu") + b"\x05\x02\x00\x3c" + text("a")), "", id="other protocol"),
        pytest.param(connect(properties=b"\x15\x00\x05SCRAM"), "2003008c00", id="enhanced authentication"),
        pytest.param(connect(properties=b"\x27\x00\x00\x00\x0a"), "", id="takes no packet"),
        pytest.param(publish(), "", id="PUBLISH first"),
        pytest.param(b"\xc0\x00", "", id="PINGREQ first"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", "", id="HTTP"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "", id="TLS on a plain port"),
        pytest.param(b"\x10\x81\x20", "", id="CONNECT over the limit for strangers"),
        pytest.param(connect(flags=0xC3), "", id="malformed CONNECT"),
    ],
)
def test_a_stranger_who_does_not_log_in_gets_the_least_answer(raw: bytes, answer: str) -> None:
    session = Session(limits=LIMITS, now_ms=0)
    events = feed(session, raw)

    assert [type(event) for event in events] == [Ended]
    assert session.take_output().hex() == answer
    assert session.phase is Phase.ENDED


def test_a_stranger_has_its_time_and_no_more() -> None:
    session = Session(limits=LIMITS, now_ms=0)

    assert not session.overdue(LIMITS.connect_ms_max)
    assert session.overdue(LIMITS.connect_ms_max + 1)
    session.expire()
    assert session.next_event() == Ended(outcome="timeout", reason=None)
    assert session.take_output() == b""


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        pytest.param(connect(), Reason.PROTOCOL_ERROR, id="second CONNECT"),
        pytest.param(publish(flags=3), Reason.RETAIN_NOT_SUPPORTED, id="retain"),
        pytest.param(publish(flags=4), Reason.QOS_NOT_SUPPORTED, id="QoS 2"),
        pytest.param(publish(properties=b"\x23\x00\x01"), Reason.TOPIC_ALIAS_INVALID, id="topic alias"),
        pytest.param(publish("", properties=b"\x23\x00\x01"), Reason.TOPIC_ALIAS_INVALID, id="topic alias alone"),
        pytest.param(publish(""), Reason.PROTOCOL_ERROR, id="empty topic"),
        pytest.param(publish("sw/1/+/up"), Reason.TOPIC_NAME_INVALID, id="plus in a name"),
        pytest.param(publish("#"), Reason.TOPIC_NAME_INVALID, id="hash in a name"),
        pytest.param(publish("sw/1/mys-nacsa/up", flags=0), Reason.NOT_AUTHORISED, id="foreign topic at QoS 0"),
        pytest.param(publish("sw/1/a\0/up"), Reason.MALFORMED_PACKET, id="NUL in a name"),
        pytest.param(subscribe("#"), Reason.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED, id="hash"),
        pytest.param(subscribe("$SYS/#"), Reason.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED, id="SYS"),
        pytest.param(subscribe("+/+/#"), Reason.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED, id="plus"),
        pytest.param(subscribe(DOWN, "sw/1/+/down"), Reason.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED, id="one of two"),
        pytest.param(subscribe(f"$share/g/{DOWN}"), Reason.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED, id="shared"),
        pytest.param(subscribe("$share/g/#"), Reason.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED, id="shared wildcard"),
        pytest.param(
            subscribe(DOWN, properties=b"\x0b\x01"), Reason.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED, id="identifier"
        ),
        pytest.param(puback(5), Reason.PROTOCOL_ERROR, id="PUBACK of nothing"),
        pytest.param(frame(0x62, b"\x00\x01"), Reason.PROTOCOL_ERROR, id="PUBREL"),
        pytest.param(frame(0xF0, b"\x18\x00"), Reason.PROTOCOL_ERROR, id="AUTH"),
        pytest.param(frame(0x30, bytes(2_000)), Reason.PACKET_TOO_LARGE, id="over the maximum packet size"),
    ],
)
def test_what_a_client_must_not_do_ends_its_session_with_the_reason(raw: bytes, reason: Reason) -> None:
    session = opened()
    events = feed(session, raw + b"\xc0\x00")

    assert [event.reason for event in events if isinstance(event, Ended)] == [reason]
    assert not arrived(events)
    assert SubscriptionGranted() not in events
    assert session.take_output() == bytes((0xE0, 1, reason))


def test_the_maximum_packet_size_itself_is_allowed() -> None:
    session = opened()
    room = LIMITS.packet_bytes_max - len(publish(payload=b"")) - 1

    assert len(arrived(feed(session, publish(payload=bytes(room))))) == 1
    assert len(feed(session, publish(packet_id=2, payload=bytes(room + 1)))) == 1
    assert session.phase is Phase.ENDED


@pytest.mark.parametrize("topic", ["sw/1/mys-nacsa/up", DOWN, "sw/1/sgp-csa/UP", UP + "/", "/" + UP, "$SYS/x"])
def test_a_foreign_topic_is_refused_with_0x87_and_never_arrives(topic: str) -> None:
    session = opened()

    assert feed(session, publish(topic, packet_id=5)) == [Handled()]
    assert session.take_output() == bytes.fromhex("40 03 0005 87")
    assert len(arrived(feed(session, publish(packet_id=6)))) == 1


@pytest.mark.parametrize("topic", ["sw/1/mys-nacsa/down", UP, "$SYS/broker/version", DOWN.upper(), DOWN + "/"])
def test_a_foreign_subscription_is_refused_with_0x87(topic: str) -> None:
    session = opened()

    assert feed(session, subscribe(topic)) == [Handled()]
    assert session.take_output() == bytes.fromhex("90 04 0009 00 87")
    assert not session.deliver(b"x")


def test_every_filter_of_a_subscription_gets_its_own_code() -> None:
    session = opened()

    assert feed(session, subscribe("sw/1/mys-nacsa/down", "", DOWN, qos=2)) == [SubscriptionGranted()]
    assert session.take_output() == bytes.fromhex("90 06 0009 00 87 8f 01")


def test_a_renewed_subscription_replaces_the_old_one() -> None:
    session = opened(subscribe(DOWN, qos=1))

    assert feed(session, subscribe(DOWN, qos=0)) == [Handled()]
    session.take_output()
    assert session.deliver(b"x")
    assert session.take_output()[0] == 0x30


def test_a_subscription_can_be_left() -> None:
    session = opened(subscribe(DOWN))

    assert feed(session, unsubscribe("sw/1/mys-nacsa/down", DOWN, DOWN)) == [SubscriptionEnded()]
    assert session.take_output() == bytes.fromhex("b0 06 000a 00 11 00 11")
    assert not session.deliver(b"x")
    assert feed(session, subscribe(DOWN)) == [SubscriptionGranted()]


def test_answers_leave_in_the_order_of_the_publishes() -> None:
    session = opened()
    first, second, third = (
        event.ticket
        for event in arrived(feed(session, publish(packet_id=1) + publish(packet_id=2) + publish(packet_id=3)))
    )
    session.settle(third, 0)
    session.settle(second, 0x97)
    assert session.take_output() == b""
    session.settle(first, 0)

    assert session.take_output() == bytes.fromhex("40020001 4003000297 40020003")


def test_a_refused_topic_waits_for_its_turn_too() -> None:
    session = opened()
    (event,) = arrived(feed(session, publish(packet_id=1) + publish("other", packet_id=2)))

    assert session.take_output() == b""
    session.settle(event.ticket, 0)
    assert session.take_output() == bytes.fromhex("40020001 4003000287")


def test_the_receive_maximum_is_kept_and_an_answer_makes_room() -> None:
    session = opened()
    tickets = [event.ticket for event in arrived(feed(session, b"".join(publish(packet_id=i) for i in (1, 2, 3))))]
    session.settle(tickets[0], 0)
    session.take_output()
    assert len(arrived(feed(session, publish(packet_id=4)))) == 1
    feed(session, publish(packet_id=5))

    assert session.take_output() == bytes((0xE0, 1, Reason.RECEIVE_MAXIMUM_EXCEEDED))


def test_an_identifier_in_use_is_a_protocol_error_and_free_after_its_answer() -> None:
    session = opened()
    (event,) = arrived(feed(session, publish(packet_id=7)))
    session.settle(event.ticket, 0)
    assert len(arrived(feed(session, publish(packet_id=7)))) == 1
    session.take_output()
    feed(session, publish(packet_id=7))

    assert session.take_output() == bytes((0xE0, 1, Reason.PROTOCOL_ERROR))


def test_qos_0_beyond_the_window_is_dropped_and_counted() -> None:
    session = opened()
    events = arrived(feed(session, publish(flags=0) * 5))

    assert len(events) == LIMITS.receive_maximum
    assert session.discarded == 2
    for event in events:
        session.settle(event.ticket, 0)
    assert session.take_output() == b""
    assert len(arrived(feed(session, publish(flags=0)))) == 1


def test_a_decision_after_the_end_is_not_answered() -> None:
    session = opened()
    (event,) = arrived(feed(session, publish()))
    session.end(Reason.SESSION_TAKEN_OVER, outcome="taken-over")
    session.take_output()
    session.settle(event.ticket, 0)

    assert session.take_output() == b""
    assert session.deciding == 0


def test_a_client_with_too_much_undecided_is_not_read_and_not_timed_out() -> None:
    limits = ServerLimits(deciding_bytes_max=100)
    session = opened(limits=limits)
    (event,) = arrived(feed(session, publish(payload=bytes(100))))

    assert not session.wants_input
    assert not session.overdue(10_000_000)
    session.settle(event.ticket, 0)
    assert session.wants_input
    assert not session.overdue(10_000_001)
    assert session.overdue(20_000_000)


def test_a_client_that_does_not_read_its_answers_is_not_read() -> None:
    session = opened(limits=ServerLimits(answer_bytes_max=10))
    feed(session, b"\xc0\x00" * 5)

    assert not session.wants_input
    assert session.take_output() == b"\xd0\x00" * 5
    assert session.wants_input


def test_dripping_bytes_do_not_keep_a_session_alive() -> None:
    """Only a whole control packet counts as heard (MQTT-3.1.2-22)."""
    session = opened()
    feed(session, publish()[:-1], now_ms=45_000)

    assert session.overdue(45_001)
    session.expire()
    assert session.next_event() == Ended(outcome="timeout", reason=Reason.KEEP_ALIVE_TIMEOUT)
    assert session.take_output() == bytes((0xE0, 1, Reason.KEEP_ALIVE_TIMEOUT))


def test_a_ping_is_answered_and_counts_as_heard() -> None:
    session = opened()

    assert feed(session, b"\xc0\x00", now_ms=45_000) == [Handled()]
    assert session.take_output() == b"\xd0\x00"
    assert not session.overdue(90_000)


def test_deliveries_keep_to_the_receive_maximum_of_the_client() -> None:
    session = opened(subscribe(DOWN), properties=b"\x21\x00\x02")
    for payload in (b"a", b"b", b"c", b"d"):
        assert session.deliver(payload)

    head = text(DOWN)
    assert session.take_output() == b"".join(
        frame(0x32, head + bytes((0, packet_id, 0)) + payload) for packet_id, payload in ((1, b"a"), (2, b"b"))
    )
    feed(session, puback(2))
    assert session.take_output() == frame(0x32, head + b"\x00\x03\x00c")
    feed(session, puback(1) + puback(3))
    assert session.take_output() == frame(0x32, head + b"\x00\x04\x00d")
    assert session.buffered_bytes == 0


def test_packet_identifiers_go_round_and_skip_those_in_use() -> None:
    session = opened(subscribe(DOWN))
    session.deliver(b"kept")
    for packet_id in range(2, 65_536):
        session.deliver(b"")
        session.take_output()
        feed(session, puback(packet_id))
    session.deliver(b"next")

    assert session.take_output() == frame(0x32, text(DOWN) + b"\x00\x02\x00next")


def test_a_delivery_over_the_maximum_of_the_client_is_discarded_as_if_sent() -> None:
    """MQTT-3.1.2-25; a refusal would have the application offer it for ever."""
    session = opened(subscribe(DOWN), properties=b"\x27\x00\x00\x00\x64")
    overhead = len(frame(0x32, text(DOWN) + b"\x00\x01\x00"))

    assert session.deliver(bytes(101 - overhead))
    assert session.take_output() == b""
    assert session.discarded == 1
    assert session.deliver(bytes(100 - overhead))
    assert len(session.take_output()) == 100


def test_the_send_buffer_is_bounded_and_empties() -> None:
    session = opened(subscribe(DOWN), properties=b"\x21\x00\x01")
    accepted = 0
    while session.deliver(bytes(400)):
        accepted += 1

    assert accepted > 5
    assert session.buffered_bytes <= LIMITS.send_bytes_max
    for packet_id in range(1, accepted + 1):
        session.take_output()
        feed(session, puback(packet_id))
    assert session.buffered_bytes == 0


def test_an_unsubscribed_client_gets_none_of_what_waited() -> None:
    session = opened(subscribe(DOWN), properties=b"\x21\x00\x01")
    session.deliver(b"sent")
    session.deliver(b"waiting")
    session.take_output()
    feed(session, unsubscribe(DOWN) + puback(1))

    assert b"waiting" not in session.take_output()
    assert session.buffered_bytes == 0


def test_a_client_that_leaves_gets_no_answer() -> None:
    session = opened(subscribe(DOWN))
    session.deliver(b"unsent")

    assert feed(session, b"\xe0\x00" + publish()) == [Ended(outcome="left", reason=None)]
    assert session.take_output() == b""
    assert session.buffered_bytes == 0
    assert not session.deliver(b"x")


def test_an_end_is_told_once() -> None:
    session = opened()
    session.end(Reason.SESSION_TAKEN_OVER, outcome="taken-over")
    session.end(Reason.SERVER_SHUTTING_DOWN, outcome="stopped")
    session.lose()

    assert feed(session, publish()) == [Ended(outcome="taken-over", reason=Reason.SESSION_TAKEN_OVER)]
    assert session.take_output() == bytes((0xE0, 1, Reason.SESSION_TAKEN_OVER))


def test_nothing_a_client_adds_to_a_publish_goes_further() -> None:
    """Response topic, correlation data and user properties are read over, never forwarded."""
    session = opened()
    (event,) = arrived(feed(session, publish(properties=b"\x08\x00\x01r\x09\x00\x01c\x26\x00\x01a\x00\x01b")))

    assert event.payload == b"x"
    assert set(PublishArrived.__slots__) == {"ticket", "payload"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"receive_maximum": 0},
        {"receive_maximum": 65_536},
        {"keep_alive_s_max": 65_536},
        {"send_bytes_max": 1024},
        {"send_bytes_total_max": 1024},
    ],
)
def test_limits_that_cannot_be_kept_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError) as caught:
        ServerLimits(**wrong)

    assert caught.value.remedy
