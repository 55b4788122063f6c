"""Findings about needs: who learned a fact too late or never, and the rules that stood between.

Agencies that missed the same fact for the same cause share a finding, so that a briefing stays short; a rule that is
already named there as the cause is not told again as a gap.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from scenarios.evaluate.delays import CAUSE_OF_PART, DELAY_PARTS, DelayPart, DelaySplit
from scenarios.evaluate.finding import CapabilityElement, Finding
from scenarios.evaluate.needs import NeedResult
from scenarios.evaluate.policy_cells import PolicyCell, RuleEvidence
from scenarios.evaluate.wording import Names, clock_text, length_text, list_text

_PART_TEXT: Final[dict[DelayPart, str]] = {
    "hold": "held back by a desk that knew",
    "rule": "denied by a rule",
    "link": "on the link",
    "desk": "delivered but unopened",
}
_ELEMENT_OF_PART: Final[dict[DelayPart, CapabilityElement]] = {
    "hold": "training",
    "rule": "planning",
    "link": "equipment",
    "desk": "organization",
}
_ACTION_OF_PART: Final[dict[DelayPart, str]] = {
    "hold": "Agree who releases what to whom, and practise recognising who needs a report",
    "rule": "Review {rules}: it kept a fact from agencies that need it",
    "link": "Improve the link, or agree a second way for urgent reports",
    "desk": "Agree how soon urgent reports are opened, and who watches the desk",
}


def find_in_needs(names: Names, needs: Iterable[NeedResult], policy: tuple[PolicyCell, ...]) -> Iterator[Finding]:
    """Yield the findings about late and missed needs, then those about rule gaps that no such finding names."""
    failed = [need for need in needs if need.cell.state in {"late", "missed"} and need.split is not None]
    groups: dict[tuple[str, str, DelayPart], list[NeedResult]] = {}
    for need in failed:
        if need.split is not None:
            part: DelayPart = "rule" if need.cause == "rule" else need.split.largest
            groups.setdefault((need.cell.state, need.fact, part), []).append(need)
    for (state, _, part), group in groups.items():
        yield _failure(names, group, part, policy, missed=state == "missed")
    told = {(need.fact, need.agency) for need in failed if need.cause == "rule"}
    yield from _gaps(names, policy, told)


def _failure(
    names: Names, group: list[NeedResult], part: DelayPart, policy: tuple[PolicyCell, ...], *, missed: bool
) -> Finding:
    met = [rule for need in group if need.split for rule in need.split.rules]
    rules = list_text(dict.fromkeys([*met, *(each.rule for each in _tests_against(group, policy))]))
    culprits = dict.fromkeys(culprit for culprit in (_culprit(need, names) for need in group) if culprit)
    return Finding(
        kind="too narrow" if missed else "too late",
        headline=_missed_headline(names, group) if missed else _late_headline(names, group),
        detail=_detail(group, policy, missed=missed),
        cause=CAUSE_OF_PART[part],
        evidence=tuple(dict.fromkeys(hid for need in group if need.split for hid in need.split.chain)),
        facts=(group[0].fact,),
        responsible="Owner of the community rules" if part == "rule" else list_text(culprits),
        action=_ACTION_OF_PART[part].format(rules=rules),
        element=_ELEMENT_OF_PART[part],
    )


def _missed_headline(names: Names, group: list[NeedResult]) -> str:
    who = names.several(need.agency for need in group)
    dues = sorted({need.cell.due_ms for need in group if need.cell.due_ms is not None})
    return f"{who} never learned {names.fact(group[0].fact)}, due {list_text(map(clock_text, dues))}."


def _late_headline(names: Names, group: list[NeedResult]) -> str:
    delays = [(need, length_text((need.cell.known_ms or 0) - (need.cell.due_ms or 0))) for need in group]
    if len(group) == 1:
        need, over = delays[0]
        return f"{names.agency(need.agency)} learned {names.fact(need.fact)} {over} too late."
    who = list_text(f"{need.agency} ({over})" for need, over in delays)
    return f"{who} learned {names.fact(group[0].fact)} too late."


def _detail(group: list[NeedResult], policy: tuple[PolicyCell, ...], *, missed: bool) -> str:
    lead = "From when it was first known to ENDEX" if missed else "From when it was first known"
    splits = [(f"{need.agency}: " if len(group) > 1 else "") + _split_text(need.split) for need in group if need.split]
    told = list(dict.fromkeys(need.cell.told_later for need in group if need.cell.told_later))
    tests = [f"{each.text[:1].upper()}{each.text[1:]} ({each.rule})" for each in _tests_against(group, policy)]
    why = list_text(dict.fromkeys(need.why.rstrip(".") for need in group))
    ids = list_text(dict.fromkeys(need.need for need in group))
    sentences = [f"{lead}: {'; '.join(splits)}.", *(f"{test}." for test in dict.fromkeys(tests))]
    sentences += [f"EXCON told it later by {list_text(told)}."] if told else []
    return " ".join([*sentences, f"Why it matters: {why} ({ids})."])


def _tests_against(group: list[NeedResult], policy: tuple[PolicyCell, ...]) -> list[RuleEvidence]:
    """The rules' own words about the agencies of a group whose need failed by a rule."""
    failed = {(need.fact, need.agency) for need in group if need.cause == "rule"}
    denials = [_denial_of(cell) for cell in policy if (cell.fact, cell.agency) in failed]
    return [denial for denial in denials if denial is not None]


def _split_text(split: DelaySplit) -> str:
    parts = sorted(((split.part_ms(part), part) for part in DELAY_PARTS if split.part_ms(part)), reverse=True)
    return ", ".join(
        f"{length_text(length_ms)} {_PART_TEXT[part]}"
        + (f" ({list_text(split.rules)})" if part == "rule" and split.rules else "")
        for length_ms, part in parts
    )


def _culprit(need: NeedResult, names: Names) -> str:
    """The agency at which the largest part of the time was spent."""
    if need.split is None:
        return ""
    stretches = [each for each in need.split.stretches if each.part == need.split.largest and each.agency]
    longest = max(stretches, key=lambda each: each.end_ms - each.begin_ms, default=None)
    return names.agency(longest.agency) if longest else ""


def _denial_of(cell: PolicyCell) -> RuleEvidence | None:
    return cell.evidence if cell.policy == "rule gap" else cell.denied_first


def _gaps(names: Names, policy: Iterable[PolicyCell], told: set[tuple[str, str]]) -> Iterator[Finding]:
    groups: dict[tuple[str, str, bool], list[tuple[PolicyCell, RuleEvidence]]] = {}
    for cell in policy:
        denial = _denial_of(cell)
        if denial is not None and (cell.fact, cell.agency) not in told:
            groups.setdefault((cell.fact, denial.rule, cell.policy == "rule gap"), []).append((cell, denial))
    for (fact, rule, never), group in groups.items():
        denial = group[0][1]
        needers = names.several(cell.agency for cell, _ in group)
        need = "needs" if len(group) == 1 else "need"
        ending = "and no label in use allows it" if never else "until it was marked anew"
        yield Finding(
            kind="too narrow" if never else "too late",
            headline=f"Rule gap: {rule} keeps {names.fact(fact)} from {needers}, who {need} it, {ending}.",
            detail=f"Under {denial.label}: {denial.text}.",
            cause="rule",
            evidence=tuple(dict.fromkeys(each.source for _, each in group)),
            facts=(fact,),
            responsible="Owner of the community rules",
            action=f"Decide whether {rule} should let such a report reach those who need it, or say how to mark it",
            element="planning",
        )
