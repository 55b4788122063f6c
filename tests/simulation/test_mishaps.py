"""What goes wrong with one disk, clock or key at a known moment, and who has to notice: one short plan for each."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from scenarios.soak.plan import Plan
from scenarios.soak.run import Outcome, run_plan

AUTHOR, READER, OTHER, BROKER = "sgp-cert", "mys-cert", "idn-cert", "broker"
REPORT = {"number": 0, "at_ms": 5_000, "agency": AUTHOR, "labels": [0], "to": [READER, OTHER]}
AWAY = {"kind": "partition", "at_ms": 4_000, "lasts_ms": 12_000, "agencies": [READER], "direction": "down"}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Lines about lost links are what a soak is made of."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def play(*faults: dict[str, Any], **more: Any) -> Outcome:
    """Run one report under these faults; nothing may break."""
    document = {"v": 1, "seed": 7, "span_ms": 20_000, "line_ms_most": 40, "messages": [REPORT], "faults": faults}
    outcome = run_plan(Plan.model_validate(_tuples(document | more)))
    assert outcome.violation is None
    return outcome


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _tuples(item) for name, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value


def fault(kind: str, **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "at_ms": 3_000, "lasts_ms": 8_000, **fields}


def test_a_broker_that_is_put_back_loses_nothing_unnoticed() -> None:
    """The old copy has no queue that it lies in: its author waits for the receipt, and the log's witnesses say so.

    They have been shown the log by then: a heartbeat has passed since.
    """
    away = AWAY | {"lasts_ms": 34_000}
    seen = play(away, fault("old_snapshot", holder=BROKER, lasts_ms=32_000), span_ms=60_000).sometimes

    assert 1 == seen["put back the broker"]
    assert 1 <= seen["forgotten by the broker"]
    assert 1 <= seen["node log_fault"]


def test_what_a_broker_that_is_put_back_delivers_again_has_no_second_effect() -> None:
    seen = play(fault("old_snapshot", holder=BROKER, at_ms=5_030, lasts_ms=4_000)).sometimes

    assert 1 == seen["put back the broker"]
    assert 2 == seen["node verified"]


def test_a_reader_that_is_put_back_notices_what_it_forgot() -> None:
    seen = play(fault("old_snapshot", holder=READER)).sometimes

    assert 1 == seen["node gap"]
    assert 1 <= seen["forgotten by a reader that noticed"]


@pytest.mark.parametrize("holder", [AUTHOR, READER, BROKER])
def test_a_lying_disk_loses_what_it_said_it_had(holder: str) -> None:
    seen = play(fault("lying_disk", holder=holder, sync_ms=5_000)).sometimes

    assert 1 == seen["fault lying_disk"]
    assert 1 == seen["put back the broker" if holder == BROKER else "put back the node"]


def test_a_power_cut_of_honest_disks_loses_nothing() -> None:
    seen = play(fault("power_cut", holders=[AUTHOR, READER, BROKER], at_ms=5_150, lasts_ms=3_000)).sometimes

    assert (3, 2) == (seen["deaths"], seen["node verified"])


@pytest.mark.parametrize("damage", ["torn", "flipped", "truncated"])
@pytest.mark.parametrize("holder", [READER, BROKER])
def test_a_damaged_file_is_refused_and_the_copy_goes_on(damage: str, holder: str) -> None:
    assert 1 == play(fault("damaged_file", holder=holder, damage=damage)).sometimes[f"refused a {damage} file"]


@pytest.mark.parametrize("holders", [[AUTHOR, READER], [READER, BROKER]])
def test_swapped_files_are_refused_and_their_own_lose_nothing(holders: list[str]) -> None:
    seen = play(fault("swapped_file", holders=holders)).sometimes

    assert 2 == seen["refused a file of another"]


def test_a_desk_is_told_of_a_full_disk_and_nothing_is_half_accepted() -> None:
    seen = play(fault("disk_full", holder=AUTHOR)).sometimes

    assert 1 == seen["desk told that the disk is full"]
    assert "accepted" not in seen


@pytest.mark.parametrize("holder", [READER, BROKER])
def test_what_a_full_disk_could_not_take_comes_when_there_is_room(holder: str) -> None:
    assert 2 == play(fault("disk_full", holder=holder)).sometimes["node verified"]


@pytest.mark.parametrize("offset_ms", [24 * 3_600_000, -24 * 3_600_000])
@pytest.mark.parametrize("holder", [AUTHOR, READER, BROKER])
def test_a_leap_of_a_clock_refuses_in_sight_or_delivers(holder: str, offset_ms: int) -> None:
    """A report of an author who lives in yesterday finds nobody's key: its desk is told that, too."""
    seen = play(fault("clock_jump", holder=holder, offset_ms=offset_ms)).sometimes

    assert 1 <= seen["node intended"]


def test_a_clock_that_drifts_within_what_is_tolerated_costs_nothing() -> None:
    assert 2 == play(fault("clock_drift", holder=READER, ppm=100_000)).sometimes["node verified"]


def test_keys_that_change_while_a_report_is_under_way_cost_nothing() -> None:
    rotations = [{"at_ms": at_ms, "agency": agency} for agency in (AUTHOR, READER) for at_ms in (4_900, 5_020)]

    seen = play(AWAY, rotations=rotations).sometimes

    assert (4, 2) == (seen["keys changed"], seen["node verified"])


@pytest.mark.parametrize("at_ms", [5_100, 7_000])
def test_a_recall_reaches_who_was_away_when_it_was_made(at_ms: int) -> None:
    seen = play(AWAY, recalls=[{"at_ms": at_ms, "message": 0}, {"at_ms": at_ms + 2_000, "message": 0}]).sometimes

    assert (1, 1) == (seen["recalled"], seen["recalled again"])
    assert 2 <= seen["recall carried out"]


def test_what_has_expired_is_not_taken_up() -> None:
    seen = play(AWAY, messages=[{**REPORT, "lives_ms": 2_000}]).sometimes

    assert (1, 1) == (seen["node verified"], seen["node rejected STALE"])
