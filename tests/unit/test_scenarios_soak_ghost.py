"""What the soak's ghost lets pass and what it does not: embargoes between clocks that drift, and records of quotas."""

from typing import Any

import pytest

from broker.application import Publication
from broker.quota import QuotaLimits
from scenarios.soak.door import Door
from scenarios.soak.ghost_clocks import EmbargoClocks, clock_errors_ms
from scenarios.soak.ghost_flood import FloodWatch
from scenarios.soak.invariants import BOUNDS, THROTTLED
from scenarios.soak.reference import BROKER
from schemas.errors import Code
from schemas.label import Label
from transport.faults import ClockDrift, ClockSkew, Fault

AUTHOR, READER = "sgp-cert", "idn-cert"
END_MS = 1_800_000_060_000
LABELS = {
    0: Label("GREEN", "EX-UNCLAS", "cyber.phishing", affected=("PHL",), not_before=END_MS),
    1: Label("CLEAR", "EX-UNCLAS", "cyber.phishing", affected=()),
}


def refused(*refusals: tuple[int, str], code: str = Code.AUDIENCE) -> list[Any]:
    """Return a router's record of a refusal, by place and rule."""
    return [code, "policy", [[place, READER, rule, "in words"] for place, rule in refusals]]


# Embargoes and clocks.


def test_only_drifts_count_and_of_one_clock_the_longest() -> None:
    faults: list[Fault] = [
        ClockDrift(at_ms=0, lasts_ms=20_000, holder=BROKER, ppm=-50_000),
        ClockDrift(at_ms=5_000, lasts_ms=1_000, holder=BROKER, ppm=50_000),
        ClockSkew(at_ms=0, lasts_ms=1_000, agency=AUTHOR, offset_ms=60_000),
    ]

    assert {BROKER: 1_001} == clock_errors_ms(faults)


@pytest.mark.parametrize(("early_ms", "allowed"), [(0, False), (1, True), (1_300, True), (1_301, False)])
def test_the_router_may_refuse_an_embargo_for_as_long_as_both_clocks_err(early_ms: int, *, allowed: bool) -> None:
    clocks = EmbargoClocks({BROKER: 1_000, AUTHOR: 300, READER: 5_000})

    assert allowed == clocks.router_may_refuse(LABELS, AUTHOR, END_MS - early_ms, refused((0, "NTK-EMBARGO")))


@pytest.mark.parametrize(
    "record",
    [
        refused(),
        refused((0, "NTK-LEVEL")),
        refused((0, "NTK-EMBARGO"), (1, "NTK-LEVEL")),
        refused((1, "NTK-EMBARGO")),
        refused((7, "NTK-EMBARGO")),
        refused((0, "NTK-EMBARGO"), code=Code.BAD_SIG),
    ],
)
def test_clocks_excuse_no_other_refusal(record: list[Any]) -> None:
    assert not EmbargoClocks({BROKER: 1_000}).router_may_refuse(LABELS, AUTHOR, END_MS - 1, record)


def test_with_clocks_that_are_right_no_embargo_is_refused() -> None:
    assert not EmbargoClocks({}).router_may_refuse(LABELS, AUTHOR, END_MS - 1, refused((0, "NTK-EMBARGO")))
    assert not EmbargoClocks({}).reader_may_refuse(LABELS, AUTHOR, READER, END_MS - 1)


@pytest.mark.parametrize(("early_ms", "allowed"), [(0, False), (1, True), (5_300, True), (5_301, False)])
def test_a_reader_may_call_early_what_two_clocks_called_over_as_long_as_its_own_and_the_better_err(
    early_ms: int, *, allowed: bool
) -> None:
    clocks = EmbargoClocks({BROKER: 1_000, AUTHOR: 300, READER: 5_000})

    assert allowed == clocks.reader_may_refuse(LABELS, AUTHOR, READER, END_MS - early_ms)


# Records of quotas.


class Flooded:
    """A watch over one flooder, and what it found."""

    def __init__(self) -> None:
        self.life = 1
        self.found: list[tuple[int, str]] = []
        self.door = Door()
        self._watch = FloodWatch(
            frozenset({AUTHOR}), door=self.door, limits=QuotaLimits(), calm=False, line_ms_most=0, disk_ms_most=0,
            broke=lambda invariant, text: self.found.append((invariant, text)), saw=lambda _: None, now_ms=lambda: 0,
            broker_lives=lambda: self.life,
        )  # fmt: skip

    def note(self, *at_ms: int) -> None:
        for moment in at_ms:
            self._watch.record(moment, "refused", AUTHOR, refused(code=Code.QUOTA))

    def answer(self, *, unwritable: bool) -> None:
        self.door.answers[AUTHOR, Publication.QUOTA_EXCEEDED] += 1
        self.door.throttled(AUTHOR, unwritable)

    def owes(self) -> bool:
        return self._watch.owes()

    def broken_at_end(self) -> list[int]:
        self._watch.finish()
        return [invariant for invariant, _ in self.found]


def test_two_quotas_may_be_told_of_in_a_minute_and_not_three() -> None:
    """What an agency sends, and what its readers' queues hold, are bounded apart."""
    flooded = Flooded()

    flooded.note(0, 1, 60_000, 60_001)
    assert [] == flooded.found
    flooded.note(61_000)
    assert [(BOUNDS, f"3 records in 1000 ms say that {AUTHOR} is over its quota")] == flooded.found


def test_a_broker_that_has_restarted_may_say_again_who_is_over_its_quota() -> None:
    flooded = Flooded()

    flooded.note(0, 1)
    flooded.life = 2
    flooded.note(2, 3)
    assert [] == flooded.found
    flooded.note(4)
    assert [BOUNDS] == [invariant for invariant, _ in flooded.found]


def test_a_broker_that_can_write_owes_a_record_of_who_was_throttled_at_once() -> None:
    flooded = Flooded()

    flooded.answer(unwritable=False)
    flooded.life = 2

    assert (False, [THROTTLED]) == (flooded.owes(), flooded.broken_at_end())


def test_a_broker_whose_disk_was_full_owes_the_record_for_as_long_as_it_lives() -> None:
    late, dead, paid = Flooded(), Flooded(), Flooded()
    for flooded in (late, dead, paid):
        flooded.answer(unwritable=True)
        assert flooded.owes()
    dead.life = 2
    paid.note(60_000)

    assert ([True, False, False]) == [flooded.owes() for flooded in (late, dead, paid)]
    assert [[THROTTLED], [], []] == [flooded.broken_at_end() for flooded in (late, dead, paid)]


def test_a_broker_whose_clock_is_set_back_may_say_it_again() -> None:
    flooded = Flooded()

    flooded.note(90_000, 90_001, 3_000, 3_001)

    assert [] == flooded.found
