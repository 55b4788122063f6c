"""H11: TLP and PAP are never lowered by marking anew: in a product, a correction or a joint product."""

from pathlib import Path
from typing import Final

import pytest

from agencies.drafts import Draft, Quote
from agencies.inheritance import check_inherited, with_inherited
from conformance import world
from schemas.errors import SealError
from schemas.label import TLP_ORDER, Label
from schemas.report import Parent, Passage, Portion, PortionContent
from tests.samples.small_nodes import WHY, SmallRegion, draft, hid_of, portion, small_region

HID: Final = b"h" * 32
FIRST, SECOND = b"1" * 32, b"2" * 32
GREEN: Final = world.LABEL._replace(tlp="GREEN", caveats=("PAP:GREEN",))
AMBER: Final = world.LABEL._replace(caveats=("PAP:AMBER",))


def quoting(label: Label, *commitments: bytes) -> Portion:
    parents = tuple(Parent(HID, commitment) for commitment in commitments)
    return Portion(label, PortionContent("EXERCISE", "product", (Passage(None, "As we hear."),), derived_from=parents))


def quote(label: Label, commitment: bytes | None = FIRST) -> Quote:
    return Quote(hid=HID, place=0, originator="alpha", label=label, commitment=commitment)


@pytest.mark.parametrize("lower", range(len(TLP_ORDER)))
@pytest.mark.parametrize("parent", range(len(TLP_ORDER)))
def test_h11_a_quoting_portion_is_sealed_with_a_mark_at_least_as_strict_and_with_no_other(
    lower: int, parent: int
) -> None:
    portions = [quoting(world.LABEL._replace(tlp=TLP_ORDER[lower]), FIRST)]
    quotes = [quote(world.LABEL._replace(tlp=TLP_ORDER[parent]))]

    if lower >= parent:
        check_inherited(portions, quotes)
    else:
        with pytest.raises(SealError, match=f"is TLP:{TLP_ORDER[lower]}".replace("+", r"\+")):
            check_inherited(portions, quotes)


@pytest.mark.parametrize(
    ("caveats", "refused"),
    [
        ((), True),
        (("PAP:GREEN",), True),
        (("PAP:CLEAR",), True),
        (("PAP:AMBER",), False),
        (("PAP:RED",), False),
        (("PAP:CLEAR", "PAP:RED"), False),
    ],
)
def test_h11_a_pap_colour_goes_along_or_a_stricter_one_does(caveats: tuple[str, ...], *, refused: bool) -> None:
    portions = [quoting(AMBER._replace(caveats=caveats), FIRST)]

    if refused:
        with pytest.raises(SealError, match="marked PAP:AMBER and does not bear it"):
            check_inherited(portions, [quote(AMBER)])
    else:
        check_inherited(portions, [quote(AMBER)])


def test_h11_each_portion_is_bound_by_what_it_quotes_itself() -> None:
    """A part that rests on the GREEN portion of a report is not bound by the AMBER one beside it."""
    two = [quote(GREEN, FIRST), quote(AMBER, SECOND)]
    check_inherited([quoting(GREEN, FIRST), quoting(AMBER, SECOND)], two)

    with pytest.raises(SealError, match="TLP:GREEN and quotes"):
        check_inherited([quoting(GREEN, FIRST, SECOND)], two)


def test_h11_a_quote_whose_place_is_not_known_binds_whoever_names_the_message() -> None:
    with pytest.raises(SealError, match="TLP:GREEN and quotes"):
        check_inherited([quoting(GREEN, SECOND)], [quote(AMBER, None)])


def test_h11_what_is_ones_own_may_be_marked_as_one_likes() -> None:
    check_inherited([portion("own", GREEN)], [quote(AMBER)])


def test_h11_a_desk_writes_with_the_mark_and_colour_of_its_parents_whatever_its_order_says() -> None:
    label = with_inherited(GREEN._replace(tlp="CLEAR", caveats=()), [GREEN, AMBER])

    assert ("AMBER", ("PAP:AMBER",)) == (label.tlp, label.caveats)
    assert GREEN == with_inherited(GREEN, [])
    assert AMBER == with_inherited(AMBER, [GREEN])


# Between nodes.


async def received(region: SmallRegion, label: Label) -> tuple[bytes, PortionContent, Quote]:
    """Have bravo hold a report of alpha's; returns it with what a portion says that quotes it."""
    hid = hid_of(await region.nodes["alpha"].release(draft("track", "bravo", label=label)))
    await region.settle()
    (held,) = await region.nodes["bravo"].portions(hid)
    assert isinstance(held.content, PortionContent)
    quoted = Quote(hid=hid, place=held.place, originator="alpha", label=held.label, commitment=held.commitment)
    return hid, held.content._replace(derived_from=(Parent(hid, held.commitment),)), quoted


async def test_h11_a_product_or_joint_product_or_correction_with_a_lower_mark_does_not_leave_its_node(
    tmp_path: Path,
) -> None:
    strict = world.LABEL._replace(tlp="GREEN", caveats=("PAP:RED",))
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        _, content, quoted = await received(region, strict)
        bravo = region.nodes["bravo"]
        earlier = hid_of(await bravo.release(draft("own report", "charlie")))
        await region.settle()

        def marked(label: Label, ref: bytes | None = None) -> Draft:
            return Draft(portions=(Portion(label, content),), to=("charlie",), why=WHY, quotes=(quoted,), ref=ref)

        for label in (strict._replace(tlp="CLEAR"), strict._replace(caveats=("PAP:AMBER",))):
            with pytest.raises(SealError, match="quotes what alpha marked"):
                await bravo.release(marked(label))
            with pytest.raises(SealError, match="quotes what alpha marked"):
                await bravo.joint.show(marked(label), ("charlie",), 1)
            with pytest.raises(SealError, match="quotes what alpha marked"):
                await bravo.release(marked(label, ref=earlier))
        await bravo.release(marked(strict))
        await bravo.joint.show(marked(strict), ("charlie",), 1)
        await bravo.release(marked(strict._replace(tlp="AMBER"), ref=earlier))
        await region.settle()

        assert ["own report", "track", "track", "track"] == sorted(region.titles("charlie"))


async def test_h11_the_reader_is_told_of_the_colour_that_binds_it(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        hid, *_ = await received(region, AMBER)
        (held,) = await region.nodes["bravo"].portions(hid)

        assert ("AMBER", ("PAP:AMBER",)) == (held.label.tlp, held.label.caveats)
