"""The router's leaves against the agencies' journals, for what only a lying router does."""

from typing import Any

import pytest

from conformance.audit_reconcile import JournalEntry, reconcile
from conformance.audit_tree import Opening

HID = bytes(range(32))
ADMITTED = ("admitted", 1, HID, "sgp-cert", "report", None, bytes(32))
DECIDED = ("decided", 1, HID, "mys-cert", "sgp-cert", 1)
DELIVERED = ("delivered", 2, HID, "mys-cert", 1)


def leaves(*statements: tuple[Any, ...]) -> list[Opening]:
    return [Opening(number, bytes(32), statement, 100 * number, 90) for number, statement in enumerate(statements)]


def entry(agency: str, stage: str, **fields: Any) -> JournalEntry:
    return JournalEntry(file=f"journals/{agency}.jsonl", offset=0, length=10, stage=stage, fields=fields)


def found(statements: list[Opening], *, author: tuple[JournalEntry, ...] = (), **others: Any) -> set[tuple[str, str]]:
    """Return fault and culprit of each finding; the author and one reader are honest and did what is usual."""
    released = entry("sgp-cert", "released", hid=HID.hex(), audience={"mys-cert": 1})
    journals = {
        "sgp-cert": (released, *(author or (entry("sgp-cert", "accepted", hid=HID.hex()), _receipt()))),
        "mys-cert": (
            entry("mys-cert", "delivered", hid=HID.hex(), bits=1, kind="report"),
            entry("mys-cert", "verified", hid=HID.hex()),
        ),
        **others,
    }
    return {(item.fault, item.who) for item in reconcile(statements, journals, router="rt-region").findings}


def _receipt() -> JournalEntry:
    return entry("sgp-cert", "receipt", hid=HID.hex(), reader="mys-cert")


def test_an_honest_log_explains_everything() -> None:
    assert set() == found(leaves(ADMITTED, DECIDED, DELIVERED))


def test_a_delivery_that_no_leaf_decides_on_is_the_routers_doing() -> None:
    """A cut that went to somebody it was not for: the stranger's journal and its ack tell of it."""
    stray = ("delivered", 3, HID, "vnm-mar", 1)
    stranger = (entry("vnm-mar", "rejected", hid=HID.hex(), code="NOT_FOR_ME", stage_failed="unwrap"),)

    assert {("forged", "rt-region")} == found(leaves(ADMITTED, DECIDED, DELIVERED, stray), **{"vnm-mar": stranger})


def test_a_delivery_more_than_was_decided_is_the_routers_doing() -> None:
    again = ("delivered", 3, HID, "mys-cert", 2)

    assert {("forged", "rt-region")} == found(leaves(ADMITTED, DECIDED, DELIVERED, again))


def test_a_second_release_may_be_delivered_a_second_time() -> None:
    statements = leaves(ADMITTED, DECIDED, DELIVERED, DECIDED, ("delivered", 3, HID, "mys-cert", 2))

    assert set() == found(statements)


def test_a_refusal_without_a_leaf_is_named() -> None:
    """The author holds a signed refusal; a router that hides it from its own log has something to hide."""
    refused = entry("sgp-cert", "refused", hid=HID.hex(), code="AUDIENCE", refusals=[])
    journals = {"mys-cert": ()}

    assert {("dropped", "rt-region")} == found(leaves(), author=(refused,), **journals)
    other = ("refused", 1, HID, "sgp-cert", "REFERENCE", ())
    assert {("dropped", "rt-region")} == found(leaves(other), author=(refused,), **journals)
    told = ("refused", 1, HID, "sgp-cert", "AUDIENCE", ())
    assert set() == found(leaves(told), author=(refused,), **journals)


def test_what_a_reader_could_not_read_of_a_proved_message_was_changed_by_the_router() -> None:
    """The router proves signature and commitments before it admits, so what fails them afterwards was changed there."""
    rejecting = (entry("mys-cert", "rejected", hid=HID.hex(), code="BAD_SIG", stage_failed="signature"),)
    author = (entry("sgp-cert", "accepted", hid=HID.hex()),)

    assert {("changed", "rt-region")} == found(
        leaves(ADMITTED, DECIDED, DELIVERED), author=author, **{"mys-cert": rejecting}
    )


def test_what_a_reader_refuses_for_its_time_is_nobodys_forgery() -> None:
    rejecting = (entry("mys-cert", "rejected", hid=HID.hex(), code="STALE", stage_failed="freshness"),)
    author = (entry("sgp-cert", "accepted", hid=HID.hex()),)

    assert set() == found(leaves(ADMITTED, DECIDED, DELIVERED), author=author, **{"mys-cert": rejecting})


def test_what_does_not_open_is_named_with_both_who_could_have_changed_it() -> None:
    rejecting = (entry("mys-cert", "rejected", hid=HID.hex(), code="BAD_WRAP", stage_failed="unwrap"),)
    author = (entry("sgp-cert", "accepted", hid=HID.hex()),)

    assert {("changed", "rt-region or sgp-cert")} == found(
        leaves(ADMITTED, DECIDED, DELIVERED), author=author, **{"mys-cert": rejecting}
    )


def test_two_trees_that_a_witness_was_shown_are_the_routers_doing() -> None:
    """The witness's journal holds both notes, each signed by the router; a log that froze is no forgery."""
    saw = (entry("tha-cert", "log_fault", fault="FORK", text="", evidence=["one", "other"]),)
    froze = (entry("tha-cert", "log_fault", fault="FREEZE", text="", evidence=["one"]),)

    assert {("forged", "rt-region")} == found(leaves(ADMITTED, DECIDED, DELIVERED), **{"tha-cert": saw})
    assert set() == found(leaves(ADMITTED, DECIDED, DELIVERED), **{"tha-cert": froze})


PROPOSAL = bytes(range(1, 33))
SILENCE: tuple[tuple[Any, ...], ...] = (
    ("admitted", 1, PROPOSAL, "sgp-cert", "proposal", None, bytes(32)),
    ("decided", 1, PROPOSAL, "mys-cert", "sgp-cert", 1),
    ("delivered", 5, PROPOSAL, "mys-cert", 1),
    ("let_go", 11, HID, "sgp-cert", "dp-aus", 1, PROPOSAL, "reg-cert", 10),
)
OBJECTED = ("admitted", 9, HID, "mys-cert", "objection", PROPOSAL, bytes(32))


@pytest.mark.parametrize(
    ("statements", "why"),
    [
        (SILENCE, ""),
        (SILENCE[1:], "no proposal stands in the log"),
        ((*SILENCE[:2], SILENCE[3]), "had not been asked in time"),
        ((*SILENCE[:2], (*SILENCE[2][:1], 11, *SILENCE[2][2:]), SILENCE[3]), "had not been asked in time"),
        ((*SILENCE[:3], (*SILENCE[3][:1], 10, *SILENCE[3][2:])), "was not over"),
        ((*SILENCE[:3], OBJECTED, SILENCE[3]), "mys-cert had objected"),
        ((*SILENCE[:3], (*OBJECTED[:1], 11, *OBJECTED[2:]), SILENCE[3]), ""),
    ],
)
def test_h17_the_log_alone_shows_whether_silence_was_consent(statements: tuple[tuple[Any, ...], ...], why: str) -> None:
    """Who was asked, when each had it, who objected: all of it has leaves, so a router cannot make silence up."""
    told = [
        item.text for item in reconcile(leaves(*statements), {}, router="rt-region").findings if "silence" in item.text
    ]

    assert [bool(why)] * len(told) == [why in text for text in told]
    assert len(told) == bool(why)


def test_h16_an_override_stands_in_the_log_with_its_originator() -> None:
    """A router that lets position and danger go and tells the originator nothing is found out by its own log."""
    of = bytes(32)
    admitted = ("admitted", 1, HID, "sgp-cert", "override", of, bytes(32))
    overridden = ("overridden", 1, of, "idn-cert", HID, "sgp-cert", "life-safety.health", ("idn-cert", "mys-cert"))
    told = ("decided", 1, HID, "idn-cert", "sgp-cert", 1)

    def found_in(*statements: tuple[Any, ...], **audience: int) -> set[tuple[str, str]]:
        released = entry("sgp-cert", "released", hid=HID.hex(), audience={"mys-cert": 1, **audience})
        author = (released, entry("sgp-cert", "accepted", hid=HID.hex()), _receipt())
        return found(leaves(*statements), author=author, **{"idn-cert": ()})

    both = {"idn-cert": 1}
    assert set() == found_in(admitted, overridden, DECIDED, told, DELIVERED, **both)
    assert {("dropped", "rt-region")} == found_in(admitted, DECIDED, told, DELIVERED, **both)
    assert {("forged", "rt-region")} == found_in(admitted, overridden, DECIDED, DELIVERED)


def test_many_findings_of_one_kind_are_counted_and_hide_nothing_of_another() -> None:
    unlogged = tuple(entry("sgp-cert", "accepted", hid=number.to_bytes(32).hex()) for number in range(1, 301))
    bent = (entry("mys-cert", "rejected", hid=HID.hex(), code="BAD_WRAP", stage_failed="unwrap"),)
    journals = {"sgp-cert": (entry("sgp-cert", "accepted", hid=HID.hex()), *unlogged), "mys-cert": bent}

    findings = reconcile(leaves(ADMITTED, DECIDED, DELIVERED), journals, router="rt-region").findings
    of_author = [item.text for item in findings if item.file == "journals/sgp-cert.jsonl"]
    assert (257, "this and 43 more of the kind in this file are not listed") == (len(of_author), of_author[-1])
    assert [("changed", "journals/mys-cert.jsonl")] == [
        (item.fault, item.file) for item in findings if item.fault == "changed"
    ]
