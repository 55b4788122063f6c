"""The numbers behind each picture and table, as CSV files that a spreadsheet opens without surprises."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from scenarios.evaluate.cells import STATE_LETTER
from scenarios.evaluate.evaluation import Evaluation
from scenarios.evaluate.history import History
from scenarios.evaluate.tagging import tagging_of
from scenarios.evaluate.wording import clock_text
from scenarios.model import Pack
from scenarios.report.narrative import StoryEntry
from scenarios.report.visible import visible

# A spreadsheet takes a text that begins so for a formula, and report text is hostile (OWASP, "CSV injection").
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvTable:
    """One file: its name without folder, its heads and its rows."""

    name: str
    heads: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]

    def as_text(self) -> str:
        """Write the table as RFC 4180 has it, with formulas defused."""
        written = io.StringIO()
        writer = csv.writer(written, lineterminator="\r\n")
        writer.writerow(self.heads)
        writer.writerows([_field(value) for value in row] for row in self.rows)
        return written.getvalue()


def _field(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return str(value)
    text = " ".join(str(each) for each in value) if isinstance(value, tuple) else str(value)
    text = visible(text)
    return "'" + text if text.startswith(_FORMULA_STARTS) else text


def make_tables(
    pack: Pack, history: History, evaluation: Evaluation, story: Iterable[StoryEntry]
) -> tuple[CsvTable, ...]:
    """Make every table, in the order in which the page shows them."""
    makers: Sequence[Callable[[Evaluation], CsvTable]] = (
        _matrix, _timeline, _outages, _needs, _delays, _spread, _sharing, _disclosures, _policy, _objectives,
        _corrections, _recalls, _requests, _refusals, _overdue, _joint, _overrides, _silence, _red, _questions,
        _fairness, _lineage, _reconciliation, _improvements, _suggested,
    )  # fmt: skip
    return (*(make(evaluation) for make in makers), _story(story), _messages(pack, history))


def _matrix(evaluation: Evaluation) -> CsvTable:
    heads = (
        "fact", "agency", "state", "letter", "known_ms", "known_wall_ms", "after_first_ms", "due_ms", "need",
        "must_not", "sender", "source", "released_ms", "accepted_ms", "delivered_ms", "verified_ms", "opened_ms",
        "acknowledged_ms", "acted_ms",
    )  # fmt: skip
    rows = []
    for certain in evaluation.certain.cells:
        at = certain.stages
        rows.append((
            certain.fact, certain.agency, certain.state, STATE_LETTER[certain.state], certain.known_ms,
            certain.known_wall_ms, certain.after_ms, certain.due_ms, certain.need, certain.must_not, certain.sender,
            certain.source, at.released_ms, at.accepted_ms, at.delivered_ms, at.verified_ms, at.opened_ms,
            at.acknowledged_ms, at.acted_ms,
        ))  # fmt: skip
    return CsvTable(name="matrix", heads=heads, rows=tuple(rows))


def _timeline(evaluation: Evaluation) -> CsvTable:
    heads = ("inject", "title", "type", "mode", "planned_ms", "released_ms", "released_wall_ms", "drift_ms", "to")
    rows = tuple(
        (each.inject, each.title, each.type, each.mode, each.planned_ms, each.released_ms, each.released_wall_ms,
         each.drift_ms, each.to)
        for each in evaluation.injects
    )  # fmt: skip
    return CsvTable(name="timeline", heads=heads, rows=rows)


def _outages(evaluation: Evaluation) -> CsvTable:
    rows = tuple((each.agency, each.begin_ms, each.end_ms, str(each.restored)) for each in evaluation.outages)
    return CsvTable(name="outages", heads=("agency", "begin_ms", "end_ms", "restored"), rows=rows)


def _needs(evaluation: Evaluation) -> CsvTable:
    heads = (
        "need", "fact", "agency", "state", "state_with_suggested", "first_ms", "due_ms", "known_ms", "known_wall_ms",
        "cause", "sender", "source", "why",
    )  # fmt: skip
    rows = tuple(
        (each.need, each.fact, each.agency, each.cell.state, also.cell.state, each.first_ms, each.cell.due_ms,
         each.cell.known_ms, each.cell.known_wall_ms, each.cause, each.cell.sender, each.cell.source, each.why)
        for each, also in zip(evaluation.certain.needs, evaluation.with_suggested.needs, strict=True)
    )  # fmt: skip
    return CsvTable(name="needs", heads=heads, rows=rows)


def _delays(evaluation: Evaluation) -> CsvTable:
    heads = ("need", "fact", "agency", "complete", "total_ms", "hold_ms", "rule_ms", "link_ms", "desk_ms", "rules",
             "chain")  # fmt: skip
    rows = tuple(
        (each.need, each.fact, each.agency, str(each.split.complete), each.split.total_ms, each.split.hold_ms,
         each.split.rule_ms, each.split.link_ms, each.split.desk_ms, each.split.rules, each.split.chain)
        for each in evaluation.certain.needs
        if each.split is not None
    )  # fmt: skip
    return CsvTable(name="delays", heads=heads, rows=rows)


def _spread(evaluation: Evaluation) -> CsvTable:
    rows = tuple(
        (spread.fact, at_ms, count, spread.needers, spread.due_ms)
        for spread in evaluation.spreads
        for count, at_ms in enumerate((spread.first_ms, *spread.informed_ms))
    )
    return CsvTable(name="spread", heads=("fact", "at_ms", "informed", "needers", "due_ms"), rows=rows)


def _sharing(evaluation: Evaluation) -> CsvTable:
    rows = tuple(
        (each.sender, each.reader, each.reports, each.median_ms, each.disclosures) for each in evaluation.flows
    )
    return CsvTable(name="sharing", heads=("sender", "reader", "reports", "median_ms", "disclosures"), rows=rows)


def _disclosures(evaluation: Evaluation) -> CsvTable:
    heads = ("must_not", "fact", "agency", "at_ms", "wall_ms", "first", "released_by", "released_ms", "source",
             "portions", "passages", "labels", "rules", "stated_reason", "opened_ms")  # fmt: skip
    rows = tuple(
        (each.must_not, each.fact, each.agency, each.at_ms, each.wall_ms, str(each.first), each.released_by,
         each.released_ms, each.source, each.portions, each.passages, each.labels, each.rules, each.stated_reason,
         each.opened_ms)
        for each in evaluation.certain.disclosures
    )  # fmt: skip
    return CsvTable(name="disclosures", heads=heads, rows=rows)


def _policy(evaluation: Evaluation) -> CsvTable:
    heads = ("fact", "agency", "standing", "class", "rule", "test", "originator", "label", "source", "released",
             "denied_first_by")  # fmt: skip
    rows = tuple(
        (each.fact, each.agency, each.standing, each.policy, each.evidence.rule, each.evidence.text,
         each.evidence.originator, each.evidence.label, each.evidence.source, str(each.evidence.used),
         each.denied_first.rule if each.denied_first else None)
        for each in evaluation.certain.policy
    )  # fmt: skip
    return CsvTable(name="policy", heads=heads, rows=rows)


def _objectives(evaluation: Evaluation) -> CsvTable:
    heads = ("objective", "measure", "kind", "value", "value_with_suggested", "counted", "rating", "P", "S", "M",
             "evidence")  # fmt: skip
    rows = tuple(
        (objective.objective, each.measure, each.kind, each.value, again.value, each.counted, each.rating,
         each.performed, each.some, each.major, each.evidence)
        for objective, also in zip(evaluation.certain.objectives, evaluation.with_suggested.objectives, strict=True)
        for each, again in zip(objective.measures, also.measures, strict=True)
    )  # fmt: skip
    return CsvTable(name="objectives", heads=heads, rows=rows)


def _corrections(evaluation: Evaluation) -> CsvTable:
    rows = tuple(
        (each.hid, each.corrects, each.agency, each.released_ms, past.agency, past.had_ms, past.through,
         past.corrected_ms, past.opened_ms)
        for each in evaluation.corrections
        for past in each.recipients
    )  # fmt: skip
    heads = ("correction", "corrects", "by", "released_ms", "recipient", "had_ms", "through", "corrected_ms",
             "opened_ms")  # fmt: skip
    return CsvTable(name="corrections", heads=heads, rows=rows)


def _recalls(evaluation: Evaluation) -> CsvTable:
    rows = tuple(
        (each.hid, each.recalls, each.agency, each.released_ms, past.agency, past.answer, past.answered_ms,
         " ".join(past.used_in))
        for each in evaluation.recalls
        for past in each.recipients
    )  # fmt: skip
    heads = ("recall", "recalls", "by", "released_ms", "recipient", "answer", "answered_ms", "used_in")
    return CsvTable(name="recalls", heads=heads, rows=rows)


def _requests(evaluation: Evaluation) -> CsvTable:
    rows = tuple(
        (each.hid, each.asker, each.originator, each.reader, each.subject, each.asked_ms, each.answer_by_ms,
         each.state, each.decided_ms, each.told_ms, each.product_ms, each.reason, each.conditions, each.expires_ms,
         each.ended_ms)
        for each in evaluation.requests
    )  # fmt: skip
    heads = ("request", "asker", "originator", "reader", "subject", "asked_ms", "answer_by_ms", "state", "decided_ms",
             "told_ms", "product_ms", "reason", "conditions", "expires_ms", "ended_ms")  # fmt: skip
    return CsvTable(name="requests", heads=heads, rows=rows)


def _refusals(evaluation: Evaluation) -> CsvTable:
    rows = tuple(
        (each.at_ms, each.seen_by, each.agency, each.hid, each.what, each.code, each.stage,
         "; ".join(f"portion {place} to {reader} by {rule}" for place, reader, rule in each.refusals))
        for each in evaluation.refusals
    )  # fmt: skip
    heads = ("at_ms", "seen_by", "agency", "hid", "what", "code", "stage", "refusals")
    return CsvTable(name="refusals", heads=heads, rows=rows)


def _overdue(evaluation: Evaluation) -> CsvTable:
    rows = tuple(
        (each.hid, each.agency, each.reader, each.released_ms, each.overdue_ms, each.settled_ms, each.state,
         str(each.accepted), each.cause)
        for each in evaluation.overdue
    )  # fmt: skip
    heads = ("hid", "author", "reader", "released_ms", "overdue_ms", "settled_ms", "state", "accepted", "cause")
    return CsvTable(name="overdue", heads=heads, rows=rows)


def _questions(evaluation: Evaluation) -> CsvTable:
    heads = ("hid", "exchange", "asker", "partner", "subject", "asked_ms", "answer_by_ms", "state", "answered_ms",
             "late", "answer", "asked_for", "asked_on")  # fmt: skip
    rows = tuple(
        (each.hid, each.exchange, each.asker, each.partner, each.subject, each.asked_ms, each.answer_by_ms, each.state,
         each.answered_ms, str(each.late), each.answer, each.asked_for, each.asked_on)
        for each in evaluation.questions
    )  # fmt: skip
    return CsvTable(name="questions", heads=heads, rows=rows)


def _fairness(evaluation: Evaluation) -> CsvTable:
    heads = ("asker", "partner", "asked", "answered", "declined", "unanswered", "late", "median_ms", "evidence")
    rows = tuple(
        (each.asker, each.partner, each.asked, each.answered, each.declined, each.unanswered, each.late,
         each.median_ms, each.evidence)
        for each in evaluation.fairness
    )  # fmt: skip
    return CsvTable(name="fairness", heads=heads, rows=rows)


def _red(evaluation: Evaluation) -> CsvTable:
    """Write one row for each sign by which an act was noticed, and one for an act that nobody noticed."""
    rows = tuple(
        (each.act, each.kind, each.who, each.victim, each.at_ms, each.tried, sign and sign.by, sign and sign.how,
         sign and sign.code, sign and sign.after_ms, each.unnoticed, each.overlooked, each.taken_in_by,
         len(each.read), len(each.shut), each.learned, each.hids)
        for each in evaluation.red
        for sign in each.noticed or (None,)
    )  # fmt: skip
    heads = (
        "act", "kind", "who", "victim", "at_ms", "tried", "noticed_by", "how", "code", "after_ms", "unnoticed",
        "overlooked", "taken_in_by", "read", "shut", "learned", "hids",
    )  # fmt: skip
    return CsvTable(name="red", heads=heads, rows=rows)


def _joint(evaluation: Evaluation) -> CsvTable:
    """Write one row for each answer, and one for a product that nobody answered."""
    rows = tuple(
        (each.hid, each.lead, each.banner, each.originators, each.cosigners, each.needed, each.asked_ms,
         each.released_ms, each.replaces, each.replaced_ms, answer and answer.member, answer and answer.answer,
         answer and answer.at_ms, answer and answer.reason)
        for each in evaluation.joint
        for answer in each.answers or (None,)
    )  # fmt: skip
    heads = (
        "hid", "lead", "banner", "originators", "cosigners", "needed", "asked_ms", "released_ms", "replaces",
        "replaced_ms", "member", "answer", "answered_ms", "reason",
    )  # fmt: skip
    return CsvTable(name="joint", heads=heads, rows=rows)


def _overrides(evaluation: Evaluation) -> CsvTable:
    """Write one row for each reader of each life-safety override."""
    rows = tuple(
        (each.hid, each.of, each.order, each.invoker, each.originator, each.authority, each.title, each.office,
         each.danger, each.reason, each.at_ms, each.told_ms, each.judgement, each.facts, reader, read_ms,
         reader in each.needed_by)
        for each in evaluation.overrides
        for reader, read_ms in each.readers
    )  # fmt: skip
    heads = (
        "hid", "of", "order", "invoker", "originator", "authority", "title", "office", "danger", "reason", "at_ms",
        "originator_told_ms", "judgement", "facts", "reader", "read_ms", "needed",
    )  # fmt: skip
    return CsvTable(name="overrides", heads=heads, rows=rows)


def _silence(evaluation: Evaluation) -> CsvTable:
    """Write one row for each member that was asked in a silence procedure."""
    rows = tuple(
        (each.hid, each.order, each.proposer, each.mechanism, each.subject, each.of, each.reader, each.opened_ms,
         each.object_by_ms, each.outcome, each.over_ms, each.waited_ms, each.let_go_ms, heard.member, heard.answer,
         heard.had_ms, heard.answered_ms, heard.reason)
        for each in evaluation.procedures
        for heard in each.members
    )  # fmt: skip
    heads = (
        "hid", "order", "proposer", "mechanism", "subject", "of", "reader", "opened_ms", "object_by_ms", "outcome",
        "over_ms", "waited_ms", "let_go_ms", "member", "answer", "had_ms", "answered_ms", "reason",
    )  # fmt: skip
    return CsvTable(name="silence", heads=heads, rows=rows)


def _lineage(evaluation: Evaluation) -> CsvTable:
    """Write one row for each ancestor of each derived product, and one for a product that names none."""
    rows = tuple(
        (each.hid, each.title, each.agency, each.order, each.act, each.released_ms, each.facts, each.readers,
         str(each.whole), each.strangers, parent and parent.depth, parent and parent.hid, parent and parent.title,
         parent and parent.agency, parent and parent.released_ms, parent and "; ".join(parent.markings),
         parent and parent.facts, parent and str(parent.controlled), parent and parent.inject)
        for each in evaluation.lineage
        for parent in each.ancestors or (None,)
    )  # fmt: skip
    heads = (
        "product", "title", "author", "order", "act", "released_ms", "facts", "readers", "whole", "strangers", "depth",
        "ancestor", "ancestor_title", "originator", "ancestor_released_ms", "ancestor_markings", "ancestor_facts",
        "controlled", "inject",
    )  # fmt: skip
    return CsvTable(name="lineage", heads=heads, rows=rows)


def _reconciliation(evaluation: Evaluation) -> CsvTable:
    items = [("unexplained", each) for each in evaluation.reconciliation.unexplained]
    items += [("on the way at ENDEX", each) for each in evaluation.reconciliation.on_the_way]
    rows = tuple((standing, each.check, each.hid, each.agency, each.at_ms, each.text) for standing, each in items)
    return CsvTable(name="reconciliation", heads=("standing", "check", "hid", "agency", "at_ms", "text"), rows=rows)


def _improvements(evaluation: Evaluation) -> CsvTable:
    rows = tuple(
        (each.kind, each.headline, each.action, each.element, each.responsible, each.cause, each.evidence)
        for each in evaluation.findings
        if each.action
    )
    heads = ("kind", "area_for_improvement", "corrective_action", "capability_element", "responsible", "cause",
             "evidence")  # fmt: skip
    return CsvTable(name="improvements", heads=heads, rows=rows)


def _suggested(evaluation: Evaluation) -> CsvTable:
    rows = tuple((each.hid, each.place, each.fact, each.sign, each.writer) for each in evaluation.suggested_tags)
    return CsvTable(name="suggested_tags", heads=("hid", "portion", "fact", "sign", "writer"), rows=rows)


def _story(story: Iterable[StoryEntry]) -> CsvTable:
    rows = tuple(
        (each.at_ms, clock_text(each.at_ms), each.wall_ms, each.kind, each.text, each.evidence) for each in story
    )
    return CsvTable(name="story", heads=("at_ms", "time", "wall_ms", "kind", "text", "evidence"), rows=rows)


def _messages(pack: Pack, history: History) -> CsvTable:
    tagging = tagging_of(pack)
    rows = tuple(
        (release.at_ms, release.wall_ms, release.hid, release.kind, release.agency, tuple(release.audience),
         release.portions[0].title if release.portions else "",
         tuple(sorted({fact for each in release.portions for fact in tagging.facts_of(release.hid, each)})),
         release.reason, release.cause, release.ref)
        for release in history.releases
    )  # fmt: skip
    heads = ("at_ms", "wall_ms", "hid", "kind", "from", "to", "title", "facts", "reason", "cause", "ref")
    return CsvTable(name="messages", heads=heads, rows=rows)
