"""What a finding is, and the words it uses."""

from dataclasses import dataclass
from typing import Final, Literal

from scenarios.evaluate.delays import DelayCause

FindingKind = Literal["right", "too wide", "too narrow", "too late", "record"]
# Strengths stand before areas for improvement, as in the AAR/IP template HSEEP-IP01.
FINDING_KINDS: Final[tuple[FindingKind, ...]] = ("right", "too wide", "too narrow", "too late", "record")
# HSEEP's five capability elements, of which every row of an improvement plan names one.
CapabilityElement = Literal["planning", "organization", "equipment", "training", "exercises"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding; ``action`` and ``element`` propose a row of the improvement plan, for what went wrong."""

    kind: FindingKind
    headline: str
    detail: str
    cause: DelayCause | None
    evidence: tuple[str, ...]
    facts: tuple[str, ...] = ()
    responsible: str = ""
    action: str = ""
    element: CapabilityElement | None = None
