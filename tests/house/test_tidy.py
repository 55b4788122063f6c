"""Our style, as tests: what a linter cannot ask and a reviewer should not have to."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
OURS = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
PYTHON = [*OURS, *sorted(path for folder in ("tests", "bench", "tools") for path in (ROOT / folder).rglob("*.py"))]

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
NEAR_LINES = 6
# Outside every loop: what would get past it is a traceback in a user's face.
LAST_DOOR = "console/cli.py"
# A longer file, and why it is one idea all the same. An entry that is no longer needed fails below.
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}

# Which file or room may name a library of others. All else goes through it.
ONE_DOOR = {
    "msgpack": "schemas/codec.py",
    "nacl": "sealing/",
    "aiomqtt": "transport/mqtt.py",
    "paho": "transport/mqtt.py",
}
BANNED_FILE_NAMES = frozenset({"utils", "util", "helpers", "helper", "misc", "common", "manager", "data", "base"})
OWNERLESS = frozenset({"create_task", "ensure_future", "gather", "wait", "as_completed"})
LOG_SETTERS = frozenset({"basicConfig", "dictConfig", "fileConfig", "addHandler", "setLevel"})

# One letter of each stands in brackets, so that this file does not hold what it looks for.
BANNED_TEXT = {
    "a path of one machine": re.compile(r"(?<![\w.])/(?:wor[k]|far[m]|tmp/bas[h])[/_]"),
    "a registry's address": re.compile(r"pyp[i]\.org|pythonhoste[d]|registry\.npmj[s]|deb\.debia[n]\.org"),
    "an index of packages": re.compile(r"--(?:extra-)?inde[x]-url|--fin[d]-links"),
    "work left open": re.compile(r"\b(?:TOD[O]|FIXM[E]|XX[X]|raise NotImplementedErro[r])\b"),
}
TEXT_SUFFIXES = frozenset({".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".json", ".html", ".css", ".js", ".j2", ""})
LEFT_OUT = frozenset({"out", "build", "dist", "node_modules", "__pycache__"})


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(tree_of(path))


def texts() -> Iterator[Path]:
    """Every text file of the project: hidden folders and what is made by running are left out."""
    for entry in sorted(ROOT.iterdir()):
        if entry.is_dir() and entry.name not in LEFT_OUT and (not entry.name.startswith(".") or entry.name == ".ci"):
            yield from (
                path
                for path in sorted(entry.rglob("*"))
                if path.is_file() and path.suffix in TEXT_SUFFIXES and not LEFT_OUT & set(path.parts)
            )
        elif entry.is_file():
            yield entry


def imported(path: Path) -> Iterator[str]:
    """The full names of all modules that a file imports, wherever in it."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module


def called(node: ast.AST) -> str:
    """The dotted name of what a node calls, or nothing."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def code_lines(path: Path) -> int:
    """Lines that are neither empty, nor a comment, nor a docstring."""
    text = path.read_text(encoding="utf-8").splitlines()
    numbers = {number for number, line in enumerate(text, 1) if line.strip() and not line.lstrip().startswith("#")}
    for node in nodes(path):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and first.end_lineno is not None:
                numbers -= set(range(first.lineno, first.end_lineno + 1))
    return len(numbers)


def test_a_file_holds_one_idea() -> None:
    """Over 400 lines of code a file is two ideas, or says here why it is one."""
    long = {name_of(path) for path in OURS if code_lines(path) > FILE_LINES_MAX}

    assert sorted(LONG_FILES) == sorted(long)


def test_a_function_fits_a_screen() -> None:
    long = {
        f"{name_of(path)}:{node.name}"
        for path in OURS
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= FUNCTION_LINES_MAX
    }

    assert sorted(LONG_FUNCTIONS) == sorted(long)


@pytest.mark.parametrize("kind", BANNED_TEXT)
def test_no_file_holds(kind: str) -> None:
    found = [
        f"{name_of(path)}:{number}"
        for path in texts()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if BANNED_TEXT[kind].search(line)
    ]

    assert [] == found


def test_every_room_is_typed() -> None:
    assert [] == [room for room in ROOMS if not (ROOT / room / "py.typed").is_file()]


def test_every_module_says_what_it_is() -> None:
    assert [] == [name_of(path) for path in PYTHON if not ast.get_docstring(tree_of(path))]


def test_an_init_file_is_a_docstring() -> None:
    """Logic in one would run for whoever imports anything of the room."""
    assert [] == [name_of(path) for path in OURS if path.name == "__init__.py" and len(tree_of(path).body) != 1]


def test_no_import_is_relative() -> None:
    found = [
        name_of(path) for path in PYTHON for node in nodes(path) if isinstance(node, ast.ImportFrom) and node.level
    ]

    assert [] == found


def test_no_file_is_called_after_nothing() -> None:
    assert [] == [name_of(path) for path in OURS if path.stem in BANNED_FILE_NAMES]


@pytest.mark.parametrize("library", ONE_DOOR)
def test_a_library_of_others_has_one_door(library: str) -> None:
    door = ONE_DOOR[library]
    found = {name_of(path) for path in OURS for module in imported(path) if module.partition(".")[0] == library}

    assert found, f"nothing names {library}: is the rule still needed?"
    assert [] == sorted(name for name in found if not name.startswith(door))


def test_only_the_console_speaks_to_people() -> None:
    """A core that prints cannot be a server, a library and a rehearsal at once."""
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in OURS
        for node in nodes(path)
        if isinstance(node, ast.Call) and called(node) in {"print", "input"}
    ]

    assert [] == [place for place in found if not place.startswith("console/")]


def test_only_the_console_sets_up_logging() -> None:
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in OURS
        for node in nodes(path)
        if isinstance(node, ast.Call) and called(node).rpartition(".")[2] in LOG_SETTERS
    ]

    assert [] == [place for place in found if not place.startswith("console/")]


def test_every_task_has_an_owner() -> None:
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in PYTHON
        for node in nodes(path)
        if isinstance(node, ast.Call) and called(node) in {f"asyncio.{name}" for name in OWNERLESS}
    ]

    assert [] == found


def test_every_task_has_a_name() -> None:
    """The name is what a stuck exercise shows of itself."""
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in OURS
        for node in nodes(path)
        if isinstance(node, ast.Call)
        and called(node).endswith(".create_task")
        and not any(keyword.arg == "name" for keyword in node.keywords)
    ]

    assert [] == found


def test_the_caller_sets_the_limit() -> None:
    """``asyncio.timeout`` nests and adds up; a ``timeout`` parameter of each function does neither."""
    found = [
        f"{name_of(path)}:{node.name}"
        for path in OURS
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and any(argument.arg == "timeout" for argument in (*node.args.args, *node.args.kwonlyargs))
    ]

    assert [] == found


def test_a_cancellation_is_never_swallowed() -> None:
    """A task that eats its cancellation keeps its owner waiting for ever."""
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in OURS
        if name_of(path) != LAST_DOOR
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or re.search(r"CancelledError|BaseException\b", ast.unparse(node.type)))
        and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
    ]

    assert [] == found


def test_an_exemption_from_a_rule_gives_its_reason() -> None:
    """Lines near each other, such as those of a table, may share the reason that the first of them gives."""
    exemption = re.compile(
        r"#\s*(?P<rule>noqa\b(?:: *[A-Z]+[0-9]+(?:, *[A-Z]+[0-9]+)*)?|type: *ignore(?:\[[a-z-]+\])?)(?P<why>.*)"
    )
    found = []
    for path in OURS:
        reasoned: dict[str, int] = {}  # the last line of each rule that gives a reason, or shares one
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            match = exemption.search(line)
            if match is None:
                continue
            if match["why"].strip() or number - reasoned.get(match["rule"], -NEAR_LINES) < NEAR_LINES:
                reasoned[match["rule"]] = number
            else:
                found.append(f"{name_of(path)}:{number}")

    assert [] == found
