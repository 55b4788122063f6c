"""Node and router together, without sockets: each reader gets its own portions, and the author every receipt."""

from pathlib import Path

import pytest

from agencies.drafts import WorkflowDraft
from agencies.incoming import LAST_DSEQ
from conformance import world
from schemas.errors import SealError
from schemas.frames import Ack, Announcement, Hello
from schemas.workflow import DecisionContent, RequestContent
from tests.samples.small_nodes import WHY, draft, hid_of, portion, small_region, until

HIGH = world.HIGH


async def test_each_reader_gets_its_own_portions_and_the_author_every_receipt(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        released = await region.nodes["alpha"].release(
            draft("", portions=(portion("Source", HIGH), portion("Finding"), portion("Other")))
        )
        await region.settle()

        assert ["Finding", "Other"] == sorted(region.titles("bravo"))
        assert ["Finding", "Other", "Source"] == sorted(region.titles("charlie"))
        assert {("bravo", "delivered"), ("charlie", "delivered")} == region.receipts("alpha", hid_of(released))
        assert ["intended", "released", "accepted"] == [
            entry.stage for entry in region.journal("alpha", "intended", "released", "accepted")
        ]


async def test_a_reader_holds_no_trace_of_a_portion_that_was_kept_from_it(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        await region.nodes["alpha"].release(draft("", portions=(portion("CRIMSON", HIGH), portion("Finding"))))
        await region.nodes["alpha"].release(draft("SCARLET", label=HIGH))
        await region.settle()
        await region.stop("bravo")

        files = b"".join(path.read_bytes() for path in (tmp_path / "nodes").glob("bravo*"))
        assert b"Finding" in files
        assert not [word for word in (b"CRIMSON", b"SCARLET", b"EX-SECRET", b"SEA-EYES") if word in files]


async def test_hello_comes_first_in_each_session_after_the_keys_that_it_counts_on(tmp_path: Path) -> None:
    """WIRE-013 allows what announces the keys before; a delivery is never asked for without them."""
    async with small_region(tmp_path, "alpha", "bravo") as region:
        region.wire.cut("bravo")
        await region.settle()

        first = [message for agency, message in region.wire.up if agency == "bravo"]
        assert [Announcement, Hello] == [type(message) for message in first[:2]]
        hellos = [message for message in first if isinstance(message, Hello)]
        assert [Hello("hello", 0, world.BUNDLE_VERSION)] * 2 == hellos


async def test_a_delivery_is_acked_only_once_it_is_on_disk(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        await region.nodes["alpha"].release(draft("one", "bravo"))
        await until(lambda: region.titles("bravo"))

        assert 1 == region.nodes["bravo"].store.value(LAST_DSEQ)
        await region.settle()
        assert Ack("ack", 1) in [message for agency, message in region.wire.up if agency == "bravo"]


async def test_an_opening_and_an_acknowledgement_are_receipted_once(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        hid = hid_of(await region.nodes["alpha"].release(draft("one", "bravo")))
        await region.settle()
        for _ in range(2):
            await region.nodes["bravo"].opened(hid)
        await region.nodes["bravo"].opened(hid, stage="acknowledged")
        await region.settle()

        expected = {("bravo", "delivered"), ("bravo", "opened"), ("bravo", "acknowledged")}
        assert expected == region.receipts("alpha", hid)
        assert 1 == len(region.journal("bravo", "opened"))


async def test_a_request_and_a_decision_reach_their_desks(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        request = RequestContent("EXERCISE", "bravo", 0, "the track", "a patrol is near", world.NOW + 1)
        await region.nodes["bravo"].send_workflow(
            WorkflowDraft(kind="request", content=request, to="alpha", ref=None, why=WHY), subject="the track"
        )
        await region.settle()
        ((_, asked),) = region.arrivals
        decision = DecisionContent("EXERCISE", "bravo", "refuse", 0, "", "not now", None)
        await region.nodes["alpha"].send_workflow(
            WorkflowDraft(kind="decision", content=decision, to="bravo", ref=asked.hid, why=WHY), outcome="refuse"
        )
        await region.settle()

        assert [("alpha", request), ("bravo", decision)] == [(name, a.contents[0][1]) for name, a in region.arrivals]
        assert ["requested"] == [entry.stage for entry in region.journal("bravo", "requested")]
        assert ["decision"] == [entry.stage for entry in region.journal("alpha", "decision")]


async def test_consent_given_later_is_a_release_of_the_same_message(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        hid = hid_of(await region.nodes["alpha"].release(draft("", "bravo", portions=(portion("A"), portion("B")))))
        await region.settle()
        again = await region.nodes["alpha"].release_again(hid, {"charlie": 0}, WHY)
        await region.settle()

        assert hid == again.hid
        assert ["A", "B"] == sorted(region.titles("charlie"))
        assert {"bravo", "charlie"} == (await region.nodes["alpha"].released_to(hid)).keys()


async def test_only_its_originator_can_release_a_message_again(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        hid = hid_of(await region.nodes["alpha"].release(draft("one", "bravo")))
        await region.settle()

        with pytest.raises(SealError, match="is no message of bravo"):
            await region.nodes["bravo"].release_again(hid, {"alpha": 0}, WHY)
