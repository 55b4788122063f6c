"""Products of what others wrote: they inherit every parent's ORCON (H2), and a recall reaches them (H13)."""

from pathlib import Path

import pytest

from agencies.drafts import Draft, Quote, WorkflowDraft
from agencies.journal import Entry
from conformance import world
from schemas.errors import InputError, SealError
from schemas.label import Label
from schemas.report import Parent, Passage, Portion, PortionContent
from schemas.workflow import DecisionContent
from tests.samples.small_nodes import WHY, SmallRegion, draft, hid_of, small_region, until

MINUTE_MS = 60_000
CONTROLLED = world.LABEL._replace(tlp="GREEN", caveats=("ORCON",))


async def product_of(
    region: SmallRegion,
    *parents: bytes,
    by: str = "bravo",
    to: tuple[str, ...] = ("charlie",),
    label: Label = CONTROLLED,
) -> Draft:
    """Have an agency write a product from everything that it holds of some messages."""
    node = region.nodes[by]
    held = [item for hid in parents for item in await node.portions(hid)]
    originators = {hid: node.store.held(hid) for hid in parents}
    content = PortionContent(
        "EXERCISE", f"product of {by}", (Passage(None, "As we hear."),),
        derived_from=tuple(Parent(item.hid, item.commitment) for item in held),
    )  # fmt: skip
    quotes = tuple(
        Quote(hid=item.hid, place=item.place, originator=from_whom.originator, label=item.label)
        for item in held
        if (from_whom := originators[item.hid]) is not None
    )
    return Draft(portions=(Portion(label, content),), to=to, why=WHY, quotes=quotes)


async def given(
    region: SmallRegion, title: str, *, by: str = "alpha", to: str = "bravo", label: Label = CONTROLLED
) -> bytes:
    hid = hid_of(await region.nodes[by].release(draft(title, to, label=label)))
    await region.settle()
    return hid


async def grant(region: SmallRegion, hid: bytes, *, by: str, reader: str, to: str, expires: int | None = None) -> None:
    content = DecisionContent("EXERCISE", reader, "grant", 0xFFFFFFFF, "", "it helps", expires, hid)
    decision = WorkflowDraft(kind="decision", content=content, to=to, ref=None, why=WHY)
    await region.nodes[by].send_workflow(decision, outcome="grant")
    await region.settle()


def denied(region: SmallRegion, agency: str) -> list[Entry]:
    return region.journal(agency, "onward_denied")


# Consent.


async def test_h1_nothing_goes_on_to_a_third_party_without_its_originators_consent(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        hid = await given(region, "track", label=world.LABEL)

        released = await region.nodes["bravo"].release(await product_of(region, hid, label=world.LABEL))

        assert (None, ["charlie"]) == (released.hid, list(released.left_out))
        (entry,) = denied(region, "bravo")
        assert released.left_out == entry.fields["agencies"]


async def test_h1_a_grant_lets_what_is_amber_go_on_to_the_reader_that_it_names(tmp_path: Path) -> None:
    """H1, H2: the source's explicit permission is what TLP asks for; golf, whom it does not name, gets nothing."""
    async with small_region(tmp_path, "alpha", "bravo", "charlie", "golf") as region:
        hid = await given(region, "track", label=world.LABEL)
        await grant(region, hid, by="alpha", reader="charlie", to="bravo")
        product = await product_of(region, hid, to=("charlie", "golf"), label=world.LABEL)

        released = await region.nodes["bravo"].release(product)
        await region.settle()

        assert ("AMBER", ()) == (world.LABEL.tlp, world.LABEL.caveats)
        assert (["charlie"], {"golf": "NTK-TLP"}) == (list(released.audience), released.left_out)
        assert (["product of bravo"], []) == (region.titles("charlie"), region.titles("golf"))


async def test_h17_a_reader_that_holds_a_report_can_still_be_consented_to(tmp_path: Path) -> None:
    """Nothing is left to be released to it; what another makes of the report may go to it all the same."""
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        alpha = region.nodes["alpha"]
        hid = await given(region, "track")
        before = await alpha.grantable(hid, "charlie")
        await alpha.release_again(hid, {"charlie": 0}, WHY)
        await region.settle()

        after = await alpha.grantable(hid, "charlie")

        assert before[0]
        assert (before[0], before[0], 0) == (before[1], after[0], after[1])


async def test_h1_what_an_originator_wrote_may_go_back_to_it(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        hid = await given(region, "track")

        released = await region.nodes["bravo"].release(await product_of(region, hid, to=("alpha",)))
        await region.settle()

        assert ["alpha"] == list(released.audience)
        assert [] == denied(region, "bravo")


async def test_h2_a_product_of_orcon_goes_to_nobody_and_the_attempt_is_logged(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie", "golf") as region:
        hid = await given(region, "track")

        released = await region.nodes["bravo"].release(await product_of(region, hid, to=("charlie", "golf")))
        await region.settle()

        assert released.hid is None
        (entry,) = denied(region, "bravo")
        assert {"charlie": "NTK-ORCON", "golf": "NTK-ORCON"} == entry.fields["agencies"]
        ((parent, _, originator),) = entry.fields["parents"]
        assert (hid.hex(), "alpha") == (parent, originator)
        assert [] == region.titles("charlie") + region.titles("golf")


async def test_h2_a_product_needs_the_consent_of_every_parent(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie", "golf") as region:
        first = await given(region, "track")
        second = await given(region, "crew", by="golf")
        bravo = region.nodes["bravo"]

        await grant(region, first, by="alpha", reader="charlie", to="bravo")
        by_one = await bravo.release(await product_of(region, first, second))
        await grant(region, second, by="golf", reader="charlie", to="bravo")
        by_both = await bravo.release(await product_of(region, first, second))
        await region.settle()

        assert (None, ["charlie"]) == (by_one.hid, list(by_both.audience))
        (entry,) = denied(region, "bravo")
        assert {"golf"} == {originator for _, _, originator in entry.fields["parents"]}


async def test_h2_a_product_is_under_orcon_itself_or_is_not_sealed(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        hid = await given(region, "track")
        await grant(region, hid, by="alpha", reader="charlie", to="bravo")

        with pytest.raises(SealError, match="not under ORCON itself"):
            await region.nodes["bravo"].release(await product_of(region, hid, label=world.LABEL))


async def test_h2_a_product_released_later_to_others_needs_consent_for_them_too(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie", "golf") as region:
        bravo = region.nodes["bravo"]
        hid = await given(region, "track")
        await grant(region, hid, by="alpha", reader="charlie", to="bravo")
        product = hid_of(await bravo.release(await product_of(region, hid)))
        await region.settle()

        again = await bravo.release_again(product, {"golf": 0}, WHY)

        assert (None, {"golf": "NTK-ORCON"}) == (again.hid, again.left_out)
        assert (0, 0) == await bravo.grantable(product, "golf")
        assert ["golf"] == [name for entry in denied(region, "bravo") for name in entry.fields["agencies"]]


async def test_h17_a_grant_lets_a_product_go_on_until_it_ends(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        bravo = region.nodes["bravo"]
        hid = await given(region, "track")
        await grant(region, hid, by="alpha", reader="charlie", to="bravo", expires=world.NOW + MINUTE_MS)

        in_time = await bravo.release(await product_of(region, hid))
        region.set_clock(world.NOW + MINUTE_MS)
        too_late = await bravo.release(await product_of(region, hid))
        await region.settle()

        assert (["charlie"], {"charlie": "NTK-ORCON"}) == (list(in_time.audience), too_late.left_out)


async def test_h17_a_grant_for_one_reader_is_none_for_another(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie", "golf") as region:
        hid = await given(region, "track")
        await grant(region, hid, by="alpha", reader="charlie", to="bravo")

        released = await region.nodes["bravo"].release(await product_of(region, hid, to=("charlie", "golf")))
        await region.settle()

        assert (["charlie"], {"golf": "NTK-ORCON"}) == (list(released.audience), released.left_out)


async def test_h17_nobody_but_the_originator_can_grant(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie", "golf") as region:
        hid = await given(region, "track")
        await grant(region, hid, by="golf", reader="charlie", to="bravo")

        released = await region.nodes["bravo"].release(await product_of(region, hid))

        assert {"charlie": "NTK-ORCON"} == released.left_out


# Recall.


async def used_by_bravo(region: SmallRegion) -> tuple[bytes, bytes]:
    """Have bravo use a report of alpha in a product for charlie, with alpha's consent; returns both ids."""
    hid = await given(region, "track")
    await grant(region, hid, by="alpha", reader="charlie", to="bravo")
    product = hid_of(await region.nodes["bravo"].release(await product_of(region, hid)))
    await region.settle()
    return hid, product


async def test_h13_a_recall_names_what_was_made_from_the_message(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        hid, product = await used_by_bravo(region)

        await region.nodes["alpha"].recall(hid, WHY)
        await region.settle()

        (entry,) = region.journal("bravo", "tainted")
        assert (hid.hex(), [product.hex()]) == (entry.fields["hid"], entry.fields["products"])
        told = [notice for name, notice in region.notices if name == "bravo" and notice.word == "recalled"]
        assert [(hid, (product,))] == [(notice.hid, notice.products) for notice in told]
        (state,) = await region.nodes["alpha"].recall_state(hid)
        assert ("bravo", "purged", (product,)) == (state.reader, state.answer, state.used_in)
        used = [entry.fields for entry in region.journal("alpha", "receipt") if entry.fields["status"] == "used"]
        assert [(hid.hex(), product.hex())] == [(fields["hid"], fields["product"]) for fields in used]


async def test_h13_a_recall_of_the_product_carries_it_on_to_its_readers(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        hid, product = await used_by_bravo(region)
        assert ["product of bravo"] == region.titles("charlie")

        await region.nodes["alpha"].recall(hid, WHY)
        await region.settle()
        await region.nodes["bravo"].recall(product, WHY)
        await region.settle()

        assert [] == await region.nodes["charlie"].portions(product)
        (state,) = await region.nodes["bravo"].recall_state(product)
        assert ("charlie", "purged", ()) == (state.reader, state.answer, state.used_in)
        await region.nodes["alpha"].recall(hid, WHY)
        await region.settle()
        assert 1 == len(region.journal("bravo", "tainted"))


async def test_who_has_not_answered_a_recall_is_named(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        alpha = region.nodes["alpha"]
        hid = hid_of(await alpha.release(draft("track", "bravo", "charlie")))
        await region.settle()
        await region.stop("charlie")

        await alpha.recall(hid, WHY)
        await until(lambda: ("bravo", "purged") in region.receipts("alpha", hid))

        answers = {state.reader: state.answer for state in await alpha.recall_state(hid)}
        assert {"bravo": "purged", "charlie": "no answer yet"} == answers
        region.start("charlie")
        await region.settle()
        assert {"purged"} == {state.answer for state in await alpha.recall_state(hid)}


async def test_there_is_no_state_of_a_recall_that_was_not_made(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        hid = await given(region, "track")

        for name in ("alpha", "bravo"):
            with pytest.raises(InputError, match="was recalled"):
                await region.nodes[name].recall_state(hid)


async def test_a_node_whose_disk_was_put_back_gets_the_recall_again_and_finds_its_product_tainted_anew(
    tmp_path: Path,
) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        hid, product = await used_by_bravo(region)
        await region.stop("bravo")
        path = tmp_path / "nodes" / "bravo.sqlite"
        copy = path.read_bytes()
        region.start("bravo")
        await region.settle()
        await region.nodes["alpha"].recall(hid, WHY)
        await region.settle()

        await region.stop("bravo")
        path.write_bytes(copy)
        region.start("bravo")
        await region.settle()

        assert [] == await region.nodes["bravo"].portions(hid)
        assert [[product.hex()]] == [entry.fields["products"] for entry in region.journal("bravo", "tainted")]
        (state,) = await region.nodes["alpha"].recall_state(hid)
        assert ("purged", (product,)) == (state.answer, state.used_in)
