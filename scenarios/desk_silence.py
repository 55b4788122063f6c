"""What a desk does about silence procedures: it puts something to all members, and objects to what was put to it.

Part of a seat (scenarios/desk.py), which says when and by which order.
"""

from collections.abc import Mapping

from agencies.bots import PlannedAct
from agencies.drafts import ProposalDraft, Why
from agencies.node import Node
from agencies.notices import Notice
from scenarios.clock import ExerciseClock
from schemas.errors import SealError


class DeskSilence:
    """The silence procedures of one desk.

    Args:
        node: The agency's node.
        clock: Exercise time.
    """

    def __init__(self, *, node: Node, clock: ExerciseClock) -> None:
        self._node = node
        self._clock = clock
        self._opened: dict[bytes, str] = {}  # which standing order opened which procedure

    async def act(self, planned: PlannedAct, released: Mapping[str, bytes], why: Why) -> None:
        """Put something to the members, or object; raises as ``SilenceActs``."""
        if planned.order.do == "object":
            for cause in planned.causes:
                if cause.word == "proposal_received":
                    await self._node.silence.object_to(bytes.fromhex(cause.cause), why)
            return
        order = planned.order
        message = None if order.releases is None else released.get(order.releases)
        if order.releases is not None and message is None:
            msg = f"order {order.releases} sent nothing that could be let go"
            raise SealError(msg, remedy="put it to the members once it has been released to them")
        draft = ProposalDraft(
            mechanism=order.among,
            subject=order.subject,
            object_by=self._clock.now_ms() + order.answer_within_ms,
            why=why,
            message=message,
            reader=order.reader or "",
        )
        sent = await self._node.silence.propose(draft)
        if sent.hid is not None:
            self._opened[sent.hid] = order.order

    def order_of(self, notice: Notice) -> str | None:
        """Return the standing order that opened the procedure of which a notice tells."""
        return self._opened.get(notice.hid or b"")
