"""The link to a broker, as a node sees it: frames out, frames in, and an end.

The node is written against this Protocol alone, so that the same node runs over real MQTT and, in a rehearsal, over a
simulated network. A link promises order and nothing else: whatever is in flight may be lost when it ends.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Link(Protocol):
    """An open link. Every method raises LinkError once the link has ended."""

    async def send(self, frame: bytes) -> None:
        """Send one frame; returns when the broker has taken it, which promises nothing about its contents.

        Raises:
            LinkError: If the link has ended; the frame may or may not have arrived.
        """
        ...

    def frames(self) -> AsyncIterator[bytes]:
        """Return the frames that arrive, in order; raises LinkError at the end of the link."""
        ...


# Opens a link; entering it raises LinkError if the broker cannot be reached or refuses us.
Connect = Callable[[], AbstractAsyncContextManager[Link]]
