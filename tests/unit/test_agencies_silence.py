"""Silence procedures between nodes: put to all members, stopped by one, let go to a partner if nobody does (H17)."""

from pathlib import Path
from typing import Final

import pytest

from agencies.drafts import ProposalDraft, Why, WorkflowDraft
from conformance import world
from schemas.errors import SealError
from schemas.limits import SILENCE_PROCEDURE_MS_MIN
from schemas.workflow import DecisionContent
from tests.samples.silence_procedure import ALL, BUNDLE, FIRST, HOUR_MS, ends, members, put, wait_for_the_end
from tests.samples.small_nodes import WHY, SmallRegion, draft, hid_of

OBJECT: Final = Why(act="object", order="O9", reason="not while the boats are out", cause="")


async def give(region: SmallRegion, product: bytes, *, decision: bool = True) -> dict[str, int]:
    """Have alpha decide and release to delta; returns to whom it went."""
    alpha = region.nodes["alpha"]
    if decision:
        content = DecisionContent("EXERCISE", "delta", "grant", 0xFFFFFFFF, "", "nobody objected", None, product)
        await alpha.send_workflow(WorkflowDraft(kind="decision", content=content, to="delta", ref=None, why=WHY))
    released = await alpha.release_again(product, {"delta": 0}, WHY)
    await region.settle()
    return released.audience


async def test_h17_what_nobody_objects_to_reaches_the_partner_once_the_time_is_over(tmp_path: Path) -> None:
    async with members(tmp_path, *ALL) as region:
        product, proposal = await put(region)
        asked = [(name, arrival.hid) for name, arrival in region.arrivals if arrival.kind == "proposal"]
        early = await give(region, product)
        await wait_for_the_end(region)
        late = await give(region, product)

        assert [("bravo", proposal), ("charlie", proposal)] == sorted(asked)
        assert ({}, ["delta"]) == (early, list(late))
        assert [("permitted", [], [])] == ends(region)
        assert ["Product"] == region.titles("delta")
        assert [("alpha", "no_objection")] == [(name, notice.word) for name, notice in region.notices]


async def test_h17_one_objection_stops_it(tmp_path: Path) -> None:
    async with members(tmp_path, *ALL) as region:
        product, proposal = await put(region)
        await region.nodes["charlie"].silence.object_to(proposal, OBJECT)
        await region.settle()
        await wait_for_the_end(region)

        assert {} == await give(region, product)
        assert [("opposed", ["charlie"], [])] == ends(region)
        (entry,) = region.journal("alpha", "objection_received")
        assert ("charlie", OBJECT.reason) == (entry.fields["member"], entry.fields["reason"])
        with pytest.raises(SealError, match="no proposal"):
            await region.nodes["charlie"].silence.object_to(proposal, OBJECT)


async def test_h17_a_member_that_was_away_has_not_been_silent(tmp_path: Path) -> None:
    """Its node took the proposal up after the deadline: it could not have objected."""
    async with members(tmp_path, *ALL) as region:
        region.wire.closed.add("charlie")
        region.wire.cut("charlie")
        alpha = region.nodes["alpha"]
        product = hid_of(await alpha.release(draft("Product", "bravo", label=FIRST)))
        await alpha.silence.propose(
            ProposalDraft(
                mechanism="our-eyes", subject="s", object_by=world.NOW + HOUR_MS, why=WHY, message=product,
                reader="delta",
            )
        )  # fmt: skip
        await wait_for_the_end(region)
        region.wire.closed.clear()
        await region.settle()

        assert {} == await give(region, product)
        (end,) = ends(region)
        assert ("undelivered", [], True) == (end[0], end[1], "charlie" in end[2])


async def test_h17_a_member_objects_by_itself_to_what_says_one_thing_inside_and_another_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The router can read the outside alone, and would count silence about the inside for consent to it."""
    async with members(tmp_path, *ALL) as region:
        monkeypatch.setattr("agencies.drafts.terms_hash", lambda _terms: bytes(32))
        await put(region)
        for name in ("bravo", "charlie"):
            await region.nodes[name].look_for_overdue()
        await region.settle()

        assert [] == [name for name, arrival in region.arrivals if arrival.kind == "proposal"]
        assert [("alpha", "opposed"), ("bravo", "misput"), ("charlie", "misput")] == sorted(
            (name, notice.word) for name, notice in region.notices
        )
        assert ["bravo", "charlie"] == sorted(
            entry.fields["member"] for entry in region.journal("alpha", "objection_received")
        )


async def test_h17_a_partner_takes_nothing_without_its_originators_word_that_members_were_asked(tmp_path: Path) -> None:
    async with members(tmp_path, *ALL) as region:
        product, _ = await put(region)
        await wait_for_the_end(region)
        await give(region, product, decision=False)

        assert [] == region.titles("delta")
        assert ["NTK-MEMBERS-FIRST"] == [entry.fields["rule"] for entry in region.journal("delta", "misreleased")]


async def test_nobody_is_asked_where_one_member_cannot_be(tmp_path: Path) -> None:
    async with members(tmp_path, "alpha", "bravo", "delta") as region:
        with pytest.raises(SealError, match="charlie cannot be asked"):
            await put(region)


async def test_members_are_given_time_and_asked_only_for_what_could_be_released(tmp_path: Path) -> None:
    async with members(tmp_path, *ALL) as region:
        alpha = region.nodes["alpha"]
        strict = FIRST._replace(tlp="AMBER+STRICT")
        never = hid_of(await alpha.release(draft("Never", "bravo", label=strict)))
        soon = world.NOW + SILENCE_PROCEDURE_MS_MIN
        asking = ProposalDraft(mechanism="our-eyes", subject="s", object_by=soon - 1, why=WHY)
        with pytest.raises(SealError, match="less than 10 minutes"):
            await alpha.silence.propose(asking)
        useless = ProposalDraft(
            mechanism="our-eyes", subject="s", object_by=soon, why=WHY, message=never, reader="delta"
        )
        with pytest.raises(SealError, match="could be given nothing"):
            await alpha.silence.propose(useless)


async def test_a_matter_that_is_no_release_is_agreed_by_silence_too(tmp_path: Path) -> None:
    async with members(tmp_path, *ALL) as region:
        asking = ProposalDraft(mechanism="our-eyes", subject="A new member", object_by=world.NOW + HOUR_MS, why=WHY)
        await region.nodes["alpha"].silence.propose(asking)
        await region.settle()
        await wait_for_the_end(region)

        assert [("permitted", [], [])] == ends(region)


async def test_a_restart_forgets_no_deadline(tmp_path: Path) -> None:
    async with members(tmp_path, *ALL) as region:
        product, _ = await put(region)
        await region.stop("alpha")
        region.set_clock(world.NOW + HOUR_MS + 1)
        region.start("alpha").core.install(BUNDLE)
        await region.settle()
        await region.nodes["alpha"].look_for_overdue()

        assert [("permitted", [], [])] == ends(region)
        assert ["delta"] == list(await give(region, product))
