"""Those who mean harm without being the router: who floods, who poisons, who reads slowly and asks for more.

They act through the same lines as everybody else, so whatever bounds hold them are the product's own.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from random import Random  # noqa: TID251 - the type of a seeded stream
from typing import Final, assert_never

from agencies.drafts import Draft, Why
from scenarios.soak.door import Door
from scenarios.soak.hostility import Flood, Poison, RouterHostility, Slow
from scenarios.soak.poison import ACK_OF_ALL, poison
from scenarios.soak.reference import AGENCIES, LABELS
from scenarios.soak.region import LOOK_S, Region
from schemas.errors import LinkError
from schemas.frames import Lookup, write_frame
from schemas.report import Passage, Portion, PortionContent
from transport.link import Link
from transport.simloop import running_simulation

_FLOOD_WHY: Final = Why(act="report", order="soak", reason="as much as it can", cause="")
_AT_ONCE: Final = 24  # publishes of a raw client that are under way; more than the limit ends its session
_SESSIONS_MOST: Final = 20  # that a raw client opens; its agency's own node ends them again and again
_LOOKUPS: Final = 64  # in one frame of a greedy reader; each is answered with the keys of the whole region


class Strangers:
    """Carries out what is hostile in a plan, but for the router's own part.

    Args:
        region: Where.
        door: What agencies have signed lately.
        chance: Their own stream.
    """

    def __init__(self, region: Region, door: Door, *, chance: Random) -> None:
        self._region = region
        self._door = door
        self._chance = chance

    def begin(self, acts: Iterable[object]) -> None:
        """Have every act fall due."""
        loop = running_simulation()
        for act in acts:
            if isinstance(act, Flood | Poison | Slow):
                loop.call_later(act.at_ms / 1_000, partial(self._strike, act))
            else:
                assert isinstance(act, RouterHostility)

    def _strike(self, act: Flood | Poison | Slow) -> None:
        region = self._region
        region.ghost.saw(f"hostile {act.kind}")
        match act:
            case Poison():
                for _ in range(act.times):
                    frame = poison(act.form, act.direction, chance=self._chance)
                    if region.net.forge(act.agency, act.direction, frame):
                        region.ghost.saw(f"poison {act.direction} {act.form}")
                        if frame == ACK_OF_ALL:
                            region.ghost.losses.acked_unread.add(act.agency)
            case Flood():
                work = self._flood_desk(act) if act.how == "desk" else self._flood_raw(act)
                region.tasks.create_task(work, name=f"flood-{act.agency}")
            case Slow():
                region.tasks.create_task(self._read_slowly(act), name=f"slow-{act.agency}")
            case _:
                assert_never(act)

    # Floods.

    async def _flood_desk(self, act: Flood) -> None:
        """Release one small report after the other, for as long as the node lives."""
        life = self._region.nodes[act.agency]
        node = life.node
        if node is None:
            return
        reader = next(agency for agency in AGENCIES if agency != act.agency)
        for number in range(act.messages):
            content = PortionContent("EXERCISE", "A flood", (Passage(f"f{number}", "Once more."),))
            draft = Draft(portions=(Portion(LABELS[0], content),), to=(reader,), why=_FLOOD_WHY)
            await self._region.until_dead(life, self._release(node.release(draft)))
            if life.node is not node:
                return

    async def _release(self, work: object) -> None:
        released = await work  # type: ignore[misc] # a coroutine, which ``until_dead`` wants without a result
        if released.hid is not None:
            self._region.ghost.accepted.add(released.hid.hex())

    async def _flood_raw(self, act: Flood) -> None:
        """Send what the agency has signed, again and again, past every limit of its node."""
        frame = self._door.signed.get(act.agency)
        left = act.messages
        for _ in range(_SESSIONS_MOST):
            if frame is None or left <= 0:
                return
            with suppress(LinkError):
                async with self._region.net.connect(act.agency)() as link:
                    while left > 0:
                        left -= _AT_ONCE
                        if not await self._send_at_once(link, [frame] * _AT_ONCE):
                            break
            await asyncio.sleep(LOOK_S)

    async def _send_at_once(self, link: Link, frames: list[bytes]) -> bool:
        """Send frames all at once; False if the link has ended. That one was not taken is no reason to stop."""
        ended = False

        async def send(frame: bytes) -> None:
            nonlocal ended
            try:
                await link.send(frame)
            except LinkError as error:
                ended = ended or "did not take" not in str(error)

        async with asyncio.TaskGroup() as tasks:
            for number, frame in enumerate(frames):
                tasks.create_task(send(frame), name=f"flood-send-{number}")
        return not ended

    # Slow readers.

    async def _read_slowly(self, act: Slow) -> None:
        line = self._region.net.line(act.agency)["down"]
        line.bytes_per_s = act.bytes_per_s
        async with asyncio.TaskGroup() as tasks:
            greedy = tasks.create_task(self._ask_for_more(act), name=f"greedy-{act.agency}") if act.greedy else None
            await asyncio.sleep(act.lasts_ms / 1_000)
            line.bytes_per_s = 0
            if greedy is not None:
                greedy.cancel()

    async def _ask_for_more(self, act: Slow) -> None:
        """Ask for the keys of everybody, over and over, on a session of its own."""
        frame = write_frame((Lookup("lookup", AGENCIES),) * _LOOKUPS)
        with suppress(LinkError):
            async with self._region.net.connect(act.agency)() as link:
                # Not one after the other: what acknowledges a frame waits behind what the one before has asked for.
                while await self._send_at_once(link, [frame] * _AT_ONCE):
                    pass
