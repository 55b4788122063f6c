"""From marked items to a report: items of one label make one portion, or several where one would overflow.

A portion stands alone. Its title, topic, time and places come from its own items, and nothing in it tells that there
are others: "the releasable part stands alone and hints at nothing above it" (docs/spec/need-to-know.md, H5).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agencies.intake import topics
from agencies.intake.marks import Mark, label_of
from agencies.intake.plain_text import one_line
from agencies.intake.shapes import IntakeDefaults
from schemas.codec import pack, read_shape
from schemas.errors import InputError, RemoteError
from schemas.limits import CONTENT_BYTES_MAX, INDICATORS_MAX, PASSAGES_MAX, PORTIONS_MAX
from schemas.report import Indicator, Observed, Passage, Place, Portion, PortionContent, Quality, Report

_PASSAGE_CHARS: Final = 200_000  # at 4 bytes a character, several fit into one portion
_OVERHEAD_BYTES: Final = 24  # of one passage or indicator: array, lengths, and None
_RESERVE_BYTES: Final = 64 * 1024  # title, places, times, and what padding adds
_PLACES_MAX: Final = 32  # schemas.report.PortionContent.places
_TITLE_CHARS: Final = 160  # leaves room for "(part 10 of 12)" in a ShortText
PLAIN_HEADING: Final = 9  # the rank of an item that gives no title


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One object of a file, or the part of one that bears a mark of its own.

    Attributes:
        mark: Settled: it has a TLP.
        kind: The object's type, for a title that has no better words.
        text: What a reader reads.
        heading: A title for a portion that holds this; the lowest ``heading_rank`` wins.
        observed: Begin and end in Unix ms, either may be None.
        observed_rank: 0 where it was seen then, 1 where it is merely valid from then.
        topics: What it is about, as ``topics`` found.
    """

    mark: Mark
    kind: str
    text: str
    heading: str = ""
    heading_rank: int = PLAIN_HEADING
    indicators: tuple[Indicator, ...] = ()
    places: tuple[Place, ...] = ()
    observed: tuple[int | None, int | None] = (None, None)
    observed_rank: int = 0
    observed_by_day: bool = False
    topics: tuple[str, ...] = ()


def build_report(items: Sequence[Item], *, standard: str, name: str, defaults: IntakeDefaults) -> Report:
    """Group items by label and lay them out as portions, the tightest first.

    Raises:
        InputError: If nothing is left to report, or more portions would be needed than a report can have.
    """
    groups: dict[Mark, list[Item]] = {}
    for item in items:
        groups.setdefault(item.mark.bare(), []).append(item)
    if not groups:
        msg = f"{name}: holds nothing that could be reported"
        raise InputError(msg, remedy="Ask the sender for a file with objects or attributes in it.")
    portions: list[Portion] = []
    for mark, group in sorted(groups.items(), key=lambda entry: entry[0].rank, reverse=True):
        portions.extend(_portions(mark, group, standard=standard, defaults=defaults))
        if len(portions) > PORTIONS_MAX:
            msg = f"{name}: would need more than {PORTIONS_MAX} portions"
            raise InputError(msg, remedy="Split the file by marking or by size, and import the parts one by one.")
    try:
        return read_shape(Report, Report(portions=tuple(portions)))
    except RemoteError as error:
        # The file's values have all been fitted by now, so what is left are the node's own defaults.
        msg = f"{name}: cannot be made into a report: {error}"
        raise InputError(
            msg, remedy="Check originator, level, topic, affected states and language of the import."
        ) from error


def _portions(mark: Mark, group: Sequence[Item], *, standard: str, defaults: IntakeDefaults) -> Iterator[Portion]:
    topic = defaults.topic or topics.choose(word for item in group for word in item.topics)
    label = label_of(mark, topic=topic, defaults=defaults)
    title = _title(group, standard=standard)
    places = tuple(dict.fromkeys(place for item in group for place in item.places))[:_PLACES_MAX]
    observed = _observed(group)
    parts = list(_filled(group))
    for number, (body, indicators) in enumerate(parts, start=1):
        # Parts of one label reach the same readers, so counting them tells nobody of anything else.
        suffix = f" (part {number} of {len(parts)})" if len(parts) > 1 else ""
        content = PortionContent(
            marking="EXERCISE",
            title=title + suffix,
            body=body,
            language=defaults.language,
            indicators=indicators,
            places=places,
            observed=observed,
        )
        assert len(pack(content)) <= CONTENT_BYTES_MAX, "the estimate of sizes is never below the truth"
        yield Portion(label=label, content=content)


def _title(group: Iterable[Item], *, standard: str) -> str:
    items = list(group)
    best = min(items, key=lambda item: item.heading_rank)
    if best.heading_rank < PLAIN_HEADING and best.heading.strip():
        return one_line(best.heading, chars_max=_TITLE_CHARS)
    kinds = Counter(item.kind for item in items)
    named = [item for item in items if item.heading.strip()]
    if len(named) == 1:
        return one_line(f"{named[0].kind}: {named[0].heading}", chars_max=_TITLE_CHARS)
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    return one_line(f"{standard}: {counted}", chars_max=_TITLE_CHARS)


def _observed(group: Iterable[Item]) -> Observed | None:
    timed = [item for item in group if item.observed != (None, None)]
    if not timed:
        return None
    best = min(item.observed_rank for item in timed)
    timed = [item for item in timed if item.observed_rank == best]
    begins = [begin for begin, _end in (item.observed for item in timed) if begin is not None]
    ends = [end for _begin, end in (item.observed for item in timed) if end is not None]
    begin = min(begins or ends)
    end = max(ends, default=None)
    exact = len(timed) == 1 and not timed[0].observed_by_day
    quality: Quality = "unknown" if best > 0 else "exact" if exact else "approximate"
    return Observed(begin=begin, end=end if end is not None and end >= begin else None, quality=quality)


_Part = tuple[tuple[Passage, ...], tuple[Indicator, ...]]


def _filled(group: Iterable[Item]) -> Iterator[_Part]:
    """Fill portions in order, and begin a new one where a limit of the shape would be passed."""
    body: list[Passage] = []
    indicators: list[Indicator] = []
    taken_bytes = 0
    for atom in (atom for item in group for atom in _atoms(item)):
        atom_bytes = _bytes(atom)
        full = len(body) == PASSAGES_MAX or len(indicators) == INDICATORS_MAX
        if full or taken_bytes + atom_bytes > CONTENT_BYTES_MAX - _RESERVE_BYTES:
            yield tuple(body), tuple(indicators)
            body, indicators, taken_bytes = [], [], 0
        taken_bytes += atom_bytes
        if isinstance(atom, Passage):
            body.append(atom)
        else:
            indicators.append(atom)
    yield tuple(body), tuple(indicators)


def _atoms(item: Item) -> Iterator[Passage | Indicator]:
    for start in range(0, len(item.text), _PASSAGE_CHARS):
        yield Passage(passage=None, text=item.text[start : start + _PASSAGE_CHARS])
    yield from item.indicators


def _bytes(atom: Passage | Indicator) -> int:
    texts: Iterable[str] = (atom.text,) if isinstance(atom, Passage) else (atom.kind, atom.value, atom.note)
    return _OVERHEAD_BYTES + sum(len(text.encode("utf-8")) for text in texts)


def count_kinds(items: Iterable[Item]) -> Mapping[str, int]:
    """Count the items by kind, in order of first appearance."""
    return dict(Counter(item.kind for item in items))
