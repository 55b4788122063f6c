"""The rule that CI skips nothing for want of an installation, seen to work on tests made for it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"

SKIPS = """
import pytest

def test_a_program():
    pytest.skip("a_program is missing: install the package a-program")

@pytest.mark.skipif(True, reason="a_library is not installed")
def test_a_library():
    raise AssertionError

def test_sample_files():
    pytest.skip("the sample files of others are missing")
"""
SKIPS_ITSELF = """
import pytest

pytest.importorskip("a_library_that_nobody_wrote")
"""


def outcome_of(folder: Path, *, ci: str) -> str:
    """Run the tests made here under our conftest and return pytest's last line."""
    shutil.copy(CONFTEST, folder / "conftest.py")
    (folder / "test_skips.py").write_text(SKIPS)
    (folder / "test_skips_itself.py").write_text(SKIPS_ITSELF)
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    run = subprocess.run(command, cwd=folder, env={"CI": ci}, capture_output=True, text=True, check=False)
    return run.stdout.strip().splitlines()[-1]


# A mark skips before the test begins, and a file before it is collected: pytest calls a failure there an error.
@pytest.mark.parametrize(("ci", "expected"), [("true", "1 failed, 1 skipped, 2 errors"), ("", "4 skipped")])
def test_a_skip_for_want_of_an_installation_fails_in_ci_only(tmp_path: Path, ci: str, expected: str) -> None:
    assert outcome_of(tmp_path, ci=ci).startswith(expected)
