"""The record of an exercise, indexed: what was released, what arrived, what was read, in exercise time.

Everything else in this room works from a History and never from raw events, so that the shape of a line is known
here alone. Times are milliseconds since STARTEX; real time is kept beside as ``wall_ms``. The record may have been
edited by hand or written by a foreign node, so a line that lacks a field is refused by source and number.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from scenarios.model import Pack
from scenarios.record import Event
from schemas.codec import read_shape
from schemas.errors import InputError, RemoteError
from schemas.label import Label

EXCON: Final = "excon"
ROUTER: Final = "router"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortionSeen:
    """One portion as its writer released it or as its reader got it; text is never in a record."""

    place: int
    title: str
    label: Label
    passages: tuple[str, ...]
    derived_from: tuple[str, ...]  # hids


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A message handed over by its author. A re-release repeats the hid for a new audience."""

    hid: str
    at_ms: int
    wall_ms: int
    agency: str
    kind: str
    ref: str | None
    act: str
    order: str | None
    reason: str
    audience: dict[str, int]
    portions: tuple[PortionSeen, ...]
    cause: str | None

    def reaches(self, agency: str, place: int) -> bool:
        """Tell whether the audience as released gives this agency this portion."""
        return bool(self.audience.get(agency, 0) >> place & 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A message that a node has verified, with the portions it can read from then on."""

    hid: str
    at_ms: int
    wall_ms: int
    agency: str
    originator: str
    kind: str
    ref: str | None
    portions: tuple[PortionSeen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Anything else on the record: where, when, which stage, and the fields of that stage."""

    source: str
    number: int
    at_ms: int
    wall_ms: int
    stage: str
    fields: Mapping[str, Any]

    def text(self, name: str) -> str:
        """Return a field as text; missing and None read as nothing."""
        value = self.fields.get(name)
        return "" if value is None else str(value)


class History:
    """The whole record, read once. ``end_ms`` is ENDEX, or the last event of a play that was broken off."""

    def __init__(self, pack: Pack, events: Iterable[Event]) -> None:
        self._start_ms = pack.start_ms
        self.moments: list[Moment] = []
        self.releases: list[Release] = []
        self.arrivals: list[Arrival] = []
        self._at: dict[tuple[str, str, str], list[Moment]] = {}
        self._by_stage: dict[str, list[Moment]] = {}
        self._releases_of: dict[str, list[Release]] = {}
        for event in sorted(events, key=_place_in_record):
            self._take(event)
        ends = self.of_stage("endex")
        self.ended = bool(ends)
        last_ms = max((moment.at_ms for moment in self.moments), default=0)
        self.end_ms = ends[-1].at_ms if ends else last_ms
        self.end_wall_ms = ends[-1].wall_ms if ends else max((moment.wall_ms for moment in self.moments), default=0)

    def _take(self, event: Event) -> None:
        at_ms = event.at_ms - self._start_ms
        moment = Moment(
            source=event.source,
            number=event.number,
            at_ms=at_ms,
            wall_ms=event.wall_ms,
            stage=event.stage,
            fields=event.fields,
        )
        try:
            self._index(moment)
        except (KeyError, TypeError, ValueError, AttributeError, RemoteError) as error:
            msg = (
                f"record of {event.source}, event {event.number}: {event.stage!r} lacks or misspells a field ({error})"
            )
            raise InputError(msg, remedy="the record was edited or written by another version; play again") from error

    def _index(self, moment: Moment) -> None:
        self.moments.append(moment)
        self._by_stage.setdefault(moment.stage, []).append(moment)
        if moment.stage == "released":
            release = _release(moment)
            self.releases.append(release)
            self._releases_of.setdefault(release.hid, []).append(release)
        elif moment.stage == "verified":
            self.arrivals.append(_arrival(moment))
        hid = moment.fields.get("hid")
        if isinstance(hid, str):
            self._at.setdefault((moment.source, moment.stage, hid), []).append(moment)

    def of_stage(self, *stages: str, source: str | None = None) -> list[Moment]:
        """Return the moments of these stages, in order; of one source if it is named."""
        found = [moment for stage in stages for moment in self._by_stage.get(stage, ())]
        if source is not None:
            found = [moment for moment in found if moment.source == source]
        return found if len(stages) == 1 else sorted(found, key=_place_in_record)

    def first(self, source: str, stage: str, hid: str, *, from_ms: int = 0) -> Moment | None:
        """Return when this stage of this message was first recorded there, not before ``from_ms``."""
        return next((moment for moment in self._at.get((source, stage, hid), ()) if moment.at_ms >= from_ms), None)

    def release_of(self, hid: str, *, to: str, by_ms: int) -> Release | None:
        """Return the release by which a message came to a reader: the last one before, with it in the audience."""
        released = self._releases_of.get(hid, [])
        # Nodes of a real play have clocks of their own: a reader's may run behind its author's.
        found = [release for release in released if release.at_ms <= by_ms] or released[:1]
        return next((release for release in reversed(found) if to in release.audience), found[-1] if found else None)


def _place_in_record(event: Event | Moment) -> tuple[int, str, int]:
    return event.at_ms, event.source, event.number


def _release(moment: Moment) -> Release:
    fields = moment.fields
    return Release(
        hid=str(fields["hid"]),
        at_ms=moment.at_ms,
        wall_ms=moment.wall_ms,
        agency=moment.source,
        kind=str(fields["kind"]),
        ref=fields.get("ref"),
        act=str(fields.get("act") or ""),
        order=fields.get("order"),
        reason=str(fields.get("reason") or ""),
        audience={str(agency): int(bits) for agency, bits in fields["audience"].items()},
        portions=tuple(_portion(portion) for portion in fields["portions"]),
        cause=fields.get("cause"),
    )


def _arrival(moment: Moment) -> Arrival:
    fields = moment.fields
    return Arrival(
        hid=str(fields["hid"]),
        at_ms=moment.at_ms,
        wall_ms=moment.wall_ms,
        agency=moment.source,
        originator=str(fields["originator"]),
        kind=str(fields["kind"]),
        ref=fields.get("ref"),
        portions=tuple(_portion(portion) for portion in fields["portions"]),
    )


def _portion(fields: Mapping[str, Any]) -> PortionSeen:
    return PortionSeen(
        place=int(fields["place"]),
        title=str(fields.get("title") or ""),
        label=read_recorded_label(fields["label"]),
        passages=tuple(str(passage) for passage in fields["passages"]),
        derived_from=tuple(_parent(parent) for parent in fields.get("derived_from") or ()),
    )


def _parent(parent: Any) -> str:
    """A parent stands as its hid, or as hid and commitment."""
    return str(parent if isinstance(parent, str) else parent["hid"] if isinstance(parent, Mapping) else parent[0])


def read_recorded_label(recorded: Any) -> Label:
    """Read a label from a line of the record: an object of its parts, or the wire's array.

    Raises:
        RemoteError: SHAPE, if it is no label.
    """
    if isinstance(recorded, Mapping):
        parts = dict(recorded)
        if "not" in parts:  # the specification's word for it, which Python reserves
            parts["exclude"] = parts.pop("not")
        recorded = Label(**parts)
    return read_shape(Label, tuple(tuple(part) if isinstance(part, list) else part for part in recorded))
