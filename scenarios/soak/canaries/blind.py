"""Planted bugs in what notices malice: an author that waits for ever, a witness that forgets, a record left unwritten.

A lying router cannot be prevented from being silent, so each of these is as bad as the lie that it lets pass.
"""
# ruff: noqa: SLF001 - planting puts another method in the place of a part's own

from typing import Any

from agencies.node import Node
from agencies.outgoing import Moment
from agencies.quarantine import Kept
from agencies.receipts import Looked
from broker.router import Router
from scenarios.soak.canaries.sound import Sound


class OverdueUntold(Sound):
    """A receipt that never comes is waited for, and nobody is told."""

    def into_node(self, node: Node) -> None:
        """Plant it in a node."""

        def look(_moment: Moment) -> Looked:
            return Looked(notices=(), next_ms=None, expired=0)

        node._watch.look = look  # type: ignore[method-assign, assignment] # that is what planting is


class WitnessForgets(Sound):
    """A witness takes every checkpoint for the first one that it is shown."""

    def into_node(self, node: Node) -> None:
        """Plant it in a node."""
        node.store.witness.held = lambda _origin: None  # type: ignore[method-assign, assignment] # as above


class PoisonUnacked(Sound):
    """A delivery that cannot be read is not acked, in the hope that it comes better the next time."""

    def into_node(self, node: Node) -> None:
        """Plant it in a node."""
        incoming, store = node._incoming, node.store
        reject = incoming._reject

        def unacked(received: bytes, moment: Moment, *, stage: str, **fields: Any) -> None:
            reject(received, moment, stage=stage, **fields)
            if stage == "parse":
                store.keep_value("last_dseq", store.value("last_dseq") - 1)

        incoming._reject = unacked  # type: ignore[method-assign] # that is what planting is


class EverythingNoted(Sound):
    """Whatever cannot be taken is noted, however often the same comes."""

    def into_node(self, node: Node) -> None:
        """Plant it in a node."""

        def always(_received: bytes, **_fields: object) -> Kept:
            return Kept.NEW

        node.store.quarantine.keep = always  # type: ignore[method-assign, assignment] # that is what planting is


class ThrottledUnrecorded(Sound):
    """An agency that sends too much is refused, and nothing is put on record."""

    def into_broker(self, router: Router) -> None:
        """Plant it in the router."""
        router._note_throttled = lambda *_args, **_fields: None  # type: ignore[method-assign] # that is what planting is
