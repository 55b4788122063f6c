"""``sandiwara init``: the folders of a region for separate machines."""

import argparse
from functools import partial
from pathlib import Path

from console.passwords import check_strength, given_password, new_password
from console.screen import Progress, console, plain, progress, write_json
from scenarios.catalogue import find_pack
from scenarios.certificates import check_host
from scenarios.deployment import Locks, link_settings, write_deployment
from scenarios.enrolment import enrol
from scenarios.pack import load_pack
from schemas.errors import UsageError
from schemas.limits import CLOCK_SKEW_MS_MAX
from sealing.entropy import SystemEntropy
from transport.clock import SystemClock

PORT_MAX = 65_535


def run(arguments: argparse.Namespace) -> int:
    """Make the folders."""
    folder = Path(arguments.folder)
    hosts = tuple(dict.fromkeys(check_host(host) for host in arguments.host))
    if arguments.port is not None and not 1 <= arguments.port <= PORT_MAX:
        msg = f"--port: {arguments.port} is no port"
        raise UsageError(msg, remedy=f"give one from 1 to {PORT_MAX}")
    settings = link_settings(hosts=hosts, port=arguments.port, tls=arguments.tls)
    pack = load_pack(find_pack(arguments.pack))
    given = new_password() if arguments.ask_password else given_password(arguments.password_file)
    if given is not None:
        check_strength(given)
    entropy = SystemEntropy()
    # In force a little earlier, so that a machine whose clock is a little late takes the bundle too.
    community = enrol(pack, entropy=entropy, at_ms=SystemClock().now_ms() - CLOCK_SKEW_MS_MAX)
    locks = Locks(given=given, entropy=entropy)
    with progress() as shown:
        write_deployment(
            folder,
            community,
            title=pack.header.title,
            settings=settings,
            hosts=hosts,
            locks=locks,
            entropy=entropy,
            step=partial(_step, shown),
        )
    agencies = sorted(community.rings)
    if arguments.json:
        write_json(
            {
                "folder": str(folder),
                "pack": pack.header.pack,
                "broker": {"host": settings.host, "port": settings.port, "tls": settings.tls},
                "agencies": agencies,
                "passwords": str(folder / "passwords") if locks.made else None,
            }
        )
        return 0
    screen = console()
    screen.print(plain(f"{folder}: broker and {len(agencies)} nodes; read {folder / 'README.txt'}"), soft_wrap=True)
    screen.print(plain(f"  sandiwara broker {folder}"), soft_wrap=True)
    screen.print(plain(f"  sandiwara node {folder} {agencies[0]}"), soft_wrap=True)
    return 0


def _step(shown: Progress, number: int, total: int) -> None:
    # A moving line shows each; where lines stay, the first says what takes so long and the last that it is done.
    if shown.moves or number in {1, total}:
        shown.step(f"locking key files: {number} of {total}")
