"""Desks that make one text together: a lead that shows it and sees to the answers, and those that it names.

A lead looks every few seconds at what it leads, as long as something of it is under way; so an answer that came while
its node was down is seen to as well.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from agencies.drafts import Draft
from agencies.incoming import Arrival
from agencies.joint_writing import write_joint
from agencies.node import Node
from agencies.notices import Notice
from agencies.outgoing import Released
from scenarios.simulated_region import node_database
from scenarios.soak.desk_book import Act, Book, content, why, writing
from scenarios.soak.ghost_orders import Made, Together
from scenarios.soak.reference import LABELS
from scenarios.soak.workflow import Joint, Reply
from schemas.errors import SealError
from schemas.report import Portion

_LOOKS_S: Final = 3.0
_LOOKS_MOST: Final = 60  # three minutes: longer than a partition lasts
_WAITS: Final = 5  # times that a lead waits for the reports of others before it goes without


class JointDesks:
    """The joint products of one run.

    Args:
        book: What the desks have in common.
    """

    def __init__(self, book: Book) -> None:
        self._book = book
        self._stories = {f"joint-{item.number}": item for item in book.region.plan.workflow if isinstance(item, Joint)}
        self._leading: set[str] = set()  # orders whose lead looks at them
        self._news: set[str] = set()  # and of which something has come since it last did
        self._thinking: Counter[str] = Counter()  # co-signers who have not said what they will say
        self._asked: set[tuple[str, bytes]] = set()

    def begin(self, story: Joint) -> None:
        """Show a product to those that it names."""
        order = f"joint-{story.number}"
        self._leading.add(order)
        self._book.begin(self._lead(order, story), name=f"leads-{story.number}")

    def arrived(self, agency: str, arrival: Arrival) -> None:
        """Take up a product that asks for a signature, or an answer to one that this agency leads."""
        asked = arrival.ref if arrival.kind == "cosign" else arrival.hid
        order = self._book.ghost.reports.order_of.get("" if asked is None else asked.hex(), "")
        story = self._stories.get(order)
        if story is None:
            return
        if arrival.kind == "cosign":
            self._look_again(order, story)
        elif arrival.asks_cosignature and (agency, arrival.hid) not in self._asked:
            self._asked.add((agency, arrival.hid))
            reply = next((item for item in story.replies if item.agency == agency), None)
            if reply is not None and reply.word != "silent":
                self._thinking[order] += 1
                self._book.begin(self._reply(order, reply, arrival.hid), name=f"signs-{story.number}")

    def told(self, agency: str, notice: Notice) -> None:
        """Take in that a report which went into a product of this agency was recalled."""
        for product in notice.products:
            order = self._book.ghost.reports.order_of.get(product.hex(), "")
            story = self._stories.get(order)
            if story is not None and story.lead == agency:
                self._look_again(order, story)

    def put_back(self, agency: str) -> None:
        """Have an agency look at what it leads: its node may have forgotten that it released or recalled it."""
        for order, story in self._stories.items():
            if story.lead == agency:
                self._look_again(order, story)

    def leads(self, product: bytes) -> bool:
        """Tell whether a product is a joint one; its lead makes it again and does not only recall it."""
        return self._book.ghost.reports.order_of.get(product.hex(), "") in self._stories

    # The lead.

    def _look_again(self, order: str, story: Joint) -> None:
        self._news.add(order)
        if order not in self._leading:
            self._leading.add(order)
            self._book.begin(self._see_to_answers(order, story, patience_s=0), name=f"leads-{story.number}")

    async def _lead(self, order: str, story: Joint) -> None:
        waits = 0

        async def show(node: Node) -> bool:
            nonlocal waits
            ghost = self._book.ghost
            if order in ghost.reports.made:
                return True
            sources = await self._book.sources(node, story.parts)
            waits += 1
            if len(sources) < len(story.parts) and waits < _WAITS:
                return False
            cosigners = tuple(reply.agency for reply in story.replies)
            written = write_joint(
                [Portion(LABELS[story.label], content(story.number, 0))], sources, writing(order, None),
                lambda passages, _: frozenset(passages), author=node.agency, community=node.core.community,
            )  # fmt: skip
            made = Made(author=node.agency, quotes=written.quotes, covers=ghost.consents.covers)
            ghost.reports.orders[order] = Together(made=made, among=frozenset({*story.to, *cosigners}))
            draft = Draft(portions=written.portions, to=story.to, why=why("joint", order), quotes=written.quotes)
            ghost.joint.needed[order] = story.needed
            await node.joint.show(draft, cosigners, min(story.needed, len(cosigners)))
            ghost.saw("joint product shown")
            return True

        if await self._book.until_done(story.lead, show, tries=2 * _WAITS):
            await self._see_to_answers(order, story, patience_s=story.patience_ms / 1_000)
        self._leading.discard(order)

    async def _see_to_answers(self, order: str, story: Joint, *, patience_s: float) -> None:
        until_s = asyncio.get_running_loop().time() + patience_s
        for _ in range(_LOOKS_MOST):
            await asyncio.sleep(_LOOKS_S)
            self._news.discard(order)
            moved: list[bytes] = []
            looked = await self._try(story.lead, partial(self._settle, order, moved))
            if moved or not looked or self._thinking[order] or asyncio.get_running_loop().time() < until_s:
                continue
            if await self._try(story.lead, lambda node: self._give_up(node, order)) and order not in self._news:
                break
        self._leading.discard(order)

    async def _try(self, agency: str, act: Act) -> bool:
        """Do something once; a node that is down, or has to wait, has done it neither way."""
        return await self._book.until_done(agency, act, tries=1)

    async def _settle(self, order: str, moved: list[bytes], node: Node) -> bool:
        """Do what the answers call for, and put down of which products they called for anything."""
        for hid in await node.joint.led():
            if self._book.ghost.reports.order_of.get(hid.hex()) != order:
                continue
            try:
                released = await node.joint.settle(hid)
            except SealError:
                moved.append(hid)  # a verdict or a key is missing: it is looked at again
                continue
            if released is not None:
                moved.append(hid)
            if released is not None and released.hid is not None:
                self._book.ghost.saw("joint product went on")
        return True

    async def _give_up(self, node: Node, order: str) -> bool:
        """Recall what not enough have signed; tells whether nothing of it is open any more.

        A lead whose clock is wrong finds no key in force of anybody, and so can tell nobody: it tries again.
        """
        for hid in await node.joint.led():
            if self._book.ghost.reports.order_of.get(hid.hex()) != order or not self._is_kept(node.agency, hid):
                continue
            if await node.joint.is_asked(hid):
                if (await node.recall(hid, why("recall", order))).hid is None:
                    return False
                self._book.ghost.saw("joint product given up")
        return True

    def _is_kept(self, agency: str, hid: bytes) -> bool:
        sql = self._book.region.disk.connection(node_database(agency))
        return sql.execute("SELECT 1 FROM sealed WHERE hid = ? AND packed != x''", (hid,)).fetchone() is not None

    # The others.

    async def _reply(self, order: str, reply: Reply, hid: bytes) -> None:
        try:
            await asyncio.sleep(reply.after_ms / 1_000)
            if reply.word == "refuse":
                await self._answer(
                    reply.agency, hid, "refused", lambda node: node.joint.refuse(hid, why("cosign", order))
                )
                return
            await self._answer(reply.agency, hid, "signed", lambda node: node.joint.cosign(hid, why("cosign", order)))
            if reply.later_ms is not None:
                await asyncio.sleep(reply.later_ms / 1_000)
                await self._answer(
                    reply.agency, hid, "withdrawn", lambda node: node.joint.withdraw(hid, why("cosign", order))
                )
        finally:
            self._thinking[order] -= 1

    async def _answer(self, agency: str, hid: bytes, word: str, answer: Callable[[Node], Awaitable[Released]]) -> None:
        async def act(node: Node) -> bool:
            held = await node.joint.held(hid)
            message = node.store.held(hid)
            may = {"signed": "", "refused": "", "withdrawn": "signed"}[word]
            if held is None or message is None or message.recalled or held.answer != may:
                return True  # it was answered, or there is nothing to answer any more
            await answer(node)
            self._book.ghost.saw(f"joint product {word}")
            return True

        await self._book.until_done(agency, act)
