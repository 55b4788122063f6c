"""What a simulated desk does under a life-safety authority: it tells position and danger of a report that has come.

The order says it all; nothing is taken from the report but that there is one.
"""

from agencies.bots import PlannedAct
from agencies.conditions import Sighting
from agencies.drafts import OverrideDraft, Why
from agencies.node import Node
from agencies.outgoing import Released
from schemas.errors import SealError
from schemas.workflow import OverrideContent


async def override(node: Node, planned: PlannedAct, causes: list[Sighting], why: Why, *, now_ms: int) -> Released:
    """Override the report that set an order off.

    Args:
        node: The agency's node.
        planned: The order, as it is to be carried out.
        causes: The messages that set it off.
        why: For the record.
        now_ms: Exercise time, Unix ms.

    Raises:
        SealError: If no report set it off, or this agency may not override it.
    """
    order, terms = planned.order, planned.order.override
    if terms is None or not causes:
        msg = f"order {order.order} overrides no report that has come"
        raise SealError(msg, remedy="have it wait for report_received")
    content = OverrideContent(
        marking="EXERCISE",
        office=terms.office,
        danger=terms.danger,
        latitude_micro=terms.latitude_micro,
        longitude_micro=terms.longitude_micro,
        radius_m=terms.radius_m,
        at=now_ms,
        line=terms.line,
    )
    return await node.override(
        OverrideDraft(
            ref=bytes.fromhex(causes[0].cause),
            authority=terms.authority,
            content=content,
            to=order.to,
            affected=terms.affected,
            why=why,
        )
    )
