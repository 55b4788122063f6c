"""H17: consent can be asked for, granted with conditions, or refused; test_agencies_consent.py has how it lapses."""

from pathlib import Path

from agencies.drafts import WorkflowDraft
from conformance import world
from schemas.workflow import DecisionContent, RequestContent
from tests.samples.small_nodes import WHY, SmallRegion, draft, hid_of, small_region

CONTROLLED = world.LABEL._replace(tlp="GREEN", caveats=("ORCON",))


async def asked_and_decided(region: SmallRegion, decided: DecisionContent) -> bytes:
    """Have alpha hold a report, bravo ask for it, and alpha decide; returns the report."""
    alpha, bravo = region.nodes["alpha"], region.nodes["bravo"]
    report = hid_of(await alpha.release(draft("track", "charlie", label=CONTROLLED)))
    request = RequestContent("EXERCISE", "bravo", 0, "the track", "a patrol is near", world.NOW + world.DAY_MS)
    asked = hid_of(
        await bravo.send_workflow(
            WorkflowDraft(kind="request", content=request, to="alpha", ref=None, why=WHY), subject="the track"
        )
    )
    await region.settle()
    answer = decided._replace(granted=report if decided.outcome == "grant" else None)
    await alpha.send_workflow(
        WorkflowDraft(kind="decision", content=answer, to="bravo", ref=asked, why=WHY), outcome=answer.outcome
    )
    if answer.outcome == "grant":
        await alpha.release_again(report, {"bravo": 0}, WHY)
    await region.settle()
    return report


def decisions(region: SmallRegion) -> list[tuple[str, str, str]]:
    """Return the decisions that reached bravo: outcome, conditions, reason."""
    return [
        (content.outcome, content.conditions, content.reason)
        for name, arrival in region.arrivals
        if name == "bravo"
        for _, content in arrival.contents
        if isinstance(content, DecisionContent)
    ]


async def test_h17_consent_that_is_granted_comes_with_its_conditions_and_the_originators_own_release(
    tmp_path: Path,
) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        grant = DecisionContent("EXERCISE", "bravo", "grant", 1, "for the search alone", "it is near", None)
        await asked_and_decided(region, grant)

        assert [("grant", "for the search alone", "it is near")] == decisions(region)
        assert ["track"] == region.titles("bravo")


async def test_h17_consent_that_is_refused_is_told_to_the_asker_and_gives_it_nothing(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        refusal = DecisionContent("EXERCISE", "bravo", "refuse", 0, "", "the case is open", None)
        report = await asked_and_decided(region, refusal)

        assert [("refuse", "", "the case is open")] == decisions(region)
        assert [] == region.titles("bravo")
        assert region.nodes["bravo"].store.held(report) is None
