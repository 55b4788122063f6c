"""Load a scenario pack: the planner's folder in, one checked ``Pack`` out, or every problem at once.

Everything in a pack is data: there are no expressions, no templates and no code to run. Files are read once, before
anything is understood (scenarios/pack_files.py); each part is read by the file that knows it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from policy.amendment import amend
from scenarios.conditions import KnownIds
from scenarios.fields import Fields
from scenarios.model import MeasureKind, Order, Pack, PackHeader, Participant
from scenarios.msel_table import take_msel_table
from scenarios.pack_changes import read_changes
from scenarios.pack_community import (
    CommunityNames,
    names_of_marks,
    read_groups,
    read_levels,
    read_links,
    read_marks,
    read_mechanisms,
    read_participants,
)
from scenarios.pack_conduct import read_bots, read_branches, read_objectives, read_orders
from scenarios.pack_files import PackFiles, read_pack_files
from scenarios.pack_overrides import OverrideContext
from scenarios.pack_red import read_red
from scenarios.pack_rules import read_labels, read_rules
from scenarios.pack_story import read_facts, read_msel, read_must_nots, read_needs
from scenarios.parts import Parts, Places
from scenarios.passages import ContentContext
from scenarios.placeholder_community import check_community, placeholder_bundle
from scenarios.problems import Mark, PackError, Problems
from scenarios.text_yaml import shorten
from scenarios.values import datetime_ms, read_datetime, read_duration_ms, read_number
from schemas.bundle import NationalMark
from schemas.errors import InputError
from schemas.label import LIFE_SAFETY_PREFIX

PACK_FORMAT: Final = "1"
DURATION_MS_DEFAULT: Final = 4 * 3_600_000
# What one entry of each part is called in messages.
_ENTRY_NOUNS: Final = {
    "participants": "the participant", "links": "the link profile", "groups": "the group",
    "mechanisms": "the mechanism",
    "marks": "the national mark", "rules": "the rule", "labels": "the label", "facts": "the fact", "needs": "the need",
    "must_not": "the must-not", "msel": "the inject", "branches": "the branch", "bots": "the bot profile",
    "orders": "the standing order", "objectives": "the objective", "changes": "the change",
    "red": "the act of red",
}  # fmt: skip
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)  # stands in where the planner's own start could not be read
_NO_OFFSET: Final = timedelta(0)
Entries = list[tuple[str, Fields]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPack:
    """A pack, and where each of its ids was written: ``places[part, id]``."""

    pack: Pack
    places: Places


def load_pack(path: Path) -> Pack:
    """Load a pack from its folder, or from the one file that holds it all.

    Raises:
        PackError: With everything that is wrong, each with file, line and column.
        InputError: If there is no pack there at all.
    """
    return load_pack_with_places(path).pack


def load_pack_with_places(path: Path) -> LoadedPack:
    """Load a pack and keep where each id stands, for lint and for messages of the engine.

    Raises:
        PackError: With everything that is wrong, each with file, line and column.
        InputError: If there is no pack there at all.
    """
    files = read_pack_files(path)
    problems = Problems(files.name)
    parts = Parts(files, problems)
    take_msel_table(parts)
    if problems.found:
        # What stands in a file that cannot be read would only be reported as missing.
        raise PackError(files.name, problems.found)
    pack = _Assembly(parts, files).pack()
    if not problems.found:
        try:
            check_community(pack)
        except InputError as error:
            problems.add(Mark(files.main, 1, 1), "community", str(error), error.remedy)
    if not problems.found:
        check_changes(pack, parts.places, problems)
    if problems.found:
        raise PackError(files.name, problems.found)
    return LoadedPack(pack=pack, places=parts.places)


def check_changes(pack: Pack, places: Places, problems: Problems) -> None:
    """Note the first change that cannot be made of the community as it stands by then."""
    bundle = placeholder_bundle(pack)
    for change in pack.changes:
        try:
            bundle = amend(bundle, change.amendments, at_ms=pack.start_ms + change.time_ms)
        except InputError as error:
            problems.add(places["changes", change.change], "change", f"{change.change}: {error}", error.remedy)
            return


class _Assembly:
    """Puts the parts together in the order in which they build on one another."""

    def __init__(self, parts: Parts, files: PackFiles) -> None:
        self.parts = parts
        self.files = files
        # All ids first: an order may name an order that stands below it.
        self.entries: dict[str, Entries] = {
            part: list(parts.entries(part, what=noun, agency_ids=part == "participants"))
            for part, noun in _ENTRY_NOUNS.items()
        }

    def ids(self, part: str) -> tuple[str, ...]:
        return tuple(name for name, _ in self.entries[part])

    def pack(self) -> Pack:
        """Read everything. Slips leave neutral values behind; the caller refuses the pack if there were any."""
        header = self._header()
        start, start_text, duration_ms, hot_wash_ms = self._clock()
        start_ms = datetime_ms(start)
        levels = read_levels(self.parts)
        compartments = tuple(sorted({item.value for item in self.parts.texts("compartments")}))
        participants = read_participants(self.entries["participants"], self.parts, levels, compartments)
        if not participants:
            self._missing("participants", "name at least two agencies")
        marks = read_marks(self.entries["marks"], levels)
        names = self._names(participants, levels, compartments, marks)
        labels = read_labels(self.entries["labels"], names, start_ms)
        known = self._known_ids()
        context = ContentContext(
            pack=header.pack, start_ms=start_ms, labels=labels, facts=known.facts, passage_facts={},
            problems=self.parts.problems,
        )  # fmt: skip
        injects = read_msel(self.entries["msel"], known, context, self.parts)
        if not injects:
            self._missing("msel", "a MSEL has at least one inject")
        overriding = OverrideContext(
            authorities=tuple(word for word in self.ids("mechanisms") if word.startswith(LIFE_SAFETY_PREFIX)),
            states=tuple(sorted({item.state for item in participants if item.state is not None})),
            content=context,
        )
        orders = read_orders(self.entries["orders"], known, labels, overriding)
        return Pack(
            path=self.files.path,
            digest=self.files.digest,
            header=header,
            start_ms=start_ms,
            start_text=start_text,
            zone_minutes=int((start.utcoffset() or _NO_OFFSET).total_seconds()) // 60,
            duration_ms=duration_ms,
            hot_wash_ms=hot_wash_ms,
            levels=levels,
            compartments=compartments,
            groups=read_groups(self.entries["groups"], names),
            mechanisms=read_mechanisms(self.entries["mechanisms"], names),
            rules=read_rules(self.entries["rules"], names),
            marks=marks,
            participants=participants,
            links=read_links(self.entries["links"]),
            labels=labels,
            facts=read_facts(self.entries["facts"]),
            needs=read_needs(self.entries["needs"], known.facts, known.agencies),
            must_nots=read_must_nots(self.entries["must_not"], known.facts, known.agencies),
            injects=injects,
            branches=read_branches(self.entries["branches"], known),
            bots=read_bots(self.entries["bots"]),
            orders=orders,
            objectives=read_objectives(self.entries["objectives"], self._measured(orders)),
            changes=read_changes(self.entries["changes"], names, start_ms),
            red=read_red(self.entries["red"], known, context, self.parts),
            passage_facts=context.passage_facts,
        )

    def _missing(self, part: str, remedy: str) -> None:
        self.parts.problems.add(Mark(self.files.main, 1, 1), "missing", f"the pack has no part '{part}'", remedy)

    def _header(self) -> PackHeader:
        fields = self.parts.single("pack")
        stated = fields.required("format", str.strip, PACK_FORMAT)
        if stated != PACK_FORMAT:
            self.parts.problems.add(
                fields.mark_of("format"),
                "format",
                f"format {shorten(stated)} is not known; this version reads format {PACK_FORMAT}",
                "write format: 1, or get a newer Sandiwara",
            )
        header = PackHeader(
            pack=fields.required_text("id"),
            title=fields.required_text("title"),
            summary=fields.text("summary"),
            marking=fields.text("marking", "EXERCISE"),
            seed=fields.read("seed", read_number, 0),
            sponsor=fields.text("sponsor"),
            scope=fields.text("scope"),
            threat=fields.text("threat"),
            notes=fields.text("notes"),
        )
        # H14: each message says that it is exercise traffic; so does whatever is printed from the pack.
        if "EXERCISE" not in header.marking.upper():
            self.parts.problems.add(
                fields.mark_of("marking"), "marking", "the marking does not say EXERCISE", "begin it with EXERCISE"
            )
        fields.close()
        return header

    def _clock(self) -> tuple[datetime, str, int, int | None]:
        fields = self.parts.single("clock")
        start = fields.required("scenario_start", read_datetime, _EPOCH)
        start_text = fields.text("scenario_start")
        duration_ms = fields.required("duration", read_duration_ms, DURATION_MS_DEFAULT)
        if duration_ms == 0:
            self.parts.problems.add(
                fields.mark_of("duration"), "value", "the exercise ends as it begins", "give it a duration, such as 3h"
            )
        hot_wash_ms = fields.read("hot_wash", read_duration_ms, None)
        fields.close()
        return start, start_text, duration_ms, hot_wash_ms

    def _names(
        self,
        participants: tuple[Participant, ...],
        levels: tuple[str, ...],
        compartments: tuple[str, ...],
        marks: tuple[NationalMark, ...],
    ) -> CommunityNames:
        return CommunityNames(
            agencies=self.ids("participants"),
            states=tuple(sorted({who.state for who in participants if who.state is not None})),
            groups=tuple(f"@{name.removeprefix('@')}" for name in self.ids("groups")),
            levels=levels,
            compartments=compartments,
            mechanisms=self.ids("mechanisms"),
            marks=names_of_marks(marks),
        )

    def _known_ids(self) -> KnownIds:
        return KnownIds(
            agencies=self.ids("participants"),
            facts=self.ids("facts"),
            injects=self.ids("msel"),
            orders=self.ids("orders"),
            labels=self.ids("labels"),
            objectives=self.ids("objectives"),
            mechanisms=self.ids("mechanisms"),
        )

    def _measured(self, orders: tuple[Order, ...]) -> dict[MeasureKind, tuple[str, tuple[str, ...]]]:
        """Say which ids each kind of measure is about."""
        correcting = tuple(order.order for order in orders if order.do == "correct")
        asking = tuple(order.order for order in orders if order.do == "request")
        recalling = tuple(order.order for order in orders if order.do == "recall")
        deriving = tuple(order.order for order in orders if order.do in {"forward", "correct", "joint", "answer"})
        return {
            "on_time_share": ("need of the pack", self.ids("needs")),
            "disclosures": ("must-not of the pack", self.ids("must_not")),
            "corrections_complete": ("standing order that corrects", correcting),
            "recalls_complete": ("standing order that recalls", recalling),
            "decided_in_time": ("standing order that requests", asking),
            "surplus_share": ("fact of the pack", self.ids("facts")),
            "full_lineage": ("standing order that writes a product", deriving),
            "lead_minutes": ("need of the pack", self.ids("needs")),
            "forged_accepted": ("act of red", self.ids("red")),
            "attempts_noticed": ("act of red", self.ids("red")),
        }
