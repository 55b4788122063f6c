"""Who learned what first, where two ways fall into one instant."""

import pytest

from scenarios.evaluate.evaluation import evaluate
from tests.samples.small_exercise import Recorder, hid, small_community, small_pack


@pytest.mark.parametrize("inject", ["I2", "00"])  # sorted by id, they stand after the message and before it
def test_a_message_and_the_inject_that_it_sets_off_never_change_places(inject: str) -> None:
    """The id of a message is chance: it once decided whether a need counted as met or as the fact's origin."""
    record = Recorder()
    record.note(0, "excon", "startex", pack="small", digest="", seed=0)
    record.inject(0, "I1", "alpha", "p1")
    record.release(5, "alpha", "M1", ["bravo"], passages=["p1"])
    record.arrive(6, "M1", "bravo")
    record.inject(6, inject, "bravo", "p1")
    record.note(60, "excon", "endex", reason="time")

    cells = evaluate(small_pack(), record.events, small_community()).certain.cells

    assert [("message", hid("M1"))] == [(c.by, c.source) for c in cells if (c.fact, c.agency) == ("F1", "bravo")]
