"""The community of a pack: participants and their links, agreements, groups, rules and named labels.

What is read here becomes the community bundle of the exercise, so nothing may be left loose: a rule with a misspelt
level would silently match nothing, and in a forbidding rule that is a leak.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, get_args

from scenarios.fields import Fields
from scenarios.model import LinkProfile, Outage, Participant, Seat, Span
from scenarios.parts import Parts
from scenarios.problems import Mark, PackTextError, did_you_mean
from scenarios.text_yaml import TextNode, decode_text, shorten
from scenarios.values import (
    datetime_ms,
    read_datetime,
    read_duration_ms,
    read_exercise_time_ms,
    read_rate,
    read_span,
    read_yes_or_no,
)
from schemas.bundle import (
    AgencyKind,
    Group,
    Mechanism,
    Membership,
    NationalMark,
    Standing,
)
from schemas.label import EXERCISE_LEVELS
from schemas.names import STATE_PATTERN

_KINDS: Final[tuple[AgencyKind, ...]] = get_args(AgencyKind)
_SEATS: Final[tuple[Seat, ...]] = get_args(Seat)
# An id says what it is (domain practice): rb- regional body, dp- dialogue partner, in- industry, ex- exercise staff.
_KIND_OF_PREFIX: Final[dict[str, AgencyKind]] = {"rb": "body", "dp": "partner", "in": "industry", "ex": "staff"}
_STATE: Final = re.compile(STATE_PATTERN.removeprefix("^").removesuffix("$"), re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommunityNames:
    """The names that rules and labels may use."""

    agencies: Collection[str]
    states: Collection[str]
    groups: Collection[str]
    levels: tuple[str, ...]
    compartments: Collection[str]
    mechanisms: Collection[str]
    marks: Mapping[str, str]  # a national mark with its state in front, such as "MYS SULIT", and its level

    @property
    def subjects(self) -> set[str]:
        """Whatever may stand in a REL TO."""
        return {*self.agencies, *self.states, *self.groups}


def names_of_marks(marks: Iterable[NationalMark]) -> dict[str, str]:
    """Return national marks as labels name them, with their levels."""
    return {f"{item.state} {item.mark}": item.level for item in marks}


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
        text = decode_text(parts.files.fetch(name or default, fields.mark_of("brief")), name or default)
        blank_lines = text[: len(text) - len(text.lstrip())].count("\n")
        parts.places["briefs", agency] = Mark(name or default, 1 + blank_lines, 1)
        return text.strip()
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


def read_groups(entries: list[tuple[str, Fields]], names: CommunityNames) -> tuple[Group, ...]:
    """Read the groups. A state without a seat in this exercise is left out: a bundle names only who is there."""
    found = []
    for name, fields in entries:
        members = [item for item in fields.texts("members") if _is_present(item, names, fields)]
        fields.close()
        found.append(Group(f"@{name.removeprefix('@')}", tuple(sorted({item.value for item in members}))))
    return tuple(found)


def _is_present(item: TextNode, names: CommunityNames, fields: Fields) -> bool:
    """Tell whether a subject takes part; a state may be absent, an unknown agency is a slip."""
    if item.value in names.agencies or item.value in names.states:
        return True
    if _STATE.fullmatch(item.value) is None:
        fields.problems.add(
            item.mark,
            "unknown-id",
            f"'{shorten(item.value)}' is no participant and no state",
            did_you_mean(item.value, [*names.agencies, *names.states]),
        )
    return False


def read_mechanisms(entries: list[tuple[str, Fields]], names: CommunityNames) -> tuple[Mechanism, ...]:
    """Read the agreements with their dated members and observers."""
    found = []
    for name, fields in entries:
        since = fields.read("since", lambda text: datetime_ms(read_datetime(text)), 0)
        memberships = [
            *_read_memberships(fields, "members", "member", since, names),
            *_read_memberships(fields, "observers", "observer", since, names),
            *_read_memberships(fields, "reciprocal", "reciprocal", since, names),
            *_read_memberships(fields, "contributors", "contributor", since, names),
        ]
        found.append(Mechanism(name, fields.required_text("title") or name, tuple(memberships)))
        fields.close()
    return tuple(found)


def _read_memberships(
    fields: Fields, name: str, standing: Standing, since: int, names: CommunityNames
) -> Iterator[Membership]:
    """Read ``[IDN, {who: THA, from: 2008-09-18}]``."""
    for item in fields.each_or_text(name):
        if isinstance(item, TextNode):
            if _is_present(item, names, fields):
                yield Membership(item.value, standing, since)
            continue
        who = TextNode(item.required_text("who"), item.mark_of("who"))
        begin = item.read("from", lambda text: datetime_ms(read_datetime(text)), since)
        end = item.read("until", lambda text: datetime_ms(read_datetime(text)), None)
        item.close()
        if _is_present(who, names, fields):
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
