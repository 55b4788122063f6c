"""``sandiwara log``: what the broker decided and why, from its own record, also while it runs."""

import argparse
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console

from broker.store import RecordRow, Store
from console.beside import open_beside
from console.node_view import clock_text
from console.outcome import spoken_names
from console.outcome_view import label_text
from console.router_log import LoggedRelease, RouterLog, as_documents
from console.screen import console, plain, write_json
from console.sent_log import read_sent_log, show_sent_log
from policy.community import Community
from scenarios.deployed import BROKER_DATABASE, broker_folder, read_root
from scenarios.enrolment import ROUTER
from schemas.codec import unpack
from schemas.errors import InputError, RemoteError, StoreError, UsageError
from sealing.statements import read_bundle

_HID_CHARS: Final = 64
_BODY_BYTES_MAX: Final = 64  # of a record that a bundle is in force: its version


def run(arguments: argparse.Namespace) -> int:
    """Show the record; nothing to show is no fault."""
    wanted = arguments.hid.lower()
    if len(wanted) > _HID_CHARS or not set(wanted) <= set("0123456789abcdef"):
        msg = f"--hid: '{arguments.hid[:70]}' is no beginning of a report's id"
        raise UsageError(msg, remedy="give some of its hexadecimal digits")
    if arguments.agency is not None:
        found = read_sent_log(Path(arguments.folder), arguments.agency, wanted=wanted)
        if arguments.json:
            write_json(found.as_document())
        else:
            show_sent_log(console(), found)
        return 0
    releases, communities = read_releases(Path(arguments.folder))
    shown = [
        release
        for release in releases
        if release.hid.startswith(wanted) and (arguments.all or wanted or not release.is_workflow)
    ]
    if arguments.json:
        write_json({"releases": list(as_documents(shown))})
        return 0
    screen = console()
    for release in shown:
        _show(screen, release, communities[release.bundle_version])
    if not shown:
        screen.print(plain("The record holds no such report." if wanted else "The record holds no report yet."))
    return 0


def read_releases(region: Path) -> tuple[tuple[LoggedRelease, ...], dict[int, Community]]:
    """Return what a region's broker decided, oldest first, and by bundle version the communities it decided by.

    Raises:
        InputError: If the folder holds no broker's part, or a bundle of another region.
        StoreError: If the database cannot be read.
    """
    folder = broker_folder(region)
    with _reading(folder / BROKER_DATABASE) as store:
        try:
            records = [RecordRow(*row) for row in store.records()]
            bundles = store.holdings.bundles()
        except sqlite3.Error as error:
            msg = f"{folder / BROKER_DATABASE} cannot be read: {error}"
            raise StoreError(msg, remedy="restore the folder from a copy") from error
    communities = _communities(folder, bundles, records)
    return RouterLog(communities).read(records) if communities else (), communities


@contextmanager
def _reading(path: Path) -> Iterator[Store]:
    """Open the router's database to read it."""
    store = open_beside(
        path,
        alone=lambda: Store.open(path, router=ROUTER),
        beside=Store,
        owner="the broker",
        start="sandiwara broker",
    )
    try:
        yield store
    finally:
        store.close()


def _communities(folder: Path, bundles: list[tuple[int, bytes]], records: list[RecordRow]) -> dict[int, Community]:
    """Prove each bundle that was in force, as of the time at which it came into force."""
    root = read_root(folder)
    began = {unpack(row.body, bytes_max=_BODY_BYTES_MAX)[0]: row.at for row in records if row.stage == "bundle"}
    found: dict[int, Community] = {}
    for version, signed in bundles if records else ():
        try:
            bundle = read_bundle(signed, root=root, now_ms=began.get(version, records[0].at))
        except RemoteError as error:
            msg = f"bundle {version} in {folder / BROKER_DATABASE} is refused: {error}"
            raise InputError(msg, remedy="the database is of another region, or was changed") from error
        found[version] = Community.compile(bundle)
    return found


def _show(screen: Console, release: LoggedRelease, community: Community) -> None:
    again = ", released again" if release.re_release else ""
    head = f"{clock_text(release.at_ms)}  {release.hid[:12] or 'unreadable'}  {release.kind} from {release.originator}"
    style = "bold" if release.outcome == "accepted" else "bold red"
    screen.print(plain(f"{head}{again}: {release.outcome} {release.code}".rstrip(), style=style), soft_wrap=True)
    for refusal in release.refusals:
        screen.print(
            plain(
                f"  {refusal['agency']} may not have place {refusal['place']}, {refusal['rule']}: {refusal['reason']}"
            )
        )
    for portion in release.portions:
        screen.print(plain(f"  place {portion.place}: {label_text(portion.label)}"))
        for rule, names in _by_rule(portion.permitted).items():
            screen.print(plain(f"    to {_spoken(names, community)} by {rule}", style="green"))
        reasons = {item.rule: item.reason for item in reversed(portion.left_out)}
        for rule, names in _by_rule((item.agency, item.rule) for item in portion.left_out).items():
            screen.print(plain(f"    not to {_spoken(names, community)} by {rule}: {reasons[rule]}", style="dim"))
    if release.outcome == "accepted":
        screen.print(plain(f"  taken by {_spoken([name for name, _ in release.delivered], community) or 'nobody yet'}"))
    if release.cancelled:
        screen.print(plain(f"  cancelled for {_spoken(release.cancelled, community)}"))
    screen.print()


def _by_rule(pairs: Iterator[tuple[str, str]] | tuple[tuple[str, str], ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, rule in pairs:
        found.setdefault(rule, []).append(name)
    return found


def _spoken(names: list[str], community: Community) -> str:
    return ", ".join(spoken_names(names, community.agencies))
