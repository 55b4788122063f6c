"""What a desk does about joint products: it shows one, signs or refuses, takes back, and sees to the answers.

Part of a seat (scenarios/desk.py), which says when and by which order.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from agencies.bots import StandingOrder
from agencies.conditions import Sighting
from agencies.drafts import Draft, Why
from agencies.node import Node
from agencies.outgoing import Released
from agencies.writing import Written
from scenarios.clock import ExerciseClock
from schemas.errors import SealError

_TRY_AGAIN_MS: Final = 60_000  # a verdict that a settlement waits for takes seconds, unless the link is down
_TRIES_MAX: Final = 60  # an hour: no outage of a link in a pack that is meant to end well lasts longer


class DeskJoint:
    """The joint products of one desk.

    Args:
        node: The agency's node.
        clock: Exercise time.
        in_play: Whether play still goes on; after ENDEX nobody acts.
        sent: Told of what went to its readers, with the standing order that began it.
    """

    def __init__(
        self, *, node: Node, clock: ExerciseClock, in_play: Callable[[], bool], sent: Callable[[str, Released], None]
    ) -> None:
        self._node = node
        self._clock = clock
        self._in_play = in_play
        self._sent = sent
        self._led: dict[bytes, str] = {}  # the order that began each product
        self._signed: dict[str, bytes] = {}  # what each standing order signed

    async def show(self, order: StandingOrder, written: Written, why: Why) -> None:
        """Show a product to its co-signers.

        Raises:
            SealError: As ``JointActs.show``.
        """
        draft = Draft(portions=written.portions, to=order.to, why=why, quotes=written.quotes)
        needed = len(order.cosigners) if order.needs is None else order.needs
        released = await self._node.joint.show(draft, order.cosigners, needed)
        if released.hid is not None:
            self._led[released.hid] = order.order

    async def answer(self, order: StandingOrder, causes: tuple[Sighting, ...], why: Why) -> None:
        """Sign, refuse or take back, as an order says.

        Raises:
            SealError: If nothing asks for it, or as ``JointActs.cosign``.
        """
        asked = [bytes.fromhex(cause.cause) for cause in causes if cause.word == "cosign_asked"]
        if order.do == "withdraw":
            asked = [hid for name, hid in self._signed.items() if name == order.withdraws]
        if not asked:
            msg = f"order {order.order} finds no joint product that it could answer"
            raise SealError(msg, remedy="have it wait for cosign_asked, or name in withdraws an order that has signed")
        for hid in asked:
            if order.do == "withdraw":
                await self._node.joint.withdraw(hid, why)
            elif order.do == "refuse_cosign":
                await self._node.joint.refuse(hid, why)
            else:
                await self._node.joint.cosign(hid, why)
                self._signed[order.order] = hid

    def leads(self, hid: bytes) -> bool:
        """Tell whether a message is a joint product that this desk has shown to co-signers."""
        return hid in self._led

    async def settle(self, hid: bytes, *, tried: int = 0) -> None:
        """Do what the answers to a product that this desk leads call for; tried again while a verdict is awaited."""
        if not self._in_play():
            return
        try:
            released = await self._node.joint.settle(hid)
        except SealError as error:
            if tried >= _TRIES_MAX:
                await self._node.note("acted", act="joint", order="", reason=f"not done: {error}", cause=hid.hex())
                return
            again = partial(self.settle, hid, tried=tried + 1)
            self._clock.at(self._clock.now_ms() + _TRY_AGAIN_MS, again)
            return
        order = self._led.get(hid, "")
        if released is None or released.hid is None:
            return
        self._led[released.hid] = order
        if not await self._node.joint.is_asked(released.hid):
            self._sent(order, released)
