"""What a node has sent, out of its own journal: the verdict on each message, and how far it came at each reader."""

from dataclasses import replace
from pathlib import Path

import pytest

from agencies.notices import Notice
from conformance import world
from console.happenings import Happenings, SentReport
from console.node_view import show_happening
from console.screen import console
from console.sent_log import SentLog, SentMessage, read_sent_log, sent_messages, show_sent_log
from schemas.errors import StoreError
from schemas.limits import CLOCK_SKEW_MS_MAX, RECEIPT_DUE_MS
from schemas.report import Parent
from tests.samples.overdue_receipts import WEEK_MS, look, lose_all_to
from tests.samples.small_nodes import WHY, SmallRegion, draft, hid_of, small_region, until

DUE_MS = RECEIPT_DUE_MS["ROUTINE"]
OPEN = world.LABEL._replace(tlp="GREEN")


def sent_by_alpha(region: SmallRegion) -> list[SentMessage]:
    return sent_messages(region.nodes["alpha"].store.journal.entries())


def states(message: SentMessage) -> dict[str, str]:
    return {name: reader.state for name, reader in message.readers.items()}


async def test_each_reader_stands_with_the_furthest_that_its_receipts_say(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        hid = hid_of(await region.nodes["alpha"].release(draft("one", "bravo", "charlie")))
        await region.settle()
        await region.nodes["bravo"].opened(hid)
        await region.settle()

        (message,) = sent_by_alpha(region)
        assert (hid.hex(), "report", "one", "accepted") == (message.hid, message.kind, message.title, message.state)
        assert {"bravo": "opened", "charlie": "delivered"} == states(message)


async def test_a_silent_reader_is_overdue_then_late_or_expired(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        lose_all_to(region, "bravo", "charlie")
        await region.nodes["alpha"].release(draft("one", "bravo", "charlie"))
        await until(lambda: region.journal("alpha", "accepted"))
        assert {"bravo": "waiting", "charlie": "waiting"} == states(sent_by_alpha(region)[0])
        await look(region, "alpha", world.NOW + DUE_MS)
        assert {"bravo": "overdue", "charlie": "overdue"} == states(sent_by_alpha(region)[0])

        region.set_clock(world.NOW)
        lose_all_to(region, "charlie")
        region.wire.cut("bravo")
        await until(lambda: region.journal("alpha", "settled_late"))
        await look(region, "alpha", world.NOW + WEEK_MS + CLOCK_SKEW_MS_MAX)
        (message,) = sent_by_alpha(region)
        assert {"bravo": "delivered", "charlie": "expired"} == states(message)
        assert message.readers["bravo"].settled_late
        assert "accepted" == message.state
        region.set_clock(world.NOW)
        region.wire.lost = lambda _agency, _message: False
        region.wire.cut("charlie")
        await region.settle()


async def test_a_refusal_shows_its_code_and_what_was_over_wide(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        lenient = world.BUNDLE._replace(
            agencies=tuple(
                item._replace(clearance="EX-SECRET", compartments=("SEA-EYES",)) if item.agency == "bravo" else item
                for item in world.BUNDLE.agencies
            )
        )
        region.nodes["alpha"].core.install(lenient)
        await region.nodes["alpha"].release(draft("SECRET", "bravo", label=world.HIGH))
        await region.settle()

        (message,) = sent_by_alpha(region)
        assert ("refused", "AUDIENCE") == (message.state, message.code)
        assert [("bravo", "NTK-CLEARANCE")] == [(item["reader"], item["rule"]) for item in message.refusals]
        show_sent_log(console(), SentLog(agency="alpha", messages=[message], handed_over=2))
    shown = capsys.readouterr().out
    assert "refused AUDIENCE" in shown
    assert "NTK-CLEARANCE" in shown
    assert "2 handed over and not yet sent" in shown


async def test_a_desk_is_shown_each_of_these_as_it_happens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        lose_all_to(region, "bravo")
        happenings = Happenings(region.nodes["alpha"].store)
        hid = hid_of(await region.nodes["alpha"].release(draft("one", "bravo")))
        report = happenings.sent[hid.hex()] = SentReport(audience={"bravo": 1})
        await until(lambda: region.journal("alpha", "accepted"))
        await look(region, "alpha", world.NOW + DUE_MS)
        await look(region, "alpha", world.NOW + WEEK_MS + CLOCK_SKEW_MS_MAX)
        news = happenings.news()
        for happening in news:
            show_happening(console(), happening)

        assert ["accepted", "overdue", "expired"] == [item["event"] for item in news if item.get("hid") == hid.hex()]
        assert "accepted" == report.settled
        assert () == report.owing(), "nobody waits for a receipt that can come no more"
        region.set_clock(world.NOW)
        region.wire.lost = lambda _agency, _message: False
        region.wire.cut("bravo")
        await region.settle()
    shown = capsys.readouterr().out
    assert "OVERDUE: no receipt from bravo" in shown
    assert "EXPIRED with no receipt from bravo" in shown


def test_a_full_disk_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    for notice in (Notice(word="disk_full", at_ms=0, text="no room"), Notice(word="disk_has_room", at_ms=1)):
        show_happening(console(), {"event": notice.word, "at_ms": notice.at_ms, "text": notice.text})

    shown = capsys.readouterr().out
    assert "DISK FULL: read-only" in shown
    assert "the disk has room again" in shown


def test_a_node_that_has_not_run_is_said_so(tmp_path: Path) -> None:
    part = tmp_path / "nodes" / "alpha"
    part.mkdir(parents=True)
    (part / "agency.key").touch()
    with pytest.raises(StoreError, match="has not run yet"):
        read_sent_log(tmp_path, "alpha", wanted="")


async def test_the_state_of_a_recall_stands_at_each_reader(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Purged, used in which product, or no answer yet: all that an originator can know of what it took back."""
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        alpha, bravo = region.nodes["alpha"], region.nodes["bravo"]
        hid = hid_of(await alpha.release(draft("track", "bravo", "charlie", label=OPEN)))
        await region.settle()
        (held,) = await bravo.portions(hid)
        made = draft("product", "charlie", label=OPEN)
        content = made.portions[0].content._replace(derived_from=(Parent(hid, held.commitment),))
        product = hid_of(await bravo.release(replace(made, portions=(made.portions[0]._replace(content=content),))))
        await region.settle()
        await region.stop("charlie")
        await alpha.recall(hid, WHY)

        def recalled() -> SentMessage:
            return next(item for item in sent_by_alpha(region) if item.hid == hid.hex())

        await until(lambda: states(recalled())["bravo"] == "purged" and recalled().readers["bravo"].used_in)
        message = recalled()
        assert {"bravo": "purged", "charlie": "no answer to the recall"} == states(message)
        assert [product.hex()] == message.readers["bravo"].used_in
        show_sent_log(console(), SentLog(agency="alpha", messages=[message], handed_over=0))
        shown = capsys.readouterr().out
        assert f"used in {product.hex()[:12]}" in shown
        assert "charlie: NO ANSWER TO THE RECALL" in shown
        region.start("charlie")
        await until(lambda: states(recalled()) == {"bravo": "purged", "charlie": "purged"})
