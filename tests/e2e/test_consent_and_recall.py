"""One play of consent and recall: a lapse, a grant that ends, a recall that goes through a product (H2, H13, H17)."""

from pathlib import Path

import pytest

from policy.community import Community
from scenarios.enrolment import enrol
from scenarios.evaluate.evaluation import Evaluation, evaluate
from scenarios.model import Pack
from scenarios.pack import load_pack
from scenarios.record import Event, read_record
from scenarios.rehearsal import rehearse
from sealing.entropy import SystemEntropy

PACK = Path(__file__).parents[1] / "packs" / "taken-back.yaml"
MINUTE_MS = 60_000


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack(PACK)


@pytest.fixture(scope="module")
def events(pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> tuple[Event, ...]:
    folder = tmp_path_factory.mktemp("taken-back")
    rehearse(pack, folder=folder)
    return read_record(folder / "record")


@pytest.fixture(scope="module")
def evaluation(pack: Pack, events: tuple[Event, ...]) -> Evaluation:
    return evaluate(pack, events, Community.compile(enrol(pack, entropy=SystemEntropy()).bundle))


def of(events: tuple[Event, ...], stage: str, source: str, **fields: object) -> list[Event]:
    return [
        event
        for event in events
        if event.stage == stage and event.source == source and fields.items() <= event.fields.items()
    ]


def minute(pack: Pack, event: Event) -> int:
    return round((event.at_ms - pack.start_ms) / MINUTE_MS)


def test_h17_a_request_that_nobody_decided_lapses_and_its_asker_acts_on_that(
    pack: Pack, events: tuple[Event, ...]
) -> None:
    (at_asker,), (at_originator,) = (of(events, "lapsed", agency) for agency in ("idn-mar", "phl-mar"))
    # The order is for minute 30, the desk needs 2 minutes to write, and the asker can wait for 15.
    assert (47, 47) == (minute(pack, at_asker), minute(pack, at_originator))
    (held,) = of(events, "acted", "idn-mar", order="S8")
    assert at_asker.fields["hid"] == held.fields["cause"]


def test_h17_a_grant_ends_after_the_time_that_its_originator_named(pack: Pack, events: tuple[Event, ...]) -> None:
    (report,) = of(events, "released", "mys-mar", order="S1")
    (decision,) = of(events, "decision_opened", "idn-mar", outcome="grant")
    (over,) = of(events, "grant_over", "idn-mar")
    (receipt,) = of(events, "receipt", "mys-mar", reader="idn-mar", status="purged", decision=over.fields["decision"])

    assert decision.fields["expires_ms"] == over.at_ms
    assert report.fields["hid"] == over.fields["hid"] == receipt.fields["hid"]
    # Decided in minute 17.
    assert 17 + 60 == minute(pack, over)


def test_h2_the_product_goes_to_whom_consent_was_given_and_the_other_attempt_is_logged(
    events: tuple[Event, ...],
) -> None:
    (released,) = of(events, "released", "rb-ifc", order="S4")
    (denied,) = of(events, "onward_denied", "rb-ifc")

    assert ["idn-mar"] == list(released.fields["audience"])
    assert ("S5", {"phl-mar": "NTK-ORCON"}) == (denied.fields["order"], denied.fields["agencies"])
    assert [] == of(events, "delivered", "phl-mar", kind="report")
    assert ["ORCON"] == released.fields["portions"][0]["label"]["caveats"]


def test_h13_a_recall_goes_through_the_product_to_everybody_who_has_it(pack: Pack, events: tuple[Event, ...]) -> None:
    (report,), (product,) = of(events, "released", "mys-mar", order="S1"), of(events, "released", "rb-ifc", order="S4")
    (tainted,) = of(events, "tainted", "rb-ifc")
    (used,) = of(events, "receipt", "mys-mar", status="used")
    (again,) = of(events, "released", "rb-ifc", kind="recall")

    assert (report.fields["hid"], [product.fields["hid"]]) == (tainted.fields["hid"], tainted.fields["products"])
    assert ("rb-ifc", product.fields["hid"]) == (used.fields["reader"], used.fields["product"])
    # Without an order of its own the desk recalls its product after its pace to decide.
    assert (product.fields["hid"], 105 + 5) == (again.fields["ref"], minute(pack, again))
    (erased,) = of(events, "recalled", "idn-mar", hid=product.fields["hid"])
    assert minute(pack, again) == minute(pack, erased)


def test_the_report_says_how_long_a_request_stood_and_when_a_grant_ended(evaluation: Evaluation) -> None:
    granted, lapsed = evaluation.requests

    assert ("granted", "rb-ifc", "idn-mar") == (granted.state, granted.asker, granted.reader)
    assert granted.expires_ms is not None
    assert granted.expires_ms == granted.ended_ms
    assert ("lapsed", None, 15 * MINUTE_MS) == (lapsed.state, lapsed.decided_ms, lapsed.answer_by_ms - lapsed.asked_ms)


def test_the_report_shows_the_state_of_each_recall(evaluation: Evaluation) -> None:
    of_report, of_product = evaluation.recalls

    assert [("idn-mar", "purged", 0), ("rb-ifc", "purged", 1)] == [
        (past.agency, past.answer, len(past.used_in)) for past in of_report.recipients
    ]
    assert ("rb-ifc", "", [("idn-mar", "purged")]) == (
        of_product.agency,
        of_product.order or "",
        [(past.agency, past.answer) for past in of_product.recipients],
    )
    assert (of_product.recalls,) == of_report.recipients[1].used_in
