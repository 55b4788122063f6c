"""A node judges what arrives: each rejection by stage and code, and what stays true after a replay."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agencies.core import NodeCore
from agencies.incoming import LAST_DSEQ, Incoming
from agencies.keyring import Keys, new_key_ring
from agencies.outbox import ReaderDue
from agencies.outgoing import Moment
from agencies.preflight import find_audience
from agencies.state import Accepted, Duplicate, Judged, Rejected
from agencies.store import NodeStore
from conformance import world
from conformance.evil_book import change, envelope, flip, hooked, put, sealed
from conformance.evil_sealer import cut
from policy.community import Community
from schemas.codec import pack, unpack
from schemas.errors import RemoteError
from schemas.frames import Ack, Announcement, ChunkMessage, ChunkRequest, Delivery, DownMessage, Hello
from schemas.label import Label
from schemas.limits import BOX_EPOCH_MS, BOX_EPOCH_OVERLAP_MS, CLOCK_SKEW_MS_MAX, REPLAY_WINDOW_MESSAGES
from schemas.workflow import ReceiptContent, ReceiptItem, ReceiptStatus
from sealing.directory import announce
from sealing.entropy import SystemEntropy
from sealing.keyfile import KeyRing, box_secret

NOW = world.NOW
DAY_MS = world.DAY_MS


def keys(agency: str) -> Keys:
    pair = world.box_pair(agency)
    box = box_secret(epoch=pair.epoch, secret_key=pair.secret, not_before=pair.not_before, expires=pair.expires)
    return Keys(KeyRing(agency, world.secret(f"sign {agency}"), (box,)))


class Reader:
    """A node's receiving half on a real file, fed delivery by delivery."""

    def __init__(self, folder: Path, agency: str = "bravo") -> None:
        self.agency = agency
        self.core = NodeCore(keys=keys(agency), bundle=world.BUNDLE)
        for announcement in world.announcements():
            self.core.boxes.readmit(announcement, signers=self.core.signers)
        self.store = NodeStore.open(folder / f"{agency}.sqlite", agency=agency)
        self.incoming = Incoming(core=self.core, store=self.store, root=world.TRUST)
        self.now_ms = NOW

    def judge(self, made: bytes) -> Judged:
        """Judge the reader's cut of an envelope."""
        return self.core.judge(cut(made, self.agency), now_ms=self.now_ms, state=self.store)

    def judge_cut(self, received: bytes) -> Judged:
        return self.core.judge(received, now_ms=self.now_ms, state=self.store)

    def take(self, *messages: DownMessage) -> Any:
        return self.incoming.take(messages, Moment(at_ms=self.now_ms, machine_ms=0))

    def deliver(self, made: bytes) -> Any:
        number = self.store.value(LAST_DSEQ) + 1
        return self.take(Delivery("delivery", number, cut(made, self.agency)))

    def noted(self, *stages: str) -> list[dict[str, Any]]:
        return [
            entry.fields | {"stage": entry.stage} for entry in self.store.journal.entries() if entry.stage in stages
        ]

    def stages(self) -> list[str]:
        return [entry.stage for entry in self.store.journal.entries()]


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    made = Reader(tmp_path)
    yield made
    made.store.close()


def rejected(judged: Judged) -> tuple[str, str]:
    assert isinstance(judged, Rejected)
    return judged.stage, judged.code


def one(name: str = "base", *, seq: int = 1, **changes: Any) -> bytes:
    return envelope(**{"name": name, "seq": seq, "labels": (world.LABEL,), "readers": (("bravo", (0,)),), **changes})


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


# The sequence.


def test_a_second_message_under_one_number_is_an_equivocation(reader: Reader) -> None:
    reader.deliver(one("first", seq=1))

    assert ("freshness", "EQUIVOCATION") == rejected(reader.judge(one("second", seq=1)))


def test_a_router_that_changes_a_number_puts_nobody_else_in_doubt(reader: Reader) -> None:
    """Until the wrap has opened nothing proves that its originator chose the number."""
    reader.deliver(one("first", seq=1))
    parts = unpack(cut(one("second", seq=2), "bravo"), bytes_max=256 * 1024)
    (wrap,) = unpack(parts[5], bytes_max=256 * 1024)
    renumbered = (*wrap[:4], 1, wrap[5])

    judged = reader.judge_cut(pack((*parts[:5], pack((renumbered,)), parts[6])))

    assert ("unwrap", "BAD_WRAP") == rejected(judged)


def test_the_same_message_again_is_a_duplicate_without_effect(reader: Reader) -> None:
    made = one()
    reader.deliver(made)
    reader.store.take_owed()

    effects = reader.deliver(made)

    assert isinstance(reader.judge(made), Duplicate)
    assert ([], False, [Ack("ack", 2)]) == (effects.arrivals, reader.store.owes(), effects.replies)
    assert 1 == len(reader.noted("verified"))


def test_numbers_inside_the_window_come_in_any_order_and_below_it_not_at_all(reader: Reader) -> None:
    top = REPLAY_WINDOW_MESSAGES + 5
    reader.deliver(one("top", seq=top))

    assert isinstance(reader.judge(one("in", seq=6)), Accepted)
    assert ("freshness", "SEQUENCE") == rejected(reader.judge(one("below", seq=5)))


def test_the_window_forgets_what_lies_below_it(reader: Reader) -> None:
    for seq in (1, 2, REPLAY_WINDOW_MESSAGES + 2):
        reader.deliver(one(f"m{seq}", seq=seq))

    held = [seq for (seq,) in reader.store._sql.execute("SELECT seq FROM seen ORDER BY seq")]
    assert [REPLAY_WINDOW_MESSAGES + 2] == held


def test_a_gap_is_counted_and_what_follows_is_taken_all_the_same(reader: Reader) -> None:
    reader.deliver(one("first", seq=1))
    effects = reader.deliver(one("fifth", seq=5))

    assert [("alpha", 3)] == [(entry["originator"], entry["messages"]) for entry in reader.noted("missing")]
    assert 1 == len(effects.arrivals)
    reader.deliver(one("third", seq=3))
    assert 1 == len(reader.noted("missing"))


def test_what_was_seen_is_known_after_a_restart(tmp_path: Path) -> None:
    first = Reader(tmp_path)
    made = one()
    first.deliver(made)
    first.store.close()

    again = Reader(tmp_path)

    assert isinstance(again.judge(made), Duplicate)
    assert ("freshness", "EQUIVOCATION") == rejected(again.judge(one("other")))
    assert Hello("hello", 1, world.BUNDLE_VERSION) == again.incoming.hello()
    again.store.close()


# Recalls and corrections.


def recall_of(hid: bytes, *, seq: int, by: str = "alpha") -> bytes:
    return envelope(
        name=f"recall {seq}", kind="recall", by=(by,), ref=hid, labels=(), readers=(("bravo", ()),), seq=seq
    )


def test_a_recall_erases_keeps_the_id_and_owes_a_receipt(reader: Reader) -> None:
    message, made = sealed(labels=(world.LABEL,), readers=(("bravo", (0,)),))
    reader.deliver(made)
    reader.store.take_owed()

    reader.deliver(recall_of(message.hid, seq=2))

    assert [] == reader.store.portions(message.hid)
    held = reader.store.held(message.hid)
    assert held is not None
    assert held.recalled
    assert [("purged", message.bits(0))] == [
        (i.status, i.bits) for items in reader.store.take_owed().values() for i in items
    ]


@pytest.mark.parametrize("seq", [1, 3])
def test_what_was_recalled_stays_recalled_after_a_replay(reader: Reader, seq: int) -> None:
    """The very same delivery, and a fresh release of the same message."""
    message, _ = sealed(labels=(world.LABEL,), readers=(("bravo", (0,)),))
    reader.deliver(one())
    reader.deliver(recall_of(message.hid, seq=2))

    effects = reader.deliver(one(seq=seq))

    assert [] == effects.arrivals
    assert [] == reader.store.portions(message.hid)
    assert ("duplicate" if seq == 1 else "rejected") == reader.stages()[-1]


def test_a_recall_that_comes_before_its_message_is_kept(reader: Reader) -> None:
    """RCL-007: precedence and lost links reorder; the text must not be taken up after its author took it back."""
    message, _ = sealed(labels=(world.LABEL,), readers=(("bravo", (0,)),))
    reader.deliver(recall_of(message.hid, seq=2))

    judged = reader.judge(one())

    assert ("release", "RECALLED") == rejected(judged)
    assert [] == [hid for hid in reader.store.message_ids() if hid == message.hid]
    assert reader.store.owes()


def test_a_strangers_recall_that_comes_first_keeps_nobody_from_the_message(reader: Reader) -> None:
    message, _ = sealed(labels=(world.LABEL,), readers=(("bravo", (0,)),))
    reader.deliver(recall_of(message.hid, seq=1, by="charlie"))

    effects = reader.deliver(one())

    assert ["Part 1"] == [content.title for _, content in effects.arrivals[0].contents]
    held = reader.store.held(message.hid)
    assert held is not None
    assert ("alpha", False) == (held.originator, held.recalled)


def test_somebody_elses_recall_or_correction_of_a_message_held_is_refused(reader: Reader) -> None:
    message, _ = sealed(labels=(world.LABEL,), readers=(("bravo", (0,)),))
    reader.deliver(one())

    assert ("policy", "REFERENCE") == rejected(reader.judge(recall_of(message.hid, seq=1, by="charlie")))
    assert ("policy", "REFERENCE") == rejected(reader.judge(one("correction", by=("charlie",), ref=message.hid)))
    assert [] != reader.store.portions(message.hid)


def test_a_correction_is_noted_at_the_message_that_it_supersedes(reader: Reader) -> None:
    message, _ = sealed(labels=(world.LABEL,), readers=(("bravo", (0,)),))
    reader.deliver(one())
    effects = reader.deliver(one("correction", seq=2, ref=message.hid))

    assert message.hid == effects.arrivals[0].ref
    assert [message.hid.hex()] == [entry["hid"] for entry in reader.noted("superseded")]


def test_a_later_release_adds_its_portions_to_the_message(reader: Reader) -> None:
    labels = (world.LABEL, world.LABEL)
    reader.deliver(one(labels=labels))
    effects = reader.deliver(one(labels=labels, readers=(("bravo", (1,)),), seq=2))

    (hid,) = reader.store.message_ids()
    assert 2 == len(reader.store.portions(hid))
    assert ["Part 2"] == [content.title for _, content in effects.arrivals[0].contents]


# Receipts.


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


# Chunks.


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


# Keys and the journal.


def test_a_key_ring_rotates_weekly_and_erases_what_is_over() -> None:
    kept = Keys(new_key_ring("bravo", SystemEntropy()))
    first = kept.rotate(now_ms=NOW, entropy=SystemEntropy())
    assert first is not None
    assert kept.rotate(now_ms=NOW + BOX_EPOCH_MS - CLOCK_SKEW_MS_MAX - 1, entropy=SystemEntropy()) is None
    second = kept.rotate(now_ms=NOW + BOX_EPOCH_MS - CLOCK_SKEW_MS_MAX, entropy=SystemEntropy())
    assert second is not None
    assert [1, 2] == [pair.epoch for pair in kept.pairs()]
    assert first == kept.at_epoch(1)

    kept.rotate(now_ms=NOW + 2 * BOX_EPOCH_MS, entropy=SystemEntropy())

    assert [2, 3] == [pair.epoch for pair in kept.pairs()]
    assert BOX_EPOCH_MS + BOX_EPOCH_OVERLAP_MS == first.expires - first.not_before
    assert kept.pairs() == Keys(kept.ring()).pairs()


def test_an_agency_without_a_key_that_holds_says_so() -> None:
    with pytest.raises(RemoteError, match="has no box key that holds now") as caught:
        Keys(new_key_ring("bravo", SystemEntropy())).current(now_ms=NOW)

    assert "KEY_EPOCH" == caught.value.code


def test_another_agencys_announcements_are_proved_kept_and_bounded(reader: Reader) -> None:
    pair = world.box_pair("alpha", world.EPOCH)
    for epoch in range(20, 30):
        later = type(pair)(
            epoch=epoch, public=pair.public, secret=pair.secret, not_before=pair.not_before, expires=pair.expires
        )
        reader.take(announce(later, agency="alpha", signer=world.sign_pair("alpha")))
    reader.take(announce(pair, agency="alpha", signer=world.sign_pair("bravo")))

    assert 4 == len(reader.store.announcements())
    assert ["BAD_SIG"] == [entry["code"] for entry in reader.noted("rejected")]
    assert all(isinstance(item, Announcement) for item in reader.store.announcements())


def test_the_journal_is_a_chain_that_names_no_text(reader: Reader) -> None:
    reader.deliver(one())
    rows = reader.store._sql.execute("SELECT number, chain FROM journal ORDER BY number").fetchall()

    assert list(range(1, len(rows) + 1)) == [number for number, _ in rows]
    assert len(rows) == len({chain for _, chain in rows})
    texts = "".join(text for (text,) in reader.store._sql.execute("SELECT fields FROM journal"))
    assert "two boats seen" not in texts


# Pre-flight.


def left_out(*labels: Label, reader: str = "bravo") -> str:
    community = Community.compile(world.BUNDLE)
    audience = find_audience(labels, author="alpha", to=(reader,), quotes=(), at_ms=NOW, community=community)
    return audience.left_out[reader]


def test_preflight_names_the_rule_of_the_portion_that_came_closest() -> None:
    """A tear-line's source is denied to all, as it should be: what a planner must hear of is the tear-line's rule."""
    source = world.HIGH._replace(caveats=("NATONLY",))
    tear_line = Label("CLEAR", "EX-UNCLAS", "bio.outbreak")

    assert "NTK-PERMIT" == left_out(source, tear_line) == left_out(tear_line, source)
    assert "NTK-CLEARANCE" == left_out(source, world.HIGH)


def test_of_two_portions_as_close_the_later_one_is_named() -> None:
    high = world.LABEL._replace(level="EX-SECRET")
    elsewhere = world.LABEL._replace(topic="bio.outbreak")

    assert "NTK-PERMIT" == left_out(high, elsewhere)
    assert "NTK-CLEARANCE" == left_out(elsewhere, high)
