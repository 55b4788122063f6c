"""What the databases of a region that crashed and was stopped say, held against what its commands said.

Read by the code that wrote them, with nobody else at the files.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from agencies.journal import Entry
from agencies.store import NodeStore
from broker.store import Store
from scenarios.deployed import BROKER_DATABASE, NODE_DATABASE
from scenarios.enrolment import ROUTER
from tests.samples.command_line import at_once

NODES: Final = ("idn-mar", "rb-ifc", "mys-mar")
OUTSIDER: Final = "in-port"


class Handed(NamedTuple):
    """A report that was handed to its author's node: the cause that the journal names, and who is to have it."""

    author: str
    cause: str
    readers: tuple[str, ...]


class Account:
    """What the databases of a region that is stopped say, read by the code that wrote them."""

    def __init__(self, folder: Path) -> None:
        self.journals: dict[str, list[Entry]] = {}
        self.receipts: set[tuple[str, str, str]] = set()  # hid, reader, status
        self._waiting: dict[str, int] = {}
        for agency in NODES:
            store = NodeStore.open(folder / "nodes" / agency / NODE_DATABASE, agency=agency)
            self.journals[agency] = list(store.journal.entries())
            self._waiting[agency] = store.waiting_count() + store.owes()
            rows = store._sql.execute("SELECT hex(hid), reader, status FROM receipt")
            self.receipts |= {(hid.lower(), reader, status) for hid, reader, status in rows}
            store.close()
        router = Store.open(folder / "broker" / BROKER_DATABASE, router=ROUTER)
        self.records = list(router.records())
        self._queues = router.queues()
        router.close()

    def unfinished(self) -> dict[str, int]:
        """Return what is still under way: releases without a verdict and receipts owed, and rows that wait."""
        waiting = {name: count for name, count in self._waiting.items() if count}
        return waiting | {f"to {reader}": count for reader, count in self._queues.items()}

    def released(self, agency: str) -> list[Entry]:
        """Return the entries of the reports that an agency released."""
        return [
            entry for entry in self.journals[agency] if entry.stage == "released" and entry.fields["act"] == "report"
        ]

    def count(self, agency: str, stage: str, hid: str) -> int:
        """Return how often an agency's journal says that something happened to a message."""
        return sum(entry.stage == stage and entry.fields.get("hid") == hid for entry in self.journals[agency])

    def recorded(self, stage: str, hid: str) -> list[str]:
        """Return the agencies of the router's records of a stage of a message, in order."""
        return [row.agency for row in self.records if row.stage == stage and row.hid == bytes.fromhex(hid)]

    def wrong(self, handed: Sequence[Handed], told: Callable[[str, str], set[str]]) -> list[str]:
        """Return what does not agree.

        Args:
            handed: The reports that were handed over.
            told: The ids in the events of a name that the commands of an agency wrote.
        """
        found: list[str] = []
        for agency in NODES:
            mine = {item.cause: item for item in handed if item.author == agency}
            released = self.released(agency)
            if Counter(list(mine)) != Counter(entry.fields["cause"] for entry in released):
                found.append(f"{agency}: {len(mine)} reports were handed over and {len(released)} released")
            unkept = told(agency, "sent") - {entry.fields["hid"] for entry in released}
            found += [f"{agency} said that {hid} was sent, and it was not" for hid in unkept]
            for entry in released:
                found += self._wrong_of(entry, mine[entry.fields["cause"]], told)
        found += [f"{OUTSIDER} has a row: {row}" for row in self.records if row.agency == OUTSIDER]
        return found

    def _wrong_of(self, entry: Entry, handed: Handed, told: Callable[[str, str], set[str]]) -> list[str]:
        hid = entry.fields["hid"]
        facts = {
            "admitted once": self.recorded("admitted", hid) == [handed.author],
            "delivered once to each reader": sorted(self.recorded("delivered", hid)) == sorted(handed.readers),
        }
        for reader in handed.readers:
            facts[f"verified once by {reader}"] = self.count(reader, "verified", hid) == 1
            facts[f"opened once by {reader}"] = self.count(reader, "opened", hid) == 1
            facts[f"shown at {reader}"] = hid in told(reader, "received")
            for status in ("delivered", "opened"):
                facts[f"receipted as {status} by {reader}"] = (hid, reader, status) in self.receipts
        return [f"{handed.cause} of {handed.author} was not {fact}" for fact, holds in facts.items() if not holds]


def audited(folder: Path, log: Path, *, password: str) -> str:
    """Export the log of a stopped region, have it verified, and return what that says."""
    exported = at_once("audit", "export", folder, log, SANDIWARA_PASSWORD=password)
    assert exported.returncode == 0, exported.stderr
    verified = at_once("audit", "verify", log)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    return verified.stdout
