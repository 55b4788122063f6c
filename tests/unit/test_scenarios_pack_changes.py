"""The part ``changes`` of a pack: what it may say, and how its slips are found before anybody plays."""

from pathlib import Path

import pytest

from policy.amendment import Amendment
from scenarios.model import Change
from scenarios.pack import load_pack
from scenarios.problems import PackError
from tests.samples.command_line import HARBOUR_WATCH

MINUTE_MS = 60_000


def changing(folder: Path, *lines: str) -> Path:
    """Return the small pack with these changes."""
    path = folder / "changing.yaml"
    changes = "".join(f"  - {line}\n" for line in lines)
    path.write_text(HARBOUR_WATCH.read_text(encoding="utf-8") + "changes:\n" + changes, encoding="utf-8")
    return path


def test_a_pack_without_changes_has_none() -> None:
    assert () == load_pack(HARBOUR_WATCH).changes


def test_changes_come_in_the_order_of_their_times_with_the_steps_of_each(tmp_path: Path) -> None:
    pack = load_pack(
        changing(
            tmp_path,
            "{id: C2, at: T+01:00, leave: {mechanism: ifc, who: [IDN]}, chair: mys-mar, why: By rota}",
            "{id: C1, at: 2027-05-02 09:30 +07, observe: {mechanism: ifc, who: [MYS, '@coast']}}",
            "{id: C3, at: T+01:00, clearance: {who: in-port, level: EX-RESTRICTED}, revoke: [rb-ifc]}",
        )
    )

    assert (
        Change(
            change="C1", time_ms=30 * MINUTE_MS, why="",
            amendments=(
                Amendment(step="observe", who="MYS", mechanism="ifc"),
                Amendment(step="observe", who="@coast", mechanism="ifc"),
            ),
        ),
        Change(
            change="C2", time_ms=60 * MINUTE_MS, why="By rota",
            amendments=(
                Amendment(step="leave", who="IDN", mechanism="ifc"), Amendment(step="chair", who="mys-mar"),
            ),
        ),
        Change(
            change="C3", time_ms=60 * MINUTE_MS, why="",
            amendments=(
                Amendment(step="revoke", who="rb-ifc"),
                Amendment(step="clearance", who="in-port", level="EX-RESTRICTED"),
            ),
        ),
    ) == pack.changes  # fmt: skip


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{id: C1, at: T+10m, join: {mechanism: icf, who: [MYS]}}", "did you mean 'ifc'?"),
        ("{id: C1, at: T+10m, join: {mechanism: ifc, who: [MSY]}}", "'MSY' has no seat in this exercise"),
        ("{id: C1, at: T+10m, suspend: IDN}", "'IDN' has no seat in this exercise"),
        ("{id: C1, at: T+10m, why: nothing}", "changes nothing"),
        ("{id: C1, at: T+10m, clearance: in-port}", "must be a mapping"),
        ("{id: C1, at: T+10m, leave: {mechanism: ifc}}", "has no 'who'"),
        ("{id: C1, at: 2027-05-01 09:30 +07, suspend: in-port}", "lies before STARTEX"),
        ("{id: C1, suspend: in-port}", "has no 'at'"),
        ("{id: C1, at: T+10m, restore: in-port}", "C1: in-port is active already"),
        ("{id: C1, at: T+10m, join: {mechanism: ifc, who: [MYS]}}", "C1: MYS is member of ifc already"),
    ],
)
def test_a_slip_is_one_problem_with_its_place(line: str, words: str, tmp_path: Path) -> None:
    """What cannot be done of the community as it stands by then is found by the loader too, and not in mid-play."""
    with pytest.raises(PackError) as caught:
        load_pack(changing(tmp_path, line))

    (problem,) = caught.value.problems
    assert words in str(problem)
    assert len(HARBOUR_WATCH.read_text(encoding="utf-8").splitlines()) + 2 == problem.mark.line


def test_rules_are_adopted_and_dropped_by_a_change(tmp_path: Path) -> None:
    adopt = "{id: C1, at: T+01:00, adopt: [{id: R99, permit: {topic: [news.*]}, why: new}], drop: [R99]}"
    (change,) = load_pack(changing(tmp_path, adopt)).changes

    assert [("adopt", "R99"), ("drop", "R99")] == [(item.step, item.who) for item in change.amendments]
    with pytest.raises(PackError, match="has no rule R77"):
        load_pack(changing(tmp_path, "{id: C1, at: T+01:00, drop: [R77]}"))
