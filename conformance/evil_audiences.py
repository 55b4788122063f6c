"""Layers L3 and L4, the router's side: who may have it, when, and after what."""

from collections.abc import Callable
from typing import Any

from conformance.evil_book import (
    Book,
    Made,
    Only,
    Row,
    at,
    change,
    enter_rows,
    envelope,
    hooked,
    plan,
    put,
    route,
    sealed,
    world,
)
from conformance.evil_envelopes import L3
from schemas.errors import Code
from schemas.limits import CLOCK_SKEW_MS_MAX


def _policy_rows() -> tuple[Row, ...]:
    wide = "a reader gets what the rules keep from it"
    secret = world.HIGH

    def to(reader: str, **label: Any) -> Callable[[], Made]:
        return plan(labels=(world.LABEL._replace(**label),), readers=((reader, (0,)),))

    return (
        ("over_wide_wrap", Code.AUDIENCE, "RTR-006", "Bravo is given a portion above its clearance.", wide, "OverWide",
         plan(readers=(("bravo", (0, 1, 2)), ("charlie", (0, 1, 2))))),
        ("over_wide_by_compartment", Code.AUDIENCE, "NTK-023", "The reader lacks a compartment.", wide, "OverWide",
         to("delta", compartments=secret.compartments)),
        ("over_wide_by_rel", Code.AUDIENCE, "NTK-020", "REL TO names another state.", wide, "OverWide",
         to("bravo", rel=("IDN",))),
        ("over_wide_by_exclusion", Code.AUDIENCE, "NTK-019", "The reader's state is excluded.", wide, "OverWide",
         to("bravo", exclude=("SGP",))),
        ("over_wide_by_mechanism", Code.AUDIENCE, "NTK-024", "The reader is no member of the agreement.", wide,
         "OverWide", to("bravo", mechanisms=("our-eyes",))),
        ("over_wide_by_caveat", Code.AUDIENCE, "NTK-026", "NATONLY, to another state.", wide, "OverWide",
         to("bravo", caveats=("NATONLY",))),
        ("over_wide_by_red", Code.AUDIENCE, "NTK-036", "RED, to a reader that is not named.", wide, "OverWide",
         to("bravo", tlp="RED", rel=("SGP",))),
        ("over_wide_by_forbidding_rule", Code.AUDIENCE, "NTK-041", "A rule forbids it to partners.", wide, "OverWide",
         to("delta", tlp="AMBER+STRICT")),
        ("over_wide_by_no_rule", Code.AUDIENCE, "NTK-029", "No rule permits it to the reader's role.", wide,
         "OverWide", to("india")),
        ("over_wide_by_topic", Code.AUDIENCE, "NTK-043", "A topic that only begins like one that a rule permits.",
         wide, "OverWide", to("bravo", topic="tocsin")),
        ("embargo_running", Code.AUDIENCE, "NTK-027", "The embargo ends a millisecond later.", wide, "OverWide",
         to("bravo", not_before=world.NOW + 1)),
        ("level_unknown", Code.AUDIENCE, "NTK-004", "A level that the bundle does not define.",
         "unknown is never no restriction", "OverWide", to("bravo", level="EX-MAYBE")),
        ("compartment_unknown", Code.AUDIENCE, "NTK-004", "A compartment that the bundle does not define.",
         "unknown is never no restriction", "OverWide", to("charlie", compartments=("sea-eyes",))),
        ("caveat_unknown", Code.AUDIENCE, "NTK-004", "A caveat that is not of the vocabulary.",
         "unknown is never no restriction", "OverWide", to("bravo", caveats=("BURN",))),
        ("group_unknown", Code.AUDIENCE, "NTK-004", "A group that the bundle does not define.",
         "unknown is never no restriction", "OverWide", to("bravo", rel=("@elsewhere", "bravo"))),
        ("report_with_topic_of_receipts", Code.REFERENCE, "RTR-041", "A report that bears the topic of receipts.",
         "the rule that carries receipts would carry it to everybody", "OverWide",
         to("bravo", topic="workflow.receipt")),
        ("receipt_with_topic_of_reports", Code.REFERENCE, "RTR-041", "A receipt that bears the topic of a report.",
         "what is not marked as a receipt is routed as one", None,
         plan(kind="receipt", labels=(world.LABEL,), readers=(("bravo", (0,)),))),
        ("wrap_without_bits", Code.AUDIENCE, "RTR-040", "A reader is given no portion at all.",
         "the reader would learn that the message exists", "OverWide",
         plan(readers=(("bravo", (0,)), ("golf", ())))),
        ("reader_unknown", Code.AUDIENCE, "RTR-005", "A wrap for an agency that is not in the bundle.", wide, None,
         at(wrap=Only(0, put(0, "zulu")))),
        ("reader_revoked", Code.AUDIENCE, "RTR-005", "A wrap for an agency that is revoked.", wide, "Revoked",
         at(wrap=Only(0, put(0, "echo")))),
        ("reader_epoch_unknown", Code.KEY_EPOCH, "KEY-016", "An epoch of the reader's that was never announced.",
         "a wrap that nobody can open is lost unseen", None, at(wrap=put(2, 99))),
        ("originator_epoch_unknown", Code.KEY_EPOCH, "KEY-016", "An epoch of alpha's that was never announced.",
         "a wrap that nobody can open is lost unseen", None, at(wrap=put(1, 99))),
        ("reader_epoch_over", Code.KEY_EPOCH, "KEY-016", "An epoch that is over by now.",
         "the secret to it is gone, or should be", None,
         lambda: route(hooked(wrap=put(2, world.EPOCH - 1)), now=world.NOW + world.DAY_MS)),
        ("bit_on_a_decoy", Code.DISCLOSURE, "RTR-008", "A bit on a place that holds a decoy.",
         "a bit that nobody decided on", "HiddenPortion", at(wrap=Only(0, change(3, _with_decoy_bit)))),
        ("ahead_by_more_than_the_skew", Code.FUTURE, "ENV-078", "Sealed a millisecond more than the skew ahead.",
         "messages made for later can be let loose after a revocation", None,
         plan(ts=world.NOW + CLOCK_SKEW_MS_MAX + 1, exp=world.NOW + world.DAY_MS)),
        ("after_its_expiry", Code.STALE, "ENV-079", "Arrives a millisecond after its expiry.",
         "what is forgotten could be played again", None, plan(now=world.NOW + world.DAY_MS + 1)),
        ("bundle_of_tomorrow", Code.FUTURE, "RTR-009", "Made under a newer bundle than the router has.",
         "a router must not judge by rules that the author knows to be over", None, plan(bv=world.BUNDLE_VERSION + 1)),
        ("without_blobs_at_first", Code.REFERENCE, "RTR-010", "A first release that brings no blobs.",
         "readers would get a report that cannot be opened", None, plan(with_blobs=False)),
    )  # fmt: skip


def _with_decoy_bit(bits: int) -> int:
    message, _ = sealed()
    return int(bits | 0b1111 & ~message.bits(0, 1, 2))


enter_rows(L3, _policy_rows(), op="route", base="plain")


@L3.accepts(
    "route", "NTK-057", base="plain", mutation="for contributors to a pool, one of whom reads it", why="control"
)
def to_a_contributor() -> Made:
    """A portion for a pool, to a reciprocal member whose contribution still counts."""
    return plan(labels=(world.LABEL._replace(mechanisms=("sea-pool",)),), readers=(("charlie", (0,)),))()


@L3.accepts(
    "route", "NTK-058", base="plain", mutation="of a topic that only the affected state may write", why="control"
)
def figures_by_the_affected_state() -> Made:
    """The affected state's own figures."""
    label = world.LABEL._replace(topic="toc.losses", affected=("MYS",))
    return plan(labels=(label,), readers=(("bravo", (0,)),))()


def _terms_rows() -> tuple[Row, ...]:
    """Return what reciprocal terms, and the control of the affected state, keep from a reader."""
    estimate = "an estimate would go about as the official figure"

    def to_bravo(**label: Any) -> Callable[[], Made]:
        return plan(labels=(world.LABEL._replace(**label),), readers=(("bravo", (0,)),))

    return (
        ("over_wide_by_reciprocity", Code.AUDIENCE, "NTK-057", "The reader's contribution counts no more.",
         "a pool would be read by whoever takes and gives nothing", "OverWide", to_bravo(mechanisms=("sea-pool",))),
        ("figures_by_the_unaffected", Code.AUDIENCE, "NTK-058", "A rule keeps a topic to the affected state.", estimate,
         "OverWide", to_bravo(topic="toc.losses", affected=("SGP",))),
        ("figures_of_nobody", Code.AUDIENCE, "NTK-058", "A label of that topic that names nobody as affected.",
         estimate, "OverWide", to_bravo(topic="toc.losses")),
    )  # fmt: skip


enter_rows(L3, _terms_rows(), op="route", base="to_a_contributor")

# L4: after other messages.

L4 = Book(
    layer="L4",
    notes={
        "Recall": {"bug": "DENIAL", "why": "somebody else takes a report back, or a recalled one lives on"},
        "Replay": {"bug": "REPLAY", "why": "what was sent once counts twice, or two messages stand under one number"},
        "Existence": {"bug": "LEAK", "why": "an agency learns of a report that it may not know of"},
        "Unsigned": {"bug": "FORGERY", "why": "a report bears the names of agencies that have not agreed to it"},
        "HiddenPortion": {"bug": "HIDDEN_CONTENT", "why": "a portion that neither router nor co-signer was shown"},
    },
)


def _first() -> tuple[tuple[str, bytes], bytes]:
    message, made = sealed()
    return ("alpha", made), message.hid


def _after(*, sender: str = "alpha", **changes: Any) -> Made:
    """Send something after an honest report of alpha's."""
    first, _ = _first()
    return route(envelope(**changes), sender=sender, earlier=(first,))


def _recall(name: str = "recall", **changes: Any) -> bytes:
    _, hid = _first()
    readers = (("bravo", ()), ("charlie", ()))
    return envelope(**{"name": name, "kind": "recall", "ref": hid, "labels": (), "readers": readers, **changes})


@L4.accepts("route", "RTR-003", why="an author that missed its verdict must get it", verdict="repeat")
def same_release_again() -> Made:
    """The same envelope once more."""
    first, _ = _first()
    return route(first[1], earlier=(first,))


@L4.accepts("route", "ENV-069", "RTR-012", base="same_release_again", mutation="to golf, without blobs", why="control")
def re_release() -> Made:
    """The same message to another reader, without blobs."""
    return _after(readers=(("golf", (0,)),), with_blobs=False)


@L4.accepts("route", "RCL-001", "RCL-003", why="control")
def recall() -> Made:
    """The originator recalls from everybody who had it."""
    first, _ = _first()
    return route(_recall(), earlier=(first,))


@L4.accepts("route", "ENV-084", why="control")
def correction() -> Made:
    """The originator corrects its own report."""
    _, hid = _first()
    return _after(name="correction", ref=hid)


def _later_rows() -> tuple[Row, ...]:
    first, hid = _first()
    mine = "only who wrote a report may take it back or replace it"
    one: dict[str, Any] = {"labels": (world.LABEL,), "readers": (("bravo", (0,)),)}
    return (
        ("re_release_over_wide", Code.AUDIENCE, "RTR-012", "Released again, to a reader that may not have it.",
         "consent once asked is not consent for all", None,
         lambda: _after(readers=(("golf", (2,)),), with_blobs=False)),
        ("recall_of_another", Code.REFERENCE, "RCL-001", "Charlie recalls alpha's report.", mine, "Recall",
         lambda: route(_recall(by=("charlie",), readers=(("bravo", ()),)), sender="charlie", earlier=(first,))),
        ("recall_of_nothing", Code.REFERENCE, "RCL-002", "A recall without a reference.", mine, "Recall",
         lambda: route(_recall(ref=None), earlier=(first,))),
        ("recall_of_the_unknown", Code.REFERENCE, "RTR-011", "A recall of what was never sent.",
         "the answer must not tell whether another's report exists", "Recall", lambda: route(_recall())),
        ("recall_to_a_stranger", Code.AUDIENCE, "RCL-003", "A recall to an agency that never had the report.",
         "it would learn that the report existed", "Existence",
         lambda: route(_recall(readers=(("bravo", ()), ("golf", ()))), earlier=(first,))),
        ("recall_with_a_portion", Code.AUDIENCE, "RCL-003", "A recall with a portion for a past reader.",
         "a recall carries nothing", "Recall", lambda: route(_recall(**one), earlier=(first,))),
        ("release_after_recall", Code.RECALLED, "RCL-005", "A release of what was recalled.",
         "a recalled report must not come back", "Recall",
         lambda: route(envelope(readers=(("golf", (0,)),)), earlier=(first, ("alpha", _recall())))),
        ("correction_of_another", Code.REFERENCE, "ENV-084", "Charlie corrects alpha's report.", mine, "Recall",
         lambda: _after(name="correction", by=("charlie",), sender="charlie", ref=hid, **one)),
    )  # fmt: skip


enter_rows(L4, _later_rows(), op="route", base="recall")
