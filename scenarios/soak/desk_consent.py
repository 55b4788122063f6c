"""Desks that ask an originator for consent, and those of the originator, who grant, refuse, or say nothing."""

import asyncio
from typing import Final

from agencies.drafts import WorkflowDraft
from agencies.incoming import Arrival
from agencies.node import Node
from scenarios.soak.desk_book import Book, number_in, why
from scenarios.soak.desk_products import ProductDesks
from scenarios.soak.ghost_consent import Given
from scenarios.soak.ghost_orders import Granted
from scenarios.soak.workflow import Consent
from schemas.workflow import DecisionContent, RequestContent

_REASON: Final = "Report reason: the plan says so"


class ConsentDesks:
    """The requests and decisions of one run.

    Args:
        book: What the desks have in common.
        products: Hand on what was granted.
    """

    def __init__(self, book: Book, products: ProductDesks) -> None:
        self._book = book
        self._products = products
        self._stories = {item.number: item for item in book.region.plan.workflow if isinstance(item, Consent)}
        self._seen: set[tuple[str, bytes]] = set()
        self._deciding: dict[tuple[int, str], asyncio.Lock] = {}

    def begin(self, story: Consent) -> None:
        """Ask."""
        originator = self._book.author(story.message)
        if originator is not None and originator not in {story.asker, story.reader}:
            self._book.begin(self._ask(story, originator), name=f"asks-{story.number}")

    def arrived(self, agency: str, arrival: Arrival) -> None:
        """Take up a request, or a decision on one."""
        if (agency, arrival.hid) in self._seen:
            return
        self._seen.add((agency, arrival.hid))
        for _, content in arrival.contents:
            match content:
                case RequestContent():
                    story = self._stories.get(number_in(content.subject) or 0)
                    if story is not None and story.decides != "silent":
                        work = self._decide(story, agency, arrival.originator, arrival.hid)
                        self._book.begin(work, name=f"decides-{story.number}")
                case DecisionContent() if arrival.ref is not None and content.outcome == "grant":
                    subject = self._book.ghost.consents.subjects.get(arrival.ref.hex(), "")
                    story = self._stories.get(number_in(subject) or 0)
                    if story is not None and story.hands_on_ms is not None:
                        self._book.begin(self._hand_on(story), name=f"hands-on-{story.number}")
                case _:
                    pass

    async def _ask(self, story: Consent, originator: str) -> None:
        subject = f"Report {story.number} is wanted"
        if story.hands_on_ms is not None:
            await self._book.until_done(story.asker, lambda node: self._try(node, story, "early"), tries=1)

        async def ask(node: Node) -> bool:
            if subject in self._book.ghost.consents.subjects.values():
                return True  # before the node died
            answer_by = self._book.now_ms(story.asker) + story.answer_within_ms
            request = RequestContent("EXERCISE", story.reader, 0, subject, _REASON, answer_by)
            draft = WorkflowDraft(
                kind="request", content=request, to=originator, ref=None, why=why("request", f"request-{story.number}")
            )
            await node.send_workflow(
                draft, originator=originator, subject=subject, reader=story.reader, answer_by_ms=answer_by
            )
            self._book.ghost.saw("consent requested")
            return True

        await self._book.until_done(story.asker, ask)

    async def _decide(self, story: Consent, originator: str, asker: str, request: bytes) -> None:
        await asyncio.sleep(story.after_ms / 1_000)
        # One after the other: what is granted to a reader depends on what it was given before.
        async with self._deciding.setdefault((story.message, story.reader), asyncio.Lock()):
            await self._decide_now(story, originator, asker, request)

    async def _decide_now(self, story: Consent, originator: str, asker: str, request: bytes) -> None:
        order, hid = f"consent-{story.number}", self._book.hid(story.message)
        consents = self._book.ghost.consents

        async def decide(node: Node) -> bool:
            if consents.has_decided(request.hex()):
                return True
            granted = hid if story.decides == "grant" else None
            bits = 0 if granted is None else (await node.grantable(granted, story.reader))[1]
            if not bits:
                granted = None  # it has all that it may have, or the report was recalled
            expires = None
            if granted is not None and story.lasts_ms is not None:
                expires = self._book.now_ms(originator) + story.lasts_ms
            decision = DecisionContent(
                "EXERCISE", story.reader, "refuse" if granted is None else "grant", bits, "", _REASON, expires, granted
            )
            consents.means.pop(order, None)
            if granted is not None:
                consents.means[order] = Given(
                    request=request.hex(), hid=granted, bits=bits, originator=originator, asker=asker,
                    reader=story.reader, expires=expires,
                )  # fmt: skip
            draft = WorkflowDraft(kind="decision", content=decision, to=asker, ref=request, why=why("decide", order))
            await node.send_workflow(draft, order=order, request=request.hex(), asker=asker, copy=False)
            self._book.ghost.saw("consent refused" if granted is None else "consent granted")
            return True

        if await self._book.until_done(originator, decide) and order in consents.means:
            await self._carry_out(order, consents.means[order])

    async def _carry_out(self, order: str, given: Given) -> None:
        """Tell the reader of the grant's end, if it has one, and release to it what was granted."""
        ghost = self._book.ghost
        decision = DecisionContent("EXERCISE", given.reader, "grant", given.bits, "", _REASON, given.expires, given.hid)
        draft = WorkflowDraft(kind="decision", content=decision, to=given.reader, ref=None, why=why("decide", order))

        async def tell(node: Node) -> bool:
            if ghost.consents.has_told(order):
                return True
            await node.send_workflow(draft, order=order, request=given.request, asker=given.asker, copy=True)
            return True

        async def release(node: Node) -> bool:
            if order in ghost.reports.made:
                return True
            if given.expires is not None and self._book.now_ms(given.originator) >= given.expires:
                ghost.saw("grant over before it was carried out")
                return True
            ghost.reports.orders[order] = Granted(bits=given.bits)
            released = await node.release_again(given.hid, {given.reader: given.bits}, why("decide", order))
            if released.hid is not None:
                ghost.saw("released under a grant")
            return released.hid is not None or "KEY-EPOCH" not in released.left_out.values()

        if given.expires is None or given.reader == given.asker or await self._book.until_done(given.originator, tell):
            await self._book.until_done(given.originator, release)

    async def _hand_on(self, story: Consent) -> None:
        await asyncio.sleep((story.hands_on_ms or 0) / 1_000)
        await self._book.until_done(story.asker, lambda node: self._try(node, story, "hand-on"), tries=5)

    async def _try(self, node: Node, story: Consent, word: str) -> bool:
        order = f"{word}-{story.number}"
        return await self._products.hand_on(node, order, (story.message,), (story.reader,), number=story.number)
