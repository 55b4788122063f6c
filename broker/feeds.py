"""What is under way to each reader: delivery numbers, the window, and what waits behind it.

Pure bookkeeping. A delivery gets its number (``dseq``) when it enters the window, highest precedence first, and the
number is on disk before the delivery leaves: a reader's cumulative ack then means the same rows before and after a
restart (docs/spec/wire.md, "Deliveries").
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from schemas.limits import DELIVERY_WINDOW

# What is decided while as many bursts as this are un-acked waits and leaves together, in order of precedence: under
# load a reader then gets few large frames instead of many small ones, each of which would cost both ends more than
# the cryptography of its delivery. Two, so that one is on the wire while the reader works on the other.
BURSTS_UNDER_WAY_MAX: Final = 2
IN_FLIGHT_BYTES_MAX: Final = 1024 * 1024  # half the server's send buffer, so that verdicts and chunks still fit


@dataclass(slots=True)
class Feed:
    """One reader's state. ``backlog`` says that rows without a number wait in the queue."""

    next_dseq: int
    connected: bool = False
    backlog: bool = False
    in_flight: deque[tuple[int, int]] = field(default_factory=deque)  # dseq, bytes
    bytes_in_flight: int = 0
    bursts: deque[int] = field(default_factory=deque)  # the last dseq of each burst that is not acked as a whole
    gathering: bool = False  # deliveries of the batch at hand join the last burst
    introduced: dict[str, int] = field(default_factory=dict)  # originators whose box keys went out in this session

    def takes(self, size: int) -> bool:
        """Tell whether a delivery of this size may leave now; one always may if none is under way."""
        if not self.connected:
            return False
        if not self.in_flight:
            return True
        if not self.gathering and len(self.bursts) >= BURSTS_UNDER_WAY_MAX:
            return False
        return len(self.in_flight) < DELIVERY_WINDOW and self.bytes_in_flight + size <= IN_FLIGHT_BYTES_MAX

    def number(self) -> int:
        """Return the number of the next delivery."""
        dseq = self.next_dseq
        self.next_dseq += 1
        return dseq

    def send(self, dseq: int, size: int) -> None:
        """Note that a delivery leaves, in one burst with the others of its batch."""
        if self.gathering:
            self.bursts[-1] = dseq
        else:
            self.bursts.append(dseq)
            self.gathering = True
        self.in_flight.append((dseq, size))
        self.bytes_in_flight += size

    def end_burst(self) -> None:
        """Note that the batch is decided: what leaves from now on is another burst."""
        self.gathering = False

    def acked(self, dseq: int) -> None:
        """Note that the reader holds every delivery up to this one."""
        while self.in_flight and self.in_flight[0][0] <= dseq:
            self.bytes_in_flight -= self.in_flight.popleft()[1]
        while self.bursts and self.bursts[0] <= dseq:
            self.bursts.popleft()
        self.gathering = self.gathering and bool(self.bursts)

    def connect(self) -> None:
        """A session begins: nothing is under way in it yet."""
        self.in_flight.clear()
        self.bursts.clear()
        self.gathering = False
        self.introduced.clear()
        self.bytes_in_flight = 0
        self.connected = True

    def disconnect(self) -> None:
        """The session is over; what was under way will be sent again after the next hello."""
        self.in_flight.clear()
        self.bursts.clear()
        self.gathering = False
        self.bytes_in_flight = 0
        self.connected = False
