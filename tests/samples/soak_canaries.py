"""Planted bugs that a soak must find: each is a mistake that somebody could really make, and none is in the product.

A soak that stays green proves something only if it turns red for these.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from agencies.drafts import Draft
from agencies.incoming import Effects
from agencies.node import Node
from agencies.outgoing import Moment
from agencies.preflight import Audience
from agencies.state import Accepted
from broker.router import Router
from schemas.frames import Ack, Delivery
from schemas.workflow import ReceiptItem
from transport.seeded import stream


class Sound:
    """Changes nothing; each canary changes one thing.

    Args:
        seed: Of the run, for a bug that strikes seldom.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def into_node(self, node: Node) -> None:
        """Leave the node as it is."""

    def into_broker(self, router: Router) -> None:
        """Leave the broker as it is."""


class AckBeforeCommit(Sound):
    """The ack leaves when a delivery is read, and the disk gets it a little later."""

    def into_node(self, node: Node) -> None:
        took = node._took

        async def early(messages: tuple[Any, ...]) -> None:
            numbers = [message.dseq for message in messages if isinstance(message, Delivery)]
            if numbers:
                node._control.append(Ack("ack", max(numbers)))
                node._wake.set()
                await asyncio.sleep(0.3)
            await took(messages)

        node._took = early  # type: ignore[method-assign] # that is what planting is


class ReceiptBeforeCommit(Sound):
    """The receipt is owed, and sent, before the report it speaks of is on disk."""

    def into_node(self, node: Node) -> None:
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

        node._took = early  # type: ignore[method-assign] # that is what planting is


class NoDedupe(Sound):
    """A delivery that comes twice is taken twice."""

    def into_node(self, node: Node) -> None:
        incoming, store = node._incoming, node.store
        taken = incoming._delivery

        def again(message: Delivery, effects: Effects, moment: Moment) -> None:
            if message.dseq <= store.value("last_dseq"):
                store.keep_value("last_dseq", message.dseq - 1)
            taken(message, effects, moment)

        def forget(originator: str, seq: int) -> bytes | None:
            store._sql.execute("DELETE FROM seen WHERE originator = ? AND seq = ?", (originator, seq))
            return None

        incoming._delivery = again  # type: ignore[method-assign] # that is what planting is
        store.seen = forget  # type: ignore[method-assign] # that is what planting is


class DedupeWithoutSender(Sound):
    """A sequence number is known again whoever sent it."""

    def into_node(self, node: Node) -> None:
        sql = node.store._sql

        def seen(originator: str, seq: int) -> bytes | None:
            found = sql.execute("SELECT hid FROM seen WHERE seq = ?", (seq,)).fetchone()
            return None if found is None else found[0]

        node.store.seen = seen  # type: ignore[method-assign] # that is what planting is


class OneWrongRecipient(Sound):
    """One reader in five hundred gets a portion that policy denies it."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._readers, self._next = stream(seed, "canary").randrange(1_000), 1_000
        self._struck: Draft | None = None

    def into_node(self, node: Node) -> None:
        found = node._outgoing.audience_of

        def wrong(draft: Draft, *, at_ms: int) -> Audience:
            # Asked twice for each draft: before the look-up of keys, and when it is sealed.
            audience = found(draft, at_ms=at_ms)
            self._readers += len(audience.readers)
            strangers = [item.agency for item in node.core.bundle.agencies if item.agency not in audience.readers]
            if self._readers >= self._next and strangers:
                self._next, self._struck = self._next + 1_000, draft
            if draft is not self._struck:
                return audience
            return Audience(readers=audience.readers | {strangers[0]: (0,)}, left_out=audience.left_out)

        node._outgoing.audience_of = wrong  # type: ignore[method-assign] # that is what planting is


class ResendForgets(Sound):
    """What has gone out once is never sent again."""

    def into_node(self, node: Node) -> None:
        waiting, store = node.store.waiting, node.store
        highest = 0

        def once(*, after: int, limit: int) -> list[Any]:
            nonlocal highest
            rows = waiting(after=max(after, highest), limit=limit)
            highest = max([highest, *(row.number for row in rows)])
            return rows

        store.waiting = once  # type: ignore[method-assign] # that is what planting is


class SequenceInMemory(Sound):
    """Sequence numbers begin again after a restart."""

    def into_node(self, node: Node) -> None:
        numbers: dict[str, int] = {}

        def next_seq(reader: str) -> int:
            numbers[reader] = numbers.get(reader, 0) + 1
            return numbers[reader]

        node.store.next_seq = next_seq  # type: ignore[method-assign] # that is what planting is


class RevocationOnlyAtPublish(Sound):
    """What is queued when an agency is revoked stays queued, and it may log in again."""

    def into_broker(self, router: Router) -> None:
        router._store.cancel_for = lambda *_, **__: 0  # type: ignore[method-assign] # that is what planting is


class FeedsForgotten(Sound):
    """Delivery numbers are not written down: after a restart they are given out again."""

    def into_broker(self, router: Router) -> None:
        router._store.write_feeds = lambda feeds: feeds.clear()  # type: ignore[method-assign] # that is what planting is


class UnackedForgotten(Sound):
    """What was sent and not acked is not sent again at the next hello."""

    def into_broker(self, router: Router) -> None:
        router._store.sent_after = lambda *_: []  # type: ignore[method-assign] # that is what planting is


class VerdictOnce(Sound):
    """A release that was decided before gets no second verdict: the author missed it, and asks for ever."""

    def into_broker(self, router: Router) -> None:
        handle = router._envelope

        def silent(agency: str, message: Any, outcome: Any, *rest: Any, **options: Any) -> Any:
            before = len(outcome.sends.get(agency, ()))
            answer = handle(agency, message, outcome, *rest, **options)
            if answer == 0 and not outcome.decided:
                del outcome.sends.get(agency, [])[before:]
            return answer

        router._envelope = silent  # type: ignore[method-assign] # that is what planting is


CANARIES: dict[str, Callable[[int], Sound]] = {
    "ack before commit": AckBeforeCommit,
    "receipt before commit": ReceiptBeforeCommit,
    "no dedupe": NoDedupe,
    "dedupe without sender": DedupeWithoutSender,
    "one wrong recipient in 500": OneWrongRecipient,
    "resend forgets": ResendForgets,
    "sequence in memory": SequenceInMemory,
    "revocation only at publish": RevocationOnlyAtPublish,
    "feeds forgotten": FeedsForgotten,
    "un-acked forgotten": UnackedForgotten,
    "verdict once": VerdictOnce,
}
