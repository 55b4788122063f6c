"""Quotas of the router: what is refused before it costs others anything, and who is slowed for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.application import Publication
from broker.quota import QuotaLimits, Quotas
from conformance import world
from conformance.evil_book import sealed
from schemas.codec import pack
from schemas.limits import CHUNK_BYTES_MAX
from tests.samples.small_router import SmallRouter


@pytest.fixture
def router(tmp_path: Path) -> Iterator[SmallRouter]:
    made = SmallRouter(tmp_path)
    yield made
    made.close()


def test_a_full_queue_refuses_what_is_new_and_loses_nothing(tmp_path: Path) -> None:
    router = SmallRouter(tmp_path, limits=QuotaLimits(queue_rows_max=3))
    for number in range(3):
        router.report(f"m{number}", "bravo")

    message, refused = router.report("too-many", "bravo", "golf")
    other = router.report("other", "golf")[1]

    assert [Publication.QUOTA_EXCEEDED] == refused.answers
    assert {} == refused.sends
    assert router.store.message(message.hid) is None
    assert [Publication.SUCCESS] == other.answers
    router.hello("bravo")
    router.ack("bravo", 1)
    assert [Publication.SUCCESS] == router.report("too-many", "bravo", "golf")[1].answers
    router.close()


def test_attachments_are_refused_before_they_come_if_they_would_not_fit(tmp_path: Path) -> None:
    """What a manifest declares counts, not what has arrived: else one message could fill the disk."""
    router = SmallRouter(tmp_path, limits=QuotaLimits(chunk_bytes_max=3 * CHUNK_BYTES_MAX))
    small = sealed(name="small", labels=(world.LABEL,), readers=(("bravo", (0,)),), chunk_bytes=256)[1]
    large = sealed(
        name="large",
        labels=(world.LABEL,),
        contents=(pack(("x" * 1_000,)),),
        readers=(("bravo", (0,)),),
        chunk_bytes=256,
    )[1]

    assert [Publication.QUOTA_EXCEEDED] == router.send(large).answers
    assert [Publication.SUCCESS] == router.send(small).answers
    assert [Publication.SUCCESS] == router.send(sealed(name="plain", readers=(("bravo", (0,)),))[1]).answers
    router.close()


def test_a_flood_is_slowed_for_its_own_agency_alone() -> None:
    quotas = Quotas(QuotaLimits(messages_per_s=10, messages_burst=20, bytes_per_s=1_000, bytes_burst=5_000))

    first = [quotas.charge("alpha", messages=1, size=10, now_ms=0) for _ in range(25)]

    assert [True] * 20 + [False] * 5 == first
    assert quotas.charge("bravo", messages=1, size=10, now_ms=0)
    assert quotas.charge("alpha", messages=1, size=10, now_ms=100)
    assert not quotas.charge("alpha", messages=1, size=10, now_ms=100)


def test_bytes_are_counted_beside_messages_and_a_refused_frame_costs_nothing() -> None:
    quotas = Quotas(QuotaLimits(messages_per_s=10, messages_burst=20, bytes_per_s=1_000, bytes_burst=5_000))

    assert not quotas.charge("alpha", messages=1, size=5_001, now_ms=0)
    assert quotas.charge("alpha", messages=1, size=5_000, now_ms=0)
    assert not quotas.charge("alpha", messages=1, size=1, now_ms=0)
    assert quotas.charge("alpha", messages=1, size=1_000, now_ms=1_000)


def test_a_clock_that_goes_back_gives_no_quota_and_takes_none() -> None:
    quotas = Quotas(QuotaLimits(messages_per_s=10, messages_burst=2))
    quotas.charge("alpha", messages=2, size=0, now_ms=10_000)

    assert not quotas.charge("alpha", messages=1, size=0, now_ms=5_000)
    assert quotas.charge("alpha", messages=1, size=0, now_ms=5_100)


def test_a_quiet_agencys_bucket_takes_no_memory() -> None:
    quotas = Quotas(QuotaLimits())
    quotas.charge("alpha", messages=1, size=1, now_ms=0)
    quotas.charge("bravo", messages=1, size=1, now_ms=50_000)

    quotas.forget_idle(now_ms=60_001)

    assert {"bravo"} == quotas._spent.keys()
