"""An agency's session over somebody else's broker, of which the router sees frames and nothing else.

No connect and no disconnect reaches the router there. What stands for a session begins with the first frame that is
heard of an agency and ends when the router says so (broker/foreign.py); this is its state and its bounded way out.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from broker.application import Publication
from schemas.topics import down_topic
from transport.router_link import Passing, RouterLink


@dataclass(slots=True, eq=False, kw_only=True)
class ForeignSession:
    """What the router knows of one agency's session (``broker.application.Attachment``).

    Attributes:
        agency: The agency whose up topic was heard; that it was the agency is the broker's word.
        send_bytes_max: What may wait for the broker to take it.
        heard_ms: When the last frame came, in real time.
        greeted: Whether a hello was heard in this session, and taken.
        hail_ms: When the agency is to be asked for its hello, unless it has said it by then.
        owing_ms: Since when deliveries are under way of which none was acked, or None.
        patience_ms: How long that may last.
        ended_by: The MQTT 5 reason code by which the router's service has ended it, or None.
        passing: What the broker said of the last frame that it was given.
        deciding: The frames of this session that are not decided.
    """

    agency: str
    send_bytes_max: int
    heard_ms: int
    hail_ms: int
    patience_ms: int
    greeted: bool = False
    owing_ms: int | None = None
    ended_by: int | None = None
    passing: Passing = Passing.TAKEN
    deciding: deque[asyncio.Task[Publication]] = field(default_factory=deque)
    _waiting: deque[bytes] = field(default_factory=deque)
    _waiting_bytes: int = 0
    _to_send: asyncio.Event = field(default_factory=asyncio.Event)
    _room: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def over(self) -> bool:
        """Whether nothing more is to be sent in this session."""
        return self.ended_by is not None or self.passing is not Passing.TAKEN

    def send(self, payload: bytes) -> bool:
        """Publish the payload on the agency's down topic; False if too much waits already or the session is over."""
        if self.over or self._waiting_bytes + len(payload) > self.send_bytes_max:
            self._room.clear()
            return False
        self._waiting.append(payload)
        self._waiting_bytes += len(payload)
        self._to_send.set()
        return True

    async def drained(self) -> None:
        """Wait until there is room again, or the session is over."""
        while not self.over and self._waiting_bytes > self.send_bytes_max // 2:
            self._room.clear()
            await self._room.wait()

    def close(self, reason: int) -> None:
        """End the session by the service's word; the router's host sees it at its next look."""
        self.ended_by = self.ended_by or reason
        self._room.set()

    async def write(self, link: RouterLink) -> None:
        """Hand over what is to be sent, one frame after the other, so that the broker keeps their order.

        Raises:
            LinkError: At the end of the link.
        """
        topic = down_topic(self.agency)
        while not self.over:
            if not self._waiting:
                self._to_send.clear()
                await self._to_send.wait()
            frame = self._waiting[0]
            self.passing = await link.send(topic, frame)
            self._waiting.popleft()
            self._waiting_bytes -= len(frame)
            self._room.set()
