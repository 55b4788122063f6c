"""``sandiwara run``: play a pack over real MQTT or in virtual time, and be told where its after-action report lies."""

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import Any, Final

from console.ending import run_unless_ended
from console.live_view import watching
from console.results import show_results
from console.screen import console, write_json
from policy.community import Community
from scenarios.catalogue import find_pack
from scenarios.engine import prepared
from scenarios.evaluate.evaluation import Evaluation, evaluate
from scenarios.lint import lint_pack
from scenarios.model import Pack
from scenarios.pack import load_pack_with_places
from scenarios.record import read_record
from scenarios.rehearsal import rehearse
from scenarios.report.page import AarFiles, write_aar
from scenarios.report.summary import verdict_sentences
from schemas.errors import StoreError, UsageError
from sealing.entropy import SystemEntropy

_MARKER: Final = "play.json"  # says that a folder is a play's, so that --replace can never remove anything else
_SPEED_MOST: Final = 100_000.0
_PLAYS_MOST: Final = 1_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``run``."""
    parser.add_argument("pack", metavar="PACK", help="a shipped pack by name, or the path of a folder or file")
    parser.add_argument(
        "--out", metavar="DIR", help="where record, databases and report go (default: plays/PACK-1, -2 …)"
    )
    parser.add_argument("--replace", action="store_true", help="replace an earlier play in DIR")
    parser.add_argument(
        "--speed", type=float, metavar="X", help="exercise time runs X times as fast as real time (default: no waiting)"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="other luck than the pack's: desks and links draw anew")
    parser.add_argument("--quiet", action="store_true", help="no live view")
    parser.add_argument(
        "--virtual", action="store_true",
        help="rehearse in virtual time: no network, no waiting, the same to the byte for the same --seed",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Play a pack and write its after-action report.

    Raises:
        InputError: If the pack cannot be read, or has errors.
        UsageError: If the speed or the folder cannot be meant.
    """
    if arguments.speed is not None and not 0 < arguments.speed <= _SPEED_MOST:
        msg = f"a speed of {arguments.speed:g}"
        raise UsageError(msg, remedy=f"give a number above 0 and up to {_SPEED_MOST:g}; 1 is real time")
    if arguments.virtual and arguments.speed is not None:
        msg = "--virtual and --speed"
        raise UsageError(msg, remedy="virtual time waits for nobody; leave one of them out")
    pack = _load(arguments.pack, seed=arguments.seed)
    folder = _make_folder(arguments.out, pack, replace=arguments.replace)
    began = time.perf_counter()
    texts: dict[tuple[str, int], str] = {}
    interrupted = False
    try:
        if arguments.virtual:
            rehearse(pack, folder=folder, texts=texts)
        else:
            run_unless_ended(_play(pack, folder, arguments, texts))
    except KeyboardInterrupt:
        interrupted = True
    record = folder / "record"
    if interrupted and not record.is_dir():
        raise KeyboardInterrupt
    events = read_record(record)
    evaluation = evaluate(pack, events, _community(pack), texts=texts)
    files = write_aar(pack, events, evaluation, folder)
    took_s = time.perf_counter() - began
    if arguments.json:
        write_json(_document(pack, evaluation, files, took_s=took_s, complete=not interrupted))
    else:
        show_results(console(), pack, evaluation, files, took_s=took_s, complete=not interrupted)
    if interrupted:
        raise KeyboardInterrupt
    return 0


async def _play(pack: Pack, folder: Path, arguments: argparse.Namespace, texts: dict[tuple[str, int], str]) -> None:
    quiet = arguments.quiet or arguments.json
    with watching(pack, quiet=quiet) as view:
        async with prepared(
            pack, folder=folder, entropy=SystemEntropy(), speed=arguments.speed, watch=view.update, texts=texts
        ) as (exercise, region):
            await exercise.play(region)


def _load(name: str, *, seed: int | None) -> Pack:
    """Load a pack that can be played.

    Raises:
        InputError: If it cannot.
    """
    from dataclasses import replace

    from schemas.errors import InputError

    loaded = load_pack_with_places(find_pack(name))
    pack = loaded.pack
    errors = [finding for finding in lint_pack(pack, loaded.places) if finding.level == "error"]
    if errors:
        msg = f"the pack {pack.header.pack} has {len(errors)} errors; the first: {errors[0].place}: {errors[0].text}"
        raise InputError(msg, remedy=f"sandiwara lint {name}")
    return pack if seed is None else replace(pack, header=replace(pack.header, seed=seed))


def _make_folder(out: str | None, pack: Pack, *, replace: bool) -> Path:
    """Make the folder of a play; an earlier play is only ever replaced on demand.

    Raises:
        UsageError: If the folder holds something already.
        StoreError: If it cannot be made.
    """
    folder = Path(out) if out is not None else _free_folder(pack.header.pack)
    try:
        if folder.is_dir() and any(folder.iterdir()):
            if not replace or not (folder / _MARKER).is_file():
                msg = f"{folder} holds something already"
                remedy = "choose another --out" if replace else "choose another --out, or add --replace for an old play"
                raise UsageError(msg, remedy=remedy)
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        marker = {"pack": pack.header.pack, "digest": pack.digest, "seed": pack.header.seed}
        (folder / _MARKER).write_text(json.dumps(marker, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        msg = f"{folder} cannot be made: {error.strerror}"
        raise StoreError(msg, remedy="choose a folder that is yours, on a disk with room") from error
    return folder


def _free_folder(pack: str) -> Path:
    for number in range(1, _PLAYS_MOST):
        folder = Path("plays") / f"{pack}-{number}"
        if not folder.exists():
            return folder
    msg = f"plays/ holds {_PLAYS_MOST - 1} plays of {pack}"
    raise UsageError(msg, remedy="remove some, or choose --out")


def _community(pack: Pack) -> Community:
    """Compile the pack's community for evaluation; its keys play no part in a decision."""
    from scenarios.enrolment import enrol

    return Community.compile(enrol(pack, entropy=SystemEntropy()).bundle)


def _document(pack: Pack, evaluation: Evaluation, files: AarFiles, *, took_s: float, complete: bool) -> dict[str, Any]:
    return {
        "pack": pack.header.pack,
        "digest": pack.digest,
        "seed": pack.header.seed,
        "complete": complete,
        "real_seconds": round(took_s, 1),
        "report": str(files.html),
        "summary": str(files.summary_json),
        "in_brief": list(verdict_sentences(evaluation)),
        "findings": [
            {"kind": finding.kind, "headline": finding.headline, "cause": finding.cause}
            for finding in evaluation.findings
        ],
        "unexplained_messages": len(evaluation.reconciliation.unexplained),
    }
