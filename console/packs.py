"""``sandiwara packs``: the exercises that come with Sandiwara."""

import argparse
from typing import Any

from rich.table import Table

from console.screen import console, duration_text, plain, write_json
from scenarios.catalogue import find_pack, list_packs
from scenarios.model import Pack
from scenarios.pack import load_pack


def run(arguments: argparse.Namespace) -> int:
    """List the shipped packs."""
    packs = [(name, load_pack(find_pack(name))) for name in list_packs()]
    if arguments.json:
        write_json({"packs": [_described(name, pack) for name, pack in packs]})
        return 0
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("pack", no_wrap=True)
    table.add_column("title")
    table.add_column("lasts", no_wrap=True)
    table.add_column("agencies", justify="right")
    table.add_column("injects", justify="right")
    for name, pack in packs:
        counts = (str(len(pack.participants)), str(len(pack.injects)))
        table.add_row(name, plain(pack.header.title), duration_text(pack.duration_ms), *counts)
    console().print(table)
    return 0


def _described(name: str, pack: Pack) -> dict[str, Any]:
    return {
        "pack": name,
        "title": pack.header.title,
        "summary": pack.header.summary,
        "threat": pack.header.threat,
        "start": pack.start_text,
        "duration_ms": pack.duration_ms,
        "participants": [item.agency for item in pack.participants],
        "injects": len(pack.injects),
        "digest": pack.digest,
        "path": str(pack.path),
    }
