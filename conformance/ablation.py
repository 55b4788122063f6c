"""Proof that the vectors bite: take one check out of the product, and see which vectors notice.

A check is an ``if`` whose body refuses, or a function that does nothing but check. Its function is compiled anew
without it, and put in the place of the old one everywhere at once by exchanging the code object. A check that no vector
misses is either not tested or not needed; both have to be said, in ``EXCUSED``. What noticed what is kept beside the
vectors.
"""

import argparse
import ast
import copy
import inspect
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Final

import agencies.core
import broker.core
import broker.exchanges
import broker.joint
import broker.overrides
import schemas.codec
import schemas.frames
import schemas.label
import schemas.names
import sealing.directory
import sealing.keys
import sealing.merkle
import sealing.notes
import sealing.opening
import sealing.portions
import sealing.primitives
import sealing.received
import sealing.statements
import sealing.witness
from conformance.runner import Mark, run_vector
from conformance.vectors import FOLDER, Vector, every_vector, read_folder

RECORD_NAME: Final = "ablation.json"
MODULES: Final[tuple[ModuleType, ...]] = (
    schemas.codec,
    schemas.names,
    schemas.frames,
    sealing.primitives,
    sealing.keys,
    sealing.directory,
    sealing.portions,
    sealing.received,
    sealing.opening,
    sealing.statements,
    sealing.merkle,
    sealing.notes,
    sealing.witness,
    broker.core,
    broker.exchanges,
    broker.joint,
    broker.overrides,
    agencies.core,
)

# Functions that are one check from beginning to end, with the libraries' refusals inside.
WHOLE: Final = (
    "sealing.primitives.verify",
    "sealing.received.check_author",
    "sealing.received.check_wraps_hash",
    "sealing.received.check_disclosures",
    "sealing.received.check_times",
    "sealing.received._check_decoys",
    "sealing.portions.check_blob",
    "sealing.keys.admit_sign_key",
    "sealing.keys.admit_box_key",
    "sealing.merkle._check_proof",
    "sealing.notes.verify_note",
    "broker.core.RouterCore._check_reference",
    "broker.core.RouterCore._check_freshness",
    "broker.core._check_recall",
)
EXCUSED: Final = {
    "schemas.frames._read_message SHAPE": "without it no shape fits, which is SHAPE as well",
    "sealing.opening.read_content CONTENT": "without it no shape fits, which is CONTENT as well",
    "sealing.directory.BoxDirectory.current KEY_EPOCH": "asked by who seals; no bytes of a peer's lead there",
    "sealing.merkle.inclusion_proof PROOF": "asked by who proves; no bytes of a peer's lead there",
    "sealing.merkle.consistency_proof PROOF": "asked by who proves; no bytes of a peer's lead there",
    "sealing.merkle._check_proof PROOF": "without it such a proof is hashed first, and leads nowhere: PROOF as well",
    "sealing.merkle._check_proof": "the same",
    "sealing.notes.read_note MALFORMED": "needs half a MiB; tests/unit/test_sealing_notes.py has it",
    "sealing.notes.read_note MALFORMED 4": "needs 2,050 lines; tests/unit/test_sealing_notes.py has it",
    "sealing.witness.check_fresh FREEZE": "a matter of time; tests/unit/test_sealing_witness.py has it",
    "sealing.portions.open_chunked CONTENT 2": "needs more than 4 MiB; tests/unit/test_sealing_portions.py has it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of the product: where it stands, and the code of its function without it."""

    name: str
    function: FunctionType
    without: CodeType


def _functions(module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    """Yield what is written in a module's own file, methods included."""
    named = list(vars(module).items())
    named += [
        (f"{name}.{inner}", method)
        for name, value in named
        if inspect.isclass(value) and value.__module__ == module.__name__
        for inner, method in vars(value).items()
    ]
    for name, value in named:
        if inspect.isfunction(value) and value.__code__.co_filename == module.__file__:
            yield name, value


def _raised(statement: ast.If) -> str | None:
    """Return what an ``if`` raises at the end of its body, if that is one of our refusals."""
    last = statement.body[-1]
    if isinstance(last, ast.Expr) and ast.unparse(last).startswith("_refuse("):  # of sealing.notes
        return "MALFORMED"
    if not isinstance(last, ast.Raise) or not isinstance(last.exc, ast.Call) or statement.orelse:
        return None
    called = ast.unparse(last.exc)
    if called.startswith("RemoteError(Code."):
        return called.removeprefix("RemoteError(Code.").partition(",")[0]
    if called.startswith("LogError(LogFault."):
        return called.removeprefix("LogError(LogFault.").partition(",")[0]
    if called == "ValueError(msg)":  # inside a validator, which pydantic turns into SHAPE
        return "SHAPE"
    return "AUDIENCE" if called.startswith("_OverWideError") else None


class _Without(ast.NodeTransformer):
    """Take the n-th check out of a function."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._met = -1
        self.code: str | None = None

    def visit_If(self, node: ast.If) -> ast.AST:
        """Replace the wanted check by nothing."""
        code = _raised(node)
        if code is not None:
            self._met += 1
            if self._met == self._wanted:
                self.code = code
                return ast.copy_location(ast.Pass(), node)
        return self.generic_visit(node)


# Read when the modules are, so that a file that changes during a sweep cannot fit no longer what is running.
_SOURCES: Final = {module.__name__: Path(module.__file__ or "").read_text(encoding="utf-8") for module in MODULES}


def _definitions(module: ModuleType) -> dict[str, ast.FunctionDef]:
    """Return the definitions of a module's functions, and of its classes' methods by ``class.method``."""
    found: dict[str, ast.FunctionDef] = {}
    for node in ast.parse(_SOURCES[module.__name__]).body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{inner.name}": inner for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return found


def _compile(definition: ast.FunctionDef, filename: str) -> CodeType:
    """Compile one function; decorators are left out, since only its own code is wanted."""
    definition.decorator_list = []
    tree = ast.fix_missing_locations(ast.Module(body=[definition], type_ignores=[]))
    return next(item for item in compile(tree, filename, "exec").co_consts if isinstance(item, CodeType))


def checks(modules: Sequence[ModuleType] = MODULES) -> Iterator[Check]:
    """Yield every check of some modules."""
    for module in modules:
        definitions = _definitions(module)
        for name, function in _functions(module):
            for number in range(64):
                transformer = _Without(number)
                definition = transformer.visit(copy.deepcopy(definitions[name]))
                if transformer.code is None:
                    break
                label = f"{module.__name__}.{name} {transformer.code}" + (f" {number + 1}" if number else "")
                yield Check(name=label, function=function, without=_compile(definition, function.__code__.co_filename))
            if f"{module.__name__}.{name}" in WHOLE:
                yield Check(name=f"{module.__name__}.{name}", function=function, without=_nothing.__code__)


def _nothing(*_arguments: object, **_named: object) -> None:
    """Stand in for a function that only checks."""


@contextmanager
def removed(check: Check) -> Iterator[None]:
    """Have the product run without a check for as long as the block runs."""
    kept = check.function.__code__
    check.function.__code__ = check.without
    schemas.label.read_label.cache_clear()
    try:
        yield
    finally:
        check.function.__code__ = kept
        schemas.label.read_label.cache_clear()


def noticed_by(check: Check, vectors: Sequence[Vector]) -> tuple[str, ...]:
    """Return the ids of the vectors that no longer come out right without a check."""
    with removed(check):
        return tuple(vector.id for vector in vectors if run_vector(vector).mark is not Mark.PASS)


def read_record(folder: Path = FOLDER) -> dict[str, list[str]]:
    """Return, for each check, the ids of the vectors that noticed when it was taken out."""
    record: dict[str, list[str]] = json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))["noticed"]
    return record


def sweep(vectors: Sequence[Vector]) -> dict[str, tuple[str, ...]]:
    """Take every check out in turn; takes about half a second for each on 350 vectors."""
    return {check.name: noticed_by(check, vectors) for check in checks()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m conformance.ablation", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write what noticed what beside the vectors")
    options = parser.parse_args(arguments)
    noticed = sweep(every_vector(read_folder()))
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(ids)}" for name, ids in sorted(noticed.items()))
    text = f'{{\n "noticed": {{\n{lines}\n }}\n}}\n'
    path = FOLDER / RECORD_NAME
    if options.write:
        path.write_text(text, encoding="utf-8")
    unnoticed = [name for name, ids in noticed.items() if not ids and name not in EXCUSED]
    for name in unnoticed:
        sys.stderr.write(f"no vector notices when this is taken out: {name}\n")
    stale = not path.exists() or path.read_text(encoding="utf-8") != text
    if stale:
        sys.stderr.write(f"{path} is stale; run: python -m conformance.ablation --write\n")
    sys.stdout.write(f"{len(noticed)} checks, {sum(map(bool, noticed.values()))} noticed, {len(EXCUSED)} excused\n")
    return 1 if unnoticed or stale else 0


if __name__ == "__main__":
    sys.exit(main())
