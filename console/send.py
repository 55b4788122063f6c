"""``sandiwara send``: check a report file and hand it to an agency's node."""

import argparse
from pathlib import Path

from console.label_options import agencies_meant
from console.outcome import foresee
from console.report_file import read_bytes, read_report
from console.screen import console, plain, write_json
from console.spool import hand_over
from policy.community import Community
from scenarios.deployed import node_folder, read_shared
from scenarios.deployment import OUTGOING
from scenarios.problems import did_you_mean
from schemas.errors import InputError
from sealing.entropy import SystemEntropy
from transport.clock import SystemClock


def run(arguments: argparse.Namespace) -> int:
    """Hand a report over; whether anybody may receive it is said now, and decided when it is sent."""
    now_ms = SystemClock().now_ms()
    folder = node_folder(Path(arguments.folder), arguments.agency)
    community = Community.compile(read_shared(folder, now_ms=now_ms).bundle)
    if community.agency(arguments.agency) is None:
        msg = f"the bundle in {folder} knows no agency '{arguments.agency[:40]}'"
        raise InputError(msg, remedy=did_you_mean(arguments.agency, [item.agency for item in community.agencies]))
    path = Path(arguments.file)
    received = read_bytes(path)
    report = read_report(received, str(path), community=community, now_ms=now_ms)
    meant = agencies_meant(arguments.to, community)
    foreseen = foresee(
        report.portions, originator=arguments.agency, meant=meant or report.to, at_ms=now_ms, community=community
    )
    readers = sorted({name for at in range(len(report.portions)) for name in foreseen.readers(at)})
    laid = hand_over(
        folder / OUTGOING,
        name=path.name,
        text=received.decode("utf-8-sig"),
        to=meant,
        now_ms=now_ms,
        entropy=SystemEntropy(),
    )
    if arguments.json:
        write_json({"file": str(laid), "agency": arguments.agency, "readers": readers})
    else:
        who = ", ".join(readers) if readers else "nobody, as the rules stand"
        console().print(plain(f"handed to the node of {arguments.agency}; to be read by {who}"), soft_wrap=True)
    return 0
