"""The plan of one run: who sends what when, and what goes wrong; JSON, drawn by a seed (draw.py), cut down by shrink.

A plan is run, not a seed, so that a message or a fault can be taken out without moving the others.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scenarios.soak.hostility import Hostility, Quota
from scenarios.soak.reference import LABELS
from scenarios.soak.workflow import Consent, Joint, Product, Question, Story
from schemas.errors import InputError
from schemas.names import AgencyId
from transport.faults import Fault, Millis

_PLAN_BYTES_MAX: Final = 1024 * 1024
Number = Annotated[int, Field(ge=0, le=1_000)]


class Shape(BaseModel):
    """What every part of a plan shares."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Message(Shape):
    """One report. ``labels`` are places in the list of the reference region; ``to`` is empty for all who may."""

    number: Number
    at_ms: Millis
    agency: AgencyId
    labels: Annotated[tuple[Annotated[int, Field(ge=0, lt=len(LABELS))], ...], Field(min_length=1, max_length=8)]
    to: Annotated[tuple[AgencyId, ...], Field(max_length=64)] = ()
    corrects: Number | None = None
    large: bool = False
    lives_ms: Annotated[int, Field(ge=1_000, le=7 * 24 * 3_600_000)] | None = None  # from sealing to expiry


class Again(Shape):
    """A later release of a message to one more reader."""

    at_ms: Millis
    message: Number
    reader: AgencyId


class Revocation(Shape):
    """An agency is struck from the community."""

    at_ms: Millis
    agency: AgencyId


class Recall(Shape):
    """A message is taken back by its author, as soon as it can be from this time on."""

    at_ms: Millis
    message: Number


class Rotation(Shape):
    """An agency changes its box key before the week is over."""

    at_ms: Millis
    agency: AgencyId


Work = Message | Again | Revocation | Recall | Rotation | Consent | Joint | Product | Question


class Plan(Shape):
    """All of one run; ``seed`` decides only what a plan leaves open: delays, keys, salts."""

    v: Literal[1] = 1
    seed: Annotated[int, Field(ge=0, lt=2**53)]
    span_ms: Millis
    line_ms_most: Millis  # the delay of a line without faults
    disk_ms_most: Millis = 0  # how long a disk takes
    messages: Annotated[tuple[Message, ...], Field(max_length=1_000)]
    again: Annotated[tuple[Again, ...], Field(max_length=100)] = ()
    revocations: Annotated[tuple[Revocation, ...], Field(max_length=16)] = ()
    recalls: Annotated[tuple[Recall, ...], Field(max_length=100)] = ()
    rotations: Annotated[tuple[Rotation, ...], Field(max_length=100)] = ()
    workflow: Annotated[tuple[Story, ...], Field(max_length=100)] = ()
    faults: Annotated[tuple[Fault, ...], Field(max_length=1_000)]
    hostility: Annotated[tuple[Hostility, ...], Field(max_length=100)] = ()
    quota: Quota | None = None

    def work(self) -> tuple[Work, ...]:
        """Return all that desks do."""
        return (*self.messages, *self.again, *self.revocations, *self.recalls, *self.rotations, *self.workflow)

    def digest(self) -> str:
        """Return a short name of this plan."""
        return hashlib.blake2b(self.model_dump_json().encode(), digest_size=6).hexdigest()


def read_plan(path: Path) -> Plan:
    """Read a plan.

    Raises:
        InputError: If it cannot be read or is none; says where.
    """
    try:
        with path.open("rb") as file:
            received = file.read(_PLAN_BYTES_MAX + 1)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise InputError(msg, remedy="give a file that 'sandiwara soak' wrote") from error
    try:
        return Plan.model_validate_json(received)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the top"
        msg = f"{path} is no plan of a soak: {place}: {first['msg']}"
        raise InputError(msg, remedy="give a file that 'sandiwara soak' wrote") from error
