"""The router as a client of somebody else's MQTT 5 broker: the same service as behind our own server, and a link.

Our own server is the broker and knows who connects, and its PUBACK is a decision. Behind another broker neither holds:
what the router learns is which topic a frame came on, and what a PUBACK means is the broker's affair. So sessions are
what the frames say (broker/foreign_link.py), and what is promised less stands in docs/adr/0011.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from broker.foreign_link import ForeignLimits, ForeignLink
from broker.service import BrokerService
from schemas.errors import LinkError
from transport.clock import Clock
from transport.failures import first_of
from transport.router_link import ConnectRouter

log = logging.getLogger(__name__)

_RETRY_LEAST_S: Final = 0.1
_RETRY_MOST_S: Final = 5.0  # two routers under one name end each other's links: neither may do so many times a second


class ForeignHost:
    """Hosts the router's service behind another broker.

    Args:
        service: Decides; it is running.
        connect: Opens the router's own link.
        agencies: Whose up topics are listened on.
        active: Tells whether an agency may speak at this moment.
        machine_clock: Real time.
        on_link: Told each time that the link is up, and each time that it has ended.
        limits: Bounds and patience.
    """

    def __init__(
        self,
        service: BrokerService,
        *,
        connect: ConnectRouter,
        agencies: Sequence[str],
        active: Callable[[str], bool],
        machine_clock: Clock,
        on_link: Callable[[bool], None] = lambda _up: None,
        limits: ForeignLimits | None = None,
    ) -> None:
        self._service = service
        self._connect = connect
        self._agencies = tuple(agencies)
        self._active = active
        self._clock = machine_clock
        self._on_link = on_link
        self._limits = limits or ForeignLimits()
        self._was_linked = asyncio.Event()
        self._ending = False

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Keep the router linked for as long as the block runs, which begins once the first link is up.

        Raises:
            LinkError: If the first link cannot be had, inside a group; a later one is tried for again and again.
        """
        async with asyncio.TaskGroup() as tasks:
            kept = tasks.create_task(self._keep_linked(), name="router-link")
            await self._was_linked.wait()
            try:
                yield
            finally:
                self._ending = True
                kept.cancel()

    async def _keep_linked(self) -> None:
        wait_s = _RETRY_LEAST_S
        while True:
            began_ms = self._clock.now_ms()
            error = await self._link_once()
            # A TaskGroup that is cancelled from outside while a child of its own fails raises what the child raised,
            # and the cancellation is lost with it (CPython before 3.13); so the owner's word counts, not the error.
            if self._ending:
                return
            if not self._was_linked.is_set():
                raise error
            self._on_link(False)
            log.warning("link.down", extra={"error": str(error), "remedy": error.remedy})
            if self._clock.now_ms() - began_ms > _RETRY_MOST_S * 1000:
                wait_s = _RETRY_LEAST_S
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, _RETRY_MOST_S)

    async def _link_once(self) -> LinkError:
        """Serve over one link to its end; returns what ended it."""
        error = LinkError("the link ended")
        attending: ForeignLink | None = None
        try:
            async with self._connect() as link:
                attending = ForeignLink(
                    self._service,
                    link,
                    agencies=self._agencies,
                    active=self._active,
                    machine_clock=self._clock,
                    limits=self._limits,
                )
                await attending.serve(up=self._note_up)
        except* LinkError as errors:
            error = first_of(errors, LinkError) or error
        if attending is not None:
            await attending.end()
        return error

    def _note_up(self) -> None:
        self._was_linked.set()
        self._on_link(True)
