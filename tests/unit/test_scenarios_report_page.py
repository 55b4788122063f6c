"""The after-action report as files: complete, self-contained, deterministic, and safe to open."""

import csv
import io
import itertools
import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from scenarios.evaluate.evaluation import evaluate
from scenarios.record import Event
from scenarios.report.page import AarFiles, write_aar
from tests.samples.small_exercise import hid, small_community, small_pack, small_record

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202egpj.exe"


class Outline(HTMLParser):
    """Reads what a page is made of: headings, ids, links, attributes that load or run something, pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: Counter[str] = Counter()
        self.loading: list[tuple[str, str, str | None]] = []
        self.pictures: list[dict[str, str | None]] = []
        self.policy = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.tags[tag] += 1
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if named.get("id"):
            self.ids.append(named["id"] or "")
        if tag == "a":
            self.links.append(named.get("href") or "")
        if tag == "meta" and named.get("http-equiv") == "Content-Security-Policy":
            self.policy = named.get("content") or ""
        if tag == "svg":
            self.pictures.append(named)
        self.loading += [
            (tag, name, value) for name, value in attrs if name in {"src", "style", "srcset"} or name.startswith("on")
        ]


def outline(files: AarFiles) -> Outline:
    parser = Outline()
    parser.feed(files.html.read_text(encoding="utf-8"))
    return parser


def write(folder: Path, events: tuple[Event, ...] | None = None, **changes: object) -> AarFiles:
    pack = small_pack(**changes)
    record = small_record() if events is None else events
    return write_aar(pack, record, evaluate(pack, record, small_community()), folder)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> AarFiles:
    return write(tmp_path_factory.mktemp("aar"))


def test_the_same_play_gives_the_same_bytes(files: AarFiles, tmp_path: Path) -> None:
    again = write(tmp_path)

    assert files.html.read_bytes() == again.html.read_bytes()
    assert files.summary_json.read_bytes() == again.summary_json.read_bytes()
    assert [path.read_bytes() for path in files.csv] == [path.read_bytes() for path in again.csv]


def test_the_page_loads_nothing_and_runs_only_what_its_policy_names(files: AarFiles) -> None:
    page = outline(files)

    assert [] == page.loading
    assert (1, 1) == (page.tags["script"], page.tags["style"])
    assert [] == [link for link in page.links if re.match(r"[a-z]+:|//", link)]
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'; img-src data:; "
        r"base-uri 'none'; form-action 'none'",
        page.policy,
    )


def test_every_link_on_the_page_leads_somewhere(files: AarFiles) -> None:
    page = outline(files)
    anchors = {link[1:] for link in page.links if link.startswith("#")}
    beside = {link for link in page.links if not link.startswith("#")}

    assert set() == anchors - set(page.ids)
    assert [] == [link for link in beside if not (files.html.parent / link).is_file()]
    assert [] == [name for name, count in Counter(page.ids).items() if count > 1]


def test_headings_descend_one_at_a_time(files: AarFiles) -> None:
    levels = outline(files).headings

    assert levels[0] == 1
    assert [] == [(upper, lower) for upper, lower in itertools.pairwise(levels) if lower > upper + 1]


def test_the_marking_stands_at_top_and_bottom(files: AarFiles) -> None:
    page = files.html.read_text(encoding="utf-8")
    banner = '<div class="banner" role="note">EXERCISE TLP-AMBER</div>'

    assert page.count(banner) == 2
    assert page.index(banner) < page.index("<h1") < page.rindex("</table>") < page.rindex(banner)


def test_a_marking_that_forgets_to_say_exercise_is_said_with_it(tmp_path: Path) -> None:
    """Each message says that it is exercise traffic (H14); so does the report about it."""
    files = write(tmp_path, header=replace(small_pack().header, marking="TLP-AMBER"))

    assert '<div class="banner" role="note">EXERCISE TLP-AMBER</div>' in files.html.read_text(encoding="utf-8")


def test_every_picture_has_a_title_and_a_description(files: AarFiles) -> None:
    page = outline(files)

    assert len(page.pictures) == 5
    for picture in page.pictures:
        named = (picture["aria-labelledby"] or "").split()
        assert picture["role"] == "img"
        assert set(named) <= set(page.ids)


def test_the_description_of_the_matrix_tells_what_the_colours_show(files: AarFiles) -> None:
    page = files.html.read_text(encoding="utf-8")
    description = page.split('<desc id="matrix-desc">')[1].split("</desc>")[0]

    assert "Must not have it, could read it: F2 at Echo Shipping." in description
    assert "Needed, late: F1 at Charlie Coast Guard, F1 at Delta Fusion Centre, F1 at Echo Shipping" in description


def test_hostile_text_is_shown_and_never_run(tmp_path: Path) -> None:
    """Titles, reasons, names, facts and requests come from players and packs; all of them attack here."""
    pack = small_pack()
    changes = {
        "header": replace(pack.header, title=HOSTILE, summary=HOSTILE, marking=HOSTILE),
        "facts": tuple(replace(fact, text=HOSTILE) for fact in pack.facts),
        "participants": tuple(replace(each, name=HOSTILE) for each in pack.participants),
        "injects": tuple(replace(inject, title=HOSTILE, expected=HOSTILE) for inject in pack.injects),
    }
    texts = {"reason", "subject", "conditions", "because", "rule", "code"}
    events = tuple(
        replace(event, fields={name: HOSTILE if name in texts else value for name, value in event.fields.items()})
        for event in small_record()
    )

    page = outline(write(tmp_path, events, **changes))

    assert [] == page.loading
    assert (1, 0) == (page.tags["script"], page.tags["img"])
    text = (tmp_path / "aar.html").read_text(encoding="utf-8")
    assert "\u202e" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_a_hostile_message_id_cannot_break_out_of_an_anchor(tmp_path: Path) -> None:
    events = tuple(
        replace(event, fields={**event.fields, "hid": HOSTILE}) if event.fields.get("hid") == hid("M1") else event
        for event in small_record()
    )

    page = outline(write(tmp_path, events))

    assert [] == page.loading
    assert (1, 0) == (page.tags["script"], page.tags["img"])


def test_a_csv_field_that_a_spreadsheet_would_compute_is_defused(tmp_path: Path) -> None:
    formula = "=HYPERLINK(1)"
    events = tuple(
        replace(event, fields={**event.fields, "reason": formula}) if "reason" in event.fields else event
        for event in small_record()
    )

    write(tmp_path, events)
    table = (tmp_path / "aar" / "messages.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(table)))

    assert {"'" + formula} == {row["reason"] for row in rows}


def test_each_picture_has_its_numbers_beside_it(files: AarFiles) -> None:
    names = {path.stem for path in files.csv}
    with (files.html.parent / "aar" / "matrix.csv").open(encoding="utf-8", newline="") as table:
        cells = {(row["fact"], row["agency"]): row for row in csv.DictReader(table)}

    assert {"matrix", "timeline", "outages", "delays", "spread", "sharing", "story"} <= names
    assert ("D", str(50 * 60_000), hid("M3")) == tuple(
        cells["F2", "echo"][name] for name in ("letter", "known_ms", "source")
    )


def test_the_delays_in_the_csv_add_up(files: AarFiles) -> None:
    with (files.html.parent / "aar" / "delays.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))

    assert len(rows) == 8
    assert [] == [
        row
        for row in rows
        if sum(int(row[f"{part}_ms"]) for part in ("hold", "rule", "link", "desk")) != int(row["total_ms"])
    ]


def test_the_summary_is_the_evaluation_as_json(files: AarFiles) -> None:
    summary = json.loads(files.summary_json.read_text(encoding="utf-8"))
    expected = evaluate(small_pack(), small_record(), small_community())

    assert json.loads(expected.as_json()) == summary


def test_the_sections_stand_in_the_order_of_an_aar_ip(files: AarFiles) -> None:
    page = files.html.read_text(encoding="utf-8")
    heads = [
        "Findings",
        "1 Exercise overview",
        "3 Analysis of core capabilities",
        "Appendix A: Improvement plan",
        "Appendix B: Participants",
        "Appendix C: Information-sharing analysis",
        "Appendix D: Evidence and method",
    ]
    places = [page.index(f">{head}</h2>") for head in heads]

    assert places == sorted(places)


def test_figures_with_suggested_tags_stand_beside_the_certain_ones(tmp_path: Path) -> None:
    pack, record = small_pack(), small_record()
    texts = {(hid("M1"), 0): "an informant"}

    write_aar(pack, record, evaluate(pack, record, small_community(), texts=texts), tmp_path)
    page = (tmp_path / "aar.html").read_text(encoding="utf-8")

    assert "40% with suggested" in page
    assert "The tag queue: 1 match in 1 text" in page


def test_an_exercise_in_which_nothing_happened_still_makes_a_report(tmp_path: Path) -> None:
    files = write(tmp_path, (), objectives=(), facts=(), needs=(), must_nots=(), injects=())

    page = files.html.read_text(encoding="utf-8")

    assert "The record stops before ENDEX" in page
    assert "No message was released." in page
