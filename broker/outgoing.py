"""What a session sends: the bytes to be written, and the deliveries that wait for the client's window.

QoS 1 deliveries keep to the client's Receive Maximum (MQTT 5, 4.9). What is sent is forgotten at once: a delivery that
is never acknowledged is the application's to send again, so nothing here outlives the session.
"""

from collections import deque
from typing import Final

from broker.answers import encode_publish_header

# What a queued delivery costs besides its payload: its header and the list entries.
DELIVERY_OVERHEAD_BYTES: Final = 256
_PACKET_ID_MAX: Final = 0xFFFF


class Outgoing:
    """The bounded send buffer of one session, and its window of unacknowledged deliveries.

    Attributes:
        buffered_bytes: What waits to be written, deliveries that wait for the window included.
        answer_bytes: The part of it that answers the client's own packets, since it was last written.
    """

    __slots__ = ("_last_packet_id", "_output", "_unacknowledged", "_waiting", "answer_bytes", "buffered_bytes")

    def __init__(self) -> None:
        self._output: list[bytes] = []
        self._unacknowledged: set[int] = set()
        self._waiting: deque[bytes] = deque()
        self._last_packet_id = 0
        self.buffered_bytes = 0
        self.answer_bytes = 0

    def answer(self, packet: bytes) -> None:
        """Write a packet that answers one of the client's."""
        self._write(packet)
        self.answer_bytes += len(packet)

    def deliver(self, topic: str, payload: bytes, *, qos: int, window: int) -> None:
        """Write a delivery, or keep it until the client's window has room.

        Args:
            topic: The agency's down topic.
            payload: One frame.
            qos: 0 or 1, as granted.
            window: The client's Receive Maximum.
        """
        if not qos:
            self._write_delivery(topic, payload, 0)
        elif len(self._unacknowledged) < window and not self._waiting:
            self._write_delivery(topic, payload, self._new_packet_id())
        else:
            self._waiting.append(payload)
            self.buffered_bytes += len(payload) + DELIVERY_OVERHEAD_BYTES

    def acknowledge(self, topic: str, packet_id: int) -> bool:
        """Take a PUBACK and let the next delivery go.

        Returns:
            False if nothing with this identifier is out.
        """
        if packet_id not in self._unacknowledged:
            return False
        self._unacknowledged.remove(packet_id)
        if self._waiting:
            payload = self._waiting.popleft()
            self.buffered_bytes -= len(payload) + DELIVERY_OVERHEAD_BYTES
            self._write_delivery(topic, payload, self._new_packet_id())
        return True

    def drop_waiting(self) -> None:
        """Forget the deliveries that wait for the window."""
        self.buffered_bytes -= sum(len(payload) + DELIVERY_OVERHEAD_BYTES for payload in self._waiting)
        self._waiting.clear()

    def drop_all(self) -> None:
        """Forget everything that is not yet written."""
        self.drop_waiting()
        self.take()

    def take(self) -> bytes:
        """Return, and forget, what is to be written now."""
        output = b"".join(self._output)
        self._output.clear()
        self.buffered_bytes -= len(output)
        self.answer_bytes = 0
        return output

    def _write(self, packet: bytes) -> None:
        self._output.append(packet)
        self.buffered_bytes += len(packet)

    def _write_delivery(self, topic: str, payload: bytes, packet_id: int) -> None:
        self._write(encode_publish_header(topic, packet_id, len(payload)))
        self._write(payload)

    def _new_packet_id(self) -> int:
        """Return an unused packet identifier; there is one, since the window is at most 65,535 wide."""
        packet_id = self._last_packet_id % _PACKET_ID_MAX + 1
        while packet_id in self._unacknowledged:
            packet_id = packet_id % _PACKET_ID_MAX + 1
        self._unacknowledged.add(packet_id)
        self._last_packet_id = packet_id
        return packet_id
