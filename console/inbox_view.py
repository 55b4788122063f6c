"""The inbox for people: what waits first, then what is awaited, then what is held."""

from collections.abc import Callable
from typing import Final

from rich.console import Console

from console.inbox import Held, Inbox, Item
from console.node_view import clock_text
from console.screen import plain

_HID_CHARS: Final = 12
# What to write, once somebody has decided to do it.
_COMMANDS: Final = {
    "decide": "decide {hid} grant|refuse --why …",
    "sign": "sign {hid}, or refuse {hid} --why …",
    "answer": "answer {hid} …, or decline {hid} --why …",
    "finish": "done {hid}",
    "object": "object {hid} --why …",
    "release": "release {hid} --to {who} --why …",
    "recall": "recall {hid} --why …",
}
_OF_COORDINATION: Final = frozenset({"task", "offer"})


def show_inbox(screen: Console, inbox: Inbox) -> None:
    """Print an inbox."""

    def line(text: str, style: str = "") -> None:
        screen.print(plain(text, style=style), soft_wrap=True)

    line("waits for this desk", "bold")
    for item in inbox.waiting:
        _show_item(line, item)
        line(f"      {_command(item)}", "cyan")
    if not inbox.waiting:
        line("  nothing", "dim")
    if inbox.awaited:
        line("awaited from others", "bold")
        for item in inbox.awaited:
            _show_item(line, item)
    for originator, messages in inbox.unarrived.items():
        line(f"{originator} says that {messages} messages more were sent here: NOT ARRIVED", "red")
    line("held", "bold")
    for held in inbox.held:
        line(f"  {_held(held)}", "" if held.state == "held" else "dim")
    if not inbox.held:
        line("  nothing", "dim")
    if inbox.left_out:
        line(f"  … and {inbox.left_out} older: --all shows them", "dim")
    if inbox.handed_over:
        line(f"{inbox.handed_over} handed over and not yet carried out", "bold")
    for name in inbox.set_aside:
        line(f"set aside, since it could not be carried out: {name}", "red")


def _show_item(line: Callable[[str, str], None], item: Item) -> None:
    who = f" {', '.join(item.who)}" if item.who else ""
    subject = f" '{item.subject}'" if item.subject else ""
    due = "" if item.due_ms is None else f", due {clock_text(item.due_ms)}"
    late = ", OVERDUE" if item.overdue else ""
    note = f" ({item.note})" if item.note else ""
    line(f"  {item.hid[:_HID_CHARS]}  {item.what} {item.kind}{who}{subject}{due}{late}{note}", "red" if late else "")


def _command(item: Item) -> str:
    command = _COMMANDS[item.what]
    if item.what == "answer" and item.kind in _OF_COORDINATION:
        command = "accept {hid}, or decline {hid} --why …"
    return command.format(hid=item.hid[:_HID_CHARS], who=", ".join(item.who))


def _held(held: Held) -> str:
    title = {"recalled": "RECALLED", "ended": "its grant is over"}.get(held.state, held.title)
    head = f"{held.hid[:_HID_CHARS]}  {clock_text(held.at_ms)}  {held.kind} from {held.originator}"
    return f"{head}  {title}".rstrip()
