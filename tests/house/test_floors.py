"""The floors of the house: every contract of import-linter is kept, and every contract is seen to break."""

import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINTER = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
CONTRACTS = {contract["id"]: contract["name"] for contract in LINTER["contracts"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offence:
    """A line that no reviewer would let pass, and the module in which it is planted."""

    module: str
    line: str
    contract: str


# Two for the floors, since they forbid two things: to look up, and to look aside.
OFFENCES = (
    Offence(module="schemas/label.py", line="import policy.decide", contract="floors"),
    Offence(module="agencies/core.py", line="import broker.core", contract="floors"),
    Offence(module="policy/decide.py", line="import time", contract="pure-cores"),
    Offence(module="broker/core.py", line="import asyncio", contract="pure-cores"),
    Offence(module="agencies/core.py", line="import msgpack", contract="one-codec"),
    Offence(module="broker/core.py", line="import nacl.signing", contract="one-crypto"),
    Offence(module="agencies/core.py", line="import aiomqtt", contract="one-mqtt-client"),
    Offence(module="broker/router.py", line="import broker.server", contract="blind-router"),
)


def lint(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the packages of a folder, which stand before the installed ones."""
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--no-cache", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_every_contract_is_kept() -> None:
    run = lint(ROOT)

    assert run.returncode == 0, run.stdout + run.stderr


def test_every_contract_has_an_offence() -> None:
    assert CONTRACTS.keys() == {offence.contract for offence in OFFENCES}


@pytest.mark.parametrize("offence", OFFENCES, ids=lambda offence: f"{offence.contract}: {offence.line}")
def test_an_offence_breaks_its_contract(tmp_path: Path, offence: Offence) -> None:
    """A contract that nothing can break guards nothing: a module misspelt in it would never be missed."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in LINTER["root_packages"]:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "library"))
    module = tmp_path / offence.module
    module.write_text(module.read_text() + f"\n{offence.line}\n")

    run = lint(tmp_path, "--contract", offence.contract)

    assert run.returncode == 1, run.stdout + run.stderr
    assert f"{CONTRACTS[offence.contract]} BROKEN" in run.stdout
    imported = offence.line.removeprefix("import ")
    assert f"{offence.module.removesuffix('.py').replace('/', '.')} -> {imported.partition('.')[0]}" in run.stdout
