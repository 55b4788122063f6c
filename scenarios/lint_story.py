"""Lint of the story: can everybody learn what they need, can nobody learn what they must not, do the rules mean it."""

import re
from collections.abc import Iterator
from typing import Final

from policy.community import Community
from policy.decide import decide
from policy.members_first import without_members_first
from policy.verdict import Action, Verdict
from policy.widening import widening_rules
from scenarios.community_changes import later_versions
from scenarios.finding import Checked, Finding
from scenarios.model import Inject, LinkProfile, Need, Pack
from scenarios.placeholder_community import placeholder_bundle
from schemas.label import Label

_RELEASING: Final = ("report", "forward", "correct")


def lint_story(checked: Checked) -> Iterator[Finding]:
    """Yield the findings on facts, needs and must-nots."""
    yield from _contradictions(checked)
    yield from _straight_disclosures(checked)
    yield from _facts_without_passage(checked)
    yield from _needs_nobody_can_meet(checked)
    yield from _rule_gaps(checked)
    yield from _widening_rules(checked)
    yield from _needs_shorter_than_links(checked)
    yield from _spoilers(checked)


def _contradictions(checked: Checked) -> Iterator[Finding]:
    for must_not in checked.pack.must_nots:
        for need in checked.pack.needs:
            both = sorted(set(need.who) & set(must_not.who)) if need.fact == must_not.fact else []
            if both:
                text = f"{', '.join(both)} must have {need.fact} ({need.need}) and must never have it; decide which"
                yield checked.finding("error", "need-and-must-not", "must_not", must_not.must_not, text)


def _straight_disclosures(checked: Checked) -> Iterator[Finding]:
    for must_not in checked.pack.must_nots:
        for inject in checked.pack.injects:
            struck = sorted(set(inject.to) & set(must_not.who)) if must_not.fact in inject.carries else []
            if struck:
                text = (
                    f"{inject.inject} lands {must_not.fact} straight on the desk of {', '.join(struck)}, "
                    f"which {must_not.must_not} forbids; nobody could prevent it"
                )
                yield checked.finding("error", "straight-disclosure", "msel", inject.inject, text)


def _facts_without_passage(checked: Checked) -> Iterator[Finding]:
    for inject in checked.pack.injects:
        told = _facts_told(inject, checked.pack)
        for fact in inject.carries:
            if fact not in told:
                text = f"{inject.inject} carries {fact}, but no passage of its text is marked {{{fact}: …}}: mark it"
                yield checked.finding("warning", "no-passage", "msel", inject.inject, text)


def _facts_told(inject: Inject, pack: Pack) -> set[str]:
    return {pack.passage_facts[passage] for portion in inject.material for passage in portion.content.passages}


def _needs_nobody_can_meet(checked: Checked) -> Iterator[Finding]:
    carried = {
        fact
        for inject in checked.pack.injects
        if inject.inject in checked.flow.release_ms and inject.to and inject.type != "expected action"
        for fact in inject.carries
    }
    for need in checked.pack.needs:
        if need.fact not in carried:
            text = f"nobody can ever learn {need.fact}: no inject that can be released carries it"
            yield checked.finding("error", "unlearnable", "needs", need.need, text)


def _rule_gaps(checked: Checked) -> Iterator[Finding]:
    pack = checked.pack
    if not pack.rules:
        yield checked.finding(
            "error",
            "no-rules",
            "pack",
            "",
            "the pack has no rules, and an empty rule set refuses everything; write at least one",
        )
        return
    # A change may bring what the start does not permit, and members may let go what goes to them first.
    first = placeholder_bundle(pack)
    communities = [Community.compile(first), *(Community.compile(each.bundle) for each in later_versions(pack, first))]
    proposed = {order.reader for order in pack.orders if order.do == "propose" and order.releases is not None}
    for need in pack.needs:
        ways = _ways_to_tell(need.fact, pack)
        for agency in need.who:
            verdicts = [
                _ask(without_members_first(label) if agency in proposed else label, originator, agency, pack, community)
                for community in communities
                for label, originator in ways
                if originator != agency
            ]
            is_origin = any(agency in inject.to and need.fact in inject.carries for inject in pack.injects)
            if verdicts and not is_origin and not any(verdict.permit for verdict in verdicts):
                text = (
                    f"rule gap: {agency} needs {need.fact}, and under no label that carries it may {agency} have it "
                    f"({_refusal(verdicts[0])}); change the rule or the label, or mean it"
                )
                yield checked.finding("warning", "rule-gap", "needs", need.need, text)


def _ways_to_tell(fact: str, pack: Pack) -> list[tuple[Label, str]]:
    """Return the labels under which a fact is handed over or passed on, each with who would be its originator."""
    ways: dict[tuple[Label, str], None] = {}
    for inject in pack.injects:
        for portion in inject.material:
            if any(pack.passage_facts[passage] == fact for passage in portion.content.passages):
                ways.update(dict.fromkeys((portion.label, agency) for agency in inject.to))
    for order in pack.orders:
        if order.label is not None and order.do in _RELEASING and fact in order.keep:
            ways[order.label, order.who] = None
    return list(ways)


def _ask(label: Label, originator: str, recipient: str, pack: Pack, community: Community) -> Verdict:
    # An embargo that ends during play is no gap, so the question is put for ENDEX.
    return decide(
        label,
        originator=originator,
        recipient=recipient,
        action=Action.RELEASE,
        at_ms=pack.start_ms + pack.duration_ms,
        community=community,
    )


def _refusal(verdict: Verdict) -> str:
    return next((reason.text for reason in verdict.reasons if not reason.passed), verdict.rule)


def _widening_rules(checked: Checked) -> Iterator[Finding]:
    for rule, fault in widening_rules(placeholder_bundle(checked.pack)):
        text = f"the rule {rule} {fault}: who marks a report up would spread it"
        yield checked.finding("warning", "widening-rule", "rules", rule, text)


def _needs_shorter_than_links(checked: Checked) -> Iterator[Finding]:
    pack = checked.pack
    links = {link.link: link for link in pack.links}
    seats = {participant.agency: participant for participant in pack.participants}
    bots = {bot.bot: bot for bot in pack.bots}
    for need in pack.needs:
        for agency in need.who:
            carriers = [inject for inject in pack.injects if need.fact in inject.carries]
            if not carriers or any(agency in inject.to for inject in carriers):
                continue
            desk_ms = min(
                (
                    bots[seats[to].bot].read.least_ms + bots[seats[to].bot].write.least_ms
                    for inject in carriers
                    for to in inject.to
                ),
                default=0,
            )
            least_ms = desk_ms + _waiting_ms(links[seats[agency].link])
            if _time_allowed_ms(need, carriers, checked) < least_ms:
                text = (
                    f"{agency} cannot be sure of {need.fact} in time: writing takes {_minutes(desk_ms)} at least, and "
                    f"its link may add {_minutes(least_ms - desk_ms)}; allow more time, or a better link"
                )
                yield checked.finding("warning", "by-too-short", "needs", need.need, text)


def _waiting_ms(link: LinkProfile) -> int:
    """Return how long a link may take while it works: its delay, and the time until the desk next looks."""
    return link.delay.most_ms + (link.read_every_ms or 0)


def _time_allowed_ms(need: Need, carriers: list[Inject], checked: Checked) -> int:
    if need.from_ms is None:
        return need.by_ms
    release_ms = checked.flow.release_ms
    first_ms = min((release_ms[inject.inject] for inject in carriers if inject.inject in release_ms), default=0)
    return need.from_ms + need.by_ms - first_ms


def _minutes(duration_ms: int) -> str:
    return f"{duration_ms / 60_000:.0f} min" if duration_ms >= 60_000 else f"{duration_ms / 1_000:.0f} s"  # noqa: PLR2004 - a minute


def _spoilers(checked: Checked) -> Iterator[Finding]:
    for participant in checked.pack.participants:
        brief = participant.brief.casefold()
        for fact in checked.pack.facts if brief else ():
            for words in (fact.text, *fact.signs):
                found = re.search(rf"(?<!\w){re.escape(words.casefold())}(?!\w)", brief)
                if found is None:
                    continue
                text = f"spoiler: the brief of {participant.agency} says '{words[:60]}', which gives {fact.fact} away"
                part = "briefs" if ("briefs", participant.agency) in checked.places else "participants"
                line = brief.count("\n", 0, found.start()) if part == "briefs" else 0
                yield checked.finding("warning", "spoiler", part, participant.agency, text, line=line)
                break
