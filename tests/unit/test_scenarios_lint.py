"""Lint: one test for each thing it can find, and none where there is nothing to find."""

from pathlib import Path

import pytest

from scenarios.finding import Finding
from scenarios.lint import lint_pack, lint_path
from scenarios.pack import load_pack

SMALL = Path(__file__).parent.parent / "packs" / "harbour-watch.yaml"
SECOND_INJECT = """\
  - id: E03
    time: T+00:20
    from: sim/harbour-master
    to: [idn-mar]
    title: More
    objective: O1
    expected: Something
"""
LONE_INJECT = SECOND_INJECT.replace("T+00:20", "by branch") + "branches:\n"
MEASURES = """\
    measures:
      - {id: M1, kind: on_time_share, of: [N1], P: 95%, S: 80%, M: 50%}
      - {id: M2, kind: disclosures, of: [X1], P: 0, S: 0, M: 1}
"""
UNSERVED = """\
objectives:
  O2: {capability: x, target: y, measures: [{id: M9, kind: surplus_share, P: 0%, S: 10%, M: 20%}]}
"""
THAILAND = "  tha-mar: {name: Coast guard of Thailand, link: fast, bot: steady}\n  rb-ifc: {name"
PORT = "{name: Port operator,"
MINISTER = "    title: The minister asks\n    controller: excon\n"
Change = tuple[str, str]


def more_injects(*names: str, old: str, new: str) -> Change:
    """Put injects like the second one in, each with one word changed."""
    added = [SECOND_INJECT.replace("E03", name).replace(old, new) for name in names]
    return "branches:\n", "".join([*added, "branches:\n"])


def injects_at(*minutes: int) -> Change:
    """Put one inject in for each of these minutes."""
    added = [SECOND_INJECT.replace("E03", f"E1{minute}").replace("T+00:20", f"T+{minute}m") for minute in minutes]
    return "branches:\n", "".join([*added, "branches:\n"])


def lint(tmp_path: Path, *changes: Change) -> tuple[Finding, ...]:
    text = SMALL.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = tmp_path / "bent.yaml"
    path.write_text(text, encoding="utf-8")
    return lint_path(path)


def line_of(tmp_path: Path, words: str) -> int:
    lines = (tmp_path / "bent.yaml").read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, start=1) if words in line)


def test_a_sound_pack_has_no_findings(tmp_path: Path) -> None:
    assert () == lint(tmp_path)


# What is changed, the code it must give, its level, and words of the line on which it must stand.
CASES: list[tuple[str, str, str, list[Change]]] = [
    # errors
    ("need-and-must-not", "error", "id: X1", [("fact: F2, who: [idn-mar]", "fact: F1, who: [idn-mar]")]),
    ("straight-disclosure", "error", "id: E01", [("fact: F2, who: [idn-mar]", "fact: F2, who: [mys-mar]")]),
    (
        "unlearnable",
        "error",
        "id: N1",
        [
            ("fact: F1, who: [idn-mar, rb-ifc]", "fact: F3, who: [idn-mar, rb-ifc]"),
            ("needs:\n", "  F3: {text: Unheard of}\nneeds:\n"),
        ],
    ),
    (
        "no-rules",
        "error",
        "pack:",
        [
            ("  - {id: R1, permit: {topic: [toc.*], role: mar, state: affected}}\n", ""),
            ("  - {id: R2, permit: {topic: toc.*, kind: body, mechanism: ifc}}\n", ""),
            ("  - {id: R3, forbid: {kind: industry, tlp: AMBER or above}}\n", ""),
        ],
    ),
    (
        "unreachable-branch",
        "error",
        "id: B1",
        [("within: 25m after E01", "within: 25m after E03"), ("branches:\n", LONE_INJECT)],
    ),
    ("unreachable-inject", "error", "id: E03", [("branches:\n", LONE_INJECT)]),
    ("cyclic-branch", "error", "id: B1", [("within: 25m after E01", "within: 25m after E02")]),
    (
        "unreachable-branch",
        "error",
        "id: B1",
        [("{report_received: {who: idn-mar, fact: F1}}", "{inject_delivered: E03}"), ("branches:\n", LONE_INJECT)],
    ),
    ("after-endex", "error", "id: E01", [("time: T+00:05", "time: T+02:00")]),
    (
        "order-never-acts",
        "error",
        "id: S1",
        [
            ("to: [mys-mar]\n    title: A barge", "to: [idn-mar]\n    title: A barge"),
            ("fact: F2, who: [idn-mar]", "fact: F2, who: [in-port]"),
        ],
    ),
    # warnings
    ("rule-gap", "warning", "id: N1", [("role: mar, state: affected", "role: mar, state: SGP")]),
    ("widening-rule", "warning", "id: R3", [("forbid: {kind: industry, tlp: AMBER or above}", "forbid: {tlp: AMBER}")]),
    ("by-too-short", "warning", "id: N1", [("by: 30m", "by: 4m")]),
    ("by-too-short", "warning", "id: N1", [("by: 30m", "by: T+00:09")]),
    ("objective-without-inject", "warning", "O2:", [("objectives:\n", UNSERVED)]),
    ("objective-without-measure", "warning", "O1:", [(MEASURES, "")]),
    ("no-objective", "warning", "id: E02", [(MINISTER + "    objective: O1\n", MINISTER)]),
    ("no-expected-action", "warning", "id: E02", [("    expected: mys-mar says what it has done\n", "")]),
    ("seat-idle", "warning", "tha-mar:", [("  rb-ifc: {name", THAILAND)]),
    (
        "seat-idle",
        "warning",
        "rb-ifc: {name",
        [("rb-ifc: {name: Fusion centre,", "rb-ifc: {name: Fusion centre, seat: human,")],
    ),
    (
        "seat-overloaded",
        "warning",
        "mys-mar: {name",
        [more_injects(*(f"E1{number}" for number in range(7)), old="idn-mar", new="mys-mar")],
    ),
    (
        "long-body",
        "warning",
        "id: E01",
        [("rate: 4mbit", "rate: 1kbit"), ("EXERCISE. At four", "EXERCISE. " + "x" * 6_000 + " At four")],
    ),
    ("spoiler", "warning", "in-port: {name", [(PORT, PORT + " brief: Beware of an Insider in the yard,")]),
    ("spoiler", "warning", "in-port: {name", [(PORT, PORT + " brief: A guard let the robbers in,")]),
    (
        "no-passage",
        "warning",
        "id: E01",
        [
            ("{F1: a barge was robbed at anchor}", "a barge was robbed at anchor"),
            ("    label: report\n    message", "    label: report\n    carries: [F1]\n    message"),
        ],
    ),
    (
        "controller-busy",
        "warning",
        "id: E04",
        [more_injects("E03", "E04", old="title", new="mode: phone\n    controller: excon\n    title")],
    ),
    ("released-twice", "warning", "id: E02", [("time: by branch", "time: T+01:00")]),
    ("branch-after-endex", "warning", "id: B1", [("within: 25m after", "within: 3h after")]),
    (
        "change-after-endex",
        "error",
        "id: C1",
        [("\nobjectives:", "\nchanges: [{id: C1, at: T+02:00, suspend: in-port}]\nobjectives:")],
    ),
    # advice
    ("no-contingency", "advice", "pack:", [("type: contingency inject", "type: inject")]),
    ("one-sender", "advice", "pack:", [("from: sim/minister", "from: sim/harbour-master")]),
    ("no-quiet-phase", "advice", "pack:", [("duration: 2h", "duration: 50m"), injects_at(10, 20, 30, 40)]),
    ("no-hot-wash", "advice", "pack:", [(", hot_wash: 15m", "")]),
]


@pytest.mark.parametrize(
    ("code", "level", "line", "changes"), CASES, ids=[f"{case[0]}-{number}" for number, case in enumerate(CASES)]
)
def test_each_thing_is_found_where_it_stands(
    code: str, level: str, line: str, changes: list[Change], tmp_path: Path
) -> None:
    found = [finding for finding in lint(tmp_path, *changes) if finding.code == code]

    assert found, lint(tmp_path, *changes)
    assert level == found[0].level
    file, number = found[0].place.split(":")
    assert "bent.yaml" == file
    # The place of the part "pack" is where its mapping begins, on the line after its name.
    expected = line_of(tmp_path, "format: 1") if line == "pack:" else line_of(tmp_path, line)
    assert expected == int(number)
    assert found[0].text


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("who: [idn-mar, rb-ifc]", "who: [idn-maar]", "unknown-id"),
        ("mode: phone", "mode: telephone", "unknown-word"),
        ("    else: [E02]\n", "", "no-else"),
        ("    within: 25m after E01\n", "", "no-within"),
    ],
)
def test_what_cannot_be_loaded_comes_back_as_errors(old: str, new: str, code: str, tmp_path: Path) -> None:
    (found,) = lint(tmp_path, (old, new))

    assert ("error", code) == (found.level, found.code)
    assert found.place.startswith("bent.yaml:")


def test_a_rule_gap_names_the_rule_that_came_nearest(tmp_path: Path) -> None:
    """The planner wants to know what to change, not only that something is wrong."""
    found = lint(tmp_path, ("role: mar, state: affected", "role: mar, state: SGP"))

    assert "R1 comes nearest and asks for state SGP" in found[0].text


def test_a_label_that_an_order_gives_closes_a_gap(tmp_path: Path) -> None:
    """A desk may re-issue under another label; only where no label helps is there a gap."""
    gap = ("    label: report\n    message", "    label: close\n    message")

    gaps = [finding.text for finding in lint(tmp_path, gap) if finding.code == "rule-gap"]
    assert [] == [text for text in gaps if "idn-mar" in text]


def test_a_need_of_an_agency_that_is_told_straight_is_no_gap(tmp_path: Path) -> None:
    found = lint(
        tmp_path,
        ("role: mar, state: affected", "role: mar, state: SGP"),
        ("fact: F1, who: [idn-mar, rb-ifc]", "fact: F1, who: [mys-mar, rb-ifc]"),
    )

    assert [] == [finding for finding in found if finding.code == "rule-gap"]


def test_findings_stand_in_order_of_weight(tmp_path: Path) -> None:
    found = lint(tmp_path, (", hot_wash: 15m", ""), ("by: 30m", "by: 4m"), ("time: T+00:05", "time: T+02:00"))
    weights = ["error", "warning", "advice"]

    assert len(found) >= 3
    assert sorted(found, key=lambda finding: weights.index(finding.level)) == list(found)


def test_a_pack_can_be_examined_without_its_places() -> None:
    assert () == lint_pack(load_pack(SMALL))


def test_a_finding_reads_as_one_line(tmp_path: Path) -> None:
    (found,) = lint(tmp_path, (", hot_wash: 15m", ""))

    assert str(found) == (
        "bent.yaml:3: advice: no time is set aside for the hot wash; write hot_wash: 30m under clock [no-hot-wash]"
    )
