"""Quotas: who sends too much is refused with a named answer, and put on record now and then, not for every frame."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from broker.application import Publication
from broker.audit.leaves import RefusedLeaf, read_statement
from broker.audit.records import Record
from broker.quota import QuotaLimits, Quotas, Throttled
from broker.service import BrokerService
from conformance import world
from schemas.codec import unpack
from schemas.errors import Code, StoreError
from schemas.frames import Heartbeat, write_frame
from schemas.limits import FRAME_BYTES_MAX
from tests.samples.small_router import SmallRouter

LIMIT_S = 30
BEAT = write_frame((Heartbeat("heartbeat", 1, ()),))
JUNK = b"\xc1" * 100


class SetClock:
    """Machine time, set by hand."""

    def __init__(self) -> None:
        self.at_ms = world.NOW

    def now_ms(self) -> int:
        return self.at_ms


class SmallBroker:
    """The service with a quota of three messages at once and one more each second."""

    def __init__(self, folder: Path) -> None:
        self.clock = SetClock()
        self.behind = SmallRouter(folder)
        limits = QuotaLimits(messages_per_s=1, messages_burst=3)
        self.service = BrokerService(
            router=self.behind.router,
            authenticator=lambda credentials: credentials.client_id,
            quotas=Quotas(limits),
            clock=self.clock,
            machine_clock=self.clock,
        )

    async def send(self, *frames: bytes, agency: str = "alfa") -> list[Publication]:
        return [await self.service.published(agency, frame) for frame in frames]

    def noted(self) -> list[str]:
        """Return whom the record calls refused for its quota."""
        return [
            row.agency
            for row in self.behind.store.records()
            if row.stage == "refused" and unpack(row.body, bytes_max=FRAME_BYTES_MAX)[0] == Code.QUOTA
        ]


async def test_who_sends_too_much_is_told_and_put_on_record_once_a_minute(tmp_path: Path) -> None:
    broker = SmallBroker(tmp_path)
    async with asyncio.timeout(LIMIT_S), broker.service.running():
        answers = await broker.send(*[BEAT] * 8)
        other = await broker.send(BEAT, agency="bravo")
        broker.clock.at_ms += 61_000
        later = await broker.send(*[BEAT] * 5)

        assert [Publication.SUCCESS] * 3 + [Publication.QUOTA_EXCEEDED] * 5 == answers
        assert [Publication.SUCCESS] == other
        assert [Publication.SUCCESS] * 3 + [Publication.QUOTA_EXCEEDED] * 2 == later
        assert ["alfa", "alfa"] == broker.noted()
    broker.behind.close()


async def test_the_log_says_that_an_agency_was_throttled_and_names_no_message(tmp_path: Path) -> None:
    broker = SmallBroker(tmp_path)
    async with asyncio.timeout(LIMIT_S), broker.service.running():
        await broker.send(*[BEAT] * 4)
        log = broker.behind.store.log
        assert log is not None
        leaves = [read_statement(row.statement) for row in log.rows()]

        assert RefusedLeaf("refused", broker.clock.at_ms, None, "alfa", "QUOTA", ()) in leaves
    broker.behind.close()


async def test_what_a_full_disk_kept_off_the_record_is_written_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agency may have stopped by then: nothing of it would ever be seen."""
    monkeypatch.setattr("broker.service._HOUSEKEEPING_S", 0.01)
    broker = SmallBroker(tmp_path)
    write, tried = broker.behind.store.write_records, 0

    def full(rows: Sequence[Record], *, at: int) -> None:
        nonlocal tried
        tried += 1
        if tried <= 2:  # by the first frame, and by the first house-keeping
            msg = "the disk is full"
            raise StoreError(msg, remedy="make room")
        write(rows, at=at)

    monkeypatch.setattr(broker.behind.store, "write_records", full)
    async with asyncio.timeout(LIMIT_S), broker.service.running():
        answers = await broker.send(*[BEAT] * 5)
        while not broker.noted():  # noqa: ASYNC110 - the record is on disk, where nothing tells of it
            await asyncio.sleep(0.01)

    assert [Publication.SUCCESS] * 3 + [Publication.QUOTA_EXCEEDED] * 2 == answers
    assert (["alfa"], 3) == (broker.noted(), tried)
    broker.behind.close()


async def test_what_cannot_be_read_is_charged_and_no_line_is_written_beyond_the_quota(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Else junk would cost its sender nothing, and fill the log of whoever has to read it."""
    broker = SmallBroker(tmp_path)
    with caplog.at_level(logging.WARNING):
        async with asyncio.timeout(LIMIT_S), broker.service.running():
            answers = await broker.send(*[JUNK] * 50, BEAT)

    assert [Publication.PAYLOAD_FORMAT_INVALID] * 50 + [Publication.QUOTA_EXCEEDED] == answers
    assert 3 == sum(record.message == "frame.refused" for record in caplog.records)
    broker.behind.close()


def test_a_clock_that_was_set_back_hides_nobody() -> None:
    throttled = Throttled(every_ms=1_000)

    assert [True, False, True, True] == [throttled.is_news("alfa", now_ms=at_ms) for at_ms in (5_000, 5_999, 6_000, 10)]


def test_each_agency_is_news_of_its_own() -> None:
    throttled = Throttled()

    assert throttled.is_news("alfa", now_ms=0)
    assert throttled.is_news("bravo", now_ms=0)
