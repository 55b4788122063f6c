"""What a desk does about consent: it asks an originator, and as one it decides and releases again.

Part of a seat (scenarios/desk.py), which says when and by which order. A refusal may have to hide that there is
anything to refuse (H15): then the asker reads what it would read of a report that does not exist.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from agencies.bots import PlannedAct, StandingOrder
from agencies.drafts import Why, WorkflowDraft
from agencies.incoming import Arrival
from agencies.node import Node
from agencies.outgoing import Released
from policy.explain import NO_SUCH_REPORT
from scenarios.clock import ExerciseClock
from schemas.workflow import DecisionContent, RequestContent


class DeskConsent:
    """The requests and decisions of one desk.

    Args:
        node: The agency's node.
        clock: Exercise time.
        sent: Told of what a grant released, with the standing order that decided.
    """

    def __init__(self, *, node: Node, clock: ExerciseClock, sent: Callable[[str, Released], None]) -> None:
        self._node = node
        self._clock = clock
        self._sent = sent
        self._requests: dict[str, Arrival] = {}

    def take(self, arrival: Arrival) -> None:
        """Take a request that has come; an order may decide on it."""
        self._requests[arrival.hid.hex()] = arrival

    async def request(self, order: StandingOrder, why: Why) -> None:
        """Ask each originator that an order names; raises as ``Node.send_workflow``."""
        now_ms = self._clock.now_ms()
        answer_by = now_ms + order.answer_within_ms
        until = None if order.wanted_for_ms is None else now_ms + order.wanted_for_ms
        reader = order.reader or self._node.agency
        for originator in order.to:
            content = RequestContent("EXERCISE", reader, 0, order.subject, order.why, answer_by, until)
            draft = WorkflowDraft(kind="request", content=content, to=originator, ref=None, why=why)
            noted = {"originator": originator, "subject": order.subject, "reader": reader, "answer_by_ms": answer_by}
            await self._node.send_workflow(draft, **noted, order=order.order)

    async def decide(self, planned: PlannedAct, released: Mapping[str, bytes], why: Why) -> None:
        """Decide on the requests that set an act off; raises as ``Node.send_workflow``.

        Args:
            planned: With the order.
            released: What each standing order has sent.
            why: For the record.
        """
        for cause in planned.causes:
            request = self._requests.get(cause.cause)
            asked = request.contents[0][1] if request is not None else None
            if request is not None and isinstance(asked, RequestContent):
                await self._decide(planned.order, request, asked, released, why)

    async def _decide(
        self, order: StandingOrder, request: Arrival, asked: RequestContent, released: Mapping[str, bytes], why: Why
    ) -> None:
        if order.outcome is None:
            return
        granted = released.get(order.grants or "") if order.outcome == "grant" else None
        permitted = anew = asked.bits
        if granted is not None:
            permitted, anew = await self._node.grantable(granted, asked.reader)
        # Who asks for somebody else will hand on what it has, also to a reader that holds the original by now.
        for_another = asked.reader != request.originator
        content = DecisionContent(
            *("EXERCISE", asked.reader, order.outcome),
            permitted if for_another else anew,
            # "A decision that hides what it refuses MUST have ... no `conditions`": nothing was there to be under any.
            *(("", NO_SUCH_REPORT.headline) if order.conceals else (order.conditions, order.why)),
            expires=None if granted is None else self._grant_ends(order, asked),
            granted=granted,
        )
        draft = WorkflowDraft(kind="decision", content=content, to=request.originator, ref=request.hid, why=why)
        noted = _noted(order, asked, content)
        await self._node.send_workflow(draft, **noted)
        if for_another and anew and (content.expires is not None or self._is_partner(asked.reader)):
            # The end of the grant binds its reader's node, so that has to know of it too, and of nothing that the
            # reader had before: that stays. A partner holds the decision as the word that the members were asked.
            copy = replace(draft, content=content._replace(bits=anew), to=asked.reader, ref=None)
            await self._node.send_workflow(copy, copy=True, **noted)
        if granted is not None and (anew or not permitted):
            self._sent(order.order, await self._node.release_again(granted, {asked.reader: 0}, why))

    def _is_partner(self, reader: str) -> bool:
        agency = self._node.core.community.agency(reader)
        return agency is not None and agency.kind == "partner"

    def _grant_ends(self, order: StandingOrder, asked: RequestContent) -> int | None:
        """Return when a grant ends, Unix ms: when the order says, and no later than it was wanted."""
        lasts = None if order.expires_after_ms is None else self._clock.now_ms() + order.expires_after_ms
        return min((at for at in (lasts, asked.until) if at is not None), default=None)


def _noted(order: StandingOrder, asked: RequestContent, content: DecisionContent) -> dict[str, Any]:
    """Return what the originator's own record says of a decision: the reason too that its asker is not told."""
    noted: dict[str, Any] = {
        "reader": asked.reader,
        "outcome": content.outcome,
        "reason": order.why,
        "conditions": order.conditions,
        "subject": asked.subject,
    }
    if content.expires is not None:
        noted["expires_ms"] = content.expires
    if order.conceals:
        noted["concealed"] = True
    return noted
