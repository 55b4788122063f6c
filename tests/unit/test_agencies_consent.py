"""Consent at the node: a request that nobody decides lapses at both ends, by the clock that is handed in."""

from pathlib import Path

from agencies.drafts import WorkflowDraft
from conformance import world
from schemas.frames import Delivery
from schemas.report import PortionContent
from schemas.workflow import DecisionContent, Outcome, RequestContent
from tests.samples.small_nodes import WHY, SmallRegion, draft, hid_of, portion, small_region

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


# Grants that end.

GRANT_ENDS = world.NOW + 60 * MINUTE_MS


async def grant(
    region: SmallRegion,
    hid: bytes,
    bits: int,
    *,
    expires: int | None = GRANT_ENDS,
    to: str = "bravo",
    by: str = "alpha",
) -> None:
    """Have a decision made that grants bits of a message to bravo."""
    content = DecisionContent("EXERCISE", "bravo", "grant", bits, "keep it in", "it helps", expires, hid)
    decision = WorkflowDraft(kind="decision", content=content, to=to, ref=None, why=WHY)
    await region.nodes[by].send_workflow(decision, outcome="grant")


async def given_by_grant(region: SmallRegion) -> bytes:
    """Have alpha tell charlie two portions and bravo one of them, and grant bravo the other for an hour."""
    alpha = region.nodes["alpha"]
    hid = hid_of(await alpha.release(draft("", "charlie", portions=(portion("first"), portion("second")))))
    await region.settle()
    (first, second) = sorted(await region.nodes["charlie"].portions(hid), key=lambda item: item.content.title)  # type: ignore[union-attr]
    await alpha.release_again(hid, {"bravo": 1 << first.place}, WHY)
    await region.settle()
    _, bits = await alpha.grantable(hid, "bravo")
    assert 1 << second.place == bits
    await grant(region, hid, bits)
    await alpha.release_again(hid, {"bravo": bits}, WHY)
    await region.settle()
    return hid


async def held_titles(region: SmallRegion, hid: bytes) -> list[str]:
    contents = [item.content for item in await region.nodes["bravo"].portions(hid)]
    return sorted(content.title for content in contents if isinstance(content, PortionContent))


async def test_when_a_grant_ends_its_reader_erases_what_came_by_it_and_says_so(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        hid = await given_by_grant(region)
        await look(region, GRANT_ENDS - 1)
        assert ["first", "second"] == await held_titles(region, hid)

        told = await look(region, GRANT_ENDS)
        await region.settle()

        assert ("bravo", "grant_over", ("bravo",)) in told
        assert ["first"] == await held_titles(region, hid)
        ended = [entry.fields for entry in region.journal("alpha", "receipt") if entry.fields["status"] == "purged"]
        (over,) = region.journal("bravo", "grant_over")
        assert [(hid.hex(), "bravo", over.fields["bits"])] == [(f["hid"], f["reader"], f["bits"]) for f in ended]
        await look(region, GRANT_ENDS + MINUTE_MS)
        assert 1 == len(region.journal("bravo", "grant_over"))


async def test_a_grant_ends_after_a_restart_too(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        hid = await given_by_grant(region)
        await region.stop("bravo")
        region.set_clock(GRANT_ENDS)
        region.start("bravo")
        await look(region, GRANT_ENDS)
        await region.settle()

        assert ["first"] == await held_titles(region, hid)


async def test_a_later_grant_of_the_same_keeps_it(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        hid = await given_by_grant(region)
        (known,) = region.nodes["bravo"].store.consent.grants(hid)
        await grant(region, hid, known.bits, expires=None)
        await region.settle()
        await look(region, GRANT_ENDS)

        assert ["first", "second"] == await held_titles(region, hid)


async def test_what_comes_by_a_grant_that_is_over_never_reaches_the_desk(tmp_path: Path) -> None:
    """The reader's link was down for so long that the release came after the end of the consent."""
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        alpha = region.nodes["alpha"]
        hid = hid_of(await alpha.release(draft("late", "charlie")))
        await region.settle()
        _, bits = await alpha.grantable(hid, "bravo")
        await grant(region, hid, bits)
        await region.settle()
        region.set_clock(GRANT_ENDS)
        await alpha.release_again(hid, {"bravo": bits}, WHY)
        await region.settle()

        assert [] == region.titles("bravo")
        assert [] == await held_titles(region, hid)
        assert [] == region.journal("bravo", "verified")[1:]


async def test_a_stranger_can_end_nobodys_consent(tmp_path: Path) -> None:
    """A decision binds for its author's own messages alone; else anybody could have a reader erase anything."""
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        hid = hid_of(await region.nodes["alpha"].release(draft("first", "bravo")))
        await region.settle()
        await grant(region, hid, 0xFFFFFFFF, by="charlie")
        await region.settle()
        await look(region, GRANT_ENDS)
        await region.settle()

        assert ["first"] == await held_titles(region, hid)


async def test_a_recall_is_not_answered_by_the_end_of_a_grant(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        hid = await given_by_grant(region)
        await look(region, GRANT_ENDS)
        await region.settle()

        assert {} == region.nodes["alpha"].store.receipted(hid, recall=True)
        await region.nodes["alpha"].recall(hid, WHY)
        await region.settle()
        assert {"bravo", "charlie"} == set(region.nodes["alpha"].store.receipted(hid, recall=True))
