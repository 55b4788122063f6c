"""``sandiwara lint``: what a planner should know of a pack before anybody plays it."""

import argparse
from typing import Final

from console.exits import Exit
from console.screen import console, plain, write_json
from scenarios.catalogue import find_pack
from scenarios.finding import LEVELS, Finding
from scenarios.lint import lint_path

_STYLES: Final = {"error": "bold red", "warning": "yellow", "advice": "dim"}


def run(arguments: argparse.Namespace) -> int:
    """Examine a pack; 1 if there are errors, or warnings where they count."""
    findings = lint_path(find_pack(arguments.pack))
    counts = {level: sum(finding.level == level for finding in findings) for level in LEVELS}
    if arguments.json:
        write_json({"pack": arguments.pack, "counts": counts, "findings": [_described(item) for item in findings]})
    else:
        screen = console()
        for finding in findings:
            screen.print(
                plain(f"{finding.place}: ").append(finding.level, style=_STYLES[finding.level])
                .append(plain(f": {finding.text} [{finding.code}]")),
                soft_wrap=True,
            )  # fmt: skip
        total = ", ".join(f"{count} {level}{_plural(level, count)}" for level, count in counts.items())
        screen.print(plain(f"{arguments.pack}: {total}"))
    failed = counts["error"] or (arguments.strict and counts["warning"])
    return Exit.NO if failed else Exit.OK


def _plural(level: str, count: int) -> str:
    return "" if level == "advice" or count == 1 else "s"


def _described(finding: Finding) -> dict[str, str | int]:
    file, _, rest = finding.place.partition(":")
    line = rest.partition(":")[0]
    return {
        "level": finding.level,
        "code": finding.code,
        "file": file,
        "line": int(line) if line.isdigit() else 1,
        "text": finding.text,
    }
