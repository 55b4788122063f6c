"""The router's record retold: each decision by the bundle that was in force when it was made."""

from typing import Any

from broker.store import RecordRow
from console.router_log import RouterLog, as_documents
from policy.community import Community
from scenarios.pack import load_pack
from scenarios.placeholder_community import placeholder_bundle
from schemas.codec import pack
from schemas.label import Label
from tests.samples.command_line import HARBOUR_WATCH

LABEL = Label("GREEN", "EX-UNCLAS", "toc.robbery", affected=("IDN", "MYS"))
AT_MS = 1_800_000_000_000


def communities() -> dict[int, Community]:
    """Version 1 as the pack has it; in version 2 the rule for bodies (R2) is gone."""
    bundle = placeholder_bundle(load_pack(HARBOUR_WATCH))
    fewer = tuple(rule for rule in bundle.rules if rule.rule != "R2")
    return {1: Community.compile(bundle), 2: Community.compile(bundle._replace(version=2, rules=fewer))}


def row(number: int, stage: str, hid: bytes | None, body: Any, agency: str = "mys-mar") -> RecordRow:
    return RecordRow(number, AT_MS + number, stage, hid, agency, b"" if body is None else pack(body))


def released(number: int, hid: bytes, permitted: tuple[str, ...]) -> list[RecordRow]:
    admitted = ("report", None, len(permitted), 0, tuple((name, 1) for name in permitted))
    return [row(number, "admitted", hid, admitted), row(number + 1, "decided", hid, (0, LABEL, permitted))]


def test_each_refusal_is_decided_by_the_bundle_of_its_time() -> None:
    rows = [
        row(1, "bundle", None, (1,), ""),
        *released(2, b"a" * 32, ("idn-mar",)),
        row(4, "bundle", None, (2,), ""),
        *released(5, b"b" * 32, ("idn-mar",)),
    ]

    first, second = as_documents(RouterLog(communities()).read(rows))

    assert (1, 2) == (first["bundle_version"], second["bundle_version"])
    rules = [
        {item["agency"]: item["rule"] for item in document["portions"][0]["left_out"]} for document in (first, second)
    ]
    assert ["NOT-SEALED", "NTK-PERMIT"] == [found["rb-ifc"] for found in rules]
    assert [{"agency": "idn-mar", "rule": "R1"}] == second["portions"][0]["permitted"]


def test_deliveries_and_cancellations_belong_to_their_report() -> None:
    hid = b"a" * 32
    rows = [
        *released(1, hid, ("idn-mar", "rb-ifc")),
        row(3, "delivered", hid, 7, "idn-mar"),
        row(4, "cancelled", hid, None, "rb-ifc"),
        row(5, "delivered", b"z" * 32, 8, "idn-mar"),
    ]

    (document,) = as_documents(RouterLog(communities()).read(rows))

    assert [{"agency": "idn-mar", "at_ms": AT_MS + 3}] == document["delivered"]
    assert ["rb-ifc"] == document["cancelled"]


def test_what_was_refused_names_agency_and_rule() -> None:
    rows = [row(1, "refused", None, ("AUDIENCE", "policy", ((0, "in-port", "R3", "industry"),)))]

    (document,) = as_documents(RouterLog(communities()).read(rows))

    assert ("refused", "AUDIENCE", None) == (document["outcome"], document["code"], document["hid"])
    assert [{"place": 0, "agency": "in-port", "rule": "R3", "reason": "industry"}] == document["refusals"]
