"""The broker's door, watched: what each agency sent last, and how it was answered.

It stands between the simulated network and the broker's service and changes nothing; those who flood take from it what
an agency really signed, and the ghost counts who was told that it had sent too much.
"""

from collections import Counter
from collections.abc import Callable

from broker.application import Attachment, Publication
from broker.service import BrokerService

_ENVELOPE = b"\xa8envelope"  # the packed type of a message that holds one


class Door:
    """What is seen at the door over all of the broker's lives."""

    def __init__(self) -> None:
        self.answers: Counter[tuple[str, Publication]] = Counter()
        self.signed: dict[str, bytes] = {}  # the last frame of each agency that holds an envelope
        self.unwritable: Callable[[], bool] = lambda: False  # whether the broker's disk is full
        self.throttled: Callable[[str, bool], None] = lambda _agency, _unwritable: None  # told of each 0x97

    def before(self, service: BrokerService) -> "WatchedFront":
        """Return what the network shows to agencies in the place of this service."""
        return WatchedFront(self, service)


class WatchedFront:
    """One life's front (``transport.simnet.Front``)."""

    def __init__(self, door: Door, service: BrokerService) -> None:
        self._door = door
        self._service = service

    async def attached(self, attachment: Attachment) -> None:
        """Take up a session."""
        await self._service.attached(attachment)

    async def published(self, agency: str, payload: bytes) -> int:
        """Decide on a frame."""
        if _ENVELOPE in payload:
            self._door.signed[agency] = payload
        unwritable = self._door.unwritable()
        answer = await self._service.published(agency, payload)
        self._door.answers[agency, answer] += 1
        if answer == Publication.QUOTA_EXCEEDED:
            self._door.throttled(agency, unwritable or self._door.unwritable())
        return answer

    async def detached(self, attachment: Attachment) -> None:
        """Let go of a session."""
        await self._service.detached(attachment)
