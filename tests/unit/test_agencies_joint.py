"""Joint products between nodes: shown to co-signers, released when enough have signed, made again without who left."""

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from agencies.drafts import Draft, Quote, Why
from conformance import world
from console.happenings import Happenings
from console.node_view import show_happening
from schemas.errors import SealError
from schemas.label import Label
from schemas.report import Parent, Portion, PortionContent
from tests.samples.small_nodes import WHY, SmallRegion, draft, hid_of, portion, small_region

SIGN = Why(act="cosign", order="O2", reason="we stand by it", cause="")
LEAVE = Why(act="withdraw", order="O3", reason="our source was wrong", cause="")
MEMBERS = ("bravo", "charlie")
ALL = ("alpha", "bravo", "charlie", "golf")
DAY_MS = 24 * 3_600_000
SHARED = world.LABEL._replace(tlp="GREEN")  # what is AMBER may not be passed on at all


async def contributed(region: SmallRegion, *labels: Label) -> Draft:
    """Have each member report to the lead, and return the lead's product of its own part and theirs."""
    portions = [portion("What alpha knows", SHARED)]
    quotes = []
    for member, label in zip(MEMBERS, labels or (SHARED, SHARED), strict=True):
        hid = hid_of(await region.nodes[member].release(draft(f"From {member}", "alpha", label=label)))
        await region.settle()
        (part,) = await region.nodes["alpha"].portions(hid)
        assert isinstance(part.content, PortionContent)
        content = part.content._replace(title=f"Part of {member}", derived_from=(Parent(hid, part.commitment),))
        portions.append(Portion(part.label, content))
        quotes.append(Quote(hid=hid, place=part.place, originator=member, label=part.label))
    return Draft(portions=tuple(portions), to=("golf",), why=WHY, quotes=tuple(quotes))


async def shown(region: SmallRegion, *, needed: int = 2, product: Draft | None = None) -> bytes:
    """Show a product to bravo and charlie."""
    product = product or await contributed(region)
    hid = hid_of(await region.nodes["alpha"].joint.show(product, MEMBERS, needed))
    await region.settle()
    return hid


async def settled(region: SmallRegion, hid: bytes) -> Any:
    """Have the lead do what the answers call for, and wait for it to have gone round."""
    await region.settle()
    released = await region.nodes["alpha"].joint.settle(hid)
    await region.settle()
    return released


def titles(region: SmallRegion, agency: str) -> set[str]:
    """Return what an agency holds now, by title."""
    store = region.nodes[agency].store
    held = [store.held(hid) for hid in store.message_ids()]
    return {
        part.content.title
        for message in held
        if message is not None and not message.recalled
        for part in store.portions(message.hid)
        if isinstance(part.content, PortionContent)
    }


async def test_only_the_named_see_a_product_until_all_have_signed(tmp_path: Path) -> None:
    async with small_region(tmp_path, *ALL) as region:
        hid = await shown(region)
        asked = [(name, arrival.hid) for name, arrival in region.arrivals if arrival.asks_cosignature]
        assert [("bravo", hid), ("charlie", hid)] == sorted(asked)

        await region.nodes["bravo"].joint.cosign(hid, SIGN)
        assert await settled(region, hid) is None
        assert set() == titles(region, "golf")
        await region.nodes["charlie"].joint.cosign(hid, SIGN)
        released = await settled(region, hid)

        assert {"golf", *MEMBERS} == set(released.audience)
        assert {"What alpha knows", "Part of bravo", "Part of charlie"} == titles(region, "golf")
        (entry,) = region.journal("golf", "verified")
        assert (["bravo", "charlie"], []) == (entry.fields["cosigned"], entry.fields["unsigned"])
        assert not any(arrival.asks_cosignature for name, arrival in region.arrivals if name == "golf")


async def test_enough_signatures_release_it_and_readers_see_who_has_not_signed(tmp_path: Path) -> None:
    async with small_region(tmp_path, *ALL) as region:
        hid = await shown(region, needed=1)
        await region.nodes["charlie"].joint.cosign(hid, SIGN)
        await settled(region, hid)
        (entry,) = region.journal("golf", "verified")
        assert (["charlie"], ["bravo"]) == (entry.fields["cosigned"], entry.fields["unsigned"])

        # Released once with what there is; a later signature is handed on, and nothing is done without a new one.
        assert await settled(region, hid) is None
        await region.nodes["bravo"].joint.cosign(hid, SIGN)
        await settled(region, hid)
        held = await region.nodes["golf"].joint.held(hid)
        assert held is not None
        assert () == held.unsigned


async def test_who_takes_its_signature_back_leaves_with_name_and_part(tmp_path: Path) -> None:
    async with small_region(tmp_path, *ALL) as region:
        product = await contributed(region, SHARED._replace(precedence="PRIORITY"), SHARED)
        hid = await shown(region, product=product)
        for member in MEMBERS:
            await region.nodes[member].joint.cosign(hid, SIGN)
        await settled(region, hid)
        await region.nodes["bravo"].joint.withdraw(hid, LEAVE)
        again = (await settled(region, hid)).hid

        assert [hid.hex()] == [entry.fields["hid"] for entry in region.journal("golf", "recalled")]
        assert set() == titles(region, "golf")
        assert again != hid
        await region.nodes["charlie"].joint.cosign(again, SIGN)
        await settled(region, again)
        assert {"What alpha knows", "Part of charlie"} == titles(region, "golf")
        held = await region.nodes["golf"].joint.held(again)
        assert held is not None
        assert (("charlie",), ("charlie",)) == (held.cosigners, held.signed)
        banners = [entry.fields["banner"]["precedence"] for entry in region.journal("alpha", "joint_asked")]
        assert ["PRIORITY", "ROUTINE"] == banners
        answers = [entry.fields["answer"] for entry in region.journal("alpha", "cosign_received")]
        assert ["signed", "signed", "withdrawn", "signed"] == answers
        assert [again] == await region.nodes["alpha"].joint.led()


async def test_a_refusal_before_anybody_else_has_it_makes_it_again_without(tmp_path: Path) -> None:
    async with small_region(tmp_path, *ALL) as region:
        hid = await shown(region)
        await region.nodes["bravo"].joint.refuse(hid, LEAVE)
        again = (await settled(region, hid)).hid
        await region.nodes["charlie"].joint.cosign(again, SIGN)
        await settled(region, again)

        assert {"What alpha knows", "Part of charlie"} == titles(region, "golf")
        assert not region.journal("golf", "recalled")  # it never had the first one
        with pytest.raises(SealError, match="does not ask bravo"):
            await region.nodes["bravo"].joint.cosign(hid, SIGN)


async def test_what_nobody_can_be_told_of_is_not_made_again_before_it_is_taken_back(tmp_path: Path) -> None:
    async with small_region(tmp_path, *ALL) as region:
        hid = await shown(region)
        for member in MEMBERS:
            await region.nodes[member].joint.cosign(hid, SIGN)
        await settled(region, hid)
        await region.nodes["bravo"].joint.withdraw(hid, LEAVE)
        await region.settle()
        now_ms = region.clock.now_ms()

        region.clock.at_ms = now_ms - DAY_MS  # no key that is known is in force yet
        with pytest.raises(SealError, match="cannot be taken back yet"):
            await region.nodes["alpha"].joint.settle(hid)
        assert not region.journal("alpha", "joint_reissued")
        assert {"What alpha knows", "Part of bravo", "Part of charlie"} == titles(region, "golf")

        region.clock.at_ms = now_ms
        await settled(region, hid)
        assert 1 == len(region.journal("alpha", "joint_reissued"))
        assert set() == titles(region, "golf")


async def test_who_is_revoked_meanwhile_is_left_out_of_what_is_made_again(tmp_path: Path) -> None:
    async with small_region(tmp_path, *ALL) as region:
        hid = await shown(region)
        for member in MEMBERS:
            await region.nodes[member].joint.cosign(hid, SIGN)
        await settled(region, hid)
        await region.nodes["bravo"].joint.withdraw(hid, LEAVE)
        await region.settle()
        await region.stop("charlie")
        region.wire.follow(region.router.install(status={"charlie": "revoked"}))

        await settled(region, hid)

        assert [["bravo", "charlie"]] == [
            entry.fields["without"] for entry in region.journal("alpha", "joint_reissued")
        ]
        assert {"What alpha knows"} == titles(region, "golf")


async def test_a_lead_whom_all_have_left_goes_on_alone(tmp_path: Path) -> None:
    async with small_region(tmp_path, *ALL) as region:
        hid = await shown(region)
        for member in MEMBERS:
            await region.nodes[member].joint.refuse(hid, LEAVE)
        released = await settled(region, hid)

        assert {"golf"} <= set(released.audience)
        assert {"What alpha knows"} == titles(region, "golf")
        assert [] == await region.nodes["alpha"].joint.led()


async def test_a_recalled_source_takes_its_part_with_it(tmp_path: Path) -> None:
    async with small_region(tmp_path, *ALL) as region:
        product = await contributed(region)
        hid = await shown(region, product=product)
        await region.nodes["bravo"].recall(product.quotes[0].hid, LEAVE)
        again = (await settled(region, hid)).hid
        for member in MEMBERS:
            await region.nodes[member].joint.cosign(again, SIGN)
        await settled(region, again)
        assert {"What alpha knows", "Part of charlie"} == titles(region, "golf")


async def test_what_its_lead_recalls_is_not_made_again(tmp_path: Path) -> None:
    async with small_region(tmp_path, *ALL) as region:
        hid = await shown(region, needed=1)
        await region.nodes["bravo"].joint.refuse(hid, LEAVE)
        await region.settle()
        await region.nodes["alpha"].recall(hid, LEAVE)
        assert await settled(region, hid) is None
        assert [] == [title for title in titles(region, "charlie") if title.startswith("Part of")]


async def test_a_further_reader_gets_a_joint_product_with_its_signatures(tmp_path: Path) -> None:
    async with small_region(tmp_path, *ALL, "delta") as region:
        hid = await shown(region, needed=1)
        await region.nodes["bravo"].joint.cosign(hid, SIGN)
        await settled(region, hid)
        await region.nodes["alpha"].release_again(hid, {"delta": 0}, WHY)
        await region.settle()
        (entry,) = region.journal("delta", "verified")
        assert (["bravo"], ["charlie"]) == (entry.fields["cosigned"], entry.fields["unsigned"])


async def test_signatures_are_gathered_on_after_the_lead_was_restarted(tmp_path: Path) -> None:
    async with small_region(tmp_path, *ALL) as region:
        hid = await shown(region)
        await region.nodes["bravo"].joint.cosign(hid, SIGN)
        await region.settle()
        await region.stop("alpha")
        await region.nodes["charlie"].joint.cosign(hid, SIGN)
        region.start("alpha")
        await settled(region, hid)
        (entry,) = region.journal("golf", "verified")
        assert ["bravo", "charlie"] == entry.fields["cosigned"]


async def test_a_part_keeps_the_product_from_whom_its_own_originator_keeps_it(tmp_path: Path) -> None:
    """The veto: golf may have two parts of three, and gets none; a co-signer that may not have all is not asked."""
    async with small_region(tmp_path, *ALL) as region:
        kept = SHARED._replace(rel=("alpha", "bravo", "charlie"))
        hid = await shown(region, product=await contributed(region, kept, SHARED))
        for member in MEMBERS:
            await region.nodes[member].joint.cosign(hid, SIGN)
        released = await settled(region, hid)
        assert set(MEMBERS) == set(released.audience)
        assert {"golf"} == set(released.left_out)

        with pytest.raises(SealError, match="golf cannot co-sign"):
            await region.nodes["alpha"].joint.show(await contributed(region, kept, SHARED), ("golf",), 1)


async def test_nobody_answers_twice_or_unasked(tmp_path: Path) -> None:
    async with small_region(tmp_path, *ALL) as region:
        hid = await shown(region)
        with pytest.raises(SealError, match="does not ask golf"):
            await region.nodes["golf"].joint.cosign(hid, SIGN)
        with pytest.raises(SealError, match="cannot be withdrawn"):
            await region.nodes["bravo"].joint.withdraw(hid, LEAVE)
        await region.nodes["bravo"].joint.cosign(hid, SIGN)
        with pytest.raises(SealError, match="answered with 'signed'"):
            await region.nodes["bravo"].joint.cosign(hid, SIGN)
        with pytest.raises(SealError, match="answered with 'signed'"):
            await region.nodes["bravo"].joint.refuse(hid, LEAVE)


@pytest.mark.parametrize(("cosigners", "needed"), [((), 0), (("bravo", "bravo"), 1), (("bravo",), 2), (("bravo",), 0)])
async def test_a_wrong_number_of_cosigners_is_named_at_once(
    tmp_path: Path, cosigners: tuple[str, ...], needed: int
) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        with pytest.raises(SealError, match="co-signatures are asked for"):
            await region.nodes["alpha"].joint.show(draft("one", "bravo"), cosigners, needed)


async def test_a_part_under_originator_control_is_shown_to_nobody_without_a_grant(tmp_path: Path) -> None:
    """ORCON counts for the whole that quotes it, among the co-signers as well."""
    async with small_region(tmp_path, *ALL) as region:
        controlled = await contributed(region, SHARED._replace(caveats=("ORCON",)), SHARED)
        with pytest.raises(SealError, match="charlie cannot co-sign"):
            await region.nodes["alpha"].joint.show(controlled, MEMBERS, 2)


async def test_a_desk_is_shown_who_has_not_signed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with small_region(tmp_path, *ALL) as region:
        happenings = Happenings(region.nodes["golf"].store)
        hid = await shown(region, needed=1)
        await region.nodes["bravo"].joint.cosign(hid, SIGN)
        await settled(region, hid)
        for happening in happenings.news():
            show_happening(Console(width=200), happening)
        assert "co-signed by bravo; NOT signed by charlie" in capsys.readouterr().out
