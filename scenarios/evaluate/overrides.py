"""Life-safety overrides: who invoked which authority, for whom, how soon the originator knew, and was it needed.

An override is the one way past an originator's consent, so each is held against the ground truth: it was needed if it
was the first to bring one of its readers a fact that this reader needed. One that nobody needed was used as a way
round the rules, and one that made known what must not be known was abused, whatever was meant by it.
"""

from dataclasses import dataclass
from typing import Literal

from scenarios.evaluate.history import History, Moment, Release
from scenarios.evaluate.knowledge import Knowledge
from scenarios.evaluate.tagging import Tagging
from scenarios.model import Pack

OverrideJudgement = Literal["needed", "without need", "abused", "not measured"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideInvoked:
    """One override. Times are milliseconds since STARTEX.

    Attributes:
        hid: The override.
        of: The report of which it gave away position and danger.
        authority: The mechanism, and ``title`` what the community calls it.
        office: Who ordered it, as its invoker wrote.
        readers: Who could read it beside the originator, each with the time at which it could; None if it never did.
        told_ms: When the originator's node had it; None if it never did.
        facts: What it told.
        needed_by: Readers who needed one of these and had it from here first.
        given_away: What it told to whom, against a must-not: fact and agency.
    """

    hid: str
    of: str
    order: str | None
    invoker: str
    originator: str
    authority: str
    title: str
    office: str
    danger: str
    reason: str
    at_ms: int
    readers: tuple[tuple[str, int | None], ...]
    told_ms: int | None
    facts: tuple[str, ...]
    needed_by: tuple[str, ...]
    given_away: tuple[tuple[str, str], ...]
    judgement: OverrideJudgement


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideTried:
    """An override that a desk meant to make and that its node, or nobody to help, did not let it."""

    agency: str
    at_ms: int
    of: str
    why: str


def list_tried(history: History) -> tuple[OverrideTried, ...]:
    """List the overrides that were not made: by whom, of which report, and what stood against it."""
    refused = [
        OverrideTried(
            agency=moment.source,
            at_ms=moment.at_ms,
            of=moment.text("cause"),
            why=moment.text("reason").removeprefix("not done: "),
        )
        for moment in history.of_stage("acted")
        if moment.text("act") == "override" and moment.at_ms <= history.end_ms
    ]
    made = {(moment.source, moment.at_ms) for moment in history.of_stage("overrode")}
    without_readers = [
        OverrideTried(
            agency=moment.source,
            at_ms=moment.at_ms,
            of=moment.text("cause"),
            why="nobody whom it named may be told by it",
        )
        for moment in history.of_stage("intended")
        if moment.text("act") == "override"
        and moment.at_ms <= history.end_ms
        and (moment.source, moment.at_ms) not in made
    ]
    return tuple(sorted((*refused, *without_readers), key=lambda tried: (tried.at_ms, tried.agency)))


def list_overrides(pack: Pack, history: History, tagging: Tagging, knowledge: Knowledge) -> tuple[OverrideInvoked, ...]:
    """List the overrides of a play, in the order in which they were made."""
    releases = {release.hid: release for release in history.releases if release.kind == "override"}
    return tuple(
        _follow(made, releases.get(made.text("hid")), pack, history, tagging, knowledge)
        for made in history.of_stage("overrode")
        if made.at_ms <= history.end_ms
    )


def _follow(  # noqa: PLR0917 - private, and handed on in the order of its only caller
    made: Moment, release: Release | None, pack: Pack, history: History, tagging: Tagging, knowledge: Knowledge
) -> OverrideInvoked:
    hid, of, originator = made.text("hid"), made.text("of"), made.text("originator")
    readers = tuple(str(name) for name in made.fields["readers"])
    passages = tuple(passage for portion in release.portions for passage in portion.passages) if release else ()
    facts = tuple(sorted(tagging.facts_of_passages(passages)))
    told = [each for each in history.of_stage("overridden", source=originator) if each.text("by") == hid]
    needed_by = tuple(reader for reader in readers if _needed(reader, facts, hid, pack, knowledge))
    given_away = tuple(
        (must_not.fact, reader)
        for must_not in pack.must_nots
        for reader in must_not.who
        if must_not.fact in facts and reader in readers
    )
    judgement: OverrideJudgement = "needed" if needed_by else "without need"
    if not facts:
        judgement = "not measured"
    if given_away:
        judgement = "abused"
    return OverrideInvoked(
        hid=hid,
        of=of,
        order=release.order if release else None,
        invoker=made.source,
        originator=originator,
        authority=made.text("authority"),
        title=next((item.title for item in pack.mechanisms if item.mechanism == made.text("authority")), ""),
        office=made.text("office"),
        danger=made.text("danger"),
        reason=release.reason if release else "",
        at_ms=made.at_ms,
        readers=tuple((reader, _read_ms(reader, hid, history)) for reader in readers),
        told_ms=min((each.at_ms for each in told if each.at_ms <= history.end_ms), default=None),
        facts=facts,
        needed_by=needed_by,
        given_away=given_away,
        judgement=judgement,
    )


def _needed(reader: str, facts: tuple[str, ...], hid: str, pack: Pack, knowledge: Knowledge) -> bool:
    """Tell whether a reader needed one of these facts, and had it from nowhere else before."""
    needed = {need.fact for need in pack.needs if reader in need.who}
    firsts = (knowledge.first_read(fact, reader) for fact in facts if fact in needed)
    return any(first is None or first.source == hid for first in firsts)


def _read_ms(reader: str, hid: str, history: History) -> int | None:
    read = history.first(reader, "verified", hid)
    return None if read is None or read.at_ms > history.end_ms else read.at_ms
