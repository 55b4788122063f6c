"""What was released, portion by portion, from the record of a play: for whoever asks what other rules would have done.

The authors' own records are read and not the router's: they alone know whom an author meant to tell, and they name the
portions that nobody got.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from policy.difference import PastPortion
from scenarios.record import Event
from schemas.codec import read_shape
from schemas.label import Label


def past_portions(events: Iterable[Event], *, kinds: Collection[str] = ("report",)) -> tuple[PastPortion, ...]:
    """Return the portions of all reports that the router took, in the order of their release.

    Args:
        events: Of the whole record, in order; what was released to further readers later comes as a portion more.
        kinds: Of message that count as reports.
    """
    events = tuple(events)
    accepted = {event.fields["hid"] for event in events if event.stage == "accepted"}
    meant: dict[str, frozenset[str]] = {}
    found: list[PastPortion] = []
    for event in events:
        if event.stage == "intended":
            meant[event.source] = frozenset(event.fields["to"])
        elif event.stage == "released" and event.fields["kind"] in kinds and event.fields["hid"] in accepted:
            found += _portions(event, meant.get(event.source, frozenset()))
    return tuple(found)


def _portions(event: Event, meant: frozenset[str]) -> Iterator[PastPortion]:
    audience: dict[str, int] = {agency: int(bits) for agency, bits in event.fields["audience"].items()}
    for portion in event.fields["portions"]:
        yield PastPortion(
            hid=event.fields["hid"],
            place=portion["place"],
            originator=event.source,
            at_ms=event.at_ms,
            label=_label(portion["label"]),
            got=frozenset(agency for agency, bits in audience.items() if bits >> portion["place"] & 1),
            meant=meant or None,  # nobody named: everybody whom the rules permit
        )


def _label(fields: dict[str, Any]) -> Label:
    values = (fields[name] for name in Label._fields)
    return read_shape(Label, tuple(tuple(value) if isinstance(value, list) else value for value in values))
