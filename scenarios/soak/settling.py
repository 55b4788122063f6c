"""The second phase of a run: no fault falls any more, and all that was accepted comes to an end that can be seen."""

import asyncio
from typing import Final

from scenarios.simulated_region import BROKER_DATABASE, node_database
from scenarios.soak import invariants as watch
from scenarios.soak.reference import BROKER
from scenarios.soak.region import LOOK_S, Region

LIVELY_S: Final = 600  # virtual; accepted messages settle in ten minutes once faults have ended
_AT_WORK: Final = ("desk-", "operator-")
_TASKS_MOST: Final = 5_000


async def settle(region: Region) -> None:
    """Wait until everything has settled, and tell the ghost of what has not."""
    ghost = region.ghost
    for _ in range(int(LIVELY_S / LOOK_S)):
        if ghost.violation is not None:
            return
        if len(asyncio.all_tasks()) > _TASKS_MOST:
            ghost.broke(watch.BOUNDS, f"{len(asyncio.all_tasks())} tasks are running")
        if region.net.counts.overflows:
            ghost.broke(watch.BOUNDS, "a node's queue of frames was full")
        # Chunks may still be on their way, what a lying router did shows only once a receipt is overdue, and what a
        # full disk kept off the record is written when the router next keeps house.
        owed = ghost.flood is not None and ghost.flood.owes()
        if not owed and not unsettled(region) and not ghost.unexplained():
            break
        await asyncio.sleep(LOOK_S)
    left = [*unsettled(region), *ghost.unexplained(), *unwatched(region)]
    if left:
        ghost.broke(watch.LIVELINESS, f"{len(left)} things have come to no end: {'; '.join(left[:4])}")


def unsettled(region: Region) -> list[str]:
    """Return what is under way still, in words."""
    struck = region.ghost.revoked_anywhere
    # A machine that a fault holds down is coming back, whether anybody waits for it or not.
    found = [f"{life.name} is down" for life in (region.broker, *region.nodes.values()) if life.held_down]
    found += [f"{agency} has no link" for agency in region.unlinked()]
    sql = region.disk.connection(BROKER_DATABASE)
    queued = dict(sql.execute("SELECT reader, count(*) FROM queue GROUP BY reader").fetchall())
    found += [f"{count} rows are queued for {reader}" for reader, count in queued.items() if reader not in struck]
    for agency in region.nodes:
        if agency in struck:
            continue
        sql = region.disk.connection(node_database(agency))
        waiting = sql.execute("SELECT count(*) FROM outbox WHERE state = 'waiting'").fetchone()[0]
        owed = [name for (name,) in sql.execute("SELECT DISTINCT originator FROM owed") if name not in struck]
        if waiting:
            found.append(f"{waiting} releases of {agency} have no verdict")
        if owed:
            found.append(f"{agency} owes receipts to {', '.join(sorted(owed))}")
    # What a desk does after all else has settled would be judged by nobody.
    working = sum(task.get_name().startswith(_AT_WORK) for task in asyncio.all_tasks())
    if working:
        found.append(f"{working} desks are at work")
    databases = {agency: region.disk.connection(node_database(agency)) for agency in region.nodes}
    found += region.ghost.recalls.unexplained(databases)
    found += region.ghost.open(databases)
    losses = region.ghost.losses
    if BROKER in losses.put_back and not losses.log_faults:
        kept = [agency for agency, sql in databases.items() if agency not in struck]
        if any(region.ghost.log.contradicted_by(databases[agency]) for agency in kept):
            found.append("nobody has noticed that the log is not the one that was cosigned")
    return found


def unwatched(region: Region) -> list[str]:
    """Return the reports that the broker forgot with its disk, and of whose receipts their authors wait for none."""
    found: list[str] = []
    for (author, hid), readers in sorted(region.ghost.losses.overdue.items()):
        sql = region.disk.connection(node_database(author))
        query = "SELECT 1 FROM outbox WHERE hid = ? AND (due NOTNULL OR overdue = 1)"
        if sql.execute(query, (bytes.fromhex(hid),)).fetchone() is None:
            found.append(f"{author} waits for no receipt of {', '.join(sorted(readers))} for {hid}")
    return found
