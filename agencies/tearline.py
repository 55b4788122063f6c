"""The tear-line linter: what of a stricter portion shows below the line, before anybody seals it.

"The releasable part of a tear-line stands alone and hints at nothing above it" (H5). Nobody can prove that of a text;
what can be done is to find what is the same above and below: indicators in whatever disguise, places, times, names,
numbers, runs of words, and words that are not in every report. Some of it is meant to be told; the author says so, and
what remains deserves a second look.

Pure, and made for English; names, numbers, places and indicators are found in any language that has capitals or digits.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import asin, cos, radians, sin, sqrt
from typing import Final, Literal, NamedTuple, get_args

from agencies.common_words import COMMON_WORDS
from agencies.observables import Observable, observables_in
from schemas.report import MICRODEGREES, Place, PortionContent

SlipKind = Literal["indicator", "place", "time", "name", "number", "phrase", "word"]

# Ten nautical miles: the width of a lane of a strait. What is told more coarsely than that gives no track away.
PLACE_BLUR_M: Final = 18_520
_TIME_BLUR_MS: Final = 15 * 60_000  # "in the small hours" is another statement than 03:10
_PHRASE_WORDS: Final = 4
_EARTH_M: Final = 6_371_000
_ADDRESS_DOTS: Final = 3  # an address is no number; it is found as an indicator
_SMALL_NUMBER_MAX: Final = 12  # two men and two ships are not the same two
_TOKEN: Final = re.compile(r"[^\W_]+(?:[.,:'\u2019/-][^\W_]+)*")
_SENTENCE_END: Final = re.compile(r"[.!?:\n]\s*[\"'“(]*$")
_SUFFIXES: Final = ("'s", "\u2019s", "ing", "ies", "ed", "es", "ly", "s")
_BELOW_TWENTY: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBER_WORDS: Final = (
    {word: number for number, word in enumerate(_BELOW_TWENTY)}
    | {word: 10 * number for number, word in enumerate(_TENS, start=2)}
    | {"dozen": 12}
)
_KINDS: Final[tuple[SlipKind, ...]] = get_args(SlipKind)
_COMMON_CAPITALS: Final = frozenset({"exercise", "i", "tlp", "rel", "utc", "am", "pm", "eez"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """Something that stands above and below the line.

    Attributes:
        kind: What it is.
        below: As it stands below.
        above: As it stands above, which may be another spelling of it.
        why: In words.
    """

    kind: SlipKind
    below: str
    above: str
    why: str


class _Token(NamedTuple):
    text: str
    stem: str
    begins: bool  # a sentence, so that its capital says nothing


def slips(upper: Sequence[PortionContent], lower: PortionContent, *, allowed: Iterable[str] = ()) -> tuple[Slip, ...]:
    """Find what of the stricter portions shows in the one that reaches further.

    Args:
        upper: What stands above the line.
        lower: What stands below it.
        allowed: Words, names and numbers that are meant to be told; a slip made of these alone is none.

    Returns:
        Each slip once, the most telling kinds first.
    """
    meant = frozenset(token.stem for text in allowed for token in _tokens(text))
    meant_whole = frozenset(text.strip().casefold() for text in allowed)
    found: list[Slip] = []
    for above in upper:
        found += _indicators(above, lower)
        found += _places(above, lower)
        found += _times(above, lower)
        found += _words(above, lower)
    kept = (slip for slip in found if not _is_meant(slip, meant, meant_whole))
    return tuple(sorted(dict.fromkeys(kept), key=lambda slip: (_KINDS.index(slip.kind), slip.below)))


def _is_meant(slip: Slip, stems: frozenset[str], whole: frozenset[str]) -> bool:
    if slip.below.casefold() in whole:
        return True
    tokens = _tokens(slip.below)
    return bool(tokens) and slip.kind != "indicator" and all(token.stem in stems for token in tokens)


def _indicators(above: PortionContent, below: PortionContent) -> Iterator[Slip]:
    theirs = _observables(above)
    for ours in _observables(below):
        for other in theirs:
            why = ours.kinship(other)
            if why is not None:
                yield Slip(kind="indicator", below=ours.text, above=other.text, why=why)


def _observables(content: PortionContent) -> list[Observable]:
    texts = [content.title, content.text]
    for item in content.indicators:
        texts += [item.value, item.note]
    return list(dict.fromkeys(found for text in texts for found in observables_in(text)))


def _places(above: PortionContent, below: PortionContent) -> Iterator[Slip]:
    for ours in below.places:
        for other in above.places:
            apart_m = _apart_m(ours, other)
            if apart_m <= PLACE_BLUR_M and ours.radius_m < PLACE_BLUR_M:
                why = f"{apart_m / 1000:.1f} km from a place above the line, and not told more coarsely than a lane"
                yield Slip(kind="place", below=_spoken(ours), above=_spoken(other), why=why)


def _spoken(place: Place) -> str:
    where = f"{place.latitude_micro / MICRODEGREES:.4f}, {place.longitude_micro / MICRODEGREES:.4f}"
    return f"{place.name} ({where})" if place.name else where


def _apart_m(one: Place, other: Place) -> float:
    """Return the great-circle distance."""
    north, east = radians(one.latitude_micro / MICRODEGREES), radians(one.longitude_micro / MICRODEGREES)
    north2, east2 = radians(other.latitude_micro / MICRODEGREES), radians(other.longitude_micro / MICRODEGREES)
    half = sin((north2 - north) / 2) ** 2 + cos(north) * cos(north2) * sin((east2 - east) / 2) ** 2
    return 2 * _EARTH_M * asin(min(1.0, sqrt(half)))


def _times(above: PortionContent, below: PortionContent) -> Iterator[Slip]:
    ours, theirs = below.observed, above.observed
    if ours is None or theirs is None or ours.quality in {"estimated", "unknown"}:
        return
    apart_ms = abs(ours.begin - theirs.begin)
    if apart_ms <= _TIME_BLUR_MS:
        why = f"{apart_ms // 60_000} minutes from the time above the line, and called {ours.quality}"
        yield Slip(kind="time", below=str(ours.begin), above=str(theirs.begin), why=why)


def _words(above: PortionContent, below: PortionContent) -> Iterator[Slip]:
    upper, lower = _all_tokens(above), _all_tokens(below)
    yield from _names(upper, lower)
    yield from _numbers(upper, lower)
    yield from _phrases(upper, lower)
    yield from _rare_words(upper, lower)


def _all_tokens(content: PortionContent) -> list[_Token]:
    named = [place.name for place in content.places]
    valued = [item.value for item in content.indicators if " " in item.value or item.kind.endswith("name")]
    return [token for text in (content.title, content.text, *named, *valued) for token in _tokens(text)]


def _tokens(text: str) -> list[_Token]:
    return [
        _Token(found[0], _stem(found[0]), found.start() == 0 or bool(_SENTENCE_END.search(text[: found.start()])))
        for found in _TOKEN.finditer(text)
    ]


def _stem(word: str) -> str:
    folded = word.casefold()
    for suffix in _SUFFIXES:
        if folded.endswith(suffix) and len(folded) - len(suffix) >= 3:  # noqa: PLR2004 - what is left is still a word
            return folded[: -len(suffix)]
    return folded


_COMMON_STEMS: Final = frozenset(_stem(word) for word in COMMON_WORDS) | COMMON_WORDS


def _names(upper: Sequence[_Token], lower: Sequence[_Token]) -> Iterator[Slip]:
    named = {token.stem: token for token in upper if _is_name(token)}
    for token in lower:
        other = named.get(token.stem)
        if other is not None and token.stem not in _COMMON_CAPITALS:
            yield Slip(kind="name", below=token.text, above=other.text, why="a name that stands above the line")


def _is_name(token: _Token) -> bool:
    text = token.text
    if any(char.isdigit() for char in text):
        return any(char.isalpha() for char in text)  # a call sign, a batch, a hull number
    return len(text) > 1 and (text.isupper() or (text[0].isupper() and not token.begins))


def _numbers(upper: Sequence[_Token], lower: Sequence[_Token]) -> Iterator[Slip]:
    theirs = {(number, after if small else ""): text for number, small, after, text in _numbered(upper)}
    for number, small, after, text in _numbered(lower):
        other = theirs.get((number, after if small else ""))
        if other is not None:
            what = f"{other} {after}".strip() if small else other
            yield Slip(kind="number", below=text, above=what, why="a number that stands above the line")


def _numbered(tokens: Sequence[_Token]) -> Iterator[tuple[str, bool, str, str]]:
    """Yield numbers: their value, whether they are small, the stem of the word after them, and as they stand."""
    for place, token in enumerate(tokens):
        after = tokens[place + 1].stem if place + 1 < len(tokens) else ""
        word = _NUMBER_WORDS.get(token.text.casefold())
        if word is not None:
            yield str(word), word <= _SMALL_NUMBER_MAX, after, token.text
        elif (
            token.text.count(".") < _ADDRESS_DOTS
            and token.text[0].isdigit()
            and all(char.isdigit() or char in ".,:" for char in token.text)
        ):
            plain = token.text.replace(",", "")
            yield plain, plain.isdigit() and int(plain) <= _SMALL_NUMBER_MAX, after, token.text


def _phrases(upper: Sequence[_Token], lower: Sequence[_Token]) -> Iterator[Slip]:
    """Yield the longest runs of words that stand in both."""
    stems = [token.stem for token in upper]
    starts: dict[tuple[str, ...], int] = {}
    for place in range(len(stems) - _PHRASE_WORDS + 1):
        starts.setdefault(tuple(stems[place : place + _PHRASE_WORDS]), place)
    place = 0
    while place <= len(lower) - _PHRASE_WORDS:
        start = starts.get(tuple(token.stem for token in lower[place : place + _PHRASE_WORDS]))
        if start is None:
            place += 1
            continue
        length = _PHRASE_WORDS
        while (
            place + length < len(lower)
            and start + length < len(upper)
            and lower[place + length].stem == upper[start + length].stem
        ):
            length += 1
        place += length
        # "said that it had been" is in every report.
        if all(token.stem in _COMMON_STEMS for token in lower[place - length : place]):
            continue
        yield Slip(
            kind="phrase",
            below=" ".join(token.text for token in lower[place - length : place]),
            above=" ".join(token.text for token in upper[start : start + length]),
            why=f"{length} words in the order in which they stand above the line",
        )


def _rare_words(upper: Sequence[_Token], lower: Sequence[_Token]) -> Iterator[Slip]:
    """Yield words that stand in both, and are neither common ones nor names, which are told apart."""
    theirs = {token.stem: token for token in upper}
    for token in lower:
        other = theirs.get(token.stem)
        if other is None or not token.text.isalpha() or _is_name(token) or _is_name(other):
            continue
        if token.stem not in _COMMON_STEMS and token.text.casefold() not in _NUMBER_WORDS:
            yield Slip(kind="word", below=token.text.casefold(), above=other.text, why="not a word of every report")
