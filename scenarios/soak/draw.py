"""How a seed draws a plan: a few agencies at work, and what goes wrong where and when they work.

Each kind of work and of fault that was added later is drawn from a stream of its own, so that the plans of old seeds
keep what they had.
"""

from collections.abc import Sequence
from random import Random  # noqa: TID251 - the type of a seeded stream
from typing import Final

from scenarios.soak.plan import Again, Message, Plan, Revocation
from scenarios.soak.reference import AGENCIES, LABELS
from transport.fault_draw import draw_faults
from transport.faults import Fault, Partition
from transport.seeded import stream

_SPAN_MS: Final = 90_000  # work and faults fall into the first minute and a half
_MESSAGES_MOST: Final = 16
_FAULTS_MOST: Final = 30
_STRUCK_MOST: Final = 8  # agencies that do all the work of a run and have all its bad luck
_LARGE: Final = 0.06  # the share of messages that travel in chunks


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
