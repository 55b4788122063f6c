"""The live view of a play: clock, injects, who knows what, and what has just been sent or denied.

On a terminal it is one screen that is drawn anew a few times a second; where none can be drawn, a line for each inject
and branch. Exercise time and scenario time are always both shown, since players speak in the second.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from agencies.conditions import Sighting
from console.screen import plain
from scenarios.engine import Progress
from scenarios.model import Pack

_REFRESH_PER_S: Final = 8
_INJECTS_SHOWN: Final = 6
_EVENTS_SHOWN: Final = 7
_TOLD: Final = {
    "report_sent", "rule_denied", "decision_received", "correction_received",
    "request_lapsed", "answer_received", "hit", "no_hit", "unanswered", "objection_received", "no_objection",
}  # fmt: skip


class View(Protocol):
    """What is told after every step of the play."""

    def update(self, progress: Progress) -> None:
        """Take in how far the play is; must not block."""
        ...


@contextmanager
def watching(pack: Pack, *, quiet: bool) -> Iterator[View]:
    """Show a play while the block runs: a screen, lines, or nothing."""
    screen = Console(stderr=True, highlight=False, markup=False, emoji=False)
    if quiet:
        yield _Nothing()
        return
    if not screen.is_terminal or screen.is_dumb_terminal:
        yield _Lines(pack, screen)
        return
    view = _Screen(pack)
    with Live(get_renderable=view.draw, console=screen, refresh_per_second=_REFRESH_PER_S, transient=True):
        yield view


class _Nothing:
    def update(self, progress: Progress) -> None:
        """Show nothing."""


class _Lines:
    """A line for each inject: for logs, pipes and dumb terminals."""

    def __init__(self, pack: Pack, screen: Console) -> None:
        self._pack = pack
        self._screen = screen
        self._shown: set[str] = set()

    def update(self, progress: Progress) -> None:
        for inject, at_ms in progress.released.items():
            if inject not in self._shown:
                self._shown.add(inject)
                row = next(item for item in self._pack.injects if item.inject == inject)
                text = f"{clock_text(at_ms - self._pack.start_ms)}  {inject}  {row.title}  -> {', '.join(row.to)}"
                self._screen.print(plain(text))


class _Screen:
    """The screen: everything on it is drawn from the latest progress."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self._progress = Progress(now_ms=pack.start_ms)
        self._zone = timezone(timedelta(minutes=pack.zone_minutes))

    def update(self, progress: Progress) -> None:
        self._progress = progress

    def draw(self) -> RenderableType:
        """Return the screen."""
        return Group(self._clock(), Text(), self._injects(), Text(), self._matrix(), Text(), self._events())

    def _clock(self) -> RenderableType:
        progress, pack = self._progress, self._pack
        gone_ms = progress.now_ms - pack.start_ms
        scenario = datetime.fromtimestamp(progress.now_ms / 1000, tz=UTC).astimezone(self._zone)
        head = Text.assemble(
            (f" {pack.header.marking} ", "bold white on dark_red"),
            f"  {pack.header.title}   ",
            (clock_text(gone_ms), "bold"),
            f" of {clock_text(pack.duration_ms)}   scenario {scenario:%d %b %H:%M}   ",
            f"{progress.reports} reports, {progress.denied} with readers denied",
        )
        return Group(head, ProgressBar(total=pack.duration_ms, completed=min(gone_ms, pack.duration_ms), width=72))

    def _injects(self) -> RenderableType:
        table = Table(box=None, pad_edge=False, show_header=False)
        released = list(self._progress.released.items())[-_INJECTS_SHOWN:]
        rows = {item.inject: item for item in self._pack.injects}
        for inject, at_ms in released:
            row = rows[inject]
            table.add_row(
                clock_text(at_ms - self._pack.start_ms), inject, plain(row.title), plain("-> " + ", ".join(row.to))
            )
        gone = self._progress.released
        due = [item for item in self._pack.injects if item.time_ms is not None and item.inject not in gone]
        for row in sorted(due, key=lambda item: item.time_ms or 0)[:2]:
            table.add_row(clock_text(row.time_ms or 0), row.inject, plain(row.title), "due", style="dim")
        return table

    def _matrix(self) -> RenderableType:
        known = dict(list(self._progress.known.items()))
        forbidden = {(item.fact, who) for item in self._pack.must_nots for who in item.who}
        needed = {(item.fact, who) for item in self._pack.needs for who in item.who}
        agencies = [item.agency for item in self._pack.participants]
        table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
        table.add_column("knows")
        for agency in agencies:
            table.add_column(agency, justify="center", no_wrap=True)
        for fact in self._pack.facts:
            cells = [_cell((fact.fact, agency), known, needed, forbidden) for agency in agencies]
            table.add_row(fact.fact, *cells)
        return Group(table, Text("K knows   N needs it   D must not have it, and does", style="dim"))

    def _events(self) -> RenderableType:
        told = [item for item in list(self._progress.sightings) if item.word in _TOLD][-_EVENTS_SHOWN:]
        return Group(*(self._event(item) for item in told))

    def _event(self, sighting: Sighting) -> Text:
        at = clock_text(sighting.at_ms - self._pack.start_ms)
        who, sender = sighting.who, sighting.sender
        match sighting.word:
            case "report_sent":
                text, style = f"{who} released by order {sighting.order}  ({sighting.cause[:8]})", ""
            case "rule_denied":
                text, style = f"{who}: a rule keeps order {sighting.order} from a reader", "yellow"
            case "decision_received":
                text, style = f"{sender} answers {who}: {sighting.outcome}", "cyan"
            case "request_lapsed":
                text, style = f"{who}: the request lapsed undecided  ({sender})", "yellow"
            case "answer_received":
                text, style = f"{sender} answers a question of {who}", "cyan"
            case "hit" | "no_hit":
                text, style = f"{who} asked {sender} for hits: {sighting.word.replace('_', ' ')}", "cyan"
            case "objection_received":
                text, style = f"{sender} objects to what {who} has put to the members", "yellow"
            case "no_objection":
                text, style = f"no member objects to what {who} has put to them", "cyan"
            case "unanswered":
                text, style = f"{sender} has not answered {who} in time", "yellow"
            case _:
                text, style = f"{who} holds a correction of {sender}", "cyan"
        return Text(f"{at}  {text}", style=style)


def _cell(
    place: tuple[str, str],
    known: dict[tuple[str, str], int],
    needed: set[tuple[str, str]],
    forbidden: set[tuple[str, str]],
) -> Text:
    if place in known:
        return Text("D", style="bold white on red") if place in forbidden else Text("K", style="green")
    return Text("N", style="yellow") if place in needed else Text("·", style="dim")


def clock_text(milliseconds: int) -> str:
    """Return exercise time as it is spoken: ``T+01:30:05``."""
    seconds = max(0, milliseconds) // 1000
    return f"T+{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
