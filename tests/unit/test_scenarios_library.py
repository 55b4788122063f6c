"""What every complete pack of the library keeps to, whatever its story is."""

import pytest

from scenarios.catalogue import find_pack
from scenarios.model import Pack
from scenarios.pack import load_pack

COMPLETE = ("strait-lantern", "sulu-ember")
WORDS_MIN, WORDS_MAX = 60, 200


@pytest.fixture(scope="module", params=COMPLETE)
def pack(request: pytest.FixtureRequest) -> Pack:
    return load_pack(find_pack(str(request.param)))


def test_every_content_reads_like_a_message_of_an_exercise(pack: Pack) -> None:
    for inject in pack.injects:
        assert inject.material, inject.inject
        for portion in inject.material:
            words = len(portion.content.text.split())
            assert WORDS_MIN <= words <= WORDS_MAX, (inject.inject, portion.label_name, words)
            assert portion.content.text.startswith("EXERCISE EXERCISE EXERCISE"), inject.inject
            assert portion.content.text.endswith("EXERCISE EXERCISE EXERCISE"), inject.inject


def test_every_player_has_a_brief(pack: Pack) -> None:
    assert all("NO DUFF" in participant.brief for participant in pack.participants)


def test_every_need_and_must_not_is_measured(pack: Pack) -> None:
    measured = {name for objective in pack.objectives for measure in objective.measures for name in measure.of}

    assert {need.need for need in pack.needs} | {must_not.must_not for must_not in pack.must_nots} <= measured


def test_every_objective_has_a_capability_tasks_and_ordered_measures(pack: Pack) -> None:
    for objective in pack.objectives:
        assert objective.capability
        assert len(objective.critical_tasks) >= 3
        assert len(objective.measures) >= 2
