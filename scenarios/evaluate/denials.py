"""Every time a rule kept a fact from an agency: left out before sending, refused after, or not permitted by the router.

A sender's pre-flight names an agency and a rule, not a fact. The facts concerned are those of the release that
followed from the same act, and the rule for each is found again by asking the decision function about the portion
that carries it. Where no release followed, the facts are those that the standing order meant to keep, or else those of
what the desk was acting on.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from policy.decide import Action, decide
from scenarios.community_changes import Communities
from scenarios.evaluate.history import ROUTER, History, Moment, PortionSeen, Release
from scenarios.evaluate.knowledge import Knowledge
from scenarios.evaluate.tagging import Tagging
from scenarios.model import Pack


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """A rule that stood between a holder of facts and an agency, at one moment."""

    at_ms: int
    holder: str
    agency: str
    facts: tuple[str, ...]
    rule: str
    hid: str | None
    how: Literal["left out", "refused"]


def find_denials(
    pack: Pack, history: History, tagging: Tagging, knowledge: Knowledge, communities: Communities
) -> tuple[Denial, ...]:
    """Collect the denials of a play, earliest first."""
    asked = _Asked(tagging=tagging, communities=communities, start_ms=pack.start_ms)
    found = [
        *_left_out(pack, history, asked, knowledge),
        *_cut_short(history, asked),
        *_refused(history, tagging),
    ]
    found.sort(key=lambda denial: (denial.at_ms, denial.holder, denial.agency, denial.rule, denial.hid or ""))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The rule for one fact: a report of several portions may be denied by another rule for each."""

    tagging: Tagging
    communities: Communities
    start_ms: int

    def rules(self, release: Release, agency: str, portions: Iterable[PortionSeen]) -> dict[str, frozenset[str]]:
        """Return the rules by which these portions are denied to an agency, with the facts that each denies."""
        if release.act == "joint":
            # A joint product is one whole: what denies one part denies them all, and its lead recorded by which rule.
            return {}
        denied: dict[str, frozenset[str]] = {}
        for portion in portions:
            verdict = decide(
                portion.label,
                originator=release.agency,
                recipient=agency,
                action=Action.RELEASE,
                at_ms=self.start_ms + release.at_ms,
                community=self.communities.at(self.start_ms + release.at_ms),
            )
            facts = self.tagging.facts_of(release.hid, portion)
            if not verdict.permit and facts:
                denied[verdict.rule] = denied.get(verdict.rule, frozenset()) | facts
        return denied


def _left_out(pack: Pack, history: History, asked: _Asked, knowledge: Knowledge) -> Iterator[Denial]:
    keeps = {order.order: frozenset(order.keep) for order in pack.orders if order.keep}
    for moment in history.of_stage("intended"):
        left_out = moment.fields.get("left_out") or {}
        release = _release_that_followed(moment, history) if left_out else None
        for agency, rule in left_out.items():
            rules = asked.rules(release, agency, release.portions) if release else {}
            if not rules:  # nothing to ask about, or a bundle has changed since: the recorded rule stands
                whole = _as_first_released(release, history)
                facts = _facts_of_release(whole, asked.tagging) if whole else _facts_meant(moment, keeps, knowledge)
                rules = {str(rule): facts}
            for denying, facts in rules.items():
                if facts:
                    yield Denial(
                        at_ms=moment.at_ms,
                        holder=moment.source,
                        agency=str(agency),
                        facts=tuple(sorted(facts)),
                        rule=denying,
                        hid=release.hid if release else None,
                        how="left out",
                    )


def _cut_short(history: History, asked: _Asked) -> Iterator[Denial]:
    """A reader that got some portions of a release and was denied others by a rule."""
    for release in history.releases:
        for agency in release.audience:
            missing = [portion for portion in release.portions if not release.reaches(agency, portion.place)]
            for rule, facts in asked.rules(release, agency, missing).items():
                yield Denial(
                    at_ms=release.at_ms,
                    holder=release.agency,
                    agency=agency,
                    facts=tuple(sorted(facts)),
                    rule=rule,
                    hid=release.hid,
                    how="left out",
                )


def _release_that_followed(moment: Moment, history: History) -> Release | None:
    """The release of the same act, order and cause that came next from the same desk."""
    return next(
        (
            release
            for release in history.releases
            if release.agency == moment.source
            and release.at_ms >= moment.at_ms
            and (release.act, release.order, release.cause)
            == (moment.text("act"), moment.fields.get("order"), moment.fields.get("cause"))
        ),
        None,
    )


def _as_first_released(release: Release | None, history: History) -> Release | None:
    """Return the first release of a message, which alone names its portions on the record."""
    hid = None if release is None else release.hid
    return next((each for each in history.releases if each.hid == hid), None)


def _facts_of_release(release: Release, tagging: Tagging) -> frozenset[str]:
    return frozenset[str]().union(*(tagging.facts_of(release.hid, portion) for portion in release.portions))


def _facts_meant(moment: Moment, keeps: dict[str, frozenset[str]], knowledge: Knowledge) -> frozenset[str]:
    cause = moment.fields.get("cause")
    carried = frozenset(
        fact
        for (fact, agency), ways in knowledge.by_cell.items()
        if agency == moment.source and any(way.source == cause and way.read_ms <= moment.at_ms for way in ways)
    )
    kept = keeps.get(moment.text("order"))
    return carried & kept if kept is not None else carried


def _refused(history: History, tagging: Tagging) -> list[Denial]:
    by_hid = {release.hid: release for release in reversed(history.releases)}
    denials: dict[tuple[str, int, str], Denial] = {}
    for moment in history.of_stage("refused", "decided"):
        release = by_hid.get(moment.text("hid"))
        if release is None or (moment.stage == "decided" and moment.fields.get("permit") is not False):
            continue
        refusals = moment.fields.get("refusals") or ([moment.fields] if moment.stage == "decided" else [])
        for refusal in refusals:
            # The router says recipient, the node that was refused says reader: the same agency.
            agency = str(refusal.get("recipient") or refusal.get("reader"))
            place = int(refusal["place"])
            facts = frozenset[str]().union(
                *(tagging.facts_of(release.hid, portion) for portion in release.portions if portion.place == place)
            )
            key = (release.hid, place, agency)
            if facts and (key not in denials or moment.source == ROUTER):
                denials[key] = Denial(
                    at_ms=moment.at_ms,
                    holder=release.agency,
                    agency=agency,
                    facts=tuple(sorted(facts)),
                    rule=str(refusal.get("rule") or "unnamed"),
                    hid=release.hid,
                    how="refused",
                )
    return list(denials.values())
