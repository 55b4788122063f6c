"""Our top-level names are common words, so nobody else in the environment may claim one of them."""

import importlib
import importlib.metadata
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


def test_nobody_else_claims_one_of_our_names() -> None:
    """Two packages of one name overwrite each other's files without a word."""
    claimed = importlib.metadata.packages_distributions()

    assert {room: [] for room in ROOMS} == {
        room: [name for name in claimed.get(room, []) if name != "sandiwara"] for room in ROOMS
    }


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_imported_from_this_tree(room: str) -> None:
    """A stranger's module of the same name, earlier on the path, would be tested in place of ours."""
    assert str(ROOT / room / "__init__.py") == importlib.import_module(room).__file__
