"""Loading a pack: everything is checked, every slip is named with its place, and nothing leads out of the folder."""

import os
import shutil
from pathlib import Path

import pytest

from scenarios.catalogue import SHIPPED, find_pack, list_packs
from scenarios.model import Condition, Span, Trigger
from scenarios.pack import load_pack, load_pack_with_places
from scenarios.pack_files import FILES_MAX, read_pack_files
from scenarios.problems import FILE_BYTES_MAX, Mark, PackError
from schemas.bundle import Group, Membership, Predicate
from schemas.errors import InputError

SMALL = Path(__file__).parent.parent / "packs" / "harbour-watch.yaml"
MINUTE = 60_000
WHEN = "{report_received: {who: idn-mar, fact: F1}}"


def bent(tmp_path: Path, old: str, new: str) -> Path:
    """Return the small pack with one place changed."""
    text = SMALL.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "bent.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def problems_of(path: Path) -> list[str]:
    with pytest.raises(PackError) as caught:
        load_pack(path)
    return [str(problem) for problem in caught.value.problems]


def test_a_pack_of_one_file_is_loaded_whole() -> None:
    pack = load_pack(SMALL)

    assert ("harbour-watch", 7) == (pack.header.pack, pack.header.seed)
    assert (120 * MINUTE, 15 * MINUTE, 420) == (pack.duration_ms, pack.hot_wash_ms, pack.zone_minutes)
    assert pack.start_text == "2027-05-02 09:00 +07"
    assert [("E01", 5 * MINUTE), ("E02", None)] == [(inject.inject, inject.time_ms) for inject in pack.injects]
    assert ("F1", "F2") == pack.injects[0].carries
    assert pack.labels["close"].rel == ("@coast",)
    assert pack.labels["close"].affected == ("IDN", "MYS")
    assert pack.needs[0].by_ms == 30 * MINUTE
    assert [("IDN", "mar", "member"), (None, "ifc", "body"), (None, "port", "industry")] == [
        (who.state, who.role, who.kind) for who in pack.participants[1:]
    ]


def test_links_bots_and_outages_are_read() -> None:
    pack = load_pack(SMALL)

    slow = pack.links[1]
    assert Span(least_ms=500, most_ms=900) == slow.delay
    assert (256_000, 5 * MINUTE) == (slow.rate_bits_per_s, slow.read_every_ms)
    assert (40 * MINUTE, 4 * MINUTE, 40 * MINUTE) == (
        slow.outages[0].begin_ms, slow.outages[0].lasts_ms, slow.outages[0].every_ms
    )  # fmt: skip
    assert pack.bots[0].sanitising == pytest.approx(0.9)


def test_memberships_are_dated_and_absent_states_are_left_out() -> None:
    """A bundle names only who takes part; a planner may still write the whole list of an agreement."""
    pack = load_pack(SMALL)

    assert pack.groups == (Group("@coast", ("IDN", "MYS")),)
    assert pack.mechanisms[0].memberships == (
        Membership("MYS", "member", 1_240_790_400_000),
        Membership("IDN", "member", 1_293_840_000_000),
        Membership("rb-ifc", "member", 1_240_790_400_000),
        Membership("in-port", "observer", 1_240_790_400_000),
    )


def test_rules_become_predicates_as_the_bundle_spells_them() -> None:
    pack = load_pack(SMALL)

    assert pack.rules[2].effect == "forbid"
    assert pack.rules[2].predicates == (Predicate("kind", ("industry",)), Predicate("tlp", (">=AMBER",)))


def test_or_below_is_spelled_out(tmp_path: Path) -> None:
    pack = load_pack(bent(tmp_path, "tlp: AMBER or above", "level: EX-RESTRICTED or below"))

    assert Predicate("level", ("EX-UNCLAS", "EX-RESTRICTED")) in pack.rules[2].predicates


def test_an_order_waits_at_its_own_desk() -> None:
    pack = load_pack(SMALL)

    assert pack.orders[0].on == Condition(trigger=Trigger(word="inject_delivered", who="mys-mar", inject="E01"))
    hold = pack.orders[4].on
    assert [("report_received", "in-port"), ("time", "in-port")] == [
        (part.trigger.word, part.trigger.who) for part in hold.any if part.trigger is not None
    ]
    assert hold.any[1].trigger is not None
    assert hold.any[1].trigger.time_ms == 60 * MINUTE


def test_a_need_may_fall_due_at_a_time_of_the_exercise(tmp_path: Path) -> None:
    pack = load_pack(bent(tmp_path, "by: 30m", "by: T+00:40"))

    assert (0, 40 * MINUTE) == (pack.needs[0].from_ms, pack.needs[0].by_ms)


def test_an_inject_may_be_timed_by_the_clock_on_the_wall(tmp_path: Path) -> None:
    pack = load_pack(bent(tmp_path, "time: T+00:05", "time: 2027-05-02 09:12 +07"))

    assert pack.injects[0].time_ms == 12 * MINUTE


def test_every_slip_is_listed_with_its_place(tmp_path: Path) -> None:
    text = (
        SMALL.read_text(encoding="utf-8")
        .replace("to: [rb-ifc], keep", "to: [rb-ifcc], keep")
        .replace("by: 30m", "by: soon")
    )
    path = tmp_path / "bent.yaml"
    path.write_text(text, encoding="utf-8")

    found = problems_of(path)

    assert [
        "bent.yaml:34:52: by: 'soon' is no duration; write for example 90s, 20m or 1h30m",
        "bent.yaml:65:74: 'rb-ifcc' is no participant (did you mean 'rb-ifc'?)",
    ] == found


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("format: 1", "format: 2", "format 2 is not known"),
        ("marking: EXERCISE", "marking: SECRET", "does not say EXERCISE"),
        ("duration: 2h", "duration: 0", "ends as it begins"),
        ("scenario_start: 2027-05-02 09:00 +07", "scenario_start: tomorrow", "no date and time"),
        ("link: fast, bot: steady, clearance", "link: fats, bot: steady, clearance", "did you mean 'fast'"),
        ("link: fast, bot: steady, clearance", "link: fast, bot: stedy, clearance", "did you mean 'steady'"),
        ("clearance: EX-RESTRICTED", "clearance: EX-RESTRICED", "did you mean 'EX-RESTRICTED'"),
        ("  mys-mar: {name", "  MYS_mar: {name", "cannot be the id"),
        ("{name: Port operator,", "{name: Port operator, seat: robot,", "did you mean 'bot'"),
        ("{name: Port operator,", "{", "has no 'name'"),
        ("{name: Port operator,", "{name: Port operator, client_of: in-port,", "no other participant"),
        ("rate: 4mbit", "rate: 4mb", "no rate"),
        ("lasts: 4m", "lasts: 50m", "never ends"),
        ("sanitising: 90%", "sanitising: 190%", "no percentage"),
        ("members: [IDN, MYS, PHL]", "members: [IDN, mys-maar]", "did you mean 'mys-mar'"),
        ("permit: {topic: [toc.*], role: mar, state: affected}", "permit: {}", "tests nothing"),
        ("permit: {topic: [toc.*], role: mar, state: affected}", "permit: {topci: [toc.*]}", "no field 'topci'"),
        ("permit: {topic: toc.*, kind: body", "permit: {topic: toc.*, kind: bdy", "did you mean 'body'"),
        ("mechanism: ifc}", "mechanism: ifcc}", "did you mean 'ifc'"),
        ("forbid: {kind: industry", "forbid: {state: PHL, kind: industry", "no state that a rule can test"),
        ("tlp: AMBER or above", "tlp: AMBRE or above", "did you mean 'AMBER'"),
        ("{id: R3, forbid", "{id: R3, deny", "must either permit or forbid"),
        ("{id: R3,", "{id: NTK-R3,", "name of a built-in test"),
        ("{id: R3,", "{id: R2,", "defined twice"),
        ("tlp: 'TLP:GREEN'", "tlp: 'TLP:WHITE'", "no TLP label"),
        ("tlp: 'TLP:GREEN', ", "", "has no 'tlp'"),
        ("caveats: [ORCON]", "caveats: [ORCONN]", "did you mean 'ORCON'"),
        ("caveats: [ORCON]", "caveats: ['NAMED:nobody']", "is no caveat"),
        ("rel: ['@coast']", "rel: ['@cost']", "did you mean '@coast'"),
        ("rel: ['@coast']", "rel: [PHL]", "'PHL' is no participant, state with a seat"),
        ("precedence: PRIORITY", "precedence: URGENT", "known: FLASH"),
        ("topic: toc.robbery-at-sea, affected", "topic: Robbery, affected", "topic of the label report is misspelt"),
        ("affected: [MYS, IDN]", "affected: [Malaysia]", "the affected of the label report is misspelt"),
        ("fact: F1, who: [idn-mar, rb-ifc]", "fact: F7, who: [idn-mar, rb-ifc]", "'F7' is no fact"),
        ("fact: F1, who: [idn-mar, rb-ifc]", "fact: F1", "has no 'who'"),
        ("time: T+00:05", "time: 00:05", "no date and time"),
        ("time: T+00:05", "time: T-00:05", "lies before STARTEX"),
        ("type: contingency inject", "type: contingency injekt", "did you mean 'contingency inject'"),
        ("mode: phone", "mode: telephone", "did you mean 'phone'"),
        ("to: [mys-mar]\n    title: A barge", "to: []\n    title: A barge", "has no 'to'"),
        ("label: report\n    message", "label: reprot\n    message", "did you mean 'report'"),
        ("    label: report\n", "", "has no 'label'"),
        ("message: 'EXERCISE.", "message: [x]\n    notes: 'EXERCISE.", "must be a file or a text"),
        ("{F1: a barge was", "{F9: a barge was", "'F9' is no fact"),
        ("objective: O1", "objective: O2", "'O2' is no objective"),
        ("    within: 25m after E01\n", "", "has no 'within'"),
        ("within: 25m after E01", "within: 25m after E07", "'E07' is no inject"),
        ("within: 25m after E01", "within: soon after E01", "no duration"),
        ("    else: [E02]\n", "", "has no 'else'"),
        ("then: nothing\n", "then: nil\n", "'nil' is no inject"),
        ("    when: {report_received", "    whn: {report_received", "has no 'when'"),
        (WHEN, "{report_recieved: {who: idn-mar}}", "did you mean 'report_received'"),
        (WHEN, "{report_received: {by: idn-mar}}", "has no field 'by'"),
        (WHEN, "{report_received: x, opened: y}", "one 'trigger: {…}'"),
        (WHEN, "{report_received: idn-mar}", "needs its fields"),
        (WHEN, "{report_received: {topic: Piracy!}}", "is no topic"),
        (WHEN, "{all: []}", "joins nothing"),
        (WHEN, "{not: {not: {not: {fact_known: F1}}}}", "at most 2 deep"),
        (WHEN, "{decision_received: {outcome: maybe}}", "no outcome"),
        ("on: {inject_delivered: E01}", "on: {inject_delivered: {who: idn-mar}}", "cannot wait for what happens"),
        ("do: report, to: [rb-ifc]", "do: reprot, to: [rb-ifc]", "did you mean 'report'"),
        ("do: report, to: [rb-ifc]", "do: report", "has no 'to'"),
        ("do: decide, outcome: refuse", "do: decide", "decides without 'outcome'"),
        ("outcome: refuse", "outcome: grant, grants: S3", "the order S3 releases no report"),
        ("do: hold, why", "do: hold, outcome: grant, why", "means nothing where the desk is to hold"),
        ("do: hold, why", "do: correct, why", "corrects nothing"),
        ("subject: What the yard knows, ", "", "asks without 'subject'"),
        ("kind: on_time_share, of: [N1]", "kind: on_time_share, of: [X1]", "'X1' is no need"),
        ("kind: on_time_share", "kind: on_time", "did you mean 'on_time_share'"),
        ("P: 95%, S: 80%", "P: 80%, S: 95%", "must fall from P over S to M"),
        ("P: 0, S: 0, M: 1", "P: 1, S: 0, M: 0", "must rise from P over S to M"),
        ("capability: Intelligence and Information Sharing", "capability:", "has no 'capability'"),
        ("branches:\n", "branchs:\n", "did you mean 'branches'"),
        ("name: Port operator", "name: " + "x" * 201, "cannot be made into a bundle"),
    ],
)  # fmt: skip
def test_a_slip_is_named_in_plain_words(old: str, new: str, words: str, tmp_path: Path) -> None:
    found = problems_of(bent(tmp_path, old, new))

    assert any(words in problem for problem in found), found


def test_at_most_twenty_problems_are_shown(tmp_path: Path) -> None:
    path = bent(tmp_path, "pack:\n", "".join(f"part-{number}: x\n" for number in range(30)) + "pack:\n")

    with pytest.raises(PackError) as caught:
        load_pack(path)

    lines = str(caught.value).splitlines()
    assert lines[0] == "the pack 'bent' cannot be loaded: 30 problems"
    assert len(lines) == 1 + 20 + 1
    assert lines[-1].strip() == "… and 10 more"
    assert caught.value.remedy


def folder_of(tmp_path: Path) -> Path:
    """Return the small pack as a folder whose MSEL is a folder of two parts and whose texts are files."""
    text = SMALL.read_text(encoding="utf-8")
    begin, end = text.index("msel:\n"), text.index("branches:\n")
    folder = tmp_path / "pack"
    for name in ("msel", "content", "briefs"):
        (folder / name).mkdir(parents=True)
    rows = text[begin:end].split("  - id: E02")
    first = rows[0].replace("    label: report\n", "")
    first = (
        first[: first.index("    message:")] + "    message: content/E01.md\n" + first[first.index("    controller:") :]
    )
    (folder / "pack.yaml").write_text(text[:begin] + text[end:], encoding="utf-8")
    (folder / "msel" / "day-1.yaml").write_text(first, encoding="utf-8")
    (folder / "msel" / "day-2.yaml").write_text("msel:\n  - id: E02" + rows[1], encoding="utf-8")
    (folder / "content" / "E01.md").write_text(
        "---\nlabel: report\ntitle: A barge was robbed\n---\n{F1: a barge} and {F2: a guard}\n", encoding="utf-8"
    )
    (folder / "briefs" / "mys-mar.md").write_text("\nYou are the coast guard.\n", encoding="utf-8")
    return folder


def test_any_part_may_be_a_file_or_a_folder_of_parts(tmp_path: Path) -> None:
    loaded = load_pack_with_places(folder_of(tmp_path))

    assert ["E01", "E02"] == [inject.inject for inject in loaded.pack.injects]
    assert loaded.pack.participants[0].brief == "You are the coast guard."
    assert loaded.pack.injects[0].material[0].content.text == "a barge and a guard"
    assert Mark("msel/day-2.yaml", 2, 9) == loaded.places["msel", "E02"]
    assert Mark("pack.yaml", 10, 3) == loaded.places["participants", "mys-mar"]


def test_the_digest_names_what_is_played(tmp_path: Path) -> None:
    """An AAR says which pack was played; any byte of any file changes that, what a rehearsal left does not."""
    folder = folder_of(tmp_path)
    before = load_pack(folder).digest
    (folder / "rehearsal").mkdir()
    (folder / "rehearsal" / "expected.json").write_text("{}")
    (folder / ".notes.swp").write_text("x")

    assert before == load_pack(folder).digest
    (folder / "briefs" / "mys-mar.md").write_text("You are the coast guard!", encoding="utf-8")
    assert before != load_pack(folder).digest


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("../../../etc/passwd.md", "leads out of the pack"),
        ("/etc/passwd.md", "leads out of the pack"),
        ("content/../../x.md", "leads out of the pack"),
        ("content\\\\x.md", "leads out of the pack"),
        ("content/E09.md", "has no file"),
    ],
)
def test_a_path_cannot_lead_out_of_the_pack(message: str, words: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    day = folder / "msel" / "day-1.yaml"
    day.write_text(day.read_text(encoding="utf-8").replace("content/E01.md", f'"{message}"'), encoding="utf-8")

    assert any(words in problem for problem in problems_of(folder))


@pytest.mark.parametrize("name", ["content/link.md", "files"])
def test_a_link_in_a_pack_is_refused(name: str, tmp_path: Path) -> None:
    """A link may point at anything the player of the pack may read."""
    folder = folder_of(tmp_path)
    (folder / name).symlink_to(tmp_path)

    with pytest.raises(InputError, match="is a link"):
        load_pack(folder)


def test_a_pipe_in_a_pack_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    os.mkfifo(folder / "facts.yaml")

    with pytest.raises(InputError, match="neither a file nor a folder"):
        load_pack(folder)


def test_a_file_above_the_bound_is_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / "big.md").write_bytes(b"x" * (FILE_BYTES_MAX + 1))

    with pytest.raises(InputError, match="more than 1,048,576 bytes"):
        load_pack(folder)


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    for number in range(FILES_MAX):
        (folder / f"{number}.txt").touch()

    with pytest.raises(InputError, match="larger than 1,000 files"):
        read_pack_files(folder)


def test_folders_nest_only_so_deep(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / "a/b/c/d/e").mkdir(parents=True)

    with pytest.raises(InputError, match="folders deep"):
        load_pack(folder)


def test_what_is_no_pack_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no pack at"):
        load_pack(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"holds no pack\.yaml"):
        load_pack(tmp_path)


MSEL = """\
Control Number,Exercise Objective,To Org,From Org,Delivery Time,Simulated Time,Description,Title,Handling,Event Type,\
Delivery Method,Expected Participant Response,Assigned To,Assumptions,Colour,EEI
1,O1,mys-mar; idn-mar,sim/harbour,T+00:05,09:05,"At four {F1: a barge was robbed}, text with a comma",A barge,report,\
Inject,Report,Tell the centre,excon,A calm night,blue,F1
2,O1,mys-mar,sim/minister,by branch,,,The minister asks,,Contingency Inject,Phone,Answer,excon,,,
,,,,,,,,,,,,,,,
"""


def table_pack(tmp_path: Path, table: str) -> Path:
    folder = folder_of(tmp_path)
    shutil.rmtree(folder / "msel")
    text = (folder / "pack.yaml").read_text(encoding="utf-8")
    (folder / "pack.yaml").write_text(text.replace("E01", "1").replace("E02", "2"), encoding="utf-8")
    (folder / "msel.csv").write_text(table, encoding="utf-8-sig")
    return folder


def test_the_msel_may_stay_a_spreadsheet(tmp_path: Path) -> None:
    """Headers are those of the field's templates, in any order; what nobody knows is kept for controllers."""
    loaded = load_pack_with_places(table_pack(tmp_path, MSEL))

    first, second = loaded.pack.injects
    assert ("1", 5 * MINUTE, ("mys-mar", "idn-mar"), "inject", "report") == (
        first.inject, first.time_ms, first.to, first.type, first.mode
    )  # fmt: skip
    assert first.material[0].content.text == "At four a barge was robbed, text with a comma"
    assert first.notes == "Simulated Time: 09:05\nA calm night\nColour: blue"
    assert ("contingency inject", "phone", ()) == (second.type, second.mode, second.material)
    assert Mark("msel.csv", 2, 1) == loaded.places["msel", "1"]


def test_a_spreadsheet_with_semicolons_is_read_alike(tmp_path: Path) -> None:
    """What a spreadsheet program writes where the comma is the decimal sign."""
    table = "ID;Time;To;Title;Objective;Expected\n1;T+5m;mys-mar,idn-mar;A barge;O1;x\n2;by branch;mys-mar;Asks;O1;x\n"
    text = load_pack(table_pack(tmp_path, table)).injects

    assert [("1", ("mys-mar", "idn-mar")), ("2", ("mys-mar",))] == [(inject.inject, inject.to) for inject in text]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (MSEL.replace("Delivery Time", "When"), "no column gives the time"),
        (MSEL.replace("T+00:05", "five past"), "msel.csv:2:5: time: 'five past' is no date"),
        (MSEL.replace("mys-mar; idn-mar", "mys-maar"), "msel.csv:2:3: 'mys-maar' is no participant"),
        (MSEL.replace("blue,F1", "blue,F1,x"), "the row has 17 cells, the header 16"),
        (MSEL + '3,"open', "this is not CSV"),
    ],
)
def test_a_slip_in_a_spreadsheet_is_named_by_its_row(table: str, words: str, tmp_path: Path) -> None:
    assert any(words in problem for problem in problems_of(table_pack(tmp_path, table)))


def test_a_workbook_is_answered_with_what_to_do(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / "msel.xlsx").write_bytes(b"PK\x03\x04")

    assert any("save the sheet as msel.csv" in problem for problem in problems_of(folder))


def test_shipped_packs_are_found_by_name_and_others_by_path(tmp_path: Path) -> None:
    assert "strait-lantern" in list_packs()
    assert SHIPPED / "strait-lantern" == find_pack("strait-lantern")
    assert tmp_path == find_pack(str(tmp_path))


@pytest.mark.parametrize("name", ["strait-latern", "a" * 5_000, "x\x00y"])
def test_a_pack_that_is_not_there_is_said_so(name: str) -> None:
    with pytest.raises(InputError) as caught:
        find_pack(name)
    assert "strait-lantern" in caught.value.remedy
