"""Which rule kept which fact from whom: found again portion by portion, since a pre-flight names one rule a reader."""

from scenarios.community_changes import Communities
from scenarios.evaluate.denials import Denial, find_denials
from scenarios.evaluate.history import History
from scenarios.evaluate.knowledge import learn
from scenarios.evaluate.tagging import tagging_of
from scenarios.record import Event
from tests.samples.small_exercise import (
    HOME_ONLY,
    MINUTE_MS,
    TO_TWO_STATES,
    Recorder,
    hid,
    small_community,
    small_pack,
    small_record,
)


def denials_of(events: tuple[Event, ...] | list[Event]) -> tuple[Denial, ...]:
    pack = small_pack()
    history, tagging = History(pack, events), tagging_of(pack)
    return find_denials(pack, history, tagging, learn(pack, history, tagging), Communities(small_community()))


def test_a_report_of_two_portions_is_denied_by_the_rule_of_each() -> None:
    """Alpha keeps the source at home and tells two states the rest; delta is in neither."""
    record = Recorder()
    record.inject(0, "E1", "alpha", "p1", "p2")
    intended = {"act": "report", "order": None, "reason": "", "cause": "E1", "to": ["charlie", "delta"]}
    record.note(5, "alpha", "intended", left_out={"delta": "NTK-NATONLY"}, **intended)
    portions = [
        {"place": place, "title": "", "label": label._asdict(), "passages": [passage], "derived_from": []}
        for place, (label, passage) in enumerate([(HOME_ONLY, "p2"), (TO_TWO_STATES, "p1")])
    ]
    head = {
        "hid": hid("M1"),
        "kind": "report",
        "ref": None,
        "act": "report",
        "order": None,
        "reason": "",
        "cause": "E1",
    }
    record.note(5, "alpha", "released", audience={"charlie": 0b10}, portions=portions, **head)

    assert {
        ("charlie", ("F2",), "NTK-NATONLY"),
        ("delta", ("F2",), "NTK-NATONLY"),
        ("delta", ("F1",), "NTK-REL"),
    } == {(denial.agency, denial.facts, denial.rule) for denial in denials_of(record.events)}


def test_where_nothing_was_sent_the_denial_is_about_what_the_desk_acted_on() -> None:
    record = Recorder()
    record.inject(0, "E2", "bravo", "p3")
    intended = {"act": "report", "order": None, "reason": "", "cause": "E2", "to": ["charlie"]}
    record.note(5, "bravo", "intended", left_out={"charlie": "NTK-PERMIT"}, **intended)

    assert [(5 * MINUTE_MS, "bravo", "charlie", ("F3",), "NTK-PERMIT", None)] == [
        (denial.at_ms, denial.holder, denial.agency, denial.facts, denial.rule, denial.hid)
        for denial in denials_of(record.events)
    ]


def test_a_refusal_is_one_denial_though_router_and_author_both_record_it() -> None:
    assert [("charlie", "alpha", ("F5",), "NTK-NATONLY", hid("M5"))] == [
        (denial.holder, denial.agency, denial.facts, denial.rule, denial.hid)
        for denial in denials_of(small_record())
        if denial.how == "refused"
    ]
