"""``sandiwara node``: one agency's node of a deployed region, with a desk that prints what arrives."""

import argparse
import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from agencies.incoming import Arrival
from agencies.notices import Notice
from console.ending import run_until_ended
from console.exits import Exit
from console.happenings import Happening
from console.label_options import agencies_meant
from console.node_desk import NodeDesk
from console.node_view import show_happening
from console.passwords import unlocking_password
from console.report_file import WrittenReport, read_report_file
from console.screen import console, write_json_line
from policy.community import Community
from scenarios.deployed import node_folder
from scenarios.deployed_node import NodePart, make_node, open_node_store, read_node_part
from scenarios.deployment import OUTGOING, PASSWORDS, LinkSettings, is_loopback
from scenarios.region import World
from scenarios.values import read_duration_ms
from schemas.errors import CapacityError, LinkError, UsageError
from sealing.entropy import SystemEntropy
from transport.clock import SystemClock

_PORT_MAX: Final = 65_535


def run(arguments: argparse.Namespace) -> int:
    """Run a node; 0 after SIGTERM, or with --once when all is sent and decided, 1 if anything was refused."""
    world = World(clock=SystemClock(), entropy=SystemEntropy())
    within_ms = _within(arguments.within)
    if arguments.wait_receipts and not arguments.once:
        msg = "--wait-receipts says when --once is done"
        raise UsageError(msg, remedy="give --once too; without it the node shows receipts as they come")
    folder = node_folder(Path(arguments.folder), arguments.agency)
    made = folder.parent.parent / PASSWORDS / arguments.agency
    password = unlocking_password(arguments.password_file, made, what=f"the keys of {arguments.agency}")
    part = read_node_part(folder, arguments.agency, password=password, now_ms=world.clock.now_ms())
    settings = _settings(arguments, part.settings)
    community = Community.compile(part.shared.bundle)
    meant = agencies_meant(arguments.to, community)
    written = None
    if arguments.send is not None:
        path = Path(arguments.send)
        written = read_report_file(path, community=community, now_ms=world.clock.now_ms())
        written = WrittenReport(portions=written.portions, to=meant or written.to)
    elif meant:
        msg = "--to says for whom --send is, and nothing is to be sent"
        raise UsageError(msg, remedy="give the report by --send FILE")
    return run_until_ended(
        _serve(arguments, part, world=world, settings=settings, written=written, within_ms=within_ms)
    )


def _within(text: str) -> int:
    try:
        return read_duration_ms(text)
    except ValueError as error:
        msg = f"--within: {error}"
        raise UsageError(msg, remedy="write for example --within 90s") from error


def _settings(arguments: argparse.Namespace, kept: LinkSettings) -> LinkSettings:
    """Return where the broker is: off loopback always by TLS."""
    host, port = kept.host, kept.port
    if arguments.broker is not None:
        host, colon, number = arguments.broker.rpartition(":")
        host = host.strip("[]")
        if not (colon and host and number.isascii() and number.isdigit() and 0 < int(number) <= _PORT_MAX):
            msg = f"--broker: '{arguments.broker[:80]}' is no host and port"
            raise UsageError(msg, remedy="write for example --broker broker.example.org:8883 or [::1]:1883")
        port = int(number)
    tls = kept.tls if arguments.tls is None else arguments.tls
    if not is_loopback(host) and arguments.tls is False:
        msg = f"will not speak to {host} without TLS: others could listen"
        raise UsageError(msg, remedy="leave out --no-tls")
    return LinkSettings(host=host, port=port, tls=tls or not is_loopback(host))


async def _serve(
    arguments: argparse.Namespace,
    part: NodePart,
    *,
    world: World,
    settings: LinkSettings,
    written: WrittenReport | None,
    within_ms: int,
) -> int:
    async with _running_desk(part, world, settings, _printer(as_json=arguments.json)) as desk:
        if not arguments.once:
            await desk.work(written, arguments.send)
            return Exit.OK
        try:
            async with asyncio.timeout(within_ms / 1000):
                await desk.work_once(written, arguments.send, with_receipts=arguments.wait_receipts)
        except TimeoutError as error:
            raise _too_late(desk, settings, within_ms) from error
        return Exit.NO if desk.anything_refused else Exit.OK


def _too_late(desk: NodeDesk, settings: LinkSettings, within_ms: int) -> LinkError | CapacityError:
    """Return what to say when time is up."""
    seconds = f"{within_ms / 1000:g} s"
    if not desk.was_linked:
        msg = f"no link to the broker at {settings.host}:{settings.port} within {seconds}"
        return LinkError(msg, remedy="is it running there, does it know this agency? --log-level info says more")
    undecided, owing = desk.unfinished()
    msg = f"not done within {seconds}: undecided {undecided or 'none'}, no receipt from {owing or 'none'}"
    return CapacityError(msg, remedy="what was sent stays sent; are the readers' nodes running?")


def _printer(*, as_json: bool) -> Callable[[Happening], None]:
    if as_json:
        return write_json_line
    screen = console()
    return lambda happening: show_happening(screen, happening)


@asynccontextmanager
async def _running_desk(
    part: NodePart, world: World, settings: LinkSettings, show: Callable[[Happening], None]
) -> AsyncGenerator[NodeDesk, None]:
    store = open_node_store(part)
    try:
        # One thread, so that what the desk reads of the database never falls into one of the node's transactions.
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="node-disk") as disk:
            news = asyncio.Event()

            def arrived(_arrival: Arrival) -> None:
                news.set()

            def noticed(notice: Notice) -> None:
                # All else stands in the journal, which is read in its order; a full disk takes no entry of itself.
                if notice.word in {"disk_full", "disk_has_room"}:
                    show({"event": notice.word, "at_ms": notice.at_ms, "text": notice.text})
                news.set()

            node = make_node(
                part, store, disk=disk, world=world, settings=settings, on_arrival=arrived, on_notice=noticed
            )
            async with node.running():
                yield NodeDesk(
                    node, store, outgoing=part.folder / OUTGOING, disk=disk, clock=world.clock, show=show, news=news
                )
    finally:
        store.close()
