"""How a seed draws a plan: a few agencies at work, and what goes wrong where and when they work.

Each kind of work and of fault that was added later is drawn from a stream of its own, so that the plans of old seeds
keep what they had.
"""

from collections.abc import Sequence
from random import Random  # noqa: TID251 - the type of a seeded stream
from typing import Final

from scenarios.soak.draw_hostility import with_hostility
from scenarios.soak.draw_workflow import with_workflow
from scenarios.soak.plan import Again, Message, Plan, Recall, Revocation, Rotation
from scenarios.soak.reference import AGENCIES, BROKER, LABELS_DRAWN
from transport.fault_draw import draw_clock_faults, draw_disk_faults, draw_faults
from transport.faults import Fault, Partition
from transport.seeded import stream

_SPAN_MS: Final = 90_000  # work and faults fall into the first minute and a half
_MESSAGES_MOST: Final = 16
_FAULTS_MOST: Final = 30
_STRUCK_MOST: Final = 8  # agencies that do all the work of a run and have all its bad luck
_LARGE: Final = 0.06  # the share of messages that travel in chunks
_SHORT_LIVED: Final = 1 / 8  # the share of runs in which some messages expire while they are under way


def draw_plan(seed: int) -> Plan:
    """Draw the plan of a seed: a few agencies at work, and faults where and when they work."""
    return with_workflow(with_hostility(_with_recalls(_with_key_changes(_with_machine_faults(_draw_work(seed))))))


def _with_machine_faults(plan: Plan) -> Plan:
    """Add what goes wrong with disks and clocks."""
    moments_ms = [item.at_ms for item in plan.messages]
    struck = sorted({item.agency for item in plan.messages} | {item for at in plan.messages for item in at.to})
    faults = draw_disk_faults(
        stream(plan.seed, "plan disks"), struck, BROKER, until_ms=_SPAN_MS, moments_ms=moments_ms
    ) + draw_clock_faults(stream(plan.seed, "plan clocks"), struck, BROKER, until_ms=_SPAN_MS, moments_ms=moments_ms)
    lives = stream(plan.seed, "plan lives")
    short = lives.random() < _SHORT_LIVED
    messages = tuple(
        item.model_copy(update={"lives_ms": lives.choice((2_000, 20_000, 120_000))})
        if short and lives.random() < 1 / 2
        else item
        for item in plan.messages
    )
    return plan.model_copy(update={"faults": plan.faults + faults, "messages": messages})


def _with_key_changes(plan: Plan) -> Plan:
    """Add changes of box keys while messages to the old ones are under way."""
    chance = stream(plan.seed, "plan keys")
    count = chance.randint(1, 6) if chance.random() < 1 / 2 else 0
    agencies = sorted({item.agency for item in plan.messages} | {item for at in plan.messages for item in at.to})
    rotations = tuple(
        Rotation(at_ms=chance.choice(plan.messages).at_ms + chance.randrange(2_000), agency=chance.choice(agencies))
        for _ in range(count)
    )
    return plan.model_copy(update={"rotations": rotations})


def _with_recalls(plan: Plan) -> Plan:
    """Add recalls: at once, after a while, twice; and as often as not with some readers away meanwhile."""
    chance = stream(plan.seed, "plan recalls")
    if chance.random() >= 1 / 2:
        return plan
    recalls: list[Recall] = []
    away: list[Fault] = []
    for message in chance.sample(plan.messages, k=chance.randint(1, min(3, len(plan.messages)))):
        after_ms = chance.choice((200, 3_000, 30_000))
        for at_ms in (message.at_ms + after_ms, message.at_ms + after_ms + chance.randint(100, 10_000)):
            recalls.append(Recall(at_ms=min(_SPAN_MS, at_ms), message=message.number))
            if chance.random() >= 1 / 4:
                break
        if chance.random() < 1 / 2:
            begin_ms, readers = max(0, message.at_ms - 1_000), tuple(chance.sample(AGENCIES, k=6))
            lasts_ms = min(_SPAN_MS - begin_ms, chance.choice((2_000, 20_000, 60_000)))
            away.append(Partition(at_ms=begin_ms, lasts_ms=lasts_ms, agencies=readers, direction="down"))
    return plan.model_copy(update={"recalls": tuple(recalls), "faults": plan.faults + tuple(away)})


def _draw_work(seed: int) -> Plan:
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
    labels = tuple(work.randrange(LABELS_DRAWN) for _ in range(work.choice((1, 1, 2, 3))))
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
