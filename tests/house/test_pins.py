"""What is installed: constraints.txt pins the whole environment and no addresses; no program comes without a use."""

import importlib.metadata
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins() -> dict[str, str]:
    """Return each pinned package with its version."""
    lines = [line for line in CONSTRAINTS.read_text().splitlines() if not line.startswith("#")]
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


def gather(requirements: Iterable[str], extras: frozenset[str], found: set[tuple[str, frozenset[str]]]) -> None:
    """Add what these requirements need on this Python, and what that needs in turn."""
    for requirement in map(Requirement, requirements):
        marker = requirement.marker
        if marker is not None and not any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            continue
        name, wanted = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, wanted) in found:
            continue
        found.add((name, wanted))
        if name == PROJECT["name"]:
            gather([line for extra in wanted for line in PROJECT["optional-dependencies"][extra]], frozenset(), found)
        else:
            gather(importlib.metadata.requires(name) or (), wanted, found)


def test_every_package_of_the_environment_is_pinned() -> None:
    found: set[tuple[str, frozenset[str]]] = set()
    gather([*PROJECT["dependencies"], "sandiwara[dev]"], frozenset(), found)

    assert set() == {name for name, _ in found} - pins().keys() - {PROJECT["name"]}


def test_a_pin_is_a_name_and_a_version_and_nothing_else() -> None:
    """An address would tie every user to one registry, and to whoever may write there."""
    lines = [line for line in CONSTRAINTS.read_text().splitlines() if not line.startswith("#")]

    assert [] == [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)]


def test_no_program_is_installed_that_no_test_runs() -> None:
    """Whoever runs our tests lets us install on their machine; we ask for nothing that we do not use."""
    wanted = re.findall(
        r"^(?:wanted=')?([\w-]+)\|[\w-]+\|", (ROOT / "tools" / "debian-packages").read_text(), re.MULTILINE
    )
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))

    assert wanted
    assert [] == [program for program in wanted if not re.search(rf"\b{program}\b", tests)]
