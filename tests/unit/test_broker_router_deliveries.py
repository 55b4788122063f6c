"""What the router sends to a reader, in which order, and how much of it at a time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.feeds import IN_FLIGHT_BYTES_MAX
from conformance import world
from conformance.evil_book import sealed
from schemas.codec import pack, unpack
from schemas.frames import Delivery
from schemas.label import Label
from schemas.limits import DELIVERY_WINDOW
from sealing.received import read_envelope
from tests.samples.small_router import SmallRouter, deliveries, numbers


@pytest.fixture
def router(tmp_path: Path) -> Iterator[SmallRouter]:
    made = SmallRouter(tmp_path)
    yield made
    made.close()


def marked(precedence: str) -> Label:
    return world.LABEL._replace(precedence=precedence)  # type: ignore[arg-type] # a word of the table


def hid_of(delivery: Delivery) -> bytes:
    return read_envelope(delivery.envelope).hid


def test_a_reader_that_is_here_gets_its_delivery_with_the_decision(router: SmallRouter) -> None:
    router.hello("bravo")

    message, outcome = router.report("one", "bravo")

    kinds = [type(item).__name__ for item in outcome.sends["bravo"]]
    assert ["Announcement", "Announcement", "Delivery"] == kinds
    assert [message.hid] == [hid_of(item) for item in deliveries(outcome.sends["bravo"])]


def test_nothing_is_sent_before_hello(router: SmallRouter) -> None:
    """WIRE-016: until then the router does not know what the node holds."""
    _, outcome = router.report("one", "bravo")

    assert ["alpha"] == list(outcome.sends)
    assert 1 == router.queued("bravo")


def test_each_reader_gets_its_own_cut_and_no_decoy_seed(router: SmallRouter) -> None:
    router.hello("bravo")
    router.hello("charlie")
    message, made = sealed()

    outcome = router.send(made)

    for reader, positions in (("bravo", (0, 1)), ("charlie", (0, 1, 2))):
        (delivery,) = deliveries(outcome.sends[reader])
        cut = read_envelope(delivery.envelope)
        assert [reader] == [wrap.to for wrap in cut.wraps]
        assert message.bits(*positions) == sum(1 << portion.place for portion in cut.portions)
        assert cut.envelope.disclosures.seed is None
        assert all(portion.blob is not None for portion in cut.portions)


def test_no_more_than_the_window_is_under_way(router: SmallRouter) -> None:
    for number in range(DELIVERY_WINDOW + 6):
        router.report(f"m{number}", "bravo")

    first = router.hello("bravo")
    then = router.ack("bravo", 4)
    _, direct = router.report("late", "bravo")

    assert list(range(1, DELIVERY_WINDOW + 1)) == numbers(first)
    assert list(range(DELIVERY_WINDOW + 1, DELIVERY_WINDOW + 5)) == numbers(then)
    assert [] == numbers(direct.sends.get("bravo", []))
    assert [DELIVERY_WINDOW + 5, DELIVERY_WINDOW + 6, DELIVERY_WINDOW + 7] == numbers(router.ack("bravo", 64))


def test_the_window_is_one_of_bytes_too(router: SmallRouter) -> None:
    """Half the session's send buffer at most, or a slow reader of large reports would be closed for its own window."""
    text = pack(("EXERCISE", "large", ((None, "x" * 60_000),), "en", (), (), None, None, None, ()))
    sizes = []
    for number in range(40):
        made = sealed(name=f"m{number}", labels=(world.LABEL,), contents=(text,), readers=(("bravo", (0,)),))[1]
        router.send(made)
        sizes.append(len(made))

    sent = deliveries(router.hello("bravo"))

    assert len(sent) < 40
    assert sum(len(item.envelope) for item in sent) <= IN_FLIGHT_BYTES_MAX
    assert sum(len(item.envelope) for item in sent) > IN_FLIGHT_BYTES_MAX - max(sizes)
    assert numbers(router.ack("bravo", 1)) == [len(sent) + 1]


def test_a_waiting_queue_is_emptied_by_precedence_then_by_age(router: SmallRouter) -> None:
    for name, precedence in (("a", "ROUTINE"), ("b", "FLASH"), ("c", "PRIORITY"), ("d", "FLASH"), ("e", "IMMEDIATE")):
        router.report(name, "bravo", label=marked(precedence))

    sent = deliveries(router.hello("bravo"))

    names = {sealed(name=name, labels=(marked(word),), readers=(("bravo", (0,)),))[0].hid: name for name, word in (
        ("a", "ROUTINE"), ("b", "FLASH"), ("c", "PRIORITY"), ("d", "FLASH"), ("e", "IMMEDIATE"))}  # fmt: skip
    assert ["b", "d", "e", "c", "a"] == [names[hid_of(item)] for item in sent]
    assert [1, 2, 3, 4, 5] == numbers(list(sent))


def test_a_flash_overtakes_what_waits_behind_a_full_window(router: SmallRouter) -> None:
    for number in range(DELIVERY_WINDOW + 3):
        router.report(f"m{number}", "bravo")
    router.hello("bravo")
    message, _ = router.report("urgent", "bravo", label=marked("FLASH"))

    (next_one,) = deliveries(router.ack("bravo", 1))

    assert message.hid == hid_of(next_one)


def test_an_ack_is_cumulative_and_recorded_once(router: SmallRouter) -> None:
    for number in range(5):
        router.report(f"m{number}", "bravo")
    router.hello("bravo")

    router.ack("bravo", 4)
    router.ack("bravo", 4)
    router.ack("bravo", 2)

    assert 1 == router.queued("bravo")
    assert [1, 2, 3, 4] == [unpack(row.body, bytes_max=16) for row in router.records("delivered")]


def test_an_ack_of_a_number_never_given_takes_nothing_that_follows(router: SmallRouter) -> None:
    """WIRE-020: a node cannot clear its own queue of what it never saw."""
    router.hello("bravo")
    router.ack("bravo", 1_000)

    _, outcome = router.report("one", "bravo")

    assert [1] == numbers(outcome.sends["bravo"])
    assert 1 == router.queued("bravo")


def test_one_reader_that_never_acks_does_not_hold_up_another(router: SmallRouter) -> None:
    router.hello("bravo")
    router.hello("golf")
    for number in range(DELIVERY_WINDOW + 1):
        router.report(f"m{number}", "bravo")

    _, outcome = router.report("both", "bravo", "golf")

    assert [1] == numbers(outcome.sends["golf"])
    assert "bravo" not in outcome.sends
