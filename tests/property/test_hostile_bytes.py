"""Whatever bytes a reader is given, it answers with what it has read or with an error of our own, inside its bounds.

A bounded number of examples, the same in every run; ``python -m tests.fuzz`` goes on for as long as it is let.
"""

import os
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.amplifiers import AMPLIFIERS
from tests.fuzz.mutations import MUTATIONS, mutate
from tests.fuzz.target import Target, size_of
from tests.fuzz.targets import TARGETS

# Readers in pure Python of what people write take tens of milliseconds a file; the others below one.
SLOW = frozenset({"pack", "audit-log"})
MEMORY_RATIO_MAX = 40
numbers = st.integers(0, (1 << 24) - 1)
steps = st.lists(st.tuples(st.integers(0, len(MUTATIONS) - 1), numbers, numbers), min_size=1, max_size=5)


def checked(target: Target) -> Callable[[bytes], None]:
    """Return the target as a function that fails as the test shall."""

    def check(received: bytes) -> None:
        target.run(received)

    return check


@pytest.mark.parametrize("name", TARGETS)
def test_honest_bytes_are_read(name: str) -> None:
    """A target that refuses everything would pass every other test here."""
    target = TARGETS[name]

    passed = [target.run(sample) for sample in target.samples()]

    assert any(passed)


@pytest.mark.parametrize("name", TARGETS)
def test_mutated_bytes_are_read_or_refused_and_nothing_else(name: str) -> None:
    """Flipped, cut, doubled, spliced, lengths and counts grown, values put in the place of others, to any depth."""
    target = TARGETS[name]
    samples = target.samples()
    check = checked(target)

    @settings(
        max_examples=30 if name in SLOW else 250, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(sample=st.sampled_from(samples), other=st.sampled_from(samples), how=steps)
    def examples(sample: bytes, other: bytes, how: list[tuple[int, int, int]]) -> None:
        check(mutate(sample, how, other))

    examples()


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_are_read_or_refused_and_nothing_else(name: str) -> None:
    check = checked(TARGETS[name])

    @settings(
        max_examples=15 if name in SLOW else 100, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(received=st.binary(max_size=200) | st.text(max_size=80).map(str.encode))
    def examples(received: bytes) -> None:
        check(received)

    examples()


@pytest.mark.parametrize("name", [name for name in TARGETS if name not in SLOW])
def test_no_prefix_of_honest_bytes_is_met_unprepared(name: str) -> None:
    """A line that breaks off is the commonest hostile input of all."""
    target = TARGETS[name]
    for sample in target.samples():
        for length in range(0, len(sample), max(1, len(sample) // 200)):
            target.run(sample[:length])


# What others send, without asking; a user's own files are larger and slower to read, and --largest shows them.
SENT = ("frame-up", "frame-down", "envelope", "delivery", "content", "bundle", "note", "root", "key-file", "settings")


@pytest.mark.parametrize("name", SENT)
def test_the_largest_inputs_cost_memory_in_proportion(name: str) -> None:
    """However the bytes are chosen: a packed array of empty arrays is 8 bytes of Python for each byte, and no more."""
    target = TARGETS[name]
    target.run(target.samples()[0])  # what is imported or made once is no cost of an input
    for kind, received in AMPLIFIERS[name]().items():
        tracemalloc.start()
        try:
            target.run(received)
            _now, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak_bytes < MEMORY_RATIO_MAX * len(received) + (1 << 20), kind


def test_what_is_no_refusal_is_a_find() -> None:
    """The yardstick itself: another exception, too many objects, and a chatty refusal all fail."""

    def crash(_received: bytes) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        Target(name="crash", feed=crash, samples=tuple).run(b"")
    with pytest.raises(AssertionError, match="more than 10 objects"):
        size_of([0] * 20, objects_max=10)
    nested: list[object] = []
    for _ in range(100):
        nested = [nested]
    with pytest.raises(AssertionError, match="deep"):
        size_of(nested, objects_max=1_000)


def test_the_same_numbers_make_the_same_bytes() -> None:
    """So that a find can be made again, whoever drew it."""
    sample, other = os.fsencode("honest bytes"), b"other"
    for which in range(len(MUTATIONS)):
        made = {mutate(sample, [(which, 77, 91), (which, 5, 2)], other) for _ in range(3)}
        assert 1 == len(made)
