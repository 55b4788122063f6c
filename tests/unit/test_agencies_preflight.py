"""Before a node seals: whom it leaves out, and by which rule of which portion."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agencies.preflight import find_audience
from conformance import world
from policy.community import Community
from schemas.label import Label
from tests.samples.small_reader import Reader

NOW = world.NOW


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    made = Reader(tmp_path)
    yield made
    made.store.close()


def left_out(*labels: Label, reader: str = "bravo") -> str:
    community = Community.compile(world.BUNDLE)
    audience = find_audience(labels, author="alpha", to=(reader,), quotes=(), at_ms=NOW, community=community)
    return audience.left_out[reader]


def test_preflight_names_the_rule_of_the_portion_that_came_closest() -> None:
    """A tear-line's source is denied to all, as it should be: what a planner must hear of is the tear-line's rule."""
    source = world.HIGH._replace(caveats=("NATONLY",))
    tear_line = Label("CLEAR", "EX-UNCLAS", "bio.outbreak")

    assert "NTK-PERMIT" == left_out(source, tear_line) == left_out(tear_line, source)
    assert "NTK-CLEARANCE" == left_out(source, world.HIGH)


def test_of_two_portions_as_close_the_later_one_is_named() -> None:
    high = world.LABEL._replace(level="EX-SECRET")
    elsewhere = world.LABEL._replace(topic="bio.outbreak")

    assert "NTK-PERMIT" == left_out(high, elsewhere)
    assert "NTK-CLEARANCE" == left_out(elsewhere, high)
