"""What a node refuses to release or is refused, whom it leaves out, and what becomes of the sequence numbers."""

from dataclasses import replace
from pathlib import Path

import pytest

from agencies.drafts import WorkflowDraft
from agencies.outbox import Settled
from conformance import world
from schemas.errors import SealError
from schemas.frames import Lookup, VerdictMessage
from schemas.workflow import RequestContent
from tests.samples.small_nodes import TIMINGS, WHY, draft, hid_of, small_region, until

HIGH = world.HIGH


async def test_a_refused_release_gives_its_number_back_so_that_its_reader_sees_no_gap(tmp_path: Path) -> None:
    """SEQ-002: a gap would tell bravo that there was a report which it may not know of."""
    async with small_region(tmp_path, "alpha", "bravo") as region:
        alpha = region.nodes["alpha"]
        await alpha.release(draft("one", "bravo"))
        await region.settle()
        # The author's own copy of the bundle is wrong: it believes that bravo is cleared.
        lenient = world.BUNDLE._replace(
            agencies=tuple(
                item._replace(clearance="EX-SECRET", compartments=("SEA-EYES",)) if item.agency == "bravo" else item
                for item in world.BUNDLE.agencies
            )
        )
        alpha.core.install(lenient)
        refused = await alpha.release(draft("SECRET", "bravo", label=HIGH))
        await region.settle()
        await alpha.release(draft("two", "bravo"))
        await region.settle()

        (entry,) = region.journal("alpha", "refused")
        assert (hid_of(refused).hex(), "AUDIENCE") == (entry.fields["hid"], entry.fields["code"])
        assert [("bravo", "NTK-CLEARANCE")] == [(item["reader"], item["rule"]) for item in entry.fields["refusals"]]
        assert ["one", "two"] == region.titles("bravo")
        assert [] == region.journal("bravo", "missing", "rejected")
        assert 2 == region.nodes["bravo"].store.highest_seq("alpha")


async def test_what_was_refused_can_be_released_again_once_nothing_speaks_against_it(tmp_path: Path) -> None:
    """With the sequence number that it gave back it is the same to the byte, so it must not meet its own past."""
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        alpha = region.nodes["alpha"]
        hid = hid_of(await alpha.release(draft("one", "bravo")))
        await region.settle()
        suspended = tuple(
            item._replace(status="suspended") if item.agency == "charlie" else item for item in world.BUNDLE.agencies
        )
        # The router alone knows of it, and of its end.
        for agencies in (suspended, suspended, world.BUNDLE.agencies):
            region.router.core.install(world.BUNDLE._replace(agencies=agencies))
            await alpha.release_again(hid, {"charlie": 0}, WHY)
            await region.settle()

        verdicts = [(entry.stage, entry.fields.get("code")) for entry in region.journal("alpha", "refused", "accepted")]
        assert [("accepted", None), ("refused", "AUDIENCE"), ("refused", "AUDIENCE"), ("accepted", None)] == verdicts
        assert ["one"] == region.titles("charlie")
        assert [] == region.journal("charlie", "missing", "rejected")


async def test_an_acceptance_counts_though_a_late_refusal_of_the_same_bytes_came_first(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        alpha = region.nodes["alpha"]
        region.wire.lost = lambda agency, message: agency == "alpha" and isinstance(message, VerdictMessage)
        hid = hid_of(await alpha.release(draft("one", "bravo")))
        await until(lambda: region.titles("bravo"))
        (row,) = alpha.store.waiting(after=0, limit=2)
        alpha.store.settle(hid, row.wraps_hash, state="refused", code="FUTURE")

        accepted = alpha.store.settle(hid, row.wraps_hash, state="accepted", code=None)

        assert Settled("late", "report") == accepted
        assert {"bravo"} == alpha.store.released_to(hid).keys()
        assert 2 == alpha.store.next_seq("bravo")


async def test_a_reader_whose_key_is_unknown_is_left_out_and_said(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        released = await region.nodes["alpha"].release(draft("one", "bravo", "charlie"))
        await region.settle()
        again = await region.nodes["alpha"].release(draft("two", "bravo", "charlie"))

        assert {"bravo"} == released.audience.keys()
        assert {"charlie": "KEY-EPOCH"} == released.left_out == again.left_out
        lookups = [message for _, message in region.wire.up if isinstance(message, Lookup)]
        assert 1 == len([lookup for lookup in lookups if "charlie" in lookup.agencies])


async def test_a_reader_that_comes_later_is_found(tmp_path: Path) -> None:
    timings = replace(TIMINGS, keys_unknown_s=0)
    async with small_region(tmp_path, "alpha", "bravo", timings=timings) as region:
        assert ("charlie",) == await region.nodes["alpha"].look_up(("alpha", "bravo", "charlie"))
        region.start("charlie")
        await region.settle()
        region.set_clock(world.NOW + 1)

        released = await region.nodes["alpha"].release(draft("one", "charlie"))

        assert {"charlie"} == released.audience.keys()


async def test_nobody_to_give_it_to_is_no_release(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        released = await region.nodes["alpha"].release(draft("one", "bravo", label=HIGH))

        assert (None, {}, {"bravo": "NTK-CLEARANCE"}) == (released.hid, released.audience, released.left_out)
        assert ["intended"] == [entry.stage for entry in region.journal("alpha", "intended", "released")]


async def test_a_request_to_an_agency_without_a_key_is_an_error_that_a_desk_can_tell(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha") as region:
        request = RequestContent("EXERCISE", "alpha", 0, "subject", "reason", world.NOW)
        asking = region.nodes["alpha"].send_workflow(
            WorkflowDraft(kind="request", content=request, to="bravo", ref=None, why=WHY)
        )

        with pytest.raises(SealError, match="bravo has announced no box key"):
            await asking


async def test_content_that_no_reader_could_read_is_refused_before_it_is_sealed(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        with pytest.raises(SealError, match="cannot be sent"):
            await region.nodes["alpha"].release(draft("x" * 201, "bravo"))

        assert [] == region.journal("alpha", "intended", "released")
