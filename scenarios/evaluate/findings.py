"""The headlines: what went right, what went too wide, too narrow or too late, and what caused it.

Each finding is a sentence for the briefing, a cause (person, rule or link) where there is one, the messages that bear
it out, and, for what went wrong, a proposed line of the improvement plan. The proposals are this file's; the ratings
and the plan are the exercise director's.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from scenarios.evaluate.consent import ConsentRequest
from scenarios.evaluate.corrections import Correction
from scenarios.evaluate.disclosures import Disclosure
from scenarios.evaluate.finding import FINDING_KINDS, Finding
from scenarios.evaluate.findings_of_needs import find_in_needs
from scenarios.evaluate.measures import SharingFigures
from scenarios.evaluate.needs import NeedResult
from scenarios.evaluate.policy_cells import PolicyCell
from scenarios.evaluate.reconcile import Reconciliation
from scenarios.evaluate.wording import Names, clock_text, count_text, length_text, list_text, share_text
from scenarios.model import Pack


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What findings are drawn from."""

    needs: tuple[NeedResult, ...]
    figures: SharingFigures
    disclosures: tuple[Disclosure, ...]
    policy: tuple[PolicyCell, ...]
    corrections: tuple[Correction, ...]
    requests: tuple[ConsentRequest, ...]
    reconciliation: Reconciliation


def find_findings(pack: Pack, names: Names, outcomes: Outcomes) -> tuple[Finding, ...]:
    """Draw the findings of a play: what went right first, as an AAR does, then what did not."""
    found = [
        *_disclosed(names, outcomes.disclosures),
        *_dangerous(names, outcomes.policy),
        *_surplus(outcomes.figures),
        *find_in_needs(names, outcomes.needs, outcomes.policy),
        *_on_time(outcomes.figures),
        *_kept(pack, names, outcomes.disclosures),
        *_corrections(names, outcomes.corrections),
        *_requests(names, outcomes.requests),
        *_record(outcomes.reconciliation),
    ]
    return tuple(sorted(found, key=lambda finding: FINDING_KINDS.index(finding.kind)))


def _disclosed(names: Names, disclosures: Iterable[Disclosure]) -> Iterator[Finding]:
    groups: dict[tuple[str, str, str], list[Disclosure]] = {}
    for disclosure in disclosures:
        if disclosure.first:
            groups.setdefault((disclosure.must_not, disclosure.fact, disclosure.released_by), []).append(disclosure)
    for (must_not, fact, released_by), group in groups.items():
        readers = list_text(names.agency(each.agency) for each in group)
        rules = sorted({rule for each in group for rule in each.rules})
        by_excon = released_by not in names.agencies
        allowed = f" The router let it through by {list_text(rules)}." if rules else ""
        reason = f" Stated reason: “{group[0].stated_reason}”." if group[0].stated_reason else ""
        yield Finding(
            kind="too wide",
            headline=f"{names.fact(fact)} became readable by {readers}, who must not have it.",
            detail=(
                f"{names.agency(released_by)} released it at {clock_text(group[0].released_ms)}; readable from "
                f"{clock_text(group[0].at_ms)}. Why it matters: {group[0].why}.{allowed}{reason} ({must_not})"
            ),
            cause="person",
            evidence=tuple(dict.fromkeys(each.source for each in group)),
            facts=(fact,),
            responsible="EXCON" if by_excon else names.agency(released_by),
            action=(
                "Do not hand the fact to agencies that must not have it"
                if by_excon
                else "Practise sanitising before release; have a second officer check what is kept"
            ),
            element="exercises" if by_excon else "training",
        )


def _dangerous(names: Names, policy: Iterable[PolicyCell]) -> Iterator[Finding]:
    groups: dict[tuple[str, str], list[PolicyCell]] = {}
    for cell in policy:
        if cell.policy == "dangerous rule":
            groups.setdefault((cell.fact, cell.evidence.rule), []).append(cell)
    for (fact, rule), group in groups.items():
        readers = list_text(names.agency(cell.agency) for cell in group)
        yield Finding(
            kind="too wide",
            headline=f"Rule {rule} allows {names.fact(fact)} to reach {readers}, who must not have it.",
            detail=f"Under {group[0].evidence.label}: {group[0].evidence.text}.",
            cause="rule",
            evidence=tuple(dict.fromkeys(cell.evidence.source for cell in group)),
            facts=(fact,),
            responsible="Owner of the community rules",
            action=f"Narrow rule {rule}, or mark such material so that the rule does not apply",
            element="planning",
        )


def _surplus(figures: SharingFigures) -> Iterator[Finding]:
    if figures.surplus:
        yield Finding(
            kind="too wide",
            headline=(
                f"{share_text(figures.surplus_share)} of what was passed on was surplus: "
                f"{count_text(figures.surplus, 'fact', 'facts')} at agencies neither in need nor forbidden."
            ),
            detail="Surplus is no breach. It shows how far sharing went beyond need, and what readers had to read.",
            cause=None,
            evidence=(),
        )


def _requests(names: Names, requests: Iterable[ConsentRequest]) -> Iterator[Finding]:
    for request in requests:
        asked = f"{names.agency(request.asker)} asked {names.agency(request.originator)} for release"
        if request.in_time is False:
            lapsed = request.decided_ms is None
            took = "" if request.decided_ms is None else length_text(request.decided_ms - request.asked_ms)
            yield Finding(
                kind="too late",
                headline=f"{asked} and " + ("got no answer." if lapsed else f"waited {took} for a decision."),
                detail=f"“{request.subject}”. An answer was due {clock_text(request.answer_by_ms)}.",
                cause="person",
                evidence=(request.hid,),
                responsible=names.agency(request.originator),
                action="Name who may consent to release at any hour, and how long an answer may take",
                element="organization",
            )
        elif request.in_time and request.decided_ms is not None:
            took = length_text(request.decided_ms - request.asked_ms)
            yield Finding(
                kind="right",
                headline=f"{asked} and had a decision after {took}: {request.state}.",
                detail=f"“{request.subject}”. Due {clock_text(request.answer_by_ms)}. Reason: “{request.reason}”.",
                cause=None,
                evidence=(request.hid,),
            )


def _corrections(names: Names, corrections: Iterable[Correction]) -> Iterator[Finding]:
    for correction in corrections:
        without = [each for each in correction.recipients if each.corrected_ms is None]
        total = len(correction.recipients)
        if without:
            yield Finding(
                kind="too narrow",
                headline=(
                    f"{names.agency(correction.agency)}'s correction reached {correction.reached} of {total} past "
                    f"recipients; {list_text(names.agency(each.agency) for each in without)} still held the mistake "
                    "at ENDEX."
                ),
                detail=f"Released {clock_text(correction.released_ms)}. Stated reason: “{correction.reason}”.",
                cause="person",
                evidence=(correction.hid, correction.corrects),
                responsible=names.agency(correction.agency),
                action="Send corrections to every past recipient, and pass on those of reports one has quoted",
                element="training",
            )
        elif total:
            last = max(each.corrected_ms or 0 for each in correction.recipients)
            yield Finding(
                kind="right",
                headline=(
                    f"{names.agency(correction.agency)}'s correction reached all {total} past recipients within "
                    f"{length_text(last - correction.released_ms)}."
                ),
                detail=f"Released {clock_text(correction.released_ms)}. Stated reason: “{correction.reason}”.",
                cause=None,
                evidence=(correction.hid, correction.corrects),
            )


def _record(reconciliation: Reconciliation) -> Iterator[Finding]:
    unexplained = reconciliation.unexplained
    made = sum(check.made for check in reconciliation.checks)
    if unexplained:
        yield Finding(
            kind="record",
            headline=(
                f"The records do not agree about {count_text(len(unexplained), 'point', 'points')}: "
                "the figures are only as good as the record."
            ),
            detail=" ".join(f"{each.text[:1].upper()}{each.text[1:]}." for each in unexplained[:3]),
            cause=None,
            evidence=tuple(dict.fromkeys(each.hid for each in unexplained)),
            responsible="EXCON",
            action="Find out why the records differ before the figures are used",
            element="equipment",
        )
    elif made:
        yield Finding(
            kind="right",
            headline=f"The router's record and the agencies' own records agree: {made} comparisons, none unexplained.",
            detail="The router cannot read reports and agencies cannot see each other's records.",
            cause=None,
            evidence=(),
        )


def _kept(pack: Pack, names: Names, disclosures: Iterable[Disclosure]) -> Iterator[Finding]:
    broken = {disclosure.must_not for disclosure in disclosures}
    for must_not in pack.must_nots:
        if must_not.must_not not in broken:
            kept_from = list_text(names.agency(agency) for agency in must_not.who)
            yield Finding(
                kind="right",
                headline=f"{names.fact(must_not.fact)} stayed away from {kept_from}.",
                detail=f"What was at stake: {must_not.why}. ({must_not.must_not})",
                cause=None,
                evidence=(),
                facts=(must_not.fact,),
            )


def _on_time(figures: SharingFigures) -> Iterator[Finding]:
    if figures.on_time:
        yield Finding(
            kind="right",
            headline=f"{figures.on_time} of {figures.fell_due} needs that fell due were met on time.",
            detail="A need is met when a person has opened the report, or a simulated desk's node has verified it.",
            cause=None,
            evidence=(),
        )
