"""The outcome of a share for people: a table of groups of agencies, what each portion is, and what each rule said."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from console.outcome import Cell, Group, Outcome, groups, spoken_names
from console.screen import plain
from schemas.label import Label

_COLUMN_CHARS: Final = 18  # a sign and the longest rule id
_NAMES_CHARS: Final = 30  # less is no column of names any more


def show_outcome(screen: Console, outcome: Outcome) -> None:
    """Print the matrix and what explains it."""
    found = groups(outcome)
    _show_portions(screen, outcome)
    screen.print()
    if screen.width >= _NAMES_CHARS + _COLUMN_CHARS * len(outcome.portions):
        _show_table(screen, outcome, found)
    else:
        _show_list(screen, outcome, found)
    screen.print()
    _show_rules(screen, found)
    _show_differences(screen, outcome)


def label_text(label: Label) -> str:
    """Return a label on one line."""
    parts = [f"TLP:{label.tlp}", label.level, label.topic]
    for name, words in (
        ("REL TO", label.rel), ("NOT", label.exclude), ("", label.caveats), ("compartments", label.compartments),
        ("mechanisms", label.mechanisms), ("affected", label.affected),
    ):  # fmt: skip
        if words:
            parts.append(f"{name} {','.join(words)}".strip())
    return "  ".join(parts)


def _show_portions(screen: Console, outcome: Outcome) -> None:
    sent = outcome.hid is not None
    for at, portion in enumerate(outcome.portions):
        readers = len(outcome.readers(at))
        verb = "received by" if sent else "would be received by"
        screen.print(plain(f"P{at + 1}  {portion.content.title}", style="bold"))
        screen.print(plain(f"    {label_text(portion.label)}"))
        screen.print(plain(f"    {verb} {readers} of {len(outcome.rows)} agencies"))


def _names(group: Group, outcome: Outcome) -> str:
    names = list(spoken_names(group.names, [row.agency for row in outcome.rows]))
    return f"{len(group.names)}: {', '.join(names)}"


def _sign(cell: Cell) -> Text:
    has = cell.foreseen if cell.received is None else cell.received
    if cell.differs:
        return plain(f"!! {'got it' if has else 'no'} ({cell.rule})", style="bold red")
    return plain(f"yes ({cell.rule})", style="green") if has else plain(f"no  ({cell.rule})", style="dim")


def _show_table(screen: Console, outcome: Outcome, found: Sequence[Group]) -> None:
    table = Table(pad_edge=False, show_lines=True, header_style="bold")
    table.add_column("agencies", ratio=1, overflow="fold")
    for at in range(len(outcome.portions)):
        table.add_column(f"P{at + 1}", min_width=8, overflow="fold")
    for group in found:
        table.add_row(plain(_names(group, outcome)), *(_sign(cell) for cell in group.cells))
    screen.print(table)


def _show_list(screen: Console, outcome: Outcome, found: Sequence[Group]) -> None:
    """Where the portions do not fit beside each other: those that came out alike share a line."""
    for group in found:
        screen.print(plain(_names(group, outcome), style="bold"))
        alike: dict[str, list[int]] = {}
        signs: dict[str, Text] = {}
        for at, cell in enumerate(group.cells):
            sign = _sign(cell)
            alike.setdefault(sign.plain, []).append(at + 1)
            signs[sign.plain] = sign
        for spelled, numbers in alike.items():
            screen.print(plain("  ").append(signs[spelled]).append(f"  {_spans(numbers)}"))


def _spans(numbers: Sequence[int]) -> str:
    """Return ``P1-P4, P7``."""
    spans: list[tuple[int, int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1] = (spans[-1][0], number)
        else:
            spans.append((number, number))
    return ", ".join(f"P{first}" if first == last else f"P{first}-P{last}" for first, last in spans)


def _show_rules(screen: Console, found: Sequence[Group]) -> None:
    said: dict[str, str] = {}
    for group in found:
        for cell in group.cells:
            said.setdefault(cell.rule, cell.reason)
    screen.print(plain("The rules, each by one of its cases", style="bold"))
    for rule, reason in said.items():
        screen.print(plain(f"  {rule}: {reason}"))


def _show_differences(screen: Console, outcome: Outcome) -> None:
    if outcome.hid is None:
        return
    differences = outcome.differences
    if not differences:
        screen.print(plain("Pre-flight, router and nodes agree on every agency and portion.", style="green"))
        return
    screen.print(plain(f"{len(differences)} came out otherwise than foreseen:", style="bold red"))
    for row, at in differences:
        cell = row.cells[at]
        words = {True: "yes", False: "no", None: "-"}
        screen.print(
            plain(
                f"  {row.agency.agency} P{at + 1}: foreseen {words[cell.foreseen]}, router {words[cell.routed]}, "
                f"node {words[cell.received]}"
            )
        )
