"""What is under way to each reader: delivery numbers, the window, and what waits behind it.

Pure bookkeeping. A delivery gets its number (``dseq``) when it enters the window, highest precedence first, and the
number is on disk before the delivery leaves: a reader's cumulative ack then means the same rows before and after a
restart (docs/spec/wire.md, "Deliveries").
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from schemas.limits import DELIVERY_WINDOW

IN_FLIGHT_BYTES_MAX: Final = 1024 * 1024  # half the server's send buffer, so that verdicts and chunks still fit


@dataclass(slots=True)
class Feed:
    """One reader's state. ``backlog`` says that rows without a number wait in the queue."""

    next_dseq: int
    connected: bool = False
    backlog: bool = False
    in_flight: deque[tuple[int, int]] = field(default_factory=deque)  # dseq, bytes
    bytes_in_flight: int = 0
    introduced: dict[str, int] = field(default_factory=dict)  # originators whose box keys went out in this session

    def takes(self, size: int) -> bool:
        """Tell whether a delivery of this size may leave now; one always may if none is under way."""
        if not self.connected:
            return False
        if not self.in_flight:
            return True
        return len(self.in_flight) < DELIVERY_WINDOW and self.bytes_in_flight + size <= IN_FLIGHT_BYTES_MAX

    def number(self) -> int:
        """Return the number of the next delivery."""
        dseq = self.next_dseq
        self.next_dseq += 1
        return dseq

    def send(self, dseq: int, size: int) -> None:
        """Note that a delivery leaves."""
        self.in_flight.append((dseq, size))
        self.bytes_in_flight += size

    def acked(self, dseq: int) -> None:
        """Note that the reader holds every delivery up to this one."""
        while self.in_flight and self.in_flight[0][0] <= dseq:
            self.bytes_in_flight -= self.in_flight.popleft()[1]

    def connect(self) -> None:
        """A session begins: nothing is under way in it yet."""
        self.in_flight.clear()
        self.introduced.clear()
        self.bytes_in_flight = 0
        self.connected = True

    def disconnect(self) -> None:
        """The session is over; what was under way will be sent again after the next hello."""
        self.in_flight.clear()
        self.bytes_in_flight = 0
        self.connected = False
