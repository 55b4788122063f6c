"""The contents of injects: what lands on a desk, portion by portion, with the planner's passages made opaque.

A content file is a row of portions. Each begins with a header between two lines of ``---``, and its text runs until
the next header::

    ---
    label: incident
    title: Boarding of MV KENANGA MAS
    grading: B2
    observed: T-00:12 approximate
    place: {name: Phillip Channel, position: 01-04.2N 103-42.8E, quality: approximate, radius: 1nm}
    ---
    At 0258 local {F1: six men boarded from a wooden craft} and left after twenty minutes.

``{F1: …}`` says which fact a run of text tells. Seats and bots get an opaque id in its place, so that what was kept
and what was dropped can be measured while the facts stay with evaluation.
"""

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final, get_args

from pydantic import TypeAdapter, ValidationError

from scenarios.fields import Fields, datetime_ms, read_datetime, read_exercise_time_ms
from scenarios.model import ContentPortion
from scenarios.problems import Mark, PackTextError, Problems, did_you_mean
from scenarios.text_yaml import Node, TextNode, read_yaml, shorten
from schemas.label import Label
from schemas.limits import PASSAGES_MAX, PORTIONS_MAX
from schemas.report import (
    MICRODEGREES,
    Grading,
    Indicator,
    InformationGrade,
    MachineGenerated,
    Observed,
    Passage,
    Place,
    PortionContent,
    Quality,
    SourceGrade,
)

PASSAGE_ID_BYTES: Final = 5  # 10 hex digits: opaque, and short enough to read aloud
METRES_PER_NAUTICAL_MILE: Final = 1_852
_HEADER_LINE: Final = "---"
_BRACE: Final = re.compile(r"\\[{}]|[{}]", re.ASCII)
_OPENING: Final = re.compile(r"\{\s*([A-Za-z0-9][A-Za-z0-9_+.@-]{0,63})\s*:\s*", re.ASCII)
_QUALITIES: Final[tuple[Quality, ...]] = get_args(Quality)
_SHIPS_POSITION: Final = re.compile(
    r"(\d{1,2})[- ](\d{1,2}(?:\.\d{1,3})?)'? ?([NS])[, ]+(\d{1,3})[- ](\d{1,2}(?:\.\d{1,3})?)'? ?([EW])",
    re.ASCII,
)
_DECIMAL_POSITION: Final = re.compile(r"(-?\d{1,2}\.\d{1,6})[, ]+(-?\d{1,3}\.\d{1,6})", re.ASCII)
_DISTANCE: Final = re.compile(r"(\d{1,5}(?:\.\d)?) ?(nm|km|m)", re.ASCII)
_METRES: Final = {"nm": METRES_PER_NAUTICAL_MILE, "km": 1_000, "m": 1}
_PORTION_CONTENT: Final[TypeAdapter[PortionContent]] = TypeAdapter(PortionContent)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentContext:
    """What a content file is read against: the pack's labels and facts, its id, and when it begins."""

    pack: str
    start_ms: int
    labels: dict[str, Label]
    facts: Collection[str]
    passage_facts: dict[str, str]  # filled as passages are met
    problems: Problems


def read_content(text: str, file: str, context: ContentContext) -> tuple[ContentPortion, ...]:
    """Read a content file; slips are noted in the context's problems."""
    portions = []
    ordinals = iter(range(1, PASSAGES_MAX + 1))
    try:
        for header, body, body_mark in _split(text, file):
            fields = Fields(header, context.problems, what="the header of a portion")
            portions.append(_read_portion(fields, TextNode(body, body_mark), file, ordinals, context))
    except PackTextError as error:
        context.problems.take(error)
    if len(portions) > PORTIONS_MAX:
        context.problems.add(
            Mark(file, 1, 1), "limit", f"more than {PORTIONS_MAX} portions", "split it into two injects"
        )
    return tuple(portion for portion in portions if portion is not None)


def read_inline_portion(fields: Fields, body: TextNode, origin: str, context: ContentContext) -> ContentPortion | None:
    """Read a portion whose text stands in the MSEL itself; ``origin`` makes its passage ids its own."""
    return _read_portion(fields, body, origin, iter(range(1, PASSAGES_MAX + 1)), context)


def _split(text: str, file: str) -> Iterator[tuple[Node, str, Mark]]:
    """Cut a file into headers and texts.

    Raises:
        PackTextError: If a header is missing, empty or not closed.
    """
    lines = text.split("\n")
    fences = [number for number, line in enumerate(lines) if line.rstrip() == _HEADER_LINE]
    if not fences or any(line.strip() for line in lines[: fences[0]]):
        msg = "a content file begins with a header between two lines of '---'"
        raise PackTextError(Mark(file, 1, 1), msg, "write at least 'label: …' and 'title: …' there", code="no-header")
    if len(fences) % 2:
        msg = "the header that begins here is not closed"
        raise PackTextError(Mark(file, fences[-1] + 1, 1), msg, "end it with a line of '---'", code="no-header")
    for opening, closing, following in zip(fences[::2], fences[1::2], [*fences[2::2], len(lines)], strict=True):
        header = read_yaml("\n".join(lines[opening + 1 : closing]), file, first_line=opening + 2)
        if header is None:
            raise PackTextError(
                Mark(file, opening + 1, 1), "the header is empty", "write at least 'label: …' and 'title: …'"
            )
        yield header, "\n".join(lines[closing + 1 : following]), Mark(file, closing + 2, 1)


def _read_portion(
    fields: Fields, body: TextNode, origin: str, ordinals: Iterator[int], context: ContentContext
) -> ContentPortion | None:
    problems = context.problems
    label_name = fields.required_one_of("label", context.labels, noun="label of the pack")
    machine = fields.fields("machine_generated")
    content = PortionContent(
        marking="EXERCISE",
        title=fields.required_text("title"),
        body=_PassageReader(body, origin, ordinals, context).read(),
        language=fields.text("language", "en"),
        indicators=tuple(_read_indicators(fields)),
        places=tuple(_read_places(fields)),
        observed=fields.read("observed", lambda text: _read_observed(text, context.start_ms), None),
        grading=fields.read("grading", _read_grading, None),
        machine_generated=None if machine is None else _read_machine_generated(machine),
    )
    fields.close()
    if not content.text:
        problems.add(body.mark, "empty", "the portion has no text", "write its text below the header")
    try:
        _PORTION_CONTENT.validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        problems.add(
            fields.mark, "value", f"the portion's {where} cannot be sent: {first['msg']}", "shorten or correct it"
        )
    return (
        ContentPortion(label_name=label_name, label=context.labels[label_name], content=content) if label_name else None
    )


class _PassageReader:
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


def _read_indicators(fields: Fields) -> Iterator[Indicator]:
    for item in fields.each("indicators"):
        indicator = Indicator(item.required_text("kind"), item.required_text("value"), item.text("note"))
        item.close()
        yield indicator


def _read_places(fields: Fields) -> Iterator[Place]:
    for item in fields.each("place"):
        latitude, longitude = item.required("position", read_position, (0, 0))
        place = Place(
            name=item.text("name"),
            latitude_micro=latitude,
            longitude_micro=longitude,
            quality=item.word("quality", _QUALITIES, "approximate"),
            radius_m=item.read("radius", read_distance_m, 0),
        )
        item.close()
        yield place


def _read_machine_generated(fields: Fields) -> MachineGenerated:
    machine = MachineGenerated(tool=fields.required_text("tool"), releaser=fields.required_text("releaser"))
    fields.close()
    return machine


def read_position(text: str) -> tuple[int, int]:
    """Read ``01-04.2N 103-42.8E`` or ``1.07, 103.71333``: millionths of a degree.

    Raises:
        ValueError: If it is neither, or lies off the Earth.
    """
    ships, decimal = _SHIPS_POSITION.fullmatch(text.strip()), _DECIMAL_POSITION.fullmatch(text.strip())
    if ships is not None:
        south_north, west_east = (
            (int(ships[first]) * MICRODEGREES + round(float(ships[first + 1]) * MICRODEGREES / 60))
            * (-1 if ships[first + 2] in {"S", "W"} else 1)
            for first in (1, 4)
        )
        minutes_fit = float(ships[2]) < 60 and float(ships[5]) < 60  # noqa: PLR2004 - minutes of arc
    elif decimal is not None:
        south_north, west_east = (round(float(decimal[part]) * MICRODEGREES) for part in (1, 2))
        minutes_fit = True
    else:
        msg = f"'{shorten(text)}' is no position; write 01-04.2N 103-42.8E or 1.07, 103.71333"
        raise ValueError(msg)
    if not minutes_fit or abs(south_north) > 90 * MICRODEGREES or abs(west_east) > 180 * MICRODEGREES:
        msg = f"'{shorten(text)}' lies off the Earth"
        raise ValueError(msg)
    return south_north, west_east


def read_distance_m(text: str) -> int:
    """Read ``2nm``, ``3.5km`` or ``800m``: metres.

    Raises:
        ValueError: If it is none of them.
    """
    found = _DISTANCE.fullmatch(text.strip())
    if found is None:
        msg = f"'{shorten(text)}' is no distance; write for example 2nm or 800m"
        raise ValueError(msg)
    return round(float(found[1]) * _METRES[found[2]])


def _read_observed(text: str, start_ms: int) -> Observed:
    """Read ``T-00:12 approximate``, ``T+10m..T+25m`` or dates of the scenario."""
    words = text.strip().rsplit(" ", maxsplit=1)
    quality: Quality = "exact"
    for known in _QUALITIES:
        if words[-1] == known:
            quality, text = known, words[0]
    begin, _, end = text.partition("..")
    return Observed(
        begin=_read_moment(begin.strip(), start_ms),
        end=_read_moment(end.strip(), start_ms) if end else None,
        quality=quality,
    )


def _read_moment(text: str, start_ms: int) -> int:
    if text.startswith("T"):
        return max(0, start_ms + read_exercise_time_ms(text))
    return datetime_ms(read_datetime(text))


def _read_grading(text: str) -> Grading:
    """Read the Admiralty code, such as ``B2``."""
    for source in get_args(SourceGrade):
        for information in get_args(InformationGrade):
            if text.strip() == f"{source}{information}":
                return Grading(source, information)
    msg = f"'{shorten(text)}' is no grading; write a letter A to F and a digit 1 to 6, such as B2"
    raise ValueError(msg)
