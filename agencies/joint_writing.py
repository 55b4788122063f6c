"""How a desk writes a joint product: its own part as it is, and a part for each report that others contributed.

Pure. Each part keeps the label of what it was made from and names its parent, so that its originator keeps the veto
over it, and so that it can be left out again.
"""

from collections.abc import Sequence
from dataclasses import replace

from agencies.bots import StandingOrder
from agencies.drafts import Quote
from agencies.writing import Keep, Source, Written, write_product, write_report
from policy.community import Community
from schemas.errors import SealError
from schemas.report import Portion


def write_joint(
    material: Sequence[Portion],
    sources: Sequence[Source],
    order: StandingOrder,
    keep: Keep,
    *,
    author: str,
    community: Community,
) -> Written:
    """Write a product of one portion for each portion that it is made from.

    Args:
        material: What the author knows by itself, from injects.
        sources: What the others have reported.
        order: The standing order; its title and label are not used, since each part keeps its own.
        keep: The passages that are kept.
        author: The lead.
        community: The bundle in force.

    Raises:
        SealError: If nothing is left.
    """
    plain = replace(order, title=None, label=None)
    portions: list[Portion] = []
    quotes: list[Quote] = []
    if material:
        portions += write_report(material, plain, keep).portions
    for source in sources:
        if set(source.content.passages) & keep(source.content.passages, plain):
            written = write_product([source], plain, keep, author=author, community=community)
            portions += written.portions
            quotes += written.quotes
    if not portions:
        msg = f"order {order.order} keeps nothing of what was contributed"
        raise SealError(msg, remedy="name at least one fact of the contributions under keep")
    return Written(portions=tuple(portions), quotes=tuple(quotes))
