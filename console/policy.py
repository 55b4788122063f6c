"""``sandiwara policy diff``: which past reports would have gone elsewhere by other rules, who gains, who loses."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from console.exits import Exit
from console.log import read_releases
from console.node_view import clock_text
from console.outcome_view import label_text
from console.screen import console, plain, write_json
from policy.community import Community
from policy.difference import PastPortion, PortionShift, Shift, bundle_shifts, by_agency
from scenarios.bundle_files import read_bundle_file
from scenarios.catalogue import find_pack
from scenarios.deployment import BUNDLE_FILE
from scenarios.pack import load_pack
from scenarios.past_reports import past_portions
from scenarios.placeholder_community import compile_community
from scenarios.record import read_record

_PACK_SUFFIXES: Final = (".yaml", ".yml")


def run(arguments: argparse.Namespace) -> int:
    """Lay a proposed bundle over what was sent; 1 if any past report would have gone elsewhere.

    Raises:
        InputError: If a pack, a bundle or the log cannot be read.
        StoreError: If a broker's database cannot.
    """
    old, new = community_of(arguments.old), community_of(arguments.new)
    portions = portions_of(Path(arguments.log))
    shifts = bundle_shifts(portions, old=old, new=new)
    reports = len({portion.hid for portion in portions})
    if arguments.json:
        write_json(_document(shifts, reports=reports))
    else:
        _show(shifts, reports=reports)
    return Exit.NO if any(shift.reaches for shift in shifts) else Exit.OK


def community_of(name: str) -> Community:
    """Read a pack, or a bundle's file, whose signatures are not asked for: a proposal has none yet."""
    path = Path(name)
    try:
        is_bundle = path.is_file() and path.suffix not in _PACK_SUFFIXES
    except (OSError, ValueError):  # no name of a file; the pack that it may be meant for is looked for all the same
        is_bundle = False
    if is_bundle or path.name == BUNDLE_FILE:
        return Community.compile(read_bundle_file(path).bundle)
    return compile_community(load_pack(find_pack(name)))


def portions_of(folder: Path) -> tuple[PastPortion, ...]:
    """Read the reports of a play, or of a deployed region's broker."""
    if (folder / "record").is_dir():
        return past_portions(read_record(folder / "record"))
    if any(folder.glob("*.jsonl")):
        return past_portions(read_record(folder))
    releases, _ = read_releases(folder)
    return tuple(
        PastPortion(
            hid=release.hid, place=portion.place, originator=release.originator, at_ms=release.at_ms,
            label=portion.label, got=frozenset(name for name, _ in portion.permitted),
        )
        for release in releases
        if release.outcome == "accepted" and not release.is_workflow
        for portion in release.portions
    )  # fmt: skip


def _document(shifts: Sequence[PortionShift], *, reports: int) -> dict[str, Any]:
    def moved(items: Sequence[Shift]) -> list[dict[str, str]]:
        return [{"agency": item.agency, "rule": item.rule, "reason": item.reason} for item in items]

    return {
        "reports": reports,
        "elsewhere": len({shift.portion.hid for shift in shifts if shift.reaches}),
        "agencies": {name: {"gains": gains, "loses": loses} for name, (gains, loses) in by_agency(shifts).items()},
        "portions": [
            {
                "hid": shift.portion.hid,
                "place": shift.portion.place,
                "originator": shift.portion.originator,
                "at_ms": shift.portion.at_ms,
                "label": shift.portion.label._asdict(),
                "gains": moved(shift.gains),
                "loses": moved(shift.loses),
                "opened_and_not_meant": list(shift.opened),
                "closed_and_not_sent": list(shift.closed),
            }
            for shift in shifts
        ],
    }


def _show(shifts: Sequence[PortionShift], *, reports: int) -> None:
    screen = console()
    for shift in shifts:
        portion = shift.portion
        head = f"{clock_text(portion.at_ms)}  {portion.hid[:12]}  from {portion.originator}, place {portion.place}: "
        screen.print(plain(head + label_text(portion.label), style="bold" if shift.reaches else "dim"), soft_wrap=True)
        for sign, style, moved in (("gains", "green", shift.gains), ("loses", "red", shift.loses)):
            for item in moved:
                screen.print(plain(f"  {item.agency} {sign} it by {item.rule}: {item.reason}", style=style))
        for word, names in (
            ("opened to, and not meant for", shift.opened),
            ("closed to, and not sent to", shift.closed),
        ):
            if names:
                screen.print(plain(f"  {word} {', '.join(names)}", style="dim"))
    for name, (gains, loses) in by_agency(shifts).items():
        screen.print(plain(f"{name}: gains {gains}, loses {loses}"))
    elsewhere = len({shift.portion.hid for shift in shifts if shift.reaches})
    screen.print(plain(f"{elsewhere} of {reports} past reports would have gone elsewhere"))
