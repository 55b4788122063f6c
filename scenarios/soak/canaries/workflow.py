"""Planted bugs of the workflow of sharing: each is a mistake that somebody could make, and none is in the product.

A bug is planted by putting another method in the place of a part's own, so it uses names that are nobody else's
business.
"""
# ruff: noqa: SLF001 - see above

from collections.abc import Iterable
from dataclasses import replace

from agencies.drafts import Draft, Quote
from agencies.joint_table import Answer
from agencies.node import Node
from agencies.outgoing import Moment
from agencies.preflight import Audience
from scenarios.soak.canaries.sound import Sound
from schemas.workflow import Grant


class GrantWithoutEnd(Sound):
    """An agency that was granted something hands it on after the grant is over as well."""

    def into_node(self, node: Node) -> None:
        """Plant it in a node."""
        grants = node.store.consent.grants

        def endless(hid: bytes) -> tuple[Grant, ...]:
            return tuple(grant._replace(expires=1 << 62) for grant in grants(hid))

        node.store.consent.grants = endless  # type: ignore[method-assign] # see above


class GrantKept(Sound):
    """A reader keeps what came by a grant when the grant is over."""

    def into_node(self, node: Node) -> None:
        """Plant it in a node."""
        node.store.erase_portions = lambda *_: 0  # type: ignore[method-assign] # see above


class LapseUnseen(Sound):
    """A request that nobody decides on is waited for until a restart."""

    def into_node(self, node: Node) -> None:
        """Plant it in a node."""
        node.store.consent.earliest_end = lambda: None  # type: ignore[method-assign] # see above


class TaintInMemory(Sound):
    """A recall reaches the products of this life: what was made before a restart is forgotten."""

    def into_node(self, node: Node) -> None:
        """Plant it in a node."""
        made: set[bytes] = set()
        derived = node.store.derived
        keep, products = derived.keep, derived.products

        def note(hid: bytes, *, quotes: Iterable[Quote], parents: Iterable[bytes]) -> None:
            made.add(hid)
            keep(hid, quotes=quotes, parents=parents)

        derived.keep = note  # type: ignore[method-assign] # see above
        derived.products = lambda parent: [hid for hid in products(parent) if hid in made]  # type: ignore[method-assign] # see above


class SignatureCountedTwice(Sound):
    """A co-signature that came twice counts as two."""

    def into_node(self, node: Node) -> None:
        """Plant it in a node."""
        answers = node.store.joint.answers

        def twice(hid: bytes) -> list[Answer]:
            return [answer for answer in answers(hid) for _ in range(2)]

        node.store.joint.answers = twice  # type: ignore[method-assign] # see above


class WithdrawalUnheard(Sound):
    """A lead keeps in its product what a co-signer has taken back."""

    def into_node(self, node: Node) -> None:
        """Plant it in a node."""
        node.joint.products._gone = lambda *_: (frozenset(), frozenset())  # type: ignore[method-assign] # see above


class AnswerToAll(Sound):
    """An answer goes to everybody who may have it, as a report does."""

    def into_node(self, node: Node) -> None:
        """Plant it in a node."""
        found, released = node._outgoing.audience_of, node._questions.released

        def everybody(draft: Draft, *, at_ms: int) -> Audience:
            return found(replace(draft, to=()) if draft.kind == "answer" else draft, at_ms=at_ms)

        def note(draft: Draft, hid: bytes, readers: Iterable[str], moment: Moment) -> None:
            released(draft, hid, draft.to if draft.kind == "answer" else readers, moment)

        node._outgoing.audience_of = everybody  # type: ignore[method-assign] # see above
        node._questions.released = note  # type: ignore[method-assign] # see above
