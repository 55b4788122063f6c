"""The independent records against one another: nothing to explain, or the message is named."""

from collections.abc import Callable

import pytest

from scenarios.evaluate.evaluation import evaluate
from scenarios.evaluate.reconcile import Reconciliation
from scenarios.record import Event
from tests.samples.small_exercise import Recorder, hid, small_community, small_pack, small_record


def reconciled(events: tuple[Event, ...] | list[Event]) -> Reconciliation:
    return evaluate(small_pack(), events, small_community()).reconciliation


def without(drop: Callable[[Event], bool]) -> tuple[Event, ...]:
    return tuple(event for event in small_record() if not drop(event))


def is_about(event: Event, source: str, stage: str, message: str) -> bool:
    return (event.source, event.stage, event.fields.get("hid")) == (source, stage, hid(message))


def test_the_lost_delivery_is_named_and_nothing_else() -> None:
    result = reconciled(small_record())

    assert [("acknowledged delivery", hid("M6"), "delta")] == [
        (each.check, each.hid, each.agency) for each in result.unexplained
    ]


def test_a_message_on_its_way_at_endex_is_explained() -> None:
    """Charlie's link was down, so alpha's correction waits at the router."""
    assert [("forwarded", hid("M9"), "charlie")] == [
        (each.check, each.hid, each.agency) for each in reconciled(small_record()).on_the_way
    ]


def test_every_check_is_really_made() -> None:
    checks = reconciled(small_record()).checks

    assert [] == [check.check for check in checks if check.made == 0]


@pytest.mark.parametrize(
    ("source", "stage", "message", "check"),
    [
        ("router", "admitted", "M4", "released"),  # its author holds an acceptance nobody gave
        ("bravo", "released", "M4", "admitted"),  # forged, or its author's record was cut
        ("bravo", "verified", "M99", ""),  # nothing of the kind: the baseline
        ("router", "refused", "M5", "released"),
    ],
)
def test_a_line_missing_on_one_side_is_found_by_the_other(source: str, stage: str, message: str, check: str) -> None:
    found = {
        each.check for each in reconciled(without(lambda event: is_about(event, source, stage, message))).unexplained
    }

    assert ({check} if check else set()) <= found - {"acknowledged delivery"}
    assert bool(check) == bool(found - {"acknowledged delivery"})


def test_a_released_message_without_any_answer_is_taken_to_be_on_its_way() -> None:
    record = Recorder()
    record.note(0, "excon", "startex")
    record.release(5, "alpha", "M1", ["bravo"], passages=["p1"])
    record.note(120, "excon", "endex")
    alone = [event for event in record.events if event.source != "router" and event.stage != "accepted"]

    result = reconciled(alone)

    assert ((), ["released"]) == (result.unexplained, [each.check for each in result.on_the_way])


def test_a_portion_read_without_the_routers_permission_is_named() -> None:
    events = without(
        lambda event: (
            event.stage == "decided" and (event.fields["hid"], event.fields["recipient"]) == (hid("M1"), "charlie")
        )
    )

    assert ("permitted", hid("M1"), "charlie") in {
        (each.check, each.hid, each.agency) for each in reconciled(events).unexplained
    }


def test_a_receipt_that_the_readers_record_does_not_bear_out_is_named() -> None:
    """A reader may lie in a receipt; its own signed record then contradicts it."""
    record = Recorder()
    record.events = list(small_record())
    record.note(100, "alpha", "receipt", hid=hid("M1"), reader="bravo", status="acted", bits=1, reported_ms=0)
    record.note(100, "alpha", "receipt", hid=hid("M3"), reader="echo", status="acknowledged", bits=1, reported_ms=0)

    assert [("receipt", hid("M3"), "echo")] == [
        (each.check, each.hid, each.agency) for each in reconciled(record.events).unexplained if each.check == "receipt"
    ]


def test_an_arrival_that_the_router_never_admitted_is_named() -> None:
    record = Recorder()
    record.events = list(small_record())
    record.note(100, "bravo", "delivered", hid="ff" * 32, kind="report", originator="alpha", bits=1)

    assert ("arrival", "ff" * 32, "bravo") in {
        (each.check, each.hid, each.agency) for each in reconciled(record.events).unexplained
    }
