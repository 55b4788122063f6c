"""Plans of a soak: drawn, written, read, cut down, and limited to some kinds of fault."""

import json
from pathlib import Path

import pytest

from scenarios.soak.draw import draw_plan
from scenarios.soak.draw_crowd import SOUND_KINDS, draw_crowd
from scenarios.soak.expected import never_seen
from scenarios.soak.figures import Account, Figures
from scenarios.soak.ghost_between import Between
from scenarios.soak.invariants import ORACLE
from scenarios.soak.only import check_kinds, draw_only, kinds
from scenarios.soak.parts import parts_of, with_parts
from scenarios.soak.plan import Message, Plan, read_plan
from scenarios.soak.shrink import least, shrink
from scenarios.soak.workflow import STORY_KINDS
from schemas.errors import InputError, UsageError
from transport.faults import NodeCrash, Partition


def test_a_plan_survives_its_text(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    for seed in range(60):
        path.write_text(draw_plan(seed).model_dump_json())

        assert draw_plan(seed) == read_plan(path)


@pytest.mark.parametrize("text", ["", "[]", '{"v":2}', '{"v":1,"seed":1}'])
def test_what_is_no_plan_is_refused_with_its_place(text: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)

    with pytest.raises(InputError, match=r"plan\.json"):
        read_plan(path)


def test_a_plan_is_its_parts() -> None:
    """A kind of part that these two did not know would be cut away from every plan, or never be cut away."""
    for seed in range(60):
        plan = draw_plan(seed)

        assert plan == with_parts(plan, parts_of(plan))
        lists = {name for name in Plan.model_fields if isinstance(getattr(plan, name), tuple)}
        empty = with_parts(plan, [])
        assert {()} == {getattr(empty, name) for name in lists}


# Cutting down.


def test_what_is_left_out_is_what_was_not_needed() -> None:
    tried: list[list[int]] = []

    def holds(parts: list[int]) -> bool:
        tried.append(parts)
        return {3, 11} <= set(parts)

    assert [3, 11] == least(list(range(16)), holds)
    assert 60 > len(tried)


def test_a_plan_is_cut_down_to_what_breaks_the_same_invariant() -> None:
    """A smaller plan that breaks another invariant is another bug, and is not taken."""

    def breaks(plan: Plan) -> int | None:
        if len(plan.messages) >= 2:
            return ORACLE
        return ORACLE + 1 if plan.messages else None

    smallest = shrink(draw_plan(1), breaks)

    assert (2, ()) == (len(smallest.messages), smallest.faults)


def cut_off(*agencies: str, lasts_ms: int) -> Plan:
    """Return a plan with a message and one partition."""
    partition = Partition(at_ms=23_456, lasts_ms=lasts_ms, agencies=agencies, direction="both")
    message = Message(number=0, at_ms=20_123, agency="sgp-mar", labels=(4, 7, 0), to=("mys-mar", "tha-mar"))
    return Plan(seed=1, span_ms=90_000, line_ms_most=40, disk_ms_most=60, messages=(message,), faults=(partition,))


def test_what_is_left_is_narrowed_and_shortened() -> None:
    """Of three agencies the one that counts, of half a minute the three seconds, of three portions one."""

    def breaks(plan: Plan) -> int | None:
        fits = any(
            isinstance(fault, Partition) and "tha-mar" in fault.agencies and fault.lasts_ms >= 3_000
            for fault in plan.faults
        )
        return ORACLE if fits and plan.messages else None

    smallest = shrink(cut_off("mys-mar", "sgp-mar", "tha-mar", lasts_ms=30_000), breaks)

    (fault,), (message,) = smallest.faults, smallest.messages
    assert isinstance(fault, Partition)
    assert (("tha-mar",), 1, 1) == (fault.agencies, len(message.labels), len(message.to))
    assert 3_000 <= fault.lasts_ms < 6_000
    assert (0, 0, 0) == (min(fault.at_ms, message.at_ms), smallest.line_ms_most, smallest.disk_ms_most)
    assert smallest.span_ms <= max(fault.at_ms + fault.lasts_ms, message.at_ms) + 1_000


def test_cutting_down_ends_after_so_many_runs_and_when_time_is_up() -> None:
    runs = 0

    def breaks(plan: Plan) -> int | None:
        nonlocal runs
        runs += 1
        return ORACLE if plan == draw_plan(3) else None

    shrink(draw_plan(3), breaks, runs_most=5)
    assert 6 == runs  # and one to see what it breaks

    untouched = shrink(draw_plan(3), breaks, out_of_time=lambda: True)
    assert (draw_plan(3), 7) == (untouched, runs)


# Some kinds only.


@pytest.mark.parametrize("kind", kinds())
def test_a_plan_of_one_kind_has_faults_of_that_kind_alone(kind: str) -> None:
    plan = draw_only(5, [kind])

    assert {kind} == {part.kind for part in parts_of(plan)} - {"message", "again", *STORY_KINDS}


def test_a_plan_of_no_kind_in_particular_is_that_of_its_seed() -> None:
    assert draw_plan(5) == draw_only(5, [])


def test_a_kind_that_there_is_not_is_named() -> None:
    with pytest.raises(UsageError, match="earthquake: no kind of fault"):
        check_kinds(["partition", "earthquake"])


# Crowds.


def test_a_crowd_sends_hundreds_under_every_kind_that_loses_nothing() -> None:
    plan = draw_crowd(5)
    numbers = [message.number for message in plan.messages]

    assert len(numbers) >= 600
    assert list(range(len(numbers))) == numbers
    assert set(SOUND_KINDS) == {part.kind for part in parts_of(plan)} - {"message", "again"}
    assert all(message.corrects is None or message.corrects < message.number for message in plan.messages)
    assert plan == draw_crowd(5) != draw_crowd(6)


@pytest.mark.parametrize("kind", kinds())
def test_a_crowd_of_one_kind_is_struck_by_that_kind_alone(kind: str) -> None:
    plan = draw_crowd(5, [kind])

    assert {kind} == {part.kind for part in parts_of(plan)} - {"message", "again"}
    assert (kind == "flood") <= (plan.quota is not None)


# Figures.


def test_a_run_counts_for_every_kind_of_fault_that_fired_in_it() -> None:
    figures = Figures()
    first = Account(accepted=5, deliveries=20, lost=0, doubled=0)
    second = Account(accepted=2, deliveries=3, lost=1, doubled=0)

    figures.add({"fault cut": 3, "revoked": 1, "node opened": 9}, first, virtual_ms=1_000, processor_s=0.5)
    figures.add({"fault cut": 1}, second, virtual_ms=1_000, processor_s=0.5)

    rows = figures.document()
    assert ["all runs", "cut", "revocation"] == list(rows)
    assert (2, 4, 7, 23, 1) == tuple(
        rows["cut"][name] for name in ("runs", "fired", "reports_accepted", "deliveries", "lost")
    )
    assert (1, 5) == (rows["revocation"]["runs"], rows["revocation"]["reports_accepted"])
    assert 120 == figures.seeds_per_minute_per_core()


def test_a_run_with_several_ways_of_one_lie_counts_its_reports_once_for_the_lie() -> None:
    figures = Figures()
    account = Account(accepted=5, deliveries=20, lost=0, doubled=0)

    figures.add(
        {"evil emptied": 2, "evil hidden": 1, "evil split view, past": 4, "recalled": 1, "keys changed": 3},
        account, virtual_ms=1, processor_s=1,
    )  # fmt: skip

    found = {kind: (row["fired"], row["reports_accepted"]) for kind, row in figures.document().items()}
    assert {
        "all runs": (0, 5), "evil drop": (3, 5), "evil emptied": (2, 5), "evil hidden": (1, 5),
        "evil split view, past": (4, 5), "evil split_view": (4, 5), "recall": (1, 5), "key change": (3, 5),
    } == found  # fmt: skip


# The workflow of sharing.


def test_what_a_seed_draws_of_the_workflow_moves_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plans of old seeds keep all that they had; stories and what they are about come after it."""
    with_stories = [plan for plan in map(draw_plan, range(60)) if plan.workflow]
    monkeypatch.setattr("scenarios.soak.draw.with_workflow", lambda plan: plan)
    for plan in with_stories:
        before = draw_plan(plan.seed)

        assert before.messages == plan.messages[: len(before.messages)]
        assert before.faults == plan.faults[: len(before.faults)]
        assert before.hostility == plan.hostility
    assert set(STORY_KINDS) == {story.kind for plan in with_stories for story in plan.workflow}


def test_a_plan_that_was_kept_before_there_were_stories_has_none() -> None:
    text = json.loads(draw_plan(5).model_dump_json())
    del text["workflow"]

    assert () == Plan.model_validate_json(json.dumps(text)).workflow


def test_a_fault_counts_between_two_steps_if_it_strikes_a_party_of_them_or_the_broker() -> None:
    now_ms, seen = [0], list[str]()
    faults = (NodeCrash(at_ms=500, lasts_ms=300, agency="sgp-mar", point="now"),)
    between = Between(faults, now_ms=lambda: now_ms[0], saw=seen.append)
    between.begin_plan()

    for name, parties in (("one", ("sgp-mar",)), ("two", ("mys-mar",))):
        between.begin(name, 1)
        now_ms[0] += 300
        between.end(name, 1, parties)
    between.begin("three", 1)
    now_ms[0] += 300
    between.end("three", 1, ("idn-mar", "sgp-mar"))

    assert ["struck between three"] == seen


def test_a_soak_that_is_long_must_have_tried_what_is_rare() -> None:
    assert [] == never_seen({}, seeds=199)
    many, more = never_seen({}, seeds=200), never_seen({}, seeds=1_000)

    assert "struck between request and decision" in many
    assert ["struck between two co-signatures"] == [what for what in more if "two co-signatures" in what]
    assert set(many) < set(more)
