"""What the desks of a run have in common: the messages that the plan numbers, patience, and the way to their nodes.

A desk that lost its node in the middle of something does not know whether it was done. It looks at what is on disk,
and does it again only if it was not; that is what a person would do who comes back to the screen.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from agencies.bots import StandingOrder
from agencies.conditions import Condition
from agencies.drafts import Why
from agencies.node import Node
from agencies.writing import Source
from scenarios.soak.plan import Plan
from scenarios.soak.region import LOOK_S, Region
from scenarios.soak.workflow import Joint, Product
from schemas.errors import SealError
from schemas.report import Passage, PortionContent

TRIES: Final = 20
_APART_S: Final = 2 * LOOK_S
_NUMBER: Final = re.compile(r"Report (\d+)")

Act = Callable[[Node], Awaitable[bool]]
"""Something that a desk does: returns whether it need not be tried again."""


class Book:
    """The common part of the desks of one run.

    Args:
        region: Where they sit.
    """

    def __init__(self, region: Region) -> None:
        self.region = region
        self.ghost = region.ghost
        self.hids: dict[int, bytes] = {}  # of the plan's messages and products
        self.over = False  # they have gone home
        self._authors = _authors(region.plan)

    def author(self, number: int) -> str | None:
        """Return who writes a message or product of the plan."""
        return self._authors.get(number)

    def hid(self, number: int) -> bytes | None:
        """Return a message or product of the plan, once it is there."""
        made = self.ghost.reports.made.get(f"product-{number}")
        return bytes.fromhex(made) if made is not None else self.hids.get(number)

    def now_ms(self, agency: str) -> int:
        """Return the time by an agency's own clock, Unix ms."""
        return self.region.nodes[agency].clock.now_ms()

    def begin(self, work: Coroutine[Any, Any, object], *, name: str) -> None:
        """Have somebody at a desk do something; not after the end."""
        if self.over:
            work.close()
        else:
            self.region.tasks.create_task(_only(work), name=f"desk-{name}")

    async def until_done(self, agency: str, act: Act, *, tries: int = TRIES) -> bool:
        """Do something at a node, again and again until it is done; False if it never was."""
        for _ in range(tries):
            life, done = self.region.nodes[agency], [False]
            if life.node is not None:
                await self.region.until_dead(life, self._once(act, life.node, done))
            if done[-1] or tries == 1:
                return done[-1]
            await asyncio.sleep(_APART_S)
        self.ghost.saw("desk gave up")
        return False

    async def _once(self, act: Act, node: Node, done: list[bool]) -> None:
        try:
            done.append(await act(node))
        except SealError:
            self.ghost.saw("desk told to wait")

    async def sources(self, node: Node, numbers: tuple[int, ...]) -> list[Source]:
        """Return what a node holds of messages and products of the plan, to be quoted."""
        found: list[Source] = []
        for number in numbers:
            hid = self.hid(number)
            sent = None if hid is None else self.ghost.sent.get(hid.hex())
            if hid is None or sent is None:
                continue
            found += [
                Source(
                    hid=hid, place=portion.place, commitment=portion.commitment, originator=sent.author,
                    label=portion.label, content=portion.content,
                )
                for portion in await node.portions(hid)
                if isinstance(portion.content, PortionContent)
            ]  # fmt: skip
        return found


def why(act: str, order: str) -> Why:
    """Return the reason of everything that is done in a soak."""
    return Why(act=act, order=order, reason="the plan says so", cause="")


def content(number: int, place: int) -> PortionContent:
    """Return a text that names the part of the plan that it belongs to."""
    title = f"Report {number}, part {place}"
    return PortionContent("EXERCISE", title, (Passage(f"m{number}-{place}", f"{title}. "),))


def number_in(text: str) -> int | None:
    """Return which part of the plan a title or subject names."""
    found = _NUMBER.match(text)
    return None if found is None else int(found.group(1))


def writing(order: str, title: str | None) -> StandingOrder:
    """Return an order to keep all of what is quoted."""
    return StandingOrder(
        order=order, on=Condition(), do="forward", to=(), label=None, title=title, keep=None, corrects=None,
        subject="", answer_within_ms=0, outcome=None, conditions="", grants=None, after=None, why="", once=True,
    )  # fmt: skip


def _authors(plan: Plan) -> dict[int, str]:
    authors = {message.number: message.agency for message in plan.messages}
    for story in plan.workflow:
        match story:
            case Product():
                authors[story.number] = story.author
            case Joint():
                authors[story.number] = story.lead
            case _:
                pass
    return authors


async def _only(work: Coroutine[Any, Any, object]) -> None:
    await work
