"""``sandiwara policy diff``: which past reports would have gone elsewhere by other rules, who gains, who loses."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from console.exits import Exit
from console.log import read_releases
from console.node_view import clock_text
from console.outcome_view import label_text
from console.screen import console, plain, write_json
from policy.community import Community
from policy.difference import PastPortion, PortionShift, Shift, bundle_shifts, by_agency
from scenarios.catalogue import find_pack
from scenarios.deployment import BUNDLE_FILE
from scenarios.pack import load_pack
from scenarios.past_reports import past_portions
from scenarios.placeholder_community import compile_community
from scenarios.record import read_record
from schemas.bundle import Bundle, SignedBundle
from schemas.codec import read_shape, unpack
from schemas.errors import InputError, RemoteError
from schemas.limits import BUNDLE_BYTES_MAX


def run(arguments: argparse.Namespace) -> int:
    """Lay a proposed bundle over what was sent; 1 if any past report would have gone elsewhere.

    Raises:
        InputError: If a pack, a bundle or the log cannot be read.
        StoreError: If a broker's database cannot.
    """
    old, new = _community(arguments.old), _community(arguments.new)
    portions = _portions(Path(arguments.log))
    shifts = bundle_shifts(portions, old=old, new=new)
    reports = len({portion.hid for portion in portions})
    if arguments.json:
        write_json(_document(shifts, reports=reports))
    else:
        _show(shifts, reports=reports)
    return Exit.NO if any(shift.reaches for shift in shifts) else Exit.OK


def _community(name: str) -> Community:
    """Read a pack, or the bundle's file of a region, whose signatures are not asked for: a proposal has none yet."""
    path = Path(name)
    if path.name != BUNDLE_FILE:
        return compile_community(load_pack(find_pack(name)))
    try:
        with path.open("rb") as file:
            received = file.read(BUNDLE_BYTES_MAX + 1)
        signed = read_shape(SignedBundle, unpack(received, bytes_max=BUNDLE_BYTES_MAX))
        return Community.compile(read_shape(Bundle, unpack(signed.bundle, bytes_max=BUNDLE_BYTES_MAX)))
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise InputError(msg, remedy=f"give a pack, or a file {BUNDLE_FILE} of a region") from error
    except RemoteError as error:
        msg = f"{path} is no bundle: {error}"
        raise InputError(msg, remedy=f"give a pack, or a file {BUNDLE_FILE} of a region") from error


def _portions(folder: Path) -> tuple[PastPortion, ...]:
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
