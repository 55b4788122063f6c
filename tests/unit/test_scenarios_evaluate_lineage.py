"""The lineage of derived products: whole back to the first report, or broken, and where."""

from dataclasses import replace
from typing import Any

import pytest

from scenarios.evaluate.evaluation import Evaluation, evaluate
from scenarios.evaluate.lineage import DerivedProduct
from scenarios.evaluate.measures import MeasureResult
from scenarios.model import Measure, Objective
from scenarios.record import Event
from tests.samples.small_exercise import (
    END_MINUTE,
    MINUTE_MS,
    START_MS,
    Recorder,
    hid,
    small_community,
    small_pack,
    small_record,
)


def evaluated(events: tuple[Event, ...], *, measures: tuple[Measure, ...] = ()) -> Evaluation:
    pack = small_pack()
    objectives = (replace(pack.objectives[0], measures=measures),) if measures else pack.objectives
    return evaluate(replace(pack, objectives=objectives), events, small_community())


def played(*quoted: tuple[str, dict[str, Any]]) -> tuple[DerivedProduct, ...]:
    """Play one report of alpha, and forwards of bravo that say of themselves what is given here."""
    record = Recorder()
    record.note(0, "excon", "startex")
    record.inject(0, "E1", "alpha", "p1", "p2")
    record.release(5, "alpha", "M1", ["bravo"], passages=["p1"], cause="E1")
    record.arrive(6, "M1", "bravo", opened=7)
    for minute, (message, fields) in enumerate(quoted, start=10):
        record.release(minute, "bravo", message, ["delta"], **({"act": "forward", "cause": hid("M1")} | fields))
    record.note(END_MINUTE, "excon", "endex")
    return evaluated(tuple(record.events)).lineage


def test_a_product_goes_back_to_the_report_and_the_inject_it_was_made_from() -> None:
    """H2: what a product quotes, and whose it is, can be told from the record alone."""
    (product,) = evaluated(small_record()).lineage
    (parent,) = product.ancestors

    assert (hid("M10"), "bravo", ("delta",), ("F1",)) == (product.hid, product.agency, product.readers, product.facts)
    assert (hid("M1"), 1, "alpha", "E1", ("F1",)) == (
        parent.hid, parent.depth, parent.agency, parent.inject, parent.facts,
    )  # fmt: skip
    assert (True, ("alpha",), ("E1",)) == (product.whole, product.originators, product.injects)
    # TLP:AMBER goes on by its source's permission alone (docs/adr/0012-grants-and-tlp.md).
    assert parent.controlled


def test_a_product_of_a_product_names_all_that_stand_behind_it() -> None:
    first, second = played(
        ("M2", {"passages": ["p1"], "derived_from": [hid("M1")]}),
        ("M3", {"passages": ["p1"], "derived_from": [hid("M2")]}),
    )

    assert (1, 2) == (len(first.ancestors), len(second.ancestors))
    assert [(hid("M2"), 1, "bravo"), (hid("M1"), 2, "alpha")] == [
        (each.hid, each.depth, each.agency) for each in second.ancestors
    ]
    assert second.whole


@pytest.mark.parametrize(
    ("fields", "ancestors", "strangers"),
    [
        ({"passages": ["p1"]}, 0, ()),
        ({"passages": ["p1"], "derived_from": ["ab" * 32]}, 1, ("F1",)),
        ({"passages": ["p1", "p3"], "derived_from": [hid("M1")]}, 1, ("F3",)),
    ],
    ids=["names nobody", "a parent that nobody released", "a fact that stands in no parent"],
)
def test_a_lineage_with_a_hole_is_not_whole(fields: dict[str, Any], ancestors: int, strangers: tuple[str, ...]) -> None:
    (product,) = played(("M2", fields))

    assert (False, ancestors, strangers) == (product.whole, len(product.ancestors), product.strangers)


def test_a_record_in_which_two_messages_name_each_other_is_read_to_its_end() -> None:
    """A record may have been written by a foreign node, or edited."""
    one, other = played(
        ("M2", {"passages": ["p1"], "derived_from": [hid("M3")]}),
        ("M3", {"passages": ["p1"], "derived_from": [hid("M2")]}),
    )

    assert ([hid("M3")], [hid("M2")]) == ([each.hid for each in one.ancestors], [each.hid for each in other.ancestors])


def test_the_consent_that_a_product_rests_on_is_told_with_the_minutes_it_cost() -> None:
    record = Recorder()
    record.note(0, "excon", "startex")
    record.inject(0, "E1", "alpha", "p1", "p2")
    record.release(5, "alpha", "M1", ["bravo"], passages=["p1"], cause="E1")
    asked = ((10, 31, "delta", "grant"), (12, 40, "echo", "grant"), (13, 50, "charlie", "refuse"))
    for number, (asked_at, decided_at, reader, outcome) in enumerate(asked):
        about = {"subject": f"for {reader}", "reader": reader}
        answer_by_ms = START_MS + 60 * MINUTE_MS
        request = hid(f"M{20 + number}")
        record.note(asked_at, "bravo", "requested", hid=request, originator="alpha", answer_by_ms=answer_by_ms, **about)
        said = {"outcome": outcome, "reason": "", "conditions": ""}
        record.note(decided_at, "alpha", "decision", hid=hid(f"M{30 + number}"), **about, **said)
    record.release(
        55, "bravo", "M2", ["delta"], passages=["p1"], derived_from=[hid("M1")], act="forward", cause=hid("M1")
    )
    record.note(END_MINUTE, "excon", "endex")

    (product,) = evaluated(tuple(record.events)).lineage

    assert [("alpha", "delta"), ("alpha", "echo")] == [(each.originator, each.reader) for each in product.consents]
    assert 30 * MINUTE_MS == product.consent_ms


def measured(events: tuple[Event, ...], kind: Any, of: tuple[str, ...]) -> MeasureResult:
    measure = Measure(measure="M1", kind=kind, of=of, performed=1, some=1, major=1, text="")
    objective: Objective = small_pack().objectives[0]
    assert objective.measures
    ((result,),) = (each.measures for each in evaluated(events, measures=(measure,)).certain.objectives)
    return result


def test_the_share_of_products_with_full_lineage_is_a_measure() -> None:
    """A person's product has no standing order and counts whatever the measure names."""
    result = measured(small_record(), "full_lineage", ("S1",))

    assert (1.0, "1 of 1 products name every parent", "P") == (result.value, result.counted, result.rating)


def test_lead_time_is_that_of_the_last_who_needs_it_and_nothing_if_one_never_knew() -> None:
    """Bravo knew F1 14 minutes before it fell due; charlie, delta and echo after."""
    late = measured(small_record(), "lead_minutes", ("N1",))
    alone = Recorder()
    alone.note(0, "excon", "startex")
    alone.inject(0, "E1", "alpha", "p1")
    for minute, reader in enumerate(("bravo", "delta", "charlie", "echo"), start=2):
        alone.release(minute, "alpha", f"M{minute}", [reader], passages=["p1"], cause="E1")
        alone.arrive(minute + 1, f"M{minute}", reader, opened=minute + 2)
    alone.note(END_MINUTE, "excon", "endex")
    early = measured(tuple(alone.events), "lead_minutes", ("N1",))

    assert (0.0, "U") == (late.value, late.rating)
    # Echo's node verifies at 6; a bot's need is met then. Charlie is a person and opens at 6.
    assert (14.0, "P", "the last of 4 knew it 14 min ahead") == (early.value, early.rating, early.counted)
    assert measured(small_record(), "lead_minutes", ("N3",)).value is None
