"""One screen of results after a play: what to tell the exercise director first, and where the rest is."""

from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from console.screen import plain
from scenarios.evaluate.evaluation import Evaluation
from scenarios.model import Pack
from scenarios.report.page import AarFiles
from scenarios.report.summary import verdict_sentences

_STYLES: Final = {
    "right": "green", "too wide": "bold red", "too narrow": "red", "too late": "yellow", "record": "magenta",
}  # fmt: skip
_FINDINGS_SHOWN: Final = 12  # one screen of 24 lines with what stands around them


def show_results(
    screen: Console, pack: Pack, evaluation: Evaluation, files: AarFiles, *, took_s: float, complete: bool
) -> None:
    """Show the results of a play."""
    hours = evaluation.end_ms / 3_600_000
    ended = "" if complete else "  (stopped before ENDEX)"
    screen.print(
        plain(f"\n{pack.header.title}: {hours:.1f} h of exercise played in {took_s:.0f} s{ended}", style="bold")
    )
    for sentence in verdict_sentences(evaluation):
        screen.print(plain(f"  {sentence}"))
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1, 0, 2))
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_column(no_wrap=True)
    # What went wrong is read first here; the report itself begins with what went right.
    wrong_first = sorted(evaluation.findings, key=lambda finding: finding.kind == "right")
    for finding in wrong_first[:_FINDINGS_SHOWN]:
        cause = f"cause: {finding.cause}" if finding.cause else ""
        table.add_row(plain(finding.kind, style=_STYLES.get(finding.kind, "")), plain(finding.headline), plain(cause))
    screen.print(table)
    left = len(wrong_first) - _FINDINGS_SHOWN
    if left > 0:
        screen.print(plain(f"  and {left} more in the report"))
    unexplained = len(evaluation.reconciliation.unexplained)
    agree = "agree on every message" if not unexplained else f"differ on {unexplained} messages"
    screen.print(plain(f"  router and agencies {agree}", style="" if not unexplained else "bold red"))
    screen.print(plain(f"\nafter-action report: {_shown(files.html)}", style="bold"))
    screen.print(plain(f"figures:             {_shown(files.summary_json)}"))


def _shown(path: Path) -> str:
    return str(path.resolve())
