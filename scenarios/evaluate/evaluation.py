"""Everything that can be said of a play: one frozen tree, made from the pack and the record alone.

``certain`` counts passages kept; ``with_suggested`` lets in the facts that free text gives away by their signs. Where
no texts are handed over the two are equal, and the tree says that nothing was matched.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from policy.community import Community
from scenarios.community_changes import Communities, communities_of
from scenarios.evaluate.cells import Cell, judge_cells
from scenarios.evaluate.changes import CommunityChange, list_changes
from scenarios.evaluate.consent import ConsentRequest, find_requests
from scenarios.evaluate.corrections import Correction, corrections_called_for, find_corrections
from scenarios.evaluate.denials import Denial, find_denials
from scenarios.evaluate.disclosures import Disclosure, find_disclosures
from scenarios.evaluate.finding import Finding, Outcomes
from scenarios.evaluate.findings import find_findings
from scenarios.evaluate.flows import Flow, Spread, count_flows, follow_spread
from scenarios.evaluate.history import History
from scenarios.evaluate.joint import JointProduct, list_joint
from scenarios.evaluate.knowledge import learn
from scenarios.evaluate.lineage import DerivedProduct, trace_lineage
from scenarios.evaluate.measures import ObjectiveResult, Observed, SharingFigures, count_sharing, rate_objectives
from scenarios.evaluate.needs import NeedResult, judge_needs
from scenarios.evaluate.overdue import OverdueReceipt, list_overdue
from scenarios.evaluate.overrides import OverrideInvoked, OverrideTried, list_overrides, list_tried
from scenarios.evaluate.play import (
    BranchTaken,
    InjectPlayed,
    LinkOutage,
    Refusal,
    list_branches,
    list_injects,
    list_outages,
    list_refusals,
)
from scenarios.evaluate.policy_cells import PolicyCell, judge_policy
from scenarios.evaluate.questions import Fairness, Question, count_fairness, list_questions
from scenarios.evaluate.recalls import Recall, find_recalls
from scenarios.evaluate.reconcile import Reconciliation, reconcile
from scenarios.evaluate.red import RedTry, list_red
from scenarios.evaluate.silence import SilenceProcedure, list_procedures
from scenarios.evaluate.tagging import SuggestedTag, Tagging, suggest_tags, tagging_of
from scenarios.evaluate.wording import names_of
from scenarios.model import Pack
from scenarios.record import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The measured part of an evaluation, made once for certain tags and once with the suggested ones."""

    sharing: SharingFigures
    cells: tuple[Cell, ...]
    needs: tuple[NeedResult, ...]
    disclosures: tuple[Disclosure, ...]
    objectives: tuple[ObjectiveResult, ...]
    denials: tuple[Denial, ...]
    policy: tuple[PolicyCell, ...]
    first_ms: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What an exercise showed. Times are milliseconds since STARTEX; ``wall_ms`` is real time beside them."""

    pack: str
    title: str
    digest: str
    seed: int
    bundle_version: int  # of the community bundle that held in the end; each release is judged by that of its time
    end_ms: int
    end_wall_ms: int
    ended: bool  # False: the record stops before ENDEX, and what follows may be missing from it
    certain: Figures
    with_suggested: Figures
    suggested_tags: tuple[SuggestedTag, ...]
    texts_matched: int
    findings: tuple[Finding, ...]
    corrections: tuple[Correction, ...]
    recalls: tuple[Recall, ...]
    requests: tuple[ConsentRequest, ...]
    joint: tuple[JointProduct, ...]
    red: tuple[RedTry, ...]
    lineage: tuple[DerivedProduct, ...]
    overrides: tuple[OverrideInvoked, ...]
    overrides_tried: tuple[OverrideTried, ...]
    procedures: tuple[SilenceProcedure, ...]
    injects: tuple[InjectPlayed, ...]
    branches: tuple[BranchTaken, ...]
    changes: tuple[CommunityChange, ...]
    outages: tuple[LinkOutage, ...]
    refusals: tuple[Refusal, ...]
    overdue: tuple[OverdueReceipt, ...]
    questions: tuple[Question, ...]
    fairness: tuple[Fairness, ...]
    flows: tuple[Flow, ...]
    spreads: tuple[Spread, ...]
    reconciliation: Reconciliation

    def as_json(self) -> str:
        """Write the tree as JSON, keys sorted, so that equal evaluations are equal bytes."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, ensure_ascii=False, indent=1) + "\n"


def evaluate(
    pack: Pack,
    events: Iterable[Event],
    community: Community,
    *,
    texts: Mapping[tuple[str, int], str] | None = None,
) -> Evaluation:
    """Evaluate a play.

    Args:
        pack: What was played, with its ground truth.
        events: The whole record, in any order.
        community: The bundle of STARTEX, compiled; those that the pack's changes made of it follow from it.
        texts: The text of released portions by (hid, place), from nodes that hold it; matched against the facts'
            signs as suggestions.

    Raises:
        InputError: If an event lacks a field of its stage.
    """
    events = tuple(events)
    history = History(pack, events)
    communities = communities_of(pack, community.bundle)
    tags = suggest_tags(pack, history, texts or {})
    plain = tagging_of(pack)
    judged = _judge(pack, history, communities, plain)
    reconciliation = reconcile(pack, history)
    red = list_red(pack, history, reconciliation)
    certain = _figures(pack, history, plain, judged, red)
    with_suggested = (
        _figures(pack, history, tagging_of(pack, tags), judged, red, entered_ms=certain.first_ms) if tags else certain
    )
    questions = list_questions(history, start_ms=pack.start_ms)
    return Evaluation(
        pack=pack.header.pack,
        title=pack.header.title,
        digest=pack.digest,
        seed=pack.header.seed,
        bundle_version=communities.at(pack.start_ms + history.end_ms).bundle.version,
        end_ms=history.end_ms,
        end_wall_ms=history.end_wall_ms,
        ended=history.ended,
        certain=certain,
        with_suggested=with_suggested,
        suggested_tags=tags,
        texts_matched=len(texts or {}),
        findings=_findings(pack, certain, judged, reconciliation, red),
        corrections=judged.corrections,
        recalls=find_recalls(history),
        requests=judged.requests,
        joint=list_joint(history),
        red=red,
        lineage=trace_lineage(history, plain, (each.inject for each in pack.injects), judged.requests),
        overrides=judged.overrides,
        overrides_tried=list_tried(history),
        procedures=judged.procedures,
        injects=list_injects(pack, history),
        branches=list_branches(history),
        changes=list_changes(pack, history, events, communities),
        outages=list_outages(pack, history),
        refusals=list_refusals(history),
        overdue=list_overdue(pack, history),
        questions=questions,
        fairness=count_fairness(questions),
        flows=count_flows(history, certain.cells),
        spreads=follow_spread(pack, tuple(need.cell for need in certain.needs), certain.first_ms, history.end_ms),
        reconciliation=reconciliation,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """What both sets of figures are made with, whichever tags are let in."""

    communities: Communities
    corrections: tuple[Correction, ...]
    requests: tuple[ConsentRequest, ...]
    overrides: tuple[OverrideInvoked, ...]
    procedures: tuple[SilenceProcedure, ...]


def _judge(pack: Pack, history: History, communities: Communities, plain: Tagging) -> _Judged:
    return _Judged(
        communities=communities,
        corrections=find_corrections(history),
        requests=find_requests(history, start_ms=pack.start_ms),
        overrides=list_overrides(pack, history, plain, learn(pack, history, plain)),
        procedures=list_procedures(pack, history),
    )


def _findings(
    pack: Pack, certain: Figures, judged: _Judged, reconciliation: Reconciliation, red: tuple[RedTry, ...]
) -> tuple[Finding, ...]:
    outcomes = Outcomes(
        needs=certain.needs,
        figures=certain.sharing,
        cells=certain.cells,
        disclosures=certain.disclosures,
        policy=certain.policy,
        corrections=judged.corrections,
        requests=judged.requests,
        reconciliation=reconciliation,
        overrides=judged.overrides,
        procedures=judged.procedures,
        red=red,
    )
    return find_findings(pack, names_of(pack), outcomes)


def _figures(
    pack: Pack,
    history: History,
    tagging: Tagging,
    judged: _Judged,
    red: tuple[RedTry, ...],
    *,
    entered_ms: Mapping[str, int] | None = None,
) -> Figures:
    knowledge = learn(pack, history, tagging, entered_ms=entered_ms)
    denials = find_denials(pack, history, tagging, knowledge, judged.communities)
    cells = judge_cells(pack, history, knowledge)
    policy = judge_policy(pack, history, tagging, knowledge, communities=judged.communities, denials=denials)
    needs = judge_needs(pack, history, knowledge, tagging, denials=denials, policy=policy)
    needed = tuple(need.cell for need in needs)
    observed = Observed(
        needed=needed,
        cells=cells,
        corrections=judged.corrections,
        requests=judged.requests,
        called_for=corrections_called_for(pack, history),
        red=red,
        lineage=trace_lineage(history, tagging, (each.inject for each in pack.injects), judged.requests),
        recalls=find_recalls(history),
        end_ms=history.end_ms,
    )
    return Figures(
        sharing=count_sharing(needed, cells),
        cells=cells,
        needs=needs,
        disclosures=find_disclosures(pack, history, knowledge, tagging),
        objectives=rate_objectives(pack.objectives, observed),
        denials=denials,
        policy=policy,
        first_ms=knowledge.first_ms,
    )
