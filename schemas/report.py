"""What a report says: the content sealed into each portion, which the broker never can read.

A portion stands alone: it has its own title, place, time and grading, since a reader may hold this portion and no
other and must not notice that there are others (docs/spec/envelope.md, "Portion content"). A report's title is the
title of the first portion its reader holds.
"""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from schemas.label import Label
from schemas.limits import INDICATORS_MAX, PASSAGES_MAX, PORTIONS_MAX, TEXT_CHARS_MAX
from schemas.names import Hash, Millis, ShortText, Word

MICRODEGREES = 1_000_000

Exercise = Literal["EXERCISE"]
Quality = Literal["exact", "approximate", "estimated", "unknown"]
SourceGrade = Literal["A", "B", "C", "D", "E", "F"]
InformationGrade = Literal["1", "2", "3", "4", "5", "6"]


class Passage(NamedTuple):
    """A run of text. ``passage`` is an opaque id that goes along when the run is quoted, or None."""

    passage: Word | None
    text: Annotated[str, Field(max_length=TEXT_CHARS_MAX)]


class Indicator(NamedTuple):
    """An observable: ``kind`` in the vocabulary of its origin (``ipv4-addr``, ``sha256``, ``vessel-name``)."""

    kind: Word
    value: Annotated[str, Field(min_length=1, max_length=4_096)]
    note: Annotated[str, Field(max_length=400)] = ""


class Place(NamedTuple):
    """A position in millionths of a degree; ``radius_m`` is the stated uncertainty."""

    name: Annotated[str, Field(max_length=200)]
    latitude_micro: Annotated[int, Field(ge=-90 * MICRODEGREES, le=90 * MICRODEGREES)]
    longitude_micro: Annotated[int, Field(ge=-180 * MICRODEGREES, le=180 * MICRODEGREES)]
    quality: Quality
    radius_m: Annotated[int, Field(ge=0, le=20_040_000)] = 0  # half the way round the Earth


class Observed(NamedTuple):
    """When it happened, Unix ms, with the quality of that statement."""

    begin: Millis
    end: Millis | None
    quality: Quality


class Grading(NamedTuple):
    """The Admiralty code: reliability of the source, credibility of the information."""

    source: SourceGrade
    information: InformationGrade


class MachineGenerated(NamedTuple):
    """Written by a machine, and released by a named human role (never a person's name)."""

    tool: ShortText
    releaser: ShortText


class Parent(NamedTuple):
    """What this portion was derived from: a report's id and, of that report, the portion's commitment."""

    hid: Hash
    commitment: Hash


class PortionContent(NamedTuple):
    """The plaintext of one portion. The first field is the words that every message of an exercise bears."""

    marking: Exercise
    title: ShortText
    body: Annotated[tuple[Passage, ...], Field(max_length=PASSAGES_MAX)]
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")] = "en"
    indicators: Annotated[tuple[Indicator, ...], Field(max_length=INDICATORS_MAX)] = ()
    places: Annotated[tuple[Place, ...], Field(max_length=32)] = ()
    observed: Observed | None = None
    grading: Grading | None = None
    machine_generated: MachineGenerated | None = None
    derived_from: Annotated[tuple[Parent, ...], Field(max_length=64)] = ()

    @property
    def text(self) -> str:
        """The whole text, passages joined."""
        return "".join(run.text for run in self.body)

    @property
    def passages(self) -> tuple[str, ...]:
        """The opaque ids of the passages it holds, in order, without repeats."""
        return tuple(dict.fromkeys(run.passage for run in self.body if run.passage is not None))


class Portion(NamedTuple):
    """A labelled part of a report, as its author writes it and as its reader gets it."""

    label: Label
    content: PortionContent


class Report(NamedTuple):
    """A report before sealing: its portions, in reading order. The highest-marked one usually comes first."""

    portions: Annotated[tuple[Portion, ...], Field(min_length=1, max_length=PORTIONS_MAX)]

    @property
    def title(self) -> str:
        """The title of the first portion."""
        return self.portions[0].content.title
