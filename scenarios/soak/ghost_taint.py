"""The ghost's account of products: what was made from a recalled report goes the way that the report goes.

Step by step, as the recalls do: who made something from what is recalled, and remembers it, recalls that in turn; who
was given it erases it, which is asked of that recall as of any other (ghost_recall.py).
"""

import sqlite3
from collections.abc import Mapping
from typing import Any

from scenarios.soak.ghost_between import Between
from scenarios.soak.ghost_community import Bundles
from scenarios.soak.ghost_recall import Recalls
from scenarios.soak.ghost_reports import Reports
from scenarios.soak.invariants import TAINTED
from scenarios.soak.losses import Losses


class Taint:
    """Every product of a run.

    Args:
        reports: Who was given what.
        recalls: What was recalled.
        bundles: Who is revoked.
        losses: Whose disks were put back.
        between: Told of what a fault may fall between.
    """

    def __init__(
        self, reports: Reports, recalls: Recalls, bundles: Bundles, losses: Losses, *, between: Between
    ) -> None:
        self._reports = reports
        self._recalls = recalls
        self._bundles = bundles
        self._losses = losses
        self._between = between
        self._parents: dict[str, set[str]] = {}  # as products say

    def journal(self, agency: str, stage: str, fields: Mapping[str, Any]) -> None:
        """Take in an entry of a node's journal, after the reports and recalls of it."""
        match stage:
            case "released" if fields["kind"] == "recall":
                for reader in fields["audience"]:
                    self._between.begin("recall and receipt", (fields["ref"], reader))
            case "released":
                self._released(agency, fields)
            case "receipt" if fields["status"] == "purged" and "decision" not in fields:
                self._between.end("recall and receipt", (fields["hid"], fields["reader"]), (agency, fields["reader"]))
            case "receipt" if fields["status"] == "used":
                self._reports.saw("author told where its report was used")
            case "tainted":
                self._reports.saw("product tainted")
                for product in fields["products"]:
                    self._between.begin("taint and recall", product)

    def _released(self, author: str, fields: Mapping[str, Any]) -> None:
        """Who has erased a report at its author's recall must release nothing more that quotes it.

        What others made of it, and have not recalled yet, may still be quoted: it is recalled in its turn.
        """
        hid = fields["hid"]
        if fields["portions"]:
            self._parents[hid] = {parent for item in fields["portions"] for parent, _ in item["derived_from"]}
        for parent in sorted(self._parents.get(hid, ())):
            if self._recalls.has_erased(author, parent):
                msg = f"{author} released {hid}, made from {parent}, which it has erased at its author's recall"
                self._reports.broke(TAINTED, msg)

    # At the end.

    def open(self, databases: Mapping[str, sqlite3.Connection]) -> list[str]:
        """Return products of recalled reports that somebody still holds; databases are given by owner."""
        found: list[str] = []
        for hid in self._recalls.recalled:
            report = self._reports.sent.get(hid)
            if report is None or report.author in self._bundles.revoked_anywhere:
                continue
            for product, sent in self._reports.sent.items():
                # What was made from a product is reached by the recall of that product, step by step.
                if hid in self._parents.get(product, ()) and self._is_reachable(hid, sent.author):
                    found += self._holders(hid, product, databases)
        return found

    def _is_reachable(self, hid: str, author: str) -> bool:
        """Tell whether the author of a product has been told of the recall, and remembers what it made."""
        struck = self._bundles.revoked_anywhere | self._losses.put_back
        if author in struck:
            self._reports.saw("product forgotten with a disk")
            return False
        return self._recalls.has_erased(author, hid)

    def _holders(self, hid: str, product: str, databases: Mapping[str, sqlite3.Connection]) -> list[str]:
        author, key = self._reports.sent[product].author, bytes.fromhex(product)
        kept = databases[author].execute("SELECT 1 FROM sealed WHERE hid = ? AND packed != x''", (key,)).fetchone()
        offered = any(self._reports.sent[product].audiences) and "accepted" in self._reports.settled.get(
            (author, product), []
        )
        if not offered:
            return []
        if kept is not None:
            return [f"{author} has not recalled {product}, made from {hid}"]
        self._reports.saw("product recalled")
        self._between.end("taint and recall", product, (author,))
        # Whether its readers have erased it is asked of this recall as of any (ghost_recall.py).
        return []
