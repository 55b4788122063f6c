"""The headlines: what went right, what went too wide, too narrow or too late, and what caused it.

Each finding is a sentence for the briefing, a cause (person, rule or link) where there is one, the messages that bear
it out, and, for what went wrong, a proposed line of the improvement plan. The proposals are this file's; the ratings
and the plan are the exercise director's.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from scenarios.evaluate.cells import Cell
from scenarios.evaluate.consent import ConsentRequest
from scenarios.evaluate.corrections import Correction
from scenarios.evaluate.disclosures import Disclosure
from scenarios.evaluate.finding import FINDING_KINDS, Finding, Outcomes
from scenarios.evaluate.findings_of_needs import find_in_needs
from scenarios.evaluate.findings_of_overrides import find_in_overrides
from scenarios.evaluate.findings_of_red import find_of_red
from scenarios.evaluate.findings_of_silence import find_in_procedures
from scenarios.evaluate.findings_of_strengths import find_strengths
from scenarios.evaluate.measures import SharingFigures
from scenarios.evaluate.policy_cells import PolicyCell
from scenarios.evaluate.reconcile import Reconciliation
from scenarios.evaluate.wording import Names, clock_text, count_text, length_text, list_text, share_text
from scenarios.model import Pack


def find_findings(pack: Pack, names: Names, outcomes: Outcomes) -> tuple[Finding, ...]:
    """Draw the findings of a play: what went right first, as an AAR does, then what did not."""
    found = [
        *_disclosed(names, outcomes.disclosures),
        *_dangerous(names, outcomes.policy),
        *_surplus(outcomes.figures, outcomes.cells),
        *find_in_needs(names, outcomes.needs, outcomes.policy),
        *_corrections(names, outcomes.corrections),
        *_requests(names, outcomes.requests),
        *find_in_overrides(names, outcomes.overrides),
        *find_in_procedures(names, outcomes.procedures),
        *find_of_red(names, outcomes.red),
        *_record(outcomes.reconciliation, frozenset(hid for each in outcomes.red for hid in each.hids)),
        *find_strengths(pack, names, outcomes),
    ]
    return tuple(sorted(found, key=lambda finding: FINDING_KINDS.index(finding.kind)))


def _disclosed(names: Names, disclosures: Iterable[Disclosure]) -> Iterator[Finding]:
    groups: dict[tuple[str, str, str], list[Disclosure]] = {}
    for disclosure in disclosures:
        if disclosure.first:
            groups.setdefault((disclosure.must_not, disclosure.fact, disclosure.released_by), []).append(disclosure)
    for (must_not, fact, released_by), group in groups.items():
        readers = names.several(each.agency for each in group)
        rules = sorted({rule for each in group for rule in each.rules})
        why = group[0].why.rstrip(".")
        by_excon = released_by not in names.agencies
        allowed = f" The router let it through by {list_text(rules)}." if rules else ""
        reason = f" Stated reason: “{group[0].stated_reason}”." if group[0].stated_reason else ""
        yield Finding(
            kind="too wide",
            headline=f"{names.fact(fact)} became readable by {readers}, who must not have it.",
            detail=(
                f"{names.agency(released_by)} released it at {clock_text(group[0].released_ms)}; readable from "
                f"{clock_text(group[0].at_ms)}. Why it matters: {why}.{allowed}{reason} ({must_not})"
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
    by_rule: dict[str, list[PolicyCell]] = {}
    for cell in policy:
        if cell.policy == "dangerous rule":
            by_rule.setdefault(cell.evidence.rule, []).append(cell)
    for rule, group in by_rule.items():
        facts = tuple(dict.fromkeys(cell.fact for cell in group))
        if len(facts) == 1:
            readers = names.several(cell.agency for cell in group)
            headline = f"Rule {rule} would let {names.fact(facts[0])} reach {readers}, who must not have it."
        else:
            headline = f"Rule {rule} would let {len(facts)} protected facts reach agencies that must not have them."
        by_label: dict[tuple[str, str], list[str]] = {}
        for cell in group:
            by_label.setdefault((cell.fact, cell.evidence.label), []).append(cell.agency)
        ways = "; ".join(
            f"{fact} to {list_text(agencies)} under {label}" for (fact, label), agencies in by_label.items()
        )
        yield Finding(
            kind="too wide",
            headline=headline,
            detail=f"{ways}. {group[0].evidence.text[:1].upper()}{group[0].evidence.text[1:]}.",
            cause="rule",
            evidence=tuple(dict.fromkeys(cell.evidence.source for cell in group)),
            facts=facts,
            responsible="Owner of the community rules",
            action=f"Narrow rule {rule}, or mark such material so that the rule does not apply",
            element="planning",
        )


def _surplus(figures: SharingFigures, cells: Iterable[Cell]) -> Iterator[Finding]:
    if not figures.surplus:
        return
    counts = Counter(cell.fact for cell in cells if cell.state == "surplus")
    most = list_text(f"{fact} ({count})" for fact, count in sorted(counts.items(), key=_most_first)[:3])
    yield Finding(
        kind="too wide",
        headline=(
            f"{share_text(figures.surplus_share)} of what was passed on was surplus: "
            f"{count_text(figures.surplus, 'cell', 'cells')} of the matrix known without need."
        ),
        detail=f"Mostly {most}. Surplus is no breach; it shows how far sharing went beyond need.",
        cause=None,
        evidence=(),
        facts=tuple(sorted(counts)),
    )


def _most_first(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def _requests(names: Names, requests: Iterable[ConsentRequest]) -> Iterator[Finding]:
    for request in requests:
        if request.in_time is not False:
            continue
        asked = f"{names.agency(request.asker)} asked {names.agency(request.originator)} for release"
        took = "" if request.decided_ms is None else length_text(request.decided_ms - request.asked_ms)
        yield Finding(
            kind="too late",
            headline=f"{asked} and " + (f"waited {took} for a decision." if took else "got no answer."),
            detail=f"“{request.subject}”. An answer was due {clock_text(request.answer_by_ms)}.",
            cause="person",
            evidence=(request.hid,),
            responsible=names.agency(request.originator),
            action="Name who may consent to release at any hour, and how long an answer may take",
            element="organization",
        )


def _corrections(names: Names, corrections: Iterable[Correction]) -> Iterator[Finding]:
    for correction in corrections:
        without = [each.agency for each in correction.recipients if each.corrected_ms is None]
        if without:
            yield Finding(
                kind="too narrow",
                headline=(
                    f"{names.agency(correction.agency)}'s correction reached {correction.reached} of "
                    f"{len(correction.recipients)} past recipients; {names.several(without)} still held the mistake "
                    "at ENDEX."
                ),
                detail=f"Released {clock_text(correction.released_ms)}. Stated reason: “{correction.reason}”.",
                cause="person",
                evidence=(correction.hid, correction.corrects),
                responsible=names.agency(correction.agency),
                action="Send corrections to every past recipient, and pass on those of reports one has quoted",
                element="training",
            )


def _record(reconciliation: Reconciliation, by_red: frozenset[str]) -> Iterator[Finding]:
    # What red did to a message is told of red; that the records show it is what they are for.
    unexplained = tuple(each for each in reconciliation.unexplained if each.hid not in by_red)
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
