"""The publishes of one session that await their decision, and the order of their answers.

Decisions may fall in any order; PUBACKs leave in the order in which the publishes came (MQTT-4.6.0-2), so an answer
waits until all older ones are decided.
"""

from dataclasses import dataclass

from broker.answers import encode_publish_acknowledgement
from broker.fields import MalformedPacketError, Reason


@dataclass(slots=True, eq=False)
class Ticket:
    """One publish that awaits its decision, and the place of its PUBACK in the order of answers."""

    packet_id: int  # 0 for QoS 0, which has no PUBACK
    payload_bytes: int
    reason: int | None = None


class Incoming:
    """The open decisions of one session.

    Args:
        receive_maximum: How many of them a client may have open at once, as our CONNACK said.

    Attributes:
        deciding: How many publishes are undecided.
        deciding_bytes: Their payloads together.
    """

    __slots__ = ("_receive_maximum", "_unanswered", "deciding", "deciding_bytes")

    def __init__(self, receive_maximum: int) -> None:
        self._receive_maximum = receive_maximum
        # By packet identifier, in the order of arrival.
        self._unanswered: dict[int, Ticket] = {}
        self.deciding = 0
        self.deciding_bytes = 0

    @property
    def full(self) -> bool:
        """Whether as many publishes are undecided as may be."""
        return self.deciding >= self._receive_maximum

    def open(self, packet_id: int, payload_bytes: int) -> Ticket:
        """Take in one publish.

        Raises:
            MalformedPacketError: If the client breaks its window or reuses an identifier.
        """
        if packet_id in self._unanswered:
            # "MUST assign it a non-zero Packet Identifier that is currently unused" -- MQTT-2.2.1-3
            msg = "a publish reuses an identifier that is not answered yet"
            raise MalformedPacketError(msg, reason=Reason.PROTOCOL_ERROR)
        if packet_id and len(self._unanswered) >= self._receive_maximum:
            # "The Client MUST NOT send more than Receive Maximum QoS 1 and QoS 2 PUBLISH packets" -- MQTT-3.3.4-7
            msg = "a publish exceeds the receive maximum"
            raise MalformedPacketError(msg, reason=Reason.RECEIVE_MAXIMUM_EXCEEDED)
        ticket = Ticket(packet_id, payload_bytes)
        if packet_id:
            self._unanswered[packet_id] = ticket
        self.deciding += 1
        self.deciding_bytes += payload_bytes
        return ticket

    def settle(self, ticket: Ticket, reason: int) -> bytes:
        """Record a decision and return the PUBACKs that may leave now."""
        self.deciding -= 1
        self.deciding_bytes -= ticket.payload_bytes
        ticket.reason = reason
        answers: list[bytes] = []
        while self._unanswered:
            oldest = next(iter(self._unanswered.values()))
            if oldest.reason is None:
                break
            del self._unanswered[oldest.packet_id]
            answers.append(encode_publish_acknowledgement(oldest.packet_id, oldest.reason))
        return b"".join(answers)

    def forget_answers(self) -> None:
        """Owe no more PUBACKs, since nobody is there to read them; the decisions stay counted until they fall."""
        self._unanswered.clear()
