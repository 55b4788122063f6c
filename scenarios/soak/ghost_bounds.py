"""The ghost's measure: what every queue, table, file and task list of a run may come to, and what a life leaves behind.

Each bound is one that the product states for itself, or, where it states none, some ten times what a run of this size
comes to; what grows without end passes that in any plan.
"""

import asyncio
import sqlite3
from collections import Counter
from functools import cache
from typing import Final

from broker.quota import QuotaLimits
from scenarios.soak.ghost_reports import Broke
from scenarios.soak.invariants import BOUNDS, NO_REMAINS
from scenarios.soak.reference import AGENCIES, BROKER
from schemas.limits import DELIVERY_WINDOW, REPLAY_WINDOW_MESSAGES

_EPOCHS_MOST: Final = 4  # box keys of one agency that anybody keeps
_RETURNED_MOST: Final = 1_000  # sequence numbers that refused releases gave back
_REFUSALS_MOST: Final = 1_024 + 1  # as many as a node puts into quarantine in a day, and that it is full
_DATABASE_BYTES_MOST: Final = 32 * 1024 * 1024
_TASKS_OF_ONE_MOST: Final = 40  # a node has eight, and those of its desk
_TASKS_OF_BROKER_MOST: Final = 10 * 32 + 4 * len(AGENCIES)  # publishes that are being decided, and sessions
_KEPT: Final = "-life"  # what has many lives is itself a task

_ROUTER_BOUNDS: Final = (
    (
        "deliveries under way to a reader",
        "SELECT coalesce(max(rows), 0) FROM (SELECT count(*) AS rows FROM queue WHERE dseq NOTNULL GROUP BY reader)",
        DELIVERY_WINDOW,
    ),
    (
        "rows queued for a reader",
        "SELECT coalesce(max(rows), 0) FROM (SELECT count(*) AS rows FROM queue GROUP BY reader)",
        QuotaLimits().queue_rows_max,
    ),
    (
        "bytes of chunks of an author",
        (
            "SELECT coalesce(max(held), 0) FROM (SELECT sum(length(ciphertext)) AS held"
            " FROM chunk JOIN message USING (hid) GROUP BY originator)"
        ),
        QuotaLimits().chunk_bytes_max,
    ),
    (
        "box keys of an agency",
        "SELECT coalesce(max(rows), 0) FROM (SELECT count(*) AS rows FROM announcement GROUP BY agency)",
        _EPOCHS_MOST,
    ),
)
_NODE_BOUNDS: Final = (
    (
        "sequence numbers remembered of an originator",
        "SELECT coalesce(max(rows), 0) FROM (SELECT count(*) AS rows FROM seen GROUP BY originator)",
        REPLAY_WINDOW_MESSAGES,
    ),
    (
        "box keys of an agency",
        "SELECT coalesce(max(rows), 0) FROM (SELECT count(*) AS rows FROM announcement GROUP BY agency)",
        _EPOCHS_MOST,
    ),
    (
        "entries on what could not be taken",
        "SELECT count(*) FROM journal WHERE stage IN ('rejected', 'duplicate', 'log_fault', 'quarantine_full')",
        _REFUSALS_MOST,
    ),
    ("logs witnessed", "SELECT count(*) FROM witnessed", 1),
    ("sequence numbers given back", "SELECT count(*) FROM returned", _RETURNED_MOST),
)


def measure(owner: str, sql: sqlite3.Connection, broke: Broke) -> None:
    """Hold a database against its bounds."""
    for what, query, most in _ROUTER_BOUNDS if owner == BROKER else _NODE_BOUNDS:
        found = sql.execute(query).fetchone()[0]
        if found > most:
            broke(BOUNDS, f"{owner}: {found} {what}, where at most {most} are allowed")
    pages = sql.execute("PRAGMA page_count").fetchone()[0]
    size = pages * sql.execute("PRAGMA page_size").fetchone()[0]
    if size > _DATABASE_BYTES_MOST:
        broke(BOUNDS, f"the database of {owner} takes {size} bytes")


def measure_tasks(broke: Broke) -> None:
    """Count the tasks of each node and of the broker."""
    tasks = Counter(_owner(task.get_name()) for task in asyncio.all_tasks())
    for owner, count in tasks.items():
        if not owner:
            continue  # desks and strangers are those of the plan
        most = _TASKS_OF_BROKER_MOST if owner == BROKER else _TASKS_OF_ONE_MOST
        if count > most:
            broke(BOUNDS, f"{count} tasks of {owner} are running")


def look_for_remains(owner: str, broke: Broke) -> None:
    """See that nothing of a node, or of the broker, runs on after a life of it."""
    for task in asyncio.all_tasks():
        name = task.get_name()
        if _owner(name) == owner and not name.endswith(_KEPT) and not task.done():
            broke(NO_REMAINS, f"{name} runs on after a life of {owner}")


@cache
def _owner(name: str) -> str:
    if name.startswith("sim-"):
        return BROKER
    return next((owner for owner in (*AGENCIES, BROKER) if name.startswith(f"{owner}-")), "")
