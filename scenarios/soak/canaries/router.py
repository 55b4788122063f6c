"""Planted bugs of the router: each is a mistake that somebody could really make, and none is in the product.

A bug is planted by putting another method in the place of a part's own, so it uses names that are nobody else's
business.
"""
# ruff: noqa: SLF001 - see above

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

from broker.audit.leaves import Leaf
from broker.cuts import Cutter
from broker.router import Router
from broker.store import Waiting
from scenarios.soak.canaries.sound import Sound
from schemas.bundle import Bundle
from sealing.notes import Note, sign_checkpoint

_EVERY: Final = 40  # a bug that strikes one leaf in so many
_QUEUED_MOST: Final = 2


class RevocationOnlyAtPublish(Sound):
    """What is queued when an agency is revoked stays queued, and it may log in again."""

    def into_broker(self, router: Router) -> None:
        """Plant it in the router."""
        router._store.cancel_for = lambda *_, **__: 0  # type: ignore[method-assign] # see above


class FeedsForgotten(Sound):
    """Delivery numbers are not written down: after a restart they are given out again."""

    def into_broker(self, router: Router) -> None:
        """Plant it in the router."""
        router._store.write_feeds = lambda feeds: feeds.clear()  # type: ignore[method-assign] # see above


class UnackedForgotten(Sound):
    """What was sent and not acked is not sent again at the next hello."""

    def into_broker(self, router: Router) -> None:
        """Plant it in the router."""
        router._store.sent_after = lambda *_: []  # type: ignore[method-assign] # see above


class VerdictOnce(Sound):
    """A release that was decided before gets no second verdict: the author missed it, and asks for ever."""

    def into_broker(self, router: Router) -> None:
        """Plant it in the router."""
        handle = router._envelope

        def silent(agency: str, message: Any, outcome: Any, *rest: Any, **options: Any) -> Any:
            before = len(outcome.sends.get(agency, ()))
            answer = handle(agency, message, outcome, *rest, **options)
            if answer == 0 and not outcome.decided:
                del outcome.sends.get(agency, [])[before:]
            return answer

        router._envelope = silent  # type: ignore[method-assign] # see above


class OldestEvicted(Sound):
    """A queue that is full makes room by letting go of what is oldest, though it was accepted."""

    def into_broker(self, router: Router) -> None:
        """Plant it in the router."""
        queue, sql = router._store.queue, router._store._sql

        def evict(rows: list[Waiting]) -> None:
            queue(rows)
            for reader in {row.reader: None for row in rows}:
                sql.execute(
                    "DELETE FROM queue WHERE reader = ?1 AND dseq ISNULL AND number NOT IN (SELECT number FROM queue"
                    " WHERE reader = ?1 AND dseq ISNULL ORDER BY number DESC LIMIT ?2)",
                    (reader, _QUEUED_MOST),
                )

        router._store.queue = evict  # type: ignore[method-assign] # see above


class QueuedInAnotherTransaction(Sound):
    """A release is on disk before its queue rows are: who dies in between has accepted it for nobody."""

    def into_broker(self, router: Router) -> None:
        """Plant it in the router."""
        queue, sql = router._store.queue, router._store._sql

        def apart(rows: list[Waiting]) -> None:
            sql.execute("COMMIT")
            sql.execute("BEGIN IMMEDIATE")
            queue(rows)

        router._store.queue = apart  # type: ignore[method-assign] # see above


class LeafMissing(Sound):
    """One event in forty has no leaf."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._leaves = 0

    def into_broker(self, router: Router) -> None:
        """Plant it in the router."""
        append = router._log.append

        def forget(leaves: Sequence[Leaf], *, at: int, bundle_installed: bool = False) -> None:
            numbers = range(self._leaves, self._leaves + len(leaves))
            self._leaves += len(leaves)
            kept = [leaf for number, leaf in zip(numbers, leaves, strict=True) if number % _EVERY != _EVERY - 1]
            append(kept, at=at, bundle_installed=bundle_installed)

        router._log.append = forget  # type: ignore[method-assign] # see above


class CheckpointOfAnotherTree(Sound):
    """Every other checkpoint has a root that is not that of the covers on disk."""

    def into_broker(self, router: Router) -> None:
        """Plant it in the router."""
        sign = router._log.sign

        def careless(*, now_ms: int, covers: int = 1) -> None:
            signing = router._log._signing
            sign_note = signing.sign

            def sign_any(*, size: int, root: bytes, proof: Sequence[bytes]) -> Note:
                note = sign_note(size=size, root=root, proof=proof)
                if size % 2:
                    return note
                other = signing.signed._replace(root=sha256(root).digest())
                return sign_checkpoint(other, signer=signing._signer)

            signing.sign = sign_any  # type: ignore[method-assign] # see above
            try:
                sign(now_ms=now_ms, covers=covers)
            finally:
                del signing.sign

        router._log.sign = careless  # type: ignore[method-assign] # see above


class RecallForgotten(Sound):
    """A recall is accepted and passed on, and what is queued of the message stays queued."""

    def into_broker(self, router: Router) -> None:
        """Plant it in the router."""
        router._store._recall = lambda *_, **__: None  # type: ignore[method-assign] # see above


class CutOfEverything(Sound):
    """A reader's cut holds the portions of all readers."""

    def into_broker(self, router: Router) -> None:
        """Plant it in the router."""
        cutter_of = router._store.cutter

        def whole(release: int) -> Cutter:
            cutter = cutter_of(release)
            pack_shared: Any = type(cutter)._pack_shared
            vars(cutter)["_pack_shared"] = lambda bits, *rest: pack_shared(cutter, bits | -1, *rest)
            return cutter

        router._store.cutter = whole  # type: ignore[method-assign] # see above


class BundleForgotten(Sound):
    """After a restart the router judges by the first bundle that it ever had."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._first: Bundle | None = None

    def into_broker(self, router: Router) -> None:
        """Plant it in the router."""
        if self._first is None:
            self._first = router._core.bundle
        else:
            router._core.install(self._first)
