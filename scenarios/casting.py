"""Casting: from the pack's words to a bot's standing orders, with facts turned into opaque passages.

The one place where ground truth meets a desk, and it meets it as ids that say nothing: a bot that keeps ``F1`` is
told to keep passage ``p-3f0c…``.
"""

from agencies.bots import Bot, Chance, Pace, Skill, StandingOrder
from agencies.conditions import Condition, Trigger
from agencies.deconflict import Identifier
from scenarios import model
from scenarios.model import Order, Pack, Span

_ANSWER_WITHIN_MS = 60 * 60_000  # an hour, unless the planner says otherwise


def cast_bot(pack: Pack, agency: str, *, chance: Chance) -> Bot:
    """Make the bot that sits at an agency's desk."""
    participant = next(item for item in pack.participants if item.agency == agency)
    profile = next(item for item in pack.bots if item.bot == participant.bot)
    skill = Skill(
        read=_pace(profile.read),
        write=_pace(profile.write),
        decide=_pace(profile.decide),
        sanitising=profile.sanitising,
    )
    orders = [_order(pack, order) for order in pack.orders if order.who == agency]
    return Bot(orders=orders, skill=skill, chance=chance)


def cast_condition(pack: Pack, condition: model.Condition) -> Condition:
    """Return a condition with its facts turned into passages and its times into Unix ms."""
    if condition.trigger is not None:
        return Condition(trigger=_trigger(pack, condition.trigger))
    if condition.negated is not None:
        return Condition(negated=cast_condition(pack, condition.negated))
    return Condition(
        all=tuple(cast_condition(pack, part) for part in condition.all),
        any=tuple(cast_condition(pack, part) for part in condition.any),
    )


def passages_of(pack: Pack, facts: tuple[str, ...]) -> frozenset[str]:
    """Return the passages that tell any of these facts."""
    return frozenset(passage for passage, fact in pack.passage_facts.items() if fact in facts)


def _trigger(pack: Pack, trigger: model.Trigger) -> Trigger:
    return Trigger(
        word=trigger.word,
        who=trigger.who,
        sender=trigger.sender,
        inject=trigger.inject,
        topic=trigger.topic,
        passages=None if trigger.fact is None else passages_of(pack, (trigger.fact,)),
        order=trigger.order,
        outcome=trigger.outcome,
        step=trigger.step,
        time_ms=None if trigger.time_ms is None else pack.start_ms + trigger.time_ms,
    )


def _order(pack: Pack, order: Order) -> StandingOrder:
    return StandingOrder(
        order=order.order,
        on=cast_condition(pack, order.on),
        do=order.do,
        to=() if order.need_to_know else order.to,
        label=order.label,
        title=order.title,
        keep=passages_of(pack, order.keep) if order.keep else None,
        corrects=order.corrects,
        subject=order.subject,
        answer_within_ms=order.answer_within_ms or _ANSWER_WITHIN_MS,
        outcome=order.outcome,
        conditions=order.conditions,
        grants=order.grants,
        expires_after_ms=order.expires_after_ms,
        reader=order.reader,
        wanted_for_ms=order.wanted_for_ms,
        recalls=order.recalls,
        after=None if order.after is None else _pace(order.after),
        why=order.why,
        once=order.once,
        question=order.question,
        about=tuple(Identifier(kind, value) for kind, value in order.about),
        step=order.step,
        affected=order.affected,
        override=order.override,
        among=order.among,
        releases=order.releases,
        cosigners=order.cosigners,
        needs=order.needs,
        withdraws=order.withdraws,
        conceals=order.conceals,
    )


def _pace(span: Span) -> Pace:
    return Pace(least_ms=span.least_ms, most_ms=span.most_ms)
