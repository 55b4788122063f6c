"""Two plays of one pack, told without what is drawn anew in each: what is left must be equal."""

import asyncio
import re
from collections import Counter
from pathlib import Path
from typing import Any

from policy.community import Community
from scenarios.engine import prepared
from scenarios.enrolment import enrol
from scenarios.evaluate.evaluation import Evaluation, evaluate
from scenarios.model import Pack
from scenarios.record import Event, read_record
from scenarios.rehearsal import rehearse
from scenarios.report.summary import verdict_sentences
from sealing.entropy import SystemEntropy

# A message's id follows from its keys and salts, and a portion's place is drawn; both differ from play to play.
_IDS = re.compile(r"\b[0-9a-f]{8,64}\b")
# So do the places of portions in a list; and real time is told beside exercise time.
_DRAWN_ANEW = re.compile(r"\b[0-9a-f]{64}\b|\([0-9a-f]{8}\)|portions=\([\d, ]*\)|wall_ms=\w+")
_DRAWN = {"place", "record"}


def played_for_real(pack: Pack, folder: Path) -> tuple[Event, ...]:
    """Play a pack over real MQTT, and return its record."""

    async def play() -> None:
        async with prepared(pack, folder=folder, entropy=SystemEntropy()) as (exercise, region):
            await exercise.play(region)

    asyncio.run(play())
    return read_record(folder / "record")


def rehearsed(pack: Pack, folder: Path) -> tuple[Event, ...]:
    """Play a pack in virtual time, and return its record."""
    rehearse(pack, folder=folder)
    return read_record(folder / "record")


def evaluated(pack: Pack, events: tuple[Event, ...]) -> Evaluation:
    """Evaluate a play as its pack's evaluator does."""
    return evaluate(pack, events, Community.compile(enrol(pack, entropy=SystemEntropy()).bundle))


def comparable(events: tuple[Event, ...]) -> Counter[str]:
    """Give each event without what is drawn anew in every play, its message named by originator and order."""
    names: dict[str, str] = {}
    sent: Counter[str] = Counter()
    for event in events:
        hid = event.fields.get("hid")
        if event.stage in {"released", "requested", "decision"} and hid is not None and hid not in names:
            names[hid] = f"{event.source} no. {sent[event.source]}"
            sent[event.source] += 1

    def named(text: str) -> str:
        return _IDS.sub(
            lambda found: next((name for hid, name in names.items() if hid.startswith(found[0])), "-"), text
        )

    def plain(name: str, value: Any) -> Any:
        if name in {"bits", "audience"}:  # bit masks by place: how many portions is what was decided
            masks = value if isinstance(value, dict) else {"": value}
            return sorted((reader, int(mask).bit_count()) for reader, mask in masks.items())
        if isinstance(value, dict):
            return {key: plain(key, item) for key, item in value.items() if key not in _DRAWN}
        if isinstance(value, list | tuple):
            # The portions of a report lie in an order that is drawn too.
            drawn = int if name == "parents" else ()  # of what is quoted, the place
            return sorted((plain(name, item) for item in value if not isinstance(item, drawn)), key=repr)
        return named(value) if isinstance(value, str) else value

    return Counter(f"{event.at_ms} {event.source} {event.stage} {plain('', event.fields)!r}" for event in events)


def judged(pack: Pack, events: tuple[Event, ...]) -> list[str]:
    """Give the state of every need, what was disclosed and denied, and what the report says in brief."""
    evaluation = evaluated(pack, events)
    certain = evaluation.certain
    found = [*certain.needs, *certain.disclosures, *certain.denials, *evaluation.branches]
    return [_DRAWN_ANEW.sub("-", repr(item)) for item in found] + list(verdict_sentences(evaluation))
