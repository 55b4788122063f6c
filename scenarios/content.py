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

from collections.abc import Iterator
from typing import Final, get_args

from pydantic import TypeAdapter, ValidationError

from scenarios.fields import Fields
from scenarios.model import ContentPortion
from scenarios.passages import ContentContext, PassageReader
from scenarios.problems import Mark, PackTextError
from scenarios.text_yaml import Node, TextNode, read_yaml
from scenarios.values import read_distance_m, read_grading, read_observed, read_position
from schemas.limits import PASSAGES_MAX, PORTIONS_MAX
from schemas.report import (
    Indicator,
    MachineGenerated,
    Place,
    PortionContent,
    Quality,
)

_HEADER_LINE: Final = "---"
_QUALITIES: Final[tuple[Quality, ...]] = get_args(Quality)
_PORTION_CONTENT: Final[TypeAdapter[PortionContent]] = TypeAdapter(PortionContent)


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
        body=PassageReader(body, origin, ordinals, context).read(),
        language=fields.text("language", "en"),
        indicators=tuple(_read_indicators(fields)),
        places=tuple(_read_places(fields)),
        observed=fields.read("observed", lambda text: read_observed(text, context.start_ms), None),
        grading=fields.read("grading", read_grading, None),
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
