"""Planted bugs of nodes: each is a mistake that somebody could really make, and none is in the product.

A bug is planted by putting another method in the place of a part's own, so it uses names that are nobody else's
business.
"""
# ruff: noqa: SLF001 - see above

import asyncio
from dataclasses import replace
from typing import Any, ClassVar, Final

from agencies.drafts import Draft
from agencies.incoming import Effects
from agencies.node import Node
from agencies.outgoing import Moment
from agencies.preflight import Audience
from agencies.state import Accepted
from scenarios.soak.canaries.sound import Sound
from schemas.frames import Ack, Delivery
from schemas.workflow import ReceiptItem
from transport.seeded import stream

_EARLY_MS: Final = 30_000


class AckBeforeCommit(Sound):
    """The ack leaves when a delivery is read, and the disk gets it a little later."""

    def into_node(self, node: Node) -> None:
        """Plant it in a node."""
        took = node._took

        async def early(messages: tuple[Any, ...]) -> None:
            numbers = [message.dseq for message in messages if isinstance(message, Delivery)]
            if numbers:
                node._control.append(Ack("ack", max(numbers)))
                node._wake.set()
                await asyncio.sleep(0.3)
            await took(messages)

        node._took = early  # type: ignore[method-assign] # see above


class ReceiptBeforeCommit(Sound):
    """The receipt is owed, and sent, before the report it speaks of is on disk."""

    def into_node(self, node: Node) -> None:
        """Plant it in a node."""
        took, store = node._took, node.store

        def owe(envelope: bytes) -> bool:
            now_ms = node._clock.now_ms()
            judged = node.core.judge(envelope, now_ms=now_ms, state=store)
            is_report = isinstance(judged, Accepted) and judged.header.kind == "report"
            if isinstance(judged, Accepted) and is_report:
                bits = sum(1 << portion.place for portion in judged.portions)
                with store.transaction():
                    store.owe_receipt(judged.originator, ReceiptItem(judged.hid, bits, "delivered", now_ms))
                node._owing.set()
            return is_report

        async def early(messages: tuple[Any, ...]) -> None:
            deliveries = tuple(message for message in messages if isinstance(message, Delivery))
            others = tuple(message for message in messages if not isinstance(message, Delivery))
            if others:
                await took(others)  # the originator's key comes in the same frame
            if any([owe(message.envelope) for message in deliveries if message.envelope]):  # noqa: C419 - all are owed
                await asyncio.sleep(2)
            if deliveries:
                await took(deliveries)

        node._took = early  # type: ignore[method-assign] # see above


class NoDedupe(Sound):
    """A delivery that comes twice is taken twice."""

    def into_node(self, node: Node) -> None:
        """Plant it in a node."""
        incoming, store = node._incoming, node.store
        taken = incoming._delivery

        def again(message: Delivery, effects: Effects, moment: Moment) -> None:
            if message.dseq <= store.value("last_dseq"):
                store.keep_value("last_dseq", message.dseq - 1)
            taken(message, effects, moment)

        def forget(originator: str, seq: int) -> bytes | None:
            store._sql.execute("DELETE FROM seen WHERE originator = ? AND seq = ?", (originator, seq))
            return None

        incoming._delivery = again  # type: ignore[method-assign] # see above
        store.seen = forget  # type: ignore[method-assign] # see above


class DedupeWithoutSender(Sound):
    """A sequence number is known again whoever sent it."""

    def into_node(self, node: Node) -> None:
        """Plant it in a node."""
        sql = node.store._sql

        def seen(_originator: str, seq: int) -> bytes | None:
            found = sql.execute("SELECT hid FROM seen WHERE seq = ?", (seq,)).fetchone()
            return None if found is None else found[0]

        node.store.seen = seen  # type: ignore[method-assign, assignment] # see above


class OneWrongRecipient(Sound):
    """One reader in five hundred gets a portion that policy denies it."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._readers, self._next = stream(seed, "canary").randrange(1_000), 1_000
        self._struck: Draft | None = None

    def into_node(self, node: Node) -> None:
        """Plant it in a node."""
        found = node._outgoing.audience_of

        def wrong(draft: Draft, *, at_ms: int) -> Audience:
            # Asked twice for each draft: before the look-up of keys, and when it is sealed.
            audience = found(draft, at_ms=at_ms)
            self._readers += len(audience.readers)
            known = {*audience.readers, node.agency}
            strangers = [item.agency for item in node.core.bundle.agencies if item.agency not in known]
            if self._readers >= self._next and strangers:
                self._next, self._struck = self._next + 1_000, draft
            if draft is not self._struck:
                return audience
            return Audience(readers=audience.readers | {strangers[0]: (0,)}, left_out=audience.left_out)

        node._outgoing.audience_of = wrong  # type: ignore[method-assign] # see above


class ResendForgets(Sound):
    """What has gone out once is never sent again."""

    def into_node(self, node: Node) -> None:
        """Plant it in a node."""
        waiting, store = node.store.waiting, node.store
        highest = 0

        def once(*, after: int, limit: int) -> list[Any]:
            nonlocal highest
            rows = waiting(after=max(after, highest), limit=limit)
            highest = max([highest, *(row.number for row in rows)])
            return rows

        store.waiting = once  # type: ignore[method-assign] # see above


class SequenceInMemory(Sound):
    """Sequence numbers begin again after a restart."""

    def into_node(self, node: Node) -> None:
        """Plant it in a node."""
        numbers: dict[str, int] = {}

        def next_seq(reader: str) -> int:
            numbers[reader] = numbers.get(reader, 0) + 1
            return numbers[reader]

        node.store.next_seq = next_seq  # type: ignore[method-assign] # see above


class PolicyOfTheWrongTime(Sound):
    """Who may have a report is asked as of half a minute later: an embargo ends too early."""

    def into_node(self, node: Node) -> None:
        """Plant it in a node."""
        found = node._outgoing.audience_of

        def early(draft: Draft, *, at_ms: int) -> Audience:
            return found(draft, at_ms=at_ms + _EARLY_MS)

        node._outgoing.audience_of = early  # type: ignore[method-assign] # see above


class TaskForgotten(Sound):
    """A node begins a task that nobody owns, and that is still there when the node is not."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._kept: list[asyncio.Task[None]] = []

    def into_node(self, node: Node) -> None:
        """Plant it in a node."""
        work = asyncio.sleep(3_600)
        name = f"{node.agency}-forgotten"
        self._kept.append(asyncio.get_running_loop().create_task(work, name=name))


class MemoryBetweenRuns(Sound):
    """Something is remembered from one run to the next, as a cache at the top of a module would."""

    _lives: ClassVar[list[str]] = []

    def into_node(self, node: Node) -> None:
        """Plant it in a node."""
        self._lives.append(node.agency)
        gather_s = node._timings.receipt_gather_s + len(self._lives) / 1_000
        node._timings = replace(node._timings, receipt_gather_s=gather_s)
