"""Every measurement runs and says what it found; how fast anything is, no test asks: the machine is shared."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
QUESTIONS = (
    "backlog",
    "codec",
    "hostile",
    "idle",
    "peers",
    "policy_audience",
    "router",
    "seal_open",
    "start",
    "whole_path",
)
SHARED = ("measure", "processes", "stage")


def test_every_file_is_a_question_or_shared_by_them() -> None:
    assert sorted(path.stem for path in BENCH.glob("*.py")) == sorted(QUESTIONS + SHARED)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_answered_in_json_lines(question: str) -> None:
    ran = subprocess.run(
        [sys.executable, str(BENCH / f"{question}.py"), "--quick", "--json"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert "" == ran.stderr
    assert 0 == ran.returncode
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert answers
    for answer in answers:
        assert question == answer["bench"]
        assert answer["case"]
        assert {"python", "pynacl", "cores", "load"} <= answer.keys()
        figures = [value for value in answer.values() if isinstance(value, int | float)]
        assert all(figure >= 0 for figure in figures)


@pytest.mark.parametrize("shared", SHARED)
def test_what_they_share_says_nothing_by_itself(shared: str) -> None:
    """``make bench`` runs every file of the folder and keeps what it prints."""
    ran = subprocess.run([sys.executable, str(BENCH / f"{shared}.py")], check=True, capture_output=True, timeout=30)

    assert b"" == ran.stdout + ran.stderr
