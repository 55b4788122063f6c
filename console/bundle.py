"""``sandiwara bundle``: show the community as it stands, propose a change, sign it, and put it in force."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

from console.contributions import show_contributions
from console.node_view import clock_text
from console.passwords import unlocking_password
from console.screen import console, plain, write_json
from policy.amendment import OF_MECHANISMS, Amendment, Step, amend
from policy.consistency import CHAIR
from scenarios.accession import Card, furnish, read_card
from scenarios.bundle_files import (
    authority_key_file,
    held_bundle,
    install,
    read_authority,
    read_bundle_file,
    write_bundle_file,
)
from scenarios.catalogue import find_pack
from scenarios.deployment import AUTHORITIES, NODES, PASSWORDS
from scenarios.enrolment import revise_bundle
from scenarios.pack import load_pack
from scenarios.values import datetime_ms, read_datetime
from schemas.bundle import Bundle, Mechanism
from schemas.codec import pack
from schemas.errors import InputError, UsageError
from schemas.limits import CLOCK_SKEW_MS_MAX
from sealing.proposals import Proposal, proved_authorities, sign_proposal
from transport.clock import SystemClock

_HOW_DATED: Final = "write MECHANISM=WHO, or MECHANISM=WHO@2027-03-14"


def run(arguments: argparse.Namespace) -> int:
    """Do one of the five.

    Raises:
        InputError: If a file is missing, or the change cannot be made, signed or put in force.
        UsageError: If a step cannot be meant.
    """
    actions = {
        "show": _show, "propose": _propose, "sign": _sign, "install": _install, "contributions": show_contributions,
    }  # fmt: skip
    actions[arguments.action](arguments)
    return 0


# Showing.


def _show(arguments: argparse.Namespace) -> None:
    place = Path(arguments.place)
    if place.is_dir():
        held = held_bundle(place)
        proposal, proved, threshold = held.proposal, proved_authorities(held.proposal, held.root), held.root.threshold
    else:
        proposal, proved, threshold = read_bundle_file(place), None, None
    document = _document(proposal, proved=proved, threshold=threshold)
    if arguments.json:
        write_json(document)
    else:
        _print(document)


def _document(proposal: Proposal, *, proved: Sequence[str] | None, threshold: int | None) -> dict[str, Any]:
    bundle = proposal.bundle
    return {
        "version": bundle.version,
        "issued_ms": bundle.issued,
        "expires_ms": bundle.expires,
        "signed_by": list(proposal.authorities),
        "proved": None if proved is None else list(proved),
        "threshold": threshold,
        "agencies": [
            {"agency": item.agency, "status": item.status, "clearance": item.clearance, "kind": item.kind}
            for item in bundle.agencies
        ],
        "mechanisms": [_mechanism(item) for item in bundle.mechanisms],
    }


def _mechanism(mechanism: Mechanism) -> dict[str, Any]:
    return {
        "mechanism": mechanism.mechanism,
        "title": mechanism.title,
        "memberships": [
            {"who": item.subject, "standing": item.standing, "begin_ms": item.begin, "end_ms": item.end}
            for item in mechanism.memberships
        ],
    }


def _print(document: dict[str, Any]) -> None:
    screen = console()

    def line(text: str, style: str = "") -> None:
        screen.print(plain(text, style=style), soft_wrap=True)

    line(f"version {document['version']}", "bold")
    line(f"  in force from {clock_text(document['issued_ms'])} to {clock_text(document['expires_ms'])}")
    signed = ", ".join(document["signed_by"]) or "nobody yet"
    proved = "" if document["proved"] is None else f" ({len(document['proved'])} hold, {document['threshold']} must)"
    line(f"  signed by {signed}{proved}")
    line("agencies", "bold")
    for item in document["agencies"]:
        line(f"  {item['agency']:<16} {item['status']:<10} {item['clearance']:<16} {item['kind']}")
    for mechanism in document["mechanisms"]:
        line(f"{mechanism['mechanism']}: {mechanism['title']}", "bold")
        for item in mechanism["memberships"]:
            standing = "holds it" if mechanism["mechanism"] == CHAIR else item["standing"]
            since = "from the start" if item["begin_ms"] == 0 else f"from {clock_text(item['begin_ms'])}"
            until = "" if item["end_ms"] is None else f" until {clock_text(item['end_ms'])}"
            line(f"  {item['who']:<16} {standing:<10} {since}{until}")


# Proposing.


def _propose(arguments: argparse.Namespace) -> None:
    held = held_bundle(Path(arguments.folder))
    now_ms = SystemClock().now_ms()
    amendments = [_amendment(step, text) for step, text in arguments.steps or ()]
    cards = [read_card(Path(name)) for name in arguments.enrol]
    if cards and arguments.pack is None:
        msg = "--enrol: a card says nothing but a name and a key"
        raise UsageError(msg, remedy="give by --pack a pack that has the agency, with state, kind and clearance")
    if not amendments and arguments.pack is None:
        msg = "nothing is to be changed"
        raise UsageError(msg, remedy="give --pack, or a step such as --suspend AGENCY")
    bundle = _amended(held.proposal.bundle, amendments, arguments.pack, cards, now_ms)
    out = Path(arguments.out)
    if out.exists() and not arguments.replace:
        msg = f"{out} is there already"
        raise UsageError(msg, remedy="choose another --out, or add --replace")
    write_bundle_file(out, Proposal(bundle=bundle, body=pack(bundle), signatures=()))
    steps = [
        *([f"as the pack {arguments.pack} says"] if arguments.pack else []),
        *(f"{card.agency} comes in, with the key {card.fingerprint}" for card in cards),
        *(item.text for item in amendments),
    ]
    if arguments.json:
        document = {"file": str(out), "version": bundle.version, "steps": steps, "threshold": held.root.threshold}
        write_json(document)
        return
    screen = console()
    screen.print(plain(f"{out}: version {bundle.version}, to be signed by {held.root.threshold}"), soft_wrap=True)
    for text in steps:
        screen.print(plain(f"  {text}"), soft_wrap=True)


def _amended(
    held: Bundle, amendments: Sequence[Amendment], pack_name: str | None, cards: Sequence[Card], now_ms: int
) -> Bundle:
    bundle = held
    if pack_name is not None:
        newcomers = {card.agency: card.key for card in cards}
        bundle = revise_bundle(held, load_pack(find_pack(pack_name)), at_ms=now_ms, newcomers=newcomers)
        bundle = bundle._replace(version=held.version)
    bundle = amend(bundle, amendments, at_ms=now_ms)
    # In force a little earlier, so that a machine whose clock is a little late takes it too; what begins with it does
    # not.
    return bundle._replace(issued=max(held.issued, now_ms - CLOCK_SKEW_MS_MAX))


def _amendment(step: str, text: str) -> Amendment:
    known = cast("Step", step)
    if known == "clearance":
        who, level = _halves(f"--{step}", text, "write AGENCY=LEVEL")
        return Amendment(step=known, who=who, level=level)
    if known not in OF_MECHANISMS:
        who, at_ms = _dated(f"--{step}", text) if known == "chair" else (text, None)
        return Amendment(step=known, who=who, at_ms=at_ms)
    mechanism, dated = _halves(f"--{step}", text, _HOW_DATED)
    who, at_ms = _dated(f"--{step}", dated)
    return Amendment(step=known, who=who, mechanism=mechanism, at_ms=at_ms)


def _halves(option: str, text: str, remedy: str) -> tuple[str, str]:
    first, found, second = text.partition("=")
    if not first or not found or not second:
        msg = f"{option}: '{text[:60]}' is not of two parts"
        raise UsageError(msg, remedy=remedy)
    return first, second


def _dated(option: str, text: str) -> tuple[str, int | None]:
    """Split ``TLS@2027-03-14`` and leave ``@group`` whole."""
    who, _, date = text.rpartition("@")
    if not who:
        return text, None
    try:
        return who, datetime_ms(read_datetime(date))
    except ValueError as error:
        msg = f"{option}: {error}"
        raise UsageError(msg, remedy=_HOW_DATED) from error


# Signing and installing.


def _sign(arguments: argparse.Namespace) -> None:
    path, keys, authority = Path(arguments.file), Path(arguments.keys), arguments.authority
    proposal = read_bundle_file(path)
    key_file = authority_key_file(keys, authority)
    region = key_file.parent.parent if key_file.parent.name == AUTHORITIES else key_file.parent
    password = unlocking_password(arguments.password_file, region / PASSWORDS / authority, what=f"{authority}'s key")
    signed = sign_proposal(proposal, authority=authority, signer=read_authority(key_file, authority, password=password))
    threshold = _threshold(region)
    write_bundle_file(path, signed)
    count = len(signed.signatures)
    if arguments.json:
        document = {
            "file": str(path), "version": signed.bundle.version, "signed_by": list(signed.authorities),
            "threshold": threshold,
        }  # fmt: skip
        write_json(document)
        return
    of = "" if threshold is None else f" of {threshold}"
    text = f"{path}: version {signed.bundle.version}, signed by {', '.join(signed.authorities)}; {count}{of} signatures"
    console().print(plain(text), soft_wrap=True)


def _threshold(region: Path) -> int | None:
    """Tell how many must sign; the keys may lie in a safe where nothing says so."""
    try:
        return held_bundle(region).root.threshold
    except InputError:
        return None


def _install(arguments: argparse.Namespace) -> None:
    region = Path(arguments.folder)
    installed = install(region, Path(arguments.file), now_ms=SystemClock().now_ms())
    version = installed.bundle.version
    came_in = furnish(region, installed)
    if arguments.json:
        write_json(
            {
                "folder": str(region), "version": version, "signed_by": list(installed.authorities),
                "came_in": list(came_in),
            }
        )  # fmt: skip
        return
    text = f"{region}: version {version} is installed; a running broker takes it up in seconds and tells every node"
    screen = console()
    screen.print(plain(text), soft_wrap=True)
    for agency in came_in:
        folder = region / NODES / agency
        screen.print(plain(f"  {agency} has come in: copy {folder} to its machine, and no other"), soft_wrap=True)
