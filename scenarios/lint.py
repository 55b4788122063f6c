"""Lint of a scenario pack: what a planner should know before anybody plays it; no server, no keys, no run.

What cannot be loaded at all (an unknown id, a branch without ``else``) is found by the loader; ``lint_path`` shows both
kinds in one list. The checks stand in lint_story and lint_play.
"""

from pathlib import Path

from scenarios.finding import LEVELS, Checked, Finding
from scenarios.flow import foresee
from scenarios.lint_play import lint_play
from scenarios.lint_story import lint_story
from scenarios.model import Pack
from scenarios.pack import load_pack_with_places
from scenarios.parts import Places
from scenarios.problems import PackError


def lint_pack(pack: Pack, places: Places | None = None) -> tuple[Finding, ...]:
    """Examine a loaded pack.

    Args:
        pack: The pack.
        places: Where its ids stand (``load_pack_with_places``); without it every finding stands at the pack.

    Returns:
        The findings: errors first, then warnings, then advice, each by place.
    """
    checked = Checked(pack=pack, places=places or {}, flow=foresee(pack))
    found = {*lint_story(checked), *lint_play(checked)}
    return tuple(sorted(found, key=_order))


def lint_path(path: Path) -> tuple[Finding, ...]:
    """Load and examine a pack; what keeps it from loading comes back as errors.

    Raises:
        InputError: If there is no pack there at all.
    """
    try:
        loaded = load_pack_with_places(path)
    except PackError as error:
        return tuple(
            Finding(
                level="error",
                code=problem.code,
                place=f"{problem.mark.file}:{problem.mark.line}:{problem.mark.column}",
                text=f"{problem.text} ({problem.remedy})" if problem.remedy else problem.text,
            )
            for problem in error.problems
        )
    return lint_pack(loaded.pack, loaded.places)


def _order(finding: Finding) -> tuple[int, str, int, str, str]:
    file, _, line = finding.place.partition(":")
    return LEVELS.index(finding.level), file, int(line), finding.code, finding.text
