"""``sandiwara audit``: write the provable log of a region down, and check such a log: what is wrong, where, by whom."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from conformance.audit_verifier import report_lines, verify_folder
from console.exits import Exit
from console.passwords import unlocking_password
from console.screen import console, plain, write_json
from scenarios.audit_deployed import export_broker_part, export_node_part
from scenarios.deployed import NODE_DATABASE, broker_folder, node_folder
from scenarios.deployed_broker import read_broker_part
from scenarios.deployed_node import read_node_part
from scenarios.deployment import AGENCY_KEY_FILE, NODES, PASSWORDS, ROUTER_KEY_FILE
from scenarios.enrolment import ROUTER
from schemas.errors import InputError, UsageError
from transport.clock import SystemClock


def run(arguments: argparse.Namespace) -> int:
    """Verify or export a log; 1 if it does not hold.

    Raises:
        InputError: If there is no such folder, or nothing to export.
        UsageError: If the arguments do not fit the action.
    """
    if arguments.action == "export":
        return _export(arguments)
    if arguments.into is not None or arguments.agency is not None:
        msg = "'verify' takes one folder and no agency"
        raise UsageError(msg, remedy="give the exported log alone")
    folder = Path(arguments.folder)
    if not folder.is_dir():
        msg = f"{folder} is no folder"
        raise InputError(msg, remedy="give the folder 'log' that 'sandiwara run' wrote, or one that 'audit export' did")
    report = verify_folder(_log_in(folder))
    if arguments.json:
        write_json(asdict(report))
    else:
        screen = console()
        for line in report_lines(report):
            screen.print(plain(line), soft_wrap=True)
    return Exit.NO if report.findings else Exit.OK


def _log_in(folder: Path) -> Path:
    """Return the log itself, where a whole play was named: it lies in a folder of its own there."""
    inside = folder / "log"
    return inside if inside.is_dir() and not (folder / "leaves.bin").exists() else folder


def _export(arguments: argparse.Namespace) -> int:
    if arguments.into is None:
        msg = "'export' has nowhere to write to"
        raise UsageError(msg, remedy="name the folder after the region's: sandiwara audit export DIR LOG")
    region, into = Path(arguments.folder), Path(arguments.into)
    leaves = None
    if arguments.agency is None:
        leaves = _export_broker(arguments, region, into)
        agencies = _agencies_here(region)
    else:
        agencies = (arguments.agency,)
    for agency in agencies:
        _export_node(arguments, region, agency, into)
    document: dict[str, Any] = {"folder": str(into), "leaves": leaves, "journals": list(agencies)}
    if arguments.json:
        write_json(document)
    else:
        _show(document, alone=arguments.agency is not None)
    return Exit.OK


def _show(document: dict[str, Any], *, alone: bool) -> None:
    screen = console()
    journals = ", ".join(document["journals"]) or "none"
    if alone:
        screen.print(plain(f"{document['folder']}: the journal of {journals}; lay it into the folder of the log"))
        return
    screen.print(plain(f"{document['folder']}: {document['leaves']} leaves; journals: {journals}"))
    screen.print(plain(f"check it: sandiwara audit verify {document['folder']}"))


def _export_broker(arguments: argparse.Namespace, region: Path, into: Path) -> int:
    folder = broker_folder(region)
    password = unlocking_password(
        arguments.password_file, folder.parent / PASSWORDS / ROUTER, what="the broker's key"
    )  # fmt: skip
    return export_broker_part(read_broker_part(folder, password=password, now_ms=SystemClock().now_ms()), into)


def _export_node(arguments: argparse.Namespace, region: Path, agency: str, into: Path) -> None:
    folder = node_folder(region, agency)
    made = folder.parent.parent / PASSWORDS / agency
    password = unlocking_password(arguments.password_file, made, what=f"the keys of {agency}")
    part = read_node_part(folder, agency, password=password, now_ms=SystemClock().now_ms())
    export_node_part(part, into)


def _agencies_here(region: Path) -> tuple[str, ...]:
    """Return the agencies whose nodes have run in this folder; the others have nothing to tell."""
    if (region / ROUTER_KEY_FILE).exists():
        return ()
    return tuple(
        sorted(
            path.parent.name
            for path in region.glob(f"{NODES}/*/{AGENCY_KEY_FILE}")
            if (path.parent / NODE_DATABASE).is_file()
        )
    )
