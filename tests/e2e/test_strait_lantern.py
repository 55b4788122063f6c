"""Exercise STRAIT LANTERN, played once over real MQTT: what must be true of it, whatever the machine's speed."""

import asyncio
from pathlib import Path

import pytest

from scenarios.catalogue import find_pack
from scenarios.engine import prepared
from scenarios.model import LinkProfile, Pack
from scenarios.pack import load_pack
from scenarios.shaping import after_outage
from sealing.entropy import SystemEntropy
from tests.samples.pack_play import Play, read_play

LIMIT_S = 120


async def played(pack: Pack, folder: Path) -> None:
    async with (
        asyncio.timeout(LIMIT_S),
        prepared(pack, folder=folder, entropy=SystemEntropy()) as (exercise, region),
    ):
        await exercise.play(region)


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Play:
    pack = load_pack(find_pack("strait-lantern"))
    folder = tmp_path_factory.mktemp("play")
    asyncio.run(played(pack, folder))
    return read_play(pack, folder)


def test_play_goes_from_startex_to_endex(play: Play) -> None:
    stages = [event.stage for event in play.events if event.source == "excon"]

    assert ("commex", "startex", "endex") == (stages[0], stages[1], next(s for s in reversed(stages) if s == "endex"))
    (endex,) = play.of("endex")
    assert play.pack.start_ms + play.pack.duration_ms == endex.at_ms
    assert play.evaluation.ended
    (commex,) = play.of("commex")
    assert [] == commex.fields["silent"]


def test_no_must_not_is_broken_but_the_deliberate_one(play: Play) -> None:
    broken = {(item.must_not, item.agency, item.released_by) for item in play.evaluation.certain.disclosures}

    assert {("X2", "rb-recaap", "sgp-mar")} == broken


def test_the_deliberate_rule_gap_is_found_and_laid_to_the_rule(play: Play) -> None:
    (need,) = [item for item in play.evaluation.certain.needs if (item.need, item.agency) == ("N08", "tha-mar")]

    assert ("rule", "missed") == (need.cause, need.cell.state)
    assert need.split is not None
    assert ("NTK-PERMIT",) == need.split.rules


def test_every_other_need_that_fell_due_was_met(play: Play) -> None:
    missed = [
        (item.need, item.agency) for item in play.evaluation.certain.needs if item.cell.state in {"missed", "late"}
    ]

    assert [("N08", "tha-mar")] == missed


def test_every_branch_is_settled_once_and_says_why(play: Play) -> None:
    taken = {branch.branch: branch for branch in play.evaluation.branches}

    assert {branch.branch for branch in play.pack.branches} == taken.keys()
    assert len(play.of("branch_taken")) == len(taken)
    assert all(branch.because for branch in taken.values())


def test_every_inject_is_released_at_its_time_or_by_its_branch(play: Play) -> None:
    released = {event.fields["inject"]: event.at_ms for event in play.of("inject_released")}
    by_branch = {inject for branch in play.evaluation.branches for inject in branch.injects}

    for inject in play.pack.injects:
        if inject.time_ms is not None:
            assert play.pack.start_ms + inject.time_ms == released[inject.inject]
        else:
            assert (inject.inject in by_branch) == (inject.inject in released)
    delivered = {(event.fields["inject"], event.fields["agency"]) for event in play.of("inject_delivered")}
    assert {(item.inject, who) for item in play.pack.injects if item.inject in released for who in item.to} == delivered


def test_every_correction_reaches_all_its_past_recipients(play: Play) -> None:
    corrections = play.evaluation.corrections

    assert 5 == len(corrections)
    assert all(recipient.corrected_ms is not None for item in corrections for recipient in item.recipients)
    assert all(item.recipients for item in corrections)


def test_the_records_reconcile_without_an_unexplained_message(play: Play) -> None:
    """What the router wrote and what eleven nodes wrote, kept apart, say the same."""
    reconciliation = play.evaluation.reconciliation

    assert ((), ()) == (reconciliation.unexplained, reconciliation.on_the_way)
    assert sum(check.made for check in reconciliation.checks) > 500


def test_nothing_was_rejected_missed_doubled_or_refused(play: Play) -> None:
    faults = ("rejected", "misreleased", "missing", "duplicate", "gap", "refused", "link_down", "cancelled")

    assert [] == [(event.source, event.stage, event.fields) for stage in faults for event in play.of(stage)]


def test_what_a_desk_did_has_its_reason_in_its_own_journal(play: Play) -> None:
    orders = {order.order: order for order in play.pack.orders}
    done = [event for event in (*play.of("released"), *play.of("acted")) if event.fields["act"] != "receipt"]

    assert done
    for event in done:
        order = orders[event.fields["order"]]
        assert (order.who, order.why) == (event.source, event.fields["reason"])
        assert event.fields["cause"]


def earliest_ms(link: LinkProfile, at_ms: int, *, down: bool) -> int:
    """Return the earliest time since STARTEX at which a frame sent at a time can be through a link."""
    due = at_ms + link.delay.least_ms
    for outage in link.outages:
        due = after_outage(outage, due)
    return -(-due // link.read_every_ms) * link.read_every_ms if down and link.read_every_ms else due


def test_no_message_is_quicker_than_the_links_that_the_pack_sets(play: Play) -> None:
    links = {link.link: link for link in play.pack.links}
    link_of = {item.agency: links[item.link] for item in play.pack.participants}
    start = play.pack.start_ms
    admitted = {event.fields["hid"]: event for event in play.of("admitted") if not event.fields["re_release"]}
    released = {event.fields["hid"]: event for event in reversed(play.of("released"))}
    again = {event.fields["hid"] for event in play.of("admitted") if event.fields["re_release"]}
    checked = 0
    for event in play.of("verified"):
        hid = event.fields["hid"]
        if hid not in released or hid in again:
            continue
        routed = admitted[hid].at_ms - start
        assert routed >= earliest_ms(link_of[released[hid].source], released[hid].at_ms - start, down=False)
        assert event.at_ms - start >= earliest_ms(link_of[event.source], routed, down=True)
        checked += 1
    assert checked > 40


def test_a_node_that_polls_reads_only_at_its_times(play: Play) -> None:
    links = {link.link: link for link in play.pack.links}
    polled = {p.agency: links[p.link].read_every_ms for p in play.pack.participants if links[p.link].read_every_ms}
    read = [event for event in play.of("verified") if event.source in polled]

    assert read
    for event in read:
        every = polled[event.source]
        assert every is not None
        into = (event.at_ms - play.pack.start_ms) % every
        assert 0 == into, (event.source, into)


def test_no_text_of_the_play_is_in_its_record_or_the_brokers_database(play: Play) -> None:
    texts = [
        run.text
        for inject in play.pack.injects
        for portion in inject.material
        for run in portion.content.body
        if run.passage is not None and len(run.text) > 20
    ]
    held = b"".join(path.read_bytes() for path in (play.folder / "record").iterdir())
    broker = b"".join(path.read_bytes() for path in (play.folder / "databases").glob("broker.sqlite*"))

    assert len(texts) > 10
    assert [] == [text for text in texts if text.encode() in held + broker]
    assert b"sgp-mar" in broker
