"""The link of a router that is a client of somebody else's broker: every agency's frames in, frames to each one out.

A node's link (transport/link.py) has one topic each way; this one has as many as there are agencies, and its owner
says when a frame is done with. Like a node's it promises order within a topic and nothing else.
"""

import enum
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One frame from the broker; ``packet`` is what it is acknowledged by, 0 where nothing is owed."""

    topic: str
    payload: bytes
    packet: int


class Passing(enum.Enum):
    """What the broker says of a frame that it was given; none of it says that anybody has read it."""

    TAKEN = "taken"
    NOBODY_LISTENS = "nobody listens"  # a broker need not say so, and then it is "taken"
    NO_RIGHT = "no right"  # its access list does not let the router publish there


class RouterLink(Protocol):
    """An open link. Every method that waits raises LinkError once the link has ended."""

    async def listen(self, topics: Sequence[str]) -> None:
        """Ask for everything that is published on these topics, each named in full.

        Raises:
            LinkError: If the broker does not grant one of them, or the link has ended.
        """
        ...

    def frames(self) -> AsyncIterator[Received]:
        """Return the frames that arrive, in the order of each topic; raises LinkError at the end of the link."""
        ...

    def acknowledge(self, received: Received) -> None:
        """Tell the broker that a frame is done with, so that it may send another; harmless on a link that has ended."""
        ...

    async def send(self, topic: str, frame: bytes) -> Passing:
        """Publish one frame; returns what the broker says of it.

        Raises:
            LinkError: If the link has ended, or the broker took nothing of the frame.
        """
        ...


# Opens a link; entering it raises LinkError if the broker cannot be reached or refuses us.
ConnectRouter = Callable[[], AbstractAsyncContextManager[RouterLink]]
