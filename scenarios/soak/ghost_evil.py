"""What the ghost asks of a run with a lying router: nothing false is believed, and every lie is noticed by somebody.

Prevention is asked of the signatures and keys alone (ghost_reports.py, ghost_wire.py hold as ever). What a router can
do all the same, which is to be silent and to tell two stories, must show: at the author, whose receipt is overdue; at a
reader, which rejects; at a witness, which holds two trees; and in the exported log, laid beside the journals.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from scenarios.soak.ghost_community import Bundles
from scenarios.soak.ghost_reports import Reports
from scenarios.soak.invariants import NOTICED
from scenarios.soak.malice import Deed, Malice

# "C2SP: a split view is found within a heartbeat": half a minute, and what the slowest line and disk add to it.
_HEARTBEAT_MS: Final = 30_000
_SLACK_MS: Final = 15_000
_HID_SHOWN: Final = 16  # digits of an id in a finding
_OF_A_SPLIT: Final = frozenset({"forged", "hidden"})
_SPLIT_FAULTS: Final = frozenset({"ROLLBACK", "SPLIT_VIEW", "FORK"})


class Finding(Protocol):
    """What an auditor says is wrong (``conformance.audit_reading.Finding``)."""

    @property
    def fault(self) -> str:
        """The kind."""
        ...

    @property
    def file(self) -> str:
        """Where."""
        ...

    @property
    def text(self) -> str:
        """In words."""
        ...


class EvilWatch:
    """Watches one run with a lying router.

    Args:
        reports: The ghost's account of reports.
        malice: The router's own account of its deeds.
        bundles: Who is revoked, of whom nothing is asked.
        broke: Told of what does not hold.
        saw: Counts what was noticed.
        now_ms: Virtual time.
    """

    def __init__(
        self,
        reports: Reports,
        malice: Malice,
        *,
        bundles: Bundles,
        broke: Callable[[int, str], None],
        saw: Callable[[str], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._reports = reports
        self._malice = malice
        self._bundles = bundles
        self._broke = broke
        self._saw = saw
        self._now_ms = now_ms
        self._overdue: set[tuple[str, str, str]] = set()  # author, message, reader
        self._receipted: set[tuple[str, str, str]] = set()
        self._log_faults: dict[str, int] = {}  # by witness, when it first put one down
        self._link_ended: dict[str, int] = {}  # when each node last put that down
        self._rejections: Counter[str] = Counter()  # by reader
        self._delivered: Counter[tuple[str, str]] = Counter()  # message and reader, as the router's record has it
        self._decided: Counter[tuple[str, str]] = Counter()
        self._refused: set[str] = set()
        self._on_record: set[str] = set()  # refused by the router's record

    def journal(self, agency: str, stage: str, fields: dict[str, Any]) -> None:
        """See an entry of a node's journal."""
        match stage:
            case "overdue" | "expired" if fields["hid"] is not None:
                self._overdue.update((agency, fields["hid"], reader) for reader in fields["readers"])
                self._saw("noticed overdue")
            case "log_fault" if fields["fault"] in _SPLIT_FAULTS:
                self._log_faults.setdefault(agency, self._now_ms())
                self._saw("noticed split view")
                # Who was never shown but the true log knows of the other by a receipt.
                if not any(deed.reader == agency for deed in self._malice.deeds if deed.kind.startswith("split view")):
                    self._saw("noticed split view at a meeting")
            case "link_down":
                self._link_ended[agency] = self._now_ms()
            case "rejected":
                self._rejections[agency] += 1
                self._saw("noticed by its reader")
            case "duplicate":
                self._saw("noticed as a duplicate")
            case "receipt":
                # Whichever: who has opened a message has received it.
                self._receipted.add((agency, fields["hid"], fields["reader"]))
            case "refused":
                self._refused.add(fields["hid"])
            case _:
                pass

    def record(self, stage: str, hid: str, agency: str, value: Any) -> None:
        """See a record of the router's own."""
        if stage == "delivered":
            self._delivered[hid, agency] += 1
        elif stage == "refused":
            self._on_record.add(hid)
        elif stage == "admitted":
            self._decided.update((hid, reader) for reader, _ in value[4])

    # At the end.

    def unnoticed(self) -> list[str]:
        """Return what nobody has noticed so far, though somebody must."""
        return [*self._silent(), *self._unseen_splits(), *self._untold()]

    def _silent(self) -> list[str]:
        """Every reader of every report has receipted it, or its author knows that it has not."""
        reports, struck = self._reports, self._bundles.revoked_anywhere
        found: list[str] = []
        for hid, sent in reports.sent.items():
            if sent.author in struck or hid in self._refused:
                continue
            for reader in dict.fromkeys(reader for audience in sent.audiences for reader in audience):
                if reader in struck:
                    continue
                if (sent.author, hid, reader) not in self._receipted | self._overdue:
                    found.append(f"{sent.author} has no receipt of {reader} for {hid}, and has not been told so")
        return found

    def _unseen_splits(self) -> list[str]:
        """A witness that is shown a tree which contradicts what it keeps says so at once.

        It may have been lost on the way, with the link that it was sent on.
        """
        told = self._log_faults.keys() | self._bundles.revoked_anywhere
        return [
            f"{deed.reader} was shown another past and has put nothing down"
            for deed in self._malice.deeds
            if deed.kind == "split view, past"
            and deed.reader not in told
            and self._link_ended.get(deed.reader, -1) < deed.at_ms
        ]

    def _untold(self) -> list[str]:
        refused = {deed.hid for deed in self._malice.deeds if deed.kind == "refused without cause"}
        return [
            f"the author of {hid} was not told that it was refused"
            for hid in sorted(refused & self._reports.sent.keys() - self._refused)
            if self._reports.sent[hid].author not in self._bundles.revoked_anywhere
        ]

    def finish(self) -> None:
        """Look at how soon what was noticed was noticed."""
        for deed in self._malice.deeds:
            at_ms = self._log_faults.get(deed.reader)
            if deed.kind == "split view, past" and at_ms is not None and at_ms > deed.at_ms + _HEARTBEAT_MS + _SLACK_MS:
                self._broke(NOTICED, f"{deed.reader} took {at_ms - deed.at_ms} ms to see another past")
            bent = deed.kind.startswith("substituted") and self._delivered[deed.hid, deed.reader]
            if bent and not self._rejections[deed.reader]:
                self._broke(NOTICED, f"{deed.reader} acked {deed.hid}, which was bent, and rejected nothing")

    def audited(self, findings: Sequence[Finding]) -> None:
        """Compare what an auditor found with what was done."""
        for deed in self._malice.deeds:
            if self._shows(deed) and not any(_names(finding, deed) for finding in findings):
                self._broke(NOTICED, f"no auditor names what was done to {deed.reader}: {deed.kind} {deed.hid}")
        for finding in findings:
            self._saw(f"audit {finding.fault}")

    def _shows(self, deed: Deed) -> bool:
        """Tell whether a deed came to anything: a reader may have died, or been revoked, before it had any effect."""
        pair, settled = (deed.hid, deed.reader), self._reports.settled.get((deed.reader, deed.hid), [])
        had_effect = {
            "emptied": bool(self._delivered[pair]) and not self._reports.verified.get((deed.reader, deed.hid)),
            "substituted": bool(self._delivered[pair]),
            "misrouted": self._delivered[pair] > self._decided[pair],
            "replayed": self._delivered[pair] > self._decided[pair],
            "hidden": bool(self._decided[pair]) and deed.hid in self._reports.sent,
            "accepted and kept": "accepted" in settled,
            # Where the lie was lost on the way, it may have been refused later for a cause.
            "refused without cause": "refused" in settled and deed.hid not in self._on_record,
            "split view, past": deed.reader in self._log_faults,
            "split view, future": deed.reader in self._malice.believed,
        }
        return any(had for kind, had in had_effect.items() if deed.kind.startswith(kind))


def _names(finding: Finding, deed: Deed) -> bool:
    """Tell whether a finding is about the message and the agency of a deed."""
    if not deed.hid:
        return finding.fault in _OF_A_SPLIT and deed.reader in finding.file
    return deed.hid[:_HID_SHOWN] in finding.text and (deed.reader in finding.text or deed.reader in finding.file)
