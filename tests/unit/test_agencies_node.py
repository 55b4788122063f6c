"""Node and router together, without sockets: a link may end at any moment, and nothing is lost and nothing twice."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from agencies.drafts import Why, WorkflowDraft
from agencies.incoming import LAST_DSEQ
from conformance import world
from schemas.errors import KeyFileError, SealError
from schemas.frames import (
    Ack,
    Announcement,
    BundleMessage,
    ChunkMessage,
    ChunkRequest,
    Delivery,
    DownMessage,
    EnvelopeMessage,
    Hail,
    Heartbeat,
    Hello,
    Lookup,
    Resume,
    VerdictMessage,
    write_frame,
)
from schemas.limits import BOX_EPOCH_MS, BOX_EPOCH_OVERLAP_MS, CHUNK_BYTES_MAX, SEQUENCE_SKIP
from schemas.report import PortionContent
from schemas.workflow import DecisionContent, RequestContent
from sealing.keyfile import KeyRing
from sealing.received import read_envelope
from sealing.statements import sign_bundle
from tests.samples.small_nodes import TIMINGS, WHY, SmallRegion, draft, portion, small_region

HIGH = world.HIGH
TO_BRAVO_OR_HIGHER = world.LABEL


async def until(condition: object, limit_s: float = 30) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():  # type: ignore[operator] # noqa: ASYNC110 - the disk thread sets no event
            await asyncio.sleep(0.001)


def hid_of(released: object) -> bytes:
    hid = released.hid  # type: ignore[attr-defined]
    assert isinstance(hid, bytes)
    return hid


# The plain path.


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


# Lost links.


async def everything(region: SmallRegion) -> tuple[object, ...]:
    """Do a little of everything between two nodes, and say what came of it, order and numbers aside."""
    alpha, bravo = region.nodes["alpha"], region.nodes["bravo"]
    hids = [hid_of(await alpha.release(draft(f"report {number}", "bravo"))) for number in range(3)]
    hids.append(hid_of(await bravo.release(draft("answer", "alpha"))))
    await region.settle()
    await bravo.opened(hids[0])
    await region.settle()
    receipts = [sorted(region.receipts(owner, hid)) for owner, hid in zip(["alpha"] * 3 + ["bravo"], hids, strict=True)]
    return (
        sorted(region.titles("bravo")),
        region.titles("alpha"),
        receipts,
        [
            len(region.journal(name, "accepted", "refused")) - len(region.journal(name, "released"))
            for name in ("alpha",)
        ],
        [entry.stage for name in ("alpha", "bravo") for entry in region.journal(name, "rejected", "gap", "missing")],
        region.router.store.queues(),
    )


async def test_a_link_that_ends_at_any_moment_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    """Each passing of a frame, in each direction, before and after the router took it, is the end of a link once."""
    async with small_region(tmp_path / "calm", "alpha", "bravo") as region:
        begun = region.wire.passings
        expected = await everything(region)
        last = region.wire.passings
    assert (["report 0", "report 1", "report 2"], ["answer"]) == expected[:2]
    assert last - begun > 25
    for passing in range(1, last - begun + 1):
        async with small_region(tmp_path / str(passing), "alpha", "bravo") as region:
            region.wire.end_at = {region.wire.passings + passing}

            assert expected == await everything(region), f"passing {passing}"


async def test_links_that_end_again_and_again_only_delay(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        region.wire.end_at = set(range(region.wire.passings + 3, region.wire.passings + 300, 7))
        for number in range(20):
            await region.nodes["alpha"].release(draft(f"m{number:02}"))
        await region.settle()

        for reader in ("bravo", "charlie"):
            assert [f"m{number:02}" for number in range(20)] == sorted(region.titles(reader))
        assert [] == region.journal("bravo", "rejected", "gap")


@pytest.mark.parametrize("turns", range(12))
async def test_a_node_that_is_told_to_end_as_its_link_ends_does_end(tmp_path: Path, turns: int) -> None:
    """A failing TaskGroup swallows a cancellation from outside; the node went on for ever."""
    async with small_region(tmp_path, "alpha", "bravo") as region:
        await region.settle()
        region.wire.cut("bravo")
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await region.stop("bravo")

        assert "bravo" not in region.nodes


async def test_what_a_frame_brought_reaches_the_desk_though_its_link_ends_while_it_is_written(tmp_path: Path) -> None:
    """The call on the disk is finished and followed, or the message would be in the inbox and nobody told."""
    async with small_region(tmp_path, "alpha", "bravo") as region:
        node = region.nodes["bravo"]
        loop = asyncio.get_running_loop()
        take = node._incoming.take

        def take_and_cut(*arguments: object) -> object:
            effects = take(*arguments)  # type: ignore[arg-type] # as they came
            if effects.arrivals:
                loop.call_soon_threadsafe(region.wire.cut, "bravo")
                while "bravo" in region.wire.links and not region.wire.links["bravo"].ended:
                    pass
            return effects

        node._incoming.take = take_and_cut  # type: ignore[assignment, method-assign]
        await region.nodes["alpha"].release(draft("one", "bravo"))
        await region.settle()

        assert ["one"] == region.titles("bravo")
        assert [] == region.journal("bravo", "duplicate", "rejected")


async def test_the_outbox_is_sent_again_until_its_verdict_comes(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", timings=replace(TIMINGS, verdict_s=0.02)) as region:
        lost: list[DownMessage] = []

        def lose(agency: str, message: DownMessage) -> bool:
            is_lost = isinstance(message, VerdictMessage) and agency == "alpha" and len(lost) < 2
            lost.extend([message] if is_lost else [])
            return is_lost

        region.wire.lost = lose
        await region.nodes["alpha"].release(draft("one", "bravo"))
        await region.settle()

        sent = [
            message for agency, message in region.wire.up if agency == "alpha" and isinstance(message, EnvelopeMessage)
        ]
        assert 3 == len(sent)
        assert 1 == len(set(sent))
        assert lost[0] == lost[1]
        assert ["one"] == region.titles("bravo")


async def test_a_hailed_node_says_all_anew_on_the_link_that_there_is(tmp_path: Path) -> None:
    """A router behind another broker is restarted and no link ends: what was said to the one before is lost."""
    async with small_region(tmp_path, "alpha", "bravo") as region:
        assert () == await region.nodes["alpha"].look_up(["bravo"])
        heard, region.wire.deaf = len(region.wire.up), True
        await region.nodes["alpha"].release(draft("one", "bravo"))
        await until(lambda: region.wire.unheard)
        region.router.restart()
        region.wire.deaf = False
        for link in list(region.wire.links.values()):
            # However many hails wait to be taken, one hello answers them.
            link.arriving.put_nowait(write_frame((Hail("hail"), Hail("hail"))))
        await region.settle()

        anew = [message for agency, message in region.wire.up[heard:] if agency == "alpha"]
        hello, envelope = (
            [place for place, message in enumerate(anew) if isinstance(message, kind)]
            for kind in (Hello, EnvelopeMessage)
        )
        assert isinstance(anew[0], Announcement)
        assert 1 == len(hello)
        assert hello[0] < envelope[0]
        assert ["one"] == region.titles("bravo")
        assert 1 == len([row for row in region.router.records("admitted") if row.agency == "alpha"])


async def test_a_release_while_there_is_no_link_goes_out_when_there_is_one(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        await region.nodes["alpha"].release(draft("first", "bravo"))
        await region.settle()
        region.wire.closed.add("alpha")
        region.wire.cut("alpha")
        await until(lambda: not region.nodes["alpha"]._linked.is_set())
        await region.nodes["alpha"].release(draft("kept", "bravo"))
        assert ["first"] == region.titles("bravo")

        region.wire.closed.clear()
        await region.settle()

        assert ["first", "kept"] == region.titles("bravo")
        assert ["link_up", "link_down", "link_up"] == [e.stage for e in region.journal("alpha", "link_up", "link_down")]


async def test_a_receipt_that_is_here_before_the_verdict_counts(tmp_path: Path) -> None:
    """The link was down when the verdict was said; the reader's receipt is the first to come after it."""
    async with small_region(tmp_path, "alpha", "bravo") as region:
        verdicts: list[DownMessage] = []

        def lose(_agency: str, message: DownMessage) -> bool:
            if isinstance(message, VerdictMessage) and not verdicts:
                verdicts.append(message)
                return True
            return False

        region.wire.lost = lose
        hid = hid_of(await region.nodes["alpha"].release(draft("one", "bravo")))
        await until(lambda: region.receipts("alpha", hid))
        assert 1 == region.nodes["alpha"].store.waiting_count()
        region.wire.cut("alpha")
        await region.settle()

        assert {("bravo", "delivered")} == region.receipts("alpha", hid)
        assert [] == region.journal("alpha", "rejected")


async def test_a_gap_in_the_deliveries_is_asked_for_once(tmp_path: Path) -> None:
    """Frames behind the gap are on their way already: one hello brings them all, and one each would bring a storm."""
    async with small_region(tmp_path, "alpha", "bravo") as region:
        region.wire.lost = lambda agency, message: (
            agency == "bravo" and isinstance(message, Delivery) and message.dseq == 1 and hellos(region) < 2
        )
        for number in range(5):
            await region.nodes["alpha"].release(draft(f"m{number}", "bravo"))
        await region.settle()

        assert [f"m{number}" for number in range(5)] == region.titles("bravo")
        assert hellos(region) <= 3


def hellos(region: SmallRegion) -> int:
    return len([message for agency, message in region.wire.up if agency == "bravo" and isinstance(message, Hello)])


# Restarts.


async def test_what_was_released_before_a_node_died_goes_out_after_it(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        await region.nodes["alpha"].release(draft("first", "bravo"))
        await region.settle()
        region.wire.closed.add("alpha")
        region.wire.cut("alpha")
        await region.nodes["alpha"].release(draft("kept", "bravo"))
        await region.stop("alpha")
        region.wire.closed.clear()

        region.start("alpha")
        await region.settle()

        assert ["first", "kept"] == region.titles("bravo")


async def test_receipts_that_are_owed_survive_a_restart(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", timings=replace(TIMINGS, receipt_gather_s=3_600)) as region:
        hid = hid_of(await region.nodes["alpha"].release(draft("one", "bravo")))
        await until(lambda: region.titles("bravo"))
        await region.stop("bravo")
        region.timings = TIMINGS

        region.start("bravo")
        await region.settle()

        assert {("bravo", "delivered")} == region.receipts("alpha", hid)


async def test_a_desk_is_told_at_the_start_of_what_came_just_before_a_crash(tmp_path: Path) -> None:
    """The process died between the disk and the desk: the inbox had it, the router had no ack, the desk no word."""
    async with small_region(tmp_path, "alpha", "bravo") as region:
        bravo = region.nodes["bravo"]
        bravo._follow = lambda messages, effects: None  # type: ignore[method-assign] # noqa: ARG005 - as in a dead process
        await region.nodes["alpha"].release(draft("Two boats", "bravo"))
        await until(lambda: region.journal("bravo", "verified"))
        await region.stop("bravo")
        assert [] == region.titles("bravo")

        region.start("bravo")
        await region.settle()
        assert ["Two boats"] == region.titles("bravo")
        assert ["verified"] == [entry.stage for entry in region.journal("bravo", "verified")]

        # It is receipted now: the desk knows, and is not told again.
        await region.stop("bravo")
        region.start("bravo")
        await region.settle()
        assert ["Two boats"] == region.titles("bravo")


async def test_a_desk_is_not_told_of_what_was_recalled_meanwhile(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        bravo = region.nodes["bravo"]
        bravo._follow = lambda messages, effects: None  # type: ignore[method-assign] # noqa: ARG005 - as in a dead process
        released = await region.nodes["alpha"].release(draft("Two boats", "bravo"))
        await until(lambda: region.nodes["alpha"]._unsettled == 0)
        await region.nodes["alpha"].recall(hid_of(released), WHY)
        await until(lambda: region.journal("bravo", "recalled"))
        await region.stop("bravo")

        region.start("bravo")
        await region.settle()

    assert [] == region.titles("bravo")


async def test_a_restarted_node_takes_nothing_up_again(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        await region.nodes["alpha"].release(draft("one", "bravo"))
        await region.settle()
        await region.stop("bravo")
        region.start("bravo")
        await region.nodes["alpha"].release(draft("two", "bravo"))
        await region.settle()

        assert ["one", "two"] == region.titles("bravo")
        assert [] == region.journal("bravo", "rejected", "missing", "gap")


async def test_a_disk_that_was_put_back_shows_as_a_gap(tmp_path: Path) -> None:
    """The node had acked what its old copy does not hold: its operator is told how much that is."""
    async with small_region(tmp_path, "alpha", "bravo") as region:
        await region.nodes["alpha"].release(draft("one", "bravo"))
        await region.settle()
        await region.stop("bravo")
        file = tmp_path / "nodes" / "bravo.sqlite"
        old = file.read_bytes()
        region.start("bravo")
        await region.nodes["alpha"].release(draft("two", "bravo"))
        await region.nodes["alpha"].release(draft("three", "bravo"))
        await region.settle()
        await region.stop("bravo")
        file.write_bytes(old)

        region.start("bravo")
        await region.settle()

        assert [2] == [entry.fields["deliveries"] for entry in region.journal("bravo", "gap")]


async def test_a_node_whose_disk_was_put_back_uses_no_number_twice(tmp_path: Path) -> None:
    """SEQ-009: its readers would refuse what it sends from then on, until the numbers had caught up."""
    async with small_region(tmp_path, "alpha", "bravo") as region:
        await region.stop("bravo")
        file = tmp_path / "nodes" / "bravo.sqlite"
        old = file.read_bytes()
        region.start("bravo")
        await region.nodes["alpha"].release(draft("one", "bravo"))
        await region.settle()
        await region.nodes["bravo"].release(draft("two", "alpha"))
        await region.settle()
        await region.stop("bravo")
        file.write_bytes(old)
        region.start("bravo")
        await region.settle()

        await region.nodes["bravo"].release(draft("three", "alpha"))
        await region.settle()

        assert ["two", "three"] == region.titles("alpha")
        assert [] == region.journal("alpha", "rejected")
        assert [SEQUENCE_SKIP - 2] == [entry.fields["messages"] for entry in region.journal("alpha", "missing")]


async def test_the_router_restarts_under_its_nodes(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        await region.nodes["alpha"].release(draft("one", "bravo"))
        await region.settle()
        for name in ("alpha", "bravo"):
            region.wire.closed.add(name)
            region.wire.cut(name)
        await region.nodes["alpha"].release(draft("two", "bravo"))
        await until(lambda: not region.wire.links)
        region.router.restart()
        region.wire.closed.clear()
        await region.settle()

        assert ["one", "two"] == region.titles("bravo")
        assert [] == region.journal("bravo", "rejected", "gap", "missing", "duplicate")


# Refusals and sequence numbers.


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


# Recall and correction.


async def test_a_recall_erases_at_every_reader_and_comes_back_as_purged(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        alpha = region.nodes["alpha"]
        hid = hid_of(await alpha.release(draft("MISTAKE")))
        await region.settle()
        await alpha.recall(hid, Why(act="recall", order="", reason="wrong ship", cause=""))
        await region.settle()

        expected = {(name, status) for name in ("bravo", "charlie") for status in ("delivered", "purged")}
        assert expected == region.receipts("alpha", hid)
        assert [] == await region.nodes["bravo"].portions(hid)
        with pytest.raises(SealError):
            await alpha.release_again(hid, {"charlie": 0}, WHY)


async def test_a_recall_may_be_repeated_and_nobody_minds(tmp_path: Path) -> None:
    """As for a reader that had no key the first time, or after the router's disk was put back."""
    async with small_region(tmp_path, "alpha", "bravo") as region:
        alpha = region.nodes["alpha"]
        hid = hid_of(await alpha.release(draft("MISTAKE", "bravo")))
        await region.settle()

        recalls = {hid_of(await alpha.recall(hid, WHY)) for _ in range(2)}
        await region.settle()

        assert {entry.fields["by"] for entry in region.journal("bravo", "recalled")} == {
            recall.hex() for recall in recalls
        }
        assert {("bravo", "delivered"), ("bravo", "purged")} == region.receipts("alpha", hid)


async def test_a_recall_of_what_has_no_verdict_yet_or_is_not_ours_is_refused(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        hid = hid_of(await region.nodes["alpha"].release(draft("one", "bravo")))
        await region.settle()

        for node, message in (("bravo", hid), ("alpha", bytes(32))):
            with pytest.raises(SealError, match="released to nobody, or not by"):
                await region.nodes[node].recall(message, WHY)


async def test_a_correction_supersedes_and_keeps_its_reference_when_it_is_large(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        alpha = region.nodes["alpha"]
        hid = hid_of(await alpha.release(draft("one", "bravo")))
        await region.settle()
        large = portion("corrected", text="x" * 100_000)
        await alpha.release(draft("", "bravo", portions=(large,), ref=hid))
        await region.settle()

        (_, first), (_, second) = region.arrivals
        assert (None, hid) == (first.ref, second.ref)
        assert [hid.hex()] == [entry.fields["hid"] for entry in region.journal("bravo", "superseded")]


# Chunks.


async def test_a_large_portion_comes_whole_and_each_chunk_once(tmp_path: Path) -> None:
    text = "".join(f"{number:08}" for number in range(124_000))
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        large = portion("large", text=text)
        await region.nodes["alpha"].release(draft("", "bravo", portions=(large, portion("small"))))
        await region.settle()

        contents = {content.title: content for _, a in region.arrivals for _, content in a.contents
                    if isinstance(content, PortionContent)}  # fmt: skip
        assert text == contents["large"].text
        sent = [message.number for agency, message in region.wire.up if isinstance(message, ChunkMessage)]
        assert len(text) // CHUNK_BYTES_MAX + 1 == len(sent)
        assert sorted(set(sent)) == sorted(sent)
        wants = [m.number for agency, m in region.wire.up if isinstance(m, ChunkRequest) and agency == "bravo"]
        assert sorted(set(wants)) == sorted(wants)


async def test_chunks_go_on_where_a_link_or_a_node_was_lost(tmp_path: Path) -> None:
    text = "y" * 1_000_000
    async with small_region(tmp_path, "alpha", "bravo") as region:
        region.wire.end_at = set(range(region.wire.passings + 6, region.wire.passings + 60, 9))
        await region.nodes["alpha"].release(draft("", "bravo", portions=(portion("large", text=text),)))
        await until(lambda: any(isinstance(message, ChunkMessage) for _, message in region.wire.up))
        await region.stop("bravo")
        region.start("bravo")
        await region.settle()

        assert ["large"] == region.titles("bravo")
        assert 0 == region.nodes["bravo"].store._sql.execute("SELECT count(*) FROM chunk").fetchone()[0]


# Box keys.


async def test_keys_that_change_at_once_lose_nothing_that_is_under_way(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        alpha, bravo = region.nodes["alpha"], region.nodes["bravo"]
        await alpha.release(draft("one", "bravo"))
        await region.settle()
        region.wire.closed.add("bravo")
        region.wire.cut("bravo")
        await alpha.release(draft("to the old key", "bravo"))
        changed = [await bravo.change_keys() for _ in range(3)]
        region.wire.closed.clear()
        await region.settle()
        await alpha.release(draft("to the new key", "bravo"))
        await region.settle()

        assert [True, True, False] == changed
        assert ["one", "to the old key", "to the new key"] == region.titles("bravo")
        assert [] == region.journal("bravo", "rejected")
        assert 3 == bravo.core.keys.current(now_ms=world.NOW).epoch


async def test_keys_are_renewed_each_week_and_no_message_fails_for_it(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        alpha, bravo = region.nodes["alpha"], region.nodes["bravo"]
        day_ms = BOX_EPOCH_OVERLAP_MS
        for day in range(22):
            region.set_clock(world.NOW + day * day_ms)
            await alpha.renew_keys()
            await alpha.release(draft(f"day {day:02} from alpha", "bravo"))
            await bravo.release(draft(f"day {day:02} from bravo", "alpha"))
            await bravo.renew_keys()
            await region.settle()

        assert [f"day {day:02} from alpha" for day in range(22)] == region.titles("bravo")
        assert [f"day {day:02} from bravo" for day in range(22)] == region.titles("alpha")
        assert [] == region.journal("alpha", "rejected", "refused") + region.journal("bravo", "rejected", "refused")
        epochs = [pair.epoch for pair in alpha.core.keys.pairs()]
        assert epochs in ([4], [3, 4])


async def test_a_key_is_announced_before_anything_that_is_sealed_under_it(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        region.set_clock(world.NOW + BOX_EPOCH_MS)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(region.nodes["alpha"].renew_keys(), name="renewal")
            for number in range(5):
                tasks.create_task(region.nodes["alpha"].release(draft(f"m{number}", "bravo")), name=f"release {number}")
        await region.settle()

        assert [] == region.journal("alpha", "refused")
        mine = [message for agency, message in region.wire.up if agency == "alpha"]
        first = next(i for i, m in enumerate(mine) if isinstance(m, EnvelopeMessage)
                     and read_envelope(m.envelope).wraps[0].from_epoch == 2)  # fmt: skip
        assert 2 == len({m for m in mine[:first] if isinstance(m, Announcement)})


async def test_a_heartbeat_renews_keys_by_itself(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", timings=replace(TIMINGS, heartbeat_s=0.01)) as region:
        region.set_clock(world.NOW + BOX_EPOCH_MS)
        await until(lambda: len(region.nodes["alpha"].core.keys.pairs()) == 2)
        await until(lambda: any(isinstance(message, Heartbeat) for _, message in region.wire.up))

        assert 2 == len(region.rings["alpha"].boxes)


async def test_a_key_that_could_not_be_written_down_is_never_used(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        alpha = region.nodes["alpha"]

        def fail(_ring: KeyRing) -> None:
            msg = "no room for the key file"
            raise KeyFileError(msg)

        alpha._keep_keys = fail
        region.set_clock(world.NOW + BOX_EPOCH_MS)
        with pytest.raises(KeyFileError):
            await alpha.renew_keys()
        await alpha.release(draft("one", "bravo"))
        await region.settle()

        assert [1] == [pair.epoch for pair in alpha.core.keys.pairs()]
        assert ["one"] == region.titles("bravo")


# Bundles.


async def test_a_new_bundle_is_proved_kept_and_used_and_an_old_one_refused(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        outcome = region.router.install(status={"bravo": "suspended"})
        region.wire.follow(outcome)
        await until(lambda: region.nodes["alpha"].core.bundle.version == world.BUNDLE_VERSION + 1)
        region.wire.links["alpha"].arriving.put_nowait(_frame(BundleMessage("bundle", world.signed_bundle())))
        await until(lambda: region.journal("alpha", "rejected"))
        left_out = (await region.nodes["alpha"].release(draft("one", "bravo"))).left_out

        assert {"bravo": "NTK-RECIPIENT"} == left_out
        assert ["ROLLBACK"] == [entry.fields["code"] for entry in region.journal("alpha", "rejected")]
        await region.stop("bravo")
        await region.stop("alpha")
        region.start("alpha")
        await region.settle()
        kept = region.nodes["alpha"].store.signed_bundle()
        assert kept == next(m for m in outcome.sends["alpha"] if isinstance(m, BundleMessage)).signed_bundle


def _frame(message: DownMessage) -> bytes:
    return write_frame((message,))


async def test_the_same_bundle_twice_changes_and_notes_nothing(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha") as region:
        later = world.BUNDLE._replace(version=world.BUNDLE_VERSION + 1)
        signed = sign_bundle(later, {name: world.sign_pair(name) for name in world.AUTHORITIES})
        for _ in range(2):
            await region.nodes["alpha"]._took((BundleMessage("bundle", signed),))
        compiled = region.nodes["alpha"].core.community
        await region.nodes["alpha"]._took((BundleMessage("bundle", signed),))

        assert [later.version] == [entry.fields["version"] for entry in region.journal("alpha", "bundle")]
        assert compiled is region.nodes["alpha"].core.community
        assert signed == region.nodes["alpha"].store.signed_bundle()


async def test_a_bundle_of_strangers_is_refused(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha") as region:
        forged = sign_bundle(world.BUNDLE._replace(version=99), {"north": world.sign_pair("north")})
        region.wire.links["alpha"].arriving.put_nowait(_frame(BundleMessage("bundle", forged)))
        await until(lambda: region.journal("alpha", "rejected"))

        assert ["THRESHOLD"] == [entry.fields["code"] for entry in region.journal("alpha", "rejected")]
        assert world.BUNDLE_VERSION == region.nodes["alpha"].core.bundle.version


# Hostile frames, and disks.


async def test_bytes_that_are_no_frame_are_noted_and_the_feed_goes_on(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        region.wire.links["bravo"].arriving.put_nowait(b"\xc1 nonsense")
        await region.nodes["alpha"].release(draft("one", "bravo"))
        await region.settle()

        assert ["one"] == region.titles("bravo")
        assert [("BAD_TYPE", "frame")] == [
            (entry.fields["code"], entry.fields["stage_failed"]) for entry in region.journal("bravo", "rejected")
        ]


async def test_a_poisoned_delivery_is_noted_then_acked_and_the_feed_goes_on(tmp_path: Path) -> None:
    async with small_region(tmp_path, "bravo") as region:
        link = region.wire.links["bravo"]
        link.arriving.put_nowait(_frame(Delivery("delivery", 1, b"\x97 not an envelope")))
        link.arriving.put_nowait(_frame(Delivery("delivery", 2, b"")))
        await until(lambda: region.nodes["bravo"].store.value(LAST_DSEQ) == 2)

        assert 1 == len(region.journal("bravo", "rejected"))
        assert [] == region.arrivals


async def test_a_verdict_that_no_router_signed_settles_nothing(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        kept: list[DownMessage] = []

        def lose(_agency: str, message: DownMessage) -> bool:
            if isinstance(message, VerdictMessage):
                kept.append(message)
            return isinstance(message, VerdictMessage)

        region.wire.lost = lose
        await region.nodes["alpha"].release(draft("one", "bravo"))
        await until(lambda: kept)
        genuine = kept[0]
        assert isinstance(genuine, VerdictMessage)
        region.wire.links["alpha"].arriving.put_nowait(_frame(genuine._replace(signature=bytes(64))))
        await until(lambda: region.journal("alpha", "rejected"))
        assert 1 == region.nodes["alpha"].store.waiting_count()
        region.wire.lost = lambda _agency, _message: False
        for agency in ("alpha", "bravo"):  # bravo's receipt may have lost its verdict too
            region.wire.cut(agency)
        await region.settle()

        assert ["BAD_SIG"] == [entry.fields["code"] for entry in region.journal("alpha", "rejected")]


async def test_resume_sets_the_number_and_an_old_number_is_acked_and_dropped(tmp_path: Path) -> None:
    async with small_region(tmp_path, "bravo") as region:
        link = region.wire.links["bravo"]
        link.arriving.put_nowait(_frame(Resume("resume", 6)))
        link.arriving.put_nowait(_frame(Delivery("delivery", 3, b"old")))
        await until(lambda: Ack("ack", 5) in [message for _, message in region.wire.up])

        assert [5] == [entry.fields["deliveries"] for entry in region.journal("bravo", "gap")]
        assert [] == region.journal("bravo", "rejected")
