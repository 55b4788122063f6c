"""How times, names and lists are written, so that a finding, a table and a picture say the same thing alike."""

from collections.abc import Iterable
from dataclasses import dataclass

from scenarios.model import Pack

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS


def clock_text(at_ms: int) -> str:
    """Write an exercise time as planners do: ``T+1:05``, with seconds where there are any."""
    sign = "-" if at_ms < 0 else "+"
    seconds = round(abs(at_ms) / 1_000)
    hours, minutes, rest = seconds // 3_600, seconds // 60 % 60, seconds % 60
    return f"T{sign}{hours}:{minutes:02}" + (f":{rest:02}" if rest else "")


def length_text(length_ms: int) -> str:
    """Write a length of time at the precision people use: seconds below two minutes, minutes below three hours."""
    if length_ms < 0:
        return "-" + length_text(-length_ms)
    if length_ms < 2 * _MINUTE_MS and length_ms != _MINUTE_MS:
        return f"{round(length_ms / 1_000)} s"
    if length_ms < 3 * _HOUR_MS:
        return f"{round(length_ms / _MINUTE_MS)} min"
    return f"{length_ms // _HOUR_MS} h {length_ms % _HOUR_MS // _MINUTE_MS:02} min"


def share_text(share: float | None) -> str:
    """Write a share in whole per cent; a hyphen where there is nothing to share."""
    return "-" if share is None else f"{share:.0%}"


def list_text(items: Iterable[str]) -> str:
    """Join names as in a sentence: ``A``, ``A and B``, ``A, B and C``."""
    names = list(items)
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1] if names else "nobody"


def count_text(number: int, one: str, many: str) -> str:
    """Write a number with its noun."""
    return f"{number} {one if number == 1 else many}"


def short_hid(hid: str) -> str:
    """Shorten a message id for reading; the whole id stands in the tables beside the pictures."""
    return hid[:8]


@dataclass(frozen=True, slots=True)
class Names:
    """The names that a pack gives to agencies and facts; what it does not name is called by its id."""

    agencies: dict[str, str]
    facts: dict[str, str]

    def agency(self, agency: str) -> str:
        """Return an agency's name."""
        return self.agencies.get(agency, agency)

    def several(self, agencies: Iterable[str]) -> str:
        """Join agencies as in a sentence: one by its name, more by their ids, since names hold commas themselves."""
        ids = list(dict.fromkeys(agencies))
        return self.agency(ids[0]) if len(ids) == 1 else list_text(ids)

    def fact(self, fact: str) -> str:
        """Return a fact's id and text."""
        text = self.facts.get(fact)
        return f"{fact} ({text})" if text else fact


def names_of(pack: Pack) -> Names:
    """Collect the names of a pack."""
    return Names(
        agencies={participant.agency: participant.name for participant in pack.participants},
        facts={fact.fact: fact.text for fact in pack.facts},
    )
