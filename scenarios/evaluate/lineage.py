"""What each derived product was made of, back to the first reports: its lineage (handling rule H2).

A product names its parents inside its sealed portions, so its lineage is what its readers can follow too. It is whole
if every message that it names was released on the record, and everything that a part takes over stands in a parent of
that part; a product that quotes without naming anybody is broken at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from policy.caveats import ORCON
from policy.traffic_light import OPEN_ONWARD
from scenarios.evaluate.consent import ConsentRequest
from scenarios.evaluate.history import History, PortionSeen, Release
from scenarios.evaluate.policy_cells import label_text
from scenarios.evaluate.tagging import Tagging
from schemas.label import Label

_QUOTING = frozenset({"forward"})  # acts that write nothing of their own


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancestor:
    """A message that a product was made from, ``depth`` steps back; 1 is a parent.

    Attributes:
        agency: Who wrote it; None if it was released nowhere on the record.
        title: Of those of its portions that were taken over, as all that follows; of all, where no passage tells which.
        markings: In words.
        facts: What they tell.
        controlled: Whether going on needs its originator's consent: ORCON, or TLP:AMBER and stricter.
        inject: What set it off, if that was an inject.
    """

    hid: str
    depth: int
    agency: str | None
    title: str
    released_ms: int | None
    markings: tuple[str, ...]
    facts: tuple[str, ...]
    controlled: bool
    inject: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A grant that a product rests on: whose, for which reader, decided when, by which request."""

    originator: str
    reader: str
    asked_ms: int
    decided_ms: int
    request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedProduct:
    """A message that was made from others.

    Attributes:
        readers: To whom it was released in the end.
        consents: Grants that its author had from those of its originators who control what they wrote, each with when.
        ancestors: Parents first, then theirs, each once.
        strangers: Facts that a part carries which names parents, and that none of them tells.
        whole: Whether its lineage has no hole.
    """

    hid: str
    agency: str
    order: str | None
    act: str
    title: str
    released_ms: int
    readers: tuple[str, ...]
    facts: tuple[str, ...]
    ancestors: tuple[Ancestor, ...]
    consents: tuple[Consent, ...]
    strangers: tuple[str, ...]
    whole: bool

    @property
    def originators(self) -> tuple[str, ...]:
        """Whose reports it goes back to, its own author excepted."""
        return tuple(sorted({each.agency for each in self.ancestors if each.agency} - {self.agency}))

    @property
    def consent_ms(self) -> int | None:
        """How long its author waited for consent, from first request to last decision; None if it needed none."""
        if not self.consents:
            return None
        return max(each.decided_ms for each in self.consents) - min(each.asked_ms for each in self.consents)

    @property
    def injects(self) -> tuple[str, ...]:
        """The injects that it goes back to."""
        return tuple(sorted({each.inject for each in self.ancestors if each.inject}))


def trace_lineage(
    history: History, tagging: Tagging, injects: Iterable[str], requests: tuple[ConsentRequest, ...]
) -> tuple[DerivedProduct, ...]:
    """Trace every derived product of a play, in the order of release.

    Args:
        history: The record.
        tagging: The facts of portions.
        injects: The ids of the pack's injects.
        requests: What was asked of originators, with the answers.
    """
    first: dict[str, Release] = {}
    readers: dict[str, set[str]] = {}
    for release in history.releases:
        first.setdefault(release.hid, release)
        readers.setdefault(release.hid, set()).update(release.audience)
    traced = _Traced(first=first, readers=readers, tagging=tagging, injects=frozenset(injects), requests=requests)
    return tuple(
        _product(release, traced)
        for release in first.values()
        if release.act in _QUOTING or any(portion.derived_from for portion in release.portions)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Traced:
    """What a lineage is read off: first releases by message, readers by message, and how facts and grants are known."""

    first: dict[str, Release]
    readers: dict[str, set[str]]
    tagging: Tagging
    injects: frozenset[str]
    requests: tuple[ConsentRequest, ...]


def _product(release: Release, traced: _Traced) -> DerivedProduct:
    ancestors = _ancestors(release, traced)
    strangers = _strangers(release, traced)
    return DerivedProduct(
        hid=release.hid,
        agency=release.agency,
        order=release.order,
        act=release.act,
        title=_title(release.portions),
        released_ms=release.at_ms,
        readers=tuple(sorted(traced.readers[release.hid])),
        facts=_facts(release.hid, release.portions, traced.tagging),
        ancestors=ancestors,
        consents=_consents(release, ancestors, traced.requests),
        strangers=strangers,
        whole=bool(ancestors) and not strangers and all(each.agency is not None for each in ancestors),
    )


def _ancestors(release: Release, traced: _Traced) -> tuple[Ancestor, ...]:
    # A passage keeps its id however often it is quoted, so it tells which portions of a parent were taken over.
    taken = frozenset(passage for portion in release.portions if portion.derived_from for passage in portion.passages)
    found: dict[str, Ancestor] = {}
    generation, depth = _parents(release.portions), 1
    while generation:
        fresh = [hid for hid in generation if hid not in found and hid != release.hid]
        found.update((hid, _ancestor(hid, depth, traced, taken)) for hid in fresh)
        known = [traced.first[hid] for hid in fresh if hid in traced.first]
        generation = list(dict.fromkeys(parent for each in known for parent in _parents(each.portions)))
        depth += 1
    return tuple(found.values())


def _ancestor(hid: str, depth: int, traced: _Traced, taken: frozenset[str]) -> Ancestor:
    release = traced.first.get(hid)
    whole = release.portions if release is not None else ()
    portions = tuple(portion for portion in whole if taken & frozenset(portion.passages)) or whole
    return Ancestor(
        hid=hid,
        depth=depth,
        agency=None if release is None else release.agency,
        title=_title(portions),
        released_ms=None if release is None else release.at_ms,
        markings=tuple(dict.fromkeys(label_text(portion.label) for portion in portions)),
        facts=_facts(hid, portions, traced.tagging),
        controlled=any(_is_controlled(portion.label) for portion in portions),
        inject=release.cause if release is not None and release.cause in traced.injects else None,
    )


def _consents(
    release: Release, ancestors: Iterable[Ancestor], requests: Iterable[ConsentRequest]
) -> tuple[Consent, ...]:  # fmt: skip
    """Give the grants that the author had; a product of several agencies is shown before it is released."""
    controlled = {each.agency for each in ancestors if each.controlled}
    return tuple(
        Consent(
            originator=each.originator,
            reader=each.reader,
            asked_ms=each.asked_ms,
            decided_ms=each.decided_ms,
            request=each.hid,
        )
        for each in requests
        if each.state == "granted"
        and each.decided_ms is not None
        and each.decided_ms <= release.at_ms
        and (each.asker, each.originator in controlled) == (release.agency, True)
    )


def _is_controlled(label: Label) -> bool:
    return ORCON in label.caveats or label.tlp not in OPEN_ONWARD


def _strangers(release: Release, traced: _Traced) -> tuple[str, ...]:
    strangers: set[str] = set()
    for portion in release.portions:
        told = {
            fact
            for parent in portion.derived_from
            if parent in traced.first
            for theirs in traced.first[parent].portions
            for fact in traced.tagging.facts_of(parent, theirs)
        }
        if portion.derived_from:
            strangers |= traced.tagging.facts_of(release.hid, portion) - told
    return tuple(sorted(strangers))


def _parents(portions: Iterable[PortionSeen]) -> list[str]:
    return list(dict.fromkeys(parent for portion in portions for parent in portion.derived_from))


def _title(portions: Iterable[PortionSeen]) -> str:
    return " / ".join(dict.fromkeys(portion.title for portion in portions if portion.title))


def _facts(hid: str, portions: Iterable[PortionSeen], tagging: Tagging) -> tuple[str, ...]:
    return tuple(sorted(frozenset[str]().union(*(tagging.facts_of(hid, portion) for portion in portions))))
