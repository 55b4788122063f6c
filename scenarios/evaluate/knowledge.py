"""Who learned which fact, when, and from whom.

A fact reaches an agency by an inject or by a portion of a message that the agency's node has verified; from then on
the agency can read it. Whether a *need* is met by that depends on the seat: a person must have opened the message, a
simulated desk has it once it is verified.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from scenarios.evaluate.history import EXCON, Arrival, History, Release
from scenarios.evaluate.tagging import Tagging
from scenarios.model import Pack


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """One way by which one agency got one fact.

    Attributes:
        read_ms: From here on the agency can read it.
        met_ms: From here on a need of this seat counts as met; None while a person has not opened it.
        by: ``author`` is a fact that an agency wrote without ever having been given it.
        source: The inject, or the message's hid.
        sender: The agency that released it, or the inject's sender.
    """

    fact: str
    agency: str
    read_ms: int
    read_wall_ms: int
    met_ms: int | None
    met_wall_ms: int | None
    by: Literal["inject", "message", "author"]
    source: str
    sender: str
    release: Release | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """Every way by which every fact reached every agency up to ENDEX, earliest first."""

    by_cell: dict[tuple[str, str], tuple[Learned, ...]]
    first_ms: dict[str, int]  # T0: a fact's first arrival at any participant

    def ways(self, fact: str, agency: str) -> tuple[Learned, ...]:
        """Return the ways by which an agency got a fact, in the order in which it could read them."""
        return self.by_cell.get((fact, agency), ())

    def first_holder(self, fact: str) -> str:
        """Return the agency that a fact reached first; empty while it has reached nobody."""
        ways = [found[0] for (known, _), found in self.by_cell.items() if known == fact]
        return min(ways, key=lambda way: (way.read_ms, way.agency)).agency if ways else ""

    def first_read(self, fact: str, agency: str) -> Learned | None:
        """Return the way by which an agency could first read a fact."""
        ways = self.ways(fact, agency)
        return ways[0] if ways else None

    def first_met(self, fact: str, agency: str) -> Learned | None:
        """Return the way by which an agency's need of a fact was first met."""
        met = [way for way in self.ways(fact, agency) if way.met_ms is not None]
        return min(met, key=lambda way: (way.met_ms, way.read_ms), default=None)


def learn(pack: Pack, history: History, tagging: Tagging, *, entered_ms: Mapping[str, int] | None = None) -> Knowledge:
    """Collect who learned what, from injects and verified portions, up to ENDEX.

    Args:
        pack: The participants and injects.
        history: The record.
        tagging: Which facts a portion carries.
        entered_ms: When facts certainly entered play, if suggested tags are let in: a sign found before that cannot
            tell the fact, and must not start its clock.
    """
    seats = {participant.agency: participant.seat for participant in pack.participants}
    ways = [*_by_injects(pack, history, tagging)]
    for arrival in history.arrivals:
        if arrival.agency in seats and arrival.at_ms <= history.end_ms:
            ways.extend(_by_message(arrival, history, tagging, human=seats[arrival.agency] == "human"))
    ways.extend(_by_authors(history, tagging, ways, seats=frozenset(seats)))
    entered = entered_ms or {}
    ways = [way for way in ways if way.read_ms >= entered.get(way.fact, way.read_ms)]
    # Ties in the order of the record, never by a message's id, which is chance. A message can open a branch whose
    # inject comes in the same instant; an inject cannot bring a message so soon, since a desk must read first.
    ways.sort(key=lambda way: (way.read_ms, way.agency, way.fact, way.by == "inject"))
    by_cell: dict[tuple[str, str], list[Learned]] = {}
    first_ms: dict[str, int] = {}
    for way in ways:
        by_cell.setdefault((way.fact, way.agency), []).append(way)
        first_ms.setdefault(way.fact, way.read_ms)
    return Knowledge(by_cell={cell: tuple(found) for cell, found in by_cell.items()}, first_ms=first_ms)


def _by_injects(pack: Pack, history: History, tagging: Tagging) -> list[Learned]:
    senders = {inject.inject: inject.sender for inject in pack.injects}
    return [
        Learned(
            fact=fact,
            agency=moment.text("agency"),
            read_ms=moment.at_ms,
            read_wall_ms=moment.wall_ms,
            met_ms=moment.at_ms,
            met_wall_ms=moment.wall_ms,
            by="inject",
            source=moment.text("inject"),
            sender=senders.get(moment.text("inject"), EXCON),
            release=None,
        )
        for moment in history.of_stage("inject_delivered", source=EXCON)
        if moment.at_ms <= history.end_ms
        for fact in sorted(tagging.facts_of_passages(tuple(moment.fields.get("passages") or ())))
    ]


def _by_message(arrival: Arrival, history: History, tagging: Tagging, *, human: bool) -> list[Learned]:
    release = history.release_of(arrival.hid, to=arrival.agency, by_ms=arrival.at_ms)
    opened = history.first(arrival.agency, "opened", arrival.hid, from_ms=arrival.at_ms)
    if opened is not None and opened.at_ms > history.end_ms:
        opened = None
    facts = frozenset[str]().union(*(tagging.facts_of(arrival.hid, portion) for portion in arrival.portions))
    met_ms, met_wall_ms = arrival.at_ms, arrival.wall_ms
    return [
        Learned(
            fact=fact,
            agency=arrival.agency,
            read_ms=arrival.at_ms,
            read_wall_ms=arrival.wall_ms,
            met_ms=(opened.at_ms if opened else None) if human else met_ms,
            met_wall_ms=(opened.wall_ms if opened else None) if human else met_wall_ms,
            by="message",
            source=arrival.hid,
            sender=release.agency if release is not None else arrival.originator,
            release=release,
        )
        for fact in sorted(facts)
    ]


def _by_authors(history: History, tagging: Tagging, ways: list[Learned], *, seats: frozenset[str]) -> list[Learned]:
    """A fact released by an agency that was never given it: its author knew it, from the release at the latest."""
    known: dict[tuple[str, str], int] = {}
    for way in ways:
        cell = (way.fact, way.agency)
        known[cell] = min(known.get(cell, way.read_ms), way.read_ms)
    authored: dict[tuple[str, str], Learned] = {}
    for release in history.releases:
        if release.agency not in seats or release.at_ms > history.end_ms:
            continue
        facts = frozenset[str]().union(*(tagging.facts_of(release.hid, portion) for portion in release.portions))
        for fact in sorted(facts):
            cell = (fact, release.agency)
            if known.get(cell, release.at_ms + 1) > release.at_ms and cell not in authored:
                authored[cell] = Learned(
                    fact=fact,
                    agency=release.agency,
                    read_ms=release.at_ms,
                    read_wall_ms=release.wall_ms,
                    met_ms=release.at_ms,
                    met_wall_ms=release.wall_ms,
                    by="author",
                    source=release.hid,
                    sender=release.agency,
                    release=None,
                )
    return list(authored.values())
