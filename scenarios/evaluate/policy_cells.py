"""Is the rule at fault? Every fact and agency, what was needed against what the rules allow.

The decision function is asked again, as the sender's pre-flight and the router asked it: for each label under which a
fact was released, and for each under which EXCON handed it over (what a holder would meet who passed it on as it
came). Needed and denied is a gap; not needed and allowed is loose; forbidden and allowed is dangerous.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from policy.decide import Action, Verdict, decide
from policy.members_first import without_members_first
from scenarios.community_changes import Communities
from scenarios.evaluate.denials import Denial
from scenarios.evaluate.history import EXCON, ROUTER, History
from scenarios.evaluate.knowledge import Knowledge
from scenarios.evaluate.tagging import Tagging
from scenarios.model import Pack
from schemas.label import Label

Standing = Literal["needed", "forbidden", "not needed"]
PolicyClass = Literal["as meant", "rule gap", "loose rule", "dangerous rule", "kept out"]
POLICY_CLASSES: Final[tuple[PolicyClass, ...]] = (
    "as meant", "rule gap", "loose rule", "dangerous rule", "kept out",
)  # fmt: skip


_CLASS_IF_ALLOWED: Final[dict[Standing, PolicyClass]] = {
    "needed": "as meant",
    "forbidden": "dangerous rule",
    "not needed": "loose rule",
}
_CLASS_IF_DENIED: Final[dict[Standing, PolicyClass]] = {
    "needed": "rule gap",
    "forbidden": "kept out",
    "not needed": "kept out",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Carriage:
    """A label under which a holder had a fact to give: ``used`` if it was released so, else as EXCON gave it."""

    fact: str
    originator: str
    label: Label
    at_ms: int
    source: str
    used: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleEvidence:
    """One answer of the decision function: under which label, by which rule, and the test in its own words."""

    permit: bool
    rule: str
    text: str
    originator: str
    label: str
    source: str
    used: bool
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyCell:
    """One fact and agency in the four-way.

    Attributes:
        evidence: The answer that decided the class: a permit if there was one, else the first denial.
        denied_first: For a need the rules did allow in the end: the denial that had to be worked round, or None.
    """

    fact: str
    agency: str
    standing: Standing
    policy: PolicyClass
    evidence: RuleEvidence
    denied_first: RuleEvidence | None


def judge_policy(
    pack: Pack,
    history: History,
    tagging: Tagging,
    knowledge: Knowledge,
    *,
    communities: Communities,
    denials: Iterable[Denial],
) -> tuple[PolicyCell, ...]:
    """Put every fact and agency into the four-way; origins are left out, since no rule brought them the fact.

    ``denials`` are those that the play met; a label nobody tried for an agency has cost that agency nothing.
    """
    met = {
        (fact, denial.agency)
        for denial in denials
        for fact in denial.facts
        # Who had the fact before it was denied had nothing to work round.
        if not _knew(knowledge, fact, denial)
    }
    carriages = _carriages(pack, history, tagging)
    let_go = _facts_let_go(history, tagging)
    cells = []
    for fact in pack.facts:
        ways = [carriage for carriage in carriages if carriage.fact == fact.fact]
        for participant in pack.participants:
            agency = participant.agency
            first = knowledge.first_read(fact.fact, agency)
            others = [carriage for carriage in ways if carriage.originator != agency]
            if not others or (first is not None and first.by != "message"):
                continue
            answers = [
                _ask(carriage, agency, pack, communities, asked=(fact.fact, agency) in let_go) for carriage in others
            ]
            cells.append(_classify(fact.fact, agency, _standing(fact.fact, agency, pack), answers, met=met))
    return tuple(cells)


def _facts_let_go(history: History, tagging: Tagging) -> frozenset[tuple[str, str]]:
    """Return facts and to whom members let them go: there a procedure stood in the way, and no rule."""
    let_go = {(moment.text("hid"), moment.text("recipient")) for moment in history.of_stage("let_go", source=ROUTER)}
    return frozenset(
        (fact, recipient)
        for hid, recipient in let_go
        for release in history.releases
        if release.hid == hid
        for seen in release.portions
        for fact in tagging.facts_of(hid, seen)
    )


def _knew(knowledge: Knowledge, fact: str, denial: Denial) -> bool:
    first = knowledge.first_read(fact, denial.agency)
    return first is not None and first.read_ms < denial.at_ms


def _carriages(pack: Pack, history: History, tagging: Tagging) -> list[Carriage]:
    found: dict[tuple[str, str, Label, bool], Carriage] = {}

    def note(carriage: Carriage) -> None:
        found.setdefault((carriage.fact, carriage.originator, carriage.label, carriage.used), carriage)

    material = {inject.inject: inject.material for inject in pack.injects}
    for moment in history.of_stage("inject_delivered", source=EXCON):
        for portion in material.get(moment.text("inject"), ()):
            for fact in sorted(tagging.facts_of_passages(portion.content.passages)):
                note(
                    Carriage(
                        fact=fact,
                        originator=moment.text("agency"),
                        label=portion.label,
                        at_ms=moment.at_ms,
                        source=moment.text("inject"),
                        used=False,
                    )
                )
    for release in history.releases:
        for seen in release.portions:
            for fact in sorted(tagging.facts_of(release.hid, seen)):
                note(
                    Carriage(
                        fact=fact,
                        originator=release.agency,
                        label=seen.label,
                        at_ms=release.at_ms,
                        source=release.hid,
                        used=True,
                    )
                )
    return sorted(found.values(), key=lambda carriage: (carriage.at_ms, carriage.used, carriage.source))


def _ask(carriage: Carriage, agency: str, pack: Pack, communities: Communities, *, asked: bool) -> RuleEvidence:
    verdict = decide(
        without_members_first(carriage.label) if asked else carriage.label,
        originator=carriage.originator,
        recipient=agency,
        action=Action.RELEASE,
        at_ms=pack.start_ms + carriage.at_ms,
        community=communities.at(pack.start_ms + carriage.at_ms),
    )
    return RuleEvidence(
        permit=verdict.permit,
        rule=verdict.rule,
        text=_deciding_text(verdict),
        originator=carriage.originator,
        label=label_text(carriage.label),
        source=carriage.source,
        used=carriage.used,
        at_ms=carriage.at_ms,
    )


def _deciding_text(verdict: Verdict) -> str:
    return next((reason.text for reason in verdict.reasons if reason.rule == verdict.rule), "")


def _standing(fact: str, agency: str, pack: Pack) -> Standing:
    if any(each.fact == fact and agency in each.who for each in pack.must_nots):
        return "forbidden"
    return "needed" if any(each.fact == fact and agency in each.who for each in pack.needs) else "not needed"


def _classify(
    fact: str, agency: str, standing: Standing, answers: Iterable[RuleEvidence], *, met: set[tuple[str, str]]
) -> PolicyCell:
    given = list(answers)
    permits = [answer for answer in given if answer.permit]
    denials = [answer for answer in given if not answer.permit]
    # What was really released says more than what might have been.
    permits.sort(key=lambda answer: not answer.used)
    policy = (_CLASS_IF_ALLOWED if permits else _CLASS_IF_DENIED)[standing]
    worked_round = policy == "as meant" and denials and (fact, agency) in met
    return PolicyCell(
        fact=fact,
        agency=agency,
        standing=standing,
        policy=policy,
        evidence=permits[0] if permits else denials[0],
        denied_first=denials[0] if worked_round else None,
    )


def label_text(label: Label) -> str:
    """Write a label on one line, in the order in which people read markings."""
    parts = [f"TLP:{label.tlp}", label.level, label.topic]
    parts += [f"compartment {word}" for word in label.compartments]
    parts += [f"via {word}" for word in label.mechanisms]
    if label.rel:
        parts.append("REL TO " + " ".join(label.rel))
    if label.exclude:
        parts.append("NOT " + " ".join(label.exclude))
    return " · ".join([*parts, *label.caveats])
