"""The after-action report: one self-contained page, its data as JSON, and a CSV beside each picture.

The page needs no network and runs nothing but its own two inline pieces, whose hashes its Content-Security-Policy
names: a script or style that got in with a report's text would not run even if an escape were missing. Same
evaluation, same bytes.
"""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from scenarios.evaluate.cells import STATE_LETTER
from scenarios.evaluate.delays import DELAY_PARTS
from scenarios.evaluate.evaluation import Evaluation
from scenarios.evaluate.finding import FINDING_KINDS
from scenarios.evaluate.history import History
from scenarios.evaluate.measures import RATING_TEXT
from scenarios.evaluate.policy_cells import label_text
from scenarios.evaluate.tagging import tagging_of
from scenarios.evaluate.wording import (
    clock_text,
    count_text,
    length_text,
    list_text,
    names_of,
    share_text,
    short_hid,
)
from scenarios.model import Pack
from scenarios.record import Event
from scenarios.report.csv_tables import CsvTable, make_tables
from scenarios.report.delay_picture import draw_delays
from scenarios.report.matrix_picture import draw_matrix
from scenarios.report.narrative import STORY_KINDS, StoryEntry, change_text, red_text, tell_story
from scenarios.report.sharing_picture import draw_sharing
from scenarios.report.spread_picture import draw_spread
from scenarios.report.summary import participant_rows, policy_counts, verdict_sentences
from scenarios.report.timeline_picture import draw_timeline
from scenarios.report.visible import visible

_TABLES_FOLDER: Final = "aar"


@dataclass(frozen=True, slots=True, kw_only=True)
class AarFiles:
    """The files of a report, as written."""

    html: Path
    summary_json: Path
    csv: tuple[Path, ...]


def write_aar(pack: Pack, events: Iterable[Event], evaluation: Evaluation, folder: Path) -> AarFiles:
    """Write the report of an evaluated play into a folder: ``aar.html``, ``summary.json`` and ``aar/*.csv``.

    Raises:
        OSError: If the folder cannot be written to.
    """
    history = History(pack, events)
    story = tell_story(pack, history, evaluation, names_of(pack))
    tables = make_tables(pack, history, evaluation, story)
    tables_folder = folder / _TABLES_FOLDER
    tables_folder.mkdir(parents=True, exist_ok=True)
    html, summary = folder / "aar.html", folder / "summary.json"
    html.write_text(render_page(pack, history, evaluation, story, tables), encoding="utf-8", newline="\n")
    summary.write_text(evaluation.as_json(), encoding="utf-8", newline="\n")
    written = []
    for table in tables:
        path = tables_folder / f"{table.name}.csv"
        path.write_text(table.as_text(), encoding="utf-8", newline="")
        written.append(path)
    return AarFiles(html=html, summary_json=summary, csv=tuple(written))


def render_page(
    pack: Pack,
    history: History,
    evaluation: Evaluation,
    story: tuple[StoryEntry, ...],
    tables: tuple[CsvTable, ...],
) -> str:
    """Render the page."""
    names = names_of(pack)
    style, script = _own_file("aar.css"), _own_file("aar.js")
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        clock=_clock,
        lasted=_length,
        share=share_text,
        names=list_text,
        short=short_hid,
        label=label_text,
        change_text=change_text,
        red_text=red_text,
    )
    context: dict[str, Any] = {
        "pack": pack,
        "evaluation": evaluation,
        "certain": evaluation.certain,
        "suggested": evaluation.with_suggested,
        "names": names,
        "releases": history.releases,
        "hids": frozenset(release.hid for release in history.releases),
        "inject_ids": frozenset(inject.inject for inject in pack.injects),
        "tagging": tagging_of(pack),
        "story": story,
        "story_kinds": STORY_KINDS,
        "tables": tables,
        "tables_folder": _TABLES_FOLDER,
        "finding_kinds": FINDING_KINDS,
        "delay_parts": DELAY_PARTS,
        "rating_text": RATING_TEXT,
        "state_letter": STATE_LETTER,
        "count_text": count_text,
        "version": metadata.version("sandiwara"),
        "verdict": verdict_sentences(evaluation),
        "policy_counts": policy_counts(evaluation),
        "participants": participant_rows(pack, history, evaluation),
        "pictures": {
            "matrix": draw_matrix(pack, evaluation, names),
            "timeline": draw_timeline(pack, evaluation, names),
            "delays": draw_delays(evaluation, names),
            "sharing": draw_sharing(pack, evaluation, names),
            "spread": draw_spread(evaluation, names),
        },
        "style": Markup(style),  # noqa: S704 - our own file
        "script": Markup(script),  # noqa: S704 - our own file
        "style_hash": _content_hash(style),
        "script_hash": _content_hash(script),
    }
    return environment.from_string(_own_file("aar.html.j2")).render(context)


def _own_file(name: str) -> str:
    return resources.files("scenarios.report").joinpath(name).read_text(encoding="utf-8")


def _content_hash(content: str) -> str:
    """The hash by which a Content-Security-Policy names an inline piece (CSP level 2, "Hash usage")."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _finalize(value: Any) -> Any:
    """Show what cannot be seen; finished pictures and our own files are not texts of others."""
    if isinstance(value, Markup):
        return value
    return visible(value) if isinstance(value, str) else value


def _clock(at_ms: int | None) -> str:
    return "-" if at_ms is None else clock_text(at_ms)


def _length(length_ms: int | None) -> str:
    return "-" if length_ms is None else length_text(length_ms)
