"""``sandiwara router``: the need-to-know router of a deployed region as a client of another MQTT 5 broker."""

import argparse
import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from console.ending import run_until_ended
from console.exits import Exit
from console.passwords import unlocking_password
from console.screen import console, plain, write_json_line
from scenarios.deployed import broker_folder
from scenarios.deployed_broker import BrokerPart, read_broker_part
from scenarios.deployed_router import router_settings, running_router
from scenarios.deployment import PASSWORDS, PLAIN_PORT, TLS_PORT, LinkSettings, is_loopback
from scenarios.enrolment import ROUTER
from scenarios.region import World
from schemas.errors import UsageError
from sealing.entropy import SystemEntropy
from transport.clock import SystemClock

_PORTS: Final = {"mqtt": PLAIN_PORT, "mqtts": TLS_PORT}
_WRITE: Final = "write for example --broker mqtts://broker.example.org:8883, or mqtt://127.0.0.1:1883 on this machine"


def run(arguments: argparse.Namespace) -> int:
    """Run the router; 0 after SIGTERM."""
    world = World(clock=SystemClock(), entropy=SystemEntropy())
    asked = None if arguments.broker is None else broker_address(arguments.broker)
    folder = broker_folder(Path(arguments.folder))
    made = folder.parent / PASSWORDS / ROUTER
    password = unlocking_password(arguments.password_file, made, what="the router's key")
    part = read_broker_part(folder, password=password, now_ms=world.clock.now_ms())
    settings = asked or router_settings(part)
    return run_until_ended(_serve(part, world, settings, as_json=arguments.json))


def broker_address(text: str) -> LinkSettings:
    """Return where ``--broker`` says that the broker is.

    Raises:
        UsageError: If it is no such address, or in the clear to another machine.
    """
    parts, port = _split(text)
    if "@" in text:
        # Not quoted: what stands before it may be a password.
        msg = "--broker: names and passwords have no place in the address"
        raise UsageError(msg, remedy=f"the router logs in as its folder says; {_WRITE}")
    if parts.scheme not in _PORTS or not parts.hostname or not _is_bare(parts):
        msg = f"--broker: '{text[:80]}' is no mqtt:// or mqtts:// address"
        raise UsageError(msg, remedy=_WRITE)
    tls = parts.scheme == "mqtts"
    if not tls and not is_loopback(parts.hostname):
        msg = f"will not speak to {parts.hostname} without TLS: others could listen"
        raise UsageError(msg, remedy=f"write mqtts://{parts.hostname}")
    return LinkSettings(host=parts.hostname, port=_PORTS[parts.scheme] if port is None else port, tls=tls)


def _split(text: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        msg = "--broker: what is given is no address"
        raise UsageError(msg, remedy=_WRITE) from error
    if port == 0:
        msg = "--broker: 0 is no port"
        raise UsageError(msg, remedy=_WRITE)
    return parts, port


def _is_bare(parts: SplitResult) -> bool:
    """Tell whether nothing but host and port stands there."""
    return parts.path in ("", "/") and not parts.query and not parts.fragment


async def _serve(part: BrokerPart, world: World, settings: LinkSettings, *, as_json: bool) -> int:
    told = _link_teller(settings, as_json=as_json)
    async with running_router(part, world=world, settings=settings, on_link=told) as agencies:
        if as_json:
            write_json_line({"event": "routing", "agencies": agencies})
        else:
            line = f"routing for {agencies} agencies; Ctrl-C ends it"
            console().print(plain(line), soft_wrap=True)
        await asyncio.Event().wait()
    return Exit.OK


def _link_teller(settings: LinkSettings, *, as_json: bool) -> Callable[[bool], None]:
    """Return what tells of the link's ups and downs."""
    where = f"{settings.host}:{settings.port}"
    way = "TLS, the router's certificate" if settings.tls else "loopback, the router's link password"

    def told(up: bool) -> None:  # noqa: FBT001 - the host's callback
        if as_json:
            event = "link_up" if up else "link_down"
            write_json_line({"event": event, "host": settings.host, "port": settings.port, "tls": settings.tls})
        elif up:
            console().print(plain(f"linked to {where} ({way})"), soft_wrap=True)
        else:
            console().print(plain(f"no link to {where}; trying again"), soft_wrap=True)

    return told
