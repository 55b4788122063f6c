"""The handling rules end to end: one play in virtual time, through real nodes and a real router, and its record."""

from pathlib import Path
from typing import Any, Final

import pytest

from console.exits import Exit
from scenarios.lint import lint_path
from scenarios.model import Pack
from scenarios.pack import load_pack
from scenarios.record import Event, read_record
from scenarios.rehearsal import rehearse
from tests.samples.command_line import answer, at_once

PACK: Final = Path(__file__).parents[1] / "packs" / "handling-rules.yaml"
MINUTE_MS: Final = 60_000


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack(PACK)


@pytest.fixture(scope="module")
def folder(pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("handling")
    rehearse(pack, folder=folder)
    return folder


@pytest.fixture(scope="module")
def events(folder: Path) -> tuple[Event, ...]:
    return read_record(folder / "record")


def of(events: tuple[Event, ...], stage: str, **fields: Any) -> list[Event]:
    return [event for event in events if event.stage == stage and fields.items() <= event.fields.items()]


def released(events: tuple[Event, ...], order: str) -> Event:
    (event,) = of(events, "released", order=order)
    return event


def readers(events: tuple[Event, ...], order: str) -> list[str]:
    """Return who proved and kept what an order sent, by the readers' own records."""
    return sorted(event.source for event in of(events, "verified", hid=released(events, order).fields["hid"]))


def left_out(events: tuple[Event, ...], order: str) -> dict[str, str]:
    (event,) = of(events, "intended", order=order)
    return dict(event.fields["left_out"])


def test_the_pack_has_no_fault() -> None:
    assert {"no-contingency"} == {finding.code for finding in lint_path(PACK)}


def test_h1_what_was_shared_is_read_by_whom_it_was_shared_with(events: tuple[Event, ...]) -> None:
    assert ["sgp-mar"] == readers(events, "S1")


def test_h1_who_holds_it_does_not_hand_it_on_and_the_attempt_is_on_record(events: tuple[Event, ...]) -> None:
    assert [] == of(events, "released", order="S2")
    (attempt,) = of(events, "onward_denied", order="S2")
    assert ["idn-mar"] == list(attempt.fields["agencies"])


def test_h4_a_natonly_portion_is_read_in_its_own_state(events: tuple[Event, ...]) -> None:
    assert ["mys-di"] == readers(events, "S3")


def test_h4_a_natonly_portion_never_leaves_its_state(events: tuple[Event, ...]) -> None:
    assert {"idn-mar": "NTK-NATONLY", "sgp-mar": "NTK-NATONLY"} == left_out(events, "S3")
    assert ["mys-di"] == list(released(events, "S3").fields["audience"])


def test_h8_a_contributor_reads_the_pool_and_another_does_not_until_it_is_on_record(events: tuple[Event, ...]) -> None:
    assert ["sgp-mar"] == readers(events, "S9")
    assert ["idn-mar", "sgp-mar"] == readers(events, "S10")


def test_h8_what_was_given_to_the_pool_can_be_counted_before_it_is_put_on_record(folder: Path) -> None:
    document = answer("bundle", "contributions", PACK, "--mechanism", "pool", "--log", folder, "--days", "40")
    given = {item["agency"]: (item["reports"], item["reads"], item["credit"]) for item in document["members"]}

    assert {"idn-mar": (1, False, "--credit pool=idn-mar@2027-06-11"), "sgp-mar": (0, True, None)} == given
    said = at_once("bundle", "contributions", PACK, "--mechanism", "pool", "--log", folder)
    assert "idn-mar          does not read; has given 1 report" in said.stdout
    assert "sgp-mar          reads until 2028-01-01" in said.stdout


@pytest.mark.parametrize(
    ("more", "said"),
    [(("--mechanism", "poul"), "no mechanism 'poul'"), (("--mechanism", "pool", "--days", "0"), "--days")],
)
def test_a_count_that_cannot_be_made_says_why(folder: Path, more: tuple[str, ...], said: str) -> None:
    run = at_once("bundle", "contributions", PACK, "--log", folder, *more)

    assert Exit.USAGE == run.returncode
    assert said in run.stderr


def test_h9_the_affected_states_figures_go_out_and_an_estimate_does_not(events: tuple[Event, ...]) -> None:
    assert ["idn-mar", "sgp-mar"] == readers(events, "S11")
    assert {"idn-mar": "R3"} == left_out(events, "S12")


def test_h9_an_offer_is_held_until_the_affected_state_asks(pack: Pack, events: tuple[Event, ...]) -> None:
    steps = [
        (round((event.at_ms - pack.start_ms) / MINUTE_MS), event.source, event.stage, event.fields["outcome"])
        for event in events
        if event.stage in {"asked", "answered"}
    ]
    (held,) = of(events, "acted", order="S15", act="hold")

    assert 16 == round((held.at_ms - pack.start_ms) / MINUTE_MS)
    assert (26, "phl-drm", "asked", "open") == steps[0]
    assert (27, "sgp-mar", "asked", "open") == steps[1]
    assert {(30, "phl-drm", "answered", "accepted"), (30, "sgp-mar", "answered", "accepted")} == set(steps[2:])


def test_h11_a_product_is_marked_no_lower_than_what_it_quotes(events: tuple[Event, ...]) -> None:
    """Its desk was ordered to mark it CLEAR and without a colour."""
    (portion,) = released(events, "S5").fields["portions"]

    assert ("GREEN", ["PAP:AMBER"]) == (portion["label"]["tlp"], portion["label"]["caveats"])
    assert ["idn-mar"] == readers(events, "S5")


def test_h13_a_recall_reaches_the_reader_of_what_was_made_of_it(events: tuple[Event, ...]) -> None:
    report, product = (released(events, order).fields["hid"] for order in ("S4", "S5"))

    assert [("mys-mar", report), ("idn-mar", product)] == [
        (event.source, event.fields["hid"]) for event in of(events, "recalled")
    ]


def test_h13_each_reader_answers_the_recall_and_nothing_else_is_erased(events: tuple[Event, ...]) -> None:
    report, product = (released(events, order).fields["hid"] for order in ("S4", "S5"))

    assert {("sgp-mar", "mys-mar", report), ("mys-mar", "idn-mar", product)} == {
        (event.source, event.fields["reader"], event.fields["hid"]) for event in of(events, "receipt", status="purged")
    }


def test_h15_the_cleared_read_it(events: tuple[Event, ...]) -> None:
    assert ["mys-mar", "sgp-mar"] == readers(events, "S6")


def test_h15_to_who_is_not_cleared_there_is_no_such_report(events: tuple[Event, ...]) -> None:
    """Its author meant to tell it; nothing in its own record names the report, and the router queued nothing."""
    hid = released(events, "S6").fields["hid"]

    assert {"idn-mar": "NTK-CLEARANCE"} == left_out(events, "S6")
    assert [] == [event for event in events if event.source == "idn-mar" and hid in str(event.fields)]


def test_h18_who_joins_reads_from_then_on_and_nothing_of_before(events: tuple[Event, ...]) -> None:
    assert ["mys-di", "sgp-mar"] == readers(events, "S7")
    assert ["idn-mar", "mys-di", "sgp-mar"] == readers(events, "S8")
