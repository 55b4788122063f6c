"""One report through a whole region in one process: start it, send, wait until all is quiet, and see who has what."""

import asyncio
import resource
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from agencies.drafts import Draft, Why
from console.outcome import Outcome, come_true
from scenarios.enrolment import Community
from scenarios.region import Region, World, running_region
from schemas.codec import unpack
from schemas.errors import LinkError, SealError, StoreError
from schemas.limits import CONTENT_BYTES_MAX
from schemas.report import Portion

QUIET_LIMIT_S: Final = 120.0  # 32 portions of 4 MiB to a whole region took 40 s
_FILES_OF_A_NODE: Final = 8  # a database with its log, its index and its lock, and both ends of a link
_FILES_BESIDE: Final = 64


def allow_open_files(nodes: int) -> None:
    """Raise this process's own limit of open files to what a region needs, as far as the system lets it.

    Raises:
        StoreError: If the system's hard limit lies below.
    """
    wanted = nodes * _FILES_OF_A_NODE + _FILES_BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard not in (resource.RLIM_INFINITY, -1) and hard < wanted:
        msg = f"a region of {nodes} agencies needs {wanted} open files, and the system allows {hard}"
        raise StoreError(msg, remedy="raise the limit (ulimit -n), or name a smaller pack by --pack")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def share(
    community: Community,
    portions: tuple[Portion, ...],
    foreseen: Outcome,
    *,
    meant: tuple[str, ...],
    source: str,
    folder: Path,
    world: World,
    step: Callable[[str], None],
) -> Outcome:
    """Send a report through a region and return what became of it.

    Args:
        community: From ``enrol``.
        portions: The report's.
        foreseen: Its pre-flight.
        meant: Who is meant; empty means everybody whom the rules permit.
        source: What it was made from, for the author's own record.
        folder: Where the databases go.
        world: Clocks and entropy.
        step: Told of each step.

    Raises:
        LinkError, StoreError, ListenError, CapacityError: As the region raises them.
        SealError: If the report cannot be sealed.
    """
    allow_open_files(len(community.rings))
    step(f"starting the broker and {len(community.rings)} nodes")
    async with running_region(
        community, folder=folder, world=world, on_arrival=lambda _agency, _arrival: None
    ) as region:
        step("sending")
        why = Why(act="report", order="share", reason=f"import of {source}", cause="")
        author = region.nodes[foreseen.originator]
        released = await author.release(Draft(portions=portions, to=meant, why=why))
        step("waiting until every reader has verified what it got")
        await region.quiet(limit_s=QUIET_LIMIT_S)
        # What is read below is on disks that rest now; a thread of its own, since a large region takes a moment.
        if released.hid is None:
            return foreseen
        keyless = frozenset(name for name, rule in released.left_out.items() if rule == "KEY-EPOCH")
        return await asyncio.to_thread(_read_outcome, region, foreseen, released.hid, keyless)


def _read_outcome(region: Region, foreseen: Outcome, hid: bytes, keyless: frozenset[str]) -> Outcome:
    author = region.nodes[foreseen.originator].store
    refused = [entry for entry in author.journal.entries() if entry.stage == "refused"]
    if refused:
        msg = f"the router refused the report: {refused[-1].fields['code']}"
        raise SealError(msg, remedy="the pre-flight above this line says who may have what")
    sealed = author.sealed(hid)
    if sealed is None:
        msg = "the author's node does not hold what it sent"
        raise LinkError(msg)
    position = {portion.place: at for at, portion in enumerate(sealed.portions)}
    routed: dict[str, set[int]] = {}
    for record in region.store.records():
        if record.stage == "decided" and record.hid == hid:
            place, _label, permitted = unpack(record.body, bytes_max=CONTENT_BYTES_MAX)
            for reader in permitted:
                routed.setdefault(reader, set()).add(position[place])
    return come_true(
        foreseen,
        hid=hid.hex(),
        routed={name: frozenset(found) for name, found in routed.items()},
        received=_verified(region, hid, position),
        without_key=keyless,
    )


def _verified(region: Region, hid: bytes, position: dict[int, int]) -> dict[str, frozenset[int]]:
    """Return what each node's own journal says it verified, by position in the report."""
    found: dict[str, frozenset[int]] = {}
    for name, node in region.nodes.items():
        try:
            places = {
                portion["place"]
                for entry in node.store.journal.entries()
                if entry.stage == "verified" and entry.fields["hid"] == hid.hex()
                for portion in entry.fields["portions"]
            }
        except sqlite3.Error as error:
            msg = f"the database of {name} cannot be read: {error}"
            raise StoreError(msg, remedy="is the disk full?") from error
        if places:
            found[name] = frozenset(position[place] for place in places)
    return found
