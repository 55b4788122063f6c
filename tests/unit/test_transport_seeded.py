"""Chance for one thing is apart from chance for any other: else one message more would change the bytes of all."""

from sealing.entropy import SystemEntropy, apart
from transport.seeded import ApartSeededEntropy, SeededEntropy
from transport.simloop import run_simulated


def drawn(*before: bytes, seed: int = 1) -> bytes:
    """Return what is drawn for one purpose after draws for others."""

    async def main() -> bytes:
        entropy = ApartSeededEntropy(seed, purpose="node")
        for purpose in before:
            apart(entropy, purpose).take(8)
        entropy.take(5)
        return apart(entropy, b"a report").take(16)

    return run_simulated(main())


def test_what_is_drawn_for_one_purpose_hangs_on_no_other() -> None:
    assert drawn() == drawn(b"another", b"a third")
    assert drawn() != drawn(seed=2)


def test_the_same_purpose_a_second_time_draws_anew() -> None:
    """Two messages that say the same at the same time must have other keys."""
    assert drawn() != drawn(b"a report")


def test_a_source_that_knows_of_no_purposes_is_used_as_it_is() -> None:
    async def main() -> bool:
        seeded = SeededEntropy(1, purpose="soak")
        return apart(seeded, b"a report") is seeded

    system = SystemEntropy()

    assert run_simulated(main())
    assert apart(system, b"a report") is system
