"""The log of a region on separate machines, as a folder that ``audit verify`` checks.

Each machine writes what it holds: the broker's the log itself, an agency's its journal and what it kept as a witness.
Where all are on one machine that is one step; else an auditor lays the parts into one folder.
"""

from pathlib import Path
from typing import Final

from broker.store import Store
from scenarios.audit_export import export_node, export_router
from scenarios.deployed import BROKER_DATABASE, NODE_DATABASE
from scenarios.deployed_broker import BrokerPart
from scenarios.deployed_node import NodePart, open_node_store
from scenarios.enrolment import ROUTER
from schemas.errors import InputError
from sealing.keys import sign_pair_from_seed

_KINDS: Final = ("checkpoints", "journals", "witnesses")


def export_broker_part(part: BrokerPart, folder: Path) -> int:
    """Write the log of a broker that is not running; returns the number of leaves.

    Raises:
        InputError: If the folder exists already and is not empty, or this broker has never run.
        StoreError: If the broker runs, or its database is damaged.
    """
    _check_ran(part.folder / BROKER_DATABASE, "this broker")
    store = Store.open(part.folder / BROKER_DATABASE, router=ROUTER)
    try:
        store.begin_log(router=ROUTER, signer=part.signer)
        return export_router(
            folder, root=part.shared.root, signed_bundle=part.shared.signed_bundle, router=store
        )  # fmt: skip
    finally:
        store.close()


def export_node_part(part: NodePart, folder: Path) -> None:
    """Write what a node that is not running knows of the log into a folder, which may hold the log already.

    Raises:
        InputError: If the folder holds this agency's part already, or this node has never run.
        StoreError: If the node runs, or its database is damaged.
    """
    _check_ran(part.folder / NODE_DATABASE, f"the node of {part.agency}")
    journal = folder / "journals" / f"{part.agency}.jsonl"
    if journal.exists():
        msg = f"{journal} is there already"
        raise InputError(msg, remedy="give a folder that does not exist yet, or without this agency's part")
    store = open_node_store(part)
    try:
        for kind in _KINDS:
            (folder / kind).mkdir(parents=True, mode=0o700, exist_ok=True)
        export_node(folder, agency=part.agency, store=store, signer=sign_pair_from_seed(part.ring.sign_seed))
    finally:
        store.close()


def _check_ran(database: Path, whose: str) -> None:
    if not database.is_file():
        msg = f"{whose} has never run: there is no {database}"
        raise InputError(msg, remedy="run it first; there is nothing to export yet")
