"""``sandiwara tearline``: what of a stricter portion shows in one that reaches further, before it is sent."""

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agencies.tearline import Slip, slips
from console.exits import Exit
from console.label_options import check_known, words
from console.outcome_view import label_text
from console.report_file import read_report_file
from console.screen import console, plain, write_json
from policy.audience import audience_mask
from policy.community import Community
from policy.rollup_reasons import explain_roll_up
from scenarios.catalogue import find_pack
from scenarios.pack import load_pack
from scenarios.placeholder_community import compile_community
from schemas.report import Portion


@dataclass(frozen=True, slots=True, kw_only=True)
class Below:
    """A portion that reaches readers whom stricter ones do not, and what of those shows in it."""

    place: int
    stricter: tuple[int, ...]
    readers: tuple[str, ...]  # those who may have this portion and not all of the stricter ones
    slips: tuple[Slip, ...]


def run(arguments: argparse.Namespace) -> int:
    """Lint the tear-lines of a report; 1 if anything but single words shows below one (with --strict: anything).

    Raises:
        InputError: If the pack or the report cannot be read.
        UsageError: If the pack knows no such agency.
    """
    pack = load_pack(find_pack(arguments.pack))
    community = compile_community(pack)
    ids = [agency.agency for agency in community.agencies]
    check_known("--as", [arguments.sender], ids, noun=f"agency of {pack.header.pack}")
    report = read_report_file(Path(arguments.file), community=community, now_ms=pack.start_ms)
    allowed = words(arguments.allow)
    found = _tear_lines(report.portions, arguments.sender, pack.start_ms, community, allowed)
    banner, reasons = explain_roll_up([portion.label for portion in report.portions], community)
    telling = any(slip.kind != "word" or arguments.strict for below in found for slip in below.slips)
    if arguments.json:
        write_json(
            {
                "tear_lines": [asdict(below) for below in found],
                "banner": banner._asdict(),
                "banner_reasons": list(reasons),
            }
        )
    else:
        _show(found, report.portions)
        screen = console()
        screen.print(plain(f"banner of the whole: {label_text(banner)}", style="bold"), soft_wrap=True)
        for line in reasons:
            screen.print(plain(f"  {line}"))
    return Exit.NO if telling else Exit.OK


def _tear_lines(
    portions: tuple[Portion, ...], sender: str, at_ms: int, community: Community, allowed: tuple[str, ...]
) -> list[Below]:
    masks = [
        audience_mask(portion.label, originator=sender, at_ms=at_ms, community=community) for portion in portions
    ]  # fmt: skip
    found = []
    for place, portion in enumerate(portions):
        stricter = tuple(other for other, mask in enumerate(masks) if other != place and masks[place] & ~mask)
        if stricter:
            beyond = 0
            for other in stricter:
                beyond |= masks[place] & ~masks[other]
            above = [portions[other].content for other in stricter]
            found.append(
                Below(
                    place=place,
                    stricter=stricter,
                    readers=community.ids(beyond),
                    slips=slips(above, portion.content, allowed=allowed),
                )
            )
    return found


def _show(found: list[Below], portions: tuple[Portion, ...]) -> None:
    screen = console()
    if not found:
        screen.print(plain("no portion reaches anybody whom another does not: there is no tear-line"))
    for below in found:
        above = ", ".join(str(other + 1) for other in below.stricter)
        head = f"portion {below.place + 1} below {above}: {label_text(portions[below.place].label)}"
        screen.print(plain(head, style="bold"), soft_wrap=True)
        screen.print(plain(f"  may be read without them by {', '.join(below.readers)}"), soft_wrap=True)
        for slip in below.slips:
            style = "dim" if slip.kind == "word" else "red"
            screen.print(plain(f"  {slip.kind} {_spoken(slip)}: {slip.why}", style=style), soft_wrap=True)
        if not below.slips:
            screen.print(plain("  nothing of them shows", style="green"))


def _spoken(slip: Slip) -> str:
    same: Any = slip.below.casefold() == slip.above.casefold()
    return f"'{slip.below}'" if same else f"'{slip.below}' (above: '{slip.above}')"
