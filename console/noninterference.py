"""``sandiwara noninterference``: a pack with and without a secret; whoever may not know of it must not notice."""

import argparse
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from console.exits import Exit
from console.screen import Progress, console, plain, progress, write_json
from scenarios.catalogue import find_pack
from scenarios.evaluate.wording import clock_text
from scenarios.model import Pack
from scenarios.noninterference import Trial, find_candidates, try_secret
from scenarios.noninterference_desk import Secret
from scenarios.noninterference_difference import Difference
from scenarios.noninterference_sight import Sight
from scenarios.noninterference_world import HeardLines, Watching
from scenarios.pack import load_pack
from schemas.errors import InputError

_SIGHTS: Final = ("without", "with")


def run(arguments: argparse.Namespace) -> int:
    """Try secrets; 1 if an observer could tell.

    Raises:
        InputError: If the pack, a secret or an observer is not there, or there is nothing to hide.
        ExerciseError: If a play cannot go on, or a secret does not come about.
        CapacityError: If a step of a play does not come to rest.
    """
    pack = load_pack(find_pack(arguments.pack))
    if arguments.seed is not None:
        pack = replace(pack, header=replace(pack.header, seed=arguments.seed))
    out = None if arguments.out is None else _make_folder(Path(arguments.out))
    with tempfile.TemporaryDirectory() as folder, progress() as shown, _heard() as log:
        trials = _try_all(pack, arguments, Watching(folder=Path(folder), log=log), shown)
    if out is not None:
        for trial in trials:
            _write_sights(out / trial.secret.name, trial)
    if arguments.json:
        write_json(
            {"pack": pack.header.pack, "seed": pack.header.seed, "trials": [_described(item) for item in trials]}
        )
    else:
        for trial in trials:
            _show(pack, trial)
        _show_sum(trials)
    return Exit.OK if all(trial.holds for trial in trials) else Exit.NO


def _try_all(pack: Pack, arguments: argparse.Namespace, watching: Watching, shown: Progress) -> list[Trial]:
    observers = tuple(dict.fromkeys(arguments.observer))
    shown.step(f"{pack.header.pack}: playing it once, to see who is told what")
    named = [Secret(order=name) for name in arguments.report] + [Secret(inject=name) for name in arguments.secret]
    candidates = find_candidates(pack, watching=watching, named=named, observers=observers)
    trials: list[Trial] = []
    for number, candidate in enumerate(candidates, 1):

        def step(text: str, place: str = f"{number} of {len(candidates)}") -> None:
            shown.step(f"secret {place}, {text}")

        # Whoever is told of one secret may watch the others.
        watchers = observers if named else tuple(name for name in observers if name in candidate.untold)
        trials.append(try_secret(pack, candidate, observers=watchers, watching=watching, step=step))
    return trials


@contextmanager
def _heard() -> Iterator[list[tuple[str, str]]]:
    """Keep what nodes log during the plays; none of it is said, since both worlds are made up."""
    lines: list[tuple[str, str]] = []
    handler = HeardLines(lines)
    root = logging.getLogger()
    before = root.handlers[:]
    root.handlers[:] = [handler]
    try:
        yield lines
    finally:
        root.handlers[:] = before


def _show(pack: Pack, trial: Trial) -> None:
    screen = console()
    screen.print(
        plain(f"{trial.secret.name} of {trial.originator}", style="bold").append(
            plain(f": {trial.hidden} messages and injects in one world only")
        )
    )
    for observer, difference in trial.differences.items():
        frames, size = _amount(trial.sights[observer][0])
        if difference is None:
            screen.print(plain(f"  {observer}: equal, over {frames} frames of {size} bytes"))
        else:
            screen.print(plain(f"  {observer}: ").append(plain("differs", style="bold red")))
            screen.print(plain(f"    {_place(pack, difference)}: {difference.text}"))
    for held in trial.held_back:
        who = ", ".join(held.observers)
        screen.print(plain(f"  held back: order {held.order or '(none)'} of {held.agency} would have told {who}"))


def _show_sum(trials: list[Trial]) -> None:
    broken = [trial for trial in trials if not trial.holds]
    pairs = sum(len(trial.differences) for trial in trials)
    found = sum(difference is not None for trial in trials for difference in trial.differences.values())
    secrets = f"{len(trials)} secret{'' if len(trials) == 1 else 's'}"
    if broken:
        text = f"{found} of {pairs} observers could tell, of {len(broken)} of {secrets}"
    else:
        text = f"{secrets}, {pairs} observers: nobody could tell"
    console().print(plain(text))


def _place(pack: Pack, difference: Difference) -> str:
    where = f"{difference.where}, {difference.kind}, no. {difference.place}"
    if difference.at_ms is None:
        return where
    return f"{where}, {clock_text(difference.at_ms - pack.start_ms)}"


def _amount(sight: Sight) -> tuple[int, int]:
    frames = [seen for seen in sight.link if seen.content]
    return len(frames), sum(len(seen.content) for seen in frames)


def _described(trial: Trial) -> dict[str, Any]:
    observers = {}
    for name, difference in trial.differences.items():
        frames, size = _amount(trial.sights[name][0])
        found = None if difference is None else asdict(difference)
        observers[name] = {"equal": difference is None, "frames": frames, "bytes": size, "difference": found}
    return {
        "secret": trial.secret.name,
        "is": "report" if trial.secret.order else "inject",
        "originator": trial.originator,
        "hidden": trial.hidden,
        "holds": trial.holds,
        "observers": observers,
        "held_back": [asdict(held) for held in trial.held_back],
    }


def _make_folder(folder: Path) -> Path:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        msg = f"{folder} is not an empty folder"
        raise InputError(msg, remedy="give a folder that does not exist yet")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _write_sights(folder: Path, trial: Trial) -> None:
    """Write what each observer saw, a line for each thing, so that any tool for differences may be used on it."""
    folder.mkdir(mode=0o700)
    for observer, sights in trial.sights.items():
        for world, sight in zip(_SIGHTS, sights, strict=True):
            path = folder / f"{observer}.{world}.txt"
            path.write_text("".join(f"{line}\n" for line in _lines(sight)), encoding="utf-8")


def _lines(sight: Sight) -> Iterator[str]:
    for seen in sight.link:
        yield f"link {seen.at_ms} {seen.word} {seen.topic} {seen.said} {seen.content.hex()}"
    for name, rows in sight.tables.items():
        yield from (f"table {name} {row.hex()}" for row in rows)
    for name, content in sight.files.items():
        yield f"file {name} {content.hex()}"
    yield from (f"log {line}" for line in sight.log)
