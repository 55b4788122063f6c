"""Layer L3, the router's side: envelopes that lie in one place and are right in all others."""

from collections.abc import Callable
from typing import Any

from conformance.evil_book import (
    Book,
    Made,
    Row,
    always,
    at,
    change,
    drop,
    enter_rows,
    envelope,
    named,
    note,
    plan,
    put,
    route,
    sealed,
    swap,
    world,
)
from schemas.errors import Code
from schemas.limits import CLOCK_SKEW_MS_MAX, LIFETIME_MS_MAX
from sealing.primitives import digest, sign

L3 = Book(
    layer="L3",
    notes={
        "HiddenPortion": {"bug": "HIDDEN_CONTENT", "why": "a portion that neither router nor co-signer was shown"},
        "OverWide": {"bug": "LEAK", "why": "a reader gets what the rules keep from it"},
        "Substitution": {"bug": "FORGERY", "why": "parts of two honest messages make a third that nobody wrote"},
        "CrossProtocol": {"bug": "CONFUSION", "why": "a signature made for one purpose is taken for another"},
        "Malleable": {"bug": "MALLEABILITY", "why": "a second spelling of one message"},
        "Type": {"bug": "MISPARSING", "why": "a loosely typed reader folds two types into one value"},
        "WrapBinding": {"bug": "FORGERY", "why": "a wrap made for one reader or message serves another"},
        "KeyCommitment": {"bug": "TWO_TEXTS", "why": "one blob under two keys"},
        "Revoked": {"bug": "STALE_TRUST", "why": "what a lost key signs passes for its owner's"},
    },
)

# Controls.


@L3.accepts("route", "ENV-056", "ENV-055", "ENV-038", "RTR-001", why="control")
def plain() -> Made:
    """Three portions in four places, two readers, one of whom has two of them."""
    return route(envelope())


@L3.accepts("route", "ENV-057", base="plain", mutation="golf co-signs", why="control")
def joint() -> Made:
    """A report with one co-signature there and one still asked for."""
    return route(envelope(by=("alpha", "golf", "charlie"), cosigners=("golf",)))


def _control_rows() -> None:
    skew, day = CLOCK_SKEW_MS_MAX, world.DAY_MS
    soon = "tolerances are part of the protocol: one end's refusal is the other's loss"
    rows: tuple[tuple[str, str, str, Callable[[], Made]], ...] = (
        ("lifetime_of_30_days", "ENV-027", "A lifetime of exactly 30 days.", plan(exp=world.NOW + LIFETIME_MS_MAX)),
        ("ahead_by_the_skew", "ENV-078", "Sealed exactly the allowed skew ahead.",
         plan(ts=world.NOW + skew, exp=world.NOW + day)),
        ("at_its_expiry", "ENV-079", "Arrives in its last millisecond.", plan(now=world.NOW + day)),
        ("by_the_newer_key", "KEY-009", "Signed by the newer of two keys that hold.",
         plan(by=("golf",), sender="golf", labels=(world.LABEL,), readers=(("bravo", (0,)),))),
        ("receipt", "RTR-041", "A receipt under the topic of its kind.",
         plan(kind="receipt", labels=(world.LABEL._replace(topic="workflow.receipt"),), readers=(("bravo", (0,)),))),
        ("by_the_older_key", "KEY-009", "Signed by the older of two keys that hold.", _golf_by_its_older_key),
        ("epoch_in_its_overlap", "KEY-016", "Wrapped to the epoch before, which still opens.",
         at(wrap=put(2, world.EPOCH - 1))),
    )  # fmt: skip
    for name, req, fault, make in rows:
        L3.accepts("route", req, "ENV-089", base="plain", mutation=fault[:-1], why=soon)(named(name, fault, make))


def _golf_by_its_older_key() -> Made:
    older = world.sign_pair("golf old").secret
    signed: list[bytes] = []
    hooks = {"signed": note(signed), "signature": lambda _old: sign(older, b"", signed[-1])}
    return route(envelope(by=("golf",), labels=(world.LABEL,), readers=(("bravo", (0,)),), hooks=hooks), sender="golf")


_control_rows()

# Shape, version, limits.

_FIELDS = ("header", "wraps_hash", "signature", "cosignatures", "disclosures", "wraps", "blobs")


def _three_places() -> Made:
    """Two portions and one true decoy behind them."""
    two: dict[str, Any] = {"labels": (world.LABEL,) * 2, "readers": (("bravo", (0, 1)),)}
    seed = sealed(**two)[0].seed
    decoy = digest(b"sw1 decoy", seed + (2).to_bytes(2, "big"))
    return route(envelope(**two, hooks={"commitments": lambda listed: (*listed, decoy)}))


FILL = "a reader that fills in a default sees what was never signed"
KINDS = "a loosely typed reader sees one value where another sees two"
NEVER = "what the sender never sends must not be understood by anybody"


def _missing_rows() -> tuple[Row, ...]:
    return tuple(
        (f"without_{name}", Code.SHAPE, "ENV-011", f"The field {name} is missing.", FILL, None,
         at(envelope_fields=drop(index)))
        for index, name in enumerate(_FIELDS)
    )  # fmt: skip


def _header_rows() -> tuple[Row, ...]:
    return (
        ("surplus_field", Code.SHAPE, "ENV-011", "An eighth field.", NEVER, None,
         at(envelope_fields=lambda fields: (*fields, None))),
        ("header_as_array", Code.SHAPE, "ENV-013", "The header as an array and not as bytes.", KINDS, "Type",
         at(envelope_fields=change(0, lambda _header: (1, "report")))),
        ("signature_as_text", Code.SHAPE, "ENV-013", "The signature as text.", KINDS, "Type",
         at(signature=always("s" * 64))),
        ("signature_missing", Code.SHAPE, "ENV-061", "The signature is nil.", FILL, None, at(signature=always(None))),
        ("header_trailing_byte", Code.TRAILING, "ENV-005", "A byte behind the header, inside its bytes.", NEVER,
         "Malleable", at(header=lambda header: header + b"\xc0")),
        ("header_other_spelling", Code.NOT_CANONICAL, "ENV-010", "The header's version in two bytes.",
         "one header has one id", "Malleable", at(header=lambda header: header[:1] + b"\xcc\x01" + header[2:])),
        ("version_2", Code.VERSION, "ENV-024", "The header says version 2.",
         "a format that is not known must not be guessed at", None, at(header_fields=put(0, 2))),
        ("version_as_text", Code.VERSION, "ENV-024", "The version as a text.", KINDS, "Type",
         at(header_fields=put(0, "1"))),
        ("version_as_float", Code.VERSION, "ENV-024", "The version as 1.0.", KINDS, "Type",
         at(header_fields=put(0, 1.0))),
        ("version_as_true", Code.VERSION, "ENV-024", "The version as true.", KINDS, "Type",
         at(header_fields=put(0, True))),
        ("version_2_of_another_shape", Code.VERSION, "ENV-024", "Version 2, with one field only.",
         "the version is judged before a shape that may have changed with it", None,
         at(header_fields=always((2,)))),
        ("kind_unknown", Code.SHAPE, "ENV-025", "A kind that is not known.", NEVER, None, plan(kind="order")),
        ("places_3", Code.LIMIT, "ENV-026", "Three places.", "the number of places must not tell that of portions",
         None, _three_places),
        ("places_64", Code.SHAPE, "ENV-026", "64 places.", "bits for them do not fit a wrap", None,
         at(commitments=lambda listed: (*listed, *(digest(b"x", bytes([n])) for n in range(60))))),
        ("lifetime_zero", Code.LIMIT, "ENV-027", "It expires when it is sealed.", NEVER, None, plan(exp=world.NOW)),
        ("lifetime_over_30_days", Code.LIMIT, "ENV-027", "A lifetime of a millisecond over 30 days.",
         "what is remembered against replay must be forgotten some day", None,
         plan(exp=world.NOW + LIFETIME_MS_MAX + 1)),
        ("signer_twice", Code.LIMIT, "ENV-028", "The originator is also a co-signer.",
         "one agency would count as two", None, plan(by=("alpha", "golf", "alpha"))),
        ("signers_17", Code.SHAPE, "ENV-011", "17 signers.", "every list is bounded", None,
         at(header_fields=put(2, tuple(f"agency-{n:02d}" for n in range(17))))),
        ("commitment_twice", Code.LIMIT, "ENV-028", "One commitment stands at two places.",
         "one disclosure would serve two places", "HiddenPortion",
         at(commitments=lambda listed: (listed[0], listed[0], *listed[2:]))),
        ("header_too_long", Code.SHAPE, "ENV-088", "A header of 4,097 bytes.", "every structure is bounded", None,
         at(header=lambda header: header + bytes(4_097 - len(header)))),
        ("time_as_float", Code.SHAPE, "ENV-012", "The time of sealing as a float.", KINDS, "Type",
         at(header_fields=change(3, float))),
    )  # fmt: skip


def _envelope_rows() -> tuple[Row, ...]:
    return (
        ("cosignature_place_missing", Code.SHAPE, "ENV-058", "Two co-signers, one place.",
         "signatures would be checked against the wrong co-signer", None,
         lambda: route(envelope(by=("alpha", "golf", "charlie"), hooks={"cosignatures": lambda old: old[:1]}))),
        ("disclosures_out_of_order", Code.SHAPE, "ENV-059", "Two disclosures changed places.",
         "one set of disclosures has one spelling", "Malleable", at(disclosed=swap, blobs=swap)),
        ("disclosure_twice", Code.SHAPE, "ENV-059", "One place is disclosed twice.",
         "readers keep the first or the last", "Malleable",
         at(disclosed=lambda all_: [all_[0], *all_], blobs=lambda all_: [all_[0], *all_])),
        ("disclosure_outside", Code.SHAPE, "ENV-059", "A place is disclosed that the header does not have.",
         "an index outside a list", None,
         at(disclosed=lambda all_: [*all_[:-1], (4, all_[-1][1])])),
        ("blob_missing_of_three", Code.SHAPE, "ENV-060", "Three disclosures, two blobs.",
         "blobs would be taken for those of other places", None, at(blobs=lambda all_: all_[:2])),
        ("wraps_none", Code.SHAPE, "ENV-068", "Nobody to release to.", "a message that nobody gets takes room", None,
         at(wrap_list=always([]))),
        ("reader_twice", Code.LIMIT, "ENV-051", "A reader has two wraps.", "which of them counts is a matter of luck",
         "Malleable", at(wrap_list=lambda wraps: [*wraps, wraps[0]])),
        ("bit_outside", Code.LIMIT, "ENV-052", "A bit for a place that the header does not have.",
         "an index outside a list", None, at(wrap=change(3, lambda bits: bits | 1 << 9))),
        ("disclosure_label_unsorted", Code.SHAPE, "NTK-002", "A label whose list is out of order.",
         "one label has one spelling", "Malleable",
         at(disclosure_fields=change(1, lambda label: label._replace(affected=("SGP", "MYS"))))),
        ("disclosure_field_missing", Code.SHAPE, "ENV-011", "A disclosure without the number of chunks.", FILL, None,
         at(disclosure_fields=drop(3))),
        ("disclosure_salt_short", Code.SHAPE, "ENV-011", "A salt of 15 bytes.",
         "a short salt lets a withheld label be guessed", None,
         at(disclosure_fields=change(0, lambda salt: salt[:15]))),
        ("envelope_trailing_byte", Code.TRAILING, "ENV-005", "A nil behind the envelope.", NEVER, "Malleable",
         at(envelope=lambda whole: whole + b"\xc0")),
        ("envelope_cut_short", Code.TRUNCATED, "ENV-004", "The last byte is missing.", FILL, None,
         at(envelope=lambda whole: whole[:-1])),
    )  # fmt: skip


enter_rows(L3, (*_missing_rows(), *_header_rows(), *_envelope_rows()), op="route", base="plain")
