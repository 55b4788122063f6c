"""The broker's shell around its router: batches, a full disk, slow sessions, bundles and quotas; links are fakes."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from broker.application import Publication
from broker.quota import QuotaLimits, Quotas
from broker.router import Arrival, BundleSigned, FrameArrived, Outcome
from broker.service import BrokerService
from conformance import world
from conformance.evil_book import sealed
from schemas.errors import StoreError
from schemas.frames import (
    Ack,
    Delivery,
    DownMessage,
    EnvelopeMessage,
    Heartbeat,
    Hello,
    Resume,
    UpMessage,
    read_down_frame,
    write_frame,
)
from sealing.statements import sign_bundle
from tests.samples.small_router import SmallRouter

LIMIT_S = 30
FULL = Publication.IMPLEMENTATION_SPECIFIC


class FakeAttachment:
    """An agency's session: takes frames until it is told to take no more."""

    def __init__(self, agency: str) -> None:
        self.agency = agency
        self.takes = True
        self.got: list[DownMessage] = []
        self.closed: list[int] = []

    def send(self, frame: bytes) -> bool:
        if self.takes:
            self.got += read_down_frame(frame)
        return self.takes

    async def drained(self) -> None:
        await asyncio.sleep(0)

    def close(self, reason: int) -> None:
        self.closed.append(reason)

    def deliveries(self) -> list[Delivery]:
        return [message for message in self.got if isinstance(message, Delivery)]


class SetClock:
    def now_ms(self) -> int:
        return world.NOW


class SmallBroker:
    """The service, the router behind it, and what it was asked to handle."""

    def __init__(self, folder: Path, limits: QuotaLimits) -> None:
        self.behind = SmallRouter(folder)
        self.batches: list[list[Arrival]] = []
        handle = self.behind.router.handle

        def handled(arrivals: list[Arrival], *, now_ms: int) -> Outcome:
            self.batches.append(list(arrivals))
            return handle(arrivals, now_ms=now_ms)

        self.behind.router.handle = handled  # type: ignore[method-assign, assignment]
        self.service = BrokerService(
            router=self.behind.router,
            authenticator=lambda credentials: credentials.client_id,
            quotas=Quotas(limits),
            clock=SetClock(),
            machine_clock=SetClock(),
        )

    async def attach(self, agency: str) -> FakeAttachment:
        attachment = FakeAttachment(agency)
        await self.service.attached(attachment)
        return attachment

    async def say(self, agency: str, *messages: UpMessage) -> Publication:
        return await self.service.published(agency, write_frame(messages))

    def fill(self) -> None:
        sql = self.behind.store._sql
        sql.execute(f"PRAGMA max_page_count = {sql.execute('PRAGMA page_count').fetchone()[0]}")

    def make_room(self) -> None:
        self.behind.store._sql.execute("PRAGMA max_page_count = 1000000")


@asynccontextmanager
async def small_broker(folder: Path, limits: QuotaLimits | None = None) -> AsyncGenerator[SmallBroker, None]:
    broker = SmallBroker(folder, limits or QuotaLimits())
    async with asyncio.timeout(LIMIT_S), broker.service.running():
        yield broker
    broker.behind.close()


def hello(dseq: int = 0) -> Hello:
    return Hello("hello", dseq, world.BUNDLE_VERSION)


def envelope(name: str, *readers: str) -> EnvelopeMessage:
    """Return a report of one portion by alpha, sealed."""
    _, made = sealed(name=name, labels=(world.LABEL,), readers=tuple((reader, (0,)) for reader in readers))
    return EnvelopeMessage("envelope", made)


async def test_what_comes_while_the_disk_is_busy_is_decided_as_one_batch(tmp_path: Path) -> None:
    async with small_broker(tmp_path) as broker:
        beat = Heartbeat("heartbeat", world.NOW, ())
        async with asyncio.TaskGroup() as tasks:
            said = [tasks.create_task(broker.say("alpha", beat), name=f"said {number}") for number in range(250)]

        assert {Publication.SUCCESS} == {task.result() for task in said}
        sizes = [len(batch) for batch in broker.batches]
        assert 250 == sum(sizes)
        assert 100 == max(sizes), "one sync serves many, and never more than it should"


async def test_an_answer_comes_after_the_decision_is_on_disk_and_the_reader_is_sent_its_cut(tmp_path: Path) -> None:
    async with small_broker(tmp_path) as broker:
        bravo = await broker.attach("bravo")
        await broker.say("bravo", hello())

        assert Publication.SUCCESS == await broker.say("alpha", envelope("one", "bravo"))
        assert 1 == broker.behind.queued("bravo")
        assert [1] == [message.dseq for message in bravo.deliveries()]
        assert [1] == [message.dseq for message in bravo.got if isinstance(message, Resume)]
        assert not broker.service.idle()
        await broker.say("bravo", Ack("ack", 1))
        assert broker.service.idle()


async def test_on_a_full_disk_nothing_is_accepted_every_session_ends_and_one_line_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with small_broker(tmp_path) as broker:
        bravo, charlie = await broker.attach("bravo"), await broker.attach("charlie")
        await broker.say("bravo", hello())
        before = len(broker.behind.records())
        broker.fill()
        with caplog.at_level(logging.WARNING):
            answers = [await broker.say("alpha", envelope(f"large {number}", "bravo")) for number in range(20)]

        taken = answers.count(Publication.SUCCESS)
        assert [Publication.SUCCESS] * taken + [FULL] * (20 - taken) == answers
        assert FULL == answers[-1]
        assert taken == broker.behind.queued("bravo") >= len(bravo.deliveries())
        assert (before == len(broker.behind.records())) == (taken == 0)
        assert bravo.closed
        assert charlie.closed
        assert ["disk.full"] == [record.getMessage() for record in caplog.records]
        broker.make_room()


async def test_a_broker_goes_on_by_itself_when_there_is_room_and_delivers_what_it_had_accepted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with small_broker(tmp_path) as broker:
        await broker.attach("bravo")
        await broker.say("bravo", hello())
        await broker.say("alpha", envelope("before", "bravo"))
        broker.fill()
        answers = [await broker.say("alpha", envelope(f"filler {number}", "charlie")) for number in range(20)]
        assert FULL == answers[-1]
        broker.make_room()
        with caplog.at_level(logging.WARNING):
            again = await broker.attach("bravo")
            assert Publication.SUCCESS == await broker.say("bravo", hello())
        assert Publication.SUCCESS == await broker.say("alpha", envelope("after", "bravo"))

        assert [1, 2] == [message.dseq for message in again.deliveries()]
        assert ["disk.full", "disk.has-room"] == [record.getMessage() for record in caplog.records]
        assert "ok" == broker.behind.store._sql.execute("PRAGMA integrity_check").fetchone()[0]


async def test_a_session_that_reads_too_slowly_is_ended_and_loses_nothing(tmp_path: Path) -> None:
    async with small_broker(tmp_path) as broker:
        slow, other = await broker.attach("bravo"), await broker.attach("charlie")
        await broker.say("bravo", hello())
        await broker.say("charlie", hello())
        slow.takes = False
        assert Publication.SUCCESS == await broker.say("alpha", envelope("one", "bravo", "charlie"))

        assert [0x97] == slow.closed
        assert [] == other.closed
        assert 1 == len(other.deliveries())
        await broker.service.detached(slow)
        back = await broker.attach("bravo")
        await broker.say("bravo", hello())
        assert [1] == [message.dseq for message in back.deliveries()]


async def test_a_bundle_begins_a_batch_of_its_own(tmp_path: Path) -> None:
    """What was decided before it has left by the time that it counts."""
    async with small_broker(tmp_path) as broker:
        bundle = world.BUNDLE._replace(version=world.BUNDLE_VERSION + 1)
        signed = sign_bundle(bundle, {name: world.sign_pair(name) for name in world.AUTHORITIES})
        beat = Heartbeat("heartbeat", world.NOW, ())
        async with asyncio.TaskGroup() as tasks:
            for number in range(5):
                tasks.create_task(broker.say("alpha", beat), name=f"before {number}")
            installing = broker.service.install_bundle(
                version=bundle.version, signed=signed, install=lambda: broker.behind.core.install(bundle)
            )
            tasks.create_task(installing, name="bundle")
            await asyncio.sleep(0)
            for number in range(5):
                tasks.create_task(broker.say("alpha", beat), name=f"after {number}")

        firsts = [
            at for batch in broker.batches for at, arrival in enumerate(batch) if isinstance(arrival, BundleSigned)
        ]
        assert [0] == firsts
        assert 11 == sum(len(batch) for batch in broker.batches)


async def test_a_bundle_that_the_disk_does_not_take_is_told_to_whoever_installs_it(tmp_path: Path) -> None:
    async with small_broker(tmp_path) as broker:
        bundle = world.BUNDLE._replace(version=world.BUNDLE_VERSION + 1)
        signed = sign_bundle(bundle, {name: world.sign_pair(name) for name in world.AUTHORITIES})
        broker.fill()
        with pytest.raises(StoreError, match="not on disk"):
            await broker.service.install_bundle(
                version=bundle.version, signed=signed + bytes(100_000), install=lambda: None
            )
        broker.make_room()


async def test_who_is_over_its_quota_is_told_so_and_nothing_of_the_frame_is_taken(tmp_path: Path) -> None:
    async with small_broker(tmp_path, QuotaLimits(messages_burst=2, messages_per_s=0)) as broker:
        beat = Heartbeat("heartbeat", world.NOW, ())

        assert Publication.SUCCESS == await broker.say("alpha", beat, beat)
        assert Publication.QUOTA_EXCEEDED == await broker.say("alpha", beat)
        assert Publication.SUCCESS == await broker.say("bravo", beat)
        taken = [arrival for batch in broker.batches for arrival in batch if isinstance(arrival, FrameArrived)]
        assert ["alpha", "bravo"] == [arrival.agency for arrival in taken]


async def test_bytes_that_are_no_frame_are_refused_and_never_reach_the_disk(tmp_path: Path) -> None:
    async with small_broker(tmp_path) as broker:
        assert Publication.PAYLOAD_FORMAT_INVALID == await broker.service.published("alpha", b"\xc1")
        assert [] == broker.batches


async def test_a_session_that_was_taken_over_does_not_end_the_one_that_took_it_over(tmp_path: Path) -> None:
    async with small_broker(tmp_path) as broker:
        older, newer = await broker.attach("bravo"), await broker.attach("bravo")
        await broker.say("bravo", hello())
        await broker.service.detached(older)
        await broker.say("alpha", envelope("one", "bravo"))

        assert [] == older.deliveries()
        assert 1 == len(newer.deliveries())
