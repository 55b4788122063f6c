"""What happens at a node, told in order from the node's own journal: the one place that knows all of it.

Runs where the node's database is used. A report counts as told once its "opened" is in the journal, so what arrived
and was not shown before a crash is shown after it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from agencies.journal import Entry
from agencies.store import NodeStore
from console.spool import CAUSE
from policy.decide import obligations
from schemas.label import Label
from schemas.report import Passage, PortionContent
from schemas.workflow import ReleaseTerms

Happening = dict[str, Any]
_TOLD: Final = frozenset(
    {
        "receipt",
        "recalled",
        "overridden",
        "misreleased",
        "bundle",
        "link_up",
        "link_down",
        "overdue",
        "settled_late",
        "lapsed",
        "grant_over",
        "tainted",
        "answered",
        "unanswered",
        "answer_due",
        "unarrived",
        "objection_received",
        "silence_over",
        "cosign_received",
        "joint_released",
        "joint_reissued",
    }
)
_VERDICTS: Final = frozenset({"accepted", "refused", "expired"})


def handed(cause: str) -> str:
    """Return what is remembered of an act that is over, beside the causes of what it released."""
    return f"{cause}#handed"


@dataclass(slots=True)
class SentReport:
    """A report sent in this run: who must receipt which bits, and how far that has come."""

    audience: dict[str, int]
    settled: str = ""
    receipted: dict[str, int] = field(default_factory=dict)
    expired: set[str] = field(default_factory=set)

    def owing(self) -> tuple[str, ...]:
        """Return the readers that have not receipted all they were given, and may still do so."""
        owing = (name for name, bits in self.audience.items() if bits & ~self.receipted.get(name, 0))
        return tuple(sorted(name for name in owing if name not in self.expired))


class Happenings:
    """Reads the journal on from where it stood."""

    def __init__(self, store: NodeStore) -> None:
        self._store = store
        self._after = 0
        self._reports: set[str] = set()  # of ours; the verdicts on receipts concern nobody
        self.causes: set[str] = set()
        self.sent: dict[str, SentReport] = {}

    def begin(self) -> list[Happening]:
        """Pass over what was told in earlier runs; returns the reports that were not."""
        journal = self._store.journal
        self._after = journal.number
        # Of a journal of years, no more than names is kept.
        self._reports.update(journal.field("released", "hid"))
        self._note_causes(journal.field("intended", "cause"))
        self._note_handed(journal.field("handed", "cause"))
        unread: dict[str, list[Entry]] = {}
        for entry in journal.entries(stages=("verified", "opened", "recalled")):
            match entry.stage:
                case "verified":
                    unread.setdefault(entry.fields["hid"], []).append(entry)
                case "opened" | "recalled":
                    unread.pop(entry.fields["hid"], None)
        return [self._received(entry) for entries in unread.values() for entry in entries]

    def news(self) -> list[Happening]:
        """Return what has happened since."""
        found: list[Happening] = []
        for entry in self._new_entries():
            if entry.stage == "verified":
                found.append(self._received(entry))
            elif entry.stage in _TOLD or (entry.stage in _VERDICTS and entry.fields["hid"] in self._reports):
                self._follow(entry)
                found.append({"event": entry.stage, "at_ms": entry.at_ms, **entry.fields})
        return found

    def positions(self, hid: bytes | None, audience: dict[str, int]) -> dict[str, list[int]]:
        """Return, for each reader of a report of ours, the numbers (from 1) of the portions it was given."""
        sealed = None if hid is None else self._store.sealed(hid)
        places = [] if sealed is None else [portion.place for portion in sealed.portions]
        return {
            reader: [at for at, place in enumerate(places, start=1) if bits >> place & 1]
            for reader, bits in sorted(audience.items())
        }

    def _new_entries(self) -> list[Entry]:
        entries = list(self._store.journal.entries(after=self._after))
        if entries:
            self._after = entries[-1].number
        for entry in entries:
            if entry.stage == "released":
                self._reports.add(entry.fields["hid"])
            if entry.stage == "intended":
                self._note_causes([entry.fields.get("cause")])
            if entry.stage == "handed":
                self._note_handed([entry.fields.get("cause")])
        return entries

    def _note_causes(self, causes: Iterable[Any]) -> None:
        self.causes.update(cause for cause in causes if isinstance(cause, str) and cause.startswith(CAUSE))

    def _note_handed(self, causes: Iterable[Any]) -> None:
        self.causes.update(handed(cause) for cause in causes if isinstance(cause, str))

    def _follow(self, entry: Entry) -> None:
        sent = self.sent.get(entry.fields.get("hid") or "")
        if sent is None:
            return
        if entry.stage in _VERDICTS and not (entry.stage == "expired" and sent.settled):
            sent.settled = entry.stage
        if entry.stage == "expired":
            sent.expired.update(entry.fields["readers"])
        elif entry.stage == "receipt":
            reader = entry.fields["reader"]
            sent.receipted[reader] = sent.receipted.get(reader, 0) | entry.fields["bits"]

    def _received(self, entry: Entry) -> Happening:
        fields = entry.fields
        hid = bytes.fromhex(fields["hid"])
        bits = fields["bits"]
        portions = [item for item in self._store.portions(hid) if bits >> item.place & 1]
        return {
            "event": "received",
            "at_ms": entry.at_ms,
            "hid": fields["hid"],
            "kind": fields["kind"],
            "originator": fields["originator"],
            "ref": fields["ref"],
            "portions": [shown_portion(item.label, item.content) for item in portions if item.content is not None],
            # "A reader MUST show which of the named co-signers have not signed."
            **{name: fields[name] for name in ("cosigned", "unsigned") if name in fields},
        }


def shown_portion(label: Label, content: Any) -> dict[str, Any]:
    """Return a portion as JSON has it: its label, what its reader takes on with it, and what it says."""
    return {"label": label._asdict(), **_taken_on(label, content), **_content(content)}


def _taken_on(label: Label, content: Any) -> dict[str, Any]:
    """Return what the reader takes on with a portion; a request or receipt binds nobody by its label."""
    return {"obligations": list(obligations(label))} if isinstance(content, PortionContent) else {}


def _content(content: Any) -> dict[str, Any]:
    """Return a portion's content as JSON has it; of requests, decisions and questions, their fields."""
    if not isinstance(content, PortionContent):
        return {name: _value(value) for name, value in content._asdict().items()}
    observed, grading = content.observed, content.grading
    return {
        "marking": content.marking,
        "title": content.title,
        "text": content.text,
        "language": content.language,
        "indicators": [item._asdict() for item in content.indicators],
        "places": [item._asdict() for item in content.places],
        "observed": None if observed is None else observed._asdict(),
        "grading": None if grading is None else grading._asdict(),
    }


def _value(value: Any) -> Any:
    """Return a field as JSON has it; points that two agencies compare say nothing to people, but for their number."""
    if isinstance(value, ReleaseTerms):
        return f"{value.hid.hex()} to {value.reader}"
    if isinstance(value, tuple) and all(isinstance(item, Passage) for item in value):
        return "".join(item.text for item in value)
    if isinstance(value, tuple):
        return f"{len(value)} blinded points"
    return value.hex() if isinstance(value, bytes) else value
