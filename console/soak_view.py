"""What people see of a soak: its figures, what broke and how to replay it, and which planted bugs were found."""

from collections.abc import Mapping
from typing import Any, Final

from rich.table import Table

from console.screen import console, plain

_NUMBERS: Final = ("runs", "fired", "reports_accepted", "deliveries", "lost", "double_effects")


def show_soak(document: Mapping[str, Any]) -> None:
    """Show the figures of a soak, then what broke and what was never tried."""
    screen = console()
    screen.print(
        plain(
            f"{document['seeds']} seeds in {document['real_seconds']} s: {document['seeds_per_minute']} a minute, "
            f"{document['seeds_per_minute_per_core']} for each core; {document['times_real_time']} times real time"
        )
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("fault", no_wrap=True)
    for name in _NUMBERS:
        table.add_column(name.replace("_", " "), justify="right")
    for kind, row in document["by_fault"].items():
        table.add_row(plain(kind.replace("_", " ")), *(str(row[name]) for name in _NUMBERS))
    screen.print(table)
    for failure in document["failures"]:
        cut = (
            f"cut down to {failure['messages']} messages and {failure['faults']} faults" if failure["cut"] else "whole"
        )
        screen.print(plain(f"seed {failure['seed']}, {cut}:", style="bold"))
        show_failure(failure)
        screen.print(plain(f"  replay: sandiwara soak --plan {failure['plan']}"))
    if document["never_seen"]:
        screen.print(plain(f"never seen, so not tried: {', '.join(document['never_seen'])}", style="bold"))
    elif not document["failures"]:
        screen.print(plain("nothing broke"))


def show_failure(failure: Mapping[str, Any]) -> None:
    """Show which invariant broke, when, and how."""
    screen = console()
    screen.print(plain(f"  must hold ({failure['invariant']}): {failure['must_hold']}"))
    screen.print(plain(f"  at {failure['virtual_ms'] / 1000:.3f} virtual seconds: {failure['what']}"))


def show_canaries(document: Mapping[str, Any]) -> None:
    """Show where each planted bug was found, and by what."""
    screen = console()
    for item in document["canaries"]:
        screen.print(plain(f"{item['canary']}: {item['bug']}", style="" if item["found"] else "bold"))
        if item["by_seed"] is not None:
            screen.print(plain(f"  found by seed {item['seed']}, after {item['seeds']}: {_broken(item['by_seed'])}"))
        else:
            screen.print(plain(f"  not found by {item['seeds']} seeds"))
        if item["plan"] is not None:
            by_plan = "nothing broke" if item["by_plan"] is None else _broken(item["by_plan"])
            screen.print(plain(f"  by the plan {item['plan']}: {by_plan}"))
    found = sum(item["found"] for item in document["canaries"])
    screen.print(plain(f"{found} of {len(document['canaries'])} planted bugs were found"))


def _broken(failure: Mapping[str, Any]) -> str:
    return f"({failure['invariant']}) {failure['what']}"
