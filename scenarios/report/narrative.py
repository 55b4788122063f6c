"""The story of the exercise, told in order of time to somebody who was not there.

Only what moved the play is told: what EXCON handed over, what desks released, refused, asked and decided, whom a rule
kept out, who learned what in time or too late, what was given away, and how branches went. The rest is in the record.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from scenarios.evaluate.changes import CommunityChange
from scenarios.evaluate.evaluation import Evaluation
from scenarios.evaluate.history import History, Moment, Release
from scenarios.evaluate.needs import NeedResult
from scenarios.evaluate.red import RedTry
from scenarios.evaluate.tagging import Tagging, tagging_of
from scenarios.evaluate.wording import Names, clock_text, count_text, length_text, list_text
from scenarios.model import Pack

_AT_ONCE_MS: Final = 1_000  # nobody at a desk counts less
StoryKind = Literal["control", "inject", "sharing", "outcome", "breach", "rule", "consent", "correction", "link", "red"]
STORY_KINDS: Final[dict[StoryKind, str]] = {
    "control": "Start, end, branches",
    "inject": "Injects",
    "sharing": "Reports",
    "outcome": "Needs met or missed",
    "breach": "Disclosures",
    "rule": "Denied by rules",
    "consent": "Requests for release",
    "correction": "Corrections",
    "link": "Links",
    "red": "Red cell",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryEntry:
    """One moment of the story. ``emphasis`` marks what a briefing would stop at."""

    at_ms: int
    wall_ms: int | None
    kind: StoryKind
    text: str
    emphasis: bool
    evidence: tuple[str, ...]


def tell_story(pack: Pack, history: History, evaluation: Evaluation, names: Names) -> tuple[StoryEntry, ...]:
    """Tell the whole story, in order of exercise time."""
    tagging = tagging_of(pack)
    entries = [
        *_control(history, evaluation),
        *_injects(history, evaluation, names),
        *_releases(history, tagging, names),
        *_denials(history, names),
        *_outcomes(evaluation, names),
        *_breaches(evaluation, names),
        *_consent(evaluation, names),
        *_overrides(evaluation, names),
        *_silence(evaluation, names),
        *_corrections(evaluation, names),
        *_links(evaluation, names),
        *_red(evaluation, names),
    ]
    order = list(STORY_KINDS)
    # At one moment the cause is told before its effect: the kinds stand in that order, ENDEX last of all.
    return tuple(sorted(entries, key=lambda each: (each.at_ms, each.text.startswith("ENDEX"), order.index(each.kind))))


def _entry(
    at_ms: int,
    kind: StoryKind,
    text: str,
    *evidence: str,
    wall_ms: int | None = None,
    emphasis: bool = False,
) -> StoryEntry:
    return StoryEntry(at_ms=at_ms, wall_ms=wall_ms, kind=kind, text=text, emphasis=emphasis, evidence=evidence)


def _control(history: History, evaluation: Evaluation) -> Iterator[StoryEntry]:
    for moment in history.of_stage("startex"):
        text = "STARTEX. EXERCISE EXERCISE EXERCISE."
        yield _entry(moment.at_ms, "control", text, wall_ms=moment.wall_ms, emphasis=True)
    for branch in evaluation.branches:
        way = "its condition was met" if branch.outcome == "then" else "its condition was not met, so the other way"
        then = list_text(branch.injects) if branch.injects else "nothing"
        text = f"Branch {branch.branch}: {way}. Released: {then}. {branch.because[:1].upper()}{branch.because[1:]}."
        yield _entry(branch.at_ms, "control", text, emphasis=True)
    for change in evaluation.changes:
        why = f" {change.why[:1].upper()}{change.why[1:]}." if change.why else ""
        text = f"The community changes to version {change.version} ({change.change}): {list_text(change.steps)}.{why}"
        yield _entry(change.at_ms, "control", f"{text} {change_text(change)}", emphasis=True)
    if evaluation.ended:
        yield _entry(evaluation.end_ms, "control", "ENDEX.", wall_ms=evaluation.end_wall_ms, emphasis=True)
    else:
        text = "ENDEX was never recorded: the record stops here."
        yield _entry(evaluation.end_ms, "control", text, wall_ms=evaluation.end_wall_ms, emphasis=True)


def change_text(change: CommunityChange) -> str:
    """Say what a change of the community came to, among the reports that were released until the next one."""
    released = count_text(change.reports, "report", "reports")
    told = [
        *(f"{agency} got {count} that it would not have had" for agency, count in change.reached.items()),
        *(f"{agency} was kept from {count} that it would have had" for agency, count in change.kept_from.items()),
    ]
    text = f"Of the {released} released under it, {list_text(told) if told else 'none went elsewhere for it'}."
    if change.taken_up_ms:
        slowest = max(change.taken_up_ms, key=lambda agency: (change.taken_up_ms[agency], agency))
        waited = length_text(change.taken_up_ms[slowest] - change.at_ms)
        text += f" The last node to have it was {slowest}, after {waited}."
    if change.by_older:
        old = list_text(
            f"{agency} {count_text(count, 'message', 'messages')}" for agency, count in change.by_older.items()
        )
        text += f" Still released by an older version: {old}."
    return text


def _injects(history: History, evaluation: Evaluation, names: Names) -> Iterator[StoryEntry]:
    walls = {(moment.text("inject"), moment.at_ms): moment.wall_ms for moment in history.of_stage("inject_delivered")}
    for inject in evaluation.injects:
        told: dict[int, list[str]] = {}
        for agency, at_ms in inject.delivered:
            told.setdefault(at_ms, []).append(agency)
        for at_ms, agencies in told.items():
            carried = f" It tells {list_text(names.fact(fact) for fact in inject.carries)}." if inject.carries else ""
            text = (
                f"Inject {inject.inject}, “{inject.title}” ({inject.mode}), reaches {names.several(agencies)}.{carried}"
            )
            yield _entry(at_ms, "inject", text, inject.inject, wall_ms=walls.get((inject.inject, at_ms)))
        if not inject.delivered and inject.released_ms is not None:
            text = f"Inject {inject.inject}, “{inject.title}”, is released and reaches nobody."
            yield _entry(inject.released_ms, "inject", text, inject.inject, wall_ms=inject.released_wall_ms)


def _releases(history: History, tagging: Tagging, names: Names) -> Iterator[StoryEntry]:
    seen: set[str] = set()
    for release in history.releases:
        again = release.hid in seen
        seen.add(release.hid)
        # Requests, decisions and corrections are told in their own words below.
        if release.kind in {"report", "answer", "rfi"} and release.act != "correct" and release.ref is None:
            yield _entry(
                release.at_ms,
                "sharing",
                _release_text(release, tagging, names, again=again),
                release.hid,
                wall_ms=release.wall_ms,
            )
    for moment in history.of_stage("acted"):
        act = moment.text("act") or "acts"
        text = f"{names.agency(moment.source)}: {act}, nothing sent. Reason: “{moment.text('reason')}”."
        yield _entry(moment.at_ms, "sharing", text, moment.text("cause"), wall_ms=moment.wall_ms)


def _release_text(release: Release, tagging: Tagging, names: Names, *, again: bool) -> str:
    readers = names.several(agency for agency in release.audience)
    facts = sorted(frozenset[str]().union(*(tagging.facts_of(release.hid, each) for each in release.portions)))
    title = release.portions[0].title if release.portions else "a message"
    verb = "releases again" if again else {"forward": "forwards"}.get(release.act, "reports")
    text = f"{names.agency(release.agency)} {verb} “{title}” to {readers}"
    text += f", telling {list_text(facts)}." if facts else ", telling no fact of the exercise."
    return text + (f" Reason: “{release.reason}”." if release.reason else "")


def _denials(history: History, names: Names) -> Iterator[StoryEntry]:
    for moment in history.of_stage("intended"):
        left_out = moment.fields.get("left_out") or {}
        by_rule: dict[str, list[str]] = {}
        for agency, rule in left_out.items():
            by_rule.setdefault(str(rule), []).append(str(agency))
        for rule, agencies in by_rule.items():
            text = (
                f"Before sending, {names.agency(moment.source)}'s node leaves out {names.several(agencies)}: "
                f"{rule} does not allow it."
            )
            yield _entry(moment.at_ms, "rule", text, wall_ms=moment.wall_ms)
    for moment in history.of_stage("refused", source="router"):
        yield _refused(moment, names)


def _refused(moment: Moment, names: Names) -> StoryEntry:
    refusals = moment.fields.get("refusals") or ()
    because = [f"{names.agency(str(each.get('recipient')))} by {each.get('rule')}" for each in refusals]
    reason = f"not allowed to {list_text(because)}" if because else f"code {moment.text('code')}"
    text = (
        f"The router refuses a message of {names.agency(moment.text('originator'))}: {reason}. Nothing of it goes on."
    )
    return _entry(moment.at_ms, "rule", text, moment.text("hid"), wall_ms=moment.wall_ms, emphasis=True)


def _outcomes(evaluation: Evaluation, names: Names) -> Iterator[StoryEntry]:
    yield from _met_in_time(evaluation, names)
    groups: dict[tuple[int, str, str, str, str | None], list[NeedResult]] = {}
    for need in evaluation.certain.needs:
        cell = need.cell
        at_ms = cell.due_ms if cell.state == "missed" else cell.known_ms
        if cell.state in {"late", "missed"} and at_ms is not None:
            groups.setdefault((at_ms, cell.state, need.need, need.fact, cell.source), []).append(need)
    for (at_ms, state, _, _, source), group in groups.items():
        wall_ms = group[0].cell.known_wall_ms if state == "late" else None
        text = _failure_text(group, names)
        yield _entry(at_ms, "outcome", text, *([source] if source else []), wall_ms=wall_ms, emphasis=True)


def _met_in_time(evaluation: Evaluation, names: Names) -> Iterator[StoryEntry]:
    """Tell what a message met in time once, at its first reader: its readers follow within moments of one another."""
    by_reader: dict[tuple[str, str], list[NeedResult]] = {}
    for need in evaluation.certain.needs:
        if need.cell.state == "on time" and need.cell.source is not None:
            by_reader.setdefault((need.cell.source, need.agency), []).append(need)
    by_message: dict[tuple[str, tuple[str, ...]], list[NeedResult]] = {}
    for (source, _), met in by_reader.items():
        facts = tuple(dict.fromkeys(need.fact for need in met))
        by_message.setdefault((source, facts), []).extend(met)
    for (source, facts), met in by_message.items():
        times = [need.cell.known_ms or 0 for need in met]
        agencies = list(dict.fromkeys(need.agency for need in met))
        ids = ", ".join(dict.fromkeys(need.need for need in met))
        text = (
            f"In time: {names.several(agencies)} {'knows' if len(agencies) == 1 else 'know'} {list_text(facts)} ({ids})"
        )
        text += f", the last at {clock_text(max(times))}." if max(times) > min(times) else "."
        yield _entry(min(times), "outcome", text, source)


def _failure_text(group: list[NeedResult], names: Names) -> str:
    need, cell = group[0], group[0].cell
    who, knows = names.several(each.agency for each in group), "knows" if len(group) == 1 else "know"
    causes = list_text(dict.fromkeys(each.cause for each in group if each.cause))
    if cell.state == "late":
        over = length_text((cell.known_ms or 0) - (cell.due_ms or 0))
        return f"{who} {knows} {names.fact(need.fact)}, {over} too late ({need.need}). Main cause: {causes}."
    return f"{names.fact(need.fact)} falls due at {who}, who will never learn it ({need.need}). Main cause: {causes}."


def _breaches(evaluation: Evaluation, names: Names) -> Iterator[StoryEntry]:
    for each in evaluation.certain.disclosures:
        if each.first:
            text = (
                f"{names.agency(each.agency)} can now read {names.fact(each.fact)}, which it must not have: "
                f"{each.why.rstrip('.')} ({each.must_not}). Released by {names.agency(each.released_by)}."
            )
            yield _entry(each.at_ms, "breach", text, each.source, wall_ms=each.wall_ms, emphasis=True)


def _consent(evaluation: Evaluation, names: Names) -> Iterator[StoryEntry]:
    for request in evaluation.requests:
        asker, originator = names.agency(request.asker), names.agency(request.originator)
        text = f"{asker} asks {originator} for release: “{request.subject}”. Answer wanted by "
        text += f"{clock_text(request.answer_by_ms)}."
        yield _entry(request.asked_ms, "consent", text, request.hid, wall_ms=request.asked_wall_ms)
        if request.decided_ms is not None:
            cost = length_text(request.decided_ms - request.asked_ms)
            conditions = f" Conditions: “{request.conditions}”." if request.conditions else ""
            text = f"{originator} decides: {request.state}, after {cost}. Reason: “{request.reason}”.{conditions}"
            yield _entry(request.decided_ms, "consent", text, request.hid, emphasis=True)
        elif request.state == "lapsed":
            text = f"{asker}'s request to {originator} lapses without an answer."
            yield _entry(request.answer_by_ms, "consent", text, request.hid, emphasis=True)
        if request.product_ms is not None and request.product is not None:
            cost = length_text(request.product_ms - request.asked_ms)
            text = f"{names.agency(request.reader)} holds what it asked for, {cost} after asking."
            yield _entry(request.product_ms, "consent", text, request.product)


def _overrides(evaluation: Evaluation, names: Names) -> Iterator[StoryEntry]:
    for each in evaluation.overrides:
        readers, originator = names.several(reader for reader, _ in each.readers), names.agency(each.originator)
        text = (
            f"{names.agency(each.invoker)} overrides {originator}'s report for life safety ({each.danger}) and tells "
            f"{readers}. Ordered by “{each.office}” under {each.authority}. Reason: “{each.reason}”."
        )
        yield _entry(each.at_ms, "consent", text, each.hid, each.of, emphasis=True)
        if each.told_ms is not None:
            yield _entry(each.told_ms, "consent", f"{originator} is told of the override.", each.hid)


def _silence(evaluation: Evaluation, names: Names) -> Iterator[StoryEntry]:
    for each in evaluation.procedures:
        proposer, members = names.agency(each.proposer), count_text(len(each.members), "member", "members")
        text = f"{proposer} puts it to {members} of {each.mechanism}: “{each.subject}”. Reason: “{each.reason}”."
        yield _entry(each.opened_ms, "consent", text, each.hid)
        for heard in each.members:
            if heard.answer == "objected" and heard.answered_ms is not None:
                text = f"{names.agency(heard.member)} objects to “{each.subject}”. Reason: “{heard.reason}”."
                yield _entry(heard.answered_ms, "consent", text, each.hid, emphasis=True)
        if each.over_ms is not None and each.waited_ms is not None:
            text = f"“{each.subject}”: {each.outcome}, after {length_text(each.waited_ms)}."
            yield _entry(each.over_ms, "consent", text, each.hid, emphasis=True)


def _corrections(evaluation: Evaluation, names: Names) -> Iterator[StoryEntry]:
    for each in evaluation.corrections:
        past = count_text(len(each.recipients), "agency has", "agencies have")
        text = f"{names.agency(each.agency)} corrects an earlier report, which {past} had. Reason: “{each.reason}”."
        yield _entry(each.released_ms, "correction", text, each.hid, each.corrects, emphasis=True)
        for recipient in each.recipients:
            if recipient.corrected_ms is not None:
                late = length_text(recipient.corrected_ms - each.released_ms)
                text = f"The correction reaches {names.agency(recipient.agency)}, {late} after its release."
                yield _entry(recipient.corrected_ms, "correction", text, each.hid)


def _links(evaluation: Evaluation, names: Names) -> Iterator[StoryEntry]:
    for outage in evaluation.outages:
        lasted = length_text(outage.end_ms - outage.begin_ms)
        how_long = f"for {lasted}" if outage.restored else "and stays down to the end"
        yield _entry(outage.begin_ms, "link", f"{names.agency(outage.agency)}'s link goes down {how_long}.")


def _red(evaluation: Evaluation, names: Names) -> Iterator[StoryEntry]:
    for each in evaluation.red:
        if each.at_ms is None:
            continue
        text = f"{names.agency(each.who)} {each.tried}."
        if each.noticed:
            first = each.noticed[0]
            after = f" after {length_text(first.after_ms)}" if first.after_ms >= _AT_ONCE_MS else " at once"
            text += f" Noticed first by {first.by}{after}: it {first.how}."
        else:
            text += f" Nobody noticed: {each.unnoticed}."
        yield _entry(each.at_ms, "red", text, *each.hids, emphasis=True)


def red_text(tried: RedTry) -> str:
    """Say what an act of red came to."""
    told = []
    if tried.at_ms is None:
        return "nothing"
    if tried.taken_in_by:
        told.append(f"taken for true by {list_text(tried.taken_in_by)}")
    if tried.read or tried.shut:
        told.append(f"{count_text(len(tried.read), 'message', 'messages')} read, {len(tried.shut)} stayed shut")
    if tried.learned:
        told.append(f"red came to know {list_text(tried.learned)}")
    if tried.told is not None:
        told.append(f"times alone gave away who got {tried.told.guessed} of {tried.told.reports} reports; no text")
    return "; ".join(told) or "nothing"
