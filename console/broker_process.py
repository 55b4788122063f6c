"""``sandiwara broker``: the need-to-know broker of a deployed region, until it is told to end."""

import argparse
import asyncio
from pathlib import Path

from console.ending import run_until_ended
from console.exits import Exit
from console.passwords import unlocking_password
from console.screen import console, plain, write_json_line
from console.sharing import allow_open_files
from scenarios.deployed import broker_folder
from scenarios.deployed_broker import BrokerPart, read_broker_part, running_broker
from scenarios.deployment import PASSWORDS, is_loopback
from scenarios.enrolment import ROUTER
from scenarios.region import World
from schemas.errors import ListenError, UsageError
from sealing.entropy import SystemEntropy
from transport.clock import SystemClock


def run(arguments: argparse.Namespace) -> int:
    """Run the broker; 0 after SIGTERM."""
    world = World(clock=SystemClock(), entropy=SystemEntropy())
    folder = broker_folder(Path(arguments.folder))
    host = arguments.host or "127.0.0.1"
    encrypted = _is_encrypted(arguments, host)
    made = folder.parent / PASSWORDS / ROUTER
    password = unlocking_password(arguments.password_file, made, what="the broker's key")
    part = read_broker_part(folder, password=password, now_ms=world.clock.now_ms())
    allow_open_files(len(part.shared.bundle.agencies))
    tls = part.settings.tls if encrypted is None else encrypted
    port = part.settings.port if arguments.port is None else arguments.port
    return run_until_ended(_serve(arguments, part, world, host=host, port=port, tls=tls))


def _is_encrypted(arguments: argparse.Namespace, host: str) -> bool | None:
    """Return what address and options demand, or None where it is as ``init`` was told."""
    if arguments.port is not None and not 0 <= arguments.port <= 65_535:  # noqa: PLR2004 - two bytes
        msg = f"--port: {arguments.port} is no port"
        raise UsageError(msg, remedy="give one from 1 to 65535, or 0 for any free one")
    if is_loopback(host):
        asked: bool | None = arguments.tls
        return asked
    if arguments.tls is False:
        msg = f"will not listen on {host} without TLS: it can be reached from other machines"
        raise ListenError(msg, remedy="leave out --no-tls, or listen on 127.0.0.1")
    return True


async def _serve(
    arguments: argparse.Namespace, part: BrokerPart, world: World, *, host: str, port: int, tls: bool
) -> int:
    def in_force(version: int) -> None:
        if arguments.json:
            write_json_line({"event": "bundle", "version": version})
        else:
            console().print(plain(f"version {version} of the bundle is in force"), soft_wrap=True)

    async with running_broker(part, world=world, host=host, port=port, tls=tls, on_bundle=in_force) as address:
        agencies = len(part.shared.bundle.agencies)
        if arguments.json:
            said = {"event": "listening", "host": address.host, "port": address.port, "tls": tls, "agencies": agencies}
            write_json_line(said)
        else:
            way = "TLS, client certificates" if tls else "loopback, link passwords"
            line = f"listening on {address.host}:{address.port} ({way}) for {agencies} agencies; Ctrl-C ends it"
            console().print(plain(line), soft_wrap=True)
        await asyncio.Event().wait()
    return Exit.OK
