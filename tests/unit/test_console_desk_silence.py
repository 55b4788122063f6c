"""A person puts something to all members of a mechanism, once, and another objects."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from conformance import world
from console.desk_acts import Object, Put, act_name, read_act, write_act
from console.node_view import show_happening
from console.sent_log import sent_messages
from tests.samples.desk_at_node import work_of
from tests.samples.silence_procedure import ALL, FIRST, HOUR_MS, ends, members
from tests.samples.small_nodes import draft, hid_of


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
        proposal = next(item for item in sent_messages(region.journal("alpha")) if item.kind == "proposal")
        assert ("It goes to delta", "opposed") == (proposal.title, proposal.state)
        assert {"bravo": "objected", "charlie": ""} == {name: at.answer for name, at in proposal.readers.items()}


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        ("permitted", "NO OBJECTION to 'It goes'"),
        ("opposed", "STOPPED by bravo: 'It goes'"),
        ("undelivered", "did not come to charlie in time"),
    ],
)
def test_the_nodes_window_says_what_came_of_it(outcome: str, told: str) -> None:
    happening = {
        "event": "silence_over", "at_ms": world.NOW, "hid": "41c7" * 16, "outcome": outcome, "subject": "It goes",
        "mechanism": "our-eyes", "objectors": ["bravo"], "absent": ["charlie"],
    }  # fmt: skip
    screen = Console(width=200, record=True, file=io.StringIO())
    show_happening(screen, happening)

    assert told in screen.export_text()
