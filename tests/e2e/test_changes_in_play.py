"""The community changes in mid-play: over real MQTT and in virtual time alike, and the log still explains it all."""

import asyncio
from pathlib import Path
from typing import Final

import pytest

from conformance.audit_verifier import verify_folder
from policy.community import Community
from scenarios.engine import prepared
from scenarios.enrolment import enrol
from scenarios.evaluate.evaluation import evaluate
from scenarios.model import Pack
from scenarios.pack import load_pack
from scenarios.record import Event, read_record
from scenarios.rehearsal import rehearse
from scenarios.report.page import write_aar
from sealing.entropy import SystemEntropy
from tests.samples.command_line import HARBOUR_WATCH
from tests.samples.two_plays import comparable, judged

CHANGES: Final = """\
changes:
  - {id: C1, at: T+10m, join: {mechanism: pool, who: [idn-mar]}, why: consensus of all members}
  - {id: C2, at: T+30m, suspend: in-port, why: its keys may be exposed}
  - {id: C3, at: T+50m, restore: in-port}
  - {id: C4, at: T+70m, leave: {mechanism: pool, who: [idn-mar]}, chair: idn-mar}
"""
MECHANISM: Final = "  pool: {title: A pool, since: 2009-04-27, members: [mys-mar, rb-ifc], observers: [idn-mar]}\n"
RULES: Final = """\
  - {id: R0, permit: {topic: pool.*, mechanism: pool}}
  - {id: R9, permit: {topic: open.*}}
"""
LABELS: Final = """\
  shared: {tlp: GREEN, level: EX-UNCLAS, topic: pool.assessment, mechanisms: [pool]}
  open: {tlp: GREEN, level: EX-UNCLAS, topic: open.news}
"""
NEWS: Final = {2: "shared", 20: "shared", 40: "open", 55: "open", 80: "shared"}  # by minute, under which label
INJECT: Final = """\
  - id: I{minute}
    time: T+{minute}m
    from: sim/desk
    to: [mys-mar]
    title: News of minute {minute}
    label: open
    message: 'EXERCISE. As of minute {minute}.'
    controller: excon
    objective: O1
    expected: It is passed on
"""
ORDER: Final = """\
  - id: P{minute}
    who: mys-mar
    on: {{inject_delivered: I{minute}}}
    do: report
    to: need-to-know
    label: {label}
    why: As it comes
"""
ADDED: Final = {
    "mechanisms:\n": MECHANISM,
    "rules:\n": RULES,
    "labels:\n": LABELS,
    "msel:\n": "".join(INJECT.format(minute=minute) for minute in NEWS),
    "orders:\n": "".join(ORDER.format(minute=minute, label=label) for minute, label in NEWS.items()),
}


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    text = HARBOUR_WATCH.read_text(encoding="utf-8")
    for part, added in ADDED.items():
        assert part in text
        text = text.replace(part, part + added, 1)
    path = tmp_path_factory.mktemp("pack") / "changing.yaml"
    path.write_text(text + CHANGES, encoding="utf-8")
    return load_pack(path)


@pytest.fixture(scope="module")
def virtual(pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("virtual")
    rehearse(pack, folder=folder)
    return folder


@pytest.fixture(scope="module")
def events(virtual: Path) -> tuple[Event, ...]:
    return read_record(virtual / "record")


def told(pack: Pack, events: tuple[Event, ...], agency: str) -> list[int]:
    """Return at which minutes the reports of mys-mar's news reached an agency."""
    orders = {event.fields["hid"]: str(event.fields["order"]) for event in events if event.stage == "released"}
    return sorted(
        int(orders[event.fields["hid"]][1:])
        for event in events
        if event.stage == "verified" and event.source == agency and orders.get(event.fields["hid"], "").startswith("P")
    )  # fmt: skip


def test_both_worlds_change_alike(pack: Pack, events: tuple[Event, ...], tmp_path: Path) -> None:
    """An agency that is suspended loses its session and comes back; how long that takes is no time of play."""

    async def play() -> None:
        async with prepared(pack, folder=tmp_path, entropy=SystemEntropy()) as (exercise, region):
            await exercise.play(region)

    asyncio.run(play())
    real = read_record(tmp_path / "record")

    assert comparable(events) == comparable(real)
    assert judged(pack, events) == judged(pack, real)


def test_h18_who_joins_is_told_from_then_on_and_who_leaves_no_more(pack: Pack, events: tuple[Event, ...]) -> None:
    """An observer gets nothing, a new member nothing of before, and one that left nothing of after."""
    assert [20, 40, 55] == told(pack, events, "idn-mar")


def test_h18_a_suspended_agency_is_told_nothing_until_it_is_restored(pack: Pack, events: tuple[Event, ...]) -> None:
    assert [55] == told(pack, events, "in-port")


def test_excon_writes_each_change_down_with_who_signed_it(pack: Pack, events: tuple[Event, ...]) -> None:
    changed = [event for event in events if event.stage == "bundle_changed"]

    assert [
        (10, 2, ["idn-mar joins pool"]),
        (30, 3, ["in-port is suspended"]),
        (50, 4, ["in-port is active again"]),
        (70, 5, ["idn-mar leaves pool", "idn-mar takes the chair"]),
    ] == [
        ((event.at_ms - pack.start_ms) // 60_000, event.fields["version"], event.fields["steps"]) for event in changed
    ]
    assert {("auth-chair", "auth-host")} == {tuple(event.fields["signed_by"]) for event in changed}
    # Every node took every version up, the suspended one too.
    assert {source: [2, 3, 4, 5] for source in ("mys-mar", "idn-mar", "rb-ifc", "in-port")} == {
        source: [event.fields["version"] for event in events if event.source == source and event.stage == "bundle"]
        for source in ("mys-mar", "idn-mar", "rb-ifc", "in-port")
    }


def test_each_release_is_judged_by_the_bundle_of_its_time(pack: Pack, events: tuple[Event, ...]) -> None:
    """The first bundle has idn-mar as observer and in-port as active; both were otherwise for a while."""
    evaluation = evaluate(pack, events, Community.compile(enrol(pack, entropy=SystemEntropy()).bundle))

    assert 5 == evaluation.bundle_version
    assert [
        (10, {"idn-mar": 1}, {}),
        (30, {}, {"in-port": 1}),
        (50, {"in-port": 1}, {}),
        (70, {}, {"idn-mar": 1}),
    ] == [(change.at_ms // 60_000, change.reached, change.kept_from) for change in evaluation.changes]
    assert [] == list(evaluation.reconciliation.unexplained)
    assert "in-port" not in {outage.agency for outage in evaluation.outages}  # its session ended, and not its link


def test_the_report_tells_of_each_change_and_what_it_came_to(
    pack: Pack, events: tuple[Event, ...], tmp_path: Path
) -> None:
    evaluation = evaluate(pack, events, Community.compile(enrol(pack, entropy=SystemEntropy()).bundle))
    page = write_aar(pack, events, evaluation, tmp_path).html.read_text(encoding="utf-8")

    assert "The community changes to version 2 (C1): idn-mar joins pool. Consensus of all members." in page
    assert "idn-mar got 1 that it would not have had" in page
    assert "in-port was kept from 1 that it would have had" in page
    assert 'id="changes"' in page


def test_the_provable_log_holds_across_every_change(virtual: Path) -> None:
    assert [] == list(verify_folder(virtual / "log").findings)
