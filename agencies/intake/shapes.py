"""What an import takes and gives, and the findings it gathers on the way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from schemas.label import Tlp
from schemas.report import Report

_NO_SUBJECTS: Final[Mapping[str, str]] = {}
_NO_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeDefaults:
    """What the importing node says where a file is silent, and whom it knows under the file's names.

    Attributes:
        originator: The agency that imports; it answers for the report from now on.
        tlp: The mark of what bears none.
        level: The exercise level of everything imported; neither STIX nor MISP has one.
        topic: The topic of everything, or None to derive it from the content of each portion.
        affected: The states concerned; neither standard says it in a form that need-to-know could use.
        language: The language of text that does not name its own.
        organisations: MISP organisation, by uuid or exact name, to agency, state, body or ``@group``.
        sharing_groups: MISP sharing group, by uuid, id or exact name, to the subjects that may have it.
    """

    originator: str
    tlp: Tlp = "AMBER+STRICT"
    level: str = "EX-UNCLAS"
    topic: str | None = None
    affected: tuple[str, ...] = ()
    language: str = "en"
    organisations: Mapping[str, str] = field(default_factory=lambda: _NO_SUBJECTS)
    sharing_groups: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NO_GROUPS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A file, read.

    Attributes:
        report: The report, checked against its shape; not sealed, not sent.
        standard: ``STIX 2.1`` or ``MISP``.
        source_name: What the file is called.
        warnings: What was changed or left out, and why; for the importing node only, never to be sent along.
        counts: How many of each kind of object were read.
        validation: What the content was checked against.
    """

    report: Report
    standard: str
    source_name: str
    warnings: tuple[str, ...]
    counts: Mapping[str, int]
    validation: str


class Findings:
    """Warnings gathered over a file: the same finding at many places is one line."""

    def __init__(self) -> None:
        self._places: dict[str, list[str]] = {}

    def add(self, finding: str, place: str) -> None:
        """Note a finding: ids, types and positions only, never content."""
        places = self._places.setdefault(finding, [])
        if place not in places[-1:]:
            places.append(place)

    def lines(self) -> tuple[str, ...]:
        """Return one line per finding, with the first place and the number of the others."""
        return tuple(
            f"{finding} ({places[0]}{f' and {len(places) - 1} more' if len(places) > 1 else ''})"
            for finding, places in self._places.items()
        )
