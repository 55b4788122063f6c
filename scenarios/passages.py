r"""Passages: runs of text that tell a fact, made opaque for everybody but evaluation.

``{F1: …}`` in a text of the pack becomes a run with an id that says nothing; which fact it tells goes into a table that
seats and bots never see. A brace of the text itself is written ``\{`` or ``\}``.
"""

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from scenarios.problems import Mark, Problems, did_you_mean
from scenarios.text_yaml import TextNode, shorten
from schemas.label import Label
from schemas.limits import PASSAGES_MAX
from schemas.report import Passage

PASSAGE_ID_BYTES: Final = 5  # 10 hex digits: opaque, and short enough to read aloud
_BRACE: Final = re.compile(r"\\[{}]|[{}]")
_OPENING: Final = re.compile(r"\{\s*([A-Za-z0-9][A-Za-z0-9_+.@-]{0,63})\s*:\s*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentContext:
    """What a content file is read against: the pack's labels and facts, its id, and when it begins."""

    pack: str
    start_ms: int
    labels: dict[str, Label]
    facts: Collection[str]
    passage_facts: dict[str, str]  # filled as passages are met
    problems: Problems


class PassageReader:
    """Cuts one text into runs: plain ones, and passages that tell a fact."""

    def __init__(self, body: TextNode, origin: str, ordinals: Iterator[int], context: ContentContext) -> None:
        blank = len(body.value) - len(body.value.lstrip())
        self._text = body.value.strip()
        self._file = body.mark.file
        self._first_line = body.mark.line + body.value.count("\n", 0, blank)
        self._origin = origin
        self._ordinals = ordinals
        self._context = context
        self._runs: list[Passage] = []
        self._plain: list[str] = []

    def read(self) -> tuple[Passage, ...]:
        """Return the runs in order."""
        position = 0
        for found in _BRACE.finditer(self._text):
            if found.start() < position:
                continue  # a brace inside the passage just read
            self._plain.append(self._text[position : found.start()])
            position = self._take_brace(found.group(), found.start(), found.end())
        self._plain.append(self._text[position:])
        self._end_plain()
        return tuple(self._runs)

    def _take_brace(self, brace: str, start: int, end: int) -> int:
        """Take a brace and return where reading goes on."""
        if brace.startswith("\\"):
            self._plain.append(brace[1])
            return end
        opening = _OPENING.match(self._text, start)
        closing = self._text.find("}", end)
        if opening is None or closing < 0 or self._text.find("{", end, closing) >= 0:
            self._note(
                start,
                "passage",
                "a brace that opens or closes no passage",
                r"write {F1: text}, never one inside another; a brace of the text itself is \{ or \}",
            )
            return end
        self._take_passage(opening[1], self._text[opening.end() : closing], start)
        return closing + 1

    def _take_passage(self, fact: str, words: str, start: int) -> None:
        facts = self._context.facts
        if fact not in facts:
            self._note(start, "unknown-id", f"'{shorten(fact)}' is no fact of the pack", did_you_mean(fact, facts))
        ordinal = next(self._ordinals, None)
        if ordinal is None:
            self._note(start, "limit", f"more than {PASSAGES_MAX} passages", "split it into two injects")
            return
        self._end_plain()
        passage = passage_id(self._context.pack, self._origin, ordinal)
        self._context.passage_facts[passage] = fact
        self._runs.append(Passage(passage=passage, text=words))

    def _end_plain(self) -> None:
        text = "".join(self._plain)
        self._plain.clear()
        if text:
            self._runs.append(Passage(passage=None, text=text))

    def _note(self, index: int, code: str, text: str, remedy: str) -> None:
        line = self._first_line + self._text.count("\n", 0, index)
        column = index - self._text.rfind("\n", 0, index)
        self._context.problems.add(Mark(self._file, line, column), code, text, remedy)


def passage_id(pack: str, origin: str, ordinal: int) -> str:
    """Return the opaque id of the passage: the same in every run, and telling nothing of its fact."""
    seed = "\x00".join((pack, origin, str(ordinal)))
    digest = hashlib.blake2b(seed.encode(), digest_size=PASSAGE_ID_BYTES, person=b"sandiwara-pass")
    return f"p-{digest.hexdigest()}"
