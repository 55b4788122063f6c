"""Chunks at the router: each asked of its author once, and given to nobody who has no right to their portion."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.application import Publication
from conformance.evil_book import flip
from schemas.frames import ChunkMessage, ChunkRequest
from tests.samples.small_router import SmallRouter, chunk, chunked, chunks_of, want, wanted


@pytest.fixture
def router(tmp_path: Path) -> Iterator[SmallRouter]:
    made = SmallRouter(tmp_path)
    yield made
    made.close()


def test_each_chunk_is_asked_of_its_author_once(router: SmallRouter) -> None:
    portion, hid, outcome = chunked(router, "bravo")
    asked = wanted(outcome.sends["alpha"])
    at = 0
    while at < len(asked):
        asked += wanted(router.frame("alpha", chunk(hid, portion, asked[at])).sends.get("alpha", []))
        at += 1

    assert 4 == len(portion.chunks)
    assert [0, 1, 2, 3] == asked


def test_a_reader_gets_the_chunks_it_asks_for_now_or_when_they_come(router: SmallRouter) -> None:
    portion, hid, _ = chunked(router, "bravo")
    router.frame("alpha", chunk(hid, portion, 0))

    now = router.frame("bravo", want(hid, portion, 0), want(hid, portion, 1))
    later = router.frame("alpha", chunk(hid, portion, 1))

    assert [chunk(hid, portion, 0)] == chunks_of(now.sends["bravo"])
    assert [chunk(hid, portion, 1)] == chunks_of(later.sends["bravo"])


def test_a_reader_without_rights_to_a_portion_gets_the_silence_of_a_message_that_does_not_exist(
    router: SmallRouter,
) -> None:
    portion, hid, _ = chunked(router, "bravo")
    router.frame("alpha", chunk(hid, portion, 0))

    there = router.frame("golf", want(hid, portion, 0), want(hid, portion, 1))
    not_there = router.frame("golf", ChunkRequest("want", bytes(32), portion.place, 0))

    assert {} == there.sends == not_there.sends
    assert there.answers == not_there.answers
    assert {"alpha"} == router.frame("alpha", chunk(hid, portion, 1)).sends.keys()


@pytest.mark.parametrize(
    ("agency", "number", "spoilt", "answer"),
    [
        ("golf", 0, False, Publication.NOT_AUTHORISED),
        ("bravo", 0, False, Publication.NOT_AUTHORISED),
        ("alpha", 0, True, Publication.PAYLOAD_FORMAT_INVALID),
        ("alpha", 1_023, False, Publication.PAYLOAD_FORMAT_INVALID),
    ],
)
def test_a_chunk_of_somebody_else_or_off_the_manifest_is_refused(
    router: SmallRouter, agency: str, number: int, *, spoilt: bool, answer: Publication
) -> None:
    portion, hid, _ = chunked(router, "bravo")
    ciphertext = flip()(portion.chunks[0]) if spoilt else portion.chunks[0]

    outcome = router.frame(agency, ChunkMessage("chunk", hid, portion.place, number, ciphertext))

    assert [answer] == outcome.answers
    assert [0, 1] == router.store.holdings.missing_chunks(hid, portion.place, limit=2)


def test_an_author_that_is_back_is_asked_again_for_what_is_missing(router: SmallRouter) -> None:
    portion, hid, _ = chunked(router, "bravo")
    router.frame("alpha", chunk(hid, portion, 0))
    router.restart()

    assert [1, 2] == wanted(router.hello("alpha"))


def test_what_a_reader_waits_for_is_forgotten_with_its_session(router: SmallRouter) -> None:
    portion, hid, _ = chunked(router, "bravo")
    router.frame("bravo", want(hid, portion, 0))
    router.leave("bravo")

    assert "bravo" not in router.frame("alpha", chunk(hid, portion, 0)).sends
