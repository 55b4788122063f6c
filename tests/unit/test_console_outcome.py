"""The outcome of a share: what is foreseen, what came true, where they differ, and how it is put together."""

import pytest

from console.outcome import NO_KEY, NOT_MEANT, Outcome, as_document, come_true, foresee, groups, spoken_names
from console.outcome_view import show_outcome
from console.screen import console
from policy.community import Community
from scenarios.pack import load_pack
from scenarios.placeholder_community import compile_community
from schemas.label import Label
from schemas.report import Passage, Portion, PortionContent
from tests.samples.command_line import HARBOUR_WATCH

AT_MS = 1_800_000_000_000
OPEN = Label("GREEN", "EX-UNCLAS", "toc.robbery-at-sea", affected=("IDN", "MYS"))
CLOSE = Label("AMBER", "EX-RESTRICTED", "toc.robbery-at-sea", affected=("IDN", "MYS"))


def community() -> Community:
    return compile_community(load_pack(HARBOUR_WATCH))


def portion(label: Label, title: str) -> Portion:
    return Portion(label, PortionContent("EXERCISE", title, (Passage(None, "text"),)))


def foreseen(*, meant: tuple[str, ...] = ()) -> Outcome:
    portions = (portion(OPEN, "open"), portion(CLOSE, "close"))
    return foresee(portions, originator="mys-mar", meant=meant, at_ms=AT_MS, community=community())


def came_true(**changes: object) -> Outcome:
    """Both portions for idn-mar, the open one for rb-ifc, as the rules have it; with changes."""
    both, first = frozenset({0, 1}), frozenset({0})
    facts = {"idn-mar": both, "rb-ifc": first}
    told = {"routed": facts, "received": facts, "without_key": frozenset[str]()} | changes
    return come_true(foreseen(), hid="ab", **told)  # type: ignore[arg-type] # by name, as the tests change them


def test_the_pre_flight_gives_each_agency_its_own_portions_and_the_rule() -> None:
    cells = {row.agency.agency: [(cell.foreseen, cell.rule) for cell in row.cells] for row in foreseen().rows}

    assert [(True, "R1"), (True, "R1")] == cells["idn-mar"]
    assert [(True, "R2"), (False, "NTK-CLEARANCE")] == cells["rb-ifc"]
    assert [False, False] == [permitted for permitted, _ in cells["in-port"]]
    assert "mys-mar" not in cells


def test_who_is_not_meant_is_left_out_by_name_of_that_reason() -> None:
    outcome = foreseen(meant=("rb-ifc",))
    rules = {row.agency.agency: row.cells[0].rule for row in outcome.rows}

    assert NOT_MEANT == rules["idn-mar"]
    assert ("rb-ifc",) == outcome.readers(0)


def test_an_outcome_as_foreseen_has_no_differences() -> None:
    outcome = came_true()

    assert () == outcome.differences
    assert ("idn-mar", "rb-ifc") == outcome.readers(0)


def test_a_portion_that_a_node_did_not_verify_is_a_difference() -> None:
    outcome = came_true(received={"idn-mar": frozenset({0}), "rb-ifc": frozenset({0})})

    assert [("idn-mar", 1)] == [(row.agency.agency, at) for row, at in outcome.differences]


def test_a_portion_that_came_to_somebody_unforeseen_is_a_difference() -> None:
    """What is printed is what the nodes hold, never what should be so."""
    received = {"idn-mar": frozenset({0, 1}), "rb-ifc": frozenset({0}), "in-port": frozenset({1})}
    outcome = came_true(received=received)

    assert [("in-port", 1)] == [(row.agency.agency, at) for row, at in outcome.differences]
    assert ("idn-mar", "in-port") == outcome.readers(1)


def test_a_reader_without_a_box_key_is_left_out_by_that() -> None:
    only = {"rb-ifc": frozenset({0})}
    outcome = came_true(routed=only, received=only, without_key=frozenset({"idn-mar"}))
    cells = {row.agency.agency: row.cells for row in outcome.rows}

    assert NO_KEY == cells["idn-mar"][0].rule
    assert () == outcome.differences


def test_agencies_with_the_same_outcome_by_the_same_rules_share_a_row() -> None:
    pack = load_pack(HARBOUR_WATCH)
    outcome = foresee(
        (portion(OPEN, "open"),), originator="in-port", meant=(), at_ms=AT_MS, community=compile_community(pack)
    )

    assert [("idn-mar", "mys-mar"), ("rb-ifc",)] == [group.names for group in groups(outcome)]


def test_a_role_of_every_state_is_named_once() -> None:
    agencies = compile_community(load_pack(HARBOUR_WATCH.parents[2] / "scenarios" / "library" / "region")).agencies
    certs = [agency.agency for agency in agencies if agency.role == "cert" and agency.kind == "member"]

    assert ["*-cert (all 11)", "rb-ifc"] == list(spoken_names([*certs, "rb-ifc"], agencies))
    assert certs[:2] == list(spoken_names(certs[:2], agencies))


@pytest.mark.parametrize("width", ["30", "80", "200"])
def test_the_matrix_is_readable_at_any_width(
    width: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    show_outcome(console(), came_true(received={}))
    text = capsys.readouterr().out

    assert max(len(line) for line in text.splitlines()) <= int(width)
    assert "came out otherwise than" in " ".join(text.split())
    assert "R1" in text


def test_a_title_of_somebody_else_is_never_read_as_markup(capsys: pytest.CaptureFixture[str]) -> None:
    shown = foresee(
        (portion(OPEN, "[red]x[/nothing] \x1b[2J"),), originator="mys-mar", meant=(), at_ms=AT_MS, community=community()
    )
    show_outcome(console(), shown)
    text = capsys.readouterr().out

    assert "[red]x[/nothing]" in text
    assert "\x1b" not in text


def test_the_document_names_every_agency_and_portion() -> None:
    document = as_document(came_true())

    assert ["idn-mar", "in-port", "rb-ifc"] == [item["agency"] for item in document["agencies"]]
    assert [["idn-mar", "rb-ifc"], ["idn-mar"]] == [item["readers"] for item in document["portions"]]
    assert [] == document["differences"]
