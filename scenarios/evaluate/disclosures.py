"""Every time a forbidden fact became readable: by whose hand, in which portion, by which rule it was let through."""

from dataclasses import dataclass

from scenarios.evaluate.history import ROUTER, History
from scenarios.evaluate.knowledge import Knowledge, Learned
from scenarios.evaluate.policy_cells import label_text
from scenarios.evaluate.tagging import Tagging
from scenarios.model import MustNot, Pack


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """One message (or inject) by which a forbidden agency could read a fact.

    Attributes:
        first: False for a repetition, which discloses nothing new and is listed as evidence only.
        rules: The rules by which the router permitted the portions; empty if it has no such decision.
        stated_reason: What the releasing desk gave as its reason.
    """

    must_not: str
    fact: str
    agency: str
    why: str
    at_ms: int
    wall_ms: int
    first: bool
    source: str
    released_by: str
    released_ms: int
    stated_reason: str
    passages: tuple[str, ...]
    portions: tuple[int, ...]
    labels: tuple[str, ...]
    rules: tuple[str, ...]
    opened_ms: int | None


def find_disclosures(pack: Pack, history: History, knowledge: Knowledge, tagging: Tagging) -> tuple[Disclosure, ...]:
    """Collect the disclosures of a play, earliest first."""
    found = [
        _describe(must_not, agency, way, history, tagging, first=number == 0)
        for must_not in pack.must_nots
        for agency in must_not.who
        for number, way in enumerate(knowledge.ways(must_not.fact, agency))
    ]
    return tuple(sorted(found, key=lambda each: (each.at_ms, each.must_not, each.agency, each.source)))


def _describe(
    must_not: MustNot, agency: str, way: Learned, history: History, tagging: Tagging, *, first: bool
) -> Disclosure:
    portions = [
        portion
        for arrival in history.arrivals
        if (arrival.hid, arrival.agency, arrival.at_ms) == (way.source, agency, way.read_ms)
        for portion in arrival.portions
        if way.fact in tagging.facts_of(way.source, portion)
    ]
    places = tuple(portion.place for portion in portions)
    rules = [
        moment.text("rule")
        for moment in history.of_stage("decided", source=ROUTER)
        if moment.fields.get("permit") is True
        and (moment.text("hid"), moment.text("recipient")) == (way.source, agency)
        and moment.fields.get("place") in places
    ]
    opened = history.first(agency, "opened", way.source, from_ms=way.read_ms) if way.by == "message" else None
    release = way.release
    return Disclosure(
        must_not=must_not.must_not,
        fact=way.fact,
        agency=agency,
        why=must_not.why,
        at_ms=way.read_ms,
        wall_ms=way.read_wall_ms,
        first=first,
        source=way.source,
        released_by=way.sender,
        released_ms=release.at_ms if release else way.read_ms,
        stated_reason=release.reason if release else "",
        passages=tuple(
            passage
            for portion in portions
            for passage in portion.passages
            if tagging.passage_facts.get(passage) == way.fact
        ),
        portions=places,
        labels=tuple(label_text(portion.label) for portion in portions),
        rules=tuple(dict.fromkeys(rules)),
        opened_ms=opened.at_ms if opened else None,
    )
