"""Receipts at the author: counted from a reader and for bits that it was given, and noted once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agencies.outbox import ReaderDue
from conformance import world
from conformance.evil_book import envelope
from schemas.codec import pack
from schemas.label import Label
from schemas.workflow import ReceiptContent, ReceiptItem, ReceiptStatus
from tests.samples.small_reader import Reader

NOW = world.NOW


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    made = Reader(tmp_path)
    yield made
    made.store.close()


def receipt(by: str, *items: tuple[bytes, int, ReceiptStatus], seq: int = 1) -> bytes:
    listed = tuple(ReceiptItem(hid, bits, status, NOW) for hid, bits, status in items)
    content = pack(ReceiptContent("EXERCISE", listed))
    label = Label("AMBER", "EX-UNCLAS", "workflow.receipt")
    return envelope(
        name=f"receipt {by} {seq}", kind="receipt", by=(by,), labels=(label,), contents=(content,),
        readers=(("bravo", (0,)),), seq=seq,
    )  # fmt: skip


def keep_release(reader: Reader, hid: bytes) -> None:
    """Have released the first portion of a message to charlie."""
    with reader.store.transaction():
        readers = [ReaderDue("charlie", 0b01, 1, NOW)]
        reader.store.keep_release(hid, bytes(32), b"", readers, kind="report", subject=hid, exp=NOW + 1)


def test_a_receipt_counts_from_a_reader_and_for_bits_that_it_was_given(reader: Reader) -> None:
    """RCPT-005: anybody may claim to have read a message; only its readers are believed, and of their portions."""
    hid = bytes(range(32))
    keep_release(reader, hid)

    reader.deliver(receipt("golf", (hid, 0b01, "delivered")))
    reader.deliver(receipt("charlie", (hid, 0b11, "delivered"), (bytes(32), 0, "purged"), (hid, 0b01, "opened")))

    assert [("charlie", "opened")] == [(entry["reader"], entry["status"]) for entry in reader.noted("receipt")]
    assert ["REFERENCE"] * 3 == [entry["code"] for entry in reader.noted("rejected")]


def test_the_same_receipt_is_noted_once_and_never_receipted(reader: Reader) -> None:
    hid = bytes(range(32))
    keep_release(reader, hid)
    for seq in (1, 2):
        reader.deliver(receipt("charlie", (hid, 1, "delivered"), seq=seq))

    assert 1 == len(reader.noted("receipt"))
    assert not reader.store.owes()
