"""Consent at the node: a request that nobody decides lapses at both ends, by the clock that is handed in."""

from pathlib import Path

from agencies.drafts import WorkflowDraft
from conformance import world
from schemas.frames import Delivery
from schemas.workflow import DecisionContent, Outcome, RequestContent
from tests.samples.small_nodes import WHY, SmallRegion, small_region
from tests.unit.test_agencies_node import hid_of

MINUTE_MS = 60_000
ANSWER_BY = world.NOW + 20 * MINUTE_MS


async def ask(region: SmallRegion) -> bytes:
    """Have bravo ask alpha for its track, and return the request's id."""
    content = RequestContent("EXERCISE", "bravo", 0, "the track", "a patrol is near", ANSWER_BY)
    request = WorkflowDraft(kind="request", content=content, to="alpha", ref=None, why=WHY)
    return hid_of(await region.nodes["bravo"].send_workflow(request, subject="the track"))


async def decide(region: SmallRegion, request: bytes, outcome: Outcome = "refuse", by: str = "alpha") -> None:
    content = DecisionContent("EXERCISE", "bravo", outcome, 0, "", "not now", None)
    decision = WorkflowDraft(kind="decision", content=content, to="bravo", ref=request, why=WHY)
    await region.nodes[by].send_workflow(decision, outcome=outcome)


async def look(region: SmallRegion, at_ms: int) -> list[tuple[str, str, tuple[str, ...]]]:
    """Look at every node at a time; returns what the desks were told since."""
    region.set_clock(at_ms)
    before = len(region.notices)
    for name in sorted(region.nodes):
        await region.nodes[name].look_for_overdue()
    return [(name, notice.word, notice.readers) for name, notice in region.notices[before:]]


async def test_a_request_that_nobody_decided_lapses_at_both_ends_after_its_time(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        request = await ask(region)
        await region.settle()

        assert [] == await look(region, ANSWER_BY)
        assert [("alpha", "lapsed", ("bravo",)), ("bravo", "lapsed", ("alpha",))] == await look(region, ANSWER_BY + 1)
        assert [] == await look(region, ANSWER_BY + MINUTE_MS)
        for name in ("alpha", "bravo"):
            (entry,) = region.journal(name, "lapsed")
            fields = {key: entry.fields[key] for key in ("hid", "asker", "originator", "reader", "answer_by_ms")}
            assert fields == {
                "hid": request.hex(), "asker": "bravo", "originator": "alpha", "reader": "bravo",
                "answer_by_ms": ANSWER_BY,
            }  # fmt: skip


async def test_a_request_that_has_its_decision_never_lapses(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        request = await ask(region)
        await region.settle()
        await decide(region, request)
        await region.settle()

        assert [] == await look(region, ANSWER_BY + 1)
        assert [] == region.journal("alpha", "lapsed") + region.journal("bravo", "lapsed")


async def test_a_request_lapses_after_a_restart_too(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        await ask(region)
        await region.settle()
        for name in ("alpha", "bravo"):
            await region.stop(name)
        region.set_clock(ANSWER_BY + 1)
        for name in ("alpha", "bravo"):
            region.start(name)
        await region.settle()

        assert ANSWER_BY + 1 >= world.NOW
        await look(region, ANSWER_BY + 1)
        assert {("alpha", "lapsed"), ("bravo", "lapsed")} == {(name, notice.word) for name, notice in region.notices}


async def test_the_asker_knows_of_a_lapse_although_the_originator_never_had_the_request(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        region.wire.lost = lambda agency, message: agency == "alpha" and isinstance(message, Delivery)
        await ask(region)

        assert ("bravo", "lapsed", ("alpha",)) in await look(region, ANSWER_BY + 1)
        assert [] == region.journal("alpha", "lapsed")
        region.wire.lost = lambda _agency, _message: False
        region.wire.cut("alpha")
        await region.settle()


async def test_a_decision_by_somebody_who_was_not_asked_keeps_no_request_from_lapsing(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        request = await ask(region)
        await region.settle()
        await decide(region, request, "grant", by="charlie")
        await region.settle()

        assert ("bravo", "lapsed", ("alpha",)) in await look(region, ANSWER_BY + 1)
