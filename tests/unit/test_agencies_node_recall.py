"""Recalls and corrections between nodes: erased at every reader, and only by whom the message is."""

from pathlib import Path

import pytest

from agencies.drafts import Why
from schemas.bundle import Status
from schemas.errors import SealError
from schemas.frames import BundleMessage
from tests.samples.small_nodes import WHY, draft, hid_of, portion, small_region


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


@pytest.mark.parametrize("known", [True, False], ids=["known", "not-known-yet"])
@pytest.mark.parametrize("status", ["suspended", "revoked"])
async def test_a_recall_reaches_the_others_where_a_reader_is_out(
    tmp_path: Path, status: Status, *, known: bool
) -> None:
    """The router refuses a recall that names it, for everybody: so it is left out, or the recall repeated."""
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        alpha = region.nodes["alpha"]
        hid = hid_of(await alpha.release(draft("MISTAKE", "bravo", "charlie")))
        await region.settle()
        await region.stop("charlie")
        region.wire.lost = lambda agency, message: (
            not known and agency == "alpha" and isinstance(message, BundleMessage)
        )
        region.wire.follow(region.router.install(status={"charlie": status}))
        await region.settle()

        released = await alpha.recall(hid, WHY)
        await region.settle()
        region.wire.lost = lambda _agency, _message: False
        region.wire.cut("alpha")
        await region.settle()

        assert ({"charlie": "NTK-READER"} if known else {}) == released.left_out
        refused = [entry.fields["code"] for entry in region.journal("alpha", "refused")]
        assert ([] if known else ["AUDIENCE"]) == refused
        assert [] == await region.nodes["bravo"].portions(hid)
        assert ("bravo", "purged") in region.receipts("alpha", hid)
        recalls = [entry.fields for entry in region.journal("alpha", "released") if entry.fields["kind"] == "recall"]
        assert {"bravo": 0} == recalls[-1]["audience"]
        assert (1 if known else 2) == len(recalls)


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
