"""A line of TCP that can fall silent: what stands between a client and a real broker where a test lets links fail."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Literal

from broker.listen import Address

Direction = Literal["up", "down"]


class LossyLine:
    """Passes bytes on between whoever comes and the broker; one for each agency.

    Args:
        upstream: Says where the broker is now; a restarted one may be elsewhere.
    """

    def __init__(self, upstream: Callable[[], Address]) -> None:
        self._upstream = upstream
        self._ends: dict[_End, None] = {}
        self._changed = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self.lost: set[Direction] = set()
        self.address = Address("", 0)

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None, None]:
        """Pass on while the block runs."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            server = await asyncio.get_running_loop().create_server(lambda: _End(self, "up"), "127.0.0.1", 0)
            self.address = Address(*server.sockets[0].getsockname()[:2])
            try:
                yield
            finally:
                server.close()
                self.cut()
                while self._ends:
                    await self._change()

    def lose(self, direction: Direction) -> None:
        """Let nothing more through this way, not even the end of a link; the other end never hears of it."""
        self.lost.add(direction)

    def cut(self) -> None:
        """End all links, and let the next ones through."""
        for end in tuple(self._ends):
            end.transport.abort()
        self.lost.clear()

    async def broker_let_go(self) -> None:
        """Wait until the broker has ended all links that came this way."""
        while any(end.direction == "down" for end in self._ends):
            await self._change()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    # Called by the ends.

    def opened(self, end: "_End") -> None:
        """Note an end, and for a client's open the one to the broker."""
        self._ends[end] = None
        if end.direction == "up" and self._tasks is not None:
            self._tasks.create_task(self._reach_broker(end), name="lossy-line")

    def closed(self, end: "_End") -> None:
        """Forget an end."""
        del self._ends[end]
        self._changed.set()

    async def _reach_broker(self, client: "_End") -> None:
        try:
            _, broker = await asyncio.get_running_loop().create_connection(
                lambda: _End(self, "down"), *self._upstream()
            )
        except OSError:
            client.transport.abort()
            return
        client.other, broker.other = broker, client
        if client.transport.is_closing():
            broker.transport.abort()
        else:
            client.pass_on_early()


class _End(asyncio.Protocol):
    """One end of a link; what it reads goes in its direction, to the other."""

    transport: asyncio.Transport

    def __init__(self, line: LossyLine, direction: Direction) -> None:
        self._line = line
        self.direction: Direction = direction
        self.other: _End | None = None
        # What a client says before its line has reached the broker: a login. Python before 3.11.4 forgets a
        # pause_reading() inside connection_made(), so it cannot be left unread.
        self._early = bytearray()

    def pass_on_early(self) -> None:
        """Pass on what came before the other end was there."""
        early, self._early = bytes(self._early), bytearray()
        if early:
            self.data_received(early)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._line.opened(self)

    def data_received(self, data: bytes) -> None:
        if self.direction in self._line.lost:
            return
        if self.other is None:
            self._early += data
        else:
            self.other.transport.write(data)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._line.closed(self)
        if self.other is not None and self.direction not in self._line.lost:
            self.other.transport.close()
