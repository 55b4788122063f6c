"""``sandiwara share``: a STIX or MISP file through a whole region, and who received which portion by which rule."""

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from agencies.intake.intake import Imported, IntakeDefaults, read_file
from console.ending import run_unless_ended
from console.exits import Exit
from console.label_options import agencies_meant, check_affected, check_known, subjects_of, words
from console.outcome import Outcome, as_document, foresee
from console.outcome_view import show_outcome
from console.screen import console, plain, progress, write_json
from console.sharing import share
from policy.community import Community
from scenarios.catalogue import find_pack
from scenarios.enrolment import enrol
from scenarios.pack import load_pack
from scenarios.region import World
from schemas.errors import InputError, UsageError
from schemas.limits import CLOCK_SKEW_MS_MAX
from sealing.entropy import SystemEntropy
from transport.clock import SystemClock

_OUTCOME_FILE: Final = "outcome.json"


def run(arguments: argparse.Namespace) -> int:
    """Share a file; 1 if nobody has anything of it, or anything came out otherwise than foreseen."""
    world = World(clock=SystemClock(), entropy=SystemEntropy())
    pack = load_pack(find_pack(arguments.pack))
    now_ms = world.clock.now_ms()
    # Issued a little earlier, so that it is in force for a node whose clock is a little late.
    enrolled = enrol(pack, entropy=world.entropy, at_ms=now_ms - CLOCK_SKEW_MS_MAX)
    community = Community.compile(enrolled.bundle)
    ids = [agency.agency for agency in community.agencies]
    check_known("--as", [arguments.sender], ids, noun=f"agency of {pack.header.pack}")
    meant = agencies_meant(arguments.to, community)
    imported = read_file(Path(arguments.file), defaults=_defaults(arguments, community))
    portions = imported.report.portions
    foreseen = foresee(portions, originator=arguments.sender, meant=meant, at_ms=now_ms, community=community)
    if arguments.dry_run or not foreseen.any_reader:
        _show(arguments, imported, foreseen)
        return Exit.OK if foreseen.any_reader else Exit.NO
    with _folder(arguments.out) as folder, progress() as shown:
        outcome = run_unless_ended(
            share(
                enrolled,
                portions,
                foreseen,
                meant=meant,
                source=imported.source_name,
                folder=folder,
                world=world,
                step=shown.step,
            )
        )
        if arguments.out is not None:
            text = json.dumps(_document(imported, outcome), indent=2) + "\n"
            (folder / _OUTCOME_FILE).write_text(text, encoding="utf-8")
    _show(arguments, imported, outcome)
    return Exit.OK if outcome.any_reader and not outcome.differences else Exit.NO


def _defaults(arguments: argparse.Namespace, community: Community) -> IntakeDefaults:
    affected = words(arguments.affected)
    check_affected(affected)
    level = arguments.level or community.bundle.levels[0]
    check_known("--level", [level], community.bundle.levels, noun="level")
    groups = dict(_assignment("--sharing-group", text) for text in arguments.sharing_group)
    organisations = dict(_assignment("--organisation", text) for text in arguments.organisation)
    known = subjects_of(community)
    for name, given in (("--organisation", organisations), ("--sharing-group", groups)):
        for subjects in given.values():
            check_known(name, words([subjects]), known, noun="agency, state or @group here")
    return IntakeDefaults(
        originator=arguments.sender,
        tlp=arguments.tlp or "AMBER+STRICT",
        level=level,
        topic=arguments.topic,
        affected=affected,
        organisations=organisations,
        sharing_groups={name: words([subjects]) for name, subjects in groups.items()},
    )


def _assignment(option: str, text: str) -> tuple[str, str]:
    name, equals, who = text.rpartition("=")
    if not equals or not name.strip() or not who.strip():
        msg = f"{option}: '{text}' says not who is who"
        raise UsageError(msg, remedy=f"write {option} 'ESET=mys-cert'")
    return name.strip(), who.strip()


@contextmanager
def _folder(wanted: str | None) -> Iterator[Path]:
    """Give the folder for the databases: the one wanted, which must hold nothing yet, or one that goes when done."""
    if wanted is None:
        made = Path(tempfile.mkdtemp(prefix="sandiwara-share-"))
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)
        return
    folder = Path(wanted)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        occupied = next(folder.iterdir(), None)
    except OSError as error:
        msg = f"{folder} cannot be made or read: {error.strerror}"
        raise InputError(msg, remedy="give a folder that is yours, by --out") from error
    if occupied is not None:
        msg = f"{folder} is not empty: it holds {occupied.name}"
        raise InputError(msg, remedy="give a new folder by --out; nothing is overwritten")
    yield folder


def _document(imported: Imported, outcome: Outcome) -> dict[str, Any]:
    return {
        "file": imported.source_name,
        "standard": imported.standard,
        "validation": imported.validation,
        "counts": dict(imported.counts),
        "warnings": list(imported.warnings),
        "sent": outcome.hid is not None,
        **as_document(outcome),
    }


def _show(arguments: argparse.Namespace, imported: Imported, outcome: Outcome) -> None:
    if arguments.json:
        write_json(_document(imported, outcome))
        return
    screen = console()
    counted = ", ".join(f"{count} {kind}" for kind, count in imported.counts.items())
    screen.print(plain(f"{imported.source_name}: {imported.standard}, {counted}"))
    for warning in imported.warnings:
        screen.print(plain(f"warning: {warning}", style="yellow"))
    state = f"sent as {outcome.hid[:16]}…" if outcome.hid else "pre-flight only, nothing was sent"
    screen.print(plain(f"EXERCISE  from {outcome.originator}, {state}", style="bold"))
    screen.print()
    show_outcome(screen, outcome)
    if not outcome.any_reader:
        screen.print(plain("Nobody may receive any of it, so nothing was sent.", style="bold red"))
