"""What the ghost asks where somebody sends all it can or reads slowly: a named answer, a record, no harm to others.

Latency is virtual: what a line and a disk take, and what waits in front of them. The processor costs nothing here, so
what is measured is whether anybody has to wait for the flood, and not how fast this machine is.
"""

import sqlite3
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from broker.application import Publication
from broker.quota import QuotaLimits
from scenarios.soak.door import Door
from scenarios.soak.invariants import BOUNDS, THROTTLED
from schemas.errors import Code

_OTHERS_MS_MOST: Final = 3_000  # besides what lines and disks take: a look-up of keys may take a second, twice
_TURNS_OF_LINE_MOST: Final = 6  # look-up there and back, report up and down, and what each of them waits behind
_TURNS_OF_DISK_MOST: Final = 24  # of both nodes and the broker, with what waits in front of each
_NOTED_EVERY_MS: Final = 60_000  # an agency that is over a quota is put on record once in this time …
_NOTED_LATE_MS: Final = 5_000  # … by the time at which it is noticed; a disk that is slow makes the record later
_NOTED_AT_ONCE: Final = 2  # one for what an agency sends, one for the queues of its readers, which are watched apart


class FloodWatch:
    """Watches one run in which somebody asks more of the broker than is its share.

    Args:
        flooders: Who floods, or reads slowly.
        door: Who was answered what.
        limits: What one agency may send.
        calm: Whether nothing else goes wrong, so that the others' latency is the flood's doing.
        line_ms_most: How slow a line is.
        disk_ms_most: How slow a disk is.
        broke: Told of what does not hold.
        saw: Counts what was seen.
        now_ms: Virtual time.
        broker_lives: How many lives the broker has had; each learns anew who is over its quota, and says so.
    """

    def __init__(
        self,
        flooders: frozenset[str],
        *,
        door: Door,
        limits: QuotaLimits,
        calm: bool,
        line_ms_most: int,
        disk_ms_most: int,
        broke: Callable[[int, str], None],
        saw: Callable[[str], None],
        now_ms: Callable[[], int],
        broker_lives: Callable[[], int],
    ) -> None:
        self._flooders = flooders
        self._door = door
        self._limits = limits
        self._calm = calm
        self._others_ms_most = _OTHERS_MS_MOST + _TURNS_OF_LINE_MOST * line_ms_most + _TURNS_OF_DISK_MOST * disk_ms_most
        self._broke = broke
        self._saw = saw
        self._now_ms = now_ms
        self._broker_lives = broker_lives
        self._released_ms: dict[tuple[str, str], int] = {}  # by message and reader
        self._latencies: list[int] = []
        self._owed: dict[str, int] = {}  # the broker's life in which a record was put off, since its disk was full
        self._unexcused: set[str] = set()  # throttled by a broker that could write it down at once
        door.throttled = self.throttled
        self._noted: dict[str, deque[tuple[int, int]]] = {}  # the broker's life and time of the last records

    def journal(self, agency: str, stage: str, fields: dict[str, Any]) -> None:
        """See an entry of a node's journal."""
        if agency in self._flooders:
            return
        if stage == "released":
            # Given to further readers later, it is their wait that counts from then on.
            self._released_ms |= {(fields["hid"], reader): self._now_ms() for reader in fields["audience"]}
        elif stage == "verified" and (fields["hid"], agency) in self._released_ms:
            self._latencies.append(self._now_ms() - self._released_ms[fields["hid"], agency])

    def throttled(self, agency: str, unwritable: bool) -> None:  # noqa: FBT001 - the door's word on its disk
        """See that an agency was told that it is over its quota."""
        if not unwritable:
            self._unexcused.add(agency)
        elif agency not in self._noted:
            self._owed[agency] = self._broker_lives()

    def owes(self) -> bool:
        """Tell whether the router has put off a record, and lives still to write it."""
        return self._broker_lives() in self._owed.values()

    def record(self, at_ms: int, stage: str, agency: str, value: Any) -> None:
        """See a record of the router; the time is the router's."""
        if stage != "refused" or value[0] != Code.QUOTA:
            return
        self._saw("throttled, on record")
        self._owed.pop(agency, None)
        life, noted = self._broker_lives(), self._noted.setdefault(agency, deque(maxlen=_NOTED_AT_ONCE))
        if noted and (noted[-1][0] != life or at_ms < noted[-1][1]):
            noted.clear()  # a broker that has restarted, or whose clock was set back, may say it again
        if len(noted) == _NOTED_AT_ONCE and at_ms - noted[0][1] < _NOTED_EVERY_MS - _NOTED_LATE_MS:
            took_ms = at_ms - noted[0][1]
            self._broke(BOUNDS, f"{len(noted) + 1} records in {took_ms} ms say that {agency} is over its quota")
        noted.append((life, at_ms))

    def committed(self, sql: sqlite3.Connection) -> None:
        """See that the router's queues keep their bound."""
        for reader, count in sql.execute("SELECT reader, count(*) FROM queue GROUP BY reader"):
            if count > self._limits.queue_rows_max:
                self._broke(BOUNDS, f"{count} rows are queued for {reader}, where {self._limits.queue_rows_max} may be")

    def finish(self) -> None:
        """Look at who was refused and told of, and at how long the others waited."""
        for (agency, answer), count in sorted(self._door.answers.items()):
            if answer != Publication.QUOTA_EXCEEDED:
                continue
            self._saw("throttled")
            # A broker that dies with a full disk takes with it what it could not write.
            owed = agency in self._unexcused or self._owed.get(agency) == self._broker_lives()
            if owed and agency not in self._noted:
                self._broke(THROTTLED, f"{agency} was over its quota {count} times, and no record says so")
        if self._calm and self._latencies:
            p99_ms = sorted(self._latencies)[len(self._latencies) * 99 // 100]
            self._saw("latency of others measured")
            if p99_ms > self._others_ms_most:
                self._broke(THROTTLED, f"others wait {p99_ms} ms for a report, where {self._others_ms_most} may be")
