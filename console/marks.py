"""``sandiwara marks``: what national markings come to in a community, from state to state, and what is lost."""

import argparse
from typing import Any

from rich.table import Table

from console.exits import Exit
from console.label_options import check_known
from console.screen import console, plain, write_json
from policy.community import Community
from policy.national_marks import carry, marks_of, states_with_marks
from scenarios.catalogue import find_pack
from scenarios.pack import load_pack
from scenarios.placeholder_community import compile_community
from schemas.errors import InputError, UsageError


def run(arguments: argparse.Namespace) -> int:
    """Show the table of a community, or one mark in other states; 1 if something is lost on the way.

    Raises:
        InputError: If the pack cannot be read, or maps no marks, or not this one.
        UsageError: If a state is not known, or a mark is given without one.
    """
    community = compile_community(load_pack(find_pack(arguments.pack)))
    states = states_with_marks(community)
    if not states:
        msg = f"{arguments.pack} maps no national marks"
        raise InputError(msg, remedy="its part 'marks' would; docs/reference/pack-format.md shows how")
    asked = [state for state in (arguments.state, *arguments.to) if state is not None]
    check_known("the state", asked, states, noun=f"state with marks in {arguments.pack}")
    if arguments.mark is None:
        return _table(arguments, community, asked or list(states))
    if arguments.state is None:
        msg = "--mark needs to know whose mark it is"
        raise UsageError(msg, remedy="name the state by --state")
    return _carried(arguments, community, arguments.to or [other for other in states if other != arguments.state])


def _table(arguments: argparse.Namespace, community: Community, states: list[str]) -> int:
    rows = [(state, item) for state in states for item in marks_of(state, community)]
    if arguments.json:
        write_json(
            {"marks": [{"state": s, "mark": i.mark, "level": i.level, "lossy": bool(i.lossy)} for s, i in rows]}
        )  # fmt: skip
        return Exit.OK
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("state", "mark", "level", ""):
        table.add_column(name, no_wrap=True)
    for state, item in rows:
        table.add_row(state, plain(item.mark), item.level, plain("loses meaning" if item.lossy else "", style="yellow"))
    console().print(table)
    return Exit.OK


def _carried(arguments: argparse.Namespace, community: Community, others: list[str]) -> int:
    found = {other: carry(arguments.state, arguments.mark, other, community) for other in others}
    if arguments.json:
        documents: list[dict[str, Any]] = [
            {"state": other, "mark": item.mark, "level": item.level, "lossy": list(item.lossy)}
            for other, item in found.items()
        ]
        write_json({"state": arguments.state, "mark": arguments.mark, "carried": documents})
    else:
        screen = console()
        for other, item in found.items():
            line = f"{other}: {item.mark or 'no mark'} by way of {item.level}"
            screen.print(plain("; ".join((line, *item.lossy)), style="yellow" if item.lossy else ""), soft_wrap=True)
    return Exit.NO if any(item.lossy for item in found.values()) else Exit.OK
