"""A node judges what arrives: each rejection by stage and code, and what stays true after a replay."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agencies.state import Accepted
from conformance import world
from conformance.evil_book import change, envelope, flip, hooked, put, sealed
from conformance.evil_sealer import cut
from schemas.codec import pack
from schemas.frames import Ack
from schemas.limits import CLOCK_SKEW_MS_MAX
from schemas.workflow import ReceiptContent, ReceiptItem
from tests.samples.small_reader import Reader, one, rejected

NOW = world.NOW


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    made = Reader(tmp_path)
    yield made
    made.store.close()


# Each rejection.


def test_an_honest_cut_is_accepted_with_its_portions_and_no_other(reader: Reader) -> None:
    message, made = sealed()

    judged = reader.judge(made)

    assert isinstance(judged, Accepted)
    assert message.bits(0, 1) == judged.bits == sum(1 << portion.place for portion in judged.portions)
    assert ((), 0, "alpha") == (judged.misreleases, judged.missing, judged.originator)
    assert {"Part 1", "Part 2"} == {portion.content.title for portion in judged.portions}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("stage", "code", "received"),
    [
        ("size", "TOO_BIG", lambda: bytes(256 * 1024 + 1)),
        ("parse", "TRUNCATED", lambda: cut(envelope(), "bravo")[:-3]),
        ("parse", "TRAILING", lambda: cut(envelope(), "bravo") + b"\xc0"),
        ("canonical", "NOT_CANONICAL", lambda: b"\xdc\x00\x07" + cut(envelope(), "bravo")[1:]),
        ("version", "VERSION", lambda: cut(hooked(header_fields=put(0, 2)), "bravo")),
        ("limits", "SHAPE", lambda: b"\x90"),
        ("sender", "UNKNOWN_SENDER", lambda: cut(hooked(header_fields=put(2, ("nobody",))), "bravo")),
        ("key", "KEY_REVOKED", lambda: cut(one(by=("foxtrot",)), "bravo")),
        ("key", "KEY_TIME", lambda: cut(one(by=("hotel",)), "bravo")),
        ("key", "KEY_EPOCH", lambda: cut(hooked(wrap=put(1, world.EPOCH + 1)), "bravo")),
        ("key", "KEY_EPOCH", lambda: cut(hooked(wrap=put(2, world.EPOCH - 1)), "bravo")),
        ("signature", "BAD_SIG", lambda: cut(hooked(signature=flip()), "bravo")),
        ("signature", "DISCLOSURE", lambda: cut(envelope(), "bravo", {"cut-disclosed": lambda d: d[:1],
                                                                     "cut-blobs": lambda b: b[:1]})),
        ("signature", "BLOB_HASH", lambda: cut(envelope(), "bravo", {"cut-blobs": change(0, flip(40))})),
        ("signature", "BLOB_HASH", lambda: cut(envelope(), "bravo", {"cut-blobs": lambda _: []})),
        ("freshness", "FUTURE", lambda: cut(envelope(ts=NOW + CLOCK_SKEW_MS_MAX + 1), "bravo")),
        ("freshness", "STALE", lambda: cut(envelope(ts=NOW - 10, exp=NOW - 1), "bravo")),
        ("unwrap", "NOT_FOR_ME", lambda: cut(envelope(), "charlie")),
        ("unwrap", "BAD_WRAP", lambda: cut(hooked(wrap=change(5, flip())), "bravo")),
        ("unwrap", "BAD_WRAP", lambda: cut(hooked(wrap_context=flip()), "bravo")),
        ("commitment", "COMMITMENT", lambda: cut(hooked(key_commitment=flip()), "bravo")),
        ("payload", "BAD_TAG", lambda: cut(hooked(ciphertext=flip(-1)), "bravo")),
        ("payload", "CONTENT", lambda: cut(one(contents=(pack(("EXERCISE",)),)), "bravo")),
    ],
)  # fmt: skip
def test_each_fault_is_rejected_with_its_stage_and_code(reader: Reader, stage: str, code: str, received: Any) -> None:
    assert (stage, code) == rejected(reader.judge_cut(received()))


def test_a_wrap_whose_number_was_changed_on_the_way_does_not_open(reader: Reader) -> None:
    """The wrap's key binds its number, so a router cannot move a message in the sequence."""
    moved = cut(envelope(), "bravo", {"cut-wraps": lambda wraps: [put(4, 9)(wraps[0])]})

    assert ("unwrap", "BAD_WRAP") == rejected(reader.judge_cut(moved))


def test_a_rejection_is_noted_with_its_code_and_acked_and_tells_nobody(reader: Reader) -> None:
    effects = reader.deliver(one(hooks={"signature": flip()}))

    assert [Ack("ack", 1)] == effects.replies
    assert [("BAD_SIG", "signature")] == [(e["code"], e["stage_failed"]) for e in reader.noted("rejected")]
    assert ([], False) == (effects.arrivals, reader.store.owes())


# Need to know, by the reader's own reading.


def test_a_misrelease_that_the_router_let_through_is_found_and_reported(reader: Reader) -> None:
    """The router is not trusted with need-to-know: bravo refuses what its own bundle says it may not have."""
    message, made = sealed(readers=(("bravo", (0, 1, 2)),))

    judged = reader.judge(made)
    effects = reader.deliver(made)

    assert isinstance(judged, Accepted)
    assert [(message.portions[2].place, "NTK-CLEARANCE")] == [(item.place, item.rule) for item in judged.misreleases]
    assert message.bits(0, 1) == sum(1 << portion.place for portion in judged.portions)
    assert ["NTK-CLEARANCE"] == [entry["rule"] for entry in reader.noted("misreleased")]
    owed = [(item.status, item.bits) for items in reader.store.take_owed().values() for item in items]
    assert [("misreleased", message.bits(2)), ("delivered", message.bits(0, 1))] == owed
    assert ["Part 1", "Part 2"] == sorted(content.title for _, content in effects.arrivals[0].contents)


def test_the_text_of_a_misreleased_portion_is_not_kept(reader: Reader) -> None:
    reader.deliver(one("secret", labels=(world.HIGH,), contents=(_content("CRIMSON"),)))
    reader.store._sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    files = b"".join(path.read_bytes() for path in reader.store._database._path.parent.iterdir())
    assert b"misreleased" in files
    assert b"CRIMSON" not in files


def _content(title: str) -> bytes:
    return pack(("EXERCISE", title, ((None, "text"),), "en", (), (), None, None, None, ()))


def test_a_misreleased_receipt_is_not_receipted(reader: Reader) -> None:
    """RCPT-006: two nodes would otherwise go on for ever."""
    content = pack(ReceiptContent("EXERCISE", (ReceiptItem(bytes(32), 1, "delivered", NOW),)))
    label = world.HIGH._replace(topic="workflow.receipt")

    reader.deliver(one(kind="receipt", labels=(label,), contents=(content,)))

    assert 1 == len(reader.noted("misreleased"))
    assert not reader.store.owes()


def test_what_was_permitted_when_it_was_sealed_is_no_misrelease(reader: Reader) -> None:
    """The router decided between the sealing and now; a reader asks as of both."""
    label = world.LABEL._replace(not_before=NOW)
    reader.now_ms = NOW - 60_000

    judged = reader.judge(one(labels=(label,), ts=NOW))

    assert isinstance(judged, Accepted)
    assert () == judged.misreleases


# The journal.


def test_the_journal_is_a_chain_that_names_no_text(reader: Reader) -> None:
    reader.deliver(one())
    rows = reader.store._sql.execute("SELECT number, chain FROM journal ORDER BY number").fetchall()

    assert list(range(1, len(rows) + 1)) == [number for number, _ in rows]
    assert len(rows) == len({chain for _, chain in rows})
    texts = "".join(text for (text,) in reader.store._sql.execute("SELECT fields FROM journal"))
    assert "two boats seen" not in texts
