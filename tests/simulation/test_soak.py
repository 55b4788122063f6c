"""The soak: the corpus first, fresh seeds, planted bugs that must be found, and runs that repeat to the byte."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scenarios.soak.draw import draw_plan
from scenarios.soak.fleet import cut_down, run_seed
from scenarios.soak.invariants import ORACLE, Violation
from scenarios.soak.plan import Plan, read_plan
from scenarios.soak.run import run_plan
from scenarios.soak.shrink import least, shrink
from schemas.errors import InputError
from tests.samples.soak_canaries import CANARIES

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "corpus"
PLANS = sorted(CORPUS.glob("*.json"))
SEEDS = range(1_000, 1_024)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Lines about lost links are what a soak is made of."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_no_plan_of_the_corpus_breaks_anything(path: Path) -> None:
    """Each once broke an invariant: for a bug that is mended, or one that was planted to be found."""
    assert run_plan(read_plan(path)).violation is None


@pytest.mark.parametrize("seed", SEEDS)
def test_no_seed_breaks_anything(seed: int) -> None:
    assert run_seed(seed).violation is None


@pytest.mark.parametrize("canary", CANARIES)
def test_a_planted_bug_is_found(canary: str) -> None:
    plan = read_plan(CORPUS / f"canary-{canary.replace(' ', '-')}.json")

    assert run_plan(plan, canary=CANARIES[canary](plan.seed)).violation is not None


def test_seeds_alone_find_planted_bugs() -> None:
    """The plans of the corpus were made for their bugs; fresh seeds must find some too."""
    found = [
        name
        for name in ("resend forgets", "verdict once", "dedupe without sender", "un-acked forgotten")
        if any(run_plan(draw_plan(seed), canary=CANARIES[name](seed)).violation for seed in range(12))
    ]

    assert 3 <= len(found)


_TRACE = "import sys; from scenarios.soak.fleet import run_seed; print(run_seed(int(sys.argv[1])).trace)"


def test_a_seed_has_one_trace_whatever_the_process_and_its_hashes() -> None:
    def trace(hash_seed: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", _TRACE, "1003"],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=ROOT,
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()

    expected = run_seed(1003).trace

    assert [expected] * 3 == [trace("0"), trace("1"), trace("random")]


def test_no_call_of_a_run_goes_past_the_ports() -> None:
    """Clocks, chance, threads and sockets: every call into C is looked at."""
    plan = draw_plan(1_005)

    assert run_plan(plan).trace == run_plan(plan, every_call=True).trace


def test_a_plan_survives_its_text(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    for seed in range(40):
        path.write_text(draw_plan(seed).model_dump_json())

        assert draw_plan(seed) == read_plan(path)


@pytest.mark.parametrize("text", ["", "[]", '{"v":2}', '{"v":1,"seed":1}'])
def test_what_is_no_plan_is_refused_with_its_place(text: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)

    with pytest.raises(InputError, match=r"plan\.json"):
        read_plan(path)


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


def test_a_failure_is_written_down_with_the_command_that_replays_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from console.cli import main
    from scenarios.soak.fleet import SeedOutcome

    broken = SeedOutcome(seed=7, violation=Violation(ORACLE, 5, "as planted"), virtual_ms=5, trace="", sometimes={})
    monkeypatch.setattr("console.soak.run_seeds", lambda *_, **__: iter([broken]))
    monkeypatch.setattr("console.soak.cut_down", lambda plan: plan)

    assert 1 == main(["soak", "--seeds", "1", "--out", str(tmp_path), "--json"])
    (failure,) = json.loads(capsys.readouterr().out)["failures"]
    assert (7, ORACLE, "as planted") == (failure["seed"], failure["invariant"], failure["what"])
    assert draw_plan(7) == read_plan(tmp_path / "soak-7.json")
    assert 0 == main(["soak", "--plan", str(tmp_path / "soak-7.json")])


def test_cutting_down_what_breaks_nothing_leaves_nothing() -> None:
    plan = draw_plan(1_001)

    assert () == cut_down(plan.model_copy(update={"messages": plan.messages[:1], "faults": ()})).messages
