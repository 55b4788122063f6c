"""The ghost's account of time and ids: nothing is taken up after its end by its taker's clock, and no id comes twice.

A clock that leaps may be wrong about the time; whoever goes by it must still do so without exception.
"""

from collections.abc import Mapping
from typing import Any

from scenarios.soak.ghost_reports import Reports
from scenarios.soak.invariants import IN_TIME


class Times:
    """When the messages of a run end.

    Args:
        reports: When each was sealed.
    """

    def __init__(self, reports: Reports) -> None:
        self._reports = reports
        self._broke = reports.broke
        self._lives_ms: dict[str, int] = {}
        self._sealed: set[str] = set()

    def lives(self, hid: str, lives_ms: int) -> None:
        """Be told by its desk how long a message lives."""
        self._lives_ms[hid] = lives_ms

    def journal(self, agency: str, at_ms: int, stage: str, fields: Mapping[str, Any]) -> None:
        """Take in an entry of a node's journal, before it counts for anything else."""
        hid = fields.get("hid")
        if stage == "released" and fields["portions"]:
            if hid in self._sealed:
                self._broke(IN_TIME, f"{agency} sealed another message under the id {hid}")
            self._sealed.add(str(hid))
        elif stage == "delivered":
            self._check(f"{agency} took up", hid, at_ms)

    def record(self, at_ms: int, stage: str, hid: str | None) -> None:
        """Take in a record of the router."""
        if stage == "admitted":
            self._check("the router admitted", hid, at_ms)

    def _check(self, who: str, hid: str | None, at_ms: int) -> None:
        sent, lives_ms = self._reports.sent.get(hid or ""), self._lives_ms.get(hid or "")
        if sent is not None and lives_ms is not None and at_ms > sent.at_ms + lives_ms:
            self._broke(IN_TIME, f"{who} {hid} {at_ms - sent.at_ms - lives_ms} ms after its end")
