"""Desks that make something of what has come to them, and take it back when what they made it from is recalled."""

import asyncio

from agencies.drafts import Draft
from agencies.node import Node
from agencies.notices import Notice
from agencies.writing import write_product
from scenarios.simulated_region import node_database
from scenarios.soak.desk_book import Book, why, writing
from scenarios.soak.ghost_orders import Made
from scenarios.soak.workflow import Product

_RECALL_TRIES = 60  # two minutes: longer than a partition lasts


class ProductDesks:
    """The products of one run.

    Args:
        book: What the desks have in common.
    """

    def __init__(self, book: Book) -> None:
        self._book = book
        self._tainted: set[tuple[str, bytes]] = set()

    def begin(self, story: Product) -> None:
        """Make a product, as soon as something of its parents is there."""

        async def make(node: Node) -> bool:
            return await self.hand_on(node, f"product-{story.number}", story.parents, story.to, number=story.number)

        self._book.begin(self._book.until_done(story.author, make), name=f"makes-{story.number}")

    async def hand_on(
        self, node: Node, order: str, parents: tuple[int, ...], to: tuple[str, ...], *, number: int
    ) -> bool:
        """Release a product of what a node holds; False if it holds nothing yet."""
        ghost = self._book.ghost
        if order in ghost.reports.made:
            return True  # before the node died
        sources = await self._book.sources(node, parents)
        if not sources:
            return False
        community = node.core.community
        written = write_product(
            sources, writing(order, f"Report {number}, made"), lambda passages, _: frozenset(passages),
            author=node.agency, community=community,
        )  # fmt: skip
        ghost.reports.orders[order] = Made(author=node.agency, quotes=written.quotes, covers=ghost.consents.covers)
        released = await node.release(
            Draft(portions=written.portions, to=to, why=why("forward", order), quotes=written.quotes)
        )
        ghost.saw("product released" if released.hid is not None else "product denied")
        return True

    def told(self, agency: str, notice: Notice) -> None:
        """Take in that a recall has tainted what this agency made."""
        for product in notice.products:
            if (agency, product) not in self._tainted:
                self._tainted.add((agency, product))
                self._book.begin(self._take_back(agency, product), name=f"takes-back-{agency}")

    async def _take_back(self, agency: str, product: bytes) -> None:
        made = self._book.ghost.reports.order_of.get(product.hex(), "")
        stories = [item for item in self._book.region.plan.workflow if isinstance(item, Product)]
        waits_ms = next((item.recalls_after_ms for item in stories if made == f"product-{item.number}"), 1_000)
        await asyncio.sleep(waits_ms / 1_000)

        async def take_back(node: Node) -> bool:
            if not self._is_kept(agency, product):
                return True
            return (await node.recall(product, why("recall", ""))).hid is not None

        await self._book.until_done(agency, take_back, tries=_RECALL_TRIES)
        # A disk that is put back may have forgotten it; the recall comes again then, and so does this.
        self._tainted.discard((agency, product))

    def _is_kept(self, agency: str, hid: bytes) -> bool:
        sql = self._book.region.disk.connection(node_database(agency))
        return sql.execute("SELECT 1 FROM sealed WHERE hid = ? AND packed != x''", (hid,)).fetchone() is not None
