"""A person puts something to all members of a mechanism, once, and another objects."""

from pathlib import Path

from console.desk_acts import Object, Put, act_name, read_act, write_act
from tests.samples.small_nodes import draft
from tests.unit.test_agencies_node import hid_of
from tests.unit.test_agencies_silence import ALL, FIRST, HOUR_MS, ends, members
from tests.unit.test_console_desk import work_of


async def test_what_a_person_puts_to_the_members_is_put_once_and_stopped_by_one_of_them(tmp_path: Path) -> None:
    async with members(tmp_path, *ALL) as region:
        product = hid_of(await region.nodes["alpha"].release(draft("Product", "bravo", "charlie", label=FIRST)))
        await region.settle()
        put = Put("our-eyes", product, "delta", "It goes to delta", "it flies there", HOUR_MS)
        first = await work_of(region, "alpha").carry_out(put, "outgoing:p")
        again = await work_of(region, "alpha").carry_out(put, "outgoing:p")
        await region.settle()
        objection = Object(bytes.fromhex(first.hids[0]), "not while the boats are out")
        await work_of(region, "bravo").carry_out(objection, "outgoing:o")
        await region.settle()

        assert (["bravo", "charlie"], []) == (sorted(first.audience), again.hids)
        assert [("opposed", ["bravo"], [])] == ends(region)
        assert (put, "put") == (read_act(write_act(put)), act_name(put))
