"""What the desks of a run mean by what they release: a grant carried out, a product of others' reports, a joint text.

A desk tells it here before its node hears of it, so that the ghost can hold the release against what was meant; policy
is asked as for any report, and then about everything that was taken over from others.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from agencies.drafts import Quote
from policy.community import Community
from policy.decide import decide
from policy.rollup import roll_up
from policy.verdict import Action
from schemas.label import Label
from schemas.workflow import Grant

Covers = Callable[[str, Quote, str, int], bool]
"""Tells whether an agency knows of a grant that covers a quoted portion for a reader at a time, Unix ms."""


class Order(Protocol):
    """What a desk means by a release."""

    @property
    def among(self) -> frozenset[str]:
        """Whom it may also go to beside those that the journal says it is for."""
        ...

    def narrowed(self, bits: int, labels: dict[int, Label], *, reader: str, at_ms: int, community: Community) -> int:
        """Return what of the bits that policy allows a reader may go to it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A re-release of what was granted, and of nothing else."""

    bits: int
    among: frozenset[str] = frozenset()

    def narrowed(self, bits: int, _labels: dict[int, Label], *, reader: str, at_ms: int, community: Community) -> int:
        """Keep what the grant names."""
        del reader, at_ms, community
        return bits & self.bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A product: it goes to nobody to whom any of what it quotes may not go on."""

    author: str
    quotes: tuple[Quote, ...]
    covers: Covers
    among: frozenset[str] = frozenset()

    def narrowed(self, bits: int, _labels: dict[int, Label], *, reader: str, at_ms: int, community: Community) -> int:
        """Keep all of it or nothing."""
        return bits if all(self._goes_on(quote, reader, at_ms, community) for quote in self.quotes) else 0

    def _goes_on(self, quote: Quote, reader: str, at_ms: int, community: Community) -> bool:
        if reader == quote.originator or self._permitted(quote, reader, at_ms, community, ()):
            return True
        if not self.covers(self.author, quote, reader, at_ms):
            return False
        # A consent sets aside the consent that was missing, and no other rule.
        whole = Grant(quote.hid, 1 << quote.place, quote.originator, reader, at_ms, at_ms + 1)
        return self._permitted(quote, reader, at_ms, community, (whole,))

    def _permitted(
        self, quote: Quote, reader: str, at_ms: int, community: Community, grants: tuple[Grant, ...]
    ) -> bool:
        return decide(
            quote.label, originator=quote.originator, recipient=reader, action=Action.ONWARD, at_ms=at_ms,
            community=community, via=self.author, hid=quote.hid, bit=quote.place, grants=grants,
        ).permit  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """A joint product: whoever reads it may read all of it, each part by its own originator's leave."""

    made: Made
    among: frozenset[str]

    def left_with(self, parents: frozenset[str]) -> "Together":
        """Return what is meant when it is made again: what it no longer takes over binds it no more."""
        quotes = tuple(quote for quote in self.made.quotes if quote.hid.hex() in parents)
        return replace(self, made=replace(self.made, quotes=quotes))

    def narrowed(self, bits: int, labels: dict[int, Label], *, reader: str, at_ms: int, community: Community) -> int:
        """Keep all of it or nothing."""
        whole = sum(1 << place for place in labels)
        parts = [(label, self.made.author) for label in labels.values()]
        parts += [(quote.label, quote.originator) for quote in self.made.quotes]
        parts.append((roll_up([label for label, _ in parts], community), self.made.author))
        permitted = all(
            originator == reader
            or decide(
                label, originator=originator, recipient=reader, action=Action.RELEASE, at_ms=at_ms, community=community
            ).permit
            for label, originator in parts
        )
        if bits != whole or not permitted:
            return 0
        return self.made.narrowed(bits, labels, reader=reader, at_ms=at_ms, community=community)
