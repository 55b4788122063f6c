"""Findings about what went right. Of each sort one sentence: a briefing that praises at length is not believed."""

from collections.abc import Iterable, Iterator

from scenarios.evaluate.consent import ConsentRequest
from scenarios.evaluate.corrections import Correction
from scenarios.evaluate.disclosures import Disclosure
from scenarios.evaluate.finding import Finding, Outcomes
from scenarios.evaluate.measures import SharingFigures
from scenarios.evaluate.reconcile import Reconciliation
from scenarios.evaluate.wording import Names, count_text, length_text, list_text
from scenarios.model import Pack


def find_strengths(pack: Pack, names: Names, outcomes: Outcomes) -> Iterator[Finding]:
    """Yield what went right, one finding for each sort."""
    yield from _on_time(outcomes.figures)
    yield from _kept(pack, names, outcomes.disclosures)
    yield from _corrected(names, outcomes.corrections)
    yield from _decided(names, outcomes.requests)
    yield from _reconciled(outcomes.reconciliation)


def _strength(headline: str, detail: str, evidence: tuple[str, ...] = (), facts: tuple[str, ...] = ()) -> Finding:
    return Finding(kind="right", headline=headline, detail=detail, cause=None, evidence=evidence, facts=facts)


def _on_time(figures: SharingFigures) -> Iterator[Finding]:
    if figures.on_time:
        yield _strength(
            f"{figures.on_time} of {figures.fell_due} needs that fell due were met on time.",
            "A need is met when a person has opened the report, or a simulated desk's node has verified it.",
        )


def _kept(pack: Pack, names: Names, disclosures: Iterable[Disclosure]) -> Iterator[Finding]:
    broken = {disclosure.must_not for disclosure in disclosures}
    kept = [must_not for must_not in pack.must_nots if must_not.must_not not in broken]
    facts = tuple(dict.fromkeys(must_not.fact for must_not in kept))
    if len(kept) == 1:
        yield _strength(
            f"{names.fact(facts[0])} stayed away from {names.several(kept[0].who)}.",
            f"What was at stake: {kept[0].why.rstrip('.')} ({kept[0].must_not}).",
            facts=facts,
        )
    elif kept:
        yield _strength(
            f"{list_text(facts)} stayed away from everybody who must not have them.",
            " ".join(f"{each.fact}: {each.why.rstrip('.')} ({each.must_not})." for each in kept),
            facts=facts,
        )


def _corrected(names: Names, corrections: Iterable[Correction]) -> Iterator[Finding]:
    complete = [each for each in corrections if each.recipients and each.reached == len(each.recipients)]
    if not complete:
        return
    slowest_ms = max(
        (recipient.corrected_ms or 0) - each.released_ms for each in complete for recipient in each.recipients
    )
    evidence = tuple(dict.fromkeys(each.hid for each in complete))
    past = sum(len(each.recipients) for each in complete)
    subject = (
        f"{names.agency(complete[0].agency)}'s correction reached all {past}"
        if len(complete) == 1
        else f"{len(complete)} corrections reached each of their {past}"
    )
    reasons = " ".join(f"{each.agency}: “{each.reason}”." for each in complete)
    yield _strength(f"{subject} past recipients within {length_text(slowest_ms)}.", reasons, evidence)


def _decided(names: Names, requests: Iterable[ConsentRequest]) -> Iterator[Finding]:
    decided = [each for each in requests if each.in_time and each.decided_ms is not None]
    if not decided:
        return
    took = [length_text((each.decided_ms or 0) - each.asked_ms) for each in decided]
    detail = " ".join(
        f"{each.asker} of {each.originator}, “{each.subject}”: {each.state} after {length}, “{each.reason}”."
        for each, length in zip(decided, took, strict=True)
    )
    if len(decided) == 1:
        asker, originator = names.agency(decided[0].asker), names.agency(decided[0].originator)
        headline = f"{originator} decided {asker}'s request for release in time: {decided[0].state} after {took[0]}."
    else:
        headline = f"{len(decided)} requests for release were decided in time."
    yield _strength(headline, detail, tuple(each.hid for each in decided))


def _reconciled(reconciliation: Reconciliation) -> Iterator[Finding]:
    made = sum(check.made for check in reconciliation.checks)
    if made and not reconciliation.unexplained:
        comparisons = count_text(made, "comparison", "comparisons")
        yield _strength(
            f"The router's record and the agencies' own records agree: {comparisons}, none unexplained.",
            "The router cannot read reports, and agencies cannot see each other's records.",
        )
