"""``sandiwara render``: the configuration of a broker that somebody else wrote, for a region that ``init`` made."""

import argparse
from pathlib import Path
from typing import Final

from console.screen import console, plain, write_json
from scenarios.deployed import broker_folder, read_settings
from scenarios.deployed_mosquitto import render_mosquitto
from scenarios.deployment import PLAIN_PORT, SETTINGS_FILE, TLS_PORT, LinkSettings, is_loopback
from scenarios.mosquitto import Listener
from schemas.errors import UsageError
from transport.clock import SystemClock

_FOLDER: Final = "mosquitto"
_PORT_MAX: Final = 65_535
_LISTEN: Final = "127.0.0.1"


def run(arguments: argparse.Namespace) -> int:
    """Write the files."""
    part = broker_folder(Path(arguments.folder))
    settings = read_settings(part / SETTINGS_FILE)
    listener = _listener(arguments, settings)
    into = Path(arguments.out) if arguments.out is not None else part.parent / _FOLDER
    lies_in = Path(arguments.lies_in) if arguments.lies_in is not None else into.absolute()
    if not lies_in.is_absolute() or not str(lies_in).isprintable():
        msg = "--lies-in: Mosquitto needs the whole path of the folder, in characters that can be seen"
        raise UsageError(msg, remedy="write for example --lies-in /etc/mosquitto/sandiwara")
    rendered = render_mosquitto(
        part,
        into,
        listener=listener,
        lies_in=lies_in,
        version=arguments.for_version,
        replace=arguments.replace,
        now_ms=SystemClock().now_ms(),
    )
    if arguments.json:
        write_json(
            {
                "configuration": str(rendered.configuration),
                "files": [str(path) for path in rendered.files],
                "listener": {"host": listener.address, "port": listener.port, "tls": listener.tls},
                "agencies": list(rendered.agencies),
                "version": arguments.for_version,
            }
        )
        return 0
    way = "TLS, client certificates" if listener.tls else "loopback, link passwords"
    screen = console()
    head = f"{into}: Mosquitto {arguments.for_version} on {listener.address}:{listener.port} ({way})"
    screen.print(plain(f"{head} for {len(rendered.agencies)} agencies and the router"), soft_wrap=True)
    scheme = "mqtts" if listener.tls else "mqtt"
    reached = settings.host if listener.tls else listener.address
    screen.print(plain(f"  mosquitto -c {lies_in / rendered.configuration.name}"), soft_wrap=True)
    screen.print(
        plain(f"  sandiwara router {arguments.folder} --broker {scheme}://{reached}:{listener.port}"), soft_wrap=True
    )
    return 0


def _listener(arguments: argparse.Namespace, settings: LinkSettings) -> Listener:
    """Return where Mosquitto is to listen; off loopback always by TLS, as the embedded broker does."""
    address = _LISTEN if arguments.host in (None, "localhost") else arguments.host
    if arguments.port is not None and not 1 <= arguments.port <= _PORT_MAX:
        msg = f"--port: {arguments.port} is no port"
        raise UsageError(msg, remedy=f"give one from 1 to {_PORT_MAX}")
    asked = True if not is_loopback(address) and arguments.tls is None else arguments.tls
    tls = settings.tls if asked is None else asked
    usual = settings.port if tls == settings.tls else (TLS_PORT if tls else PLAIN_PORT)
    return Listener(address=address, port=arguments.port or usual, tls=tls)
