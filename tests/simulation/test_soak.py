"""The soak: the corpus first, fresh seeds, planted bugs that must be found, and runs that repeat to the byte."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.cli import main
from console.soak import audit_log
from scenarios.soak.canaries.catalogue import CANARIES
from scenarios.soak.canaries.hunt import kept_plan, try_plan
from scenarios.soak.draw import draw_plan
from scenarios.soak.figures import Account
from scenarios.soak.fleet import How, SeedOutcome, cut_down, run_seed
from scenarios.soak.invariants import ORACLE, Violation
from scenarios.soak.parts import parts_of
from scenarios.soak.plan import read_plan
from scenarios.soak.run import run_plan

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "corpus"
PLANS = sorted(CORPUS.glob("*.json"))
# So many that the corpus and these together stay under three minutes on two cores.
FIRST, CHUNKS, SEEDS_A_CHUNK = 1_000, 20, 10
HOW = How(auditor=audit_log)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Lines about lost links and full disks are what a soak is made of."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_no_plan_of_the_corpus_breaks_anything(path: Path) -> None:
    """Each once broke an invariant: for a bug that is mended, or one that was planted to be found."""
    assert HOW.run(read_plan(path)).violation is None


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_seed_breaks_anything(chunk: int) -> None:
    """What breaks is broken by its seed alone: ``sandiwara soak --seeds 1 --first SEED`` shows it again."""
    first = FIRST + chunk * SEEDS_A_CHUNK
    found = {seed: run_seed(seed, HOW).violation for seed in range(first, first + SEEDS_A_CHUNK)}

    assert {} == {seed: violation for seed, violation in found.items() if violation is not None}


@pytest.mark.parametrize("canary", [name for name in CANARIES if kept_plan(name, CORPUS).exists()])
def test_the_plan_that_was_kept_of_a_planted_bug_finds_it(canary: str) -> None:
    assert try_plan(kept_plan(canary, CORPUS), How(canary=canary)) is not None


# Those that a handful of seeds find; the others have a plan of their own, and ``sandiwara soak --canaries`` tries all.
SOON = (
    "resend forgets", "un-acked forgotten", "receipt before commit", "task forgotten",
    "memory between runs", "oldest evicted", "leaf missing", "checkpoint of another tree", "cut of everything",
)  # fmt: skip


@pytest.mark.parametrize("canary", SOON)
def test_seeds_alone_find_a_planted_bug(canary: str) -> None:
    """A plan of the corpus was made for its bug; fresh seeds know of none."""
    how = How(canary=canary)

    assert any(run_seed(seed, how).violation is not None for seed in range(12))


def test_every_planted_bug_is_found_by_its_plan_or_by_a_few_seeds() -> None:
    kept = {name for name in CANARIES if kept_plan(name, CORPUS).exists()}

    assert set(CANARIES) == kept | set(SOON)


_TRACES = """
import sys
from scenarios.soak.fleet import run_seed
print(" ".join(run_seed(int(seed)).trace for seed in sys.argv[1:]))
"""


def _seeds_of_all_kinds() -> list[str]:
    """Return a few seeds whose plans have faults of disks, clocks and keys, and something hostile among them."""
    wanted = [{"consent", "question"}, {"product", "joint"}]
    wanted += [{"disk_full", "power_cut"}, {"clock_drift", "clock_jump"}, {"rotation"}, {"recall"}, {"old_snapshot"}]
    wanted += [{"drop", "misroute", "replay", "substitute", "lie", "split_view"}, {"flood", "poison", "slow"}]
    kinds = {seed: {part.kind for part in parts_of(draw_plan(seed))} for seed in range(2_000, 2_400)}
    chosen: list[str] = []
    while wanted:
        # The one that has most of what is still missing, so that few have to be run.
        seed = max(kinds, key=lambda seed: (sum(bool(kinds[seed] & group) for group in wanted), -seed))
        chosen.append(str(seed))
        missing = [group for group in wanted if not kinds[seed] & group]
        assert len(missing) < len(wanted)
        wanted = missing
    return chosen


def test_a_seed_has_one_trace_whatever_the_process_and_its_hashes() -> None:
    seeds = _seeds_of_all_kinds()

    def traces(hash_seed: str) -> list[str]:
        return subprocess.run(
            [sys.executable, "-c", _TRACES, *seeds],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=ROOT,
            capture_output=True,
            check=True,
            text=True,
        ).stdout.split()

    expected = [run_seed(int(seed)).trace for seed in seeds]

    assert [expected] * 3 == [traces("0"), traces("1"), traces("random")]


def test_no_call_of_a_run_goes_past_the_ports() -> None:
    """Clocks, chance, threads and sockets: every call into C is looked at."""
    plan = draw_plan(1_005)

    assert run_plan(plan).trace == run_plan(plan, every_call=True).trace


def test_cutting_down_what_breaks_nothing_leaves_nothing() -> None:
    plan = draw_plan(1_001)
    few = plan.model_copy(update={"messages": plan.messages[:1], "faults": ()})

    assert () == cut_down(few, invariant=ORACLE, out_of_time=lambda: False).messages


# The command.


@pytest.fixture
def one_broken_seed(monkeypatch: pytest.MonkeyPatch) -> SeedOutcome:
    """Have the command find one seed that breaks an invariant."""
    broken = SeedOutcome(
        seed=7,
        violation=Violation(ORACLE, 5, "as planted"),
        virtual_ms=5,
        trace="",
        account=Account(accepted=3, deliveries=9, lost=0, doubled=0),
        processor_s=0.5,
        sometimes={"fault cut": 2},
    )
    monkeypatch.setattr("console.soak.run_seeds", lambda *_, **__: (item for item in [broken]))
    return broken


def test_a_failure_is_written_down_with_the_command_that_replays_it(
    one_broken_seed: SeedOutcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("console.soak.cut_down", lambda plan, *_, **__: plan)

    assert 1 == main(["soak", "--seeds", "1", "--out", str(tmp_path), "--json"])
    (failure,) = json.loads(capsys.readouterr().out)["failures"]
    assert (one_broken_seed.seed, ORACLE, "as planted") == (failure["seed"], failure["invariant"], failure["what"])
    assert draw_plan(7) == read_plan(tmp_path / "soak-7.json")
    assert 0 == main(["soak", "--plan", str(tmp_path / "soak-7.json")])


def test_ctrl_c_while_a_plan_is_cut_down_keeps_the_plan_as_it_was(
    one_broken_seed: SeedOutcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("console.soak.cut_down", interrupted)

    assert 130 == main(["soak", "--seeds", "1", "--out", str(tmp_path), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert (True, [False]) == (document["interrupted"], [failure["cut"] for failure in document["failures"]])
    assert draw_plan(one_broken_seed.seed) == read_plan(tmp_path / "soak-7.json")


def test_ctrl_c_ends_a_soak_with_what_it_has_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = run_seed(1_001)

    def interrupted(*_: object, **__: object) -> Iterator[SeedOutcome]:
        yield real
        raise KeyboardInterrupt

    monkeypatch.setattr("console.soak.run_seeds", interrupted)

    assert 130 == main(["soak", "--seeds", "5", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert (True, 1) == (document["interrupted"], document["seeds"])
    assert document["by_fault"]["all runs"]["reports_accepted"] == real.account.accepted > 0


def test_a_soak_says_for_each_kind_of_fault_what_became_of_the_reports(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["soak", "--seeds", "2", "--jobs", "2", "--only", "partition,node_crash", "--json"])
    document = json.loads(capsys.readouterr().out)

    kinds = set(document["by_fault"]) - {"all runs"}
    assert kinds <= {"partition", "node_crash", "silent link"} | {kind for kind in kinds if kind.startswith("died ")}
    whole = document["by_fault"]["all runs"]
    assert (2, 0, 0) == (whole["runs"], whole["lost"], whole["double_effects"])
    assert whole["deliveries"] > 0


def test_a_kind_of_fault_that_there_is_not_is_refused_with_those_that_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert 2 == main(["soak", "--only", "earthquake"])
    assert "partition" in capsys.readouterr().err


def test_the_hunt_says_where_each_planted_bug_was_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = {name: CANARIES[name] for name in ("task forgotten", "resend forgets")}
    monkeypatch.setattr("console.soak.CANARIES", few)

    assert 0 == main(["soak", "--canaries", "--corpus", str(CORPUS), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert 2 == document["found"]
    assert [True, True] == [item["by_seed"]["virtual_ms"] > 0 for item in document["canaries"]]
    assert document["canaries"][1]["plan"].endswith("canary-resend-forgets.json")
    assert document["canaries"][1]["by_plan"] is not None


def test_a_planted_bug_that_is_not_found_fails_the_hunt(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from scenarios.soak.canaries.catalogue import Planted
    from scenarios.soak.canaries.sound import Sound

    shy = {"shy": Planted(make=Sound, seeds_most=2)}
    for module in ("console.soak", "scenarios.soak.fleet", "scenarios.soak.canaries.hunt"):
        monkeypatch.setattr(f"{module}.CANARIES", shy)

    assert 1 == main(["soak", "--canaries"])
    assert "0 of 1 planted bugs were found" in capsys.readouterr().out
