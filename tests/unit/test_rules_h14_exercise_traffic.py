"""H14: each message says that it is exercise traffic, and whoever gets one that does not, refuses it."""

from pathlib import Path
from typing import Any, Final, get_args

import pytest

from agencies.drafts import Draft
from conformance import world
from scenarios.lint import lint_path
from schemas.codec import pack
from schemas.envelope import Kind
from schemas.errors import Code, RemoteError, SealError
from schemas.report import Passage, Portion, PortionContent
from sealing.opening import read_content
from tests.samples.command_line import HARBOUR_WATCH
from tests.samples.small_nodes import WHY, small_region
from tests.samples.wire_examples import EXAMPLES

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
CONTENTS: Final[dict[str, Any]] = {name: value for name, value in EXAMPLES.items() if hasattr(value, "marking")}


def refused_with(kind: Kind, value: Any) -> Code | None:
    """Return the code by which a reader refuses a content of a message of this kind; None if it takes it."""
    try:
        read_content(kind, pack(value))
    except RemoteError as error:
        return error.code
    return None


def accepted_as(value: Any) -> list[Kind]:
    """Return the kinds of message as which a reader takes such a content."""
    codes = {kind: refused_with(kind, value) for kind in KINDS}
    assert {Code.CONTENT, None} >= set(codes.values())
    return [kind for kind, code in codes.items() if code is None]


def test_h14_every_kind_of_message_but_one_without_portions_says_so() -> None:
    """A recall has no portions, and says nothing at all."""
    said = {kind for value in CONTENTS.values() for kind in accepted_as(value)}

    assert set(KINDS) - {"recall"} == said


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("marking", ["", "REAL", "exercise", "EXERCISE ", "TEST", None])
def test_h14_a_reader_refuses_whatever_does_not_say_so_in_that_very_word(name: str, marking: str | None) -> None:
    assert [] == accepted_as(CONTENTS[name]._replace(marking=marking))


async def test_h14_a_node_seals_nothing_that_does_not_say_so(tmp_path: Path) -> None:
    unmarked = PortionContent("REAL", "Boats", (Passage(None, "Two."),))  # type: ignore[arg-type] # the point of it
    async with small_region(tmp_path, "alpha", "bravo") as region:
        with pytest.raises(SealError):
            await region.nodes["alpha"].release(
                Draft(portions=(Portion(world.LABEL, unmarked),), to=("bravo",), why=WHY)
            )
        await region.settle()

        assert [] == region.titles("bravo")


def test_h14_a_pack_that_does_not_say_so_is_not_played(tmp_path: Path) -> None:
    path = tmp_path / "real.yaml"
    text = HARBOUR_WATCH.read_text(encoding="utf-8")
    path.write_text(text.replace("marking: EXERCISE", "marking: OPERATION"), encoding="utf-8")

    assert [("error", "marking")] == [(item.level, item.code) for item in lint_path(path) if item.level == "error"]
    assert not [item for item in lint_path(HARBOUR_WATCH) if item.level == "error"]
