"""The community of a pack: participants and their links, agreements, groups, rules and named labels.

What is read here becomes the community bundle of the exercise, so nothing may be left loose: a rule with a misspelt
level would silently match nothing, and in a forbidding rule that is a leak.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final, cast, get_args

from pydantic import TypeAdapter, ValidationError

from policy.caveats import CAVEATS_WITH_OPERAND, NAMED, PLAIN_CAVEATS, RESIDENCY, read_caveat
from policy.consistency import AFFECTED, AND_ABOVE, BUILT_IN_PREFIX, ORIGINATOR
from scenarios.fields import (
    Fields,
    datetime_ms,
    read_datetime,
    read_duration_ms,
    read_exercise_time_ms,
    read_rate,
    read_span,
    read_yes_or_no,
)
from scenarios.model import LinkProfile, Outage, Participant, Seat, Span
from scenarios.parts import Parts
from scenarios.problems import PackTextError, did_you_mean
from scenarios.text_yaml import TextNode, decode_text, shorten
from schemas.bundle import (
    AgencyKind,
    Effect,
    Group,
    Mechanism,
    Membership,
    NationalMark,
    Predicate,
    PredicateName,
    Rule,
    Standing,
)
from schemas.label import EXERCISE_LEVELS, PRECEDENCE_ORDER, TLP_ORDER, Label, Precedence, Tlp
from schemas.names import STATE_PATTERN

_KINDS: Final[tuple[AgencyKind, ...]] = get_args(AgencyKind)
_SEATS: Final[tuple[Seat, ...]] = get_args(Seat)
_PREDICATES: Final[tuple[PredicateName, ...]] = get_args(PredicateName)
# An id says what it is (domain practice): rb- regional body, dp- dialogue partner, in- industry, ex- exercise staff.
_KIND_OF_PREFIX: Final[dict[str, AgencyKind]] = {"rb": "body", "dp": "partner", "in": "industry", "ex": "staff"}
_STATE: Final = re.compile(STATE_PATTERN.removeprefix("^").removesuffix("$"), re.ASCII)
_TOPIC: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*", re.ASCII)
_LABEL: Final[TypeAdapter[Label]] = TypeAdapter(Label)
# What the shape of a label calls its parts, and what a planner does.
_RANKED: Final = {"tlp": TLP_ORDER, "precedence": PRECEDENCE_ORDER}


@dataclass(frozen=True, slots=True, kw_only=True)
class CommunityNames:
    """The names that rules and labels may use."""

    agencies: Collection[str]
    states: Collection[str]
    groups: Collection[str]
    levels: tuple[str, ...]
    compartments: Collection[str]
    mechanisms: Collection[str]

    @property
    def subjects(self) -> set[str]:
        """Whatever may stand in a REL TO."""
        return {*self.agencies, *self.states, *self.groups}


def read_levels(parts: Parts) -> tuple[str, ...]:
    """Return the lattice, lowest first; the exercise levels unless the pack has its own."""
    return tuple(dict.fromkeys(item.value for item in parts.texts("levels"))) or EXERCISE_LEVELS


def read_participants(
    entries: list[tuple[str, Fields]], parts: Parts, levels: tuple[str, ...], compartments: Collection[str]
) -> tuple[Participant, ...]:
    """Read every seat of the exercise; role, kind and state follow from a well-formed id unless they are given."""
    agencies = {agency for agency, _ in entries}
    links = {name for part, name in parts.places if part == "links"}
    bots = {name for part, name in parts.places if part == "bots"}
    found = []
    for agency, fields in entries:
        kind = fields.word("kind", _KINDS, _KIND_OF_PREFIX.get(agency.partition("-")[0], "member"))
        found.append(
            Participant(
                agency=agency,
                name=fields.required_text("name"),
                state=_read_state(agency, kind, fields),
                role=fields.text("role") or agency.rpartition("-")[2],
                kind=kind,
                clearance=fields.one_of("clearance", levels, noun="level") or levels[0],
                compartments=tuple(sorted(fields.words("compartments", compartments, noun="compartment of the pack"))),
                purposes=tuple(sorted({item.value for item in fields.texts("purposes")})),
                client_of=tuple(sorted(fields.words("client_of", agencies - {agency}, noun="other participant"))),
                seat=fields.word("seat", _SEATS, "bot"),
                link=fields.required_one_of("link", links, noun="link profile of the pack"),
                bot=fields.required_one_of("bot", bots, noun="bot profile of the pack"),
                brief=_read_brief(agency, fields, parts),
            )
        )
        fields.close()
    return tuple(found)


def _read_state(agency: str, kind: AgencyKind, fields: Fields) -> str | None:
    """Return the state: the one given, or the one that the id begins with (``mys-mar``, ``dp-jpn-mar``)."""
    levels = agency.split("-")
    implied = {"member": levels[0], "partner": levels[1] if len(levels) > 1 else ""}.get(kind, "").upper()
    state = fields.text("state").upper() or implied
    if state == "" or (_STATE.fullmatch(state) is not None):
        return state or None
    fields.problems.add(
        fields.mark_of("state"),
        "value",
        f"'{shorten(state)}' of {agency} is no state",
        "write 'state:' with three letters, such as MYS",
    )
    return None


def _read_brief(agency: str, fields: Fields, parts: Parts) -> str:
    """Return the brief: the file named, or briefs/<agency>.md if the pack has it, or nothing."""
    name = fields.text("brief")
    default = f"briefs/{agency}.md"
    if name and not name.endswith(".md"):
        return name
    if not name and default not in parts.files.contents:
        return ""
    try:
        return decode_text(parts.files.fetch(name or default, fields.mark_of("brief")), name or default).strip()
    except PackTextError as error:
        parts.problems.take(error)
        return ""


def read_links(entries: list[tuple[str, Fields]]) -> tuple[LinkProfile, ...]:
    """Read the link profiles."""
    found = []
    for link, fields in entries:
        found.append(
            LinkProfile(
                link=link,
                delay=fields.read("delay", read_span, Span(least_ms=0, most_ms=0)),
                rate_bits_per_s=fields.read("rate", read_rate, None),
                outages=tuple(_read_outages(fields)),
                read_every_ms=fields.read("read_every", read_duration_ms, None),
            )
        )
        fields.close()
    return tuple(found)


def _read_outages(fields: Fields) -> Iterator[Outage]:
    for item in fields.each("outage"):
        every_ms = item.read("every", read_duration_ms, None)
        begin_ms = item.read("begin", read_exercise_time_ms, every_ms or 0)
        lasts_ms = item.required("lasts", read_duration_ms, 0)
        if begin_ms < 0 or (every_ms is not None and lasts_ms >= every_ms):
            item.problems.add(
                item.mark,
                "value",
                "an outage begins before STARTEX, or never ends",
                "make 'lasts' shorter than 'every'",
            )
        item.close()
        yield Outage(begin_ms=max(0, begin_ms), lasts_ms=lasts_ms, every_ms=every_ms)


def read_groups(
    entries: list[tuple[str, Fields]], agencies: Collection[str], states: Collection[str]
) -> tuple[Group, ...]:
    """Read the groups. A state without a seat in this exercise is left out: a bundle names only who is there."""
    found = []
    for name, fields in entries:
        members = [item for item in fields.texts("members") if _is_present(item, agencies, states, fields)]
        fields.close()
        found.append(Group(f"@{name.removeprefix('@')}", tuple(sorted({item.value for item in members}))))
    return tuple(found)


def _is_present(item: TextNode, agencies: Collection[str], states: Collection[str], fields: Fields) -> bool:
    """Tell whether a subject takes part; a state may be absent, an unknown agency is a slip."""
    if item.value in agencies or item.value in states:
        return True
    if _STATE.fullmatch(item.value) is None:
        fields.problems.add(
            item.mark,
            "unknown-id",
            f"'{shorten(item.value)}' is no participant and no state",
            did_you_mean(item.value, [*agencies, *states]),
        )
    return False


def read_mechanisms(
    entries: list[tuple[str, Fields]], agencies: Collection[str], states: Collection[str]
) -> tuple[Mechanism, ...]:
    """Read the agreements with their dated members and observers."""
    found = []
    for name, fields in entries:
        since = fields.read("since", lambda text: datetime_ms(read_datetime(text)), 0)
        memberships = [
            *_read_memberships(fields, "members", "member", since, agencies, states),
            *_read_memberships(fields, "observers", "observer", since, agencies, states),
        ]
        found.append(Mechanism(name, fields.required_text("title") or name, tuple(memberships)))
        fields.close()
    return tuple(found)


def _read_memberships(
    fields: Fields, name: str, standing: Standing, since: int, agencies: Collection[str], states: Collection[str]
) -> Iterator[Membership]:
    """Read ``[IDN, {who: THA, from: 2008-09-18}]``."""
    for item in fields.each_or_text(name):
        if isinstance(item, TextNode):
            if _is_present(item, agencies, states, fields):
                yield Membership(item.value, standing, since)
            continue
        who = TextNode(item.required_text("who"), item.mark_of("who"))
        begin = item.read("from", lambda text: datetime_ms(read_datetime(text)), since)
        end = item.read("until", lambda text: datetime_ms(read_datetime(text)), None)
        item.close()
        if _is_present(who, agencies, states, fields):
            yield Membership(who.value, standing, begin, end)


def read_marks(entries: list[tuple[str, Fields]], levels: tuple[str, ...]) -> tuple[NationalMark, ...]:
    """Read how national marks map onto the lattice."""
    found = []
    for _, fields in entries:
        mark = NationalMark(
            state=fields.required_text("state"),
            mark=fields.required_text("mark"),
            level=fields.required_one_of("level", levels, noun="level"),
            lossy=int(fields.read("lossy", read_yes_or_no, False)),
        )
        if _STATE.fullmatch(mark.state) is None:
            fields.problems.add(
                fields.mark_of("state"),
                "value",
                f"'{shorten(mark.state)}' is no state",
                "write three letters, such as MYS",
            )
        fields.close()
        found.append(mark)
    return tuple(found)


def read_rules(entries: list[tuple[str, Fields]], names: CommunityNames) -> tuple[Rule, ...]:
    """Read the community rules: default deny, forbid beats permit."""
    found = []
    for rule, fields in entries:
        if rule.startswith(BUILT_IN_PREFIX):
            fields.problems.add(
                fields.mark,
                "bad-id",
                f"the rule {rule} has the name of a built-in test",
                f"do not begin it with {BUILT_IN_PREFIX}",
            )
        permit, forbid = fields.fields("permit"), fields.fields("forbid")
        fields.text("why")  # a remark for the planner's colleagues; the bundle has no place for it
        fields.close()
        if (permit is None) == (forbid is None):
            fields.problems.add(
                fields.mark, "form", f"the rule {rule} must either permit or forbid", "write permit: {…} or forbid: {…}"
            )
            continue
        effect: Effect = "permit" if permit is not None else "forbid"
        tests = permit or forbid
        assert tests is not None  # exactly one of the two is there
        predicates = tuple(
            Predicate(name, values) for name in _PREDICATES if (values := _read_predicate(name, tests, effect, names))
        )
        tests.close()
        if predicates:
            found.append(Rule(rule, effect, predicates))
        else:
            fields.problems.add(
                tests.mark, "form", f"the rule {rule} tests nothing", "say what it is about, for example topic: [toc.*]"
            )
    return tuple(found)


def _read_predicate(name: PredicateName, tests: Fields, effect: Effect, names: CommunityNames) -> tuple[str, ...]:
    values: list[str] = []
    for item in tests.texts(name):
        spelled = _spell_value(name, item.value, names)
        for value in spelled:
            if not _is_rule_word(name, value, effect, names):
                tests.problems.add(
                    item.mark, "unknown-word", f"'{shorten(item.value)}' is no {name} that a rule can test",
                    did_you_mean(value.removeprefix(AND_ABOVE), _known_values(name, names)),
                )  # fmt: skip
        values.extend(spelled)
    return tuple(dict.fromkeys(values))


def _spell_value(name: PredicateName, text: str, names: CommunityNames) -> tuple[str, ...]:
    """Turn ``AMBER or above`` into what the bundle writes, and ``AMBER or below`` into the words it stands for."""
    order = _RANKED.get(name, names.levels if name == "level" else ())
    word = text.removeprefix("TLP:") if name == "tlp" else text
    if word.endswith(" or above"):
        return (AND_ABOVE + word.removesuffix(" or above").strip(),)
    if word.endswith(" or below") and word.removesuffix(" or below").strip() in order:
        return tuple(order[: order.index(word.removesuffix(" or below").strip()) + 1])
    return (word,)


def _known_values(name: PredicateName, names: CommunityNames) -> tuple[str, ...]:
    match name:
        case "kind":
            return _KINDS
        case "state":
            return (AFFECTED, ORIGINATOR, *sorted(names.states))
        case "mechanism":
            return tuple(names.mechanisms)
        case "level":
            return names.levels
        case "caveat":
            return (*sorted(PLAIN_CAVEATS), *(f"{word}:…" for word in sorted(CAVEATS_WITH_OPERAND)))
        case _:
            return tuple(_RANKED.get(name, ()))


def _is_rule_word(name: PredicateName, value: str, effect: Effect, names: CommunityNames) -> bool:
    """Tell whether the bundle will hold this value for known; policy.consistency makes the same test."""
    match name:
        case "topic":
            return _TOPIC.fullmatch(value.removesuffix(".*")) is not None
        case "role":
            return bool(value)
        case "affected":
            return _STATE.fullmatch(value) is not None
        case "state":
            # A permitting rule may be about states that have no seat here; a forbidding one could let them pass.
            absent = effect == "permit" and _STATE.fullmatch(value) is not None
            return absent or value in _known_values(name, names)
        case "caveat":
            return _is_known_caveat(value, names)
        case "tlp" | "level" | "precedence":
            return value.removeprefix(AND_ABOVE) in _known_values(name, names)
        case _:
            return value in _known_values(name, names)


def _is_known_caveat(word: str, names: CommunityNames) -> bool:
    caveat = read_caveat(word)
    if caveat is None:
        return False
    return {NAMED: caveat.operand in names.agencies, RESIDENCY: caveat.operand in names.states}.get(caveat.name, True)


def read_labels(entries: list[tuple[str, Fields]], names: CommunityNames, start_ms: int) -> dict[str, Label]:
    """Read the named labels, which contents and orders refer to."""
    labels = {}
    for name, fields in entries:
        labels[name] = read_label_fields(fields, names, start_ms)
        fields.close()
    return labels


def read_label_fields(fields: Fields, names: CommunityNames, start_ms: int) -> Label:
    """Read one label; lists come out sorted, as a signed label has them."""
    label = Label(
        tlp=cast("Tlp", fields.read("tlp", _read_tlp, "RED")),
        level=fields.one_of("level", names.levels, noun="level") or names.levels[0],
        topic=fields.required_text("topic"),
        compartments=tuple(sorted(fields.words("compartments", names.compartments, noun="compartment of the pack"))),
        mechanisms=tuple(sorted(fields.words("mechanisms", names.mechanisms, noun="mechanism of the pack"))),
        rel=_read_subjects(fields, "rel", names),
        exclude=_read_subjects(fields, "not", names),
        caveats=tuple(sorted({item.value for item in fields.texts("caveats") if _is_caveat(item, fields, names)})),
        affected=tuple(sorted({item.value for item in fields.texts("affected")})),
        precedence=fields.word("precedence", cast("tuple[Precedence, ...]", PRECEDENCE_ORDER), "ROUTINE"),
        not_before=_read_embargo(fields, start_ms),
    )
    if fields.node("tlp") is None:
        fields.problems.add(fields.mark, "missing", f"{fields.what} has no 'tlp'", f"one of {', '.join(TLP_ORDER)}")
    try:
        _LABEL.validate_python(label)
    except ValidationError as error:
        first = error.errors()[0]
        part = str(first["loc"][0]) if first["loc"] else "label"
        fields.problems.add(fields.mark_of(part), "value", f"the {part} of {fields.what} is misspelt: {first['msg']}")
    return label


def _read_tlp(text: str) -> str:
    word = text.strip().removeprefix("TLP:")
    if word not in TLP_ORDER:
        msg = f"'{shorten(text)}' is no TLP label; " + did_you_mean(word, TLP_ORDER)
        raise ValueError(msg)
    return word


def _read_subjects(fields: Fields, name: str, names: CommunityNames) -> tuple[str, ...]:
    return tuple(sorted(fields.words(name, names.subjects, noun="participant, state with a seat, or @group")))


def _is_caveat(item: TextNode, fields: Fields, names: CommunityNames) -> bool:
    if _is_known_caveat(item.value, names):
        return True
    known = _known_values("caveat", names)
    fields.problems.add(
        item.mark, "unknown-word", f"'{shorten(item.value)}' is no caveat", did_you_mean(item.value, known)
    )
    return False


def _read_embargo(fields: Fields, start_ms: int) -> int | None:
    def read(text: str) -> int:
        return (
            max(0, start_ms + read_exercise_time_ms(text)) if text.startswith("T") else datetime_ms(read_datetime(text))
        )

    return fields.read("not_before", read, None)
