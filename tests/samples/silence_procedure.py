"""A small community in which a product can be put to the members of a mechanism, and what came of it.

The tests of the node and those of a person's desk put and answer the same proposals.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from agencies.drafts import ProposalDraft
from conformance import world
from schemas.bundle import Membership
from tests.samples.small_nodes import WHY, SmallRegion, draft, hid_of, small_region

FIRST: Final = world.LABEL._replace(tlp="GREEN", precedence="FLASH", caveats=("MEMBERS-FIRST:our-eyes",))
ALL: Final = ("alpha", "bravo", "charlie", "delta")
HOUR_MS: Final = 3_600_000
BUNDLE: Final = world.BUNDLE._replace(
    mechanisms=tuple(
        item._replace(
            memberships=tuple(Membership(state, "member", world.KEYS_FROM) for state in ("IDN", "MYS", "SGP"))
        )
        if item.mechanism == "our-eyes"
        else item
        for item in world.BUNDLE.mechanisms
    )
)


@asynccontextmanager
async def members(folder: Path, *agencies: str) -> AsyncGenerator[SmallRegion, None]:
    """Run nodes in a community where alpha, bravo and charlie are members of the mechanism and delta is a partner."""
    async with small_region(folder, *agencies) as region:
        region.router.core.install(BUNDLE)
        for node in region.nodes.values():
            node.core.install(BUNDLE)
        yield region


async def put(region: SmallRegion) -> tuple[bytes, bytes]:
    """Release a product to the members and put its release to delta to them; returns product and proposal."""
    alpha = region.nodes["alpha"]
    product = hid_of(await alpha.release(draft("Product", "bravo", "charlie", label=FIRST)))
    await region.settle()
    proposed = await alpha.silence.propose(
        ProposalDraft(
            mechanism="our-eyes", subject="The product goes to delta", object_by=world.NOW + HOUR_MS, why=WHY,
            message=product, reader="delta",
        )
    )  # fmt: skip
    await region.settle()
    return product, hid_of(proposed)


async def wait_for_the_end(region: SmallRegion) -> None:
    region.set_clock(world.NOW + HOUR_MS + 1)
    await region.nodes["alpha"].look_for_overdue()


def ends(region: SmallRegion) -> list[tuple[str, list[str], list[str]]]:
    return [
        (entry.fields["outcome"], entry.fields["objectors"], entry.fields["absent"])
        for entry in region.journal("alpha", "silence_over")
    ]
