"""How a seed draws the workflow of sharing: stories among a few agencies, and faults where and when they happen.

From a stream of its own and after all else, so that what old seeds hold is not moved. The messages that a story is
about are drawn with it; what is given, asked and signed here is small, so that a run costs little more.
"""

from collections.abc import Callable, Sequence
from random import Random  # noqa: TID251 - the type of a seeded stream
from typing import Final, Literal, NamedTuple

from scenarios.soak.hostility import RouterHostility
from scenarios.soak.plan import Message, Plan, Recall
from scenarios.soak.reference import AGENCIES, BROKER
from scenarios.soak.workflow import Consent, Joint, Product, Question, Reply, Story, Word
from transport.fault_draw import draw_disk_faults, draw_faults
from transport.faults import Fault, OldSnapshot
from transport.seeded import stream

_SHARE: Final = 2 / 5  # of plans
_STORIES_MOST: Final = 4
_FAULTS_MOST: Final = 5
_FIRST: Final = 100  # number of a message or story; plain messages have those below
_BEGIN_MS_MOST: Final = 45_000  # so that most stories are over when the plan is
_ACTORS: Final = 5
_MARITIME: Final = tuple(name for name in AGENCIES if name.endswith("-mar") or name.startswith("rb-"))
_GREEN, _ORCON = 4, 9  # places in the list of labels; both may go to every maritime agency and body


class _Drawn(NamedTuple):
    stories: tuple[Story, ...]
    messages: tuple[Message, ...] = ()
    recalls: tuple[Recall, ...] = ()
    faults: tuple[Fault, ...] = ()


def with_workflow(plan: Plan) -> Plan:
    """Return a plan with what its seed draws of the workflow."""
    chance = stream(plan.seed, "plan workflow")
    if chance.random() >= _SHARE:
        return plan
    lying = any(isinstance(act, RouterHostility) for act in plan.hostility)
    # What a lying router does to a recall or to what it drops has ghosts of its own (draw_hostility.py).
    drawers: list[_Drawer] = [_question] if lying else [_consent, _product, _joint, _question]
    drawn: list[_Drawn] = []
    number = _FIRST
    for _ in range(chance.randint(1, _STORIES_MOST)):
        actors = _actors(plan, chance)
        drawn.append(chance.choice(drawers)(chance, number, actors))
        number += 10
    messages = tuple(message for one in drawn for message in one.messages)
    stories = tuple(story for one in drawn for story in one.stories)
    faults = () if lying or plan.quota else tuple(fault for one in drawn for fault in one.faults)
    if not lying and plan.quota is None and chance.random() < 1 / 2:
        faults += _faults(plan, chance, stories)
    return plan.model_copy(
        update={
            "messages": plan.messages + messages,
            "recalls": plan.recalls + tuple(recall for one in drawn for recall in one.recalls),
            "faults": plan.faults + faults,
            "workflow": stories,
        }
    )


def _faults(plan: Plan, chance: Random, stories: Sequence[Story]) -> tuple[Fault, ...]:
    """Draw faults of those who take part, while they do."""
    struck = sorted({name for story in stories for name in _parties(story)})
    moments_ms = [min(plan.span_ms, story.at_ms + after_ms) for story in stories for after_ms in (0, 3_000, 9_000)]
    count = chance.randint(1, _FAULTS_MOST)
    faults: tuple[Fault, ...] = draw_faults(chance, struck, until_ms=plan.span_ms, count=count, moments_ms=moments_ms)
    return faults + draw_disk_faults(chance, struck, BROKER, until_ms=plan.span_ms, moments_ms=moments_ms)


def _parties(story: Story) -> set[str]:
    match story:
        case Consent():
            return {story.asker, story.reader}
        case Product():
            return {story.author, *story.to}
        case Joint():
            return {story.lead, *(reply.agency for reply in story.replies)}
        case Question():
            return {story.asker, *(reply.agency for reply in story.replies)}


_Drawer = Callable[[Random, int, Sequence[str]], _Drawn]


def _actors(plan: Plan, chance: Random) -> list[str]:
    """Draw who takes part: of those on whom the plan's own faults fall, where they may have any of it."""
    busy = sorted({name for item in plan.messages for name in (item.agency, *item.to)} & set(_MARITIME))
    few = chance.sample(busy, k=min(len(busy), _ACTORS - 1))
    others = [name for name in _MARITIME if name not in few]
    few += chance.sample(others, k=_ACTORS - len(few))
    chance.shuffle(few)
    return few


def _begin_ms(chance: Random) -> int:
    return chance.choice((chance.randrange(_BEGIN_MS_MOST), 5_000 * chance.randrange(_BEGIN_MS_MOST // 5_000)))


def _consent(chance: Random, number: int, actors: Sequence[str]) -> _Drawn:
    originator, asker, other, *_ = actors
    for_itself = chance.random() < 1 / 3
    at_ms = _begin_ms(chance)
    message = Message(
        number=number,
        at_ms=at_ms,
        agency=originator,
        labels=chance.choice(((_ORCON,), (_ORCON, _GREEN), (_GREEN, _ORCON, _ORCON))),
        to=(other,) if for_itself else (asker,),
        large=chance.random() < 1 / 20,
    )
    reader = asker if for_itself else other
    decides: Literal["grant", "refuse", "silent"] = chance.choice(("grant", "grant", "grant", "refuse", "silent"))
    stories = [
        Consent(
            number=number + 1 + place,
            at_ms=at_ms + chance.choice((100, 2_000, 8_000)),
            message=number,
            asker=asker,
            reader=reader,
            answer_within_ms=chance.choice((2_000, 8_000, 30_000)),
            decides=decides,
            after_ms=chance.choice((100, 3_000, 9_000)),
            lasts_ms=chance.choice((None, 1_000, 6_000, 20_000)),
            hands_on_ms=None if for_itself else chance.choice((100, 4_000, 15_000)),
        )
        for place in range(chance.choice((1, 1, 2)))
    ]
    recalls = (Recall(at_ms=at_ms + chance.choice((6_000, 25_000)), message=number),) * (chance.random() < 1 / 4)
    return _Drawn(tuple(stories), (message,), recalls)


def _product(chance: Random, number: int, actors: Sequence[str]) -> _Drawn:
    originator, author, second, third, fourth = actors
    at_ms = _begin_ms(chance)
    message = Message(number=number, at_ms=at_ms, agency=originator, labels=(_GREEN,), to=(author, second))
    first = Product(
        number=number + 1,
        at_ms=at_ms + chance.choice((200, 3_000)),
        author=author,
        parents=(number,),
        to=chance.choice(((second, third), (second, third, originator))),
        recalls_after_ms=chance.choice((0, 2_000, 8_000)),
    )
    stories = [first]
    if chance.random() < 2 / 3:
        again = Product(
            number=number + 2,
            at_ms=first.at_ms + chance.choice((200, 5_000, 12_000)),
            author=second,
            parents=chance.choice(((number + 1,), (number, number + 1))),
            to=(third, fourth),
            recalls_after_ms=chance.choice((0, 2_000, 8_000)),
        )
        stories.append(again)
    recalls: tuple[Recall, ...] = ()
    faults: tuple[Fault, ...] = ()
    if chance.random() < 3 / 4:
        recall_ms = at_ms + chance.choice((200, 4_000, 12_000, 25_000))
        recalls = (Recall(at_ms=recall_ms, message=number),)
        if chance.random() < 1 / 3:
            # A copy of before the recall comes back after it: at a reader, or at who made a product.
            begin_ms = max(0, recall_ms - chance.choice((500, 3_000)))
            holder = chance.choice((author, second, third))
            faults = (OldSnapshot(at_ms=begin_ms, lasts_ms=chance.choice((2_000, 15_000)), holder=holder),)
    return _Drawn(tuple(stories), (message,), recalls, faults)


def _joint(chance: Random, number: int, actors: Sequence[str]) -> _Drawn:
    lead, *others = actors
    at_ms = _begin_ms(chance)
    members = others[: chance.randint(1, 3)]
    reports = tuple(
        Message(number=number + 1 + place, at_ms=at_ms, agency=name, labels=(_GREEN,), to=(lead,))
        for place, name in enumerate(members[: chance.randint(0, 2)])
    )
    replies = tuple(_signs(chance, name) for name in members)
    story = Joint(
        number=number,
        at_ms=at_ms + chance.choice((1_000, 4_000)),
        lead=lead,
        label=_GREEN,
        parts=tuple(report.number for report in reports),
        needed=chance.randint(1, len(members)),
        to=tuple(sorted({*chance.sample(others, k=2), members[0]})),
        replies=replies,
        patience_ms=chance.choice((10_000, 30_000)),
    )
    recalls: tuple[Recall, ...] = ()
    if reports and chance.random() < 1 / 4:
        recalls = (Recall(at_ms=at_ms + chance.choice((3_000, 15_000)), message=reports[0].number),)
    return _Drawn((story,), reports, recalls)


def _signs(chance: Random, agency: str) -> Reply:
    word: Word = chance.choice(("sign", "sign", "sign", "refuse", "silent"))
    later_ms = chance.choice((300, 4_000, 15_000)) if word == "sign" and chance.random() < 1 / 3 else None
    return Reply(agency=agency, word=word, after_ms=chance.choice((100, 2_000, 7_000)), later_ms=later_ms)


def _question(chance: Random, number: int, actors: Sequence[str]) -> _Drawn:
    asker, *others = actors
    # A comparison costs a tenth of a second of arithmetic, so it is drawn more seldom and asks one agency alone.
    what: Literal["rfi", "deconflict", "task", "offer"] = chance.choice(
        ("rfi", "rfi", "rfi", "deconflict", "task", "offer", "task")
    )
    words: tuple[Word, ...] = ("answer", "answer", "decline", "silent")
    if what in {"task", "offer"}:
        words = ("accept", "accept", "decline", "silent")
    replies = tuple(
        Reply(
            agency=name,
            word=word,
            after_ms=chance.choice((100, 3_000, 12_000)),
            later_ms=chance.choice((500, 6_000, None)) if word == "accept" else None,
        )
        for name in others[: 1 if what != "rfi" else chance.randint(1, 3)]
        for word in (chance.choice(words),)
    )
    story = Question(
        number=number,
        at_ms=_begin_ms(chance),
        what=what,
        asker=asker,
        label=_GREEN,
        answer_within_ms=chance.choice((2_000, 8_000, 25_000)),
        replies=replies,
        asks=tuple(range(chance.randint(1, 3))) if what == "deconflict" else (),
        holds=tuple(range(2, 2 + chance.randint(0, 3))) if what == "deconflict" else (),
    )
    return _Drawn((story,))
