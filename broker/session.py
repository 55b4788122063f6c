"""One MQTT session without I/O: bytes in, events and bytes out, the standard's rules in between.

The shell feeds ``receive`` and asks ``next_event`` until it has nothing more to say, so a CONNECT is decided before the
packet behind it is looked at. What is to be written waits in the session until the shell, which knows whether the peer
reads, takes it. Time comes in as a number and nothing here touches a socket.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from broker.answers import (
    CONNECT_REFUSED_3_1_1,
    PING_RESPONSE,
    encode_connect_acceptance,
    encode_connect_refusal,
    encode_disconnect,
    encode_publish_header,
    encode_subscribe_acknowledgement,
    encode_unsubscribe_acknowledgement,
)
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
from broker.fields import MalformedPacketError, Property, Reason
from broker.incoming import Incoming, Ticket
from broker.limits import ServerLimits
from broker.outgoing import DELIVERY_OVERHEAD_BYTES, Outgoing
from broker.packets import (
    CONNECT_FIRST_BYTE,
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
    decode_packet,
)
from broker.refusals import judge_filter, refuse_unannounced, will_refusal
from schemas.topics import down_topic, up_topic

_HANDLED: Final = Handled()
# A CONNACK takes 39 bytes and a SUBACK of the most filters 13: a peer that takes less cannot be answered.
_CLIENT_PACKET_BYTES_MIN: Final = 64
# MQTT 3.1 and 3.1.1, which know only a CONNACK of four bytes; bridges set the highest bit.
_OLDER_VERSIONS: Final = frozenset({("MQIsdp", 3), ("MQTT", 4), ("MQIsdp", 0x83), ("MQTT", 0x84)})


class Session:
    """The state of one connection.

    Args:
        limits: The server's limits.
        now_ms: A steady clock's reading, in milliseconds, as all later ones.
    """

    __slots__ = (
        "_agency",
        "_arrived",
        "_client_packet_bytes_max",
        "_client_receive_maximum",
        "_connect",
        "_ending",
        "_granted_qos",
        "_heard_ms",
        "_incoming",
        "_keep_alive_ms",
        "_limits",
        "_now_ms",
        "_outgoing",
        "_packet_bytes_max",
        "_phase",
        "discarded",
    )

    def __init__(self, *, limits: ServerLimits, now_ms: int) -> None:
        self._limits = limits
        self._phase = Phase.AWAITING_CONNECT
        self._arrived = PacketBuffer()
        self._packet_bytes_max = limits.connect_bytes_max
        self._now_ms = self._heard_ms = now_ms
        self._keep_alive_ms = limits.connect_ms_max
        self._agency = ""
        self._connect: Connect | None = None
        self._client_packet_bytes_max = 0
        self._client_receive_maximum = 0
        self._granted_qos: int | None = None
        self._ending: Ended | None = None
        self._incoming = Incoming(limits.receive_maximum)
        self._outgoing = Outgoing()
        self.discarded = 0

    # What the shell reads off.

    @property
    def agency(self) -> str:
        """The authenticated agency, empty before that."""
        return self._agency

    @property
    def phase(self) -> Phase:
        """Where the session stands."""
        return self._phase

    @property
    def deciding(self) -> int:
        """How many publishes await their decision."""
        return self._incoming.deciding

    @property
    def listening(self) -> bool:
        """Whether the agency's subscription is granted and the session live."""
        return self._granted_qos is not None and self._phase is Phase.OPEN

    @property
    def buffered_bytes(self) -> int:
        """What waits to be written, in bytes."""
        return self._outgoing.buffered_bytes

    @property
    def wants_input(self) -> bool:
        """Whether the peer may be read: not while it owes us time to decide, or us reading its answers."""
        return (
            self._incoming.deciding_bytes < self._limits.deciding_bytes_max
            and self._outgoing.answer_bytes < self._limits.answer_bytes_max
        )

    # Bytes in, events out.

    def receive(self, chunk: bytes, now_ms: int) -> None:
        """Take in what the peer sent; what comes after the end is dropped."""
        self._now_ms = now_ms
        if self._phase is not Phase.ENDED:
            self._arrived.feed(chunk)

    def next_event(self) -> Event | None:
        """Return what follows from the next packet, or None until more bytes, or a login's decision, arrive."""
        if self._ending is not None:
            ending, self._ending = self._ending, None
            return ending
        handlers = _HANDLERS.get(self._phase)
        if handlers is None:
            return None
        try:
            if self._phase is Phase.AWAITING_CONNECT and self._arrived.first_byte not in (None, CONNECT_FIRST_BYTE):
                # Another protocol on our port need not be waited for until its "packet" is complete.
                return self._fail(MalformedPacketError("the first packet is no CONNECT", reason=Reason.PROTOCOL_ERROR))
            frame = self._arrived.next_frame(self._packet_bytes_max)
            if frame is None:
                return None
            packet = decode_packet(*frame)
            self._heard_ms = self._now_ms
            return handlers.get(type(packet), _refuse_out_of_place)(self, packet)
        except MalformedPacketError as error:
            return self._fail(error)

    def _fail(self, error: MalformedPacketError) -> Ended:
        """End the session for a packet that may not be; a stranger gets no answer, and so learns nothing."""
        outcome = error.reason.name.lower().replace("_", "-")
        if self._phase is not Phase.OPEN:
            return self._end_silently(outcome)
        self._outgoing.answer(encode_disconnect(error.reason))
        return self._finish(outcome, error.reason)

    def overdue(self, now_ms: int) -> bool:
        """Tell whether the peer has let its time pass: 1.5 times keep-alive, or the time to connect.

        "If … the Server does not receive an MQTT Control Packet from the Client within one and a half times the Keep
        Alive time period, it MUST close the Network Connection" -- MQTT-3.1.2-22
        """
        if self._incoming.deciding_bytes >= self._limits.deciding_bytes_max:
            # It is we who do not read.
            self._heard_ms = now_ms
        return self._phase is not Phase.ENDED and now_ms - self._heard_ms > self._keep_alive_ms

    def expire(self) -> None:
        """End a session that is ``overdue``."""
        self.end(Reason.KEEP_ALIVE_TIMEOUT, outcome="timeout")

    # Login.

    def _take_connect(self, packet: Connect) -> Event | None:
        # "If the Server does not support the Authentication Method … it MAY send a CONNACK with a Reason Code of 0x8C
        # … and MUST close the Network Connection" -- MQTT-4.12.0-1
        if Property.AUTHENTICATION_METHOD in packet.properties:
            return self._refuse_connect(Reason.BAD_AUTHENTICATION_METHOD, "enhanced-authentication")
        client_packet_bytes_max = _number(packet, Property.MAXIMUM_PACKET_SIZE, self._limits.packet_bytes_max)
        if client_packet_bytes_max < _CLIENT_PACKET_BYTES_MIN:
            return self._end_silently("client-takes-no-packet")
        self._client_packet_bytes_max = min(client_packet_bytes_max, self._limits.packet_bytes_max)
        # "If the Receive Maximum value is absent then its value defaults to 65,535." -- 3.1.2.11.3
        self._client_receive_maximum = _number(packet, Property.RECEIVE_MAXIMUM, 0xFFFF)
        self._connect = packet
        self._phase = Phase.AUTHENTICATING
        return LoginAsked(client_id=packet.client_id, username=packet.username, password=packet.password)

    def _take_other_version(self, packet: OtherVersionConnect) -> Event | None:
        # "If the Protocol Version is not 5 and the Server does not want to accept the CONNECT packet, the Server MAY
        # send a CONNACK packet with Reason Code 0x84 and then MUST close" -- MQTT-3.1.2-2. An older client can read
        # only its own CONNACK, and whoever speaks another protocol gets no answer.
        if (packet.protocol_name, packet.level) in _OLDER_VERSIONS:
            self._outgoing.answer(CONNECT_REFUSED_3_1_1)
            return self._finish("other-version", Reason.UNSUPPORTED_PROTOCOL_VERSION)
        if packet.protocol_name == "MQTT":
            return self._refuse_connect(Reason.UNSUPPORTED_PROTOCOL_VERSION, "other-version")
        return self._end_silently("other-protocol")

    def admit(self, agency: str) -> bool:
        """Open the session for an authenticated agency.

        Returns:
            False if the CONNECT is refused for its will: then no other session of the agency may be disturbed.
        """
        connect = self._connect
        self._connect = None
        if self._phase is not Phase.AUTHENTICATING or connect is None:
            return False
        if connect.will is not None:
            self._ending = self._refuse_connect(will_refusal(connect.will.qos, retain=connect.will.retain), "will")
            return False
        self._agency = agency
        self._phase = Phase.OPEN
        self._packet_bytes_max = self._limits.packet_bytes_max
        # "If the Server returns a Server Keep Alive … the Client MUST use this value" -- MQTT-3.1.2-21
        keep_alive_s = min(connect.keep_alive_s or self._limits.keep_alive_s_max, self._limits.keep_alive_s_max)
        self._keep_alive_ms = keep_alive_s * 1_500
        self._outgoing.answer(
            encode_connect_acceptance(
                packet_bytes_max=self._limits.packet_bytes_max,
                receive_maximum=self._limits.receive_maximum,
                keep_alive_s=keep_alive_s,
            )
        )
        return True

    def refuse_login(self) -> None:
        """Refuse the login; every cause looks the same to the peer (CONNACK 0x86)."""
        self._connect = None
        self._ending = self._refuse_connect(Reason.BAD_USER_NAME_OR_PASSWORD, "login-refused")

    def _refuse_connect(self, reason: Reason, outcome: str) -> Ended:
        self._outgoing.answer(encode_connect_refusal(reason))
        return self._finish(outcome, reason)

    # The open session.

    def _take_publish(self, packet: Publish) -> Event | None:
        refuse_unannounced(packet)
        own = packet.topic == up_topic(self._agency)
        if not own and not packet.qos:
            # QoS 0 has no PUBACK that could say so: "it MUST … close the Network Connection … 0x87" -- 3.3.5, 4.13
            msg = "a QoS 0 publish on a foreign topic"
            raise MalformedPacketError(msg, reason=Reason.NOT_AUTHORISED)
        if not packet.qos and self._incoming.full:
            # At most once: what comes faster than it can be decided is dropped, as QoS 0 allows (4.3.1).
            self.discarded += 1
            return _HANDLED
        ticket = self._incoming.open(packet.packet_id, len(packet.payload))
        if not own:
            self.settle(ticket, Reason.NOT_AUTHORISED)
            return _HANDLED
        return PublishArrived(ticket=ticket, payload=packet.payload)

    def settle(self, ticket: Ticket, reason: int) -> None:
        """Answer a publish; its PUBACK leaves behind those of all older ones."""
        answers = self._incoming.settle(ticket, reason)
        if answers:
            self._outgoing.answer(answers)

    def _take_subscribe(self, packet: Subscribe) -> Event | None:
        if packet.identified:
            # "it is a Protocol Error … DISCONNECT with Reason Code of 0xA1" -- 3.2.2.3.12
            msg = "a subscription has an identifier"
            raise MalformedPacketError(msg, reason=Reason.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED)
        before = self._granted_qos
        reasons = tuple(judge_filter(topic_filter, qos, agency=self._agency) for topic_filter, qos in packet.filters)
        granted = [reason for reason in reasons if reason < Reason.MALFORMED_PACKET]
        if granted:
            # "If a Server receives a SUBSCRIBE packet that contains a Topic Filter that is identical to … an existing
            # subscription … it MUST replace that existing Subscription" -- MQTT-3.8.4-3
            self._granted_qos = granted[-1]
        self._outgoing.answer(encode_subscribe_acknowledgement(packet.packet_id, reasons))
        return SubscriptionGranted() if granted and before is None else _HANDLED

    def _take_unsubscribe(self, packet: Unsubscribe) -> Event | None:
        own = down_topic(self._agency)
        was_listening = self._granted_qos is not None
        reasons: list[int] = []
        for topic_filter in packet.filters:
            # A foreign topic and one never subscribed to look alike.
            granted = topic_filter == own and self._granted_qos is not None
            reasons.append(Reason.SUCCESS if granted else Reason.NO_SUBSCRIPTION_EXISTED)
            if granted:
                self._granted_qos = None
        self._outgoing.answer(encode_unsubscribe_acknowledgement(packet.packet_id, tuple(reasons)))
        if was_listening and self._granted_qos is None:
            self._outgoing.drop_waiting()
            return SubscriptionEnded()
        return _HANDLED

    def _take_ping(self, _packet: PingRequest) -> Event | None:
        self._outgoing.answer(PING_RESPONSE)
        return _HANDLED

    def _take_disconnect(self, _packet: Disconnect) -> Event | None:
        return self._end_silently("left")

    # Deliveries.

    def deliver(self, payload: bytes) -> bool:
        """Publish on the agency's down topic, at the QoS that was granted and within the client's Receive Maximum.

        Returns:
            False if nobody listens, or the send buffer is full.
        """
        qos = self._granted_qos
        if qos is None or self._phase is not Phase.OPEN:
            return False
        packet_bytes = len(encode_publish_header(down_topic(self._agency), qos, len(payload))) + len(payload)
        if packet_bytes > self._client_packet_bytes_max:
            # "the Server MUST discard it without sending it and then behave as if it had completed sending that
            # Application Message" -- MQTT-3.1.2-25
            self.discarded += 1
            return True
        if self._outgoing.buffered_bytes + len(payload) + DELIVERY_OVERHEAD_BYTES > self._limits.send_bytes_max:
            return False
        self._outgoing.deliver(down_topic(self._agency), payload, qos=qos, window=self._client_receive_maximum)
        return True

    def _take_publish_acknowledgement(self, packet: PublishAcknowledgement) -> Event | None:
        if not self._outgoing.acknowledge(down_topic(self._agency), packet.packet_id):
            msg = "an acknowledgement of what was not sent"
            raise MalformedPacketError(msg, reason=Reason.PROTOCOL_ERROR)
        return _HANDLED

    def take_output(self) -> bytes:
        """Return, and forget, what is to be written now."""
        return self._outgoing.take()

    # The end.

    def end(self, reason: int, *, outcome: str) -> None:
        """End the session from our side; ``next_event`` says so once. Harmless when it has ended already.

        "A Server MUST NOT send a DISCONNECT until after it has sent a CONNACK with Reason Code of less than 0x80"
        -- MQTT-3.14.0-1; so a stranger gets no answer, and learns nothing.
        """
        if self._phase is Phase.ENDED:
            return
        if self._phase is Phase.OPEN:
            self._outgoing.answer(encode_disconnect(reason))
            self._ending = self._finish(outcome, reason)
        else:
            self._ending = self._end_silently(outcome)

    def lose(self) -> None:
        """End a session whose link is gone."""
        if self._phase is not Phase.ENDED:
            self._ending = self._end_silently("link-lost")

    def _end_silently(self, outcome: str) -> Ended:
        self._outgoing.drop_all()
        return self._finish(outcome, None)

    def _finish(self, outcome: str, reason: int | None) -> Ended:
        self._phase = Phase.ENDED
        self._outgoing.drop_waiting()
        self._granted_qos = None
        self._incoming.forget_answers()
        self._arrived = PacketBuffer()
        return Ended(outcome=outcome, reason=reason)


def _number(packet: Connect, name: Property, default: int) -> int:
    """Return an integer property of a CONNECT."""
    value = packet.properties.get(name, default)
    assert isinstance(value, int)
    return value


def _refuse_out_of_place(_session: Session, _packet: Packet) -> Event | None:
    # "the first packet sent from the Client to the Server MUST be a CONNECT packet" -- MQTT-3.1.0-1; "The Server MUST
    # process a second CONNECT packet sent from a Client as a Protocol Error" -- MQTT-3.1.0-2
    msg = "a packet is out of place"
    raise MalformedPacketError(msg, reason=Reason.PROTOCOL_ERROR)


# Which packet may come in which phase, and what deals with it; whatever has no entry is a Protocol Error. A phase
# without a row reads nothing at all.
_Handler = Callable[[Session, Any], Event | None]
_HANDLERS: Final[Mapping[Phase, Mapping[type[Packet], _Handler]]] = {
    Phase.AWAITING_CONNECT: {
        Connect: Session._take_connect,  # noqa: SLF001 -- the table belongs to the class
        OtherVersionConnect: Session._take_other_version,  # noqa: SLF001
    },
    Phase.OPEN: {
        Publish: Session._take_publish,  # noqa: SLF001
        PublishAcknowledgement: Session._take_publish_acknowledgement,  # noqa: SLF001
        Subscribe: Session._take_subscribe,  # noqa: SLF001
        Unsubscribe: Session._take_unsubscribe,  # noqa: SLF001
        PingRequest: Session._take_ping,  # noqa: SLF001
        Disconnect: Session._take_disconnect,  # noqa: SLF001
    },
}
