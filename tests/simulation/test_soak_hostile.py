"""Malice in the soak: each kind once by a plan of its own, with the detection by its name; and detections planted shut.

A plan that passes says only that nothing broke, so every test asks besides that the deed was done and was noticed.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from console.soak import audit_log
from scenarios.soak.canaries import blind, nodes
from scenarios.soak.canaries.sound import Sound
from scenarios.soak.draw import draw_plan
from scenarios.soak.hostile_side import RECEIPT_DUE_MS
from scenarios.soak.hostility import (
    FORMS,
    POISON_FORMS,
    Drop,
    Flood,
    Hostility,
    Lie,
    Misroute,
    Poison,
    PoisonForm,
    Quota,
    Replay,
    Slow,
    SplitView,
    Substitute,
)
from scenarios.soak.invariants import BOUNDS, NOTICED, ONE_EFFECT
from scenarios.soak.plan import Message, Plan, read_plan
from scenarios.soak.run import Outcome, run_plan

READERS = (
    "brn-cert", "idn-cert", "khm-cert", "lao-cert", "mmr-cert", "mys-cert", "phl-cert", "sgp-cert", "tha-cert",
    "tls-cert", "vnm-cert", "rb-cert", "rb-fusion",
)  # fmt: skip
AUTHOR, READER, STRANGER = "sgp-cert", "idn-cert", "vnm-mar"
TO_ALL = tuple(Message(number=number, at_ms=1_000 + 3_000 * number, agency=AUTHOR, labels=(7,)) for number in range(4))
OF_ANOTHER = Message(number=9, at_ms=2_000, agency="mys-cert", labels=(0,))
LATER = tuple(Message(number=20 + n, at_ms=45_000 + 2_000 * n, agency="mys-cert", labels=(7,)) for n in range(3))
SMALL_QUOTA = Quota(messages_per_s=20, messages_burst=100, queue_rows_max=100)
LOOKED_FOR_MS, SLACK_MS = 10_000, 2_000


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Lines about lost links and refused frames are what malice is made of."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


def plan(*hostility: Hostility, messages: Sequence[Message] = (*TO_ALL, OF_ANOTHER), **fields: Any) -> Plan:
    defaults = {"seed": 5, "span_ms": 60_000, "line_ms_most": 40, "disk_ms_most": 1, "faults": ()}
    return Plan(**{**defaults, "messages": tuple(messages), "hostility": hostility, **fields})


def play(*hostility: Hostility, canary: Sound | None = None, **fields: Any) -> Outcome:
    return run_plan(plan(*hostility, **fields), canary=canary, auditor=audit_log, keep_lines=True)


def entries(outcome: Outcome, *stages: str) -> list[tuple[int, str, str, dict[str, Any]]]:
    """Return virtual time, agency, stage and fields of the journals' entries of these stages."""
    found = []
    for line in outcome.lines:
        at_ms, owner, row = line.split(" ", 2)
        for stage in stages:
            if f", '{stage}', " in row and owner != "broker":
                fields = json.loads(row[row.index("{") : row.rindex("}") + 1].replace("\\'", "'").replace("\\\\", "\\"))
                found.append((int(at_ms), owner, stage, fields))
    return found


def much_poison(form: PoisonForm) -> list[Hostility]:
    """Return more than a node has room for in quarantine, and never more at once than its queue of frames holds."""
    return [
        Poison(at_ms=9_000 + 250 * number, agency=READER, direction="down", form=form, times=50) for number in range(30)
    ]


# A router that drops.


@pytest.mark.parametrize("how", ["emptied", "hidden"])
def test_what_a_router_drops_its_author_calls_overdue_in_time_and_an_auditor_names(how: Any) -> None:
    outcome = play(Drop(at_ms=0, lasts_ms=30_000, reader=READER, how=how))

    assert outcome.violation is None
    released = {fields["hid"]: at_ms for at_ms, _, _, fields in entries(outcome, "released")}
    overdue = {fields["hid"]: at_ms for at_ms, _, _, fields in entries(outcome, "overdue")}
    assert 4 <= len(overdue) == outcome.sometimes[f"evil {how}"]
    assert max(overdue[hid] - released[hid] for hid in overdue) <= RECEIPT_DUE_MS + LOOKED_FOR_MS + SLACK_MS
    assert {(READER,)} == {tuple(fields["readers"]) for _, _, _, fields in entries(outcome, "overdue")}
    assert outcome.sometimes["audit unexplained" if how == "emptied" else "audit hidden"] >= 4


def test_a_router_that_drops_everything_is_named_by_every_author() -> None:
    outcome = play(Drop(at_ms=0, lasts_ms=60_000, reader=None, how="emptied"))

    assert outcome.violation is None
    assert {AUTHOR, "mys-cert"} == {agency for _, agency, _, _ in entries(outcome, "overdue")}
    assert "node verified" not in outcome.sometimes


# A router that replays.


def test_what_is_delivered_again_has_no_second_effect() -> None:
    outcome = play(Replay(at_ms=30_000, reader=None))

    assert outcome.violation is None
    assert 10 <= outcome.sometimes["evil replayed"] == outcome.sometimes["node duplicate"]
    assert outcome.sometimes["audit forged"] >= outcome.sometimes["evil replayed"]


def test_what_is_delivered_again_after_months_is_refused_for_its_age() -> None:
    """Its number is forgotten by then; its age stands between it and a second effect, and that its key has gone."""
    outcome = play(Replay(at_ms=30_000, reader=None, months=True))

    assert outcome.violation is None
    assert outcome.sometimes["node rejected STALE"] >= 5
    assert outcome.sometimes["audit forged"] >= outcome.sometimes["evil replayed after months"]


# A router that substitutes and misroutes.


def test_no_part_of_a_cut_can_be_swapped_or_bent() -> None:
    """Each reader is sent another forgery; all reject, nothing is opened, and the author misses every receipt."""
    forms = dict(zip((name for name in READERS if name != AUTHOR), FORMS[1:], strict=True))
    acts = [Substitute(at_ms=0, lasts_ms=60_000, reader=reader, form=form) for reader, form in forms.items()]
    outcome = play(*acts)

    assert outcome.violation is None
    assert list(forms.values()) == [form for form in FORMS if f"evil substituted {form}" in outcome.sometimes]
    assert set() == forms.keys() & {agency for _, agency, _, _ in entries(outcome, "verified")}
    for code in ("BAD_SIG", "BAD_WRAP", "KEY_EPOCH", "NOT_FOR_ME", "TRUNCATED", "DEPTH", "LIMIT", "SHAPE"):
        assert outcome.sometimes[f"node rejected {code}"] >= 1
    assert outcome.sometimes["audit changed"] >= 10


def test_a_body_that_is_another_messages_is_refused() -> None:
    outcome = play(Substitute(at_ms=0, lasts_ms=60_000, reader=READER, form="body"))

    assert outcome.violation is None
    assert outcome.sometimes["node rejected BLOB_HASH"] >= 4
    assert outcome.sometimes["audit changed"] >= 4


def test_a_cut_is_of_no_use_to_whom_it_is_not_for() -> None:
    """As it is, or with the stranger's name on it; the ghost tries all of the stranger's keys, of every epoch."""
    outcome = play(Misroute(at_ms=0, lasts_ms=60_000, stranger=STRANGER))

    assert outcome.violation is None
    assert 0 < outcome.sometimes["node rejected NOT_FOR_ME"]
    assert 0 < outcome.sometimes["node rejected BAD_WRAP"]
    assert [] == [fields for _, agency, _, fields in entries(outcome, "verified") if agency == STRANGER]
    assert outcome.sometimes["audit forged"] >= outcome.sometimes["evil misrouted"] >= 1


# A router that lies.


@pytest.mark.parametrize(
    ("verdict", "deed", "noticed"),
    [
        ("accepted", "evil accepted and kept", "noticed overdue"),
        ("refused", "evil refused without cause", "node refused AUDIENCE"),
        ("another", "evil another's verdict", "node accepted"),
    ],
)
def test_a_verdict_that_is_not_true_is_found_out(verdict: Any, deed: str, noticed: str) -> None:
    outcome = play(Lie(at_ms=3_000, lasts_ms=30_000, author=AUTHOR, verdict=verdict))

    assert outcome.violation is None
    assert 0 < outcome.sometimes[deed]
    assert 0 < outcome.sometimes[noticed]
    # That of another settles nothing: the author asks again, and no trace of it is left for an auditor.
    assert (verdict == "another") == ("audit dropped" not in outcome.sometimes)


def test_a_log_without_a_leaf_is_seen_by_a_witness_within_a_heartbeat() -> None:
    act = SplitView(at_ms=30_000, lasts_ms=30_000, agencies=(READER,), how="past")
    outcome = play(act, messages=(*TO_ALL, *LATER))

    assert outcome.violation is None
    faults = entries(outcome, "log_fault")
    assert {READER} == {agency for _, agency, _, _ in faults}
    assert {fields["fault"] for _, _, _, fields in faults} <= {"ROLLBACK", "SPLIT_VIEW", "FORK"}
    assert all(len(fields["evidence"]) == 2 for _, _, _, fields in faults)
    assert outcome.sometimes["audit forged"] >= 1


def test_a_log_that_one_agency_alone_is_shown_is_found_by_whoever_meets_it_within_a_heartbeat() -> None:
    """Whoever is only ever shown the second tree cannot know of the first; who is sent its receipts can."""
    act = SplitView(at_ms=500, lasts_ms=300_000, agencies=(READER,), how="future")
    outcome = play(act, messages=(*TO_ALL, *LATER), span_ms=100_000)

    assert outcome.violation is None
    assert outcome.sometimes["evil split view, future"] >= 1
    assert outcome.sometimes["audit forged"] + outcome.sometimes.get("audit hidden", 0) >= 1
    met = min(at_ms for at_ms, agency, _, fields in entries(outcome, "receipt") if at_ms > 45_000)
    at_ms, agency, _, fields = entries(outcome, "log_fault")[0]
    assert ("mys-cert", "FORK") == (agency, fields["fault"])
    assert at_ms - met <= 30_000 + SLACK_MS
    # Who saw it has both notes, each with the router's own signature.
    assert 2 == len({note.split("\n")[1] for note in fields["evidence"]})


# Floods, poison and slow readers.


@pytest.mark.parametrize(("how", "messages"), [("desk", 300), ("raw", 1_500)])
def test_a_flood_is_refused_by_name_put_on_record_and_delays_nobody(how: Any, messages: int) -> None:
    flood = Flood(at_ms=3_500, agency=AUTHOR, how=how, messages=messages)
    outcome = play(flood, messages=(*TO_ALL, OF_ANOTHER, *LATER), quota=SMALL_QUOTA)

    assert outcome.violation is None
    assert outcome.sometimes["net not_taken"] >= 1
    assert outcome.sometimes["throttled, on record"] >= 1
    assert outcome.sometimes["latency of others measured"] == 1


def test_poison_is_refused_and_the_feed_goes_on() -> None:
    """Every form both ways, twenty times, and one of them more often than a node has room for in quarantine."""
    ends: list[tuple[str, Literal["up", "down"]]] = [(READER, "down"), ("mys-cert", "up"), (AUTHOR, "down")]
    acts = [
        Poison(at_ms=2_000 + 100 * number, agency=agency, direction=direction, form=form, times=20)
        for number, form in enumerate(POISON_FORMS)
        for agency, direction in ends
    ]
    outcome = play(*acts, *much_poison("statement"))

    assert outcome.violation is None
    for direction in ("up", "down"):
        assert [20] * 16 <= [outcome.sometimes[f"poison {direction} {form}"] for form in POISON_FORMS]
    assert 1 == outcome.sometimes["node quarantine_full"]
    assert 4 <= len({fields["hid"] for _, agency, _, fields in entries(outcome, "verified") if agency == READER})


def test_a_slow_reader_is_served_from_its_rows_and_delays_nobody() -> None:
    outcome = play(Slow(at_ms=0, lasts_ms=40_000, agency=READER, bytes_per_s=300))

    assert outcome.violation is None
    assert outcome.sometimes["latency of others measured"] == 1


def test_a_reader_that_asks_for_more_than_it_reads_is_closed_by_name_and_goes_on_later() -> None:
    outcome = play(Slow(at_ms=0, lasts_ms=40_000, agency=READER, bytes_per_s=2_000, greedy=True))

    assert outcome.violation is None
    assert outcome.sometimes["net too_slow"] >= 1
    assert 4 <= len({fields["hid"] for _, agency, _, fields in entries(outcome, "verified") if agency == READER})


# Detections that are planted shut; those that an author, a witness and a record are for have a plan in the corpus.


@pytest.mark.parametrize(
    ("canary", "acts", "invariant", "said"),
    [
        (nodes.NoDedupe, [Replay(at_ms=30_000, reader=None)], ONE_EFFECT, "a second time"),
        (blind.EverythingNoted, much_poison("deep"), BOUNDS, "entries on what could not be taken"),
    ],
    ids=["replays", "poison"],
)
def test_the_ghost_says_so_where_nothing_notices(
    canary: type[Sound], acts: list[Hostility], invariant: int, said: str
) -> None:
    outcome = play(*acts, canary=canary(5))

    assert outcome.violation is not None
    assert invariant == outcome.violation.invariant
    assert said in outcome.violation.text


@pytest.mark.parametrize(
    "act",
    [
        Drop(at_ms=0, lasts_ms=30_000, reader=READER, how="hidden"),
        Misroute(at_ms=0, lasts_ms=60_000, stranger=STRANGER),
        Replay(at_ms=30_000, reader=READER),
        Lie(at_ms=0, lasts_ms=30_000, author=AUTHOR, verdict="accepted"),
        Substitute(at_ms=0, lasts_ms=60_000, reader=READER, form="body"),
    ],
    ids=lambda act: act.kind,
)
def test_the_ghost_says_so_where_an_auditor_is_blind(act: Hostility) -> None:
    outcome = run_plan(plan(act), auditor=lambda _folder: ())

    assert outcome.violation is not None
    assert NOTICED == outcome.violation.invariant


# Plans.


def test_malice_survives_its_text(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    drawn = [draw_plan(seed) for seed in range(200)]
    hostile = [one for one in drawn if one.hostility]
    for one in hostile:
        path.write_text(one.model_dump_json())

        assert one == read_plan(path)
    kinds = {act.kind for one in hostile for act in one.hostility}
    assert {
        "drop", "replay", "substitute", "misroute", "lie", "split_view", "flood", "poison", "slow",
    } == kinds  # fmt: skip
