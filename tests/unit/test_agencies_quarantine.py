"""What a node cannot take: acked, noted once, and bounded, so that poison neither stops the feed nor fills the disk."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from agencies.core import NodeCore
from agencies.incoming import LAST_DSEQ, Incoming
from agencies.keyring import Keys
from agencies.outgoing import Moment
from agencies.quarantine import QUARANTINE_TABLE, Kept, Quarantine
from agencies.store import NodeStore
from conformance import world
from conformance.evil_book import envelope
from conformance.evil_sealer import cut
from schemas.errors import Code, RemoteError
from schemas.frames import Ack, BundleMessage, CheckpointMessage, Delivery, VerdictMessage
from schemas.limits import DELIVERY_WINDOW
from tests.samples.small_nodes import ring

NOW = world.NOW
DAY_MS = 24 * 3_600_000


@pytest.fixture
def quarantine() -> Iterator[Quarantine]:
    sql = sqlite3.connect(":memory:", isolation_level=None)
    sql.execute(QUARANTINE_TABLE)
    yield Quarantine(sql, rows_max=3)
    sql.close()


def keep(quarantine: Quarantine, *things: bytes, at_ms: int = NOW) -> list[Kept]:
    return [quarantine.keep(thing, stage="parse", code="TRUNCATED", at_ms=at_ms) for thing in things]


def test_the_same_bytes_are_kept_once(quarantine: Quarantine) -> None:
    assert [Kept.NEW, Kept.KNOWN, Kept.NEW, Kept.KNOWN] == keep(quarantine, b"a", b"a", b"b", b"a")


def test_a_full_quarantine_keeps_no_more_until_a_day_has_passed(quarantine: Quarantine) -> None:
    assert [Kept.NEW, Kept.NEW, Kept.LAST, Kept.NOT, Kept.KNOWN] == keep(quarantine, b"a", b"b", b"c", b"d", b"c")
    assert [Kept.NOT] == keep(quarantine, b"e", at_ms=NOW + DAY_MS)
    assert [Kept.NEW, Kept.NEW] == keep(quarantine, b"e", b"a", at_ms=NOW + DAY_MS + 1)


def test_rows_from_the_future_do_not_keep_a_quarantine_full(quarantine: Quarantine) -> None:
    """A clock that was ahead and set right again must not close it for as long as it was ahead."""
    keep(quarantine, b"a", b"b", b"c", at_ms=NOW + 30 * DAY_MS)

    assert [Kept.NEW] == keep(quarantine, b"d")


class Reader:
    """The receiving half of bravo's node."""

    def __init__(self, folder: Path) -> None:
        self.store = NodeStore.open(folder / "bravo.sqlite", agency="bravo")
        core = NodeCore(keys=Keys(ring("bravo")), bundle=world.BUNDLE)
        self.incoming = Incoming(core=core, store=self.store, root=world.TRUST)
        self.incoming.hello()
        self.moment = Moment(at_ms=NOW, machine_ms=0)

    def deliver(self, *envelopes: bytes) -> int:
        """Deliver in order; returns up to which number is acked."""
        acked = 0
        for received in envelopes:
            number = self.store.value(LAST_DSEQ) + 1
            effects = self.incoming.take((Delivery("delivery", number, received),), self.moment)
            acked = max(message.dseq for message in effects.replies if isinstance(message, Ack))
        return acked

    def noted(self, stage: str) -> list[str]:
        return [entry.fields.get("code", "") for entry in self.store.journal.entries() if entry.stage == stage]


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    made = Reader(tmp_path)
    yield made
    made.store.close()


POISON = {
    "TRUNCATED": b"\x97\x01",
    "DEPTH": b"\x91" * 2_000 + b"\xc0",
    "LIMIT": b"\xdc\xff\xff" + bytes(0x10000),
    "SHAPE": b"\x97" + bytes.fromhex("cb7ff8000000000000") * 7,
    "BAD_TYPE": b"\x81\xa1a\x01",
}


@pytest.mark.parametrize("code", POISON)
def test_poison_is_noted_once_and_acked_and_the_feed_goes_on(code: str, reader: Reader) -> None:
    acked = reader.deliver(*[POISON[code]] * (2 * DELIVERY_WINDOW))

    assert 2 * DELIVERY_WINDOW == acked
    assert [code] == reader.noted("rejected")
    assert 2 * DELIVERY_WINDOW + 1 == reader.deliver(cut(envelope(), "bravo"))


def test_endless_poison_is_acked_and_does_not_fill_the_journal(reader: Reader) -> None:
    """Each of it is different, so each is news; beyond a thousand it is none."""
    acked = reader.deliver(*(b"\x97" + number.to_bytes(4, "big") for number in range(1_200)))

    assert 1_200 == acked
    assert 1_024 == len(reader.noted("rejected"))
    assert 1 == len(reader.noted("quarantine_full"))


def test_frames_verdicts_checkpoints_and_bundles_that_poison_are_noted_once_each(reader: Reader) -> None:
    junk = (
        VerdictMessage("verdict", b"no verdict", bytes(64)),
        CheckpointMessage("checkpoint", 0, (), b"no note"),
        BundleMessage("bundle", b"no bundle"),
    )
    for _ in range(5):
        reader.incoming.take(junk, reader.moment)
        reader.incoming.reject_frame(b"no frame", RemoteError(Code.TRUNCATED, "too short"), reader.moment)

    assert 3 == len(reader.noted("rejected"))
    assert 1 == len(reader.noted("log_fault"))
