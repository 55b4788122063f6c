"""Chunks at a reader: wanted two at a time and each once, and refused off the manifest."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance import world
from conformance.evil_book import sealed
from schemas.codec import pack
from schemas.frames import ChunkMessage, ChunkRequest
from tests.samples.small_reader import Reader


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    made = Reader(tmp_path)
    yield made
    made.store.close()


def test_chunks_are_wanted_two_at_a_time_and_each_once(reader: Reader) -> None:
    text = pack(("EXERCISE", "large", ((None, "z" * 1_200),), "en", (), (), None, None, None, ()))
    message, made = sealed(labels=(world.LABEL,), readers=(("bravo", (0,)),), contents=(text,), chunk_bytes=256)
    chunks = message.portions[0].chunks
    place = message.portions[0].place
    wanted = [item.number for item in reader.deliver(made).replies if isinstance(item, ChunkRequest)]
    at, arrivals = 0, []
    while at < len(wanted):
        effects = reader.take(ChunkMessage("chunk", message.hid, place, wanted[at], chunks[wanted[at]]))
        wanted += [item.number for item in effects.replies if isinstance(item, ChunkRequest)]
        arrivals += effects.arrivals
        at += 1

    assert list(range(len(chunks))) == wanted
    assert ["large"] == [content.title for _, content in arrivals[0].contents]
    assert reader.store.pending(message.hid, place) is None


def test_a_chunk_off_the_manifest_is_refused_and_asked_for_again_later(reader: Reader) -> None:
    message, made = sealed(labels=(world.LABEL,), readers=(("bravo", (0,)),), chunk_bytes=256)
    portion = message.portions[0]
    reader.deliver(made)

    reader.take(ChunkMessage("chunk", message.hid, portion.place, 0, b"forged"))

    assert ["CHUNK"] == [entry["code"] for entry in reader.noted("rejected")]
    asked = [item for item in reader.incoming.ask_pending() if isinstance(item, ChunkRequest)]
    assert 0 in [item.number for item in asked]
