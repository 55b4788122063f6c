"""A file system of a few hundred KB that a test can fill to the last byte, and empty again."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

_BALLAST: Final = "ballast"
_PIECE_BYTES: Final = 4_096


class SmallFilesystem:
    """A mounted file system, and the ballast that fills it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self) -> None:
        """Leave no room."""
        with (self.folder / _BALLAST).open("ab", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(_PIECE_BYTES))
            except OSError:
                return

    def make_room(self) -> None:
        """Take the ballast away."""
        (self.folder / _BALLAST).unlink(missing_ok=True)


@contextmanager
def small_filesystem(folder: Path, *, kib: int) -> Iterator[SmallFilesystem]:
    """Mount a file system in memory for the block; skips the test where that is not allowed."""
    if os.geteuid() != 0 or shutil.which("mount") is None or shutil.which("umount") is None:
        pytest.skip("only root may mount a small file system")
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={kib}k,mode=700", "tmpfs", str(folder)]
    mounted = subprocess.run(mounting, capture_output=True, text=True, check=False, timeout=30)
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield SmallFilesystem(folder)
    finally:
        # Lazily, so that it goes even where a process of a failed test still has a file open in it.
        subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False, timeout=30)
