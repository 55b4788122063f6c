"""What a finding is, the words it uses, and what findings are drawn from."""

from dataclasses import dataclass
from typing import Final, Literal

from scenarios.evaluate.cells import Cell
from scenarios.evaluate.consent import ConsentRequest
from scenarios.evaluate.corrections import Correction
from scenarios.evaluate.delays import DelayCause
from scenarios.evaluate.disclosures import Disclosure
from scenarios.evaluate.measures import SharingFigures
from scenarios.evaluate.needs import NeedResult
from scenarios.evaluate.overrides import OverrideInvoked
from scenarios.evaluate.policy_cells import PolicyCell
from scenarios.evaluate.reconcile import Reconciliation
from scenarios.evaluate.red import RedTry
from scenarios.evaluate.silence import SilenceProcedure

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What findings are drawn from."""

    needs: tuple[NeedResult, ...]
    figures: SharingFigures
    cells: tuple[Cell, ...]
    disclosures: tuple[Disclosure, ...]
    policy: tuple[PolicyCell, ...]
    corrections: tuple[Correction, ...]
    requests: tuple[ConsentRequest, ...]
    reconciliation: Reconciliation
    overrides: tuple[OverrideInvoked, ...] = ()
    procedures: tuple[SilenceProcedure, ...] = ()
    red: tuple[RedTry, ...] = ()
