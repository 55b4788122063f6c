"""A disk that is full: the node is read-only until there is room again, and goes on by itself.

Whatever fails to be written was not accepted: a desk is told so at once, and a delivery is not acked, so the router
keeps it. The link is given up meanwhile, since a node that can keep nothing has nothing to say on it. Whether there is
room is found out by writing, not by asking the file system: quotas, reserves and limits of a database count as well.
"""

import asyncio
import logging
from collections.abc import Callable

from agencies.notices import Notice
from agencies.outgoing import Moment
from schemas.errors import DiskFullError

log = logging.getLogger(__name__)


class DiskRoom:
    """Whether a node's disk takes anything, as far as the last attempt showed.

    Args:
        agency: Whose disk it is.
        moment: Reads the clocks.
        tell: Tells the desk.
    """

    def __init__(self, *, agency: str, moment: Callable[[], Moment], tell: Callable[[Notice], None]) -> None:
        self._agency = agency
        self._moment = moment
        self._tell = tell
        self._room = asyncio.Event()
        self._room.set()
        self._full = asyncio.Event()
        self.since_ms: int | None = None  # when the disk was found full

    def failed(self, error: DiskFullError) -> None:
        """Note that something could not be written; the desk is told of the first."""
        if self._full.is_set():
            return
        self._full.set()
        self._room.clear()
        self.since_ms = self._moment().at_ms
        log.error("disk.full", extra={"agency": self._agency, "error": str(error), "remedy": error.remedy})
        self._tell(Notice(word="disk_full", at_ms=self.since_ms, text=str(error)))

    def found(self) -> None:
        """Note that there is room again."""
        self._full.clear()
        self._room.set()
        self.since_ms = None
        log.warning("disk.has-room", extra={"agency": self._agency})
        self._tell(Notice(word="disk_has_room", at_ms=self._moment().at_ms))

    def is_full(self) -> bool:
        """Tell whether the last attempt to write failed."""
        return self._full.is_set()

    async def has_room(self) -> None:
        """Wait until there is room."""
        await self._room.wait()

    async def end_when_full(self) -> None:
        """Wait until the disk is full, to end what cannot go on then.

        Raises:
            DiskFullError: Always.
        """
        await self._full.wait()
        msg = f"the disk of {self._agency} is full"
        raise DiskFullError(msg, remedy="make room; the node goes on by itself")
