"""A region that ``sandiwara init`` made in no time: its key files are locked weakly, so that they open as fast.

What it costs to open a key file as they are locked in earnest is seen by tests/e2e/test_console_three_processes.py.
"""

from pathlib import Path
from typing import Final

import pytest

from sealing.keyfile import UNSAFE_THROWAWAY
from tests.samples.command_line import HARBOUR_WATCH, at_once

ROBBERY: Final = """\
title: Robbery off the eastern anchorage
tlp: AMBER
level: EX-UNCLAS
topic: toc.robbery-at-sea
affected: [IDN, MYS]
text: The robbers left northward in a grey skiff at four.
"""


def quick_region(folder: Path) -> Path:
    """Return the folder of a region of four agencies, made inside this one."""
    password = folder / "password"
    password.write_text("correct horse battery staple\n")
    password.chmod(0o600)
    return _made(folder / "region", "--password-file", password)


def self_locked_region(folder: Path) -> Path:
    """Return the folder of such a region in which each agency has a password of its own, which commands find there."""
    return _made(folder / "region")


def _made(region: Path, *password: str | Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scenarios.deployment.MODERATE", UNSAFE_THROWAWAY)
        made = at_once("init", region, "--pack", HARBOUR_WATCH, *password)
    assert made.returncode == 0, made.stderr
    return region
