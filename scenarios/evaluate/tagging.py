"""Which facts a portion carries: certainly, by the passages kept, or as a suggestion, by the words in its text.

Passages are what makes sanitising measurable: a forward that drops the source's passage carries the rest and not the
source. Free text can only be matched against a fact's signs, and that is a suggestion for the evaluator, never a
verdict; so every figure of the report is made twice, without and with them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from scenarios.evaluate.history import History, PortionSeen
from scenarios.model import Fact, Pack


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestedTag:
    """A fact's sign found in a portion's free text; ``writer`` released it."""

    hid: str
    place: int
    fact: str
    sign: str
    writer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagging:
    """The facts of portions, by passages and by whichever suggestions are let in."""

    passage_facts: Mapping[str, str]
    suggested: Mapping[tuple[str, int], frozenset[str]]

    def facts_of(self, hid: str, portion: PortionSeen) -> frozenset[str]:
        """Return the facts that a portion of this message carries."""
        return self.facts_of_passages(portion.passages) | self.suggested.get((hid, portion.place), frozenset())

    def facts_of_passages(self, passages: tuple[str, ...]) -> frozenset[str]:
        """Return the facts that these passages tell; a passage that tells none is scenery."""
        return frozenset(self.passage_facts[passage] for passage in passages if passage in self.passage_facts)


def suggest_tags(pack: Pack, history: History, texts: Mapping[tuple[str, int], str]) -> tuple[SuggestedTag, ...]:
    """Match the text of released portions against the signs of facts they do not certainly carry.

    Args:
        pack: Its facts with their signs.
        history: The releases.
        texts: Text by (hid, place), from the nodes that hold it; the record has none.
    """
    certain = Tagging(passage_facts=pack.passage_facts, suggested={})
    found: dict[tuple[str, int, str], SuggestedTag] = {}
    for release in history.releases:
        for portion in release.portions:
            text = texts.get((release.hid, portion.place), "")
            for fact in pack.facts:
                sign = _sign_in(text, fact)
                if sign is not None and fact.fact not in certain.facts_of(release.hid, portion):
                    found.setdefault(
                        (release.hid, portion.place, fact.fact),
                        SuggestedTag(
                            hid=release.hid, place=portion.place, fact=fact.fact, sign=sign, writer=release.agency
                        ),
                    )
    return tuple(found.values())


def tagging_of(pack: Pack, suggested: tuple[SuggestedTag, ...] = ()) -> Tagging:
    """Make the tagging of a pack, with these suggestions let in."""
    by_portion: dict[tuple[str, int], frozenset[str]] = {}
    for tag in suggested:
        key = (tag.hid, tag.place)
        by_portion[key] = by_portion.get(key, frozenset()) | {tag.fact}
    return Tagging(passage_facts=pack.passage_facts, suggested=by_portion)


def _sign_in(text: str, fact: Fact) -> str | None:
    """Find the first sign that stands in the text as whole words, whatever its case."""
    return next(
        (sign for sign in fact.signs if sign and re.search(rf"(?<!\w){re.escape(sign)}(?!\w)", text, re.IGNORECASE)),
        None,
    )
