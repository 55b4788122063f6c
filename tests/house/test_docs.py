"""The documents, held to what they speak of: links resolve, commands and targets exist, every decision is listed."""

import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

from tests.samples.command_line import at_once

ROOT = Path(__file__).parents[2]
ROOMS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
ADRS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
ADR_HEADINGS = ("Context", "Options", "Decision", "Consequences")

LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)", re.DOTALL)
FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
# "(docs/spec/envelope.md, "Order of checks")" in a docstring: the page, and perhaps one of its headings.
CITATION = re.compile(r"(?P<page>docs/[\w/-]+\.md)(?:,\s+\"(?P<heading>[^\"]+)\")?")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def without_code(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


@cache
def headings(page: Path) -> tuple[str, ...]:
    return tuple(re.findall(r"^#+ +(.+?) *#*$", without_code(page), re.MULTILINE))


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors of a page's headings, as GitHub and GitLab make them."""
    made: dict[str, int] = {}
    found = set()
    for heading in headings(page):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(slug if slug not in made else f"{slug}-{made[slug]}")
        made[slug] = made.get(slug, 0) + 1
    return frozenset(found)


def broken_links(page: Path) -> list[str]:
    broken = []
    for match in LINK.finditer(without_code(page)):
        target = match["target"]
        if re.match(r"[a-z]+:", target):
            continue  # an address elsewhere; no test of ours depends on somebody's server
        path, _, anchor = target.partition("#")
        aimed = (page.parent / path).resolve() if path else page
        if not aimed.exists() or (anchor and anchor not in anchors(aimed)):
            broken.append(target)
    return broken


def shell_lines() -> list[tuple[str, str]]:
    """Every line of the shell in a page, with the page's name; lines that end in a backslash are joined."""
    return [
        (name_of(page), line.strip().removeprefix("$ "))
        for page in PAGES
        for match in FENCE.finditer(page.read_text(encoding="utf-8"))
        if match["language"] in {"", "sh", "bash", "shell", "console"}
        for line in match["code"].replace("\\\n", " ").splitlines()
    ]


def commands() -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Every use of ``sandiwara`` in a page: the page, the words before the first option, and the long options."""
    inline = [
        (name_of(page), code) for page in PAGES for code in re.findall(r"`(sandiwara [^`]+)`", without_code(page))
    ]
    found = []
    for page, line in [*shell_lines(), *inline]:
        match = re.search(r"(?:^|[\s/;&|])sandiwara\s+(?P<rest>[a-z][^#|;&>]*)", line)
        if match is not None:
            words = match["rest"].split()
            options = [word.partition("=")[0] for word in words if word.startswith("--")]
            first_option = next((place for place, word in enumerate(words) if word.startswith("-")), len(words))
            found.append((page, tuple(words[:first_option]), tuple(options)))
    return found


@cache
def help_of(words: tuple[str, ...]) -> tuple[int, str]:
    """Ask for help after these words, which may be a command, a command of a command, or hold a file's name."""
    # In this process: there are a hundred of them, and each would import everything anew.
    run = at_once(*words, "--help")
    return run.returncode, run.stdout


def make_targets() -> set[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", text, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert [] == broken_links(page)


def test_every_page_can_be_reached_from_the_readme() -> None:
    """A page that nothing links to is read by nobody and kept up by nobody."""
    reached: set[Path] = set()
    waiting = [ROOT / "README.md", ROOT / "docs" / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md" or not page.is_file():
            continue
        reached.add(page)
        for match in LINK.finditer(without_code(page)):
            aimed = (page.parent / match["target"].partition("#")[0]).resolve()
            waiting.extend(aimed.glob("README.md") if aimed.is_dir() else [aimed])

    assert [] == [name_of(page) for page in PAGES if page not in reached]


def test_what_a_docstring_cites_is_there() -> None:
    """A reader who follows the citation must find the clause that the code enforces."""
    missing = set()
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        for match in CITATION.finditer(path.read_text(encoding="utf-8")):
            page = ROOT / match["page"]
            if not page.is_file() or (match["heading"] and " ".join(match["heading"].split()) not in headings(page)):
                missing.add(f"{name_of(path)}: {' '.join(match[0].split())}")

    assert [] == sorted(missing)


def test_every_command_that_a_page_shows_exists() -> None:
    unknown = [f"{page}: {' '.join(words)}" for page, words, _ in commands() if help_of(words)[0] != 0]

    assert [] == unknown


def test_every_option_that_a_page_shows_exists() -> None:
    unknown = [
        f"{page}: {' '.join(words)} {option}"
        for page, words, options in commands()
        for option in options
        if not re.search(rf"{re.escape(option)}(?![\w-])", help_of(words)[1])
    ]

    assert [] == unknown


def test_every_command_that_our_texts_advise_exists() -> None:
    """The remedy of an error that names a command which is not there makes two errors out of one."""
    advised = {
        (name_of(path), command)
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for command in re.findall(r"['`\"]sandiwara ([a-z][a-z-]*)", path.read_text(encoding="utf-8"))
    }

    assert [] == sorted((name, command) for name, command in advised if help_of((command,))[0] != 0)


def test_every_make_target_that_a_page_or_ci_names_exists() -> None:
    named = {
        (page, target)
        for page, line in [
            *shell_lines(),
            *((".ci/run", line) for line in (ROOT / ".ci" / "run").read_text().split("\n")),
        ]
        for target in re.findall(r"(?:^|\s)make ([a-z][a-z-]*)", line.partition("#")[0])
    } | {
        (name_of(page), target) for page in PAGES for target in re.findall(r"`make ([a-z][a-z-]*)", without_code(page))
    }

    assert [] == sorted((page, target) for page, target in named if target not in make_targets())


def test_ci_runs_only_what_the_readme_tells_a_user_to_run() -> None:
    ci = {line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line.startswith("make ")}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert ci
    assert [] == sorted(line for line in ci if line not in readme)


def test_make_help_names_every_target_that_people_use() -> None:
    run = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)

    assert {"setup", "demo", "test", "check", "bench", "fix", "clean", "help"} <= set(
        re.findall(r"make ([a-z-]+)", run.stdout)
    )


@pytest.mark.parametrize("record", ADRS, ids=name_of)
def test_a_decision_is_listed_and_has_its_parts(record: Path) -> None:
    """The rival's case is part of it: at least two options, each with something good said of it and something bad."""
    text = record.read_text(encoding="utf-8")
    index = (record.parent / "README.md").read_text(encoding="utf-8")
    number = record.name.partition("-")[0]
    options = text.partition("\n## Options\n")[2].partition("\n## Decision\n")[0].split("\n### ")[1:]

    assert f"[{number}]({record.name})" in index
    assert text.startswith(f"# {number}: ")
    assert re.search(r"^Status: (proposed|accepted|superseded by \[\d{4}\])", text, re.MULTILINE)
    assert ADR_HEADINGS == tuple(re.findall(r"^## (.+)$", text, re.MULTILINE))
    assert len(options) >= 2
    assert [] == [option.partition("\n")[0] for option in options if not {"Good,", "Bad,"} <= set(option.split())]


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [f"{number:04}" for number in range(1, len(ADRS) + 1)] == [record.name[:4] for record in ADRS]
