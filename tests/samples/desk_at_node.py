"""A person's desk at a node of a small region, as the console sets it up, but without its folder of acts."""

from console.desk_work import DeskWork
from tests.samples.small_nodes import SmallRegion


def work_of(region: SmallRegion, agency: str) -> DeskWork:
    node = region.nodes[agency]

    def is_done(cause: str) -> bool:
        return any(entry.fields["cause"] == cause for entry in region.journal(agency, "intended"))

    return DeskWork(node=node, on_disk=node._turns.run, clock=region.clock, is_done=is_done)
