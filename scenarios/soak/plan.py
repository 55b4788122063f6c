"""The plan of one run: who sends what when, and what goes wrong; JSON, drawn by a seed, cut down by the shrinker.

A plan is run, not a seed, so that a message or a fault can be taken out without moving the others.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from random import Random  # noqa: TID251 - the type of a seeded stream
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scenarios.soak.reference import AGENCIES, LABELS
from schemas.errors import InputError
from schemas.names import AgencyId
from transport.faults import Fault, Millis, Partition, draw_faults
from transport.seeded import stream

_PLAN_BYTES_MAX: Final = 1024 * 1024
_SPAN_MS: Final = 90_000  # work and faults fall into the first minute and a half
_MESSAGES_MOST: Final = 16
_FAULTS_MOST: Final = 30
_STRUCK_MOST: Final = 8  # agencies that do all the work of a run and have all its bad luck
_LARGE: Final = 0.06  # the share of messages that travel in chunks
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


class Again(Shape):
    """A later release of a message to one more reader."""

    at_ms: Millis
    message: Number
    reader: AgencyId


class Revocation(Shape):
    """An agency is struck from the community."""

    at_ms: Millis
    agency: AgencyId


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
    faults: Annotated[tuple[Fault, ...], Field(max_length=1_000)]

    def digest(self) -> str:
        """Return a short name of this plan."""
        return hashlib.blake2b(self.model_dump_json().encode(), digest_size=6).hexdigest()


def draw_plan(seed: int) -> Plan:
    """Draw the plan of a seed: a few agencies at work, and faults where and when they work."""
    work, faults = stream(seed, "plan work"), stream(seed, "plan faults")
    struck = work.sample(AGENCIES, k=work.randint(2, _STRUCK_MOST))
    messages = tuple(_draw_message(number, work, struck) for number in range(work.randint(3, _MESSAGES_MOST)))
    again = tuple(
        Again(
            at_ms=min(_SPAN_MS, message.at_ms + work.randint(1_000, 30_000)),
            message=message.number,
            reader=work.choice(struck),
        )
        for message in messages
        if work.random() < 1 / 6
    )
    revocations: tuple[Revocation, ...] = ()
    away: tuple[Fault, ...] = ()
    if work.random() < 1 / 4:
        message = work.choice(messages)
        at_ms = min(_SPAN_MS, message.at_ms + work.randrange(2_000))
        revocations = (Revocation(at_ms=at_ms, agency=work.choice([message.agency, *struck])),)
        # Somebody is away meanwhile, so that something is queued that must not be sent any more.
        begin_ms, readers = max(0, message.at_ms - 1_000), work.sample(AGENCIES, k=8)
        lasts_ms = min(_SPAN_MS - begin_ms, 60_000)
        away = (Partition(at_ms=begin_ms, lasts_ms=lasts_ms, agencies=tuple(readers), direction="down"),)
    return Plan(
        seed=seed,
        span_ms=_SPAN_MS,
        line_ms_most=work.choice((0, 1, 40, 400)),
        disk_ms_most=work.choice((0, 1, 5, 60)),
        messages=messages,
        again=again,
        revocations=revocations,
        faults=away
        + draw_faults(
            faults,
            struck,
            until_ms=_SPAN_MS,
            count=faults.randint(0, _FAULTS_MOST),
            moments_ms=[message.at_ms for message in messages],
        ),
    )


def _draw_message(number: int, work: Random, struck: Sequence[str]) -> Message:
    labels = tuple(work.randrange(len(LABELS)) for _ in range(work.choice((1, 1, 2, 3))))
    few = work.random() < 1 / 2
    return Message(
        number=number,
        # In bursts as often as not: what is sent in one instant is decided in one batch.
        at_ms=work.choice((work.randrange(_SPAN_MS), 5_000 * work.randrange(_SPAN_MS // 5_000))),
        agency=work.choice(struck),
        labels=labels,
        to=tuple(sorted({*work.sample(struck, k=min(2, len(struck))), work.choice(AGENCIES)})) if few else (),
        corrects=work.randrange(number) if number and work.random() < 1 / 5 else None,
        large=work.random() < _LARGE,
    )


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
