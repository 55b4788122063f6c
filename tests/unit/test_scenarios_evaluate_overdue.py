"""Overdue receipts in the evaluation: who was waited for, what became of it, and which link explains it."""

import json
from dataclasses import replace
from pathlib import Path

from scenarios.evaluate.history import History
from scenarios.evaluate.overdue import OverdueReceipt, list_overdue
from scenarios.model import LinkProfile, Outage, Pack
from scenarios.pack import load_pack_with_places
from scenarios.rehearsal import rehearse
from tests.samples.command_line import HARBOUR_WATCH
from tests.samples.small_exercise import MINUTE_MS, Recorder, hid, small_pack


def overdue_of(record: Recorder, pack: Pack | None = None) -> tuple[OverdueReceipt, ...]:
    pack = pack or small_pack()
    return list_overdue(pack, History(pack, record.events))


def with_outages(pack: Pack, *outages: Outage, read_every_ms: int | None = None) -> Pack:
    """Return a pack in which every link has these outages."""
    links = tuple(replace(link, outages=outages, read_every_ms=read_every_ms) for link in pack.links)
    return replace(pack, links=links)


def waited(record: Recorder) -> None:
    """Have alpha release to two readers at minute 5, and one of them be overdue at minute 35."""
    record.release(5, "alpha", "M1", ["bravo", "charlie"])
    record.note(35, "alpha", "overdue", hid=hid("M1"), kind="report", readers=["charlie"], accepted=True)


def test_a_receipt_that_no_link_explains_has_no_cause() -> None:
    record = Recorder()
    waited(record)

    (row,) = overdue_of(record, with_outages(small_pack()))
    assert (hid("M1"), "alpha", "charlie", "overdue") == (row.hid, row.agency, row.reader, row.state)
    assert (5 * MINUTE_MS, 35 * MINUTE_MS, None) == (row.released_ms, row.overdue_ms, row.settled_ms)
    assert (True, "") == (row.accepted, row.cause)


def test_an_outage_that_falls_into_the_waiting_is_named_with_its_share_of_it() -> None:
    record = Recorder()
    waited(record)
    before = Outage(begin_ms=0, lasts_ms=4 * MINUTE_MS, every_ms=None)
    within = Outage(begin_ms=20 * MINUTE_MS, lasts_ms=60 * MINUTE_MS, every_ms=None)

    (row,) = overdue_of(record, with_outages(small_pack(), before, within))
    assert "the link of charlie was down for 15 min of 30 min; the link of alpha was down for 15 min of 30 min" == (
        row.cause
    )


def test_an_outage_that_comes_again_counts_each_time_and_a_node_that_fetches_is_named() -> None:
    record = Recorder()
    waited(record)
    again = Outage(begin_ms=MINUTE_MS, lasts_ms=2 * MINUTE_MS, every_ms=10 * MINUTE_MS)

    (row,) = overdue_of(record, with_outages(small_pack(), again, read_every_ms=5 * MINUTE_MS))
    assert "the link of charlie was down for 6 min of 30 min; charlie fetches every 5 min" in row.cause


def test_one_that_comes_after_all_and_one_that_never_does_are_told_apart() -> None:
    record = Recorder()
    record.release(5, "alpha", "M1", ["bravo", "charlie"])
    both = ["bravo", "charlie"]
    record.note(35, "alpha", "overdue", hid=hid("M1"), kind="report", readers=both, accepted=True)
    record.note(40, "alpha", "settled_late", hid=hid("M1"), kind="report", readers=["bravo"], accepted=True)
    record.note(90, "alpha", "expired", hid=hid("M1"), kind="report", readers=["charlie"], accepted=True)

    assert [("bravo", "settled late", 40 * MINUTE_MS), ("charlie", "expired", None)] == [
        (row.reader, row.state, row.settled_ms) for row in overdue_of(record)
    ]


def test_a_play_in_which_a_link_is_down_too_long_records_who_is_overdue_and_when_it_settled(tmp_path: Path) -> None:
    """The harbour's report is of PRIORITY, so three hours are waited for its receipt; the centre is away for four."""
    pack = load_pack_with_places(HARBOUR_WATCH).pack
    away = LinkProfile(
        link="away", delay=pack.links[0].delay, rate_bits_per_s=None, read_every_ms=None,
        outages=(Outage(begin_ms=MINUTE_MS, lasts_ms=240 * MINUTE_MS, every_ms=None),),
    )  # fmt: skip
    pack = replace(
        pack,
        duration_ms=360 * MINUTE_MS,
        links=(*pack.links, away),
        participants=tuple(
            replace(item, link="away") if item.agency == "rb-ifc" else item for item in pack.participants
        ),
    )
    rehearse(pack, folder=tmp_path)

    lines = [json.loads(line) for line in (tmp_path / "record" / "mys-mar.jsonl").read_text().splitlines()]
    watched = [line for line in lines if line["stage"] in {"overdue", "settled_late", "expired"}]
    released = {line["hid"]: line["at_ms"] for line in lines if line["stage"] == "released"}
    assert watched
    first = watched[0]
    assert ("overdue", ["rb-ifc"], True) == (first["stage"], first["readers"], first["accepted"])
    assert 180 * MINUTE_MS == first["at_ms"] - released[first["hid"]]
    late = next(line for line in watched if line["stage"] == "settled_late")
    assert (first["hid"], ["rb-ifc"]) == (late["hid"], late["readers"])
