"""Any interleaving of queueing, acks, hellos, losses and restarts delivers each row exactly once in effect.

The reader is a model of a node: it holds the last number it has, takes what follows it, and says hello where it meets
a gap or begins a session. The wire between the two may lose what is under way whenever a session ends.
"""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from broker.feeds import Feed
from conformance import world
from schemas.frames import Delivery, DownMessage, Resume
from schemas.limits import DELIVERY_WINDOW
from sealing.received import read_envelope
from tests.samples.small_router import SmallRouter, deliveries

PRECEDENCES = ("ROUTINE", "PRIORITY", "IMMEDIATE", "FLASH")


class FeedMachine(RuleBasedStateMachine):
    """One reader of a real router on a real file, and what must be true of it whatever happens."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.router = SmallRouter(Path(self._folder.name))
        self.count = 0
        self.queued: list[bytes] = []
        self.taken: list[bytes] = []  # what the reader took up, in order
        self.last = 0
        self.wire: list[DownMessage] = []  # on its way to the reader
        self.connected = False
        self.acked = 0

    def teardown(self) -> None:
        self.settle()
        self.router.close()
        self._folder.cleanup()

    def settle(self) -> None:
        """After all faults everything must arrive: the liveness half of the promise."""
        self.begin()
        while self.wire:
            self.read(len(self.wire))
            self.ack()
        assert sorted(self.queued) == sorted(self.taken)
        assert 0 == self.router.queued("bravo")

    def begin(self) -> None:
        self.acked = max(self.acked, self.last)  # a hello says what the reader holds, as an ack does
        self.wire = list(self.router.hello("bravo", self.last))
        self.connected = True

    def read(self, count: int) -> None:
        for message in self.wire[:count]:
            match message:
                case Resume():
                    self.last = message.dseq - 1
                case Delivery() if message.dseq == self.last + 1:
                    self.last = message.dseq
                    self.taken.append(read_envelope(message.envelope).hid)
                case Delivery():
                    assert message.dseq <= self.last, "numbers have a gap"
                case _:
                    pass
        del self.wire[:count]

    @rule(count=st.integers(1, 30), precedence=st.sampled_from(PRECEDENCES))
    def release(self, count: int, precedence: str) -> None:
        for _ in range(count):
            self.count += 1
            label = world.LABEL._replace(precedence=precedence)  # type: ignore[arg-type] # a word of the table
            message, outcome = self.router.report(f"m{self.count}", "bravo", label=label)
            self.queued.append(message.hid)
            self.wire += outcome.sends.get("bravo", [])

    @rule()
    def hello(self) -> None:
        self.begin()

    @precondition(lambda self: self.connected)
    @rule(count=st.integers(1, 80))
    def take(self, count: int) -> None:
        self.read(count)

    @precondition(lambda self: self.connected)
    @rule()
    def ack(self) -> None:
        self.acked = max(self.acked, self.last)
        self.wire += self.router.ack("bravo", self.last)

    @precondition(lambda self: self.connected)
    @rule(beyond=st.integers(0, 500))
    def ack_what_was_never_sent(self, beyond: int) -> None:
        """A reader that has read all cannot take anything off by acking beyond the last number that was given."""
        self.read(len(self.wire))
        self.acked = max(self.acked, self.last)
        self.wire += self.router.ack("bravo", self.last + beyond)

    @rule()
    def lose_the_link(self) -> None:
        self.wire = []
        self.connected = False
        self.router.leave("bravo")

    @rule()
    def restart(self) -> None:
        self.wire = []
        self.connected = False
        self.router.restart()

    @invariant()
    def nothing_is_taken_twice(self) -> None:
        assert len(self.taken) == len(set(self.taken))

    @invariant()
    def the_window_holds(self) -> None:
        under_way = deliveries(self.wire)
        assert len(under_way) <= DELIVERY_WINDOW
        assert self.router.router._feed("bravo").next_dseq - 1 - self.acked <= DELIVERY_WINDOW

    @invariant()
    def nothing_is_dropped_before_its_ack(self) -> None:
        assert self.router.queued("bravo") >= len(self.queued) - self.acked


TestFeeds = FeedMachine.TestCase
TestFeeds.settings = settings(
    max_examples=20, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


class WindowMachine(RuleBasedStateMachine):
    """The bookkeeping alone, at speed: bytes and numbers under way are those sent and not acked."""

    def __init__(self) -> None:
        super().__init__()
        self.feed = Feed(next_dseq=1)
        self.under_way: dict[int, int] = {}

    @rule()
    def connect(self) -> None:
        self.feed.connect()
        self.under_way = {}

    @rule()
    def disconnect(self) -> None:
        self.feed.disconnect()
        self.under_way = {}

    @rule(size=st.integers(0, 400_000))
    def send(self, size: int) -> None:
        if not self.feed.takes(size):
            assert not self.feed.connected or self.under_way
            return
        dseq = self.feed.number()
        self.feed.send(dseq, size)
        self.under_way[dseq] = size

    @rule(back=st.integers(-3, 70))
    def ack(self, back: int) -> None:
        dseq = self.feed.next_dseq - 1 - back
        self.feed.acked(dseq)
        self.under_way = {number: size for number, size in self.under_way.items() if number > dseq}

    @invariant()
    def what_is_under_way_is_what_was_sent_and_not_acked(self) -> None:
        assert sum(self.under_way.values()) == self.feed.bytes_in_flight
        assert sorted(self.under_way.items()) == list(self.feed.in_flight)
        assert len(self.under_way) <= DELIVERY_WINDOW


TestWindow = WindowMachine.TestCase
TestWindow.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
