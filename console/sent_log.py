"""``sandiwara log DIR --agency AGENCY``: what a node has sent, and what became of each message at each reader.

Read from the node's own journal, which is the author's side of the record: the router's says what it gave to whom, and
only the readers' receipts say what has come.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from agencies.journal import Entry
from agencies.store import NodeStore
from agencies.tails import still_unarrived
from console.beside import open_beside
from console.node_view import clock_text
from console.screen import plain
from console.spool import read_waiting
from scenarios.deployed import NODE_DATABASE, node_folder
from scenarios.deployment import OUTGOING

_HID_CHARS: Final = 12
# What a receipt says, the furthest last; a reader's state is the furthest that it has come to.
_STATUS_ORDER: Final = ("delivered", "opened", "acknowledged", "acted", "cannot", "misreleased", "purged")
# By the stage that notes them.
_KINDS: Final = {"requested": "request", "decision": "decision", "proposed": "proposal", "objected": "objection"}
_ALARMING: Final = frozenset({"refused", "expired", "lapsed", "opposed", "undelivered"})
_UNANSWERED: Final = "no answer to the recall"


@dataclass(slots=True)
class ReaderState:
    """One reader of a message: ``waiting``, ``overdue``, ``expired``, or the furthest that its receipts say.

    Of a message that was recalled: ``purged``, ``cannot`` or that there is no answer. ``used_in``: the products that
    the reader has made from it. ``grant_over``: a grant to it has ended, and it has erased what came by that.
    """

    agency: str
    state: str = "waiting"
    settled_late: bool = False
    at_ms: int | None = None
    used_in: list[str] = field(default_factory=list)
    grant_over: bool = False
    answer: str = ""  # to a question: its outcome, or that there is none in time


@dataclass(slots=True)
class SentMessage:
    """A message that the node has put into its outbox, and the router's verdict on it."""

    hid: str
    kind: str
    at_ms: int
    title: str = ""
    state: str = "waiting"  # accepted, refused, expired; lapsed; permitted, opposed or undelivered of a proposal
    code: str | None = None
    refusals: list[dict[str, Any]] = field(default_factory=list)
    readers: dict[str, ReaderState] = field(default_factory=dict)
    recalled_ms: int | None = None

    def take(self, entry: Entry) -> None:
        """Follow what the journal says of it next."""
        fields = entry.fields
        match entry.stage:
            case "released":
                for reader in fields["audience"]:
                    self.readers.setdefault(reader, ReaderState(reader))
                self.title = self.title or next((item["title"] for item in fields["portions"]), "")
            case "accepted" | "refused":
                # A later release of the same message may be refused; that takes nothing back of the first.
                self.state = "accepted" if self.state == "accepted" else entry.stage
                self.code = fields.get("code")
                self.refusals += fields.get("refusals", [])
            case "receipt":
                self._receipted(fields, entry.at_ms)
            case "lapsed":
                self.state = "lapsed"
            case "proposed":
                self.readers |= {member: ReaderState(member) for member in fields["members"]}
            case "objection_received":
                self.readers.setdefault(fields["member"], ReaderState(fields["member"])).answer = "objected"
            case "silence_over":
                self.state = fields["outcome"]
            case "answered" | "unanswered" if fields["mine"]:
                reader = self.readers.setdefault(fields["partner"], ReaderState(fields["partner"]))
                reader.answer = fields["outcome"] if entry.stage == "answered" else "unanswered"
            case "overdue" | "expired" | "settled_late":
                self._watched(entry)
            case _:
                pass

    def recall(self, at_ms: int) -> None:
        """Await what each reader says of a recall, but for those who have answered an earlier one."""
        if self.recalled_ms is None:
            self.recalled_ms = at_ms
            for state in self.readers.values():
                state.state, state.at_ms = _UNANSWERED, None

    def _receipted(self, fields: dict[str, Any], at_ms: int) -> None:
        reader, status = fields["reader"], fields["status"]
        state = self.readers.setdefault(reader, ReaderState(reader))
        if status == "used":
            state.used_in.append(fields["product"])
            return
        if status == "purged" and "decision" in fields:
            state.grant_over = True
            return
        if self.recalled_ms is not None and status not in {"purged", "cannot"}:
            return
        before = _STATUS_ORDER.index(state.state) if state.state in _STATUS_ORDER else -1
        if status in _STATUS_ORDER and _STATUS_ORDER.index(status) > before:
            state.state, state.at_ms = status, at_ms

    def _watched(self, entry: Entry) -> None:
        if entry.stage == "expired" and not entry.fields["accepted"]:
            self.state = "expired" if self.state == "waiting" else self.state
        for name in entry.fields["readers"]:
            state = self.readers.setdefault(name, ReaderState(name))
            if entry.stage == "settled_late":
                state.settled_late = True
            elif state.state in {"waiting", "overdue"} and self.recalled_ms is None:
                state.state, state.at_ms = entry.stage, entry.at_ms


def sent_messages(entries: Iterable[Entry]) -> list[SentMessage]:
    """Return what a journal says of everything that its node has released, in that order."""
    found: dict[str, SentMessage] = {}
    for entry in entries:
        hid = str(entry.fields.get("hid"))
        kind = _KINDS.get(entry.stage) or str(entry.fields.get("exchange") or entry.fields.get("kind"))
        if entry.stage in {"released", "asked", *_KINDS} and hid not in found:
            found[hid] = SentMessage(hid=hid, kind=kind, at_ms=entry.at_ms, title=str(entry.fields.get("subject", "")))
        if hid in found:
            found[hid].take(entry)
        recalled = found.get(str(entry.fields.get("ref")))
        if entry.stage == "released" and kind == "recall" and recalled is not None:
            recalled.recall(entry.at_ms)
    return list(found.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class SentLog:
    """What a node has sent, and how many files are handed over and not yet carried out.

    ``unarrived`` is how many messages of an originator have not come that it says it has sent here.
    """

    agency: str
    messages: list[SentMessage]
    handed_over: int
    unarrived: dict[str, int] = field(default_factory=dict)

    def as_document(self) -> dict[str, Any]:
        """Return it for machines."""
        messages = [
            asdict(item) | {"readers": [asdict(reader) for reader in _in_order(item)]} for item in self.messages
        ]
        return {
            "agency": self.agency,
            "handed_over": self.handed_over,
            "messages": messages,
            "unarrived": self.unarrived,
        }


def read_sent_log(folder: Path, agency: str, *, wanted: str) -> SentLog:
    """Read what an agency's node has sent, also while it runs.

    Args:
        folder: The region's folder, or the node's part.
        agency: Whose node.
        wanted: Only messages whose id begins so.

    Raises:
        InputError: If there is no such node.
        StoreError: If its database is not there or cannot be read.
    """
    part = node_folder(folder, agency)
    path = part / NODE_DATABASE
    store = open_beside(
        path,
        alone=lambda: NodeStore.open(path, agency=agency),
        beside=lambda database: NodeStore(database, agency=agency),
        owner=f"the node of {agency}",
        start="sandiwara node",
    )
    try:
        messages = sent_messages(store.journal.entries())
        unarrived = still_unarrived(store)
    finally:
        store.close()
    return SentLog(
        agency=agency,
        messages=[item for item in messages if item.hid.startswith(wanted)],
        handed_over=len(read_waiting(part / OUTGOING)),
        unarrived=unarrived,
    )


def show_sent_log(screen: Console, found: SentLog) -> None:
    """Print it."""
    for message in found.messages:
        head = f"{clock_text(message.at_ms)}  {message.hid[:_HID_CHARS]}  {message.kind} {message.title}".rstrip()
        style = "bold red" if message.state in _ALARMING else "bold"
        recalled = "" if message.recalled_ms is None else f", recalled at {clock_text(message.recalled_ms)}"
        verdict = f"{message.state} {message.code or ''}".rstrip()
        screen.print(plain(f"{head}: {verdict}{recalled}", style=style), soft_wrap=True)
        for refusal in message.refusals:
            screen.print(plain(f"  {refusal['reader']} may not have place {refusal['place']}, {refusal['rule']}"))
        for reader in _in_order(message):
            late = ", settled late" if reader.settled_late else ""
            when = f" at {clock_text(reader.at_ms)}" if reader.at_ms is not None else ""
            alarm = reader.state in {"overdue", "expired", "cannot", _UNANSWERED}
            said = reader.state.upper() if alarm else reader.state
            over = ", a grant is over" if reader.grant_over else ""
            used = f", used in {' '.join(item[:_HID_CHARS] for item in reader.used_in)}" if reader.used_in else ""
            answer = f", {reader.answer.replace('_', ' ')}" if reader.answer else ""
            line = f"  {reader.agency}: {said}{when}{late}{answer}{over}{used}"
            screen.print(plain(line, style="red" if alarm else "green"))
    if not found.messages:
        screen.print(plain(f"The node of {found.agency} has sent no such message."))
    for originator, count in found.unarrived.items():
        screen.print(plain(f"{originator} says that {count} messages more were sent here: NOT ARRIVED", style="red"))
    if found.handed_over:
        screen.print(plain(f"{found.handed_over} handed over and not yet sent"))


def _in_order(message: SentMessage) -> list[ReaderState]:
    return [message.readers[name] for name in sorted(message.readers)]
