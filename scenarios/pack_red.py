"""What an adversary tries in a pack: dated or conditional acts, each with its victim and with who should notice it."""

from typing import Final, NamedTuple, get_args

from scenarios.conditions import KnownIds, read_condition
from scenarios.fields import Fields
from scenarios.model import RedAct, RedKind
from scenarios.pack_conduct import read_within
from scenarios.pack_story import read_material
from scenarios.parts import Parts
from scenarios.passages import ContentContext
from scenarios.problems import did_you_mean
from scenarios.text_yaml import shorten
from scenarios.values import read_duration_ms, read_exercise_time_ms, read_number

RED_DEFAULT: Final = "ex-red"
# Who may notice beside the agencies: the router, and whoever compares the records after ENDEX.
OTHER_NOTICERS: Final = ("router", "records")
# Six times the burst that the router's quota grants one agency (broker/quota.py), so that a slow machine, whose bucket
# fills again meanwhile, reaches it too; the flood ends where the router takes no more.
FLOOD_MESSAGES: Final = 60_000
FLOOD_MESSAGES_MAX: Final = 200_000  # a play stands still while they go
_KINDS: Final[tuple[RedKind, ...]] = get_args(RedKind)


class _Form(NamedTuple):
    """What an act of a kind may say, and what it cannot do without."""

    may: frozenset[str]
    must: frozenset[str]


def _form(must: str = "", may: str = "") -> _Form:
    return _Form(may=frozenset(may.split()) | frozenset(must.split()), must=frozenset(must.split()))


_FORMS: Final[dict[RedKind, _Form]] = {
    "copied-header": _form(must="victim message", may="line to label"),
    "replay": _form(must="victim", may="line to"),
    "flood": _form(may="messages"),
    "stolen-box-key": _form(must="victim", may="rekeyed_at"),
    "stolen-sign-key": _form(must="victim message to", may="label"),
    "traffic-watch": _form(must="to", may="lasts"),
    "drop": _form(must="victim", may="lasts"),
    "substitute": _form(must="victim", may="lasts"),
    "misroute": _form(must="victim to", may="lasts"),
}
_REMEDIES: Final[dict[str, str]] = {
    "victim": "name the agency whose header, message, key or deliveries it is about",
    "message": "write content/R1.md, or the false report itself",
    "to": "name agencies",
}
_OF_KINDS: Final = ("victim", "message", "label", "line", "to", "messages", "lasts", "rekeyed_at")


def read_red(
    entries: list[tuple[str, Fields]], known: KnownIds, context: ContentContext, parts: Parts
) -> tuple[RedAct, ...]:
    """Read the adversary's acts in the order of their times, those on a condition last."""
    found = []
    for act, fields in entries:
        found.append(_read_act(act, fields, known, context, parts))
        fields.close()
    return tuple(sorted(found, key=lambda item: (item.time_ms is None, item.time_ms or 0)))


def _read_act(act: str, fields: Fields, known: KnownIds, context: ContentContext, parts: Parts) -> RedAct:
    if fields.node("do") is None:
        fields.problems.add(fields.mark, "missing", f"{fields.what} has no 'do'", f"one of {', '.join(_KINDS)}")
    kind = fields.word("do", _KINDS, "traffic-watch")
    _check_form(fields, kind)
    who = fields.one_of("who", known.agencies, noun="participant") or RED_DEFAULT
    if who not in known.agencies:
        text = f"{fields.what} is done by {RED_DEFAULT}, which is no participant"
        fields.problems.add(fields.mark, "missing", text, f"add {RED_DEFAULT} to the participants, or write who:")
    time_ms = fields.read("at", _read_at, None)
    node = fields.node("when")
    when = None if node is None else read_condition(node, known, fields.problems)
    within_ms, after = read_within(fields, known) if node is not None else (0, "")
    if (time_ms is None) == (node is None) and fields.node("at") is None:
        remedy = "write at: T+01:30, or when: {…} with within: 30m after E01"
        fields.problems.add(fields.mark, "missing", f"{fields.what} has neither 'at' nor 'when'", remedy)
    elif fields.node("at") is not None and node is not None:
        fields.problems.add(fields.mark_of("when"), "form", f"{fields.what} has 'at' and 'when'", "keep one of them")
    if node is None and fields.node("within") is not None:
        fields.problems.add(fields.mark_of("within"), "idle-field", "'within' means nothing without 'when'")
    return RedAct(
        act=act,
        kind=kind,
        who=who,
        time_ms=time_ms,
        when=when,
        within_ms=within_ms,
        after=after,
        victim=fields.one_of("victim", known.agencies, noun="participant"),
        line=fields.one_of("line", known.agencies, noun="participant") or who,
        to=fields.words("to", known.agencies, noun="participant"),
        material=read_material(f"red/{act}", fields.text("title") or act, fields, context, parts),
        messages=fields.read("messages", _read_messages, FLOOD_MESSAGES),
        lasts_ms=fields.read("lasts", read_duration_ms, None),
        rekeyed_ms=fields.read("rekeyed_at", _read_at, None),
        noticed_by=_read_noticed_by(fields, known),
        why=fields.text("why"),
    )


def _check_form(fields: Fields, kind: RedKind) -> None:
    form = _FORMS[kind]
    for name in _OF_KINDS:
        stands = fields.node(name) is not None
        if stands and name not in form.may:
            kinds = ", ".join(kind for kind, other in _FORMS.items() if name in other.may)
            text = f"'{name}' means nothing where red is to {kind}"
            fields.problems.add(fields.mark_of(name), "idle-field", text, f"it belongs to: {kinds}")
        elif not stands and name in form.must:
            fields.problems.add(fields.mark, "missing", f"{fields.what} has no '{name}'", _REMEDIES[name])


def _read_at(text: str) -> int | None:
    time_ms = read_exercise_time_ms(text)
    if time_ms < 0:
        msg = f"'{text.strip()[:40]}' lies before STARTEX; red begins with everybody else"
        raise ValueError(msg)
    return time_ms


def _read_messages(text: str) -> int:
    messages = read_number(text)
    if not 0 < messages <= FLOOD_MESSAGES_MAX:
        msg = f"{messages} messages, where 1 to {FLOOD_MESSAGES_MAX} are allowed"
        raise ValueError(msg)
    return messages


def _read_noticed_by(fields: Fields, known: KnownIds) -> tuple[str, ...]:
    found = []
    for item in fields.texts("noticed_by"):
        if item.value in OTHER_NOTICERS or item.value in known.agencies:
            found.append(item.value)
        else:
            text = f"'{shorten(item.value)}' is neither 'router' nor 'records' nor a participant"
            remedy = did_you_mean(item.value, (*OTHER_NOTICERS, *known.agencies))
            fields.problems.add(item.mark, "unknown-id", text, remedy)
    return tuple(dict.fromkeys(found))
