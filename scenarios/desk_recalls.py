"""What a desk does about recalls: it takes back what it sent, and what it made from what others have taken back.

A desk without an order for it recalls a tainted product as soon as it has decided to: that is what H13 expects of
everybody. An order on ``tainted`` says otherwise (``do: hold`` keeps the product), or sooner or later.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from agencies.bots import Bot, PlannedAct
from agencies.drafts import Why
from agencies.node import Node
from agencies.notices import Notice
from scenarios.clock import ExerciseClock
from schemas.errors import SealError


class DeskRecalls:
    """The recalls of one desk.

    Args:
        node: The agency's node.
        bot: Who sits there.
        clock: Exercise time.
        in_play: Whether play still goes on.
    """

    def __init__(self, *, node: Node, bot: Bot, clock: ExerciseClock, in_play: Callable[[], bool]) -> None:
        self._node = node
        self._bot = bot
        self._clock = clock
        self._in_play = in_play
        self._tainted: dict[str, tuple[bytes, ...]] = {}  # our products, by the recalled message

    def take(self, notice: Notice) -> None:
        """Take a recall that has come; unless an order is for that, its products are recalled after a while."""
        cause = (notice.hid or b"").hex()
        fresh = tuple(product for product in notice.products if product not in self._tainted.get(cause, ()))
        self._tainted[cause] = (*self._tainted.get(cause, ()), *fresh)
        if fresh and not self._bot.waits_for("tainted"):
            why = Why(act="recall", order="", reason="what it was made from was recalled", cause=cause)
            at_ms = self._clock.now_ms() + self._bot.deciding_ms()
            self._clock.at(at_ms, partial(self._recall_unasked, fresh, why))

    async def act(self, planned: PlannedAct, released: Mapping[str, bytes], why: Why) -> None:
        """Carry out an order to recall.

        Args:
            planned: With the order, and what set it off.
            released: What each standing order has sent.
            why: For the record.

        Raises:
            SealError: If there is nothing to recall.
        """
        named = planned.order.recalls
        if named is None:
            hids = tuple(hid for cause in planned.causes for hid in self._tainted.get(cause.cause, ()))
        else:
            hids = (released[named],) if named in released else ()
        if not hids:
            msg = f"order {planned.order.order} finds nothing to recall"
            raise SealError(msg, remedy="name an order that has sent a report under recalls, or act on tainted")
        await self._recall(hids, why)

    async def _recall_unasked(self, hids: Sequence[bytes], why: Why) -> None:
        if not self._in_play():
            return
        try:
            await self._recall(hids, why)
        except SealError as error:
            await self._node.note("acted", act="recall", order="", reason=f"not done: {error}", cause=why.cause)

    async def _recall(self, hids: Sequence[bytes], why: Why) -> None:
        for hid in hids:
            await self._node.recall(hid, why)
