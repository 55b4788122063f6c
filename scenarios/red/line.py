"""A line that somebody else holds: all that passes is seen, may be changed, and more may be slipped in.

It stands at the router's end of an agency's link, where a router that lies would stand, or whoever has got hold of the
seat's credentials. It has no key: what it changes or makes is judged by the node and the router that run in earnest.
Deliveries are numbered without gaps, so whoever slips one in has to renumber what follows, and the acks of it.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from schemas.errors import RemoteError
from schemas.frames import (
    Ack,
    Announcement,
    Delivery,
    DownMessage,
    EnvelopeMessage,
    Hello,
    Resume,
    UpMessage,
    read_down_frame,
    read_up_frame,
    write_frame,
)

# Far more than the reports of an exercise; of a longer one the oldest go.
_KEPT: Final = 512

# What becomes of a cut on its way to the reader: another one, or none at all where it is empty.
Lie = Callable[[bytes], bytes]


class Line:
    """What red knows of one agency's line, and does to it.

    Args:
        agency: Whose line it is.
        now_ms: Exercise time.
    """

    def __init__(self, agency: str, *, now_ms: Callable[[], int]) -> None:
        self.agency = agency
        self.envelopes: deque[bytes] = deque(maxlen=_KEPT)  # that the agency sent, the newest last
        self.cuts: deque[bytes] = deque(maxlen=_KEPT)  # that it was sent, as the router made them
        self.announcements: deque[Announcement] = deque(maxlen=_KEPT)
        # When a sealed message passed, Unix ms: outside TLS its length tells it from an ack, a verdict or a heartbeat.
        self.sent_ms: set[int] = set()
        self.given_ms: set[int] = set()
        self.readers: list[Callable[[bytes], None]] = []  # are given each cut that passes
        self.lies: list[Lie] = []
        self._now_ms = now_ms
        self._last = 0  # the number of the newest delivery that the node was sent
        self._slipped = 0  # deliveries that the router knows nothing of

    def up(self, frame: bytes) -> bytes:
        """Return what goes on to the router in the place of a frame of the node."""
        try:
            messages = read_up_frame(frame)
        except RemoteError:
            return frame
        for message in messages:
            if isinstance(message, EnvelopeMessage):
                self.envelopes.append(message.envelope)
                self.sent_ms.add(self._now_ms())
            elif isinstance(message, Announcement):
                self.announcements.append(message)
        return write_frame(tuple(map(self._renumbered_up, messages))) if self._slipped else frame

    def down(self, frame: bytes) -> bytes:
        """Return what goes on to the node in the place of a frame of the router."""
        try:
            messages = read_down_frame(frame)
        except RemoteError:
            return frame
        passed = tuple(map(self._renumbered_down, messages))
        return frame if passed == messages else write_frame(passed)

    def slip(self, cut: bytes) -> bytes:
        """Return the frame of a delivery that the router knows nothing of; it goes to the node next."""
        self._slipped += 1
        self._last += 1
        return write_frame((Delivery("delivery", self._last, cut),))

    def _renumbered_up(self, message: UpMessage) -> UpMessage:
        match message:
            case Ack() | Hello():
                return message._replace(dseq=max(0, message.dseq - self._slipped))
            case _:
                return message

    def _renumbered_down(self, message: DownMessage) -> DownMessage:
        match message:
            case Resume():
                self._last = message.dseq + self._slipped - 1
                return message._replace(dseq=message.dseq + self._slipped)
            case Delivery():
                return self._delivered(message)
            case Announcement():
                self.announcements.append(message)
                return message
            case _:
                return message

    def _delivered(self, message: Delivery) -> Delivery:
        cut = message.envelope
        if cut:
            self.cuts.append(cut)
            self.given_ms.add(self._now_ms())
            for read in self.readers:
                read(cut)
            for lie in self.lies:
                cut = lie(cut)
        self._last = max(self._last, message.dseq + self._slipped)
        return Delivery("delivery", message.dseq + self._slipped, cut)
