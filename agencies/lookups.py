"""Box keys of readers that are not known here: asked of the router, and waited for a little.

A reader that has announced none is left out of a release and its author told; it is not asked for again for a while, so
that one agency that is away does not slow every report to all.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from agencies.drafts import Draft
from agencies.outgoing import Outgoing
from agencies.turns import DiskTurns
from schemas.frames import Lookup
from schemas.limits import WRAPS_MAX
from transport.clock import Clock


class KeyLookups:
    """Finds the box keys of a node's readers.

    Args:
        outgoing: Knows which keys are missing.
        turns: The node's disk.
        clock: The time at which a key must hold.
        machine_clock: Real time, for how long an absence is remembered.
        ask: Sends a lookup; returns False while there is no link.
        wait_s: How long an answer is waited for.
        absent_s: How long a reader that had none is not asked for again.
    """

    def __init__(
        self,
        *,
        outgoing: Outgoing,
        turns: DiskTurns,
        clock: Clock,
        machine_clock: Clock,
        ask: Callable[[Lookup], bool],
        wait_s: float,
        absent_s: float,
    ) -> None:
        self._outgoing = outgoing
        self._turns = turns
        self._clock = clock
        self._machine_clock = machine_clock
        self._ask = ask
        self._wait_s = wait_s
        self._absent_ms = int(absent_s * 1000)
        self._announced = asyncio.Event()
        self._wanted: set[str] = set()  # readers whose keys are waited for
        self._absent: dict[str, int] = {}  # readers without a key, and the machine time until which that holds

    def announced(self) -> None:
        """Note that announcements have come."""
        self._announced.set()

    def linked(self) -> None:
        """Ask again for what is waited for: there was no link, or the one that carried the question has ended."""
        if self._wanted:
            self._ask_for(sorted(self._wanted))

    async def missing(self, readers: Iterable[str]) -> tuple[str, ...]:
        """Return those readers whose box key is not known here."""
        return await self._turns.run(lambda: self._outgoing.missing_keys(readers, at_ms=self._clock.now_ms()))

    async def refresh(self, readers: Iterable[str], *, ahead_ms: int) -> None:
        """Ask for the next keys of those readers whose known ones end within a time; the answers are not waited for."""
        ending = await self._turns.run(lambda: self._ending(tuple(readers), ahead_ms))
        if ending:
            self._ask_for(ending)

    def _ending(self, readers: Sequence[str], ahead_ms: int) -> tuple[str, ...]:
        now_ms = self._clock.now_ms()
        unknown = set(self._outgoing.missing_keys(readers, at_ms=now_ms))
        ending = self._outgoing.missing_keys(readers, at_ms=now_ms + ahead_ms)
        return tuple(name for name in ending if name not in unknown)

    async def find_for(self, draft: Draft) -> None:
        """Find the keys of whoever would get anything of a draft."""
        await self._find(await self._turns.run(lambda: self._missing_of(draft)))

    async def find(self, readers: Iterable[str]) -> None:
        """Find the keys of these readers."""
        await self._find(await self.missing(readers))

    def _missing_of(self, draft: Draft) -> tuple[str, ...]:
        now_ms = self._clock.now_ms()
        readers = self._outgoing.audience_of(draft, at_ms=now_ms).readers
        return self._outgoing.missing_keys(sorted(readers), at_ms=now_ms)

    async def _find(self, missing: tuple[str, ...]) -> None:
        machine_ms = self._machine_clock.now_ms()
        missing = tuple(name for name in missing if self._absent.get(name, 0) <= machine_ms)
        if not missing:
            return
        self._announced.clear()
        sought = missing
        self._wanted.update(sought)
        asked = self._ask_for(sought)
        try:
            async with asyncio.timeout(self._wait_s):
                while missing:
                    await self._announced.wait()
                    self._announced.clear()
                    missing = await self.missing(missing)
        except TimeoutError:
            # Without a link nothing was asked, and nothing is known of who is away.
            if asked:
                self._absent.update(dict.fromkeys(missing, machine_ms + self._absent_ms))
        finally:
            self._wanted.difference_update(sought)

    def _ask_for(self, names: Sequence[str]) -> bool:
        lookups = [Lookup("lookup", tuple(names[at : at + WRAPS_MAX])) for at in range(0, len(names), WRAPS_MAX)]
        return all(self._ask(lookup) for lookup in lookups)
